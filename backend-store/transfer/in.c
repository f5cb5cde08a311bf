/*
 * in - a user moves here: the target's side. See transfer.h.
 *
 * Until COMMIT has come a lost connection drops the copy. From then on the master is asked
 * for the INBOX, again and again: it is given to us, or the source has taken it back.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/xalloc.h"
#include "log/log.h"
#include "transfer/transfer_impl.h"

#define PENDING_MOST (16u << 20) /* bytes on their way to the disk: the source has to wait */
#define ROOM_MOST (64ull << 20)  /* of the disk, beside what comes */
#define UIDVALIDITY_MOST 0xfff00000u
#define ITEMS_A_TURN 500

struct in {
	struct move m;
	struct peer *peer; /* NULL: it is gone */
	struct move_writer *writer;
	struct move_reader *reader; /* for the digest */
	char *body;                 /* coming */
	uint32_t body_bytes, body_done;
	bool has_body, all, verified, dropping;
	bool committing; /* the master has to decide */
};

static struct in *
in_of(void *ctx)
{
	return CONTAINER_OF((struct move *)ctx, struct in, m);
}

static void
stop_receiving(struct in *i)
{
	move_writer_free(&i->writer);
	move_reader_free(&i->reader);
	free(i->body);
	i->body = NULL;
}

void
in_free(struct move *m)
{
	struct in *i = in_of(m);

	peer_end(&i->peer);
	stop_receiving(i);
	move_fini(m);
	free(i);
}

/* ---- dropped --------------------------------------------------------------------------------- */

static void
on_dropped(void *ctx, enum mbox_result result)
{
	struct in *i = in_of(ctx);

	i->m.op = 0;
	if (result != MBOX_OK && result != MBOX_ABSENT) {
		timer_set(&i->m.timer, AGAIN_MS);
		return;
	}
	if (i->peer != NULL && i->committing)
		peer_send(i->peer, &(struct wire_frame){ .type = WIRE_UNDONE,
		                                         .text = slice_of(i->m.why.text) });
	else if (i->peer != NULL)
		peer_refuse(i->peer, i->m.why.text);
	move_tell_end(&i->m, false, false);
	in_free(&i->m);
}

static void
drop_now(struct in *i)
{
	i->dropping = true;
	i->m.step = "undoing";
	i->m.op = store_move_end(i->m.t->c.store, mbox_user_slice(&i->m.user), i->m.id, true,
	                         on_dropped, &i->m);
}

static void
drop(struct in *i, const char *why)
{
	if (i->dropping)
		return;
	err_set(&i->m.why, "%s", why);
	stop_receiving(i);
	store_cancel(i->m.t->c.store, i->m.op);
	timer_cancel(&i->m.timer);
	drop_now(i);
}

/* ---- ours --------------------------------------------------------------------------------------- */

static void
on_open(void *ctx, enum mbox_result result)
{
	struct in *i = in_of(ctx);

	i->m.op = 0;
	if (result != MBOX_OK && result != MBOX_ABSENT) {
		timer_set(&i->m.timer, AGAIN_MS);
		return;
	}
	i->m.why.text[0] = '\0';
	if (i->peer != NULL)
		peer_send(i->peer, &(struct wire_frame){ .type = WIRE_COMMITTED });
	move_tell_end(&i->m, false, true);
	in_free(&i->m);
}

static void
on_all_taken(void *ctx, enum names_result result)
{
	struct in *i = in_of(ctx);

	/* TAKEN: one of them is another store's, a conflict for the reconciliation to show. */
	if (result == NAMES_LATER) {
		err_set(&i->m.why, "the location master is away");
		timer_set(&i->m.timer, AGAIN_MS);
		return;
	}
	i->m.step = "opening the user";
	i->m.op = store_move_end(i->m.t->c.store, mbox_user_slice(&i->m.user), i->m.id, false,
	                         on_open, &i->m);
}

static void
take_all(struct in *i)
{
	struct names *n = i->m.t->c.names;

	i->m.step = "activating all names";
	move_collect_names(&i->m);
	n->ops->take(n, i->m.names, i->m.name_count, on_all_taken, &i->m);
}

static void
on_committed(void *ctx, enum mbox_result result)
{
	struct in *i = in_of(ctx);

	i->m.op = 0;
	if (result == MBOX_OK)
		take_all(i);
	else
		timer_set(&i->m.timer, AGAIN_MS);
}

/* ---- the master decides ---------------------------------------------------------------------------- */

static void
decide_later(struct in *i)
{
	err_set(&i->m.why, "the location master is away");
	timer_set(&i->m.timer, AGAIN_MS);
}

static void
on_taken(void *ctx, enum names_result result)
{
	struct in *i = in_of(ctx);

	if (result == NAMES_OK)
		i->m.op = store_move_set(i->m.t->c.store, mbox_user_slice(&i->m.user), i->m.id,
		                         MOVE_COMMITTED, on_committed, &i->m);
	else if (result == NAMES_TAKEN)
		drop(i, "the source has taken the user back");
	else
		decide_later(i);
}

static void
on_found(void *ctx, enum names_result result, struct slice server)
{
	struct in *i = in_of(ctx);
	struct names *n = i->m.t->c.names;

	if (result != NAMES_OK)
		decide_later(i);
	else if (server.n != 0 && !slice_eq_str(server, i->m.t->c.server))
		drop(i, "the source has taken the user back");
	else
		n->ops->take(n, i->m.names, 1, on_taken, &i->m);
}

static void
decide(struct in *i)
{
	struct names *n = i->m.t->c.names;

	i->m.step = "asking the master";
	move_collect_names(&i->m);
	if (i->m.name_count == 0) {
		drop(i, "there is nothing of the user");
		return;
	}
	n->ops->find(n, move_inbox(&i->m), on_found, &i->m);
}

static void
on_committing(void *ctx, enum mbox_result result)
{
	struct in *i = in_of(ctx);

	i->m.op = 0;
	if (result == MBOX_OK)
		decide(i);
	else
		drop(i, "the log cannot be written");
}

/* ---- the digest ---------------------------------------------------------------------------------------- */

/* Some items in each turn, so that others are served meanwhile. */
static void
verify_some(void *ctx)
{
	struct in *i = in_of(ctx);
	struct move_item item;
	uint8_t digest[32];
	struct err err;
	int r = 1;

	if (i->reader == NULL)
		return;
	for (unsigned n = 0; n < ITEMS_A_TURN && r == 1; n++)
		r = move_reader_next(i->reader, &item, &err);
	if (r == 1) {
		timer_set(&i->m.timer, 0);
	} else if (r == -1) {
		drop(i, err.text);
	} else {
		move_reader_digest(i->reader, digest);
		move_reader_free(&i->reader);
		i->verified = true;
		i->m.step = "waiting for the source";
		peer_send(i->peer,
		          &(struct wire_frame){ .type = WIRE_DIGEST,
		                                .data = slice_make(digest, sizeof(digest)) });
	}
}

static const char *
why_not(enum mbox_result r)
{
	switch (r) {
	case MBOX_FULL:
		return "the disk is full";
	case MBOX_EXISTS:
		return "it has mailboxes of this user already";
	case MBOX_BUSY:
		return "it has not done with an earlier move of this user, or has too much to do";
	case MBOX_INVALID:
		return "what the source sends does not fit together";
	default:
		return mbox_result_name(r);
	}
}

static void
on_written(void *ctx, enum mbox_result result, bool finished)
{
	struct in *i = in_of(ctx);
	struct move_totals t;

	if (result != MBOX_OK) {
		drop(i, why_not(result));
		return;
	}
	move_writer_totals(i->writer, &t);
	i->m.messages_done = t.messages;
	i->m.bytes_done = t.bytes;
	if (finished) {
		move_writer_free(&i->writer);
		i->m.step = "verifying";
		i->reader = move_reader_new(i->m.t->c.store, mbox_user_slice(&i->m.user));
		timer_set(&i->m.timer, 0);
	} else if (i->peer != NULL && move_writer_pending(i->writer) < PENDING_MOST) {
		peer_resume(i->peer);
	}
}

/* ---- what comes ------------------------------------------------------------------------------------------ */

static const char *
take_body(struct in *i, uint32_t bytes)
{
	if (i->has_body || bytes > ENGINE_BLOB_MAX)
		return "a body that is too large, or in another";
	i->has_body = true;
	i->body = xmalloc((size_t)bytes + 1);
	i->body_bytes = bytes;
	i->body_done = 0;
	return NULL;
}

static const char *
take_data(struct in *i, struct slice data)
{
	if (!i->has_body || data.n > i->body_bytes - i->body_done)
		return "more of a body than there is";
	if (data.n > 0)
		memcpy(i->body + i->body_done, data.p, data.n);
	i->body_done += (uint32_t)data.n;
	return NULL;
}

static const char *
take_item(struct in *i, const struct wire_frame *f, struct err *err)
{
	if (i->has_body) {
		if (i->body_done != i->body_bytes)
			return "an item in a body";
		move_writer_take_body(i->writer, i->body, i->body_bytes);
		i->body = NULL;
		i->has_body = false;
	}
	if (!move_writer_item(i->writer, (enum move_item_kind)f->kind, f->data, err))
		return err->text;
	if (move_writer_pending(i->writer) >= PENDING_MOST)
		peer_pause(i->peer);
	return NULL;
}

static void
on_frame(void *ctx, const struct wire_frame *f)
{
	struct in *i = in_of(ctx);
	const char *wrong = "what was not asked";
	struct err err;

	if (i->dropping)
		return;
	if (i->writer != NULL && !i->all && f->type == WIRE_BODY) {
		wrong = take_body(i, f->size);
	} else if (i->writer != NULL && !i->all && f->type == WIRE_DATA) {
		wrong = take_data(i, f->data);
	} else if (i->writer != NULL && !i->all && f->type == WIRE_ITEM) {
		wrong = take_item(i, f, &err);
	} else if (i->writer != NULL && !i->all && f->type == WIRE_DONE && !i->has_body) {
		wrong = NULL;
		i->all = true;
		move_writer_finish(i->writer);
	} else if (i->verified && !i->committing && f->type == WIRE_COMMIT) {
		wrong = NULL;
		i->committing = true;
		i->m.op = store_move_set(i->m.t->c.store, mbox_user_slice(&i->m.user), i->m.id,
		                         MOVE_COMMITTING, on_committing, &i->m);
	}
	if (wrong != NULL && i->committing)
		peer_end(&i->peer); /* it follows the master, as we do */
	else if (wrong != NULL)
		drop(i, wrong);
}

static void
on_lost(void *ctx, const char *why)
{
	struct in *i = in_of(ctx);

	i->peer = NULL;
	if (!i->committing)
		drop(i, why);
}

static const struct peer_ops owner = { .frame = on_frame, .lost = on_lost };

/* ---- the beginning ------------------------------------------------------------------------------------------ */

static void
on_again(void *ctx)
{
	struct in *i = in_of(ctx);
	struct move_record r;

	if (i->reader != NULL)
		verify_some(ctx);
	else if (i->dropping)
		drop_now(i);
	else if (!store_find_move(i->m.t->c.store, mbox_user_slice(&i->m.user), &r))
		in_free(&i->m);
	else if (r.state == MOVE_COMMITTED)
		take_all(i);
	else
		decide(i);
}

static struct in *
in_new(struct transfer *t, const struct move_record *r)
{
	struct in *i = xcalloc(1, sizeof(*i));

	move_init(&i->m, t, r, on_again);
	list_add_tail(&t->ins, &i->m.link);
	return i;
}

static void
on_begun(void *ctx, enum mbox_result result)
{
	struct in *i = in_of(ctx);

	i->m.op = 0;
	if (result != MBOX_OK) {
		if (i->peer != NULL)
			peer_refuse(i->peer, why_not(result));
		in_free(&i->m);
		return;
	}
	if (i->peer == NULL) {
		drop(i, "the source is gone");
		return;
	}
	i->m.step = "receiving";
	i->writer =
		move_writer_new(i->m.t->c.store, mbox_user_slice(&i->m.user), on_written, &i->m);
	peer_send(i->peer, &(struct wire_frame){ .type = WIRE_READY });
	peer_resume(i->peer);
}

/* NULL: the user may come. */
static const char *
check_begin(const struct transfer *t, const struct wire_frame *f)
{
	struct engine_stats e;
	struct mbox_user user;

	engine_get_stats(store_engine(t->c.store), &e);
	if (!mbox_user_from_login(f->user, store_default_domain(t->c.store), &user) ||
	    !slice_eq(mbox_user_slice(&user), f->user))
		return "this is no user's name here: is default_domain the same?";
	if (f->uidvalidity > UIDVALIDITY_MOST || f->claim == UINT64_MAX)
		return "numbers that cannot be";
	if (e.failed)
		return "its log cannot be written until a restart";
	if (e.full || (e.free_bytes != 0 && e.free_bytes < ROOM_MOST + f->bytes + f->bytes / 8))
		return "there is no room on its disk";
	if (t->c.names->ops->ready != NULL && !t->c.names->ops->ready(t->c.names))
		return "the location master is away from it";
	return NULL;
}

void
in_begin(struct peer *p, struct transfer *t, const struct wire_frame *f)
{
	const char *why = check_begin(t, f);
	struct move_record r = { .role = MOVE_IN,
		                 .id = f->id,
		                 .claim = f->claim + 1,
		                 .uidvalidity = f->uidvalidity,
		                 .user = f->user,
		                 .peer = peer_name(p) };
	struct in *i;

	if (why != NULL) {
		peer_refuse(p, why);
		return;
	}
	i = in_new(t, &r);
	i->m.messages = f->messages;
	i->m.bytes = f->bytes;
	i->peer = p;
	peer_set_owner(p, &owner, &i->m);
	peer_pause(p);
	log_info(NULL, "move.begin user=%s from=%s id=%016" PRIx64 " messages=%" PRIu64,
	         log_esc(i->m.user.s), log_esc(i->m.peer_name), i->m.id, i->m.messages);
	i->m.op = store_move_begin(t->c.store, &r, on_begun, &i->m);
}

/* The source asks whether the user is open here. The record goes only with a copy that was
 * dropped, which is none that the master gave us, or when he is. */
void
in_confirm(struct peer *p, struct transfer *t, const struct wire_frame *f)
{
	struct move_record r;
	bool wait = store_find_move(t->c.store, f->user, &r) && r.id == f->id;

	peer_send(p, &(struct wire_frame){ .type = wait ? WIRE_WAIT : WIRE_CONFIRMED });
}

void
in_recover(struct transfer *t, const struct move_record *r)
{
	struct in *i = in_new(t, r);

	log_info(NULL, "move.recover user=%s from=%s state=%s", log_esc(i->m.user.s),
	         log_esc(i->m.peer_name), move_state_name(r->state));
	if (r->state == MOVE_COPYING) {
		err_set(&i->m.why, "this store was restarted");
		drop_now(i);
	} else {
		i->committing = true;
		timer_set(&i->m.timer, 1);
	}
}
