/*
 * Moves of a user between two real stores with a real master, everything on one fake network
 * and two disks in memory: the process of either store dies at each operation of its disk,
 * and each connection breaks after each so many bytes. Whatever happens, in the end one store
 * has the user, with everything that was his, the master says so, nothing of the other copy
 * is left, and he can be moved again (promises 3, 4, 5, 7 and 12).
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cluster/cluster.h"
#include "disk/disk.h"
#include "lib/test.h"
#include "log/log.h"
#include "mailbox/deliver.h"
#include "scenario/names/relay.h"
#include "tls/digest.h"
#include "transfer/transfer.h"
#include "unit/mupdate/world.h"

#define MESSAGES 4
#define SIDES 2

static const char *const names[SIDES] = { "be1.test", "be2.test" };
static const char *const users[SIDES] = { "be1", "be2" };
static const char *const ports[SIDES] = { "127.0.0.1:4001", "127.0.0.1:4002" };
/* The master and the cluster ports are reached by wires that can break. */
static const char *const masters[SIDES] = { "127.0.0.1:5001", "127.0.0.1:5002" };
static const char *const relays[SIDES] = { "127.0.0.1:6001", "127.0.0.1:6002" };

static const char settings[] = "[roost-store]\ncluster = mupdate\ncluster_id = lab\n"
			       "[server be1.test]\ncluster = 127.0.0.1:6001\n"
			       "[server be2.test]\ncluster = 127.0.0.1:6002\n";

struct site;
struct side {
	struct site *site;
	unsigned number;
	char dir[256];
	struct disk *disk;
	struct store *store; /* NULL: its process is dead */
	struct cluster *cluster;
	struct transfer *transfer;
	struct relay *to_master, *to_port;
};

struct site {
	struct world w;
	struct loop *loop;
	struct conf *conf;
	struct side sides[SIDES];
	unsigned ended;   /* sessions that were to be ended: calls */
	uint64_t dropped; /* files of the logs, by compaction */
};

/* ---- processes -------------------------------------------------------------------------- */

static void
end_sessions(void *ctx, UNUSED struct slice user)
{
	((struct side *)ctx)->site->ended++;
}

static void
reconcile(void *ctx)
{
	(void)cluster_force(((struct side *)ctx)->cluster, false);
}

static void
on_accept(void *ctx, struct conn **c)
{
	struct side *d = ctx;

	if (d->transfer == NULL)
		conn_free(c);
	else
		transfer_accept(d->transfer, c);
}

static bool
start(struct side *d)
{
	struct site *s = d->site;
	struct store_config sc = { .dir = d->dir,
		                   .server = names[d->number],
		                   .default_domain = "example.org",
		                   .loop = s->loop,
		                   .segment_bytes = 64u << 10,
		                   .floor_bytes = 1,
		                   .os = disk_os(d->disk) };
	struct cluster_config cc = { .loop = s->loop,
		                     .server = names[d->number],
		                     .partition = "p",
		                     .cluster_id = "lab",
		                     .user = users[d->number],
		                     .secret = "x",
		                     .keepalive_ms = 20000,
		                     .answer_ms = 10000,
		                     .retry_min_ms = 200,
		                     .retry_max_ms = 1000,
		                     .again_ms = 5000,
		                     .guard_names = 0 };
	struct transfer_config tc = { .loop = s->loop,
		                      .auth = s->w.auth,
		                      .conf = s->conf,
		                      .server = names[d->number],
		                      .end_sessions = end_sessions,
		                      .reconcile = reconcile,
		                      .ctx = d };
	struct err err;

	d->store = store_open(&sc, &err);
	if (d->store == NULL)
		return false;
	/* meanwhile the log is compacted wherever there is something to give */
	engine_set_compaction(store_engine(d->store),
	                      &(struct engine_compact_policy){ .on = true, .dead_percent = 10 });
	assert_true(addr_parse(slice_of(masters[d->number]), 0, &cc.master, NULL));
	cc.store = tc.store = d->store;
	d->cluster = cluster_new(&cc);
	store_set_names(d->store, cluster_names(d->cluster));
	tc.names = cluster_names(d->cluster);
	d->transfer = transfer_new(&tc);
	return true;
}

static void
stop(struct side *d)
{
	struct engine_stats st;

	if (d->store != NULL) {
		engine_get_stats(store_engine(d->store), &st);
		d->site->dropped += st.compact.dropped;
	}
	transfer_free(&d->transfer);
	if (d->store != NULL)
		store_set_names(d->store, NULL);
	cluster_free(&d->cluster);
	store_close(&d->store);
	fakenet_settle(d->site->loop);
}

static void
site_init(struct site *s, uint64_t seed)
{
	static const struct conf_def *const tables[] = { transfer_settings, cluster_settings,
		                                         NULL };
	static const struct conf_schema schema = { "roost-store", tables };
	static unsigned count;
	struct err err;

	log_set_level(LOG_ERROR);
	assert_int_equal(log_open("test", "/dev/null"), 0);
	memset(s, 0, sizeof(*s));
	world_init(&s->w);
	world_complete(&s->w);
	s->loop = play_loop(s->w.play);
	s->conf = conf_load_text("test", slice_of(settings), &schema, NULL, &err);
	test_check(s->conf != NULL, "%s", err.text);
	for (unsigned i = 0; i < SIDES; i++) {
		struct side *d = &s->sides[i];

		d->site = s;
		d->number = i;
		snprintf(d->dir, sizeof(d->dir), "%s/store%u", test_dir(), count++);
		d->disk = disk_new(seed + i);
		d->to_master = relay_new(s->loop, masters[i], "127.0.0.1:3905");
		d->to_port = relay_new(s->loop, relays[i], ports[i]);
		fakenet_listen(s->loop, ports[i], on_accept, d);
		assert_true(start(d));
	}
	fakenet_settle(s->loop);
}

static void
site_fini(struct site *s)
{
	for (unsigned i = 0; i < SIDES; i++) {
		struct side *d = &s->sides[i];

		stop(d);
		relay_free(&d->to_master);
		relay_free(&d->to_port);
		disk_free(&d->disk);
	}
	conf_free(&s->conf);
	world_fini(&s->w);
}

/* ---- fred -------------------------------------------------------------------------------- */

static void
on_done(void *ctx, enum mbox_result result)
{
	*(enum mbox_result *)ctx = result;
}

static void
on_delivered(void *ctx, const struct deliver_result *results, UNUSED size_t count)
{
	*(enum mbox_result *)ctx = results[0].result;
}

static enum mbox_result
send_mail(struct side *d, int number)
{
	struct deliver_rcpt rcpt = { .user = SLICE("fred"), .detail = SLICE("") };
	char body[8000];
	uint8_t key[DIGEST_LEN];
	enum mbox_result r = MBOX_BUSY;
	struct slice piece;

	snprintf(body, sizeof(body), "Subject: %d\r\n\r\n%*d\r\n", number, 20 + number * 100,
	         number);
	piece = slice_of(body);
	digest_of(piece, key);
	(void)deliver(d->store, &rcpt, 1, key, &piece, 1, 1700000000, on_delivered, &r);
	fakenet_settle(d->site->loop);
	return r;
}

static void
make_fred(struct site *s)
{
	enum mbox_result r = MBOX_BUSY;

	(void)store_create_user(s->sides[0].store, SLICE("fred"), on_done, &r);
	fakenet_settle(s->loop);
	assert_int_equal(r, MBOX_OK);
	(void)store_create(s->sides[0].store, SLICE("user.fred.sub"), SLICE(""), on_done, &r);
	fakenet_settle(s->loop);
	assert_int_equal(r, MBOX_OK);
	for (int i = 0; i < MESSAGES; i++)
		assert_int_equal(send_mail(&s->sides[0], i), MBOX_OK);
}

static void
digest_fred(struct side *d, uint8_t digest_r[DIGEST_LEN])
{
	struct move_reader *r = move_reader_new(d->store, SLICE("fred"));
	struct move_item item;
	struct buf body = BUF_INIT(1 << 20);
	struct err err;
	int rc;

	while ((rc = move_reader_next(r, &item, &err)) == 1) {
		buf_clear(&body);
		if (item.kind == MOVE_ITEM_MESSAGE)
			test_check(move_reader_body(r, &item, &body, &err), "%s", err.text);
	}
	test_check(rc == 0, "%s", err.text);
	move_reader_digest(r, digest_r);
	move_reader_free(&r);
	buf_fini(&body);
}

/* ---- in the end ----------------------------------------------------------------------------- */

static void
count_move(void *ctx, UNUSED const struct move_record *r)
{
	++*(unsigned *)ctx;
}

static bool
count_name(void *ctx, UNUSED const struct mbox_info *info)
{
	++*(unsigned *)ctx;
	return true;
}

/* Who has him; fails when it is not one. */
static unsigned
check_end(struct site *s, const char *what, const uint8_t digest[DIGEST_LEN])
{
	unsigned having = SIDES;
	char want[400];
	uint8_t now[DIGEST_LEN];
	struct mbox_info info;
	char *map;

	for (unsigned i = 0; i < SIDES; i++) {
		struct side *d = &s->sides[i];
		unsigned moves = 0, count = 0;

		store_each_move(d->store, count_move, &moves);
		test_check(moves == 0, "%s: %s has not done with it", what, names[i]);
		if (!store_find(d->store, SLICE("user.fred"), &info)) {
			store_each(d->store, SLICE(""), count_name, &count);
			test_check(count == 0, "%s: %s has something left", what, names[i]);
			continue;
		}
		test_check(having == SIDES, "%s: both have him", what);
		test_check(!info.conflict, "%s: he is not open", what);
		having = i;
	}
	test_check(having < SIDES, "%s: nobody has him", what);
	digest_fred(&s->sides[having], now);
	test_check(memcmp(now, digest, sizeof(now)) == 0, "%s: he is not the same", what);
	map = world_dump(&s->w.master);
	snprintf(want, sizeof(want), "user.fred active %s", names[having]);
	test_check(strstr(map, want) != NULL, "%s: the master has %s", what, map);
	snprintf(want, sizeof(want), "user.fred.sub active %s", names[having]);
	test_check(strstr(map, want) != NULL, "%s: the master has %s", what, map);
	free(map);
	return having;
}

static void
must_move(struct site *s, unsigned from, const char *what)
{
	struct err err = { "" };
	enum transfer_answer a = transfer_start(s->sides[from].transfer, SLICE("fred"),
	                                        slice_of(names[1 - from]), false, &err);

	test_check(a == TRANSFER_OK, "%s: %s", what, err.text);
	fakenet_advance(s->loop, 5000);
}

/* He can be moved again, and takes mail. */
static void
check_goes_on(struct site *s, const char *what, const uint8_t digest[DIGEST_LEN])
{
	unsigned having = check_end(s, what, digest);

	must_move(s, having, what);
	test_check(check_end(s, what, digest) == 1 - having, "%s: he cannot be moved again", what);
	test_check(send_mail(&s->sides[1 - having], 50) == MBOX_OK, "%s: no mail", what);
}

/* ---- a process dies ------------------------------------------------------------------------------ */

/* Its own recovery may be cut, too. */
static void
restart(struct side *d, bool power)
{
	stop(d);
	if (power)
		disk_power_on(d->disk);
	else
		disk_process_died(d->disk);
	disk_cut_after(d->disk, 0);
	assert_true(start(d));
}

/* False: the move was over before. */
static bool
die_at(unsigned victim, uint64_t operation, bool power, unsigned *moved, uint64_t *dropped)
{
	uint8_t digest[DIGEST_LEN];
	struct site s;
	struct err err;
	char what[100];
	bool died;

	snprintf(what, sizeof(what), "%s dies at operation %" PRIu64 "%s", names[victim], operation,
	         power ? " with the power" : "");
	site_init(&s, operation * 7 + victim);
	make_fred(&s);
	digest_fred(&s.sides[0], digest);
	disk_cut_after(s.sides[victim].disk, operation);
	assert_int_equal(
		transfer_start(s.sides[0].transfer, SLICE("fred"), slice_of(names[1]), false, &err),
		TRANSFER_OK);
	fakenet_settle(s.loop);
	died = disk_is_cut(s.sides[victim].disk);
	restart(&s.sides[victim], power);
	fakenet_advance(s.loop, 30000);
	*moved += check_end(&s, what, digest) == 1 && died;
	if (died)
		check_goes_on(&s, what, digest);
	site_fini(&s);
	*dropped += s.dropped;
	return died;
}

static void
die_everywhere(unsigned victim, bool power)
{
	unsigned moved = 0, cuts = 0;
	uint64_t at = 1, dropped = 0;

	for (; die_at(victim, at, power, &moved, &dropped); at++)
		cuts++;
	assert_true(dropped > 0);
	/* some come before the decision, some behind it */
	test_check(cuts >= 5 && moved > 0 && moved < cuts, "%u of %u moved", moved, cuts);
}

TEST(the_source_dies_at_each_operation_of_its_disk)
{
	die_everywhere(0, false);
}

TEST(the_target_dies_at_each_operation_of_its_disk)
{
	die_everywhere(1, false);
}

TEST(the_power_of_the_source_goes_at_each_operation_of_its_disk)
{
	die_everywhere(0, true);
}

TEST(the_power_of_the_target_goes_at_each_operation_of_its_disk)
{
	die_everywhere(1, true);
}

/* ---- a connection breaks ---------------------------------------------------------------------------- */

static struct relay *
wire_of(struct site *s, unsigned wire)
{
	return wire == 0 ? s->sides[1].to_port : s->sides[wire - 1].to_master;
}

static const char *const wires[] = { "the connection of the stores", "the source's to the master",
	                             "the target's to the master" };

/* False: it did not break any more. */
static bool
break_at(unsigned wire, uint64_t bytes, unsigned *moved)
{
	uint8_t digest[DIGEST_LEN];
	struct site s;
	struct err err;
	char what[100];
	bool broken;

	snprintf(what, sizeof(what), "%s breaks after %" PRIu64, wires[wire], bytes);
	site_init(&s, bytes);
	make_fred(&s);
	digest_fred(&s.sides[0], digest);
	relay_break_after(wire_of(&s, wire), bytes);
	assert_int_equal(
		transfer_start(s.sides[0].transfer, SLICE("fred"), slice_of(names[1]), false, &err),
		TRANSFER_OK);
	fakenet_settle(s.loop);
	broken = relay_has_broken(wire_of(&s, wire));
	relay_break_after(wire_of(&s, wire), UINT64_MAX);
	fakenet_advance(s.loop, 60000);
	*moved += check_end(&s, what, digest) == 1 && broken;
	if (broken)
		check_goes_on(&s, what, digest);
	site_fini(&s);
	return broken;
}

/* always: it only delays, and the move comes to its end. */
static void
break_everywhere(unsigned wire, uint64_t step, bool always)
{
	unsigned moved = 0, cuts = 0;

	for (uint64_t at = 0; break_at(wire, at, &moved); at += step)
		cuts++;
	test_check(cuts >= 5 && (always ? moved == cuts : moved < cuts), "%u of %u moved", moved,
	           cuts);
}

TEST(the_connection_of_the_stores_breaks)
{
	break_everywhere(0, 97, false);
}

TEST(the_connection_of_the_source_to_the_master_breaks)
{
	break_everywhere(1, 29, false);
}

TEST(the_connection_of_the_target_to_the_master_breaks)
{
	break_everywhere(2, 29, true);
}

/* ---- a store that says too much ----------------------------------------------------------------------- */

/* False: there was nothing more to be said. */
static bool
repeat_at(unsigned piece)
{
	uint8_t digest[DIGEST_LEN];
	struct site s;
	struct err err;
	char what[100];
	bool said;

	snprintf(what, sizeof(what), "piece %u is said twice", piece);
	site_init(&s, piece);
	make_fred(&s);
	digest_fred(&s.sides[0], digest);
	relay_say_twice(wire_of(&s, 0), piece);
	assert_int_equal(
		transfer_start(s.sides[0].transfer, SLICE("fred"), slice_of(names[1]), false, &err),
		TRANSFER_OK);
	fakenet_settle(s.loop);
	said = relay_has_said_twice(wire_of(&s, 0));
	relay_say_twice(wire_of(&s, 0), 0);
	fakenet_advance(s.loop, 60000);
	(void)check_end(&s, what, digest);
	if (said)
		check_goes_on(&s, what, digest);
	site_fini(&s);
	return said;
}

TEST(the_stores_say_something_twice)
{
	unsigned piece = 1;

	while (repeat_at(piece))
		piece++;
	assert_true(piece > 8);
}

/* ---- refusals ---------------------------------------------------------------------------------------- */

static void
keep_why(void *ctx, const struct transfer_info *i)
{
	snprintf(ctx, 400, "%s", i->why);
}

static void
check_refused(struct site *s, const char *what, const char *say)
{
	uint8_t digest[DIGEST_LEN];
	char why[400] = "";
	struct err err;

	digest_fred(&s->sides[0], digest);
	assert_int_equal(transfer_start(s->sides[0].transfer, SLICE("fred"), slice_of(names[1]),
	                                false, &err),
	                 TRANSFER_OK);
	fakenet_advance(s->loop, 10000);
	assert_int_equal(check_end(s, what, digest), 0);
	transfer_each(s->sides[0].transfer, keep_why, why);
	test_check(strstr(why, say) != NULL, "%s: %s", what, why);
}

TEST(a_target_without_room_or_without_a_process_refuses_and_he_stays)
{
	uint8_t digest[DIGEST_LEN];
	struct site s;

	site_init(&s, 1);
	make_fred(&s);
	disk_set_free_bytes(s.sides[1].disk, 1000);
	engine_look_at_space(store_engine(s.sides[1].store));
	fakenet_settle(s.loop);
	check_refused(&s, "no room", "no room on its disk");
	disk_set_free_bytes(s.sides[1].disk, 0);
	engine_look_at_space(store_engine(s.sides[1].store));
	fakenet_settle(s.loop);
	check_refused(&s, "a full disk", "no room on its disk");
	stop(&s.sides[1]);
	disk_process_died(s.sides[1].disk);
	fakenet_listen(s.loop, ports[1], NULL, NULL);
	disk_set_free_bytes(s.sides[1].disk, 1ll << 40);
	assert_true(start(&s.sides[1]));
	check_refused(&s, "nobody listens", names[1]);
	fakenet_listen(s.loop, ports[1], on_accept, &s.sides[1]);
	digest_fred(&s.sides[0], digest);
	check_goes_on(&s, "in the end", digest);
	site_fini(&s);
}

TEST(what_cannot_be_moved_is_said_at_once)
{
	struct err err;
	struct site s;

	site_init(&s, 1);
	make_fred(&s);
	assert_int_equal(
		transfer_start(s.sides[0].transfer, SLICE("fred"), SLICE("be1.test"), false, &err),
		TRANSFER_INVALID);
	assert_int_equal(
		transfer_start(s.sides[0].transfer, SLICE("fred"), SLICE("be9.test"), false, &err),
		TRANSFER_INVALID);
	assert_non_null(strstr(err.text, "[server be9.test]"));
	assert_int_equal(
		transfer_start(s.sides[0].transfer, SLICE("zoe"), slice_of(names[1]), false, &err),
		TRANSFER_NOTFOUND);
	assert_int_equal(
		transfer_start(s.sides[0].transfer, SLICE("fred"), slice_of(names[1]), false, &err),
		TRANSFER_OK);
	assert_int_equal(
		transfer_start(s.sides[0].transfer, SLICE("fred"), slice_of(names[1]), false, &err),
		TRANSFER_EXISTS);
	/* a person may stop it */
	assert_int_equal(transfer_undo(s.sides[0].transfer, SLICE("fred"), &err), TRANSFER_OK);
	fakenet_advance(s.loop, 5000);
	assert_int_equal(transfer_undo(s.sides[0].transfer, SLICE("fred"), &err),
	                 TRANSFER_NOTFOUND);
	assert_int_equal(s.ended, 0); /* before he was closed */
	must_move(&s, 0, "after that");
	assert_int_equal(s.ended, 1);
	site_fini(&s);
}

TEST(a_kept_copy_is_hidden_until_it_is_dropped)
{
	struct mbox_info info;
	struct err err;
	struct site s;

	site_init(&s, 1);
	make_fred(&s);
	assert_int_equal(
		transfer_start(s.sides[0].transfer, SLICE("fred"), slice_of(names[1]), true, &err),
		TRANSFER_OK);
	fakenet_advance(s.loop, 5000);
	restart(&s.sides[0], false);
	fakenet_advance(s.loop, 30000);
	assert_true(store_find(s.sides[0].store, SLICE("user.fred"), &info) && info.conflict);
	assert_true(store_find(s.sides[1].store, SLICE("user.fred"), &info) && !info.conflict);
	assert_int_equal(send_mail(&s.sides[0], 9), MBOX_UNAVAILABLE);
	assert_int_equal(send_mail(&s.sides[1], 9), MBOX_OK);
	assert_int_equal(transfer_drop(s.sides[1].transfer, SLICE("fred"), &err),
	                 TRANSFER_NOTFOUND);
	assert_int_equal(transfer_drop(s.sides[0].transfer, SLICE("fred"), &err), TRANSFER_OK);
	fakenet_advance(s.loop, 5000);
	assert_false(store_find(s.sides[0].store, SLICE("user.fred"), &info));
	must_move(&s, 1, "back");
	assert_true(store_find(s.sides[0].store, SLICE("user.fred"), &info) && !info.conflict);
	site_fini(&s);
}

/* ---- a list that is lost in the middle -------------------------------------------------------------- */

/* The master dies for good while the target commits; the new one has an empty list. */
TEST(the_list_of_the_master_is_lost_in_the_middle)
{
	uint8_t digest[DIGEST_LEN];

	for (uint64_t at = 0; at < 900; at += 90) {
		struct site s;
		struct err err;
		char what[60];

		snprintf(what, sizeof(what), "the list is lost after %" PRIu64, at);
		site_init(&s, at + 1);
		make_fred(&s);
		digest_fred(&s.sides[0], digest);
		relay_break_after(s.sides[at % 2].to_master, at / 2);
		assert_int_equal(transfer_start(s.sides[0].transfer, SLICE("fred"),
		                                slice_of(names[1]), false, &err),
		                 TRANSFER_OK);
		fakenet_settle(s.loop);
		world_stop_master(&s.w);
		world_start_master(&s.w, true);
		relay_break_after(s.sides[at % 2].to_master, UINT64_MAX);
		fakenet_advance(s.loop, 120000);
		assert_int_equal(mapdb_info(s.w.master.db)->state, LOCATION_MAP_COMPLETE);
		check_goes_on(&s, what, digest);
		site_fini(&s);
	}
}
