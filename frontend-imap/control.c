/*
 * control - what roost-imap answers on its control socket: status, who, explain.
 */
#include "worker.h"

#include "front/location_ctl.h"
#include "json/json.h"
#include "session/who.h"

static void
on_status(void *ctx, struct json *detail, uint64_t *sessions_r)
{
	struct worker *w = ctx;

	*sessions_r = imap_proxy_count(w->imap) + pop3_service_count(w->pop3);
	location_ctl_status(w->reader, detail);
}

static void
cmd_who(void *ctx, struct ctl_req *req, const struct json *args)
{
	struct worker *w = ctx;
	struct json *fields = json_new_object();
	struct who who = { .sessions = json_set_array(fields, "sessions"),
		           .user = json_get_str(args, "user") };

	imap_proxy_each(w->imap, who_add, &who);
	pop3_service_each(w->pop3, who_add, &who);
	ctl_reply(req, &fields);
}

static const struct ctl_cmd commands[] = {
	{ "who", "[user]", "Sessions, all or of one user.", cmd_who },
	{ .name = NULL },
};

void
control_start(struct worker *w)
{
	svc_set_status(w->svc, on_status, w);
	ctl_register(svc_ctl(w->svc), commands, w);
	location_ctl_register(svc_ctl(w->svc), w->reader);
}
