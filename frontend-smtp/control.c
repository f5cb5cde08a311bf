/*
 * control - what roost-smtp answers on its control socket: status, who, explain.
 */
#include "worker.h"

#include "front/location_ctl.h"
#include "json/json.h"

#include <string.h>

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

struct who {
	struct json *sessions;
	const char *user; /* only his; NULL: all */
};

static void
on_session(void *ctx, const struct smtp_session_info *i)
{
	struct who *who = ctx;
	struct json *o;

	if (who->user != NULL && (i->user == NULL || strcmp(i->user, who->user) != 0))
		return;
	o = json_add_object(who->sessions);

	json_set_str(o, "id", i->session);
	json_set_str(o, "service", i->service);
	json_set_str(o, "user", i->user);
	json_set_str(o, "peer", i->peer);
	json_set_bool(o, "tls", i->tls);
	json_set_int(o, "age_s", (int64_t)i->age_s);
	json_set_str(o, "state", i->state);
	json_set_str(o, "mailbox", NULL);
	json_set_str(o, "store", NULL);
}

static void
cmd_who(void *ctx, struct ctl_req *req, const struct json *args)
{
	struct worker *w = ctx;
	struct json *fields = json_new_object();
	struct who who = {
		.sessions = json_set_array(fields, "sessions"),
		.user = json_get_str(args, "user"),
	};

	smtp_proxy_each(w->proxy, on_session, &who);
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
