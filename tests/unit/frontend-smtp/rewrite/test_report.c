/* report: its parts, and that nothing of it is more than ASCII lines. */
#include "rewrite/report.h"

#include "lib/test.h"
#include "mail/header.h"

#include <string.h>

static void
write_one(struct buf *out, const char *address, const char *text, struct slice header)
{
	struct smtp_reply reply;
	struct report_rcpt rcpt = { address, &reply };
	struct report r = {
		.hostname = "fe1",
		.id = "abc",
		.to = "joe@far.example",
		.arrived_s = 1790000000,
		.now_s = 1790000005,
		.rcpts = &rcpt,
		.count = 1,
		.header = header,
	};

	smtp_reply_set(&reply, 552, "5.2.2", text);
	report_add(out, &r);
}

static void
has(struct buf *out, const char *what)
{
	test_check(strstr(buf_cstr(out), what) != NULL, "%s is not in %s", what, buf_cstr(out));
}

static void
is_lines_of_ascii(const struct buf *out)
{
	struct slice s = buf_slice(out);

	for (size_t i = 0; i < s.n; i++) {
		assert_true((unsigned char)s.p[i] < 0x80 && s.p[i] != '\0');
		if (s.p[i] == '\n')
			assert_true(i > 0 && s.p[i - 1] == '\r');
		if (s.p[i] == '\r')
			assert_true(i + 1 < s.n && s.p[i + 1] == '\n');
	}
}

TEST(report_has_three_parts)
{
	struct buf out = BUF_INIT(SIZE_MAX);
	struct header_field f;

	write_one(&out, "bob@example.org", "full", SLICE("Subject: hi\r\nTo: you\r\n\r\n"));
	is_lines_of_ascii(&out);
	assert_true(header_find(buf_slice(&out), "Content-Type", &f));
	has(&out,
	    "multipart/report; report-type=delivery-status;\r\n\tboundary=\"=_abc.1790000005\"");
	has(&out, "To: <joe@far.example>\r\n");
	has(&out, "Auto-Submitted: auto-replied\r\n");
	has(&out, "--=_abc.1790000005\r\nContent-Type: text/plain; charset=us-ascii\r\n\r\n");
	has(&out, "<bob@example.org>: 552 5.2.2 full\r\n");
	has(&out, "Content-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; fe1\r\n"
	          "Arrival-Date: Mon, 21 Sep 2026 14:13:20 +0000\r\n\r\n"
	          "Final-Recipient: rfc822; bob@example.org\r\nAction: failed\r\n"
	          "Status: 5.2.2\r\nDiagnostic-Code: smtp; 552 5.2.2 full\r\n");
	has(&out, "Content-Type: text/rfc822-headers\r\n\r\nSubject: hi\r\nTo: you\r\n\r\n"
	          "--=_abc.1790000005--\r\n");
	buf_fini(&out);
}

TEST(report_of_what_is_not_ascii)
{
	struct buf out = BUF_INIT(SIZE_MAX);

	write_one(&out, "fr\xc3\xb6@ex.org", "\xc3\xb6 full", SLICE("Subject: \xc3\xb6\r\n\r\n"));
	is_lines_of_ascii(&out);
	has(&out, "Final-Recipient: utf-8; fr\\x{F6}@ex.org\r\n");
	has(&out, "Subject: ??\r\n");
	buf_fini(&out);
}

TEST(report_shows_whole_lines_of_a_long_header)
{
	struct buf header = BUF_INIT(SIZE_MAX), out = BUF_INIT(SIZE_MAX);

	for (int i = 0; i < 10000; i++)
		buf_add_str(&header, "X-Line: 0123456789\r\n");
	write_one(&out, "a@b", "no", buf_slice(&header));
	is_lines_of_ascii(&out);
	assert_true(out.len > 60000 && out.len < 70000);
	has(&out, "X-Line: 0123456789\r\n\r\n--=_abc");
	buf_fini(&header);
	write_one(&out, "a@b", "no", SLICE("a line without an end"));
	buf_fini(&out);
}
