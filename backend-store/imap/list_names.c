#include "imap/list_names.h"

#include "base/xalloc.h"

#include <stdlib.h>

struct collect {
	struct list_names *l;
	struct imap_session *s;
	struct arena *arena;
	unsigned what; /* LIST_NAMES_* */
};

static struct list_name *
push(struct list_names *l)
{
	if (l->count == l->cap) {
		l->cap = l->cap != 0 ? l->cap * 2 : 32;
		l->names = xreallocarray(l->names, l->cap, sizeof(*l->names));
	}
	memset(&l->names[l->count], 0, sizeof(*l->names));
	return &l->names[l->count++];
}

/* NULL: a name no client may see. */
static struct list_name *
push_canonical(struct collect *c, struct slice name)
{
	struct buf client = BUF_INIT(4 * MBOX_NAME_MAX);
	struct list_name *n = NULL;

	if (mbox_name_to_client(&c->s->names, name, &client)) {
		n = push(c->l);
		n->client = arena_slice_dup(c->arena, buf_slice(&client));
		n->name = arena_slice_dup(c->arena, name);
	}
	buf_fini(&client);
	return n;
}

static bool
is_own(const struct collect *c, struct slice name)
{
	return slice_eq(name, c->s->who.inbox) || mbox_name_is_below(name, c->s->who.inbox);
}

static bool
on_mailbox(void *ctx, const struct mbox_info *info)
{
	struct collect *c = ctx;
	uint32_t rights = imap_rights(c->s, info->name, info->acl);
	struct list_name *n;

	if ((rights & ACL_LOOKUP) == 0)
		return true;
	n = push_canonical(c, info->name);
	if (n == NULL)
		return true;
	n->exists = true;
	n->rights = rights;
	/* a client that looks for its Sent must not find another user's */
	if (is_own(c, info->name))
		n->use = arena_slice_dup(c->arena, info->special_use);
	return true;
}

static bool
on_subscription(void *ctx, struct slice name)
{
	struct collect *c = ctx;
	struct list_name *n;

	if ((c->what & LIST_NAMES_OTHERS) == 0 && !is_own(c, name))
		return true;
	n = push_canonical(c, name);
	if (n != NULL)
		n->subscribed = true;
	return true;
}

static void
collect_existing(struct collect *c)
{
	struct store *store = c->s->service->c.store;
	char below[MBOX_NAME_MAX + 2];
	struct slice inbox = c->s->who.inbox;
	struct mbox_info info;

	if (store_find(store, inbox, &info))
		(void)on_mailbox(c, &info);
	memcpy(below, inbox.p, inbox.n);
	below[inbox.n] = '.';
	store_each(store, slice_make(below, inbox.n + 1), on_mailbox, c);
	if ((c->what & LIST_NAMES_OTHERS) != 0)
		store_each_granted(store, &c->s->who, on_mailbox, c);
}

/* ---- order ------------------------------------------------------------------------------------- */

static bool
is_below(struct slice name, struct slice top)
{
	return name.n > top.n && name.p[top.n] == MBOX_SEPARATOR && slice_starts(name, top);
}

static bool
is_inbox(struct slice name)
{
	return slice_eq(name, SLICE("INBOX")) || is_below(name, SLICE("INBOX"));
}

/* The separator before everything, so that children follow their parent at once; INBOX and
 * what is below it first. */
static int
compare(const void *a, const void *b)
{
	const struct list_name *x = a, *y = b;
	bool x_inbox = is_inbox(x->client), y_inbox = is_inbox(y->client);
	size_t n = MIN(x->client.n, y->client.n);

	if (x_inbox != y_inbox)
		return x_inbox ? -1 : 1;
	for (size_t i = 0; i < n; i++) {
		unsigned char p = (unsigned char)x->client.p[i], q = (unsigned char)y->client.p[i];

		if (p != q)
			return p == MBOX_SEPARATOR ? -1 : q == MBOX_SEPARATOR ? 1 : (int)p - (int)q;
	}
	return x->client.n < y->client.n ? -1 : x->client.n > y->client.n;
}

/* One entry for each name, with what all of its entries know. */
static void
merge(struct list_names *l)
{
	size_t n = 0;

	for (size_t i = 0; i < l->count; i++) {
		struct list_name *e = &l->names[i];

		if (n == 0 || !slice_eq(l->names[n - 1].client, e->client)) {
			l->names[n++] = *e;
			continue;
		}
		l->names[n - 1].exists |= e->exists;
		l->names[n - 1].rights |= e->rights;
		l->names[n - 1].subscribed |= e->subscribed;
		if (e->use.n > 0)
			l->names[n - 1].use = e->use;
	}
	l->count = n;
}

/* Copies from into to, with the parents that are missing. */
static void
add_parents(struct list_names *to, const struct list_names *from)
{
	for (size_t i = 0; i < from->count; i++) {
		struct slice name = from->names[i].client;
		size_t up = to->count > 0 ? to->count - 1 : 0, parent = SIZE_MAX;
		struct list_name *e;

		/* from the name before upwards: the nearest that is above this one */
		while (to->count > 0 && !is_below(name, to->names[up].client) &&
		       to->names[up].parent != up)
			up = to->names[up].parent;
		if (to->count > 0 && is_below(name, to->names[up].client))
			parent = up;
		for (size_t k = parent != SIZE_MAX ? to->names[parent].client.n + 1 : 0; k < name.n;
		     k++) {
			if (name.p[k] != MBOX_SEPARATOR)
				continue;
			e = push(to);
			e->client = slice_sub(name, 0, k);
			e->parent = parent != SIZE_MAX ? parent : to->count - 1;
			parent = to->count - 1;
		}
		e = push(to);
		*e = from->names[i];
		e->parent = parent != SIZE_MAX ? parent : to->count - 1;
	}
}

void
list_names_init(struct list_names *l, struct imap_session *s, struct arena *a, unsigned what)
{
	struct list_names found = { NULL, 0, 0 };
	struct collect c = { &found, s, a, what };

	*l = (struct list_names){ NULL, 0, 0 };
	if ((what & LIST_NAMES_EXISTING) != 0)
		collect_existing(&c);
	store_each_subscription(s->service->c.store, s->names.user, on_subscription, &c);
	if (found.count > 0)
		qsort(found.names, found.count, sizeof(*found.names), compare);
	merge(&found);
	add_parents(l, &found);
	list_names_fini(&found);
	for (size_t i = l->count; i-- > 0;) {
		struct list_name *e = &l->names[i];

		if (e->parent != i && (e->exists || e->has_children))
			l->names[e->parent].has_children = true;
	}
}

void
list_names_fini(struct list_names *l)
{
	free(l->names);
	*l = (struct list_names){ NULL, 0, 0 };
}
