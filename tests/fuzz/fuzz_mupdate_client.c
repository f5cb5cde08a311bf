/* What a location master may say to stores and replicas. */
#include "base/arena.h"
#include "base/buf.h"
#include "fuzz/fuzz.h"
#include "location/location.h"
#include "proto/mupdate_client.h"

struct owner {
	struct mupdate_client *core;
	struct buf out;
	bool over;
};

static void
on_starttls(void *ctx)
{
	struct owner *o = ctx;

	o->over = true;
}

static void
on_ready(void *ctx, const struct mupdate_hello *h)
{
	struct owner *o = ctx;

	(void)mupdate_client_activate(o->core, SLICE("user.a"), SLICE("s!p"), SLICE("a\tl\t"),
	                              SLICE("uv=1"));
	(void)mupdate_client_find(o->core, SLICE("user.a"));
	(void)mupdate_client_update(o->core, "00", 7);
}

/* As a replica reads it. */
static void
on_record(void *ctx, uint64_t id, const struct mupdate_record *rec)
{
	struct arena *a = arena_new("fuzz");
	struct location loc = { .name = rec->name, .acl = rec->acl };

	if (location_name_ok(rec->name) && location_fields_parse(rec->fields, a, &loc)) {
		location_place_split(rec->place, &loc.server, &loc.partition);
		if (location_place_ok(loc.server, loc.partition))
			(void)location_acl_ok(loc.acl);
	}
	arena_free(&a);
}

static void
on_stream(void *ctx, uint64_t id, bool snapshot, const char *history, uint64_t revision)
{
}

static void
on_done(void *ctx, uint64_t id, const struct mupdate_answer *answer)
{
}

static void
on_failed(void *ctx, const char *why, bool denied)
{
	struct owner *o = ctx;

	o->over = true;
}

static size_t
feed(void *ctx, struct slice in)
{
	struct owner *o = ctx;
	size_t used = mupdate_client_input(o->core, in);

	buf_clear(&o->out);
	return o->over ? FUZZ_OVER : used;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct mupdate_client_ops ops = { on_starttls, on_ready, on_record,
		                                       on_stream,   on_done,  on_failed };
	static const struct mupdate_client_conf conf = {
		.user = "u", .secret = "s", .want_extension = true, .cluster = "c"
	};
	struct owner o = { .out = BUF_INIT(8u << 20) };

	o.core = mupdate_client_new(&conf, &ops, &o, &o.out);
	fuzz_feed(data, size, feed, &o);
	mupdate_client_free(&o.core);
	buf_fini(&o.out);
	return 0;
}
