/*
 * A store and its master, both real, and the connection lost after every single byte of a
 * CREATE, a DELETE and a RENAME: whatever was under way, in the end both say the same.
 */
#include "cluster/cluster.h"
#include "relay.h"
#include "unit/backend-store/cluster/fakestore.h"
#include "unit/mupdate/world.h"

#include <inttypes.h>
#include <stdlib.h>

#define RELAY "127.0.0.1:3999"

struct scene {
	struct world w;
	struct relay *relay;
	struct store *store;
	struct cluster *cluster;
	/* the operation */
	const char *old_name, *new_name; /* NULL: DELETE has no new one, CREATE no old one */
	int step;
	bool done;
};

static void
start(struct scene *s)
{
	struct cluster_config c = {
		.server = "be1.test",
		.partition = "p",
		.cluster_id = "lab",
		.user = "be1",
		.secret = "x",
		.keepalive_ms = 20000,
		.answer_ms = 10000,
		.retry_min_ms = 200,
		.retry_max_ms = 5000,
		.again_ms = 30000,
		.guard_names = 0,
	};

	memset(s, 0, sizeof(*s));
	world_init(&s->w);
	world_complete(&s->w);
	c.loop = play_loop(s->w.play);
	s->relay = relay_new(c.loop, RELAY, "127.0.0.1:3905");
	s->store = fakestore_new();
	fakestore_add(s->store, "user.old", "old\tlrs\t", 1);
	c.store = s->store;
	assert_true(addr_parse(SLICE(RELAY), 0, &c.master, NULL));
	s->cluster = cluster_new(&c);
	fakenet_settle(c.loop);
	world_check_dump(&s->w.master, "user.old active be1.test!p old=lrs= c1 uv7\n");
}

static void
finish(struct scene *s)
{
	cluster_free(&s->cluster);
	relay_free(&s->relay);
	fakestore_free(&s->store);
	world_fini(&s->w);
}

/* ---- what a store does for a CREATE, DELETE, RENAME (design: RESERVE, log, ACTIVATE, release)
 * ---- */

static void
on_released(void *ctx, UNUSED enum names_result result)
{
	((struct scene *)ctx)->done = true;
}

static void
release_old(struct scene *s)
{
	struct names *n = cluster_names(s->cluster);
	struct slice name = slice_of(s->old_name);

	n->ops->release(n, &name, 1, on_released, s);
}

static void
on_activated(void *ctx, UNUSED enum names_result result)
{
	struct scene *s = ctx;

	if (s->old_name != NULL)
		release_old(s);
	else
		s->done = true;
}

static struct names_entry
new_entry(const struct scene *s)
{
	return (struct names_entry){ .name = slice_of(s->new_name),
		                     .acl = SLICE("old\tlrs\t"),
		                     .mbox_id = 2,
		                     .uidvalidity = 7 };
}

static void
on_reserved(void *ctx, enum names_result result)
{
	struct scene *s = ctx;
	struct names *n = cluster_names(s->cluster);
	struct names_entry e = new_entry(s);

	fakestore_set_pending(s->store, s->new_name, false);
	if (result != NAMES_OK) {
		s->done = true;
		return;
	}
	if (s->old_name != NULL) {
		fakestore_remove(s->store, s->old_name);
		fakestore_add_tombstone(s->store, s->old_name);
	}
	fakestore_add(s->store, s->new_name, "old\tlrs\t", 2);
	n->ops->activate(n, &e, 1, on_activated, s);
}

static void
begin(struct scene *s, const char *old_name, const char *new_name)
{
	struct names *n = cluster_names(s->cluster);
	struct names_entry e;

	s->old_name = old_name;
	s->new_name = new_name;
	if (new_name == NULL) {
		fakestore_remove(s->store, old_name);
		fakestore_add_tombstone(s->store, old_name);
		release_old(s);
		return;
	}
	fakestore_set_pending(s->store, new_name, true);
	e = new_entry(s);
	n->ops->reserve(n, &e, 1, on_reserved, s);
}

/* ---- in the end -------------------------------------------------------------------------------- */

static bool
add_name(void *ctx, const struct location *loc)
{
	buf_printf(ctx, "%.*s%s ", SLICE_ARG(loc->name),
	           loc->state == LOCATION_ACTIVE ? "" : "(reserved)");
	return true;
}

static bool
add_mailbox(void *ctx, const struct mbox_info *info)
{
	buf_printf(ctx, "%.*s%s ", SLICE_ARG(info->name), info->conflict ? "(conflict)" : "");
	return true;
}

static bool
on_tombstone(UNUSED void *ctx, struct slice name)
{
	test_fail("a tombstone is left: %.*s", SLICE_ARG(name));
	return true;
}

static void
check_end(struct scene *s, const char *what, uint64_t bytes)
{
	struct buf master = BUF_INIT(SIZE_MAX), store = BUF_INIT(SIZE_MAX);
	struct cluster_status st;

	cluster_get_status(s->cluster, &st);
	test_check(s->done, "%s, %" PRIu64 " bytes: no answer", what, bytes);
	test_check(st.in_step && st.unknown == 0, "%s, %" PRIu64 " bytes: not in step", what,
	           bytes);
	assert_int_equal(mapdb_each_prefix(s->w.master.db, SLICE(""), add_name, &master), 0);
	store_each(s->store, SLICE(""), add_mailbox, &store);
	test_check(strcmp(buf_cstr(&master), buf_cstr(&store)) == 0,
	           "%s, %" PRIu64 " bytes: master %s, store %s", what, bytes, buf_cstr(&master),
	           buf_cstr(&store));
	buf_fini(&master);
	buf_fini(&store);
	store_each_tombstone(s->store, on_tombstone, s);
}

static void
lost_at_each_byte(const char *what, const char *old_name, const char *new_name)
{
	bool broken = true;

	for (uint64_t bytes = 0; broken; bytes++) {
		struct scene s;

		start(&s);
		relay_break_after(s.relay, bytes);
		begin(&s, old_name, new_name);
		fakenet_settle(play_loop(s.w.play));
		broken = relay_has_broken(s.relay);
		relay_break_after(s.relay, UINT64_MAX);
		/* A release that was done leaves its tombstone to the next comparison. */
		fakenet_advance(play_loop(s.w.play), 5000);
		(void)cluster_force(s.cluster, false);
		fakenet_advance(play_loop(s.w.play), 60000);
		check_end(&s, what, bytes);
		finish(&s);
		must(bytes < 10000);
	}
}

TEST(a_create_with_the_connection_lost_at_each_byte)
{
	lost_at_each_byte("create", NULL, "user.zoe");
}

TEST(a_delete_with_the_connection_lost_at_each_byte)
{
	lost_at_each_byte("delete", "user.old", NULL);
}

TEST(a_rename_with_the_connection_lost_at_each_byte)
{
	lost_at_each_byte("rename", "user.old", "user.zoe");
}

/* The master's list is lost: the stores have it. */
TEST(a_lost_list_is_rebuilt_from_the_stores)
{
	struct scene s;

	start(&s);
	world_start_replica(&s.w);
	world_check_dump(&s.w.replica, "user.old active be1.test!p old=lrs= c1 uv7\n");
	world_stop_master(&s.w);
	world_start_master(&s.w, true);
	fakenet_advance(play_loop(s.w.play), 30000);
	/* be2.test has not spoken yet: the replica keeps what it has */
	assert_int_equal(mapdb_info(s.w.master.db)->state, LOCATION_MAP_REBUILDING);
	world_check_dump(&s.w.replica, "user.old active be1.test!p old=lrs= c1 uv7\n");
	begin(&s, NULL, "user.zoe");
	fakenet_settle(play_loop(s.w.play));
	assert_true(s.done);
	world_check_dump(&s.w.master, "user.old active be1.test!p old=lrs= c1 uv7\n");
	world_login(&s.w, "other", "be2");
	play_run(s.w.play, "other > X ROOST \"1\" \"lab\" \"0\"\nother << X OK *\n"
	                   "other > 1 PUSHED \"be2.test\"\nother << 1 OK *\nwait 10s\n");
	assert_int_equal(mapdb_info(s.w.master.db)->state, LOCATION_MAP_COMPLETE);
	test_eq_str("history", mapdb_info(s.w.replica.db)->history,
	            mapdb_info(s.w.master.db)->history);
	finish(&s);
}
