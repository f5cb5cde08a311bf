#include "perf/load/peer.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

static bool
parse_address(const char *text, struct sockaddr_in *to_r)
{
	const char *colon = strrchr(text, ':');
	char host[64];

	memset(to_r, 0, sizeof(*to_r));
	if (colon == NULL || (size_t)(colon - text) >= sizeof(host))
		return false;
	memcpy(host, text, (size_t)(colon - text));
	host[colon - text] = '\0';
	to_r->sin_family = AF_INET;
	to_r->sin_port = htons((uint16_t)strtoul(colon + 1, NULL, 10));
	return inet_pton(AF_INET, host, &to_r->sin_addr) == 1;
}

bool
peer_open(struct peer *p, const char *address)
{
	struct timeval limit = { .tv_sec = PEER_TIMEOUT_S };
	struct sockaddr_in to;
	int on = 1;

	p->have = p->used = 0;
	p->fd = -1;
	if (!parse_address(address, &to))
		return false;
	p->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (p->fd == -1)
		return false;
	if (setsockopt(p->fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) == 0 &&
	    setsockopt(p->fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) == 0 &&
	    setsockopt(p->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) == 0 &&
	    connect(p->fd, (struct sockaddr *)&to, sizeof(to)) == 0)
		return true;
	peer_close(p);
	return false;
}

void
peer_close(struct peer *p)
{
	if (p->fd != -1)
		close(p->fd);
	p->fd = -1;
}

bool
peer_send(struct peer *p, const char *bytes, size_t n)
{
	while (n > 0) {
		ssize_t w = send(p->fd, bytes, n, MSG_NOSIGNAL);

		if (w == -1 && errno == EINTR)
			continue;
		if (w == -1)
			return false;
		bytes += w;
		n -= (size_t)w;
	}
	return true;
}

bool
peer_say(struct peer *p, const char *fmt, ...)
{
	char text[PEER_LINE_MAX];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return n > 0 && (size_t)n < sizeof(text) && peer_send(p, text, (size_t)n);
}

static bool
fill(struct peer *p)
{
	ssize_t r;

	if (p->used < p->have)
		return true;
	do {
		r = recv(p->fd, p->in, sizeof(p->in), 0);
	} while (r == -1 && errno == EINTR);
	if (r <= 0)
		return false;
	p->have = (size_t)r;
	p->used = 0;
	return true;
}

bool
peer_read_line(struct peer *p)
{
	size_t n = 0;

	for (;;) {
		char *start, *end;
		size_t part;

		if (!fill(p))
			return false;
		start = p->in + p->used;
		end = memchr(start, '\n', p->have - p->used);
		part = end != NULL ? (size_t)(end - start) : p->have - p->used;
		if (n + part >= sizeof(p->line))
			return false;
		memcpy(p->line + n, start, part);
		n += part;
		p->used += part + (end != NULL);
		if (end != NULL)
			break;
	}
	if (n > 0 && p->line[n - 1] == '\r')
		n--;
	p->line[n] = '\0';
	return true;
}

bool
peer_skip(struct peer *p, size_t n)
{
	while (n > 0) {
		size_t part;

		if (!fill(p))
			return false;
		part = p->have - p->used < n ? p->have - p->used : n;
		p->used += part;
		n -= part;
	}
	return true;
}

int
peer_read_reply(struct peer *p)
{
	do {
		if (!peer_read_line(p) || strlen(p->line) < 3)
			return 0;
	} while (p->line[3] == '-');
	return (int)strtol(p->line, NULL, 10);
}
