/* What a client of the location service may say. */
#include "base/buf.h"
#include "base/must.h"
#include "fuzz/fuzz.h"
#include "proto/mupdate_server.h"

struct owner {
	struct mupdate_server *core;
	struct buf out;
	bool over;
};

static void
on_auth_start(void *ctx, const char *mech, struct slice initial)
{
	struct owner *o = ctx;

	if (initial.p == NULL)
		mupdate_server_auth_continue(o->core, SLICE(""));
	else
		mupdate_server_auth_done(o->core, initial.n > 2, "done");
}

static void
on_auth_step(void *ctx, struct slice response)
{
	struct owner *o = ctx;

	mupdate_server_auth_done(o->core, response.n > 0, "done");
}

static void
on_auth_abort(void *ctx)
{
}

static void
on_starttls(void *ctx)
{
	struct owner *o = ctx;

	o->over = true;
}

static void
on_command(void *ctx, const struct mupdate_cmd *cmd)
{
	struct owner *o = ctx;

	switch (cmd->verb) {
	case MUPDATE_V_ROOST:
		mupdate_server_hello(o->core, cmd->tag, "c", "00", 1, 1, true);
		mupdate_server_set_extended(o->core);
		break;
	case MUPDATE_V_FIND:
		mupdate_server_record(o->core, cmd->tag, cmd->name, SLICE("s!p"), SLICE("a\tl\t"),
		                      SLICE("uv=1"));
		break;
	case MUPDATE_V_UPDATE:
		mupdate_server_set_streaming(o->core);
		break;
	default:
		break;
	}
	mupdate_server_reply(o->core, cmd->tag, MUPDATE_OK, MUPDATE_CODE_NONE, "done");
}

static void
on_goodbye(void *ctx, const char *why)
{
	struct owner *o = ctx;

	o->over = true;
}

static size_t
feed(void *ctx, struct slice in)
{
	struct owner *o = ctx;
	size_t used = mupdate_server_input(o->core, in);

	buf_clear(&o->out);
	return o->over ? FUZZ_OVER : used;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct mupdate_server_ops ops = { on_auth_start, on_auth_step, on_auth_abort,
		                                       on_starttls,   on_command,   on_goodbye };
	static const struct mupdate_server_conf conf = {
		.hostname = "m", .version = "1", .tls_offered = true, .bad_max = 10
	};
	struct owner o = { .out = BUF_INIT(8u << 20) };

	o.core = mupdate_server_new(&conf, "PLAIN", "PLAIN", false, &ops, &o, &o.out);
	mupdate_server_greet(o.core);
	fuzz_feed(data, size, feed, &o);
	mupdate_server_free(&o.core);
	buf_fini(&o.out);
	return 0;
}
