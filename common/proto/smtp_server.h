/*
 * smtp_server - the server's side of SMTP and LMTP, as a pure machine: bytes in, bytes and
 * events out. RFC 5321, 2033 (LMTP), 1870, 2034, 2920, 3030 (CHUNKING), 3207, 3461, 4954,
 * 6152, 6531; XCLIENT as Postfix and Dovecot have it, XROOST as smtp_wire.h has it.
 *
 * It reads commands, knows what may be said when, and takes the body off the wire; policy
 * (who may send what to whom) is the caller's.
 *
 *	for (;;) {
 *		switch (smtp_server_input(s, in, &used, out, &ev)) {
 *		case 0:  wait for more bytes; while smtp_server_is_waiting(): for answers first
 *		case -1: send out, end the connection
 *		case 1:  do what ev says; then go on
 *		}
 *	}
 *
 * The caller answers MAIL, RCPT, DATA and BODY_END, at once or later; when the machine is
 * over meanwhile, an answer is dropped. RCPTs that come
 * pipelined are under way together, up to `rcpt_parallel`; they may be answered in any
 * order, the replies go out in the right one. All else waits until every answer is given.
 *
 * A transaction begins with MAIL answered 2xx and ends with the last answer to BODY_END, with
 * RESET, or with the connection.
 */
#ifndef PROTO_SMTP_SERVER_H
#define PROTO_SMTP_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/must.h"
#include "base/slice.h"
#include "proto/smtp_wire.h"

#define SMTP_HELO_MAX 255
#define SMTP_RCPT_MAX 1000 /* RCPT commands of a transaction, refused ones included */
#define SMTP_BAD_MAX 20    /* bad commands of a session, the one after the last ends it */
#define SMTP_IDLE_MAX 1000 /* commands in a row that lead nowhere: NOOP, RSET, VRFY, ... */
#define SMTP_FAILED_MAX 5  /* failed logins */

struct smtp_server;

/* Borrowed for the machine's life; the caller may change them between inputs (after
 * XCLIENT a peer may be somebody else). */
struct smtp_server_settings {
	bool lmtp;
	const char *hostname;
	uint64_t size_max;      /* of a message, announced and enforced */
	unsigned rcpt_max;      /* RCPTs of a transaction, refused ones too; more get 452 4.5.3 */
	unsigned rcpt_parallel; /* RCPTs under way together, at least 1 */
	const char *mechs;      /* SASL mechanisms, "PLAIN LOGIN"; "" for none */
	bool tls_offered;       /* there is a certificate */
	bool tls_required;      /* 530 5.7.0 to AUTH and MAIL without TLS */
	bool plaintext_ok;      /* logins without TLS */
	bool auth_required;     /* 530 5.7.0 to MAIL without a login */
	bool bare_ok;           /* addresses without a domain beside <postmaster> */
	bool smtputf8, dsn, chunking;
	bool trusted; /* this peer may say whom it speaks for: XCLIENT, XROOST */
};

enum smtp_event_kind {
	SMTP_HELO,        /* answered: smtp_server_get_helo(); a transaction is over */
	SMTP_STARTTLS,    /* answered: start TLS, then smtp_server_tls_done() */
	SMTP_XCLIENT,     /* xclient, checked; answered */
	SMTP_SASL_START,  /* mech, data (p == NULL: no initial response): answer with
	                   * smtp_server_challenge/_logged_in/_refused() */
	SMTP_SASL_STEP,   /* data: the same */
	SMTP_SASL_CANCEL, /* the dialogue is over; answered; the machine may be over too */
	SMTP_MAIL,        /* mail: smtp_server_reply() */
	SMTP_RCPT,        /* rcpt, number: smtp_server_reply_rcpt() */
	SMTP_DATA,        /* the body comes: smtp_server_go_ahead(), or refuse by _reply() */
	SMTP_BODY,        /* data: a piece of it, stuffing removed */
	SMTP_BODY_END,    /* it is whole. SMTP: smtp_server_reply(). LMTP:
	                   * smtp_server_reply_rcpt() for each that was accepted */
	SMTP_RESET,       /* forget the transaction; answered (RSET, a spoiled body) */
	SMTP_QUIT,        /* answered: send out, end */
};

/* Keys with p == NULL were not said, or as [UNAVAILABLE]. */
struct smtp_xclient {
	struct slice addr; /* "192.0.2.1", "2001:db8::1" */
	struct slice name; /* of the client's host */
	struct slice helo;
	struct slice login; /* it has logged in as this user */
	struct slice session;
	uint16_t port; /* 0: not told */
	bool esmtp;
};

/* Slices are borrowed from the input or the machine until the next call. */
struct smtp_event {
	enum smtp_event_kind kind;
	bool more; /* HELO, DATA: bytes wait behind the line, though the client had to wait
		    * for the answer (RFC 2920 section 3.1) */
	const char *mech;
	struct slice data;
	struct smtp_mail mail;
	struct smtp_rcpt rcpt;
	size_t number; /* of this RCPT in the transaction, from 0 */
	struct smtp_xclient xclient;
};

/* settings->hostname and what is in settings is read at each use. */
struct smtp_server *smtp_server_new(const struct smtp_server_settings *settings, bool tls);
void smtp_server_free(struct smtp_server **s);

/* "220 hostname ESMTP text" */
void smtp_server_greet(struct smtp_server *s, const char *text, struct buf *out);

/* 1: *ev_r is set. 0: wants more bytes, or answers. An event always takes at least one byte of
 * in, so a caller that has no bytes left has no event to fetch. -1: the session is over; a goodbye is
 * in out. *used_r bytes are consumed in any case. */
int smtp_server_input(struct smtp_server *s, struct slice in, size_t *used_r, struct buf *out,
                      struct smtp_event *ev_r) MUST_CHECK;
/* Nothing is consumed before an answer is given. */
bool smtp_server_is_waiting(const struct smtp_server *s);

/* ---- answers: enhanced "5.1.1", of the code's class; text as smtp_reply_add() ---- */

/* To MAIL; a refusal of DATA (4xx, 5xx; with BDAT, RESET comes when its bytes are read); to
 * BODY_END, in LMTP for all recipients that have no answer yet. */
void smtp_server_reply(struct smtp_server *s, int code, const char *enhanced, const char *text,
                       struct buf *out);
void smtp_server_reply_rcpt(struct smtp_server *s, size_t number, int code, const char *enhanced,
                            const char *text, struct buf *out);
/* 354, or nothing with BDAT. */
void smtp_server_go_ahead(struct smtp_server *s, struct buf *out);
/* Between DATA and BODY_END: no more of it is wanted (disk full, too big). The rest is
 * read and dropped, RESET comes, and the reply goes out where it is due. code is 4xx or 5xx;
 * the first call counts. */
void smtp_server_refuse_body(struct smtp_server *s, int code, const char *enhanced,
                             const char *text);
/* At any time: 421 or 554 as the last word, and the machine is over. */
void smtp_server_bye(struct smtp_server *s, int code, const char *enhanced, const char *text,
                     struct buf *out);

/* "334 base64": the next line is the client's response. */
void smtp_server_challenge(struct smtp_server *s, struct slice challenge, struct buf *out);
/* 235 */
void smtp_server_logged_in(struct smtp_server *s, struct buf *out);
enum smtp_auth_refusal {
	SMTP_AUTH_DENIED,  /* 535 5.7.8 wrong credentials */
	SMTP_AUTH_INVALID, /* 501 5.5.2 the exchange was malformed */
	SMTP_AUTH_TEMP,    /* 454 4.7.0 later */
};
/* The client may try again, unless the machine is over now: smtp_server_is_over(). */
void smtp_server_refused(struct smtp_server *s, enum smtp_auth_refusal why, struct buf *out);
/* TLS is up: what was said before is forgotten. */
void smtp_server_tls_done(struct smtp_server *s);

/* ---- what is known ---- */

bool smtp_server_is_over(const struct smtp_server *s);
bool smtp_server_is_tls(const struct smtp_server *s);
bool smtp_server_is_logged_in(const struct smtp_server *s); /* also by XCLIENT LOGIN= */
bool smtp_server_in_transaction(const struct smtp_server *s);
/* Between DATA and BODY_END. */
bool smtp_server_in_body(const struct smtp_server *s);
/* What the client calls itself, checked; "" before. Valid until the next input. */
const char *smtp_server_get_helo(const struct smtp_server *s);
/* RCPTs of this transaction that were accepted. */
size_t smtp_server_accepted(const struct smtp_server *s);
/* For "Received: ... with": "ESMTPSA", "LMTP", "UTF8LMTPS" (RFC 3848, 6531). */
const char *smtp_server_protocol(const struct smtp_server *s);
/* For the log and `who`: "greeted", "ready", "mail", "rcpt", "body", "final", ... */
const char *smtp_server_state_name(const struct smtp_server *s);

#endif
