#include "imap/fetch_body.h"

#include "base/must.h"

#include <string.h>

void
fetch_body_init(struct fetch_body *b, struct mailbox *m, struct fetch_place *place)
{
	memset(b, 0, sizeof(*b));
	b->mailbox = m;
	b->place = place;
	b->arena = arena_new("imap.fetch");
	buf_init(&b->whole, SIZE_MAX);
	buf_init(&b->header, SIZE_MAX);
	buf_init(&b->summary_bytes, SUMMARY_MAX + 4096);
}

void
fetch_body_fini(struct fetch_body *b)
{
	arena_free(&b->arena);
	buf_fini(&b->whole);
	buf_fini(&b->header);
	buf_fini(&b->summary_bytes);
}

static void
forget(struct buf *bytes)
{
	if (bytes->cap > 2 * FETCH_BODY_HELD)
		buf_fini(bytes);
	else
		buf_clear(bytes);
}

static void
forget_bytes(struct fetch_body *b)
{
	forget(&b->whole);
	forget(&b->header);
	b->whole_read = b->scanned = b->header_read = false;
}

void
fetch_body_start(struct fetch_body *b, const struct msg *msg)
{
	arena_reset(b->arena);
	forget_bytes(b);
	buf_clear(&b->summary_bytes);
	b->summary_read = false;
	b->kept = 0;
	b->msg = *msg;
}

void
fetch_body_release(struct fetch_body *b)
{
	if (b->msg.size > FETCH_BODY_HELD)
		forget_bytes(b);
}

/* ---- reading --------------------------------------------------------------------------------- */

static enum mbox_result
read_exactly(struct fetch_body *b, uint64_t from, uint64_t n, struct buf *out)
{
	enum mbox_result r = mailbox_read(b->mailbox, &b->msg, from, n, out);

	if (r == MBOX_OK && out->len != n)
		return MBOX_CORRUPT;
	return r;
}

enum mbox_result
fetch_body_whole(struct fetch_body *b, struct slice *msg_r)
{
	if (!b->whole_read) {
		enum mbox_result r = read_exactly(b, 0, b->msg.size, &b->whole);

		if (r != MBOX_OK) {
			forget_bytes(b);
			return r;
		}
		b->whole_read = true;
	}
	*msg_r = b->whole.len > 0 ? buf_slice(&b->whole) : SLICE("");
	return MBOX_OK;
}

/* A summary of another version, or a damaged one, is made anew. */
static enum mbox_result
make_summary(struct fetch_body *b)
{
	struct slice msg;
	enum mbox_result r = fetch_body_whole(b, &msg);

	if (r == MBOX_OK)
		summary_make(b->arena, msg, &b->summary);
	fetch_body_release(b);
	return r;
}

enum mbox_result
fetch_body_summary(struct fetch_body *b, const struct summary **s_r)
{
	if (!b->summary_read) {
		enum mbox_result r = mailbox_summary(b->mailbox, &b->msg, &b->summary_bytes);

		if (r != MBOX_OK || !summary_decode(buf_slice(&b->summary_bytes), &b->summary) ||
		    b->summary.size != b->msg.size)
			r = make_summary(b);
		if (r != MBOX_OK)
			return r;
		b->summary_read = true;
	}
	*s_r = &b->summary;
	return MBOX_OK;
}

enum mbox_result
fetch_body_header(struct fetch_body *b, struct slice *header_r)
{
	const struct summary *sum;
	enum mbox_result r = fetch_body_summary(b, &sum);

	if (r == MBOX_OK && !b->whole_read && !b->header_read) {
		r = read_exactly(b, 0, sum->header_bytes, &b->header);
		b->header_read = r == MBOX_OK;
	}
	if (r != MBOX_OK)
		return r;
	*header_r = SLICE("");
	if (sum->header_bytes > 0)
		*header_r = slice_sub(buf_slice(b->whole_read ? &b->whole : &b->header), 0,
		                      sum->header_bytes);
	return MBOX_OK;
}

/* ---- sections ---------------------------------------------------------------------------------- */

/* Until the next start: what has been read of a large message does not stay so long. */
static enum mbox_result
keep(struct fetch_body *b, struct slice bytes, struct slice *kept_r)
{
	if (b->kept > 0 && b->kept + bytes.n > FETCH_BODY_KEPT)
		return MBOX_TOOBIG;
	b->kept += bytes.n;
	*kept_r = arena_slice_dup(b->arena, bytes);
	return MBOX_OK;
}

static enum mbox_result
select_fields(struct fetch_body *b, const struct imap_fetch_section *s, struct slice header,
              struct fetch_bytes *bytes_r)
{
	struct buf out = BUF_INIT(SIZE_MAX);
	struct slice selected;
	enum mbox_result r;

	header_select(header, s->names, s->name_count, s->fields_not, &out);
	selected = buf_slice(&out);
	if (s->partial)
		selected = slice_sub(selected, (size_t)s->from, (size_t)s->n);
	r = keep(b, selected, &bytes_r->held);
	buf_fini(&out);
	return r;
}

static bool
all_kept(const struct summary *sum, const struct imap_fetch_section *s)
{
	for (size_t i = 0; i < s->name_count; i++)
		if (!summary_keeps(sum, s->names[i]))
			return false;
	return !s->fields_not;
}

static enum mbox_result
find_fields(struct fetch_body *b, const struct imap_fetch_section *s, struct fetch_bytes *bytes_r)
{
	const struct summary *sum;
	struct slice header;
	enum mbox_result r = fetch_body_summary(b, &sum);

	if (r != MBOX_OK)
		return r;
	header = sum->fields;
	if (!all_kept(sum, s))
		r = fetch_body_header(b, &header);
	return r == MBOX_OK ? select_fields(b, s, header, bytes_r) : r;
}

/* Of the whole message: its size and that of its header are known. */
static enum mbox_result
find_of_message(struct fetch_body *b, const struct imap_fetch_section *s,
                struct fetch_bytes *bytes_r)
{
	const struct summary *sum;
	struct slice header;
	enum mbox_result r;

	bytes_r->n = b->msg.size;
	if (s->section.what == MIME_SECTION_ALL)
		return MBOX_OK;
	r = fetch_body_summary(b, &sum);
	if (r != MBOX_OK)
		return r;
	if (s->section.what == MIME_SECTION_TEXT) {
		bytes_r->from = sum->header_bytes;
		bytes_r->n = b->msg.size - sum->header_bytes;
		return MBOX_OK;
	}
	bytes_r->n = sum->header_bytes;
	if (bytes_r->n > FETCH_BODY_HELD)
		return MBOX_OK;
	r = fetch_body_header(b, &header);
	return r == MBOX_OK ? keep(b, header, &bytes_r->held) : r;
}

static bool
place_is(const struct fetch_place *p, uint64_t blob, const struct mime_section *s)
{
	return p->blob == blob && p->section.count == s->count && p->section.what == s->what &&
	       memcmp(p->section.numbers, s->numbers, s->count * sizeof(s->numbers[0])) == 0;
}

/* Where a section of a part is; large messages are not held for it. */
static enum mbox_result
find_place(struct fetch_body *b, const struct imap_fetch_section *s, struct fetch_bytes *bytes_r)
{
	struct slice msg, bytes = SLICE("");
	enum mbox_result r = fetch_body_whole(b, &msg);

	if (r != MBOX_OK)
		return r;
	if (!b->scanned)
		mime_scan(b->arena, msg, NULL, &b->mime);
	b->scanned = true;
	bytes_r->nil = !mime_find(&b->mime, &s->section, &bytes);
	if (!bytes_r->nil) {
		bytes_r->from = (uint64_t)(bytes.p - msg.p);
		bytes_r->n = bytes.n;
	}
	if (b->msg.size > FETCH_BODY_HELD)
		*b->place = (struct fetch_place){ b->msg.blob, s->section, bytes_r->nil,
			                          bytes_r->from, bytes_r->n };
	return MBOX_OK;
}

/* Of the header of a part, whose place is in *bytes_r. */
static enum mbox_result
find_part_fields(struct fetch_body *b, const struct imap_fetch_section *s,
                 struct fetch_bytes *bytes_r)
{
	struct buf bytes = BUF_INIT(SIZE_MAX);
	struct slice header = SLICE("");
	enum mbox_result r = MBOX_OK;

	if (b->whole_read) {
		header = slice_sub(buf_slice(&b->whole), bytes_r->from, bytes_r->n);
	} else if (bytes_r->n > 0) {
		r = read_exactly(b, bytes_r->from, bytes_r->n, &bytes);
		header = buf_slice(&bytes);
	}
	if (r == MBOX_OK)
		r = select_fields(b, s, header, bytes_r);
	buf_fini(&bytes);
	return r;
}

static enum mbox_result
find_of_part(struct fetch_body *b, const struct imap_fetch_section *s, struct fetch_bytes *bytes_r)
{
	enum mbox_result r = MBOX_OK;

	if (place_is(b->place, b->msg.blob, &s->section)) {
		bytes_r->nil = b->place->nil;
		bytes_r->from = b->place->from;
		bytes_r->n = b->place->n;
	} else {
		r = find_place(b, s, bytes_r);
	}
	if (r != MBOX_OK || bytes_r->nil || !s->fields)
		return r;
	return find_part_fields(b, s, bytes_r);
}

static void
cut_partial(const struct imap_fetch_section *s, struct fetch_bytes *b)
{
	uint64_t skip;

	if (!s->partial || s->fields || b->nil)
		return; /* of fields they are cut already */
	if (b->held.p != NULL) {
		b->held = slice_sub(b->held, (size_t)s->from, (size_t)s->n);
		return;
	}
	skip = MIN(s->from, b->n);
	b->from += skip;
	b->n = MIN(b->n - skip, s->n);
}

enum mbox_result
fetch_body_find(struct fetch_body *b, const struct imap_fetch_section *s,
                struct fetch_bytes *bytes_r)
{
	bool small = b->msg.size <= FETCH_BODY_HELD;
	struct slice msg;
	enum mbox_result r;

	*bytes_r = (struct fetch_bytes){ 0 };
	if (s->section.count > 0)
		r = find_of_part(b, s, bytes_r);
	else if (s->fields)
		r = find_fields(b, s, bytes_r);
	else
		r = find_of_message(b, s, bytes_r);
	if (r == MBOX_OK && !bytes_r->nil && bytes_r->held.p == NULL && small) {
		r = fetch_body_whole(b, &msg);
		if (r == MBOX_OK)
			bytes_r->held = slice_sub(msg, (size_t)bytes_r->from, (size_t)bytes_r->n);
	}
	if (r == MBOX_OK)
		cut_partial(s, bytes_r);
	return r;
}
