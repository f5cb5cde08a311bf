/*
 * notify - the protocol of systemd's sd_notify(3): lines in a datagram to the socket in
 * $NOTIFY_SOCKET.
 */
#include "svc/svc_impl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/num.h"

static int notify_fd = -1;
static uint64_t watchdog_ms;

/* A path, or "@name" for one without a file. */
static socklen_t
make_address(const char *path, struct sockaddr_un *un)
{
	size_t n = strlen(path);

	if ((path[0] != '/' && path[0] != '@') || n < 2 || n >= sizeof(un->sun_path))
		return 0;
	memset(un, 0, sizeof(*un));
	un->sun_family = AF_UNIX;
	memcpy(un->sun_path, path, n);
	if (path[0] == '@')
		un->sun_path[0] = '\0';
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n);
}

static void
read_watchdog(void)
{
	const char *usec = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");
	uint64_t us, whom;

	if (usec == NULL || !num_parse_u64(slice_of(usec), UINT64_MAX, &us))
		return;
	if (pid != NULL && num_parse_u64(slice_of(pid), UINT64_MAX, &whom) &&
	    whom != (uint64_t)getpid())
		return;
	watchdog_ms = us / 2000; /* twice as often as it must be */
}

void
svc_notify_open(void)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un un;
	socklen_t len = path != NULL ? make_address(path, &un) : 0;

	if (len != 0) {
		notify_fd = svc_fds_track(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
		if (notify_fd != -1 && connect(notify_fd, (struct sockaddr *)&un, len) == -1)
			svc_fds_close(&notify_fd);
		if (notify_fd != -1)
			read_watchdog();
	}
	(void)unsetenv("NOTIFY_SOCKET");
	(void)unsetenv("WATCHDOG_USEC");
	(void)unsetenv("WATCHDOG_PID");
}

void
svc_notify(const char *state)
{
	ssize_t done;

	if (notify_fd == -1)
		return;
	/* A manager that does not listen is no reason to stop the mail. */
	done = send(notify_fd, state, strlen(state), MSG_NOSIGNAL | MSG_DONTWAIT);
	(void)done;
}

void
svc_notify_reloading(void)
{
	char text[80];

	snprintf(text, sizeof(text), "RELOADING=1\nMONOTONIC_USEC=%llu",
	         (unsigned long long)clock_mono_us());
	svc_notify(text);
}

uint64_t
svc_notify_watchdog_ms(void)
{
	return notify_fd != -1 ? watchdog_ms : 0;
}
