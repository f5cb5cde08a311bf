/* auth_wire - every kind there and back, cut at every byte, and garbage. */
#include "directory/auth_wire.h"
#include "directory/directory.h"

#include "lib/test.h"

#include <stdlib.h>
#include <string.h>

static struct auth_wire_room room;

/* All members set: each kind takes those it has. */
static struct auth_frame
full_frame(enum auth_frame_kind kind)
{
	static const struct auth_final finals[] = { { "fred", "list", "store1" },
		                                    { "ann@example.org", "", "" } };
	static const char *const relays[] = { "x@example.com" };
	struct auth_frame f = {
		.kind = kind,
		.id = kind == AUTH_FRAME_HELLO ? 0 : 0x1122334455667788,
		.deadline_ms = 99,
		.result = AUTH_DENIED,
		.flags = AUTH_FLAG_TLS | AUTH_FLAG_ADMIN,
		.claim = 7,
		.service = "imap",
		.session = "abcdefghijklmnop",
		.peer = "10.1.1.1",
		.mech = "PLAIN",
		.grant = "v1$x",
		.store = "store1",
		.user = "fred@example.org",
		.authcid = "ann",
		.secret = "s3cret",
		.home = "store2",
		.groups = "staff sales@example.net",
		.data = slice_make("\0fred\0pass", 10),
		.finals = finals,
		.final_count = 2,
		.relays = relays,
		.relay_count = 1,
	};

	return f;
}

static void
eq_text(const char *what, const char *got, const char *want)
{
	if (*got != '\0') /* the kind has it */
		test_eq_str(what, got, want);
}

static void
check_same(const struct auth_frame *got, const struct auth_frame *want)
{
	assert_int_equal(got->kind, want->kind);
	assert_true(got->id == want->id);
	eq_text("service", got->service, want->service);
	eq_text("session", got->session, want->session);
	eq_text("peer", got->peer, want->peer);
	eq_text("mech", got->mech, want->mech);
	eq_text("grant", got->grant, want->grant);
	eq_text("store", got->store, want->store);
	eq_text("user", got->user, want->user);
	eq_text("authcid", got->authcid, want->authcid);
	eq_text("secret", got->secret, want->secret);
	eq_text("home", got->home, want->home);
	eq_text("groups", got->groups, want->groups);
	if (got->data.n > 0)
		test_eq_slice("data", got->data, want->data);
	for (size_t i = 0; i < got->final_count; i++) {
		test_eq_str("final", got->finals[i].user, want->finals[i].user);
		test_eq_str("detail", got->finals[i].detail, want->finals[i].detail);
		test_eq_str("home", got->finals[i].home, want->finals[i].home);
	}
	for (size_t i = 0; i < got->relay_count; i++)
		test_eq_str("relay", got->relays[i], want->relays[i]);
}

/* Decoded from memory of exactly its size, so that a sanitizer sees reads behind it. */
static bool
decode_exact(struct slice bytes, struct auth_frame *f_r, char **memory_r)
{
	*memory_r = malloc(bytes.n > 0 ? bytes.n : 1);
	assert_non_null(*memory_r);
	memcpy(*memory_r, bytes.p, bytes.n);
	return auth_wire_decode(slice_make(*memory_r, bytes.n), &room, f_r);
}

TEST(every_kind_comes_back_and_no_part_of_it_does)
{
	for (int kind = 0; kind < AUTH_FRAME_COUNT; kind++) {
		struct auth_frame want = full_frame((enum auth_frame_kind)kind), got;
		struct buf b = BUF_INIT(AUTH_WIRE_MAX);
		char *memory;

		assert_true(auth_wire_encode(&want, &b));
		test_check(decode_exact(buf_slice(&b), &got, &memory), "%s",
		           auth_frame_name(want.kind));
		check_same(&got, &want);
		free(memory);
		for (size_t cut = 0; cut < b.len; cut++) {
			test_check(!decode_exact(slice_sub(buf_slice(&b), 0, cut), &got, &memory),
			           "%s cut at %zu", auth_frame_name(want.kind), cut);
			free(memory);
		}
		buf_add_char(&b, 'x');
		test_check(!auth_wire_decode(buf_slice(&b), &room, &got), "%s with a byte too many",
		           auth_frame_name(want.kind));
		buf_fini(&b);
	}
}

TEST(each_kind_has_the_members_its_answer_needs)
{
	struct auth_frame f = full_frame(AUTH_FRAME_START), got;
	struct buf b = BUF_INIT(AUTH_WIRE_MAX);

	assert_true(auth_wire_encode(&f, &b) && auth_wire_decode(buf_slice(&b), &room, &got));
	test_eq_slice("start data", got.data, f.data);
	test_eq_str("start service", got.service, "imap");
	assert_true(got.deadline_ms == 99);
	assert_int_equal(got.flags, f.flags);
	test_eq_str("not in start", got.secret, "");
	buf_clear(&b);
	f = full_frame(AUTH_FRAME_LOGIN_IS);
	assert_true(auth_wire_encode(&f, &b) && auth_wire_decode(buf_slice(&b), &room, &got));
	assert_int_equal(got.result, AUTH_DENIED);
	assert_true(got.claim == 7);
	test_eq_str("grant", got.grant, "v1$x");
	test_eq_str("groups", got.groups, f.groups);
	buf_clear(&b);
	f = full_frame(AUTH_FRAME_RESOLVED);
	assert_true(auth_wire_encode(&f, &b) && auth_wire_decode(buf_slice(&b), &room, &got));
	assert_int_equal(got.final_count, 2);
	assert_int_equal(got.relay_count, 1);
	assert_false(auth_wire_decode(buf_slice(&b), NULL, &got)); /* no room for lists */
	buf_clear(&b);
	f = full_frame(AUTH_FRAME_MAY_SEND);
	assert_true(auth_wire_encode(&f, &b) && auth_wire_decode(buf_slice(&b), &room, &got));
	test_eq_str("user", got.user, f.user);
	test_eq_slice("sender", got.data, f.data);
	buf_fini(&b);
}

/* Each byte of each kind set to each value: a frame or none, and never a text that is
 * none. */
TEST(damaged_frames_are_refused_or_whole)
{
	for (int kind = 0; kind < AUTH_FRAME_COUNT; kind++) {
		struct auth_frame f = full_frame((enum auth_frame_kind)kind), got;
		struct buf b = BUF_INIT(AUTH_WIRE_MAX);

		assert_true(auth_wire_encode(&f, &b));
		for (size_t i = 0; i < b.len; i++) {
			char was = b.data[i];

			for (int v = 0; v < 256; v++) {
				char *memory;

				b.data[i] = (char)v;
				if (decode_exact(buf_slice(&b), &got, &memory)) {
					assert_true(strlen(got.user) <= DIRECTORY_NAME_MAX);
					assert_true(got.result <= AUTH_TEMP);
					assert_true(got.final_count <= AUTH_WIRE_FINALS);
					assert_true(got.relay_count <= AUTH_WIRE_FINALS);
				}
				free(memory);
			}
			b.data[i] = was;
		}
		buf_fini(&b);
	}
}

TEST(random_garbage_is_refused)
{
	uint64_t x = 42;

	for (int round = 0; round < 20000; round++) {
		struct auth_frame f;
		char bytes[200];
		size_t n = (size_t)round % sizeof(bytes);

		for (size_t i = 0; i < n; i++) {
			x = x * 6364136223846793005u + 1442695040888963407u;
			bytes[i] = (char)(x >> 56);
		}
		if (n > 1) {
			bytes[0] = 2; /* the version, so that it comes further */
			bytes[1] = (char)(round % (AUTH_FRAME_COUNT + 2));
		}
		if (auth_wire_decode(slice_make(bytes, n), &room, &f))
			assert_true(f.kind < AUTH_FRAME_COUNT);
	}
}

static char long_text[AUTH_WIRE_DATA_MAX + 2];

TEST(what_is_too_long_is_not_sent)
{
	struct auth_frame f, got;
	struct buf b = BUF_INIT(AUTH_WIRE_MAX);

	memset(long_text, 'x', sizeof(long_text) - 1);
	f = full_frame(AUTH_FRAME_START);
	f.mech = long_text;
	assert_false(auth_wire_encode(&f, &b));
	assert_int_equal(b.len, 0);
	f = full_frame(AUTH_FRAME_START);
	f.data = slice_make(long_text, AUTH_WIRE_DATA_MAX + 1);
	assert_false(auth_wire_encode(&f, &b));
	f = full_frame(AUTH_FRAME_RESOLVED);
	f.final_count = AUTH_WIRE_FINALS + 1;
	assert_false(auth_wire_encode(&f, &b));
	f = full_frame(AUTH_FRAME_RESOLVED);
	f.relay_count = AUTH_WIRE_FINALS + 1;
	assert_false(auth_wire_encode(&f, &b));
	f = full_frame(AUTH_FRAME_START); /* for the log: cut */
	f.session = long_text;
	f.peer = long_text;
	assert_true(auth_wire_encode(&f, &b));
	assert_true(auth_wire_decode(buf_slice(&b), &room, &got));
	assert_int_equal(strlen(got.session), 64);
	buf_fini(&b);
}

TEST(as_many_targets_as_are_allowed_fit_with_names_of_common_length)
{
	struct auth_frame f = full_frame(AUTH_FRAME_RESOLVED), got;
	struct buf b = BUF_INIT(AUTH_WIRE_MAX);
	static struct auth_final many[AUTH_WIRE_FINALS];
	char name[128 + 1];

	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	f.finals = many;
	f.final_count = AUTH_WIRE_FINALS;
	for (size_t i = 0; i < AUTH_WIRE_FINALS; i++)
		many[i] = (struct auth_final){ name, "detail", "store" };
	assert_true(auth_wire_encode(&f, &b));
	assert_true(auth_wire_decode(buf_slice(&b), &room, &got));
	assert_int_equal(got.final_count, AUTH_WIRE_FINALS);
	test_eq_str("last", got.finals[AUTH_WIRE_FINALS - 1].user, name);
	buf_clear(&b);
	for (size_t i = 0; i < AUTH_WIRE_FINALS; i++)
		many[i] = (struct auth_final){ name, name, name };
	assert_false(auth_wire_encode(&f, &b)); /* which is AUTH_TEMP then */
	buf_fini(&b);
}
