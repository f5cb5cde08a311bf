/*
 * pop3_server - the server's side of POP3, as a pure machine: bytes in, bytes and events
 * out. RFC 1939, 2449 (CAPA, response codes), 2595 (STLS), 5034 (AUTH).
 *
 * The same core serves the store and the proxy of the front ends. It reads commands,
 * knows what may be said when, and leads the dialogue until the login; what commands do
 * after the login is the caller's. APOP is not offered.
 *
 * Who is trusted is greeted with [XCLIENT] and may say XCLIENT, in Dovecot's dialect (origin.h).
 *
 *	for (;;) {
 *		switch (pop3_server_input(s, in, &used, out, &ev)) {
 *		case 0:  wait for more bytes
 *		case -1: send out, end the connection
 *		case 1:  do what ev says; then go on, or wait for an answer first
 *		}
 *	}
 */
#ifndef PROTO_POP3_SERVER_H
#define PROTO_POP3_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/must.h"
#include "base/slice.h"
#include "proto/origin.h"

#define POP3_LINE_MAX 4096 /* with CRLF; RFC 2449 says 255. SASL: sasl_line.h */
#define POP3_USER_MAX 512
#define POP3_BAD_MAX 20       /* bad commands of a session, the one after the last ends it */
#define POP3_COMMANDS_MAX 100 /* before the login */
#define POP3_FAILED_MAX 5     /* failed logins */

struct pop3_server;

/* Borrowed for the machine's life. */
struct pop3_server_settings {
	const char *mechs;          /* SASL mechanisms, "PLAIN"; "" for none */
	bool tls_offered;           /* there is a certificate */
	bool plaintext_ok;          /* logins without TLS */
	bool xclient_ok;            /* this peer may say whom it speaks for */
	const char *implementation; /* for CAPA, NULL: none */
};

enum pop3_event_kind {
	/* before the login */
	POP3_LOGIN,       /* user, secret: answer with pop3_server_logged_in/_refused() */
	POP3_SASL_START,  /* mech, data (p == NULL: no initial response): the same */
	POP3_SASL_STEP,   /* data */
	POP3_SASL_CANCEL, /* the dialogue is over; the answer is written */
	POP3_STLS,        /* the answer is written: start TLS, then pop3_server_tls_done() */
	POP3_XCLIENT,     /* addr, session (each perhaps p == NULL), checked; answered */
	/* after it; the caller answers */
	POP3_STAT,
	POP3_LIST, /* number, 0: all */
	POP3_UIDL, /* number, 0: all */
	POP3_RETR, /* number */
	POP3_TOP,  /* number, lines */
	POP3_DELE, /* number */
	POP3_NOOP,
	POP3_RSET,
	POP3_CAPA,  /* pop3_server_add_capa() */
	POP3_QUIT,  /* also before the login: then it is answered already */
	POP3_REPLY, /* text: a ready answer (to a bad command), in its turn */
	POP3_BYE,   /* text: the last answer, in its turn; then end */
};

/* Slices are borrowed from the input or the machine until the next call. */
struct pop3_event {
	enum pop3_event_kind kind;
	struct slice user, secret;
	const char *mech;
	struct slice data;
	struct slice addr, session;
	uint32_t number, lines;
	const char *text; /* a literal, without CRLF */
};

struct pop3_server *pop3_server_new(const struct pop3_server_settings *settings, bool tls);
void pop3_server_free(struct pop3_server **s);

/* "+OK text ready" */
void pop3_server_greet(struct pop3_server *s, const char *text, struct buf *out);

/* 1: *ev_r is set. 0: wants more bytes. -1: the session is over; a goodbye is in out
 * (too many bad commands, an endless line, a bare LF; after the login these are POP3_BYE).
 * *used_r bytes are consumed in any case. Must not be called between an event that waits
 * and its answer. */
int pop3_server_input(struct pop3_server *s, struct slice in, size_t *used_r, struct buf *out,
                      struct pop3_event *ev_r) MUST_CHECK;

/* ---- answers ---- */

/* "+ base64": the next line is the client's response. */
void pop3_server_challenge(struct pop3_server *s, struct slice challenge, struct buf *out);
/* From now on the transaction state. Writes nothing. */
void pop3_server_logged_in(struct pop3_server *s);
enum pop3_refusal {
	POP3_REFUSED_AUTH,    /* [AUTH] wrong credentials */
	POP3_REFUSED_INVALID, /* the exchange was malformed */
	POP3_REFUSED_TEMP,    /* [SYS/TEMP] later */
	POP3_REFUSED_IN_USE,  /* [IN-USE] the maildrop is locked */
};
/* Writes the -ERR; the client may try again, unless the machine is over now. */
void pop3_server_refused(struct pop3_server *s, enum pop3_refusal why, struct buf *out);
/* That was one failed login too many: send out and end. */
bool pop3_server_is_over(const struct pop3_server *s);
/* TLS is up: what was said before is forgotten. */
void pop3_server_tls_done(struct pop3_server *s);
bool pop3_server_is_tls(const struct pop3_server *s);

/* What the mailbox behind can do; all of it unless the caller says less (a proxy). */
struct pop3_capa {
	bool no_top, no_uidl;
};
/* "+OK" and the list, for the state and the link as they are. less may be NULL. */
void pop3_server_add_capa(const struct pop3_server *s, const struct pop3_capa *less,
                          struct buf *out);

#endif
