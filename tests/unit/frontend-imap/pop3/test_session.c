/* The POP3 proxy on the fake network: a client, a scripted store, a directory. */
#include "pop3/session.h"

#include "base/text.h"
#include "fakeauth/fakeauth.h"
#include "fakehome.h"
#include "fakenet/play.h"
#include "lib/test.h"

#include <stdio.h>
#include <string.h>

static const char settings[] = "[common]\n"
			       "default_domain = example.org\n"
			       "hostname = fe1\n"
			       "plaintext_networks = 192.0.2.0/24\n"
			       "[roost-imap]\n"
			       "pop3_max_sessions = 3\n"
			       "pop3_listen = 127.0.0.1:110\n";

struct world {
	struct play *play;
	struct conf *conf;
	struct auth *auth;
	struct addr addrs[2];
	struct server servers[3];
	struct home *home;
	struct fakehome found;
	struct pop3_service *proxy;
	bool drained;
	char who[200];
};

static void
on_plain(void *ctx, struct conn **c)
{
	pop3_session_start(((struct world *)ctx)->proxy, c, false);
}

static void
on_tls(void *ctx, struct conn **c)
{
	pop3_session_start(((struct world *)ctx)->proxy, c, true);
}

/* auth is away | back | silent */
static void
on_auth_action(void *ctx, const char *rest)
{
	struct world *w = ctx;

	fakeauth_set_temp(w->auth, strcmp(rest, "is away") == 0);
	fakeauth_set_silent(w->auth, strcmp(rest, "is silent") == 0);
}

/* map says found 1 | none | later | nothing */
static void
on_map_action(void *ctx, const char *rest)
{
	struct world *w = ctx;

	w->found.silent = strcmp(rest, "says nothing") == 0;
	w->found.server = NULL;
	w->found.result = strcmp(rest, "says none") == 0 ? HOME_NONE : HOME_LATER;
	if (strncmp(rest, "says found ", 11) == 0) {
		w->found.result = HOME_FOUND;
		w->found.server = &w->servers[rest[11] - '1'];
	}
}

static void
on_drained(void *ctx)
{
	((struct world *)ctx)->drained = true;
}

static void
on_drain_action(void *ctx, UNUSED const char *rest)
{
	struct world *w = ctx;

	pop3_service_drain(w->proxy, false, on_drained, w);
}

static void
world_init(struct world *w)
{
	static const struct conf_def *const tables[] = { pop3_conf_table, NULL };
	static const struct conf_schema schema = { "roost-imap", tables };
	static char fake_tls;
	struct err err = { "" };

	memset(w, 0, sizeof(*w));
	w->play = play_new();
	w->conf = conf_load_text("test", SLICE(settings), &schema, NULL, &err);
	test_check(w->conf != NULL, "%s", err.text);
	w->auth = fakeauth_new(play_loop(w->play), "example.org");
	fakeauth_add_user(w->auth, "fred", "a pw ", "store1");
	fakeauth_add_user(w->auth, "ann@example.net", "pw", "store1");
	assert_true(addr_parse(SLICE("127.0.0.1:1110"), 0, &w->addrs[0], NULL));
	assert_true(addr_parse(SLICE("127.0.0.1:2110"), 0, &w->addrs[1], NULL));
	w->servers[0] = (struct server){ .name = "store1", .pop3 = &w->addrs[0] };
	w->servers[1] = (struct server){ .name = "store2",
		                         .pop3 = &w->addrs[1],
		                         .starttls = true,
		                         .tls = (struct tls_ctx *)(void *)&fake_tls,
		                         .tls_name = "store2.example.org" };
	w->servers[2] = (struct server){ .name = "store3" };
	w->found = (struct fakehome){ .result = HOME_FOUND, .server = &w->servers[0] };
	w->home = fakehome_new(play_loop(w->play), &w->found);
	w->proxy = pop3_service_new(&(struct pop3_service_config){
		.loop = play_loop(w->play),
		.auth = w->auth,
		.conf = w->conf,
		.ops = &pop3_proxy_ops,
		.owner = w->home,
		/* the fake network only looks whether there is one */
		.tls = (struct tls_ctx *)(void *)&fake_tls,
	});
	play_add_client(w->play, "client", "192.0.2.1:1000", "127.0.0.1:110", on_plain, w);
	play_add_client(w->play, "second", "192.0.2.2:1000", "127.0.0.1:110", on_plain, w);
	play_add_client(w->play, "third", "192.0.2.3:1000", "127.0.0.1:110", on_plain, w);
	play_add_client(w->play, "far", "198.51.100.1:1000", "127.0.0.1:110", on_plain, w);
	play_add_client(w->play, "proxy", "127.0.0.1:1000", "127.0.0.1:110", on_plain, w);
	play_add_client(w->play, "secure", "198.51.100.1:1000", "127.0.0.1:995", on_tls, w);
	play_add_server(w->play, "store1", "127.0.0.1:1110");
	play_add_server(w->play, "store2", "127.0.0.1:2110");
	play_add_action(w->play, "auth", on_auth_action, w);
	play_add_action(w->play, "map", on_map_action, w);
	play_add_action(w->play, "drain", on_drain_action, w);
}

static void
world_fini(struct world *w)
{
	pop3_service_free(&w->proxy);
	home_free(&w->home);
	auth_free(&w->auth);
	play_free(&w->play);
	conf_free(&w->conf);
}

static void
play(const char *script)
{
	struct world w;

	world_init(&w);
	play_run(w.play, script);
	world_fini(&w);
}

#define GREETED "client connects\nclient < +OK fe1 POP3 ready.\n"
/* play strips blanks at the end of lines, and the password ends in one */
#define SAID_PASS                                                                                  \
	GREETED "client > USER Fred@Example.ORG\nclient < +OK *\n"                                 \
		"client >> PASS a pw\\x20\\r\\n\n"
/* \0fred\0roost-proxy\0token:... */
#define STORE_IN                                                                                   \
	"store1 accepts\n"                                                                         \
	"store1 > +OK [XCLIENT] store1 ready\n"                                                    \
	"store1 < XCLIENT ADDR=192.0.2.1 SESSION=*\n"                                              \
	"store1 > +OK\n"                                                                           \
	"store1 < CAPA\n"                                                                          \
	"store1 >> +OK\\r\\nTOP\\r\\nUIDL\\r\\nSASL PLAIN\\r\\nPIPELINING\\r\\n.\\r\\n\n"          \
	"store1 < AUTH PLAIN ZnJlZAByb29zdC1wcm94eQB0b2tlbjpmcmVkOnBvcDM6c3RvcmUxOjc=\n"           \
	"store1 > +OK\n"
#define LOGGED_IN SAID_PASS STORE_IN "client < +OK Logged in.\nclient is silent\n"

TEST(a_session_from_greeting_to_quit_at_every_split)
{
	for (int n = 0; n < 6; n++) {
		char script[4000];

		snprintf(script, sizeof(script), "split %d\n%s", n,
		         LOGGED_IN "client > STAT\n"
		                   "store1 < STAT\n"
		                   "store1 > +OK 2 320\n"
		                   "client < +OK 2 320\n"
		                   "client > RETR 1\n"
		                   "store1 < RETR 1\n"
		                   "store1 >> +OK\\r\\nSubject: hi\\r\\n\\r\\n..dot\\r\\n.\\r\\n\n"
		                   "client < +OK\n"
		                   "client < Subject: hi\n"
		                   "client < \n"
		                   "client < ..dot\n"
		                   "client < .\n"
		                   "client > DELE 1\n"
		                   "store1 < DELE 1\n"
		                   "store1 > +OK\n"
		                   "client < +OK\n"
		                   "client > RETR 9\n"
		                   "store1 < RETR 9\n"
		                   "store1 > -ERR No such message.\n"
		                   "client < -ERR No such message.\n"
		                   "client > QUIT\n"
		                   "store1 < QUIT\n"
		                   "client is silent\n"
		                   "store1 > +OK Bye.\n"
		                   "client < +OK Bye.\n"
		                   "client is closed\n"
		                   "store1 is closed\n");
		play(script);
	}
}

TEST(pipelined_commands_are_answered_in_order)
{
	play(LOGGED_IN
	     "client >> STAT\\r\\nCAPA\\r\\nFOO\\r\\nLIST\\r\\nUIDL 2\\r\\nTOP 1 0\\r\\n\n"
	     "store1 < STAT\n"
	     "store1 is silent\n"
	     "client is silent\n"
	     "store1 > +OK 1 5\n"
	     "client < +OK 1 5\n"
	     "client < +OK Capability list follows.\n"
	     "client << .\n"
	     "client < -ERR Unknown command.\n"
	     "store1 < LIST\n"
	     "store1 < UIDL 2\n"
	     "store1 < TOP 1 0\n"
	     "store1 >> +OK\\r\\n1 5\\r\\n.\\r\\n+OK 2 x.y\\r\\n+OK\\r\\na: b\\r\\n\n"
	     "client < +OK\n"
	     "client < 1 5\n"
	     "client < .\n"
	     "client < +OK 2 x.y\n"
	     "client < +OK\n"
	     "client < a: b\n"
	     "store1 >> .\\r\\n\n"
	     "client < .\n"
	     "client is silent\n");
}

TEST(a_login_may_be_pipelined_too)
{
	play(GREETED "client >> CAPA\\r\\nUSER fred\\r\\nPASS a pw \\r\\nSTAT\\r\\nQUIT\\r\\n\n"
	             "client << .\n"
	             "client < +OK *\n" STORE_IN "client < +OK Logged in.\n"
	             "store1 < STAT\n"
	             "store1 < QUIT\n"
	             "store1 >> +OK 0 0\\r\\n+OK\\r\\n\n"
	             "client < +OK 0 0\n"
	             "client < +OK\n"
	             "client is closed\n");
}

TEST(a_store_without_pipelining_gets_one_command_at_a_time)
{
	play(SAID_PASS "store1 accepts\n"
	               "store1 > +OK hello\n"
	               "store1 < CAPA\n"
	               "store1 > -ERR what?\n"
	               "store1 < AUTH PLAIN *\n"
	               "store1 > +OK\n"
	               "client < +OK Logged in.\n"
	               "client >> STAT\\r\\nLIST\\r\\nNOOP\\r\\n\n"
	               "store1 < STAT\n"
	               "store1 is silent\n"
	               "store1 > +OK 0 0\n"
	               "store1 < LIST\n"
	               "store1 is silent\n"
	               "store1 >> +OK\\r\\n.\\r\\n\n"
	               "store1 < NOOP\n"
	               "store1 > +OK\n"
	               "client < +OK 0 0\n"
	               "client < +OK\n"
	               "client < .\n"
	               "client < +OK\n");
}

TEST(capabilities_are_what_the_store_can_too)
{
	play(SAID_PASS "store1 accepts\n"
	               "store1 > +OK hello\n"
	               "store1 < CAPA\n"
	               "store1 >> +OK\\r\\nSASL PLAIN\\r\\nUIDL\\r\\n.\\r\\n\n"
	               "store1 < AUTH PLAIN *\n"
	               "store1 > +OK\n"
	               "client < +OK Logged in.\n"
	               "client > CAPA\n"
	               "client < +OK *\n"
	               "client < UIDL\n"
	               "client < PIPELINING\n"
	               "client < RESP-CODES\n"
	               "client < AUTH-RESP-CODE\n"
	               "client < USER\n"
	               "client < SASL PLAIN\n"
	               "client < IMPLEMENTATION Roost\n"
	               "client < .\n"
	               "client is silent\n");
}

TEST(sasl_plain_with_and_without_an_initial_response)
{
	play(GREETED "client > AUTH PLAIN AGZyZWQAYSBwdyA=\n" STORE_IN "client < +OK Logged in.\n");
	play(GREETED "client > AUTH PLAIN\nclient < +*\nclient > AGZyZWQAYSBwdyA=\n" STORE_IN
	             "client < +OK Logged in.\n");
	play(GREETED "client > AUTH PLAIN\nclient < +*\nclient > *\nclient < -ERR *\n"
	             "client > AUTH PLAIN AGZyZWQAYSBwdyA=\n" STORE_IN "client < +OK Logged in.\n");
}

TEST(wrong_passwords_are_counted)
{
	play(GREETED "client > USER fred\nclient < +OK *\nclient > PASS no\n"
	             "client < -ERR [AUTH] *\n"
	             "client > AUTH PLAIN AGZyZWQAcHc=\nclient < -ERR [AUTH] *\n"
	             "client > AUTH PLAIN AGZyZWQAcHc=\nclient < -ERR [AUTH] *\n"
	             "client > AUTH PLAIN AGZyZWQAcHc=\nclient < -ERR [AUTH] *\n"
	             "client > AUTH PLAIN AGZyZWQAcHc=\nclient < -ERR [AUTH] *\n"
	             "client is closed\n");
}

TEST(blind_means_later)
{
	static const char *const states[] = { "map says none", "map says later", "map says found 3",
		                              "auth is away", "store1 refuses" };

	for (size_t i = 0; i < ARRAY_LEN(states); i++) {
		char script[2000];

		snprintf(script, sizeof(script), "%s\n%s", states[i],
		         SAID_PASS "client < -ERR [SYS/TEMP] *\n"
		                   "client is silent\n"
		                   "auth is back\n"
		                   "map says found 1\n"
		                   "store1 listens\n"
		                   "client > USER fred\n"
		                   "client < +OK *\n"
		                   "client >> PASS a pw\\x20\\r\\n\n" STORE_IN
		                   "client < +OK Logged in.\n");
		play(script);
	}
}

TEST(a_store_that_fails_before_the_login_is_later)
{
	static const char *const ends[] = {
		"store1 closes\n",
		"store1 > -ERR busy\n",
		"store1 > * OK this is IMAP\n",
		"store1 > +OK hi\nstore1 < CAPA\nstore1 closes\n",
		"store1 > +OK hi\nstore1 < CAPA\nstore1 >> +OK\\r\\nTOP\\r\\n.\\r\\n\n",
		"store1 > +OK hi\nstore1 < CAPA\nstore1 > -ERR\nstore1 < AUTH *\nstore1 resets\n",
		"store1 > +OK hi\nstore1 < CAPA\nstore1 > -ERR\nstore1 < AUTH *\n"
		"store1 > -ERR [AUTH] no\n",
		"store1 > +OK hi\nstore1 < CAPA\nstore1 > -ERR\nstore1 < AUTH *\n"
		"store1 > + more?\n",
	};

	for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
		char script[2000];

		snprintf(script, sizeof(script), "%sstore1 accepts\n%s%s", SAID_PASS, ends[i],
		         "client < -ERR [SYS/TEMP] *\nclient is silent\n");
		play(script);
	}
	play(SAID_PASS "store1 accepts\nstore1 > +OK hi\nstore1 < CAPA\nstore1 > -ERR\n"
	               "store1 < AUTH *\nstore1 > -ERR [IN-USE] locked\n"
	               "client < -ERR [IN-USE] *\nclient is silent\n");
}

TEST(a_silent_store_is_later)
{
	play("store1 blackholes\n" SAID_PASS "client is silent\nwait 4s\nclient is silent\n"
	     "wait 2s\nclient < -ERR [SYS/TEMP] *\nclient is silent\n");
	/* the client's own deadline is the shorter one */
	play(SAID_PASS "store1 accepts\nwait 59s\nclient is silent\nwait 2s\n"
	               "client < -ERR [SYS/TEMP] *\nclient is closed\n");
}

TEST(a_store_lost_later_ends_the_session_with_sys_temp)
{
	play(LOGGED_IN "store1 closes\nclient < -ERR [SYS/TEMP] *\nclient is closed\n");
	play(LOGGED_IN "client > STAT\nstore1 < STAT\nstore1 resets\n"
	               "client < -ERR [SYS/TEMP] *\nclient is closed\n");
	play(LOGGED_IN "client > QUIT\nstore1 < QUIT\nstore1 closes\n"
	               "client < -ERR [SYS/TEMP] *\nclient is closed\n");
	play(LOGGED_IN "store1 > +OK unasked\nclient < -ERR [SYS/TEMP] *\nclient is closed\n");
	play(LOGGED_IN "client > STAT\nstore1 < STAT\nstore1 > hello?\n"
	               "client < -ERR [SYS/TEMP] *\nclient is closed\n");
	/* in a message there is no place for an error: no final dot comes */
	play(LOGGED_IN "client > RETR 1\nstore1 < RETR 1\nstore1 >> +OK\\r\\nhalf a mes\n"
	               "store1 closes\nclient < +OK\n");
}

TEST(a_store_that_does_not_answer_is_lost)
{
	play(LOGGED_IN "client > STAT\nstore1 < STAT\nwait 119s\nclient is silent\nwait 2s\n"
	               "client < -ERR [SYS/TEMP] *\nclient is closed\nstore1 is closed\n");
	/* one that answers bit by bit is not */
	play(LOGGED_IN "client > RETR 1\nstore1 < RETR 1\nstore1 > +OK\nclient < +OK\nwait 100s\n"
	               "store1 > line\nclient < line\nwait 100s\nstore1 > .\nclient < .\n");
}

TEST(idle_clients_are_closed_without_a_word_and_without_update)
{
	play(LOGGED_IN "wait 9m\nclient > NOOP\nstore1 < NOOP\nstore1 > +OK\nclient < +OK\n"
	               "wait 9m\nclient is silent\nwait 2m\nclient is closed\n"
	               "store1 is closed\n");
	play(GREETED "wait 59s\nclient is silent\nwait 2s\nclient < -ERR [SYS/TEMP] *\n"
	             "client is closed\n");
}

TEST(a_client_that_leaves_takes_the_store_with_him)
{
	play(LOGGED_IN "client closes\nstore1 is closed\n");
	play(SAID_PASS "store1 accepts\nclient resets\nstore1 is closed\n");
	play("map says nothing\n" SAID_PASS "client closes\n");
	play("auth is silent\n" SAID_PASS "client closes\nauth is back\n");
}

TEST(logins_need_tls_from_afar)
{
	play("far connects\nfar < +OK *\nfar > USER fred\nfar < -ERR *\nfar > STLS\nfar < +OK *\n"
	     "far starts tls\nfar > USER fred\nfar < +OK *\nfar >> PASS a pw\\x20\\r\\n\n"
	     "store1 accepts\n");
	play("far connects\nfar < +OK *\nfar >> STLS\\r\\nUSER fred\\r\\n\nfar < -ERR *\n"
	     "far is closed\n");
	play("secure connects\nsecure starts tls\nsecure < +OK *\nsecure > USER fred\n"
	     "secure < +OK *\nsecure >> PASS a pw\\x20\\r\\n\nstore1 accepts\n");
}

TEST(stores_by_tls)
{
	play("map says found 2\n" SAID_PASS "store2 accepts\nstore2 > +OK [XCLIENT] hi\n"
	     "store2 < STLS\nstore2 > +OK\nstore2 starts tls\nstore2 < XCLIENT *\n"
	     "store2 > -ERR no\nstore2 < CAPA\nstore2 > -ERR\nstore2 < AUTH PLAIN *\n"
	     "store2 > +OK\nclient < +OK Logged in.\n");
	play("map says found 2\n" SAID_PASS "store2 accepts\nstore2 > +OK hi\n"
	     "store2 < STLS\nstore2 > -ERR\nclient < -ERR [SYS/TEMP] *\n");
	/* a man in the middle who speaks before TLS does */
	play("map says found 2\n" SAID_PASS "store2 accepts\nstore2 > +OK hi\n"
	     "store2 < STLS\nstore2 >> +OK\\r\\n+OK injected\\r\\n\n"
	     "client < -ERR [SYS/TEMP] *\n");
}

TEST(a_trusted_proxy_says_whom_it_speaks_for)
{
	play("proxy connects\nproxy < +OK [XCLIENT] *\nproxy > XCLIENT ADDR=203.0.113.9 "
	     "SESSION=abc\nproxy < +OK *\nproxy > STLS\nproxy < +OK *\nproxy starts tls\n"
	     "proxy > AUTH PLAIN AGZyZWQAYSBwdyA=\nstore1 accepts\n"
	     "store1 > +OK [XCLIENT] hi\nstore1 < XCLIENT ADDR=203.0.113.9 SESSION=abc\n");
	play(GREETED "client > XCLIENT ADDR=203.0.113.9\nclient < -ERR *\n");
	/* its client, whose words it passes on, does not */
	play("proxy connects\nproxy < +OK [XCLIENT] *\nproxy > XCLIENT ADDR=203.0.113.9\n"
	     "proxy < +OK *\nproxy > XCLIENT ADDR=203.0.113.10\nproxy < -ERR *\n");
}

TEST(the_home_is_that_of_the_canonical_user)
{
	struct world w;

	world_init(&w);
	play_run(w.play, GREETED "client > USER Ann@Example.NET\nclient < +OK *\n"
	                         "client > PASS pw\nstore1 accepts\n");
	test_eq_str("user", w.found.user, "ann@example.net");
	play_run(w.play, "client closes\n" SAID_PASS "store1 accepts\n");
	test_eq_str("user", w.found.user, "fred");
	world_fini(&w);
}

TEST(sessions_are_limited)
{
	play("client connects\nclient < +OK *\nsecond connects\nsecond < +OK *\n"
	     "third connects\nthird < +OK *\nfar connects\nfar < -ERR [SYS/TEMP] *\n"
	     "far is closed\nthird > QUIT\nthird < +OK *\nfar connects\nfar < +OK *\n");
}

TEST(bad_input_after_the_login_is_answered_in_turn)
{
	play(LOGGED_IN "client >> RETR 1\\r\\nNOOP\\n\nstore1 < RETR 1\nclient is silent\n"
	               "store1 >> +OK\\r\\n.\\r\\n\nclient < +OK\nclient < .\n"
	               "client < -ERR Lines end in CR LF.\nclient is closed\nstore1 is closed\n");
}

TEST(a_drain_lets_sessions_finish)
{
	struct world w;

	world_init(&w);
	play_run(w.play, LOGGED_IN "second connects\nsecond < +OK *\ndrain now\n"
	                           "second < -ERR [SYS/TEMP] *\nsecond is closed\n"
	                           "client > NOOP\nstore1 < NOOP\nstore1 > +OK\nclient < +OK\n");
	assert_false(w.drained);
	assert_int_equal(pop3_service_count(w.proxy), 1);
	play_run(w.play, "client > QUIT\nstore1 < QUIT\nstore1 > +OK\nclient < +OK\n");
	assert_true(w.drained);
	world_fini(&w);
}

static void
on_each(void *ctx, const struct who_session *i)
{
	struct world *w = ctx;

	snprintf(w->who, sizeof(w->who), "%zu %s %s %s %s %d %d", strlen(i->id), i->peer, i->user,
	         i->store, i->state, i->tls, (int)i->age_s);
}

TEST(who_is_there)
{
	struct world w;

	world_init(&w);
	play_run(w.play, LOGGED_IN "wait 5s\n");
	pop3_service_each(w.proxy, on_each, &w);
	test_eq_str("who", w.who, "16 192.0.2.1 fred store1 TRANSACTION 0 5");
	world_fini(&w);
}

/* A client that stops reading stops the store, and loses nothing. */
TEST(big_messages_wait_for_slow_clients)
{
	enum { LINES = 60000 }; /* 12 bytes each */
	struct buf script = BUF_INIT(SIZE_MAX);
	struct world w;

	world_init(&w);
	play_run(w.play,
	         LOGGED_IN "client stops\nclient >> RETR 1\\r\\nSTAT\\r\\n\nstore1 < RETR 1\n"
	                   "store1 < STAT\nstore1 > +OK\n");
	for (int i = 0; i < LINES; i++) {
		if (i % 1000 == 0)
			buf_add_str(&script, "\nstore1 >> ");
		buf_printf(&script, "line %05d\\r\\n", i);
	}
	buf_add_str(&script, ".\\r\\n+OK 1 2\\r\\n\nwait 9m\nclient reads\nclient < +OK\n");
	for (int i = 0; i < LINES; i += 997)
		buf_printf(&script, "client << line %05d\n", i);
	buf_add_str(&script, "client << .\nclient < +OK 1 2\nclient > NOOP\nstore1 < NOOP\n");
	play_run(w.play, buf_cstr(&script));
	buf_fini(&script);
	world_fini(&w);

	play(LOGGED_IN "client stops\nclient > RETR 1\nstore1 < RETR 1\nstore1 > +OK\n"
	               "wait 11m\nstore1 is closed\n");
}
