#include "rewrite/report.h"

#include "base/text.h"
#include "mail/date.h"

#include <inttypes.h>

#include <stdio.h>
#include <string.h>

#define HEADER_BYTES_MAX 65536 /* of the message's that are shown */

/* What is not ASCII goes as '?'. */
static void
add_ascii(struct buf *out, struct slice s)
{
	for (size_t i = 0; i < s.n; i++)
		buf_add_char(out, (unsigned char)s.p[i] < 0x80 ? s.p[i] : '?');
}

static void
add_date(struct buf *out, const char *name, uint64_t wall_s)
{
	buf_printf(out, "%s: ", name);
	date_add(out, (struct date){ .utc_s = (int64_t)wall_s });
	buf_add_str(out, "\r\n");
}

/* "rfc822; fred@example.org", or as RFC 6533 section 3 wants it: "utf-8; fr\x{F6}d@..." */
static void
add_address(struct buf *out, const char *address)
{
	struct slice rest = slice_of(address);
	uint32_t cp;

	if (text_is_ascii(rest)) {
		buf_printf(out, "rfc822; %s", address);
		return;
	}
	buf_add_str(out, "utf-8; ");
	while (rest.n > 0) {
		size_t n = text_utf8_next(rest, &cp);

		if (n == 1)
			buf_add_char(out, *rest.p);
		else if (n > 1)
			buf_printf(out, "\\x{%" PRIX32 "}", cp);
		rest = slice_skip(rest, n > 0 ? n : 1);
	}
}

static void
add_head(struct buf *out, const struct report *r, const char *boundary)
{
	buf_printf(out, "From: Mail Delivery System <MAILER-DAEMON@%s>\r\nTo: <", r->hostname);
	add_ascii(out, slice_of(r->to));
	buf_add_str(out, ">\r\nSubject: Undelivered mail returned to sender\r\n");
	add_date(out, "Date", r->now_s);
	buf_printf(out,
	           "Message-ID: <%s.%" PRIu64 ".report@%s>\r\n"
	           "Auto-Submitted: auto-replied\r\n"
	           "MIME-Version: 1.0\r\n"
	           "Content-Type: multipart/report; report-type=delivery-status;\r\n"
	           "\tboundary=\"%s\"\r\n\r\n",
	           r->id, r->now_s, r->hostname, boundary);
}

static void
add_words(struct buf *out, const struct report *r, const char *boundary)
{
	buf_printf(
		out,
		"--%s\r\nContent-Type: text/plain; charset=us-ascii\r\n\r\n"
		"This is the mail server %s.\r\n\r\n"
		"Your message could not be delivered to the recipients below, and will not be\r\n"
		"tried again. Those who are not named here have it.\r\n\r\n",
		boundary, r->hostname);
	for (size_t i = 0; i < r->count; i++) {
		const struct smtp_reply *reply = r->rcpts[i].reply;

		buf_add_str(out, "<");
		add_ascii(out, slice_of(r->rcpts[i].address));
		buf_printf(out, ">: %d %s ", reply->code, reply->enhanced);
		add_ascii(out, slice_of(reply->text));
		buf_add_str(out, "\r\n");
	}
	buf_add_str(out, "\r\n");
}

static void
add_status(struct buf *out, const struct report *r, const char *boundary)
{
	buf_printf(out,
	           "--%s\r\nContent-Type: message/delivery-status\r\n\r\n"
	           "Reporting-MTA: dns; %s\r\n",
	           boundary, r->hostname);
	add_date(out, "Arrival-Date", r->arrived_s);
	for (size_t i = 0; i < r->count; i++) {
		const struct smtp_reply *reply = r->rcpts[i].reply;

		buf_add_str(out, "\r\nFinal-Recipient: ");
		add_address(out, r->rcpts[i].address);
		buf_printf(out, "\r\nAction: failed\r\nStatus: %s\r\nDiagnostic-Code: smtp; %d %s ",
		           reply->enhanced, reply->code, reply->enhanced);
		add_ascii(out, slice_of(reply->text));
		buf_add_str(out, "\r\n");
	}
	buf_add_str(out, "\r\n");
}

/* Whole lines of it, without the blank one. */
static struct slice
shown_header(struct slice header)
{
	size_t end;

	if (slice_ends(header, SLICE("\r\n\r\n")) || slice_eq_str(header, "\r\n"))
		header.n -= 2;
	if (header.n > HEADER_BYTES_MAX)
		header.n = HEADER_BYTES_MAX;
	end = slice_find_last(header, '\n');
	return slice_sub(header, 0, end < header.n ? end + 1 : 0);
}

void
report_add(struct buf *out, const struct report *r)
{
	char boundary[100];

	/* no line of ours or of a header begins so */
	snprintf(boundary, sizeof(boundary), "=_%s.%" PRIu64, r->id, r->now_s);
	add_head(out, r, boundary);
	buf_add_str(out, "This is a report in MIME format.\r\n\r\n");
	add_words(out, r, boundary);
	add_status(out, r, boundary);
	buf_printf(out, "--%s\r\nContent-Type: text/rfc822-headers\r\n\r\n", boundary);
	add_ascii(out, shown_header(r->header));
	buf_printf(out, "\r\n--%s--\r\n", boundary);
}
