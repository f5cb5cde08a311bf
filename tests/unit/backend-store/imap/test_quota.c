/* Quotas as an IMAP client meets them: RFC 9208. */
#include "world.h"

#include "lib/test.h"

/* fred, by the admin boss */
#define BOSS                                                                                       \
	"second connects\n"                                                                        \
	"second < * OK *\n"                                                                        \
	"second > a AUTHENTICATE PLAIN ZnJlZABib3NzAGJpZw==\n"                                     \
	"second < a OK [CAPABILITY * QUOTA QUOTA=RES-STORAGE QUOTA=RES-MESSAGE*QUOTASET*] *\n"
#define FULL "NO [OVERQUOTA] This is more than the quota allows\n"

TEST(who_has_no_limits_has_no_root)
{
	world_play_logged_in("client > a GETQUOTAROOT INBOX\n"
	                     "client < * QUOTAROOT INBOX\n"
	                     "client < a OK *\n"
	                     "client > b GETQUOTA INBOX\n"
	                     "client < * QUOTA INBOX ()\n"
	                     "client < b OK *\n");
}

TEST(limits_and_usage_are_shown)
{
	world_play_logged_in("store gives quota user.fred 10240 100\n"
	                     "client > a GETQUOTAROOT INBOX\n"
	                     "client < * QUOTAROOT INBOX INBOX\n"
	                     "client < * QUOTA INBOX (STORAGE 0 10 MESSAGE 0 100)\n"
	                     "client < a OK *\n"
	                     "client > b APPEND Sent {5+}\n"
	                     "client > hello\n"
	                     "client < b OK *\n"
	                     "client > c GETQUOTA inbox\n"
	                     "client < * QUOTA INBOX (STORAGE 1 10 MESSAGE 1 100)\n"
	                     "client < c OK *\n"
	                     "client > d GETQUOTA {9+}\n"
	                     "client > user.fred\n"
	                     "client < * QUOTA INBOX (STORAGE 1 10 MESSAGE 1 100)\n"
	                     "client < d OK *\n"
	                     "client > e GETQUOTAROOT \"not there\"\n"
	                     "client < * QUOTAROOT \"not there\" INBOX\n"
	                     "client < * QUOTA INBOX (STORAGE 1 10 MESSAGE 1 100)\n"
	                     "client < e OK *\n"
	                     "store gives quota user.fred -1 3\n"
	                     "client > f GETQUOTA INBOX\n"
	                     "client < * QUOTA INBOX (MESSAGE 1 3)\n"
	                     "client < f OK *\n"
	                     "store gives quota user.fred 2000 -1\n"
	                     "client > g GETQUOTA INBOX\n"
	                     "client < * QUOTA INBOX (STORAGE 1 1)\n"
	                     "client < g OK *\n"
	                     /* what is below a root is none itself */
	                     "client > h GETQUOTA Sent\n"
	                     "client < h NO [NONEXISTENT] *\n"
	                     "client > i GETQUOTA none\n"
	                     "client < i NO [NONEXISTENT] *\n");
}

TEST(what_is_not_ones_own_needs_the_right_to_read_it)
{
	world_play_logged_in(
		"second connects\n"
		"second < * OK *\n"
		"second > a LOGIN ann secret\n"
		"second < a OK *\n"
		"store gives quota user.fred 10240 -1\n"
		"second > b GETQUOTA user.fred\n"
		"second < b NO [NONEXISTENT] *\n"
		"second > c GETQUOTAROOT \"Other Users/fred\"\n"
		"second < c NO [NONEXISTENT] *\n"
		"second > d GETQUOTAROOT \"Other Users/fred/new\"\n"
		"second < d NO [NONEXISTENT] *\n"
		"store gives acl user.fred.Sent ann|lr|\n"
		"second > e GETQUOTAROOT \"Other Users/fred/Sent\"\n"
		"second < * QUOTAROOT \"Other Users/fred/Sent\" \"Other Users/fred\"\n"
		"second < * QUOTA \"Other Users/fred\" (STORAGE 0 10)\n"
		"second < e OK *\n"
		"store makes lists\n"
		"store makes lists.a\n"
		"store gives quota lists -1 7\n"
		"second > f GETQUOTAROOT \"Shared Folders/lists/a\"\n"
		"second < * QUOTAROOT \"Shared Folders/lists/a\" \"Shared Folders/lists\"\n"
		"second < * QUOTA \"Shared Folders/lists\" (MESSAGE 0 7)\n"
		"second < f OK *\n"
		"second > g GETQUOTA \"Shared Folders/lists\"\n"
		"second < * QUOTA \"Shared Folders/lists\" (MESSAGE 0 7)\n"
		"second < g OK *\n"
		"store gives acl lists anyone|l|\n"
		"second > h GETQUOTA \"Shared Folders/lists\"\n"
		"second < h NO [NONEXISTENT] *\n");
}

TEST(a_name_that_is_hidden_answers_as_one_that_is_not_there)
{
	world_play_logged_in("store gives quota user.fred 10240 -1\n"
	                     "store gives acl user.fred ann|lr|\n"
	                     "store gives acl user.fred.Sent fred|lr|\n"
	                     "second connects\n"
	                     "second < * OK *\n"
	                     "second > a LOGIN ann secret\n"
	                     "second < a OK *\n"
	                     "second > b GETQUOTAROOT \"Other Users/fred/none\"\n"
	                     "second < * QUOTAROOT \"Other Users/fred/none\" \"Other Users/fred\"\n"
	                     "second < * QUOTA \"Other Users/fred\" (STORAGE 0 10)\n"
	                     "second < b OK *\n"
	                     "second > c GETQUOTAROOT \"Other Users/fred/Sent\"\n"
	                     "second < * QUOTAROOT \"Other Users/fred/Sent\" \"Other Users/fred\"\n"
	                     "second < * QUOTA \"Other Users/fred\" (STORAGE 0 10)\n"
	                     "second < c OK *\n"
	                     "store gives acl user.fred.Sent ann|l|\n"
	                     "second > d GETQUOTAROOT \"Other Users/fred/Sent\"\n"
	                     "second < d NO [NONEXISTENT] *\n");
}

TEST(only_an_admin_sets_limits)
{
	world_play_logged_in(
		"client > a CAPABILITY\n"
		"client < * CAPABILITY * QUOTA QUOTA=RES-STORAGE QUOTA=RES-MESSAGE APPENDLIMIT=*\n"
		"client < a OK *\n"
		"client > b SETQUOTA INBOX (STORAGE 10)\n"
		"client < b NO [NOPERM] *\n" BOSS
		"second > b SETQUOTA INBOX (STORAGE 10 MESSAGE 20)\n"
		"second < * QUOTA INBOX (STORAGE 0 10 MESSAGE 0 20)\n"
		"second < b OK *\n"
		/* what is not named has no limit any more */
		"second > c SETQUOTA user.fred (message 5)\n"
		"second < * QUOTA INBOX (MESSAGE 0 5)\n"
		"second < c OK *\n"
		"second > d SETQUOTA INBOX ()\n"
		"second < * QUOTA INBOX ()\n"
		"second < d OK *\n"
		"store makes lists\n"
		"second > e SETQUOTA \"Shared Folders/lists\" (STORAGE 1)\n"
		"second < * QUOTA \"Shared Folders/lists\" (STORAGE 0 1)\n"
		"second < e OK *\n"
		"second > f SETQUOTA \"Shared Folders/lists\" ()\n"
		"second < f OK *\n"
		"second > g GETQUOTA \"Shared Folders/lists\"\n"
		"second < g NO [NONEXISTENT] *\n"
		"second > h SETQUOTA Sent (STORAGE 1)\n"
		"second < h NO [CANNOT] *\n"
		"second > i SETQUOTA none (STORAGE 1)\n"
		"second < i NO [NONEXISTENT] *\n"
		"second > j SETQUOTA INBOX (MAILBOX 1)\n"
		"second < j NO [CANNOT] *\n"
		"second > k SETQUOTA INBOX (STORAGE 9223372036854775807)\n"
		"second < k NO [CANNOT] *\n"
		"second > l SETQUOTA INBOX (STORAGE 9223372036854775808)\n"
		"second < l BAD *\n");
}

TEST(what_is_none_of_these_commands)
{
	world_play_logged_in("client > a GETQUOTA\n"
	                     "client < a BAD *\n"
	                     "client > b GETQUOTA INBOX x\n"
	                     "client < b BAD *\n"
	                     "client > c GETQUOTAROOT\n"
	                     "client < c BAD *\n"
	                     "client > d SETQUOTA INBOX\n"
	                     "client < d BAD *\n"
	                     "client > e SETQUOTA INBOX STORAGE 1\n"
	                     "client < e BAD *\n"
	                     "client > f SETQUOTA INBOX (STORAGE)\n"
	                     "client < f BAD *\n"
	                     "client > g SETQUOTA INBOX (STORAGE -1)\n"
	                     "client < g BAD *\n"
	                     "client > h SETQUOTA INBOX (STORAGE 1) x\n"
	                     "client < h BAD *\n");
}

TEST(what_does_not_fit_is_refused_before_it_is_sent)
{
	world_play_logged_in("store gives quota user.fred 20 3\n"
	                     "client > a APPEND INBOX {21}\n"
	                     "client < a " FULL "client > b APPEND INBOX {10+}\n"
	                     "client > 0123456789\n"
	                     "client < b OK *\n"
	                     /* all or none of several */
	                     "client > c APPEND INBOX {5}\n"
	                     "client < + *\n"
	                     "client > 01234 {6}\n"
	                     "client < c " FULL "client > d SELECT INBOX\n"
	                     "client << d OK *\n"
	                     "client > e COPY 1 Sent\n"
	                     "client < e OK *\n"
	                     "client > f COPY 1 Sent\n"
	                     "client < f " FULL "client > g UID MOVE 1 Sent\n"
	                     "client < * OK [COPYUID * 1 2] *\n"
	                     "client < * 1 EXPUNGE\n"
	                     "client < g OK *\n"
	                     "store holds user.fred 0\n"
	                     "store holds user.fred.Sent 2\n");
}

TEST(a_mailbox_that_is_nearly_full_is_told_once)
{
	world_play_logged_in("client > a APPEND INBOX {9+}\n"
	                     "client > 012345678\n"
	                     "client < a OK *\n"
	                     "store gives quota user.fred 11 -1\n"
	                     "client > b SELECT Sent\n"
	                     "client < * FLAGS *\n"
	                     "client < * OK [PERMANENTFLAGS *\n"
	                     "client < * 0 EXISTS\n"
	                     "client < * 0 RECENT\n"
	                     "client < * OK [UIDVALIDITY *\n"
	                     "client < * OK [UIDNEXT *\n"
	                     "client < * OK [HIGHESTMODSEQ *\n"
	                     "client < b OK *\n"
	                     "store gives quota user.fred 10 -1\n"
	                     "client > c EXAMINE Sent\n"
	                     "client << * OK [HIGHESTMODSEQ *\n"
	                     "client < * NO [ALERT] 90% of the room for mail is used\n"
	                     "client < c OK *\n"
	                     "client > d SELECT INBOX\n"
	                     "client << * OK [HIGHESTMODSEQ *\n"
	                     "client < d OK *\n"
	                     "store gives quota user.fred 9 -1\n"
	                     "second connects\n"
	                     "second < * OK *\n"
	                     "second > a LOGIN fred \"p w\"\n"
	                     "second < a OK *\n"
	                     "second > b SELECT INBOX\n"
	                     "second << * OK [HIGHESTMODSEQ *\n"
	                     "second < * NO [OVERQUOTA] There is no room for more mail\n"
	                     "second < b OK *\n");
	world_play_with("quota_warn = 0\n", "client connects\n"
	                                    "client < * OK *\n"
	                                    "client > a LOGIN fred \"p w\"\n"
	                                    "client < a OK *\n"
	                                    "store gives quota user.fred 0 -1\n"
	                                    "client > b SELECT INBOX\n"
	                                    "client << * OK [HIGHESTMODSEQ *\n"
	                                    "client < b OK *\n");
}

TEST(status_tells_what_an_expunge_would_free)
{
	world_play_selected(
		"client > a STATUS Sent (SIZE DELETED DELETED-STORAGE)\n"
		"client < * STATUS Sent (SIZE 0 DELETED 0 DELETED-STORAGE 0)\n"
		"client < a OK *\n"
		"client > b APPEND INBOX (\\\\Deleted) {5+}\n"
		"client > hello () {3+}\n"
		"client > you (\\\\Deleted) {2+}\n"
		"client > ok\n"
		"client << b OK *\n"
		"client > c STATUS INBOX (MESSAGES DELETED DELETED-STORAGE SIZE)\n"
		"client < * STATUS INBOX (MESSAGES 3 DELETED 2 DELETED-STORAGE 7 SIZE 10)\n"
		"client < c OK *\n"
		"client > d LIST \"\" INBOX RETURN (STATUS (DELETED-STORAGE))\n"
		"client < * LIST *\n"
		"client < * STATUS INBOX (DELETED-STORAGE 7)\n"
		"client < d OK *\n"
		"client > e EXPUNGE\n"
		"client << e OK *\n"
		"client > f STATUS INBOX (SIZE DELETED DELETED-STORAGE)\n"
		"client < * STATUS INBOX (SIZE 3 DELETED 0 DELETED-STORAGE 0)\n"
		"client < f OK *\n");
}
