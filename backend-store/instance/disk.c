/* disk - the store's disk by the control socket: how much of its log is needed, and compaction
 * (engine/compact.c). */
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
	ctl_reply(req, &fields);
}

static void
cmd_compact(void *ctx, struct ctl_req *req, UNUSED const struct json *args)
{
	struct instance *i = ctx;
	struct json *none = NULL;

	if (!engine_compact(store_engine(i->store))) {
		ctl_fail(req, "temp", "that is under way already, or cannot be until a restart");
		return;
	}
	log_info(NULL, "store.admin cmd=compact result=ok");
	ctl_reply(req, &none);
}

static const struct ctl_cmd commands[] = {
	{ "space", "", "What the log's files hold, and what compaction does.", cmd_space },
	{ "compact", "",
	  "Begins to compact all full log files that have a fifth to give, worth it or not.",
	  cmd_compact },
	{ .name = NULL },
};

void
disk_start(struct instance *i)
{
	ctl_register(svc_ctl(i->svc), commands, i);
}
