/*
 * control - what roost-imap answers on its control socket: status, who, explain.
 */
#include "worker.h"

#include "base/arena.h"
#include "json/json.h"

static void
on_status(void *ctx, struct json *detail, uint64_t *sessions_r)
{
	struct worker *w = ctx;
	struct json *location = json_set_object(detail, "location");
	struct location_info info;

	*sessions_r = imap_proxy_count(w->imap) + pop3_proxy_count(w->pop3);
	if (location_reader_info(w->reader, &info, NULL) == -1) {
		json_set_bool(location, "complete", false);
		return;
	}
	json_set_bool(location, "complete", info.complete);
	json_set_int(location, "revision", (int64_t)info.revision);
	json_set_int(location, "age_ms", (int64_t)info.age_ms);
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

/* ---- explain ----------------------------------------------------------------------------------- */

static const char *const found_words[] = {
	[LOCATION_FOUND] = "found",
	[LOCATION_IS_RESERVED] = "reserved",
	[LOCATION_NONE] = "none",
	[LOCATION_BLIND] = "blind",
};

/* What the list at hand says, without asking anybody. */
static void
cmd_explain(void *ctx, struct ctl_req *req, const struct json *args)
{
	struct worker *w = ctx;
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
	r = location_reader_find(w->reader, slice_of(name), a, &loc);
	json_set_str(fields, "found", found_words[r]);
	if (r == LOCATION_FOUND || r == LOCATION_IS_RESERVED) {
		json_set_slice(fields, "server", loc.server);
		json_set_slice(fields, "partition", loc.partition);
		json_set_int(fields, "claim", (int64_t)loc.claim);
	}
	if (location_reader_info(w->reader, &info, NULL) == -1)
		info.complete = false;
	json_set_int(fields, "revision", (int64_t)info.revision);
	json_set_bool(fields, "complete", info.complete);
	json_set_int(fields, "age_ms", (int64_t)info.age_ms);
	ctl_reply(req, &fields);
	arena_free(&a);
}

static const struct ctl_cmd commands[] = {
	{ "who", "[user]", "Sessions, all or of one user.", cmd_who },
	{ "explain", "mailbox", "Where this front end believes a mailbox to be.", cmd_explain },
	{ .name = NULL },
};

void
control_start(struct worker *w)
{
	svc_set_status(w->svc, on_status, w);
	ctl_register(svc_ctl(w->svc), commands, w);
}
