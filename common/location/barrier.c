#include "location/barrier.h"

#include "base/clock.h"
#include "base/list.h"
#include "base/num.h"
#include "base/xalloc.h"
#include "link/link.h"
#include "net/dial.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define LINE_MAX_BYTES 64

struct waiter {
	struct list link;
	uint64_t id;
	uint64_t deadline_ms;
	barrier_fn *fn;
	void *ctx;
};

struct barrier {
	struct loop *loop;
	const char *path;
	uint64_t deadline_ms;
	struct dial *dial;
	struct link *link; /* NULL: not connected */
	uint64_t next_id;
	uint64_t question;  /* under way; 0: none */
	struct list asked;  /* wait for its answer; older than those in next */
	struct list next;   /* came after it was sent */
	struct list ready;  /* being answered */
	struct timer timer; /* the first deadline */
};

/* ---- answering ------------------------------------------------------------------------ */

static void
timer_update(struct barrier *b)
{
	struct waiter *w = LIST_FIRST(&b->asked, struct waiter, link);
	uint64_t now = clock_mono_ms();

	if (w == NULL)
		w = LIST_FIRST(&b->next, struct waiter, link);
	if (w == NULL)
		timer_cancel(&b->timer);
	else
		timer_set(&b->timer, w->deadline_ms > now ? w->deadline_ms - now : 0);
}

static void
waiter_answer(struct waiter *w, enum barrier_result result)
{
	barrier_fn *fn = w->fn;
	void *ctx = w->ctx;

	list_del(&w->link);
	free(w);
	fn(ctx, result);
}

static void
move_all(struct list *from, struct list *to)
{
	struct waiter *w;

	LIST_EACH (w, from, struct waiter, link) {
		list_del(&w->link);
		list_add_tail(to, &w->link);
	}
}

/* A waiter's function may cancel another one or wait again: each is fetched anew. */
static void
answer_ready(struct barrier *b, enum barrier_result result)
{
	struct waiter *w;

	while ((w = LIST_FIRST(&b->ready, struct waiter, link)) != NULL)
		waiter_answer(w, result);
}

static void
on_timer(void *ctx)
{
	struct barrier *b = ctx;
	uint64_t now = clock_mono_ms();

	for (;;) {
		struct waiter *w = LIST_FIRST(&b->asked, struct waiter, link);

		if (w == NULL)
			w = LIST_FIRST(&b->next, struct waiter, link);
		if (w == NULL || w->deadline_ms > now)
			break;
		waiter_answer(w, BARRIER_LATE);
	}
	timer_update(b);
}

/* ---- the connection --------------------------------------------------------------------- */

static void
ask(struct barrier *b)
{
	if (b->link == NULL || b->question != 0 || list_is_empty(&b->next))
		return;
	move_all(&b->next, &b->asked);
	b->question = b->next_id++;
	buf_printf(link_out(b->link), "B %" PRIu64 "\n", b->question);
	link_flush(b->link);
}

/* Nobody to ask: what waits is late now, not at its deadline. */
static void
give_up(struct barrier *b)
{
	b->question = 0;
	move_all(&b->asked, &b->ready);
	move_all(&b->next, &b->ready);
	answer_ready(b, BARRIER_LATE);
	timer_update(b);
}

/* "OK <id> <revision>", "LATE <id>". False: nonsense. */
static bool
on_line(struct barrier *b, struct slice line)
{
	struct slice word = slice_cut(&line, ' '), number = slice_cut(&line, ' ');
	bool ok = slice_eq_str(word, "OK");
	uint64_t id;

	if ((!ok && !slice_eq_str(word, "LATE")) || !num_parse_u64(number, UINT64_MAX, &id) ||
	    id != b->question)
		return false;
	b->question = 0;
	move_all(&b->asked, &b->ready);
	answer_ready(b, ok ? BARRIER_OK : BARRIER_LATE);
	ask(b);
	timer_update(b);
	return true;
}

static size_t
on_input(void *ctx, struct slice in)
{
	struct barrier *b = ctx;
	size_t end = slice_find(in, '\n');

	if (end < in.n && on_line(b, slice_sub(in, 0, end)))
		return end + 1;
	if (end < in.n || in.n > LINE_MAX_BYTES) {
		link_abort(&b->link);
		give_up(b);
	}
	return 0;
}

static void
on_closed(void *ctx, enum conn_end why)
{
	struct barrier *b = ctx;

	link_abort(&b->link);
	give_up(b);
}

static void
on_dial(void *ctx, struct conn **c, const char *why)
{
	static const struct link_ops ops = { .input = on_input, .closed = on_closed };
	struct barrier *b = ctx;

	b->dial = NULL;
	if (*c == NULL) {
		give_up(b);
		return;
	}
	b->link = link_new(c, &ops, b, NULL);
	ask(b);
}

static void
connect_start(struct barrier *b)
{
	struct addr to;

	/* A path that is none is found when the settings are read; here it is just late. */
	if (addr_parse(slice_of(b->path), 0, &to, NULL))
		b->dial = dial_start(b->loop, &to, b->deadline_ms, on_dial, b);
}

/* ---- the callers' side --------------------------------------------------------------------- */

struct barrier *
barrier_new(struct loop *l, const char *socket_path, uint64_t deadline_ms)
{
	struct barrier *b = xcalloc(1, sizeof(*b));

	b->loop = l;
	b->path = socket_path;
	b->deadline_ms = deadline_ms;
	b->next_id = 1;
	list_init(&b->asked);
	list_init(&b->next);
	list_init(&b->ready);
	timer_init(&b->timer, l, on_timer, b);
	return b;
}

void
barrier_free(struct barrier **bp)
{
	struct barrier *b = *bp;
	struct waiter *w;

	if (b == NULL)
		return;
	dial_cancel(&b->dial);
	if (b->link != NULL)
		link_abort(&b->link);
	LIST_EACH (w, &b->asked, struct waiter, link)
		free(w);
	LIST_EACH (w, &b->next, struct waiter, link)
		free(w);
	timer_fini(&b->timer);
	free(b);
	*bp = NULL;
}

uint64_t
barrier_wait(struct barrier *b, barrier_fn *fn, void *ctx)
{
	struct waiter *w = xcalloc(1, sizeof(*w));

	w->id = b->next_id++;
	w->deadline_ms = clock_mono_ms() + b->deadline_ms;
	w->fn = fn;
	w->ctx = ctx;
	list_add_tail(&b->next, &w->link);
	timer_update(b);
	if (b->link == NULL && b->dial == NULL)
		connect_start(b);
	ask(b);
	return w->id;
}

static bool
cancel_in(struct list *waiters, uint64_t id)
{
	struct waiter *w;

	LIST_EACH (w, waiters, struct waiter, link) {
		if (w->id != id)
			continue;
		list_del(&w->link);
		free(w);
		return true;
	}
	return false;
}

void
barrier_cancel(struct barrier *b, uint64_t id)
{
	if (!cancel_in(&b->asked, id) && !cancel_in(&b->next, id))
		(void)cancel_in(&b->ready, id);
}
