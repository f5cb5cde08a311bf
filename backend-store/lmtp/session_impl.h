/*
 * session_impl - what session.c (the connection), rcpt.c (recipients) and delivery.c (the
 * message) share.
 */
#ifndef LMTP_SESSION_IMPL_H
#define LMTP_SESSION_IMPL_H

#include "base/list.h"
#include "conf/common.h"
#include "link/link.h"
#include "lmtp/session.h"
#include "log/log.h"
#include "mail/mbox_name.h"
#include "mailbox/deliver.h"
#include "mailbox/spool.h"
#include "proto/smtp_server.h"
#include "session/sessions.h"
#include "tls/digest.h"

struct lmtp_limits {
	uint64_t idle_ms, body_ms;
	uint64_t message_bytes;
	unsigned rcpts;
	bool refuse_over_quota; /* for good, instead of "later" */
};

struct lmtp_service {
	struct lmtp_service_config c;
	struct lmtp_limits limits;
	struct sessions sessions;
	uint64_t bytes_in_store; /* of messages the store has and has not answered for */
	size_t refs;             /* deliveries that will look at bytes_in_store, and the owner */
};

/* Where a recipient's mail goes: one user, or several for a list. Heap strings. */
struct lmtp_target {
	char *user;   /* canonical */
	char *detail; /* "" without */
};

/* One RCPT command, accepted or not. */
struct lmtp_rcpt {
	struct lmtp_session *session;
	size_t number;
	char *address; /* as text, for the log and the directory */
	uint64_t claim;
	uint64_t auth_id, store_id; /* questions under way; 0: none */
	struct lmtp_target *targets;
	size_t target_count;
	size_t creating; /* the target whose INBOX is being made */
	bool accepted;
};

struct lmtp_delivery;

struct lmtp_session {
	struct list node; /* in service->sessions */
	struct lmtp_service *service;
	struct link *client;
	struct smtp_server *core;
	struct smtp_server_settings settings;
	char *hostname; /* ours; the settings it came from may be replaced */
	bool ended;
	bool gone; /* the peer has closed; a final answer is still tried */

	char id[ORIGIN_SESSION_MAX + 1];
	char peer[ADDR_TEXT_LEN];
	char *login; /* NULL: none */
	struct log_ctx log;
	uint64_t started_ms;
	uint64_t auth_id; /* of a login; 0: nothing asked */

	/* the transaction */
	struct lmtp_rcpt **rcpts;
	size_t rcpt_count, rcpt_cap;
	size_t target_count;            /* of all accepted recipients */
	uint64_t size;                  /* as MAIL said */
	struct lmtp_delivery *delivery; /* from MAIL on; the store's when it is submitted */

	uint32_t messages; /* answered, for the log */
};

/* ---- session.c ---- */

/* No callback comes any more; freed at the end of the loop's turn. why: for the log. */
void lmtp_session_end(struct lmtp_session *s, const char *why);
/* 421, and the end. */
void lmtp_session_say_going(struct lmtp_session *s);
/* An answer was given: it goes out, and the core is fed again when it waits no more. */
void lmtp_session_answered(struct lmtp_session *s);
/* The transaction is over, whatever became of it. */
void lmtp_session_forget_transaction(struct lmtp_session *s);
/* A session is gone: the drain may be over. */
void lmtp_service_unref(struct lmtp_service *p);

/* ---- rcpt.c ---- */

void lmtp_rcpt_start(struct lmtp_session *s, const struct smtp_event *ev);
/* Also when questions are under way: their answers are not heard any more. */
void lmtp_rcpt_free(struct lmtp_rcpt *r);

/* ---- trace.c ---- */

struct lmtp_trace {
	const char *from; /* without brackets; "" is the null sender */
	const char *rcpt; /* the only recipient; NULL: several */
	const char *id;
};
void lmtp_trace_add(const struct lmtp_session *s, const struct lmtp_trace *t, struct buf *out);
/* The message without Return-Path fields of others, in pieces. Where room does not suffice
 * for all of them, the rest stays. */
size_t lmtp_trace_cut(struct slice body, struct slice *pieces_r, size_t room);

/* ---- delivery.c ---- */

/* What is told when the store says so. */
struct lmtp_answer {
	int code;
	const char *enhanced, *text;
};
const struct lmtp_answer *lmtp_answer_for(const struct lmtp_service *p, enum mbox_result result);

struct lmtp_delivery *lmtp_delivery_new(struct lmtp_session *s, const struct smtp_mail *mail);
/* Of one the store does not have. */
void lmtp_delivery_free(struct lmtp_delivery *d);
void lmtp_delivery_add(struct lmtp_delivery *d, struct slice piece);
/* To the store, which has it from now on; the answers come by themselves. */
void lmtp_delivery_submit(struct lmtp_delivery *d);
bool lmtp_delivery_is_submitted(const struct lmtp_delivery *d);
/* The session ends: what the store has goes on without it. */
void lmtp_delivery_detach(struct lmtp_delivery *d);

#endif
