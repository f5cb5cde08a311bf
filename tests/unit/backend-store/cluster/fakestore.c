#include "fakestore.h"

#include "base/xalloc.h"
#include "base/buf.h"
#include "lib/test.h"

#include <inttypes.h>
#include <stdlib.h>

#define ROWS_MAX 2000

enum row_kind { FREE, MAILBOX, TOMBSTONE, PENDING };
struct row {
	enum row_kind kind;
	char *name, *acl;
	uint64_t id, claim;
	bool conflict;
};

struct store {
	struct row rows[ROWS_MAX];
	size_t count;
};

struct store *
fakestore_new(void)
{
	return xcalloc(1, sizeof(struct store));
}

void
fakestore_free(struct store **s)
{
	for (size_t i = 0; i < (*s)->count; i++) {
		free((*s)->rows[i].name);
		free((*s)->rows[i].acl);
	}
	free(*s);
	*s = NULL;
}

static struct row *
find(struct store *s, enum row_kind kind, struct slice name)
{
	for (size_t i = 0; i < s->count; i++)
		if (s->rows[i].kind == kind && slice_eq_str(name, s->rows[i].name))
			return &s->rows[i];
	return NULL;
}

static struct row *
add(struct store *s, enum row_kind kind, const char *name)
{
	struct row *r = &s->rows[s->count++];

	assert_true(s->count <= ROWS_MAX);
	r->kind = kind;
	r->name = xstrdup(name);
	return r;
}

void
fakestore_add(struct store *s, const char *name, const char *acl, uint64_t id)
{
	struct row *r = add(s, MAILBOX, name);

	r->acl = xstrdup(acl);
	r->id = id;
}

void
fakestore_remove(struct store *s, const char *name)
{
	struct row *r = find(s, MAILBOX, slice_of(name));

	assert_non_null(r);
	r->kind = FREE;
}

void
fakestore_add_tombstone(struct store *s, const char *name)
{
	add(s, TOMBSTONE, name);
}

void
fakestore_set_pending(struct store *s, const char *name, bool pending)
{
	if (pending)
		add(s, PENDING, name);
	else
		find(s, PENDING, slice_of(name))->kind = FREE;
}

char *
fakestore_dump(struct store *s)
{
	struct buf out = BUF_INIT(SIZE_MAX);

	for (size_t i = 0; i < s->count; i++) {
		const struct row *r = &s->rows[i];

		if (r->kind == MAILBOX)
			buf_printf(&out, "%s c%" PRIu64 "%s\n", r->name, r->claim,
			           r->conflict ? " conflict" : "");
		else if (r->kind == TOMBSTONE)
			buf_printf(&out, "-%s\n", r->name);
	}
	return buf_steal_cstr(&out);
}

/* ---- mailbox/store.h ----------------------------------------------------------------------------- */

static void
fill(const struct row *r, struct mbox_info *info_r)
{
	*info_r = (struct mbox_info){
		.id = r->id,
		.name = slice_of(r->name),
		.acl = slice_of(r->acl),
		.special_use = SLICE(""),
		.uidvalidity = 7,
		.claim = r->claim,
		.conflict = r->conflict,
	};
}

bool
store_find(struct store *s, struct slice name, struct mbox_info *info_r)
{
	struct row *r = find(s, MAILBOX, name);

	if (r != NULL)
		fill(r, info_r);
	return r != NULL;
}

void
store_each(struct store *s, struct slice prefix, store_each_fn *fn, void *ctx)
{
	struct mbox_info info;

	assert_int_equal(prefix.n, 0);
	for (size_t i = 0; i < s->count; i++) {
		if (s->rows[i].kind != MAILBOX)
			continue;
		fill(&s->rows[i], &info);
		if (!fn(ctx, &info))
			return;
	}
}

void
store_each_tombstone(struct store *s, store_sub_fn *fn, void *ctx)
{
	for (size_t i = 0; i < s->count; i++)
		if (s->rows[i].kind == TOMBSTONE && !fn(ctx, slice_of(s->rows[i].name)))
			return;
}

uint64_t
store_clear_tombstone(struct store *s, struct slice name, UNUSED store_done_fn *fn,
                      UNUSED void *ctx)
{
	struct row *r = find(s, TOMBSTONE, name);

	if (r != NULL)
		r->kind = FREE;
	return 1;
}

bool
store_is_pending(struct store *s, struct slice name)
{
	return find(s, PENDING, name) != NULL;
}

void
store_set_conflict(struct store *s, struct slice name, bool conflict)
{
	struct row *r = find(s, MAILBOX, name);

	if (r != NULL)
		r->conflict = conflict;
}

uint64_t
store_set_claim(struct store *s, struct slice inbox, uint64_t claim, UNUSED store_done_fn *fn,
                UNUSED void *ctx)
{
	struct row *r = find(s, MAILBOX, inbox);

	if (r != NULL)
		r->claim = claim;
	return 1;
}
