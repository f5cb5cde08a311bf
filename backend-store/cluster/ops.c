/*
 * ops - mailbox/names.h: what the store asks about names becomes commands of MUPDATE, and their
 * answers one answer (RFC 3656 section 4). While the master is telling its list of our names
 * nothing is asked: what comes then waits for the end of it.
 */
#include "cluster/cluster_impl.h"
#include "location/location.h"
#include "log/log.h"

/* TAKE: ACTIVATE for a move; LEAVE: DEACTIVATE. */
enum op_kind { OP_RESERVE, OP_ACTIVATE, OP_RELEASE, OP_TAKE, OP_LEAVE, OP_FIND };

/* What the store asked for: all names of it together. */
struct op {
	struct list link;
	struct arena *arena;
	enum op_kind kind;
	names_fn *fn;
	void *ctx;
	names_find_fn *find;   /* FIND: in place of fn */
	struct slice where;    /* FIND: what the master says */
	struct names_entry *e; /* RELEASE, LEAVE, FIND: only names */
	bool *ok;              /* RESERVE: this one is ours now */
	size_t count;          /* of e and ok */
	size_t left;           /* answers that have not come */
	bool taken;            /* one of the names is another store's */
	bool later;            /* of one nobody can say */
	bool undoing;          /* RESERVE: what was got is being released */
};

static struct op *
op_new(enum op_kind kind, size_t count, names_fn *fn, void *ctx)
{
	struct arena *a = arena_new("cluster.op");
	struct op *op = arena_alloc(a, sizeof(*op));

	op->arena = a;
	op->kind = kind;
	op->fn = fn;
	op->ctx = ctx;
	op->count = count;
	op->e = arena_array(a, count, sizeof(*op->e));
	op->ok = arena_array(a, count, sizeof(*op->ok));
	list_init(&op->link);
	return op;
}

static void
op_free(struct op *op)
{
	struct arena *a = op->arena;

	list_del(&op->link);
	arena_free(&a);
}

static void
op_end(struct op *op, enum names_result result)
{
	names_fn *fn = op->fn;
	void *ctx = op->ctx;

	if (op->kind == OP_FIND)
		op->find(ctx, result, op->where);
	op_free(op);
	if (fn != NULL)
		fn(ctx, result);
}

/* ---- sending ------------------------------------------------------------------------------------- */

static cluster_req_fn on_answer;

static uint64_t
send_one(struct cluster *c, const struct op *op, const struct names_entry *e)
{
	struct buf fields = BUF_INIT(4096);
	struct slice place = slice_of(c->place), text = cluster_fields(&fields, e);
	uint64_t id = 0;

	switch (op->kind) {
	case OP_RESERVE:
		id = mupdate_client_reserve(c->core, e->name, place, text);
		break;
	case OP_ACTIVATE:
	case OP_TAKE:
		id = mupdate_client_activate(c->core, e->name, place, e->acl, text);
		break;
	case OP_RELEASE:
		id = mupdate_client_delete(c->core, e->name);
		break;
	case OP_LEAVE:
		id = mupdate_client_deactivate(c->core, e->name, place);
		break;
	case OP_FIND:
		id = mupdate_client_find(c->core, e->name);
		break;
	}
	buf_fini(&fields);
	return id;
}

static void
op_send(struct cluster *c, struct op *op)
{
	list_del(&op->link);
	list_add_tail(&c->ops, &op->link);
	op->left = op->count;
	for (size_t i = 0; i < op->count; i++)
		cluster_expect(c, send_one(c, op, &op->e[i]), on_answer, op, i);
	cluster_flush(c);
}

static void
on_late(void *ctx)
{
	struct cluster *c = ctx;
	struct op *op;

	c->late_deferred = false;
	while ((op = LIST_FIRST(&c->late, struct op, link)) != NULL)
		op_end(op, op->count == 0 ? NAMES_OK : NAMES_LATER);
}

/* Answers come later, also "later". */
static void
op_start(struct cluster *c, struct op *op)
{
	if (op->count > 0 && c->ready && !c->broken && !c->rec.listing) {
		op_send(c, op);
	} else if (op->count > 0 && c->ready && !c->broken) {
		list_add_tail(&c->held, &op->link);
	} else {
		list_add_tail(&c->late, &op->link);
		if (!c->late_deferred)
			loop_defer(c->conf.loop, on_late, c);
		c->late_deferred = true;
	}
}

/* ---- answers --------------------------------------------------------------------------------------- */

static void
op_finish(struct cluster *c, struct op *op)
{
	bool failed = op->taken || op->later;

	if (op->kind == OP_RESERVE && failed && !op->undoing) {
		op->undoing = true;
		for (size_t i = 0; i < op->count; i++) {
			if (!op->ok[i])
				continue;
			op->left++;
			cluster_expect(c, mupdate_client_delete(c->core, op->e[i].name), on_answer,
			               op, i);
		}
		if (op->left > 0)
			return;
	}
	if (op->later)
		cluster_again(c);
	op_end(op, op->taken ? NAMES_TAKEN : op->later ? NAMES_LATER : NAMES_OK);
}

static void
take_no(struct cluster *c, struct op *op, const struct names_entry *e,
        const struct mupdate_answer *a)
{
	/* that we may not have a name at all does not say that somebody has it */
	bool denied = op->kind == OP_RESERVE && a->code == MUPDATE_CODE_DENIED;

	if (op->kind == OP_LEAVE && a->status == MUPDATE_NO && a->code == MUPDATE_CODE_UNKNOWN)
		return; /* there is nothing to be left */
	log_line(denied ? LOG_ERROR : LOG_WARNING, NULL, "cluster.refused mbox=%s code=%s text=%s",
	         log_esc_slice(e->name), mupdate_code_text(a->code), log_esc_slice(a->text));
	if (a->status != MUPDATE_NO || a->code == MUPDATE_CODE_LATER || denied) {
		op->later = true;
		return;
	}
	op->taken = true;
	if (op->kind == OP_ACTIVATE && cluster_is_conflict(c, a))
		cluster_set_conflict(c, e->name, true);
}

static void
on_answer(struct cluster *c, struct cluster_req *r, const struct mupdate_answer *a)
{
	struct op *op = r->ctx;
	const struct names_entry *e = &op->e[r->index];

	op->left--;
	if (a->status == MUPDATE_OK) {
		op->ok[r->index] = true;
		if (op->kind == OP_ACTIVATE || op->kind == OP_TAKE) {
			cluster_take_claim(c, e->name, e->claim, a->claim);
			cluster_set_conflict(c, e->name, false);
		}
	} else if (op->undoing || op->kind == OP_RELEASE) {
		/* Not there, or not ours any more: that is what was wanted. */
		if (a->status != MUPDATE_NO || a->code == MUPDATE_CODE_LATER)
			op->later = true;
	} else {
		take_no(c, op, e, a);
	}
	if (op->left == 0)
		op_finish(c, op);
}

/* ---- the interface ----------------------------------------------------------------------------------- */

static struct cluster *
cluster_of(struct names *n)
{
	return CONTAINER_OF(n, struct cluster, names);
}

static void
copy_entries(struct op *op, const struct names_entry *e)
{
	for (size_t i = 0; i < op->count; i++) {
		op->e[i] = e[i];
		op->e[i].name = arena_slice_dup(op->arena, e[i].name);
		op->e[i].acl = arena_slice_dup(op->arena, e[i].acl);
		op->e[i].special_use = arena_slice_dup(op->arena, e[i].special_use);
	}
}

static void
reserve(struct names *n, const struct names_entry *e, size_t count, names_fn *fn, void *ctx)
{
	struct op *op = op_new(OP_RESERVE, count, fn, ctx);

	copy_entries(op, e);
	op_start(cluster_of(n), op);
}

static void
activate(struct names *n, const struct names_entry *e, size_t count, names_fn *fn, void *ctx)
{
	struct op *op = op_new(OP_ACTIVATE, count, fn, ctx);

	copy_entries(op, e);
	op_start(cluster_of(n), op);
}

static void
release(struct names *n, const struct slice *names, size_t count, names_fn *fn, void *ctx)
{
	struct op *op = op_new(OP_RELEASE, count, fn, ctx);

	for (size_t i = 0; i < count; i++)
		op->e[i].name = arena_slice_dup(op->arena, names[i]);
	op_start(cluster_of(n), op);
}

static bool
ready(struct names *n)
{
	const struct cluster *c = cluster_of(n);

	return c->ready && !c->broken;
}

static void
leave(struct names *n, const struct slice *names, size_t count, names_fn *fn, void *ctx)
{
	struct op *op = op_new(OP_LEAVE, count, fn, ctx);

	for (size_t i = 0; i < count; i++)
		op->e[i].name = arena_slice_dup(op->arena, names[i]);
	op_start(cluster_of(n), op);
}

static void
take(struct names *n, const struct names_entry *e, size_t count, names_fn *fn, void *ctx)
{
	struct op *op = op_new(OP_TAKE, count, fn, ctx);

	copy_entries(op, e);
	op_start(cluster_of(n), op);
}

static void
find(struct names *n, struct slice name, names_find_fn *fn, void *ctx)
{
	struct op *op = op_new(OP_FIND, 1, NULL, ctx);

	op->find = fn;
	op->where = SLICE("");
	op->e[0].name = arena_slice_dup(op->arena, name);
	op_start(cluster_of(n), op);
}

const struct names_ops cluster_ops = { reserve, activate, release, ready, leave, take, find };

void
cluster_ops_record(struct cluster *c, uint64_t id, const struct mupdate_record *rec)
{
	struct cluster_req *r;
	struct location loc = { .name = rec->name };
	struct op *op;

	location_place_split(rec->place, &loc.server, &loc.partition);
	LIST_EACH (r, &c->reqs, struct cluster_req, link) {
		if (r->id != id || r->fn != on_answer)
			continue;
		op = r->ctx;
		if (op->kind == OP_FIND && rec->kind == MUPDATE_R_MAILBOX &&
		    slice_eq(rec->name, op->e[0].name))
			op->where = arena_slice_dup(op->arena, loc.server);
	}
}

/* ---- for the connection -------------------------------------------------------------------------------- */

static void
all_later(struct list *ops)
{
	struct op *op;

	while ((op = LIST_FIRST(ops, struct op, link)) != NULL)
		op_end(op, NAMES_LATER);
}

void
cluster_ops_lost(struct cluster *c)
{
	all_later(&c->ops);
	all_later(&c->held);
}

void
cluster_ops_go(struct cluster *c)
{
	struct op *op;

	while ((op = LIST_FIRST(&c->held, struct op, link)) != NULL)
		op_send(c, op);
}

static void
drop_all(struct list *ops)
{
	struct op *op;

	while ((op = LIST_FIRST(ops, struct op, link)) != NULL)
		op_free(op);
}

void
cluster_ops_drop(struct cluster *c)
{
	drop_all(&c->ops);
	drop_all(&c->held);
	drop_all(&c->late);
}
