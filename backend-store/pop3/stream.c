/*
 * Answers of several lines, a piece at a time: the next one is made when the link has
 * sent enough of the last, so that neither a large message nor a slow reader costs more
 * than a piece of memory and of the loop's time.
 *
 * The first piece of a message is read before "+OK". When a later one cannot be read, the
 * connection is cut before the final dot: half a message must not look like one.
 */
#include "pop3/session_impl.h"

#include <inttypes.h>

#define PIECE_BYTES 65536

static void
finish(struct drop_session *s)
{
	s->stream.kind = STREAM_NONE;
	link_resume(s->pop3.client);
}

/* ---- LIST and UIDL ------------------------------------------------------------------------- */

static void
list_piece(struct drop_session *s)
{
	struct stream *st = &s->stream;
	struct buf *out = link_out(s->pop3.client);
	size_t enough = out->len + PIECE_BYTES;

	for (; st->next <= s->drop.count && out->len < enough; st->next++) {
		const struct drop_msg *m = drop_get(&s->drop, st->next);

		if (m == NULL)
			continue;
		if (st->kind == STREAM_LIST)
			buf_printf(out, "%" PRIu32 " %" PRIu64 "\r\n", st->next, drop_octets(m));
		else
			buf_printf(out, "%" PRIu32 " %" PRIu32 ".%" PRIu32 "\r\n", st->next,
			           s->drop.uidvalidity, m->msg.uid);
	}
	if (st->next <= s->drop.count)
		return;
	buf_add_str(out, ".\r\n");
	finish(s);
}

void
stream_list(struct drop_session *s, enum stream_kind kind)
{
	link_pause(s->pop3.client);
	s->stream = (struct stream){ .kind = kind, .next = 1 };
	buf_printf(link_out(s->pop3.client), "+OK %" PRIu32 " messages (%" PRIu64 " octets)\r\n",
	           s->drop.left, s->drop.left_bytes);
	list_piece(s);
}

/* ---- RETR and TOP -------------------------------------------------------------------------- */

/* The part of the lines that TOP wants. */
static struct slice
top_cut(struct stream *st, struct slice lines)
{
	size_t at = 0;

	while (at < lines.n && (st->in_header || st->lines_left > 0)) {
		struct slice rest = slice_skip(lines, at);
		size_t lf = slice_find(rest, '\n');

		if (lf == rest.n) {
			st->line_bytes += rest.n;
			return lines;
		}
		at += lf + 1;
		if (!st->in_header)
			st->lines_left--;
		else if (st->line_bytes == 0 && lf == 1) /* CRLF alone */
			st->in_header = false;
		st->line_bytes = 0;
	}
	return slice_sub(lines, 0, at);
}

static bool
is_enough(const struct stream *st)
{
	return st->at == st->msg.size || (!st->whole && !st->in_header && st->lines_left == 0);
}

/* Appends the next bytes of the body. */
static enum mbox_result
read_piece(struct drop_session *s, struct buf *raw)
{
	struct stream *st = &s->stream;
	uint64_t n = MIN((uint64_t)st->msg.size - st->at, (uint64_t)PIECE_BYTES);
	enum mbox_result r = MBOX_OK;

	if (n > 0)
		r = mailbox_read(s->drop.mailbox, &st->msg, st->at, n, raw);
	if (r == MBOX_OK && raw->len != n)
		return MBOX_CORRUPT;
	st->at += n;
	return r;
}

/* A piece of the body as lines, cut and stuffed. */
static void
send_piece(struct drop_session *s, struct slice raw)
{
	struct buf lines = BUF_INIT(SIZE_MAX);
	struct stream *st = &s->stream;
	struct slice part;

	crlf_add(&st->crlf, raw, &lines);
	if (st->at == st->msg.size)
		crlf_end(&st->crlf, &lines);
	part = st->whole ? buf_slice(&lines) : top_cut(st, buf_slice(&lines));
	s->bytes += part.n;
	dotbuf_encode(&st->encoder, part, link_out(s->pop3.client));
	buf_fini(&lines);
	if (!is_enough(st))
		return;
	dotbuf_encode_end(&st->encoder, link_out(s->pop3.client));
	if (st->whole) {
		s->retrieved++;
		metrics_add(&pop3_store_metrics[POP3_STORE_M_RETRIEVED], 1);
	}
	finish(s);
}

/* Its number stays, RFC 1939 knows no word for a message that is gone. */
static void
refuse_message(struct drop_session *s, enum mbox_result r)
{
	log_warning(&s->pop3.log, "pop3.not_sent uid=%" PRIu32 " why=%s", s->stream.msg.uid,
	            mbox_result_name(r));
	if (r == MBOX_ABSENT)
		pop3_session_reply(&s->pop3, "-ERR This message was deleted by another session.");
	else if (r == MBOX_CORRUPT)
		pop3_session_reply(&s->pop3, "-ERR [SYS/PERM] This message is damaged.");
	else
		pop3_session_reply(&s->pop3, "-ERR [SYS/TEMP] Please try again later.");
	finish(s);
}

void
stream_message(struct drop_session *s, const struct drop_msg *m, bool whole, uint32_t lines)
{
	struct buf raw = BUF_INIT(PIECE_BYTES);
	enum mbox_result r = MBOX_ABSENT;

	link_pause(s->pop3.client);
	s->stream = (struct stream){
		.kind = STREAM_MESSAGE,
		.msg = m->msg,
		.whole = whole,
		.in_header = true,
		.lines_left = lines,
		.crlf = CRLF_INIT,
	};
	dotbuf_encoder_init(&s->stream.encoder);
	if (mailbox_find(s->drop.mailbox, m->msg.uid) != NULL)
		r = read_piece(s, &raw);
	if (r != MBOX_OK) {
		refuse_message(s, r);
	} else {
		if (whole)
			buf_printf(link_out(s->pop3.client), "+OK %" PRIu64 " octets\r\n",
			           drop_octets(m));
		else
			pop3_session_reply(&s->pop3, "+OK");
		send_piece(s, buf_slice(&raw));
	}
	buf_fini(&raw);
}

static void
message_piece(struct drop_session *s)
{
	struct buf raw = BUF_INIT(PIECE_BYTES);
	enum mbox_result r = read_piece(s, &raw);

	if (r == MBOX_OK) {
		send_piece(s, buf_slice(&raw));
	} else {
		log_warning(&s->pop3.log, "pop3.broken_off uid=%" PRIu32 " why=%s",
		            s->stream.msg.uid, mbox_result_name(r));
		pop3_session_end(&s->pop3, "a message cannot be read");
	}
	buf_fini(&raw);
}

/* ------------------------------------------------------------------------------------------ */

void
stream_go_on(struct pop3_session *p)
{
	struct drop_session *s = drop_session_of(p);

	if (link_is_congested(s->pop3.client))
		return;
	switch (s->stream.kind) {
	case STREAM_NONE:
		return;
	case STREAM_LIST:
	case STREAM_UIDL:
		list_piece(s);
		return;
	case STREAM_MESSAGE:
		message_piece(s);
	}
}
