/*
 * link - joins a protocol core to a conn: the only place where bytes meet sockets.
 *
 * A core is fed bytes, time and answers and writes into link_out(); the link moves
 * bytes, keeps back-pressure, deadlines and STARTTLS right, and frees itself at the
 * end of the loop turn in which it was ended.
 *
 * Back-pressure: while more than the high-water mark waits in the output the core is
 * not fed; `drained` comes when it has gone out, so a core that streams something
 * long writes a piece per `drained`.
 */
#ifndef LINK_LINK_H
#define LINK_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/slice.h"
#include "net/conn.h"

struct link;

struct link_ops {
	/* Bytes from the peer, not consumed yet; returns how many are consumed. Called
	 * again while something was consumed, more is there and the link is not paused.
	 * 0 = wants more bytes (or is paused). */
	size_t (*input)(void *core, struct slice in);
	/* Output has fallen under the low-water mark. May be NULL. */
	void (*drained)(void *core);
	/* The handshake asked for by link_start_tls_* is done. May be NULL without TLS. */
	void (*tls)(void *core);
	/* The time of link_set_deadline() is over. The core says goodbye and calls
	 * link_end(). */
	void (*deadline)(void *core);
	/* The peer is gone. The core must call link_end() now or soon. Called once, and
	 * not after link_end(). */
	void (*closed)(void *core, enum conn_end why);
};

struct link_limits {
	size_t input_bytes; /* most unconsumed input; a core that wants more gets closed */
	size_t output_high; /* stop feeding above this */
	size_t output_low;  /* feed and `drained` again at this */
	size_t output_max;  /* a core that adds more than this loses its peer */
};
extern const struct link_limits link_limits_default; /* 32 KiB, 64 KiB, 16 KiB, 80 MiB */

/* Takes *c. limits NULL: the default. ops and core are borrowed until link_end(). */
struct link *link_new(struct conn **c, const struct link_ops *ops, void *core,
                      const struct link_limits *limits);

/* The core writes here; what was added is sent when the callback that added it
 * returns, or by link_flush() when the core works outside a callback. */
struct buf *link_out(struct link *l);
void link_flush(struct link *l);
/* Bytes not yet taken by the kernel. */
size_t link_output_bytes(const struct link *l);
bool link_is_congested(const struct link *l);

/* The core waits for an answer: feed nothing until link_resume(). Each said twice is said once. */
void link_pause(struct link *l);
void link_resume(struct link *l);
void link_set_paused(struct link *l, bool paused);
bool link_is_paused(const struct link *l);

/* Absolute from now, whatever the peer sends; 0: none. */
void link_set_deadline(struct link *l, uint64_t ms);

/* Output first goes out in clear; input in clear behind the command ends the link
 * with CONN_END_INJECTED. */
void link_start_tls_server(struct link *l, struct tls_ctx *tls);
void link_start_tls_client(struct link *l, struct tls_ctx *tls, const char *hostname);

/* The core is finished: no callback comes any more; output goes out (at most 5 s),
 * then the conn closes. Leaves NULL. The core may be freed right after. */
void link_end(struct link **l);
/* The same, without sending what is queued. */
void link_abort(struct link **l);

struct conn *link_conn(struct link *l); /* borrowed, for peer and TLS facts */
struct loop *link_loop(struct link *l);

#endif
