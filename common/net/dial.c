/* dial - see dial.h. A non-blocking connect watched for writability. */
#include "net/dial.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/must.h"
#include "base/xalloc.h"
#include "net/patience.h"

struct dial {
	struct loop *loop;
	int fd;    /* -1: failed at once, or given away */
	int error; /* errno of the failure */
	struct watch *watch;
	struct timer timer;
	dial_fn *fn;
	void *ctx;
};

static void
dial_destroy(struct dial *d)
{
	watch_free(&d->watch);
	timer_fini(&d->timer);
	if (d->fd != -1)
		close(d->fd);
	free(d);
}

static void
report(struct dial *d, const char *why)
{
	dial_fn *fn = d->fn;
	void *ctx = d->ctx;
	struct conn *c = NULL;
	char text[128];

	if (why == NULL) {
		watch_free(&d->watch);
		patience_set(d->fd, &patience_dialled);
		c = conn_new(d->loop, d->fd);
		d->fd = -1;
	} else {
		snprintf(text, sizeof(text), "%s", why);
		why = text;
	}
	dial_destroy(d);
	fn(ctx, &c, why);
}

static void
on_connected(void *ctx, int fd, UNUSED unsigned events)
{
	struct dial *d = ctx;
	socklen_t len = sizeof(d->error);

	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &d->error, &len) == -1)
		d->error = errno;
	report(d, d->error != 0 ? strerror(d->error) : NULL);
}

static void
on_timer(void *ctx)
{
	struct dial *d = ctx;

	report(d, d->error != 0 ? strerror(d->error) : "no answer in time");
}

struct dial *
dial_start(struct loop *l, const struct addr *to, uint64_t deadline_ms, dial_fn *fn, void *ctx)
{
	struct dial *d = xcalloc(1, sizeof(*d));

	d->loop = l;
	d->fn = fn;
	d->ctx = ctx;
	timer_init(&d->timer, l, on_timer, d);
	d->fd = socket(to->ss.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (d->fd == -1 || (connect(d->fd, (const struct sockaddr *)&to->ss, to->len) == -1 &&
	                    errno != EINPROGRESS)) {
		d->error = errno;
		timer_set(&d->timer, 0);
		return d;
	}
	timer_set(&d->timer, deadline_ms);
	d->watch = watch_new(l, d->fd, WATCH_WRITE, on_connected, d);
	return d;
}

void
dial_cancel(struct dial **d)
{
	if (*d != NULL)
		dial_destroy(*d);
	*d = NULL;
}
