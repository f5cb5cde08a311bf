/*
 * ids - random bytes, and names for sessions and things.
 */
#ifndef BASE_IDS_H
#define BASE_IDS_H

#include <stddef.h>
#include <stdint.h>

#define IDS_SESSION_LEN 17 /* 16 characters and NUL */

/* From the kernel; does not fail. */
void ids_random(void *p, size_t n);
uint64_t ids_random_u64(void);

/* A new session id: 16 characters of base32 (a-z2-7), random, safe in every protocol
 * and log. It goes with the session through all tiers. */
void ids_session(char id_r[IDS_SESSION_LEN]);

#endif
