/* guard_wire - see guard_wire.h. */
#include "guard/guard_wire.h"

#include <string.h>

#include "base/num.h"

static void
add_text(struct buf *out, const char *text, size_t most)
{
	struct slice s = slice_of(text != NULL ? text : "");

	buf_add_blob(out, slice_sub(s, 0, most));
}

void
guard_wire_add(const struct guard_frame *f, struct buf *out)
{
	struct buf body = BUF_INIT(GUARD_FRAME_MAX);

	buf_add_u8(&body, (uint8_t)f->kind);
	buf_add_u8(&body, (uint8_t)f->verdict);
	buf_add_u8(&body, (uint8_t)f->rate);
	buf_add_u8(&body, 0);
	buf_add_u64(&body, f->id);
	buf_add_u64(&body, f->lease);
	buf_add_u64(&body, f->fingerprint);
	buf_add_u64(&body, f->amount);
	add_text(&body, f->address, GUARD_NAME_MAX);
	add_text(&body, f->user, GUARD_NAME_MAX);
	add_text(&body, f->text, GUARD_TEXT_MAX);
	buf_add_blob(out, buf_slice(&body));
	buf_fini(&body);
}

static void
read_text(struct num_reader *r, char *to, size_t most)
{
	struct slice s = num_read_blob(r);

	if (s.n > most || (s.n > 0 && memchr(s.p, '\0', s.n) != NULL)) {
		r->bad = true;
		s.n = 0;
	}
	if (s.n > 0)
		memcpy(to, s.p, s.n);
	to[s.n] = '\0';
}

static bool
read_body(struct slice body, struct guard_frame *f, struct guard_storage *st)
{
	struct num_reader r = num_reader_of(body);
	unsigned kind = num_read_u8(&r), verdict = num_read_u8(&r), rate = num_read_u8(&r);

	(void)num_read_u8(&r);
	*f = (struct guard_frame){ .address = st->address, .user = st->user, .text = st->text };
	f->id = num_read_u64(&r);
	f->lease = num_read_u64(&r);
	f->fingerprint = num_read_u64(&r);
	f->amount = num_read_u64(&r);
	read_text(&r, st->address, GUARD_NAME_MAX);
	read_text(&r, st->user, GUARD_NAME_MAX);
	read_text(&r, st->text, GUARD_TEXT_MAX);
	if (r.bad || r.rest.n > 0 || kind >= GUARD_KINDS || verdict >= LIMIT_VERDICTS ||
	    rate >= LIMIT_RATES)
		return false;
	f->kind = kind;
	f->verdict = verdict;
	f->rate = rate;
	return true;
}

int
guard_wire_next(struct slice in, struct guard_frame *f_r, struct guard_storage *storage,
                size_t *used_r)
{
	size_t n;

	if (in.n < 4)
		return 0;
	n = num_get_le32((const uint8_t *)in.p);
	if (n > GUARD_FRAME_MAX)
		return -1;
	if (in.n - 4 < n)
		return 0;
	*used_r = 4 + n;
	return read_body(slice_sub(in, 4, n), f_r, storage) ? 1 : -1;
}
