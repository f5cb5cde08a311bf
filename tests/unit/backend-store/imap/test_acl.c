/*
 * RFC 4314: its commands; the table of its section 4, each command with each right alone and
 * with all others but it; names of the other namespaces; rights that are taken away.
 */
#include "talk.h"

#include "fakenet/fakenet.h"
#include "lib/test.h"
#include "mail/acl.h"
#include "mailbox/mailbox.h"

#include <stdio.h>
#include <string.h>

static void
act(struct world *w, const char *fmt, const char *a, const char *b)
{
	char line[400];

	snprintf(line, sizeof(line), fmt, a, b);
	play_run(w->play, line);
	fakenet_settle(play_loop(w->play));
}

/* ann's rights on a folder of fred's */
static void
give(struct world *w, const char *mbox, uint32_t rights)
{
	char text[ACL_TEXT_SIZE];

	if (rights == 0)
		act(w, "store gives acl user.fred.%s fred|lrswipkxtea|", mbox, "");
	else
		act(w, "store gives acl user.fred.%s fred|lrswipkxtea|ann|%s|", mbox,
		    acl_rights_text(rights, text));
}

/* ---- the table -------------------------------------------------------------------------------- */

#define BOX "\"Other Users/fred/Box\""
#define ANY (ACL_LOOKUP | ACL_READ | ACL_INSERT | ACL_CREATE | ACL_DELETE_MBOX | ACL_ADMIN)

enum { SELECTS = 1, ONE_OF = 2, SILENT = 4, ON_TARGET = 8, PERM = 16 };
static const struct command {
	const char *name, *line;
	uint32_t needs;
	/* SELECTS: Box is selected before, with l and r beside the others. ONE_OF: one of them is
	 * enough. SILENT: OK in any case, and a message or a flag tells whether it was done (proof:
	 * the last command's answer when it was). ON_TARGET: the rights are those of Box2, and
	 * Box is his to read. PERM: NOPERM also where Box is not seen. */
	unsigned how;
	const char *absent; /* the code for who sees nothing; NULL: NONEXISTENT */
	const char *ask, *done;
} commands[] = {
	{ "SELECT", "SELECT " BOX, ACL_READ, 0 },
	{ "EXAMINE", "EXAMINE " BOX, ACL_READ, 0 },
	{ "STATUS", "STATUS " BOX " (MESSAGES)", ACL_READ, 0 },
	{ "CREATE", "CREATE \"Other Users/fred/Box/new\"", ACL_CREATE, PERM },
	{ "CREATE, two levels", "CREATE \"Other Users/fred/Box/a/b\"", ACL_CREATE, PERM },
	{ "DELETE", "DELETE " BOX, ACL_DELETE_MBOX, 0 },
	{ "RENAME from", "RENAME " BOX " \"Other Users/fred/Free/x\"", ACL_DELETE_MBOX, 0 },
	{ "RENAME to", "RENAME \"Other Users/fred/Free/y\" \"Other Users/fred/Box/y\"", ACL_CREATE,
	  PERM },
	{ "RENAME to another owner", "RENAME " BOX " Mine", ACL_DELETE_MBOX | ACL_ADMIN, 0 },
	{ "SUBSCRIBE", "SUBSCRIBE " BOX, 0, 0 },
	{ "UNSUBSCRIBE", "UNSUBSCRIBE " BOX, 0, 0 },
	{ "LSUB", "LSUB \"\" *", 0, 0 },
	{ "LIST", "LIST \"\" " BOX, ACL_LOOKUP, SILENT, NULL, "LIST \"\" " BOX,
	  "* LIST (\\HasNoChildren) \"/\" " BOX },
	{ "SETACL", "SETACL " BOX " bob lr", ACL_ADMIN, 0 },
	{ "DELETEACL", "DELETEACL " BOX " fred", ACL_ADMIN, 0 },
	{ "GETACL", "GETACL " BOX, ACL_ADMIN, 0 },
	{ "LISTRIGHTS", "LISTRIGHTS " BOX " bob", ACL_ADMIN, 0 },
	{ "MYRIGHTS", "MYRIGHTS " BOX, ANY, ONE_OF },
	{ "APPEND", "APPEND " BOX " {1+}\r\nx", ACL_INSERT, 0, "TRYCREATE" },
	{ "COPY", "COPY 1 \"Other Users/fred/Box2\"", ACL_INSERT, SELECTS | ON_TARGET,
	  "TRYCREATE" },
	{ "UID COPY", "UID COPY 1 \"Other Users/fred/Box2\"", ACL_INSERT, SELECTS | ON_TARGET,
	  "TRYCREATE" },
	{ "MOVE from", "MOVE 1 \"Other Users/fred/Free\"", ACL_DELETE_MSG | ACL_EXPUNGE, SELECTS },
	{ "UID MOVE from", "UID MOVE 1 \"Other Users/fred/Free\"", ACL_DELETE_MSG | ACL_EXPUNGE,
	  SELECTS },
	{ "EXPUNGE", "EXPUNGE", ACL_EXPUNGE, SELECTS },
	{ "UID EXPUNGE", "UID EXPUNGE 1:*", ACL_EXPUNGE, SELECTS },
	{ "CLOSE", "CLOSE", ACL_EXPUNGE, SELECTS | SILENT, NULL, "STATUS " BOX " (MESSAGES)",
	  "* STATUS " BOX " (MESSAGES 1)" },
	{ "STORE \\Seen", "STORE 1 +FLAGS (\\Seen)", ACL_SEEN, SELECTS },
	{ "STORE \\Deleted", "STORE 1 -FLAGS (\\Deleted)", ACL_DELETE_MSG, SELECTS },
	{ "STORE \\Flagged", "STORE 1 +FLAGS (\\Flagged)", ACL_WRITE, SELECTS },
	{ "STORE of a keyword", "UID STORE 1 +FLAGS.SILENT ($Label1)", ACL_WRITE, SELECTS },
	{ "STORE of two kinds", "STORE 1 +FLAGS (\\Seen \\Answered)", ACL_SEEN | ACL_WRITE,
	  SELECTS | ONE_OF },
	{ "STORE of no flags", "STORE 1 FLAGS ()", ACL_SEEN | ACL_WRITE | ACL_DELETE_MSG,
	  SELECTS | ONE_OF },
	{ "FETCH of a body", "FETCH 2 BODY[]", ACL_SEEN, SELECTS | SILENT, NULL,
	  "STATUS " BOX " (UNSEEN)", "* STATUS " BOX " (UNSEEN 1)" },
	{ "FETCH of flags", "FETCH 1:* FLAGS", 0, SELECTS },
	{ "SEARCH", "SEARCH ALL", 0, SELECTS },
	{ "SORT", "SORT (DATE) UTF-8 ALL", 0, SELECTS },
	{ "THREAD", "THREAD REFERENCES UTF-8 ALL", 0, SELECTS },
	{ "UNSELECT", "UNSELECT", 0, SELECTS },
};

static void
build(struct world *w, struct talk *ann)
{
	world_init(w, "");
	act(w, "store makes user.ann%s", "", "");
	act(w, "store makes user.fred%s", "", "");
	act(w, "store makes user.fred.Box%s", "", "");
	act(w, "store makes user.fred.Box2%s", "", "");
	act(w, "store makes user.fred.Free%s", "", "");
	act(w, "store makes user.fred.Free.y%s", "", "");
	give(w, "Free", ACL_ALL);
	give(w, "Free.y", ACL_ALL);
	talk_put(w, "user.fred.Box",
	         &(struct talk_msg){ .body = SLICE("a\r\n\r\nb\r\n"), .flags = MSG_DELETED });
	talk_put_text(w, "user.fred.Box", "a\r\n\r\nb\r\n");
	talk_init(ann, w, "ann");
}

static bool
is_told(struct talk *t, const char *ask, const char *line)
{
	char text[200];

	snprintf(text, sizeof(text), "p %s\r\n", ask);
	talk_send(t, text);
	snprintf(text, sizeof(text), "%s\r\n", line);
	return slice_starts(talk_heard(t), slice_of(text));
}

static void
check_answer(const struct command *c, const char *name, bool allowed, uint32_t rights,
             struct slice answer)
{
	char want[40] = "t OK ";

	if (!allowed && (c->how & SELECTS) != 0 && (c->how & ON_TARGET) == 0)
		snprintf(want, sizeof(want), "t NO [%s", "");
	else if (!allowed)
		snprintf(want, sizeof(want), "t NO [%s]",
		         (rights & ACL_LOOKUP) != 0 || (c->how & PERM) != 0 ? "NOPERM"
		         : c->absent != NULL                                ? c->absent
		                                                            : "NONEXISTENT");
	test_check(slice_starts(answer, slice_of(want)), "%s: got \"%.*s\", wanted \"%s\"", name,
	           SLICE_ARG(answer), want);
}

static void
try(const struct command *c, uint32_t rights)
{
	bool one_of = (c->how & ONE_OF) != 0, allowed, told;
	char text[ACL_TEXT_SIZE], name[100], line[200];
	struct slice answer;
	struct world w;
	struct talk ann;

	build(&w, &ann);
	if ((c->how & ON_TARGET) != 0) {
		give(&w, "Box", ACL_LOOKUP | ACL_READ);
		give(&w, "Box2", rights);
	} else {
		if ((c->how & SELECTS) != 0)
			rights |= ACL_LOOKUP | ACL_READ;
		give(&w, "Box", rights);
	}
	snprintf(name, sizeof(name), "%s with \"%s\"", c->name, acl_rights_text(rights, text));
	allowed = one_of ? (rights & c->needs) != 0 : (rights & c->needs) == c->needs;
	if ((c->how & SELECTS) != 0)
		assert_true(slice_starts(talk_last(&ann, "s SELECT " BOX), SLICE("s OK ")));
	snprintf(line, sizeof(line), "t %s", c->line);
	answer = talk_last(&ann, line);
	check_answer(c, name, allowed || (c->how & SILENT) != 0, rights, answer);
	if ((c->how & SILENT) != 0) {
		told = is_told(&ann, c->ask, c->done);
		test_check(told == allowed, "%s: %s", name, told ? "done" : "not done");
	}
	talk_fini(&ann);
	world_fini(&w);
}

TEST(every_command_with_every_right)
{
	for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
		try(&commands[i], 0);
		try(&commands[i], ACL_ALL);
		for (size_t k = 0; ACL_ORDER[k] != '\0'; k++) {
			try(&commands[i], 1u << k);
			try(&commands[i], ACL_ALL & ~(1u << k));
		}
	}
}

/* What is put into a mailbox has those flags that he may set there. */
TEST(flags_of_what_is_appended_and_copied)
{
	static const struct {
		const char *rights, *flags;
	} rows[] = {
		{ "lri", "(\\Recent)" },
		{ "lris", "(\\Seen \\Recent)" },
		{ "lrit", "(\\Deleted \\Recent)" },
		{ "lriw", "(\\Answered $X \\Recent)" },
		{ "lrist", "(\\Deleted \\Seen \\Recent)" },
		{ "lristw", "(\\Answered \\Deleted \\Seen $X \\Recent)" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct world w;
		struct talk ann;
		char want[200];

		build(&w, &ann);
		act(&w, "store gives acl user.fred.Box2 ann|%s|", rows[i].rights, "");
		talk_check_end(&ann, "a APPEND INBOX (\\Seen \\Answered \\Deleted $X) {1+}\r\nx",
		               "a OK [APPENDUID 1750000000 1] Appended");
		(void)talk_last(&ann, "a SELECT INBOX");
		assert_true(slice_starts(talk_last(&ann, "c COPY 1 \"Other Users/fred/Box2\""),
		                         SLICE("c OK [COPYUID ")));
		assert_true(
			slice_starts(talk_last(&ann, "d APPEND \"Other Users/fred/Box2\" (\\Seen "
		                                     "\\Answered \\Deleted $X) {1+}\r\nx"),
		                     SLICE("d OK [APPENDUID ")));
		(void)talk_last(&ann, "e SELECT \"Other Users/fred/Box2\"");
		snprintf(want, sizeof(want),
		         "* 1 FETCH (FLAGS %s)\r\n* 2 FETCH (FLAGS %s)\r\nf OK Fetched\r\n",
		         rows[i].flags, rows[i].flags);
		talk_check(&ann, "f FETCH 1:* FLAGS", want);
		talk_fini(&ann);
		world_fini(&w);
	}
}

/* ---- the commands ------------------------------------------------------------------------------- */

TEST(ACL_commands)
{
	world_play_logged_in(
		"client > a GETACL INBOX\n"
		"client < * ACL INBOX fred lrswipkxtecda\n"
		"client < a OK *\n"
		"client > b SETACL INBOX Ann@Example.ORG lrs\n"
		"client < b OK Done\n"
		"client > c SETACL INBOX ann +wk\n"
		"client < c OK Done\n"
		"client > d SETACL INBOX ann -s\n"
		"client < d OK Done\n"
		"client > e SETACL INBOX -anyone \"x\"\n"
		"client < e OK Done\n"
		"client > f SETACL INBOX group:Staff lrd\n"
		"client < f OK Done\n"
		"client > g GETACL inbox\n"
		"client < * ACL INBOX fred lrswipkxtecda ann lrwkc -anyone xc group:staff lrted\n"
		"client < g OK *\n"
		"client > h DELETEACL INBOX ann\n"
		"client < h OK Done\n"
		"client > i DELETEACL INBOX ann\n"
		"client < i OK Done\n"
		"client > j SETACL INBOX group:staff \"\"\n"
		"client < j OK Done\n"
		"client > k SETACL INBOX -anyone -x\n"
		"client < k OK Done\n"
		"client > l GETACL INBOX\n"
		"client < * ACL INBOX fred lrswipkxtecda\n"
		"client < l OK *\n"
		"client > m LISTRIGHTS INBOX Fred\n"
		"client < * LISTRIGHTS INBOX Fred lkxca r s w i p t e d\n"
		"client < m OK *\n"
		"client > n LISTRIGHTS INBOX \"x y\"\n"
		"client < n BAD *\n"
		"client > o LISTRIGHTS Sent ANYONE\n"
		"client < * LISTRIGHTS Sent ANYONE \"\" l r s w i p k x t e c d a\n"
		"client < o OK *\n"
		"client > p MYRIGHTS Sent\n"
		"client < * MYRIGHTS Sent lrswipkxtecda\n"
		"client < p OK *\n");
}

/* The owner keeps what he needs to repair it. */
TEST(what_an_owner_cannot_lose)
{
	world_play_logged_in("client > a SETACL Sent fred \"\"\n"
	                     "client < a OK *\n"
	                     "client > b MYRIGHTS Sent\n"
	                     "client < * MYRIGHTS Sent lkxca\n"
	                     "client < b OK *\n"
	                     "client > c GETACL Sent\n"
	                     "client < * ACL Sent fred lkxca\n"
	                     "client < c OK *\n"
	                     "client > d SETACL Sent -fred lrxa\n"
	                     "client < d OK *\n"
	                     "client > e SETACL Sent fred +rs\n"
	                     "client < e OK *\n"
	                     "client > f GETACL Sent\n"
	                     "client < * ACL Sent -fred lrxca fred lrskxca\n"
	                     "client < f OK *\n"
	                     "client > g MYRIGHTS Sent\n"
	                     "client < * MYRIGHTS Sent lskxca\n"
	                     "client < g OK *\n"
	                     "client > h SELECT Sent\n"
	                     "client < h NO [NOPERM] *\n"
	                     "client > i LIST \"\" Sent RETURN (MYRIGHTS)\n"
	                     "client < * LIST (*HasNoChildren *Sent) \"/\" Sent\n"
	                     "client < * MYRIGHTS Sent lskxca\n"
	                     "client < i OK *\n");
}

TEST(ACL_arguments)
{
	world_play_logged_in("client > a SETACL INBOX ann lrQ\n"
	                     "client < a BAD *\n"
	                     "client > b SETACL INBOX ann lr1\n"
	                     "client < b BAD *\n"
	                     "client > c SETACL INBOX ann q\n"
	                     "client < c BAD *\n"
	                     "client > d SETACL INBOX \"\" lr\n"
	                     "client < d BAD *\n"
	                     "client > e SETACL INBOX \"a b\" lr\n"
	                     "client < e BAD *\n"
	                     "client > f SETACL INBOX ann\n"
	                     "client < f BAD *\n"
	                     "client > g SETACL INBOX ann lr x\n"
	                     "client < g BAD *\n"
	                     "client > h SETACL Nothing ann lr\n"
	                     "client < h NO [NONEXISTENT] *\n"
	                     "client > i GETACL\n"
	                     "client < i BAD *\n"
	                     "client > j DELETEACL INBOX\n"
	                     "client < j BAD *\n"
	                     "client > k MYRIGHTS \"a//b\"\n"
	                     "client < k NO [NONEXISTENT] *\n"
	                     "client > l MYRIGHTS \"Shared Folders/user/ann\"\n"
	                     "client < l NO [NONEXISTENT] *\n"
	                     "client > m SETACL {5+}\n"
	                     "client > INBOX {3+}\n"
	                     "client > ann {2+}\n"
	                     "client > lr\n"
	                     "client < m OK *\n"
	                     "client > n GETACL {5}\n"
	                     "client < + *\n"
	                     "client > INBOX\n"
	                     "client < * ACL INBOX fred lrswipkxtecda ann lr\n"
	                     "client < n OK *\n");
}

TEST(an_ACL_is_bounded)
{
	struct world w;
	struct talk fred;
	char line[100];

	world_init(&w, "");
	talk_init(&fred, &w, "fred");
	for (int i = 0; i < 999; i++) {
		snprintf(line, sizeof(line), "a SETACL INBOX u%d lr", i);
		talk_check(&fred, line, "a OK Done\r\n");
	}
	talk_check(&fred, "b SETACL INBOX onemore lr",
	           "b NO [LIMIT] This list has too many entries\r\n");
	talk_check(&fred, "b SETACL INBOX u5 lrs", "b OK Done\r\n");
	talk_fini(&fred);
	world_fini(&w);
}

/* ---- namespaces ---------------------------------------------------------------------------------- */

#define ANN_TOO                                                                                    \
	"second connects\n"                                                                        \
	"second < * OK *\n"                                                                        \
	"second > l LOGIN ann secret\n"                                                            \
	"second < l OK *\n"

TEST(what_others_share_is_listed)
{
	world_play_logged_in(
		ANN_TOO
		"client > a CREATE Team/Plans\n"
		"client < a OK *\n"
		"client > b SETACL Team/Plans ann lr\n"
		"client < b OK *\n"
		"client > c CREATE Open\n"
		"client < c OK *\n"
		"client > d SETACL Open anyone l\n"
		"client < d OK *\n"
		"store makes lists\n"
		"store gives acl lists group:staff|lr|\n"
		"store makes lists.announce\n"
		"store gives acl lists.announce anyone|lr|-ann|r|\n"
		"store makes lists.secret\n"
		"store gives acl lists.secret fred|lr|anyone|l|-group:staff|l|\n"
		"store makes other.net!sales\n"
		"store gives acl other.net!sales group:sales@other.net|lrs|\n"
		"store makes other.net!inner\n"
		"store gives acl other.net!inner anyone|lrs|\n"
		"second > e LIST \"\" *\n"
		"second < * LIST (*HasNoChildren) \"/\" INBOX\n"
		"second < * LIST (*Noselect *HasChildren) \"/\" \"Other Users\"\n"
		"second < * LIST (*Noselect *HasChildren) \"/\" \"Other Users/fred\"\n"
		"second < * LIST (*HasNoChildren) \"/\" \"Other Users/fred/Open\"\n"
		"second < * LIST (*Noselect *HasChildren) \"/\" \"Other Users/fred/Team\"\n"
		"second < * LIST (*HasNoChildren) \"/\" \"Other Users/fred/Team/Plans\"\n"
		"second < * LIST (*HasNoChildren *Sent) \"/\" Sent\n"
		"second < * LIST (*Noselect *HasChildren) \"/\" \"Shared Folders\"\n"
		"second < * LIST (*HasChildren) \"/\" \"Shared Folders/lists\"\n"
		"second < * LIST (*HasNoChildren) \"/\" \"Shared Folders/lists/announce\"\n"
		"second < * LIST (*HasNoChildren) \"/\" \"Shared Folders/sales@other.net\"\n"
		"second < * LIST (*HasNoChildren *Trash) \"/\" Trash\n"
		"second < e OK *\n"
		"second > f LIST \"\" %\n"
		"second < * LIST (*HasNoChildren) \"/\" INBOX\n"
		"second < * LIST (*Noselect *HasChildren) \"/\" \"Other Users\"\n"
		"second < * \"/\" Sent\n"
		"second < * LIST (*Noselect *HasChildren) \"/\" \"Shared Folders\"\n"
		"second < * \"/\" Trash\n"
		"second < f OK *\n"
		"second > g LIST \"Shared Folders/\" % RETURN (MYRIGHTS STATUS (MESSAGES))\n"
		"second < * LIST (*HasChildren) \"/\" \"Shared Folders/lists\"\n"
		"second < * MYRIGHTS \"Shared Folders/lists\" lr\n"
		"second < * STATUS \"Shared Folders/lists\" (MESSAGES 0)\n"
		"second < * LIST (*HasNoChildren) \"/\" \"Shared Folders/sales@other.net\"\n"
		"second < * MYRIGHTS \"Shared Folders/sales@other.net\" lrs\n"
		"second < * STATUS \"Shared Folders/sales@other.net\" (MESSAGES 0)\n"
		"second < g OK *\n"
		"second > h LIST () \"\" \"Other Users/%/%\" RETURN (CHILDREN)\n"
		"second < * LIST (*HasNoChildren) \"/\" \"Other Users/fred/Open\"\n"
		"second < * LIST (*NonExistent *HasChildren) \"/\" \"Other Users/fred/Team\"\n"
		"second < h OK *\n"
		"second > i STATUS \"Shared Folders/lists/announce\" (MESSAGES)\n"
		"second < i NO [NOPERM] *\n"
		"second > j LIST \"\" \"Shared Folders/lists/%\" RETURN (STATUS (MESSAGES))\n"
		"second < * LIST (*HasNoChildren) \"/\" \"Shared Folders/lists/announce\"\n"
		"second < j OK *\n"
		"second > k MYRIGHTS \"Shared Folders/lists/secret\"\n"
		"second < k NO [NONEXISTENT] *\n"
		"client > k MYRIGHTS \"Shared Folders/lists/secret\"\n"
		"client < * MYRIGHTS \"Shared Folders/lists/secret\" lr\n"
		"client < k OK *\n");
}

TEST(users_of_another_domain)
{
	world_play_logged_in(
		"second connects\n"
		"second < * OK *\n"
		"second > l LOGIN eve@other.net secret\n"
		"second < l OK *\n"
		"client > a SETACL Sent eve@other.net lr\n"
		"client < a OK *\n"
		"client > b SETACL Trash anyone lr\n"
		"client < b OK *\n"
		"store makes other.net!board.news\n"
		"store makes lists\n"
		"store gives acl lists anyone|lrs|\n"
		"second > c LIST \"\" %/*\n"
		"second < * LIST (*Noselect *HasChildren) \"/\" \"Other Users/fred@example.org\"\n"
		"second < * LIST (*HasNoChildren) \"/\" \"Other Users/fred@example.org/Sent\"\n"
		"second < * LIST (*Noselect *HasChildren) \"/\" \"Shared Folders/board\"\n"
		"second < * LIST (*HasNoChildren) \"/\" \"Shared Folders/board/news\"\n"
		"second < c OK *\n"
		"second > d SELECT \"Other Users/fred@example.org/Trash\"\n"
		"second < d NO [NONEXISTENT] *\n"
		"second > e SELECT \"Other Users/fred@example.org/Sent\"\n"
		"second << e OK [READ-ONLY] *\n"
		"second > f GETACL INBOX\n"
		"second < * ACL INBOX eve@other.net lrswipkxtecda\n"
		"second < f OK *\n"
		"second > g SETACL INBOX fred@example.org lr\n"
		"second < g OK *\n"
		"client > h LIST \"\" \"Other*\"\n"
		"client < * LIST (*Noselect *HasChildren) \"/\" \"Other Users\"\n"
		"client < * LIST (*HasNoChildren) \"/\" \"Other Users/eve@other.net\"\n"
		"client < h OK *\n");
}

TEST(subscriptions_in_all_namespaces)
{
	world_play_logged_in(
		ANN_TOO
		"client > a SETACL Sent ann lr\n"
		"client < a OK *\n"
		"second > b SUBSCRIBE \"Other Users/fred/Sent\"\n"
		"second < b OK *\n"
		"second > c SUBSCRIBE \"Other Users/fred/Trash\"\n"
		"second < c OK *\n"
		"second > d LSUB \"Other Users/\" *\n"
		"second < * LSUB () \"/\" \"Other Users/fred/Sent\"\n"
		"second < * LSUB () \"/\" \"Other Users/fred/Trash\"\n"
		"second < d OK *\n"
		"second > e LSUB \"\" %\n"
		"second << * LSUB (*Noselect) \"/\" \"Other Users\"\n"
		"second << e OK *\n"
		"second > f LIST (SUBSCRIBED) \"\" \"Other*\"\n"
		"second < * LIST (*HasNoChildren *Subscribed) \"/\" \"Other Users/fred/Sent\"\n"
		"second < * LIST (*NonExistent *HasNoChildren *Subscribed) \"/\" \"Other "
		"Users/fred/Trash\"\n"
		"second < f OK *\n"
		"second > g UNSUBSCRIBE \"Other Users/fred/Trash\"\n"
		"second < g OK *\n"
		"second > h LSUB \"\" \"*Trash\"\n"
		"second < * LSUB () \"/\" Trash\n"
		"second < h OK *\n");
}

/* A new one has the rights of the one above; nobody gets at what he was not shown. */
TEST(names_below_those_of_others)
{
	world_play_logged_in(
		ANN_TOO "client > a CREATE Team/Inner\n"
			"client < a OK *\n"
			"client > b SETACL Team ann lrkx\n"
			"client < b OK *\n"
			"second > c CREATE \"Other Users/fred/Team/New\"\n"
			"second < c OK *\n"
			"second > d MYRIGHTS \"Other Users/fred/Team/New\"\n"
			"second < * MYRIGHTS \"Other Users/fred/Team/New\" lrkxc\n"
			"second < d OK *\n"
			"second > e CREATE \"Other Users/fred/Team/Junk\" (USE (\\\\Junk))\n"
			"second < e NO [USEATTR] *\n"
			"client > e MYRIGHTS Team/New\n"
			"client < * MYRIGHTS Team/New lrswipkxtecda\n"
			"client < e OK *\n"
			"second > f CREATE \"Other Users/fred/Team/Inner\"\n"
			"second < f NO [ALREADYEXISTS] *\n"
			/* Inner would be hers: there she could give herself everything */
			"second > g RENAME \"Other Users/fred/Team\" Mine\n"
			"second < g NO [NOPERM] *\n"
			"second > h RENAME \"Other Users/fred/Team\" \"Other Users/fred/Team2\"\n"
			"second < h NO [NOPERM] *\n"
			"second > i RENAME \"Other Users/fred\" Mine\n"
			"second < i NO [NONEXISTENT] *\n"
			"client > i SETACL INBOX ann lrswipkxtea\n"
			"client < i OK *\n"
			"second > j RENAME \"Other Users/fred\" Mine\n"
			"second < j NO [CANNOT] *\n"
			"second > k DELETE \"Other Users/fred\"\n"
			"second < k NO [CANNOT] *\n"
			"second > l RENAME \"Other Users/fred/Team\" \"Other Users/fred/Team2\"\n"
			"second < l OK *\n"
			"second > m CREATE \"Shared Folders/mine\"\n"
			"second < m NO [NOPERM] *\n"
			"second > n CREATE \"Other Users/nobody/x\"\n"
			"second < n NO [NOPERM] *\n"
			"second > o CREATE \"Other Users/ann/x\"\n"
			"second < o OK *\n"
			"second > p LIST \"\" x\n"
			"second < * LIST (*HasNoChildren) \"/\" x\n"
			"second < p OK *\n");
}

/* RFC 4616: an admin, in somebody's name. */
TEST(admins)
{
	world_play("client connects\n"
	           "client < * OK *\n"
	           "client > l LOGIN fred \"p w\"\n"
	           "client < l OK *\n"
	           "client > a CREATE \"Shared Folders/lists/x\"\n"
	           "client < a NO [NOPERM] *\n"
	           "second connects\n"
	           "second < * OK *\n"
	           "second > l AUTHENTICATE PLAIN ZnJlZABib3NzAGJpZw==\n"
	           "second < l OK *\n"
	           "second > a CREATE \"Shared Folders/lists/x\"\n"
	           "second < a OK *\n"
	           "second > b SETACL \"Shared Folders/lists\" anyone \"\"\n"
	           "second < b OK *\n"
	           "second > c SETACL \"Shared Folders/lists\" ann lrswipkxte\n"
	           "second < c OK *\n"
	           "client > d GETACL \"Shared Folders/lists\"\n"
	           "client < d NO [NONEXISTENT] *\n"
	           "second > d GETACL \"Shared Folders/lists\"\n"
	           "second < * ACL \"Shared Folders/lists\" ann lrswipkxtecd\n"
	           "second < d OK *\n"
	           "second > e MYRIGHTS \"Shared Folders/lists\"\n"
	           "second < * MYRIGHTS \"Shared Folders/lists\" lkxca\n"
	           "second < e OK *\n"
	           "second > f SELECT \"Shared Folders/lists\"\n"
	           "second < f NO [NOPERM] *\n"
	           "second > g CREATE \"Other Users/nobody/x\"\n"
	           "second < g NO [NOPERM] *\n"
	           "second > h DELETE \"Shared Folders/lists/x\"\n"
	           "second < h OK *\n");
}

/* ---- rights that go ------------------------------------------------------------------------------- */

TEST(who_may_read_no_more_is_sent_away)
{
	world_play_logged_in(ANN_TOO "client > a SETACL INBOX ann lrs\n"
	                             "client < a OK *\n"
	                             "second > b SELECT \"Other Users/fred\"\n"
	                             "second << b OK [READ-WRITE] *\n"
	                             "client > c SETACL INBOX ann -r\n"
	                             "client < c OK *\n"
	                             "second < * BYE You may not read *\n"
	                             "second is closed\n");
}

TEST(also_in_IDLE)
{
	world_play_logged_in(ANN_TOO "client > a SETACL INBOX anyone lrs\n"
	                             "client < a OK *\n"
	                             "second > b SELECT \"Other Users/fred\"\n"
	                             "second << b OK [READ-WRITE] *\n"
	                             "second > c IDLE\n"
	                             "second < + idling\n"
	                             "client > d SETACL INBOX anyone -s\n"
	                             "client < d OK *\n"
	                             "second < * FLAGS *\n"
	                             "second < * OK [PERMANENTFLAGS ()] *\n"
	                             "second < * OK [READ-ONLY] *\n"
	                             "client > e SETACL INBOX ann +i\n"
	                             "client < e OK *\n"
	                             "second < * OK [READ-WRITE] *\n"
	                             "client > f SETACL INBOX -group:staff r\n"
	                             "client < f OK *\n"
	                             "second < * BYE You may not read *\n"
	                             "second is closed\n");
}

/* Its answer comes first. */
TEST(also_in_the_middle_of_a_command)
{
	world_play_logged_in(ANN_TOO "client > a SETACL INBOX ann lra\n"
	                             "client < a OK *\n"
	                             "second > b SELECT \"Other Users/fred\"\n"
	                             "second << b OK [READ-ONLY] *\n"
	                             "second > c APPEND INBOX {1}\n"
	                             "second < + *\n"
	                             "client > d SETACL INBOX ann -r\n"
	                             "client < d OK *\n"
	                             "second > x\n"
	                             "second < c OK [APPENDUID *\n"
	                             "second < * BYE You may not read *\n"
	                             "second is closed\n");
}

TEST(also_by_his_own_hand)
{
	world_play_logged_in(ANN_TOO "client > a SETACL INBOX ann lra\n"
	                             "client < a OK *\n"
	                             "second > b SELECT \"Other Users/fred\"\n"
	                             "second << b OK [READ-ONLY] *\n"
	                             "second > c SETACL \"Other Users/fred\" ann l\n"
	                             "second < c OK Done\n"
	                             "second < * BYE You may not read *\n"
	                             "second is closed\n");
}

TEST(losing_some_rights_counts_from_the_next_command)
{
	world_play_logged_in(ANN_TOO "client > a SETACL INBOX ann lrsw\n"
	                             "client < a OK *\n"
	                             "second > b SELECT \"Other Users/fred\"\n"
	                             "second << b OK [READ-WRITE] *\n"
	                             "client > c SETACL INBOX ann -sw\n"
	                             "client < c OK *\n"
	                             "second > d STORE 1:* +FLAGS (\\\\Seen)\n"
	                             "second < * FLAGS *\n"
	                             "second < * OK [PERMANENTFLAGS ()] *\n"
	                             "second < * OK [READ-ONLY] *\n"
	                             "second < d NO [READ-ONLY] *\n"
	                             "client > e SETACL INBOX ann +i\n"
	                             "client < e OK *\n"
	                             "second > f APPEND \"Other Users/fred\" {1}\n"
	                             "second < * OK [READ-WRITE] *\n"
	                             "second < + *\n"
	                             "client > g SETACL INBOX ann -i\n"
	                             "client < g OK *\n"
	                             "second > x\n"
	                             "second < f NO [NOPERM] *\n"
	                             "second > h EXAMINE \"Other Users/fred\"\n"
	                             "second < * OK [READ-ONLY] *\n"
	                             "second << h OK [READ-ONLY] *\n"
	                             "client > i SETACL INBOX ann +sw\n"
	                             "client < i OK *\n"
	                             "second > j NOOP\n"
	                             "second < j OK *\n");
}

/* Whose it is decides, too: his own becomes another's by a RENAME he may do. */
TEST(a_renamed_mailbox_has_other_rights)
{
	world_play_logged_in(ANN_TOO
	                     "second > a SETACL INBOX fred lk\n"
	                     "second < a OK *\n"
	                     "client > b CREATE Gift\n"
	                     "client < b OK *\n"
	                     "client > c SETACL Gift fred lxa\n"
	                     "client < c OK *\n"
	                     "client > d RENAME Gift \"Other Users/ann/Gift\"\n"
	                     "client < d OK *\n"
	                     "second > e MYRIGHTS Gift\n"
	                     "second < * MYRIGHTS Gift lkxca\n"
	                     "second < e OK *\n"
	                     "client > f LIST \"\" *Gift RETURN (MYRIGHTS)\n"
	                     "client < * LIST (*HasNoChildren) \"/\" \"Other Users/ann/Gift\"\n"
	                     "client < * MYRIGHTS \"Other Users/ann/Gift\" lxca\n"
	                     "client < f OK *\n");
}
