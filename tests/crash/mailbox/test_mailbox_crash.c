/*
 * The mailbox layer's promises under power cuts (1, 7, 11 and 12 of ARCHITECTURE.md): what was
 * acknowledged is there and as it was, numbers never go back, and what was under way has
 * happened or not, never in part; offered again, a delivery is there once.
 *
 * Operations run one after the other against a store and a model of it. The power goes in the
 * middle of one; after the recovery (with cuts of its own) the store is the model before that
 * operation, or the one after it. The same while the log is compacted, and with an index that
 * is made anew of such a log.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "disk/disk.h"
#include "engine/engine.h"
#include "fakenet/fakenet.h"
#include "lib/test.h"
#include "log/log.h"
#include "unit/backend-store/mailbox/world.h"

#define MSGS_MOST 60
#define QUOTA_LEAST 1000000 /* more than there ever is */

/* The first two are INBOXes and stay. */
static const char *const names[] = { "user.fred",   "user.ann",    "user.fred.a", "user.fred.a.x",
	                             "user.fred.b", "user.fred.c", "lists.a",     "lists.b" };
#define BOXES ARRAY_LEN(names)
#define INBOXES 2
#define SHARED 6 /* from here on */

struct item {
	uint32_t uid;
	int id; /* in its body */
	uint8_t flags;
};

struct box {
	bool there;
	uint64_t id; /* 0 in a model: made by the last operation, not known */
	uint32_t uidvalidity, uidnext;
	uint64_t modseq;
	uint64_t quota; /* most messages; 0: no limits of its own */
	int acl;        /* "uN" may look; 0: nobody was said to */
	unsigned count;
	struct item items[MSGS_MOST];
};

struct picture {
	struct box boxes[BOXES];
	bool subscribed[BOXES];
};

enum kind {
	DELIVER,
	APPEND,
	FLAGS,
	EXPUNGE,
	COPY,
	MOVE,
	CREATE,
	DELETE,
	RENAME,
	SUBSCRIBE,
	QUOTA,
	ACL,
	KINDS
};

struct op {
	enum kind kind;
	unsigned box, to;
	int id;
	uint8_t flags;
	bool on;
	bool chosen[MSGS_MOST]; /* messages of box, by place */
};

struct site {
	struct world w;
	struct disk *disk;
	struct picture model; /* what is acknowledged */
	uint32_t uidvalidity; /* the highest ever seen */
	uint64_t rng, seed;
	int next_id;
	bool compacts;
	uint64_t dropped; /* files, by earlier openings */
};

static unsigned
draw(struct site *s, unsigned below)
{
	s->rng = s->rng * 6364136223846793005ULL + 1442695040888963407ULL;
	return (unsigned)((s->rng >> 33) % below);
}

/* ---- what is in the store -------------------------------------------------------------------- */

static int
read_id(struct mailbox *m, const struct msg *msg)
{
	struct buf body = BUF_INIT(1 << 20);
	int id;

	assert_int_equal(mailbox_read(m, msg, 0, UINT64_MAX, &body), MBOX_OK);
	assert_int_equal(sscanf(buf_cstr(&body), "Subject: %d\r\n", &id), 1);
	buf_fini(&body);
	return id;
}

/* Of one that is a root by limits of its own. */
static uint64_t
own_quota(struct site *s, const char *name)
{
	struct quota_info q;

	if (!quota_find(s->w.store, slice_of(name), &q) || !q.own ||
	    !slice_eq(q.root, slice_of(name)))
		return 0;
	return q.limits.messages;
}

static int
acl_of(const struct mbox_info *info)
{
	int n = 0;

	/* the store keeps it with a NUL behind */
	return sscanf(info->acl.p, "u%d\tlr\t", &n) == 1 ? n : 0;
}

static void
look_at_box(struct site *s, const char *name, struct box *b)
{
	struct mbox_info info;
	struct mailbox *m;
	const struct msg *msgs;
	uint32_t count;

	b->there = store_find(s->w.store, slice_of(name), &info);
	if (!b->there)
		return;
	b->id = info.id;
	m = world_must_get(&s->w, name);
	msgs = mailbox_msgs(m, &count);
	assert_true(count <= MSGS_MOST);
	b->uidvalidity = mailbox_uidvalidity(m);
	b->uidnext = mailbox_uidnext(m);
	b->modseq = mailbox_highestmodseq(m);
	b->quota = own_quota(s, name);
	b->acl = acl_of(&info);
	b->count = count;
	for (uint32_t i = 0; i < count; i++)
		b->items[i] = (struct item){ msgs[i].uid, read_id(m, &msgs[i]), msgs[i].flags };
	mailbox_release(&m);
}

static void
look(struct site *s, struct picture *p_r)
{
	memset(p_r, 0, sizeof(*p_r));
	world_check_quotas(&s->w);
	for (unsigned i = 0; i < BOXES; i++) {
		look_at_box(s, names[i], &p_r->boxes[i]);
		p_r->subscribed[i] =
			store_is_subscribed(s->w.store, SLICE("fred"), slice_of(names[i]));
	}
}

/* ---- the model -------------------------------------------------------------------------------- */

static void
add(struct box *b, int id, uint8_t flags)
{
	b->items[b->count++] = (struct item){ b->uidnext++, id, flags };
}

static void
take_chosen(struct box *b, const struct op *o)
{
	unsigned n = 0;

	for (unsigned i = 0; i < b->count; i++)
		if (!o->chosen[i])
			b->items[n++] = b->items[i];
	memset(&b->items[n], 0, (b->count - n) * sizeof(b->items[0]));
	b->count = n;
}

static void
model_copy(struct picture *p, const struct op *o)
{
	struct box *from = &p->boxes[o->box], *to = &p->boxes[o->to];

	for (unsigned i = 0; i < from->count; i++)
		if (o->chosen[i])
			add(to, from->items[i].id, from->items[i].flags);
	if (o->kind == MOVE)
		take_chosen(from, o);
}

/* user.fred.a takes user.fred.a.x along only to nowhere: names of the pool are flat but that. */
static void
model_rename(struct picture *p, const struct op *o)
{
	p->boxes[o->to] = p->boxes[o->box];
	memset(&p->boxes[o->box], 0, sizeof(p->boxes[0]));
}

/* A new one has that of the nearest above it. */
static int
model_acl(const struct picture *p, unsigned box)
{
	struct slice up = slice_of(names[box]);

	while (mbox_name_parent(up, &up))
		for (unsigned i = 0; i < BOXES; i++)
			if (slice_eq_str(up, names[i]) && p->boxes[i].there)
				return p->boxes[i].acl;
	return 0;
}

static void
model_apply(struct picture *p, const struct op *o)
{
	struct box *b = &p->boxes[o->box];

	switch (o->kind) {
	case DELIVER:
	case APPEND:
		add(b, o->id, o->kind == APPEND ? o->flags : 0);
		break;
	case FLAGS:
		for (unsigned i = 0; i < b->count; i++)
			if (o->chosen[i])
				b->items[i].flags = o->flags;
		break;
	case EXPUNGE:
		take_chosen(b, o);
		break;
	case COPY:
	case MOVE:
		model_copy(p, o);
		break;
	case CREATE:
		*b = (struct box){ .there = true, .uidnext = 1, .acl = model_acl(p, o->box) };
		break;
	case DELETE:
		memset(b, 0, sizeof(*b));
		break;
	case RENAME:
		model_rename(p, o);
		break;
	case QUOTA:
		b->quota = o->on ? QUOTA_LEAST + (unsigned)o->id : 0;
		break;
	case ACL:
		b->acl = o->id;
		break;
	default:
		p->subscribed[o->box] = o->on;
		break;
	}
}

static bool
box_is(const struct site *s, const struct box *got, const struct box *want)
{
	if (got->there != want->there)
		return false;
	if (!got->there)
		return true;
	if (want->id == 0 ? got->uidvalidity <= s->uidvalidity
	                  : got->id != want->id || got->uidvalidity != want->uidvalidity)
		return false;
	return got->quota == want->quota && got->acl == want->acl &&
	       got->uidnext == want->uidnext && got->modseq >= want->modseq &&
	       got->count == want->count &&
	       memcmp(got->items, want->items, got->count * sizeof(got->items[0])) == 0;
}

static bool
picture_is(const struct site *s, const struct picture *got, const struct picture *want)
{
	for (unsigned i = 0; i < BOXES; i++)
		if (!box_is(s, &got->boxes[i], &want->boxes[i]) ||
		    got->subscribed[i] != want->subscribed[i])
			return false;
	return true;
}

static void
describe(const struct picture *p, struct buf *out)
{
	for (unsigned i = 0; i < BOXES; i++) {
		const struct box *b = &p->boxes[i];

		if (!b->there)
			continue;
		buf_printf(out, "\n    %s id=%llu v=%u next=%u modseq=%llu:", names[i],
		           (unsigned long long)b->id, b->uidvalidity, b->uidnext,
		           (unsigned long long)b->modseq);
		for (unsigned k = 0; k < b->count; k++)
			buf_printf(out, " %u=%d/%x", b->items[k].uid, b->items[k].id,
			           b->items[k].flags);
	}
}

/* Becomes the model. */
static void
settle_on(struct site *s, const struct picture *got)
{
	s->model = *got;
	for (unsigned i = 0; i < BOXES; i++)
		s->uidvalidity = MAX(s->uidvalidity, got->boxes[i].uidvalidity);
}

/* ---- operations ------------------------------------------------------------------------------ */

static unsigned
pick(struct site *s, bool there)
{
	unsigned at = draw(s, BOXES);

	for (unsigned i = 0; i < BOXES; i++, at = (at + 1) % BOXES)
		if (s->model.boxes[at].there == there)
			return at;
	return BOXES;
}

static bool
has_room(const struct site *s, unsigned box)
{
	return s->model.boxes[box].count < MSGS_MOST / 3;
}

static void
choose(struct site *s, struct op *o)
{
	for (unsigned i = 0; i < s->model.boxes[o->box].count; i++)
		o->chosen[i] = draw(s, 3) == 0;
}

/* user.fred.a.x lies below user.fred.a: those two are not renamed or made over each other. */
static bool
is_nested(unsigned box)
{
	return box == 2 || box == 3;
}

/* False: this cannot be done now. */
static bool
think_of(struct site *s, struct op *o)
{
	static const uint8_t flags[] = { 0, MSG_SEEN, MSG_FLAGGED | MSG_SEEN, MSG_DELETED };

	*o = (struct op){ .kind = (enum kind)draw(s, KINDS) };
	o->flags = flags[draw(s, ARRAY_LEN(flags))];
	o->on = draw(s, 2) == 0;
	o->id = ++s->next_id;
	o->box = o->kind == DELIVER ? draw(s, INBOXES) : pick(s, o->kind != CREATE);
	o->to = pick(s, o->kind != RENAME);
	if (o->box == BOXES || o->to == BOXES)
		return false;
	choose(s, o);
	switch (o->kind) {
	case DELIVER:
	case APPEND:
		return has_room(s, o->box);
	case COPY:
	case MOVE:
		return has_room(s, o->to) && o->box != o->to;
	case CREATE:
		return o->box != 3 || s->model.boxes[2].there;
	case DELETE:
		return o->box >= INBOXES;
	case RENAME:
		return o->box >= INBOXES && !is_nested(o->box) && !is_nested(o->to) &&
		       (s->model.boxes[o->box].quota == 0 || o->to >= SHARED);
	case QUOTA:
		return o->box < INBOXES || o->box >= SHARED;
	default:
		return true;
	}
}

static void
uids_of(const struct site *s, const struct op *o, char *text, size_t room)
{
	const struct box *b = &s->model.boxes[o->box];
	size_t n = 0;

	text[0] = '\0';
	for (unsigned i = 0; i < b->count; i++)
		if (o->chosen[i])
			n += (size_t)snprintf(text + n, room - n, "%s%u", n > 0 ? " " : "",
			                      b->items[i].uid);
}

static const char *
body_of(struct site *s, const struct op *o)
{
	static char body[20000];
	int n = snprintf(body, sizeof(body), "Subject: %d\r\n\r\n", o->id);
	size_t more = (size_t)o->id * 7919 % (o->id % 7 == 0 ? 15000 : 300);

	memset(body + n, 'x', more);
	body[(size_t)n + more] = '\0';
	return body;
}

static enum mbox_result
do_deliver(struct site *s, const struct op *o, bool *duplicate_r)
{
	struct deliver_result r =
		world_deliver(&s->w, o->box == 0 ? "fred" : "ann", body_of(s, o), o->id);

	if (duplicate_r != NULL)
		*duplicate_r = r.duplicate;
	return r.result;
}

static enum mbox_result
run(struct site *s, const struct op *o)
{
	const char *name = names[o->box], *to = names[o->to];
	char uids[MSGS_MOST * 12], acl[100];

	uids_of(s, o, uids, sizeof(uids));
	switch (o->kind) {
	case DELIVER:
		return do_deliver(s, o, NULL);
	case APPEND:
		return world_append(&s->w, name, body_of(s, o), o->flags, NULL) != 0
		               ? MBOX_OK
		               : MBOX_UNAVAILABLE;
	case FLAGS:
		return world_flags(&s->w, name, uids, FLAGS_REPLACE, o->flags, NULL);
	case EXPUNGE:
		return world_expunge(&s->w, name, uids, false);
	case COPY:
	case MOVE:
		return world_copy(&s->w, name, uids, to, o->kind == MOVE, NULL);
	case CREATE:
		return world_create(&s->w, name);
	case DELETE:
		return world_delete(&s->w, name, false);
	case RENAME:
		return world_rename(&s->w, name, to);
	case QUOTA:
		return o->on ? world_set_quota(&s->w, name, -1, QUOTA_LEAST + o->id)
		             : world_set_quota(&s->w, name, -2, -2);
	case ACL:
		snprintf(acl, sizeof(acl), "u%d\tlr\tfred\tlrswipkxtea\t", o->id);
		return world_set_acl(&s->w, name, acl);
	default:
		return world_subscribe(&s->w, "fred", name, o->on);
	}
}

static void
must_be(struct site *s, const struct picture *want, const struct op *o, const char *when)
{
	struct picture got;
	struct buf text = BUF_INIT(SIZE_MAX);

	look(s, &got);
	if (!picture_is(s, &got, want)) {
		describe(&got, &text);
		buf_add_str(&text, "\n  instead of");
		describe(want, &text);
		test_fail("seed %llu, %s, operation %d on %s: %s", (unsigned long long)s->seed,
		          when, (int)o->kind, names[o->box], buf_cstr(&text));
	}
	buf_fini(&text);
	settle_on(s, &got);
}

/* Until the power goes. The operation under way then, or none (kind KINDS). */
static struct op
work(struct site *s, unsigned most)
{
	struct op o = { .kind = KINDS };

	for (unsigned i = 0; i < most; i++) {
		struct picture after = s->model;
		enum mbox_result r;

		if (!think_of(s, &o))
			continue;
		if (s->compacts && draw(s, 8) == 0) {
			(void)engine_compact(store_engine(s->w.store));
			if (s->w.mode == WORLD_UNINDEXED && draw(s, 2) == 0)
				engine_index_now(store_engine(s->w.store));
		}
		r = run(s, &o);
		if (disk_is_cut(s->disk) && r != MBOX_OK)
			return o;
		test_check(r == MBOX_OK, "seed %llu: operation %d on %s: %s",
		           (unsigned long long)s->seed, (int)o.kind, names[o.box],
		           mbox_result_name(r));
		model_apply(&after, &o);
		if (disk_is_cut(s->disk)) { /* acknowledged, and bodies cannot be read now */
			s->model = after;
			break;
		}
		must_be(s, &after, &o, "done");
	}
	o.kind = KINDS;
	return o;
}

/* ---- power ------------------------------------------------------------------------------------ */

static void
open_with_cuts(struct site *s)
{
	struct err err;

	for (unsigned i = 0; i < 3; i++) {
		disk_cut_after(s->disk, 1 + draw(s, 9)); /* the tail's second writing, too */
		if (world_try_open(&s->w, &err) && !disk_is_cut(s->disk))
			break;
		store_close(&s->w.store);
		disk_power_on(s->disk);
	}
	disk_cut_after(s->disk, 0);
	if (s->w.store == NULL)
		test_check(world_try_open(&s->w, &err), "seed %llu: %s",
		           (unsigned long long)s->seed, err.text);
}

/* A delivery that was not acknowledged is offered again: one copy, whatever became of the
 * first try. */
static void
offer_again(struct site *s, const struct op *o, bool happened)
{
	struct picture after = s->model;
	bool duplicate;

	if (o->kind != DELIVER)
		return;
	assert_int_equal(do_deliver(s, o, &duplicate), MBOX_OK);
	assert_int_equal(duplicate, happened);
	if (!happened)
		model_apply(&after, o);
	must_be(s, &after, o, "offered again");
}

static void
check_after(struct site *s, const struct op *o)
{
	struct picture got, after = s->model;

	look(s, &got);
	if (o->kind != KINDS)
		model_apply(&after, o);
	if (o->kind != KINDS && !picture_is(s, &got, &s->model)) {
		must_be(s, &after, o, "after the cut");
		offer_again(s, o, true);
	} else {
		must_be(s, &s->model, o->kind != KINDS ? o : &(struct op){ 0 }, "after the cut");
		offer_again(s, o, picture_is(s, &after, &s->model));
	}
}

static void
site_open(struct site *s, uint64_t seed)
{
	static const enum world_mode modes[] = { WORLD_PLAIN, WORLD_UNINDEXED, WORLD_COLD };
	struct picture got;

	*s = (struct site){ .seed = seed, .rng = seed, .disk = disk_new(seed) };
	world_open_on(&s->w, modes[seed % ARRAY_LEN(modes)], disk_os(s->disk));
	assert_int_equal(world_create_user(&s->w, "fred"), MBOX_OK);
	assert_int_equal(world_create_user(&s->w, "ann"), MBOX_OK);
	look(s, &got);
	settle_on(s, &got);
}

static void
site_close(struct site *s)
{
	char command[400];

	world_close(&s->w);
	disk_free(&s->disk);
	snprintf(command, sizeof(command), "rm -rf '%s'", s->w.dir);
	must(system(command) == 0);
}

static void
life(uint64_t seed)
{
	static struct site s;

	site_open(&s, seed);
	for (unsigned cut = 0; cut < 6; cut++) {
		struct op o;

		disk_cut_after(s.disk, 1 + draw(&s, 30));
		o = work(&s, 60);
		store_close(&s.w.store);
		if (draw(&s, 4) == 0)
			disk_process_died(s.disk);
		else
			disk_power_on(s.disk);
		open_with_cuts(&s);
		check_after(&s, &o);
	}
	site_close(&s);
}

static void
count_dropped(struct site *s)
{
	struct engine_stats st;

	engine_get_stats(store_engine(s->w.store), &st);
	s->dropped += st.compact.dropped;
}

static void
drop_index(struct site *s)
{
	char command[400];

	snprintf(command, sizeof(command), "rm -rf '%s/index'", s->w.dir);
	must(system(command) == 0);
}

static uint64_t
life_with_compaction(uint64_t seed)
{
	static struct site s;
	char what[40];

	snprintf(what, sizeof(what), "seed %llu", (unsigned long long)seed);
	site_open(&s, seed);
	s.compacts = true;
	for (unsigned cut = 0; cut < 6; cut++) {
		struct op o;

		disk_cut_after(s.disk, 1 + draw(&s, 250));
		o = work(&s, 100);
		count_dropped(&s);
		store_close(&s.w.store);
		if (draw(&s, 4) == 0)
			disk_process_died(s.disk);
		else
			disk_power_on(s.disk);
		if (draw(&s, 4) == 0)
			drop_index(&s);
		open_with_cuts(&s);
		check_after(&s, &o);
		if (draw(&s, 2) == 0) {
			count_dropped(&s);
			world_check_rebuild(&s.w, what);
			must_be(&s, &s.model, &(struct op){ 0 }, "rebuilt");
		}
	}
	s.dropped += world_compact(&s.w);
	world_check_rebuild(&s.w, what);
	must_be(&s, &s.model, &(struct op){ 0 }, "rebuilt in the end");
	site_close(&s);
	return s.dropped;
}

TEST(compaction_under_power_cuts_loses_nothing_and_brings_nothing_back)
{
	const char *from = getenv("SEED"), *many = getenv("SEEDS");
	uint64_t first = from != NULL ? strtoull(from, NULL, 10) : 4001;
	uint64_t count = many != NULL ? strtoull(many, NULL, 10) : 60, dropped = 0;

	log_set_level(LOG_ERROR);
	for (uint64_t seed = first; seed < first + count; seed++)
		dropped += life_with_compaction(seed);
	test_check(dropped > count, "only %llu files were dropped", (unsigned long long)dropped);
}

TEST(what_was_acknowledged_survives_power_cuts_and_the_rest_is_whole)
{
	log_set_level(LOG_ERROR);
	assert_int_equal(log_open("test", "/dev/null"), 0);
	for (uint64_t seed = 1; seed <= 200; seed++)
		life(seed);
}

/* ---- many at a time ------------------------------------------------------------------------------ */

#define BURST 24

struct promise {
	bool came, ok, duplicate;
};

static void
on_delivered(void *ctx, const struct deliver_result *results, size_t count)
{
	struct promise *p = ctx;

	assert_int_equal(count, 1);
	p->came = true;
	p->ok = results[0].result == MBOX_OK;
	p->duplicate = results[0].duplicate;
}

static void
offer(struct site *s, int id, struct promise *p)
{
	static char bodies[BURST][40];
	static struct slice pieces[BURST];
	struct deliver_rcpt rcpt = { .user = SLICE("fred"), .detail = SLICE("") };
	uint8_t key[DELIVER_KEY_LEN] = { (uint8_t)id, (uint8_t)(id >> 8), 77 };

	snprintf(bodies[id % BURST], sizeof(bodies[0]), "Subject: %d\r\n\r\nx", id);
	pieces[id % BURST] = slice_of(bodies[id % BURST]);
	*p = (struct promise){ false, false, false };
	(void)deliver(s->w.store, &rcpt, 1, key, &pieces[id % BURST], 1, 1700000000, on_delivered,
	              p);
}

static unsigned
copies(struct site *s, int id)
{
	struct picture p;
	unsigned n = 0;

	look(s, &p);
	for (unsigned i = 0; i < p.boxes[0].count; i++)
		n += p.boxes[0].items[i].id == id;
	return n;
}

TEST(of_many_deliveries_at_once_each_is_there_once_after_retries)
{
	log_set_level(LOG_ERROR);
	for (uint64_t seed = 1001; seed <= 1120; seed++) {
		static struct site s;
		struct promise first[BURST], again[BURST];

		site_open(&s, seed);
		disk_cut_after(s.disk, 1 + draw(&s, 8));
		for (int i = 0; i < BURST; i++) {
			offer(&s, i, &first[i]);
			if (draw(&s, 3) == 0)
				fakenet_settle(s.w.loop);
		}
		fakenet_settle(s.w.loop);
		store_close(&s.w.store);
		disk_power_on(s.disk);
		open_with_cuts(&s);
		for (int i = 0; i < BURST; i++)
			if (first[i].ok)
				test_check(copies(&s, i) == 1, "seed %llu: %d was lost",
				           (unsigned long long)seed, i);
		for (int i = 0; i < BURST; i++)
			offer(&s, i, &again[i]);
		fakenet_settle(s.w.loop);
		for (int i = 0; i < BURST; i++) {
			test_check(again[i].ok && (again[i].duplicate || !first[i].ok),
			           "seed %llu: %d offered again", (unsigned long long)seed, i);
			test_check(copies(&s, i) == 1, "seed %llu: %d is there %u times",
			           (unsigned long long)seed, i, copies(&s, i));
		}
		site_close(&s);
	}
}

/* ---- failures without a cut ------------------------------------------------------------------------ */

TEST(a_failed_sync_is_later_until_a_restart_heals_it)
{
	static struct site s;
	struct op o = { .kind = DELIVER, .box = 0, .id = 1 };
	struct picture after;
	struct err err;

	log_set_level(LOG_ERROR);
	site_open(&s, 2001);
	disk_fail_sync(s.disk, EIO);
	assert_int_equal(run(&s, &o), MBOX_UNAVAILABLE);
	o.id = 2;
	assert_int_equal(run(&s, &o), MBOX_UNAVAILABLE);
	must_be(&s, &s.model, &o, "reading goes on");
	store_close(&s.w.store);
	disk_power_on(s.disk);
	test_check(world_try_open(&s.w, &err), "%s", err.text);
	must_be(&s, &s.model, &o, "healed");
	after = s.model;
	assert_int_equal(run(&s, &o), MBOX_OK);
	model_apply(&after, &o);
	must_be(&s, &after, &o, "it takes mail again");
	site_close(&s);
}
