/* Subjects without what is put in front of them and behind. */
#include "mail/base_subject.h"

#include "lib/test.h"

#include <string.h>

static const struct {
	const char *subject, *base;
	bool answer;
} rows[] = {
	{ "", "", false },
	{ "plain", "plain", false },
	{ "Re: plain", "plain", true },
	{ "re:plain", "plain", true },
	{ "RE  : plain", "plain", true },
	{ "Fw: plain", "plain", true },
	{ "FWD: plain", "plain", true },
	{ "Re: Fwd: RE: plain", "plain", true },
	{ "Re[2]: plain", "plain", true },
	{ "Re [2] : plain", "plain", true },
	{ "re [2]", "re [2]", false },
	{ "Regarding: plain", "Regarding: plain", false },
	{ "fwdx: plain", "fwdx: plain", false },
	{ "Aw: plain", "Aw: plain", false },
	{ "Re:", "", true },
	{ " \t ", "", false },
	{ "a \t  b\r\n c", "a b c", false },
	{ "[list] plain", "plain", false },
	{ "[list] Re: plain", "plain", true },
	{ "Re: [list] plain", "plain", true },
	{ "[a][b]  [c] Re: [d] plain", "plain", true },
	{ "[list]", "[list]", false },
	{ "[a] [list]", "[list]", false },
	{ "[a] [list] ", "[list]", false },
	{ "Re: [list]", "[list]", true },
	{ "[a[b] plain", "[a[b] plain", false },
	{ "[open plain", "[open plain", false },
	{ "plain (fwd)", "plain", true },
	{ "plain (FWD) (fwd)  ", "plain", true },
	{ "(fwd)", "", true },
	{ "[Fwd: plain]", "plain", true },
	{ "[fwd: Re: plain (fwd)]", "plain", true },
	{ "Re: [fwd: [fwd: [x] plain]] (fwd)", "plain", true },
	{ "[fwd: plain", "[fwd: plain", false },
	{ "Re: Gr\xc3\xbc\xc3\x9f"
	  "e",
	  "Gr\xc3\xbc\xc3\x9f"
	  "e",
	  true },
};

static void
check(const char *subject, const char *want, bool answer)
{
	struct buf out = BUF_INIT(SIZE_MAX);
	bool is = base_subject_add(slice_of(subject), &out);

	test_check(slice_eq_str(buf_slice(&out), want) && is == answer, "'%s' is '%s', %d", subject,
	           buf_cstr(&out), is);
	buf_fini(&out);
}

TEST(bases_of_subjects)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		check(rows[i].subject, rows[i].base, rows[i].answer);
}

/* What somebody may send to make us work: it takes no longer than a moment. */
TEST(endless_subjects)
{
	static const char *const parts[] = { "[x]", "Re: ", "[fwd:", "re [", "(fwd)", "[x] re" };
	struct buf in = BUF_INIT(SIZE_MAX), out = BUF_INIT(SIZE_MAX);

	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		buf_clear(&in);
		buf_clear(&out);
		for (int n = 0; n < 200000; n++)
			buf_add_str(&in, parts[i]);
		(void)base_subject_add(buf_slice(&in), &out);
		test_check(out.len <= in.len, "%s", parts[i]);
	}
	buf_fini(&in);
	buf_fini(&out);
}
