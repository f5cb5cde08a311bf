/*
 * pop3_client - the client's side of POP3 for the proxy: replies are read, commands are
 * written from structures, never copied from somebody else's bytes.
 *
 * RFC 1939 section 3: one status line, and for some commands, when it says +OK, lines up
 * to a lone dot.
 */
#ifndef PROTO_POP3_CLIENT_H
#define PROTO_POP3_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/must.h"
#include "base/slice.h"

#define POP3_REPLY_MAX 4096	/* a status line with CRLF; RFC 2449 says 512 */

enum pop3_reply_kind { POP3_OK, POP3_ERR, POP3_CONTINUE };
struct pop3_reply {
	enum pop3_reply_kind kind;
	struct slice text;	/* behind "+OK ", "-ERR ", "+ " */
	struct slice code;	/* "SYS/TEMP" of "[SYS/TEMP]"; p == NULL without */
};
/* 1 a reply, 0 wants more, -1 this is no POP3 (or too long). Slices borrow from in. */
int pop3_reply_read(struct slice in, size_t *used_r, struct pop3_reply *r_r) MUST_CHECK;
/* "[CODE/...]" in any case, or a part up to a '/': SYS matches SYS/TEMP. */
bool pop3_reply_has_code(const struct pop3_reply *r, const char *code);

/* The lines behind a status line, passed on as they are. */
struct pop3_body {
	uint8_t state;
};
static inline void
pop3_body_init(struct pop3_body *b)
{
	b->state = 0;
}
/* How many bytes of in belong to the body, its final dot included; *done_r when that is
 * among them. Only CRLF . CRLF ends it. */
size_t pop3_body_scan(struct pop3_body *b, struct slice in, bool *done_r);

/* "AUTH PLAIN base64": RFC 4616, 5034. Wipe out's memory after sending. */
void pop3_client_add_auth_plain(struct buf *out, const char *authzid, const char *authcid,
				const char *secret);
/* "XCLIENT ADDR=... SESSION=..." */
void pop3_client_add_xclient(struct buf *out, const char *addr, const char *session);

#endif
