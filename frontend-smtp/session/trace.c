#include "session/trace.h"

#include "mail/date.h"

#include <string.h>

/* The client's address as a domain literal. */
static void
add_peer(struct buf *out, const char *peer)
{
	buf_printf(out, "[%s%s]", strchr(peer, ':') != NULL ? "IPv6:" : "", peer);
}

void
trace_add(struct buf *out, const struct trace *t, uint64_t wall_s)
{
	buf_add_str(out, "Received: from ");
	if (*t->helo != '\0')
		buf_add_str(out, t->helo);
	else
		add_peer(out, t->peer);
	buf_add_str(out, " (");
	add_peer(out, t->peer);
	buf_printf(out, ")\r\n\tby %s with %s id %s", t->hostname, t->protocol, t->session);
	if (t->tls != NULL)
		buf_printf(out, "\r\n\t(%s)", t->tls);
	if (t->rcpt != NULL)
		buf_printf(out, "\r\n\tfor <%s>", t->rcpt);
	buf_add_str(out, ";\r\n\t");
	date_add(out, (struct date){ .utc_s = (int64_t)wall_s });
	buf_add_str(out, "\r\n");
}
