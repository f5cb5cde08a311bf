/* SELECT, EXAMINE, CLOSE, UNSELECT, IDLE, ENABLE, NAMESPACE: the selected mailbox. */
#include "world.h"

#include "lib/test.h"

/* RFC 3501 section 6.3.1 */
TEST(what_SELECT_tells)
{
	world_play_logged_in(
		"client > a APPEND INBOX (\\\\Seen $Forwarded) {5+}\n"
		"client > hello\n"
		"client < a OK [APPENDUID *\n"
		"client > b APPEND INBOX {5+}\n"
		"client > world\n"
		"client < b OK *\n"
		"client > c SELECT inbox\n"
		"client < * FLAGS (*Answered *Flagged *Deleted *Seen *Draft $Forwarded)\n"
		"client < * OK [PERMANENTFLAGS (*Answered *Flagged *Deleted *Seen *Draft $Forwarded *)] *\n"
		"client < * 2 EXISTS\n"
		"client < * 2 RECENT\n"
		"client < * OK [UNSEEN 2] *\n"
		"client < * OK [UIDVALIDITY *] *\n"
		"client < * OK [UIDNEXT 3] *\n"
		"client < * OK [HIGHESTMODSEQ *] *\n"
		"client < c OK [READ-WRITE] *\n"
		"who is there 127.0.0.1 fred SELECTED user.fred\n"
		"client > d EXAMINE INBOX\n"
		"client << * OK [PERMANENTFLAGS ()] *\n"
		"client < * 2 EXISTS\n"
		"client < * 0 RECENT\n"
		"client << d OK [READ-ONLY] *\n"
		"client > e STORE 1 +FLAGS (\\\\Deleted)\n"
		"client < e NO [READ-ONLY] *\n"
		"client > f EXPUNGE\n"
		"client < f NO [READ-ONLY] *\n"
		"client > g SELECT INBOX x\n"
		"client < g BAD *\n"
		"client > h SELECT INBOX (FOO)\n"
		"client < h BAD *\n"
		"client > i NOOP\n"
		"client < i OK *\n"
		"who is there 127.0.0.1 fred SELECTED user.fred\n"
		"client > j SELECT nothing\n"
		"client < j NO [NONEXISTENT] *\n"
		"who is there 127.0.0.1 fred AUTHENTICATED -\n"
		"client > k FETCH 1 FLAGS\n"
		"client < k BAD *\n");
}

TEST(CLOSE_expunges_in_silence_and_UNSELECT_does_not)
{
	world_play_selected("client > a APPEND INBOX (\\\\Deleted) {1+}\n"
	                    "client > x\n"
	                    "client < * 1 EXISTS\n"
	                    "client < * 1 RECENT\n"
	                    "client < a OK *\n"
	                    "client > b UNSELECT\n"
	                    "client < b OK *\n"
	                    "store holds user.fred 1\n"
	                    "client > c EXAMINE INBOX\n"
	                    "client << c OK *\n"
	                    "client > d CLOSE\n"
	                    "client < d OK *\n"
	                    "store holds user.fred 1\n"
	                    "client > e SELECT INBOX\n"
	                    "client << e OK *\n"
	                    "client > f CLOSE\n"
	                    "client < f OK *\n"
	                    "store holds user.fred 0\n"
	                    "client > g CLOSE\n"
	                    "client < g BAD *\n"
	                    "client > h UNSELECT\n"
	                    "client < h BAD *\n");
}

TEST(a_mailbox_that_goes_while_it_is_selected)
{
	world_play_selected("client > a CREATE Work\n"
	                    "client < a OK *\n"
	                    "client > b SELECT Work\n"
	                    "client << b OK *\n"
	                    "client > c DELETE Work\n"
	                    "client < c OK *\n"
	                    "who is there 127.0.0.1 fred AUTHENTICATED -\n"
	                    "client > d CREATE Work\n"
	                    "client < d OK *\n"
	                    "client > e SELECT Work\n"
	                    "client << e OK *\n"
	                    "client > e2 RENAME Work Play\n"
	                    "client < e2 OK *\n"
	                    "who is there 127.0.0.1 fred SELECTED user.fred.Play\n"
	                    "second connects\n"
	                    "second < * OK *\n"
	                    "second > a LOGIN fred \"p w\"\n"
	                    "second < a OK *\n"
	                    "second > b SELECT Play\n"
	                    "second << b OK *\n"
	                    "second > c IDLE\n"
	                    "second < + idling\n"
	                    "third connects\n"
	                    "third < * OK *\n"
	                    "third > a LOGIN fred \"p w\"\n"
	                    "third < a OK *\n"
	                    "third > b DELETE Play\n"
	                    "third < b OK *\n"
	                    "second < * BYE *\n"
	                    "second is closed\n"
	                    "client > f NOOP\n"
	                    "client < f OK *\n"
	                    "client < * BYE *\n"
	                    "client is closed\n");
}

/* RFC 2177 */
TEST(IDLE_tells_at_once)
{
	world_play_selected("client > a IDLE\n"
	                    "client < + idling\n"
	                    "who is there 127.0.0.1 fred IDLE user.fred\n"
	                    "second connects\n"
	                    "second < * OK *\n"
	                    "second > a LOGIN fred \"p w\"\n"
	                    "second < a OK *\n"
	                    "second > b APPEND INBOX {1+}\n"
	                    "second > x\n"
	                    "second < b OK *\n"
	                    "client < * 1 EXISTS\n"
	                    "client < * 1 RECENT\n"
	                    "second > c SELECT INBOX\n"
	                    "second << c OK *\n"
	                    "second > d STORE 1 +FLAGS.SILENT (\\\\Deleted)\n"
	                    "second < d OK *\n"
	                    "client < * 1 FETCH (FLAGS (*Deleted *Recent))\n"
	                    "second > e EXPUNGE\n"
	                    "second < * 1 EXPUNGE\n"
	                    "second < e OK *\n"
	                    "client < * 1 EXPUNGE\n"
	                    "client > done\n"
	                    "client < a OK *\n"
	                    "client > b IDLE\n"
	                    "client < + idling\n"
	                    "wait 119s\n"
	                    "client is silent\n"
	                    "wait 2s\n"
	                    "client < * OK Still here\n"
	                    "client > NOOP\n"
	                    "client < b BAD *\n"
	                    "client > c IDLE x\n"
	                    "client < c BAD *\n"
	                    "client > d IDLE\n"
	                    "client < + idling\n"
	                    "wait 29m\n"
	                    "client << * OK Still here\n"
	                    "client >> DONE\\r\\ne NOOP\\r\\n\n"
	                    "client << d OK *\n"
	                    "client < e OK *\n"
	                    "client > f IDLE\n"
	                    "client < + idling\n"
	                    "wait 31m\n"
	                    "client << * BYE *\n"
	                    "client is closed\n");
}

TEST(IDLE_without_a_mailbox)
{
	world_play_logged_in("client > a IDLE\n"
	                     "client < + idling\n"
	                     "client > DONE\n"
	                     "client < a OK *\n");
}

/* RFC 7162 section 3.1 */
TEST(CONDSTORE_is_enabled_by_use)
{
	world_play_logged_in("client > a ENABLE\n"
	                     "client < a BAD *\n"
	                     "client > b ENABLE FOO\n"
	                     "client < * ENABLED\n"
	                     "client < b OK *\n"
	                     "client > c SELECT INBOX\n"
	                     "client << c OK *\n"
	                     "client > d APPEND INBOX {1+}\n"
	                     "client > x\n"
	                     "client << d OK *\n"
	                     "client > e ENABLE condstore X-BAR\n"
	                     "client < * ENABLED CONDSTORE\n"
	                     "client < * OK [HIGHESTMODSEQ *] *\n"
	                     "client < e OK *\n"
	                     "client > f STORE 1 +FLAGS (\\\\Seen)\n"
	                     "client < * 1 FETCH (*MODSEQ (*)*)\n"
	                     "client < f OK *\n"
	                     "client > g ENABLE CONDSTORE\n"
	                     "client < * ENABLED CONDSTORE\n"
	                     "client < g OK *\n");
}

TEST(a_STATUS_of_HIGHESTMODSEQ_enables_it_too)
{
	world_play_selected("client > a STATUS INBOX (HIGHESTMODSEQ)\n"
	                    "client < * OK [HIGHESTMODSEQ *] *\n"
	                    "client < * STATUS INBOX (HIGHESTMODSEQ *)\n"
	                    "client < a OK *\n"
	                    "client > b STATUS INBOX (HIGHESTMODSEQ)\n"
	                    "client < * STATUS INBOX (HIGHESTMODSEQ *)\n"
	                    "client < b OK *\n"
	                    "client > c SELECT INBOX (CONDSTORE)\n"
	                    "client << c OK *\n");
}

TEST(small_commands)
{
	world_play_logged_in("client > a NAMESPACE\n"
	                     "client < * NAMESPACE ((\"\" \"/\")) ((\"Other Users/\" \"/\")) "
	                     "((\"Shared Folders/\" \"/\"))\n"
	                     "client < a OK *\n"
	                     "client > b NAMESPACE x\n"
	                     "client < b BAD *\n"
	                     "client > c CHECK\n"
	                     "client < c BAD *\n"
	                     "client > d SELECT INBOX\n"
	                     "client << d OK *\n"
	                     "client > e CHECK\n"
	                     "client < e OK *\n"
	                     "client > f NOOP 1\n"
	                     "client < f BAD *\n"
	                     "client > g CAPABILITY\n"
	                     "client < * CAPABILITY IMAP4rev1 *\n"
	                     "client < g OK *\n"
	                     "client > h LOGOUT now\n"
	                     "client < h BAD *\n");
}

TEST(pipelined_commands_are_carried_out_one_after_the_other)
{
	world_play_selected(
		"client >> a APPEND INBOX {1+}\\r\\nx\\r\\nb STORE 1 +FLAGS (\\\\Flagged)\\r\\nc COPY 1 Sent\\r\\nd SELECT Sent\\r\\ne SEARCH FLAGGED\\r\\nf LOGOUT\\r\\n\n"
		"client < * 1 EXISTS\n"
		"client < * 1 RECENT\n"
		"client < a OK *\n"
		"client < * 1 FETCH (FLAGS (*Flagged *Recent))\n"
		"client < b OK *\n"
		"client < c OK [COPYUID *\n"
		"client << * 1 EXISTS\n"
		"client << d OK *\n"
		"client < * SEARCH 1\n"
		"client < e OK *\n"
		"client < * BYE *\n"
		"client < f OK *\n"
		"client is closed\n");
}
