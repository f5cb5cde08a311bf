#include "route/home.h"

#include "base/list.h"
#include "base/xalloc.h"
#include "mail/mbox_name.h"

#include <stdlib.h>

struct ask {
	struct list link;
	struct home *owner;
	uint64_t id;
	char *user, *inbox;
	bool again;
	uint64_t lookup_id, auth_id; /* 0: not asked */
	home_fn *fn;
	void *ctx;
};

struct home {
	struct lookup *lookup;
	struct auth *auth;
	struct servers *servers;
	char *default_domain;
	struct list asks;
	uint64_t next_id;
};

const char *
home_result_text(enum home_result r)
{
	static const char *const texts[] = {
		[HOME_FOUND] = "found",
		[HOME_NONE] = "none",
		[HOME_LATER] = "later",
	};

	return texts[r];
}

static void
ask_free(struct ask *a)
{
	if (a->lookup_id != 0)
		lookup_cancel(a->owner->lookup, a->lookup_id);
	if (a->auth_id != 0)
		auth_cancel(a->owner->auth, a->auth_id);
	list_del(&a->link);
	free(a->user);
	free(a->inbox);
	free(a);
}

/* The question is over before its owner hears of it: he may ask again at once. */
static void
answer(struct ask *a, struct home_answer *ans)
{
	home_fn *fn = a->fn;
	void *ctx = a->ctx;
	uint64_t id = a->id;

	ask_free(a);
	fn(ctx, id, ans);
}

static void
not_found(struct ask *a, enum home_result result, const char *why)
{
	struct home_answer ans = { .result = result, .why = why };

	answer(a, &ans);
}

static void
found(struct ask *a, struct slice server_name, uint64_t claim, bool is_new)
{
	struct home_answer ans = { .result = HOME_FOUND, .claim = claim, .is_new = is_new };

	ans.server = servers_find(a->owner->servers, server_name);
	if (ans.server == NULL)
		not_found(a, HOME_LATER, "the settings have no [server] of that name");
	else
		answer(a, &ans);
}

/* ---- the directory, for who has no mailbox yet ------------------------------------------- */

static void
on_user(void *ctx, uint64_t id, const struct auth_user *u)
{
	struct ask *a = ctx;

	a->auth_id = 0;
	if (u->result == AUTH_OK && u->home != NULL && *u->home != '\0')
		found(a, slice_of(u->home), 0, true);
	else if (u->result == AUTH_OK)
		not_found(a, HOME_NONE, "no mailbox, and the directory names no store");
	else if (u->result == AUTH_UNKNOWN)
		not_found(a, HOME_NONE, "no mailbox, and not in the directory");
	else
		not_found(a, HOME_LATER, "the directory is away");
}

/* ---- the list of locations ----------------------------------------------------------------- */

static void
on_location(void *ctx, enum location_result result, const struct location *loc)
{
	struct ask *a = ctx;

	a->lookup_id = 0;
	switch (result) {
	case LOCATION_FOUND:
		found(a, loc->server, loc->claim, false);
		return;
	case LOCATION_NONE:
		a->auth_id = auth_lookup(a->owner->auth, slice_of(a->user), on_user, a);
		return;
	case LOCATION_IS_RESERVED:
		not_found(a, HOME_LATER, "the mailbox is being made or moved");
		return;
	case LOCATION_BLIND:
		not_found(a, HOME_LATER, "no complete list of locations");
		return;
	}
	must_not_reach();
}

static void
ask_list(struct ask *a)
{
	struct lookup *k = a->owner->lookup;
	struct slice inbox = slice_of(a->inbox);

	a->lookup_id = a->again ? lookup_find_after_barrier(k, inbox, on_location, a)
	                        : lookup_find(k, inbox, on_location, a);
}

/* ---- the directory, for who may be at home where the list does not reach ------------------- */

static void
on_home(void *ctx, uint64_t id, const struct auth_user *u)
{
	struct ask *a = ctx;
	const struct server *server;

	a->auth_id = 0;
	if (u->result != AUTH_OK && u->result != AUTH_UNKNOWN) {
		not_found(a, HOME_LATER, "the directory is away");
		return;
	}
	server = u->result == AUTH_OK && u->home != NULL
	                 ? servers_find(a->owner->servers, slice_of(u->home))
	                 : NULL;
	if (server != NULL && !server->listed)
		found(a, slice_of(u->home), 0, false);
	else
		ask_list(a);
}

static void
on_no_name(void *ctx, uint64_t id, const struct auth_user *u)
{
	struct ask *a = ctx;

	a->auth_id = 0;
	not_found(a, HOME_NONE, "the user's name makes no mailbox name");
}

static uint64_t
ask_new(struct home *h, struct slice user, bool again, home_fn *fn, void *ctx)
{
	struct ask *a = xcalloc(1, sizeof(*a));
	struct mbox_name inbox;

	a->owner = h;
	a->id = h->next_id++;
	a->user = slice_dup(user);
	a->again = again;
	a->fn = fn;
	a->ctx = ctx;
	list_add_tail(&h->asks, &a->link);
	if (!mbox_name_of_user(user, slice_of(h->default_domain), &inbox)) {
		/* asks only to be answered from the loop */
		a->auth_id = auth_lookup(h->auth, user, on_no_name, a);
		return a->id;
	}
	a->inbox = slice_dup(mbox_name_slice(&inbox));
	if (servers_have_unlisted(h->servers))
		a->auth_id = auth_lookup(h->auth, user, on_home, a);
	else
		ask_list(a);
	return a->id;
}

/* ---- for others ------------------------------------------------------------------------------ */

struct home *
home_new(struct lookup *lookup, struct auth *auth, struct servers *servers,
         struct slice default_domain)
{
	struct home *h = xcalloc(1, sizeof(*h));

	h->lookup = lookup;
	h->auth = auth;
	h->servers = servers;
	h->default_domain = slice_dup(default_domain);
	h->next_id = 1;
	list_init(&h->asks);
	return h;
}

void
home_free(struct home **hp)
{
	struct home *h = *hp;
	struct ask *a;

	*hp = NULL;
	if (h == NULL)
		return;
	LIST_EACH (a, &h->asks, struct ask, link)
		ask_free(a);
	free(h->default_domain);
	free(h);
}

uint64_t
home_find(struct home *h, struct slice user, home_fn *fn, void *ctx)
{
	return ask_new(h, user, false, fn, ctx);
}

uint64_t
home_find_again(struct home *h, struct slice user, home_fn *fn, void *ctx)
{
	return ask_new(h, user, true, fn, ctx);
}

void
home_cancel(struct home *h, uint64_t id)
{
	struct ask *a;

	LIST_EACH (a, &h->asks, struct ask, link) {
		if (a->id != id)
			continue;
		ask_free(a);
		return;
	}
}
