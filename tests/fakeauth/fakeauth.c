/*
 * One list of questions, answered in order by a timer of no duration, so that no callback
 * comes from inside a call, and none after auth_cancel() or auth_free().
 */
#include "fakeauth/fakeauth.h"

#include "base/buf.h"
#include "base/list.h"
#include "base/num.h"
#include "base/xalloc.h"
#include "directory/directory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum kind { USER, IDENTITY, DOMAIN, ALIAS, LOOP, SENDER };

struct entry {
	struct list link;
	enum kind kind;
	char *name;            /* canonical user, identity, domain, or alias address */
	char *password, *home; /* home: the users of an alias, the user of a sender */
	char *groups;          /* of a user */
	bool disabled, admin;
};

enum op { OP_START, OP_STEP, OP_CREDENTIALS, OP_RESOLVE, OP_LOOKUP, OP_MAY_SEND };

struct question {
	struct list link;
	uint64_t id;
	enum op op;
	bool waiting; /* CONTINUE was answered; the response is awaited */
	bool asked;   /* to be answered */
	char *service, *mech, *grant, *store, *user;
	struct buf data; /* initial response, response, address, user */
	bool have_data;
	uint64_t claim;
	union {
		auth_fn *login;
		auth_credentials_fn *credentials;
		auth_resolve_fn *resolve;
		auth_user_fn *lookup;
		auth_may_send_fn *may_send;
	} fn;
	void *ctx;
};

struct fake {
	struct auth auth;
	struct timer timer;
	struct list entries, questions;
	char *default_domain;
	uint64_t last_id;
	bool temp, silent;
};

static struct fake *
fake_of(struct auth *a)
{
	return CONTAINER_OF(a, struct fake, auth);
}

static struct entry *
find(struct fake *f, enum kind kind, struct slice name)
{
	struct entry *e;

	LIST_EACH (e, &f->entries, struct entry, link)
		if (e->kind == kind && slice_ieq_str(name, e->name))
			return e;
	return NULL;
}

static struct entry *
find_user(struct fake *f, struct slice name)
{
	char user[DIRECTORY_NAME_MAX + 1];

	if (!directory_canon(name, f->default_domain, user))
		return NULL;
	return find(f, USER, slice_of(user));
}

/* ---- questions ----------------------------------------------------------------------- */

static void
question_free(struct question *q)
{
	list_del(&q->link);
	free(q->service);
	free(q->mech);
	free(q->grant);
	free(q->store);
	free(q->user);
	buf_wipe(&q->data);
	free(q);
}

static struct question *
question_new(struct fake *f, enum op op, void *ctx)
{
	struct question *q = xcalloc(1, sizeof(*q));

	q->id = ++f->last_id;
	q->op = op;
	q->asked = true;
	q->ctx = ctx;
	buf_init(&q->data, 1 << 16);
	list_add_tail(&f->questions, &q->link);
	timer_set(&f->timer, 0);
	return q;
}

static struct question *
question_find(struct fake *f, uint64_t id)
{
	struct question *q;

	LIST_EACH (q, &f->questions, struct question, link)
		if (q->id == id)
			return q;
	return NULL;
}

/* ---- answers ---------------------------------------------------------------------------- */

/* "token:USER:SERVICE:STORE:CLAIM" and, when there are any, ":GROUPS" */
static void
login_proxy(struct slice authzid, struct slice secret, struct auth_reply *r)
{
	struct slice rest = secret;
	static char user[DIRECTORY_NAME_MAX + 1], groups[DIRECTORY_GROUPS_MAX + 1];

	r->result = AUTH_DENIED;
	if (!slice_eq_str(slice_cut(&rest, ':'), "token"))
		return;
	if (!slice_eq(slice_cut(&rest, ':'), authzid) || authzid.n > DIRECTORY_NAME_MAX)
		return;
	slice_cut(&rest, ':');
	slice_cut(&rest, ':');
	if (!num_parse_u64(slice_cut(&rest, ':'), UINT64_MAX, &r->claim))
		return;
	snprintf(user, sizeof(user), "%.*s", SLICE_ARG(authzid));
	r->result = AUTH_OK;
	r->user = user;
	snprintf(groups, sizeof(groups), "%.*s", SLICE_ARG(rest));
	r->groups = groups;
	r->authcid = "roost-proxy";
	r->proxied = true;
}

/* "peer:STORE:NUMBER", of whoever says it. */
static void
login_peer(struct slice authcid, struct slice secret, struct auth_reply *r)
{
	static char user[DIRECTORY_NAME_MAX + 1];
	struct slice rest = secret;

	r->result = AUTH_DENIED;
	if (!slice_eq_str(slice_cut(&rest, ':'), "peer"))
		return;
	slice_cut(&rest, ':');
	if (!num_parse_u64(rest, UINT64_MAX, &r->claim))
		return;
	snprintf(user, sizeof(user), "%.*s", SLICE_ARG(authcid));
	r->result = AUTH_OK;
	r->user = r->authcid = user;
	r->proxied = true;
}

static void
login_plain(struct fake *f, const char *service, struct slice message, struct auth_reply *r)
{
	struct slice rest = message, authzid = slice_cut(&rest, '\0');
	struct slice authcid = slice_cut(&rest, '\0');
	struct entry *e, *as;

	r->result = AUTH_INVALID;
	if (rest.p == NULL || authcid.n == 0 || memchr(rest.p, '\0', rest.n) != NULL)
		return;
	if (strcmp(service, "cluster") == 0) {
		login_peer(authcid, rest, r);
		return;
	}
	if (slice_eq_str(authcid, "roost-proxy")) {
		login_proxy(authzid, rest, r);
		return;
	}
	r->result = AUTH_DENIED;
	e = find(f, IDENTITY, authcid);
	if (e == NULL && strcmp(service, "mupdate") != 0)
		e = find_user(f, authcid);
	if (e == NULL || e->disabled || !slice_eq_str(rest, e->password))
		return;
	r->authcid = r->user = e->name;
	r->admin = e->admin;
	as = authzid.n > 0 && !slice_eq_str(authzid, e->name) ? find_user(f, authzid) : e;
	if (as == NULL || (as != e && !e->admin))
		return;
	r->user = as->name;
	r->groups = as->groups;
	r->result = AUTH_OK;
	r->grant = r->user;
}

static void
answer_login(struct fake *f, struct question *q)
{
	struct auth_reply r = { .challenge = SLICE_INIT(""), .groups = "" };
	auth_fn *fn = q->fn.login;
	void *ctx = q->ctx;
	uint64_t id = q->id;

	if (f->temp)
		r.result = AUTH_TEMP;
	else if (!slice_ieq_str(slice_of(q->mech), "PLAIN"))
		r.result = AUTH_INVALID;
	else if (!q->have_data)
		r.result = AUTH_CONTINUE;
	else
		login_plain(f, q->service, buf_slice(&q->data), &r);
	if (r.result == AUTH_CONTINUE) {
		q->asked = false;
		q->waiting = true;
	} else {
		question_free(q);
	}
	fn(ctx, id, &r);
}

static void
answer_credentials(struct fake *f, struct question *q)
{
	struct auth_credentials c = { .result = AUTH_OK, .authcid = "roost-proxy" };
	char secret[2048], user[DIRECTORY_NAME_MAX + 1];
	struct entry *e = find_user(f, slice_of(q->grant));
	const char *groups = e != NULL ? e->groups : "";
	auth_credentials_fn *fn = q->fn.credentials;
	void *ctx = q->ctx;
	uint64_t id = q->id;

	snprintf(user, sizeof(user), "%s", q->grant);
	snprintf(secret, sizeof(secret), "token:%s:%s:%s:%llu%s%s", q->grant, q->service, q->store,
	         (unsigned long long)q->claim, *groups != '\0' ? ":" : "", groups);
	if (strcmp(q->service, "cluster") == 0)
		snprintf(secret, sizeof(secret), "peer:%s:%llu", q->store,
		         (unsigned long long)q->claim);
	c.authzid = user;
	c.secret = secret;
	if (f->temp)
		c = (struct auth_credentials){ .result = AUTH_TEMP };
	question_free(q);
	fn(ctx, id, &c);
}

static bool
has_domain(struct fake *f, struct slice domain)
{
	struct entry *e;

	if (domain.p == NULL || slice_ieq_str(domain, f->default_domain))
		return f->default_domain != NULL;
	LIST_EACH (e, &f->entries, struct entry, link) {
		struct slice rest = slice_of(e->name);

		if (e->kind == DOMAIN && slice_ieq_str(domain, e->name))
			return true;
		if (e->kind != USER && e->kind != ALIAS && e->kind != LOOP)
			continue;
		slice_cut(&rest, '@');
		if (rest.p != NULL && slice_ieq(rest, domain))
			return true;
	}
	return false;
}

#define FINALS_MAX DIRECTORY_TARGETS_MAX

/* The users and the addresses elsewhere of an alias. */
static void
resolve_alias(struct fake *f, struct entry *alias, struct auth_final *finals, char **relays,
              struct auth_resolved *r)
{
	struct slice rest = slice_of(alias->home);

	while (rest.n > 0 && r->final_count < FINALS_MAX && r->relay_count < FINALS_MAX) {
		struct slice target = slice_cut(&rest, ' ');
		bool elsewhere = target.n > 0 && *target.p == '>';
		struct entry *e = elsewhere ? NULL : find_user(f, target);

		if (e != NULL)
			finals[r->final_count++] = (struct auth_final){ e->name, "", e->home };
		else if (elsewhere)
			relays[r->relay_count++] = slice_dup(slice_skip(target, 1));
	}
	r->result = AUTH_OK;
}

static void
resolve(struct fake *f, struct slice address, char *detail, size_t room, struct auth_final *finals,
        char **relays, struct auth_resolved *r)
{
	struct slice domain = address, local, plain, after;
	struct entry *e = find(f, ALIAS, address);
	char name[DIRECTORY_NAME_MAX + 1];

	r->result = AUTH_OK;
	if (e != NULL) {
		resolve_alias(f, e, finals, relays, r);
		return;
	}
	if (find(f, LOOP, address) != NULL) {
		r->result = AUTH_DENIED;
		r->loop = true;
		return;
	}
	local = slice_sub(address, 0, slice_find_last(address, '@'));
	domain = local.n < address.n ? slice_skip(address, local.n + 1) : slice_make(NULL, 0);
	after = local;
	plain = slice_cut(&after, '+');
	r->result = local.n == 0 ? AUTH_INVALID : AUTH_UNKNOWN;
	r->relay_domain_unknown = !has_domain(f, domain);
	snprintf(name, sizeof(name), "%.*s%s%.*s", SLICE_ARG(plain), domain.p != NULL ? "@" : "",
	         SLICE_ARG(domain));
	e = find_user(f, slice_of(name));
	if (r->relay_domain_unknown || e == NULL)
		return;
	snprintf(detail, room, "%.*s", SLICE_ARG(after));
	finals[0] = (struct auth_final){ e->name, detail, e->home };
	r->final_count = 1;
	r->result = e->disabled ? AUTH_DENIED : AUTH_OK;
}

static void
answer_resolve(struct fake *f, struct question *q)
{
	struct auth_final finals[FINALS_MAX];
	char *relays[FINALS_MAX];
	struct auth_resolved r = {
		.result = AUTH_TEMP,
		.finals = finals,
		.relays = (const char *const *)relays,
	};
	char detail[DIRECTORY_NAME_MAX + 1] = "";
	auth_resolve_fn *fn = q->fn.resolve;
	void *ctx = q->ctx;
	uint64_t id = q->id;

	if (!f->temp)
		resolve(f, buf_slice(&q->data), detail, sizeof(detail), finals, relays, &r);
	question_free(q);
	fn(ctx, id, &r);
	for (size_t i = 0; i < r.relay_count; i++)
		free(relays[i]);
}

static void
answer_lookup(struct fake *f, struct question *q)
{
	struct entry *e = find_user(f, buf_slice(&q->data));
	struct auth_user u = { .result = e != NULL ? AUTH_OK : AUTH_UNKNOWN };
	auth_user_fn *fn = q->fn.lookup;
	void *ctx = q->ctx;
	uint64_t id = q->id;

	if (e != NULL)
		u = (struct auth_user){ AUTH_OK, e->name, e->home, e->disabled };
	if (f->temp)
		u = (struct auth_user){ .result = AUTH_TEMP };
	question_free(q);
	fn(ctx, id, &u);
}

static enum auth_result
may_send(struct fake *f, const char *user, struct slice sender)
{
	struct auth_final finals[FINALS_MAX];
	char detail[DIRECTORY_NAME_MAX + 1] = "", *relays[FINALS_MAX];
	struct auth_resolved r = { .result = AUTH_TEMP };
	struct entry *e;

	if (sender.n == 0)
		return AUTH_OK;
	LIST_EACH (e, &f->entries, struct entry, link)
		if (e->kind == SENDER && slice_ieq_str(sender, e->name) &&
		    strcmp(e->home, user) == 0)
			return AUTH_OK;
	resolve(f, sender, detail, sizeof(detail), finals, relays, &r);
	for (size_t i = 0; i < r.relay_count; i++)
		free(relays[i]);
	return r.result == AUTH_OK && r.final_count == 1 && r.relay_count == 0 &&
	                       strcmp(finals[0].user, user) == 0
	               ? AUTH_OK
	               : AUTH_DENIED;
}

static void
answer_may_send(struct fake *f, struct question *q)
{
	enum auth_result result = f->temp ? AUTH_TEMP : may_send(f, q->user, buf_slice(&q->data));
	auth_may_send_fn *fn = q->fn.may_send;
	void *ctx = q->ctx;
	uint64_t id = q->id;

	question_free(q);
	fn(ctx, id, result);
}

static struct question *
next_question(struct fake *f)
{
	struct question *q;

	if (f->silent)
		return NULL;
	LIST_EACH (q, &f->questions, struct question, link)
		if (q->asked)
			return q;
	return NULL;
}

/* One at a time: a callback may ask, cancel or free the whole. */
static void
on_timer(void *ctx)
{
	struct fake *f = ctx;
	struct question *q = next_question(f);

	if (q == NULL)
		return;
	timer_set(&f->timer, 0);
	switch (q->op) {
	case OP_START:
	case OP_STEP:
		answer_login(f, q);
		break;
	case OP_CREDENTIALS:
		answer_credentials(f, q);
		break;
	case OP_RESOLVE:
		answer_resolve(f, q);
		break;
	case OP_LOOKUP:
		answer_lookup(f, q);
		break;
	case OP_MAY_SEND:
		answer_may_send(f, q);
		break;
	}
}

/* ---- directory/auth.h ------------------------------------------------------------------- */

static uint64_t
fake_start(struct auth *a, const struct auth_session *s, const char *mech, struct slice initial,
           auth_fn *fn, void *ctx)
{
	struct question *q = question_new(fake_of(a), OP_START, ctx);

	q->service = xstrdup(s->service);
	q->mech = xstrdup(mech);
	q->have_data = initial.p != NULL;
	buf_add_slice(&q->data, initial);
	q->fn.login = fn;
	return q->id;
}

static void
fake_step(struct auth *a, uint64_t id, struct slice response)
{
	struct fake *f = fake_of(a);
	struct question *q = question_find(f, id);

	must(q != NULL && q->waiting);
	q->waiting = false;
	q->asked = true;
	q->have_data = true;
	buf_add_slice(&q->data, response);
	timer_set(&f->timer, 0);
}

static void
fake_cancel(struct auth *a, uint64_t id)
{
	struct question *q = question_find(fake_of(a), id);

	if (q != NULL)
		question_free(q);
}

static const char *
fake_mechs(const struct auth *a)
{
	return "PLAIN";
}

static uint64_t
fake_credentials(struct auth *a, const char *grant, const char *service, const char *store,
                 uint64_t claim, auth_credentials_fn *fn, void *ctx)
{
	struct question *q = question_new(fake_of(a), OP_CREDENTIALS, ctx);

	q->grant = xstrdup(grant);
	q->service = xstrdup(service);
	q->store = xstrdup(store);
	q->claim = claim;
	q->fn.credentials = fn;
	return q->id;
}

static uint64_t
fake_resolve(struct auth *a, struct slice address, const char *session, auth_resolve_fn *fn,
             void *ctx)
{
	struct question *q = question_new(fake_of(a), OP_RESOLVE, ctx);

	buf_add_slice(&q->data, address);
	q->fn.resolve = fn;
	return q->id;
}

static uint64_t
fake_lookup(struct auth *a, struct slice user, auth_user_fn *fn, void *ctx)
{
	struct question *q = question_new(fake_of(a), OP_LOOKUP, ctx);

	buf_add_slice(&q->data, user);
	q->fn.lookup = fn;
	return q->id;
}

static uint64_t
fake_may_send(struct auth *a, struct slice user, struct slice sender, auth_may_send_fn *fn,
              void *ctx)
{
	struct question *q = question_new(fake_of(a), OP_MAY_SEND, ctx);

	q->user = slice_dup(user);
	buf_add_slice(&q->data, sender);
	q->fn.may_send = fn;
	return q->id;
}

static void
fake_free(struct auth *a)
{
	struct fake *f = fake_of(a);
	struct question *q;
	struct entry *e;

	LIST_EACH (q, &f->questions, struct question, link)
		question_free(q);
	LIST_EACH (e, &f->entries, struct entry, link) {
		free(e->name);
		free(e->password);
		free(e->home);
		free(e->groups);
		free(e);
	}
	timer_fini(&f->timer);
	free(f->default_domain);
	free(f);
}

static const struct auth_ops fake_ops = {
	.start = fake_start,
	.step = fake_step,
	.cancel = fake_cancel,
	.mechs = fake_mechs,
	.credentials = fake_credentials,
	.resolve = fake_resolve,
	.lookup = fake_lookup,
	.may_send = fake_may_send,
	.free = fake_free,
};

struct auth *
fakeauth_new(struct loop *l, const char *default_domain)
{
	struct fake *f = xcalloc(1, sizeof(*f));

	f->auth.ops = &fake_ops;
	f->default_domain = default_domain != NULL ? xstrdup(default_domain) : NULL;
	list_init(&f->entries);
	list_init(&f->questions);
	timer_init(&f->timer, l, on_timer, f);
	return &f->auth;
}

static struct entry *
add(struct auth *a, enum kind kind, const char *name, const char *password, const char *home)
{
	struct fake *f = fake_of(a);
	struct entry *e = xcalloc(1, sizeof(*e));

	e->kind = kind;
	e->name = xstrdup(name);
	e->password = xstrdup(password);
	e->home = xstrdup(home);
	e->groups = xstrdup("");
	list_add_tail(&f->entries, &e->link);
	return e;
}

void
fakeauth_add_user(struct auth *a, const char *user, const char *password, const char *home)
{
	add(a, USER, user, password, home);
}

void
fakeauth_add_domain(struct auth *a, const char *domain)
{
	add(a, DOMAIN, domain, "", "");
}

void
fakeauth_add_alias(struct auth *a, const char *address, const char *users)
{
	add(a, ALIAS, address, "", users);
}

void
fakeauth_add_identity(struct auth *a, const char *name, const char *password, bool admin)
{
	add(a, IDENTITY, name, password, "")->admin = admin;
}

void
fakeauth_add_loop(struct auth *a, const char *address)
{
	add(a, LOOP, address, "", "");
}

void
fakeauth_add_sender(struct auth *a, const char *sender, const char *user)
{
	add(a, SENDER, sender, "", user);
}

void
fakeauth_set_groups(struct auth *a, const char *user, const char *groups)
{
	struct entry *e = find(fake_of(a), USER, slice_of(user));

	must(e != NULL);
	free(e->groups);
	e->groups = xstrdup(groups);
}

void
fakeauth_disable_user(struct auth *a, const char *user)
{
	struct entry *e = find(fake_of(a), USER, slice_of(user));

	must(e != NULL);
	e->disabled = true;
}

void
fakeauth_set_temp(struct auth *a, bool temp)
{
	fake_of(a)->temp = temp;
}

void
fakeauth_set_silent(struct auth *a, bool silent)
{
	struct fake *f = fake_of(a);

	f->silent = silent;
	timer_set(&f->timer, 0);
}
