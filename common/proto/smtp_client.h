/*
 * smtp_client - the client's side of SMTP and LMTP, as a pure machine. RFC 5321, 2033, 2920,
 * 3207, 4954 (PLAIN, LOGIN); XCLIENT and XROOST as smtp_server.h has them.
 *
 * It leads the connection by itself until READY: greeting, EHLO or LHLO, STARTTLS, AUTH,
 * XCLIENT. Then the caller says MAIL, RCPT*, DATA or RSET, all at once; they go out
 * pipelined, or one at a time where the peer does not know PIPELINING. Each is answered by
 * an event, in order. When the last is answered, READY comes again.
 *
 *	probe:    mail, rcpt, rcpt, rset
 *	          -> REPLY to MAIL, RCPT 0, RCPT 1, RSET; READY
 *	delivery: mail, rcpt, rcpt, data
 *	          -> REPLY to MAIL, RCPT 0, RCPT 1; GO_AHEAD; then the caller gives the body
 *	             -> FINAL 0, FINAL 1; READY
 *	          -> or REPLY to DATA (refused, also when no RCPT was accepted); READY
 *
 * Parameters the peer does not offer are left out; whether a message may go without
 * them (SMTPUTF8, 8BITMIME) is the caller's to ask of smtp_client_get_offer() before.
 */
#ifndef PROTO_SMTP_CLIENT_H
#define PROTO_SMTP_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/must.h"
#include "base/slice.h"
#include "proto/smtp_wire.h"

#define SMTP_CLIENT_RCPT_MAX 1000 /* of a transaction */

struct smtp_client;

/* What the peer's EHLO said. */
struct smtp_offer {
	bool pipelining, eightbitmime, smtputf8, enhanced, starttls, dsn, chunking;
	bool auth_plain, auth_login;
	bool xclient_addr, xclient_port, xclient_proto, xclient_helo, xclient_login,
		xclient_session;
	bool xroost;
	bool has_size;
	uint64_t size; /* 0: no fixed limit */
};

enum smtp_tls_mode {
	SMTP_TLS_NONE,
	SMTP_TLS_IF_OFFERED,
	SMTP_TLS_REQUIRED, /* not offered: failed */
};

/* Borrowed until the first READY. */
struct smtp_client_settings {
	bool lmtp;
	const char *hostname; /* what we call ourselves */
	enum smtp_tls_mode tls_mode;
	/* AUTH PLAIN, or LOGIN where only that is offered (and authzid is NULL); authcid NULL: no
	 * login. Only over TLS unless plaintext_ok. A peer that does not offer it: failed. */
	const char *authzid, *authcid, *secret;
	bool plaintext_ok;
	/* XCLIENT, as far as it is offered; NULL: not said. All are ours, checked. */
	const char *xclient_addr, *xclient_login, *xclient_session, *xclient_helo;
	uint16_t xclient_port;
};

enum smtp_client_event_kind {
	SMTP_CLIENT_TLS,      /* send out, start TLS, then smtp_client_tls_done() */
	SMTP_CLIENT_READY,    /* a transaction may begin */
	SMTP_CLIENT_REPLY,    /* reply to what */
	SMTP_CLIENT_GO_AHEAD, /* give the body: smtp_client_body(), smtp_client_body_end() */
	SMTP_CLIENT_FINAL,    /* behind the body, for each accepted RCPT: number, reply (SMTP:
	                       * the same for all) */
	SMTP_CLIENT_QUIT,     /* QUIT was answered: end */
};
enum smtp_client_what {
	SMTP_CLIENT_MAIL,
	SMTP_CLIENT_RCPT, /* number */
	SMTP_CLIENT_DATA, /* refused */
	SMTP_CLIENT_RSET,
};
/* reply is borrowed until the next call. */
struct smtp_client_event {
	enum smtp_client_event_kind kind;
	enum smtp_client_what what;
	size_t number; /* of the RCPT in this transaction, from 0 */
	const struct smtp_reply *reply;
};

/* tls: the connection has it already. */
struct smtp_client *smtp_client_new(const struct smtp_client_settings *settings, bool tls);
void smtp_client_free(struct smtp_client **c);

/* 1: *ev_r is set; call again, also when no bytes are left (one reply may be several
 * events). 0: wants more bytes. -1: this connection is of no use any
 * more; smtp_client_get_failure() says why. *used_r bytes are consumed. */
int smtp_client_input(struct smtp_client *c, struct slice in, size_t *used_r, struct buf *out,
                      struct smtp_client_event *ev_r) MUST_CHECK;
/* What the peer said last (a greeting of 554, a 421, a refused login, a refusal in the middle
 * of the body), or, with code 0, what was wrong with it in text. Valid until the machine's
 * end. */
const struct smtp_reply *smtp_client_get_failure(const struct smtp_client *c);

void smtp_client_tls_done(struct smtp_client *c, struct buf *out);
bool smtp_client_is_tls(const struct smtp_client *c);
/* Valid from READY on. */
const struct smtp_offer *smtp_client_get_offer(const struct smtp_client *c);

/* READY was the last event and nothing was said since. */
bool smtp_client_is_idle(const struct smtp_client *c);
/* How many answers are awaited (QUIT and those of the login included). */
size_t smtp_client_pending(const struct smtp_client *c);
/* For the log: "greeting", "ehlo", "auth", "ready", "rcpt", "body", "final", ... */
const char *smtp_client_state_name(const struct smtp_client *c);

/* Begins a transaction: only when idle. mail and rcpt are not kept. */
void smtp_client_mail(struct smtp_client *c, const struct smtp_mail *mail, struct buf *out);
void smtp_client_rcpt(struct smtp_client *c, const struct smtp_rcpt *rcpt, struct buf *out);
/* Closes the list of recipients. */
void smtp_client_data(struct smtp_client *c, struct buf *out);
/* Instead of DATA. After a refused DATA the machine says it by itself. */
void smtp_client_rset(struct smtp_client *c, struct buf *out);
/* After GO_AHEAD, as pieces, as there is room. The body is not kept. */
void smtp_client_body(struct smtp_client *c, struct slice piece, struct buf *out);
void smtp_client_body_end(struct smtp_client *c, struct buf *out);
/* Only when idle. */
void smtp_client_quit(struct smtp_client *c, struct buf *out);

#endif
