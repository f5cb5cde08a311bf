#include "replica_impl.h"

#include "base/clock.h"
#include "base/xalloc.h"
#include "log/log.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define DIAL_MS 5000
#define SETUP_MS 30000
#define LOSS_RETRY_MS 60000 /* invariant 5: it is long to read, and not wanted soon */
#define CHECK_MS 1000
#define CHECK_ROWS 20000 /* a few milliseconds */
#define NO_HISTORY "00000000000000000000000000000000"

struct waiter {
	struct list link;
	uint64_t id;
	service_barrier_done_fn *fn;
	void *ctx;
};

void
replica_break(struct replica *r, const char *why)
{
	r->broken = true;
	err_set(&r->why, "%s", why);
}

/* ---- barriers ---------------------------------------------------------------------------------- */

/* A waiter's function may cancel another one: each is fetched anew. */
static void
answer_all(struct list *waiters, bool ok)
{
	struct waiter *w;

	while ((w = LIST_FIRST(waiters, struct waiter, link)) != NULL) {
		service_barrier_done_fn *fn = w->fn;
		void *ctx = w->ctx;

		list_del(&w->link);
		free(w);
		fn(ctx, ok);
	}
}

static void
ask(struct replica *r)
{
	struct waiter *w;

	if (!r->following || r->noop_id != 0)
		return;
	LIST_EACH (w, &r->next, struct waiter, link) {
		list_del(&w->link);
		list_add_tail(&r->asked, &w->link);
	}
	r->noop_id = mupdate_client_noop(r->core);
	link_set_deadline(r->wire, r->conf.answer_ms);
	link_flush(r->wire);
	timer_cancel(&r->keepalive);
}

static void
on_late(void *ctx)
{
	struct replica *r = ctx;

	r->late_deferred = false;
	if (!r->following)
		answer_all(&r->next, false);
}

uint64_t
replica_barrier(void *ctx, service_barrier_done_fn *fn, void *fn_ctx)
{
	struct replica *r = ctx;
	struct waiter *w = xcalloc(1, sizeof(*w));

	w->id = ++r->next_id;
	w->fn = fn;
	w->ctx = fn_ctx;
	list_add_tail(&r->next, &w->link);
	if (r->following) {
		ask(r);
	} else if (!r->late_deferred) {
		r->late_deferred = true;
		loop_defer(r->conf.loop, on_late, r);
	}
	return w->id;
}

static void
cancel_in(struct list *waiters, uint64_t id)
{
	struct waiter *w;

	LIST_EACH (w, waiters, struct waiter, link) {
		if (w->id != id)
			continue;
		list_del(&w->link);
		free(w);
	}
}

void
replica_barrier_cancel(void *ctx, uint64_t id)
{
	struct replica *r = ctx;

	cancel_in(&r->asked, id);
	cancel_in(&r->next, id);
}

/* ---- the connection's end ------------------------------------------------------------------------ */

void
replica_disconnect(struct replica *r, const char *why, bool denied)
{
	if (why != r->why.text)
		err_set(&r->why, "%s", why);
	log_warning(NULL, "replica.away reason=%s retry_ms=%" PRIu64, log_esc(r->why.text),
	            r->retry_ms);
	mapdb_collect_drop(r->conf.db);
	if (r->wire != NULL)
		link_abort(&r->wire);
	mupdate_client_free(&r->core);
	timer_cancel(&r->keepalive);
	r->following = false;
	r->noop_id = 0;
	replica_list_commit(r);
	replica_list_mend(r);
	timer_set(&r->retry, r->has_loss ? LOSS_RETRY_MS
	                     : denied    ? r->conf.retry_max_ms
	                                 : r->retry_ms);
	r->broken = r->denied = r->has_loss = false;
	r->retry_ms = MIN(r->retry_ms * 2, r->conf.retry_max_ms);
	answer_all(&r->asked, false);
	answer_all(&r->next, false);
}

/* ---- following -------------------------------------------------------------------------------------- */

static void
start_following(struct replica *r)
{
	struct err err = { "" };

	if (!replica_list_is_announced(r) || !replica_list_check_loss(r))
		return;
	if (replica_list_take(r, &err) == -1) {
		log_error(NULL, "replica.write error=%s", log_esc(err.text));
		replica_break(r, err.text);
		return;
	}
	r->following = true;
	r->retry_ms = r->conf.retry_min_ms;
	r->why.text[0] = '\0';
	log_info(NULL,
	         "replica.following history=%s revision=%" PRIu64 " names=%" PRIu64
	         " took=\"%s\" ms=%" PRIu64,
	         mapdb_info(r->conf.db)->history, mapdb_info(r->conf.db)->revision,
	         mapdb_count(r->conf.db),
	         r->snapshot || !r->extended ? "the whole list" : "the difference",
	         clock_mono_ms() - r->dialled_ms);
	service_kick(r->conf.service);
	timer_set(&r->keepalive, r->conf.keepalive_ms);
	if (!list_is_empty(&r->next))
		ask(r);
}

static void
on_noop_done(struct replica *r)
{
	r->noop_id = 0;
	if (!replica_list_begin(r))
		return;
	replica_list_set_heard(r);
	replica_list_commit(r);
	if (r->broken)
		return;
	link_set_deadline(r->wire, 0);
	timer_set(&r->keepalive, r->conf.keepalive_ms);
	answer_all(&r->asked, true);
	if (!list_is_empty(&r->next))
		ask(r);
}

static void
on_done(void *ctx, uint64_t id, const struct mupdate_answer *answer)
{
	struct replica *r = ctx;

	if (r->broken)
		return;
	r->heard = true;
	if (answer->status != MUPDATE_OK) {
		r->broken = true;
		err_set(&r->why, "the master says: %.*s", SLICE_ARG(answer->text));
	} else if (id == r->update_id) {
		start_following(r);
	} else if (id == r->noop_id) {
		on_noop_done(r);
	}
}

/* ---- connecting ------------------------------------------------------------------------------------- */

static void
on_ready(void *ctx, const struct mupdate_hello *hello)
{
	struct replica *r = ctx;
	const struct mapdb_info *info = mapdb_info(r->conf.db);
	bool known = info->state == LOCATION_MAP_COMPLETE && info->history[0] != '\0';

	r->extended = hello->extended;
	r->term = hello->extended ? hello->term : 0;
	r->announced = false;
	r->heard = true;
	r->history[0] = '\0';
	r->revision = 0;
	if (!hello->extended)
		replica_list_collect(r);
	r->update_id = mupdate_client_update(r->core, known ? info->history : NO_HISTORY,
	                                     known ? info->revision : 0);
}

static void
on_starttls(void *ctx)
{
	struct replica *r = ctx;

	link_start_tls_client(r->wire, r->conf.tls, r->conf.tls_name);
}

static void
on_failed(void *ctx, const char *why, bool denied)
{
	struct replica *r = ctx;

	replica_break(r, why);
	r->denied = denied;
}

/* One that tells so many changes that the answer has to wait is not silent; one whose bytes come to
 * nothing is. */
static void
set_deadline(struct replica *r)
{
	if (!r->following)
		link_set_deadline(r->wire, SETUP_MS);
	else
		link_set_deadline(r->wire, r->noop_id == 0 ? 0 : r->conf.answer_ms);
}

static size_t
on_input(void *ctx, struct slice in)
{
	struct replica *r = ctx;
	size_t used = mupdate_client_input(r->core, in);

	if (r->broken)
		replica_disconnect(r, r->why.text, r->denied);
	else if (r->heard)
		set_deadline(r);
	r->heard = false;
	return used;
}

static void
on_tls(void *ctx)
{
	struct replica *r = ctx;

	mupdate_client_tls_started(r->core);
}

static void
on_deadline(void *ctx)
{
	replica_disconnect(ctx, "the master does not answer", false);
}

static void
on_closed(void *ctx, enum conn_end why)
{
	replica_disconnect(ctx, conn_end_text(why), false);
}

static const struct link_ops link_ops = {
	.input = on_input, .tls = on_tls, .deadline = on_deadline, .closed = on_closed
};
static const struct link_limits link_limits = {
	.input_bytes = 262144, .output_high = 65536, .output_low = 16384, .output_max = 8u << 20
};

static void
on_dial(void *ctx, struct conn **c, const char *why)
{
	static const struct mupdate_client_ops ops = {
		on_starttls, on_ready, replica_list_record, replica_list_stream, on_done, on_failed
	};
	struct replica *r = ctx;

	r->dial = NULL;
	if (*c == NULL) {
		replica_disconnect(r, why, false);
		return;
	}
	r->wire = link_new(c, &link_ops, r, &link_limits);
	r->core_conf = (struct mupdate_client_conf){
		.user = r->conf.user,
		.secret = r->conf.secret,
		.want_tls = r->conf.tls != NULL,
		.want_extension = true,
		.cluster = r->conf.cluster,
		.term = mapdb_info(r->conf.db)->term,
	};
	r->core = mupdate_client_new(&r->core_conf, &ops, r, link_out(r->wire));
	link_set_deadline(r->wire, SETUP_MS);
}

static void
replica_connect(struct replica *r)
{
	r->dialled_ms = clock_mono_ms();
	r->dial = dial_start(r->conf.loop, &r->conf.master, DIAL_MS, on_dial, r);
}

static void
on_retry(void *ctx)
{
	replica_connect(ctx);
}

static void
on_keepalive(void *ctx)
{
	ask(ctx);
}

/* Not with the keepalive, which waits while front ends ask. */
static void
on_check(void *ctx)
{
	struct replica *r = ctx;

	(void)mapdb_check_some(r->conf.db, CHECK_ROWS);
	timer_set(&r->check, CHECK_MS);
	if (!mapdb_is_damaged(r->conf.db))
		return;
	if (r->wire != NULL)
		replica_disconnect(r, "the list here is damaged", false);
	else
		replica_list_mend(r);
}

struct replica *
replica_new(const struct replica_config *c)
{
	struct replica *r = xcalloc(1, sizeof(*r));

	r->conf = *c;
	replica_list_start_age(r);
	r->conf.user = r->user = xstrdup(c->user);
	r->conf.secret = r->secret = xstrdup(c->secret);
	r->conf.cluster = r->cluster = xstrdup(c->cluster);
	if (c->tls_name != NULL)
		r->conf.tls_name = r->tls_name = xstrdup(c->tls_name);
	r->retry_ms = c->retry_min_ms;
	list_init(&r->asked);
	list_init(&r->next);
	timer_init(&r->retry, c->loop, on_retry, r);
	timer_init(&r->keepalive, c->loop, on_keepalive, r);
	timer_init(&r->check, c->loop, on_check, r);
	timer_set(&r->check, CHECK_MS);
	err_set(&r->why, "connecting");
	replica_connect(r);
	return r;
}

void
replica_free(struct replica **rp)
{
	struct replica *r = *rp;
	struct waiter *w;

	if (r == NULL)
		return;
	dial_cancel(&r->dial);
	if (r->wire != NULL)
		link_abort(&r->wire);
	mupdate_client_free(&r->core);
	mapdb_collect_drop(r->conf.db);
	replica_list_commit(r);
	LIST_EACH (w, &r->asked, struct waiter, link)
		free(w);
	LIST_EACH (w, &r->next, struct waiter, link)
		free(w);
	timer_fini(&r->retry);
	timer_fini(&r->keepalive);
	timer_fini(&r->check);
	loop_forget(r->conf.loop, r);
	secret_wipe(r->secret, strlen(r->secret));
	free(r->secret);
	free(r->user);
	free(r->cluster);
	free(r->tls_name);
	free(r);
	*rp = NULL;
}

bool
replica_is_following(const struct replica *r)
{
	return r->following;
}

uint64_t
replica_age_ms(const struct replica *r)
{
	return clock_mono_ms() - r->heard_ms + r->heard_age_ms;
}

const char *
replica_why(const struct replica *r)
{
	return r->why.text;
}
