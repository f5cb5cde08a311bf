#include "world.h"

#include "base/buf.h"
#include "lib/test.h"
#include "log/log.h"
#include "mailbox/mailbox.h"
#include "mailbox/quota.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char settings[] = "[common]\n"
			       "default_domain = example.org\n"
			       "[identity mta]\n"
			       "password = big\n"
			       "services = lmtp\n"
			       "[roost-store]\n"
			       "lmtp_max_sessions = 2\n"
			       "lmtp_max_message = 3M\n"
			       "lmtp_max_recipients = 5\n";

static const char *const folders[] = { "Sent=\\Sent", NULL };
static char fake_tls;

static void
on_plain(void *ctx, struct conn **c)
{
	lmtp_session_start(((struct world *)ctx)->service, c);
}

static void
on_auth_action(void *ctx, const char *rest)
{
	struct world *w = ctx;

	fakeauth_set_temp(w->auth, strcmp(rest, "is away") == 0);
	fakeauth_set_silent(w->auth, strcmp(rest, "is silent") == 0);
}

static void
on_drained(void *ctx)
{
	((struct world *)ctx)->drained = true;
}

static void
on_drain_action(void *ctx, const char *rest)
{
	struct world *w = ctx;

	if (strcmp(rest, "begins") == 0)
		lmtp_service_drain(w->service, on_drained, w);
	else
		assert_int_equal(w->drained, strcmp(rest, "is over") == 0);
}

static void
on_info(void *ctx, const struct who_session *i)
{
	struct world *w = ctx;
	size_t n = strlen(w->who);

	snprintf(w->who + n, sizeof(w->who) - n, "%s%s %s %s", n > 0 ? "; " : "", i->peer,
	         i->user != NULL ? i->user : "-", i->state);
}

static void
on_who_action(void *ctx, const char *rest)
{
	struct world *w = ctx;

	*w->who = '\0';
	lmtp_service_each(w->service, on_info, w);
	rest += strlen("is there");
	test_eq_str("who", w->who, *rest == ' ' ? rest + 1 : rest);
}

static void
on_metric_action(void *ctx, const char *rest)
{
	struct world *w = ctx;
	static const struct {
		const char *name;
		int metric;
	} names[] = {
		{ "rcpt_ok", LMTP_M_RCPT_OK },     { "rcpt_denied", LMTP_M_RCPT_DENIED },
		{ "rcpt_temp", LMTP_M_RCPT_TEMP }, { "delivered", LMTP_M_DELIVERED },
		{ "duplicate", LMTP_M_DUPLICATE }, { "failed", LMTP_M_FAILED },
		{ "sessions", LMTP_M_SESSIONS },
	};
	char name[50];
	unsigned n;

	assert_int_equal(sscanf(rest, "%49s %u", name, &n), 2);
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (strcmp(name, names[i].name) == 0) {
			uint64_t now = metrics_value(&lmtp_metrics[names[i].metric]);

			test_check(now - w->metrics[names[i].metric] == n, "%s: %d", name,
			           (int)(now - w->metrics[names[i].metric]));
			return;
		}
	test_fail("no metric %s", name);
}

static struct conf *
load_settings(const char *first, const char *more)
{
	static const struct conf_def *const tables[] = { lmtp_conf_table, NULL };
	static const struct conf_schema schema = { "roost-store", tables };
	struct buf text = BUF_INIT(SIZE_MAX);
	struct err err = { "" };
	struct conf *c;

	buf_add_str(&text, first);
	buf_add_str(&text, settings);
	buf_add_str(&text, more);
	c = conf_load_text("test", buf_slice(&text), &schema, NULL, &err);
	test_check(c != NULL, "%s", err.text);
	buf_fini(&text);
	return c;
}

static void
on_settings_action(void *ctx, const char *rest)
{
	struct world *w = ctx;
	struct conf *c = load_settings("[common]\nhostname = store9\n", "");

	test_eq_str("settings", rest, "are new");
	lmtp_service_set_conf(w->service, c, NULL);
	conf_free(&w->conf);
	w->conf = c;
}

/* ---- what is in the store ------------------------------------------------------------------ */

static void
on_store_done(UNUSED void *ctx, enum mbox_result result)
{
	assert_int_equal(result, MBOX_OK);
}

static void
on_status(void *ctx, enum mbox_result result, const struct mailbox_status *st)
{
	assert_int_equal(result, MBOX_OK);
	*(unsigned *)ctx = st->messages;
}

static void
on_open(void *ctx, enum mbox_result result, struct mailbox *m)
{
	assert_int_equal(result, MBOX_OK);
	*(struct mailbox **)ctx = m;
}

/* "\r\n" -> CRLF */
static void
unescape(const char *text, struct buf *out)
{
	for (; *text != '\0'; text++) {
		if (*text == '\\' && (text[1] == 'r' || text[1] == 'n'))
			buf_add_char(out, *++text == 'r' ? '\r' : '\n');
		else if (*text == '\\' && text[1] == 't')
			buf_add_char(out, *++text == 't' ? '\t' : '?');
		else
			buf_add_char(out, *text);
	}
}

/* want matches all of got; '*' stands for anything. */
static bool
matches(struct slice got, struct slice want)
{
	size_t star = slice_find(want, '*');

	if (!slice_starts(got, slice_sub(want, 0, star)))
		return false;
	if (star == want.n)
		return got.n == want.n;
	want = slice_skip(want, star + 1);
	for (size_t i = star; i <= got.n; i++)
		if (matches(slice_skip(got, i), want))
			return true;
	return false;
}

static void
check_shown(struct world *w, const char *name, const char *text)
{
	struct buf body = BUF_INIT(SIZE_MAX), want = BUF_INIT(SIZE_MAX);
	struct mailbox *m = NULL;
	const struct msg *msgs;
	uint32_t count;

	(void)mailbox_open(w->store, slice_of(name), on_open, &m);
	fakenet_settle(play_loop(w->play));
	assert_non_null(m);
	msgs = mailbox_msgs(m, &count);
	assert_true(count > 0);
	assert_int_equal(mailbox_read(m, &msgs[count - 1], 0, 4096, &body), MBOX_OK);
	unescape(text, &want);
	if (!matches(buf_slice(&body), buf_slice(&want)))
		test_eq_slice(name, buf_slice(&body), buf_slice(&want));
	mailbox_release(&m);
	buf_fini(&body);
	buf_fini(&want);
}

static void
on_store_action(void *ctx, const char *rest)
{
	struct world *w = ctx;
	char name[200];
	unsigned n = 0, count = 9999;
	int at = 0;

	if (sscanf(rest, "gives claim %u", &n) == 1) {
		(void)store_set_claim(w->store, SLICE("user.fred"), n, on_store_done, w);
	} else if (sscanf(rest, "gives quota %199s %u", name, &n) == 2) {
		struct quota_limits l = { n, QUOTA_NONE };

		(void)quota_set(w->store, slice_of(name), &l, on_store_done, w);
	} else if (sscanf(rest, "loses %199s", name) == 1) {
		(void)store_delete(w->store, slice_of(name), true, on_store_done, w);
	} else if (sscanf(rest, "shows %199s %n", name, &at) == 1) {
		check_shown(w, name, rest + at);
	} else {
		assert_int_equal(sscanf(rest, "holds %199s %u", name, &n), 2);
		(void)mailbox_status(w->store, slice_of(name), on_status, &count);
		fakenet_settle(play_loop(w->play));
		assert_int_equal(count, n);
	}
}

/* The store looks at the room that is left once in 64 batches. */
static void
set_full(struct world *w, bool full)
{
	w->full = full;
	for (int i = 0; i < 64; i++) {
		(void)store_subscribe(w->store, SLICE("fred"), SLICE("user.fred.x"), i % 2 == 0,
		                      on_store_done, w);
		fakenet_settle(play_loop(w->play));
	}
}

static void
on_disk_action(void *ctx, const char *rest)
{
	struct world *w = ctx;

	if (strcmp(rest, "is gone") == 0)
		assert_int_equal(rmdir(w->spool_dir), 0);
	else if (strcmp(rest, "breaks") == 0)
		w->breaks = true;
	else if (strcmp(rest, "is back") != 0)
		set_full(w, strcmp(rest, "is full") == 0);
	else
		assert_int_equal(mkdir(w->spool_dir, 0700), 0);
}

/* ---- the world ------------------------------------------------------------------------------ */

static int
sync_and_more(struct os *os, int fd)
{
	struct world *w = CONTAINER_OF(os, struct world, os);
	void (*fn)(void *ctx) = w->in_sync;

	w->in_sync = NULL;
	if (fn != NULL)
		fn(w->in_sync_ctx);
	if (w->breaks) {
		errno = EIO;
		return -1;
	}
	return os_real.ops->fdatasync(os, fd);
}

static int64_t
free_bytes(struct os *os, const char *dir)
{
	return CONTAINER_OF(os, struct world, os)->full ? 0 : os_real.ops->free_bytes(os, dir);
}

static void
open_store(struct world *w)
{
	static int number;
	char dir[400];
	struct store_config c = {
		.dir = dir,
		.server = "store1",
		.default_domain = "example.org",
		.new_user.folders = folders,
		.loop = play_loop(w->play),
		.segment_bytes = 8u << 20,
		.floor_bytes = 1,
		.os = &w->os,
	};
	struct err err;

	w->os_ops = *os_real.ops;
	w->os_ops.fdatasync = sync_and_more;
	w->os_ops.free_bytes = free_bytes;
	w->os.ops = &w->os_ops;
	snprintf(dir, sizeof(dir), "%s/%d", test_dir(), number);
	snprintf(w->spool_dir, sizeof(w->spool_dir), "%s/spool%d", test_dir(), number++);
	assert_int_equal(mkdir(w->spool_dir, 0700), 0);
	w->store = store_open(&c, &err);
	test_check(w->store != NULL, "%s", err.text);
	(void)store_create_user(w->store, SLICE("fred"), on_store_done, w);
	(void)store_create_user(w->store, SLICE("ann@example.net"), on_store_done, w);
	fakenet_settle(play_loop(w->play));
}

static void
add_actors(struct world *w)
{
	struct play *p = w->play;

	play_add_client(p, "client", "127.0.0.1:1000", "127.0.0.1:24", on_plain, w);
	play_add_client(p, "second", "127.0.0.1:1001", "127.0.0.1:24", on_plain, w);
	play_add_client(p, "third", "127.0.0.1:1002", "127.0.0.1:24", on_plain, w);
	play_add_client(p, "far", "198.51.100.1:1000", "127.0.0.1:24", on_plain, w);
	play_add_action(p, "auth", on_auth_action, w);
	play_add_action(p, "drain", on_drain_action, w);
	play_add_action(p, "who", on_who_action, w);
	play_add_action(p, "store", on_store_action, w);
	play_add_action(p, "disk", on_disk_action, w);
	play_add_action(p, "metric", on_metric_action, w);
	play_add_action(p, "settings", on_settings_action, w);
}

static void
add_people(struct auth *a)
{
	fakeauth_add_user(a, "fred", "p w", "store1");
	fakeauth_add_user(a, "ann@example.net", "secret", "");
	fakeauth_add_user(a, "new", "secret", "store1");
	fakeauth_add_user(a, "lazy", "secret", "");
	fakeauth_add_user(a, "away", "secret", "store2");
	fakeauth_add_user(a, "shut", "secret", "store1");
	fakeauth_disable_user(a, "shut");
	fakeauth_add_alias(a, "list@example.org", "fred new");
	fakeauth_add_alias(a, "mixed@example.org", "fred away");
	fakeauth_add_identity(a, "mta", "big", false);
}

void
world_init(struct world *w, const char *more, bool alone)
{
	*w = (struct world){ .play = play_new(), .alone = alone };
	log_set_level(LOG_ERROR);
	w->conf = load_settings("[common]\nhostname = store1\n", more);
	w->auth = fakeauth_new(play_loop(w->play), "example.org");
	add_people(w->auth);
	open_store(w);
	w->service = lmtp_service_new(&(struct lmtp_service_config){
		.loop = play_loop(w->play),
		.store = w->store,
		.auth = w->auth,
		.conf = w->conf,
		/* the fake network only looks whether there is one */
		.tls = (struct tls_ctx *)(void *)&fake_tls,
		.server = "store1",
		.alone = alone,
		.spool_dir = w->spool_dir,
	});
	for (int i = 0; i < LMTP_M_COUNT; i++)
		w->metrics[i] = metrics_value(&lmtp_metrics[i]);
	add_actors(w);
}

void
world_fini(struct world *w)
{
	fakenet_settle(play_loop(w->play));
	lmtp_service_free(&w->service);
	fakenet_settle(play_loop(w->play));
	store_close(&w->store);
	auth_free(&w->auth);
	play_free(&w->play);
	conf_free(&w->conf);
}

static void
play_in_pieces(const char *more, bool alone, const char *before, const char *script)
{
	static const char *const splits[] = { "split 0", "split 1", "split 7" };

	for (size_t i = 0; i < ARRAY_LEN(splits); i++) {
		struct world w;

		world_init(&w, more, alone);
		play_run(w.play, splits[i]);
		play_run(w.play, before);
		play_run(w.play, script);
		world_fini(&w);
	}
}

void
world_play(const char *script)
{
	play_in_pieces("", true, "", script);
}

void
world_play_with(const char *more, bool alone, const char *script)
{
	play_in_pieces(more, alone, "", script);
}

void
world_play_greeted(const char *script)
{
	play_in_pieces("", true,
	               "client connects\n"
	               "client < 220 store1 LMTP Roost ready.\n"
	               "client > LHLO mta.example.org\n"
	               "client << 250 8BITMIME\n",
	               script);
}
