#include "mail/mbox_name.h"

#include "lib/test.h"

#include <stdlib.h>

#define A16 "aaaaaaaaaaaaaaaa"
#define A64 A16 A16 A16 A16
#define D63 A16 A16 A16 "aaaaaaaaaaaaaaa"
#define D255 D63 "." D63 "." D63 "." D63

static const struct mbox_view views[] = {
	{ SLICE_INIT("fred"), SLICE_INIT("example.org") },
	{ SLICE_INIT("fred@other.net"), SLICE_INIT("example.org") },
	{ SLICE_INIT("fred"), SLICE_INIT("") },
	{ SLICE_INIT("fred@other.net"), SLICE_INIT("") },
	{ SLICE_INIT("fred@example.org"), SLICE_INIT("example.org") },
	{ SLICE_INIT("fred.j.miller"), SLICE_INIT("example.org") },
};
enum { HOME, AWAY, NO_DEFAULT, AWAY_NO_DEFAULT, HOME_IN_FULL, DOTTED };

/* ---- both ways ---- */

static const struct {
	const char *name;
	int view;
	const char *client, *canonical;
} pairs[] = {
	{ "his inbox", HOME, "INBOX", "user.fred" },
	{ "a folder of his", HOME, "Sent", "user.fred.Sent" },
	{ "a folder in a folder", HOME, "a/b/c", "user.fred.a.b.c" },
	{ "a folder below INBOX", HOME, "INBOX/a", "user.fred.INBOX.a" },
	{ "INBOX twice", HOME, "INBOX/INBOX", "user.fred.INBOX.INBOX" },
	{ "INBOX further down is a name like others", HOME, "a/INBOX", "user.fred.a.INBOX" },
	{ "a name that begins as INBOX does", HOME, "INBOXes/a", "user.fred.INBOXes.a" },
	{ "a dot", HOME, "v1.2/x", "user.fred.v1^2.x" },
	{ "dots at the ends of a part", HOME, ".a./b", "user.fred.^a^.b" },
	{ "three dots are a name", HOME, "...", "user.fred.^^^" },
	{ "a caret", HOME, "2^8", "user.fred.2&AF4-8" },
	{ "a bang", HOME, "now!", "user.fred.now&ACE-" },
	{ "bang, caret, dot and ampersand side by side", HOME, "!^.&-!",
	  "user.fred.&ACE-&AF4-^&-&ACE-" },
	{ "an ampersand before what looks like an escaped bang", HOME, "&-ACE-",
	  "user.fred.&-ACE-" },
	{ "letters beyond ASCII", HOME, "Entw&APw-rfe", "user.fred.Entw&APw-rfe" },
	{ "a bang behind a shift", HOME, "&APw-!", "user.fred.&APw-&ACE-" },
	{ "blanks", HOME, "a b / c", "user.fred.a b . c" },
	{ "a hash further down", HOME, "a/#b", "user.fred.a.#b" },
	{ "the word user", HOME, "user/bob", "user.fred.user.bob" },
	{ "the word DELETED", HOME, "DELETED/user", "user.fred.DELETED.user" },
	{ "names of namespaces in another case are folders", HOME, "other users/a",
	  "user.fred.other users.a" },
	{ "names of namespaces further down", HOME, "a/Shared Folders",
	  "user.fred.a.Shared Folders" },
	{ "an at sign", HOME, "a@b", "user.fred.a@b" },
	{ "another's inbox", HOME, "Other Users/bob", "user.bob" },
	{ "another's folder", HOME, "Other Users/bob/Sent", "user.bob.Sent" },
	{ "another with a dot", HOME, "Other Users/bob.b/a.b", "user.bob^b.a^b" },
	{ "another beyond ASCII", HOME, "Other Users/j&APY-rg", "user.j&APY-rg" },
	{ "another with an ampersand", HOME, "Other Users/b&-b/x", "user.b&-b.x" },
	{ "another of another domain", HOME, "Other Users/bob@other.net/Sent",
	  "other.net!user.bob.Sent" },
	{ "his namesake of another domain", HOME, "Other Users/fred@other.net",
	  "other.net!user.fred" },
	{ "below another's INBOX", HOME, "Other Users/bob/INBOX/a", "user.bob.INBOX.a" },
	{ "a shared folder", HOME, "Shared Folders/lists/announce", "lists.announce" },
	{ "a top shared folder", HOME, "Shared Folders/lists", "lists" },
	{ "a shared folder of another domain", HOME, "Shared Folders/lists@other.net/a",
	  "other.net!lists.a" },
	{ "a shared folder with dot and caret", HOME, "Shared Folders/a.b/c^", "a^b.c&AF4-" },
	{ "a shared folder that begins as user does", HOME, "Shared Folders/users/a", "users.a" },
	{ "his inbox in another domain", AWAY, "INBOX", "other.net!user.fred" },
	{ "his folder in another domain", AWAY, "a.b/c", "other.net!user.fred.a^b.c" },
	{ "a neighbour there", AWAY, "Other Users/bob/x", "other.net!user.bob.x" },
	{ "one of the default domain", AWAY, "Other Users/bob@example.org/x", "user.bob.x" },
	{ "shared there", AWAY, "Shared Folders/lists/a", "other.net!lists.a" },
	{ "shared of the default domain", AWAY, "Shared Folders/lists@example.org/a", "lists.a" },
	{ "shared of a third", AWAY, "Shared Folders/lists@third.net", "third.net!lists" },
	{ "no default domain", NO_DEFAULT, "a", "user.fred.a" },
	{ "another without a default domain", NO_DEFAULT, "Other Users/bob/a", "user.bob.a" },
	{ "one of no domain as others see him", AWAY_NO_DEFAULT, "Other Users/bob@/x",
	  "user.bob.x" },
	{ "shared of no domain as others see it", AWAY_NO_DEFAULT, "Shared Folders/lists@/x",
	  "lists.x" },
	{ "one who says his default domain", HOME_IN_FULL, "Sent", "user.fred.Sent" },
	{ "and sees others without it", HOME_IN_FULL, "Other Users/bob", "user.bob" },
	{ "a viewer with dots", DOTTED, "a.b", "user.fred^j^miller.a^b" },
};

TEST(client_and_canonical_names_both_ways)
{
	for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
		const struct mbox_view *v = &views[pairs[i].view];
		struct buf out = BUF_INIT(SIZE_MAX);
		struct mbox_name m;
		enum mbox_name_error e = mbox_name_from_client(v, slice_of(pairs[i].client), &m);

		test_check(e == MBOX_NAME_OK, "%s: %s", pairs[i].name, mbox_name_error_text(e));
		test_eq_str(pairs[i].name, m.s, pairs[i].canonical);
		assert_int_equal(m.n, strlen(m.s));
		test_check(mbox_name_to_client(v, slice_of(pairs[i].canonical), &out), "%s",
		           pairs[i].name);
		test_eq_slice(pairs[i].name, buf_slice(&out), slice_of(pairs[i].client));
		buf_fini(&out);
	}
}

/* ---- only from the client ---- */

static const struct {
	const char *name;
	int view;
	struct slice client;
	const char *canonical; /* NULL: refused */
	enum mbox_name_error error;
} from_client[] = {
	{ "inbox in small letters", HOME, SLICE_INIT("inbox"), "user.fred", MBOX_NAME_OK },
	{ "InBoX mixed", HOME, SLICE_INIT("InBoX"), "user.fred", MBOX_NAME_OK },
	{ "below inbox in small letters", HOME, SLICE_INIT("inbox/a"), "user.fred.INBOX.a",
	  MBOX_NAME_OK },
	{ "himself as another", HOME, SLICE_INIT("Other Users/fred/a"), "user.fred.a",
	  MBOX_NAME_OK },
	{ "another in capitals", HOME, SLICE_INIT("Other Users/BOB/A"), "user.bob.A",
	  MBOX_NAME_OK },
	{ "the default domain said", HOME, SLICE_INIT("Other Users/bob@Example.Org/a"),
	  "user.bob.a", MBOX_NAME_OK },
	{ "another domain in capitals", HOME, SLICE_INIT("Shared Folders/l@Other.NET/a"),
	  "other.net!l.a", MBOX_NAME_OK },
	{ "nothing", HOME, SLICE_INIT(""), NULL, MBOX_NAME_EMPTY },
	{ "a lone separator", HOME, SLICE_INIT("/"), NULL, MBOX_NAME_EMPTY_PART },
	{ "a leading separator", HOME, SLICE_INIT("/a"), NULL, MBOX_NAME_EMPTY_PART },
	{ "a trailing separator", HOME, SLICE_INIT("a/"), NULL, MBOX_NAME_EMPTY_PART },
	{ "INBOX and a separator", HOME, SLICE_INIT("INBOX/"), NULL, MBOX_NAME_EMPTY_PART },
	{ "two separators", HOME, SLICE_INIT("a//b"), NULL, MBOX_NAME_EMPTY_PART },
	{ "one dot", HOME, SLICE_INIT("."), NULL, MBOX_NAME_DOTS },
	{ "two dots", HOME, SLICE_INIT(".."), NULL, MBOX_NAME_DOTS },
	{ "up and away", HOME, SLICE_INIT("../bob"), NULL, MBOX_NAME_DOTS },
	{ "two dots in the middle", HOME, SLICE_INIT("a/../b"), NULL, MBOX_NAME_DOTS },
	{ "two dots among the shared", HOME, SLICE_INIT("Shared Folders/../b"), NULL,
	  MBOX_NAME_DOTS },
	{ "two dots as another", HOME, SLICE_INIT("Other Users/../b"), NULL, MBOX_NAME_USER },
	{ "two dots below another", HOME, SLICE_INIT("Other Users/bob/.."), NULL, MBOX_NAME_DOTS },
	{ "a percent sign", HOME, SLICE_INIT("a%b"), NULL, MBOX_NAME_CHARS },
	{ "an asterisk", HOME, SLICE_INIT("a/*"), NULL, MBOX_NAME_CHARS },
	{ "a NUL", HOME, SLICE_INIT("a\0b"), NULL, MBOX_NAME_CHARS },
	{ "a CR", HOME, SLICE_INIT("a\rb"), NULL, MBOX_NAME_CHARS },
	{ "a LF", HOME, SLICE_INIT("a\nb"), NULL, MBOX_NAME_CHARS },
	{ "a tab", HOME, SLICE_INIT("a\tb"), NULL, MBOX_NAME_CHARS },
	{ "DEL", HOME, SLICE_INIT("a\x7f"), NULL, MBOX_NAME_CHARS },
	{ "raw UTF-8", HOME, SLICE_INIT("\xc3\xa9"), NULL, MBOX_NAME_CHARS },
	{ "a shift without an end", HOME, SLICE_INIT("a&APw"), NULL, MBOX_NAME_UTF7 },
	{ "an ampersand alone", HOME, SLICE_INIT("a & b"), NULL, MBOX_NAME_UTF7 },
	{ "a bang written as a shift", HOME, SLICE_INIT("&ACE-"), NULL, MBOX_NAME_UTF7 },
	{ "a caret written as a shift", HOME, SLICE_INIT("&AF4-"), NULL, MBOX_NAME_UTF7 },
	{ "a dot written as a shift", HOME, SLICE_INIT("&AC4-"), NULL, MBOX_NAME_UTF7 },
	{ "a separator written as a shift", HOME, SLICE_INIT("&AC8-"), NULL, MBOX_NAME_UTF7 },
	{ "a control character in a shift", HOME, SLICE_INIT("&AAA-"), NULL, MBOX_NAME_UTF7 },
	{ "a high surrogate alone", HOME, SLICE_INIT("&2AA-"), NULL, MBOX_NAME_UTF7 },
	{ "a shift across a separator", HOME, SLICE_INIT("a&AP/w-"), NULL, MBOX_NAME_UTF7 },
	{ "the other users' own name", HOME, SLICE_INIT("Other Users"), NULL, MBOX_NAME_RESERVED },
	{ "with a separator", HOME, SLICE_INIT("Other Users/"), NULL, MBOX_NAME_RESERVED },
	{ "the shared folders' own name", HOME, SLICE_INIT("Shared Folders"), NULL,
	  MBOX_NAME_RESERVED },
	{ "with a separator too", HOME, SLICE_INIT("Shared Folders/"), NULL, MBOX_NAME_RESERVED },
	{ "a hash in front", HOME, SLICE_INIT("#news"), NULL, MBOX_NAME_RESERVED },
	{ "a hash in front of shared", HOME, SLICE_INIT("Shared Folders/#a"), NULL,
	  MBOX_NAME_RESERVED },
	{ "another's INBOX by name", HOME, SLICE_INIT("Other Users/bob/INBOX"), NULL,
	  MBOX_NAME_RESERVED },
	{ "another's inbox in small letters", HOME, SLICE_INIT("Other Users/bob/inbox/a"), NULL,
	  MBOX_NAME_RESERVED },
	{ "another's other users", HOME, SLICE_INIT("Other Users/bob/Other Users/a"), NULL,
	  MBOX_NAME_RESERVED },
	{ "users by the shared door", HOME, SLICE_INIT("Shared Folders/user/bob"), NULL,
	  MBOX_NAME_RESERVED },
	{ "users of a domain by the shared door", HOME,
	  SLICE_INIT("Shared Folders/user@other.net/bob"), NULL, MBOX_NAME_RESERVED },
	{ "users of the default domain by it", HOME,
	  SLICE_INIT("Shared Folders/user@example.org/bob"), NULL, MBOX_NAME_RESERVED },
	{ "users of no domain by it", NO_DEFAULT, SLICE_INIT("Shared Folders/user@/bob"), NULL,
	  MBOX_NAME_RESERVED },
	{ "what was deleted", HOME, SLICE_INIT("Shared Folders/DELETED/user/bob/1"), NULL,
	  MBOX_NAME_RESERVED },
	{ "what was deleted in a domain", HOME,
	  SLICE_INIT("Shared Folders/DELETED@other.net/user/bob"), NULL, MBOX_NAME_RESERVED },
	{ "two at signs among the shared", HOME, SLICE_INIT("Shared Folders/a@b@other.net"), NULL,
	  MBOX_NAME_RESERVED },
	{ "no domain where there is a default", HOME, SLICE_INIT("Other Users/bob@/a"), NULL,
	  MBOX_NAME_USER },
	{ "a domain with a bang", HOME, SLICE_INIT("Other Users/bob@a!b/a"), NULL, MBOX_NAME_USER },
	{ "a shared domain with an empty label", HOME, SLICE_INIT("Shared Folders/l@a..b/a"), NULL,
	  MBOX_NAME_USER },
	{ "nobody", HOME, SLICE_INIT("Other Users//a"), NULL, MBOX_NAME_EMPTY_PART },
	{ "a domain of nobody", HOME, SLICE_INIT("Other Users/@other.net"), NULL, MBOX_NAME_USER },
	{ "a user with a blank", HOME, SLICE_INIT("Other Users/a b"), NULL, MBOX_NAME_USER },
	{ "a user with a caret", HOME, SLICE_INIT("Other Users/a^b"), NULL, MBOX_NAME_USER },
	{ "anyone", HOME, SLICE_INIT("Other Users/anyone"), NULL, MBOX_NAME_USER },
	{ "shared with an empty top", HOME, SLICE_INIT("Shared Folders//a"), NULL,
	  MBOX_NAME_EMPTY_PART },
	{ "an empty top of a domain", HOME, SLICE_INIT("Shared Folders/@other.net/a"), NULL,
	  MBOX_NAME_EMPTY_PART },
	{ "shared with an end too many", HOME, SLICE_INIT("Shared Folders/a/"), NULL,
	  MBOX_NAME_EMPTY_PART },
};

TEST(names_from_the_client)
{
	for (size_t i = 0; i < ARRAY_LEN(from_client); i++) {
		struct mbox_name m;
		enum mbox_name_error e = mbox_name_from_client(&views[from_client[i].view],
		                                               from_client[i].client, &m);

		test_check(e == from_client[i].error, "%s: %d %s", from_client[i].name, e, m.s);
		if (from_client[i].canonical != NULL)
			test_eq_str(from_client[i].name, m.s, from_client[i].canonical);
	}
}

/* ---- canonical names ---- */

static const struct {
	const char *name;
	struct slice in;
	enum mbox_name_error want;
} checks[] = {
	{ "an inbox", SLICE_INIT("user.fred"), MBOX_NAME_OK },
	{ "a folder", SLICE_INIT("user.fred.a"), MBOX_NAME_OK },
	{ "of a domain", SLICE_INIT("example.org!user.fred.a"), MBOX_NAME_OK },
	{ "shared", SLICE_INIT("lists.a"), MBOX_NAME_OK },
	{ "shared of a domain", SLICE_INIT("example.org!lists.a"), MBOX_NAME_OK },
	{ "deleted", SLICE_INIT("DELETED.user.fred.a.5E0A1B2C"), MBOX_NAME_OK },
	{ "nothing", SLICE_INIT(""), MBOX_NAME_EMPTY },
	{ "a domain of nothing", SLICE_INIT("example.org!"), MBOX_NAME_EMPTY },
	{ "user alone", SLICE_INIT("user"), MBOX_NAME_RESERVED },
	{ "user alone of a domain", SLICE_INIT("example.org!user"), MBOX_NAME_RESERVED },
	{ "user and a dot", SLICE_INIT("user."), MBOX_NAME_RESERVED },
	{ "an empty user", SLICE_INIT("user..a"), MBOX_NAME_EMPTY_PART },
	{ "a trailing dot", SLICE_INIT("user.fred."), MBOX_NAME_EMPTY_PART },
	{ "an empty part", SLICE_INIT("user.fred.a..b"), MBOX_NAME_EMPTY_PART },
	{ "a leading dot", SLICE_INIT(".a"), MBOX_NAME_EMPTY_PART },
	{ "an empty domain", SLICE_INIT("!user.fred"), MBOX_NAME_CHARS },
	{ "a domain in capitals", SLICE_INIT("Example.org!user.fred"), MBOX_NAME_CHARS },
	{ "two bangs", SLICE_INIT("a.org!b.org!user.fred"), MBOX_NAME_CHARS },
	{ "a bang in a folder", SLICE_INIT("a.org!user.fred.a!b"), MBOX_NAME_CHARS },
	{ "what is before a bang is a domain", SLICE_INIT("user.fred.a!b"), MBOX_NAME_OK },
	{ "a user in capitals", SLICE_INIT("user.Fred"), MBOX_NAME_USER },
	{ "a user in UTF-7 that needs none", SLICE_INIT("user.&AGY-red"), MBOX_NAME_USER },
	{ "a user who is a dot", SLICE_INIT("user.^"), MBOX_NAME_USER },
	{ "a user who ends in a dot", SLICE_INIT("user.fred^"), MBOX_NAME_USER },
	{ "a user with two dots", SLICE_INIT("user.fred^^m"), MBOX_NAME_USER },
	{ "a user with a minus in front", SLICE_INIT("user.-fred"), MBOX_NAME_USER },
	{ "a user with an at sign", SLICE_INIT("user.a@b"), MBOX_NAME_USER },
	{ "INBOX below an inbox", SLICE_INIT("user.fred.INBOX"), MBOX_NAME_RESERVED },
	{ "inbox below an inbox", SLICE_INIT("user.fred.inbox"), MBOX_NAME_RESERVED },
	{ "below Inbox", SLICE_INIT("user.fred.Inbox.a"), MBOX_NAME_RESERVED },
	{ "a part of one dot", SLICE_INIT("user.fred.^"), MBOX_NAME_DOTS },
	{ "a part of two dots", SLICE_INIT("lists.^^.a"), MBOX_NAME_DOTS },
	{ "a slash", SLICE_INIT("user.fred.a/b"), MBOX_NAME_CHARS },
	{ "a NUL", SLICE_INIT("user.fred.a\0b"), MBOX_NAME_CHARS },
	{ "a CR LF", SLICE_INIT("lists.a\r\nb"), MBOX_NAME_CHARS },
	{ "UTF-8", SLICE_INIT("lists.\xc3\xa9"), MBOX_NAME_CHARS },
	{ "an asterisk", SLICE_INIT("*"), MBOX_NAME_CHARS },
	{ "a broken shift", SLICE_INIT("lists.a&b"), MBOX_NAME_UTF7 },
	{ "two shifts in a row", SLICE_INIT("lists.&APw-&APw-"), MBOX_NAME_UTF7 },
	{ "shared with an at sign on top", SLICE_INIT("a@b.c"), MBOX_NAME_RESERVED },
};

TEST(canonical_names_are_checked)
{
	for (size_t i = 0; i < ARRAY_LEN(checks); i++) {
		struct mbox_name m;
		enum mbox_name_error e = mbox_name_check(checks[i].in);

		test_check(e == checks[i].want, "%s: %d", checks[i].name, e);
		test_check(mbox_name_set(&m, checks[i].in) == e, "%s", checks[i].name);
		test_eq_slice(checks[i].name, mbox_name_slice(&m),
		              e == MBOX_NAME_OK ? checks[i].in : SLICE(""));
	}
}

static struct slice
long_name(char *text, const char *head, size_t n)
{
	memset(text, 'x', n);
	memcpy(text, head, strlen(head));
	return slice_make(text, n);
}

TEST(lengths_end_at_490_octets)
{
	char text[2000];
	struct mbox_name m;

	assert_int_equal(mbox_name_check(long_name(text, "user.fred.", 490)), MBOX_NAME_OK);
	assert_int_equal(mbox_name_check(long_name(text, "user.fred.", 491)), MBOX_NAME_TOO_LONG);
	/* "user.fred." is ten octets that the client does not write */
	assert_int_equal(mbox_name_from_client(&views[HOME], long_name(text, "", 480), &m),
	                 MBOX_NAME_OK);
	assert_int_equal(m.n, 490);
	assert_int_equal(mbox_name_from_client(&views[HOME], long_name(text, "", 481), &m),
	                 MBOX_NAME_TOO_LONG);
	assert_int_equal(mbox_name_from_client(&views[HOME], long_name(text, "", 1025), &m),
	                 MBOX_NAME_TOO_LONG);
	/* a bang is five octets */
	memset(text, '!', 100);
	assert_int_equal(mbox_name_from_client(&views[HOME], slice_make(text, 96), &m),
	                 MBOX_NAME_OK);
	assert_int_equal(mbox_name_from_client(&views[HOME], slice_make(text, 97), &m),
	                 MBOX_NAME_TOO_LONG);
	assert_int_equal(
		mbox_name_from_client(&views[HOME], long_name(text, "Other Users/bob/", 497), &m),
		MBOX_NAME_OK);
	assert_int_equal(m.n, 490);
	assert_int_equal(
		mbox_name_from_client(&views[HOME], long_name(text, "Other Users/bob/", 498), &m),
		MBOX_NAME_TOO_LONG);
	assert_int_equal(
		mbox_name_from_client(&views[HOME], long_name(text, "Shared Folders/", 506), &m),
		MBOX_NAME_TOO_LONG);
}

TEST(a_name_no_client_may_see_leaves_the_output_alone)
{
	static const char *const hidden[] = { "DELETED.user.fred.5E", "a.org!DELETED.x",
		                              "user.fred.INBOX", "user.fred..a", "" };

	for (size_t i = 0; i < ARRAY_LEN(hidden); i++) {
		struct buf out = BUF_INIT(SIZE_MAX);

		buf_add_str(&out, "x");
		test_check(!mbox_name_to_client(&views[HOME], slice_of(hidden[i]), &out), "%s",
		           hidden[i]);
		test_eq_slice(hidden[i], buf_slice(&out), SLICE("x"));
		buf_fini(&out);
	}
	for (size_t room = 0; room < strlen("Other Users/bob/Sent"); room++) {
		struct buf out = BUF_INIT(room);

		assert_false(mbox_name_to_client(&views[HOME], SLICE("user.bob.Sent"), &out));
		assert_int_equal(out.len, 0);
		buf_fini(&out);
	}
}

static const struct {
	const char *in, *root, *domain, *parent; /* parent NULL: none */
	bool inbox, deleted;
} places[] = {
	{ "user.fred", "user.fred", "", NULL, true, false },
	{ "user.fred.a", "user.fred", "", "user.fred", false, false },
	{ "user.fred.a.b", "user.fred", "", "user.fred.a", false, false },
	{ "x.org!user.fred", "x.org!user.fred", "x.org", NULL, true, false },
	{ "x.org!user.fred.a", "x.org!user.fred", "x.org", "x.org!user.fred", false, false },
	{ "lists", "", "", NULL, false, false },
	{ "lists.a", "", "", "lists", false, false },
	{ "x.org!lists", "", "x.org", NULL, false, false },
	{ "x.org!lists.a", "", "x.org", "x.org!lists", false, false },
	{ "users.fred", "", "", "users", false, false },
	{ "DELETED.user.fred.5E", "", "", "DELETED.user.fred", false, true },
	{ "x.org!DELETED.a", "", "x.org", "x.org!DELETED", false, true },
	{ "DELETED", "", "", NULL, false, true },
	{ "DELETEDx.a", "", "", "DELETEDx", false, false },
};

TEST(where_a_name_stands)
{
	for (size_t i = 0; i < ARRAY_LEN(places); i++) {
		struct slice in = slice_of(places[i].in), parent;
		bool has = mbox_name_parent(in, &parent);

		test_eq_slice(places[i].in, mbox_name_root(in), slice_of(places[i].root));
		test_eq_slice(places[i].in, mbox_name_domain(in), slice_of(places[i].domain));
		test_check(has == (places[i].parent != NULL), "%s", places[i].in);
		if (has)
			test_eq_slice(places[i].in, parent, slice_of(places[i].parent));
		test_check(mbox_name_is_inbox(in) == places[i].inbox, "%s", places[i].in);
		test_check(mbox_name_is_user(in) == (places[i].root[0] != '\0'), "%s",
		           places[i].in);
		test_check(mbox_name_is_deleted(in) == places[i].deleted, "%s", places[i].in);
	}
}

TEST(below_is_strict_and_ends_at_a_dot)
{
	assert_true(mbox_name_is_below(SLICE("user.fred.a"), SLICE("user.fred")));
	assert_false(mbox_name_is_below(SLICE("user.fred"), SLICE("user.fred")));
	assert_false(mbox_name_is_below(SLICE("user.freddy.a"), SLICE("user.fred")));
	assert_false(mbox_name_is_below(SLICE("user.fre"), SLICE("user.fred")));
	assert_false(mbox_name_is_below(SLICE("x.org!user.fred.a"), SLICE("user.fred")));
}

TEST(a_tree_is_renamed)
{
	char text[MBOX_NAME_MAX];
	struct mbox_name m;

	assert_int_equal(
		mbox_name_rebase(SLICE("user.fred.a"), SLICE("user.fred.a"), SLICE("lists.b"), &m),
		MBOX_NAME_OK);
	test_eq_str("the top", m.s, "lists.b");
	assert_int_equal(mbox_name_rebase(SLICE("user.fred.a.b.c"), SLICE("user.fred.a"),
	                                  SLICE("user.fred.long.x"), &m),
	                 MBOX_NAME_OK);
	test_eq_str("below", m.s, "user.fred.long.x.b.c");
	assert_int_equal(mbox_name_rebase(SLICE("user.fred.INBOX.a"), SLICE("user.fred.INBOX"),
	                                  SLICE("user.bob"), &m),
	                 MBOX_NAME_OK);
	test_eq_str("into another's", m.s, "user.bob.a");
	assert_int_equal(mbox_name_rebase(SLICE("user.fred.a.INBOX"), SLICE("user.fred.a"),
	                                  SLICE("user.fred"), &m),
	                 MBOX_NAME_RESERVED);
	assert_int_equal(mbox_name_rebase(SLICE("lists.a.b"), SLICE("lists.a"),
	                                  long_name(text, "lists.", 489), &m),
	                 MBOX_NAME_TOO_LONG);
	assert_int_equal(mbox_name_rebase(SLICE("lists.a.b"), SLICE("lists.a"),
	                                  long_name(text, "lists.", 488), &m),
	                 MBOX_NAME_OK);
}

TEST(one_trailing_separator_is_stripped)
{
	test_eq_slice("one", mbox_name_strip_separator(SLICE("a/")), SLICE("a"));
	test_eq_slice("of two", mbox_name_strip_separator(SLICE("a//")), SLICE("a/"));
	test_eq_slice("none", mbox_name_strip_separator(SLICE("a/b")), SLICE("a/b"));
	test_eq_slice("it alone", mbox_name_strip_separator(SLICE("/")), SLICE("/"));
	test_eq_slice("nothing", mbox_name_strip_separator(SLICE("")), SLICE(""));
}

TEST(the_namespace_depends_on_who_looks)
{
	assert_int_equal(mbox_name_namespace(&views[HOME], SLICE("user.fred.a")), MBOX_PERSONAL);
	assert_int_equal(mbox_name_namespace(&views[HOME], SLICE("user.freda")), MBOX_OTHER_USERS);
	assert_int_equal(mbox_name_namespace(&views[AWAY], SLICE("user.fred")), MBOX_OTHER_USERS);
	assert_int_equal(mbox_name_namespace(&views[AWAY], SLICE("other.net!user.fred")),
	                 MBOX_PERSONAL);
	assert_int_equal(mbox_name_namespace(&views[HOME_IN_FULL], SLICE("user.fred")),
	                 MBOX_PERSONAL);
	assert_int_equal(mbox_name_namespace(&views[HOME], SLICE("lists")), MBOX_SHARED);
}

/* ---- users ---- */

static const struct {
	const char *name;
	struct slice login;
	const char *user, *inbox; /* NULL: no user */
} logins[] = {
	{ "a plain one", SLICE_INIT("fred"), "fred", "user.fred" },
	{ "capitals", SLICE_INIT("FrED"), "fred", "user.fred" },
	{ "the default domain goes", SLICE_INIT("Fred@Example.ORG"), "fred", "user.fred" },
	{ "another domain stays", SLICE_INIT("Fred@Other.NET"), "fred@other.net",
	  "other.net!user.fred" },
	{ "dots", SLICE_INIT("f.m@other.net"), "f.m@other.net", "other.net!user.f^m" },
	{ "UTF-8", SLICE_INIT("j\xc3\xb6rg"), "j\xc3\xb6rg", "user.j&APY-rg" },
	{ "UTF-8 and a dot", SLICE_INIT("\xc3\xb6.x"), "\xc3\xb6.x", "user.&APY-^x" },
	{ "an ampersand", SLICE_INIT("a&b"), "a&b", "user.a&-b" },
	{ "what looks like an escape", SLICE_INIT("a&ace-"), "a&ace-", "user.a&-ace-" },
	{ "all signs that may be", SLICE_INIT("a#$&'+-.=?_`{|}~"), "a#$&'+-.=?_`{|}~",
	  "user.a#$&-'+-^=?_`{|}~" },
	{ "64 octets", SLICE_INIT(A64), A64, "user." A64 },
	{ "65 octets", SLICE_INIT(A64 "a"), NULL, NULL },
	{ "a domain of 255 octets", SLICE_INIT("a@" D255), "a@" D255, D255 "!user.a" },
	{ "a domain of more", SLICE_INIT("a@" D255 ".a"), NULL, NULL },
	{ "the longest of all", SLICE_INIT(A64 "@" D255), A64 "@" D255, D255 "!user." A64 },
	{ "nothing", SLICE_INIT(""), NULL, NULL },
	{ "only a domain", SLICE_INIT("@other.net"), NULL, NULL },
	{ "an empty domain", SLICE_INIT("fred@"), NULL, NULL },
	{ "two at signs", SLICE_INIT("a@b@other.net"), NULL, NULL },
	{ "a domain with an empty label", SLICE_INIT("a@b..c"), NULL, NULL },
	{ "an address literal", SLICE_INIT("a@[127.0.0.1]"), NULL, NULL },
	{ "a dot in front", SLICE_INIT(".fred"), NULL, NULL },
	{ "a dot behind", SLICE_INIT("fred."), NULL, NULL },
	{ "two dots", SLICE_INIT("fred..m"), NULL, NULL },
	{ "a minus in front", SLICE_INIT("-fred"), NULL, NULL },
	{ "a slash", SLICE_INIT("a/b"), NULL, NULL },
	{ "a bang", SLICE_INIT("a!b"), NULL, NULL },
	{ "a caret", SLICE_INIT("a^b"), NULL, NULL },
	{ "a percent sign", SLICE_INIT("a%b"), NULL, NULL },
	{ "an asterisk", SLICE_INIT("a*"), NULL, NULL },
	{ "a blank", SLICE_INIT("a b"), NULL, NULL },
	{ "a quote", SLICE_INIT("a\"b"), NULL, NULL },
	{ "a backslash", SLICE_INIT("a\\b"), NULL, NULL },
	{ "a colon", SLICE_INIT("group:a"), NULL, NULL },
	{ "a NUL", SLICE_INIT("a\0b"), NULL, NULL },
	{ "a NUL at the end", SLICE_INIT("fred\0"), NULL, NULL },
	{ "a LF", SLICE_INIT("a\nb"), NULL, NULL },
	{ "a control character beyond ASCII", SLICE_INIT("a\xc2\x85"), NULL, NULL },
	{ "a broken sequence", SLICE_INIT("a\xc3"), NULL, NULL },
	{ "an overlong sequence", SLICE_INIT("\xc0\xaf"), NULL, NULL },
	{ "a surrogate", SLICE_INIT("\xed\xa0\x80"), NULL, NULL },
	{ "anyone", SLICE_INIT("Anyone"), NULL, NULL },
	{ "anonymous", SLICE_INIT("anonymous@other.net"), NULL, NULL },
};

TEST(logins_become_users_and_their_inboxes)
{
	struct slice domain = SLICE("example.org");

	for (size_t i = 0; i < ARRAY_LEN(logins); i++) {
		struct mbox_user u, again;
		struct mbox_name m;
		bool ok = mbox_user_from_login(logins[i].login, domain, &u);

		test_check(ok == (logins[i].user != NULL), "%s", logins[i].name);
		test_check(mbox_name_of_user(logins[i].login, domain, &m) == ok, "%s",
		           logins[i].name);
		if (!ok)
			continue;
		test_eq_slice(logins[i].name, mbox_user_slice(&u), slice_of(logins[i].user));
		test_eq_str(logins[i].name, m.s, logins[i].inbox);
		assert_int_equal(mbox_name_check(mbox_name_slice(&m)), MBOX_NAME_OK);
		assert_true(mbox_user_of_name(mbox_name_slice(&m), domain, &again));
		test_eq_str(logins[i].name, again.s, u.s);
	}
}

TEST(whose_a_name_is)
{
	struct mbox_user u;

	assert_true(mbox_user_of_name(SLICE("user.f^m.a.b"), SLICE("x.org"), &u));
	test_eq_str("of the default domain", u.s, "f.m");
	assert_true(mbox_user_of_name(SLICE("x.org!user.fred.a"), SLICE("x.org"), &u));
	test_eq_str("the default domain said", u.s, "fred");
	assert_true(mbox_user_of_name(SLICE("y.org!user.fred"), SLICE("x.org"), &u));
	test_eq_str("of another", u.s, "fred@y.org");
	assert_false(mbox_user_of_name(SLICE("lists.a"), SLICE("x.org"), &u));
	assert_false(mbox_user_of_name(SLICE("user"), SLICE("x.org"), &u));
	assert_false(mbox_user_of_name(SLICE("user."), SLICE("x.org"), &u));
	assert_false(mbox_user_of_name(SLICE("user.a!b"), SLICE("x.org"), &u));
}

TEST(acls_name_users_without_the_default_domain)
{
	struct slice x = SLICE("x.org");

	test_eq_slice("none", mbox_user_acl_id(SLICE("fred"), x), SLICE("fred"));
	test_eq_slice("default", mbox_user_acl_id(SLICE("fred@x.org"), x), SLICE("fred"));
	test_eq_slice("other", mbox_user_acl_id(SLICE("fred@y.org"), x), SLICE("fred@y.org"));
	test_eq_slice("no default", mbox_user_acl_id(SLICE("fred@y.org"), SLICE("")),
	              SLICE("fred@y.org"));
}

/* ---- random names ---- */

static const char *const words[] = {
	"a",
	"B",
	".",
	"^",
	"!",
	"/",
	"/",
	"..",
	"&-",
	"&AOk-",
	"&ACE-",
	"&AF4-",
	"INBOX",
	"inbox",
	"Other Users/",
	"Shared Folders/",
	"bob",
	"@other.net",
	"@example.org",
	"@",
	"#",
	"user",
	"user.",
	"DELETED",
	"DELETED.",
	"fred",
	" ",
	"other.net!",
	"%",
	"-",
	"&",
};

static struct slice
random_words(char text[400])
{
	size_t n = 0;

	for (int k = rand() % 9; k >= 0; k--) {
		const char *w = words[(size_t)rand() % ARRAY_LEN(words)];

		memcpy(text + n, w, strlen(w));
		n += strlen(w);
	}
	return slice_make(text, n);
}

/* What a client may name is a valid canonical name that he may see, by a spelling that
 * means the same. */
TEST(a_name_taken_from_a_client_can_be_shown_to_him)
{
	unsigned taken = 0;

	srand(1);
	for (int i = 0; i < 200000; i++) {
		const struct mbox_view *v = &views[(size_t)rand() % ARRAY_LEN(views)];
		struct buf out = BUF_INIT(SIZE_MAX);
		char text[400];
		struct slice in = random_words(text);
		struct mbox_name m, again;

		if (mbox_name_from_client(v, in, &m) != MBOX_NAME_OK)
			continue;
		taken++;
		test_check(mbox_name_check(mbox_name_slice(&m)) == MBOX_NAME_OK, "%s", m.s);
		test_check(mbox_name_to_client(v, mbox_name_slice(&m), &out), "%.*s is %s",
		           SLICE_ARG(in), m.s);
		test_check(mbox_name_from_client(v, buf_slice(&out), &again) == MBOX_NAME_OK,
		           "%.*s is %s", SLICE_ARG(in), m.s);
		test_eq_str("again", again.s, m.s);
		buf_fini(&out);
	}
	assert_true(taken > 10000);
}

TEST(a_name_shown_to_a_client_is_taken_from_him)
{
	unsigned shown = 0;

	srand(2);
	for (int i = 0; i < 400000; i++) {
		const struct mbox_view *v = &views[(size_t)rand() % DOTTED];
		struct buf out = BUF_INIT(SIZE_MAX);
		char text[400];
		struct slice in = random_words(text);
		struct mbox_name m;

		if (mbox_name_to_client(v, in, &out)) {
			shown++;
			test_check(mbox_name_from_client(v, buf_slice(&out), &m) == MBOX_NAME_OK,
			           "%.*s is %.*s", SLICE_ARG(in), SLICE_ARG(buf_slice(&out)));
			test_eq_slice("again", mbox_name_slice(&m), in);
		}
		buf_fini(&out);
	}
	assert_true(shown > 5000);
}
