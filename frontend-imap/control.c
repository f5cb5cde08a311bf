/*
 * control - what roost-imap answers on its control socket: status, who, explain.
 */
#include "worker.h"

#include "front/location_ctl.h"
#include "json/json.h"

static void
on_status(void *ctx, struct json *detail, uint64_t *sessions_r)
{
	struct worker *w = ctx;

	*sessions_r = imap_proxy_count(w->imap) + pop3_proxy_count(w->pop3);
	location_ctl_status(w->reader, detail);
}

/* ---- who -------------------------------------------------------------------------------------- */

struct who {
	struct json *sessions;
	const char *user; /* only his; NULL: all */
};

static bool
who_wants(const struct who *who, const char *user)
{
	return who->user == NULL || (user != NULL && slice_eq(slice_of(user), slice_of(who->user)));
}

static struct json *
add_session(struct json *sessions, const char *service, const char *id, const char *user,
            const char *peer, bool tls, uint64_t age_s)
{
	struct json *o = json_add_object(sessions);

	json_set_str(o, "id", id);
	json_set_str(o, "service", service);
	json_set_str(o, "user", user);
	json_set_str(o, "peer", peer);
	json_set_bool(o, "tls", tls);
	json_set_int(o, "age_s", (int64_t)age_s);
	return o;
}

static void
on_imap_session(void *ctx, const struct imap_session_info *i)
{
	struct who *who = ctx;
	struct json *o;

	if (!who_wants(who, i->user))
		return;
	o = add_session(who->sessions, "imap", i->session, i->user, i->peer, i->tls, i->age_s);
	json_set_str(o, "state", i->state);
	json_set_str(o, "mailbox", i->mailbox);
	json_set_str(o, "store", i->store);
}

static void
on_pop3_session(void *ctx, const struct pop3_session_info *i)
{
	struct who *who = ctx;
	struct json *o;

	if (!who_wants(who, i->user))
		return;
	o = add_session(who->sessions, "pop3", i->session, i->user, i->peer, i->tls, i->age_s);
	json_set_str(o, "state", i->state);
	json_set_str(o, "mailbox", NULL);
	json_set_str(o, "store", i->store);
}

static void
cmd_who(void *ctx, struct ctl_req *req, const struct json *args)
{
	struct worker *w = ctx;
	struct json *fields = json_new_object();
	struct who who = { json_set_array(fields, "sessions"), json_get_str(args, "user") };

	imap_proxy_each(w->imap, on_imap_session, &who);
	pop3_proxy_each(w->pop3, on_pop3_session, &who);
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
