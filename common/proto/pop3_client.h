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

#define POP3_REPLY_MAX 4096 /* a status line with CRLF; RFC 2449 says 512 */

enum pop3_reply_kind { POP3_OK, POP3_ERR, POP3_CONTINUE };
struct pop3_reply {
	enum pop3_reply_kind kind;
	struct slice text; /* behind "+OK ", "-ERR ", "+ " */
	struct slice code; /* "SYS/TEMP" of "[SYS/TEMP]"; p == NULL without */
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

/* One line of a list (CAPA) behind a status line: 1 a line (unstuffed, without CRLF), 2 the
 * final dot, 0 wants more, -1 this is no POP3. line_r borrows from in. */
int pop3_list_read(struct slice in, size_t *used_r, struct slice *line_r) MUST_CHECK;

/* What a CAPA list said; all false before the first line. */
struct pop3_offer {
	bool top, uidl, pipelining, stls, xclient, sasl_plain;
};
void pop3_offer_add(struct pop3_offer *o, struct slice line);

/* RFC 5034, 4616: "AUTH PLAIN base64" into out, or, where that would pass the 255 octets
 * of a command, "AUTH PLAIN" into out and the response into later_out, to be sent when
 * the server says "+ ". Both get CRLF. Wipe them after sending. */
void pop3_client_add_auth_plain(struct buf *out, struct buf *later_out, const char *authzid,
                                const char *authcid, const char *secret);
/* "XCLIENT ADDR=... SESSION=..."; addr or session NULL: left out. Both are ours, checked
 * by whoever made them. */
void pop3_client_add_xclient(struct buf *out, const char *addr, const char *session);

/* What a client asked of a mailbox, as structures; never somebody else's bytes. */
enum pop3_verb {
	POP3_VERB_STAT,
	POP3_VERB_LIST, /* number 0: all */
	POP3_VERB_UIDL, /* number 0: all */
	POP3_VERB_RETR,
	POP3_VERB_TOP,
	POP3_VERB_DELE,
	POP3_VERB_NOOP,
	POP3_VERB_RSET,
	POP3_VERB_QUIT,
};
void pop3_client_add_command(struct buf *out, enum pop3_verb verb, uint32_t number, uint32_t lines);
/* Does +OK to it bring lines up to a dot? */
bool pop3_client_has_body(enum pop3_verb verb, uint32_t number);

#endif
