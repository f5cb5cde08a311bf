/* What a server of SMTP or LMTP may say. */
#include "base/buf.h"
#include "fuzz/fuzz.h"
#include "proto/smtp_client.h"

struct owner {
	struct smtp_client *core;
	struct buf out;
	unsigned transactions;
};

static void
begin(struct owner *o)
{
	struct smtp_mail mail = { .size = 5 };
	struct smtp_rcpt rcpt = { .claim = 1 };

	if (++o->transactions > 8) {
		smtp_client_quit(o->core, &o->out);
		return;
	}
	if (address_parse(SLICE("a@b.example"), 0, &mail.from) != ADDRESS_OK ||
	    address_parse(SLICE("c@d.example"), 0, &rcpt.to) != ADDRESS_OK)
		return;
	smtp_client_mail(o->core, &mail, &o->out);
	smtp_client_rcpt(o->core, &rcpt, &o->out);
	smtp_client_rcpt(o->core, &rcpt, &o->out);
	if (o->transactions % 2 == 0)
		smtp_client_rset(o->core, &o->out);
	else
		smtp_client_data(o->core, &o->out);
}

static size_t
feed(void *ctx, struct slice in)
{
	struct owner *o = ctx;
	struct smtp_client_event ev;
	size_t used;
	int r = smtp_client_input(o->core, in, &used, &o->out, &ev);

	if (r == 1 && ev.kind == SMTP_CLIENT_TLS)
		smtp_client_tls_done(o->core, &o->out);
	if (r == 1 && ev.kind == SMTP_CLIENT_READY)
		begin(o);
	if (r == 1 && ev.kind == SMTP_CLIENT_GO_AHEAD) {
		smtp_client_body(o->core, SLICE("hi\r\n."), &o->out);
		smtp_client_body_end(o->core, &o->out);
	}
	buf_clear(&o->out);
	if (r == -1 || (r == 1 && ev.kind == SMTP_CLIENT_QUIT))
		return FUZZ_OVER;
	return used;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	unsigned how = size > 1 ? data[1] : 0;
	const struct smtp_client_settings settings = {
		.lmtp = (how & 1) != 0,
		.hostname = "h",
		.tls_mode = (how & 2) != 0 ? SMTP_TLS_IF_OFFERED : SMTP_TLS_NONE,
		.authcid = (how & 4) != 0 ? "u" : NULL,
		.secret = "s",
		.authzid = "",
		.plaintext_ok = true,
		.xclient_addr = "192.0.2.1",
		.xclient_session = "abc",
	};
	struct owner o = { .out = BUF_INIT(8u << 20) };

	if (size < 2)
		return 0;
	o.core = smtp_client_new(&settings, false);
	fuzz_feed(data + 1, size - 1, feed, &o);
	smtp_client_free(&o.core);
	buf_fini(&o.out);
	return 0;
}
