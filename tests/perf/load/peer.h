/*
 * peer - a blocking connection of the load generator: lines and counted bytes.
 *
 * One thread, one peer. Every wait has a deadline (PEER_TIMEOUT_S); what goes wrong shows
 * as false and ends the session, never the program.
 */
#ifndef PERF_LOAD_PEER_H
#define PERF_LOAD_PEER_H

#include <stdbool.h>
#include <stddef.h>

#define PEER_TIMEOUT_S 60
#define PEER_LINE_MAX 8192

struct peer {
	int fd; /* -1: not open */
	size_t have, used;
	char in[65536];
	char line[PEER_LINE_MAX]; /* the last one read, without CRLF */
};

/* "127.0.0.1:2124" */
bool peer_open(struct peer *p, const char *address);
void peer_close(struct peer *p);
bool peer_send(struct peer *p, const char *bytes, size_t n);
bool peer_say(struct peer *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
bool peer_read_line(struct peer *p);
bool peer_skip(struct peer *p, size_t n);

/* A reply of SMTP or LMTP, continued lines included: its code, 0 when the line broke. */
int peer_read_reply(struct peer *p);

#endif
