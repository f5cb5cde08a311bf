#include "world.h"

#include "log/log.h"

#include "lib/test.h"

#include <stdio.h>
#include <string.h>

static const char settings[] = "[common]\n"
			       "default_domain = example.org\n"
			       "hostname = fe1\n"
			       "plaintext_networks = 192.0.2.0/24\n"
			       "[roost-imap]\n"
			       "imap_max_sessions = 3\n"
			       "imap_max_literal = 20M\n"
			       "imap_store_timeout = 2m\n"
			       "imap_listen = 127.0.0.1:143\n"
			       "[server store1]\n"
			       "imap = 127.0.0.1:1143\n"
			       "[server store2]\n"
			       "imap = 127.0.0.1:2143\n"
			       "[server deaf]\n"
			       "pop3 = 127.0.0.1:3110\n"
			       "[server secret]\n"
			       "imap = 127.0.0.1:4143\n"
			       "tls = starttls\n";

static char fake_tls;

static void
on_plain(void *ctx, struct conn **c)
{
	imap_session_start(((struct world *)ctx)->proxy, c, false);
}

static void
on_tls(void *ctx, struct conn **c)
{
	imap_session_start(((struct world *)ctx)->proxy, c, true);
}

/* auth is away | back | silent; auth has fred in GROUPS */
static void
on_auth_action(void *ctx, const char *rest)
{
	struct world *w = ctx;

	if (strncmp(rest, "has fred in ", 12) == 0) {
		fakeauth_set_groups(w->auth, "fred", rest + 12);
		return;
	}
	fakeauth_set_temp(w->auth, strcmp(rest, "is away") == 0);
	fakeauth_set_silent(w->auth, strcmp(rest, "is silent") == 0);
}

static void
set_place(struct world *w, struct fakehome_place *p, const char *text)
{
	unsigned long claim = 7;
	char name[40] = "";

	p->result = strcmp(text, "none") == 0 ? HOME_NONE : HOME_LATER;
	p->server = NULL;
	if (strncmp(text, "at ", 3) != 0)
		return;
	(void)sscanf(text, "at %39s %lu", name, &claim);
	p->result = HOME_FOUND;
	p->server = servers_find(w->servers, slice_of(name));
	p->claim = claim;
	assert_non_null(p->server);
}

/* map says at store1 [CLAIM] | none | later; map then says ...: after a barrier;
 * map was asked N: barriers up to now */
static void
on_map_action(void *ctx, const char *rest)
{
	struct world *w = ctx;
	unsigned n;

	if (strncmp(rest, "says ", 5) == 0) {
		set_place(w, &w->found.now, rest + 5);
		w->found.after_barrier = w->found.now;
	} else if (strncmp(rest, "then says ", 10) == 0) {
		set_place(w, &w->found.after_barrier, rest + 10);
	} else {
		assert_int_equal(sscanf(rest, "was asked %u", &n), 1);
		assert_int_equal(w->found.barriers, n);
	}
}

static void
on_drained(void *ctx)
{
	((struct world *)ctx)->drained = true;
}

/* drain begins | begins gently | is over | is not over */
static void
on_drain_action(void *ctx, const char *rest)
{
	struct world *w = ctx;

	if (strncmp(rest, "begins", 6) == 0)
		imap_proxy_drain(w->proxy, strcmp(rest, "begins gently") == 0, on_drained, w);
	else
		assert_int_equal(w->drained, strcmp(rest, "is over") == 0);
}

static void
on_info(void *ctx, const struct who_session *i)
{
	struct world *w = ctx;
	size_t n = strlen(w->who);

	snprintf(w->who + n, sizeof(w->who) - n, "%s%s %s %s %s %s", n > 0 ? "; " : "", i->peer,
	         i->user != NULL ? i->user : "-", i->state, i->store != NULL ? i->store : "-",
	         i->mailbox != NULL ? i->mailbox : "-");
}

/* who is there[ TEXT] */
static void
on_who_action(void *ctx, const char *rest)
{
	struct world *w = ctx;

	*w->who = '\0';
	imap_proxy_each(w->proxy, on_info, w);
	rest += strlen("is there");
	test_eq_str("who", w->who, *rest == ' ' ? rest + 1 : rest);
}

static void
init(struct world *w, const char *more)
{
	static const struct conf_def *const tables[] = { imap_conf_table, NULL };
	static const struct conf_schema schema = { "roost-imap", tables };
	struct err err = { "" };
	struct buf text = BUF_INIT(SIZE_MAX);

	buf_add_str(&text, settings);
	buf_add_str(&text, more);
	memset(w, 0, sizeof(*w));
	log_set_level(LOG_ERROR);
	w->play = play_new();
	w->conf = conf_load_text("test", buf_slice(&text), &schema, NULL, &err);
	test_check(w->conf != NULL, "%s", err.text);
	buf_fini(&text);
	w->auth = fakeauth_new(play_loop(w->play), "example.org");
	fakeauth_add_user(w->auth, "fred", "p w", "store1");
	/* the fake network only looks whether there is one */
	w->servers = servers_new(w->conf, (struct tls_ctx *)(void *)&fake_tls, &err);
	test_check(w->servers != NULL, "%s", err.text);
	w->map = fakemap_new(play_loop(w->play));
	w->home = fakehome_new(play_loop(w->play), &w->found);
	on_map_action(w, "says at store1 7");
	w->proxy = imap_proxy_new(&(struct imap_proxy_config){
		.loop = play_loop(w->play),
		.auth = w->auth,
		.home = w->home,
		.lookup = fakemap_lookup(w->map),
		.reader = fakemap_reader(w->map),
		.barrier = fakemap_barrier(w->map),
		.servers = w->servers,
		.conf = w->conf,
		.tls = (struct tls_ctx *)(void *)&fake_tls,
	});
	play_add_client(w->play, "client", "192.0.2.1:1000", "127.0.0.1:143", on_plain, w);
	play_add_client(w->play, "second", "192.0.2.1:1001", "127.0.0.1:143", on_plain, w);
	play_add_client(w->play, "third", "192.0.2.1:1002", "127.0.0.1:143", on_plain, w);
	play_add_client(w->play, "far", "198.51.100.1:1000", "127.0.0.1:143", on_plain, w);
	play_add_client(w->play, "secure", "198.51.100.1:1000", "127.0.0.1:993", on_tls, w);
	play_add_server(w->play, "store1", "127.0.0.1:1143");
	/* a second connection there: after "again listens" */
	play_add_server(w->play, "again", "127.0.0.1:2143");
	play_add_server(w->play, "store2", "127.0.0.1:2143");
	play_add_server(w->play, "other", "127.0.0.1:5143");
	play_add_server(w->play, "fourth", "127.0.0.1:6143");
	play_add_server(w->play, "secret", "127.0.0.1:4143");
	play_add_action(w->play, "auth", on_auth_action, w);
	play_add_action(w->play, "map", on_map_action, w);
	play_add_action(w->play, "list", fakemap_action, w->map);
	play_add_action(w->play, "drain", on_drain_action, w);
	play_add_action(w->play, "who", on_who_action, w);
}

void
world_fini(struct world *w)
{
	imap_proxy_free(&w->proxy);
	fakenet_settle(play_loop(w->play));
	home_free(&w->home);
	fakemap_free(&w->map);
	auth_free(&w->auth);
	servers_free(&w->servers);
	play_free(&w->play);
	conf_free(&w->conf);
}

void
world_init(struct world *w)
{
	init(w, "");
}

void
world_play(const char *script)
{
	world_play_with("", script);
}

static void
play_split(const char *more, const char *script, const char *split)
{
	struct world w;

	init(&w, more);
	play_run(w.play, split);
	play_run(w.play, script);
	world_fini(&w);
}

void
world_play_with(const char *more, const char *script)
{
	play_split(more, script, "split 0");
	play_split(more, script, "split 1");
	play_split(more, script, "split 7");
}
