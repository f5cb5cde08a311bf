#include "route/route.h"

#include "base/list.h"
#include "base/xalloc.h"
#include "mail/address.h"
#include "mail/mbox_name.h"

#include <stdio.h>
#include <stdlib.h>

struct ask;

struct final {
	struct ask *ask;
	char *user, *detail, *home;
	uint64_t lookup_id; /* 0: not asked */
	struct route_final out;
};

struct ask {
	struct list link;
	struct route *owner;
	uint64_t id;
	uint64_t auth_id; /* 0: not asked */
	enum route_result result;
	const char *why;
	struct final *finals;
	size_t count, open; /* finals; of them without an answer */
	const char **relays;
	size_t relay_count;
	route_fn *fn;
	void *ctx;
};

struct route {
	struct route_config c;
	struct list asks;
	uint64_t last_id;
};

const char *
route_result_text(enum route_result r)
{
	static const char *const texts[] = {
		[ROUTE_OK] = "ok",         [ROUTE_UNKNOWN] = "unknown", [ROUTE_FOREIGN] = "foreign",
		[ROUTE_DENIED] = "denied", [ROUTE_INVALID] = "invalid", [ROUTE_NO_HOME] = "no-home",
		[ROUTE_LOOP] = "loop",     [ROUTE_LATER] = "later",
	};

	return texts[r];
}

static void
ask_free(struct ask *a)
{
	struct route *r = a->owner;

	if (a->auth_id != 0)
		auth_cancel(r->c.auth, a->auth_id);
	for (size_t i = 0; i < a->count; i++) {
		struct final *f = &a->finals[i];

		if (f->lookup_id != 0)
			lookup_cancel(r->c.lookup, f->lookup_id);
		free(f->user);
		free(f->detail);
		free(f->home);
	}
	for (size_t i = 0; i < a->relay_count; i++)
		free((char *)a->relays[i]);
	loop_forget(r->c.loop, a);
	list_del(&a->link);
	free(a->relays);
	free(a->finals);
	free(a);
}

/* The question's id is over before its owner hears of it: he may ask again at once. */
static void
answer(void *ctx)
{
	struct ask *a = ctx;
	struct route_answer ans = { .result = a->result, .why = a->why };
	struct route_final *finals = xcalloc(a->count + 1, sizeof(*finals));
	route_fn *fn = a->fn;
	void *fn_ctx = a->ctx;

	for (size_t i = 0; i < a->count; i++) {
		struct final *f = &a->finals[i];

		f->out.user = f->user;
		f->out.detail = f->detail;
		f->out.home = f->home;
		finals[i] = f->out;
	}
	ans.finals = finals;
	ans.count = a->count;
	ans.relays = a->relays;
	ans.relay_count = a->relay_count;
	list_del(&a->link);
	fn(fn_ctx, a->id, &ans);
	ask_free(a);
	free(finals);
}

static void
fail(struct ask *a, enum route_result result, const char *why)
{
	a->result = result;
	a->why = why;
	answer(a);
}

/* ---- locations of the finals ---------------------------------------------------------------- */

static void
final_set(struct final *f, enum route_result result, const char *why)
{
	f->out.result = result;
	f->out.why = why;
}

static void
final_at(struct final *f, struct slice server_name, uint64_t claim, bool is_new)
{
	struct server *s = servers_find(f->ask->owner->c.servers, server_name);

	if (s == NULL) {
		final_set(f, ROUTE_LATER, "the settings have no [server] of that name");
	} else if (s->lmtp == NULL) {
		final_set(f, ROUTE_LATER, "its [server] has no lmtp address");
	} else {
		final_set(f, ROUTE_OK, NULL);
		f->out.server = s;
		f->out.claim = claim;
		f->out.is_new = is_new;
	}
}

static void
final_without_mailbox(struct final *f)
{
	if (f->ask->owner->c.auth == NULL)
		final_set(f, ROUTE_UNKNOWN, "no mailbox");
	else if (*f->home == '\0')
		final_set(f, ROUTE_NO_HOME, "no mailbox, and the directory names no store");
	else
		final_at(f, slice_of(f->home), 0, true);
}

static void
on_location(void *ctx, enum location_result result, const struct location *loc)
{
	struct final *f = ctx;

	f->lookup_id = 0;
	switch (result) {
	case LOCATION_FOUND:
		final_at(f, loc->server, loc->claim, false);
		break;
	case LOCATION_NONE:
		final_without_mailbox(f);
		break;
	case LOCATION_IS_RESERVED:
		final_set(f, ROUTE_LATER, "the mailbox is being made or moved");
		break;
	case LOCATION_BLIND:
		final_set(f, ROUTE_LATER, "no complete list of locations");
		break;
	}
	if (--f->ask->open == 0)
		answer(f->ask);
}

/* His home is a store that is not in the list, whatever that says. */
static bool
final_is_unlisted(const struct final *f)
{
	const struct server *s = servers_find(f->ask->owner->c.servers, slice_of(f->home));

	return s != NULL && !s->listed;
}

/* All at once; they are answered from the loop, or now, when none can be looked up. */
static void
locate_finals(struct ask *a, bool again)
{
	struct route *r = a->owner;

	for (size_t i = 0; i < a->count; i++) {
		struct final *f = &a->finals[i];
		struct mbox_name inbox;

		if (!mbox_name_of_user(slice_of(f->user), slice_of(r->c.default_domain), &inbox)) {
			final_set(f, ROUTE_INVALID, "the user's name makes no mailbox name");
			continue;
		}
		if (final_is_unlisted(f)) {
			final_at(f, slice_of(f->home), 0, false);
			continue;
		}
		a->open++;
		f->lookup_id =
			again ? lookup_find_after_barrier(r->c.lookup, mbox_name_slice(&inbox),
		                                          on_location, f)
			      : lookup_find(r->c.lookup, mbox_name_slice(&inbox), on_location, f);
	}
	if (a->open == 0)
		loop_defer(r->c.loop, answer, a);
}

static void
finals_new(struct ask *a, size_t count)
{
	a->finals = xcalloc(count + 1, sizeof(*a->finals));
	a->count = count;
}

static void
final_init(struct ask *a, size_t i, struct slice user, struct slice detail, const char *home)
{
	struct final *f = &a->finals[i];

	f->ask = a;
	f->user = slice_dup(user);
	f->detail = slice_dup(detail);
	f->home = xstrdup(home);
}

/* ---- the address ---------------------------------------------------------------------------- */

static void
take_relays(struct ask *a, const struct auth_resolved *r)
{
	a->relays = xcalloc(r->relay_count + 1, sizeof(*a->relays));
	for (size_t i = 0; i < r->relay_count; i++)
		a->relays[a->relay_count++] = xstrdup(r->relays[i]);
}

static void
resolved(struct ask *a, const struct auth_resolved *r)
{
	if (r->final_count + r->relay_count == 0 || r->final_count > ROUTE_FINALS_MAX ||
	    r->relay_count > ROUTE_FINALS_MAX) {
		fail(a, ROUTE_LATER, "the directory gives no users, or too many");
		return;
	}
	take_relays(a, r);
	finals_new(a, r->final_count);
	for (size_t i = 0; i < r->final_count; i++)
		final_init(a, i, slice_of(r->finals[i].user), slice_of(r->finals[i].detail),
		           r->finals[i].home);
	locate_finals(a, false);
}

static void
on_resolved(void *ctx, uint64_t id, const struct auth_resolved *r)
{
	struct ask *a = ctx;

	a->auth_id = 0;
	switch (r->result) {
	case AUTH_OK:
		resolved(a, r);
		return;
	case AUTH_UNKNOWN:
		fail(a, r->relay_domain_unknown ? ROUTE_FOREIGN : ROUTE_UNKNOWN,
		     "not in the directory");
		return;
	case AUTH_DENIED:
		fail(a, r->loop ? ROUTE_LOOP : ROUTE_DENIED,
		     r->loop ? "its aliases lead to themselves" : "the account may not receive");
		return;
	case AUTH_INVALID:
		fail(a, ROUTE_INVALID, "no address for the directory");
		return;
	default:
		fail(a, ROUTE_LATER, "the directory is away");
		return;
	}
}

/* Without a directory: "fred+x@other.net" is user fred@other.net, detail x. */
static bool
user_of_address(const struct route *r, struct slice text, struct mbox_user *user_r,
                struct slice *detail_r, struct address *room)
{
	struct slice local;
	char login[ADDRESS_TEXT_SIZE];

	if (address_parse(text, ADDRESS_ALLOW_BARE | ADDRESS_ALLOW_UTF8, room) != ADDRESS_OK)
		return false;
	local = slice_of(room->local);
	*detail_r = SLICE("");
	if (r->c.delimiter != '\0')
		address_split_detail(slice_of(room->local), r->c.delimiter, &local, detail_r);
	snprintf(login, sizeof(login), "%.*s%s%s", SLICE_ARG(local),
	         *room->domain != '\0' ? "@" : "", room->domain);
	return mbox_user_from_login(slice_of(login), slice_of(r->c.default_domain), user_r);
}

static void
find_without_directory(struct ask *a, struct slice text)
{
	struct mbox_user user;
	struct address room;
	struct slice detail;

	if (!user_of_address(a->owner, text, &user, &detail, &room)) {
		a->result = ROUTE_UNKNOWN;
		a->why = "the address makes no user name";
		loop_defer(a->owner->c.loop, answer, a);
		return;
	}
	finals_new(a, 1);
	final_init(a, 0, mbox_user_slice(&user), detail, "");
	locate_finals(a, false);
}

/* ---- for others ------------------------------------------------------------------------------- */

static struct ask *
ask_new(struct route *r, route_fn *fn, void *ctx)
{
	struct ask *a = xcalloc(1, sizeof(*a));

	a->owner = r;
	a->id = ++r->last_id;
	a->fn = fn;
	a->ctx = ctx;
	list_add_tail(&r->asks, &a->link);
	return a;
}

struct route *
route_new(const struct route_config *c)
{
	struct route *r = xcalloc(1, sizeof(*r));

	r->c = *c;
	list_init(&r->asks);
	return r;
}

void
route_free(struct route **rp)
{
	struct route *r = *rp;
	struct ask *a;

	*rp = NULL;
	if (r == NULL)
		return;
	LIST_EACH (a, &r->asks, struct ask, link)
		ask_free(a);
	free(r);
}

uint64_t
route_find(struct route *r, struct slice address, const char *session, route_fn *fn, void *ctx)
{
	struct ask *a = ask_new(r, fn, ctx);

	if (r->c.auth != NULL)
		a->auth_id = auth_resolve(r->c.auth, address, session, on_resolved, a);
	else
		find_without_directory(a, address);
	return a->id;
}

uint64_t
route_find_user(struct route *r, struct slice user, struct slice detail, const char *home,
                bool again, route_fn *fn, void *ctx)
{
	struct ask *a = ask_new(r, fn, ctx);

	finals_new(a, 1);
	final_init(a, 0, user, detail, home);
	locate_finals(a, again);
	return a->id;
}

void
route_cancel(struct route *r, uint64_t id)
{
	struct ask *a;

	LIST_EACH (a, &r->asks, struct ask, link) {
		if (a->id != id)
			continue;
		ask_free(a);
		return;
	}
}
