/*
 * summary - the record itself, and its bytes:
 *
 *	0	version, 8 bits
 *	1	flags, 8 bits: 1 has_date, 2 fields_cut
 *	2	zone of the date, minutes + 32768, 16 bits
 *	4	date, seconds, 64 bits
 *	12	size, 64 bits
 *	20	header_bytes, 64 bits
 *	28	envelope, body, bodystructure, fields: each 32 bits of length and bytes
 *
 * All little-endian. Checksums are the engine's.
 */
#include "mail/summary.h"

#include "base/num.h"
#include "mail/header.h"
#include "mail/mime.h"
#include "mail/structure.h"

#define VERSION 1
#define FLAG_DATE 1
#define FLAG_FIELDS_CUT 2

#define FIELDS_MAX (64 * 1024)
#define ENVELOPE_MAX (32 * 1024)
#define BODY_MAX (64 * 1024)
#define BODYSTRUCTURE_MAX (80 * 1024)
STATIC_ASSERT(FIELDS_MAX + ENVELOPE_MAX + BODY_MAX + BODYSTRUCTURE_MAX + 64 <= SUMMARY_MAX);

/* What mail clients ask for to draw a list (seen with Thunderbird, Apple Mail, Outlook,
 * K-9, mutt, Roundcube), and what SEARCH and THREAD need. */
static const char *const kept[] = {
	"From",
	"Sender",
	"Reply-To",
	"To",
	"Cc",
	"Bcc",
	"Subject",
	"Date",
	"Message-ID",
	"In-Reply-To",
	"References",
	"Content-Type",
	"List-Id",
	"List-Post",
	"Newsgroups",
	"X-Priority",
	"Priority",
	"Importance",
	"Delivered-To",
	"X-Spam-Flag",
	"X-Spam-Status",
	"Content-Transfer-Encoding",
	"Disposition-Notification-To",
	"Return-Path",
	"Auto-Submitted",
	"MIME-Version",
};

static bool
is_kept(struct slice name)
{
	for (size_t i = 0; i < ARRAY_LEN(kept); i++)
		if (slice_ieq_str(name, kept[i]))
			return true;
	return false;
}

bool
summary_keeps(const struct summary *s, struct slice field_name)
{
	return !s->fields_cut && is_kept(field_name);
}

static void
keep_fields(struct arena *a, struct slice header, struct summary *s)
{
	struct slice names[ARRAY_LEN(kept)];
	struct buf b = BUF_INIT(FIELDS_MAX);
	struct header_iter it;
	struct header_field f;

	for (size_t i = 0; i < ARRAY_LEN(kept); i++)
		names[i] = slice_of(kept[i]);
	header_select(header, names, ARRAY_LEN(kept), false, &b);
	/* header_select() says nothing about a limit of fields: look whether it met one */
	header_iter_init(&it, header);
	while (header_next(&it, &f))
		;
	s->fields_cut = b.overflow || it.cut;
	if (s->fields_cut)
		buf_clear(&b);
	/* the blank line is not kept */
	s->fields = arena_slice_dup(a, slice_sub(buf_slice(&b), 0, b.len > 2 ? b.len - 2 : 0));
	buf_fini(&b);
}

static struct slice
keep_text(struct arena *a, struct buf *b)
{
	struct slice s = arena_slice_dup(a, buf_slice(b));

	must(!b->overflow);
	buf_fini(b);
	return s;
}

void
summary_make(struct arena *a, struct slice msg, struct summary *s_r)
{
	struct buf envelope = BUF_INIT(ENVELOPE_MAX);
	struct buf body = BUF_INIT(BODY_MAX);
	struct buf bodystructure = BUF_INIT(BODYSTRUCTURE_MAX);
	struct arena *scratch = arena_new("summary");
	struct header_field f;
	struct slice header;
	struct mime m;

	memset(s_r, 0, sizeof(*s_r));
	mime_scan(scratch, msg, NULL, &m);
	header = mime_header(&m, &m.parts[0]);
	s_r->size = msg.n;
	s_r->header_bytes = header.n;
	s_r->has_date = header_find(header, "Date", &f) && date_parse(f.value, &s_r->date);
	structure_add_envelope(scratch, header, &envelope);
	structure_add_body(scratch, &m, false, &body);
	structure_add_body(scratch, &m, true, &bodystructure);
	keep_fields(a, header, s_r);
	s_r->envelope = keep_text(a, &envelope);
	s_r->body = keep_text(a, &body);
	s_r->bodystructure = keep_text(a, &bodystructure);
	arena_free(&scratch);
}

void
summary_encode(const struct summary *s, struct buf *out)
{
	buf_add_u8(out, VERSION);
	buf_add_u8(out, (uint8_t)((s->has_date ? FLAG_DATE : 0) |
	                          (s->fields_cut ? FLAG_FIELDS_CUT : 0)));
	buf_add_u16(out, (uint16_t)(s->date.zone_min + 32768));
	buf_add_u64(out, (uint64_t)s->date.utc_s);
	buf_add_u64(out, s->size);
	buf_add_u64(out, s->header_bytes);
	buf_add_blob(out, s->envelope);
	buf_add_blob(out, s->body);
	buf_add_blob(out, s->bodystructure);
	buf_add_blob(out, s->fields);
}

bool
summary_decode(struct slice bytes, struct summary *s_r)
{
	struct num_reader r = num_reader_of(bytes);
	uint8_t flags;

	memset(s_r, 0, sizeof(*s_r));
	if (num_read_u8(&r) != VERSION)
		return false;
	flags = num_read_u8(&r);
	s_r->has_date = (flags & FLAG_DATE) != 0;
	s_r->fields_cut = (flags & FLAG_FIELDS_CUT) != 0;
	s_r->date.zone_min = (int16_t)(num_read_u16(&r) - 32768);
	s_r->date.utc_s = (int64_t)num_read_u64(&r);
	s_r->size = num_read_u64(&r);
	s_r->header_bytes = num_read_u64(&r);
	s_r->envelope = num_read_blob(&r);
	s_r->body = num_read_blob(&r);
	s_r->bodystructure = num_read_blob(&r);
	s_r->fields = num_read_blob(&r);
	return !r.bad && r.rest.n == 0 && s_r->envelope.n > 1 && s_r->body.n > 1 &&
	       s_r->bodystructure.n > 1 && s_r->header_bytes <= s_r->size;
}
