/*
 * limit - who may have another session, try another password, send another message. Pure:
 * names, numbers and the time in, verdicts out; every table has a bound, the oldest rows go.
 *
 * Sessions are counted by address, by user, and by both. Their numbers are the caller's.
 *
 * Login failures make two subjects slower: the address (a prefix), and the account. Beyond a
 * free number each further failure doubles the time for which nobody from there, or for that
 * account, may log in. But:
 *
 * - The same wrong password for the same account counts once: that is a phone with an old
 *   password, not somebody who guesses.
 * - Where an account has logged in from an address before ("known"), only failures of this
 *   pair count for it. So nobody is locked out of his account by somebody elsewhere, nor by
 *   a neighbour behind the same address; and for a minute at most by another device of his
 *   own with an old password, which SCRAM cannot tell from a new guess.
 * - Whoever is blocked learns nothing: a right password is answered like a wrong one.
 *
 * Rates (messages, recipients) let `most` pass at once, and as many again in each period,
 * evenly (GCRA: a row is one time).
 */
#ifndef LIMIT_LIMIT_H
#define LIMIT_LIMIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/must.h"

/* Longest penalty of a known pair. */
#define LIMIT_KNOWN_BLOCK_MS 60000

struct limit;

enum limit_verdict {
	LIMIT_OK,
	LIMIT_BY_ADDRESS, /* too many sessions of it */
	LIMIT_BY_USER,
	LIMIT_BY_BOTH,  /* of this user from this address */
	LIMIT_BLOCKED,  /* too many failed logins */
	LIMIT_EXCEEDED, /* a rate */
	LIMIT_VERDICTS,
};
const char *limit_verdict_name(enum limit_verdict v); /* "address", for logs */

enum limit_rate {
	LIMIT_CLIENT_MESSAGES,
	LIMIT_CLIENT_RCPTS,
	LIMIT_SENDER_MESSAGES,
	LIMIT_SENDER_RCPTS,
	LIMIT_RATES
};

struct limit_settings {
	/* 0: no limit */
	uint64_t address_sessions, user_sessions, both_sessions;
	uint64_t address_failures, account_failures; /* free ones */
	uint64_t delay_ms;     /* of the first one beyond, doubled with each further one... */
	uint64_t block_max_ms; /* ...up to this */
	uint64_t memory_ms;    /* without a failure: all forgotten */
	uint64_t known_ms;     /* since the last login of a pair */
	struct {
		uint64_t most, period_ms;
	} rates[LIMIT_RATES];
	size_t rows; /* most, of each table */
};

struct limit *limit_new(const struct limit_settings *s);
void limit_free(struct limit **l);

/* ---- sessions ---------------------------------------------------------------------------- */

/* id is new. OK: it counts until limit_close(). When there are more sessions than rows, they
 * are let in and not counted. */
enum limit_verdict limit_open(struct limit *l, uint64_t id, const char *address) MUST_CHECK;
/* A session that is there has a user now (not its second one). OK: it counts for him too. */
enum limit_verdict limit_set_user(struct limit *l, uint64_t id, const char *user) MUST_CHECK;
/* He did not get in after all. */
void limit_drop_user(struct limit *l, uint64_t id);
/* Sessions that are there whatever we say. */
void limit_restore(struct limit *l, uint64_t id, const char *address, const char *user);
/* Unknown ids are fine. */
void limit_close(struct limit *l, uint64_t id);
uint64_t limit_address_sessions(struct limit *l, const char *address);
uint64_t limit_user_sessions(struct limit *l, const char *user);
uint64_t limit_both_sessions(struct limit *l, const char *user, const char *address);

/* For each subject that has sessions: "a:ADDRESS", "u:USER", "p:ADDRESS|USER" and how many. */
typedef void limit_subject_fn(void *ctx, const char *subject, uint64_t sessions);
void limit_each_subject(struct limit *l, limit_subject_fn *fn, void *ctx);

/* ---- logins ------------------------------------------------------------------------------ */

/* Before a password is looked at; user "" when he is not known yet. */
enum limit_verdict limit_try(struct limit *l, const char *address, const char *user,
                             uint64_t now_ms) MUST_CHECK;
/* The password was right: OK, or BLOCKED, and then he must not get in. */
enum limit_verdict limit_passed(struct limit *l, const char *address, const char *user,
                                uint64_t now_ms) MUST_CHECK;
/* It was wrong. fingerprint tells this password of this account from others; 0: nobody can
 * say. The time for which the answer should be held back, at least delay_ms. */
uint64_t limit_failed(struct limit *l, const char *address, const char *user, uint64_t fingerprint,
                      uint64_t now_ms);

/* What is remembered of one subject; for a successor, so that a reload forgets nothing. */
struct limit_memory {
	const char *name;           /* "a:192.0.2.1" */
	bool known;                 /* else failures */
	uint64_t until_ms;          /* of what is known; of the penalty */
	uint64_t failures, last_ms; /* the last one's time */
};
typedef bool limit_memory_fn(void *ctx, const struct limit_memory *m);
/* The freshest first; fn false ends it. */
void limit_each_memory(struct limit *l, limit_memory_fn *fn, void *ctx);
/* Of the same clock. What is known here already stays, if it is worse; what is no subject is
 * dropped. */
void limit_remember(struct limit *l, const struct limit_memory *m);

/* ---- rates ------------------------------------------------------------------------------- */

/* Counted when OK. */
enum limit_verdict limit_take(struct limit *l, enum limit_rate rate, const char *name,
                              uint64_t amount, uint64_t now_ms) MUST_CHECK;

/* ---- for people -------------------------------------------------------------------------- */

struct limit_entry {
	const char *what;  /* "login", "rate"... */
	const char *name;  /* "a:192.0.2.1", borrowed */
	uint64_t count;    /* failures */
	uint64_t block_ms; /* for so long still; 0: not blocked */
};
/* What is held against somebody now, the freshest first; fn false ends it. */
typedef bool limit_entry_fn(void *ctx, const struct limit_entry *e);
void limit_list(struct limit *l, uint64_t now_ms, limit_entry_fn *fn, void *ctx);
/* Forgets failures of an address or a user (any prefix-less name), and of its pairs. How many
 * rows went. */
size_t limit_clear(struct limit *l, const char *name);

#endif
