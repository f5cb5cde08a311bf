/*
 * grants - which mailboxes have been shown to whom: for each identifier that ACLs name, the
 * mailboxes that give it the right to look them up. So that LIST costs what it returns and
 * not a walk over all users (design section 4, "Database").
 *
 * What a user has given himself is left out: his own names are found by their prefix. What
 * is given to anyone is kept for each domain by itself (mail/acl.h, acl_rights_on).
 */
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "mailbox/store_impl.h"

#define KEY_MAX (ACL_ID_SIZE + MBOX_NAME_MAX)

struct grantee {
	struct list grants;
	size_t key_len;
	char key[];
};

struct grant {
	struct list node; /* grantee.grants */
	struct grantee *grantee;
	struct entry *entry;
};

/* Borrowed from key. */
static struct slice
key_of(struct slice id, struct slice domain, char key[KEY_MAX])
{
	size_t n = MIN(id.n, (size_t)KEY_MAX);

	memcpy(key, id.p, n);
	if (!slice_eq_str(id, "anyone"))
		return slice_make(key, n);
	key[n++] = '@';
	if (domain.n > 0)
		memcpy(key + n, domain.p, MIN(domain.n, (size_t)MBOX_NAME_MAX));
	return slice_make(key, n + MIN(domain.n, (size_t)MBOX_NAME_MAX));
}

static struct grantee *
grantee_get(struct store *s, struct slice key)
{
	struct grantee *g = map_get(s->grantees, key);

	if (g != NULL)
		return g;
	g = xcalloc(1, sizeof(*g) + key.n);
	list_init(&g->grants);
	memcpy(g->key, key.p, key.n);
	g->key_len = key.n;
	(void)map_set(s->grantees, key, g);
	return g;
}

void
grants_clear(struct store *s, struct entry *e)
{
	for (size_t i = 0; i < e->grant_count; i++) {
		struct grantee *g = e->grants[i].grantee;

		list_del(&e->grants[i].node);
		if (!list_is_empty(&g->grants))
			continue;
		(void)map_del(s->grantees, slice_make(g->key, g->key_len));
		free(g);
	}
	free(e->grants);
	e->grants = NULL;
	e->grant_count = 0;
}

static void
add(struct store *s, struct entry *e, struct slice id)
{
	char bytes[KEY_MAX];
	struct grant *g = &e->grants[e->grant_count++];

	g->entry = e;
	g->grantee = grantee_get(s, key_of(id, mbox_name_domain(e->name), bytes));
	list_init(&g->node);
	list_add_tail(&g->grantee->grants, &g->node);
}

void
grants_set(struct store *s, struct entry *e)
{
	struct slice rest = e->acl, id, owner = { NULL, 0 };
	struct mbox_user user;
	uint32_t rights;
	size_t count = 0;

	grants_clear(s, e);
	e->acl_serial++;
	if (!acl_is_valid(e->acl))
		return;
	if (mbox_user_of_name(e->name, slice_of(s->default_domain), &user))
		owner = mbox_user_acl_id(mbox_user_slice(&user), slice_of(s->default_domain));
	while (acl_next(&rest, &id, &rights))
		count++;
	/* room for all of them; lists hold addresses, so it cannot grow */
	e->grants = xcalloc(count + 1, sizeof(*e->grants));
	for (rest = e->acl; acl_next(&rest, &id, &rights);)
		if ((rights & ACL_LOOKUP) != 0 && id.p[0] != '-' && !slice_eq(id, owner))
			add(s, e, id);
	if (e->grant_count == 0)
		grants_clear(s, e);
}

void
grants_fini(struct store *s)
{
	size_t pos = 0;
	struct slice key;
	void *g;

	while (map_next(s->grantees, &pos, &key, &g))
		free(g);
	map_free(&s->grantees);
}

/* ---- reading -------------------------------------------------------------------------------- */

/* False: fn wants no more. */
static bool
each_of(struct store *s, struct slice key, struct slice inbox, store_each_fn *fn, void *ctx)
{
	struct grantee *g = map_get(s->grantees, key);
	struct mbox_info info;
	struct grant *gr;

	if (g == NULL)
		return true;
	LIST_EACH (gr, &g->grants, struct grant, node) {
		struct slice name = gr->entry->name;

		/* his own, which he shows to a group of his or to anyone */
		if (slice_eq(name, inbox) || mbox_name_is_below(name, inbox))
			continue;
		store_fill_info(s, gr->entry, &info);
		if (!fn(ctx, &info))
			return false;
	}
	return true;
}

void
store_each_granted(struct store *s, const struct acl_who *who, store_each_fn *fn, void *ctx)
{
	size_t at = slice_find_last(who->user, '@');
	struct slice domain = slice_skip(who->user, MIN(at + 1, who->user.n));
	char key[KEY_MAX] = "group:";
	const size_t prefix = strlen("group:");

	if (!each_of(s, who->user, who->inbox, fn, ctx))
		return;
	for (size_t i = 0; i < who->group_count; i++) {
		struct slice group = who->groups[i];

		if (group.n > sizeof(key) - prefix)
			continue;
		memcpy(key + prefix, group.p, group.n);
		if (!each_of(s, slice_make(key, prefix + group.n), who->inbox, fn, ctx))
			return;
	}
	(void)each_of(s, key_of(SLICE("anyone"), domain, key), who->inbox, fn, ctx);
}
