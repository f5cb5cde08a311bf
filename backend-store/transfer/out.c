/*
 * out - a user moves away: the source's side, step after step. See transfer.h.
 *
 * Until COMMITTING is on disk whatever fails undoes the move. From then on the master is
 * asked, again and again, whose the INBOX is; before that it is asked to give it back to us.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/map.h"
#include "base/xalloc.h"
#include "log/log.h"
#include "transfer/transfer_impl.h"

struct out {
	struct move m;
	bool keep;
	bool began;    /* there is a record of it on disk */
	bool decided;  /* COMMITTING is asked for: no undoing from here */
	bool undoing;  /* the record is being taken back */
	bool leaving;  /* names may have been left at the master */
	bool asking;   /* that is being asked for: its answer comes to us */
	bool sent_all; /* DONE is said */
	struct peer *peer;
	struct move_reader *reader;
	uint64_t bodies;    /* sent */
	struct map *shared; /* blob id -> its number + 1, of those with several messages */
	struct buf body;    /* of the message in item, not sent yet */
	struct move_item item;
	bool has_item;
	uint64_t number; /* of the body of item */
};

static struct out *
out_of(void *ctx)
{
	return CONTAINER_OF((struct move *)ctx, struct out, m);
}

static void
drop_sending(struct out *o)
{
	move_reader_free(&o->reader);
	map_free(&o->shared);
	buf_fini(&o->body);
	buf_init(&o->body, ENGINE_BLOB_MAX);
}

void
out_free(struct move *m)
{
	struct out *o = out_of(m);

	peer_end(&o->peer);
	drop_sending(o);
	move_fini(m);
	free(o);
}

static void
out_over(struct out *o, bool moved)
{
	move_tell_end(&o->m, true, moved);
	out_free(&o->m);
}

/* ---- undone ---------------------------------------------------------------------------------- */

static void
on_undone(void *ctx, enum mbox_result result)
{
	struct out *o = out_of(ctx);
	struct transfer *t = o->m.t;

	o->m.op = 0;
	if (result != MBOX_OK && result != MBOX_ABSENT) {
		/* The log cannot be written: a restart will do it. */
		o->m.step = "undoing";
		timer_set(&o->m.timer, AGAIN_MS);
		return;
	}
	if (o->leaving)
		t->c.reconcile(t->c.ctx);
	out_over(o, false);
}

/* The user is open again. */
static void
end_undone(struct out *o)
{
	o->undoing = true;
	o->m.step = "undoing";
	o->m.op = store_move_end(o->m.t->c.store, mbox_user_slice(&o->m.user), o->m.id, false,
	                         on_undone, &o->m);
}

/* Before the decision, for any reason. */
static void
undo(struct out *o, const char *why)
{
	if (o->undoing)
		return;
	if (why != o->m.why.text)
		err_set(&o->m.why, "%s", why);
	peer_end(&o->peer);
	drop_sending(o);
	if (o->asking)
		return; /* on_left() goes on */
	timer_cancel(&o->m.timer);
	store_cancel(o->m.t->c.store, o->m.op);
	store_move_leaving(o->m.t->c.store, mbox_user_slice(&o->m.user), false);
	end_undone(o);
}

bool
out_undo(struct move *m)
{
	struct out *o = out_of(m);

	if (o->decided || o->undoing)
		return false;
	undo(o, "a person asked for it");
	return true;
}

/* ---- decided: the target has him ----------------------------------------------------------------- */

static void ask_target(struct out *o);

static void
on_dropped(void *ctx, enum mbox_result result)
{
	struct out *o = out_of(ctx);

	o->m.op = 0;
	if (result != MBOX_OK && result != MBOX_ABSENT) {
		timer_set(&o->m.timer, AGAIN_MS);
		return;
	}
	out_over(o, true);
}

/* Invariant 4: it has said so. */
static void
confirmed(struct out *o)
{
	struct store *s = o->m.t->c.store;
	struct slice user = mbox_user_slice(&o->m.user);

	peer_end(&o->peer);
	o->m.step = "deleting our copy";
	if (o->keep)
		o->m.op = store_move_set(s, user, o->m.id, MOVE_KEPT, on_dropped, &o->m);
	else
		o->m.op = store_move_end(s, user, o->m.id, true, on_dropped, &o->m);
}

static void
on_confirm_ready(void *ctx)
{
	struct out *o = out_of(ctx);

	peer_send(o->peer, &(struct wire_frame){ .type = WIRE_CONFIRM,
	                                         .id = o->m.id,
	                                         .user = mbox_user_slice(&o->m.user) });
}

static void
ask_target_later(struct out *o, const char *why)
{
	err_set(&o->m.why, "%s: %s", o->m.peer_name, why);
	timer_set(&o->m.timer, AGAIN_MS);
}

static void
on_confirm_frame(void *ctx, const struct wire_frame *f)
{
	struct out *o = out_of(ctx);

	if (f->type == WIRE_CONFIRMED) {
		confirmed(o);
		return;
	}
	peer_end(&o->peer);
	ask_target_later(o, f->type == WIRE_WAIT ? "it is not open there yet"
	                                         : "it does not say how it stands there");
}

static void
on_confirm_lost(void *ctx, const char *why)
{
	struct out *o = out_of(ctx);

	o->peer = NULL;
	ask_target_later(o, why);
}

static void
ask_target(struct out *o)
{
	static const struct peer_ops ops = { .ready = on_confirm_ready,
		                             .frame = on_confirm_frame,
		                             .lost = on_confirm_lost };
	struct err err;

	o->m.step = "waiting for the target";
	o->peer = peer_dial(o->m.t, slice_of(o->m.peer_name), &ops, &o->m, &err);
	if (o->peer == NULL)
		ask_target_later(o, err.text);
}

static void
on_released(void *ctx, enum mbox_result result)
{
	struct out *o = out_of(ctx);

	o->m.op = 0;
	if (result != MBOX_OK)
		timer_set(&o->m.timer, AGAIN_MS);
	else if (o->peer != NULL)
		confirmed(o); /* it said COMMITTED, and waits */
	else
		ask_target(o);
}

/* The master has decided: he is the target's. The release record. */
static void
release(struct out *o)
{
	o->m.step = "releasing";
	o->m.why.text[0] = '\0';
	o->m.op = store_move_set(o->m.t->c.store, mbox_user_slice(&o->m.user), o->m.id,
	                         MOVE_RELEASED, on_released, &o->m);
}

/* ---- COMMITTING: whose is he? --------------------------------------------------------------------- */

static void resolve(struct out *o);

static void
resolve_later(struct out *o, const char *why)
{
	err_set(&o->m.why, "%s", why);
	timer_set(&o->m.timer, AGAIN_MS);
}

static void
on_all_taken(void *ctx, UNUSED enum names_result result)
{
	/* What is missing is activated by the reconciliation once he is open. */
	end_undone(out_of(ctx));
}

static void
on_taken(void *ctx, enum names_result result)
{
	struct out *o = out_of(ctx);
	struct names *n = o->m.t->c.names;

	if (result == NAMES_OK) {
		if (*o->m.why.text == '\0')
			err_set(&o->m.why, "the target did not commit it");
		o->leaving = true;
		n->ops->take(n, o->m.names, o->m.name_count, on_all_taken, &o->m);
	} else {
		resolve_later(o, "the location master does not decide now");
	}
}

static void
on_found(void *ctx, enum names_result result, struct slice server)
{
	struct out *o = out_of(ctx);
	struct names *n = o->m.t->c.names;

	if (result != NAMES_OK) {
		resolve_later(o, "the location master is away");
	} else if (slice_eq_str(server, o->m.peer_name)) {
		release(o);
	} else if (server.n == 0 || slice_eq_str(server, o->m.t->c.server)) {
		n->ops->take(n, o->m.names, 1, on_taken, &o->m);
	} else {
		log_error(NULL,
		          "move.stray user=%s server=%s reason=\"a third store has the INBOX\"",
		          log_esc(o->m.user.s), log_esc_slice(server));
		resolve_later(o, "a third store has the INBOX");
	}
}

static void
resolve(struct out *o)
{
	struct names *n = o->m.t->c.names;

	o->m.step = "asking the master";
	move_collect_names(&o->m);
	n->ops->find(n, move_inbox(&o->m), on_found, &o->m);
}

/* ---- the conversation ------------------------------------------------------------------------------- */

static void
on_committing(void *ctx, enum mbox_result result)
{
	struct out *o = out_of(ctx);

	o->m.op = 0;
	if (result != MBOX_OK) {
		o->decided = false;
		undo(o, "the log cannot be written");
		return;
	}
	o->m.step = "committing";
	if (o->peer == NULL)
		resolve(o);
	else
		peer_send(o->peer, &(struct wire_frame){ .type = WIRE_COMMIT });
}

static void
on_left(void *ctx, enum names_result result)
{
	struct out *o = out_of(ctx);

	o->asking = false;
	if (o->peer == NULL || result != NAMES_OK) {
		undo(o, o->peer == NULL ? o->m.why.text
		                        : "the location master does not let the names go");
		return;
	}
	/* Invariant 2. */
	o->decided = true;
	o->m.op = store_move_set(o->m.t->c.store, mbox_user_slice(&o->m.user), o->m.id,
	                         MOVE_COMMITTING, on_committing, &o->m);
}

static void
leave_names(struct out *o)
{
	struct names *n = o->m.t->c.names;
	struct slice *names;

	o->m.step = "leaving the names";
	move_collect_names(&o->m);
	store_move_leaving(o->m.t->c.store, mbox_user_slice(&o->m.user), true);
	o->leaving = o->asking = true;
	names = arena_array(o->m.arena, o->m.name_count, sizeof(*names));
	for (size_t i = 0; i < o->m.name_count; i++)
		names[i] = o->m.names[i].name;
	n->ops->leave(n, names, o->m.name_count, on_left, &o->m);
}

static void
on_digest(struct out *o, struct slice theirs)
{
	uint8_t ours[32];

	move_reader_digest(o->reader, ours);
	if (slice_eq(theirs, slice_make(ours, sizeof(ours))))
		leave_names(o);
	else
		undo(o, "the copy is not the same: the digests differ");
	drop_sending(o);
}

/* Reads the next item, and its body when the target does not have it. False: over, or it
 * cannot be read. */
static bool
read_item(struct out *o)
{
	struct err err;
	void *known = NULL;
	int r = move_reader_next(o->reader, &o->item, &err);

	if (r == -1) {
		undo(o, err.text);
		return false;
	}
	if (r == 0) {
		o->sent_all = true;
		o->m.step = "verifying";
		peer_send(o->peer, &(struct wire_frame){ .type = WIRE_DONE });
		return false;
	}
	o->has_item = true;
	if (o->item.kind != MOVE_ITEM_MESSAGE)
		return true;
	if (o->item.blob.refs > 1)
		known = map_get(o->shared, map_key_u64(&o->item.blob.id));
	if (known != NULL) {
		o->number = (uintptr_t)known;
		return true;
	}
	buf_clear(&o->body);
	if (!move_reader_body(o->reader, &o->item, &o->body, &err)) {
		undo(o, err.text);
		return false;
	}
	o->number = ++o->bodies;
	if (o->item.blob.refs > 1)
		(void)map_set(o->shared, map_key_u64(&o->item.blob.id),
		              (void *)(uintptr_t)o->number);
	peer_send(o->peer,
	          &(struct wire_frame){ .type = WIRE_BODY, .size = (uint32_t)o->body.len });
	return true;
}

static void
send_item(struct out *o)
{
	struct buf payload = BUF_INIT(MOVE_ITEM_MAX);
	struct wire_frame f = { .type = WIRE_ITEM,
		                .kind = (uint8_t)o->item.kind,
		                .data = o->item.payload };

	if (o->item.kind == MOVE_ITEM_MESSAGE) {
		move_item_set_body(o->item.payload, o->number, &payload);
		f.data = buf_slice(&payload);
		o->m.messages_done++;
		o->m.bytes_done += o->item.blob.body_bytes;
	}
	peer_send(o->peer, &f);
	buf_fini(&payload);
	o->has_item = false;
}

/* As much as the connection takes. */
static void
pump(struct out *o)
{
	while (o->peer != NULL && o->reader != NULL && !o->sent_all && !o->undoing &&
	       !peer_is_congested(o->peer)) {
		if (!o->has_item && !read_item(o))
			return;
		if (o->body.len > 0) {
			size_t n = MIN(o->body.len, (size_t)WIRE_DATA_MAX);

			peer_send(o->peer, &(struct wire_frame){
						   .type = WIRE_DATA,
						   .data = slice_sub(buf_slice(&o->body), 0, n) });
			buf_consume(&o->body, n);
		}
		if (o->body.len == 0)
			send_item(o);
	}
}

static void
on_no(struct out *o, struct slice text)
{
	char why[400];

	snprintf(why, sizeof(why), "%s: %.*s", o->m.peer_name, SLICE_ARG(text));
	if (!o->decided) {
		undo(o, why);
		return;
	}
	err_set(&o->m.why, "%s", why);
	peer_end(&o->peer);
	if (o->m.op == 0)
		resolve(o);
}

static void
on_frame(void *ctx, const struct wire_frame *f)
{
	struct out *o = out_of(ctx);

	if (f->type == WIRE_REFUSED || f->type == WIRE_UNDONE) {
		on_no(o, f->text);
	} else if (f->type == WIRE_READY && o->reader == NULL && o->began) {
		o->m.step = "sending";
		o->reader = move_reader_new(o->m.t->c.store, mbox_user_slice(&o->m.user));
		o->shared = map_new();
		pump(o);
	} else if (f->type == WIRE_DIGEST && o->sent_all && o->reader != NULL) {
		on_digest(o, f->data);
	} else if (f->type == WIRE_COMMITTED && o->decided && o->m.op == 0) {
		release(o);
	} else if (!o->decided) {
		undo(o, "the target says what was not asked");
	} else {
		peer_end(&o->peer);
		if (o->m.op == 0) /* else the step under way sees that it is gone */
			resolve(o);
	}
}

static void
on_lost(void *ctx, const char *why)
{
	struct out *o = out_of(ctx);

	o->peer = NULL;
	if (!o->decided) {
		char text[400];

		snprintf(text, sizeof(text), "%s: %s", o->m.peer_name, why);
		undo(o, text);
	} else if (o->m.op == 0) {
		err_set(&o->m.why, "%s: %s", o->m.peer_name, why);
		resolve(o);
	}
	/* else the step under way sees that it is gone */
}

static void
on_drained(void *ctx)
{
	pump(out_of(ctx));
}

/* ---- the beginning ------------------------------------------------------------------------------------ */

static const char *
why_not(enum mbox_result r)
{
	switch (r) {
	case MBOX_ABSENT:
		return "the user has no mailboxes here any more";
	case MBOX_BUSY:
		return "another move of this user is under way";
	case MBOX_UNAVAILABLE:
		return "a mailbox of the user is claimed by another store too, or the log cannot be "
		       "written";
	default:
		return mbox_result_name(r);
	}
}

static void
on_closed(void *ctx, enum mbox_result result)
{
	struct out *o = out_of(ctx);
	struct transfer *t = o->m.t;
	struct move_totals totals;
	struct move_record r;

	o->m.op = 0;
	if (result != MBOX_OK) {
		err_set(&o->m.why, "%s", why_not(result));
		out_over(o, false);
		return;
	}
	o->began = true;
	t->c.end_sessions(t->c.ctx, mbox_user_slice(&o->m.user));
	if (o->peer == NULL || !store_find_move(t->c.store, mbox_user_slice(&o->m.user), &r)) {
		undo(o, *o->m.why.text != '\0' ? o->m.why.text : "the target is gone");
		return;
	}
	store_move_estimate(t->c.store, mbox_user_slice(&o->m.user), &totals);
	o->m.messages = totals.messages;
	o->m.bytes = totals.bytes;
	peer_send(o->peer, &(struct wire_frame){ .type = WIRE_BEGIN,
	                                         .id = o->m.id,
	                                         .claim = r.claim,
	                                         .uidvalidity = store_uidvalidity(t->c.store),
	                                         .messages = totals.messages,
	                                         .bytes = totals.bytes,
	                                         .user = mbox_user_slice(&o->m.user) });
}

static void
on_ready(void *ctx)
{
	struct out *o = out_of(ctx);
	struct move_record r = { .role = MOVE_OUT,
		                 .keep = o->keep,
		                 .id = o->m.id,
		                 .user = mbox_user_slice(&o->m.user),
		                 .peer = slice_of(o->m.peer_name) };

	log_info(NULL, "move.begin user=%s to=%s id=%016llx", log_esc(o->m.user.s),
	         log_esc(o->m.peer_name), (unsigned long long)o->m.id);
	o->m.step = "closing the user";
	o->m.closed_ms = clock_mono_ms();
	o->m.op = store_move_begin(o->m.t->c.store, &r, on_closed, &o->m);
}

/* The timer: whatever was waited for is tried again. */
static void
on_again(void *ctx)
{
	struct out *o = out_of(ctx);
	struct move_record r;

	if (o->undoing)
		end_undone(o);
	else if (!store_find_move(o->m.t->c.store, mbox_user_slice(&o->m.user), &r))
		out_over(o, o->decided);
	else if (r.state == MOVE_COMMITTING)
		resolve(o);
	else if (r.state == MOVE_RELEASED && o->peer == NULL)
		ask_target(o);
}

static struct out *
out_new(struct transfer *t, const struct move_record *r)
{
	struct out *o = xcalloc(1, sizeof(*o));

	move_init(&o->m, t, r, on_again);
	o->keep = r->keep;
	buf_init(&o->body, ENGINE_BLOB_MAX);
	list_add_tail(&t->outs, &o->m.link);
	return o;
}

bool
out_start(struct transfer *t, const struct move_record *r, struct err *err)
{
	static const struct peer_ops ops = {
		.ready = on_ready, .frame = on_frame, .drained = on_drained, .lost = on_lost
	};
	struct out *o = out_new(t, r);

	o->m.step = "connecting";
	o->peer = peer_dial(t, r->peer, &ops, &o->m, err);
	if (o->peer == NULL) {
		out_free(&o->m);
		return false;
	}
	return true;
}

void
out_recover(struct transfer *t, const struct move_record *r)
{
	struct out *o;

	if (r->state == MOVE_KEPT)
		return;
	o = out_new(t, r);
	o->began = true;
	log_info(NULL, "move.recover user=%s to=%s state=%s", log_esc(o->m.user.s),
	         log_esc(o->m.peer_name), move_state_name(r->state));
	if (r->state == MOVE_COPYING) {
		o->leaving = true; /* perhaps */
		err_set(&o->m.why, "this store was restarted");
		end_undone(o);
	} else {
		o->decided = true;
		timer_set(&o->m.timer, 1);
	}
}
