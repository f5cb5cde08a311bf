/* The parts of svc that need no process: the channel, the answers to scrapers, paths. */
#include <stdio.h>

#include "lib/test.h"
#include "svc/svc_impl.h"

/* ---- the channel ------------------------------------------------------------------------- */

TEST(frames_come_out_as_they_went_in_at_every_split)
{
	struct buf b = BUF_INIT(4096);
	struct slice all, payload;
	enum svc_msg type;
	size_t used, first;

	svc_frame_add(&b, SVC_MSG_FAILED, SLICE("because"));
	first = b.len;
	svc_frame_add(&b, SVC_MSG_PING, SLICE(""));
	all = buf_slice(&b);
	for (size_t n = 0; n < first; n++)
		assert_int_equal(svc_frame_next(slice_sub(all, 0, n), &type, &payload, &used), 0);
	for (size_t n = first; n <= all.n; n++) {
		assert_int_equal(svc_frame_next(slice_sub(all, 0, n), &type, &payload, &used), 1);
		assert_int_equal(type, SVC_MSG_FAILED);
		test_eq_slice("payload", payload, SLICE("because"));
		assert_int_equal(used, first);
	}
	assert_int_equal(svc_frame_next(slice_skip(all, first), &type, &payload, &used), 1);
	assert_int_equal(type, SVC_MSG_PING);
	assert_int_equal(payload.n, 0);
	buf_fini(&b);
}

TEST(a_frame_has_a_limit)
{
	enum svc_msg type;
	struct slice payload;
	size_t used;

	assert_int_equal(svc_frame_next(SLICE("\xff\xff\xff\xff\x01"), &type, &payload, &used), -1);
	assert_int_equal(svc_frame_next(SLICE("\x01\x00\x40\x00\x01"), &type, &payload, &used), -1);
	assert_int_equal(svc_frame_next(SLICE("\x00\x00\x40\x00\x01"), &type, &payload, &used), 0);
}

/* ---- metrics ------------------------------------------------------------------------------- */

static const struct http_case {
	const char *name, *head, *status;
	bool body;
} http_cases[] = {
	{ "a scraper gets the metrics", "GET /metrics HTTP/1.1\r\nHost: x", "200", true },
	{ "a query is ignored", "GET /metrics?x=y HTTP/1.0", "200", true },
	{ "a bare LF ends a line", "GET /metrics HTTP/1.0\nHost: x", "200", true },
	{ "HEAD has no body", "HEAD /metrics HTTP/1.1", "200", false },
	{ "another path is not there", "GET / HTTP/1.1", "404", true },
	{ "another method is not allowed", "POST /metrics HTTP/1.1", "405", true },
	{ "another version is refused", "GET /metrics HTTP/2.0", "400", true },
	{ "no version is refused", "GET /metrics", "400", true },
	{ "nothing is refused", "", "400", true },
	{ "TLS is refused", "\x16\x03\x01\x02", "400", true },
};

TEST(scrapers_are_answered)
{
	for (size_t i = 0; i < ARRAY_LEN(http_cases); i++) {
		const struct http_case *c = &http_cases[i];
		struct buf out = BUF_INIT(65536);
		char want[40];
		struct slice rest;
		size_t end;

		svc_metrics_answer(slice_of(c->head), &out);
		snprintf(want, sizeof(want), "HTTP/1.0 %s ", c->status);
		rest = buf_slice(&out);
		test_check(slice_starts(rest, slice_of(want)), "%s: %s", c->name, buf_cstr(&out));
		end = slice_find_slice(rest, SLICE("\r\n\r\n"));
		test_check(end < rest.n, "%s: the head does not end", c->name);
		/* nothing is registered here, so that the metrics are an empty text */
		if (!c->body || c->status[0] == '2')
			test_check(rest.n == end + 4, "%s: a body", c->name);
		else
			test_check(rest.n > end + 4, "%s: no body", c->name);
		buf_fini(&out);
	}
}

/* ---- paths ------------------------------------------------------------------------------------ */

TEST(control_sockets_have_their_names)
{
	char path[SVC_PATH_LEN], dir[SVC_PATH_LEN + 1];

	assert_true(svc_ctl_path("/run/roost", "roost-imap", NULL, 0, path));
	test_eq_str("worker 0", path, "/run/roost/roost-imap.ctl");
	assert_true(svc_ctl_path("/run/roost", "roost-imap", NULL, 3, path));
	test_eq_str("worker 3", path, "/run/roost/roost-imap.3.ctl");
	assert_true(svc_ctl_path("/run/roost", "roost-store", "s1", 0, path));
	test_eq_str("an instance", path, "/run/roost/roost-store-s1.ctl");
	memset(dir, 'x', sizeof(dir) - 1);
	dir[sizeof(dir) - 1] = '\0';
	assert_false(svc_ctl_path(dir, "roost-imap", NULL, 0, path));
}
