/*
 * fds - the descriptors of the supervisor.
 *
 * Children are made by fork without exec, so FD_CLOEXEC does not help them: a worker
 * that kept the listening sockets of others would hold ports open that were given up,
 * and one that kept the pairs of others could read their logins.
 */
#include <stdlib.h>
#include <unistd.h>

#include "base/xalloc.h"
#include "svc/svc_impl.h"

static int *tracked;
static size_t tracked_count;

int
svc_fds_track(int fd)
{
	if (fd == -1)
		return fd;
	tracked = xreallocarray(tracked, tracked_count + 1, sizeof(*tracked));
	tracked[tracked_count++] = fd;
	return fd;
}

void
svc_fds_close(int *fd)
{
	if (*fd == -1)
		return;
	for (size_t i = 0; i < tracked_count; i++) {
		if (tracked[i] != *fd)
			continue;
		tracked[i] = tracked[--tracked_count];
		break;
	}
	close(*fd);
	*fd = -1;
}

static bool
is_in(const int *list, size_t count, int fd)
{
	for (size_t i = 0; i < count; i++)
		if (list[i] == fd)
			return true;
	return false;
}

void
svc_fds_keep_only(const int *keep, size_t count)
{
	for (size_t i = 0; i < tracked_count; i++)
		if (!is_in(keep, count, tracked[i]))
			close(tracked[i]);
	free(tracked);
	tracked = NULL;
	tracked_count = 0;
}
