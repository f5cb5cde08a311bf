/* What users hand in and strangers send back: headers, ways back of forwards, reports. */
#include "base/arena.h"
#include "base/must.h"
#include "fuzz/fuzz.h"
#include "rewrite/report.h"
#include "rewrite/srs.h"
#include "rewrite/submitted.h"

static void
header(struct slice s)
{
	struct submitted sub = { "fred@example.org", "fe1", "id", 1790000000 };
	struct arena *a = arena_new("fuzz");
	struct buf out = BUF_INIT(SIZE_MAX);
	const char *from[SUBMITTED_FROM_MAX];

	submitted_add(&out, s, &sub);
	(void)submitted_get_from(a, s, from);
	buf_fini(&out);
	arena_free(&a);
}

/* What comes back is what went out. */
static void
way_back(struct slice s)
{
	static const struct srs srs = { "srs.example.org", "0123456789abcdef" };
	struct address a, there, back;

	if (address_parse(s, ADDRESS_ALLOW_UTF8, &a) != ADDRESS_OK)
		return;
	(void)srs_reverse(&srs, &a, 1790000000, &back);
	if (!srs_forward(&srs, &a, 1790000000, &there))
		return;
	must(srs_reverse(&srs, &there, 1790000000, &back) == SRS_OK);
}

static void
report(struct slice s)
{
	struct buf out = BUF_INIT(SIZE_MAX), text = BUF_INIT(SIZE_MAX);
	struct smtp_reply reply;
	struct report_rcpt rcpt = { .reply = &reply };
	struct report r = { .hostname = "fe1", .id = "id", .rcpts = &rcpt, .count = 1 };

	buf_add_slice(&text, s);
	rcpt.address = r.to = buf_cstr(&text);
	smtp_reply_set(&reply, 550, "5.1.1", rcpt.address);
	r.header = s;
	report_add(&out, &r);
	for (size_t i = 0; i < out.len; i++)
		must((unsigned char)out.data[out.start + i] < 0x80);
	buf_fini(&out);
	buf_fini(&text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice s = slice_make(data, size);

	header(s);
	way_back(s);
	report(s);
	return 0;
}
