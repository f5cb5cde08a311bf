/*
 * smtp_wire - what both sides of SMTP and LMTP share: the parameters of MAIL and RCPT,
 * xtext.
 *
 * RFC 5321 section 4.1, 1870 (SIZE), 3461 (DSN, xtext), 4954 section 5 (AUTH=), 6152
 * (BODY), 6531 (SMTPUTF8).
 *
 * Between Roost's own tiers the extension XROOST adds, said only to and taken only from
 * trusted peers:
 *
 *	MAIL  XKEY=<64 hex>      the duplicate key: SHA-256 of the MAIL FROM address as
 *	                         address_text() writes it, one NUL, and the body as it was
 *	                         received, stuffing removed, nothing added
 *	      XSESSION=<id>      the session of the first hop, for the log
 *	      XADDR=<address>    its client
 *	RCPT  XUSER=<xtext>      the canonical user, as the directory resolved the address
 *	      XDETAIL=<xtext>    the subaddress; absent: none
 *	      XCLAIM=<decimal>   the user's claim the front end knows; absent: not told
 */
#ifndef PROTO_SMTP_WIRE_H
#define PROTO_SMTP_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/must.h"
#include "base/slice.h"
#include "mail/address.h"
#include "proto/origin.h"
#include "proto/smtp_reply.h"

#define SMTP_KEY_LEN 32
#define SMTP_LINE_MAX 4096 /* a command with its CRLF; RFC 5321 says 512 and extensions */
#define SMTP_ENVID_MAX 100 /* RFC 3461 section 4.4 */
#define SMTP_ORCPT_MAX 500
#define SMTP_USER_MAX 512 /* XUSER, XDETAIL, decoded */

enum smtp_body { SMTP_BODY_7BIT, SMTP_BODY_8BIT };
enum smtp_ret { SMTP_RET_NONE, SMTP_RET_FULL, SMTP_RET_HDRS };
enum {
	SMTP_NOTIFY_NEVER = 1, /* alone */
	SMTP_NOTIFY_SUCCESS = 2,
	SMTP_NOTIFY_FAILURE = 4,
	SMTP_NOTIFY_DELAY = 8,
};

/* Slices with p == NULL were not given. Who hands one out says how long they live. */
struct smtp_mail {
	struct address from;
	uint64_t size; /* SIZE=, 0: not told */
	enum smtp_body body;
	bool smtputf8;
	/* DSN */
	enum smtp_ret ret;
	struct slice envid; /* decoded */
	/* XROOST */
	bool has_key;
	uint8_t key[SMTP_KEY_LEN];
	struct slice session;
	struct slice addr; /* "192.0.2.1", "2001:db8::1" */
};

struct smtp_rcpt {
	struct address to;
	/* DSN */
	unsigned notify;         /* SMTP_NOTIFY_*, 0: not told */
	struct slice orcpt_type; /* "rfc822" */
	struct slice orcpt;      /* decoded */
	/* XROOST */
	struct slice user; /* canonical */
	struct slice detail;
	uint64_t claim; /* 0: not told */
};

/* What may be said in MAIL and RCPT on a connection. */
struct smtp_allowed {
	bool bare;     /* addresses without a domain beside <postmaster> */
	bool smtputf8; /* the extension; in RCPT: MAIL said SMTPUTF8 */
	bool dsn;
	bool auth; /* AUTH= on MAIL: checked, then forgotten */
	bool xroost;
};

/* A refusal: all literals. */
struct smtp_refusal {
	int code;
	const char *enhanced, *text;
};

/* args: behind "MAIL FROM:" / "RCPT TO:". NULL: good; else what to answer. Slices of *mail_r,
 * *rcpt_r live in a. */
const struct smtp_refusal *smtp_mail_parse(struct arena *a, struct slice args,
                                           const struct smtp_allowed *allowed,
                                           struct smtp_mail *mail_r) MUST_CHECK;
const struct smtp_refusal *smtp_rcpt_parse(struct arena *a, struct slice args,
                                           const struct smtp_allowed *allowed,
                                           struct smtp_rcpt *rcpt_r) MUST_CHECK;

/* ---- xtext: RFC 3461 section 4 ---- */

void smtp_xtext_add(struct buf *out, struct slice in);
/* False leaves out unchanged. */
bool smtp_xtext_decode(struct slice in, struct buf *out) MUST_CHECK;

#endif
