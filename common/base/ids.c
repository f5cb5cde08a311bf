/* ids - see ids.h. */
#include "base/ids.h"

#include <sys/random.h>

#include "base/must.h"

void
ids_random(void *p, size_t n)
{
	char *at = p;

	while (n != 0) {
		ssize_t got = getrandom(at, n, 0);

		if (got == -1)
			continue; /* EINTR is its only error for valid arguments */
		at += got;
		n -= (size_t)got;
	}
}

uint64_t
ids_random_u64(void)
{
	uint64_t v;

	ids_random(&v, sizeof(v));
	return v;
}

void
ids_session(char id_r[IDS_SESSION_LEN])
{
	static const char digits[] = "abcdefghijklmnopqrstuvwxyz234567";
	unsigned char raw[IDS_SESSION_LEN - 1];

	ids_random(raw, sizeof(raw));
	for (size_t i = 0; i < sizeof(raw); i++)
		id_r[i] = digits[raw[i] & 31];
	id_r[sizeof(raw)] = '\0';
}
