#include "fakemap.h"

#include "base/num.h"
#include "base/xalloc.h"
#include "kv/kv.h"

#include "lib/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define ROWS_MAX 64
#define SLOW_MS 600 /* the reader looks twice a second for another environment */

struct row {
	char name[120], server[40], acl[200];
};

struct fakemap {
	struct loop *loop;
	char dir[300], next[300];
	struct row rows[ROWS_MAX];
	size_t count;
	char then[300];
	bool late;
	unsigned asked;
	struct location_reader *reader;
	struct lookup *lookup;
	struct list waits;
	uint64_t last_id;
};

/* ---- the list ------------------------------------------------------------------------------- */

/* Ids of servers and identifiers, as they are met. */
struct interns {
	struct kv_txn *txn;
	char texts[100][48];
	size_t count;
};

static uint32_t
intern(struct interns *in, char kind, const char *text)
{
	uint8_t le[4], by_id[5] = { (uint8_t)(kind - 'a' + 'A') };
	char key[48];
	int n = snprintf(key, sizeof(key), "%c%s", kind, text);

	for (size_t i = 0; i < in->count; i++)
		if (strcmp(in->texts[i], key) == 0)
			return (uint32_t)i + 1;
	memcpy(in->texts[in->count++], key, sizeof(key));
	num_put_le32(le, (uint32_t)in->count);
	num_put_be32(by_id + 1, (uint32_t)in->count);
	kv_put(in->txn, LOCATION_T_INTERN, slice_make(key, (size_t)n), slice_make(le, 4));
	kv_put(in->txn, LOCATION_T_INTERN, slice_make(by_id, 5), slice_of(text));
	return (uint32_t)in->count;
}

static void
put_meta(struct kv_txn *txn, const char *key, uint32_t v)
{
	uint8_t bytes[4];

	num_put_le32(bytes, v);
	kv_put(txn, LOCATION_T_META, slice_of(key), slice_make(bytes, 4));
}

static void
put_row(struct interns *in, const struct row *r)
{
	struct location loc = { .name = slice_of(r->name), .state = LOCATION_ACTIVE };
	struct buf acl = BUF_INIT(SIZE_MAX), row = BUF_INIT(SIZE_MAX);
	struct slice rest = slice_of(r->acl), id;
	const char *server = r->server;

	while (rest.n > 0) {
		uint8_t key[LOCATION_ID_KEY_MAX];
		char text[48];
		struct slice entry = slice_cut(&rest, ',');

		id = slice_cut(&entry, '=');
		buf_printf(&acl, "%.*s\t%.*s\t", SLICE_ARG(id), SLICE_ARG(entry));
		snprintf(text, sizeof(text), "%.*s", SLICE_ARG(id));
		kv_put(in->txn, LOCATION_T_ACL,
		       location_id_key(key, intern(in, 'a', text), loc.name), entry);
	}
	loc.acl = buf_slice(&acl);
	loc.left = strncmp(server, "left:", 5) == 0;
	if (loc.left)
		server += 5;
	if (loc.left || strcmp(server, "reserved") == 0)
		loc.state = LOCATION_RESERVED;
	location_row_add(&row, &loc, intern(in, 's', server));
	kv_put(in->txn, LOCATION_T_NAMES, loc.name, buf_slice(&row));
	buf_fini(&row);
	buf_fini(&acl);
}

static void
write_list(struct fakemap *m)
{
	const struct kv_config conf = { .dir = m->next,
		                        .tables = location_table_names,
		                        .table_count = LOCATION_T_COUNT,
		                        .map_bytes = 1 << 20 };
	char from[320], to[320];
	struct interns in = { .count = 0 };
	struct kv_env *env;

	assert_int_equal(kv_open(&conf, &env, NULL), KV_OK);
	assert_int_equal(kv_begin_write(env, &in.txn, NULL), KV_OK);
	put_meta(in.txn, "format", LOCATION_FORMAT);
	put_meta(in.txn, "state", LOCATION_MAP_COMPLETE);
	for (size_t i = 0; i < m->count; i++)
		put_row(&in, &m->rows[i]);
	assert_int_equal(kv_commit(&in.txn, NULL), KV_OK);
	kv_close(&env);
	(void)mkdir(m->dir, 0700);
	snprintf(from, sizeof(from), "%s/data.mdb", m->next);
	snprintf(to, sizeof(to), "%s/data.mdb", m->dir);
	assert_int_equal(rename(from, to), 0);
}

static void
change(struct fakemap *m, const char *rest)
{
	struct row r = { .acl = "" };

	if (sscanf(rest, "has %119s %39s %199s", r.name, r.server, r.acl) >= 2) {
		for (size_t i = 0; i < m->count; i++)
			if (strcmp(m->rows[i].name, r.name) == 0)
				m->rows[i--] = m->rows[--m->count];
		assert_true(m->count < ROWS_MAX);
		m->rows[m->count++] = r;
	} else {
		assert_int_equal(sscanf(rest, "lacks %119s", r.name), 1);
		for (size_t i = 0; i < m->count; i++)
			if (strcmp(m->rows[i].name, r.name) == 0)
				m->rows[i--] = m->rows[--m->count];
	}
	write_list(m);
}

void
fakemap_action(void *ctx, const char *rest)
{
	struct fakemap *m = ctx;
	unsigned n;

	if (strncmp(rest, "then ", 5) == 0) {
		snprintf(m->then, sizeof(m->then), "%s", rest + 5);
	} else if (strncmp(rest, "is ", 3) == 0) {
		m->late = strcmp(rest, "is late") == 0;
	} else if (sscanf(rest, "was asked %u", &n) == 1) {
		assert_int_equal(m->asked, n);
	} else {
		change(m, rest);
	}
}

/* ---- the barrier ------------------------------------------------------------------------------ */

struct wait {
	struct list link;
	struct fakemap *m;
	uint64_t id;
	struct timer timer;
	barrier_fn *fn;
	void *ctx;
};

static void
wait_free(struct wait *w)
{
	timer_fini(&w->timer);
	list_del(&w->link);
	free(w);
}

static void
on_timer(void *ctx)
{
	struct wait *w = ctx, old = *w;

	wait_free(w);
	old.fn(old.ctx, old.m->late ? BARRIER_LATE : BARRIER_OK);
}

uint64_t
barrier_wait(struct barrier *b, barrier_fn *fn, void *ctx)
{
	struct fakemap *m = (struct fakemap *)(void *)b;
	struct wait *w = xcalloc(1, sizeof(*w));
	bool slow = *m->then != '\0' && !m->late;

	m->asked++;
	if (slow)
		change(m, m->then);
	*m->then = '\0';
	w->m = m;
	w->id = ++m->last_id;
	w->fn = fn;
	w->ctx = ctx;
	timer_init(&w->timer, m->loop, on_timer, w);
	timer_set(&w->timer, slow ? SLOW_MS : 0);
	list_add_tail(&m->waits, &w->link);
	return w->id;
}

void
barrier_cancel(struct barrier *b, uint64_t id)
{
	struct fakemap *m = (struct fakemap *)(void *)b;
	struct wait *w;

	LIST_EACH (w, &m->waits, struct wait, link)
		if (w->id == id)
			wait_free(w);
}

/* ---- a map --------------------------------------------------------------------------------------- */

struct fakemap *
fakemap_new(struct loop *l)
{
	static unsigned number;
	struct fakemap *m = xcalloc(1, sizeof(*m));

	m->loop = l;
	list_init(&m->waits);
	snprintf(m->dir, sizeof(m->dir), "%s/map%u", test_dir(), ++number);
	snprintf(m->next, sizeof(m->next), "%s/next%u", test_dir(), number);
	m->reader = location_reader_new(m->dir);
	m->lookup = lookup_new(l, m->reader, fakemap_barrier(m));
	return m;
}

void
fakemap_free(struct fakemap **mp)
{
	struct fakemap *m = *mp;
	struct wait *w;

	*mp = NULL;
	lookup_free(&m->lookup);
	location_reader_free(&m->reader);
	LIST_EACH (w, &m->waits, struct wait, link)
		wait_free(w);
	free(m);
}

struct location_reader *
fakemap_reader(struct fakemap *m)
{
	return m->reader;
}

struct barrier *
fakemap_barrier(struct fakemap *m)
{
	return (struct barrier *)(void *)m;
}

struct lookup *
fakemap_lookup(struct fakemap *m)
{
	return m->lookup;
}
