/*
 * addr - addresses of peers and listeners: IPv4, IPv6, Unix paths, and networks.
 */
#ifndef NET_ADDR_H
#define NET_ADDR_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/err.h"
#include "base/slice.h"

#define ADDR_TEXT_LEN 128

struct addr {
	struct sockaddr_storage ss;
	socklen_t len;
};

/* "127.0.0.1:25", "[::1]:25", "*:25" (all of IPv4 and IPv6 where the host has it),
 * "/path". default_port is used when none is given; 0: a port is required. Numeric
 * only: names are the resolver's business. */
bool addr_parse(struct slice text, uint16_t default_port, struct addr *addr_r,
                struct err *err) MUST_CHECK;
/* "127.0.0.1:25", "[::1]:25", "/path". */
const char *addr_text(const struct addr *a, char text_r[ADDR_TEXT_LEN]);
/* Without the port: "127.0.0.1", "::1", "unix". IPv4-mapped IPv6 as IPv4. */
const char *addr_host_text(const struct addr *a, char text_r[ADDR_TEXT_LEN]);
uint16_t addr_port(const struct addr *a);
/* 127.0.0.0/8, ::1, Unix sockets. */
bool addr_is_loopback(const struct addr *a);

/* A network: "10.0.0.0/8", "::1/128", "127.0.0.1" (a single host). */
struct addr_net {
	uint8_t bytes[16];    /* IPv4 as mapped IPv6 */
	unsigned prefix_bits; /* of 128 */
};
bool addr_net_parse(struct slice text, struct addr_net *net_r) MUST_CHECK;
bool addr_net_has(const struct addr_net *net, const struct addr *a);

#endif
