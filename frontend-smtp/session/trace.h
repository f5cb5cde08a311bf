/*
 * trace - the Received: field we add. RFC 5321 section 4.4, RFC 3848.
 */
#ifndef SESSION_TRACE_H
#define SESSION_TRACE_H

#include <stdint.h>

#include "base/buf.h"

/* Borrowed; everything checked and fit for a header. */
struct trace {
	const char *helo; /* "" before */
	const char *peer; /* "192.0.2.1", "2001:db8::1", "unix" */
	const char *hostname, *protocol, *session;
	const char *tls; /* "TLSv1.3 TLS_AES_256_GCM_SHA384"; NULL: none */
	const char
		*rcpt; /* the only recipient; NULL: several (they must not learn of each other) */
};
/* The whole field, folded, with its CRLF. */
void trace_add(struct buf *out, const struct trace *t, uint64_t wall_s);

#endif
