/*
 * hops - the next hops of the settings (`relay`): addresses, and names with the addresses they
 * have at the moment. Those that failed lately come last.
 */
#ifndef DELIVER_HOPS_H
#define DELIVER_HOPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/must.h"
#include "conf/conf.h"
#include "net/addr.h"
#include "net/loop.h"

/* A hop that failed comes last: for so long first, and after more failures in a row. */
#define HOPS_PAUSE_MIN_MS 5000
#define HOPS_PAUSE_MAX_MS 60000
/* Names are looked up again after that; until there is an answer the addresses at hand count. */
#define HOPS_NAME_MS 60000
/* How many recipients it takes at once is asked again after that. */
#define HOPS_MOST_MS 3600000
#define HOPS_MAX 64 /* addresses of one setting at a time; and those tried for one message */
/* Addresses of one name that are known, old ones too: connections and pauses hang on them. */
#define HOPS_KNOWN_MAX 4096

/* Lives as long as the hops: connections are kept by it. */
struct hop {
	char name[300];   /* "192.0.2.7:25", "relay.example.net[192.0.2.7]:25" */
	const char *host; /* NULL: the setting is an address */
	struct addr addr;
	bool current;                /* the setting still leads to it */
	uint64_t pause_ms, until_ms; /* how long the last time; until when */
	size_t most_rcpts;           /* at once, as it has said; 0: it has not */
	uint64_t most_until_ms;
};
void hop_failed(struct hop *h);
void hop_worked(struct hop *h);
bool hop_is_paused(const struct hop *h);
/* It has refused more recipients than these in one transaction. */
void hop_takes_at_most(struct hop *h, size_t rcpts);

struct hops;

/* Do the settings make sense? -1 with the operator's sentence. */
int hops_check(const struct conf *c, struct err *err) MUST_CHECK;
/* changed is called from the loop when hops_are_ready() may have become true. */
struct hops *hops_new(const struct conf *c, struct loop *l, loop_fn *changed, void *ctx);
void hops_free(struct hops **h);
bool hops_are_set(const struct hops *h);

/* Looks names up that have not been looked up lately. */
void hops_refresh(struct hops *h);
/* Nothing is waited for: there is a hop, or there will be none. */
bool hops_are_ready(const struct hops *h);
/* So many recipients every hop takes at once, as far as they have said. */
size_t hops_most_rcpts(const struct hops *h);
/* In order; at most max of them. */
size_t hops_list(const struct hops *h, struct hop **hops_r, size_t max);

/* Setting i as it is written, and whether no hop of it works; false behind the last. */
bool hops_at(const struct hops *h, size_t i, const char **text_r, bool *down_r);

#endif
