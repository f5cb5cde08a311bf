/* addr - see addr.h. */
#include "net/addr.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

#include "base/must.h"
#include "base/num.h"

static bool
parse_unix(struct slice text, struct addr *a, struct err *err)
{
	struct sockaddr_un *un = (struct sockaddr_un *)&a->ss;

	if (text.n >= sizeof(un->sun_path)) {
		err_set(err, "socket path \"%.*s\" is longer than %zu bytes", SLICE_ARG(text),
		        sizeof(un->sun_path) - 1);
		return false;
	}
	un->sun_family = AF_UNIX;
	memcpy(un->sun_path, text.p, text.n);
	a->len = (socklen_t)sizeof(*un);
	return true;
}

/* Splits "host:port", "[v6]:port", "host", "[v6]", "v6". port_r empty: none given. */
static bool
split_port(struct slice text, struct slice *host_r, struct slice *port_r)
{
	size_t colon = slice_find_last(text, ':');

	*port_r = slice_make(NULL, 0);
	if (text.n != 0 && text.p[0] == '[') {
		size_t end = slice_find(text, ']');

		if (end == text.n)
			return false;
		*host_r = slice_sub(text, 1, end - 1);
		text = slice_skip(text, end + 1);
		if (text.n == 0)
			return true;
		*port_r = slice_skip(text, 1);
		return text.p[0] == ':';
	}
	*host_r = text;
	if (colon == text.n || slice_find(text, ':') != colon)
		return true; /* no port, or a bare IPv6 address */
	*host_r = slice_sub(text, 0, colon);
	*port_r = slice_skip(text, colon + 1);
	return true;
}

static bool
parse_host(struct slice host, uint16_t port, struct addr *a)
{
	struct sockaddr_in *in = (struct sockaddr_in *)&a->ss;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&a->ss;
	char text[INET6_ADDRSTRLEN];

	if (host.n >= sizeof(text))
		return false;
	memcpy(text, host.p, host.n);
	text[host.n] = '\0';
	if (strcmp(text, "*") == 0)
		memcpy(text, "::", 3);
	if (inet_pton(AF_INET, text, &in->sin_addr) == 1) {
		in->sin_family = AF_INET;
		in->sin_port = htons(port);
		a->len = sizeof(*in);
		return true;
	}
	if (inet_pton(AF_INET6, text, &in6->sin6_addr) != 1)
		return false;
	in6->sin6_family = AF_INET6;
	in6->sin6_port = htons(port);
	a->len = sizeof(*in6);
	return true;
}

bool
addr_parse(struct slice text, uint16_t default_port, struct addr *a, struct err *err)
{
	struct slice host, port_text;
	uint64_t port = default_port;

	memset(a, 0, sizeof(*a));
	if (text.n != 0 && text.p[0] == '/')
		return parse_unix(text, a, err);
	if (!split_port(text, &host, &port_text) || host.n == 0 ||
	    (port_text.p != NULL && !num_parse_u64(port_text, 65535, &port)) ||
	    (port_text.p == NULL && default_port == 0) || !parse_host(host, (uint16_t)port, a)) {
		err_set(err, "\"%.*s\" is no address: use 127.0.0.1:25, [::1]:25, *:25 or a /path",
		        SLICE_ARG(text));
		return false;
	}
	return true;
}

/* The IPv4 address inside a, network order, also when mapped. */
static bool
get_ipv4(const struct addr *a, struct in_addr *in_r)
{
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)&a->ss;

	if (a->ss.ss_family == AF_INET) {
		*in_r = ((const struct sockaddr_in *)&a->ss)->sin_addr;
		return true;
	}
	if (a->ss.ss_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr)) {
		memcpy(in_r, in6->sin6_addr.s6_addr + 12, 4);
		return true;
	}
	return false;
}

const char *
addr_host_text(const struct addr *a, char text_r[ADDR_TEXT_LEN])
{
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)&a->ss;
	struct in_addr in;

	if (get_ipv4(a, &in))
		inet_ntop(AF_INET, &in, text_r, ADDR_TEXT_LEN);
	else if (a->ss.ss_family == AF_INET6)
		inet_ntop(AF_INET6, &in6->sin6_addr, text_r, ADDR_TEXT_LEN);
	else
		snprintf(text_r, ADDR_TEXT_LEN, "unix");
	return text_r;
}

uint16_t
addr_port(const struct addr *a)
{
	if (a->ss.ss_family == AF_INET)
		return ntohs(((const struct sockaddr_in *)&a->ss)->sin_port);
	if (a->ss.ss_family == AF_INET6)
		return ntohs(((const struct sockaddr_in6 *)&a->ss)->sin6_port);
	return 0;
}

const char *
addr_text(const struct addr *a, char text_r[ADDR_TEXT_LEN])
{
	char host[ADDR_TEXT_LEN];
	const char *fmt;

	if (a->ss.ss_family == AF_UNIX) {
		snprintf(text_r, ADDR_TEXT_LEN, "%s",
		         ((const struct sockaddr_un *)&a->ss)->sun_path);
		return text_r;
	}
	addr_host_text(a, host);
	fmt = strchr(host, ':') != NULL ? "[%.45s]:%u" : "%.45s:%u";
	snprintf(text_r, ADDR_TEXT_LEN, fmt, host, addr_port(a));
	return text_r;
}

/* a as 16 bytes, IPv4 mapped. False for what is no IP address. */
static bool
get_bytes(const struct addr *a, uint8_t bytes_r[16])
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	struct in_addr in;

	if (get_ipv4(a, &in)) {
		memcpy(bytes_r, mapped, 12);
		memcpy(bytes_r + 12, &in, 4);
		return true;
	}
	if (a->ss.ss_family != AF_INET6)
		return false;
	memcpy(bytes_r, ((const struct sockaddr_in6 *)&a->ss)->sin6_addr.s6_addr, 16);
	return true;
}

bool
addr_is_loopback(const struct addr *a)
{
	static const uint8_t v6[16] = { [15] = 1 };
	uint8_t bytes[16];
	struct in_addr in;

	if (get_ipv4(a, &in))
		return ntohl(in.s_addr) >> 24 == 127;
	return a->ss.ss_family == AF_UNIX || (get_bytes(a, bytes) && memcmp(bytes, v6, 16) == 0);
}

bool
addr_net_parse(struct slice text, struct addr_net *net_r)
{
	struct slice host = slice_cut(&text, '/');
	struct addr a;
	uint64_t bits;
	unsigned most;

	memset(&a, 0, sizeof(a));
	if (slice_eq(host, SLICE("*")) || !parse_host(host, 0, &a) || !get_bytes(&a, net_r->bytes))
		return false;
	most = a.ss.ss_family == AF_INET ? 32 : 128;
	bits = most;
	if (text.p != NULL && !num_parse_u64(text, most, &bits))
		return false;
	net_r->prefix_bits = (unsigned)bits + 128 - most;
	return true;
}

bool
addr_net_has(const struct addr_net *net, const struct addr *a)
{
	uint8_t bytes[16];

	if (!get_bytes(a, bytes))
		return false;
	for (unsigned bit = 0; bit < net->prefix_bits; bit += 8) {
		unsigned left = net->prefix_bits - bit;
		uint8_t mask = left >= 8 ? 0xff : (uint8_t)(0xff << (8 - left));

		if (((bytes[bit / 8] ^ net->bytes[bit / 8]) & mask) != 0)
			return false;
	}
	return true;
}
