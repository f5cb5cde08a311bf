/*
 * redis - a client of one Redis server: one connection, commands in order, each with a
 * deadline. hiredis (0.14) is the codec only, and included here only; the connection is
 * ours.
 *
 * Redis being away is normal: redis_is_up() says so, whoever asks meanwhile is answered at
 * once, and the connection is tried again after growing pauses (100 ms to 5 s).
 */
#ifndef REDIS_REDIS_H
#define REDIS_REDIS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/must.h"
#include "base/slice.h"
#include "net/addr.h"
#include "net/loop.h"

struct redis;
struct tls_ctx;

struct redis_config {
	struct loop *loop;
	struct addr at;
	const char *user;     /* ACL user; NULL: "default" */
	const char *password; /* NULL: none */
	int database;
	struct tls_ctx *tls;  /* NULL: in clear. Borrowed */
	const char *tls_name; /* in the server's certificate */
	uint64_t answer_ms;   /* a command without an answer until then is answered with NULL */
	/* It came up, or went away (why is for the log). May be NULL. From the loop. */
	void (*on_state)(void *ctx, bool up, const char *why);
	void *ctx;
};

enum redis_type { REDIS_NIL, REDIS_NUMBER, REDIS_TEXT, REDIS_ERROR, REDIS_LIST };

/* Borrowed until the callback returns. */
struct redis_reply {
	enum redis_type type;
	int64_t number;    /* NUMBER */
	struct slice text; /* TEXT (and status), ERROR */
	size_t count;      /* LIST */
	const struct redis_reply *items;
};

/* reply NULL: there was none (away, too late, too many waiting). Called once, from the loop,
 * never from inside the call. */
typedef void redis_fn(void *ctx, const struct redis_reply *reply);

/* Dials at once. Copies what it keeps. */
struct redis *redis_new(const struct redis_config *c);
/* Callbacks that are open are not called any more. */
void redis_free(struct redis **r);
bool redis_is_up(const struct redis *r);

/* fn NULL: nobody wants the answer. */
void redis_ask(struct redis *r, const struct slice *words, size_t count, redis_fn *fn, void *ctx);

/* A Lua script, sent whole only when the server does not have it yet. */
struct redis_script {
	const char *text;
	char sha1[41]; /* made when it is used first */
};
/* words: the keys, then the other arguments. */
void redis_run(struct redis *r, struct redis_script *script, const struct slice *words,
               size_t count, size_t keys, redis_fn *fn, void *ctx);

#endif
