/* Logins: TLS, LOGIN, AUTHENTICATE, the way to the home store, and what may go wrong. */
#include "world.h"

#include "lib/test.h"

#include <stdio.h>

TEST(login_leads_to_the_home_store)
{
	world_play(LOGIN "who is there 192.0.2.1 fred AUTHENTICATED store1 -\n"
	                 "client is silent\n");
}

TEST(login_byte_by_byte)
{
	world_play("split 1\n" LOGIN "client > b SELECT {5}\n"
	           "client < + Go ahead\n"
	           "client > INBOX\n"
	           "store1 < b SELECT \"INBOX\"\n");
}

TEST(authenticate_with_an_initial_response)
{
	world_play("client connects\n"
	           "client << * OK *\n"
	           "client > a authenticate plain AGZyZWQAcCB3\n" STORE_LOGIN
	           "client < a OK [CAPABILITY *] Logged in\n");
}

TEST(authenticate_with_a_challenge)
{
	world_play("client connects\n"
	           "client << * OK *\n"
	           "client > a AUTHENTICATE PLAIN\n"
	           "client < + *\n"
	           "client > *\n"
	           "client < a BAD AUTHENTICATE is cancelled\n"
	           "client > b AUTHENTICATE PLAIN\n"
	           "client < + *\n"
	           "client > !!!\n"
	           "client < b BAD This is not base64\n"
	           "client > c AUTHENTICATE PLAIN\n"
	           "client < + *\n"
	           "client > AGZyZWQAcCB3\n" STORE_LOGIN
	           "client < c OK [CAPABILITY *] Logged in\n");
}

TEST(login_by_literals)
{
	world_play("client connects\n"
	           "client << * OK *\n"
	           "client > a LOGIN {4}\n"
	           "client < + Go ahead\n"
	           "client > fred {3+}\n"
	           "client > p w\n" STORE_LOGIN "client < a OK [CAPABILITY *] Logged in\n");
}

TEST(wrong_passwords_end_the_connection)
{
	world_play("client connects\n"
	           "client << * OK *\n"
	           "client > a LOGIN fred wrong\n"
	           "client < a NO [AUTHENTICATIONFAILED] Wrong user name or password\n"
	           "client > b LOGIN nobody wrong\n"
	           "client < b NO [AUTHENTICATIONFAILED] Wrong user name or password\n"
	           "client > c AUTHENTICATE XYZZY\n"
	           "client < c NO [CANNOT] *\n"
	           "client > d AUTHENTICATE PLAIN AGZyZWQAbm8=\n"
	           "client < d NO [AUTHENTICATIONFAILED] *\n"
	           "client < * BYE Too many failed logins\n"
	           "client is closed\n");
}

TEST(commands_before_the_login)
{
	world_play("client connects\n"
	           "client << * OK *\n"
	           "client > a CAPABILITY\n"
	           "client < * CAPABILITY " STORE_CAPS " STARTTLS AUTH=PLAIN\n"
	           "client < a OK *\n"
	           "client > b NOOP\n"
	           "client < b OK *\n"
	           "client > c ID (\"name\" {3+}\n"
	           "client > x y)\n"
	           "client < * ID (\"name\" \"Roost\")\n"
	           "client < c OK *\n"
	           "client > d SELECT INBOX\n"
	           "client < d BAD Log in first\n"
	           "client > e APPEND INBOX {12+}\n"
	           "client >> f LOGOUT\\r\\n12\\r\\n\n"
	           "client < e BAD Log in first\n"
	           "client > f APPEND INBOX {12}\n"
	           "client < f BAD Log in first\n"
	           "client > g NAMESPACE\n"
	           "client < g BAD Log in first\n"
	           "client > h LOGOUT\n"
	           "client < * BYE Goodbye\n"
	           "client < h OK Logged out\n"
	           "client is closed\n");
}

TEST(a_line_before_the_login_is_short)
{
	struct world w;
	char line[40000];

	world_init(&w);
	memset(line, 'x', sizeof(line) - 1);
	memcpy(line, "client > a ID ", 14);
	line[sizeof(line) - 1] = '\0';
	play_run(w.play, "client connects\nclient << * OK *\n");
	play_run(w.play, line);
	play_run(w.play, "client < * BYE a line is too long\nclient is closed\n");
	world_fini(&w);
}

TEST(rubbish_ends_the_connection)
{
	world_play("client connects\n"
	           "client << * OK *\n"
	           "client > GET / HTTP/1.0\n"
	           "client < GET BAD unknown command\n"
	           "client >> \\r\\n\\r\\n\\r\\n\\r\\n\\r\\n\\r\\n\\r\\n\\r\\n\\r\\n\\r\\n\\r\\n\n"
	           "client << * BYE Too many commands that are none\n"
	           "client is closed\n");
}

TEST(no_password_without_tls_from_afar)
{
	world_play("far connects\n"
	           "far < * OK [CAPABILITY * STARTTLS LOGINDISABLED] *\n"
	           "far > a LOGIN fred \"p w\"\n"
	           "far < a NO [PRIVACYREQUIRED] *\n"
	           "far > b AUTHENTICATE PLAIN AGZyZWQAcCB3\n"
	           "far < b NO [PRIVACYREQUIRED] *\n"
	           "far > c STARTTLS\n"
	           "far < c OK Begin TLS now\n"
	           "far starts tls\n"
	           "far > d CAPABILITY\n"
	           "far < * CAPABILITY * AUTH=PLAIN\n"
	           "far < d OK *\n"
	           "far > e STARTTLS\n"
	           "far < e BAD *\n"
	           "far > f LOGIN fred \"p w\"\n"
	           "store1 accepts\n");
}

TEST(bytes_behind_starttls_end_the_connection)
{
	world_play("far connects\n"
	           "far << * OK *\n"
	           "far >> c STARTTLS\\r\\nd NOOP\\r\\n\n"
	           "far << c OK *\n"
	           "far is closed\n");
}

TEST(tls_from_the_first_byte)
{
	world_play("secure connects\n"
	           "secure is silent\n"
	           "secure starts tls\n"
	           "secure < * OK [CAPABILITY * AUTH=PLAIN] *\n"
	           "secure > a LOGIN fred \"p w\"\n"
	           "store1 accepts\n");
}

TEST(a_login_must_come_in_time)
{
	world_play("client connects\n"
	           "client << * OK *\n"
	           "wait 30s\n"
	           "client > a NOOP\n"
	           "client < a OK *\n"
	           "wait 31s\n"
	           "client < * BYE The login took too long\n"
	           "client is closed\n");
}

/* ---- later ------------------------------------------------------------------------------------- */

TEST(no_directory_is_later)
{
	world_play("client connects\n"
	           "client << * OK *\n"
	           "auth is away\n"
	           "client > a LOGIN fred \"p w\"\n"
	           "client < a NO [UNAVAILABLE] *\n"
	           "auth is back\n"
	           "client > a LOGIN fred \"p w\"\n" STORE_LOGIN
	           "client < a OK [CAPABILITY *] Logged in\n");
}

TEST(no_map_is_later)
{
	world_play("client connects\n"
	           "client << * OK *\n"
	           "map says later\n"
	           "client > a LOGIN fred \"p w\"\n"
	           "client < a NO [UNAVAILABLE] *\n"
	           "map says none\n"
	           "client > b LOGIN fred \"p w\"\n"
	           "client < b NO [CONTACTADMIN] *\n"
	           "who is there 192.0.2.1 - LOGIN - -\n");
}

TEST(a_store_that_cannot_be_reached_is_later)
{
	world_play("client connects\n"
	           "client << * OK *\n"
	           "store1 refuses\n"
	           "client > a LOGIN fred \"p w\"\n"
	           "client < a NO [UNAVAILABLE] *\n"
	           "store1 blackholes\n"
	           "client > b LOGIN fred \"p w\"\n"
	           "wait 6s\n"
	           "client < b NO [UNAVAILABLE] *\n"
	           "store1 listens\n"
	           "client > c LOGIN fred \"p w\"\n"
	           "store1 accepts\n"
	           "wait 11s\n"
	           "client < c NO [UNAVAILABLE] *\n"
	           "client > d LOGIN fred \"p w\"\n"
	           "store1 accepts\n"
	           "store1 > * BYE not now\n"
	           "client < d NO [UNAVAILABLE] *\n"
	           "map says at deaf\n"
	           "client > e LOGIN fred \"p w\"\n"
	           "client < e NO [UNAVAILABLE] *\n");
}

TEST(a_client_that_leaves_during_the_login)
{
	world_play("client connects\n"
	           "client << * OK *\n"
	           "client > a LOGIN fred \"p w\"\n"
	           "store1 accepts\n"
	           "client closes\n"
	           "store1 is closed\n"
	           "who is there \n");
}

TEST(a_store_that_preauthenticates_is_not_believed)
{
	world_play("client connects\n"
	           "client << * OK *\n"
	           "client > a LOGIN fred \"p w\"\n"
	           "store1 accepts\n"
	           "store1 > * PREAUTH hello\n"
	           "client < a NO [UNAVAILABLE] *\n"
	           "store1 is closed\n");
}

TEST(a_store_out_of_step_during_the_login)
{
	world_play("client connects\n"
	           "client << * OK *\n"
	           "client > a LOGIN fred \"p w\"\n"
	           "store1 accepts\n"
	           "store1 > * OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN] hi\n"
	           "store1 < R1 AUTHENTICATE *\n"
	           "store1 > R7 OK you are in\n"
	           "client < a NO [UNAVAILABLE] *\n");
}

/* A fenced store, or one the user has left. */
TEST(a_refusal_asks_the_map_again)
{
	world_play("client connects\n"
	           "client << * OK *\n"
	           "client > a LOGIN fred \"p w\"\n"
	           "map then says at store2 8\n"
	           "store1 accepts\n"
	           "store1 > * OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN] hi\n"
	           "store1 < R1 AUTHENTICATE *\n"
	           "store1 > R1 NO [UNAVAILABLE] not under this claim\n"
	           "map was asked 1\n"
	           "store2 accepts\n"
	           "store2 > * OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN] hi\n"
	           "store2 < R1 AUTHENTICATE PLAIN "
	           "ZnJlZAByb29zdC1wcm94eQB0b2tlbjpmcmVkOmltYXA6c3RvcmUyOjg=\n"
	           "store2 > R1 OK [CAPABILITY IMAP4rev1] in\n"
	           "client < a OK [CAPABILITY IMAP4rev1 LITERAL+ SASL-IR ID] *\n"
	           "who is there 192.0.2.1 fred AUTHENTICATED store2 -\n");
}

TEST(a_refusal_that_stands_is_later)
{
	world_play("client connects\n"
	           "client << * OK *\n"
	           "client > a LOGIN fred \"p w\"\n"
	           "store1 accepts\n"
	           "store1 > * OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN] hi\n"
	           "store1 < R1 AUTHENTICATE *\n"
	           "store1 > R1 NO [AUTHENTICATIONFAILED] who?\n"
	           "map was asked 1\n"
	           "client < a NO [UNAVAILABLE] *\n"
	           "client > b LOGIN fred \"p w\"\n"
	           "store1 accepts\n"
	           "store1 > * OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN] hi\n"
	           "store1 < R1 AUTHENTICATE *\n"
	           "store1 > R1 NO [LIMIT] too many\n"
	           "client < b NO [LIMIT] *\n");
}

/* ---- kinds of stores ------------------------------------------------------------------------------ */

TEST(a_store_that_says_little)
{
	world_play("client connects\n"
	           "client << * OK *\n"
	           "client > a LOGIN fred \"p w\"\n"
	           "store1 accepts\n"
	           "store1 > * OK hi\n"
	           "store1 < R1 CAPABILITY\n"
	           "store1 > * CAPABILITY IMAP4rev1 AUTH=PLAIN\n"
	           "store1 > R1 OK\n"
	           "store1 < R2 AUTHENTICATE PLAIN\n"
	           "store1 > + \n"
	           "store1 < ZnJlZA*\n"
	           "store1 > R2 OK in\n"
	           "store1 < R3 CAPABILITY\n"
	           "store1 > * CAPABILITY IMAP4rev1 IDLE X-NEW\n"
	           "store1 > R3 OK\n"
	           "client < a OK [CAPABILITY IMAP4rev1 LITERAL+ SASL-IR ID IDLE] *\n"
	           "client > b UNSELECT\n"
	           "client < b BAD unknown command\n"
	           "second connects\n"
	           "second < * OK [CAPABILITY IMAP4rev1 LITERAL+ SASL-IR ID IDLE "
	           "STARTTLS AUTH=PLAIN] *\n");
}

TEST(rights_are_known_in_any_order)
{
	static const struct {
		const char *theirs, *ours;
	} rows[] = {
		{ "ACL RIGHTS=texk", "ACL RIGHTS=kxte" },  /* Dovecot */
		{ "ACL RIGHTS=kxten", "ACL RIGHTS=kxte" }, /* Cyrus */
		{ "ACL RIGHTS=kxt", "ACL" },
		{ "ACL RIGHTS=", "ACL" },
		{ "ACL XRIGHTS=kxte", "ACL" },
	};
	char script[1000];

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		snprintf(script, sizeof(script),
		         "client connects\n"
		         "client << * OK *\n"
		         "client > a LOGIN fred \"p w\"\n"
		         "store1 accepts\n"
		         "store1 > * OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN] hi\n"
		         "store1 < R1 AUTHENTICATE *\n"
		         "store1 > R1 OK [CAPABILITY IMAP4rev1 %s] in\n"
		         "client < a OK [CAPABILITY IMAP4rev1 LITERAL+ SASL-IR ID %s] *\n",
		         rows[i].theirs, rows[i].ours);
		world_play(script);
	}
}

TEST(another_server_has_its_own_namespace)
{
	world_play_with(
		"[server other]\nkind = imap\nimap = 127.0.0.1:5143\n",
		"client connects\n"
		"client < * OK [CAPABILITY IMAP4rev1 LITERAL+ SASL-IR ID STARTTLS AUTH=PLAIN] *\n"
		"map says at other\n"
		"client > a LOGIN fred \"p w\"\n"
		"other accepts\n"
		"other > * OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN] hi\n"
		"other < R1 AUTHENTICATE *\n"
		"other > R1 OK [CAPABILITY IMAP4rev1 NAMESPACE] in\n"
		"client < a OK [CAPABILITY IMAP4rev1 LITERAL+ SASL-IR ID NAMESPACE] *\n"
		"client > b NAMESPACE\n"
		"other < b NAMESPACE\n"
		"other > * NAMESPACE ((\"INBOX.\" \".\")) NIL NIL\n"
		"other > b OK\n"
		"client < * NAMESPACE ((\"INBOX.\" \".\")) NIL NIL\n"
		"client < b OK\n"
		"client > c CREATE INBOX..x\n"
		"other < c CREATE \"INBOX..x\"\n");
}

static const char other_and_ours[] =
	"client connects\n"
	"client << * OK *\n"
	"map says at other\n"
	"client > a LOGIN fred \"p w\"\n"
	"other accepts\n"
	"other > * OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN] hi\n"
	"other < R1 AUTHENTICATE *\n"
	"other > R1 OK [CAPABILITY IMAP4rev1 IDLE] in\n"
	"client < a OK [CAPABILITY IMAP4rev1 LITERAL+ SASL-IR ID IDLE] *\n"
	"second connects\n"
	"second << * OK *\n"
	"map says at store1\n"
	"second > a LOGIN fred \"p w\"\n"
	"store1 accepts\n"
	"store1 > * OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN] hi\n"
	"store1 < R1 AUTHENTICATE *\n"
	"store1 > R1 OK [CAPABILITY IMAP4rev1 IDLE ACL] in\n"
	"second < a OK [CAPABILITY IMAP4rev1 LITERAL+ SASL-IR ID IDLE%s] *\n";

TEST(what_a_store_out_of_the_list_lacks_is_nothing_to_others)
{
	char script[4096];

	snprintf(script, sizeof(script), other_and_ours, "");
	world_play_with("[server other]\nkind = imap\nimap = 127.0.0.1:5143\n", script);
	snprintf(script, sizeof(script), other_and_ours, " ACL");
	world_play_with("[server other]\nkind = imap\nlisted = no\nimap = 127.0.0.1:5143\n",
	                script);
}

TEST(credentials_go_only_inside_tls_where_it_is_wanted)
{
	world_play("client connects\n"
	           "client << * OK *\n"
	           "map says at secret\n"
	           "client > a LOGIN fred \"p w\"\n"
	           "secret accepts\n"
	           "secret > * OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN] hi\n"
	           "secret < R1 STARTTLS\n"
	           "secret > R1 NO not today\n"
	           "secret is closed\n"
	           "client < a NO [UNAVAILABLE] *\n"
	           "client > b LOGIN fred \"p w\"\n"
	           "secret accepts\n"
	           "secret > * OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN] hi\n"
	           "secret < R1 STARTTLS\n"
	           "secret > R1 OK\n"
	           "secret starts tls\n"
	           "secret < R2 CAPABILITY\n"
	           "secret > * CAPABILITY IMAP4rev1 AUTH=PLAIN\n"
	           "secret > R2 OK\n"
	           "secret < R3 AUTHENTICATE PLAIN\n");
}

TEST(answers_in_clear_behind_starttls_are_not_believed)
{
	world_play("client connects\n"
	           "client << * OK *\n"
	           "map says at secret\n"
	           "client > a LOGIN fred \"p w\"\n"
	           "secret accepts\n"
	           "secret > * OK hi\n"
	           "secret < R1 STARTTLS\n"
	           "secret >> R1 OK\\r\\n* CAPABILITY IMAP4rev1 AUTH=PLAIN\\r\\nR2 OK\\r\\n\n"
	           "client < a NO [UNAVAILABLE] *\n");
}

TEST(too_many_sessions)
{
	world_play("client connects\n"
	           "second connects\n"
	           "third connects\n"
	           "far connects\n"
	           "far < * BYE [UNAVAILABLE] *\n"
	           "far is closed\n"
	           "third closes\n"
	           "far connects\n"
	           "far << * OK *\n");
}
