#include "imap/list_shared.h"

#include "base/xalloc.h"

#include <stdlib.h>

#define USERS "user."

static const struct slice tops[] = { SLICE_INIT("Other Users"), SLICE_INIT("Shared Folders") };

bool
list_shared_is_name(struct slice client)
{
	for (size_t i = 0; i < ARRAY_LEN(tops); i++)
		if (slice_starts(client, tops[i]) &&
		    (client.n == tops[i].n || client.p[tops[i].n] == MBOX_SEPARATOR))
			return true;
	return false;
}

bool
list_shared_is_wanted(const struct pattern *p)
{
	for (size_t i = 0; i < ARRAY_LEN(tops); i++)
		if (pattern_matches(p, tops[i]) || pattern_may_match_below(p, tops[i]))
			return true;
	return false;
}

/* ---- who, and where ------------------------------------------------------------------------------ */

static bool
on_domain(void *ctx, const struct location_level *level)
{
	struct list_shared *l = ctx;

	for (size_t i = 0; i < l->domain_count; i++)
		if (slice_eq(l->domains[i], level->name))
			return true;
	/* an array in an arena grows by being copied; domains are few */
	if ((l->domain_count & (l->domain_count - 1)) == 0) {
		struct slice *more =
			arena_array(l->arena, 2 * l->domain_count + 1, sizeof(*l->domains));

		memcpy(more, l->domains, l->domain_count * sizeof(*more));
		l->domains = more;
	}
	l->domains[l->domain_count++] = arena_slice_dup(l->arena, level->name);
	return true;
}

static int
compare_slices(const void *a, const void *b)
{
	return slice_cmp(*(const struct slice *)a, *(const struct slice *)b);
}

/* His own domain, the default one, and those where he or a group of his is named. */
static void
find_domains(struct list_shared *l)
{
	struct location_level none = { .name = SLICE("") };
	struct slice domain = mbox_name_domain(l->who.inbox);

	l->domains = arena_array(l->arena, 1, sizeof(*l->domains));
	if (domain.n > 0)
		l->own_domain = slice_of(arena_printf(l->arena, "%.*s!", SLICE_ARG(domain)));
	l->domains[l->domain_count++] = l->own_domain;
	(void)on_domain(l, &none);
	for (size_t i = 0; i + 1 < l->id_count; i++)
		(void)location_reader_list_domains(l->reader, l->ids[i], on_domain, l);
	qsort(l->domains + 1, l->domain_count - 1, sizeof(*l->domains), compare_slices);
}

void
list_shared_init(struct list_shared *l, struct location_reader *reader,
                 const struct mbox_view *view, const char *groups, struct arena *arena)
{
	memset(l, 0, sizeof(*l));
	l->reader = reader;
	l->view = *view;
	l->arena = arena;
	l->own_domain = SLICE("");
	l->left = LIST_SHARED_MAX;
	acl_who_init(&l->who, view->user, view->default_domain, slice_of(groups), arena);
	l->ids = arena_array(arena, l->who.group_count + 2, sizeof(*l->ids));
	l->ids[l->id_count++] = l->who.user;
	for (size_t i = 0; i < l->who.group_count; i++)
		l->ids[l->id_count++] =
			slice_of(arena_printf(arena, "group:%.*s", SLICE_ARG(l->who.groups[i])));
	l->ids[l->id_count++] = SLICE("anyone");
	find_domains(l);
}

/* "anyone" is anyone of a domain: in others only who is named has something. */
static size_t
ids_in(const struct list_shared *l, struct slice name)
{
	return slice_eq(mbox_name_domain(name), mbox_name_domain(l->own_domain)) ? l->id_count
	                                                                         : l->id_count - 1;
}

static bool
is_own(const struct list_shared *l, struct slice name)
{
	return slice_eq(name, l->who.inbox) || mbox_name_is_below(name, l->who.inbox);
}

/* In the arena; empty: no client may see it. */
static struct slice
to_client(struct list_shared *l, struct slice name)
{
	struct buf out = BUF_INIT(4 * MBOX_NAME_MAX);
	struct slice client = SLICE("");

	if (mbox_name_to_client(&l->view, name, &out))
		client = arena_slice_dup(l->arena, buf_slice(&out));
	buf_fini(&out);
	return client;
}

/* ---- one name ------------------------------------------------------------------------------------ */

/* A mailbox on its way to another store is told of: a client would take it for deleted. */
static bool
may_see(const struct list_shared *l, const struct location *loc)
{
	return (loc->state == LOCATION_ACTIVE || loc->left) && !is_own(l, loc->name) &&
	       !mbox_name_is_deleted(loc->name) &&
	       (acl_rights_on(loc->name, loc->acl, &l->who) & ACL_LOOKUP) != 0;
}

struct search {
	struct list_shared *l;
	bool found;
};

static bool
on_below(void *ctx, const struct location *loc)
{
	struct search *f = ctx;

	f->found = may_see(f->l, loc) && to_client(f->l, loc->name).n > 0;
	return !f->found && f->l->left-- > 1;
}

/* Is there anything to be seen that starts so? */
static bool
is_above_some(struct list_shared *l, struct slice prefix)
{
	struct search f = { l, false };

	for (size_t i = 0; i < ids_in(l, prefix) && !f.found && l->left > 0; i++)
		if (location_reader_list_acl(l->reader, l->ids[i], prefix, on_below, &f) ==
		    LOCATION_BLIND)
			l->blind = true;
	return f.found;
}

static void
look_at(struct list_shared *l, struct slice name, struct list_shared_name *n)
{
	struct location loc;

	switch (location_reader_find(l->reader, name, l->arena, &loc)) {
	case LOCATION_FOUND:
	case LOCATION_IS_RESERVED:
		n->exists = may_see(l, &loc);
		n->rights = acl_rights_on(loc.name, loc.acl, &l->who);
		n->server = loc.left ? SLICE("") : loc.server;
		break;
	case LOCATION_BLIND:
		l->blind = true;
		break;
	case LOCATION_NONE:
		break;
	}
}

static struct slice
prefix_of(struct list_shared *l, struct slice domain, const char *more)
{
	return slice_of(arena_printf(l->arena, "%.*s%s", SLICE_ARG(domain), more));
}

/* ---- one level ----------------------------------------------------------------------------------- */

/* What is mentioned anywhere in it, merged. */
struct children {
	struct list_shared *l;
	struct child {
		struct slice name;
		bool is_there, has_below;
	} * items; /* heap */
	size_t count, cap;
};

static bool
on_child(void *ctx, const struct location_level *level)
{
	struct children *c = ctx;

	if (c->l->left == 0)
		return false;
	c->l->left--;
	if (c->count == c->cap) {
		c->cap = c->cap != 0 ? 2 * c->cap : 16;
		c->items = xreallocarray(c->items, c->cap, sizeof(*c->items));
	}
	c->items[c->count++] = (struct child){ arena_slice_dup(c->l->arena, level->name),
		                               level->is_there, level->has_below };
	return true;
}

static int
compare_children(const void *a, const void *b)
{
	return slice_cmp(((const struct child *)a)->name, ((const struct child *)b)->name);
}

static void
find_children(struct children *c, struct slice prefix)
{
	struct list_shared *l = c->l;
	size_t n = 0;

	for (size_t i = 0; i < ids_in(l, prefix); i++)
		if (location_reader_list_level(l->reader, l->ids[i], prefix, on_child, c) ==
		    LOCATION_BLIND)
			l->blind = true;
	if (c->count > 0)
		qsort(c->items, c->count, sizeof(*c->items), compare_children);
	for (size_t i = 0; i < c->count; i++) {
		if (n > 0 && slice_eq(c->items[n - 1].name, c->items[i].name)) {
			c->items[n - 1].is_there |= c->items[i].is_there;
			c->items[n - 1].has_below |= c->items[i].has_below;
		} else {
			c->items[n++] = c->items[i];
		}
	}
	c->count = n;
}

/* What is the user's own, is not among what others give him; nor are users among the names of
 * nobody. */
static bool
is_hidden(const struct list_shared *l, struct slice prefix, struct slice name)
{
	return is_own(l, name) || mbox_name_is_deleted(name) ||
	       (!slice_ends(prefix, SLICE(".")) &&
	        slice_eq(slice_skip(name, prefix.n), SLICE("user")));
}

/* Is there anything to be seen in this top level? */
static bool
has_some(struct list_shared *l, struct slice prefix)
{
	struct children c = { .l = l };
	bool found = false;

	find_children(&c, prefix);
	for (size_t i = 0; i < c.count && !found; i++) {
		struct list_shared_name n = { .client = SLICE("") };

		if (is_hidden(l, prefix, c.items[i].name))
			continue;
		if (c.items[i].is_there)
			look_at(l, c.items[i].name, &n);
		found = n.exists || (c.items[i].has_below &&
		                     is_above_some(l, prefix_of(l, c.items[i].name, ".")));
	}
	free(c.items);
	return found;
}

/* Has one of the two namespaces anything? */
static bool
is_above_all(struct list_shared *l, bool users)
{
	for (size_t i = 0; i < l->domain_count; i++) {
		struct slice prefix = prefix_of(l, l->domains[i], users ? USERS : "");

		/* users are many: the first that is seen will do; top names are few */
		if (users ? is_above_some(l, prefix) : has_some(l, prefix))
			return true;
	}
	return false;
}

void
list_shared_look(struct list_shared *l, struct slice client, struct list_shared_name *name_r)
{
	struct mbox_name name;

	*name_r = (struct list_shared_name){ .client = client };
	for (size_t i = 0; i < ARRAY_LEN(tops); i++)
		if (slice_eq(client, tops[i]))
			name_r->has_children = is_above_all(l, i == 0);
	if (mbox_name_from_client(&l->view, client, &name) != MBOX_NAME_OK ||
	    is_own(l, mbox_name_slice(&name)))
		return;
	look_at(l, mbox_name_slice(&name), name_r);
	name_r->has_children = is_above_some(l, prefix_of(l, mbox_name_slice(&name), "."));
}

/* ---- all that match ------------------------------------------------------------------------------ */

struct walk {
	struct list_shared *l;
	const struct pattern *patterns;
	size_t pattern_count;
	list_shared_fn *fn;
	void *ctx;
};

static bool
matches(const struct walk *w, struct slice client)
{
	for (size_t i = 0; i < w->pattern_count; i++)
		if (pattern_matches(&w->patterns[i], client))
			return true;
	return false;
}

static bool
may_match_below(const struct walk *w, struct slice client)
{
	for (size_t i = 0; i < w->pattern_count; i++)
		if (pattern_may_match_below(&w->patterns[i], client))
			return true;
	return false;
}

static void walk_level(struct walk *w, struct slice prefix);

static void
walk_child(struct walk *w, const struct child *c)
{
	struct list_shared *l = w->l;
	struct list_shared_name n = { .client = to_client(l, c->name) };
	struct slice below = prefix_of(l, c->name, ".");

	/* a name that no client sees may have some below it that are seen: user.bob.INBOX */
	if (n.client.n > 0 && matches(w, n.client)) {
		if (c->is_there)
			look_at(l, c->name, &n);
		n.has_children = c->has_below && is_above_some(l, below);
		if (n.exists || n.has_children)
			w->fn(w->ctx, &n);
	}
	if (c->has_below && (n.client.n == 0 || may_match_below(w, n.client)))
		walk_level(w, below);
}

/* As deep as a name has parts: 245 at most. */
static void
walk_level(struct walk *w, struct slice prefix)
{
	struct children c = { .l = w->l };

	find_children(&c, prefix);
	for (size_t i = 0; i < c.count; i++)
		if (!is_hidden(w->l, prefix, c.items[i].name))
			walk_child(w, &c.items[i]);
	free(c.items);
}

void
list_shared_find(struct list_shared *l, const struct pattern *patterns, size_t count,
                 list_shared_fn *fn, void *ctx)
{
	struct walk w = { l, patterns, count, fn, ctx };

	for (size_t i = 0; i < ARRAY_LEN(tops); i++) {
		struct list_shared_name top = { .client = tops[i] };
		bool users = i == 0;

		if (matches(&w, top.client) && is_above_all(l, users)) {
			top.has_children = true;
			fn(ctx, &top);
		}
		for (size_t d = 0; may_match_below(&w, top.client) && d < l->domain_count; d++)
			walk_level(&w, prefix_of(l, l->domains[d], users ? USERS : ""));
	}
}
