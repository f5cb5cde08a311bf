/*
 * master - the connection to the location master: dialled again whenever it breaks, and then the lists
 * are compared before anything else is asked (cluster.h, invariant 2).
 */
#include "base/xalloc.h"
#include "cluster/cluster_impl.h"
#include "location/location.h"
#include "log/log.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DIAL_MS 5000

struct metric cluster_metrics[CLUSTER_M_COUNT] = {
	[CLUSTER_M_CONNECTED] = METRIC_GAUGE("roost_store_master_connected", NULL,
	                                     "1 while the location master is reached."),
	[CLUSTER_M_CONFLICTS] = METRIC_GAUGE("roost_store_name_conflicts", NULL,
	                                     "Mailboxes here whose names another store holds."),
	[CLUSTER_M_UNKNOWN] =
		METRIC_GAUGE("roost_store_names_unknown", NULL,
	                     "Names the master has here and this store does not know; more than "
	                     "the guard lets go."),
};

/* ---- requests and their answers ---------------------------------------------------------------- */

void
cluster_expect(struct cluster *c, uint64_t id, cluster_req_fn *fn, void *ctx, size_t index)
{
	struct cluster_req *r = xcalloc(1, sizeof(*r));

	r->id = id;
	r->fn = fn;
	r->ctx = ctx;
	r->index = index;
	list_add_tail(&c->reqs, &r->link);
}

/* From the first question, and anew with each answer and record: neither what is asked meanwhile
 * nor bytes that come to nothing make a master that hangs look alive. */
static void
set_deadline(struct cluster *c)
{
	bool waits = !list_is_empty(&c->reqs);

	if (!waits)
		link_set_deadline(c->wire, 0);
	else if (c->heard || !c->waits)
		link_set_deadline(c->wire, c->conf.answer_ms);
	c->waits = waits;
	c->heard = false;
}

void
cluster_flush(struct cluster *c)
{
	if (c->wire == NULL)
		return;
	set_deadline(c);
	link_flush(c->wire);
}

static void
on_done(void *ctx, uint64_t id, const struct mupdate_answer *a)
{
	struct cluster *c = ctx;
	struct cluster_req *r;

	if (c->broken)
		return;
	c->heard = true;
	/* Nearly always the first. */
	LIST_EACH (r, &c->reqs, struct cluster_req, link) {
		if (r->id != id)
			continue;
		list_del(&r->link);
		r->fn(c, r, a);
		free(r);
		return;
	}
}

static void
drop_requests(struct cluster *c)
{
	struct cluster_req *r;

	LIST_EACH (r, &c->reqs, struct cluster_req, link) {
		list_del(&r->link);
		free(r);
	}
}

/* ---- small things for the others ----------------------------------------------------------------- */

struct slice
cluster_fields(struct buf *out, const struct names_entry *e)
{
	char id[17];
	struct location loc = {
		.special_use = e->special_use,
		.uidvalidity = e->uidvalidity,
		.claim = e->claim,
	};

	snprintf(id, sizeof(id), "%" PRIx64, e->mbox_id);
	if (e->mbox_id != 0)
		loc.mbox_id = slice_of(id);
	location_fields_add(out, &loc);
	return buf_slice(out);
}

static void
on_claim(UNUSED void *ctx, UNUSED enum mbox_result result)
{
	/* A claim that could not be written is given again by the next answer. */
}

void
cluster_take_claim(struct cluster *c, struct slice name, uint64_t have, uint64_t claim)
{
	if (claim == 0 || claim == have)
		return;
	log_info(NULL, "cluster.claim mbox=%s claim=%" PRIu64, log_esc_slice(name), claim);
	(void)store_set_claim(c->conf.store, name, claim, on_claim, NULL);
}

bool
cluster_is_conflict(const struct cluster *c, const struct mupdate_answer *a)
{
	/* Plain RFC 3656 has no codes, and no other reason. */
	return a->status == MUPDATE_NO &&
	       (a->code == MUPDATE_CODE_EXISTS || (a->code == MUPDATE_CODE_NONE && !c->extended));
}

void
cluster_set_conflict(struct cluster *c, struct slice name, bool conflict)
{
	bool known = map_get(c->conflicts, name) != NULL;

	if (conflict == known)
		return;
	if (conflict)
		(void)map_set(c->conflicts, name, c);
	else
		(void)map_del(c->conflicts, name);
	if (conflict)
		log_error(NULL,
		          "cluster.conflict mbox=%s reason=\"another store has the name; roostctl "
		          "mailbox where says which: delete or rename one of the two\"",
		          log_esc_slice(name));
	store_set_conflict(c->conf.store, name, conflict);
	metrics_set(&cluster_metrics[CLUSTER_M_CONFLICTS], map_count(c->conflicts));
}

void
cluster_again(struct cluster *c)
{
	if (!timer_is_set(&c->again))
		timer_set(&c->again, c->conf.again_ms);
}

static void
on_again(void *ctx)
{
	struct cluster *c = ctx;
	bool force = c->force_again;

	c->force_again = false;
	(void)cluster_force(c, force);
}

/* ---- the connection's end -------------------------------------------------------------------------- */

void
cluster_break(struct cluster *c, const char *why)
{
	c->broken = true;
	err_set(&c->why, "%s", why);
}

static void
disconnect(struct cluster *c, const char *why, bool denied)
{
	if (why != c->why.text)
		err_set(&c->why, "%s", why);
	/* Once for each reason, not at each attempt. */
	if (strcmp(c->why.text, c->logged.text) != 0)
		log_warning(NULL, "cluster.away reason=%s", log_esc(c->why.text));
	c->logged = c->why;
	if (c->wire != NULL)
		link_abort(&c->wire);
	mupdate_client_free(&c->core);
	metrics_set(&cluster_metrics[CLUSTER_M_CONNECTED], 0);
	c->ready = c->in_step = c->broken = c->denied = c->waits = c->heard = false;
	timer_cancel(&c->keepalive);
	timer_cancel(&c->again);
	drop_requests(c);
	reconcile_drop(c);
	timer_set(&c->retry, denied ? c->conf.retry_max_ms : c->retry_ms);
	c->retry_ms = MIN(c->retry_ms * 2, c->conf.retry_max_ms);
	cluster_ops_lost(c);
}

/* ---- connecting ------------------------------------------------------------------------------------- */

static void
on_ready(void *ctx, const struct mupdate_hello *hello)
{
	struct cluster *c = ctx;

	if (!hello->is_master) {
		cluster_break(c, "this is a replica; the setting master must name the master");
		c->denied = true;
		return;
	}
	c->ready = true;
	c->extended = hello->extended;
	if (hello->extended)
		c->term = MAX(c->term, hello->term);
	c->retry_ms = c->conf.retry_min_ms;
	c->why.text[0] = c->logged.text[0] = '\0';
	log_info(NULL, "cluster.connected master=%s term=%" PRIu64, log_esc(hello->hostname),
	         c->term);
	metrics_set(&cluster_metrics[CLUSTER_M_CONNECTED], 1);
	timer_set(&c->keepalive, c->conf.keepalive_ms);
	reconcile_start(c, false);
}

static void
on_record(void *ctx, uint64_t id, const struct mupdate_record *rec)
{
	struct cluster *c = ctx;

	c->heard = true;
	reconcile_record(c, id, rec);
	cluster_ops_record(c, id, rec);
}

static void
on_stream(UNUSED void *ctx, UNUSED uint64_t id, UNUSED bool snapshot, UNUSED const char *history,
          UNUSED uint64_t revision)
{
	/* we do not follow */
}

static void
on_starttls(void *ctx)
{
	struct cluster *c = ctx;

	link_start_tls_client(c->wire, c->conf.tls, c->tls_name);
}

static void
on_failed(void *ctx, const char *why, bool denied)
{
	struct cluster *c = ctx;

	cluster_break(c, why);
	c->denied = denied;
}

static size_t
on_input(void *ctx, struct slice in)
{
	struct cluster *c = ctx;
	size_t used = mupdate_client_input(c->core, in);

	if (c->broken)
		disconnect(c, c->why.text, c->denied);
	else if (c->ready)
		cluster_flush(c);
	return used;
}

static void
on_tls(void *ctx)
{
	struct cluster *c = ctx;

	mupdate_client_tls_started(c->core);
}

static void
on_deadline(void *ctx)
{
	disconnect(ctx, "the master does not answer", false);
}

static void
on_closed(void *ctx, enum conn_end why)
{
	disconnect(ctx, conn_end_text(why), false);
}

static void
on_dial(void *ctx, struct conn **conn, const char *why)
{
	static const struct mupdate_client_ops core_ops = { on_starttls, on_ready, on_record,
		                                            on_stream,   on_done,  on_failed };
	static const struct link_ops ops = {
		.input = on_input, .tls = on_tls, .deadline = on_deadline, .closed = on_closed
	};
	static const struct link_limits limits = { .input_bytes = 262144,
		                                   .output_high = 1u << 20,
		                                   .output_low = 65536,
		                                   .output_max = 256u << 20 };
	struct cluster *c = ctx;

	c->dial = NULL;
	if (*conn == NULL) {
		disconnect(c, why, false);
		return;
	}
	/* What the network holds back of this connection must not come behind what is asked on the
	 * next one: a DELETE, of a name that is in use again by then. */
	conn_end_by_reset(*conn);
	c->wire = link_new(conn, &ops, c, &limits);
	c->core_conf = (struct mupdate_client_conf){
		.user = c->user,
		.secret = c->secret,
		.want_tls = c->conf.tls != NULL,
		.want_extension = true,
		.cluster = c->cluster_id,
		.term = c->term,
	};
	c->core = mupdate_client_new(&c->core_conf, &core_ops, c, link_out(c->wire));
	link_set_deadline(c->wire, c->conf.answer_ms);
}

static void
on_retry(void *ctx)
{
	struct cluster *c = ctx;

	c->dial = dial_start(c->conf.loop, &c->conf.master, DIAL_MS, on_dial, c);
}

static void
on_noop(UNUSED struct cluster *c, UNUSED struct cluster_req *r,
        UNUSED const struct mupdate_answer *a)
{
	/* it is alive */
}

static void
on_keepalive(void *ctx)
{
	struct cluster *c = ctx;

	timer_set(&c->keepalive, c->conf.keepalive_ms);
	if (!list_is_empty(&c->reqs))
		return;
	cluster_expect(c, mupdate_client_noop(c->core), on_noop, NULL, 0);
	cluster_flush(c);
}

/* ---- from outside ------------------------------------------------------------------------------------ */

struct cluster *
cluster_new(const struct cluster_config *cfg)
{
	struct cluster *c = xcalloc(1, sizeof(*c));
	struct buf place = BUF_INIT(LOCATION_PLACE_MAX);

	c->names.ops = &cluster_ops;
	c->conf = *cfg;
	c->server = xstrdup(cfg->server);
	c->partition = xstrdup(cfg->partition);
	c->cluster_id = xstrdup(cfg->cluster_id);
	c->user = xstrdup(cfg->user);
	c->secret = xstrdup(cfg->secret);
	if (cfg->tls_name != NULL)
		c->tls_name = xstrdup(cfg->tls_name);
	buf_printf(&place, "%s!%s", c->server, c->partition);
	c->place = buf_steal_cstr(&place);
	c->retry_ms = cfg->retry_min_ms;
	err_set(&c->why, "connecting");
	list_init(&c->reqs);
	list_init(&c->ops);
	list_init(&c->held);
	list_init(&c->late);
	list_init(&c->rec.todo);
	c->conflicts = map_new();
	timer_init(&c->retry, cfg->loop, on_retry, c);
	timer_init(&c->keepalive, cfg->loop, on_keepalive, c);
	timer_init(&c->again, cfg->loop, on_again, c);
	on_retry(c);
	return c;
}

void
cluster_free(struct cluster **cp)
{
	struct cluster *c = *cp;

	if (c == NULL)
		return;
	dial_cancel(&c->dial);
	if (c->wire != NULL)
		link_abort(&c->wire);
	mupdate_client_free(&c->core);
	drop_requests(c);
	reconcile_drop(c);
	cluster_ops_drop(c);
	map_free(&c->conflicts);
	timer_fini(&c->retry);
	timer_fini(&c->keepalive);
	timer_fini(&c->again);
	loop_forget(c->conf.loop, c);
	secret_wipe(c->secret, strlen(c->secret));
	free(c->secret);
	free(c->user);
	free(c->server);
	free(c->partition);
	free(c->cluster_id);
	free(c->tls_name);
	free(c->place);
	free(c);
	*cp = NULL;
}

struct names *
cluster_names(struct cluster *c)
{
	return &c->names;
}

void
cluster_get_status(const struct cluster *c, struct cluster_status *st_r)
{
	*st_r = (struct cluster_status){
		.connected = c->ready,
		.in_step = c->in_step,
		.conflicts = map_count(c->conflicts),
		.unknown = c->unknown,
		.term = c->term,
		.why = c->why.text,
	};
}

bool
cluster_force(struct cluster *c, bool force)
{
	if (!c->ready)
		return false;
	if (c->rec.running) {
		c->force_again = c->force_again || force;
		cluster_again(c);
		return true;
	}
	reconcile_start(c, force);
	cluster_flush(c);
	return true;
}

bool
cluster_plan(struct cluster *c, bool force, cluster_plan_fn *fn, void *ctx)
{
	if (!c->ready || c->rec.running)
		return false;
	reconcile_plan(c, force, fn, ctx);
	cluster_flush(c);
	return true;
}
