/*
 * clock - what time it is. Tests put their own hands on it.
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

/* Monotonic, for deadlines and durations. */
uint64_t clock_mono_ms(void);
uint64_t clock_mono_us(void);
/* Since 1970 UTC; may jump. */
uint64_t clock_wall_s(void);
uint64_t clock_wall_us(void);

/* From now on both clocks answer from *fake (tests only); NULL: the real ones. The
 * wall clock is wall_us, the monotonic one mono_us. */
struct clock_fake {
	uint64_t mono_us, wall_us;
};
void clock_set_fake(const struct clock_fake *fake);

#endif
