#include "mail/address.h"

#include "lib/test.h"

#include <stdlib.h>

#define A16 "aaaaaaaaaaaaaaaa"
#define A64 A16 A16 A16 A16
#define D63 A16 A16 A16 "aaaaaaaaaaaaaaa"
#define D255 D63 "." D63 "." D63 "." D63
#define Q32                                                                                        \
	"\\\"\\\"\\\"\\\"\\\"\\\"\\\"\\\"\\\"\\\"\\\"\\\"\\\"\\\"\\\"\\\""                         \
	"\\\"\\\"\\\"\\\"\\\"\\\"\\\"\\\"\\\"\\\"\\\"\\\"\\\"\\\"\\\"\\\""

enum {
	NIL = ADDRESS_ALLOW_NULL,
	BARE = ADDRESS_ALLOW_BARE,
	UTF = ADDRESS_ALLOW_UTF8,
};

static const struct {
	const char *name;
	struct slice in;
	unsigned flags;
	enum address_error want;
	const char *text, *rest; /* what address_text() makes; what stands behind the path */
} paths[] = {
	{ "a plain one", SLICE_INIT("<fred@example.org>"), 0, ADDRESS_OK, "fred@example.org", "" },
	{ "parameters behind", SLICE_INIT("<fred@example.org> SIZE=1"), 0, ADDRESS_OK,
	  "fred@example.org", " SIZE=1" },
	{ "the case of the local part stays", SLICE_INIT("<Fred@Example.ORG>"), 0, ADDRESS_OK,
	  "Fred@example.org", "" },
	{ "the null path", SLICE_INIT("<>"), NIL, ADDRESS_OK, "", "" },
	{ "the null path where none may be", SLICE_INIT("<>"), BARE, ADDRESS_EMPTY, NULL, NULL },
	{ "a blank is not the null path", SLICE_INIT("< >"), NIL, ADDRESS_SYNTAX, NULL, NULL },
	{ "postmaster alone", SLICE_INIT("<Postmaster>"), BARE, ADDRESS_OK, "Postmaster", "" },
	{ "a bare name where none may be", SLICE_INIT("<fred>"), NIL, ADDRESS_NO_DOMAIN, NULL,
	  NULL },
	{ "every sign of an atom", SLICE_INIT("<!#$%&'*+-/=?^_`{|}~@x>"), 0, ADDRESS_OK,
	  "!#$%&'*+-/=?^_`{|}~@x", "" },
	{ "dots", SLICE_INIT("<a.b.c@x.y.z>"), 0, ADDRESS_OK, "a.b.c@x.y.z", "" },
	{ "a dot in front", SLICE_INIT("<.a@x>"), 0, ADDRESS_SYNTAX, NULL, NULL },
	{ "a dot behind", SLICE_INIT("<a.@x>"), 0, ADDRESS_SYNTAX, NULL, NULL },
	{ "two dots", SLICE_INIT("<a..b@x>"), 0, ADDRESS_SYNTAX, NULL, NULL },
	{ "quotes that were not needed", SLICE_INIT("<\"fred\"@x>"), 0, ADDRESS_OK, "fred@x", "" },
	{ "a blank in quotes", SLICE_INIT("<\"a b\"@x>"), 0, ADDRESS_OK, "\"a b\"@x", "" },
	{ "an at sign in quotes", SLICE_INIT("<\"a@b\"@x>"), 0, ADDRESS_OK, "\"a@b\"@x", "" },
	{ "an angle in quotes", SLICE_INIT("<\"a>b\"@x> S"), 0, ADDRESS_OK, "\"a>b\"@x", " S" },
	{ "an escaped quote", SLICE_INIT("<\"a\\\"b\"@x>"), 0, ADDRESS_OK, "\"a\\\"b\"@x", "" },
	{ "an escaped backslash", SLICE_INIT("<\"\\\\\"@x>"), 0, ADDRESS_OK, "\"\\\\\"@x", "" },
	{ "an escaped letter", SLICE_INIT("<\"\\a\"@x>"), 0, ADDRESS_OK, "a@x", "" },
	{ "two dots in quotes", SLICE_INIT("<\"a..b\"@x>"), 0, ADDRESS_OK, "\"a..b\"@x", "" },
	{ "a dot in quotes", SLICE_INIT("<\".\"@x>"), 0, ADDRESS_OK, "\".\"@x", "" },
	{ "empty quotes", SLICE_INIT("<\"\"@x>"), 0, ADDRESS_LOCAL_EMPTY, NULL, NULL },
	{ "empty quotes with all allowed", SLICE_INIT("<\"\"@x>"), NIL | BARE | UTF,
	  ADDRESS_LOCAL_EMPTY, NULL, NULL },
	{ "empty quotes alone", SLICE_INIT("<\"\">"), NIL | BARE, ADDRESS_LOCAL_EMPTY, NULL, NULL },
	{ "nothing before the at sign", SLICE_INIT("<@x>"), NIL | BARE, ADDRESS_LOCAL_EMPTY, NULL,
	  NULL },
	{ "quotes without an end", SLICE_INIT("<\"a@x>"), 0, ADDRESS_SYNTAX, NULL, NULL },
	{ "quotes that end in a backslash", SLICE_INIT("<\"a\\>"), 0, ADDRESS_SYNTAX, NULL, NULL },
	{ "a letter behind quotes", SLICE_INIT("<\"a\"b@x>"), 0, ADDRESS_SYNTAX, NULL, NULL },
	{ "a word of quotes joined by a dot", SLICE_INIT("<\"a\".b@x>"), 0, ADDRESS_SYNTAX, NULL,
	  NULL },
	{ "a control character in quotes", SLICE_INIT("<\"a\rb\"@x>"), 0, ADDRESS_SYNTAX, NULL,
	  NULL },
	{ "an escaped LF", SLICE_INIT("<\"a\\\nb\"@x>"), 0, ADDRESS_SYNTAX, NULL, NULL },
	{ "an escaped NUL", SLICE_INIT("<\"a\\\0b\"@x>"), 0, ADDRESS_SYNTAX, NULL, NULL },
	{ "a NUL", SLICE_INIT("<a\0b@x>"), 0, ADDRESS_SYNTAX, NULL, NULL },
	{ "a NUL in the domain", SLICE_INIT("<a@x\0y>"), 0, ADDRESS_DOMAIN, NULL, NULL },
	{ "a blank", SLICE_INIT("<a b@x>"), 0, ADDRESS_SYNTAX, NULL, NULL },
	{ "a blank in front of the path", SLICE_INIT(" <a@x>"), 0, ADDRESS_SYNTAX, NULL, NULL },
	{ "no brackets", SLICE_INIT("a@x"), 0, ADDRESS_SYNTAX, NULL, NULL },
	{ "no closing bracket", SLICE_INIT("<a@x"), 0, ADDRESS_SYNTAX, NULL, NULL },
	{ "nothing at all", SLICE_INIT(""), NIL, ADDRESS_SYNTAX, NULL, NULL },
	{ "two at signs", SLICE_INIT("<a@b@x>"), 0, ADDRESS_DOMAIN, NULL, NULL },
	{ "a comment", SLICE_INIT("<a(b)@x>"), 0, ADDRESS_SYNTAX, NULL, NULL },
	{ "64 octets", SLICE_INIT("<" A64 "@x>"), 0, ADDRESS_OK, A64 "@x", "" },
	{ "65 octets", SLICE_INIT("<" A64 "a@x>"), 0, ADDRESS_LOCAL_LONG, NULL, NULL },
	{ "64 octets, all escaped", SLICE_INIT("<\"" Q32 Q32 "\"@" D255 ">"), 0, ADDRESS_OK,
	  "\"" Q32 Q32 "\"@" D255, "" },
	{ "65 octets in quotes", SLICE_INIT("<\"" A64 " \"@x>"), 0, ADDRESS_LOCAL_LONG, NULL,
	  NULL },
	{ "a label of 63", SLICE_INIT("<a@" D63 ">"), 0, ADDRESS_OK, "a@" D63, "" },
	{ "a label of 64", SLICE_INIT("<a@" D63 "a>"), 0, ADDRESS_DOMAIN, NULL, NULL },
	{ "a domain of 255", SLICE_INIT("<a@" D255 ">"), 0, ADDRESS_OK, "a@" D255, "" },
	{ "a domain of 257", SLICE_INIT("<a@" D255 ".a>"), 0, ADDRESS_DOMAIN_LONG, NULL, NULL },
	{ "an empty domain", SLICE_INIT("<a@>"), BARE, ADDRESS_DOMAIN, NULL, NULL },
	{ "a dot at the end of the domain", SLICE_INIT("<a@x.>"), 0, ADDRESS_DOMAIN, NULL, NULL },
	{ "two dots in the domain", SLICE_INIT("<a@x..y>"), 0, ADDRESS_DOMAIN, NULL, NULL },
	{ "a hyphen in front of a label", SLICE_INIT("<a@x.-y>"), 0, ADDRESS_DOMAIN, NULL, NULL },
	{ "a hyphen behind a label", SLICE_INIT("<a@x-.y>"), 0, ADDRESS_DOMAIN, NULL, NULL },
	{ "an underscore is let through", SLICE_INIT("<a@x_y>"), 0, ADDRESS_OK, "a@x_y", "" },
	{ "a slash in the domain", SLICE_INIT("<a@x/y>"), 0, ADDRESS_DOMAIN, NULL, NULL },
	{ "an IPv4 literal", SLICE_INIT("<a@[192.0.2.1]>"), 0, ADDRESS_OK, "a@[192.0.2.1]", "" },
	{ "an IPv6 literal", SLICE_INIT("<a@[ipv6:2001:DB8::1]>"), 0, ADDRESS_OK,
	  "a@[IPv6:2001:db8::1]", "" },
	{ "IPv4 within IPv6", SLICE_INIT("<a@[IPv6:::ffff:192.0.2.1]>"), 0, ADDRESS_OK,
	  "a@[IPv6:::ffff:192.0.2.1]", "" },
	{ "a short IPv4", SLICE_INIT("<a@[127.1]>"), 0, ADDRESS_LITERAL, NULL, NULL },
	{ "IPv4 out of range", SLICE_INIT("<a@[192.0.2.256]>"), 0, ADDRESS_LITERAL, NULL, NULL },
	{ "IPv6 without its tag", SLICE_INIT("<a@[2001:db8::1]>"), 0, ADDRESS_LITERAL, NULL, NULL },
	{ "an empty literal", SLICE_INIT("<a@[]>"), 0, ADDRESS_LITERAL, NULL, NULL },
	{ "a literal without an end", SLICE_INIT("<a@[192.0.2.1>"), 0, ADDRESS_LITERAL, NULL,
	  NULL },
	{ "text behind a literal", SLICE_INIT("<a@[192.0.2.1]x>"), 0, ADDRESS_LITERAL, NULL, NULL },
	{ "a NUL in a literal", SLICE_INIT("<a@[192.0.2.1\0]>"), 0, ADDRESS_LITERAL, NULL, NULL },
	{ "a source route goes", SLICE_INIT("<@a.org,@b.org:c@d.org>"), 0, ADDRESS_OK, "c@d.org",
	  "" },
	{ "a route of one", SLICE_INIT("<@a.org:c@d.org> X"), 0, ADDRESS_OK, "c@d.org", " X" },
	{ "only a route", SLICE_INIT("<@a.org:>"), NIL, ADDRESS_SYNTAX, NULL, NULL },
	{ "a route with an empty host", SLICE_INIT("<@:c@d.org>"), 0, ADDRESS_SYNTAX, NULL, NULL },
	{ "a route with two commas", SLICE_INIT("<@a,,@b:c@d.org>"), 0, ADDRESS_SYNTAX, NULL,
	  NULL },
	{ "two routes", SLICE_INIT("<@a:@b:c@d.org>"), 0, ADDRESS_LOCAL_EMPTY, NULL, NULL },
	{ "UTF-8 before the at sign", SLICE_INIT("<j\xc3\xb6rg@x>"), UTF, ADDRESS_OK,
	  "j\xc3\xb6rg@x", "" },
	{ "UTF-8 in quotes", SLICE_INIT("<\"j \xc3\xb6\"@x>"), UTF, ADDRESS_OK, "\"j \xc3\xb6\"@x",
	  "" },
	{ "UTF-8 in the domain", SLICE_INIT("<a@\xc3\xb6.org>"), UTF, ADDRESS_OK, "a@\xc3\xb6.org",
	  "" },
	{ "UTF-8 where it may not be", SLICE_INIT("<j\xc3\xb6rg@x>"), NIL | BARE, ADDRESS_UTF8,
	  NULL, NULL },
	{ "UTF-8 in the domain where it may not be", SLICE_INIT("<a@\xc3\xb6.org>"), 0,
	  ADDRESS_UTF8, NULL, NULL },
	{ "Latin-1", SLICE_INIT("<j\xf6rg@x>"), UTF, ADDRESS_SYNTAX, NULL, NULL },
	{ "an overlong sequence", SLICE_INIT("<\xc0\xaf@x>"), UTF, ADDRESS_SYNTAX, NULL, NULL },
	{ "Latin-1 in the domain", SLICE_INIT("<a@\xf6.org>"), UTF, ADDRESS_DOMAIN, NULL, NULL },
};

TEST(paths_of_the_envelope)
{
	for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
		char text[ADDRESS_TEXT_SIZE];
		struct address a, again;
		size_t used;
		enum address_error e = address_parse_path(paths[i].in, paths[i].flags, &a, &used);

		test_check(e == paths[i].want, "%s: %s", paths[i].name, address_error_text(e));
		if (e != ADDRESS_OK)
			continue;
		test_eq_str(paths[i].name, address_text(&a, text), paths[i].text);
		test_eq_slice(paths[i].name, slice_skip(paths[i].in, used),
		              slice_of(paths[i].rest));
		test_check(a.utf8 == ((paths[i].flags & UTF) != 0), "%s", paths[i].name);
		test_check(address_is_null(&a) == (paths[i].text[0] == '\0'), "%s", paths[i].name);
		/* what is written is read as the same address */
		assert_int_equal(address_parse(slice_of(text), NIL | BARE | UTF, &again),
		                 ADDRESS_OK);
		test_check(address_eq(&a, &again), "%s", paths[i].name);
	}
}

TEST(a_cut_path_is_no_path)
{
	for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
		struct address a;
		size_t used;

		if (paths[i].want != ADDRESS_OK)
			continue;
		for (size_t n = 0; n < paths[i].in.n - strlen(paths[i].rest); n++)
			test_check(address_parse_path(slice_sub(paths[i].in, 0, n),
			                              NIL | BARE | UTF, &a, &used) != ADDRESS_OK,
			           "%s, cut at %zu", paths[i].name, n);
	}
}

TEST(addresses_without_brackets)
{
	struct address a;

	assert_int_equal(address_parse(SLICE("fred@x.org"), 0, &a), ADDRESS_OK);
	test_eq_str("local", a.local, "fred");
	test_eq_str("domain", a.domain, "x.org");
	assert_int_equal(address_parse(SLICE("fred"), BARE, &a), ADDRESS_OK);
	test_eq_str("no domain", a.domain, "");
	assert_int_equal(address_parse(SLICE("fred@x.org "), 0, &a), ADDRESS_DOMAIN);
	assert_int_equal(address_parse(SLICE("<fred@x.org>"), 0, &a), ADDRESS_SYNTAX);
	assert_int_equal(address_parse(SLICE(""), BARE, &a), ADDRESS_EMPTY);
	assert_int_equal(address_parse(SLICE("@a:b@c"), 0, &a), ADDRESS_LOCAL_EMPTY);
}

TEST(the_local_part_compares_exactly_and_the_domain_folded)
{
	struct address a, b;

	assert_int_equal(address_parse(SLICE("Fred@X.org"), 0, &a), ADDRESS_OK);
	assert_int_equal(address_parse(SLICE("\"Fred\"@x.ORG"), 0, &b), ADDRESS_OK);
	assert_true(address_eq(&a, &b));
	assert_int_equal(address_parse(SLICE("fred@x.org"), 0, &b), ADDRESS_OK);
	assert_false(address_eq(&a, &b));
	assert_int_equal(address_parse(SLICE("Fred@y.org"), 0, &b), ADDRESS_OK);
	assert_false(address_eq(&a, &b));
}

/* Any local part goes out so that it comes in again. */
TEST(any_local_part_is_written_so_that_it_is_read)
{
	static const char signs[] = "ab. .\"\\@<>(),:;[]!~+";

	srand(3);
	for (int i = 0; i < 100000; i++) {
		char text[ADDRESS_TEXT_SIZE], path[ADDRESS_TEXT_SIZE + 2];
		struct address a = { .domain = "x.org" }, again;
		size_t used;
		int n = 1 + rand() % (rand() % 8 == 0 ? ADDRESS_LOCAL_MAX : 5);

		for (int k = 0; k < n; k++)
			a.local[k] = signs[(size_t)rand() % (sizeof(signs) - 1)];
		address_text(&a, text);
		path[0] = '<';
		memcpy(path + 1, text, strlen(text));
		path[strlen(text) + 1] = '>';
		test_check(address_parse_path(slice_make(path, strlen(text) + 2), 0, &again,
		                              &used) == ADDRESS_OK,
		           "%s", text);
		assert_int_equal(used, strlen(text) + 2);
		assert_true(address_eq(&a, &again));
	}
}

static const struct {
	const char *name, *local, *user, *detail; /* detail NULL: none */
	char separator;
} details[] = {
	{ "a detail", "fred+lists", "fred", "lists", '+' },
	{ "none", "fred", "fred", NULL, '+' },
	{ "an empty one", "fred+", "fred", "", '+' },
	{ "two separators", "fred+a+b", "fred", "a+b", '+' },
	{ "a separator in front", "+fred", "+fred", NULL, '+' },
	{ "only a separator", "+", "+", NULL, '+' },
	{ "another separator", "fred-a+b", "fred", "a+b", '-' },
	{ "no separator is set", "fred+a", "fred+a", NULL, '\0' },
};

TEST(details_are_split_off)
{
	for (size_t i = 0; i < ARRAY_LEN(details); i++) {
		struct slice user, detail;

		address_split_detail(slice_of(details[i].local), details[i].separator, &user,
		                     &detail);
		test_eq_slice(details[i].name, user, slice_of(details[i].user));
		test_check((detail.p == NULL) == (details[i].detail == NULL), "%s",
		           details[i].name);
		test_eq_slice(details[i].name, detail, slice_of(details[i].detail));
	}
}
