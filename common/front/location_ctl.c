#include "front/location_ctl.h"

#include "base/arena.h"

void
location_ctl_status(struct location_reader *r, struct json *detail)
{
	struct json *location = json_set_object(detail, "location");
	struct location_info info;
	struct err err;

	if (location_reader_info(r, &info, &err) == -1) {
		json_set_bool(location, "complete", false);
		json_set_str(location, "why", err.text);
		return;
	}
	json_set_bool(location, "complete", info.complete);
	json_set_int(location, "revision", (int64_t)info.revision);
	json_set_int(location, "age_ms", (int64_t)info.age_ms);
}

static void
cmd_explain(void *ctx, struct ctl_req *req, const struct json *args)
{
	struct location_reader *reader = ctx;
	const char *name = json_get_str(args, "mailbox");
	struct arena *a;
	struct location loc;
	struct location_info info = { .complete = false };
	enum location_result r;
	struct json *fields;

	if (name == NULL) {
		ctl_fail(req, "usage", "the field mailbox is missing");
		return;
	}
	a = arena_new("explain");
	fields = json_new_object();
	r = location_reader_find(reader, slice_of(name), a, &loc);
	json_set_str(fields, "found", location_result_text(r));
	if (r == LOCATION_FOUND || r == LOCATION_IS_RESERVED) {
		json_set_slice(fields, "server", loc.server);
		json_set_slice(fields, "partition", loc.partition);
		json_set_int(fields, "claim", (int64_t)loc.claim);
	}
	if (location_reader_info(reader, &info, NULL) == -1)
		info.complete = false;
	json_set_int(fields, "revision", (int64_t)info.revision);
	json_set_bool(fields, "complete", info.complete);
	json_set_int(fields, "age_ms", (int64_t)info.age_ms);
	ctl_reply(req, &fields);
	arena_free(&a);
}

static const struct ctl_cmd commands[] = {
	{ "explain", "mailbox", "Where this front end believes a mailbox to be.", cmd_explain },
	{ .name = NULL },
};

void
location_ctl_register(struct ctl_server *s, struct location_reader *r)
{
	ctl_register(s, commands, r);
}
