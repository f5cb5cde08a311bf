/*
 * must - what we assert, and small words for the compiler.
 *
 * must() is for our own mistakes and stays in release builds: a stopped process
 * is restarted, a wrong mailbox is not. No byte from a peer, a file or a setting
 * may reach a must().
 */
#ifndef BASE_MUST_H
#define BASE_MUST_H

#include <stddef.h>

#define must(cond) ((cond) ? (void)0 : must_fail(#cond, __FILE__, __LINE__))
#define must_not_reach() must_fail("not reached", __FILE__, __LINE__)

/* Writes one line to stderr and aborts. */
_Noreturn void must_fail(const char *what, const char *file, int line);

#define STATIC_ASSERT(cond) _Static_assert(cond, #cond)
#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define CONTAINER_OF(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))
#define MUST_CHECK __attribute__((warn_unused_result))
#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))
#define UNUSED __attribute__((unused))
#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))

#endif
