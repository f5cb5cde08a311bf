/*
 * conn - one transport: bytes in, bytes out, perhaps TLS.
 *
 * Owned by one session (usually through link/). Callbacks come from the loop, never
 * from inside a call on the conn. TCP_NODELAY is always set.
 */
#ifndef NET_CONN_H
#define NET_CONN_H

#include <stdbool.h>
#include <stddef.h>

#include "base/slice.h"
#include "net/addr.h"
#include "net/loop.h"

struct conn;
struct tls_ctx;

#define CONN_ENDS(X)                                                                               \
	X(EOF, "the peer closed")                                                                  \
	X(RESET, "the connection broke")                                                           \
	X(TLS, "TLS failed")                                                                       \
	X(TLS_NAME, "TLS failed: the certificate is for another name")                             \
	X(TLS_TRUST, "TLS failed: the certificate is out of date, or of no authority known here")  \
	X(INJECTED, "plaintext was pending when TLS started")                                      \
	X(DEADLINE, "a deadline passed")
enum conn_end {
#define X(name, text) CONN_END_##name,
	CONN_ENDS(X)
#undef X
};
const char *conn_end_text(enum conn_end why);

struct conn_handler {
	void (*on_input)(void *ctx); /* conn_input() has grown */
	void (*on_drain)(void *ctx); /* output fell to the low-water mark (may be NULL) */
	void (*on_tls)(void *ctx);   /* the handshake is done */
	/* Nothing more will come. After CONN_END_EOF output still goes out. Called once. */
	void (*on_end)(void *ctx, enum conn_end why);
};

/* Takes fd, connected and non-blocking. */
struct conn *conn_new(struct loop *l, int fd);
/* Drops unsent output. Accepts NULL, leaves NULL. */
void conn_free(struct conn **c);
/* However it ends, with our process too, what the peer has not got by then it never gets: the system
 * goes on sending for a while what is written on a connection that is closed. */
void conn_end_by_reset(struct conn *c);
/* Takes *c: sends what is queued (at most linger_ms), then closes. */
void conn_finish(struct conn **c, uint64_t linger_ms);

/* h is borrowed for the conn's life. Input that is already there is announced. */
void conn_set_handler(struct conn *c, const struct conn_handler *h, void *ctx);
/* Bytes received and not consumed; borrowed until the next call on c. */
struct slice conn_input(struct conn *c);
void conn_consume(struct conn *c, size_t n);
/* Most bytes conn_input() may reach; reading stops there. Default 16 KiB. */
void conn_set_input_limit(struct conn *c, size_t bytes);
void conn_pause_input(struct conn *c);
void conn_resume_input(struct conn *c);

/* Queues. The caller watches conn_output_bytes() against its own limit. */
void conn_write(struct conn *c, struct slice s);
size_t conn_output_bytes(const struct conn *c);
/* on_drain comes when output falls to this. Default 0. */
void conn_set_low_water(struct conn *c, size_t bytes);

/* Queued output goes out in clear first. Input already received in clear ends the
 * conn with CONN_END_INJECTED (RFC 3207 section 6; CVE-2011-0411). */
void conn_start_tls_server(struct conn *c, struct tls_ctx *tls);
/* hostname is verified as tls says. */
void conn_start_tls_client(struct conn *c, struct tls_ctx *tls, const char *hostname);
bool conn_is_tls(const struct conn *c);
/* "TLSv1.3 TLS_AES_256_GCM_SHA384", or NULL in clear. */
const char *conn_tls_text(const struct conn *c);

/* Something that ends with the conn: fn(note) when its owner lets go of it. Once. */
void conn_set_note(struct conn *c, void *note, void (*fn)(void *note));
void *conn_note(const struct conn *c); /* NULL: none */

/* In TLS by tls_peer_new(): is this the name in the peer's certificate? */
bool conn_tls_peer_is(const struct conn *c, const char *hostname);

const struct addr *conn_peer(const struct conn *c);
const struct addr *conn_local(const struct conn *c);
struct loop *conn_loop(const struct conn *c);

#endif
