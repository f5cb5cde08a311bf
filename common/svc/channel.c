/* channel - frames between supervisor and worker: see svc_impl.h. */
#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

#include "base/num.h"
#include "svc/svc_impl.h"

#define HEAD 5

void
svc_frame_add(struct buf *out, enum svc_msg type, struct slice payload)
{
	must(payload.n <= SVC_FRAME_MAX);
	buf_add_u32(out, (uint32_t)payload.n);
	buf_add_u8(out, (uint8_t)type);
	buf_add_slice(out, payload);
}

int
svc_frame_next(struct slice in, enum svc_msg *type_r, struct slice *payload_r, size_t *used_r)
{
	uint32_t n;

	if (in.n < HEAD)
		return 0;
	n = num_get_le32((const uint8_t *)in.p);
	if (n > SVC_FRAME_MAX)
		return -1;
	if (in.n - HEAD < n)
		return 0;
	*type_r = (enum svc_msg)(uint8_t)in.p[HEAD - 1];
	*payload_r = slice_sub(in, HEAD, n);
	*used_r = HEAD + (size_t)n;
	return 1;
}

void
svc_frame_send(int fd, enum svc_msg type, struct slice payload)
{
	struct buf b = BUF_INIT(SVC_FRAME_MAX + HEAD);
	struct pollfd p = { .fd = fd, .events = POLLOUT };
	struct slice rest;

	svc_frame_add(&b, type, payload);
	rest = buf_slice(&b);
	while (rest.n > 0) {
		ssize_t n = send(fd, rest.p, rest.n, MSG_NOSIGNAL);

		if (n >= 0)
			rest = slice_skip(rest, (size_t)n);
		else if (errno == EAGAIN)
			(void)poll(&p, 1, 1000);
		else if (errno != EINTR)
			break; /* the supervisor is gone; so are we soon */
	}
	buf_fini(&b);
}
