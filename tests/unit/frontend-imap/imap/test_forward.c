/* After the login: commands to the store and responses to the client. */
#include "world.h"

#include "lib/test.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- answered here ------------------------------------------------------------------------------ */

TEST(what_is_answered_without_the_store)
{
	world_play(LOGIN "client > b CAPABILITY\n"
	                 "client < * CAPABILITY " STORE_CAPS "\n"
	                 "client < b OK *\n"
	                 "client > c NAMESPACE\n"
	                 "client < * NAMESPACE ((\"\" \"/\")) ((\"Other Users/\" \"/\")) "
	                 "((\"Shared Folders/\" \"/\"))\n"
	                 "client < c OK *\n"
	                 "client > d NOOP\n"
	                 "client < d OK *\n"
	                 "client > e ID NIL\n"
	                 "client < * ID *\n"
	                 "client < e OK *\n"
	                 "client > f LOGIN fred x\n"
	                 "client < f BAD You have logged in already\n"
	                 "client > g ENABLE X-NEW\n"
	                 "client < * ENABLED\n"
	                 "client < g OK *\n"
	                 "client > h XYZZY {5+}\n"
	                 "client > 12345\n"
	                 "client < h BAD unknown command\n"
	                 "client > i NOOP x\n"
	                 "client < i BAD *\n"
	                 "store1 is silent\n"
	                 "client > j LOGOUT\n"
	                 "client < * BYE *\n"
	                 "client < j OK *\n"
	                 "client is closed\n"
	                 "store1 < R3 LOGOUT\n"
	                 "store1 is closed\n");
}

TEST(noop_in_a_mailbox_asks_its_store)
{
	world_play(SELECTED "client > b NOOP\n"
	                    "store1 < b NOOP\n"
	                    "store1 > * 4 EXISTS\n"
	                    "store1 > b OK\n"
	                    "client < * 4 EXISTS\n"
	                    "client < b OK\n"
	                    "client > c CLOSE\n"
	                    "store1 < c CLOSE\n"
	                    "store1 > c OK\n"
	                    "client < c OK\n"
	                    "client > d NOOP\n"
	                    "client < d OK *\n"
	                    "store1 is silent\n");
}

TEST(enable_is_asked_of_the_store)
{
	world_play(LOGIN "client > b ENABLE QRESYNC condstore\n"
	                 "store1 < b ENABLE CONDSTORE\n"
	                 "store1 > * ENABLED CONDSTORE\n"
	                 "store1 > b OK\n"
	                 "client < * ENABLED CONDSTORE\n"
	                 "client < b OK\n");
}

/* ---- to the store -------------------------------------------------------------------------------- */

TEST(commands_are_written_anew)
{
	world_play(LOGIN "client > b select \"A \\\\\"b\" (CONDSTORE)\n"
	                 "store1 < b SELECT \"A *b\" (CONDSTORE)\n"
	                 "store1 > b NO [NONEXISTENT] none\n"
	                 "client < b NO [NONEXISTENT] none\n"
	                 "client > c RENAME {3+}\n"
	                 "client > a b {1}\n"
	                 "client < + Go ahead\n"
	                 "client > c\n"
	                 "store1 < c RENAME \"a b\" \"c\"\n"
	                 "client > d list \"\" \"a*\"\n"
	                 "store1 < d LIST \"\" \"a*\"\n"
	                 "client > e uid copy 1:3 Sent\n"
	                 "store1 < e UID COPY 1:3 \"Sent\"\n"
	                 "client > f uid fetch 1:* (FLAGS BODY.PEEK[HEADER.FIELDS (TO)])\n"
	                 "store1 < f UID FETCH 1:* (FLAGS BODY.PEEK[HEADER.FIELDS (TO)])\n");
}

TEST(what_is_found_is_told_of_the_selected_mailbox_only)
{
	world_play(SELECTED "client > b UID SEARCH RETURN (MIN COUNT) UNSEEN\n"
	                    "store1 < b UID SEARCH RETURN (MIN COUNT) UNSEEN\n"
	                    "store1 > * ESEARCH (TAG \"b\") UID MIN 3 COUNT 2\n"
	                    "store1 > b OK done\n"
	                    "client < * ESEARCH (TAG \"b\") UID MIN 3 COUNT 2\n"
	                    "client < b OK done\n");
	world_play(LOGIN "client > b STATUS x (MESSAGES)\n"
	                 "store1 < b STATUS \"x\" (MESSAGES)\n"
	                 "store1 > * ESEARCH (TAG \"b\") COUNT 2\n"
	                 "store1 > b OK done\n"
	                 "client < b OK done\n");
}

/* A store may have one of the algorithms only: it knows which. */
TEST(each_way_to_make_threads_is_announced_by_itself)
{
	world_play("client connects\n"
	           "client << * OK *\n"
	           "client > a LOGIN fred \"p w\"\n"
	           "store1 accepts\n"
	           "store1 > * OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN] hi\n"
	           "store1 < R1 AUTHENTICATE *\n"
	           "store1 > R1 OK [CAPABILITY IMAP4rev1 THREAD=ORDEREDSUBJECT] in\n"
	           "client < a OK [CAPABILITY IMAP4rev1 LITERAL+ SASL-IR ID "
	           "THREAD=ORDEREDSUBJECT] *\n"
	           "client > b SELECT inbox\n"
	           "store1 < b SELECT \"inbox\"\n"
	           "store1 > b OK done\n"
	           "client < b OK done\n"
	           "client > c UID THREAD ORDEREDSUBJECT UTF-8 ALL\n"
	           "store1 < c UID THREAD ORDEREDSUBJECT UTF-8 ALL\n"
	           "store1 > * THREAD (1 2)(3)\n"
	           "store1 > c OK done\n"
	           "client < * THREAD (1 2)(3)\n"
	           "client < c OK done\n"
	           "client > d SORT (DATE) UTF-8 ALL\n"
	           "client < d BAD unknown command\n");
}

TEST(quotas_are_the_stores_business)
{
	world_play(LOGIN "client > b GETQUOTAROOT inbox\n"
	                 "store1 < b GETQUOTAROOT \"inbox\"\n"
	                 "store1 > * QUOTAROOT INBOX INBOX\n"
	                 "store1 > * QUOTA INBOX (STORAGE 1 10)\n"
	                 "store1 > b OK done\n"
	                 "client < * QUOTAROOT INBOX INBOX\n"
	                 "client < * QUOTA INBOX (STORAGE 1 10)\n"
	                 "client < b OK done\n"
	                 "client > c GETQUOTA INBOX\n"
	                 "store1 < c GETQUOTA \"INBOX\"\n"
	                 "client > d SETQUOTA INBOX (STORAGE 20)\n"
	                 "store1 < d SETQUOTA \"INBOX\" (STORAGE 20)\n");
}

TEST(names_that_cannot_be_stay_here)
{
	world_play(LOGIN "client > b CREATE a//b\n"
	                 "client < b NO [CANNOT] *\n"
	                 "client > c STATUS a/../b (MESSAGES)\n"
	                 "client < c NO [NONEXISTENT] *\n"
	                 "client > d APPEND &&&& {10+}\n"
	                 "client > 1234567890\n"
	                 "client < d NO [NONEXISTENT] *\n"
	                 "client > e CREATE {2+}\n"
	                 "client > \\xc3\\xa4\n"
	                 "client < e BAD *\n"
	                 "store1 is silent\n"
	                 "client > f CREATE a/\n"
	                 "store1 < f CREATE \"a/\"\n");
}

TEST(pipelined_commands)
{
	world_play(LOGIN "client >> b SELECT INBOX\\r\\nc FETCH 1:3 FLAGS\\r\\nd NOOP\\r\\ne "
	                 "CAPABILITY\\r\\n\n"
	                 "store1 < b SELECT \"INBOX\"\n"
	                 "store1 < c FETCH 1:3 FLAGS\n"
	                 "store1 is silent\n"
	                 "client is silent\n"
	                 "store1 > b OK\n"
	                 "store1 > * 1 FETCH (FLAGS ())\n"
	                 "store1 > c OK\n"
	                 "store1 < d NOOP\n"
	                 "store1 > d OK\n"
	                 "client < b OK\n"
	                 "client < * 1 FETCH (FLAGS ())\n"
	                 "client < c OK\n"
	                 "client < d OK\n"
	                 "client < * CAPABILITY *\n"
	                 "client < e OK *\n");
}

TEST(pipelined_behind_the_login)
{
	world_play("client connects\n"
	           "client << * OK *\n"
	           "client >> a LOGIN fred \"p w\"\\r\\nb SELECT INBOX\\r\\n\n" STORE_LOGIN
	           "client < a OK *\n"
	           "store1 < b SELECT \"INBOX\"\n");
}

TEST(more_commands_than_fit_in_flight)
{
	struct world w;
	char line[64];

	world_init(&w);
	play_run(w.play, LOGIN);
	for (int i = 0; i < 200; i++) {
		snprintf(line, sizeof(line), "client > t%d LIST \"\" x", i);
		play_run(w.play, line);
	}
	for (int i = 0; i < 200; i++) {
		snprintf(line, sizeof(line), "store1 < t%d LIST \"\" x", i);
		play_run(w.play, line);
		if (i == 63)
			play_run(w.play, "store1 is silent");
		if (i >= 63) {
			snprintf(line, sizeof(line), "store1 > t%d OK", i - 63);
			play_run(w.play, line);
			snprintf(line, sizeof(line), "client < t%d OK", i - 63);
			play_run(w.play, line);
		}
	}
	world_fini(&w);
}

TEST(a_message_waits_for_the_store)
{
	world_play(LOGIN "client > b APPEND Sent (\\\\Seen) {5}\n"
	                 "store1 < b APPEND \"Sent\" (*Seen) {5}\n"
	                 "client is silent\n"
	                 "store1 > + go\n"
	                 "client < + go\n"
	                 "client >> hel\n"
	                 "client >> lo\\r\\n\n"
	                 "store1 < hello\n"
	                 "store1 > b OK\n"
	                 "client < b OK\n");
}

TEST(a_message_is_streamed_with_any_literal)
{
	world_play(LOGIN "client > b APPEND Sent {5}\n"
	                 "store1 < b APPEND \"Sent\" {5}\n"
	                 "store1 > + go\n"
	                 "client < + go\n"
	                 "client > hello {2+}\n"
	                 "client > ab\n"
	                 "store1 < hello {2+}\n"
	                 "store1 < ab\n"
	                 "store1 > b OK [APPENDUID 1 2:3] done\n"
	                 "client < b OK [APPENDUID 1 2:3] done\n");
}

TEST(a_message_the_store_does_not_want)
{
	world_play(LOGIN "client > b APPEND Sent {5}\n"
	                 "store1 < b APPEND \"Sent\" {5}\n"
	                 "store1 > b NO [TRYCREATE] none\n"
	                 "client < b NO [TRYCREATE] none\n"
	                 "client > c LIST \"\" x\n"
	                 "store1 < c LIST \"\" x\n"
	                 "client > d APPEND Sent {5+}\n"
	                 "client >> 12\n"
	                 "store1 < d APPEND \"Sent\" {5+}\n"
	                 "store1 > d NO [TRYCREATE] none\n"
	                 "client < d NO [TRYCREATE] none\n"
	                 "client > 345\n"
	                 "store1 < 12345\n"
	                 "client > e LIST \"\" x\n"
	                 "store1 < e LIST \"\" x\n");
}

TEST(an_early_answer_that_leaves_the_client_waiting)
{
	world_play(LOGIN "client > b APPEND x {5+}\n"
	                 "client >> 12\n"
	                 "store1 < b APPEND \"x\" {5+}\n"
	                 "store1 > b NO [TRYCREATE] none\n"
	                 "client < b NO [TRYCREATE] none\n"
	                 "client > 345 {5}\n"
	                 "client is silent\n"
	                 "client > c NOOP\n"
	                 "client < c OK *\n");
}

TEST(a_store_without_literal_plus)
{
	world_play("client connects\n"
	           "client << * OK *\n"
	           "client > a LOGIN fred \"p w\"\n"
	           "store1 accepts\n"
	           "store1 > * OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN] hi\n"
	           "store1 < R1 AUTHENTICATE *\n"
	           "store1 > R1 OK [CAPABILITY IMAP4rev1] in\n"
	           "client << a OK *\n"
	           "client > b APPEND Sent {5+}\n"
	           "client > hello\n"
	           "store1 < b APPEND \"Sent\" {5}\n"
	           "store1 is silent\n"
	           "store1 > + go\n"
	           "client is silent\n"
	           "store1 < hello\n"
	           "store1 > b OK\n"
	           "client < b OK\n"
	           "client > c APPEND Sent {5+}\n"
	           "client > hello {4+}\n"
	           "client > more\n"
	           "client > d LIST \"\" x\n"
	           "store1 < c APPEND \"Sent\" {5}\n"
	           "store1 > c NO [TRYCREATE] none\n"
	           "client < c NO [TRYCREATE] none\n"
	           "store1 < d LIST \"\" x\n");
}

TEST(a_command_that_turns_bad_behind_its_literal)
{
	world_play(LOGIN "client > b APPEND Sent {5+}\n"
	                 "client > hello\"\n"
	                 "store1 < b APPEND \"Sent\" {5+}\n"
	                 "store1 < hello (\n"
	                 "store1 > b BAD what?\n"
	                 "client < b BAD a quoted string *\n"
	                 "client > c LIST \"\" x\n"
	                 "store1 < c LIST \"\" x\n");
}

/* A line of a script that makes the client say exactly this. */
static void
write_raw(char *line, size_t room, const char *text, size_t n)
{
	int at = snprintf(line, room, "client >> ");

	for (size_t i = 0; i < n; i++)
		at += snprintf(line + at, room - (size_t)at, "\\x%02x", (unsigned char)text[i]);
}

TEST(every_cut_of_a_message)
{
	static const char text[] = "b APPEND Sent (\\Seen) {5+}\r\nhello {3+}\r\nyou\r\nc "
				   "STATUS {1+}\r\nx (UIDNEXT)\r\n";
	struct world w;

	for (size_t cut = 1; cut < sizeof(text); cut++) {
		char first[400], second[400];

		write_raw(first, sizeof(first), text, cut);
		write_raw(second, sizeof(second), text + cut, sizeof(text) - 1 - cut);
		world_init(&w);
		play_run(w.play, LOGIN);
		play_run(w.play, first);
		if (cut < sizeof(text) - 1)
			play_run(w.play, second);
		play_run(w.play, "store1 < b APPEND \"Sent\" (*Seen) {5+}\n"
		                 "store1 < hello {3+}\n"
		                 "store1 < you\n"
		                 "store1 < c STATUS \"x\" (UIDNEXT)\n"
		                 "store1 is silent\n");
		world_fini(&w);
	}
}

/* ---- to the client -------------------------------------------------------------------------------- */

TEST(what_a_store_may_not_say_stays_away)
{
	world_play(SELECTED "client > b FETCH 1 BODY[]\n"
	                    "store1 > * CAPABILITY IMAP4rev1 QUOTA\n"
	                    "store1 > * OK [CAPABILITY IMAP4rev1 QUOTA] x\n"
	                    "store1 > * ID (\"name\" {3}\n"
	                    "store1 > abc)\n"
	                    "store1 > * NAMESPACE NIL NIL NIL\n"
	                    "store1 > * 1 FETCH (BODY[] {13}\n"
	                    "store1 > b OK hello\n"
	                    "store1 > )\n"
	                    "store1 > b OK [CAPABILITY IMAP4rev1 QUOTA] done\n"
	                    "client < * 1 FETCH (BODY[] {13}\n"
	                    "client < b OK hello\n"
	                    "client < )\n"
	                    "client < b OK done\n"
	                    "client is silent\n");
}

TEST(our_own_words_wait_for_the_end_of_a_response)
{
	world_play(SELECTED "client > b FETCH 1 BODY[]\n"
	                    "store1 < b FETCH 1 BODY[]\n"
	                    "store1 > * 1 FETCH (BODY[] {10}\n"
	                    "store1 >> 123\n"
	                    "client > c XYZZY\n"
	                    "client > d SELECT {5}\n"
	                    "store1 > 4567890 FLAGS ())\n"
	                    "client < * 1 FETCH (BODY[] {10}\n"
	                    "client < 1234567890 FLAGS ())\n"
	                    "client < c BAD unknown command\n"
	                    "client < + Go ahead\n"
	                    "client > INBOX\n"
	                    "store1 > b OK\n"
	                    "client < b OK\n"
	                    "store1 < d SELECT \"INBOX\"\n");
}

TEST(a_reply_to_nobody_ends_the_leg)
{
	world_play(LOGIN "store1 > x OK hello\n"
	                 "store1 is closed\n"
	                 "client is silent\n"
	                 "client > b LIST \"\" x\n" STORE_LOGIN "store1 < b LIST \"\" x\n"
	                 "store1 > + what?\n"
	                 "store1 is closed\n"
	                 "client < * NO *\n"
	                 "client < b NO [UNAVAILABLE] *\n");
}

TEST(unasked_news_of_a_mailbox)
{
	world_play(LOGIN "store1 > * 5 EXISTS\n"
	                 "client is silent\n"
	                 "client > s SELECT INBOX\n"
	                 "store1 > s OK\n"
	                 "client < s OK\n"
	                 "store1 > * 5 EXISTS\n"
	                 "client < * 5 EXISTS\n");
}

/* ---- idle ------------------------------------------------------------------------------------------ */

TEST(idle_passes_through)
{
	world_play(SELECTED "client > b IDLE\n"
	                    "store1 < b IDLE\n"
	                    "client is silent\n"
	                    "store1 > + idling\n"
	                    "client < + idling\n"
	                    "wait 20m\n"
	                    "store1 > * 4 EXISTS\n"
	                    "client < * 4 EXISTS\n"
	                    "client > done\n"
	                    "store1 < DONE\n"
	                    "client > c NOOP\n"
	                    "store1 is silent\n"
	                    "store1 > b OK\n"
	                    "client < b OK\n"
	                    "store1 < c NOOP\n");
}

TEST(idle_sent_in_one_go)
{
	world_play(SELECTED "client >> b IDLE\\r\\nDONE\\r\\nc NOOP\\r\\n\n"
	                    "store1 < b IDLE\n"
	                    "store1 is silent\n"
	                    "store1 > + \n"
	                    "store1 < DONE\n"
	                    "store1 > b OK\n"
	                    "store1 < c NOOP\n");
}

TEST(idle_refused)
{
	world_play(SELECTED "client > b IDLE\n"
	                    "store1 > b NO not now\n"
	                    "client < b NO not now\n"
	                    "client > c NOOP\n"
	                    "store1 << c NOOP\n");
}

TEST(idle_ended_by_something_else)
{
	world_play(SELECTED "client > b IDLE\n"
	                    "store1 > + \n"
	                    "client > c NOOP\n"
	                    "store1 << DONE\n"
	                    "store1 > b OK\n"
	                    "client < +*\n"
	                    "client < b BAD IDLE ends with DONE\n"
	                    "client > d NOOP\n"
	                    "store1 < d NOOP\n");
}

TEST(idle_ended_by_the_store)
{
	world_play(SELECTED "client > b IDLE\n"
	                    "store1 > + \n"
	                    "store1 > b OK enough\n"
	                    "client < +*\n"
	                    "client < b OK enough\n"
	                    "client > DONE\n"
	                    "client > c NOOP\n"
	                    "store1 << c NOOP\n");
}

TEST(idle_for_ever_is_ended)
{
	world_play(SELECTED "client > b IDLE\n"
	                    "store1 > + \n"
	                    "client < +*\n"
	                    "wait 31m\n"
	                    "client < * BYE Idle for too long\n"
	                    "client is closed\n");
}

/* ---- amounts --------------------------------------------------------------------------------------- */

#define BIG ((size_t)10 << 20)

/* A store, or client, that counts; reads as long as it is told. */
struct sink {
	struct conn *conn;
	size_t got;
};

static void
sink_input(void *ctx)
{
	struct sink *k = ctx;
	struct slice in = conn_input(k->conn);

	k->got += in.n;
	conn_consume(k->conn, in.n);
}

static void
sink_end(UNUSED void *ctx, UNUSED enum conn_end why)
{
}

static const struct conn_handler sink_handler = { .on_input = sink_input, .on_end = sink_end };

static void
on_sink(void *ctx, struct conn **c)
{
	struct sink *k = ctx;

	k->conn = *c;
	*c = NULL;
	conn_set_handler(k->conn, &sink_handler, k);
}

static void
say(struct conn *c, const char *text)
{
	conn_write(c, slice_of(text));
}

TEST(a_big_message_does_not_pile_up)
{
	struct world w;
	struct sink store = { 0 };
	struct conn *client, *server;
	struct sink k = { 0 };
	char *block = calloc(1, BIG);
	size_t at_rest;

	world_init(&w);
	fakenet_listen(play_loop(w.play), "127.0.0.1:1143", on_sink, &store);
	fakenet_pair(play_loop(w.play), "192.0.2.1:1", "127.0.0.1:143", &client, &server);
	on_sink(&k, &client);
	imap_session_start(w.proxy, &server, false);
	say(k.conn, "a LOGIN fred \"p w\"\r\n");
	fakenet_settle(play_loop(w.play));
	say(store.conn, "* OK [CAPABILITY IMAP4rev1 LITERAL+ SASL-IR AUTH=PLAIN] hi\r\n");
	fakenet_settle(play_loop(w.play));
	say(store.conn, "R1 OK [CAPABILITY IMAP4rev1 LITERAL+] in\r\n");
	fakenet_settle(play_loop(w.play));
	say(k.conn, "b APPEND x {10485760+}\r\n");
	fakenet_settle(play_loop(w.play));
	store.got = 0;
	conn_pause_input(store.conn);
	conn_write(k.conn, slice_make(block, BIG));
	fakenet_settle(play_loop(w.play));
	/* what left the client is somewhere in our memory: it must be little */
	at_rest = BIG - conn_output_bytes(k.conn);
	test_check(at_rest < (size_t)400 << 10, "%zu bytes in between", at_rest);
	conn_resume_input(store.conn);
	fakenet_settle(play_loop(w.play));
	assert_int_equal(store.got, BIG);
	free(block);
	conn_free(&k.conn);
	conn_free(&store.conn);
	world_fini(&w);
}

TEST(a_big_response_does_not_pile_up)
{
	struct world w;
	struct sink store = { 0 }, k = { 0 };
	struct conn *client, *server;
	char *block = calloc(1, BIG);
	size_t at_rest;

	world_init(&w);
	fakenet_listen(play_loop(w.play), "127.0.0.1:1143", on_sink, &store);
	fakenet_pair(play_loop(w.play), "192.0.2.1:1", "127.0.0.1:143", &client, &server);
	on_sink(&k, &client);
	imap_session_start(w.proxy, &server, false);
	say(k.conn, "a LOGIN fred \"p w\"\r\n");
	fakenet_settle(play_loop(w.play));
	say(store.conn, "* OK [CAPABILITY IMAP4rev1 LITERAL+ SASL-IR AUTH=PLAIN] hi\r\n");
	fakenet_settle(play_loop(w.play));
	say(store.conn, "R1 OK [CAPABILITY IMAP4rev1 LITERAL+] in\r\n");
	fakenet_settle(play_loop(w.play));
	say(k.conn, "s SELECT INBOX\r\n");
	fakenet_settle(play_loop(w.play));
	say(store.conn, "s OK\r\n");
	fakenet_settle(play_loop(w.play));
	say(k.conn, "b FETCH 1 BODY[]\r\n");
	fakenet_settle(play_loop(w.play));
	k.got = 0;
	conn_pause_input(k.conn);
	say(store.conn, "* 1 FETCH (BODY[] {10485760}\r\n");
	conn_write(store.conn, slice_make(block, BIG));
	say(store.conn, ")\r\nb OK\r\n");
	fakenet_settle(play_loop(w.play));
	at_rest = BIG - conn_output_bytes(store.conn);
	test_check(at_rest < (size_t)400 << 10, "%zu bytes in between", at_rest);
	/* the client's slowness is not the store's fault */
	fakenet_advance(play_loop(w.play), 300000);
	conn_resume_input(k.conn);
	fakenet_settle(play_loop(w.play));
	assert_int_equal(k.got, BIG + strlen("* 1 FETCH (BODY[] {10485760}\r\n)\r\nb OK\r\n"));
	free(block);
	conn_free(&k.conn);
	conn_free(&store.conn);
	world_fini(&w);
}

/* ---- drain ----------------------------------------------------------------------------------------- */

TEST(a_drain_lets_commands_end)
{
	world_play(LOGIN "second connects\n"
	                 "client > b LIST \"\" x\n"
	                 "store1 < b LIST \"\" x\n"
	                 "drain begins\n"
	                 "second << * BYE [UNAVAILABLE] *\n"
	                 "second is closed\n"
	                 "drain is not over\n"
	                 "store1 > b OK\n"
	                 "client < b OK\n"
	                 "client < * BYE [UNAVAILABLE] *\n"
	                 "client is closed\n"
	                 "drain is over\n");
}

TEST(who_is_replaced_by_a_reload_lets_clients_stay)
{
	world_play(LOGIN "second connects\n"
	                 "drain begins gently\n"
	                 "second << * OK *\n"
	                 "second is silent\n"
	                 "client > b LIST \"\" x\n"
	                 "store1 < b LIST \"\" x\n"
	                 "store1 > b OK\n"
	                 "client < b OK\n"
	                 "client is silent\n"
	                 "second closes\n"
	                 "drain is not over\n"
	                 "client > c LOGOUT\n"
	                 "client < * BYE *\n"
	                 "client < c OK *\n"
	                 "drain is over\n");
}
