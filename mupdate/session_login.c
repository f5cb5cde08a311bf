/*
 * AUTHENTICATE: through the auth workers; who has logged in needs an [identity] for mupdate.
 */
#include "session_impl.h"

#include "base/xalloc.h"

static void
login_done(struct session *sn, const struct auth_reply *r)
{
	struct service_identity id;
	const char *why = r->result == AUTH_TEMP ? "try again later" : "authentication failed";

	if (r->result == AUTH_OK && service_identity(sn->service, r->user, &id)) {
		sn->identity = xstrdup(r->user);
		sn->read_only = id.read_only;
		sn->log.user = sn->identity;
		link_set_deadline(sn->wire, sn->conf->idle_ms);
		log_info(&sn->log, "session.login");
		mupdate_server_auth_done(sn->core, true, "Authenticated");
		return;
	}
	if (r->result == AUTH_OK)
		log_warning(&sn->log,
		            "session.denied user=%s reason=\"it needs a section [identity] with "
		            "mupdate among its services\"",
		            log_esc(r->user));
	mupdate_server_auth_done(sn->core, false, why);
}

static void
on_auth(void *ctx, UNUSED uint64_t id, const struct auth_reply *r)
{
	struct session *sn = ctx;

	if (r->result == AUTH_CONTINUE) {
		mupdate_server_auth_continue(sn->core, r->challenge);
	} else {
		sn->auth_id = 0;
		login_done(sn, r);
	}
	session_resume(sn);
}

void
session_login_start(void *ctx, const char *mech, struct slice initial)
{
	struct session *sn = ctx;
	const struct auth_session who = { "mupdate", sn->id, sn->peer,
		                          conn_is_tls(link_conn(sn->wire)) };

	sn->auth_id = auth_start(sn->conf->auth, &who, mech, initial, on_auth, sn);
}

void
session_login_step(void *ctx, struct slice response)
{
	struct session *sn = ctx;

	auth_step(sn->conf->auth, sn->auth_id, response);
}

void
session_login_abort(void *ctx)
{
	struct session *sn = ctx;

	auth_cancel(sn->conf->auth, sn->auth_id);
	sn->auth_id = 0;
}
