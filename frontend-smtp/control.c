/*
 * control - what roost-smtp answers on its control socket: status, who, explain.
 */
#include "worker.h"

#include "front/location_ctl.h"
#include "json/json.h"

static void
on_status(void *ctx, struct json *detail, uint64_t *sessions_r)
{
	struct worker *w = ctx;

	*sessions_r = smtp_proxy_count(w->proxy);
	json_set_int(detail, "store_connections", (int64_t)pool_connections(w->pool));
	location_ctl_status(w->reader, detail);
}

static void
on_session(void *ctx, const struct smtp_session_info *i)
{
	struct json *o = json_add_object(ctx);

	json_set_str(o, "id", i->session);
	json_set_str(o, "service", i->lmtp ? "lmtp" : "smtp");
	json_set_str(o, "user", NULL);
	json_set_str(o, "peer", i->peer);
	json_set_bool(o, "tls", i->tls);
	json_set_int(o, "age_s", (int64_t)i->age_s);
	json_set_str(o, "state", i->state);
	json_set_str(o, "mailbox", NULL);
	json_set_str(o, "store", NULL);
}

/* Nobody has logged in here, so none of the sessions is a user's. */
static void
cmd_who(void *ctx, struct ctl_req *req, const struct json *args)
{
	struct worker *w = ctx;
	struct json *fields = json_new_object();
	struct json *sessions = json_set_array(fields, "sessions");

	if (json_get_str(args, "user") == NULL)
		smtp_proxy_each(w->proxy, on_session, sessions);
	ctl_reply(req, &fields);
}

static const struct ctl_cmd commands[] = {
	{ "who", "[user]", "Sessions; of one user: none.", cmd_who },
	{ .name = NULL },
};

void
control_start(struct worker *w)
{
	svc_set_status(w->svc, on_status, w);
	ctl_register(svc_ctl(w->svc), commands, w);
	location_ctl_register(svc_ctl(w->svc), w->reader);
}
