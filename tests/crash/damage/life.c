#include "life.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/num.h"
#include "base/xalloc.h"
#include "fakenet/fakenet.h"
#include "lib/test.h"
#include "log/log.h"

#define FILLER_BYTES 20000

/* ---- a life ---------------------------------------------------------------------------------- */

static const char *
body_of(int id)
{
	static char body[60];

	snprintf(body, sizeof(body), "Subject: %d\r\n\r\nbody of %d\r\n", id, id);
	return body;
}

static void
life_deliver(struct life *l, const char *user)
{
	int id = l->next_id++;

	assert_int_equal(world_deliver(&l->w, user, body_of(id), id).result, MBOX_OK);
}

static void
life_append(struct life *l, const char *name, const char *keywords)
{
	assert_true(world_append(&l->w, name, body_of(l->next_id++), MSG_SEEN, keywords) != 0);
}

void
life_first_part(struct life *l)
{
	struct world *w = &l->w;

	assert_int_equal(world_create_user(w, "fred"), MBOX_OK);
	assert_int_equal(world_create_user(w, "ann"), MBOX_OK);
	assert_int_equal(world_create(w, "user.fred.a"), MBOX_OK);
	assert_int_equal(world_create(w, "user.fred.a.b"), MBOX_OK);
	assert_int_equal(world_create(w, "user.fred.twice"), MBOX_OK);
	for (int i = 0; i < 3; i++) {
		life_deliver(l, "fred");
		life_append(l, "user.fred.a", i == 0 ? "one" : "one two");
		life_append(l, "user.fred.twice", NULL);
	}
	life_deliver(l, "ann");
	assert_int_equal(world_subscribe(w, "fred", "user.fred.a", true), MBOX_OK);
	assert_int_equal(world_set_quota(w, "user.fred", 50000000, 4000), MBOX_OK);
}

void
life_second_part(struct life *l)
{
	struct world *w = &l->w;

	life_deliver(l, "fred");
	assert_int_equal(world_flags(w, "user.fred", "1 3", FLAGS_ADD, MSG_FLAGGED, "three"),
	                 MBOX_OK);
	assert_int_equal(world_copy(w, "user.fred", "1 3", "user.fred.a", false, NULL), MBOX_OK);
	assert_int_equal(world_copy(w, "user.fred.a", "2", "user.fred.a.b", true, NULL), MBOX_OK);
	assert_int_equal(world_set_acl(w, "user.fred.a", "fred\tlrswipkxtea\tann\tlr\t"), MBOX_OK);
	assert_int_equal(world_rename(w, "user.fred.a", "user.fred.c"), MBOX_OK);
	assert_int_equal(world_create(w, "user.fred.a"), MBOX_OK);
	life_append(l, "user.fred.a", NULL);
	assert_int_equal(world_delete(w, "user.fred.twice", false), MBOX_OK);
	assert_int_equal(world_create(w, "user.fred.twice"), MBOX_OK);
	life_append(l, "user.fred.twice", "five");
	life_deliver(l, "ann");
	assert_int_equal(world_expunge(w, "user.fred", "2", false), MBOX_OK);
}

void
life_fill(struct life *l)
{
	char *body = xmalloc(FILLER_BYTES + 1);
	struct mbox_info info;

	if (!store_find(l->w.store, SLICE("lists.filler"), &info))
		assert_int_equal(world_create(&l->w, "lists.filler"), MBOX_OK);
	memset(body, 'x', FILLER_BYTES);
	body[FILLER_BYTES] = '\0';
	memcpy(body, "Subject: 0\r\n\r\n", 14);
	for (unsigned i = 0; i < 9; i++)
		assert_true(world_append(&l->w, "lists.filler", body, 0, NULL) != 0);
	free(body);
	assert_int_equal(world_expunge(&l->w, "lists.filler", NULL, false), MBOX_OK);
}

/* Hundreds of indexes are made, and each would wait for a disk a dozen times. */
static void
use_memory(void)
{
	if (access("/dev/shm", W_OK) == 0)
		(void)setenv("TMPDIR", "/dev/shm", 0);
}

void
life_begin(struct life *l)
{
	use_memory();
	log_set_level(LOG_ERROR);
	assert_int_equal(log_open("test", "/dev/null"), 0);
	*l = (struct life){ .disk = disk_new(1), .next_id = 1 };
	world_open_on(&l->w, WORLD_PLAIN, disk_os(l->disk));
}

void
life_compacted(struct life *l)
{
	life_begin(l);
	life_first_part(l);
	life_fill(l);
	world_reopen(&l->w);
	assert_true(world_compact(&l->w) > 0);
	life_second_part(l);
}

void
life_end(struct life *l)
{
	assert_int_equal(world_create(&l->w, "lists.last"), MBOX_OK);
	fakenet_settle(l->w.loop);
}

void
life_free(struct life *l)
{
	l->w.os = disk_os(l->disk);
	world_close(&l->w);
	disk_free(&l->disk);
}

/* ---- what there is ----------------------------------------------------------------------------- */

static bool
collect(void *ctx, const struct mbox_info *info)
{
	buf_add_blob(ctx, info->name);
	return true;
}

static void
see_message(struct picture *p, struct mailbox *m, const struct msg *msg, struct buf *out)
{
	struct buf body = BUF_INIT(1 << 20);
	int id = 0;

	buf_printf(out, "%u %x %llx, ", msg->uid, msg->flags, (unsigned long long)msg->keywords);
	if (mailbox_read(m, msg, 0, UINT64_MAX, &body) != MBOX_OK) {
		p->unreadable++;
	} else {
		assert_int_equal(sscanf(buf_cstr(&body), "Subject: %d\r\n", &id), 1);
		assert_true(id >= 0 && id < LIFE_IDS);
		p->ids[id] = true;
	}
	buf_fini(&body);
}

static void
see_box(struct picture *p, struct world *w, const char *name)
{
	struct buf text = BUF_INIT(SIZE_MAX);
	struct mailbox *m = world_must_get(w, name);
	const struct msg *msgs;
	uint32_t count;

	msgs = mailbox_msgs(m, &count);
	for (uint32_t i = 0; i < count; i++)
		see_message(p, m, &msgs[i], &text);
	mailbox_release(&m);
	(void)map_set(p->boxes, slice_of(name), xstrdup(buf_cstr(&text)));
	buf_fini(&text);
}

void
picture_take(struct picture *p, struct world *w)
{
	struct buf names = BUF_INIT(SIZE_MAX);
	struct num_reader r;

	*p = (struct picture){ .boxes = map_new() };
	store_each(w->store, SLICE(""), collect, &names);
	for (r = num_reader_of(buf_slice(&names)); r.rest.n != 0;) {
		struct slice name = num_read_blob(&r);
		char *copy = slice_dup(name);

		copy = xrealloc(copy, name.n + 1);
		copy[name.n] = '\0';
		see_box(p, w, copy);
		free(copy);
	}
	buf_fini(&names);
}

void
picture_fini(struct picture *p)
{
	struct slice name;
	size_t pos = 0;
	void *text;

	while (map_next(p->boxes, &pos, &name, &text))
		free(text);
	map_free(&p->boxes);
}

unsigned
picture_differing(const struct picture *a, const struct picture *b)
{
	unsigned count = 0;
	struct slice name;
	size_t pos = 0;
	void *text;

	while (map_next(a->boxes, &pos, &name, &text)) {
		const char *other = map_get(b->boxes, name);

		count += other == NULL || strcmp(text, other) != 0;
	}
	return count;
}

unsigned
picture_missing_ids(const struct picture *was, const struct picture *is)
{
	unsigned count = 0;

	for (unsigned i = 1; i < LIFE_IDS; i++)
		count += was->ids[i] && !is->ids[i];
	return count;
}
