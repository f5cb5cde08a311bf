/* Logging in: LOGIN, AUTHENTICATE, STARTTLS, ID; who may, where to, and for how long. */
#include "world.h"

#include "lib/test.h"

#include <stdio.h>

#define GREETING "client connects\nclient < * OK [CAPABILITY *] store1 Roost IMAP ready\n"
#define FAR_GREETING "far connects\nfar < * OK [CAPABILITY *] store1 Roost IMAP ready\n"

TEST(a_user_logs_in_and_out)
{
	world_play("client connects\n"
	           "client < * OK [CAPABILITY IMAP4rev1 * STARTTLS AUTH=PLAIN] store1 Roost IMAP "
	           "ready\n"
	           "client > a1 CAPABILITY\n"
	           "client < * CAPABILITY IMAP4rev1 * APPENDLIMIT=2097152 STARTTLS AUTH=PLAIN\n"
	           "client < a1 OK *\n"
	           "client > a2 login fred {3}\n"
	           "client < + *\n"
	           "client > p w\n"
	           "client < a2 OK [CAPABILITY IMAP4rev1 * APPENDLIMIT=2097152] Logged in\n"
	           "who is there 127.0.0.1 fred AUTHENTICATED -\n"
	           "client > a3 LOGIN fred x\n"
	           "client < a3 BAD You have logged in already\n"
	           "client > a4 LOGOUT\n"
	           "client < * BYE *\n"
	           "client < a4 OK *\n"
	           "client is closed\n");
}

TEST(a_first_login_makes_inbox_and_folders)
{
	world_play(GREETING "client > a LOGIN ann secret\n"
	                    "client < a OK *\n"
	                    "client > b LIST \"\" *\n"
	                    "client < * LIST (\\\\HasNoChildren) \"/\" INBOX\n"
	                    "client < * LIST (\\\\HasNoChildren \\\\Sent) \"/\" Sent\n"
	                    "client < * LIST (\\\\HasNoChildren \\\\Trash) \"/\" Trash\n"
	                    "client < b OK *\n"
	                    "client > c LSUB \"\" *\n"
	                    "client < * LSUB () \"/\" INBOX\n"
	                    "client < * LSUB () \"/\" Sent\n"
	                    "client < * LSUB () \"/\" Trash\n"
	                    "client < c OK *\n");
}

TEST(a_user_of_another_store_gets_no_mailboxes_here)
{
	world_play(GREETING "client > a LOGIN away secret\n"
	                    "client < a NO [UNAVAILABLE] *\n"
	                    "client > b LOGIN fred \"p w\"\n"
	                    "client < b OK *\n");
}

TEST(authenticate_plain)
{
	world_play(GREETING "client > a AUTHENTICATE PLAIN\n"
	                    "client < +*\n"
	                    "client > AGZyZWQAcCB3\n"
	                    "client < a OK *\n");
	world_play(GREETING "client > a AUTHENTICATE plain AGZyZWQAcCB3\n"
	                    "client < a OK [CAPABILITY *] Logged in\n");
	world_play(GREETING "client > a AUTHENTICATE PLAIN\n"
	                    "client < +*\n"
	                    "client > *\n"
	                    "client < a BAD *\n"
	                    "client > b AUTHENTICATE PLAIN\n"
	                    "client < +*\n"
	                    "client > no base64!\n"
	                    "client < b BAD *\n"
	                    "client > c AUTHENTICATE PLAIN AGZyZWQAcCB3=\n"
	                    "client < c BAD *\n"
	                    "client > d AUTHENTICATE NONE\n"
	                    "client < d NO [CANNOT] *\n"
	                    "client > e AUTHENTICATE PLAIN =\n"
	                    "client < e BAD *\n"
	                    "client > f AUTHENTICATE PLAIN AGZyZWQAbm9wZQ==\n"
	                    "client < f NO [AUTHENTICATIONFAILED] *\n"
	                    "client > g AUTHENTICATE PLAIN AGZyZWQAbm9wZQ==\n"
	                    "client < g NO [AUTHENTICATIONFAILED] *\n"
	                    "client < * BYE *\n"
	                    "client is closed\n");
}

TEST(three_wrong_passwords_and_goodbye)
{
	world_play(GREETING "client > a LOGIN fred wrong\n"
	                    "client < a NO [AUTHENTICATIONFAILED] *\n"
	                    "client > b LOGIN nobody \"p w\"\n"
	                    "client < b NO [AUTHENTICATIONFAILED] *\n"
	                    "client > c LOGIN fred wrong\n"
	                    "client < c NO [AUTHENTICATIONFAILED] *\n"
	                    "client < * BYE *\n"
	                    "client is closed\n");
}

TEST(who_cannot_be_checked_is_told_to_come_later)
{
	world_play("auth is away\n" GREETING "client > a LOGIN fred \"p w\"\n"
	           "client < a NO [UNAVAILABLE] *\n"
	           "auth is back\n"
	           "client > b LOGIN fred \"p w\"\n"
	           "client < b OK *\n");
	world_play("auth is silent\n" GREETING "client > a LOGIN fred \"p w\"\n"
	           "client > b NOOP\n"
	           "client is silent\n"
	           "wait 59s\n"
	           "client is silent\n"
	           "wait 2s\n"
	           "client < * BYE *\n"
	           "client is closed\n");
}

TEST(passwords_only_inside_tls)
{
	world_play("far connects\n"
	           "far < * OK [CAPABILITY * STARTTLS LOGINDISABLED] *\n"
	           "far > a LOGIN fred \"p w\"\n"
	           "far < a NO [PRIVACYREQUIRED] *\n"
	           "far > b AUTHENTICATE PLAIN AGZyZWQAcCB3\n"
	           "far < b NO [PRIVACYREQUIRED] *\n"
	           "far > c STARTTLS\n"
	           "far < c OK *\n"
	           "far starts tls\n"
	           "far > d CAPABILITY\n"
	           "far < * CAPABILITY * APPENDLIMIT=2097152 AUTH=PLAIN\n"
	           "far < d OK *\n"
	           "far > e STARTTLS\n"
	           "far < e BAD *\n"
	           "far > f LOGIN fred \"p w\"\n"
	           "far < f OK *\n");
	world_play("secure connects\n"
	           "secure is silent\n"
	           "secure starts tls\n"
	           "secure < * OK [CAPABILITY * AUTH=PLAIN] *\n"
	           "secure > a LOGIN fred \"p w\"\n"
	           "secure < a OK *\n");
}

TEST(bytes_behind_starttls_end_the_session)
{
	struct world w;

	world_init(&w, "");
	play_run(w.play, FAR_GREETING "far >> a STARTTLS\\r\\nb LOGIN fred \"p w\"\\r\\n\n"
	                              "far < a OK *\n"
	                              "far is closed\n"
	                              "who is there\n");
	world_fini(&w);
}

TEST(commands_in_the_wrong_state)
{
	world_play(GREETING "client > a SELECT INBOX\n"
	                    "client < a BAD Log in first\n"
	                    "client > b FETCH 1 FLAGS\n"
	                    "client < b BAD Log in first\n"
	                    "client > c APPEND INBOX {10}\n"
	                    "client < c BAD Log in first\n"
	                    "client > d APPEND INBOX {4+}\n"
	                    "client > a x y\n"
	                    "client < d BAD Log in first\n"
	                    "client > e LOGIN fred \"p w\"\n"
	                    "client < e OK *\n"
	                    "client > f FETCH 1 FLAGS\n"
	                    "client < f BAD No mailbox is selected\n"
	                    "client > g CLOSE\n"
	                    "client < g BAD No mailbox is selected\n"
	                    "client > h STARTTLS\n"
	                    "client < h BAD *\n"
	                    "client > i AUTHENTICATE PLAIN\n"
	                    "client < i BAD *\n");
}

/* As frontend-imap/imap/leg.c speaks. */
TEST(a_front_end_speaks_for_a_user)
{
	world_play(GREETING "client > R1 ID (\"name\" \"Roost\" \"x-originating-ip\" \"192.0.2.7\" "
	                    "\"x-session-id\" \"abcdefghijklmnop\")\n"
	                    "client < * ID (\"name\" \"Roost\")\n"
	                    "client < R1 OK *\n"
	                    "session is called abcdefghijklmnop\n"
	                    "client > R2 AUTHENTICATE PLAIN "
	                    "ZnJlZAByb29zdC1wcm94eQB0b2tlbjpmcmVkOmltYXA6c3RvcmUxOjA=\n"
	                    "client < R2 OK *\n"
	                    "who is there 192.0.2.7 fred AUTHENTICATED -\n");
}

#define CLAIM_0 "ZnJlZAByb29zdC1wcm94eQB0b2tlbjpmcmVkOmltYXA6c3RvcmUxOjA="
#define CLAIM_7 "ZnJlZAByb29zdC1wcm94eQB0b2tlbjpmcmVkOmltYXA6c3RvcmUxOjc="

/* Promise 5. */
TEST(a_claim_that_is_not_ours_is_refused)
{
	world_play(GREETING "client > a AUTHENTICATE PLAIN " CLAIM_7 "\n"
	                    "client < a NO [UNAVAILABLE] *\n"
	                    "client > b AUTHENTICATE PLAIN " CLAIM_0 "\n"
	                    "client < b OK *\n"
	                    "client closes\n"
	                    "store gives claim 8\n" GREETING
	                    "client > c AUTHENTICATE PLAIN " CLAIM_7 "\n"
	                    "client < c NO [UNAVAILABLE] *\n"
	                    "store gives claim 7\n"
	                    "client > d AUTHENTICATE PLAIN " CLAIM_7 "\n"
	                    "client < d OK *\n");
}

#define GUEST                                                                                      \
	"ZnJlZAByb29zdC1wcm94eQB0b2tlbjpmcmVkOmlt"                                                 \
	"YXA6c3RvcmUxOjE4NDQ2NzQ0MDczNzA5NTUxNjE1"

/* He is here for the mailboxes of others; none of his own is looked for, nor made. */
TEST(a_guest_has_no_mailbox_here)
{
	world_play(GREETING "client > a AUTHENTICATE PLAIN " GUEST "\n"
	                    "client < a OK *\n"
	                    "client > b STATUS INBOX (MESSAGES)\n"
	                    "client < b NO [NONEXISTENT] *\n");
}

TEST(admins_act_for_users_and_have_no_mail)
{
	world_play(GREETING "client > a AUTHENTICATE PLAIN AGJvc3MAYmln\n"
	                    "client < a NO [AUTHENTICATIONFAILED] *\n"
	                    "client > b AUTHENTICATE PLAIN bm9ib2R5AGJvc3MAYmln\n"
	                    "client < b NO *\n"
	                    "client > c AUTHENTICATE PLAIN ZnJlZABib3NzAGJpZw==\n"
	                    "client < c OK *\n"
	                    "who is there 127.0.0.1 fred AUTHENTICATED -\n");
}

TEST(id_is_taken_from_trusted_networks_only)
{
	world_play(FAR_GREETING "far > a ID (\"x-originating-ip\" \"192.0.2.7\")\n"
	                        "far < * ID *\n"
	                        "far < a OK *\n"
	                        "who is there 198.51.100.1 - LOGIN -\n");
	world_play(GREETING "client > a ID (\"x-originating-ip\" \"no address\" \"x-session-id\" "
	                    "\"b\\\\\\\\ad\" \"os\" NIL)\n"
	                    "client < * ID *\n"
	                    "client < a OK *\n"
	                    "who is there 127.0.0.1 - LOGIN -\n"
	                    "client > n ID (\"x-originating-ip\" \"192.0.2.0/24\" \"x-session-id\" "
	                    "\"a+b/c=\")\n"
	                    "client < * ID *\n"
	                    "client < n OK *\n"
	                    "who is there 127.0.0.1 - LOGIN -\n"
	                    "session is called a+b/c=\n"
	                    "client > b ID NIL\n"
	                    "client < * ID *\n"
	                    "client < b OK *\n"
	                    "client > c ID\n"
	                    "client < c BAD *\n"
	                    "client > d ID (\"odd\")\n"
	                    "client < d BAD *\n");
}

TEST(a_login_that_takes_too_long)
{
	world_play(GREETING "wait 40s\n"
	                    "client > a NOOP\n"
	                    "client < a OK *\n"
	                    "wait 21s\n"
	                    "client < * BYE *\n"
	                    "client is closed\n");
}

TEST(a_client_that_says_nothing_is_sent_away)
{
	world_play_logged_in("wait 29m\n"
	                     "client > a NOOP\n"
	                     "client < a OK *\n"
	                     "wait 29m\n"
	                     "client is silent\n"
	                     "wait 2m\n"
	                     "client < * BYE *\n"
	                     "client is closed\n");
}

TEST(too_many_sessions)
{
	world_play(GREETING "second connects\n"
	                    "second < * OK *\n"
	                    "third connects\n"
	                    "third < * OK *\n"
	                    "far connects\n"
	                    "far < * BYE [UNAVAILABLE] *\n"
	                    "far is closed\n");
}

TEST(a_drain_sends_away_who_does_nothing)
{
	world_play(GREETING "second connects\n"
	                    "second < * OK *\n"
	                    "second > a LOGIN fred \"p w\"\n"
	                    "second < a OK *\n"
	                    "second > b APPEND INBOX {5}\n"
	                    "second < + *\n"
	                    "third connects\n"
	                    "third < * OK *\n"
	                    "third > a LOGIN fred \"p w\"\n"
	                    "third < a OK *\n"
	                    "third > b IDLE\n"
	                    "third < + idling\n"
	                    "drain begins\n"
	                    "client < * BYE [UNAVAILABLE] *\n"
	                    "client is closed\n"
	                    "third < * BYE [UNAVAILABLE] *\n"
	                    "third is closed\n"
	                    "drain is not over\n"
	                    "second > abcde\n"
	                    "second < b OK [APPENDUID *\n"
	                    "second < * BYE [UNAVAILABLE] *\n"
	                    "second is closed\n"
	                    "drain is over\n");
	world_play("drain begins\n"
	           "drain is over\n"
	           "client connects\n"
	           "client < * BYE [UNAVAILABLE] *\n"
	           "client is closed\n");
}

TEST(who_sends_no_more_still_gets_the_last_answer)
{
	struct world w;

	world_init(&w, "");
	play_run(w.play, GREETING "client > a LOGIN fred \"p w\"\n"
	                          "client ends\n"
	                          "client << a OK *\n"
	                          "client is closed\n"
	                          "who is there\n");
	world_fini(&w);
}

TEST(sessions_end_at_any_point)
{
	static const char *const ends[] = { "client closes\n", "client resets\n" };
	static const char *const lines[] = {
		"client > a LOGIN fred {3}\n",
		"client > a AUTHENTICATE PLAIN\n",
		"auth is silent\nclient > a LOGIN fred \"p w\"\n",
		"client > a LOGIN ann secret\n",
		"client >> a LOGIN ann secret\\r\\nb SELECT INBOX\\r\\nc IDLE\\r\\n\n",
		"client >> a LOGIN ann secret\\r\\nb APPEND INBOX {9+}\\r\\nabc\n",
	};
	char script[1000];

	for (size_t i = 0; i < ARRAY_LEN(lines) * ARRAY_LEN(ends); i++) {
		snprintf(script, sizeof(script), GREETING "%s%swait 31s\nwho is there\n",
		         lines[i / 2], ends[i % 2]);
		world_play(script);
	}
}
