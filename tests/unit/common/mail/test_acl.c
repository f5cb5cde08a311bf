#include "mail/acl.h"

#include "lib/test.h"

#include <stdlib.h>

#define OLD_CREATE (ACL_CREATE | ACL_DELETE_MBOX)
#define OLD_DELETE (ACL_DELETE_MSG | ACL_EXPUNGE)

static const struct {
	const char *name, *in;
	bool ok;
	uint32_t rights;
	const char *text;
} rights[] = {
	{ "all", "lrswipkxtea", true, ACL_ALL, "lrswipkxtecda" },
	{ "in disorder and twice", "rlrl", true, ACL_LOOKUP | ACL_READ, "lr" },
	{ "none", "", true, 0, "" },
	{ "c is k and x", "c", true, OLD_CREATE, "kxc" },
	{ "d is t and e", "d", true, OLD_DELETE, "ted" },
	{ "k alone is no c", "k", true, ACL_CREATE, "k" },
	{ "x alone is no c", "x", true, ACL_DELETE_MBOX, "x" },
	{ "t alone is no d", "t", true, ACL_DELETE_MSG, "t" },
	{ "digits are ignored", "l0r9", true, ACL_LOOKUP | ACL_READ, "lr" },
	{ "Cyrus' own form", "lrswipkxtecdan", true, ACL_ALL, "lrswipkxtecda" },
	{ "capitals", "LR", false, 0, NULL },
	{ "a blank", "l r", false, 0, NULL },
	{ "a sign", "+l", false, 0, NULL },
};

TEST(rights_as_letters)
{
	uint32_t r;

	for (size_t i = 0; i < ARRAY_LEN(rights); i++) {
		char text[ACL_TEXT_SIZE];

		test_check(acl_rights_parse(slice_of(rights[i].in), &r) == rights[i].ok, "%s",
		           rights[i].name);
		if (!rights[i].ok)
			continue;
		test_check(r == rights[i].rights, "%s: %x", rights[i].name, r);
		test_eq_str(rights[i].name, acl_rights_text(r, text), rights[i].text);
	}
	assert_false(acl_rights_parse(SLICE("l\0r"), &r));
}

TEST(every_set_of_rights_comes_back)
{
	for (uint32_t r = 0; r <= ACL_ALL; r++) {
		char text[ACL_TEXT_SIZE];
		uint32_t again;

		assert_true(acl_rights_parse(slice_of(acl_rights_text(r, text)), &again));
		assert_int_equal(again, r);
	}
}

static const struct {
	const char *name, *in;
	bool ok;
	enum acl_mode mode;
	uint32_t rights;
	const char *text;
} said[] = {
	{ "all", "lrswipkxtea", true, ACL_REPLACE, ACL_ALL, "lrswipkxtecda" },
	{ "none", "", true, ACL_REPLACE, 0, "" },
	{ "some more", "+lr", true, ACL_ADD, ACL_LOOKUP | ACL_READ, "lr" },
	{ "some less", "-cd", true, ACL_REMOVE, OLD_CREATE | OLD_DELETE, "kxtecd" },
	{ "nothing more", "+", true, ACL_ADD, 0, "" },
	{ "as RFC 2086 had it", "lrswipcda", true, ACL_REPLACE, ACL_ALL, "lrswipkxtecda" },
	{ "k is told as c, too", "k", true, ACL_REPLACE, ACL_CREATE, "kc" },
	{ "x is told as c, too", "x", true, ACL_REPLACE, ACL_DELETE_MBOX, "xc" },
	{ "t is told as d, too", "t", true, ACL_REPLACE, ACL_DELETE_MSG, "td" },
	{ "e is told as d, too", "ea", true, ACL_REPLACE, ACL_EXPUNGE | ACL_ADMIN, "eda" },
	{ "a right of others", "lq", false, 0, 0, NULL },
	{ "a digit", "l0", false, 0, 0, NULL },
	{ "capitals", "lrQ", false, 0, 0, NULL },
	{ "two signs", "+-l", false, 0, 0, NULL },
	{ "a sign behind", "l+", false, 0, 0, NULL },
};

TEST(rights_as_clients_say_them)
{
	for (size_t i = 0; i < ARRAY_LEN(said); i++) {
		char text[ACL_TEXT_SIZE];
		enum acl_mode mode;
		uint32_t r;

		test_check(acl_rights_from_client(slice_of(said[i].in), &mode, &r) == said[i].ok,
		           "%s", said[i].name);
		if (!said[i].ok)
			continue;
		test_check(mode == said[i].mode && r == said[i].rights, "%s: %x", said[i].name, r);
		test_eq_str(said[i].name, acl_rights_to_client(r, text), said[i].text);
	}
}

static const struct {
	const char *name;
	struct slice in;
	const char *want; /* NULL: refused */
} ids[] = {
	{ "a user", SLICE_INIT("fred"), "fred" },
	{ "in capitals", SLICE_INIT("FRED"), "fred" },
	{ "of the default domain", SLICE_INIT("Fred@Example.ORG"), "fred" },
	{ "of another", SLICE_INIT("fred@Other.net"), "fred@other.net" },
	{ "denied", SLICE_INIT("-fred@example.org"), "-fred" },
	{ "anyone", SLICE_INIT("anyone"), "anyone" },
	{ "anyone in capitals, denied", SLICE_INIT("-Anyone"), "-anyone" },
	{ "anonymous", SLICE_INIT("anonymous"), "anonymous" },
	{ "a group", SLICE_INIT("group:Staff"), "group:staff" },
	{ "a group of the default domain", SLICE_INIT("group:staff@example.org"), "group:staff" },
	{ "a group of another", SLICE_INIT("-GROUP:staff@other.net"), "-group:staff@other.net" },
	{ "UTF-8", SLICE_INIT("r\xc3\xa9my"), "r\xc3\xa9my" },
	{ "nobody", SLICE_INIT(""), NULL },
	{ "a minus alone", SLICE_INIT("-"), NULL },
	{ "two of them", SLICE_INIT("--fred"), NULL },
	{ "no group", SLICE_INIT("group:"), NULL },
	{ "a group of anyone", SLICE_INIT("group:anyone"), NULL },
	{ "anyone of a domain", SLICE_INIT("anyone@other.net"), NULL },
	{ "a tab", SLICE_INIT("fred\tlr"), NULL },
	{ "a blank", SLICE_INIT("fred bob"), NULL },
	{ "a NUL", SLICE_INIT("fred\0"), NULL },
	{ "no UTF-8", SLICE_INIT("r\xe9my"), NULL },
};

TEST(identifiers_have_one_spelling)
{
	char id[ACL_ID_SIZE];

	for (size_t i = 0; i < ARRAY_LEN(ids); i++) {
		test_check(acl_id_canonical(ids[i].in, SLICE("example.org"), id) ==
		                   (ids[i].want != NULL),
		           "%s", ids[i].name);
		if (ids[i].want == NULL)
			continue;
		test_eq_str(ids[i].name, id, ids[i].want);
		assert_true(acl_id_is_valid(slice_of(id)));
	}
}

TEST(the_longest_identifier)
{
	char text[400], id[ACL_ID_SIZE];

	memset(text, 'a', sizeof(text));
	memcpy(text, "-group:", 7);
	text[7 + 64] = '@';
	for (size_t i = 0; i < 255; i++)
		text[7 + 65 + i] = i % 60 == 59 ? '.' : 'b';
	text[7 + 65 + 255] = '\0';
	assert_true(acl_id_canonical(slice_of(text), SLICE("example.org"), id));
	assert_int_equal(strlen(id), ACL_ID_SIZE - 1);
	text[7 + 65 + 255] = 'b';
	text[7 + 65 + 256] = '\0';
	assert_false(acl_id_canonical(slice_of(text), SLICE("example.org"), id));
}

TEST(groups_are_split_at_blanks)
{
	struct slice g[3];

	assert_int_equal(acl_groups_split(SLICE(""), g, 3), 0);
	assert_int_equal(acl_groups_split(SLICE("a  b@c.de "), g, 3), 2);
	test_eq_slice("first", g[0], SLICE("a"));
	test_eq_slice("second", g[1], SLICE("b@c.de"));
	assert_int_equal(acl_groups_split(SLICE("a b c d"), g, 3), 3);
}

static const struct slice groups[] = { SLICE_INIT("staff"), SLICE_INIT("x y") };
static const struct acl_who fred = { SLICE_INIT("fred"), { NULL, 0 }, groups, ARRAY_LEN(groups) };
static const struct acl_who nobody = { .user = { NULL, 0 } };

static const struct {
	const char *name;
	struct slice acl;
	const char *fred, *nobody;
} asked[] = {
	{ "nothing said", SLICE_INIT(""), "", "" },
	{ "his own", SLICE_INIT("fred\tlrs\t"), "lrs", "" },
	{ "another's", SLICE_INIT("bob\tlrs\tfreddy\tlr\tfre\tl\tFred\tl\t"), "", "" },
	{ "anyone's", SLICE_INIT("anyone\tlr\t"), "lr", "lr" },
	{ "a union", SLICE_INIT("fred\tl\tanyone\tr\tgroup:staff\ts\t"), "lrs", "r" },
	{ "a group with a blank", SLICE_INIT("group:x y\tl\t"), "l", "" },
	{ "a group he is not in", SLICE_INIT("group:staff2\tl\tgroup:\tl\tstaff\tl\t"), "", "" },
	{ "negative rights are taken away", SLICE_INIT("fred\tlrs\t-fred\ts\t"), "lr", "" },
	{ "in any order", SLICE_INIT("-fred\ts\tfred\tlrs\t"), "lr", "" },
	{ "those of anyone", SLICE_INIT("fred\tlrs\tanyone\tl\t-anyone\tl\t"), "rs", "" },
	{ "those of a group", SLICE_INIT("fred\tlrs\t-group:staff\trs\t"), "l", "" },
	{ "those of others stay", SLICE_INIT("fred\tlrs\t-bob\tlrs\t"), "lrs", "" },
	{ "a negative right alone gives nothing", SLICE_INIT("-fred\tl\t"), "", "" },
	{ "two entries of his", SLICE_INIT("fred\tl\tfred\tr\t"), "lr", "" },
	{ "no tab at the very end", SLICE_INIT("fred\tlr"), "lr", "" },
	{ "old letters", SLICE_INIT("fred\tlcd\t"), "lkxtecd", "" },
	{ "letters of others", SLICE_INIT("fred\tlrn1\t"), "lr", "" },
	{ "malformed behind his entry", SLICE_INIT("fred\tlr\tbob"), "", "" },
	{ "malformed rights", SLICE_INIT("fred\tlr\tbob\tQ\t"), "", "" },
	{ "an empty identifier", SLICE_INIT("fred\tlr\t\tl\t"), "", "" },
	{ "a minus alone", SLICE_INIT("fred\tlr\t-\tl\t"), "", "" },
	{ "a control character", SLICE_INIT("fred\tlr\ta\nb\tl\t"), "", "" },
	{ "a NUL", SLICE_INIT("fred\tlr\ta\0b\tl\t"), "", "" },
	{ "no UTF-8", SLICE_INIT("fred\tlr\t\xe9\tl\t"), "", "" },
};

TEST(what_somebody_may_do)
{
	for (size_t i = 0; i < ARRAY_LEN(asked); i++) {
		char text[ACL_TEXT_SIZE];

		test_eq_str(asked[i].name,
		            acl_rights_text(acl_rights_of(asked[i].acl, &fred), text),
		            asked[i].fred);
		test_eq_str(asked[i].name,
		            acl_rights_text(acl_rights_of(asked[i].acl, &nobody), text),
		            asked[i].nobody);
	}
}

static const struct slice alumni[] = { SLICE_INIT("old@other.net"), SLICE_INIT("staff") };
static const struct acl_who ann = { SLICE_INIT("ann@other.net"), SLICE_INIT("other.net!user.ann"),
	                            alumni, ARRAY_LEN(alumni) };
static const struct acl_who bob = { SLICE_INIT("bob"), SLICE_INIT("user.bob"), NULL, 0 };

/* Users of different domains do not see each other, unless they are named. */
static const struct {
	const char *name, *mbox, *acl, *ann, *bob;
} places[] = {
	{ "his own INBOX", "user.bob", "", "", "lkxca" },
	{ "a folder of his", "user.bob.x", "bob\tr\t", "", "lrkxca" },
	{ "his own in another domain", "other.net!user.ann.x", "", "lkxca", "" },
	{ "what he denies himself", "user.bob", "bob\tlrs\t-bob\tlsxa\t", "", "lrkxca" },
	{ "whose name only begins like his", "user.bobby.x", "", "", "" },
	{ "anyone of the default domain", "lists.x", "anyone\tlr\t", "", "lr" },
	{ "anyone of another", "other.net!lists.x", "anyone\tlr\t", "lr", "" },
	{ "denied to anyone", "lists.x", "ann@other.net\tlr\tbob\tl\t-anyone\tl\t", "r", "" },
	{ "named over domains", "lists.x", "ann@other.net\tlr\t", "lr", "" },
	{ "a group over domains", "lists.x", "group:old@other.net\tl\tgroup:staff\tr\t", "lr", "" },
	{ "the same name in another domain", "lists.x", "ann\tlr\tbob@other.net\tlr\t", "", "" },
};

TEST(what_somebody_may_do_where)
{
	for (size_t i = 0; i < ARRAY_LEN(places); i++) {
		struct slice name = slice_of(places[i].mbox), acl = slice_of(places[i].acl);
		char text[ACL_TEXT_SIZE];

		test_eq_str(places[i].name,
		            acl_rights_to_client(acl_rights_on(name, acl, &ann), text),
		            places[i].ann);
		test_eq_str(places[i].name,
		            acl_rights_to_client(acl_rights_on(name, acl, &bob), text),
		            places[i].bob);
	}
}

TEST(one_entry_is_read)
{
	struct slice acl = SLICE("a\tl\tfred\tlr\t-fred\ts\t");

	assert_int_equal(acl_get(acl, SLICE("fred")), ACL_LOOKUP | ACL_READ);
	assert_int_equal(acl_get(acl, SLICE("-fred")), ACL_SEEN);
	assert_int_equal(acl_get(acl, SLICE("fre")), 0);
}

static const struct {
	const char *name, *acl, *id;
	uint32_t rights;
	const char *want; /* NULL: refused */
} sets[] = {
	{ "the first entry", "", "fred", ACL_LOOKUP | ACL_READ, "fred\tlr\t" },
	{ "one more", "bob\tl\t", "fred", ACL_READ, "bob\tl\tfred\tr\t" },
	{ "one changed in its place", "a\tl\tfred\tl\tb\tl\t", "fred", ACL_READ,
	  "a\tl\tfred\tr\tb\tl\t" },
	{ "one removed", "a\tl\tfred\tl\tb\tl\t", "fred", 0, "a\tl\tb\tl\t" },
	{ "the last one removed", "fred\tl\t", "fred", 0, "" },
	{ "one removed that is not there", "a\tl\t", "fred", 0, "a\tl\t" },
	{ "two entries become one", "fred\tl\ta\tl\tfred\tr\t", "fred", ACL_SEEN,
	  "fred\ts\ta\tl\t" },
	{ "both are removed", "fred\tl\ta\tl\tfred\tr\t", "fred", 0, "a\tl\t" },
	{ "negative rights are another entry", "fred\tlr\t", "-fred", ACL_READ,
	  "fred\tlr\t-fred\tr\t" },
	{ "negative rights removed", "fred\tlr\t-fred\tr\t", "-fred", 0, "fred\tlr\t" },
	{ "rights are written in order", "a\ter0l\t", "fred", ACL_ALL,
	  "a\tlre\tfred\tlrswipkxtecda\t" },
	{ "an empty identifier", "a\tl\t", "", ACL_READ, NULL },
	{ "a tab in the identifier", "a\tl\t", "b\tlr", ACL_READ, NULL },
	{ "a malformed ACL", "a", "fred", ACL_READ, NULL },
};

TEST(entries_are_set)
{
	for (size_t i = 0; i < ARRAY_LEN(sets); i++) {
		struct buf out = BUF_INIT(SIZE_MAX);
		bool ok =
			acl_set(slice_of(sets[i].acl), slice_of(sets[i].id), sets[i].rights, &out);

		test_check(ok == (sets[i].want != NULL), "%s", sets[i].name);
		test_eq_slice(sets[i].name, buf_slice(&out), slice_of(sets[i].want));
		assert_true(acl_is_valid(buf_slice(&out)));
		buf_fini(&out);
	}
}

TEST(a_thousand_entries_are_the_most)
{
	struct buf acl = BUF_INIT(SIZE_MAX), out = BUF_INIT(SIZE_MAX);
	struct buf more = BUF_INIT(SIZE_MAX);

	for (int i = 0; i < 1000; i++)
		buf_printf(&acl, "u%d\tl\t", i);
	assert_true(acl_is_valid(buf_slice(&acl)));
	assert_false(acl_set(buf_slice(&acl), SLICE("fred"), ACL_READ, &out));
	buf_clear(&out);
	assert_true(acl_set(buf_slice(&acl), SLICE("u7"), ACL_READ, &out));
	assert_int_equal(out.len, acl.len);
	buf_clear(&out);
	assert_true(acl_set(buf_slice(&acl), SLICE("u7"), 0, &out));
	assert_true(acl_set(buf_slice(&out), SLICE("fred"), ACL_READ, &more));
	buf_add_str(&acl, "fred\tl\t");
	assert_false(acl_is_valid(buf_slice(&acl)));
	assert_int_equal(acl_rights_of(buf_slice(&acl), &fred), 0);
	buf_fini(&acl);
	buf_fini(&out);
	buf_fini(&more);
}

TEST(the_owner_has_all)
{
	struct buf out = BUF_INIT(SIZE_MAX);

	acl_add_owner(SLICE("fred"), &out);
	assert_int_equal(acl_rights_of(buf_slice(&out), &fred), ACL_ALL);
	buf_fini(&out);
}

TEST(random_acls_keep_their_meaning_when_one_entry_changes)
{
	static const char *const bits[] = { "fred", "bob", "-",  "anyone", "group:staff",
		                            "\t",   "\t",  "lr", "s",      "cd" };

	srand(10);
	for (int i = 0; i < 50000; i++) {
		struct buf acl = BUF_INIT(SIZE_MAX), out = BUF_INIT(SIZE_MAX);

		for (int k = rand() % 12; k >= 0; k--)
			buf_add_str(&acl, bits[(size_t)rand() % ARRAY_LEN(bits)]);
		if (acl_set(buf_slice(&acl), SLICE("somebody"), ACL_READ, &out)) {
			assert_true(acl_is_valid(buf_slice(&acl)));
			assert_true(acl_is_valid(buf_slice(&out)));
			assert_int_equal(acl_rights_of(buf_slice(&acl), &fred),
			                 acl_rights_of(buf_slice(&out), &fred));
			assert_int_equal(acl_rights_of(buf_slice(&acl), &nobody),
			                 acl_rights_of(buf_slice(&out), &nobody));
		} else {
			assert_int_equal(acl_rights_of(buf_slice(&acl), &fred), 0);
		}
		buf_fini(&acl);
		buf_fini(&out);
	}
}
