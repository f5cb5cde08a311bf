/* listener - see listener.h. */
#include "net/listener.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/must.h"
#include "base/xalloc.h"
#include "log/log.h"
#include "net/patience.h"

#define BACKLOG 1024
#define ACCEPTS_PER_TURN 64
#define PAUSE_MS 200 /* without descriptors: what is queued waits in the kernel */

struct listener {
	struct loop *loop;
	int fd;
	struct watch *watch;
	struct timer pause;
	listener_fn *fn;
	void *ctx;
	bool in_callback, freed;
};

static bool
unix_path_is_stale(const struct addr *at)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool stale;

	if (fd == -1)
		return false;
	stale = connect(fd, (const struct sockaddr *)&at->ss, at->len) == -1 &&
	        errno == ECONNREFUSED;
	close(fd);
	return stale;
}

static int
bind_text(const struct addr *at, struct err *err)
{
	char host[ADDR_TEXT_LEN], text[ADDR_TEXT_LEN];

	if (errno == EADDRINUSE && at->ss.ss_family == AF_UNIX)
		err_set(err, "socket %s is in use by another program", addr_text(at, text));
	else if (errno == EADDRINUSE)
		err_set(err, "port %u on %s is in use by another program", addr_port(at),
		        addr_host_text(at, host));
	else if (errno == EACCES)
		err_set(err, "no permission to listen on %s: ports below 1024 need root",
		        addr_text(at, text));
	else
		err_set_errno(err, "cannot listen on %s", addr_text(at, text));
	return -1;
}

/* SO_REUSEPORT lets our own workers share a port; it would also let a second copy of
 * the program in. So the port is first taken without it. */
static int
probe_port(const struct addr *at)
{
	int fd = socket(at->ss.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1, rc, saved;

	if (fd == -1)
		return -1;
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	rc = bind(fd, (const struct sockaddr *)&at->ss, at->len);
	saved = errno;
	close(fd);
	errno = saved;
	return rc;
}

int
listener_open_socket(const struct addr *at, bool first, struct err *err)
{
	const char *path = ((const struct sockaddr_un *)&at->ss)->sun_path;
	int fd, one = 1;

	if (at->ss.ss_family == AF_UNIX) {
		if (unix_path_is_stale(at))
			unlink(path);
	} else if (first && probe_port(at) == -1) {
		return bind_text(at, err);
	}
	fd = socket(at->ss.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd == -1) {
		err_set_errno(err, "cannot make a socket");
		return -1;
	}
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (at->ss.ss_family != AF_UNIX)
		(void)setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one));
	if (bind(fd, (const struct sockaddr *)&at->ss, at->len) == -1 ||
	    listen(fd, BACKLOG) == -1) {
		(void)bind_text(at, err);
		close(fd);
		return -1;
	}
	return fd;
}

static void
destroy(struct listener *ls)
{
	watch_free(&ls->watch);
	timer_fini(&ls->pause);
	free(ls);
}

static void on_ready(void *ctx, int fd, unsigned events);

static void
on_resume(void *ctx)
{
	struct listener *ls = ctx;

	ls->watch = watch_new(ls->loop, ls->fd, WATCH_READ, on_ready, ls);
}

static void
on_ready(void *ctx, int fd, UNUSED unsigned events)
{
	struct listener *ls = ctx;

	ls->in_callback = true;
	for (int i = 0; i < ACCEPTS_PER_TURN && !ls->freed; i++) {
		int got = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		struct conn *c;

		if (got == -1 &&
		    (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS)) {
			log_error(NULL, "listener.paused reason=%s ms=%d", log_esc(strerror(errno)),
			          PAUSE_MS);
			watch_free(&ls->watch);
			timer_set(&ls->pause, PAUSE_MS);
			break;
		}
		if (got == -1)
			break;
		patience_set(got, &patience_accepted);
		c = conn_new(ls->loop, got);
		ls->fn(ls->ctx, &c);
		must(c == NULL);
	}
	ls->in_callback = false;
	if (ls->freed)
		destroy(ls);
}

struct listener *
listener_new(struct loop *l, int fd, listener_fn *fn, void *ctx)
{
	struct listener *ls = xcalloc(1, sizeof(*ls));

	ls->loop = l;
	ls->fd = fd;
	ls->fn = fn;
	ls->ctx = ctx;
	timer_init(&ls->pause, l, on_resume, ls);
	on_resume(ls);
	return ls;
}

void
listener_free(struct listener **lp)
{
	struct listener *ls = *lp;

	if (ls == NULL)
		return;
	*lp = NULL;
	ls->freed = true;
	if (!ls->in_callback)
		destroy(ls);
}
