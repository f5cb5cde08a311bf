/* What a client of SMTP or LMTP may say; the second byte chooses the settings. */
#include "base/buf.h"
#include "base/must.h"
#include "fuzz/fuzz.h"
#include "proto/smtp_server.h"

struct owner {
	struct smtp_server *core;
	struct buf out;
	bool lmtp;
	size_t rcpts;
};

static void
answer_end(struct owner *o)
{
	if (!o->lmtp) {
		smtp_server_reply(o->core, 250, "2.0.0", "kept", &o->out);
		return;
	}
	for (size_t i = 0; i < o->rcpts; i++)
		if (i % 3 != 2)
			smtp_server_reply_rcpt(o->core, i, 250, "2.0.0", "kept", &o->out);
}

static void
on_event(struct owner *o, const struct smtp_event *ev)
{
	switch (ev->kind) {
	case SMTP_STARTTLS:
		smtp_server_tls_done(o->core);
		break;
	case SMTP_SASL_START:
	case SMTP_SASL_STEP:
		if (ev->data.p == NULL)
			smtp_server_challenge(o->core, SLICE(""), &o->out);
		else if (ev->data.n > 3)
			smtp_server_logged_in(o->core, &o->out);
		else
			smtp_server_refused(o->core, SMTP_AUTH_DENIED, &o->out);
		break;
	case SMTP_MAIL:
		o->rcpts = 0;
		smtp_server_reply(o->core, 250, "2.1.0", "fine", &o->out);
		break;
	case SMTP_RCPT:
		o->rcpts = ev->number + 1;
		smtp_server_reply_rcpt(o->core, ev->number, ev->number % 3 == 2 ? 550 : 250,
		                       ev->number % 3 == 2 ? "5.1.1" : "2.1.5", "so", &o->out);
		break;
	case SMTP_DATA:
		smtp_server_go_ahead(o->core, &o->out);
		break;
	case SMTP_BODY_END:
		answer_end(o);
		break;
	default:
		break;
	}
}

static size_t
feed(void *ctx, struct slice in)
{
	struct owner *o = ctx;
	struct smtp_event ev;
	size_t used;
	int r = smtp_server_input(o->core, in, &used, &o->out, &ev);

	if (r == 1)
		on_event(o, &ev);
	buf_clear(&o->out);
	return r == -1 || smtp_server_is_over(o->core) ? FUZZ_OVER : used;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	unsigned how = size > 1 ? data[1] : 0;
	const struct smtp_server_settings settings = {
		.lmtp = (how & 1) != 0,
		.hostname = "h",
		.size_max = 100000,
		.rcpt_max = 5,
		.rcpt_parallel = 3,
		.mechs = (how & 2) != 0 ? "PLAIN" : "",
		.tls_offered = (how & 4) != 0,
		.plaintext_ok = true,
		.smtputf8 = true,
		.dsn = (how & 8) != 0,
		.chunking = true,
		.trusted = (how & 16) != 0,
	};
	struct owner o = { .out = BUF_INIT(8u << 20), .lmtp = settings.lmtp };

	if (size < 2)
		return 0;
	o.core = smtp_server_new(&settings, false);
	smtp_server_greet(o.core, "ready", &o.out);
	fuzz_feed(data + 1, size - 1, feed, &o);
	smtp_server_free(&o.core);
	buf_fini(&o.out);
	return 0;
}
