/* prep - the examples of RFC 4013 section 3, and each of its steps. */
#include "text/prep.h"

#include "lib/test.h"

static const struct prep_case {
	const char *name, *in, *out; /* out NULL: refused */
} cases[] = {
	{ "a soft hyphen is mapped to nothing", "I\xc2\xadX", "IX" },
	{ "ASCII stays", "user", "user" },
	{ "case stays", "USER", "USER" },
	{ "NFKC of a feminine ordinal", "\xc2\xaa", "a" },
	{ "a Roman numeral comes apart", "\xe2\x85\xa8", "IX" },
	{ "a control character is prohibited", "\x07", NULL },
	{ "a digit behind right-to-left is prohibited", "\xd8\xa7\x31", NULL },
	{ "right-to-left alone is fine", "\xd8\xa7\x31\xd8\xa8", "\xd8\xa7\x31\xd8\xa8" },
	{ "both directions are prohibited", "\xd8\xa7z\xd8\xa8", NULL },
	{ "a no-break space is a space", "a\xc2\xa0z", "a z" },
	{ "composed and decomposed are the same", "e\xcc\x81", "\xc3\xa9" },
	{ "an object replacement is prohibited", "a\xef\xbf\xbc", NULL },
	{ "no UTF-8 is refused", "a\xff", NULL },
	{ "a tag character is prohibited", "\xf3\xa0\x80\x81", NULL },
	{ "a non-character is prohibited", "\xf0\x9f\xbf\xbe", NULL },
	{ "DEL is prohibited", "a\x7f", NULL },
	{ "nothing is nothing", "", "" },
	{ "punctuation of passwords stays", "p,=w \\\"$", "p,=w \\\"$" },
};

TEST(examples)
{
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct buf out = BUF_INIT(64);
		bool ok = prep_sasl(&out, slice_of(cases[i].in));

		test_check(ok == (cases[i].out != NULL), "%s", cases[i].name);
		if (ok)
			test_check(strcmp(buf_cstr(&out), cases[i].out) == 0, "%s: %s",
			           cases[i].name, buf_cstr(&out));
		buf_fini(&out);
	}
}

TEST(what_does_not_fit_is_refused)
{
	struct buf out = BUF_INIT(4);

	assert_false(prep_sasl(&out, SLICE("12345")));
	buf_clear(&out);
	assert_false(prep_sasl(&out, SLICE("\xc3\xa9\xc3\xa9\xc3\xa9")));
	buf_fini(&out);
}
