/*
 * metrics_http - GET /metrics for scrapers: HTTP/1.0, one request per connection (RFC
 * 9112 sections 2 and 3 as far as that needs it).
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/xalloc.h"
#include "link/link.h"
#include "log/log.h"
#include "svc/svc_impl.h"

#define HEAD_MAX 8192
#define CONNECTIONS_MAX 64
#define DEADLINE_MS 10000
#define TEXT_MAX ((size_t)16 << 20)

static const struct link_limits limits = {
	.input_bytes = HEAD_MAX,
	.output_high = 1 << 20,
	.output_low = 65536,
	.output_max = TEXT_MAX + 4096,
};

struct scrape {
	struct link *link;
	unsigned *open;
};

/* ---- the answer ---------------------------------------------------------------------------- */

static void
answer(struct buf *out, const char *status, const char *type, struct slice body, bool with_body)
{
	buf_printf(out,
	           "HTTP/1.0 %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n"
	           "Connection: close\r\n\r\n",
	           status, type, body.n);
	if (with_body)
		buf_add_slice(out, body);
}

static const char plain[] = "text/plain; charset=utf-8";

/* request-line = method SP request-target SP HTTP-version */
void
svc_metrics_answer(struct slice head, struct buf *out)
{
	struct slice line = slice_cut(&head, '\n'), rest = slice_trim(line);
	struct slice method = slice_cut(&rest, ' '), target = slice_cut(&rest, ' ');
	struct slice path = slice_cut(&target, '?');
	bool is_head = slice_eq(method, SLICE("HEAD"));
	struct buf text = BUF_INIT(TEXT_MAX);

	if (path.n == 0 || !slice_starts(rest, SLICE("HTTP/1."))) {
		answer(out, "400 Bad Request", plain, SLICE("this is no HTTP request\n"), true);
	} else if (!is_head && !slice_eq(method, SLICE("GET"))) {
		answer(out, "405 Method Not Allowed", plain, SLICE("GET or HEAD only\n"), true);
	} else if (slice_eq(path, SLICE("/metrics"))) {
		metrics_print(&text);
		answer(out, "200 OK", "text/plain; version=0.0.4; charset=utf-8", buf_slice(&text),
		       !is_head);
	} else {
		answer(out, "404 Not Found", plain, SLICE("what there is, is at /metrics\n"),
		       !is_head);
	}
	buf_fini(&text);
}

/* ---- connections ---------------------------------------------------------------------------- */

static void
scrape_end(struct scrape *s)
{
	(*s->open)--;
	link_end(&s->link);
	free(s);
}

static size_t
on_input(void *core, struct slice in)
{
	struct scrape *s = core;
	size_t end =
		MIN(slice_find_slice(in, SLICE("\r\n\r\n")), slice_find_slice(in, SLICE("\n\n")));

	if (end == in.n && in.n < HEAD_MAX)
		return 0;
	if (end == in.n)
		answer(link_out(s->link), "431 Request Header Fields Too Large", plain,
		       SLICE("the request is too long\n"), true);
	else
		svc_metrics_answer(slice_sub(in, 0, end), link_out(s->link));
	scrape_end(s);
	return 0;
}

static void
on_deadline(void *core)
{
	scrape_end(core);
}

static void
on_closed(void *core, UNUSED enum conn_end why)
{
	scrape_end(core);
}

static const struct link_ops ops = {
	.input = on_input,
	.deadline = on_deadline,
	.closed = on_closed,
};

static void
on_accept(void *ctx, struct conn **c)
{
	unsigned *open = ctx;
	struct scrape *s;

	if (*open == CONNECTIONS_MAX) {
		conn_free(c);
		return;
	}
	s = xcalloc(1, sizeof(*s));
	s->open = open;
	(*open)++;
	s->link = link_new(c, &ops, s, &limits);
	link_set_deadline(s->link, DEADLINE_MS);
}

/* ---- the process -------------------------------------------------------------------------------- */

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

int
svc_metrics_serve(const struct svc_sockets *sockets, const sigset_t *mask)
{
	struct loop *loop = loop_new();
	struct signal_watch *term = signal_watch_new(loop, SIGTERM, on_term, loop);
	struct signal_watch *usr1 = signal_watch_new(loop, SIGUSR1, on_usr1, loop);
	struct listener **listeners = xcalloc(MAX(sockets->count, 1), sizeof(*listeners));
	unsigned open = 0;

	for (size_t i = 0; i < sockets->count; i++)
		listeners[i] = listener_new(loop, sockets->items[i].fd, on_accept, &open);
	(void)sigprocmask(SIG_SETMASK, mask, NULL);
	loop_run(loop);
	for (size_t i = 0; i < sockets->count; i++)
		listener_free(&listeners[i]);
	free(listeners);
	signal_watch_free(&term);
	signal_watch_free(&usr1);
	loop_free(&loop);
	return 0;
}
