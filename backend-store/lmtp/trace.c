/*
 * The trace fields in front of a message at its final delivery. RFC 5321 section 4.4.
 *
 * One body serves all recipients of a transaction, so a recipient is named (Delivered-To)
 * only where he is the only one: others must not learn of him.
 */
#include "lmtp/session_impl.h"

#include "base/clock.h"
#include "mail/date.h"
#include "mail/header.h"

#include <string.h>

void
lmtp_trace_add(const struct lmtp_session *s, const struct lmtp_trace *t, struct buf *out)
{
	struct date now = { (int64_t)clock_wall_s(), 0 };

	buf_printf(out, "Return-Path: <%s>\r\n", t->from);
	if (t->rcpt != NULL)
		buf_printf(out, "Delivered-To: %s\r\n", t->rcpt);
	/* "from helo ([address])": both were checked. */
	buf_printf(out, "Received: from %s ([%s%s])\r\n\tby %s (Roost) with %s id %s;\r\n\t",
	           smtp_server_get_helo(s->core), strchr(s->peer, ':') != NULL ? "IPv6:" : "",
	           s->peer, s->settings.hostname, smtp_server_protocol(s->core), t->id);
	date_add(out, now);
	buf_add_str(out, "\r\n");
}

size_t
lmtp_trace_cut(struct slice body, struct slice *pieces_r, size_t room)
{
	struct header_iter it;
	struct header_field f;
	const char *from = body.p, *end = body.p + body.n;
	size_t n = 0;

	header_iter_init(&it, slice_sub(body, 0, header_length(body)));
	while (n + 1 < room && header_next(&it, &f)) {
		if (!slice_ieq_str(f.name, "Return-Path"))
			continue;
		if (f.raw.p > from)
			pieces_r[n++] = slice_make(from, (size_t)(f.raw.p - from));
		from = f.raw.p + f.raw.n;
	}
	pieces_r[n++] = slice_make(from, (size_t)(end - from));
	return n;
}
