#include "world.h"

#include "base/text.h"
#include "base/xalloc.h"
#include "conf/common.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MASTER "127.0.0.1:3905"
#define REPLICA "127.0.0.1:3906"

static const struct conf_def read_only_setting[] = {
	{ "servers", CONF_LIST, .help = "As in mupdate/settings.c." },
	{ "read_only", CONF_LIST, .help = "As in mupdate/settings.c." },
	{ .name = NULL },
};

static const char settings[] = "[roost-mupdate]\n"
			       "servers = be1.test be2.test\n"
			       "read_only = replica\n"
			       "[identity be1]\npassword = x\nservers = be1.test\n"
			       "[identity be2]\npassword = x\nservers = be2.test\n"
			       "[identity any]\npassword = x\n"
			       "[identity replica]\npassword = x\n"
			       "[identity mailonly]\npassword = x\nservices = imap\n";

static struct conf *
load_conf(void)
{
	static const struct conf_def *const tables[] = { read_only_setting, NULL };
	static const struct conf_schema schema = { "roost-mupdate", tables };
	struct err err = { "" };
	struct conf *c = conf_load_text("test", slice_of(settings), &schema, NULL, &err);

	test_check(c != NULL, "%s", err.text);
	return c;
}

static struct mapdb *
open_db(struct node *n, bool fresh, bool master)
{
	struct mapdb_config c = { .dir = n->dir,
		                  .cluster = "lab",
		                  .master = master,
		                  .log_rows = 1000,
		                  .map_bytes = n->world->map_bytes };
	struct err err = { "" };
	static unsigned count;
	struct mapdb *db;

	if (fresh)
		snprintf(n->dir, sizeof(n->dir), "%s/db%u", test_dir(), count++);
	c.dir = n->dir;
	db = mapdb_open(&c, &err);
	test_check(db != NULL, "%s", err.text);
	return db;
}

static void
open_service(struct node *n, const char *master_url, bool takeover)
{
	const struct service_config c = {
		.loop = play_loop(n->world->play),
		.auth = n->world->auth,
		.conf = n->conf,
		.db = n->db,
		.hostname = "m.test",
		.cluster = "lab",
		.master_url = master_url,
		.takeover = takeover,
		.by_octets = n->world->by_octets,
		.session_max = WORLD_SESSIONS,
		.login_ms = 60000,
		.idle_ms = 1800000,
		.feed_stall_ms = 60000,
		.feed_lag = 500,
	};

	n->service = service_new(&c);
}

/* What was accepted while the service is away is refused. */
static void
on_accept(void *ctx, struct conn **c)
{
	struct node *n = ctx;

	if (n->service == NULL)
		conn_free(c);
	else
		service_accept(n->service, c);
}

void
world_listen_master(struct world *w)
{
	fakenet_listen(play_loop(w->play), MASTER, on_accept, &w->master);
}

void
world_start_master_with(struct world *w, bool fresh, bool takeover)
{
	w->master.db = open_db(&w->master, fresh, true);
	open_service(&w->master, NULL, takeover);
	world_listen_master(w);
}

void
world_start_master(struct world *w, bool fresh)
{
	world_start_master_with(w, fresh, false);
}

void
world_stop_master(struct world *w)
{
	fakenet_listen(play_loop(w->play), MASTER, NULL, NULL);
	service_free(&w->master.service);
	mapdb_close(&w->master.db);
	fakenet_settle(play_loop(w->play));
}

void
world_start_replica(struct world *w)
{
	struct node *n = &w->replica;
	struct replica_config c = {
		.loop = play_loop(w->play),
		.user = "replica",
		.secret = "x",
		.cluster = "lab",
		.keepalive_ms = 5000,
		.answer_ms = 10000,
		.retry_min_ms = 200,
		.retry_max_ms = 5000,
	};

	n->db = open_db(n, n->dir[0] == '\0', false);
	open_service(n, "mupdate://m.test", false);
	c.db = n->db;
	c.service = n->service;
	assert_true(addr_parse(slice_of(MASTER), 0, &c.master, NULL));
	n->replica = replica_new(&c);
	service_set_barrier(n->service, replica_barrier, replica_barrier_cancel, n->replica);
	fakenet_settle(c.loop);
}

void
world_stop_replica(struct world *w)
{
	if (w->replica.db == NULL)
		return;
	service_free(&w->replica.service);
	replica_free(&w->replica.replica);
	mapdb_close(&w->replica.db);
	fakenet_settle(play_loop(w->play));
}

void
world_init(struct world *w)
{
	static const char *const identities[] = { "be1", "be2", "any", "replica", "mailonly" };
	static const char *const players[] = { "client", "other", "third" };

	memset(w, 0, sizeof(*w));
	w->play = play_new();
	w->auth = fakeauth_new(play_loop(w->play), NULL);
	for (size_t i = 0; i < ARRAY_LEN(identities); i++)
		fakeauth_add_identity(w->auth, identities[i], "x", false);
	fakeauth_add_user(w->auth, "fred", "x", "");
	w->master.world = w->replica.world = w;
	w->master.conf = load_conf();
	w->replica.conf = load_conf();
	for (size_t i = 0; i < ARRAY_LEN(players); i++)
		play_add_client(w->play, players[i], "127.0.0.1:1000", MASTER, on_accept,
		                &w->master);
	play_add_client(w->play, "reader", "127.0.0.1:1000", REPLICA, on_accept, &w->replica);
	world_start_master(w, true);
}

void
world_fini(struct world *w)
{
	world_stop_replica(w);
	if (w->master.db != NULL)
		world_stop_master(w);
	auth_free(&w->auth);
	conf_free(&w->master.conf);
	conf_free(&w->replica.conf);
	play_free(&w->play);
}

void
world_complete(struct world *w)
{
	assert_true(service_complete(w->master.service, NULL));
	assert_int_equal(mapdb_info(w->master.db)->state, LOCATION_MAP_COMPLETE);
}

void
world_init_both(struct world *w)
{
	world_init(w);
	world_complete(w);
	world_login(w, "client", "be1");
	play_run(w->play, "client > 1 ACTIVATE \"user.a\" \"be1.test!p\" \"a\\tlrs\\t\"\n"
	                  "client < 1 OK *\n");
	world_start_replica(w);
	assert_true(replica_is_following(w->replica.replica));
}

/* ---- what a list says ------------------------------------------------------------------------- */

static bool
dump_one(void *ctx, const struct location *loc)
{
	struct buf *out = ctx;

	buf_printf(out, "%.*s %s %.*s!%.*s %.*s", SLICE_ARG(loc->name),
	           loc->left ? "left" : location_state_text(loc->state), SLICE_ARG(loc->server),
	           SLICE_ARG(loc->partition), SLICE_ARG(loc->acl));
	for (size_t i = 0; i < out->len; i++)
		if (out->data[out->start + i] == '\t')
			out->data[out->start + i] = '=';
	if (loc->claim != 0)
		buf_printf(out, " c%" PRIu64, loc->claim);
	if (loc->uidvalidity != 0)
		buf_printf(out, " uv%u", loc->uidvalidity);
	buf_add_char(out, '\n');
	return true;
}

char *
world_dump(struct node *n)
{
	struct buf out = BUF_INIT(SIZE_MAX);

	assert_int_equal(mapdb_each_prefix(n->db, SLICE(""), dump_one, &out), 0);
	return buf_steal_cstr(&out);
}

void
world_check_dump(struct node *n, const char *want)
{
	char *got = world_dump(n);

	test_eq_str("the list", got, want);
	free(got);
}

void
world_login(struct world *w, const char *player, const char *identity)
{
	struct buf plain = BUF_INIT(256), text = BUF_INIT(512), script = BUF_INIT(4096);

	buf_add_char(&plain, '\0');
	buf_add_str(&plain, identity);
	buf_add(&plain, "\0x", 2);
	text_base64_add(&text, buf_slice(&plain));
	buf_printf(&script,
	           "%s connects\n%s << \\* OK MUPDATE *\n%s > A AUTHENTICATE \"PLAIN\" \"%s\"\n"
	           "%s < A OK *\n",
	           player, player, player, buf_cstr(&text), player);
	play_run(w->play, buf_cstr(&script));
	buf_fini(&plain);
	buf_fini(&text);
	buf_fini(&script);
}

unsigned
world_damage(const struct node *n, const char *mark, size_t skip, char byte)
{
	char path[400];
	unsigned found = 0;
	struct stat st;
	char *data;
	int fd;

	snprintf(path, sizeof(path), "%s/data.mdb", n->dir);
	fd = open(path, O_RDWR);
	assert_true(fd != -1 && fstat(fd, &st) == 0);
	data = malloc((size_t)st.st_size);
	assert_int_equal(pread(fd, data, (size_t)st.st_size, 0), st.st_size);
	for (char *p = data;
	     (p = memmem(p, (size_t)(data + st.st_size - p), mark, strlen(mark))) != NULL;
	     p++, found++)
		assert_int_equal(pwrite(fd, &byte, 1, p - data + (off_t)(strlen(mark) + skip)), 1);
	free(data);
	close(fd);
	return found;
}

void
world_play_plain_list(struct world *w, unsigned names)
{
	struct buf script = BUF_INIT(SIZE_MAX);

	buf_add_str(&script, "fake accepts\n"
	                     "fake >> * AUTH \"PLAIN\"\\r\\n* OK MUPDATE \"c\" \"Cyrus IMAP\" "
	                     "\"3.6\" \"(master)\"\\r\\n\n"
	                     "fake < A1 AUTHENTICATE *\n"
	                     "fake > A1 OK \"Authenticated\"\n"
	                     "fake < R1 UPDATE\nfake >> ");
	for (unsigned i = 0; i < names; i++)
		buf_printf(&script, "R1 RESERVE \"user.u%u\" \"be1!\"\\r\\n", i);
	buf_add_str(&script, "R1 OK \"streaming starts\"\\r\\n\n");
	play_run(w->play, buf_cstr(&script));
	buf_fini(&script);
}
