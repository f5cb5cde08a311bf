/* log - see log.h. */
#include "log/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/text.h"
#include "log/log_syslog.h"

#define LINE_BYTES 4096
#define ESC_BYTES 256
#define ESC_BUFFERS 16

static const char *const level_names[LOG_LEVEL_COUNT] = { "error", "warning", "info", "debug",
	                                                  "trace" };

static struct {
	const char *program;
	char path[512]; /* empty: standard error */
	int fd;
	bool to_syslog;
	_Atomic int most;
} sink = { .program = "roost", .fd = STDERR_FILENO, .most = LOG_INFO };

/* path empty: standard error. */
static void
use_file(int fd, const char *path)
{
	int old = sink.fd;

	snprintf(sink.path, sizeof(sink.path), "%s", path);
	sink.fd = fd;
	sink.to_syslog = false;
	if (old != STDERR_FILENO)
		close(old);
}

int
log_open(const char *program, const char *path)
{
	int fd;

	sink.program = program;
	if (path == NULL || strcmp(path, "stderr") == 0) {
		use_file(STDERR_FILENO, "");
		return 0;
	}
	if (strcmp(path, "syslog") == 0) {
		log_syslog_open(program);
		sink.to_syslog = true;
		return 0;
	}
	if (strcmp(path, sink.path) == 0 && !sink.to_syslog)
		return 0; /* log_reopen() opens it again */
	fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640);
	if (fd == -1)
		return -1;
	use_file(fd, path);
	return 0;
}

bool
log_is_stderr(void)
{
	return sink.path[0] == '\0' && !sink.to_syslog;
}

void
log_reopen(void)
{
	int fd;

	if (sink.path[0] == '\0')
		return;
	fd = open(sink.path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640);
	if (fd == -1) {
		log_error(NULL, "log.reopen_failed path=%s error=%s", log_esc(sink.path),
		          log_esc(strerror(errno)));
		return;
	}
	/* dup2 keeps the number, so that other threads may write meanwhile */
	dup3(fd, sink.fd, O_CLOEXEC);
	close(fd);
}

void
log_set_level(enum log_level most)
{
	sink.most = most;
}

bool
log_level_parse(struct slice name, enum log_level *level_r)
{
	for (int i = 0; i < LOG_LEVEL_COUNT; i++) {
		if (!slice_eq_str(name, level_names[i]))
			continue;
		*level_r = (enum log_level)i;
		return true;
	}
	return false;
}

bool
log_wants(enum log_level level)
{
	return (int)level <= sink.most;
}

static size_t
add_prefix(char *line, size_t room, enum log_level level)
{
	uint64_t now_us = clock_wall_us();
	time_t now_s = (time_t)(now_us / 1000000);
	struct tm tm;
	size_t n;

	gmtime_r(&now_s, &tm);
	n = strftime(line, room, "%Y-%m-%dT%H:%M:%S", &tm);
	n += (size_t)snprintf(line + n, room - n, ".%03uZ %s[%d] level=%s ",
	                      (unsigned)(now_us / 1000 % 1000), sink.program, (int)getpid(),
	                      level_names[level]);
	return n;
}

static void
add_pair(char *line, size_t room, size_t *used, const char *key, const char *value)
{
	int n;

	if (value == NULL || *used >= room)
		return;
	n = snprintf(line + *used, room - *used, " %s=%s", key, log_esc(value));
	*used = MIN(*used + (size_t)n, room - 1);
}

static void
emit(enum log_level level, const char *line, size_t n)
{
	ssize_t done;

	if (sink.to_syslog) {
		log_syslog_write((int)level, slice_make(line, n - 1));
		return;
	}
	/* A log that cannot be written must not stop the mail. */
	done = write(sink.fd, line, n);
	(void)done;
}

void
log_line(enum log_level level, const struct log_ctx *ctx, const char *fmt, ...)
{
	char line[LINE_BYTES];
	size_t room = sizeof(line) - 1, used;
	va_list ap;
	int n;

	if (!log_wants(level))
		return;
	used = sink.to_syslog ? 0 : add_prefix(line, room, level);
	used += (size_t)snprintf(line + used, room - used, "event=");
	va_start(ap, fmt);
	n = vsnprintf(line + used, room - used, fmt, ap);
	va_end(ap);
	used = MIN(used + (size_t)MAX(n, 0), room - 1);
	if (ctx != NULL) {
		add_pair(line, room, &used, "session", ctx->session);
		add_pair(line, room, &used, "peer", ctx->peer);
		add_pair(line, room, &used, "user", ctx->user);
	}
	line[used++] = '\n';
	emit(level, line, used);
}

static bool
is_plain(struct slice s)
{
	if (s.n == 0 || s.n > ESC_BYTES - 1)
		return false;
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] <= ' ' || (unsigned char)s.p[i] >= 0x7f ||
		    strchr("\"=\\", s.p[i]) != NULL)
			return false;
	return true;
}

static void
quote(char *out, struct slice s)
{
	char *end = out + ESC_BYTES - 6; /* room for one \xNN, quote, NUL */

	*out++ = '"';
	while (s.n != 0 && out < end) {
		size_t n = text_utf8_next(s, NULL);
		unsigned char c = (unsigned char)s.p[0];

		if (n > 1 && out + n < end) {
			memcpy(out, s.p, n);
			out += n;
		} else if (n != 1 || c < ' ' || c == 0x7f) {
			out += snprintf(out, 5, "\\x%02x", c);
			n = 1;
		} else {
			if (c == '"' || c == '\\')
				*out++ = '\\';
			*out++ = (char)c;
		}
		s = slice_skip(s, n);
	}
	*out++ = '"';
	*out = '\0';
}

const char *
log_esc_slice(struct slice s)
{
	static _Thread_local char buffers[ESC_BUFFERS][ESC_BYTES];
	static _Thread_local unsigned turn;
	char *out = buffers[turn++ % ESC_BUFFERS];

	if (s.p == NULL)
		return "-";
	if (is_plain(s)) {
		memcpy(out, s.p, s.n);
		out[s.n] = '\0';
	} else {
		quote(out, s);
	}
	return out;
}

const char *
log_esc(const char *s)
{
	return log_esc_slice(slice_of(s));
}
