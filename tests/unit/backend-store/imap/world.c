#include "world.h"

#include "base/buf.h"
#include "lib/test.h"
#include "log/log.h"
#include "mailbox/mailbox.h"
#include "mailbox/quota.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const char settings[] = "[common]\n"
			       "default_domain = example.org\n"
			       "hostname = store1\n"
			       "[roost-store]\n"
			       "imap_max_sessions = 3\n"
			       "imap_max_message = 2M\n";

static const char *const folders[] = { "Sent=\\Sent", "Trash=\\Trash", NULL };
static char fake_tls;

static void
on_plain(void *ctx, struct conn **c)
{
	imap_session_start(((struct world *)ctx)->service, c, false);
}

static void
on_tls(void *ctx, struct conn **c)
{
	imap_session_start(((struct world *)ctx)->service, c, true);
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
		imap_service_drain(w->service, on_drained, w);
	else
		assert_int_equal(w->drained, strcmp(rest, "is over") == 0);
}

static void
on_info(void *ctx, const struct who_session *i)
{
	struct world *w = ctx;
	size_t n = strlen(w->who);

	snprintf(w->who + n, sizeof(w->who) - n, "%s%s %s %s %s", n > 0 ? "; " : "", i->peer,
	         i->user != NULL ? i->user : "-", i->state, i->mailbox != NULL ? i->mailbox : "-");
}

static void
on_who_action(void *ctx, const char *rest)
{
	struct world *w = ctx;

	*w->who = '\0';
	imap_service_each(w->service, on_info, w);
	rest += strlen("is there");
	test_eq_str("who", w->who, *rest == ' ' ? rest + 1 : rest);
}

static void
on_called(void *ctx, const struct who_session *i)
{
	struct world *w = ctx;

	snprintf(w->who, sizeof(w->who), "%s", i->id);
}

static void
on_session_action(void *ctx, const char *rest)
{
	struct world *w = ctx;

	*w->who = '\0';
	imap_service_each(w->service, on_called, w);
	test_eq_str("session", w->who, rest + strlen("is called "));
}

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
on_store_action(void *ctx, const char *rest)
{
	struct world *w = ctx;
	char name[200], text[300];
	unsigned n = 0, count = 9999;
	int64_t bytes, messages;

	if (sscanf(rest, "gives acl %199s %299s", name, text) == 2) {
		for (char *p = text; *p != '\0'; p++)
			*p = *p == '|' ? '\t' : *p;
		(void)store_set_acl(w->store, slice_of(name), slice_of(text), on_store_done, w);
	} else if (sscanf(rest, "gives quota %199s %" SCNd64 " %" SCNd64, name, &bytes,
	                  &messages) == 3) {
		struct quota_limits l = { (uint64_t)bytes, (uint64_t)messages };

		(void)quota_set(w->store, slice_of(name), &l, on_store_done, w);
	} else if (sscanf(rest, "makes %199s", name) == 1) {
		(void)store_create(w->store, slice_of(name), SLICE(""), on_store_done, w);
	} else if (sscanf(rest, "gives claim %u", &n) == 1) {
		(void)store_set_claim(w->store, SLICE("user.fred"), n, on_store_done, w);
	} else {
		assert_int_equal(sscanf(rest, "holds %199s %u", name, &n), 2);
		(void)mailbox_status(w->store, slice_of(name), on_status, &count);
		fakenet_settle(play_loop(w->play));
		assert_int_equal(count, n);
	}
}

static struct store *
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
		.segment_bytes = 1u << 20,
		.floor_bytes = 1,
	};
	struct store *s;
	struct err err;

	snprintf(dir, sizeof(dir), "%s/%d", test_dir(), number++);
	s = store_open(&c, &err);
	test_check(s != NULL, "%s", err.text);
	return s;
}

static void
add_actors(struct world *w)
{
	struct play *p = w->play;

	play_add_client(p, "client", "127.0.0.1:1000", "127.0.0.1:143", on_plain, w);
	play_add_client(p, "second", "127.0.0.1:1001", "127.0.0.1:143", on_plain, w);
	play_add_client(p, "third", "127.0.0.1:1002", "127.0.0.1:143", on_plain, w);
	play_add_client(p, "far", "198.51.100.1:1000", "127.0.0.1:143", on_plain, w);
	play_add_client(p, "secure", "198.51.100.1:1000", "127.0.0.1:993", on_tls, w);
	play_add_action(p, "auth", on_auth_action, w);
	play_add_action(p, "drain", on_drain_action, w);
	play_add_action(p, "who", on_who_action, w);
	play_add_action(p, "store", on_store_action, w);
	play_add_action(p, "session", on_session_action, w);
}

void
world_init(struct world *w, const char *more)
{
	static const struct conf_def *const tables[] = { imap_conf_table, NULL };
	static const struct conf_schema schema = { "roost-store", tables };
	struct buf text = BUF_INIT(SIZE_MAX);
	struct err err = { "" };

	*w = (struct world){ .play = play_new() };
	log_set_level(LOG_ERROR);
	buf_add_str(&text, settings);
	buf_add_str(&text, more);
	w->conf = conf_load_text("test", buf_slice(&text), &schema, NULL, &err);
	test_check(w->conf != NULL, "%s", err.text);
	buf_fini(&text);
	w->auth = fakeauth_new(play_loop(w->play), "example.org");
	fakeauth_add_user(w->auth, "fred", "p w", "store1");
	fakeauth_add_user(w->auth, "ann", "secret", "");
	fakeauth_add_user(w->auth, "away", "secret", "store2");
	fakeauth_add_user(w->auth, "eve@other.net", "secret", "store1");
	fakeauth_set_groups(w->auth, "ann", "staff sales@other.net");
	fakeauth_add_identity(w->auth, "boss", "big", true);
	w->store = open_store(w);
	w->service = imap_service_new(&(struct imap_service_config){
		.loop = play_loop(w->play),
		.store = w->store,
		.auth = w->auth,
		.conf = w->conf,
		/* the fake network only looks whether there is one */
		.tls = (struct tls_ctx *)(void *)&fake_tls,
		.server = "store1",
		.spool_dir = test_dir(),
	});
	add_actors(w);
}

void
world_fini(struct world *w)
{
	fakenet_settle(play_loop(w->play));
	imap_service_free(&w->service);
	fakenet_settle(play_loop(w->play));
	store_close(&w->store);
	auth_free(&w->auth);
	play_free(&w->play);
	conf_free(&w->conf);
}

static void
play_in_pieces(const char *more, const char *before, const char *script)
{
	static const char *const splits[] = { "split 0", "split 1", "split 7" };

	for (size_t i = 0; i < ARRAY_LEN(splits); i++) {
		struct world w;

		world_init(&w, more);
		play_run(w.play, splits[i]);
		play_run(w.play, before);
		play_run(w.play, script);
		world_fini(&w);
	}
}

void
world_play(const char *script)
{
	play_in_pieces("", "", script);
}

void
world_play_with(const char *more, const char *script)
{
	play_in_pieces(more, "", script);
}

#define LOGIN                                                                                      \
	"client connects\n"                                                                        \
	"client < * OK [CAPABILITY IMAP4rev1 *] store1 Roost IMAP ready\n"                         \
	"client > l1 LOGIN fred \"p w\"\n"                                                         \
	"client < l1 OK [CAPABILITY IMAP4rev1 *] Logged in\n"

void
world_play_logged_in(const char *script)
{
	play_in_pieces("", LOGIN, script);
}

void
world_play_selected(const char *script)
{
	play_in_pieces("",
	               LOGIN "client > l2 SELECT INBOX\n"
	                     "client << l2 OK [READ-WRITE] Selected\n",
	               script);
}
