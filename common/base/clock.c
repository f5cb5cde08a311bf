/* clock - see clock.h. */
#include "base/clock.h"

#include <time.h>

#include "base/must.h"

static const struct clock_fake *fake;

static uint64_t
read_us(clockid_t id)
{
	struct timespec ts;

	must(clock_gettime(id, &ts) == 0);
	return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

uint64_t
clock_mono_us(void)
{
	return fake != NULL ? fake->mono_us : read_us(CLOCK_MONOTONIC);
}

uint64_t
clock_mono_ms(void)
{
	return clock_mono_us() / 1000;
}

uint64_t
clock_wall_us(void)
{
	return fake != NULL ? fake->wall_us : read_us(CLOCK_REALTIME);
}

uint64_t
clock_wall_s(void)
{
	return clock_wall_us() / 1000000;
}

void
clock_set_fake(const struct clock_fake *f)
{
	fake = f;
}
