/*
 * conn - see conn.h. A libevent bufferevent, plain or with OpenSSL.
 *
 * TLS starts in the middle of a session by replacing the plain bufferevent on the same
 * descriptor, once its output has gone out.
 */
#include "net/conn.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/must.h"
#include "base/xalloc.h"
#include "net/loop_impl.h"
#include "tls/tls.h"

#define INPUT_LIMIT_DEFAULT 16384
#define LIBEVENT_READ 4096 /* so much it reads at once, whatever is there */
#define WRITE_MOST 262144  /* at once; by itself libevent writes 16 KiB in each turn */

struct conn {
	struct loop *loop;
	int fd;
	struct bufferevent *bev;
	const struct conn_handler *handler; /* NULL: events wait */
	void *ctx;
	void *note;
	void (*end_note)(void *note);
	struct addr peer, local;
	size_t input_limit;
	bool paused;
	bool ended; /* on_end was or will be called */
	bool end_told;
	bool is_tls;
	bool announce_queued; /* announce() will come from the loop */
	bool in_callback;     /* the owner is being called */
	bool freed;           /* destroyed as soon as nothing above holds it */
	enum conn_end why;
	struct tls_ctx *tls_wanted; /* TLS starts when the output is out */
	char *tls_hostname;         /* client side; NULL: server */
	char tls_text[96];
	/* conn_finish */
	bool finishing;
	struct timer linger;
};

static const char *const end_texts[] = {
#define X(name, text) [CONN_END_##name] = text,
	CONN_ENDS(X)
#undef X
};

const char *
conn_end_text(enum conn_end why)
{
	return end_texts[why];
}

static void start_tls(struct conn *c);

static void
conn_destroy(struct conn *c)
{
	/* a bufferevent with TLS owns the descriptor and the TLS session */
	bufferevent_free(c->bev);
	if (!c->is_tls)
		close(c->fd);
	timer_fini(&c->linger);
	free(c->tls_hostname);
	free(c);
}

/*
 * The owner is called between enter() and leave(); it may free the conn meanwhile.
 * leave() is false when the conn is gone or going.
 */
static void
enter(struct conn *c)
{
	must(!c->in_callback);
	c->in_callback = true;
}

static bool
leave(struct conn *c)
{
	bool freed = c->freed;

	c->in_callback = false;
	if (freed && !c->announce_queued)
		conn_destroy(c);
	return !freed;
}

static bool
tell_input(struct conn *c)
{
	if (c->handler == NULL || c->finishing || c->paused || c->tls_wanted != NULL ||
	    conn_input(c).n == 0)
		return true;
	enter(c);
	c->handler->on_input(c->ctx);
	return leave(c);
}

static bool
tell_end(struct conn *c)
{
	if (c->handler == NULL || c->finishing || !c->ended || c->end_told)
		return true;
	c->end_told = true;
	enter(c);
	c->handler->on_end(c->ctx, c->why);
	return leave(c);
}

/* Does, from the loop, what was put off: the end of the conn, the start of TLS, telling
 * the owner what has not been told yet. */
static void
announce(void *ctx)
{
	struct conn *c = ctx;

	c->announce_queued = false;
	if (c->freed) {
		conn_destroy(c);
		return;
	}
	if (c->tls_wanted != NULL && conn_output_bytes(c) == 0)
		start_tls(c);
	if (tell_input(c))
		(void)tell_end(c);
}

static void
announce_soon(struct conn *c)
{
	if (c->announce_queued)
		return;
	c->announce_queued = true;
	loop_defer(c->loop, announce, c);
}

static void
set_end(struct conn *c, enum conn_end why)
{
	/* who has only stopped sending may be gone for good when we write */
	if (c->ended && (c->why != CONN_END_EOF || why == CONN_END_EOF))
		return;
	if (c->ended && !c->finishing) {
		c->why = why;
		return;
	}
	c->ended = true;
	c->why = why;
	bufferevent_disable(c->bev, EV_READ);
	if (c->finishing)
		conn_free(&(struct conn *){ c });
	else
		announce_soon(c);
}

/* What came in is not answered yet. A peer without TCP_NODELAY may keep the rest of what it
 * has to say until we acknowledge (Nagle), and we would for 40 ms more: an APPEND by Python's
 * imaplib, which sends the CRLF behind the message by itself, took 44 ms of that. */
static void
ack_now(struct conn *c)
{
	int one = 1;

	/* fails harmlessly on Unix sockets */
	(void)setsockopt(c->fd, IPPROTO_TCP, TCP_QUICKACK, &one, sizeof(one));
}

/* What else the peer has sent, up to our limit: work that is done once in a turn, such as a commit
 * for all that came, is done for more. Of an end or an error libevent hears itself. */
static void
read_rest(struct conn *c)
{
	struct evbuffer *in = bufferevent_get_input(c->bev);
	size_t have = evbuffer_get_length(in);
	struct iovec room;
	ssize_t got;
	int there;

	if (c->is_tls || c->paused || c->ended || c->tls_wanted != NULL || have < LIBEVENT_READ ||
	    have >= c->input_limit || ioctl(c->fd, FIONREAD, &there) == -1 || there <= 0)
		return;
	must(evbuffer_unfreeze(in, 0) == 0);
	must(evbuffer_reserve_space(in, (ev_ssize_t)(c->input_limit - have), &room, 1) == 1);
	got = read(c->fd, room.iov_base, MIN((size_t)there, c->input_limit - have));
	room.iov_len = got > 0 ? (size_t)got : 0;
	must(evbuffer_commit_space(in, &room, 1) == 0);
	must(evbuffer_freeze(in, 0) == 0);
}

/* libevent's callbacks are deferred (BEV_OPT_DEFER_CALLBACKS): never inside our calls. */
static void
on_read(UNUSED struct bufferevent *bev, void *ctx)
{
	struct conn *c = ctx;

	if (c->finishing) {
		struct evbuffer *in = bufferevent_get_input(c->bev);

		evbuffer_drain(in, evbuffer_get_length(in));
		return;
	}
	read_rest(c);
	if (tell_input(c) && conn_output_bytes(c) == 0)
		ack_now(c);
}

static void
on_write(UNUSED struct bufferevent *bev, void *ctx)
{
	struct conn *c = ctx;

	if (c->tls_wanted != NULL) {
		announce_soon(c);
		return;
	}
	if (c->finishing && conn_output_bytes(c) == 0) {
		conn_free(&c);
		return;
	}
	if (c->finishing || c->handler == NULL || c->handler->on_drain == NULL)
		return;
	enter(c);
	c->handler->on_drain(c->ctx);
	(void)leave(c);
}

static void
on_handshake_done(struct conn *c)
{
	tls_session_text(bufferevent_openssl_get_ssl(c->bev), c->tls_text, sizeof(c->tls_text));
	if (c->finishing || c->handler == NULL || c->handler->on_tls == NULL)
		return;
	enter(c);
	c->handler->on_tls(c->ctx);
	(void)leave(c);
}

static enum conn_end
tls_end(struct conn *c)
{
	static const enum conn_end ends[] = {
		[TLS_TRUST_FULL] = CONN_END_TLS,
		[TLS_TRUST_OTHER_NAME] = CONN_END_TLS_NAME,
		[TLS_TRUST_NONE] = CONN_END_TLS_TRUST,
	};

	return ends[tls_session_trust(bufferevent_openssl_get_ssl(c->bev))];
}

static void
on_event(UNUSED struct bufferevent *bev, short what, void *ctx)
{
	struct conn *c = ctx;

	if ((what & BEV_EVENT_CONNECTED) != 0) {
		on_handshake_done(c);
		return;
	}
	/* both may come at once, when the peer closed while we were writing */
	if ((what & BEV_EVENT_ERROR) == 0)
		set_end(c, CONN_END_EOF);
	else if (c->is_tls && bufferevent_get_openssl_error(c->bev) != 0)
		set_end(c, tls_end(c));
	else
		set_end(c, CONN_END_RESET);
}

static void
bev_attach(struct conn *c, struct bufferevent *bev)
{
	c->bev = bev;
	bufferevent_setcb(bev, on_read, on_write, on_event, c);
	bufferevent_setwatermark(bev, EV_READ, 0, c->input_limit);
	must(bufferevent_set_max_single_write(bev, WRITE_MOST) == 0);
	bufferevent_enable(bev, EV_WRITE);
	if (!c->paused)
		bufferevent_enable(bev, EV_READ);
}

static void
on_linger(void *ctx)
{
	struct conn *c = ctx;

	conn_free(&c);
}

struct conn *
conn_new(struct loop *l, int fd)
{
	struct conn *c = xcalloc(1, sizeof(*c));
	int one = 1;

	c->loop = l;
	c->fd = fd;
	c->input_limit = INPUT_LIMIT_DEFAULT;
	/* fails harmlessly on Unix sockets */
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	c->peer.len = sizeof(c->peer.ss);
	if (getpeername(fd, (struct sockaddr *)&c->peer.ss, &c->peer.len) == -1)
		c->peer.len = 0;
	c->local.len = sizeof(c->local.ss);
	if (getsockname(fd, (struct sockaddr *)&c->local.ss, &c->local.len) == -1)
		c->local.len = 0;
	timer_init(&c->linger, l, on_linger, c);
	bev_attach(c, bufferevent_socket_new(loop_base(l), fd, BEV_OPT_DEFER_CALLBACKS));
	must(c->bev != NULL);
	return c;
}

void
conn_set_note(struct conn *c, void *note, void (*fn)(void *note))
{
	must(c->note == NULL);
	c->note = note;
	c->end_note = fn;
}

void *
conn_note(const struct conn *c)
{
	return c->note;
}

static void
end_note(struct conn *c)
{
	void *note = c->note;

	c->note = NULL;
	if (note != NULL)
		c->end_note(note);
}

void
conn_free(struct conn **cp)
{
	struct conn *c = *cp;

	if (c == NULL)
		return;
	*cp = NULL;
	end_note(c);
	if (c->freed)
		return;
	c->handler = NULL;
	c->freed = true;
	timer_cancel(&c->linger);
	if (c->tls_text[0] != '\0')
		tls_session_shutdown(bufferevent_openssl_get_ssl(c->bev));
	bufferevent_disable(c->bev, EV_READ | EV_WRITE);
	bufferevent_setcb(c->bev, NULL, NULL, NULL, NULL);
	if (!c->in_callback)
		announce_soon(c);
}

void
conn_end_by_reset(struct conn *c)
{
	const struct linger none = { .l_onoff = 1, .l_linger = 0 };

	(void)setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &none, sizeof(none));
}

void
conn_finish(struct conn **cp, uint64_t linger_ms)
{
	struct conn *c = *cp;

	*cp = NULL;
	end_note(c);
	c->handler = NULL;
	if ((c->ended && c->why != CONN_END_EOF) || conn_output_bytes(c) == 0) {
		conn_free(&c);
		return;
	}
	c->finishing = true;
	/* Read on and throw away: unread input would turn our close into a reset that
	 * takes the last answer with it. */
	if (!c->ended)
		bufferevent_enable(c->bev, EV_READ);
	timer_set(&c->linger, linger_ms);
}

void
conn_set_handler(struct conn *c, const struct conn_handler *h, void *ctx)
{
	c->handler = h;
	c->ctx = ctx;
	if (conn_input(c).n != 0 || c->ended)
		announce_soon(c);
}

struct slice
conn_input(struct conn *c)
{
	struct evbuffer *in = bufferevent_get_input(c->bev);

	return slice_make(evbuffer_pullup(in, -1), evbuffer_get_length(in));
}

void
conn_consume(struct conn *c, size_t n)
{
	must(evbuffer_drain(bufferevent_get_input(c->bev), n) == 0);
}

void
conn_set_input_limit(struct conn *c, size_t bytes)
{
	c->input_limit = bytes;
	bufferevent_setwatermark(c->bev, EV_READ, 0, bytes);
}

void
conn_pause_input(struct conn *c)
{
	c->paused = true;
	bufferevent_disable(c->bev, EV_READ);
}

void
conn_resume_input(struct conn *c)
{
	if (!c->paused)
		return;
	c->paused = false;
	if (!c->ended)
		bufferevent_enable(c->bev, EV_READ);
	announce_soon(c);
}

void
conn_write(struct conn *c, struct slice s)
{
	must(bufferevent_write(c->bev, s.p, s.n) == 0);
}

size_t
conn_output_bytes(const struct conn *c)
{
	return evbuffer_get_length(bufferevent_get_output(c->bev));
}

void
conn_set_low_water(struct conn *c, size_t bytes)
{
	bufferevent_setwatermark(c->bev, EV_WRITE, bytes, 0);
}

static void
start_tls(struct conn *c)
{
	struct tls_ctx *tls = c->tls_wanted;
	struct ssl_st *ssl = tls_session_new(tls, c->tls_hostname == NULL, c->tls_hostname);
	struct evbuffer *in = bufferevent_get_input(c->bev);
	struct bufferevent *bev;

	c->tls_wanted = NULL;
	if (evbuffer_get_length(in) != 0) {
		evbuffer_drain(in, evbuffer_get_length(in));
		set_end(c, CONN_END_INJECTED);
		return;
	}
	bufferevent_free(c->bev);
	c->is_tls = true;
	bev = bufferevent_openssl_socket_new(loop_base(c->loop), c->fd, ssl,
	                                     c->tls_hostname == NULL ? BUFFEREVENT_SSL_ACCEPTING
	                                                             : BUFFEREVENT_SSL_CONNECTING,
	                                     BEV_OPT_DEFER_CALLBACKS | BEV_OPT_CLOSE_ON_FREE);
	must(bev != NULL);
	/* A peer that closes without close_notify has closed: our protocols end in-band. */
	bufferevent_openssl_set_allow_dirty_shutdown(bev, 1);
	c->paused = false;
	bev_attach(c, bev);
}

static void
want_tls(struct conn *c, struct tls_ctx *tls, const char *hostname)
{
	must(!c->is_tls && c->tls_wanted == NULL);
	c->tls_wanted = tls;
	c->tls_hostname = hostname != NULL ? xstrdup(hostname) : NULL;
	/* From here on the socket belongs to the handshake: read nothing in clear. */
	bufferevent_disable(c->bev, EV_READ);
	conn_set_low_water(c, 0);
	if (conn_input(c).n != 0) {
		c->tls_wanted = NULL;
		conn_consume(c, conn_input(c).n);
		set_end(c, CONN_END_INJECTED);
		return;
	}
	if (conn_output_bytes(c) == 0)
		announce_soon(c);
}

void
conn_start_tls_server(struct conn *c, struct tls_ctx *tls)
{
	want_tls(c, tls, NULL);
}

void
conn_start_tls_client(struct conn *c, struct tls_ctx *tls, const char *hostname)
{
	want_tls(c, tls, hostname);
}

bool
conn_is_tls(const struct conn *c)
{
	return c->is_tls;
}

const char *
conn_tls_text(const struct conn *c)
{
	return c->is_tls ? c->tls_text : NULL;
}

bool
conn_tls_peer_is(const struct conn *c, const char *hostname)
{
	return c->is_tls && tls_session_peer_is(bufferevent_openssl_get_ssl(c->bev), hostname);
}

const struct addr *
conn_peer(const struct conn *c)
{
	return &c->peer;
}

const struct addr *
conn_local(const struct conn *c)
{
	return &c->local;
}

struct loop *
conn_loop(const struct conn *c)
{
	return c->loop;
}
