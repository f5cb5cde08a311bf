#include "net/patience.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

const struct patience patience_dialled = { 15, 5, 3, 30000 };
const struct patience patience_accepted = { 300, 60, 10, 0 };

void
patience_set(int fd, const struct patience *p)
{
	const struct {
		int name, value;
	} options[] = {
		{ TCP_KEEPIDLE, p->idle_s },
		{ TCP_KEEPINTVL, p->interval_s },
		{ TCP_KEEPCNT, p->probes },
		{ TCP_USER_TIMEOUT, p->unacked_ms },
	};
	int one = 1;

	(void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof(one));
	for (unsigned i = 0; i < sizeof(options) / sizeof(options[0]); i++)
		(void)setsockopt(fd, IPPROTO_TCP, options[i].name, &options[i].value,
		                 sizeof(options[i].value));
}
