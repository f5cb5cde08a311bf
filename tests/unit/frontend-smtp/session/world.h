/*
 * world - a front end for mail on the fake network: clients, two stores of ours, a foreign
 * one, a directory, a map.
 *
 * Clients: client (192.0.2.1, SMTP), second (the same host), proxy (127.0.0.1, trusted,
 * SMTP), mta (127.0.0.1, LMTP), stranger (192.0.2.9, LMTP), six and sixty (of one IPv6
 * network), seven (of another).
 * user (192.0.2.2) and near (127.0.0.1) come to submission, secure to submission in TLS.
 * Next hops, with RELAY in the settings: hop1 (192.0.2.25:25), hop2 (192.0.2.26:2525).
 * Stores: store1, store2 (Roost), cyrus (foreign), secret (STARTTLS).
 * Users with their mailboxes: fred and bob at store1 (claim 7), ann@example.net at store2,
 * cyrus at cyrus, sec at secret. new has no mailbox yet, his home is store2; nohome none;
 * gone is disabled; both@example.org is an alias of fred and ann; away@example.org is forwarded to
 * ann@far.example, copy@example.org there and to fred, odd@example.org there and to cyrus.
 */
#ifndef UNIT_FRONTEND_SMTP_SESSION_WORLD_H
#define UNIT_FRONTEND_SMTP_SESSION_WORLD_H

#include "fakeauth/fakeauth.h"
#include "fakenet/play.h"
#include "session/session.h"
#include "unit/frontend-smtp/route/fakemap.h"

struct world {
	struct play *play;
	struct conf *conf;
	struct auth *auth;
	struct servers *servers;
	struct fakemap map;
	struct lookup *lookup;
	struct route *route;
	struct pool *pool;
	struct relay *relay;
	struct smtp_proxy *proxy;
	bool drained;
	char who[400];
};

/* more: further settings of [roost-smtp]. The script runs with bytes in pieces of every size,
 * of 1, and of 7. */
void world_play_with(const char *more, const char *script);
void world_play(const char *script);
/* Once, as it is. */
void world_play_once(const char *more, const char *script);

/* ---- pieces of scripts ---- */

#define GREETED                                                                                    \
	"client connects\n"                                                                        \
	"client < 220 fe1 ESMTP ready\n"                                                           \
	"client > EHLO mx.example.net\n"                                                           \
	"client << 250 *\n"
#define MAIL_FROM                                                                                  \
	"client > MAIL FROM:<joe@example.net>\n"                                                   \
	"client < 250 2.1.0 OK\n"

/* A store that is dialled, with all that ours offer. */
#define UP(store)                                                                                  \
	store " accepts\n" store " > 220 " store " LMTP\n" store " < LHLO fe1\n" store             \
	      " >> 250-" store                                                                     \
	      "\\r\\n250-PIPELINING\\r\\n250-SIZE 60000000\\r\\n250-8BITMIME\\r\\n250-"            \
	      "SMTPUTF8\\r\\n250-ENHANCEDSTATUSCODES\\r\\n250 XROOST\\r\\n\n"
/* It is asked for one recipient, on the connection that is there. */
#define ASKED(store, user)                                                                         \
	store " < MAIL FROM:<joe@example.net>*\n" store " < RCPT TO:<" user "*\n" store " < RSET\n"
/* It answers. */
#define SAYS(store, reply) store " >> 250 2.1.0 ok\\r\\n" reply "\\r\\n250 2.0.0 ok\\r\\n\n"
#define TAKES(store) SAYS(store, "250 2.1.5 ok")

#define RELAY "relay = 192.0.2.25 192.0.2.26:2525\n"
/* A next hop that is dialled. */
#define HOP(hop)                                                                                   \
	hop " accepts\n" hop " > 220 " hop " ESMTP\n" hop " < EHLO fe1\n" hop " >> 250-" hop       \
	    "\\r\\n250-PIPELINING\\r\\n250-SIZE 60000000\\r\\n250-8BITMIME\\r\\n250 "              \
	    "ENHANCEDSTATUSCODES\\r\\n\n"
#define HOP_ASKED(hop, from, to)                                                                   \
	hop " < MAIL FROM:<" from ">*\n" hop " < RCPT TO:<" to ">\n" hop " < RSET\n"
/* near logs in as fred; user does after STARTTLS. */
#define NEAR                                                                                       \
	"near connects\nnear < 220 fe1 ESMTP ready\nnear > EHLO laptop\nnear << 250 *\n"           \
	"near > AUTH PLAIN AGZyZWQAcHc=\nnear < 235 2.7.0 *\n"
#define NEAR_MAIL "near > MAIL FROM:<fred@example.org>\nnear < 250 2.1.0 OK\n"
#define NEAR_RCPT(to)                                                                              \
	"near > RCPT TO:<" to ">\n" HOP("hop1") HOP_ASKED("hop1", "fred@example.org", to)          \
		TAKES("hop1") "near < 250 2.1.5 OK\n"
#define NEAR_SEND                                                                                  \
	"near > DATA\nnear < 354 *\n"                                                              \
	"near >> Subject: hi\\r\\nFrom: fred@example.org\\r\\nBcc: eve@x.example\\r\\n\\r\\n"      \
	"text\\r\\n.\\r\\n\n"
/* What the hop gets of it, up to the final dot. */
#define HOP_GO(hop, from, rcpts) hop " < MAIL FROM:<" from ">*\n" rcpts
#define HOP_BODY(hop)                                                                              \
	hop " < DATA\n" hop " > 354 go\n" hop " << Subject: hi\n" hop " < From: *\n" hop           \
	    " < \n" hop " < text\n" hop " < .\n"

/* fred is asked for and accepted, on a new connection. */
#define RCPT_FRED                                                                                  \
	"client > RCPT TO:<fred@example.org>\n" UP("store1") ASKED("store1", "fred@example.org")   \
		TAKES("store1") "client < 250 2.1.5 OK\n"
#define SEND                                                                                       \
	"client > DATA\n"                                                                          \
	"client < 354 *\n"                                                                         \
	"client >> Subject: hi\\r\\n\\r\\n..dot\\r\\n.\\r\\n\n"
/* The store gets that. */
#define GO(store, rcpts) store " < MAIL FROM:<joe@example.net>*XKEY=*\n" rcpts store " < DATA\n"
#define BODY(store) store " > 354 go\n" store " < Received: from *\n"
#define TEXT(store) store " << Subject: hi\n" store " < \n" store " < ..dot\n" store " < .\n"

#endif
