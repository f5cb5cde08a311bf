#include "world.h"

#include "log/log.h"

#include "lib/test.h"

#include <stdio.h>
#include <string.h>

static const char settings[] = "[common]\n"
			       "default_domain = example.org\n"
			       "hostname = fe1\n"
			       "[server store1]\n"
			       "lmtp = 127.0.0.1:1024\n"
			       "[server store2]\n"
			       "lmtp = 127.0.0.1:2024\n"
			       "[server cyrus]\n"
			       "kind = imap\n"
			       "lmtp = 127.0.0.1:3024\n"
			       "[server secret]\n"
			       "lmtp = 127.0.0.1:4024\n"
			       "tls = starttls\n"
			       "[roost-smtp]\n"
			       "mx_listen = 127.0.0.1:25\n";

/* the fake network only looks whether there is one */
static char fake_tls;

static void
on_smtp(void *ctx, struct conn **c)
{
	smtp_session_start(((struct world *)ctx)->proxy, c, SMTP_SERVICE_MX);
}

static void
on_submission(void *ctx, struct conn **c)
{
	smtp_session_start(((struct world *)ctx)->proxy, c, SMTP_SERVICE_SUBMISSION);
}

static void
on_submissions(void *ctx, struct conn **c)
{
	smtp_session_start(((struct world *)ctx)->proxy, c, SMTP_SERVICE_SUBMISSIONS);
}

static void
on_lmtp(void *ctx, struct conn **c)
{
	smtp_session_start(((struct world *)ctx)->proxy, c, SMTP_SERVICE_LMTP);
}

/* auth is away | back | silent */
static void
on_auth_action(void *ctx, const char *rest)
{
	struct world *w = ctx;

	fakeauth_set_temp(w->auth, strcmp(rest, "is away") == 0);
	fakeauth_set_silent(w->auth, strcmp(rest, "is silent") == 0);
}

static void
set_answer(struct fakemap_answer *a, const char *text)
{
	unsigned long claim = 7;

	*a = (struct fakemap_answer){ .result = LOCATION_NONE };
	if (strcmp(text, "moving") == 0)
		a->result = LOCATION_IS_RESERVED;
	else if (strcmp(text, "blind") == 0)
		a->result = LOCATION_BLIND;
	else if (sscanf(text, "at %63s %lu", a->server, &claim) >= 1)
		a->result = LOCATION_FOUND;
	else
		test_check(strcmp(text, "none") == 0, "map: %s", text);
	a->claim = claim;
}

static void
set_row(struct world *w, const char *name, const char *text)
{
	struct fakemap_row *row = fakemap_at(&w->map, name);

	set_answer(&row->now, text);
	row->after_barrier = row->now;
}

/* map is blind | back; map has NAME at STORE [CLAIM] | moving | none;
 * map then has NAME ...: behind a barrier; map had N barriers: up to now */
static void
on_map_action(void *ctx, const char *rest)
{
	struct world *w = ctx;
	char name[100];
	int used = 0;
	unsigned n;

	if (strncmp(rest, "is ", 3) == 0)
		w->map.blind = strcmp(rest, "is blind") == 0;
	else if (sscanf(rest, "had %u barriers", &n) == 1)
		assert_int_equal(w->map.barriers, n);
	else if (sscanf(rest, "has %99s %n", name, &used) == 1)
		set_row(w, name, rest + used);
	else if (sscanf(rest, "then has %99s %n", name, &used) == 1)
		set_answer(&fakemap_at(&w->map, name)->after_barrier, rest + used);
	else
		test_fail("map cannot %s", rest);
}

static void
on_drained(void *ctx)
{
	((struct world *)ctx)->drained = true;
}

/* dns knows HOST[ ADDRESS...] | is silent about HOST */
static void
on_dns_action(void *ctx, const char *rest)
{
	struct world *w = ctx;
	char host[100];
	int used = 0;

	if (sscanf(rest, "is silent about %99s", host) == 1)
		fakenet_name(play_loop(w->play), host, NULL);
	else if (sscanf(rest, "knows %99s %n", host, &used) == 1)
		fakenet_name(play_loop(w->play), host, used > 0 ? rest + used : "");
	else
		test_fail("dns cannot %s", rest);
}

/* drain begins | begins gently | is over | is not over */
static void
on_drain_action(void *ctx, const char *rest)
{
	struct world *w = ctx;

	if (strncmp(rest, "begins", 6) == 0)
		smtp_proxy_drain(w->proxy, strcmp(rest, "begins gently") == 0, on_drained, w);
	else
		assert_int_equal(w->drained, strcmp(rest, "is over") == 0);
}

static void
on_info(void *ctx, const struct who_session *i)
{
	struct world *w = ctx;
	size_t n = strlen(w->who);

	snprintf(w->who + n, sizeof(w->who) - n, "%s%s %s %s", n > 0 ? "; " : "", i->service,
	         i->peer, i->state);
}

/* who is there[ TEXT] */
static void
on_who_action(void *ctx, const char *rest)
{
	struct world *w = ctx;

	*w->who = '\0';
	smtp_proxy_each(w->proxy, on_info, w);
	rest += strlen("is there");
	test_eq_str("who", w->who, *rest == ' ' ? rest + 1 : rest);
}

/* pool has N */
static void
on_pool_action(void *ctx, const char *rest)
{
	struct world *w = ctx;
	unsigned n;

	assert_int_equal(sscanf(rest, "has %u", &n), 1);
	assert_int_equal(pool_connections(w->pool), n);
}

static void
add_users(struct world *w)
{
	fakeauth_add_user(w->auth, "fred", "pw", "store1");
	fakeauth_add_user(w->auth, "bob", "pw", "store1");
	fakeauth_add_user(w->auth, "ann@example.net", "pw", "store2");
	fakeauth_add_user(w->auth, "cyrus", "pw", "cyrus");
	fakeauth_add_user(w->auth, "sec", "pw", "secret");
	fakeauth_add_user(w->auth, "new", "pw", "store2");
	fakeauth_add_user(w->auth, "later", "pw", "cyrus");
	fakeauth_add_user(w->auth, "nohome", "pw", "");
	fakeauth_add_user(w->auth, "gone", "pw", "store1");
	fakeauth_disable_user(w->auth, "gone");
	fakeauth_add_alias(w->auth, "both@example.org", "fred ann@example.net");
	fakeauth_add_alias(w->auth, "some@example.org", "fred nohome");
	fakeauth_add_alias(w->auth, "away@example.org", ">ann@far.example");
	fakeauth_add_alias(w->auth, "copy@example.org", "fred >ann@far.example");
	fakeauth_add_alias(w->auth, "odd@example.org", "cyrus >ann@far.example");
	set_row(w, "user.fred", "at store1 7");
	set_row(w, "user.bob", "at store1 7");
	set_row(w, "example.net!user.ann", "at store2 7");
	set_row(w, "user.cyrus", "at cyrus 0");
	set_row(w, "user.sec", "at secret 7");
}

static void
add_actors(struct world *w)
{
	play_add_client(w->play, "client", "192.0.2.1:1000", "127.0.0.1:25", on_smtp, w);
	play_add_client(w->play, "second", "192.0.2.1:1001", "127.0.0.1:25", on_smtp, w);
	play_add_client(w->play, "user", "192.0.2.2:1000", "127.0.0.1:587", on_submission, w);
	play_add_client(w->play, "near", "127.0.0.1:1002", "127.0.0.1:587", on_submission, w);
	play_add_client(w->play, "secure", "192.0.2.2:1001", "127.0.0.1:465", on_submissions, w);
	play_add_client(w->play, "six", "[2001:db8::1]:1000", "[::1]:25", on_smtp, w);
	play_add_client(w->play, "sixty", "[2001:db8:0:0:9::60]:1000", "[::1]:25", on_smtp, w);
	play_add_client(w->play, "seven", "[2001:db8:0:1::1]:1000", "[::1]:25", on_smtp, w);
	play_add_client(w->play, "proxy", "127.0.0.1:1000", "127.0.0.1:25", on_smtp, w);
	play_add_client(w->play, "mta", "127.0.0.1:1001", "127.0.0.1:24", on_lmtp, w);
	play_add_client(w->play, "stranger", "192.0.2.9:1000", "127.0.0.1:24", on_lmtp, w);
	play_add_server(w->play, "store1", "127.0.0.1:1024");
	play_add_server(w->play, "store2", "127.0.0.1:2024");
	play_add_server(w->play, "cyrus", "127.0.0.1:3024");
	play_add_server(w->play, "secret", "127.0.0.1:4024");
	play_add_server(w->play, "hop1", "192.0.2.25:25");
	play_add_server(w->play, "hop2", "192.0.2.26:2525");
	play_add_action(w->play, "auth", on_auth_action, w);
	play_add_action(w->play, "dns", on_dns_action, w);
	play_add_action(w->play, "map", on_map_action, w);
	play_add_action(w->play, "drain", on_drain_action, w);
	play_add_action(w->play, "who", on_who_action, w);
	play_add_action(w->play, "pool", on_pool_action, w);
}

static void
world_init(struct world *w, const char *more)
{
	static const struct conf_def *const tables[] = { smtp_conf_table, NULL };
	static const struct conf_schema schema = { "roost-smtp", tables };
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
	w->servers = servers_new(w->conf, (struct tls_ctx *)(void *)&fake_tls, &err);
	test_check(w->servers != NULL, "%s", err.text);
	w->lookup = fakemap_new(play_loop(w->play), &w->map);
	w->route = route_new(&(struct route_config){ .loop = play_loop(w->play),
	                                             .auth = w->auth,
	                                             .lookup = w->lookup,
	                                             .servers = w->servers,
	                                             .default_domain = "example.org",
	                                             .delimiter = '+' });
	w->pool = pool_new(&(struct pool_config){
		.loop = play_loop(w->play),
		.hostname = "fe1",
		.connect_ms = conf_ms(w->conf, "store_connect_timeout"),
		.idle_ms = conf_ms(w->conf, "store_idle"),
		.connections = (unsigned)conf_int(w->conf, "store_connections") });
	assert_int_equal(relay_check(w->conf, &err), 0);
	w->relay = relay_new(w->conf, w->pool, (struct tls_ctx *)(void *)&fake_tls);
	w->proxy = smtp_proxy_new(
		&(struct smtp_proxy_config){ .loop = play_loop(w->play),
	                                     .auth = w->auth,
	                                     .route = w->route,
	                                     .pool = w->pool,
	                                     .relay = w->relay,
	                                     .conf = w->conf,
	                                     .tls = (struct tls_ctx *)(void *)&fake_tls });
	add_users(w);
	add_actors(w);
}

static void
world_fini(struct world *w)
{
	smtp_proxy_free(&w->proxy);
	fakenet_settle(play_loop(w->play));
	relay_free(&w->relay);
	pool_free(&w->pool);
	fakenet_settle(play_loop(w->play));
	route_free(&w->route);
	lookup_free(&w->lookup);
	auth_free(&w->auth);
	servers_free(&w->servers);
	play_free(&w->play);
	conf_free(&w->conf);
}

static void
play_split(const char *more, const char *script, const char *split)
{
	struct world w;

	world_init(&w, more);
	play_run(w.play, split);
	play_run(w.play, script);
	world_fini(&w);
}

void
world_play_once(const char *more, const char *script)
{
	play_split(more, script, "split 0");
}

void
world_play_with(const char *more, const char *script)
{
	play_split(more, script, "split 0");
	play_split(more, script, "split 1");
	play_split(more, script, "split 7");
}

void
world_play(const char *script)
{
	world_play_with("", script);
}
