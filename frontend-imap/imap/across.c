/*
 * across - COPY and MOVE from the selected mailbox to one on another store. RFC 3501 section
 * 6.4.7, RFC 3502, RFC 4315, RFC 6851.
 *
 *	1  source: MYRIGHTS			MOVE: before anything is done
 *	2  source: FETCH what they are		by the client's set; from now on by UID
 *	3  source: UID FETCH bodies	}	in one stream, with the target's back-pressure;
 *	   target: one APPEND of all	}	no body is ever held whole
 *	4  target: OK				they are there, all or none
 *	5  source: UID STORE, UID EXPUNGE	MOVE: exactly these UIDs
 *
 * The source is not touched before 4. Whatever breaks before the end of the APPEND has gone
 * out leaves the target as it was, since a command without its end is none; when it breaks
 * behind that, nobody knows, and the client is told so. What breaks in 5 leaves messages in
 * both places, and none in neither.
 */
#include "imap/across_read.h"
#include "imap/session_impl.h"

#include "base/xalloc.h"
#include "proto/imap_set.h"

#include <inttypes.h>
#include <stdlib.h>

#define MESSAGES_MAX 10000 /* in one command */
#define BATCH_MESSAGES 500 /* bodies, or removals, asked for at a time */
#define BATCH_BYTES ((uint64_t)8 << 20)
#define BACKLOG_MAX 262144 /* of the source, while the target lets us wait */

#define REPLY_GONE "NO [EXPUNGEISSUED] Some messages are gone"
#define REPLY_MOVED "NO [UNAVAILABLE] This mailbox is being moved, try again"
#define REPLY_STEP "NO [UNAVAILABLE] The stores do not understand each other, try again"
#define REPLY_UNSURE                                                                               \
	"NO [UNAVAILABLE] The other store went away at the last moment: look there whether the "   \
	"messages are copied"

enum step {
	RIGHTS,
	WHAT, /* they are */
	BODIES,
	DRAIN,  /* it has failed: what the source still says is of no use */
	JUDGE,  /* the target has no such mailbox: is it elsewhere? */
	FINAL,  /* the target has all, and must say so */
	FLAG,   /* UID STORE */
	REMOVE, /* UID EXPUNGE */
};

struct across {
	struct arena *arena;
	enum step step;
	bool uid, move;
	struct imap_leg *from, *to; /* to: NULL when it is gone */
	const char *from_tag, *to_tag;
	bool may_remove; /* RIGHTS */

	bool taking;             /* the response under way is a FETCH */
	struct buf line;         /* WHAT: of it, so far */
	struct across_msg *msgs; /* by UID; heap */
	size_t count, cap;
	size_t next;      /* of msgs: first one not asked for, or not removed */
	size_t batch_end; /* of msgs: behind the last one asked for */

	struct across_read read;
	struct buf backlog;
	bool source_done; /* the answer to the batch is there, backlog is not empty */
	bool sent;        /* the target has some of its command */
	bool waiting;     /* for its continuation */
	uint32_t *copied; /* UIDs in the order of copying; heap */
	size_t copied_count;
	const char *failed; /* the reply; NULL: all is well */
	const struct server *target;
	uint64_t verdict_id; /* 0: nothing asked */
};

static struct across *
across_of(struct imap_session *s)
{
	return s->job_data;
}

static void
update(struct imap_session *s, struct across *a)
{
	bool full = a->to != NULL && imap_leg_is_congested(a->to);

	s->throttled = a->step == BODIES && (a->waiting || full) ? a->from : NULL;
	if (a->step == FINAL || (a->step == BODIES && (a->waiting || full)))
		imap_forward_ask(s, a->to);
	else
		imap_forward_ask(s, a->from);
}

/* ---- the end ------------------------------------------------------------------------------------ */

static void
end_failed(struct imap_session *s, struct across *a)
{
	if (a->verdict_id == 0) {
		imap_session_finish_job(s, a->failed);
		return;
	}
	a->step = JUDGE;
	imap_forward_ask(s, NULL);
}

/* The copy has failed. The source may be in the middle of a batch. */
static void
fail(struct imap_session *s, struct across *a, const char *reply)
{
	bool busy = a->step == BODIES && !a->source_done;

	if (a->failed == NULL)
		a->failed = reply;
	/* a command without its end does nothing; with a literal under way only so */
	if (a->to != NULL && a->sent && a->step == BODIES) {
		struct imap_leg *to = a->to;

		a->to = NULL;
		imap_reach_drop(s, to, false);
	}
	if (!busy) {
		end_failed(s, a);
		return;
	}
	a->step = DRAIN;
	buf_clear(&a->backlog);
	update(s, a);
}

static void
on_verdict(void *ctx, enum location_result result, const struct location *loc)
{
	struct imap_session *s = ctx;
	struct across *a = across_of(s);

	a->verdict_id = 0;
	if (result != LOCATION_NONE &&
	    (result != LOCATION_FOUND || !slice_eq_str(loc->server, a->target->name)))
		a->failed = REPLY_MOVED;
	if (a->step == JUDGE)
		imap_session_finish_job(s, a->failed);
	imap_session_wake(s);
}

/* A store that has not what the list says: a barrier and one more look (promise 6). */
static void
ask_verdict(struct imap_session *s, struct across *a, struct slice code)
{
	if (s->head.name.n > 0 && a->verdict_id == 0 &&
	    (slice_ieq(code, SLICE("TRYCREATE")) || slice_ieq(code, SLICE("NONEXISTENT"))))
		a->verdict_id =
			lookup_find_after_barrier(s->proxy->c.lookup, s->head.name, on_verdict, s);
}

static void
log_done(struct imap_session *s, const struct across *a)
{
	uint64_t bytes = 0;

	for (size_t i = 0; i < a->count; i++)
		bytes += a->msgs[i].done ? a->msgs[i].size : 0;
	metrics_add(&imap_metrics[IMAP_M_ACROSS], a->copied_count);
	log_info(&s->log, "imap.across from=%s to=%s messages=%zu bytes=%" PRIu64 " move=%d",
	         imap_leg_server(a->from)->name, imap_leg_server(a->to)->name, a->copied_count,
	         bytes, a->move);
}

/* "NO [CODE] text" */
static const char *
answer_text(struct imap_session *s, const struct imap_resp_event *ev)
{
	return arena_slice_str(s->head.arena, slice_trim(slice_skip(ev->bytes, ev->tag.n)));
}

/* ---- 5: away with them -------------------------------------------------------------------------- */

static void
add_batch(struct across *a, struct buf *set)
{
	struct imap_set_writer w;

	imap_set_writer_init(&w, set);
	for (size_t i = a->next; i < a->batch_end; i++)
		if (a->msgs[i].done)
			imap_set_writer_add(&w, a->msgs[i].uid);
	imap_set_writer_end(&w);
}

/* Marks the next ones, or removes those that are marked. */
static void
remove_some(struct imap_session *s, struct across *a, enum step step)
{
	struct buf set = BUF_INIT(SIZE_MAX);

	a->step = step;
	if (step == FLAG)
		while (a->batch_end < a->count && a->batch_end - a->next < BATCH_MESSAGES)
			a->batch_end++;
	add_batch(a, &set);
	if (set.len == 0) {
		imap_session_finish_job(s, "OK Done");
	} else {
		a->from_tag = imap_forward_own(s, a->from,
		                               step == FLAG ? "UID STORE %s +FLAGS.SILENT "
		                                              "(\\Deleted)"
		                                            : "UID EXPUNGE %s",
		                               buf_cstr(&set));
		update(s, a);
	}
	buf_fini(&set);
}

static void
on_removed(struct imap_session *s, struct across *a, const struct imap_resp_event *ev)
{
	if (ev->status != IMAP_RESP_OK) {
		imap_session_finish_job(
			s, "NO The messages are copied, but cannot be removed from here");
	} else if (a->step == FLAG) {
		remove_some(s, a, REMOVE);
	} else {
		a->next = a->batch_end;
		if (a->next < a->count)
			remove_some(s, a, FLAG);
		else
			imap_session_finish_job(s, "OK Done");
	}
}

/* ---- 4: the target's answer ------------------------------------------------------------------------ */

/* "1234 5:7" of APPENDUID, for as many as were copied. */
static bool
read_appenduid(struct across *a, struct slice args, uint32_t *validity_r, struct slice *set_r)
{
	struct imap_args r;
	struct imap_set set;
	const char *text = arena_printf(a->arena, " %.*s", SLICE_ARG(args));

	*set_r = args;
	(void)slice_cut(set_r, ' ');
	imap_args_init(&r, a->arena, "APPENDUID", slice_of(text));
	if (!imap_args_space(&r) || !imap_args_nz_u32(&r, "UIDVALIDITY", validity_r) ||
	    !imap_args_space(&r) || !imap_set_read(&r, "UIDs", &set) || !imap_args_end(&r))
		return false;
	imap_set_resolve(&set, 0);
	return imap_set_numbers(&set) == a->copied_count;
}

static void
on_copied(struct imap_session *s, struct across *a, const struct imap_resp_event *ev)
{
	struct buf text = BUF_INIT(SIZE_MAX);
	struct slice uids;
	uint32_t validity;

	log_done(s, a);
	buf_add_str(&text, "OK ");
	if (slice_ieq(ev->code, SLICE("APPENDUID")) &&
	    read_appenduid(a, ev->code_args, &validity, &uids)) {
		buf_printf(&text, "[COPYUID %" PRIu32 " ", validity);
		imap_set_add_numbers(&text, a->copied, a->copied_count);
		buf_printf(&text, " %.*s] ", SLICE_ARG(uids));
	}
	buf_add_str(&text, a->move ? "Moved" : "Copied");
	if (!a->move) {
		imap_session_finish_job(s, buf_cstr(&text));
	} else {
		/* RFC 6851 section 4.3: before the EXPUNGEs */
		imap_session_say(s, "* %s", buf_cstr(&text));
		a->next = a->batch_end = 0;
		remove_some(s, a, FLAG);
	}
	buf_fini(&text);
}

/* A tagged answer of the target; before its time it is a refusal. */
static enum imap_take
on_target(struct imap_session *s, struct across *a, const struct imap_resp_event *ev)
{
	if (ev->type == IMAP_RESP_CONTINUE) {
		if (!a->waiting)
			return TAKE_WRONG;
		a->waiting = false;
		return TAKE_TAKEN;
	}
	if (!slice_eq_str(ev->tag, a->to_tag) || ev->status > IMAP_RESP_BAD)
		return TAKE_WRONG;
	if (a->step == FINAL && ev->status == IMAP_RESP_OK) {
		on_copied(s, a, ev);
		return TAKE_TAKEN;
	}
	if (ev->status == IMAP_RESP_OK)
		return TAKE_WRONG; /* it has not got all */
	/* refused where it was asked for a literal, nothing is on its way */
	if (a->waiting || a->step == FINAL)
		a->sent = false;
	a->waiting = false;
	ask_verdict(s, a, ev->code);
	fail(s, a, answer_text(s, ev));
	return TAKE_TAKEN;
}

/* ---- 3: bodies -------------------------------------------------------------------------------------- */

static int
compare_msgs(const void *x, const void *y)
{
	const struct across_msg *a = x, *b = y;

	return a->uid < b->uid ? -1 : a->uid > b->uid;
}

static struct across_msg *
find_msg(struct across *a, uint32_t uid)
{
	struct across_msg key = { .uid = uid };

	return bsearch(&key, a->msgs, a->count, sizeof(key), compare_msgs);
}

/* The next batch, or the end of the target's command. */
static void
ask_bodies(struct imap_session *s, struct across *a)
{
	struct buf set = BUF_INIT(SIZE_MAX);
	struct imap_set_writer w;
	uint64_t bytes = 0;

	a->step = BODIES;
	a->source_done = false;
	if (a->next == a->count) {
		if (a->copied_count < a->count && !a->uid) {
			a->source_done = true;
			fail(s, a, REPLY_GONE);
		} else if (a->copied_count == 0) {
			imap_session_finish_job(s, "OK There was nothing");
		} else {
			buf_add_str(imap_leg_out(a->to), "\r\n");
			a->step = FINAL;
			update(s, a);
		}
		return;
	}
	imap_set_writer_init(&w, &set);
	for (a->batch_end = a->next;
	     a->batch_end < a->count && a->batch_end - a->next < BATCH_MESSAGES &&
	     (bytes == 0 || bytes + a->msgs[a->batch_end].size <= BATCH_BYTES);
	     a->batch_end++) {
		imap_set_writer_add(&w, a->msgs[a->batch_end].uid);
		bytes += a->msgs[a->batch_end].size;
	}
	imap_set_writer_end(&w);
	a->from_tag =
		imap_forward_own(s, a->from, "UID FETCH %s (UID BODY.PEEK[])", buf_cstr(&set));
	buf_fini(&set);
	update(s, a);
}

/* The first literal waits for the target's word: whether the mailbox is there, and may be
 * written to. Then what it takes unasked is sent so. */
static void
begin_body(struct imap_session *s, struct across *a, struct across_msg *m, uint64_t size)
{
	bool plus = (imap_leg_server(a->to)->imap_offer.bits & OFFER(LITERAL_PLUS)) != 0;
	struct buf name = BUF_INIT(SIZE_MAX);

	a->waiting = !a->sent || !plus;
	m->done = true;
	m->size = size;
	a->copied[a->copied_count++] = m->uid;
	if (a->sent) {
		buf_printf(imap_leg_out(a->to), " (%s) \"%s\" {%" PRIu64 "%s}\r\n", m->flags,
		           m->date, size, a->waiting ? "" : "+");
		return;
	}
	a->sent = true;
	imap_forward_enable(s, a->to);
	imap_cmd_add_quoted(&name, s->head.args[1]);
	a->to_tag = imap_forward_own(s, a->to, "APPEND %s (%s) \"%s\" {%" PRIu64 "}",
	                             buf_cstr(&name), m->flags, m->date, size);
	buf_fini(&name);
}

/* False: out of step. */
static bool
on_body(struct imap_session *s, struct across *a, const struct across_event *ev)
{
	struct across_msg *m;

	switch (ev->type) {
	case ACROSS_BODY:
		m = find_msg(a, ev->uid);
		if (m == NULL || m->done || m < a->msgs + a->next || m >= a->msgs + a->batch_end)
			return false;
		begin_body(s, a, m, ev->size);
		return true;
	case ACROSS_BYTES:
		buf_add_slice(imap_leg_out(a->to), ev->bytes);
		return true;
	case ACROSS_OTHER: /* news of the mailbox */
		imap_session_say(s, "%.*s", (int)ev->bytes.n - 2, ev->bytes.p);
		return true;
	case ACROSS_GONE:
		return true;
	}
	must_not_reach();
}

/* As far as the target takes it; how much that was, or -1. */
static ssize_t
feed(struct imap_session *s, struct across *a, struct slice in)
{
	struct across_event ev;
	size_t all = 0, used;

	while (all < in.n && !a->waiting) {
		int r = across_read_body(&a->read, slice_skip(in, all), &used, &ev);

		all += used;
		if (r == -1 || (r == 1 && !on_body(s, a, &ev)))
			return -1;
	}
	imap_leg_flush(a->to);
	return (ssize_t)all;
}

static bool
take_bodies(struct imap_session *s, struct across *a, struct slice in)
{
	ssize_t used = 0;

	if (a->backlog.len == 0)
		used = feed(s, a, in);
	if (used < 0)
		return false;
	buf_add_slice(&a->backlog, slice_skip(in, (size_t)used));
	update(s, a);
	return !a->backlog.overflow;
}

static void
batch_done(struct imap_session *s, struct across *a)
{
	a->next = a->batch_end;
	ask_bodies(s, a);
}

/* ---- 2: what they are --------------------------------------------------------------------------------- */

/* The client hears it, too: the store now takes these flags for told. */
static bool
add_msg(struct imap_session *s, struct across *a)
{
	struct slice line = buf_slice(&a->line);
	struct across_msg m;
	int r = across_read_msg(line, a->arena, &m);

	if (r >= 0)
		imap_session_say(s, "%.*s", (int)line.n - 2, line.p);
	if (r != 1)
		return r == 0;
	if (a->count == a->cap) {
		a->cap = a->cap != 0 ? 2 * a->cap : 64;
		a->msgs = xreallocarray(a->msgs, a->cap, sizeof(*a->msgs));
	}
	if (a->count < MESSAGES_MAX + 1)
		a->msgs[a->count++] = m;
	return true;
}

static void
known(struct imap_session *s, struct across *a)
{
	bool many = (imap_leg_server(a->to)->imap_offer.bits & OFFER(MULTIAPPEND)) != 0;
	size_t n = 0;

	if (a->count > 0)
		qsort(a->msgs, a->count, sizeof(*a->msgs), compare_msgs);
	/* the same one twice: news of it came meanwhile */
	for (size_t i = 0; i < a->count; i++)
		if (n == 0 || a->msgs[n - 1].uid != a->msgs[i].uid)
			a->msgs[n++] = a->msgs[i];
	a->count = n;
	if (a->count > MESSAGES_MAX) {
		imap_session_finish_job(s, "NO [LIMIT] Too many messages for one command");
	} else if (a->count > 1 && !many) {
		imap_session_finish_job(
			s, "NO [CANNOT] The other store takes one message at a time only");
	} else {
		a->copied = xcalloc(a->count + 1, sizeof(*a->copied));
		ask_bodies(s, a);
	}
}

static void
ask_what(struct imap_session *s, struct across *a)
{
	a->step = WHAT;
	a->from_tag = imap_forward_own(
		s, a->from, "%sFETCH %.*s (UID FLAGS INTERNALDATE RFC822.SIZE%s)",
		a->uid ? "UID " : "", SLICE_ARG(s->head.args[0]), s->condstore ? " MODSEQ" : "");
	update(s, a);
}

/* ---- 1: may he? ------------------------------------------------------------------------------------------ */

static void
on_rights(struct across *a, struct slice line)
{
	struct imap_args r;
	struct slice name, rights;
	bool t, e;

	line = slice_trim(line);
	imap_args_init(&r, a->arena, "MYRIGHTS", slice_skip(line, strlen("* MYRIGHTS")));
	if (!imap_args_space(&r) || !imap_args_astring(&r, "name", &name) || !imap_args_space(&r) ||
	    !imap_args_astring(&r, "rights", &rights))
		return;
	/* d goes with either of them (RFC 4314 section 2.1.1); alone it is RFC 2086's */
	t = slice_find(rights, 't') < rights.n;
	e = slice_find(rights, 'e') < rights.n;
	a->may_remove = t || e ? t && e : slice_find(rights, 'd') < rights.n;
}

static void
begin_move(struct imap_session *s, struct across *a)
{
	uint64_t bits = imap_leg_server(a->from)->imap_offer.bits;
	struct buf name = BUF_INIT(SIZE_MAX);

	if (s->read_only) {
		imap_session_finish_job(s, "NO [READ-ONLY] The mailbox is selected read-only");
	} else if ((bits & OFFER(UIDPLUS)) == 0) {
		imap_session_finish_job(s, "NO [CANNOT] This store removes no single messages");
	} else if ((bits & OFFER(ACL)) == 0) {
		ask_what(s, a);
	} else {
		imap_cmd_add_quoted(&name, slice_of(s->mailbox));
		a->from_tag = imap_forward_own(s, a->from, "MYRIGHTS %s", buf_cstr(&name));
		update(s, a);
	}
	buf_fini(&name);
}

/* ---- what the source says ----------------------------------------------------------------------------------- */

static void
on_source(struct imap_session *s, struct across *a, const struct imap_resp_event *ev)
{
	const char *text = answer_text(s, ev);

	if (a->failed != NULL) {
		end_failed(s, a);
	} else if (a->step == FLAG || a->step == REMOVE) {
		on_removed(s, a, ev);
	} else if (a->step == BODIES && ev->status != IMAP_RESP_OK) {
		a->source_done = true;
		fail(s, a, text);
	} else if (ev->status != IMAP_RESP_OK) {
		imap_session_finish_job(s, text);
	} else if (a->step == RIGHTS && !a->may_remove) {
		imap_session_finish_job(s, "NO [NOPERM] You may not take messages from here");
	} else if (a->step == RIGHTS) {
		ask_what(s, a);
	} else if (a->step == WHAT) {
		known(s, a);
	} else if (a->backlog.len > 0) {
		a->source_done = true;
	} else {
		batch_done(s, a);
	}
}

/* A piece of a response that is not for the client as it is. */
static enum imap_take
on_fetch(struct imap_session *s, struct across *a, const struct imap_resp_event *ev)
{
	if (a->step == DRAIN)
		return TAKE_TAKEN;
	if (a->step == BODIES) {
		if (take_bodies(s, a, ev->bytes))
			return TAKE_TAKEN;
		fail(s, a, REPLY_STEP);
		return TAKE_TAKEN;
	}
	buf_add_slice(&a->line, ev->bytes);
	if (a->line.overflow)
		return TAKE_WRONG;
	if (!ev->last)
		return TAKE_TAKEN;
	if (a->step == RIGHTS)
		on_rights(a, buf_slice(&a->line));
	else if (!add_msg(s, a))
		return TAKE_WRONG;
	return TAKE_TAKEN;
}

static enum imap_take
on_data(struct imap_session *s, struct across *a, const struct imap_resp_event *ev)
{
	if (ev->type == IMAP_RESP_DATA) {
		buf_clear(&a->line);
		a->taking = a->step == RIGHTS
		                    ? slice_eq(ev->name, SLICE("MYRIGHTS"))
		                    : a->step < FINAL && slice_eq(ev->name, SLICE("FETCH"));
	}
	return a->taking ? on_fetch(s, a, ev) : TAKE_PASS;
}

static enum imap_take
on_response(struct imap_session *s, struct imap_leg *leg, const struct imap_resp_event *ev)
{
	struct across *a = across_of(s);
	bool tagged = ev->type == IMAP_RESP_STATUS && !slice_eq(ev->tag, SLICE("*"));

	if (leg == a->to) {
		if (ev->type == IMAP_RESP_CONTINUE ||
		    (tagged && a->to_tag != NULL && slice_eq_str(ev->tag, a->to_tag)))
			return on_target(s, a, ev);
		return TAKE_PASS;
	}
	if (leg != a->from)
		return TAKE_PASS;
	if (ev->type == IMAP_RESP_CONTINUE)
		return TAKE_WRONG;
	if (ev->type != IMAP_RESP_STATUS)
		return on_data(s, a, ev);
	if (!tagged || !slice_eq_str(ev->tag, a->from_tag) || ev->status > IMAP_RESP_BAD)
		return TAKE_PASS;
	on_source(s, a, ev);
	return TAKE_TAKEN;
}

/* The target takes more again. */
static void
on_go_on(struct imap_session *s)
{
	struct across *a = across_of(s);
	ssize_t used;

	if (a->step != BODIES)
		return;
	if (a->backlog.len > 0 && !a->waiting && !imap_leg_is_congested(a->to)) {
		used = feed(s, a, buf_slice(&a->backlog));
		if (used < 0) {
			fail(s, a, REPLY_STEP);
			return;
		}
		buf_consume(&a->backlog, (size_t)used);
	}
	if (a->source_done && a->backlog.len == 0)
		batch_done(s, a);
	else
		update(s, a);
}

/* The source is the selected mailbox's store: with it the session goes. */
static void
on_lost(struct imap_session *s, const struct imap_leg *leg, const char *reply)
{
	struct across *a = across_of(s);

	if (leg == NULL || leg != a->to)
		return;
	a->to = NULL;
	a->waiting = false;
	if (a->step < BODIES)
		a->failed = reply; /* when the source has said what it was asked for */
	else if (a->step < DRAIN)
		fail(s, a, reply);
	else if (a->step == FINAL)
		imap_session_finish_job(s, REPLY_UNSURE);
}

static void
on_free(struct imap_session *s)
{
	struct across *a = across_of(s);
	struct arena *arena = a->arena; /* where a is */

	lookup_cancel(s->proxy->c.lookup, a->verdict_id);
	across_read_fini(&a->read);
	buf_fini(&a->line);
	buf_fini(&a->backlog);
	free(a->msgs);
	free(a->copied);
	arena_free(&arena);
}

static const struct imap_job across_job = { on_response, on_go_on, on_lost, on_free };

void
imap_across_start(struct imap_session *s, struct imap_leg *to)
{
	struct arena *arena = arena_new("imap.across");
	struct across *a = arena_alloc(arena, sizeof(*a));
	const struct imap_head *h = &s->head;

	a->arena = arena;
	a->uid = slice_starts(slice_of(h->row->def.name), SLICE("UID "));
	a->move = (h->row->flags & ROW_MOVE) != 0;
	a->from = s->selected;
	a->to = to;
	a->target = imap_leg_server(to);
	buf_init(&a->line, ACROSS_LINE_MAX);
	buf_init(&a->backlog, BACKLOG_MAX);
	across_read_init(&a->read);
	imap_session_start_job(s, &across_job, a);
	if (h->text.n > 0 || !h->last) {
		imap_session_refuse(s, "BAD Too many arguments");
		imap_session_end_job(s);
	} else if (a->move) {
		begin_move(s, a);
	} else {
		ask_what(s, a);
	}
}
