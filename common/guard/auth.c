/*
 * An auth between sessions and the auth workers. A login goes
 *
 *	TRY      may anybody try a password from there (for this user, if he is known yet)?
 *	inner    the conversation
 *	TRY      SCRAM: the client has proved himself: is he to hear our proof?
 *	PASSED   it was right: may he come in, and have another session?
 *	FAILED   it was wrong: for how long is the answer held back?
 *
 * Whoever is blocked is answered like a wrong password in time, but not in words: he shall
 * not change a password that is right. It is the same answer for right and wrong ones, wherever
 * it is found out that he is blocked.
 *
 * A wrong password is counted at once and answered late: so many guesses at a time are no more
 * than as many in a row, and a client who leaves without waiting for the answer has tried all the
 * same (what he asked goes on without him).
 *
 * Addresses without limits have the delay only.
 */
#include "guard/guard_ask.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/ids.h"
#include "base/map.h"
#include "base/xalloc.h"
#include "directory/directory.h"
#include "log/log.h"
#include "net/conn.h"

#define HOLD_MOST_MS 15000 /* longer, and clients give up and come again */

#define WHY_BLOCKED "Too many failed logins, try again later"
#define WHY_SESSIONS "Too many sessions, close some first"

struct guarded {
	struct auth auth;
	struct guard *guard;
	struct auth *inner;
	struct map *logins; /* by id: struct login */
	uint64_t last_id, delay_ms;
	const char *default_domain;
};

struct login {
	struct guarded *guarded;
	uint64_t id, inner_id, question; /* 0: none */
	uint64_t asked_ms;               /* inner, the last time */
	bool asked;                      /* inner, and it has not answered */
	auth_fn *fn;                     /* NULL: he has left */
	void *ctx;
	const struct conn *conn;
	char address[GUARD_PREFIX_MAX]; /* "": without limits */
	/* between TRY and the inner conversation */
	char *service, *session, *peer, *mech;
	struct buf initial; /* then SCRAM's proof, while it waits for TRY */
	bool has_initial, tls;
	/* the answer that waits */
	enum auth_result result;
	const char *why;
	char *user, *authcid, *groups, *grant;
	bool proxied, admin;
	uint64_t claim;
	struct timer timer;
};

static struct guarded *
guarded_of(struct auth *a)
{
	return CONTAINER_OF(a, struct guarded, auth);
}

static void
login_free(struct login *l)
{
	map_del(l->guarded->logins, map_key_u64(&l->id));
	if (l->question != 0)
		guard_cancel(l->guarded->guard, l->question);
	if (l->inner_id != 0)
		auth_cancel(l->guarded->inner, l->inner_id);
	timer_fini(&l->timer);
	buf_wipe(&l->initial);
	free(l->service);
	free(l->session);
	free(l->peer);
	free(l->mech);
	free(l->user);
	free(l->authcid);
	free(l->groups);
	if (l->grant != NULL)
		secret_wipe(l->grant, strlen(l->grant));
	free(l->grant);
	free(l);
}

/* l is gone before its caller hears, who may do anything. */
static void
deliver(void *ctx)
{
	struct login *l = ctx, now = *l;
	struct auth_reply reply = {
		.result = l->result,
		.challenge = SLICE_INIT(""),
		.user = l->user != NULL ? l->user : "",
		.authcid = l->authcid != NULL ? l->authcid : "",
		.groups = l->groups != NULL ? l->groups : "",
		.grant = l->grant != NULL ? l->grant : "",
		.proxied = l->proxied,
		.admin = l->admin,
		.claim = l->claim,
		.why = l->why,
	};

	l->user = l->authcid = l->groups = l->grant = NULL;
	login_free(l);
	now.fn(now.ctx, now.id, &reply);
	free(now.user);
	free(now.authcid);
	free(now.groups);
	if (now.grant != NULL)
		secret_wipe(now.grant, strlen(now.grant));
	free(now.grant);
}

static void
refuse(struct login *l, const char *why, uint64_t ms)
{
	struct log_ctx ctx = { .session = l->session, .peer = l->peer };

	log_info(&ctx, "login.limit service=%s user=%s reason=%s", l->service,
	         log_esc(l->user != NULL ? l->user : ""), log_esc(why));
	l->result = AUTH_LIMIT;
	l->why = why;
	timer_set(&l->timer, ms);
}

/* ---- after the conversation ---------------------------------------------------------------- */

/* Until a wrong password would be answered. */
static uint64_t
rest_of_delay(const struct login *l)
{
	uint64_t passed_ms = clock_mono_ms() - l->asked_ms, delay_ms = l->guarded->delay_ms;

	return delay_ms > passed_ms ? delay_ms - passed_ms : 0;
}

static void
on_passed(void *ctx, UNUSED uint64_t id, const struct guard_answer *a)
{
	struct login *l = ctx;
	struct guard_lease *lease = l->conn != NULL ? conn_note(l->conn) : NULL;

	l->question = 0;
	if (a->verdict == LIMIT_BLOCKED) {
		refuse(l, WHY_BLOCKED, rest_of_delay(l));
	} else if (a->verdict != LIMIT_OK) {
		refuse(l, WHY_SESSIONS, 0);
	} else {
		if (lease != NULL)
			guard_lease_set_user(lease, l->user);
		deliver(l);
	}
}

static void
on_failed(void *ctx, UNUSED uint64_t id, const struct guard_answer *a)
{
	struct login *l = ctx;
	uint64_t ms = rest_of_delay(l);

	l->question = 0;
	if (a->verdict == LIMIT_BLOCKED) {
		refuse(l, WHY_BLOCKED, ms);
		return;
	}
	l->result = AUTH_DENIED;
	timer_set(&l->timer, MAX(ms, MIN(a->amount, (uint64_t)HOLD_MOST_MS)));
}

static char *
copy(const char *text)
{
	return xstrdup(text != NULL ? text : "");
}

static void
keep(struct login *l, const struct auth_reply *r)
{
	l->result = r->result;
	free(l->user);
	l->user = copy(r->user);
	l->authcid = copy(r->authcid);
	l->groups = copy(r->groups);
	l->grant = copy(r->grant);
	l->proxied = r->proxied;
	l->admin = r->admin;
	l->claim = r->claim;
}

static void
on_proved(void *ctx, UNUSED uint64_t id, const struct guard_answer *a)
{
	struct login *l = ctx;
	struct auth_reply reply = { .result = AUTH_CONTINUE, .user = "" };
	struct buf proof = l->initial;

	l->question = 0;
	if (a->verdict != LIMIT_OK) {
		auth_cancel(l->guarded->inner, l->inner_id);
		l->inner_id = 0;
		refuse(l, WHY_BLOCKED, rest_of_delay(l));
		return;
	}
	buf_init(&l->initial, SIZE_MAX);
	reply.challenge = buf_slice(&proof);
	l->fn(l->ctx, l->id, &reply); /* l may be gone */
	buf_wipe(&proof);
}

static void
on_challenge(struct login *l, const struct auth_reply *r)
{
	struct guard_frame f = { .kind = GUARD_TRY, .address = l->address, .user = r->user };

	if (l->fn == NULL) {
		login_free(l); /* nobody will answer it */
	} else if (l->address[0] == '\0' || r->user == NULL || *r->user == '\0') {
		l->fn(l->ctx, l->id, r);
	} else {
		free(l->user);
		l->user = copy(r->user);
		buf_add_slice(&l->initial, r->challenge);
		l->question = guard_ask(l->guarded->guard, &f, on_proved, l);
	}
}

/* The client has left: a wrong password is counted, and that is all. */
static void
on_nobody(struct login *l, const struct auth_reply *r)
{
	struct guard_frame f = {
		.kind = GUARD_FAILED,
		.address = l->address,
		.user = r->user,
		.fingerprint = r->fingerprint,
	};

	if (r->result == AUTH_DENIED && l->address[0] != '\0')
		guard_tell(l->guarded->guard, &f);
	login_free(l);
}

/* Nothing is counted: what inner says, and a denial in time. */
static void
on_uncounted(struct login *l, const struct auth_reply *r)
{
	struct login now = *l;

	if (r->result == AUTH_DENIED) {
		l->result = AUTH_DENIED;
		timer_set(&l->timer, rest_of_delay(l));
	} else {
		login_free(l);
		now.fn(now.ctx, now.id, r);
	}
}

static void
on_inner(void *ctx, UNUSED uint64_t id, const struct auth_reply *r)
{
	struct login *l = ctx;
	struct guard_lease *lease = l->conn != NULL ? conn_note(l->conn) : NULL;
	struct guard_frame f = {
		.address = l->address,
		.user = r->user,
		.fingerprint = r->fingerprint,
		.lease = lease != NULL ? lease->number : 0,
	};

	l->asked = false;
	if (r->result == AUTH_CONTINUE) {
		on_challenge(l, r);
		return;
	}
	l->inner_id = 0;
	if (l->fn == NULL) {
		on_nobody(l, r);
	} else if (l->address[0] == '\0') {
		on_uncounted(l, r);
	} else if (r->result == AUTH_OK) {
		keep(l, r);
		f.kind = GUARD_PASSED;
		l->question = guard_ask(l->guarded->guard, &f, on_passed, l);
	} else if (r->result == AUTH_DENIED) {
		f.kind = GUARD_FAILED;
		free(l->user);
		l->user = copy(r->user);
		l->question = guard_ask(l->guarded->guard, &f, on_failed, l);
	} else {
		on_uncounted(l, r);
	}
}

/* ---- before it ----------------------------------------------------------------------------- */

static void
begin_inner(struct login *l)
{
	struct auth_session s = { .service = l->service,
		                  .session = l->session,
		                  .peer = l->peer,
		                  .tls = l->tls,
		                  .conn = l->conn };
	struct slice initial = slice_make(NULL, 0);

	if (l->has_initial)
		initial = l->initial.len > 0 ? buf_slice(&l->initial) : SLICE("");
	l->asked = true;
	l->asked_ms = clock_mono_ms();
	l->inner_id = auth_start(l->guarded->inner, &s, l->mech, initial, on_inner, l);
	buf_wipe(&l->initial);
	buf_init(&l->initial, SIZE_MAX);
}

static void
on_tried(void *ctx, UNUSED uint64_t id, const struct guard_answer *a)
{
	struct login *l = ctx;

	l->question = 0;
	if (a->verdict == LIMIT_OK)
		begin_inner(l);
	else
		refuse(l, WHY_BLOCKED, l->guarded->delay_ms);
}

/* PLAIN tells his name at once: authzid NUL authcid NUL password. */
static bool
name_in(struct guarded *g, const char *mech, struct slice initial,
        char user_r[DIRECTORY_NAME_MAX + 1])
{
	user_r[0] = '\0';
	if (strcmp(mech, "PLAIN") != 0 || initial.p == NULL)
		return false;
	slice_cut(&initial, '\0');
	return directory_canon(slice_cut(&initial, '\0'), g->default_domain, user_r);
}

static uint64_t
guarded_start(struct auth *a, const struct auth_session *s, const char *mech, struct slice initial,
              auth_fn *fn, void *ctx)
{
	struct guarded *g = guarded_of(a);
	struct guard_frame f = { .kind = GUARD_TRY };
	char address[GUARD_PREFIX_MAX], user[DIRECTORY_NAME_MAX + 1];
	struct login *l;

	guard_prefix_of_text(g->guard, s->peer, address);
	l = xcalloc(1, sizeof(*l));
	l->guarded = g;
	l->id = ++g->last_id;
	l->fn = fn;
	l->ctx = ctx;
	l->conn = s->conn;
	memcpy(l->address, address, sizeof(address));
	l->service = xstrdup(s->service);
	l->session = xstrdup(s->session);
	l->peer = xstrdup(s->peer);
	l->mech = xstrdup(mech);
	l->tls = s->tls;
	l->has_initial = initial.p != NULL;
	buf_init(&l->initial, SIZE_MAX);
	buf_add_slice(&l->initial, initial);
	timer_init(&l->timer, guard_loop(g->guard), deliver, l);
	map_set(g->logins, map_key_u64(&l->id), l);
	f.address = address;
	f.user = name_in(g, mech, initial, user) ? user : "";
	if (address[0] != '\0')
		l->question = guard_ask(g->guard, &f, on_tried, l);
	else
		begin_inner(l);
	return l->id;
}

/* ---- the rest goes through ----------------------------------------------------------------- */

static struct login *
find(struct guarded *g, uint64_t id)
{
	return map_get(g->logins, map_key_u64(&id));
}

static void
guarded_step(struct auth *a, uint64_t id, struct slice response)
{
	struct guarded *g = guarded_of(a);
	struct login *l = find(g, id);

	if (l != NULL) {
		l->asked = true;
		l->asked_ms = clock_mono_ms();
	}
	auth_step(g->inner, l != NULL ? l->inner_id : id, response);
}

static void
guarded_cancel(struct auth *a, uint64_t id)
{
	struct guarded *g = guarded_of(a);
	struct login *l = find(g, id);

	if (l == NULL) {
		auth_cancel(g->inner, id);
	} else if (l->asked) {
		l->fn = NULL;
		l->conn = NULL; /* goes with him */
	} else {
		login_free(l);
	}
}

static const char *
guarded_mechs(const struct auth *a)
{
	return auth_mechs(CONTAINER_OF(a, struct guarded, auth)->inner);
}

static uint64_t
guarded_credentials(struct auth *a, const char *grant, const char *service, const char *store,
                    uint64_t claim, auth_credentials_fn *fn, void *ctx)
{
	return auth_credentials(guarded_of(a)->inner, grant, service, store, claim, fn, ctx);
}

static uint64_t
guarded_resolve(struct auth *a, struct slice address, const char *session, auth_resolve_fn *fn,
                void *ctx)
{
	return auth_resolve(guarded_of(a)->inner, address, session, fn, ctx);
}

static uint64_t
guarded_lookup(struct auth *a, struct slice user, auth_user_fn *fn, void *ctx)
{
	return auth_lookup(guarded_of(a)->inner, user, fn, ctx);
}

static uint64_t
guarded_may_send(struct auth *a, struct slice user, struct slice sender, auth_may_send_fn *fn,
                 void *ctx)
{
	return auth_may_send(guarded_of(a)->inner, user, sender, fn, ctx);
}

static void
guarded_free(struct auth *a)
{
	struct guarded *g = guarded_of(a);
	size_t pos = 0;
	struct slice key;
	void *l;

	while (map_next(g->logins, &pos, &key, &l))
		login_free(l);
	map_free(&g->logins);
	auth_free(&g->inner);
	free(g);
}

static const struct auth_ops guarded_ops = {
	.start = guarded_start,
	.step = guarded_step,
	.cancel = guarded_cancel,
	.mechs = guarded_mechs,
	.credentials = guarded_credentials,
	.resolve = guarded_resolve,
	.lookup = guarded_lookup,
	.may_send = guarded_may_send,
	.free = guarded_free,
};

struct auth *
guard_auth_new(struct guard *g, struct auth **inner, const struct conf *c)
{
	struct guarded *a = xcalloc(1, sizeof(*a));

	a->auth.ops = &guarded_ops;
	a->guard = g;
	a->inner = *inner;
	*inner = NULL;
	a->logins = map_new();
	a->last_id = ids_random_u64(); /* apart from those of inner, which begin so too */
	a->delay_ms = conf_ms(c, "login_failure_delay");
	a->default_domain = conf_str(c, "default_domain");
	return &a->auth;
}
