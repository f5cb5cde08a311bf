/*
 * The auth workers' side: one process, one request after the other, blocking. Workers
 * are served in turn, one frame each, so that none of them can starve the others.
 *
 * What must be true:
 *
 * 1. Answers go out in the order of the requests of one socket (auth_pipe.c lives on it);
 *    a request whose deadline has passed gets none, since nobody waits for it.
 * 2. A conversation belongs to the socket it came by, whatever id is named on another.
 * 3. Nothing a worker sends or does not read ends or stops this process.
 * 4. What was read and what was answered is wiped; nothing of it is logged but names.
 */
#include "directory/auth_pipe.h"

#include "base/clock.h"
#include "base/list.h"
#include "base/map.h"
#include "base/xalloc.h"
#include "conf/common.h"
#include "directory/auth_mechs.h"
#include "directory/auth_wire.h"
#include "directory/policy.h"
#include "log/log.h"
#include "sasl/kerberos.h"
#include "sasl/sasl_conv.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* Beyond, the oldest goes: clients that begin and say no more must not keep others out, who
 * need theirs for as long as a packet travels. */
#define CONVERSATIONS_MOST 1000
#define CONVERSATION_MS 30000
/* For a worker that does not read its answers. */
#define SEND_WAIT_MS 100

struct end {
	int fd;
	unsigned index;
	bool stuck;      /* the last answer found no room: do not wait for it again */
	bool complained; /* about garbage: once is enough */
};

struct conversation_key {
	uint64_t id, end;
};

struct conversation {
	struct serve *serve;
	struct list link; /* in the order of their beginning */
	struct conversation_key key;
	uint64_t until_ms;
	struct sasl_conv *sasl;
	char service[33], session[65], peer[129], mech[65];
	struct policy_answer answer; /* of the last check */
	char authcid[DIRECTORY_NAME_MAX + 1];
	char authzid[DIRECTORY_NAME_MAX + 1]; /* GSSAPI: as whom, for the log */
};

struct serve {
	const struct conf *conf;
	struct policy *policy;
	struct end *ends;
	unsigned count;
	struct map *conversations;
	struct list by_age;
	char *in;       /* AUTH_WIRE_MAX bytes; wiped behind each frame */
	struct buf out; /* the same */
};

static volatile sig_atomic_t ending;

static void
on_term(int signo)
{
	ending = 1;
}

/* ---- answering ----------------------------------------------------------------------- */

static bool
send_now(struct end *e, const struct buf *out)
{
	return send(e->fd, out->data, out->len, MSG_DONTWAIT | MSG_NOSIGNAL) != -1;
}

/* Invariant 3: what does not go is dropped; the worker's request times out. */
static void
send_answer(struct serve *s, struct end *e, const struct auth_frame *f)
{
	struct pollfd p = { .fd = e->fd, .events = POLLOUT };
	struct auth_frame too_long = { .kind = f->kind, .id = f->id, .result = AUTH_TEMP };
	bool sent = false, fits = auth_wire_encode(f, &s->out);

	if (!fits) {
		log_error(NULL, "auth.too_long answer=%s", auth_frame_name(f->kind));
		fits = auth_wire_encode(&too_long, &s->out);
	}
	if (fits) {
		sent = send_now(e, &s->out);
		if (!sent && !e->stuck && poll(&p, 1, SEND_WAIT_MS) == 1)
			sent = send_now(e, &s->out);
	}
	if (!sent && !e->stuck)
		log_warning(NULL, "auth.stuck worker=%u answer=%s", e->index,
		            auth_frame_name(f->kind));
	e->stuck = !sent;
	secret_wipe(s->out.data, s->out.len > 0 ? s->out.len : s->out.cap);
	buf_clear(&s->out);
}

static void
answer_login(struct serve *s, struct end *e, uint64_t id, enum auth_result result,
             struct slice challenge, const struct policy_answer *a)
{
	struct auth_frame f = {
		.kind = AUTH_FRAME_LOGIN_IS,
		.id = id,
		.result = result,
		.data = challenge,
	};

	if (result == AUTH_OK) {
		f.user = a->user;
		f.authcid = a->authcid;
		f.grant = a->grant;
		f.groups = a->groups;
		f.claim = a->claim;
		f.flags = (a->proxied ? AUTH_FLAG_PROXIED : 0u) | (a->admin ? AUTH_FLAG_ADMIN : 0u);
	} else if (result == AUTH_DENIED) {
		f.user = a->user;
		f.claim = a->fingerprint;
	} else if (result == AUTH_CONTINUE) {
		f.user = a->user;
	}
	send_answer(s, e, &f);
}

/* ---- conversations ---------------------------------------------------------------------- */

static struct slice
key_slice(const struct conversation_key *k)
{
	return slice_make(k, sizeof(*k));
}

static void
conversation_free(struct conversation *c)
{
	list_del(&c->link);
	map_del(c->serve->conversations, key_slice(&c->key));
	sasl_conv_free(&c->sasl);
	secret_wipe(c, sizeof(*c));
	free(c);
}

static void
expire(struct serve *s)
{
	struct conversation *c;

	while ((c = LIST_FIRST(&s->by_age, struct conversation, link)) != NULL &&
	       c->until_ms <= clock_mono_ms())
		conversation_free(c);
}

static enum sasl_result
sasl_result_of(enum auth_result r)
{
	static const enum sasl_result results[] = {
		[AUTH_OK] = SASL_RESULT_OK,          [AUTH_CONTINUE] = SASL_RESULT_TEMP,
		[AUTH_DENIED] = SASL_RESULT_DENIED,  [AUTH_INVALID] = SASL_RESULT_INVALID,
		[AUTH_UNKNOWN] = SASL_RESULT_DENIED, [AUTH_TEMP] = SASL_RESULT_TEMP,
		[AUTH_LIMIT] = SASL_RESULT_TEMP,
	};

	return results[r];
}

static void
set_authcid(struct conversation *c, struct slice authcid)
{
	snprintf(c->authcid, sizeof(c->authcid), "%.*s", SLICE_ARG(authcid));
}

static enum sasl_result
on_check(void *ctx, struct slice authzid, struct slice authcid, struct slice password)
{
	struct conversation *c = ctx;

	set_authcid(c, authcid);
	policy_login(c->serve->policy, c->service, authzid, authcid, password, &c->answer);
	return sasl_result_of(c->answer.result);
}

static enum sasl_result
on_keys(void *ctx, struct slice authcid, struct scram_keys *k_r)
{
	struct conversation *c = ctx;

	set_authcid(c, authcid);
	return sasl_result_of(policy_scram_keys(c->serve->policy, c->service, authcid, k_r));
}

static enum sasl_result
on_permit(void *ctx, struct slice authzid, struct slice authcid)
{
	struct conversation *c = ctx;

	policy_permit(c->serve->policy, c->service, authzid, authcid, &c->answer);
	return sasl_result_of(c->answer.result);
}

static enum sasl_result
on_permit_principal(void *ctx, struct slice authzid, struct slice principal)
{
	struct conversation *c = ctx;

	set_authcid(c, principal);
	snprintf(c->authzid, sizeof(c->authzid), "%.*s", SLICE_ARG(authzid));
	policy_permit_principal(c->serve->policy, c->service, authzid, principal, &c->answer);
	return sasl_result_of(c->answer.result);
}

static const struct sasl_conv_ops conversation_ops = {
	.check = on_check,
	.keys = on_keys,
	.permit = on_permit,
	.permit_principal = on_permit_principal,
};

static enum auth_result
result_of(enum sasl_result r)
{
	static const enum auth_result results[] = {
		[SASL_RESULT_OK] = AUTH_OK,         [SASL_RESULT_CONTINUE] = AUTH_CONTINUE,
		[SASL_RESULT_DENIED] = AUTH_DENIED, [SASL_RESULT_INVALID] = AUTH_INVALID,
		[SASL_RESULT_TEMP] = AUTH_TEMP,
	};

	return results[r];
}

static bool
is_gssapi(const struct conversation *c)
{
	return slice_ieq_str(slice_of(c->mech), SASL_GSSAPI);
}

/* What Kerberos has against a ticket (too old, of another host, clocks apart) is told to the log
 * alone, and without it nobody could find out. */
static void
log_result(const struct conversation *c, enum auth_result result)
{
	struct log_ctx ctx = { .session = c->session, .peer = c->peer };

	const char *why = log_esc(sasl_conv_reason(c->sasl));

	if (result == AUTH_TEMP && is_gssapi(c))
		log_warning(&ctx, "auth.gssapi service=%s err=%s", c->service, why);
	else if (result == AUTH_DENIED && is_gssapi(c))
		log_info(&ctx, "auth.denied service=%s mech=" SASL_GSSAPI " user=%s as=%s why=%s",
		         c->service, log_esc(c->authcid), log_esc(c->authzid), why);
	else if (result == AUTH_DENIED)
		log_info(&ctx, "auth.denied service=%s mech=%s user=%s", c->service,
		         log_esc(c->mech), log_esc(c->authcid));
	else if (result != AUTH_CONTINUE)
		log_debug(&ctx, "auth.%s service=%s mech=%s user=%s", auth_result_name(result),
		          c->service, log_esc(c->mech), log_esc(c->authcid));
}

/* What start or step said goes out; a conversation that ended goes. */
static void
conversation_answer(struct conversation *c, struct end *e, enum sasl_result r,
                    struct slice challenge)
{
	enum auth_result result = result_of(r);

	log_result(c, result);
	if (result == AUTH_DENIED && c->answer.user[0] == '\0') /* SCRAM: a wrong proof */
		policy_name(c->serve->policy, slice_of(c->authcid), c->answer.user);
	answer_login(c->serve, e, c->key.id, result, challenge, &c->answer);
	if (result != AUTH_CONTINUE)
		conversation_free(c);
}

static struct conversation *
conversation_new(struct serve *s, const struct end *e, const struct auth_frame *f)
{
	struct conversation *c = xcalloc(1, sizeof(*c));
	struct err err;

	c->serve = s;
	c->key = (struct conversation_key){ f->id, e->index };
	c->until_ms = clock_mono_ms() + CONVERSATION_MS;
	snprintf(c->service, sizeof(c->service), "%s", f->service);
	snprintf(c->session, sizeof(c->session), "%s", f->session);
	snprintf(c->peer, sizeof(c->peer), "%s", f->peer);
	snprintf(c->mech, sizeof(c->mech), "%s", f->mech);
	list_add_tail(&s->by_age, &c->link);
	map_set(s->conversations, key_slice(&c->key), c);
	c->sasl = sasl_conv_new(f->service, conf_common_hostname(s->conf),
	                        (f->flags & AUTH_FLAG_TLS) != 0, &conversation_ops, c, &err);
	if (c->sasl != NULL)
		return c;
	log_error(NULL, "auth.sasl err=%s", log_esc(err.text));
	conversation_free(c);
	return NULL;
}

static void
do_start(struct serve *s, struct end *e, const struct auth_frame *f)
{
	struct conversation_key key = { f->id, e->index };
	struct conversation *c = NULL;
	struct slice initial = f->data, challenge;
	enum sasl_result r;

	if ((f->flags & AUTH_FLAG_HAS_DATA) == 0)
		initial = slice_make(NULL, 0);
	else if (initial.n == 0)
		initial = SLICE("");
	expire(s);
	if (map_count(s->conversations) >= CONVERSATIONS_MOST)
		conversation_free(LIST_FIRST(&s->by_age, struct conversation, link));
	if (map_get(s->conversations, key_slice(&key)) == NULL)
		c = conversation_new(s, e, f);
	if (c == NULL) {
		answer_login(s, e, f->id, AUTH_TEMP, SLICE(""), NULL);
		return;
	}
	r = sasl_conv_start(c->sasl, c->mech, initial, &challenge);
	conversation_answer(c, e, r, challenge);
}

static void
do_step(struct serve *s, struct end *e, const struct auth_frame *f)
{
	struct conversation_key key = { f->id, e->index };
	struct conversation *c;
	struct slice challenge;
	enum sasl_result r;

	expire(s);
	c = map_get(s->conversations, key_slice(&key));
	if (c == NULL) {
		answer_login(s, e, f->id, AUTH_TEMP, SLICE(""), NULL);
		return;
	}
	r = sasl_conv_step(c->sasl, f->data.n > 0 ? f->data : SLICE(""), &challenge);
	conversation_answer(c, e, r, challenge);
}

static void
do_cancel(struct serve *s, struct end *e, const struct auth_frame *f)
{
	struct conversation_key key = { f->id, e->index };
	struct conversation *c = map_get(s->conversations, key_slice(&key));

	if (c != NULL)
		conversation_free(c);
}

/* ---- questions ------------------------------------------------------------------------------ */

static void
do_credentials(struct serve *s, struct end *e, const struct auth_frame *f)
{
	struct policy_credentials c;
	struct auth_frame answer = { .kind = AUTH_FRAME_CREDENTIALS_ARE, .id = f->id };

	policy_make_credentials(s->policy, f->grant, f->service, f->store, f->claim, &c);
	answer.result = c.result;
	if (c.result == AUTH_OK) {
		answer.user = c.user;
		answer.authcid = c.authcid;
		answer.secret = c.secret;
	}
	send_answer(s, e, &answer);
	secret_wipe(&c, sizeof(c));
}

static void
do_resolve(struct serve *s, struct end *e, const struct auth_frame *f)
{
	struct resolved r;
	struct auth_frame answer = { .kind = AUTH_FRAME_RESOLVED, .id = f->id };

	policy_resolve(s->policy, f->data, &r);
	answer.result = r.result;
	answer.flags =
		(r.domain_unknown ? AUTH_FLAG_DOMAIN_UNKNOWN : 0u) | (r.loop ? AUTH_FLAG_LOOP : 0u);
	if (r.result == AUTH_OK) {
		answer.finals = r.finals;
		answer.relays = (const char *const *)r.relays;
		answer.final_count = r.final_count;
		answer.relay_count = r.relay_count;
	}
	send_answer(s, e, &answer);
	resolved_fini(&r);
}

static void
do_lookup(struct serve *s, struct end *e, const struct auth_frame *f)
{
	struct directory_account account;
	struct auth_frame answer = { .kind = AUTH_FRAME_USER_IS, .id = f->id };

	answer.result = policy_lookup(s->policy, f->data, &account);
	if (answer.result == AUTH_OK) {
		answer.user = account.user;
		answer.home = account.home;
		answer.flags = account.status != DIRECTORY_ACTIVE ? AUTH_FLAG_DISABLED : 0;
	}
	send_answer(s, e, &answer);
}

static void
do_may_send(struct serve *s, struct end *e, const struct auth_frame *f)
{
	struct auth_frame answer = { .kind = AUTH_FRAME_MAY_SEND_IS, .id = f->id };

	answer.result = policy_may_send(s->policy, slice_of(f->user), f->data);
	send_answer(s, e, &answer);
}

static void
do_ping(struct serve *s, struct end *e, const struct auth_frame *f)
{
	struct auth_frame answer = { .kind = AUTH_FRAME_PONG, .id = f->id };

	send_answer(s, e, &answer);
}

/* Kinds without a row are not for us. */
static const struct kind {
	void (*fn)(struct serve *s, struct end *e, const struct auth_frame *f);
	bool has_deadline;
} kinds[AUTH_FRAME_COUNT] = {
	[AUTH_FRAME_START] = { do_start, true },
	[AUTH_FRAME_STEP] = { do_step, true },
	[AUTH_FRAME_CANCEL] = { do_cancel },
	[AUTH_FRAME_CREDENTIALS] = { do_credentials, true },
	[AUTH_FRAME_RESOLVE] = { do_resolve, true },
	[AUTH_FRAME_LOOKUP] = { do_lookup, true },
	[AUTH_FRAME_MAY_SEND] = { do_may_send, true },
	[AUTH_FRAME_PING] = { do_ping, true },
};

/* ---- the loop --------------------------------------------------------------------------------- */

static void
complain(struct end *e, size_t n)
{
	if (!e->complained)
		log_error(NULL, "auth.garbage worker=%u bytes=%zu", e->index, n);
	e->complained = true;
}

static void
do_frame(struct serve *s, struct end *e, struct slice bytes)
{
	struct auth_frame f;

	if (!auth_wire_decode(bytes, NULL, &f) || kinds[f.kind].fn == NULL)
		complain(e, bytes.n);
	else if (kinds[f.kind].has_deadline && f.deadline_ms <= clock_mono_ms())
		log_debug(NULL, "auth.late worker=%u request=%s", e->index,
		          auth_frame_name(f.kind));
	else
		kinds[f.kind].fn(s, e, &f);
}

static void
read_frame(struct serve *s, struct end *e)
{
	ssize_t n = recv(e->fd, s->in, AUTH_WIRE_MAX, MSG_DONTWAIT | MSG_TRUNC);

	if (n > AUTH_WIRE_MAX) {
		complain(e, (size_t)n);
	} else if (n > 0) {
		do_frame(s, e, slice_make(s->in, (size_t)n));
	} else if (n == 0 || (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)) {
		e->fd = -1; /* the other end is gone for ever; poll() skips it */
	}
	if (n > 0)
		secret_wipe(s->in, (size_t)MIN(n, AUTH_WIRE_MAX));
}

static void
say_hello(struct serve *s)
{
	struct auth_frame hello = { .kind = AUTH_FRAME_HELLO };

	for (unsigned i = 0; i < s->count; i++) {
		if (auth_wire_encode(&hello, &s->out) && !send_now(&s->ends[i], &s->out))
			s->ends[i].stuck = true;
		buf_clear(&s->out);
	}
}

static bool
fill_poll(const struct serve *s, struct pollfd *p)
{
	bool any = false;

	for (unsigned i = 0; i < s->count; i++) {
		p[i] = (struct pollfd){ .fd = s->ends[i].fd, .events = POLLIN };
		any = any || p[i].fd != -1;
	}
	return any;
}

/* SIGTERM is let in while we wait only, so that no request is cut in two. */
static void
serve_run(struct serve *s, const sigset_t *waiting)
{
	struct pollfd *p = xcalloc(s->count, sizeof(*p));
	struct timespec tick = { .tv_sec = 5 }; /* old conversations go without a request too */

	while (!ending && fill_poll(s, p)) {
		int n = ppoll(p, s->count, &tick, waiting);

		for (unsigned i = 0; i < s->count && n > 0; i++)
			if (p[i].revents != 0)
				read_frame(s, &s->ends[i]);
		expire(s);
	}
	free(p);
}

static void
serve_init(struct serve *s, const int *fds, unsigned count, const struct conf *c)
{
	struct directory *d = NULL;
	struct err err;

	memset(s, 0, sizeof(*s));
	s->conf = c;
	s->count = count;
	s->ends = xcalloc(count, sizeof(*s->ends));
	for (unsigned i = 0; i < count; i++)
		s->ends[i] = (struct end){ .fd = fds[i], .index = i };
	s->conversations = map_new();
	list_init(&s->by_age);
	s->in = xmalloc(AUTH_WIRE_MAX);
	buf_init(&s->out, AUTH_WIRE_MAX);
	must(buf_extend(&s->out, AUTH_WIRE_MAX) != NULL); /* never moves: it has secrets */
	buf_clear(&s->out);
	if (conf_common_has_directory(c)) {
		d = directory_open_conf(c, DIRECTORY_READ, &err);
		if (d == NULL)
			log_error(NULL, "directory.open err=%s", log_esc(err.text));
	}
	s->policy = policy_new(c, &d);
}

static void
serve_fini(struct serve *s)
{
	struct conversation *c;

	LIST_EACH (c, &s->by_age, struct conversation, link)
		conversation_free(c);
	map_free(&s->conversations);
	policy_free(&s->policy);
	buf_wipe(&s->out);
	free(s->in);
	free(s->ends);
}

int
auth_pipe_check(const struct conf *c, struct err *err)
{
	bool ok;

	if (!auth_mechs_have_gssapi(c))
		return 0;
	if (sasl_conv_global_open(conf_str(c, "kerberos_keytab"), err) == -1)
		return -1;
	ok = sasl_conv_has_gssapi(err);
	sasl_conv_global_close();
	return ok ? 0 : -1;
}

/* The plug-in was there when the program started: without it the other mechanisms go on. */
static void
open_gssapi(const struct conf *c)
{
	struct err err;

	if (!sasl_conv_has_gssapi(&err) || kerberos_configure(conf_str(c, "run_dir"), &err) == -1)
		log_error(NULL, "auth.gssapi err=%s", log_esc(err.text));
}

int
auth_pipe_serve(const int *fds, unsigned count, const struct conf *c)
{
	struct sigaction term = { .sa_handler = on_term };
	struct serve s;
	sigset_t block, waiting;
	struct err err;

	sigemptyset(&block);
	sigaddset(&block, SIGTERM);
	sigprocmask(SIG_BLOCK, &block, &waiting);
	sigdelset(&waiting, SIGTERM);
	sigaction(SIGTERM, &term, NULL);
	if (sasl_conv_global_open(conf_str(c, "kerberos_keytab"), &err) == -1) {
		log_error(NULL, "auth.sasl err=%s", log_esc(err.text));
		return EXIT_FAILURE;
	}
	if (auth_mechs_have_gssapi(c))
		open_gssapi(c);
	serve_init(&s, fds, count, c);
	say_hello(&s);
	serve_run(&s, &waiting);
	serve_fini(&s);
	sasl_conv_global_close();
	return EXIT_SUCCESS;
}
