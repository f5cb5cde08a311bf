/*
 * guard_ask - questions to the limits process: what guard.c, admit.c and auth.c share. Within
 * common/guard.
 */
#ifndef GUARD_GUARD_ASK_H
#define GUARD_GUARD_ASK_H

#include "base/list.h"
#include "guard/guard.h"
#include "guard/guard_wire.h"
#include "link/link.h"

#define GUARD_PREFIX_MAX 64

/* A session that is counted; ends with its conn. */
struct guard_lease {
	struct list link;
	struct guard *guard; /* NULL: it is gone */
	uint64_t number;
	char address[GUARD_PREFIX_MAX];
	char *user; /* NULL: nobody */
};

struct guard_answer {
	bool answered; /* false: allowed, since nobody said anything */
	enum limit_verdict verdict;
	uint64_t amount;
	const char *text;
};
typedef void guard_answer_fn(void *ctx, uint64_t id, const struct guard_answer *a);

/* f->id is set here. From the loop, once. */
uint64_t guard_ask(struct guard *g, struct guard_frame *f, guard_answer_fn *fn, void *ctx);
/* Needs no answer. */
void guard_tell(struct guard *g, struct guard_frame *f);
struct loop *guard_loop(struct guard *g);

/* The prefix that counts for this address; "" when it has no limits. */
void guard_prefix(const struct guard *g, const struct addr *a, char prefix_r[GUARD_PREFIX_MAX]);
/* The same of an address as text ("192.0.2.1", "2001:db8::1"). */
void guard_prefix_of_text(const struct guard *g, const char *peer, char prefix_r[GUARD_PREFIX_MAX]);

struct guard_lease *guard_lease_new(struct guard *g, const char *prefix);
void guard_lease_end(void *lease);
void guard_lease_set_user(struct guard_lease *lease, const char *user);

/* admit.c: conns that wait */
void guard_admit_free_all(struct list *waiting);
struct list *guard_waiting(struct guard *g);

#endif
