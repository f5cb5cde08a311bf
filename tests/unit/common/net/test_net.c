/* net on real sockets: loop, dial, listener, conn, TLS in the middle; addresses. */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/xalloc.h"
#include "lib/test.h"
#include "net/conn.h"
#include "net/dial.h"
#include "net/listener.h"
#include "tls/tls.h"

TEST(addresses_are_parsed_and_shown)
{
	static const struct {
		const char *in, *out; /* out NULL: refused */
	} rows[] = {
		{ "127.0.0.1:25", "127.0.0.1:25" },
		{ "127.0.0.1", "127.0.0.1:99" },
		{ "[::1]:25", "[::1]:25" },
		{ "[::1]", "[::1]:99" },
		{ "::1", "[::1]:99" },
		{ "*:25", "[::]:25" },
		{ "/run/x", "/run/x" },
		{ "127.0.0.1:65536", NULL },
		{ "127.0.0.1:", NULL },
		{ "127.0.0.256:1", NULL },
		{ "[::1", NULL },
		{ "[::1]x:1", NULL },
		{ "name:25", NULL },
		{ "", NULL },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char text[ADDR_TEXT_LEN];
		struct err err;
		struct addr a;
		bool ok = addr_parse(slice_of(rows[i].in), 99, &a, &err);

		test_check(ok == (rows[i].out != NULL), "%s", rows[i].in);
		if (ok)
			test_eq_str(rows[i].in, addr_text(&a, text), rows[i].out);
	}
}

TEST(networks_contain_their_addresses)
{
	static const struct {
		const char *net, *addr;
		bool has;
	} rows[] = {
		{ "127.0.0.0/8", "127.9.9.9", true }, { "127.0.0.0/8", "128.0.0.1", false },
		{ "10.0.0.0/9", "10.127.0.1", true }, { "10.0.0.0/9", "10.128.0.1", false },
		{ "0.0.0.0/0", "1.2.3.4", true },     { "0.0.0.0/0", "[::1]", false },
		{ "::/0", "[2001:db8::1]", true },    { "192.0.2.1", "192.0.2.1", true },
		{ "192.0.2.1", "192.0.2.2", false },  { "::1/128", "[::1]", true },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct addr_net net;
		struct addr a;

		assert_true(addr_net_parse(slice_of(rows[i].net), &net));
		assert_true(addr_parse(slice_of(rows[i].addr), 1, &a, NULL));
		test_check(addr_net_has(&net, &a) == rows[i].has, "%s %s", rows[i].net,
		           rows[i].addr);
	}
	assert_false(addr_net_parse(SLICE("10.0.0.0/33"), &(struct addr_net){ 0 }));
	assert_false(addr_net_parse(SLICE("*"), &(struct addr_net){ 0 }));
}

#define PATIENCE_MS 60000

/* A server that greets and upgrades at "tls"; a client that asks for it. */
struct world {
	struct loop *loop;
	struct tls_ctx *server_tls, *client_tls;
	struct listener *listener;
	struct conn *server, *client;
	char heard[64];
	size_t heard_bytes;
	bool server_secure, client_secure, client_ended;
	bool peers;    /* both show a certificate; no_cert: but the client */
	bool other_ca; /* the client believes the system's only */
	bool no_cert, peer_named;
	enum conn_end why;
	const char *hostname;
};

static void
server_input(void *ctx)
{
	struct world *w = ctx;
	struct slice in = conn_input(w->server);
	bool tls = slice_eq(in, SLICE("tls\n"));

	conn_consume(w->server, in.n);
	if (tls) {
		conn_write(w->server, SLICE("go\n"));
		conn_start_tls_server(w->server, w->server_tls);
	} else {
		conn_write(w->server, SLICE("hello back\n"));
		conn_finish(&w->server, PATIENCE_MS);
	}
}

static void
server_tls(void *ctx)
{
	struct world *w = ctx;

	w->server_secure = true;
	w->peer_named = conn_tls_peer_is(w->server, "mail.test") &&
	                conn_tls_peer_is(w->server, "127.0.0.1") &&
	                !conn_tls_peer_is(w->server, "other.test");
}

static void
server_end(void *ctx, UNUSED enum conn_end why)
{
	conn_free(&((struct world *)ctx)->server);
}

static const struct conn_handler server_handler = { server_input, NULL, server_tls, server_end };

static void
client_input(void *ctx)
{
	struct world *w = ctx;
	struct slice in = conn_input(w->client);

	if (slice_eq(in, SLICE("go\n"))) {
		conn_consume(w->client, in.n);
		conn_start_tls_client(w->client, w->client_tls, w->hostname);
		return;
	}
	snprintf(w->heard + strlen(w->heard), sizeof(w->heard) - strlen(w->heard), "%.*s",
	         SLICE_ARG(in));
	conn_consume(w->client, in.n);
}

static void
client_tls(void *ctx)
{
	struct world *w = ctx;

	w->client_secure = true;
	conn_write(w->client, SLICE("hello\n"));
}

static void
client_end(void *ctx, enum conn_end why)
{
	struct world *w = ctx;

	w->client_ended = true;
	w->why = why;
	conn_free(&w->client);
	loop_stop(w->loop);
}

static const struct conn_handler client_handler = { client_input, NULL, client_tls, client_end };

static void
on_accept(void *ctx, struct conn **c)
{
	struct world *w = ctx;

	w->server = *c;
	*c = NULL;
	conn_set_handler(w->server, &server_handler, w);
}

static void
on_dialled(void *ctx, struct conn **c, const char *why)
{
	struct world *w = ctx;

	test_check(*c != NULL, "dial: %s", why);
	w->client = *c;
	conn_set_handler(w->client, &client_handler, w);
	conn_write(w->client, SLICE("tls\n"));
}

static void
give_up(void *ctx)
{
	loop_stop(((struct world *)ctx)->loop);
}

static void
play_tls(struct world *w, const char *hostname)
{
	char cert[300], key[300], cmd[1000];
	struct addr any, at = { .len = sizeof(at.ss) };
	struct timer timer;
	struct err err;
	int fd;

	snprintf(cert, sizeof(cert), "%s/cert.pem", test_dir());
	snprintf(key, sizeof(key), "%s/key.pem", test_dir());
	snprintf(cmd, sizeof(cmd),
	         "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 "
	         "-subj /CN=mail.test -addext subjectAltName=DNS:mail.test,IP:127.0.0.1 "
	         "-keyout %s -out %s 2>/dev/null",
	         key, cert);
	assert_int_equal(system(cmd), 0);
	w->hostname = hostname;
	w->loop = loop_new();
	w->server_tls =
		w->peers ? tls_peer_new(cert, key, cert, &err) : tls_server_new(cert, key, &err);
	test_check(w->server_tls != NULL, "%s", err.text);
	w->client_tls = w->peers && !w->no_cert
	                        ? tls_peer_new(cert, key, cert, &err)
	                        : tls_client_new(w->other_ca ? NULL : cert, TLS_VERIFY_NAME, &err);
	assert_true(addr_parse(SLICE("127.0.0.1:0"), 1, &any, &err));
	fd = listener_open_socket(&any, true, &err);
	assert_int_not_equal(fd, -1);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&at.ss, &at.len), 0);
	w->listener = listener_new(w->loop, fd, on_accept, w);
	dial_start(w->loop, &at, PATIENCE_MS, on_dialled, w);
	timer_init(&timer, w->loop, give_up, w);
	timer_set(&timer, PATIENCE_MS);
	loop_run(w->loop);
	timer_fini(&timer);
	listener_free(&w->listener);
	conn_free(&w->server);
	conn_free(&w->client);
	loop_free(&w->loop);
	tls_free(&w->server_tls);
	tls_free(&w->client_tls);
	close(fd);
}

TEST(tls_starts_in_the_middle_and_the_end_arrives_after_the_data)
{
	struct world w = { 0 };

	play_tls(&w, "mail.test");
	assert_true(w.server_secure && w.client_secure);
	test_eq_str("heard", w.heard, "hello back\n");
	assert_int_equal(w.why, CONN_END_EOF);
}

TEST(a_certificate_for_an_address_is_believed_for_the_address)
{
	struct world w = { 0 };

	play_tls(&w, "127.0.0.1");
	assert_true(w.client_secure);
}

TEST(a_certificate_for_another_name_is_refused)
{
	struct world w = { 0 };

	play_tls(&w, "other.test");
	assert_false(w.client_secure);
	assert_true(w.client_ended);
	assert_int_equal(w.why, CONN_END_TLS_NAME);
}

TEST(a_certificate_of_an_unknown_authority_is_refused)
{
	struct world w = { .other_ca = true };

	play_tls(&w, "mail.test");
	assert_false(w.client_secure);
	assert_true(w.client_ended);
	assert_int_equal(w.why, CONN_END_TLS_TRUST);
}

TEST(peers_show_each_other_their_certificates)
{
	struct world w = { .peers = true };

	play_tls(&w, "mail.test");
	assert_true(w.server_secure && w.client_secure && w.peer_named);
	test_eq_str("heard", w.heard, "hello back\n");
}

TEST(a_peer_without_a_certificate_is_refused)
{
	struct world w = { .peers = true, .no_cert = true };

	play_tls(&w, "mail.test");
	assert_false(w.server_secure);
	test_eq_str("heard", w.heard, "");
}

TEST(a_peer_with_another_name_is_refused)
{
	struct world w = { .peers = true };

	play_tls(&w, "other.test");
	assert_false(w.client_secure);
}

static void
on_refused(void *ctx, struct conn **c, const char *why)
{
	struct world *w = ctx;

	assert_null(*c);
	snprintf(w->heard, sizeof(w->heard), "%s", why);
	loop_stop(w->loop);
}

TEST(a_refused_dial_says_why_from_the_loop)
{
	struct world w = { .loop = loop_new() };
	struct addr any, at = { .len = sizeof(at.ss) };
	struct err err;
	int fd;

	assert_true(addr_parse(SLICE("127.0.0.1:0"), 1, &any, &err));
	fd = socket(AF_INET, SOCK_STREAM, 0); /* keeps the port from others, and does not listen */
	assert_int_equal(bind(fd, (struct sockaddr *)&any.ss, any.len), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&at.ss, &at.len), 0);
	dial_start(w.loop, &at, PATIENCE_MS, on_refused, &w);
	test_eq_str("not from inside", w.heard, "");
	loop_run(w.loop);
	test_eq_str("why", w.heard, "Connection refused");
	close(fd);
	loop_free(&w.loop);
}

TEST(a_port_in_use_is_named)
{
	struct addr any, at = { .len = sizeof(at.ss) };
	struct err err;
	char want[200];
	int fd;

	assert_true(addr_parse(SLICE("127.0.0.1:0"), 1, &any, &err));
	fd = listener_open_socket(&any, true, &err);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&at.ss, &at.len), 0);
	assert_int_equal(listener_open_socket(&at, true, &err), -1);
	snprintf(want, sizeof(want), "port %u on 127.0.0.1 is in use by another program",
	         addr_port(&at));
	test_eq_str("text", err.text, want);
	close(fd);
}

static void
late_input(void *ctx)
{
	struct conn *c = ((struct world *)ctx)->server;

	conn_consume(c, conn_input(c).n);
}

static void
late_end(void *ctx, enum conn_end why)
{
	struct world *w = ctx;

	w->why = why;
	conn_write(w->server, SLICE("a late answer\n"));
	conn_finish(&w->server, PATIENCE_MS);
	loop_stop(w->loop);
}

/* Reads from fd while the loop runs. */
static void
hear_late(void *ctx, int fd, UNUSED unsigned events)
{
	struct world *w = ctx;
	ssize_t n = read(fd, w->heard + w->heard_bytes, sizeof(w->heard) - 1 - w->heard_bytes);

	assert_true(n >= 0);
	w->heard_bytes += (size_t)n;
	if (n == 0)
		loop_stop(w->loop);
}

TEST(a_peer_who_only_stops_sending_still_gets_the_answer)
{
	static const struct conn_handler handler = { late_input, NULL, NULL, late_end };
	struct world w = { .loop = loop_new() };
	struct watch *watch;
	struct timer timer;
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
	assert_int_equal(write(fds[1], "question\n", 9), 9);
	assert_int_equal(shutdown(fds[1], SHUT_WR), 0);
	w.server = conn_new(w.loop, fds[0]);
	conn_set_handler(w.server, &handler, &w);
	loop_run(w.loop);
	assert_int_equal(w.why, CONN_END_EOF);
	timer_init(&timer, w.loop, give_up, &w);
	timer_set(&timer, PATIENCE_MS);
	watch = watch_new(w.loop, fds[1], WATCH_READ, hear_late, &w);
	loop_run(w.loop); /* until it has ended, too */
	test_eq_str("heard", w.heard, "a late answer\n");
	assert_true(timer_is_set(&timer));
	watch_free(&watch);
	timer_fini(&timer);
	close(fds[1]);
	loop_free(&w.loop);
}

/* A connection whose other end is ours. Packets, where each write is one. */
static void
open_pair(struct world *w, int type, int *peer_r)
{
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, type | SOCK_NONBLOCK, 0, fds), 0);
	w->loop = loop_new();
	w->server = conn_new(w->loop, fds[0]);
	*peer_r = fds[1];
}

static void
close_pair(struct world *w, int peer)
{
	conn_free(&w->server);
	loop_free(&w->loop);
	close(peer);
}

static void
count_input(void *ctx)
{
	struct world *w = ctx;

	w->heard_bytes = conn_input(w->server).n;
	conn_consume(w->server, w->heard_bytes);
	loop_stop(w->loop);
}

#define SAID 60000

/* libevent reads 4 KiB at a time, and with one commit for what came in a turn that is a commit for
 * each 4 KiB. */
TEST(what_a_peer_has_said_is_heard_at_once_up_to_the_limit)
{
	static const struct {
		size_t limit, heard;
	} rows[] = { { 65536, SAID }, { 16384, 16384 }, { 6000, 6000 }, { 1000, 1000 } };
	static const struct conn_handler handler = { .on_input = count_input };
	static const char said[SAID];

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct world w = { .loop = NULL };
		int peer;

		open_pair(&w, SOCK_STREAM, &peer);
		conn_set_input_limit(w.server, rows[i].limit);
		assert_int_equal(write(peer, said, sizeof(said)), sizeof(said));
		conn_set_handler(w.server, &handler, &w);
		loop_run(w.loop);
		test_check(w.heard_bytes == rows[i].heard, "%zu: %zu", rows[i].limit,
		           w.heard_bytes);
		/* and no byte is lost or heard twice */
		for (size_t rest = SAID - w.heard_bytes; rest > 0; rest -= w.heard_bytes)
			loop_run(w.loop);
		close_pair(&w, peer);
	}
}

static void
stop_when_out(void *ctx)
{
	loop_stop(((struct world *)ctx)->loop);
}

/* libevent writes 16 KiB at a time, once a turn. */
TEST(what_we_say_goes_out_at_once)
{
	static const struct conn_handler handler = { .on_drain = stop_when_out };
	static char said[SAID];
	struct world w = { .loop = NULL };
	int peer;

	open_pair(&w, SOCK_SEQPACKET, &peer);
	conn_set_handler(w.server, &handler, &w);
	conn_write(w.server, slice_make(said, sizeof(said)));
	loop_run(w.loop);
	assert_int_equal(read(peer, said, sizeof(said)), SAID);
	close_pair(&w, peer);
}

#define SYSTEM_BYTES 100000 /* what the system takes of us, and its other end does not */

#define ROUNDS 200
#define WARM_ROUNDS 20 /* the kernel acknowledges at once while it learns what is said */
#define QUICK_MS 30    /* a delayed acknowledgement takes 40 */

struct halves {
	int fd;
	bool was_quick;
};

/* Says everything in two halves and waits for the answer, without TCP_NODELAY. Until it came
 * quickly: on a busy machine it need not always. */
static void *
talk_in_halves(void *arg)
{
	struct halves *h = arg;
	char c;

	for (int i = 0; i < ROUNDS && !h->was_quick; i++) {
		uint64_t start = clock_mono_ms();

		if (write(h->fd, "a", 1) != 1 || write(h->fd, "b", 1) != 1 ||
		    read(h->fd, &c, 1) != 1)
			break;
		h->was_quick = i >= WARM_ROUNDS && clock_mono_ms() - start < QUICK_MS;
	}
	close(h->fd);
	return NULL;
}

static void
halves_input(void *ctx)
{
	struct conn *c = ((struct world *)ctx)->server;
	struct slice in = conn_input(c);

	if (slice_find(in, 'b') != in.n)
		conn_write(c, SLICE("."));
	conn_consume(c, in.n);
}

static void
halves_end(void *ctx, UNUSED enum conn_end why)
{
	struct world *w = ctx;

	conn_free(&w->server);
	loop_stop(w->loop);
}

/* Nagle's algorithm there and delayed acknowledgements here took 40 ms a round. */
TEST(a_client_who_waits_for_acknowledgements_gets_them)
{
	static const struct conn_handler handler = { halves_input, NULL, NULL, halves_end };
	struct world w = { .loop = loop_new() };
	struct addr any, at = { .len = sizeof(at.ss) };
	struct halves h = { .was_quick = false };
	struct err err;
	pthread_t thread;
	int listening;

	assert_true(addr_parse(SLICE("127.0.0.1:0"), 1, &any, &err));
	listening = listener_open_socket(&any, true, &err);
	assert_int_equal(getsockname(listening, (struct sockaddr *)&at.ss, &at.len), 0);
	h.fd = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(connect(h.fd, (struct sockaddr *)&at.ss, at.len), 0);
	w.server = conn_new(w.loop, accept4(listening, NULL, NULL, SOCK_NONBLOCK));
	conn_set_handler(w.server, &handler, &w);
	assert_int_equal(pthread_create(&thread, NULL, talk_in_halves, &h), 0);
	loop_run(w.loop);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_true(h.was_quick);
	close(listening);
	loop_free(&w.loop);
}

/* The other side reads what it has got after our end. Returns how much that was. */
static size_t
say_and_end(bool by_reset, int *error_r)
{
	static const struct conn_handler handler = { .on_drain = stop_when_out };
	static char said[SYSTEM_BYTES];
	struct world w = { .loop = loop_new() };
	struct addr any, at = { .len = sizeof(at.ss) };
	int listening, taken, few = 4096, many = 2 * SYSTEM_BYTES;
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	struct err err;
	size_t got = 0;
	ssize_t n;

	assert_true(addr_parse(SLICE("127.0.0.1:0"), 1, &any, &err));
	listening = listener_open_socket(&any, true, &err);
	assert_int_equal(getsockname(listening, (struct sockaddr *)&at.ss, &at.len), 0);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &few, sizeof(few)), 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&at.ss, at.len), 0);
	taken = accept4(listening, NULL, NULL, SOCK_NONBLOCK);
	assert_int_equal(setsockopt(taken, SOL_SOCKET, SO_SNDBUF, &many, sizeof(many)), 0);
	w.server = conn_new(w.loop, taken);
	if (by_reset)
		conn_end_by_reset(w.server);
	conn_set_handler(w.server, &handler, &w);
	conn_write(w.server, slice_make(said, sizeof(said)));
	loop_run(w.loop);
	conn_free(&w.server);
	loop_free(&w.loop);
	while ((n = read(fd, said, sizeof(said))) > 0)
		got += (size_t)n;
	*error_r = n == -1 ? errno : 0;
	close(fd);
	close(listening);
	return got;
}

TEST(what_the_system_holds_back_is_sent_unless_the_end_is_a_reset)
{
	int error;

	assert_int_equal(say_and_end(false, &error), SYSTEM_BYTES);
	assert_int_equal(error, 0);
	assert_true(say_and_end(true, &error) < SYSTEM_BYTES);
	assert_int_equal(error, ECONNRESET);
}

/* Work that is never done, in turns, and a connection on which something comes meanwhile. */
struct chain {
	struct loop *loop;
	int fd;
	unsigned turns;
	bool heard;
	unsigned turns_then;
};

static void
one_more_turn(void *ctx)
{
	struct chain *c = ctx;

	if (++c->turns == 1)
		assert_int_equal(write(c->fd, "x", 1), 1);
	if (c->heard || c->turns == 1000)
		loop_stop(c->loop);
	else
		loop_defer(c->loop, one_more_turn, c);
}

static void
chain_heard(void *ctx, int fd, UNUSED unsigned events)
{
	struct chain *c = ctx;
	char byte;

	assert_int_equal(read(fd, &byte, 1), 1);
	c->heard = true;
	c->turns_then = c->turns;
}

TEST(who_works_in_turns_lets_others_be_heard)
{
	struct chain c = { .loop = loop_new() };
	struct watch *watch;
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	c.fd = fds[1];
	watch = watch_new(c.loop, fds[0], WATCH_READ, chain_heard, &c);
	loop_defer(c.loop, one_more_turn, &c);
	loop_run(c.loop);
	assert_true(c.heard);
	watch_free(&watch);
	close(fds[0]);
	close(fds[1]);
	loop_free(&c.loop);
}

#define WORKERS 200

static void
work_a_while(void *ctx)
{
	struct chain *c = ctx;
	uint64_t start = clock_mono_us();

	while (clock_mono_us() - start < 1000)
		continue;
	if (++c->turns == WORKERS)
		loop_stop(c->loop);
}

/* Each takes little, all of them together a fifth of a second. */
TEST(many_who_work_a_little_let_others_be_heard)
{
	struct chain c = { .loop = loop_new() };
	struct watch *watch;
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	watch = watch_new(c.loop, fds[0], WATCH_READ, chain_heard, &c);
	for (int i = 0; i < WORKERS; i++)
		loop_defer(c.loop, work_a_while, &c);
	/* behind what is deferred already: it is there when the first turn is over */
	c.fd = fds[1];
	assert_int_equal(write(fds[1], "x", 1), 1);
	loop_run(c.loop);
	assert_int_equal(c.turns, WORKERS);
	assert_true(c.heard);
	assert_true(c.turns_then < WORKERS);
	watch_free(&watch);
	close(fds[0]);
	close(fds[1]);
	loop_free(&c.loop);
}
