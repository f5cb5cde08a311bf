/*
 * log - one line per thing worth knowing: an event name and key=value pairs.
 *
 * error: somebody must act. warning: somebody should look by daylight. info: one
 * line for the end of each session and delivery, and for every change of the
 * cluster. debug: protocol steps. trace: state changes and byte counts.
 *
 * What came from outside passes log_esc(). Never logged: passwords, SASL messages,
 * message text. Thread-safe; a line is written by one write(2).
 */
#ifndef LOG_LOG_H
#define LOG_LOG_H

#include <stdbool.h>

#include "base/must.h"
#include "base/slice.h"

enum log_level { LOG_ERROR, LOG_WARNING, LOG_INFO, LOG_DEBUG, LOG_TRACE, LOG_LEVEL_COUNT };

/* Added to every line logged with it. All members may be NULL. Borrowed. */
struct log_ctx {
	const char *session; /* the id that goes through all tiers */
	const char *peer;    /* address of the client */
	const char *user;    /* once authenticated */
};

/* program is borrowed for ever. path NULL or "stderr": standard error; "syslog": not
 * a file; else appended to. Again: another place. Returns -1 when the file cannot be
 * opened (errno); then all stays as it was. */
int log_open(const char *program, const char *path) MUST_CHECK;
/* Do lines go to standard error? */
bool log_is_stderr(void);
/* Opens the same path again (after rotation). Keeps the old file when it fails. */
void log_reopen(void);
void log_set_level(enum log_level most);
bool log_level_parse(struct slice name, enum log_level *level_r);
bool log_wants(enum log_level level);

/* fmt starts with the event name: "delivery.done rcpt=%s". ctx may be NULL. */
void log_line(enum log_level level, const struct log_ctx *ctx, const char *fmt, ...)
	PRINTF_LIKE(3, 4);

#define log_error(ctx, ...) log_line(LOG_ERROR, ctx, __VA_ARGS__)
#define log_warning(ctx, ...) log_line(LOG_WARNING, ctx, __VA_ARGS__)
#define log_info(ctx, ...) log_line(LOG_INFO, ctx, __VA_ARGS__)
#define log_debug(ctx, ...) (log_wants(LOG_DEBUG) ? log_line(LOG_DEBUG, ctx, __VA_ARGS__) : (void)0)
#define log_trace(ctx, ...) (log_wants(LOG_TRACE) ? log_line(LOG_TRACE, ctx, __VA_ARGS__) : (void)0)

/* The value as it may stand in a line: quoted when it has spaces, quotes, `=` or is
 * empty; control bytes and invalid UTF-8 as \xNN; cut at 256 bytes. NULL gives "-".
 * The result lives in one of 16 buffers of this thread, used in turn. */
const char *log_esc(const char *s);
const char *log_esc_slice(struct slice s);

#endif
