/*
 * sockets - listening sockets, kept open by the supervisor for as long as a generation
 * of workers wants them.
 *
 * Each worker has its own socket for each IP address (SO_REUSEPORT), so that the kernel
 * spreads connections; what waits in a socket waits for that worker's successor. Unix
 * sockets cannot be had twice and are shared.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/xalloc.h"
#include "svc/svc_impl.h"

struct svc_pool_socket {
	struct list node;
	struct addr at;
	char text[ADDR_TEXT_LEN];
	uint32_t worker;
	int fd;
	unsigned users;
};

static struct list pool = { &pool, &pool };

static bool
is_unix(const struct addr *at)
{
	return at->ss.ss_family == AF_UNIX;
}

static struct svc_pool_socket *
find(const struct addr *at, uint32_t worker)
{
	struct svc_pool_socket *p;
	char text[ADDR_TEXT_LEN];

	addr_text(at, text);
	LIST_EACH (p, &pool, struct svc_pool_socket, node)
		if (p->worker == worker && strcmp(p->text, text) == 0)
			return p;
	return NULL;
}

static bool
is_wildcard(const char *host)
{
	return strcmp(host, "0.0.0.0") == 0 || strcmp(host, "::") == 0;
}

/* Do we have it already, for another worker or as part of a wildcard? Then it cannot be
 * asked whether others have it. */
static bool
have_address(const struct addr *at)
{
	char host[ADDR_TEXT_LEN], other[ADDR_TEXT_LEN];
	struct svc_pool_socket *p;

	addr_host_text(at, host);
	LIST_EACH (p, &pool, struct svc_pool_socket, node) {
		if (is_unix(&p->at) || addr_port(&p->at) != addr_port(at))
			continue;
		addr_host_text(&p->at, other);
		if (strcmp(host, other) == 0 || is_wildcard(host) || is_wildcard(other))
			return true;
	}
	return false;
}

static void
give_away(const char *path, const struct svc_owner *owner)
{
	int rc = owner->change ? chown(path, owner->uid, owner->gid) : 0;

	(void)rc; /* a worker that cannot accept there says so */
}

/* -1: cannot be had. */
static int
add(struct svc_sockets *set, const char *service, const struct addr *at, uint32_t worker,
    const struct svc_owner *owner, struct err *err)
{
	struct svc_pool_socket *p = find(at, worker);
	mode_t mask;
	int fd;

	if (p == NULL) {
		mask = umask(0117);
		fd = listener_open_socket(at, !have_address(at), err);
		(void)umask(mask);
		if (fd == -1)
			return -1;
		p = xcalloc(1, sizeof(*p));
		p->at = *at;
		addr_text(at, p->text);
		p->worker = worker;
		p->fd = svc_fds_track(fd);
		list_init(&p->node);
		list_add_tail(&pool, &p->node);
		if (is_unix(at))
			give_away(p->text, owner);
	}
	p->users++;
	set->items = xreallocarray(set->items, set->count + 1, sizeof(*set->items));
	set->items[set->count++] = (struct svc_socket){ service, worker, p->fd, p };
	return 0;
}

int
svc_sockets_add(struct svc_sockets *set, const struct conf *c, const char *setting,
                const char *service, unsigned workers, const struct svc_owner *owner,
                struct err *err)
{
	size_t n;
	const struct addr *at = conf_addrs(c, setting, &n);

	for (size_t i = 0; i < n; i++) {
		bool shared = workers == 0 || is_unix(&at[i]);

		for (unsigned w = 0; w < (shared ? 1 : workers); w++)
			if (add(set, service, &at[i], shared ? SVC_EVERY_WORKER : w, owner, err) ==
			    -1)
				return -1;
	}
	return 0;
}

int
svc_sockets_add_ctl(struct svc_sockets *set, const char *path, unsigned worker,
                    const struct svc_owner *owner, struct err *err)
{
	struct addr at;

	if (!addr_parse(slice_of(path), 0, &at, err))
		return -1;
	return add(set, "ctl", &at, worker, owner, err);
}

void
svc_sockets_shut(const struct svc_sockets *set)
{
	for (size_t i = 0; i < set->count; i++)
		if (set->items[i].pooled->users == 1)
			(void)shutdown(set->items[i].pooled->fd, SHUT_RDWR);
}

void
svc_sockets_release(struct svc_sockets *set)
{
	for (size_t i = 0; i < set->count; i++) {
		struct svc_pool_socket *p = set->items[i].pooled;

		if (--p->users > 0)
			continue;
		list_del(&p->node);
		svc_fds_close(&p->fd);
		if (is_unix(&p->at))
			(void)unlink(p->text);
		free(p);
	}
	free(set->items);
	*set = (struct svc_sockets){ 0 };
}

bool
svc_socket_is_for(const struct svc_socket *s, unsigned worker)
{
	return s->worker == worker || s->worker == SVC_EVERY_WORKER;
}
