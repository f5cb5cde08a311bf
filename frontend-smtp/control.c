/*
 * control - what roost-smtp answers on its control socket: status, who, explain.
 */
#include "worker.h"

#include "front/location_ctl.h"
#include "json/json.h"
#include "session/who.h"

static void
on_status(void *ctx, struct json *detail, uint64_t *sessions_r)
{
	struct worker *w = ctx;
	struct json *hops = json_set_array(detail, "relay"), *hop;
	struct relay_info info;

	*sessions_r = smtp_proxy_count(w->proxy);
	json_set_int(detail, "store_connections", (int64_t)pool_connections(w->pool));
	for (size_t i = 0; relay_at(w->relay, i, &info); i++) {
		hop = json_add_object(hops);
		json_set_str(hop, "name", info.name);
		json_set_bool(hop, "down", info.down);
	}
	location_ctl_status(w->reader, detail);
}

static void
cmd_who(void *ctx, struct ctl_req *req, const struct json *args)
{
	struct worker *w = ctx;
	struct json *fields = json_new_object();
	struct who who = { .sessions = json_set_array(fields, "sessions"),
		           .user = json_get_str(args, "user") };

	smtp_proxy_each(w->proxy, who_add, &who);
	ctl_reply(req, &fields);
}

static const struct ctl_cmd commands[] = {
	{ "who", "[user]", "Sessions; or of one user.", cmd_who },
	{ .name = NULL },
};

void
control_start(struct worker *w)
{
	svc_set_status(w->svc, on_status, w);
	ctl_register(svc_ctl(w->svc), commands, w);
	location_ctl_register(svc_ctl(w->svc), w->reader);
}
