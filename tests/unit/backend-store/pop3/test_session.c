/*
 * POP3 of a store, on the fake network, with real mailboxes below a temporary directory. Each
 * script is played whole and cut into pieces of 1 and 7 bytes.
 */
#include "pop3/session.h"

#include "fakeauth/fakeauth.h"
#include "fakenet/play.h"
#include "lib/test.h"
#include "log/log.h"
#include "mailbox/mailbox.h"

#include <stdio.h>
#include <string.h>

struct world {
	struct play *play;
	struct conf *conf;
	struct auth *auth;
	struct store *store;
	struct pop3_service *service;
	bool drained;
	uint32_t uids[50]; /* given to "store gets", in order */
	unsigned uid_count;
};

static char fake_tls;

/* ---- the world ---------------------------------------------------------------------------------- */

static void
on_plain(void *ctx, struct conn **c)
{
	pop3_session_start(((struct world *)ctx)->service, c, false);
}

static void
on_tls(void *ctx, struct conn **c)
{
	pop3_session_start(((struct world *)ctx)->service, c, true);
}

static void
on_auth_action(void *ctx, const char *rest)
{
	fakeauth_set_temp(((struct world *)ctx)->auth, strcmp(rest, "is away") == 0);
}

static void
on_drained(void *ctx)
{
	((struct world *)ctx)->drained = true;
}

/* drain begins | is over | is not over */
static void
on_drain_action(void *ctx, const char *rest)
{
	struct world *w = ctx;

	if (strcmp(rest, "begins") == 0)
		pop3_service_drain(w->service, false, on_drained, w);
	else
		assert_int_equal(w->drained, strcmp(rest, "is over") == 0);
}

static void
on_open(void *ctx, enum mbox_result result, struct mailbox *m)
{
	assert_int_equal(result, MBOX_OK);
	*(struct mailbox **)ctx = m;
}

static struct mailbox *
inbox(struct world *w)
{
	struct mailbox *m = NULL;

	(void)mailbox_open(w->store, SLICE("user.fred"), on_open, &m);
	fakenet_settle(play_loop(w->play));
	assert_non_null(m);
	return m;
}

static void
on_added(void *ctx, enum mbox_result result, const struct mailbox_added *a)
{
	struct world *w = ctx;

	assert_int_equal(result, MBOX_OK);
	w->uids[w->uid_count++] = a->uids[0];
}

static void
append(struct world *w, struct slice body)
{
	struct msg_new msg = { .pieces = &body, .piece_count = 1 };
	struct mailbox *m = inbox(w);

	(void)mailbox_append(m, &msg, 1, on_added, w);
	fakenet_settle(play_loop(w->play));
	mailbox_release(&m);
}

static void
on_expunged(UNUSED void *ctx, enum mbox_result result, UNUSED uint64_t modseq)
{
	assert_int_equal(result, MBOX_OK);
}

/* \r and \n of a script's line. */
static size_t
unescape(const char *text, char *out)
{
	size_t n = 0;

	for (; *text != '\0'; text++) {
		if (text[0] == '\\' && (text[1] == 'r' || text[1] == 'n'))
			out[n++] = *++text == 'r' ? '\r' : '\n';
		else
			out[n++] = *text;
	}
	return n;
}

static void
count_messages(struct world *w, unsigned want)
{
	struct mailbox *m = inbox(w);
	uint32_t count;

	(void)mailbox_msgs(m, &count);
	assert_int_equal(count, want);
	mailbox_release(&m);
}

/* store gets TEXT | gets BYTES bytes | loses N (the N-th it got) | holds N | has claim N */
static void
on_store_action(void *ctx, const char *rest)
{
	static char body[1 << 20];
	struct world *w = ctx;
	unsigned n;

	if (sscanf(rest, "gets %u bytes", &n) == 1) {
		memset(body, 'x', n);
		memcpy(body, "Subject: big\r\n\r\n", 16);
		for (unsigned i = 78; i + 2 < n; i += 80)
			memcpy(body + i, "\r\n", 2);
		memcpy(body + n - 2, "\r\n", 2);
		append(w, slice_make(body, n));
	} else if (strncmp(rest, "gets ", 5) == 0) {
		append(w, slice_make(body, unescape(rest + 5, body)));
	} else if (sscanf(rest, "loses %u", &n) == 1) {
		struct mailbox *m = inbox(w);

		(void)mailbox_expunge(m, &w->uids[n - 1], 1, false, on_expunged, w);
		fakenet_settle(play_loop(w->play));
		mailbox_release(&m);
	} else if (sscanf(rest, "holds %u", &n) == 1) {
		count_messages(w, n);
	} else {
		test_fail("store cannot %s", rest);
	}
}

static void
on_store_done(UNUSED void *ctx, enum mbox_result result)
{
	assert_int_equal(result, MBOX_OK);
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
		.loop = play_loop(w->play),
		.segment_bytes = 1u << 20,
		.floor_bytes = 1,
	};
	struct err err;

	snprintf(dir, sizeof(dir), "%s/%d", test_dir(), number++);
	w->store = store_open(&c, &err);
	test_check(w->store != NULL, "%s", err.text);
	(void)store_create_user(w->store, SLICE("fred"), on_store_done, w);
	fakenet_settle(play_loop(w->play));
	(void)store_set_claim(w->store, SLICE("user.fred"), 5, on_store_done, w);
	fakenet_settle(play_loop(w->play));
}

static void
add_actors(struct world *w)
{
	struct play *p = w->play;

	play_add_client(p, "client", "127.0.0.1:1000", "127.0.0.1:110", on_plain, w);
	play_add_client(p, "second", "127.0.0.1:1001", "127.0.0.1:110", on_plain, w);
	play_add_client(p, "third", "127.0.0.1:1002", "127.0.0.1:110", on_plain, w);
	play_add_client(p, "far", "198.51.100.1:1000", "127.0.0.1:110", on_plain, w);
	play_add_client(p, "secure", "198.51.100.1:1000", "127.0.0.1:995", on_tls, w);
	play_add_action(p, "auth", on_auth_action, w);
	play_add_action(p, "drain", on_drain_action, w);
	play_add_action(p, "store", on_store_action, w);
}

static void
world_init(struct world *w)
{
	static const struct conf_def *const tables[] = { pop3_conf_table, NULL };
	static const struct conf_schema schema = { "roost-store", tables };
	struct err err = { "" };

	*w = (struct world){ .play = play_new() };
	log_set_level(LOG_ERROR);
	w->conf = conf_load_text("test",
	                         SLICE("[common]\ndefault_domain = example.org\nhostname = store1\n"
	                               "[roost-store]\npop3_max_sessions = 2\n"),
	                         &schema, NULL, &err);
	test_check(w->conf != NULL, "%s", err.text);
	w->auth = fakeauth_new(play_loop(w->play), "example.org");
	fakeauth_add_user(w->auth, "fred", "p w", "store1");
	fakeauth_add_user(w->auth, "ann", "secret", "");
	fakeauth_add_identity(w->auth, "boss", "big", true);
	open_store(w);
	w->service = pop3_service_new(&(struct pop3_service_config){
		.loop = play_loop(w->play),
		.auth = w->auth,
		.conf = w->conf,
		.tls = (struct tls_ctx *)&fake_tls,
		.ops = &pop3_store_ops,
		.owner = w->store,
	});
	add_actors(w);
}

static void
world_fini(struct world *w)
{
	pop3_service_free(&w->service);
	fakenet_settle(play_loop(w->play));
	store_close(&w->store);
	auth_free(&w->auth);
	fakenet_settle(play_loop(w->play));
	play_free(&w->play);
	conf_free(&w->conf);
}

static void
play(const char *script)
{
	static const char *const pieces[] = { "split 0\n", "split 1\n", "split 7\n" };

	for (size_t i = 0; i < ARRAY_LEN(pieces); i++) {
		struct world w;

		world_init(&w);
		play_run(w.play, pieces[i]);
		play_run(w.play, script);
		world_fini(&w);
	}
}

#define CONNECT "client connects\nclient < +OK [XCLIENT] store1 POP3 ready.\n"
#define PASS "client > USER fred\nclient < +OK*\nclient > PASS p w\nclient < +OK Logged in.\n"
#define LOGIN CONNECT PASS

/* ---- logins -------------------------------------------------------------------------------------- */

TEST(a_login_and_a_goodbye)
{
	play(LOGIN "client > STAT\nclient < +OK 0 0\n"
	           "client > NOOP\nclient < +OK\n"
	           "client > USER fred\nclient < -ERR*\n"
	           "client > QUIT\nclient < +OK Bye.\nclient is closed\n");
}

TEST(wrong_and_unknown_are_the_same)
{
	play(CONNECT "client > USER fred\nclient < +OK*\n"
	             "client > PASS wrong\nclient < -ERR [AUTH] *\n"
	             "client > USER nobody\nclient < +OK*\n"
	             "client > PASS wrong\nclient < -ERR [AUTH] *\n"
	             "client > STAT\nclient < -ERR*\n"
	             "client > PASS p w\nclient < -ERR*\n" PASS);
}

TEST(sasl_plain_with_and_without_an_initial_response)
{
	play(CONNECT "client > AUTH PLAIN AGZyZWQAcCB3\nclient < +OK Logged in.\n"
	             "client > STAT\nclient < +OK 0 0\n");
	play(CONNECT "client > AUTH PLAIN\nclient < + *\n"
	             "client > *\nclient < -ERR*\n"
	             "client > AUTH PLAIN\nclient < + *\n"
	             "client > AGZyZWQAcCB3\nclient < +OK Logged in.\n");
	play(CONNECT "client > AUTH XYZ\nclient < -ERR*\n"
	             "client > AUTH PLAIN !!!\nclient < -ERR*\n");
}

TEST(without_tls_no_password_is_taken_from_afar)
{
	play("far connects\nfar < +OK store1 POP3 ready.\n"
	     "far > USER fred\nfar < -ERR*\n"
	     "far > CAPA\nfar < +OK*\nfar << STLS\nfar << .\n"
	     "far > STLS\nfar < +OK*\nfar starts tls\n"
	     "far > USER fred\nfar < +OK*\nfar > PASS p w\nfar < +OK Logged in.\n");
	play("secure connects\nsecure starts tls\nsecure < +OK store1 POP3 ready.\n"
	     "secure > USER fred\nsecure < +OK*\nsecure > PASS p w\nsecure < +OK Logged in.\n");
}

TEST(what_stands_behind_stls_ends_the_session)
{
	struct world w;

	world_init(&w);
	play_run(
		w.play,
		"far connects\nfar < +OK*\n"
		"far >> STLS\\r\\nUSER fred\\r\\n\nfar < -ERR There was text behind STLS.\nfar is closed\n");
	world_fini(&w);
}

TEST(a_directory_that_is_away_is_later)
{
	play("auth is away\n" CONNECT "client > USER fred\nclient < +OK*\n"
	     "client > PASS p w\nclient < -ERR [SYS/TEMP] *\n"
	     "auth is back\n" PASS);
}

/* A token: fakeauth.h. The claim of fred's INBOX is 5. */
TEST(who_lost_the_claim_refuses)
{
	/* fred NUL roost-proxy NUL token:fred:pop3:store1:5 */
	play(CONNECT
	     "client > AUTH PLAIN ZnJlZAByb29zdC1wcm94eQB0b2tlbjpmcmVkOnBvcDM6c3RvcmUxOjU=\n"
	     "client < +OK Logged in.\n");
	/* ...:4 */
	play(CONNECT
	     "client > AUTH PLAIN ZnJlZAByb29zdC1wcm94eQB0b2tlbjpmcmVkOnBvcDM6c3RvcmUxOjQ=\n"
	     "client < -ERR [SYS/TEMP] *\n");
}

TEST(an_admin_has_no_mail_of_his_own)
{
	/* NUL boss NUL big; fred NUL boss NUL big */
	play(CONNECT "client > AUTH PLAIN AGJvc3MAYmln\nclient < -ERR*\n"
	             "client > AUTH PLAIN ZnJlZABib3NzAGJpZw==\nclient < +OK Logged in.\n");
}

TEST(a_first_login_makes_the_inbox)
{
	play(CONNECT "client > USER ann\nclient < +OK*\nclient > PASS secret\n"
	             "client < +OK Logged in.\nclient > STAT\nclient < +OK 0 0\n");
}

TEST(too_many_sessions_are_told)
{
	play(CONNECT "second connects\nsecond < +OK*\n"
	             "third connects\nthird < -ERR [SYS/TEMP] Too many sessions.\n"
	             "third is closed\n");
}

TEST(who_does_not_log_in_or_falls_asleep_is_closed)
{
	play(CONNECT "wait 61s\nclient < -ERR [SYS/TEMP] *\nclient is closed\n");
	play("store gets Subject: a\\r\\n\\r\\nx\n" LOGIN "client > DELE 1\nclient < +OK*\n"
	     "wait 9m\nclient > NOOP\nclient < +OK\n"
	     "wait 11m\nclient is closed\nstore holds 1\n");
}

/* ---- the maildrop ---------------------------------------------------------------------------------- */

#define TWO                                                                                        \
	"store gets Subject: one\\r\\n\\r\\nfirst\\r\\n\nstore gets Subject: two\\r\\n\\r\\nsecond\\r\\n\n"

TEST(lists_and_sizes)
{
	play(TWO LOGIN
	     "client > STAT\nclient < +OK 2 47\n"
	     "client > LIST\nclient < +OK 2 messages (47 octets)\n"
	     "client < 1 23\nclient < 2 24\nclient < .\n"
	     "client > LIST 2\nclient < +OK 2 24\n"
	     "client > LIST 3\nclient < -ERR*\n"
	     "client > LIST 0\nclient < -ERR*\n"
	     "client > UIDL 1\nclient < +OK 1 *.1\n"
	     "client > UIDL\nclient < +OK*\nclient < 1 *.1\nclient < 2 *.2\nclient < .\n");
}

TEST(messages_come_byte_for_byte_and_stuffed)
{
	play("store gets Subject: dots\\r\\n\\r\\n.\\r\\n..two\\r\\nend\\r\\n\n" LOGIN
	     "client > RETR 1\nclient < +OK 32 octets\n"
	     "client < Subject: dots\nclient < \nclient < ..\nclient < ...two\nclient < end\n"
	     "client < .\nclient > RETR 2\nclient < -ERR*\n"
	     "client > STAT\nclient < +OK 1 32\n");
}

TEST(bare_line_ends_and_a_missing_last_one_are_made_whole)
{
	play("store gets Subject: a\\n\\nx\\ny\n" LOGIN "client > LIST 1\nclient < +OK 1 20\n"
	     "client > RETR 1\nclient < +OK 20 octets\n"
	     "client < Subject: a\nclient < \nclient < x\nclient < y\nclient < .\n");
}

TEST(top_gives_the_header_and_so_many_lines)
{
	play("store gets A: b\\r\\nC: d\\r\\n\\r\\n1\\r\\n.2\\r\\n3\\r\\n\n" LOGIN
	     "client > TOP 1 0\nclient < +OK\nclient < A: b\nclient < C: d\nclient < \nclient < .\n"
	     "client > TOP 1 2\nclient < +OK\nclient < A: b\nclient < C: d\nclient < \n"
	     "client < 1\nclient < ..2\nclient < .\n"
	     "client > TOP 1 99\nclient << 3\nclient < .\n"
	     "client > TOP 1\nclient < -ERR*\nclient > TOP 2 0\nclient < -ERR*\n");
}

TEST(a_message_without_a_body_and_an_empty_one)
{
	play("store gets A: b\\r\\n\nstore gets \\r\\n\n" LOGIN
	     "client > RETR 1\nclient < +OK*\nclient < A: b\nclient < .\n"
	     "client > TOP 1 5\nclient < +OK\nclient < A: b\nclient < .\n"
	     "client > RETR 2\nclient < +OK*\nclient < \nclient < .\n");
}

TEST(what_is_deleted_goes_at_the_end_and_not_before)
{
	play(TWO LOGIN "client > DELE 1\nclient < +OK*\n"
	               "client > DELE 1\nclient < -ERR*\nclient > RETR 1\nclient < -ERR*\n"
	               "client > STAT\nclient < +OK 1 24\n"
	               "client > LIST\nclient < +OK*\nclient < 2 24\nclient < .\n"
	               "client > RSET\nclient < +OK\nclient > STAT\nclient < +OK 2 47\n"
	               "client > DELE 2\nclient < +OK*\nstore holds 2\n"
	               "client > QUIT\nclient < +OK Bye.\nclient is closed\nstore holds 1\n");
	play(TWO LOGIN "client > DELE 1\nclient < +OK*\nclient closes\nstore holds 2\n");
}

TEST(two_sessions_are_in_one_maildrop)
{
	play(TWO LOGIN "second connects\nsecond < +OK*\nsecond > USER fred\nsecond < +OK*\n"
	               "second > PASS p w\nsecond < +OK Logged in.\n"
	               "second > DELE 1\nsecond < +OK*\nsecond > QUIT\nsecond < +OK Bye.\n"
	               "store holds 1\n"
	               "# numbers stay, the message is gone\n"
	               "client > STAT\nclient < +OK 2 47\n"
	               "client > RETR 1\nclient < -ERR*\n"
	               "client > RETR 2\nclient < +OK*\nclient << .\n"
	               "client > DELE 1\nclient < +OK*\nclient > QUIT\nclient < +OK Bye.\n");
}

TEST(new_mail_is_for_the_next_session)
{
	play(LOGIN "store gets A: b\\r\\n\\r\\n\n"
	           "client > STAT\nclient < +OK 0 0\nclient > RETR 1\nclient < -ERR*\n"
	           "store loses 1\nstore holds 0\nclient > QUIT\nclient < +OK Bye.\n");
}

TEST(commands_may_come_all_at_once)
{
	play(TWO LOGIN "client >> STAT\\r\\nRETR 1\\r\\nDELE 1\\r\\nQUIT\\r\\n\n"
	               "client < +OK 2 47\nclient < +OK 23 octets\nclient < Subject: one\n"
	               "client < \nclient < first\nclient < .\nclient < +OK*\n"
	               "client < +OK Bye.\nclient is closed\nstore holds 1\n");
}

TEST(a_slow_reader_of_a_large_message)
{
	struct world w;

	world_init(&w);
	play_run(w.play, "store gets 900000 bytes\n" LOGIN "client stops\n"
	                 "client > RETR 1\nclient > STAT\nwait 1m\n"
	                 "client reads\nclient < +OK 900000 octets\nclient < Subject: big\n"
	                 "client << .\nclient < +OK 1 900000\n");
	world_fini(&w);
}

TEST(a_drain_lets_who_is_in_finish)
{
	play(TWO LOGIN "second connects\nsecond < +OK*\n"
	               "drain begins\nsecond < -ERR [SYS/TEMP] *\nsecond is closed\n"
	               "drain is not over\nclient > DELE 1\nclient < +OK*\n"
	               "client > QUIT\nclient < +OK Bye.\nstore holds 1\ndrain is over\n");
}

TEST(a_front_end_tells_whom_it_speaks_for)
{
	play(CONNECT "client > XCLIENT ADDR=192.0.2.7 SESSION=abcdefgh\nclient < +OK*\n" PASS);
	play("far connects\nfar < +OK*\nfar > XCLIENT ADDR=192.0.2.7\nfar < -ERR*\n");
}
