/*
 * The worker's side. What must be true:
 *
 * 1. Each request is answered once, from the loop, unless it was cancelled: by the auth
 *    worker, or by its own timer.
 * 2. An auth worker answers in the order of the requests of one socket. So an answer
 *    tells that every older request without one is lost (the process died with it), and
 *    those are AUTH_TEMP at once. A new process says HELLO, we PING it: its PONG tells
 *    the same when nobody asks anything.
 * 3. A conversation's steps go to the auth worker that has it.
 * 4. Ids start at random in each process, so an answer for a predecessor's request, which
 *    waits in the same socket, finds nobody.
 * 5. A full socket (dead or busy reader) is no error: frames wait here, within the limit of
 *    requests, and time out like all others.
 *
 * An auth worker that let a request time out gets no more of them while there are others,
 * until it is heard of again; it is pinged meanwhile.
 */
#include "directory/auth_pipe.h"

#include "base/clock.h"
#include "base/ids.h"
#include "base/list.h"
#include "base/map.h"
#include "base/xalloc.h"
#include "directory/auth_mechs.h"
#include "directory/auth_wire.h"
#include "log/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define REQUESTS_MOST 4096
#define PROBE_MS 1000
/* What a login costs an auth worker, in lookups: a password hash. */
#define LOGIN_COST 16

enum state {
	QUEUED,  /* its frame waits for room in the socket */
	ASKED,   /* the auth worker has it */
	OPEN,    /* a conversation that waits for the client */
	DECIDED, /* the answer is known and waits for the timer */
};

struct request {
	struct pipe *pipe;
	struct list link; /* of the peer's queued or sent, or of the pipe's idle */
	uint64_t id;
	enum auth_frame_kind kind; /* START also for the steps behind it */
	enum state state;
	struct peer *peer; /* NULL before it was chosen */
	char *frame;       /* QUEUED: it has secrets */
	size_t frame_len;
	enum auth_result result; /* DECIDED */
	char *user;              /* DENIED: whose password was wrong; NULL: not known */
	uint64_t fingerprint;
	uint64_t asked_ms;
	struct timer timer;
	union {
		auth_fn *login;
		auth_credentials_fn *credentials;
		auth_resolve_fn *resolve;
		auth_user_fn *lookup;
		auth_may_send_fn *may_send;
	} fn;
	void *ctx;
};

struct peer {
	struct pipe *pipe;
	int fd;
	unsigned index;
	struct watch *in, *out; /* out: only while frames are queued */
	struct list queued;     /* struct request, in order */
	struct list sent;       /* struct request, in order */
	unsigned cost;          /* of both lists */
	bool silent;
	bool complained;   /* about garbage: once is enough */
	uint64_t probe_ms; /* silent: when to ping again */
};

struct pipe {
	struct auth auth;
	struct loop *loop;
	struct peer *peers;
	unsigned count, first; /* first: where choosing starts, so that workers differ */
	struct map *requests;  /* by id: struct request */
	struct list idle;      /* struct request: OPEN or DECIDED */
	size_t open;           /* OPEN ones: they ask for nothing, and their sessions bound them */
	uint64_t last_id;
	uint64_t timeout_ms, failure_delay_ms;
	char mechs[AUTH_MECHS_MAX];
	struct auth_wire_room *lists; /* of the frame being heard */
	struct buf scratch;           /* a frame being built or read; wiped behind each use */
};

static struct pipe *
pipe_of(struct auth *a)
{
	return CONTAINER_OF(a, struct pipe, auth);
}

static unsigned
cost_of(const struct request *r)
{
	return r->kind == AUTH_FRAME_START ? LOGIN_COST : 1;
}

/* ---- requests ----------------------------------------------------------------------- */

static void on_timer(void *ctx);

static struct request *
request_new(struct pipe *p, enum auth_frame_kind kind, void *ctx)
{
	struct request *r = xcalloc(1, sizeof(*r));

	if (++p->last_id == 0)
		++p->last_id; /* 0 is nobody's */
	r->pipe = p;
	r->id = p->last_id;
	r->kind = kind;
	r->state = DECIDED;
	r->ctx = ctx;
	list_add_tail(&p->idle, &r->link);
	timer_init(&r->timer, p->loop, on_timer, r);
	map_set(p->requests, map_key_u64(&r->id), r);
	return r;
}

static void
drop_frame(struct request *r)
{
	secret_wipe(r->frame, r->frame_len);
	free(r->frame);
	r->frame = NULL;
	r->frame_len = 0;
}

/* Away from the lists of its auth worker. */
static void
request_rest(struct request *r, enum state state)
{
	if (r->state == QUEUED || r->state == ASKED)
		r->peer->cost -= cost_of(r);
	drop_frame(r);
	list_del(&r->link);
	list_add_tail(&r->pipe->idle, &r->link);
	r->pipe->open += state == OPEN;
	r->pipe->open -= r->state == OPEN;
	r->state = state;
}

static void
request_free(struct request *r)
{
	request_rest(r, DECIDED);
	list_del(&r->link);
	map_del(r->pipe->requests, map_key_u64(&r->id));
	timer_fini(&r->timer);
	free(r->user);
	free(r);
}

/* Answered with nothing but a result after ms. */
static void
request_decide(struct request *r, enum auth_result result, uint64_t ms)
{
	request_rest(r, DECIDED);
	r->result = result;
	timer_set(&r->timer, ms);
}

/* The one place where callers are answered; r is gone before, but for a conversation that
 * goes on. */
static void
answer(struct request *r, const struct auth_frame *f)
{
	struct auth_reply reply = {
		.result = f->result,
		.challenge = f->data,
		.user = f->user,
		.authcid = f->authcid,
		.proxied = (f->flags & AUTH_FLAG_PROXIED) != 0,
		.admin = (f->flags & AUTH_FLAG_ADMIN) != 0,
		.claim = f->result == AUTH_OK ? f->claim : 0,
		.fingerprint = f->result == AUTH_DENIED ? f->claim : 0,
		.grant = f->grant,
		.groups = f->groups,
	};
	struct auth_credentials credentials = { f->result, f->user, f->authcid, f->secret };
	struct auth_resolved resolved = {
		.result = f->result,
		.relay_domain_unknown = (f->flags & AUTH_FLAG_DOMAIN_UNKNOWN) != 0,
		.loop = (f->flags & AUTH_FLAG_LOOP) != 0,
		.finals = f->finals,
		.final_count = f->final_count,
		.relays = f->relays,
		.relay_count = f->relay_count,
	};
	struct auth_user user = { f->result, f->user, f->home,
		                  (f->flags & AUTH_FLAG_DISABLED) != 0 };
	struct request now = *r;

	if (r->kind == AUTH_FRAME_START && f->result == AUTH_CONTINUE) {
		timer_cancel(&r->timer);
		request_rest(r, OPEN);
	} else {
		request_free(r);
	}
	if (now.kind == AUTH_FRAME_START)
		now.fn.login(now.ctx, now.id, &reply);
	else if (now.kind == AUTH_FRAME_CREDENTIALS)
		now.fn.credentials(now.ctx, now.id, &credentials);
	else if (now.kind == AUTH_FRAME_RESOLVE)
		now.fn.resolve(now.ctx, now.id, &resolved);
	else if (now.kind == AUTH_FRAME_LOOKUP)
		now.fn.lookup(now.ctx, now.id, &user);
	else if (now.kind == AUTH_FRAME_MAY_SEND)
		now.fn.may_send(now.ctx, now.id, f->result);
}

static void
answer_result(struct request *r, enum auth_result result)
{
	char *user = r->user;
	struct auth_frame f = {
		.result = result,
		.user = user != NULL ? user : "",
		.claim = r->fingerprint,
		.authcid = "",
		.grant = "",
		.groups = "",
		.secret = "",
		.home = "",
		.data = SLICE_INIT(""),
	};

	r->user = NULL; /* r goes before its caller hears */
	answer(r, &f);
	free(user);
}

/* ---- sending ------------------------------------------------------------------------- */

static void on_writable(void *ctx, int fd, unsigned events);

/* 1 sent, 0 no room, -1 the socket is broken. */
static int
send_frame(const struct peer *peer, const void *p, size_t n)
{
	if (send(peer->fd, p, n, MSG_DONTWAIT | MSG_NOSIGNAL) != -1)
		return 1;
	return errno == EAGAIN || errno == EWOULDBLOCK || errno == ENOBUFS || errno == EINTR ? 0
	                                                                                     : -1;
}

static void
peer_flush(struct peer *peer)
{
	struct request *r;
	int sent = 1;

	while (sent != 0 && (r = LIST_FIRST(&peer->queued, struct request, link)) != NULL) {
		sent = send_frame(peer, r->frame, r->frame_len);
		if (sent == -1) {
			log_error(NULL, "auth.send auth_worker=%u err=%s", peer->index,
			          log_esc(strerror(errno)));
			request_decide(r, AUTH_TEMP, 0);
		} else if (sent == 1) {
			drop_frame(r);
			list_del(&r->link);
			list_add_tail(&peer->sent, &r->link);
			r->state = ASKED;
		}
	}
	if (list_is_empty(&peer->queued))
		watch_free(&peer->out);
	else if (peer->out == NULL)
		peer->out = watch_new(peer->pipe->loop, peer->fd, WATCH_WRITE, on_writable, peer);
}

static void
on_writable(void *ctx, int fd, unsigned events)
{
	peer_flush(ctx);
}

/* The answer to what is too long to be anything that exists. */
static enum auth_result
impossible(enum auth_frame_kind asked)
{
	if (asked == AUTH_FRAME_LOOKUP)
		return AUTH_UNKNOWN;
	return asked == AUTH_FRAME_MAY_SEND ? AUTH_DENIED : AUTH_INVALID;
}

/* f goes to r->peer, or, with an answer decided here, nowhere. */
static void
request_send(struct request *r, struct auth_frame *f)
{
	struct pipe *p = r->pipe;
	bool ok;

	f->id = r->id;
	f->deadline_ms = clock_mono_ms() + p->timeout_ms;
	ok = auth_wire_encode(f, &p->scratch);
	if (ok) {
		r->frame = xmemdup(p->scratch.data, p->scratch.len);
		r->frame_len = p->scratch.len;
	}
	secret_wipe(p->scratch.data, ok ? p->scratch.len : p->scratch.cap);
	buf_clear(&p->scratch);
	if (!ok) {
		request_decide(r, impossible(r->kind), 0);
		return;
	}
	p->open -= r->state == OPEN;
	r->state = QUEUED;
	r->asked_ms = clock_mono_ms();
	r->peer->cost += cost_of(r);
	list_del(&r->link);
	list_add_tail(&r->peer->queued, &r->link);
	timer_set(&r->timer, p->timeout_ms);
	peer_flush(r->peer);
}

static void
ping(struct peer *peer)
{
	struct request *r = request_new(peer->pipe, AUTH_FRAME_PING, NULL);
	struct auth_frame f = { .kind = AUTH_FRAME_PING };

	r->peer = peer;
	request_send(r, &f);
}

/* Least to do first. */
static struct peer *
choose(struct pipe *p)
{
	struct peer *best = NULL;
	uint64_t now_ms = clock_mono_ms();

	for (unsigned i = 0; i < p->count; i++) {
		struct peer *peer = &p->peers[(p->first + i) % p->count];

		if (peer->silent && now_ms >= peer->probe_ms) {
			peer->probe_ms = now_ms + PROBE_MS;
			ping(peer);
		}
		if (best == NULL || peer->silent < best->silent ||
		    (peer->silent == best->silent && peer->cost < best->cost))
			best = peer;
	}
	return best;
}

static uint64_t
ask(struct request *r, struct auth_frame *f)
{
	uint64_t id = r->id;

	f->kind = r->kind;
	r->peer = choose(r->pipe);
	if (map_count(r->pipe->requests) - r->pipe->open > REQUESTS_MOST)
		request_decide(r, AUTH_TEMP, 0);
	else
		request_send(r, f);
	return id;
}

/* ---- hearing ------------------------------------------------------------------------- */

static void
on_timer(void *ctx)
{
	struct request *r = ctx;
	struct peer *peer = r->peer;
	enum auth_result result = r->state == DECIDED ? r->result : AUTH_TEMP;

	if (r->state == QUEUED || r->state == ASKED) {
		if (!peer->silent)
			log_warning(NULL, "auth.timeout auth_worker=%u request=%s", peer->index,
			            auth_frame_name(r->kind));
		peer->silent = true;
		peer->probe_ms = clock_mono_ms() + PROBE_MS;
	}
	answer_result(r, result);
}

/* Invariant 2. */
static void
lose_before(struct peer *peer, const struct request *heard)
{
	struct request *r;

	LIST_EACH (r, &peer->sent, struct request, link) {
		if (r == heard)
			return;
		request_decide(r, AUTH_TEMP, 0);
	}
}

static bool
is_answer_to(enum auth_frame_kind answer_kind, enum auth_frame_kind asked)
{
	static const enum auth_frame_kind answers[] = {
		[AUTH_FRAME_START] = AUTH_FRAME_LOGIN_IS,
		[AUTH_FRAME_CREDENTIALS] = AUTH_FRAME_CREDENTIALS_ARE,
		[AUTH_FRAME_RESOLVE] = AUTH_FRAME_RESOLVED,
		[AUTH_FRAME_LOOKUP] = AUTH_FRAME_USER_IS,
		[AUTH_FRAME_MAY_SEND] = AUTH_FRAME_MAY_SEND_IS,
		[AUTH_FRAME_PING] = AUTH_FRAME_PONG,
	};

	return answers[asked] == answer_kind;
}

/* From when it was asked: how long the check took (an unknown user, a dear hash) shows in
 * nothing. */
static uint64_t
rest_of(uint64_t delay_ms, uint64_t asked_ms)
{
	uint64_t passed_ms = clock_mono_ms() - asked_ms;

	return delay_ms > passed_ms ? delay_ms - passed_ms : 0;
}

static void
hear(struct peer *peer, const struct auth_frame *f)
{
	struct request *r;

	if (peer->silent)
		log_info(NULL, "auth.back auth_worker=%u", peer->index);
	peer->silent = false;
	if (f->kind == AUTH_FRAME_HELLO) {
		ping(peer);
		return;
	}
	r = map_get(peer->pipe->requests, map_key_u64(&f->id));
	if (r == NULL || r->peer != peer || r->state != ASKED || !is_answer_to(f->kind, r->kind)) {
		log_debug(NULL, "auth.late auth_worker=%u answer=%s", peer->index,
		          auth_frame_name(f->kind));
		return;
	}
	lose_before(peer, r);
	if (r->kind != AUTH_FRAME_START || f->result != AUTH_DENIED) {
		answer(r, f);
		return;
	}
	r->user = xstrdup(f->user);
	r->fingerprint = f->claim;
	request_decide(r, AUTH_DENIED, rest_of(peer->pipe->failure_delay_ms, r->asked_ms));
}

/* One frame for each event: its callback may do anything. */
static void
on_readable(void *ctx, int fd, unsigned events)
{
	struct peer *peer = ctx;
	struct buf in = BUF_INIT(AUTH_WIRE_MAX);
	char *room = buf_extend(&in, AUTH_WIRE_MAX);
	ssize_t n = recv(fd, room, AUTH_WIRE_MAX, MSG_DONTWAIT | MSG_TRUNC);
	struct auth_frame f;

	if (n == 0 || (n == -1 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)) {
		log_error(NULL, "auth.gone auth_worker=%u err=%s", peer->index,
		          n == 0 ? "closed" : log_esc(strerror(errno)));
		watch_free(&peer->in);
		peer->silent = true;
	} else if (n > AUTH_WIRE_MAX || (n > 0 && !auth_wire_decode(slice_make(room, (size_t)n),
	                                                            peer->pipe->lists, &f))) {
		if (!peer->complained)
			log_error(NULL, "auth.garbage auth_worker=%u bytes=%zd", peer->index, n);
		peer->complained = true;
	} else if (n > 0) {
		hear(peer, &f);
	}
	if (n > 0)
		secret_wipe(room, (size_t)MIN(n, AUTH_WIRE_MAX));
	buf_fini(&in);
}

/* ---- directory/auth.h -------------------------------------------------------------------- */

static uint64_t
pipe_start(struct auth *a, const struct auth_session *s, const char *mech, struct slice initial,
           auth_fn *fn, void *ctx)
{
	struct request *r = request_new(pipe_of(a), AUTH_FRAME_START, ctx);
	struct auth_frame f = {
		.flags = (s->tls ? AUTH_FLAG_TLS : 0u) |
		         (initial.p != NULL ? AUTH_FLAG_HAS_DATA : 0u),
		.service = s->service,
		.session = s->session,
		.peer = s->peer,
		.mech = mech,
		.data = initial,
	};

	r->fn.login = fn;
	return ask(r, &f);
}

static void
pipe_step(struct auth *a, uint64_t id, struct slice response)
{
	struct request *r = map_get(pipe_of(a)->requests, map_key_u64(&id));
	struct auth_frame f = { .kind = AUTH_FRAME_STEP, .data = response };

	must(r != NULL && r->state == OPEN);
	request_send(r, &f);
}

/* The auth worker forgets a conversation by itself, so this may fail. */
static void
cancel_there(struct request *r)
{
	struct auth_frame f = { .kind = AUTH_FRAME_CANCEL, .id = r->id };
	struct buf *out = &r->pipe->scratch;

	if (auth_wire_encode(&f, out) && list_is_empty(&r->peer->queued) &&
	    send_frame(r->peer, out->data, out->len) != 1)
		log_debug(NULL, "auth.cancel auth_worker=%u not sent", r->peer->index);
	buf_clear(out);
}

static void
pipe_cancel(struct auth *a, uint64_t id)
{
	struct request *r = map_get(pipe_of(a)->requests, map_key_u64(&id));

	if (r == NULL)
		return;
	if (r->kind == AUTH_FRAME_START && (r->state == OPEN || r->state == ASKED))
		cancel_there(r);
	request_free(r);
}

static const char *
pipe_mechs(const struct auth *a)
{
	return CONTAINER_OF(a, struct pipe, auth)->mechs;
}

static uint64_t
pipe_credentials(struct auth *a, const char *grant, const char *service, const char *store,
                 uint64_t claim, auth_credentials_fn *fn, void *ctx)
{
	struct request *r = request_new(pipe_of(a), AUTH_FRAME_CREDENTIALS, ctx);
	struct auth_frame f = {
		.service = service,
		.grant = grant,
		.store = store,
		.claim = claim,
	};

	r->fn.credentials = fn;
	return ask(r, &f);
}

static uint64_t
pipe_resolve(struct auth *a, struct slice address, const char *session, auth_resolve_fn *fn,
             void *ctx)
{
	struct request *r = request_new(pipe_of(a), AUTH_FRAME_RESOLVE, ctx);
	struct auth_frame f = { .session = session, .data = address };

	r->fn.resolve = fn;
	return ask(r, &f);
}

static uint64_t
pipe_lookup(struct auth *a, struct slice user, auth_user_fn *fn, void *ctx)
{
	struct request *r = request_new(pipe_of(a), AUTH_FRAME_LOOKUP, ctx);
	struct auth_frame f = { .data = user };

	r->fn.lookup = fn;
	return ask(r, &f);
}

static uint64_t
pipe_may_send(struct auth *a, struct slice user, struct slice sender, auth_may_send_fn *fn,
              void *ctx)
{
	struct request *r = request_new(pipe_of(a), AUTH_FRAME_MAY_SEND, ctx);
	char name[DIRECTORY_NAME_MAX + 2]; /* one byte more than what is refused */
	struct auth_frame f = { .user = name, .data = sender };

	snprintf(name, sizeof(name), "%.*s", SLICE_ARG(user));
	r->fn.may_send = fn;
	return ask(r, &f);
}

static void
free_all(struct list *requests)
{
	struct request *r;

	LIST_EACH (r, requests, struct request, link)
		request_free(r);
}

static void
pipe_free(struct auth *a)
{
	struct pipe *p = pipe_of(a);

	for (unsigned i = 0; i < p->count; i++) {
		free_all(&p->peers[i].queued);
		free_all(&p->peers[i].sent);
		watch_free(&p->peers[i].in);
		watch_free(&p->peers[i].out);
	}
	free_all(&p->idle);
	map_free(&p->requests);
	buf_wipe(&p->scratch);
	free(p->lists);
	free(p->peers);
	free(p);
}

static const struct auth_ops pipe_ops = {
	.start = pipe_start,
	.step = pipe_step,
	.cancel = pipe_cancel,
	.mechs = pipe_mechs,
	.credentials = pipe_credentials,
	.resolve = pipe_resolve,
	.lookup = pipe_lookup,
	.may_send = pipe_may_send,
	.free = pipe_free,
};

struct auth *
auth_pipe_new(struct loop *l, const int *fds, unsigned count, const struct conf *c, bool delays)
{
	struct pipe *p = xcalloc(1, sizeof(*p));

	must(count > 0);
	p->auth.ops = &pipe_ops;
	p->loop = l;
	p->count = count;
	p->first = (unsigned)getpid() % count; /* workers are forked one after the other */
	p->requests = map_new();
	p->last_id = ids_random_u64();
	p->timeout_ms = conf_ms(c, "auth_timeout");
	p->failure_delay_ms = delays ? conf_ms(c, "login_failure_delay") : 0;
	auth_mechs_of(c, p->mechs);
	p->lists = xcalloc(1, sizeof(*p->lists));
	list_init(&p->idle);
	buf_init(&p->scratch, AUTH_WIRE_MAX);
	must(buf_extend(&p->scratch, AUTH_WIRE_MAX) != NULL); /* never moves: it has secrets */
	buf_clear(&p->scratch);
	p->peers = xcalloc(count, sizeof(*p->peers));
	for (unsigned i = 0; i < count; i++) {
		struct peer *peer = &p->peers[i];

		*peer = (struct peer){ .pipe = p, .fd = fds[i], .index = i };
		list_init(&peer->queued);
		list_init(&peer->sent);
		peer->in = watch_new(l, fds[i], WATCH_READ, on_readable, peer);
	}
	return &p->auth;
}
