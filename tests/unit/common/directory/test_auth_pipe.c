/*
 * auth_pipe - workers' sides against real auth workers (forked, killed, started again on
 * the same sockets), and against auth workers played by hand.
 */
#include "directory/auth_pipe.h"
#include "directory/auth_wire.h"
#include "directory/directory.h"
#include "base/clock.h"
#include "base/text.h"
#include "log/log.h"
#include "sasl/scram.h"

#include "lib/test.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define ENDS 2
#define TIMEOUT_MS 600
#define DELAY_MS 120
#define EARLY_MS 2 /* a timer counts from the beginning of the loop's turn */

struct world {
	struct loop *loop;
	struct conf *conf;
	struct auth *auth;
	struct timer tick;
	uint64_t until_ms;
	const unsigned *watched;
	unsigned wanted;
	int here[ENDS], there[ENDS]; /* the socket pairs */
	pid_t pid[ENDS];
};

/* What came back, for one or many requests. */
struct got {
	unsigned times, results[AUTH_TEMP + 1];
	uint64_t id;
	enum auth_result result;
	char user[400], authcid[400], grant[AUTH_GRANT_MAX], secret[2048], home[200];
	bool proxied, admin, disabled, domain_unknown;
	uint64_t claim;
	size_t finals;
	char detail[400], challenge[100];
};

/* ---- the world ----------------------------------------------------------------------- */

static const char *
make_directory(void)
{
	static char url[300];
	struct directory *d;
	struct err err;

	if (*url != '\0')
		return url;
	snprintf(url, sizeof(url), "sqlite:%s/directory.db", test_dir());
	d = directory_open(url, "example.org", DIRECTORY_WRITE, &err);
	test_check(d != NULL, "%s", err.text);
	assert_int_equal(directory_add(d, "fred", "secret", "store1", &err), DIRECTORY_OK);
	assert_int_equal(directory_add(d, "ann@other.org", "pw", "", &err), DIRECTORY_OK);
	assert_int_equal(directory_add(d, "gone", "pw", "", &err), DIRECTORY_OK);
	assert_int_equal(directory_set_status(d, "gone", DIRECTORY_DISABLED, &err), DIRECTORY_OK);
	directory_close(&d);
	return url;
}

static struct conf *
make_conf(void)
{
	static const struct conf_schema schema = { "roost-store", NULL };
	char text[1000];
	struct err err;
	struct conf *c;

	snprintf(text, sizeof(text),
	         "[common]\ndirectory = %s\ndefault_domain = example.org\n"
	         "cluster_secret = 0123456789abcdef0123\nauth_timeout = %dms\n"
	         "login_failure_delay = %dms\n[roost-store store1]\n"
	         "[identity boss]\npassword = pass\nservices = imap\nadmin = yes\n",
	         make_directory(), TIMEOUT_MS, DELAY_MS);
	c = conf_load_text("test", slice_of(text), &schema, "store1", &err);
	test_check(c != NULL, "%s", err.text);
	return c;
}

static void
start_auth_worker(struct world *w, unsigned i)
{
	w->pid[i] = fork();
	assert_int_not_equal(w->pid[i], -1);
	if (w->pid[i] == 0) {
		log_set_level(LOG_ERROR);
		for (unsigned j = 0; j < ENDS; j++)
			close(w->here[j]);
		_exit(auth_pipe_serve(&w->there[i], 1, w->conf));
	}
}

static int
stop_auth_worker(struct world *w, unsigned i, int signo)
{
	int status;

	assert_int_equal(kill(w->pid[i], signo), 0);
	assert_int_equal(waitpid(w->pid[i], &status, 0), w->pid[i]);
	w->pid[i] = 0;
	return status;
}

static void
on_tick(void *ctx)
{
	struct world *w = ctx;

	if (*w->watched >= w->wanted || clock_mono_ms() >= w->until_ms)
		loop_stop(w->loop);
	else
		timer_set(&w->tick, 1);
}

/* Until *watched is n, at most ms. */
static void
run_until(struct world *w, const unsigned *watched, unsigned n, unsigned ms)
{
	w->watched = watched;
	w->wanted = n;
	w->until_ms = clock_mono_ms() + ms;
	timer_set(&w->tick, 0);
	loop_run(w->loop);
}

static void
expect(struct world *w, const struct got *g, unsigned n)
{
	run_until(w, &g->times, n, 10000);
	assert_int_equal(g->times, n);
}

static void
run_for(struct world *w, unsigned ms)
{
	static const unsigned never;

	run_until(w, &never, 1, ms);
}

static void
begin(struct world *w, unsigned auth_workers)
{
	log_set_level(LOG_ERROR);
	memset(w, 0, sizeof(*w));
	w->conf = make_conf();
	for (unsigned i = 0; i < ENDS; i++) {
		int fd[2];

		assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fd), 0);
		w->here[i] = fd[0];
		w->there[i] = fd[1];
	}
	for (unsigned i = 0; i < auth_workers; i++)
		start_auth_worker(w, i);
	w->loop = loop_new();
	timer_init(&w->tick, w->loop, on_tick, w);
	w->auth = auth_pipe_new(w->loop, w->here, MAX(auth_workers, 1), w->conf, true);
}

static void
end(struct world *w)
{
	auth_free(&w->auth);
	timer_fini(&w->tick);
	loop_free(&w->loop);
	conf_free(&w->conf);
	for (unsigned i = 0; i < ENDS; i++) {
		if (w->pid[i] != 0)
			stop_auth_worker(w, i, SIGKILL);
		close(w->here[i]);
		close(w->there[i]);
	}
}

/* ---- asking ------------------------------------------------------------------------------ */

static void
count(struct got *g, uint64_t id, enum auth_result result)
{
	g->times++;
	g->id = id;
	g->result = result;
	g->results[result]++;
}

static void
on_login(void *ctx, uint64_t id, const struct auth_reply *r)
{
	struct got *g = ctx;

	count(g, id, r->result);
	snprintf(g->user, sizeof(g->user), "%s", r->user);
	snprintf(g->authcid, sizeof(g->authcid), "%s", r->authcid);
	snprintf(g->grant, sizeof(g->grant), "%s", r->grant);
	snprintf(g->challenge, sizeof(g->challenge), "%.*s", SLICE_ARG(r->challenge));
	g->proxied = r->proxied;
	g->admin = r->admin;
	g->claim = r->claim;
}

static void
on_credentials(void *ctx, uint64_t id, const struct auth_credentials *c)
{
	struct got *g = ctx;

	count(g, id, c->result);
	snprintf(g->user, sizeof(g->user), "%s", c->authzid);
	snprintf(g->authcid, sizeof(g->authcid), "%s", c->authcid);
	snprintf(g->secret, sizeof(g->secret), "%s", c->secret);
}

static void
on_resolved(void *ctx, uint64_t id, const struct auth_resolved *r)
{
	struct got *g = ctx;

	count(g, id, r->result);
	g->domain_unknown = r->relay_domain_unknown;
	g->finals = r->final_count;
	if (r->final_count == 0)
		return;
	snprintf(g->user, sizeof(g->user), "%s", r->finals[0].user);
	snprintf(g->detail, sizeof(g->detail), "%s", r->finals[0].detail);
	snprintf(g->home, sizeof(g->home), "%s", r->finals[0].home);
}

static void
on_user(void *ctx, uint64_t id, const struct auth_user *u)
{
	struct got *g = ctx;

	count(g, id, u->result);
	snprintf(g->user, sizeof(g->user), "%s", u->user);
	snprintf(g->home, sizeof(g->home), "%s", u->home);
	g->disabled = u->disabled;
}

static const struct auth_session session = {
	.service = "imap",
	.session = "abcdefghijklmnop",
	.peer = "10.1.1.1",
	.tls = true,
};

static void
login(struct world *w, struct got *g, const char *user, const char *password)
{
	memset(g, 0, sizeof(*g));
	auth_login(w->auth, &session, slice_of(user), slice_of(password), on_login, g);
	assert_int_equal(g->times, 0); /* never from inside */
	expect(w, g, 1);
}

/* ---- real auth workers ---------------------------------------------------------------------- */

TEST(logins_are_answered)
{
	static const struct {
		const char *name, *user, *password;
		enum auth_result want;
		const char *canonical;
		bool admin;
	} rows[] = {
		{ "a bare name of the default domain", "fred", "secret", AUTH_OK, "fred" },
		{ "with its domain, in capitals", "Fred@EXAMPLE.org", "secret", AUTH_OK, "fred" },
		{ "of another domain", "ann@other.org", "pw", AUTH_OK, "ann@other.org" },
		{ "an identity", "boss", "pass", AUTH_OK, "boss", true },
		{ "a wrong password", "fred", "Secret", AUTH_DENIED, "fred" },
		{ "an unknown user", "nobody", "secret", AUTH_DENIED, "nobody" },
		{ "a disabled user", "gone", "pw", AUTH_DENIED, "gone" },
		{ "no user at all", "", "pw", AUTH_DENIED },
		{ "no password", "fred", "", AUTH_DENIED, "fred" },
	};
	struct world w;
	struct got g;

	begin(&w, 2);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		uint64_t at = clock_mono_ms();

		login(&w, &g, rows[i].user, rows[i].password);
		test_check(g.result == rows[i].want, "%s: %s", rows[i].name,
		           auth_result_name(g.result));
		test_eq_str(rows[i].name, g.user,
		            rows[i].canonical != NULL ? rows[i].canonical : "");
		test_check(g.admin == rows[i].admin, "%s", rows[i].name);
		test_check((g.grant[0] != '\0') == (g.result == AUTH_OK), "%s", rows[i].name);
		if (g.result == AUTH_DENIED)
			test_check(clock_mono_ms() + EARLY_MS >= at + DELAY_MS, "%s: at once",
			           rows[i].name);
	}
	end(&w);
}

TEST(denied_logins_do_not_hold_up_others)
{
	struct world w;
	struct got bad = { 0 }, good;
	uint64_t at;

	begin(&w, 1);
	login(&w, &good, "fred", "secret"); /* cached from here on */
	auth_login(w.auth, &session, SLICE("boss"), SLICE("wrong"), on_login, &bad);
	at = clock_mono_ms();
	login(&w, &good, "fred", "secret");
	assert_int_equal(good.result, AUTH_OK);
	assert_int_equal(bad.times, 0);
	assert_true(clock_mono_ms() < at + DELAY_MS);
	expect(&w, &bad, 1);
	assert_int_equal(bad.result, AUTH_DENIED);
	end(&w);
}

TEST(conversations_have_steps)
{
	struct world w;
	struct got g = { 0 };
	uint64_t id;

	begin(&w, 2);
	id = auth_start(w.auth, &session, "PLAIN", slice_make(NULL, 0), on_login, &g);
	expect(&w, &g, 1);
	assert_int_equal(g.result, AUTH_CONTINUE);
	assert_true(g.id == id);
	auth_step(w.auth, id, slice_make("\0fred\0secret", 12));
	expect(&w, &g, 2);
	assert_int_equal(g.result, AUTH_OK);
	assert_true(g.id == id);
	test_eq_str("user", g.user, "fred");
	auth_start(w.auth, &session, "SCRAM-SHA-1", SLICE("n,,n=f,r=x"), on_login, &g);
	expect(&w, &g, 3);
	assert_int_equal(g.result, AUTH_INVALID);
	auth_start(w.auth, &session, "PLAIN", SLICE(""), on_login, &g);
	expect(&w, &g, 4);
	assert_int_not_equal(g.result, AUTH_OK);
	end(&w);
}

/* RFC 5802 with our own arithmetic: client-final for the challenge that came. */
static struct slice
final_message(const struct got *g, const char *bare, const char *password, struct buf *out)
{
	char text[300], nonce[120], salt[60];
	uint8_t proof[DIGEST_LEN], signature[DIGEST_LEN];
	struct buf raw = BUF_INIT(SCRAM_SALT_MAX);
	unsigned rounds;

	assert_int_equal(sscanf(g->challenge, "r=%119[^,],s=%59[^,],i=%u", nonce, salt, &rounds),
	                 3);
	assert_true(text_base64_decode(slice_of(salt), &raw));
	snprintf(text, sizeof(text), "%s,%s,c=biws,r=%s", bare, g->challenge, nonce);
	assert_true(scram_client(slice_of(password), buf_slice(&raw), rounds, slice_of(text), proof,
	                         signature));
	buf_fini(&raw);
	buf_printf(out, "c=biws,r=%s,p=", nonce);
	text_base64_add(out, slice_make(proof, sizeof(proof)));
	return buf_slice(out);
}

TEST(who_has_proved_himself_by_scram_is_told_with_our_proof)
{
	static const char bare[] = "n=Fred@example.org,r=abc";
	static const struct {
		const char *password, *user;
		enum auth_result want;
	} cases[] = { { "secret", "fred", AUTH_CONTINUE }, { "wrong", "fred", AUTH_DENIED } };
	struct world w;

	begin(&w, 1);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct got g = { 0 };
		struct buf first = BUF_INIT(SIZE_MAX), final = BUF_INIT(SIZE_MAX);
		uint64_t id;

		buf_printf(&first, "n,,%s", bare);
		id = auth_start(w.auth, &session, SCRAM_MECH, buf_slice(&first), on_login, &g);
		expect(&w, &g, 1);
		assert_int_equal(g.result, AUTH_CONTINUE);
		test_eq_str("user", g.user, "");
		auth_step(w.auth, id, final_message(&g, bare, cases[i].password, &final));
		expect(&w, &g, 2);
		assert_int_equal(g.result, cases[i].want);
		test_eq_str("user", g.user, cases[i].user);
		buf_fini(&first);
		buf_fini(&final);
	}
	end(&w);
}

TEST(a_grant_makes_a_token_a_store_takes)
{
	struct world w;
	struct got g, c = { 0 }, s = { 0 };
	char message[3000];
	int n;

	begin(&w, 2);
	login(&w, &g, "fred", "secret");
	auth_credentials(w.auth, g.grant, "imap", "store1", 5, on_credentials, &c);
	expect(&w, &c, 1);
	assert_int_equal(c.result, AUTH_OK);
	test_eq_str("user", c.user, "fred");
	n = snprintf(message, sizeof(message), "%s%c%s%c%s", c.user, 0, c.authcid, 0, c.secret);
	auth_start(w.auth, &session, "PLAIN", slice_make(message, (size_t)n), on_login, &s);
	expect(&w, &s, 1);
	assert_int_equal(s.result, AUTH_OK);
	test_eq_str("user", s.user, "fred");
	assert_true(s.proxied && s.claim == 5);
	auth_credentials(w.auth, "v1$forged", "imap", "store1", 5, on_credentials, &c);
	expect(&w, &c, 2);
	assert_int_equal(c.result, AUTH_DENIED);
	test_eq_str("nothing", c.secret, "");
	end(&w);
}

TEST(addresses_and_users_are_found)
{
	static const struct {
		const char *address;
		enum auth_result want;
		bool domain_unknown;
		const char *user, *detail, *home;
	} rows[] = {
		{ "Fred+List@example.org", AUTH_OK, false, "fred", "List", "store1" },
		{ "ann@other.org", AUTH_OK, false, "ann@other.org", "", "" },
		{ "nobody@other.org", AUTH_UNKNOWN, false },
		{ "nobody@nowhere.org", AUTH_UNKNOWN, true },
		{ "gone@example.org", AUTH_DENIED, false },
		{ "@", AUTH_INVALID, false },
	};
	struct world w;

	begin(&w, 2);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct got g = { 0 };

		auth_resolve(w.auth, slice_of(rows[i].address), "s", on_resolved, &g);
		expect(&w, &g, 1);
		test_check(g.result == rows[i].want, "%s: %s", rows[i].address,
		           auth_result_name(g.result));
		test_check(g.domain_unknown == rows[i].domain_unknown, "%s", rows[i].address);
		assert_int_equal(g.finals, rows[i].user != NULL);
		if (g.finals == 0)
			continue;
		test_eq_str("user", g.user, rows[i].user);
		test_eq_str("detail", g.detail, rows[i].detail);
		test_eq_str("home", g.home, rows[i].home);
	}
	end(&w);
}

TEST(lookups_tell_disabled_from_unknown)
{
	struct world w;
	struct got g = { 0 };

	begin(&w, 1);
	auth_lookup(w.auth, SLICE("gone@Example.org"), on_user, &g);
	expect(&w, &g, 1);
	assert_int_equal(g.result, AUTH_OK);
	assert_true(g.disabled);
	test_eq_str("user", g.user, "gone");
	auth_lookup(w.auth, SLICE("fred"), on_user, &g);
	expect(&w, &g, 2);
	assert_false(g.disabled);
	test_eq_str("home", g.home, "store1");
	auth_lookup(w.auth, SLICE("nobody"), on_user, &g);
	expect(&w, &g, 3);
	assert_int_equal(g.result, AUTH_UNKNOWN);
	end(&w);
}

TEST(a_killed_auth_worker_costs_little_time_and_its_successor_goes_on)
{
	struct world w;
	struct got g = { 0 };
	unsigned asked = 0;
	uint64_t at;

	begin(&w, 1);
	for (int round = 0; round < 5; round++) {
		for (int i = 0; i < 20; i++, asked++) /* wrong ones are never cached */
			auth_login(w.auth, &session, SLICE("fred"), SLICE("wrong"), on_login, &g);
		run_for(&w, 10 + 7 * (unsigned)round); /* in the middle of a hash */
		stop_auth_worker(&w, 0, SIGKILL);
		at = clock_mono_ms();
		start_auth_worker(&w, 0);
		expect(&w, &g, asked);
		test_check(clock_mono_ms() < at + 5000, "round %d", round);
	}
	assert_int_equal(g.results[AUTH_DENIED] + g.results[AUTH_TEMP], asked);
	assert_true(g.results[AUTH_TEMP] > 0); /* what it had read is lost, and said so */
	assert_true(g.results[AUTH_DENIED] > 0);
	login(&w, &g, "fred", "secret");
	assert_int_equal(g.result, AUTH_OK);
	end(&w);
}

TEST(an_open_conversation_ends_with_its_auth_worker)
{
	struct world w;
	struct got g = { 0 };
	uint64_t id;

	begin(&w, 1);
	id = auth_start(w.auth, &session, "PLAIN", slice_make(NULL, 0), on_login, &g);
	expect(&w, &g, 1);
	assert_int_equal(g.result, AUTH_CONTINUE);
	stop_auth_worker(&w, 0, SIGKILL);
	start_auth_worker(&w, 0);
	auth_step(w.auth, id, slice_make("\0fred\0secret", 12));
	expect(&w, &g, 2);
	assert_int_equal(g.result, AUTH_TEMP);
	end(&w);
}

/* Whoever opens them without end keeps nobody out. */
TEST(the_oldest_conversation_gives_way_to_the_1001st)
{
	struct world w;
	struct got g = { 0 };
	uint64_t ids[1001];

	begin(&w, 1);
	for (unsigned i = 0; i < 1001; i++) {
		ids[i] = auth_start(w.auth, &session, "PLAIN", slice_make(NULL, 0), on_login, &g);
		expect(&w, &g, i + 1);
	}
	assert_int_equal(g.results[AUTH_CONTINUE], 1001);
	auth_step(w.auth, ids[1000], slice_make("\0fred\0secret", 12));
	expect(&w, &g, 1002);
	assert_int_equal(g.result, AUTH_OK);
	auth_step(w.auth, ids[0], slice_make("\0fred\0secret", 12));
	expect(&w, &g, 1003);
	assert_int_equal(g.result, AUTH_TEMP);
	auth_step(w.auth, ids[1], slice_make("\0fred\0secret", 12));
	expect(&w, &g, 1004);
	assert_int_equal(g.result, AUTH_OK);
	end(&w);
}

TEST(clients_that_say_no_more_keep_no_questions_out)
{
	struct world w;
	static struct got g;

	memset(&g, 0, sizeof(g));
	begin(&w, 1);
	for (unsigned i = 0; i < 4200; i++) {
		auth_start(w.auth, &session, "PLAIN", slice_make(NULL, 0), on_login, &g);
		expect(&w, &g, i + 1);
	}
	auth_lookup(w.auth, SLICE("fred"), on_user, &g);
	expect(&w, &g, 4201);
	assert_int_equal(g.result, AUTH_OK);
	end(&w);
}

/* Both processes read their time from memory they share. */
TEST(conversations_do_not_last_for_ever)
{
	struct clock_fake *fake = mmap(NULL, sizeof(*fake), PROT_READ | PROT_WRITE,
	                               MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct world w;
	struct got g = { 0 };
	uint64_t early, late;

	assert_ptr_not_equal(fake, MAP_FAILED);
	*fake = (struct clock_fake){ clock_mono_us(), clock_wall_us() };
	clock_set_fake(fake);
	begin(&w, 1);
	early = auth_start(w.auth, &session, "PLAIN", slice_make(NULL, 0), on_login, &g);
	expect(&w, &g, 1);
	fake->mono_us += 29000000;
	late = auth_start(w.auth, &session, "PLAIN", slice_make(NULL, 0), on_login, &g);
	expect(&w, &g, 2);
	assert_int_equal(g.results[AUTH_CONTINUE], 2);
	fake->mono_us += 2000000;
	auth_step(w.auth, early, slice_make("\0fred\0secret", 12));
	expect(&w, &g, 3);
	assert_int_equal(g.result, AUTH_TEMP);
	auth_step(w.auth, late, slice_make("\0fred\0secret", 12));
	expect(&w, &g, 4);
	assert_int_equal(g.result, AUTH_OK);
	end(&w);
	clock_set_fake(NULL);
	munmap(fake, sizeof(*fake));
}

TEST(the_successor_of_a_worker_gets_no_answers_of_its_predecessor)
{
	struct world w;
	struct got before = { 0 }, after;

	begin(&w, 1);
	for (int i = 0; i < 10; i++)
		auth_login(w.auth, &session, SLICE("fred"), SLICE("secret"), on_login, &before);
	auth_free(&w.auth);
	w.auth = auth_pipe_new(w.loop, w.here, 1, w.conf, true);
	login(&w, &after, "ann@other.org", "pw");
	assert_int_equal(after.result, AUTH_OK);
	test_eq_str("user", after.user, "ann@other.org");
	run_for(&w, 200);
	assert_int_equal(before.times, 0);
	assert_int_equal(after.times, 1);
	end(&w);
}

TEST(garbage_does_not_stop_an_auth_worker)
{
	struct world w;
	struct got g;
	static char bytes[AUTH_WIRE_MAX + 100];
	uint64_t x = 7;

	begin(&w, 1);
	for (int i = 0; i < 300; i++) {
		size_t n = i == 0 ? sizeof(bytes) : (size_t)i;

		for (size_t j = 0; j < n; j++) {
			x = x * 6364136223846793005u + 1442695040888963407u;
			bytes[j] = (char)(x >> 56);
		}
		bytes[0] = 1;
		bytes[1] = (char)(i % 20);
		assert_int_equal(send(w.here[0], bytes, n, 0), (ssize_t)n);
	}
	login(&w, &g, "fred", "secret");
	assert_int_equal(g.result, AUTH_OK);
	end(&w);
}

TEST(sigterm_ends_an_auth_worker)
{
	struct world w;
	struct got g;
	int status;

	begin(&w, 1);
	login(&w, &g, "fred", "secret");
	status = stop_auth_worker(&w, 0, SIGTERM);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	end(&w);
}

/* One auth worker serves two workers here; the first never reads. */
TEST(a_worker_that_does_not_read_holds_nobody_up)
{
	struct world w;
	struct got g;
	struct auth_frame f = { .kind = AUTH_FRAME_PING, .deadline_ms = UINT64_MAX };
	struct buf b = BUF_INIT(AUTH_WIRE_MAX);

	begin(&w, 0);
	auth_free(&w.auth);
	w.pid[0] = fork();
	if (w.pid[0] == 0) {
		log_set_level(LOG_ERROR);
		_exit(auth_pipe_serve(w.there, ENDS, w.conf));
	}
	for (f.id = 1; f.id < 20000; f.id++) {
		struct pollfd p = { .fd = w.here[0], .events = POLLOUT };

		buf_clear(&b);
		assert_true(auth_wire_encode(&f, &b));
		if (poll(&p, 1, 1000) == 1)
			send(w.here[0], b.data, b.len, MSG_DONTWAIT);
	}
	w.auth = auth_pipe_new(w.loop, &w.here[1], 1, w.conf, true);
	login(&w, &g, "fred", "secret");
	assert_int_equal(g.result, AUTH_OK);
	buf_fini(&b);
	end(&w);
}

/* ---- auth workers played by hand ------------------------------------------------------------- */

/* The next frame a worker sent; what it borrows is valid until the next call. */
static struct auth_frame
hear(const struct world *w, unsigned i)
{
	static char bytes[AUTH_WIRE_MAX];
	struct pollfd p = { .fd = w->there[i], .events = POLLIN };
	struct auth_frame f;
	ssize_t n;

	assert_int_equal(poll(&p, 1, 2000), 1);
	n = recv(w->there[i], bytes, sizeof(bytes), 0);
	assert_true(n > 0);
	assert_true(auth_wire_decode(slice_make(bytes, (size_t)n), NULL, &f));
	return f;
}

static bool
heard_nothing(const struct world *w, unsigned i)
{
	struct pollfd p = { .fd = w->there[i], .events = POLLIN };

	return poll(&p, 1, 0) == 0;
}

static void
say(const struct world *w, unsigned i, enum auth_frame_kind kind, uint64_t id,
    enum auth_result result)
{
	struct auth_frame f = { .kind = kind, .id = id, .result = result, .user = "x" };
	struct buf b = BUF_INIT(AUTH_WIRE_MAX);

	assert_true(auth_wire_encode(&f, &b));
	assert_int_equal(send(w->there[i], b.data, b.len, 0), (ssize_t)b.len);
	buf_fini(&b);
}

TEST(silence_is_a_temporary_error_in_time)
{
	struct world w;
	struct got g = { 0 };
	uint64_t at = clock_mono_ms();

	begin(&w, 0);
	auth_login(w.auth, &session, SLICE("fred"), SLICE("secret"), on_login, &g);
	expect(&w, &g, 1);
	assert_int_equal(g.result, AUTH_TEMP);
	assert_true(clock_mono_ms() + EARLY_MS >= at + TIMEOUT_MS);
	say(&w, 0, AUTH_FRAME_LOGIN_IS, g.id, AUTH_OK); /* late: finds nobody */
	run_for(&w, 50);
	assert_int_equal(g.times, 1);
	end(&w);
}

TEST(a_new_auth_worker_tells_that_older_questions_are_lost)
{
	struct world w;
	struct got lost = { 0 }, later = { 0 };
	struct auth_frame f;
	uint64_t at = clock_mono_ms(), ping;

	begin(&w, 0);
	auth_lookup(w.auth, SLICE("fred"), on_user, &lost);
	hear(&w, 0); /* and dies with it */
	say(&w, 0, AUTH_FRAME_HELLO, 0, AUTH_OK);
	run_for(&w, 20);
	f = hear(&w, 0);
	assert_int_equal(f.kind, AUTH_FRAME_PING);
	ping = f.id;
	auth_lookup(w.auth, SLICE("fred"), on_user, &later);
	say(&w, 0, AUTH_FRAME_PONG, ping, AUTH_OK);
	expect(&w, &lost, 1);
	assert_int_equal(lost.result, AUTH_TEMP);
	assert_true(clock_mono_ms() < at + TIMEOUT_MS);
	assert_int_equal(later.times, 0);
	f = hear(&w, 0);
	say(&w, 0, AUTH_FRAME_USER_IS, f.id, AUTH_OK);
	expect(&w, &later, 1);
	assert_int_equal(later.result, AUTH_OK);
	end(&w);
}

TEST(an_answer_tells_that_older_questions_are_lost)
{
	struct world w;
	struct got g[3] = { { 0 } };
	struct auth_frame f;

	begin(&w, 0);
	for (int i = 0; i < 3; i++)
		auth_lookup(w.auth, SLICE("fred"), on_user, &g[i]);
	hear(&w, 0);
	f = hear(&w, 0);
	say(&w, 0, AUTH_FRAME_USER_IS, f.id, AUTH_UNKNOWN);
	expect(&w, &g[1], 1);
	assert_int_equal(g[1].result, AUTH_UNKNOWN);
	expect(&w, &g[0], 1);
	assert_int_equal(g[0].result, AUTH_TEMP);
	assert_int_equal(g[2].times, 0);
	end(&w);
}

TEST(wrong_answers_are_dropped)
{
	struct world w;
	struct got g = { 0 };
	struct auth_frame f;

	begin(&w, 0);
	auth_lookup(w.auth, SLICE("fred"), on_user, &g);
	f = hear(&w, 0);
	say(&w, 0, AUTH_FRAME_USER_IS, f.id + 1, AUTH_OK);
	say(&w, 0, AUTH_FRAME_LOGIN_IS, f.id, AUTH_OK);
	say(&w, 0, AUTH_FRAME_LOOKUP, f.id, AUTH_OK);
	assert_int_equal(send(w.there[0], "rubbish", 7, 0), 7);
	run_for(&w, 50);
	assert_int_equal(g.times, 0);
	say(&w, 0, AUTH_FRAME_USER_IS, f.id, AUTH_OK);
	expect(&w, &g, 1);
	assert_int_equal(g.result, AUTH_OK);
	end(&w);
}

static void
two_ends(struct world *w)
{
	begin(w, 0);
	auth_free(&w->auth);
	w->auth = auth_pipe_new(w->loop, w->here, 2, w->conf, true);
}

TEST(the_one_with_least_to_do_is_asked)
{
	struct world w;
	struct got g = { 0 };
	unsigned busy, idle;

	two_ends(&w);
	auth_login(w.auth, &session, SLICE("fred"), SLICE("x"), on_login, &g);
	busy = heard_nothing(&w, 0) ? 1 : 0;
	idle = 1 - busy;
	hear(&w, busy);
	for (int i = 0; i < 10; i++) { /* lookups are cheap */
		auth_lookup(w.auth, SLICE("fred"), on_user, &g);
		assert_int_equal(hear(&w, idle).kind, AUTH_FRAME_LOOKUP);
		assert_true(heard_nothing(&w, busy));
	}
	auth_login(w.auth, &session, SLICE("fred"), SLICE("x"), on_login, &g);
	hear(&w, idle);
	auth_lookup(w.auth, SLICE("fred"), on_user, &g);
	hear(&w, busy);
	end(&w);
}

TEST(a_silent_one_is_left_alone_until_it_is_heard_of)
{
	struct world w;
	struct got g = { 0 };
	unsigned silent, other;
	struct auth_frame f;

	two_ends(&w);
	auth_lookup(w.auth, SLICE("fred"), on_user, &g);
	silent = heard_nothing(&w, 0) ? 1 : 0;
	other = 1 - silent;
	hear(&w, silent);
	expect(&w, &g, 1);
	for (unsigned i = 0; i < 5; i++) {
		auth_lookup(w.auth, SLICE("fred"), on_user, &g);
		f = hear(&w, other);
		say(&w, other, AUTH_FRAME_USER_IS, f.id, AUTH_OK);
		expect(&w, &g, i + 2);
		assert_true(heard_nothing(&w, silent));
	}
	run_for(&w, 1000); /* time for a probe */
	auth_lookup(w.auth, SLICE("fred"), on_user, &g);
	f = hear(&w, silent);
	assert_int_equal(f.kind, AUTH_FRAME_PING);
	say(&w, silent, AUTH_FRAME_PONG, f.id, AUTH_OK);
	run_for(&w, 50);
	auth_lookup(w.auth, SLICE("fred"), on_user, &g); /* the other has one to do already */
	assert_int_equal(hear(&w, silent).kind, AUTH_FRAME_LOOKUP);
	end(&w);
}

TEST(a_full_socket_and_too_many_questions_are_temporary_errors)
{
	struct world w;
	static struct got g;
	uint64_t at = clock_mono_ms();

	memset(&g, 0, sizeof(g));
	begin(&w, 0);
	for (unsigned i = 0; i < 5000; i++)
		auth_lookup(w.auth, SLICE("fred"), on_user, &g);
	run_for(&w, 100);
	assert_int_equal(g.times, 5000 - 4096); /* these at once */
	assert_true(clock_mono_ms() < at + TIMEOUT_MS);
	expect(&w, &g, 5000);
	assert_int_equal(g.results[AUTH_TEMP], 5000);
	end(&w);
}

TEST(what_waits_for_room_goes_when_there_is_some)
{
	struct world w;
	static struct got g;

	memset(&g, 0, sizeof(g));
	begin(&w, 0);
	for (unsigned i = 0; i < 400; i++)
		auth_lookup(w.auth, SLICE("fred"), on_user, &g);
	start_auth_worker(&w, 0);
	expect(&w, &g, 400);
	assert_int_equal(g.results[AUTH_OK], 400);
	end(&w);
}

TEST(cancelled_requests_are_not_answered)
{
	struct world w;
	struct got g = { 0 };
	uint64_t id;
	struct auth_frame f;

	begin(&w, 0);
	id = auth_login(w.auth, &session, SLICE("fred"), SLICE("x"), on_login, &g);
	f = hear(&w, 0);
	auth_cancel(w.auth, id); /* asked */
	assert_int_equal(hear(&w, 0).kind, AUTH_FRAME_CANCEL);
	say(&w, 0, AUTH_FRAME_LOGIN_IS, f.id, AUTH_OK);
	id = auth_login(w.auth, &session, SLICE("fred"), SLICE("x"), on_login, &g);
	f = hear(&w, 0);
	say(&w, 0, AUTH_FRAME_LOGIN_IS, f.id, AUTH_DENIED);
	run_for(&w, 30);
	auth_cancel(w.auth, id); /* denied, its delay running */
	id = auth_start(w.auth, &session, "PLAIN", slice_make(NULL, 0), on_login, &g);
	f = hear(&w, 0);
	say(&w, 0, AUTH_FRAME_LOGIN_IS, f.id, AUTH_CONTINUE);
	expect(&w, &g, 1);
	auth_cancel(w.auth, id); /* open */
	assert_int_equal(hear(&w, 0).kind, AUTH_FRAME_CANCEL);
	auth_cancel(w.auth, id);
	auth_cancel(w.auth, 4711);
	run_for(&w, TIMEOUT_MS + 100);
	assert_int_equal(g.times, 1);
	end(&w);
}

TEST(what_cannot_be_a_request_is_refused_without_asking)
{
	struct world w;
	struct got g = { 0 };
	static char text[AUTH_WIRE_DATA_MAX + 10];

	memset(text, 'x', sizeof(text) - 1);
	begin(&w, 0);
	auth_start(w.auth, &session, "PLAIN", slice_make(text, sizeof(text)), on_login, &g);
	expect(&w, &g, 1);
	assert_int_equal(g.result, AUTH_INVALID);
	auth_start(w.auth, &session, text, SLICE("x"), on_login, &g);
	expect(&w, &g, 2);
	assert_int_equal(g.result, AUTH_INVALID);
	auth_lookup(w.auth, slice_of(text), on_user, &g);
	expect(&w, &g, 3);
	assert_int_equal(g.result, AUTH_UNKNOWN);
	assert_true(heard_nothing(&w, 0));
	end(&w);
}
