/* stamps - times of many events, and what is said of them at the end. */
#ifndef PERF_MUPDATE_STAMPS_H
#define PERF_MUPDATE_STAMPS_H

#include <stddef.h>
#include <stdint.h>

struct stamps {
	uint32_t *us;
	size_t count, room;
};

uint64_t stamps_now_us(void);
void stamps_init(struct stamps *s, size_t room);
void stamps_fini(struct stamps *s);
/* Those beyond its room are not kept. */
void stamps_add(struct stamps *s, uint64_t us);
/* Sorts. part 0.5: the median. In milliseconds; 0 when there are none. */
double stamps_ms(struct stamps *s, double part);

#endif
