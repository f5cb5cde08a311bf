/* POP3 in both directions: the second byte says who speaks. */
#include "base/buf.h"
#include "fuzz/fuzz.h"
#include "proto/pop3_client.h"
#include "proto/pop3_server.h"

struct owner {
	struct pop3_server *core;
	struct buf out;
	struct pop3_body body;
};

static void
on_event(struct owner *o, const struct pop3_event *ev)
{
	switch (ev->kind) {
	case POP3_LOGIN:
		if (ev->secret.n > 2)
			pop3_server_logged_in(o->core);
		else
			pop3_server_refused(o->core, POP3_REFUSED_AUTH, &o->out);
		break;
	case POP3_SASL_START:
		pop3_server_challenge(o->core, SLICE("x"), &o->out);
		break;
	case POP3_SASL_STEP:
		pop3_server_refused(o->core, POP3_REFUSED_TEMP, &o->out);
		break;
	case POP3_STLS:
		pop3_server_tls_done(o->core);
		break;
	default:
		break;
	}
}

static size_t
feed_server(void *ctx, struct slice in)
{
	struct owner *o = ctx;
	struct pop3_event ev;
	size_t used;
	int r;

	if (pop3_server_is_over(o->core))
		return FUZZ_OVER;
	r = pop3_server_input(o->core, in, &used, &o->out, &ev);
	if (r == 1)
		on_event(o, &ev);
	buf_clear(&o->out);
	if (r == -1 || (r == 1 && (ev.kind == POP3_QUIT || ev.kind == POP3_BYE)))
		return FUZZ_OVER;
	return used;
}

static size_t
feed_client(void *ctx, struct slice in)
{
	struct owner *o = ctx;
	struct pop3_offer offer = { false };
	struct pop3_reply reply;
	struct slice line;
	size_t used;
	bool done;
	int r = pop3_reply_read(in, &used, &reply);

	if (r == 1)
		(void)pop3_reply_has_code(&reply, "SYS");
	if (pop3_list_read(in, &used, &line) == 1)
		pop3_offer_add(&offer, line);
	if (r == -1)
		return FUZZ_OVER;
	used = pop3_body_scan(&o->body, in, &done);
	if (done)
		pop3_body_init(&o->body);
	return used;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct pop3_server_settings settings = {
		.mechs = "PLAIN", .tls_offered = true, .plaintext_ok = true, .xclient_ok = true
	};
	struct owner o = { .out = BUF_INIT(8u << 20) };

	if (size < 2)
		return 0;
	pop3_body_init(&o.body);
	o.core = pop3_server_new(&settings, false);
	pop3_server_greet(o.core, "ready", &o.out);
	fuzz_feed(data + 1, size - 1, data[0] % 2 == 0 ? feed_server : feed_client, &o);
	pop3_server_free(&o.core);
	buf_fini(&o.out);
	return 0;
}
