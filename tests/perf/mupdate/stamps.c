#include "perf/mupdate/stamps.h"

#include "base/xalloc.h"

#include <stdlib.h>
#include <time.h>

uint64_t
stamps_now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

void
stamps_init(struct stamps *s, size_t room)
{
	*s = (struct stamps){ xcalloc(room, sizeof(*s->us)), 0, room };
}

void
stamps_fini(struct stamps *s)
{
	free(s->us);
}

void
stamps_add(struct stamps *s, uint64_t us)
{
	if (s->count < s->room)
		s->us[s->count++] = (uint32_t)us;
}

static int
compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

double
stamps_ms(struct stamps *s, double part)
{
	if (s->count == 0)
		return 0;
	qsort(s->us, s->count, sizeof(*s->us), compare);
	return s->us[(size_t)((double)(s->count - 1) * part)] / 1000.0;
}
