/* A message: parts, structure, summary, sections, decoding, searching. */
#include "base/must.h"
#include "fuzz/fuzz.h"
#include "mail/crlf.h"
#include "mail/mime.h"
#include "mail/summary.h"
#include "text/search.h"

static void
look_into(struct arena *a, struct slice msg)
{
	static const char *const sections[] = { "",         "1",    "1.2",     "2.MIME",
		                                "1.HEADER", "TEXT", "3.1.TEXT" };
	struct mime_section section;
	struct slice bytes;
	struct mime m;

	mime_scan(a, msg, NULL, &m);
	must(m.count >= 1);
	for (uint32_t i = 0; i < m.count; i++) {
		const struct mime_part *p = &m.parts[i];

		must(p->header_start <= p->body_start && p->body_start <= p->body_end &&
		     p->body_end <= msg.n);
	}
	for (size_t i = 0; i < ARRAY_LEN(sections); i++)
		if (mime_section_parse(slice_of(sections[i]), &section) &&
		    mime_find(&m, &section, &bytes))
			must(bytes.p >= msg.p && bytes.p + bytes.n <= msg.p + msg.n);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *a = arena_new("fuzz");
	struct slice msg = slice_make(data, size);
	struct buf out = BUF_INIT(SUMMARY_MAX);
	struct summary sum, again;
	struct fold_needle *needle = fold_needle_new(SLICE("x"));
	struct crlf lines = CRLF_INIT;

	look_into(a, msg);
	summary_make(a, msg, &sum);
	summary_encode(&sum, &out);
	must(!out.overflow && summary_decode(buf_slice(&out), &again));
	must(again.size == size && slice_eq(again.envelope, sum.envelope));
	(void)search_text(msg, needle);
	crlf_count(&lines, msg);
	fold_needle_free(&needle);
	buf_fini(&out);
	/* and what is no summary */
	(void)summary_decode(msg, &again);
	arena_free(&a);
	return 0;
}
