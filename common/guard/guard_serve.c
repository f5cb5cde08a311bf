/*
 * One loop; the workers come and go as peers. What must be true:
 *
 * 1. Sessions belong to the peer that opened them and go with it. A worker that finds us
 *    anew (we or the connection were gone) restores them.
 * 2. The decision of this host is made first and at once: it is the answer when Redis is
 *    not there, or does not answer in time. While it does, its answer counts, since it knows
 *    what others have seen.
 * 3. Nothing a worker sends ends or stops this process.
 *
 * Memory is bounded by the tables of limit.h, the peers' buffers, and the questions that
 * redis.h lets wait.
 */
#include "guard/guard_serve.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/list.h"
#include "base/map.h"
#include "base/xalloc.h"
#include "conf/common.h"
#include "guard/guard_shared.h"
#include "guard/guard_wire.h"
#include "link/link.h"
#include "log/log.h"
#include "net/listener.h"
#include "redis/redis.h"
#include "tls/tls.h"

#define ROWS 262144
#define LEASES_MOST 200000 /* of one worker */
#define REDIS_ANSWER_MS 40
#define SUBJECT_MAX (2 * GUARD_NAME_MAX + 8)
#define HAND_OVER_MS 1000

struct metric guard_metrics[GUARD_M_COUNT] = {
	[GUARD_M_BY_ADDRESS] = METRIC_COUNTER("roost_limit_refused_total", "reason=\"address\"",
	                                      "Refused by a limit, by reason."),
	[GUARD_M_BY_USER] = METRIC_COUNTER("roost_limit_refused_total", "reason=\"user\"", NULL),
	[GUARD_M_BY_BOTH] =
		METRIC_COUNTER("roost_limit_refused_total", "reason=\"user_and_address\"", NULL),
	[GUARD_M_BLOCKED] = METRIC_COUNTER("roost_limit_refused_total", "reason=\"blocked\"", NULL),
	[GUARD_M_EXCEEDED] = METRIC_COUNTER("roost_limit_refused_total", "reason=\"rate\"", NULL),
	[GUARD_M_FAILED] =
		METRIC_COUNTER("roost_limit_failed_logins_total", NULL, "Wrong passwords counted."),
	[GUARD_M_SESSIONS] =
		METRIC_GAUGE("roost_limit_sessions", NULL, "Sessions counted on this host."),
	[GUARD_M_UNANSWERED] =
		METRIC_COUNTER("roost_limit_unanswered_total", NULL,
	                       "Questions of workers to which no answer came in time; what was "
	                       "asked was allowed."),
	[GUARD_M_REDIS_UP] =
		METRIC_GAUGE("roost_redis_up", NULL, "1 while this host counts with others."),
	[GUARD_M_REDIS_LOST] = METRIC_COUNTER("roost_redis_lost_total", NULL,
	                                      "Times the connection to Redis was lost."),
	[GUARD_M_REDIS_LATE] =
		METRIC_COUNTER("roost_redis_late_total", NULL,
	                       "Questions that Redis did not answer in time; this host's own "
	                       "counts did."),
};

struct server {
	const struct conf *conf;
	struct loop *loop;
	struct limit *limit;
	struct redis *redis; /* NULL: not configured */
	struct tls_ctx *redis_tls;
	struct guard_shared *shared;
	struct map *peers; /* by id */
	uint64_t last_peer, last_lease;
	struct timer renew;
	struct guard_storage storage;
};

struct peer {
	struct server *server;
	uint64_t id;
	struct link *link;
	struct map *leases; /* the worker's number: struct lease */
};

struct lease {
	uint64_t number; /* the worker's */
	uint64_t id;     /* ours */
	char *address, *user;
};

/* ---- answers ------------------------------------------------------------------------------- */

static void
count_verdict(enum limit_verdict v)
{
	static const int rows[] = {
		[LIMIT_BY_ADDRESS] = GUARD_M_BY_ADDRESS, [LIMIT_BY_USER] = GUARD_M_BY_USER,
		[LIMIT_BY_BOTH] = GUARD_M_BY_BOTH,       [LIMIT_BLOCKED] = GUARD_M_BLOCKED,
		[LIMIT_EXCEEDED] = GUARD_M_EXCEEDED,
	};

	if (v != LIMIT_OK)
		metrics_add(&guard_metrics[rows[v]], 1);
}

static void
answer(struct peer *p, uint64_t id, enum limit_verdict v, uint64_t amount, const char *text)
{
	struct guard_frame f = {
		.kind = GUARD_ANSWER,
		.verdict = v,
		.id = id,
		.amount = amount,
		.text = text,
	};

	count_verdict(v);
	if (id == 0)
		return;
	guard_wire_add(&f, link_out(p->link));
	link_flush(p->link);
}

/* ---- leases -------------------------------------------------------------------------------- */

static void
share_counts(struct server *s, const struct lease *lease)
{
	char subject[2 * GUARD_NAME_MAX + 8];

	if (s->shared == NULL)
		return;
	snprintf(subject, sizeof(subject), "a:%s", lease->address);
	guard_shared_set(s->shared, subject, limit_address_sessions(s->limit, lease->address));
	if (lease->user == NULL)
		return;
	snprintf(subject, sizeof(subject), "u:%s", lease->user);
	guard_shared_set(s->shared, subject, limit_user_sessions(s->limit, lease->user));
	snprintf(subject, sizeof(subject), "p:%s|%s", lease->address, lease->user);
	guard_shared_set(s->shared, subject,
	                 limit_both_sessions(s->limit, lease->user, lease->address));
}

static void
lease_drop_user(struct peer *p, struct lease *lease)
{
	limit_drop_user(p->server->limit, lease->id);
	share_counts(p->server, lease);
	free(lease->user);
	lease->user = NULL;
}

static void
lease_free(struct peer *p, struct lease *lease)
{
	map_del(p->leases, map_key_u64(&lease->number));
	limit_close(p->server->limit, lease->id);
	share_counts(p->server, lease);
	metrics_sub(&guard_metrics[GUARD_M_SESSIONS], 1);
	free(lease->address);
	free(lease->user);
	free(lease);
}

static struct lease *
find_lease(struct peer *p, uint64_t number)
{
	return map_get(p->leases, map_key_u64(&number));
}

static struct lease *
lease_new(struct peer *p, uint64_t number, const char *address)
{
	struct lease *lease = xcalloc(1, sizeof(*lease));

	lease->number = number;
	lease->id = ++p->server->last_lease;
	lease->address = xstrdup(address);
	map_set(p->leases, map_key_u64(&lease->number), lease);
	metrics_add(&guard_metrics[GUARD_M_SESSIONS], 1);
	return lease;
}

/* ---- questions that wait for Redis --------------------------------------------------------- */

struct pending {
	struct server *server;
	uint64_t peer, id, lease;
	enum guard_kind kind;
	enum limit_verdict verdict; /* of this host */
	uint64_t amount;
};

static struct pending *
pending_new(struct peer *p, const struct guard_frame *f, enum limit_verdict v, uint64_t amount)
{
	struct pending *q = xcalloc(1, sizeof(*q));

	*q = (struct pending){ p->server, p->id, f->id, f->lease, f->kind, v, amount };
	return q;
}

/* Invariant 2. */
static void
on_shared(void *ctx, bool answered, enum limit_verdict v, uint64_t ms)
{
	struct pending q = *(struct pending *)ctx;
	struct peer *p = map_get(q.server->peers, map_key_u64(&q.peer));
	struct lease *lease;

	free(ctx);
	if (answered) {
		q.verdict = v;
		q.amount = ms;
	} else {
		metrics_add(&guard_metrics[GUARD_M_REDIS_LATE], 1);
	}
	if (p == NULL)
		return;
	if (q.kind == GUARD_OPEN && q.verdict != LIMIT_OK &&
	    (lease = find_lease(p, q.lease)) != NULL)
		lease_free(p, lease);
	if (q.kind == GUARD_PASSED && q.verdict != LIMIT_OK &&
	    (lease = find_lease(p, q.lease)) != NULL)
		lease_drop_user(p, lease);
	answer(p, q.id, q.verdict, q.amount, NULL);
}

static bool
is_shared(const struct server *s)
{
	return s->shared != NULL && redis_is_up(s->redis);
}

/* ---- what workers ask ---------------------------------------------------------------------- */

static void
do_open(struct peer *p, const struct guard_frame *f)
{
	struct server *s = p->server;
	struct lease *lease;
	enum limit_verdict v;

	if (find_lease(p, f->lease) != NULL || map_count(p->leases) >= LEASES_MOST) {
		answer(p, f->id, LIMIT_OK, 0, NULL);
		return;
	}
	lease = lease_new(p, f->lease, f->address);
	v = limit_open(s->limit, lease->id, f->address);
	if (v != LIMIT_OK) {
		lease_free(p, lease);
		answer(p, f->id, v, 0, NULL);
	} else if (is_shared(s)) {
		guard_shared_open(s->shared, f->address,
		                  limit_address_sessions(s->limit, f->address), on_shared,
		                  pending_new(p, f, LIMIT_OK, 0));
	} else {
		answer(p, f->id, LIMIT_OK, 0, NULL);
	}
}

static void
do_restore(struct peer *p, const struct guard_frame *f)
{
	struct lease *lease;

	if (find_lease(p, f->lease) != NULL || map_count(p->leases) >= LEASES_MOST)
		return;
	lease = lease_new(p, f->lease, f->address);
	if (*f->user != '\0')
		lease->user = xstrdup(f->user);
	limit_restore(p->server->limit, lease->id, f->address, f->user);
	share_counts(p->server, lease);
}

static void
do_close(struct peer *p, const struct guard_frame *f)
{
	struct lease *lease = find_lease(p, f->lease);

	if (lease != NULL)
		lease_free(p, lease);
}

static void
do_try(struct peer *p, const struct guard_frame *f)
{
	struct server *s = p->server;
	enum limit_verdict v = limit_try(s->limit, f->address, f->user, clock_mono_ms());

	if (is_shared(s))
		guard_shared_try(s->shared, f->address, f->user, on_shared,
		                 pending_new(p, f, v, 0));
	else
		answer(p, f->id, v, 0, NULL);
}

static void
do_failed(struct peer *p, const struct guard_frame *f)
{
	struct server *s = p->server;
	uint64_t now = clock_mono_ms(), ms;
	/* of whoever was blocked before, for right and wrong passwords */
	enum limit_verdict v = limit_try(s->limit, f->address, f->user, now);

	ms = limit_failed(s->limit, f->address, f->user, f->fingerprint, now);

	metrics_add(&guard_metrics[GUARD_M_FAILED], 1);
	if (is_shared(s))
		guard_shared_failed(s->shared, f->address, f->user, f->fingerprint, on_shared,
		                    pending_new(p, f, v, ms));
	else
		answer(p, f->id, v, ms, NULL);
}

/* He is in, as far as his passwords go: now the number of his sessions. */
static void
count_user(struct peer *p, const struct guard_frame *f)
{
	struct server *s = p->server;
	struct lease *lease = find_lease(p, f->lease);
	enum limit_verdict v;

	if (lease == NULL || lease->user != NULL) {
		answer(p, f->id, LIMIT_OK, 0, NULL);
		return;
	}
	v = limit_set_user(s->limit, lease->id, f->user);
	if (v == LIMIT_OK)
		lease->user = xstrdup(f->user);
	if (v == LIMIT_OK && is_shared(s))
		guard_shared_user(s->shared, f->user, lease->address,
		                  limit_user_sessions(s->limit, f->user),
		                  limit_both_sessions(s->limit, f->user, lease->address), on_shared,
		                  pending_new(p, f, v, 0));
	else
		answer(p, f->id, v, 0, NULL);
}

struct passed {
	struct pending *pending;
	char user[GUARD_NAME_MAX + 1];
};

static void
on_shared_passed(void *ctx, bool answered, enum limit_verdict v, uint64_t ms)
{
	struct passed *q = ctx;
	struct pending pending = *q->pending;
	struct peer *p = map_get(pending.server->peers, map_key_u64(&pending.peer));
	struct guard_frame f = {
		.kind = pending.kind, .id = pending.id, .lease = pending.lease, .user = q->user
	};

	if (answered)
		pending.verdict = v;
	if (p != NULL && pending.verdict == LIMIT_OK)
		count_user(p, &f);
	else if (p != NULL)
		answer(p, pending.id, pending.verdict, ms, NULL);
	free(q->pending);
	free(q);
}

static void
do_passed(struct peer *p, const struct guard_frame *f)
{
	struct server *s = p->server;
	enum limit_verdict v = limit_passed(s->limit, f->address, f->user, clock_mono_ms());
	struct passed *q;

	if (is_shared(s)) {
		q = xcalloc(1, sizeof(*q));
		q->pending = pending_new(p, f, v, 0);
		snprintf(q->user, sizeof(q->user), "%s", f->user);
		guard_shared_passed(s->shared, f->address, f->user, on_shared_passed, q);
	} else if (v == LIMIT_OK) {
		count_user(p, f);
	} else {
		answer(p, f->id, v, 0, NULL);
	}
}

static void
do_take(struct peer *p, const struct guard_frame *f)
{
	struct server *s = p->server;
	enum limit_verdict v =
		limit_take(s->limit, f->rate, f->address, f->amount, clock_mono_ms());

	if (is_shared(s))
		guard_shared_take(s->shared, f->rate, f->address, f->amount, on_shared,
		                  pending_new(p, f, v, 0));
	else
		answer(p, f->id, v, 0, NULL);
}

/* "NAME COUNT SECONDS" by lines; a list that is too long ends where it must. */
static bool
add_entry(void *ctx, const struct limit_entry *e)
{
	struct buf *out = ctx;

	buf_printf(out, "%s\t%" PRIu64 "\t%" PRIu64 "\n", e->name, e->count,
	           (e->block_ms + 999) / 1000);
	return !out->overflow;
}

static void
do_list(struct peer *p, const struct guard_frame *f)
{
	struct buf text = BUF_INIT(GUARD_TEXT_MAX);

	limit_list(p->server->limit, clock_mono_ms(), add_entry, &text);
	answer(p, f->id, LIMIT_OK, is_shared(p->server), buf_cstr(&text));
	buf_fini(&text);
}

static void
do_clear(struct peer *p, const struct guard_frame *f)
{
	struct server *s = p->server;
	size_t n = limit_clear(s->limit, f->user);

	if (s->shared != NULL)
		guard_shared_clear(s->shared, f->user);
	log_info(NULL, "limit.cleared name=%s rows=%zu", log_esc(f->user), n);
	answer(p, f->id, LIMIT_OK, n, NULL);
}

static void
do_remember(struct peer *p, const struct guard_frame *f)
{
	struct limit_memory m = {
		.name = f->text,
		.known = f->kind == GUARD_KNOWN,
		.until_ms = f->fingerprint,
		.failures = f->amount,
		.last_ms = f->lease,
	};

	if (strlen(f->text) <= SUBJECT_MAX)
		limit_remember(p->server->limit, &m);
}

/* ---- peers --------------------------------------------------------------------------------- */

static void
peer_free(struct peer *p)
{
	size_t pos = 0;
	struct slice key;
	void *lease;

	while (map_next(p->leases, &pos, &key, &lease))
		lease_free(p, lease);
	map_free(&p->leases);
	map_del(p->server->peers, map_key_u64(&p->id));
	link_end(&p->link);
	free(p);
}

static size_t
on_input(void *core, struct slice in)
{
	static void (*const kinds[GUARD_KINDS])(struct peer *, const struct guard_frame *) = {
		[GUARD_OPEN] = do_open,         [GUARD_RESTORE] = do_restore,
		[GUARD_CLOSE] = do_close,       [GUARD_TRY] = do_try,
		[GUARD_PASSED] = do_passed,     [GUARD_FAILED] = do_failed,
		[GUARD_FAILURES] = do_remember, [GUARD_KNOWN] = do_remember,
		[GUARD_TAKE] = do_take,         [GUARD_LIST] = do_list,
		[GUARD_CLEAR] = do_clear,
	};
	struct peer *p = core;
	struct guard_frame f;
	size_t used;
	int got = guard_wire_next(in, &f, &p->server->storage, &used);

	if (got == 0)
		return 0;
	if (got == -1 || kinds[f.kind] == NULL) {
		log_error(NULL, "limit.garbage peer=%" PRIu64, p->id);
		peer_free(p);
		return 0;
	}
	kinds[f.kind](p, &f);
	return used;
}

static void
on_closed(void *core, UNUSED enum conn_end why)
{
	peer_free(core);
}

static void
on_deadline(UNUSED void *core)
{
}

static const struct link_ops ops = {
	.input = on_input,
	.deadline = on_deadline,
	.closed = on_closed,
};

static const struct link_limits limits = {
	.input_bytes = GUARD_FRAME_MAX + 4,
	.output_high = 1 << 20,
	.output_low = 1 << 16,
	.output_max = 8 << 20,
};

static void
on_accept(void *ctx, struct conn **c)
{
	struct server *s = ctx;
	struct peer *p = xcalloc(1, sizeof(*p));

	p->server = s;
	p->id = ++s->last_peer;
	p->leases = map_new();
	map_set(s->peers, map_key_u64(&p->id), p);
	p->link = link_new(c, &ops, p, &limits);
}

/* ---- Redis --------------------------------------------------------------------------------- */

static void
on_renew(void *ctx)
{
	struct server *s = ctx;

	guard_shared_renew(s->shared, s->limit);
	timer_set(&s->renew, GUARD_RENEW_MS);
}

static void
on_redis(void *ctx, bool up, const char *why)
{
	struct server *s = ctx;

	metrics_set(&guard_metrics[GUARD_M_REDIS_UP], up);
	if (up) {
		log_info(NULL, "redis.up");
		on_renew(s);
		return;
	}
	metrics_add(&guard_metrics[GUARD_M_REDIS_LOST], 1);
	log_warning(NULL, "redis.down reason=%s text=\"this host counts alone until it is back\"",
	            log_esc(why));
}

static void
open_redis(struct server *s, const struct limit_settings *settings)
{
	const struct addr *at = conf_addr(s->conf, "redis");
	char host[400];
	struct err err;

	if (at == NULL)
		return;
	if (conf_bool(s->conf, "redis_tls")) {
		s->redis_tls = tls_client_new(conf_str(s->conf, "tls_ca"), TLS_VERIFY_NAME, &err);
		if (s->redis_tls == NULL) {
			log_error(NULL, "redis.tls err=%s", log_esc(err.text));
			return;
		}
	}
	s->redis = redis_new(&(struct redis_config){
		.loop = s->loop,
		.at = *at,
		.user = conf_str(s->conf, "redis_user"),
		.password = conf_str(s->conf, "redis_password"),
		.database = (int)conf_int(s->conf, "redis_database"),
		.tls = s->redis_tls,
		.tls_name = conf_str(s->conf, "redis_tls_name"),
		.answer_ms = REDIS_ANSWER_MS,
		.on_state = on_redis,
		.ctx = s,
	});
	snprintf(host, sizeof(host), "%s:%s", conf_common_hostname(s->conf), conf_program(s->conf));
	s->shared = guard_shared_new(s->redis, host, settings);
	timer_set(&s->renew, GUARD_RENEW_MS);
}

/* ---- the process --------------------------------------------------------------------------- */

static void
read_settings(const struct conf *c, struct limit_settings *s)
{
	uint64_t period = conf_ms(c, "limit_rate_period");

	*s = (struct limit_settings){
		.address_sessions = conf_int(c, "limit_address_sessions"),
		.user_sessions = conf_int(c, "limit_user_sessions"),
		.both_sessions = conf_int(c, "limit_user_address_sessions"),
		.address_failures = conf_int(c, "limit_address_failures"),
		.account_failures = conf_int(c, "limit_account_failures"),
		.delay_ms = conf_ms(c, "login_failure_delay"),
		.block_max_ms = conf_ms(c, "limit_block_max"),
		.memory_ms = conf_ms(c, "limit_failure_memory"),
		.known_ms = conf_ms(c, "limit_known"),
		.rates = {
			[LIMIT_CLIENT_MESSAGES] = { conf_int(c, "limit_client_messages"), period },
			[LIMIT_CLIENT_RCPTS] = { conf_int(c, "limit_client_recipients"), period },
			[LIMIT_SENDER_MESSAGES] = { conf_int(c, "limit_sender_messages"), period },
			[LIMIT_SENDER_RCPTS] = { conf_int(c, "limit_sender_recipients"), period },
		},
		.rows = ROWS,
	};
}

static void
on_term(void *ctx)
{
	loop_stop(ctx);
}

static void
on_usr1(UNUSED void *ctx)
{
	log_reopen();
}

/* ---- a successor --------------------------------------------------------------------------- */

struct hand_over {
	int fd;
	uint64_t until_ms;
	struct buf out;
};

/* Blocking, with SO_SNDTIMEO. */
static bool
hand_over_flush(struct hand_over *h)
{
	while (h->out.len > 0) {
		struct slice s = buf_slice(&h->out);
		ssize_t n = send(h->fd, s.p, s.n, MSG_NOSIGNAL);

		if (n <= 0 || clock_mono_ms() > h->until_ms)
			return false;
		buf_consume(&h->out, (size_t)n);
	}
	return true;
}

static bool
hand_over_one(void *ctx, const struct limit_memory *m)
{
	struct hand_over *h = ctx;
	struct guard_frame f = {
		.kind = m->known ? GUARD_KNOWN : GUARD_FAILURES,
		.text = m->name,
		.amount = m->failures,
		.lease = m->last_ms,
		.fingerprint = m->until_ms,
	};

	guard_wire_add(&f, &h->out);
	return h->out.len < 65536 || hand_over_flush(h);
}

/* After a reload another process accepts on our socket; whoever connects there now reaches
 * it. When the program ends nobody does, and what is said is lost. */
static void
hand_over(struct server *s, int listening)
{
	struct hand_over h = { .until_ms = clock_mono_ms() + HAND_OVER_MS };
	struct timeval wait = { .tv_usec = 300000 };
	struct sockaddr_storage at;
	socklen_t len = sizeof(at);

	h.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (h.fd == -1)
		return;
	buf_init(&h.out, SIZE_MAX);
	if (setsockopt(h.fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait)) == 0 &&
	    getsockname(listening, (struct sockaddr *)&at, &len) == 0 &&
	    connect(h.fd, (struct sockaddr *)&at, len) == 0) {
		limit_each_memory(s->limit, hand_over_one, &h);
		(void)hand_over_flush(&h);
	}
	close(h.fd);
	buf_fini(&h.out);
}

static void
free_peers(struct server *s)
{
	size_t pos = 0;
	struct slice key;
	void *p;

	while (map_next(s->peers, &pos, &key, &p))
		peer_free(p);
	map_free(&s->peers);
}

int
guard_serve(int fd, const struct conf *c, const sigset_t *mask)
{
	struct server *s = xcalloc(1, sizeof(*s));
	struct signal_watch *term, *usr1;
	struct limit_settings settings;
	struct listener *listener;

	s->conf = c;
	s->loop = loop_new();
	s->peers = map_new();
	read_settings(c, &settings);
	s->limit = limit_new(&settings);
	timer_init(&s->renew, s->loop, on_renew, s);
	term = signal_watch_new(s->loop, SIGTERM, on_term, s->loop);
	usr1 = signal_watch_new(s->loop, SIGUSR1, on_usr1, s->loop);
	open_redis(s, &settings);
	listener = listener_new(s->loop, fd, on_accept, s);
	(void)sigprocmask(SIG_SETMASK, mask, NULL);
	loop_run(s->loop);
	listener_free(&listener);
	hand_over(s, fd);
	redis_free(&s->redis); /* first: a host that goes does not say that its sessions end */
	guard_shared_free(&s->shared);
	free_peers(s);
	limit_free(&s->limit);
	timer_fini(&s->renew);
	signal_watch_free(&term);
	signal_watch_free(&usr1);
	tls_free(&s->redis_tls);
	loop_free(&s->loop);
	free(s);
	return 0;
}
