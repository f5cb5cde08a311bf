/* disk - the store's disk by the control socket: how much of its log is needed, compaction
 * (engine/compact.c), and whether it is still what was written (engine/compact_check.c). */
#include "instance/instance.h"
#include "json/json.h"
#include "log/log.h"

static const char *
state_of(const struct engine_stats *e)
{
	if (e->failed)
		return "the log has failed";
	if (e->compact.stopped)
		return "stopped until a restart: see the log";
	if (e->compact.forced)
		return "compacting, by command";
	if (e->compact.segment != 0)
		return "compacting";
	return e->compact.on ? "on" : "off";
}

static void
add_check(struct json *fields, const struct engine_check_stats *c)
{
	struct json *o = json_set_object(fields, "check");

	json_set_bool(o, "working", c->working);
	json_set_int(o, "bytes", (int64_t)c->bytes);
	json_set_int(o, "damaged", (int64_t)c->damaged);
	json_set_int(o, "bodies", (int64_t)c->bodies);
	json_set_int(o, "mended", (int64_t)c->mended);
	json_set_int(o, "ended", (int64_t)c->ended_s);
}

static void
cmd_space(void *ctx, struct ctl_req *req, UNUSED const struct json *args)
{
	struct instance *i = ctx;
	struct json *fields = json_new_object();
	struct engine_stats e;

	engine_get_stats(store_engine(i->store), &e);
	json_set_int(fields, "free_bytes", (int64_t)e.free_bytes);
	json_set_bool(fields, "full", e.full);
	json_set_int(fields, "segments", (int64_t)e.segments);
	json_set_int(fields, "live_bytes", (int64_t)e.compact.live_bytes);
	json_set_int(fields, "dead_bytes", (int64_t)e.compact.dead_bytes);
	json_set_int(fields, "copied_bytes", (int64_t)e.compact.copied_bytes);
	json_set_int(fields, "dropped_segments", (int64_t)e.compact.dropped);
	json_set_int(fields, "dropped_bytes", (int64_t)e.compact.dropped_bytes);
	json_set_int(fields, "damaged_segments", (int64_t)e.compact.kept_damaged);
	json_set_bool(fields, "on", e.compact.on);
	json_set_bool(fields, "working", e.compact.segment != 0 || e.compact.forced);
	json_set_str(fields, "state", state_of(&e));
	add_check(fields, &e.compact.check);
	ctl_reply(req, &fields);
}

static void
begin(struct ctl_req *req, const char *what, bool begun)
{
	struct json *none = NULL;

	if (!begun) {
		ctl_fail(req, "temp", "that is under way already, or cannot be until a restart");
		return;
	}
	log_info(NULL, "store.admin cmd=%s result=ok", what);
	ctl_reply(req, &none);
}

static void
cmd_compact(void *ctx, struct ctl_req *req, UNUSED const struct json *args)
{
	begin(req, "compact", engine_compact(store_engine(((struct instance *)ctx)->store)));
}

static void
cmd_check(void *ctx, struct ctl_req *req, UNUSED const struct json *args)
{
	begin(req, "check", engine_check(store_engine(((struct instance *)ctx)->store)));
}

static const struct ctl_cmd commands[] = {
	{ "space", "", "What the log's files hold, and what compaction does.", cmd_space },
	{ "compact", "",
	  "Begins to compact all full log files that have a fifth to give, worth it or not.",
	  cmd_compact },
	{ "check", "",
	  "Begins to read all full log files; what is damaged and the index knows is written anew.",
	  cmd_check },
	{ .name = NULL },
};

void
disk_start(struct instance *i)
{
	ctl_register(svc_ctl(i->svc), commands, i);
}
