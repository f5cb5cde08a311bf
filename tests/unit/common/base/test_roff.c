#include "base/roff.h"

#include "lib/test.h"

#include <string.h>

static const struct roff_case {
	const char *name, *text, *want;
} cases[] = {
	{ "plain words", "a b", ".PP\na b\n" },
	{ "a dash can be copied", "a-b", ".PP\na\\-b\n" },
	{ "a backslash is one", "a\\b", ".PP\na\\eb\n" },
	{ "a dot at the front is no request", ".so /etc/passwd", ".PP\n\\&.so /etc/passwd\n" },
	{ "nor is a quote", "'so x", ".PP\n\\&'so x\n" },
	{ "an empty line ends the paragraph", "a\n\nb", ".PP\na\n.PP\nb\n" },
};

TEST(text_is_escaped)
{
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct buf out = BUF_INIT(4096);

		roff_text(&out, cases[i].text);
		if (strcmp(buf_cstr(&out), cases[i].want) != 0)
			fail_msg("%s: %s", cases[i].name, buf_cstr(&out));
		buf_fini(&out);
	}
}

TEST(a_page_is_made_of_its_parts)
{
	struct buf out = BUF_INIT(4096);

	roff_section(&out, "a \"word\"");
	roff_text(&out, "first");
	roff_item(&out, "--x", " = 1", "what it does");
	roff_item_more(&out, "more");
	roff_verbatim(&out, ".x\ny");
	assert_string_equal(buf_cstr(&out), ".SH \"a \\(dqword\\(dq\"\nfirst\n"
	                                    ".TP\n\\fB\\-\\-x\\fR = 1\nwhat it does\n.IP\nmore\n"
	                                    ".PP\n.RS 4\n.nf\n\\&.x\ny\n.fi\n.RE\n");
	buf_fini(&out);
}
