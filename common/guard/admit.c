/*
 * A fresh connection waits here for its verdict: nothing of it is read meanwhile (on a port of
 * implicit TLS it has begun its handshake), and it has no session yet.
 */
#include <stdlib.h>

#include "base/xalloc.h"
#include "guard/guard_ask.h"
#include "log/log.h"

#define GOODBYE_MS 2000

struct waiting {
	struct list link;
	struct guard *guard;
	struct conn *conn;
	uint64_t id;
	const char *refusal;
	listener_fn *fn;
	void *ctx;
};

static void
refuse(struct conn **c, const char *refusal, enum limit_verdict v)
{
	char peer[ADDR_TEXT_LEN];

	log_info(NULL, "limit.refused peer=%s reason=%s", addr_host_text(conn_peer(*c), peer),
	         limit_verdict_name(v));
	conn_write(*c, slice_of(refusal));
	conn_finish(c, GOODBYE_MS);
}

static void
on_verdict(void *ctx, UNUSED uint64_t id, const struct guard_answer *a)
{
	struct waiting w = *(struct waiting *)ctx, *old = ctx;

	list_del(&old->link);
	free(old);
	conn_resume_input(w.conn);
	if (a->verdict != LIMIT_OK)
		refuse(&w.conn, w.refusal, a->verdict);
	else
		w.fn(w.ctx, &w.conn);
}

void
guard_admit(struct guard *g, struct conn **c, const char *refusal, listener_fn *fn, void *ctx)
{
	char prefix[GUARD_PREFIX_MAX];
	struct guard_lease *lease;
	struct waiting *w;
	struct guard_frame f = { .kind = GUARD_OPEN };

	guard_prefix(g, conn_peer(*c), prefix);
	if (prefix[0] == '\0') {
		fn(ctx, c);
		return;
	}
	lease = guard_lease_new(g, prefix);
	conn_set_note(*c, lease, guard_lease_end);
	conn_pause_input(*c);
	w = xcalloc(1, sizeof(*w));
	*w = (struct waiting){ .guard = g, .conn = *c, .refusal = refusal, .fn = fn, .ctx = ctx };
	*c = NULL;
	list_add_tail(guard_waiting(g), &w->link);
	f.lease = lease->number;
	f.address = prefix;
	w->id = guard_ask(g, &f, on_verdict, w);
}

void
guard_admit_free_all(struct list *waiting)
{
	struct waiting *w;

	while ((w = LIST_FIRST(waiting, struct waiting, link)) != NULL) {
		guard_cancel(w->guard, w->id);
		conn_free(&w->conn);
		list_del(&w->link);
		free(w);
	}
}
