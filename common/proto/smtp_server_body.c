/*
 * The body: dots (DATA) or counted bytes (BDAT, RFC 3030), in pieces to the caller.
 *
 * What spoils a body (too big, bare CR or LF, NUL, the caller's refusal) is remembered; the
 * rest is read and dropped, because there the next command begins.
 *
 * Every event takes at least one byte from the input, so that a caller may feed us only
 * while bytes are there: where one byte gives two events (the last piece and the end), it is
 * held back for the second.
 */
#include "proto/smtp_server_impl.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/num.h"

int
smtp_server_cmd_data(struct smtp_server *s, struct smtp_call *c)
{
	if (c->args.n > 0)
		return smtp_server_refuse(s, c, 501, "5.5.4", "DATA takes no argument.");
	if (s->accepted == 0) {
		bool none = s->slot_count == 0 || s->settings->lmtp;

		return smtp_server_refuse(s, c, none ? 503 : 554, "5.5.1", "No valid recipients.");
	}
	c->ev->kind = SMTP_DATA;
	c->ev->more = c->more;
	s->chunked = false;
	smtp_server_enter(s, SMTP_STATE_WAIT_DATA);
	return 1;
}

/* Its bytes are on their way whatever we think of it; but no message could be so large, and they
 * would come for ever. */
static int
take_stray(struct smtp_server *s, struct smtp_call *c, int code, const char *text)
{
	enum smtp_state back = s->state;

	if (s->chunk_left > s->settings->size_max)
		return smtp_server_say_bye(s, c->out, code, "5.5.1", text);
	s->stray = true;
	s->chunk_back = back;
	smtp_server_enter(s, SMTP_STATE_CHUNK);
	smtp_server_spoil(s, code, "5.5.1", text);
	return SMTP_GO_ON;
}

static bool
parse_bdat(struct smtp_server *s, struct slice args)
{
	struct slice size = slice_cut(&args, ' ');

	args = slice_trim(args);
	s->last = slice_ieq_str(args, "LAST");
	return num_parse_u64(size, UINT64_MAX, &s->chunk_left) && (s->last || args.n == 0);
}

int
smtp_server_cmd_bdat(struct smtp_server *s, struct smtp_call *c)
{
	bool first = s->state != SMTP_STATE_CHUNKS;

	/* Where the next command would begin is unknown now. */
	if (!parse_bdat(s, c->args))
		return smtp_server_say_bye(s, c->out, 501, "5.5.4", "BDAT takes a size.");
	s->held = true;
	s->stray = false;
	s->chunk_bytes = s->chunk_left;
	if (first && s->state != SMTP_STATE_MAIL)
		return take_stray(s, c, 503, "Say MAIL and RCPT first.");
	if (s->accepted == 0)
		return take_stray(s, c, s->slot_count == 0 ? 503 : 554, "No valid recipients.");
	s->chunked = true;
	if (!first) {
		smtp_server_enter(s, SMTP_STATE_CHUNK);
		return SMTP_GO_ON;
	}
	c->ev->kind = SMTP_DATA;
	smtp_server_enter(s, SMTP_STATE_WAIT_DATA);
	return 1;
}

/* ---- the end ----------------------------------------------------------------------------- */

static void
check_body(struct smtp_server *s, bool bare)
{
	if (bare)
		smtp_server_refuse_body(s, 550, "5.6.11", "The message has a bare CR or LF.");
	if (s->d.nul)
		smtp_server_refuse_body(s, 554, "5.6.0", "The message has a NUL.");
	if (s->d.body_bytes > s->settings->size_max)
		smtp_server_refuse_body(s, 552, "5.3.4", "The message is too big.");
}

/* One reply, or in LMTP one for each recipient that was to get it. */
static int
end_spoiled(struct smtp_server *s, struct smtp_call *c, bool each)
{
	size_t replies = each ? s->accepted : 1;

	for (size_t i = 0; i < replies; i++)
		smtp_server_put(s, c->out, s->spoil->code, s->spoil->enhanced, s->spoil->text);
	smtp_server_end_transaction(s);
	smtp_server_enter(s, SMTP_STATE_READY);
	c->ev->kind = SMTP_RESET;
	return 1;
}

static int
end_body(struct smtp_server *s, struct smtp_call *c)
{
	if (s->spoil != NULL)
		return end_spoiled(s, c, s->settings->lmtp);
	c->ev->kind = SMTP_BODY_END;
	smtp_server_begin_final(s);
	return 1;
}

static int
give_piece(struct smtp_call *c, struct slice piece)
{
	c->ev->kind = SMTP_BODY;
	c->ev->data = piece;
	return 1;
}

/* ---- DATA -------------------------------------------------------------------------------- */

/* Everything in `in` that belongs to the body. A spoiled one is only read to its end. True:
 * that was seen. */
static bool
decode(struct smtp_server *s, struct slice in, size_t *n_r)
{
	int r = 0;

	*n_r = 0;
	while (r != 1 && *n_r < in.n) {
		size_t one;

		r = dotbuf_decode(&s->d, slice_skip(in, *n_r), &one,
		                  s->spoil == NULL ? &s->piece : NULL);
		*n_r += one;
		check_body(s, r == -1);
	}
	return r == 1;
}

int
smtp_server_body_input(struct smtp_server *s, struct slice in, size_t *used, struct smtp_call *c)
{
	bool end;
	size_t n;

	if (in.n == 0)
		return 0;
	if (s->held) { /* the last byte of the end, seen before */
		s->held = false;
		(*used)++;
		return end_body(s, c);
	}
	buf_clear(&s->piece);
	end = decode(s, in, &n);
	*used += n;
	if (s->spoil != NULL || s->piece.len == 0)
		return end ? end_body(s, c) : 0;
	s->held = end; /* there is a piece, so it was not the only byte */
	*used -= end;
	return give_piece(c, buf_slice(&s->piece));
}

/* ---- BDAT -------------------------------------------------------------------------------- */

static int
end_stray(struct smtp_server *s, struct smtp_call *c)
{
	int code = s->spoil->code;
	const char *text = s->spoil->text;
	int r;

	smtp_server_enter(s, s->chunk_back);
	r = smtp_server_refuse(s, c, code, "5.5.1", text);
	free(s->spoil);
	s->spoil = NULL;
	return r;
}

static int
end_chunk(struct smtp_server *s, struct smtp_call *c)
{
	char text[64];

	if (s->stray)
		return end_stray(s, c);
	if (s->last)
		check_body(s, dotbuf_scan_end(&s->d) == -1);
	if (s->last)
		return end_body(s, c);
	if (s->spoil != NULL) /* RFC 3030 section 2: the transaction has failed */
		return end_spoiled(s, c, false);
	snprintf(text, sizeof(text), "%" PRIu64 " octets received.", s->chunk_bytes);
	smtp_server_put(s, c->out, 250, "2.0.0", text);
	smtp_server_enter(s, SMTP_STATE_CHUNKS);
	return SMTP_GO_ON;
}

/* The byte in front is held back: the LF of the command, or the last one handed out. */
int
smtp_server_chunk_input(struct smtp_server *s, struct slice in, size_t *used, struct smtp_call *c)
{
	struct slice piece;

	must(s->held);
	if (in.n == 0)
		return 0;
	if (s->chunk_left == 0) {
		s->held = false;
		(*used)++;
		return end_chunk(s, c);
	}
	piece = slice_sub(in, 1, (size_t)MIN((uint64_t)in.n, s->chunk_left));
	if (piece.n == 0)
		return 0;
	s->chunk_left -= piece.n;
	*used += piece.n;
	if (s->spoil == NULL)
		check_body(s, dotbuf_scan(&s->d, piece) == -1);
	return s->spoil == NULL ? give_piece(c, piece) : SMTP_GO_ON;
}
