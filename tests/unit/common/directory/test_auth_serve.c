/*
 * auth_serve - real auth workers, asked as workers ask them: what they answer, and what becomes
 * of questions when they are killed, started again on the same sockets, and told rubbish.
 */
#include "unit/common/directory/auth_world.h"

#include "base/clock.h"
#include "base/text.h"
#include "lib/test.h"
#include "sasl/scram.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>

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
	struct auth_world w;
	struct auth_got g;

	auth_world_init(&w, 2);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		uint64_t at = auth_world_now_ms();

		auth_world_login(&w, &g, rows[i].user, rows[i].password);
		test_check(g.result == rows[i].want, "%s: %s", rows[i].name,
		           auth_result_name(g.result));
		test_eq_str(rows[i].name, g.user,
		            rows[i].canonical != NULL ? rows[i].canonical : "");
		test_check(g.admin == rows[i].admin, "%s", rows[i].name);
		test_check((g.grant[0] != '\0') == (g.result == AUTH_OK), "%s", rows[i].name);
		if (g.result == AUTH_DENIED)
			test_check(auth_world_now_ms() >= at + AUTH_WORLD_DELAY_MS / 2,
			           "%s: at once", rows[i].name);
	}
	auth_world_fini(&w);
}

#define DELAY_MOST_MS 60000

TEST(denied_logins_do_not_hold_up_others)
{
	struct auth_world w;
	struct auth_got bad = { 0 }, good;

	auth_world_init_timed(&w, 1, AUTH_WORLD_TIMEOUT_MS, DELAY_MOST_MS);
	auth_world_login(&w, &good, "fred", "secret"); /* cached from here on */
	auth_login(w.auth, &auth_world_session, SLICE("boss"), SLICE("wrong"), auth_world_on_login,
	           &bad);
	auth_world_login(&w, &good, "fred", "secret");
	assert_int_equal(good.result, AUTH_OK);
	assert_int_equal(bad.times, 0);
	auth_world_fini(&w);
}

/* A conversation that waits for its first message. */
static uint64_t
begin_plain(struct auth_world *w, struct auth_got *g)
{
	uint64_t id = auth_start(w->auth, &auth_world_session, "PLAIN", slice_make(NULL, 0),
	                         auth_world_on_login, g);

	auth_world_expect(w, g, 1);
	assert_int_equal(g->result, AUTH_CONTINUE);
	return id;
}

TEST(conversations_have_steps)
{
	struct auth_world w;
	struct auth_got g = { 0 };
	uint64_t id;

	auth_world_init(&w, 2);
	id = begin_plain(&w, &g);
	assert_true(g.id == id);
	auth_step(w.auth, id, slice_make("\0fred\0secret", 12));
	auth_world_expect(&w, &g, 2);
	assert_int_equal(g.result, AUTH_OK);
	assert_true(g.id == id);
	test_eq_str("user", g.user, "fred");
	auth_start(w.auth, &auth_world_session, "SCRAM-SHA-1", SLICE("n,,n=f,r=x"),
	           auth_world_on_login, &g);
	auth_world_expect(&w, &g, 3);
	assert_int_equal(g.result, AUTH_INVALID);
	auth_start(w.auth, &auth_world_session, "PLAIN", SLICE(""), auth_world_on_login, &g);
	auth_world_expect(&w, &g, 4);
	assert_int_not_equal(g.result, AUTH_OK);
	auth_world_fini(&w);
}

/* RFC 5802 with our own arithmetic: client-final for the challenge that came. */
static struct slice
final_message(const struct auth_got *g, const char *bare, const char *password, struct buf *out)
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
	struct auth_world w;

	auth_world_init(&w, 1);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct auth_got g = { 0 };
		struct buf first = BUF_INIT(SIZE_MAX), final = BUF_INIT(SIZE_MAX);
		uint64_t id;

		buf_printf(&first, "n,,%s", bare);
		id = auth_start(w.auth, &auth_world_session, SCRAM_MECH, buf_slice(&first),
		                auth_world_on_login, &g);
		auth_world_expect(&w, &g, 1);
		assert_int_equal(g.result, AUTH_CONTINUE);
		test_eq_str("user", g.user, "");
		auth_step(w.auth, id, final_message(&g, bare, cases[i].password, &final));
		auth_world_expect(&w, &g, 2);
		assert_int_equal(g.result, cases[i].want);
		test_eq_str("user", g.user, cases[i].user);
		buf_fini(&first);
		buf_fini(&final);
	}
	auth_world_fini(&w);
}

TEST(a_grant_makes_a_token_a_store_takes)
{
	struct auth_world w;
	struct auth_got g, c = { 0 }, s = { 0 };
	char message[3000];
	int n;

	auth_world_init(&w, 2);
	auth_world_login(&w, &g, "fred", "secret");
	auth_credentials(w.auth, g.grant, "imap", "store1", 5, auth_world_on_credentials, &c);
	auth_world_expect(&w, &c, 1);
	assert_int_equal(c.result, AUTH_OK);
	test_eq_str("user", c.user, "fred");
	n = snprintf(message, sizeof(message), "%s%c%s%c%s", c.user, 0, c.authcid, 0, c.secret);
	auth_start(w.auth, &auth_world_session, "PLAIN", slice_make(message, (size_t)n),
	           auth_world_on_login, &s);
	auth_world_expect(&w, &s, 1);
	assert_int_equal(s.result, AUTH_OK);
	test_eq_str("user", s.user, "fred");
	assert_true(s.proxied && s.claim == 5);
	auth_credentials(w.auth, "v1$forged", "imap", "store1", 5, auth_world_on_credentials, &c);
	auth_world_expect(&w, &c, 2);
	assert_int_equal(c.result, AUTH_DENIED);
	test_eq_str("nothing", c.secret, "");
	auth_world_fini(&w);
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
	struct auth_world w;

	auth_world_init(&w, 2);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct auth_got g = { 0 };

		auth_resolve(w.auth, slice_of(rows[i].address), "s", auth_world_on_resolved, &g);
		auth_world_expect(&w, &g, 1);
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
	auth_world_fini(&w);
}

TEST(lookups_tell_disabled_from_unknown)
{
	struct auth_world w;
	struct auth_got g = { 0 };

	auth_world_init(&w, 1);
	auth_lookup(w.auth, SLICE("gone@Example.org"), auth_world_on_user, &g);
	auth_world_expect(&w, &g, 1);
	assert_int_equal(g.result, AUTH_OK);
	assert_true(g.disabled);
	test_eq_str("user", g.user, "gone");
	auth_lookup(w.auth, SLICE("fred"), auth_world_on_user, &g);
	auth_world_expect(&w, &g, 2);
	assert_false(g.disabled);
	test_eq_str("home", g.home, "store1");
	auth_lookup(w.auth, SLICE("nobody"), auth_world_on_user, &g);
	auth_world_expect(&w, &g, 3);
	assert_int_equal(g.result, AUTH_UNKNOWN);
	auth_world_fini(&w);
}

/* Bytes that workers sent to end i and that nobody has read. */
static int
unread(const struct auth_world *w, unsigned i)
{
	int n = 0;

	assert_int_equal(ioctl(w->there[i], FIONREAD, &n), 0);
	return n;
}

static void
wait_until_read(struct auth_world *w, unsigned i, int unread_most)
{
	uint64_t until_ms = auth_world_now_ms() + AUTH_WORLD_PATIENCE_MS;

	while (unread(w, i) > unread_most) {
		assert_true(auth_world_now_ms() < until_ms);
		auth_world_run_for(w, 1);
	}
}

TEST(a_killed_auth_worker_loses_what_it_has_read_and_its_successor_goes_on)
{
	enum { ROUNDS = 4, QUESTIONS = 8 };
	struct auth_world w;
	struct auth_got g = { 0 };
	unsigned asked = 0;

	auth_world_init(&w, 1);
	for (int round = 0; round < ROUNDS; round++) {
		int sent;

		for (int i = 0; i < QUESTIONS; i++, asked++) /* wrong ones are never cached */
			auth_login(w.auth, &auth_world_session, SLICE("fred"), SLICE("wrong"),
			           auth_world_on_login, &g);
		sent = unread(&w, 0);
		/* In the middle of a hash: what it does not read it has not begun. */
		wait_until_read(&w, 0, sent / QUESTIONS * (QUESTIONS - 1 - 2 * round));
		auth_world_stop(&w, 0, SIGKILL);
		auth_world_start(&w, 0, 1);
		auth_world_expect(&w, &g, asked);
	}
	assert_int_equal(g.results[AUTH_DENIED] + g.results[AUTH_TEMP], asked);
	assert_true(g.results[AUTH_TEMP] > 0); /* what it had read is lost, and said so */
	assert_true(g.results[AUTH_DENIED] > 0);
	auth_world_login(&w, &g, "fred", "secret");
	assert_int_equal(g.result, AUTH_OK);
	auth_world_fini(&w);
}

TEST(an_open_conversation_ends_with_its_auth_worker)
{
	struct auth_world w;
	struct auth_got g = { 0 };
	uint64_t id;

	auth_world_init(&w, 1);
	id = begin_plain(&w, &g);
	auth_world_stop(&w, 0, SIGKILL);
	auth_world_start(&w, 0, 1);
	auth_step(w.auth, id, slice_make("\0fred\0secret", 12));
	auth_world_expect(&w, &g, 2);
	assert_int_equal(g.result, AUTH_TEMP);
	auth_world_fini(&w);
}

/* Both processes read their time from memory they share: it stands still until it is set. */
static struct clock_fake *
share_clock(void)
{
	struct clock_fake *fake = mmap(NULL, sizeof(*fake), PROT_READ | PROT_WRITE,
	                               MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	assert_ptr_not_equal(fake, MAP_FAILED);
	*fake = (struct clock_fake){ clock_mono_us(), clock_wall_us() };
	clock_set_fake(fake);
	return fake;
}

static void
unshare_clock(struct clock_fake *fake)
{
	clock_set_fake(NULL);
	munmap(fake, sizeof(*fake));
}

TEST(conversations_do_not_last_for_ever)
{
	struct clock_fake *fake = share_clock();
	struct auth_world w;
	struct auth_got g = { 0 };
	uint64_t early, late;

	auth_world_init(&w, 1);
	early = auth_start(w.auth, &auth_world_session, "PLAIN", slice_make(NULL, 0),
	                   auth_world_on_login, &g);
	auth_world_expect(&w, &g, 1);
	fake->mono_us += 29000000;
	late = auth_start(w.auth, &auth_world_session, "PLAIN", slice_make(NULL, 0),
	                  auth_world_on_login, &g);
	auth_world_expect(&w, &g, 2);
	assert_int_equal(g.results[AUTH_CONTINUE], 2);
	fake->mono_us += 2000000;
	auth_step(w.auth, early, slice_make("\0fred\0secret", 12));
	auth_world_expect(&w, &g, 3);
	assert_int_equal(g.result, AUTH_TEMP);
	auth_step(w.auth, late, slice_make("\0fred\0secret", 12));
	auth_world_expect(&w, &g, 4);
	assert_int_equal(g.result, AUTH_OK);
	auth_world_fini(&w);
	unshare_clock(fake);
}

/* Whoever opens them without end keeps nobody out. */
TEST(the_oldest_conversation_gives_way_to_the_1001st)
{
	struct clock_fake *fake = share_clock();
	struct auth_world w;
	struct auth_got g = { 0 };
	uint64_t ids[1001];

	auth_world_init(&w, 1);
	for (unsigned i = 0; i < 1001; i++) {
		ids[i] = auth_start(w.auth, &auth_world_session, "PLAIN", slice_make(NULL, 0),
		                    auth_world_on_login, &g);
		auth_world_expect(&w, &g, i + 1);
	}
	assert_int_equal(g.results[AUTH_CONTINUE], 1001);
	auth_step(w.auth, ids[1000], slice_make("\0fred\0secret", 12));
	auth_world_expect(&w, &g, 1002);
	assert_int_equal(g.result, AUTH_OK);
	auth_step(w.auth, ids[0], slice_make("\0fred\0secret", 12));
	auth_world_expect(&w, &g, 1003);
	assert_int_equal(g.result, AUTH_TEMP);
	auth_step(w.auth, ids[1], slice_make("\0fred\0secret", 12));
	auth_world_expect(&w, &g, 1004);
	assert_int_equal(g.result, AUTH_OK);
	auth_world_fini(&w);
	unshare_clock(fake);
}

TEST(clients_that_say_no_more_keep_no_questions_out)
{
	struct auth_world w;
	static struct auth_got g;

	memset(&g, 0, sizeof(g));
	auth_world_init(&w, 1);
	for (unsigned i = 0; i < 4200; i++) {
		auth_start(w.auth, &auth_world_session, "PLAIN", slice_make(NULL, 0),
		           auth_world_on_login, &g);
		auth_world_expect(&w, &g, i + 1);
	}
	auth_lookup(w.auth, SLICE("fred"), auth_world_on_user, &g);
	auth_world_expect(&w, &g, 4201);
	assert_int_equal(g.result, AUTH_OK);
	auth_world_fini(&w);
}

TEST(the_successor_of_a_worker_gets_no_answers_of_its_predecessor)
{
	struct auth_world w;
	struct auth_got before = { 0 }, after;

	auth_world_init(&w, 1);
	for (int i = 0; i < 10; i++)
		auth_login(w.auth, &auth_world_session, SLICE("fred"), SLICE("secret"),
		           auth_world_on_login, &before);
	auth_world_reopen(&w, 0, 1);
	auth_world_login(&w, &after, "ann@other.org", "pw");
	assert_int_equal(after.result, AUTH_OK);
	test_eq_str("user", after.user, "ann@other.org");
	assert_int_equal(before.times, 0); /* and they would have come before this one */
	assert_int_equal(after.times, 1);
	auth_world_fini(&w);
}

TEST(garbage_does_not_stop_an_auth_worker)
{
	struct auth_world w;
	struct auth_got g;
	static char bytes[AUTH_WIRE_MAX + 100];
	uint64_t x = 7;

	auth_world_init(&w, 1);
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
	auth_world_login(&w, &g, "fred", "secret");
	assert_int_equal(g.result, AUTH_OK);
	auth_world_fini(&w);
}

TEST(sigterm_ends_an_auth_worker)
{
	struct auth_world w;
	struct auth_got g;
	int status;

	auth_world_init(&w, 1);
	auth_world_login(&w, &g, "fred", "secret");
	status = auth_world_stop(&w, 0, SIGTERM);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	auth_world_fini(&w);
}

/* One auth worker serves two workers here; the first never reads. */
TEST(a_worker_that_does_not_read_holds_nobody_up)
{
	struct auth_world w;
	struct auth_got g;
	struct auth_frame f = { .kind = AUTH_FRAME_PING, .deadline_ms = UINT64_MAX };
	struct buf b = BUF_INIT(AUTH_WIRE_MAX);

	auth_world_init(&w, 0);
	auth_world_start(&w, 0, AUTH_WORLD_ENDS);
	for (f.id = 1; f.id < 20000; f.id++) {
		struct pollfd p = { .fd = w.here[0], .events = POLLOUT };

		buf_clear(&b);
		assert_true(auth_wire_encode(&f, &b));
		if (poll(&p, 1, 1000) == 1)
			send(w.here[0], b.data, b.len, MSG_DONTWAIT);
	}
	auth_world_reopen(&w, 1, 1);
	auth_world_login(&w, &g, "fred", "secret");
	assert_int_equal(g.result, AUTH_OK);
	buf_fini(&b);
	auth_world_fini(&w);
}
