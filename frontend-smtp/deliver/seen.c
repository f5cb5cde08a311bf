#include "deliver/seen.h"

#include "base/clock.h"
#include "base/map.h"
#include "base/xalloc.h"
#include "tls/digest.h"

#include <stdlib.h>
#include <string.h>

#define SUM_LEN 16

struct entry {
	uint8_t sum[SUM_LEN];
	uint64_t at_ms;
};

/* A ring, and an index of it. */
struct seen {
	size_t max, count, next;
	struct entry **ring;
	struct map *by_sum;
};

struct seen *
seen_new(size_t max)
{
	struct seen *s = xcalloc(1, sizeof(*s));

	s->max = max;
	s->by_sum = map_new();
	return s;
}

void
seen_free(struct seen **sp)
{
	struct seen *s = *sp;

	*sp = NULL;
	if (s == NULL)
		return;
	for (size_t i = 0; i < s->count; i++)
		free(s->ring[i]);
	free(s->ring);
	map_free(&s->by_sum);
	free(s);
}

static struct slice
sum_of(struct slice key, struct slice address, uint8_t sum_r[DIGEST_LEN])
{
	digest_hmac(key, address, sum_r);
	return slice_make(sum_r, SUM_LEN);
}

static void
forget(struct seen *s, struct entry *e)
{
	(void)map_del(s->by_sum, slice_make(e->sum, SUM_LEN));
	free(e);
}

/* Grows as it fills. */
static struct entry **
next_place(struct seen *s)
{
	struct entry **place;

	if (s->count < s->max) {
		if ((s->count & (s->count - 1)) == 0)
			s->ring = xreallocarray(s->ring, s->count > 0 ? 2 * s->count : 1,
			                        sizeof(struct entry *));
		return &s->ring[s->count++];
	}
	place = &s->ring[s->next];
	s->next = (s->next + 1) % s->max;
	forget(s, *place);
	return place;
}

void
seen_add(struct seen *s, struct slice key, struct slice address)
{
	uint8_t sum[DIGEST_LEN];
	struct slice name = sum_of(key, address, sum);
	struct entry *e = map_get(s->by_sum, name), **place;

	if (s->max == 0)
		return;
	if (e == NULL) {
		place = next_place(s);
		e = *place = xcalloc(1, sizeof(*e));
		memcpy(e->sum, sum, SUM_LEN);
		(void)map_set(s->by_sum, name, e);
	}
	e->at_ms = clock_mono_ms();
}

bool
seen_has(const struct seen *s, struct slice key, struct slice address)
{
	uint8_t sum[DIGEST_LEN];
	const struct entry *e = map_get(s->by_sum, sum_of(key, address, sum));

	return e != NULL && clock_mono_ms() - e->at_ms < SEEN_WINDOW_MS;
}
