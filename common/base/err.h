/*
 * err - the operator's text for a failure. The code beside it chooses what the peer
 * is told; this text goes to the log or the terminal only.
 */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#include "base/must.h"

struct err {
	char text[512];
};

/* e may be NULL (nobody wants the text). Overwrites. */
void err_set(struct err *e, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Like err_set, with ": " and strerror(errno) behind. */
void err_set_errno(struct err *e, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Puts "context: " in front of what is there. */
void err_prefix(struct err *e, const char *fmt, ...) PRINTF_LIKE(2, 3);

#endif
