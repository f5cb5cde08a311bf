/*
 * ctl_client - one request and its answer, blocking: for tools.
 */
#include "ctl/ctl.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "net/addr.h"

#define REPLY_MAX_BYTES (((size_t)16 << 20) + 1)
#define RETRY_MS 20 /* while the queue of the socket is full */

struct call {
	const char *path;
	int fd;
	uint64_t end_ms;
	struct err *err;
};

static int
fail_late(struct call *c)
{
	err_set(c->err, "%s: no answer in time", c->path);
	return -1;
}

static int
wait_for(struct call *c, short events)
{
	struct pollfd p = { .fd = c->fd, .events = events };
	uint64_t now = clock_mono_ms();
	int n;

	do {
		n = now >= c->end_ms ? 0 : poll(&p, 1, (int)MIN(c->end_ms - now, 60000));
		now = clock_mono_ms();
	} while ((n == -1 && errno == EINTR) || (n == 0 && now < c->end_ms));
	return n > 0 ? 0 : fail_late(c);
}

static int
fail_connect(struct call *c)
{
	if (errno == ENOENT || errno == ECONNREFUSED)
		err_set(c->err, "%s: nobody listens there; is the program running?", c->path);
	else if (errno == EACCES)
		err_set(c->err, "%s: only root and the user of the program may ask", c->path);
	else
		err_set_errno(c->err, "%s", c->path);
	return -1;
}

static int
dial(struct call *c)
{
	const struct timespec pause = { .tv_nsec = RETRY_MS * 1000000L };
	struct addr at;

	if (!addr_parse(slice_of(c->path), 0, &at, c->err))
		return -1;
	if (at.ss.ss_family != AF_UNIX) {
		err_set(c->err, "%s: is not the path of a socket", c->path);
		return -1;
	}
	c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (c->fd == -1)
		return fail_connect(c);
	while (connect(c->fd, (const struct sockaddr *)&at.ss, at.len) == -1) {
		if (errno != EAGAIN && errno != EINTR)
			return fail_connect(c);
		if (clock_mono_ms() >= c->end_ms)
			return fail_late(c);
		(void)nanosleep(&pause, NULL);
	}
	return 0;
}

static int
send_all(struct call *c, struct slice s)
{
	while (s.n > 0) {
		ssize_t n = send(c->fd, s.p, s.n, MSG_NOSIGNAL);

		if (n >= 0) {
			s = slice_skip(s, (size_t)n);
		} else if (errno == EAGAIN) {
			if (wait_for(c, POLLOUT) == -1)
				return -1;
		} else if (errno == EPIPE) {
			return 0; /* it may have said why before it closed */
		} else if (errno != EINTR) {
			err_set_errno(c->err, "%s", c->path);
			return -1;
		}
	}
	return 0;
}

/* One line, without its end. */
static int
read_line(struct call *c, struct buf *line)
{
	char chunk[16384];

	for (;;) {
		ssize_t n = read(c->fd, chunk, sizeof(chunk));
		size_t end = n > 0 ? slice_find(slice_make(chunk, (size_t)n), '\n') : 0;

		if (n > 0) {
			buf_add(line, chunk, end);
			if (line->overflow) {
				err_set(c->err, "%s: the answer is too long", c->path);
				return -1;
			}
			if (end < (size_t)n)
				return 0;
		} else if (n == 0 || errno == ECONNRESET) {
			err_set(c->err, "%s: closed without an answer", c->path);
			return -1;
		} else if (errno == EAGAIN) {
			if (wait_for(c, POLLIN) == -1)
				return -1;
		} else if (errno != EINTR) {
			err_set_errno(c->err, "%s", c->path);
			return -1;
		}
	}
}

static struct json *
call(struct call *c, const struct json *request, struct buf *text)
{
	struct json *reply;

	json_print(request, text);
	buf_add_char(text, '\n');
	if (dial(c) == -1 || send_all(c, buf_slice(text)) == -1)
		return NULL;
	buf_clear(text);
	if (read_line(c, text) == -1)
		return NULL;
	reply = json_parse(buf_slice(text), c->err);
	if (reply == NULL)
		err_prefix(c->err, "%s: the answer is not JSON", c->path);
	return reply;
}

struct json *
ctl_call(const char *path, const struct json *request, unsigned timeout_ms, struct err *err)
{
	struct call c = { path, -1, clock_mono_ms() + timeout_ms, err };
	struct buf text = BUF_INIT(REPLY_MAX_BYTES);
	struct json *reply = call(&c, request, &text);

	if (c.fd != -1)
		close(c.fd);
	buf_fini(&text);
	return reply;
}
