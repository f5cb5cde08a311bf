/*
 * attempt - one LMTP transaction with one store: MAIL and its recipients, then RSET (would
 * you take it?) or the message.
 *
 * Every recipient gets a reply in any case, the store's or one of ours: a 4xx when the store
 * cannot be reached, says nothing in time, or is lost, also behind the final dot, where
 * nobody knows what became of the message (invariant 11 makes the retry harmless).
 */
#ifndef DELIVER_ATTEMPT_H
#define DELIVER_ATTEMPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"
#include "deliver/msg.h"
#include "deliver/pool.h"
#include "log/log.h"
#include "proto/smtp_wire.h"

struct attempt_rcpt {
	struct smtp_rcpt wire; /* as it is said to the store */
	/* When the attempt is done: */
	struct smtp_reply reply;
	bool settled;    /* always, then */
	bool from_store; /* the store's own words; else ours */
};

/* Borrowed for the attempt's life. */
struct attempt_job {
	struct server *server;
	struct smtp_mail mail; /* its size is that of the message, or what the client said */
	struct attempt_rcpt **rcpts;
	size_t count;      /* at least 1 */
	struct msg *msg;   /* finished; NULL: only ask */
	struct slice head; /* goes before the message */
	const char *session, *peer;
	uint64_t deadline_ms; /* from now on, for all of it */
	const struct log_ctx *log;
};

struct attempt;
/* Every rcpt has its reply; the attempt is gone. From the loop. */
typedef void attempt_fn(void *ctx);

struct attempt *attempt_new(struct pool *p, const struct attempt_job *job, attempt_fn *fn,
                            void *ctx);
/* fn will not be called. What the store was asked may still be answered; a message on its
 * way is cut off. Accepts NULL, leaves NULL. */
void attempt_cancel(struct attempt **a);

#endif
