/*
 * attempt - one transaction with one peer (a store, a next hop): MAIL and its recipients, then
 * RSET (would you take it?) or the message.
 *
 * Every recipient gets a reply in any case, the peer's or one of ours: a 4xx when the peer
 * cannot be reached, says nothing in time, or is lost, also behind the final dot, where
 * nobody knows what became of the message (promise 11 makes the retry harmless at stores).
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
	bool settled;   /* always, then */
	bool from_peer; /* the peer's own words; else ours */
};

/* The enhanced code of our 451 to whom was not given the message since another has to wait. */
#define ATTEMPT_WAITS "4.5.0"

/* How it ended. */
enum attempt_end {
	ATTEMPT_ANSWERED,  /* by the peer */
	ATTEMPT_UNREACHED, /* it never had the whole message: another may be asked */
	ATTEMPT_UNABLE,    /* it cannot take what this needs: another may be able to */
	ATTEMPT_LOST,      /* behind the final dot */
};

/* Borrowed for the attempt's life. */
struct attempt_job {
	struct peer peer;
	struct smtp_mail mail; /* its size is that of the message, or what the client said */
	struct attempt_rcpt **rcpts;
	size_t count;      /* at least 1 */
	struct msg *msg;   /* finished; NULL: only ask */
	struct slice head; /* goes before the message */
	uint64_t skip;     /* bytes of the message that head stands for */
	/* Nothing is sent while one recipient is refused for now: it will be sent again for all of
	 * them, and the peer does not know a message it has already. */
	bool together;
	const char *session, *client;
	uint64_t deadline_ms; /* from now on, for all of it */
	const struct log_ctx *log;
	/* When the attempt is done: */
	enum attempt_end end;
	size_t most_rcpts; /* the peer takes no more at once (452 4.5.3); 0: it did not say so */
};

struct attempt;
/* Every rcpt has its reply; the attempt is gone. From the loop. */
typedef void attempt_fn(void *ctx);

struct attempt *attempt_new(struct pool *p, struct attempt_job *job, attempt_fn *fn, void *ctx);
/* fn will not be called. What the peer was asked may still be answered; a message on its
 * way is cut off. Accepts NULL, leaves NULL. */
void attempt_cancel(struct attempt **a);

#endif
