/*
 * store - STORE and UID STORE. RFC 3501 section 6.4.6, RFC 7162 section 3.1.3, RFC 4314
 * section 4.
 *
 *	store = sequence-set [SP "(" "UNCHANGEDSINCE" SP number ")"] SP
 *	        ["+" / "-"] "FLAGS" [".SILENT"] SP flags
 *
 * Flags he has no right to change are passed over; where a replacement must leave some as
 * they are, it is a removal and an addition.
 */
#include "imap/session_impl.h"
#include "imap/view.h"

#include <inttypes.h>

#define FLAG_RIGHTS (ACL_SEEN | ACL_WRITE | ACL_DELETE_MSG)

struct step {
	enum flag_op op;
	struct msg_flags flags;
};

struct store_job {
	struct imap_set set;
	enum flag_op op;
	bool silent;
	uint64_t unchanged_since; /* UINT64_MAX: whatever */
	struct msg_flags flags;

	struct imap_set seqs;
	uint32_t *uids; /* those of seqs that are there */
	size_t count;
	bool missing;
	struct msg *before; /* silent: as the client knows them; uid 0: he does not */
	struct step steps[2];
	size_t step_count, step;
	uint32_t *modified; /* uids that failed UNCHANGEDSINCE, ascending */
	size_t modified_count;
	struct view_walk walk;
};

/* ---- arguments -------------------------------------------------------------------------------- */

static const struct {
	const char *name;
	enum flag_op op;
	bool silent;
} forms[] = {
	{ "FLAGS", FLAGS_REPLACE, false }, { "FLAGS.SILENT", FLAGS_REPLACE, true },
	{ "+FLAGS", FLAGS_ADD, false },    { "+FLAGS.SILENT", FLAGS_ADD, true },
	{ "-FLAGS", FLAGS_REMOVE, false }, { "-FLAGS.SILENT", FLAGS_REMOVE, true },
};

static bool
read_form(struct imap_args *a, struct store_job *j)
{
	struct slice name;

	if (!imap_args_atom(a, "FLAGS", &name))
		return false;
	for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
		if (!slice_ieq_str(name, forms[i].name))
			continue;
		j->op = forms[i].op;
		j->silent = forms[i].silent;
		return true;
	}
	return imap_args_fail(a, "Unknown item in %s", a->cmd);
}

static bool
read_modifier(struct imap_args *a, struct store_job *j)
{
	bool first = true;

	if (!imap_args_open(a, "modifiers"))
		return false;
	while (imap_args_next(a, &first)) {
		if (!imap_args_try_word(a, "UNCHANGEDSINCE"))
			return imap_args_fail(a, "Unknown modifier in %s", a->cmd);
		if (!imap_args_space(a) ||
		    !imap_args_u64(a, "modification sequence", &j->unchanged_since))
			return false;
	}
	return imap_args_ok(a) && imap_args_space(a);
}

static bool
read_args(struct imap_args *a, struct store_job *j)
{
	struct slice *flags;
	size_t count;

	j->unchanged_since = UINT64_MAX;
	if (!imap_args_space(a) || !imap_set_read(a, "message set", &j->set) ||
	    !imap_args_space(a) || (imap_args_peek(a) == '(' && !read_modifier(a, j)) ||
	    !read_form(a, j) || !imap_args_space(a) || !imap_args_flags(a, true, &flags, &count) ||
	    !imap_args_end(a))
		return false;
	return imap_read_flags(a, flags, count, &j->flags) ||
	       imap_args_fail(a, "Unknown system flag in %s", a->cmd);
}

/* ---- what may be done ------------------------------------------------------------------------- */

static bool
is_among(struct slice name, const struct msg_flags *f)
{
	for (size_t i = 0; i < f->keyword_count; i++)
		if (slice_ieq(name, f->keywords[i]))
			return true;
	return false;
}

/* All flags of the mailbox that he may change and does not want. */
static struct msg_flags
unwanted(struct imap_session *s, const struct store_job *j, uint32_t rights)
{
	const struct mailbox *m = view_mailbox(s->view);
	unsigned count = mailbox_keyword_count(m);
	struct slice *names = arena_array(s->command.arena, count + 1, sizeof(*names));
	struct msg_flags f = { MSG_SYSTEM & ~j->flags.system, names, 0 };

	for (unsigned i = 0; i < count; i++)
		if (!is_among(mailbox_keyword(m, i), &j->flags))
			names[f.keyword_count++] =
				arena_slice_dup(s->command.arena, mailbox_keyword(m, i));
	imap_limit_flags(&f, rights);
	return f;
}

static bool
is_empty(const struct msg_flags *f)
{
	return f->system == 0 && f->keyword_count == 0;
}

/* False: nothing of it is his to change. */
static bool
plan(struct imap_session *s, struct store_job *j)
{
	uint32_t rights = imap_selected_rights(s) & FLAG_RIGHTS;
	bool nothing = is_empty(&j->flags);
	enum flag_op op;

	if (j->op == FLAGS_REPLACE && rights != FLAG_RIGHTS)
		j->steps[j->step_count++] = (struct step){ FLAGS_REMOVE, unwanted(s, j, rights) };
	imap_limit_flags(&j->flags, rights);
	op = j->step_count > 0 ? FLAGS_ADD : j->op;
	j->steps[j->step_count++] = (struct step){ op, j->flags };
	return j->op == FLAGS_REPLACE ? rights != 0 : nothing || !is_empty(&j->flags);
}

/* ---- telling what became of it ------------------------------------------------------------------ */

static bool
is_modified(const struct store_job *j, uint32_t uid)
{
	size_t low = 0, high = j->modified_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (j->modified[middle] < uid)
			low = middle + 1;
		else
			high = middle;
	}
	return low < j->modified_count && j->modified[low] == uid;
}

static void
finish(struct imap_session *s, struct store_job *j)
{
	struct command *c = &s->command;
	struct buf code = BUF_INIT(SIZE_MAX);
	struct imap_set_writer w;

	if (j->modified_count > 0) {
		buf_add_str(&code, "MODIFIED ");
		imap_set_writer_init(&w, &code);
		for (size_t i = 0; i < j->modified_count; i++)
			imap_set_writer_add(&w, c->uid ? j->modified[i]
			                               : view_seq_from(s->view, j->modified[i]));
		imap_set_writer_end(&w);
		command_done(s, COMMAND_OK, buf_cstr(&code), "Some messages were changed before");
	} else if (j->missing && !c->uid) {
		command_done(s, COMMAND_NO, "EXPUNGEISSUED", "Some messages are gone");
	} else {
		command_done(s, COMMAND_OK, NULL, "Stored");
	}
	buf_fini(&code);
}

static void
tell_one(struct imap_session *s, uint32_t seq, const struct msg *m)
{
	struct buf *out = imap_out(s);

	buf_printf(out, "* %" PRIu32 " FETCH (", seq);
	if (s->command.uid)
		buf_printf(out, "UID %" PRIu32 " ", m->uid);
	if (s->condstore)
		buf_printf(out, "MODSEQ (%" PRIu64 ") ", m->modseq);
	view_add_flags(s->view, m, out);
	buf_add_str(out, ")\r\n");
	view_told(s->view, m);
}

static void
tell(struct imap_session *s, struct command *c)
{
	struct store_job *j = c->job;
	uint32_t seq;

	while (!view_must_yield(s->view)) {
		const struct msg *m;

		seq = view_walk_next(&j->walk);
		if (seq == 0) {
			finish(s, j);
			return;
		}
		m = view_msg(s->view, seq);
		if (m != NULL && !is_modified(j, m->uid))
			tell_one(s, seq, m);
	}
}

static uint64_t
keyword_bits(const struct mailbox *m, const struct msg_flags *f)
{
	uint64_t bits = 0;

	for (size_t i = 0; i < f->keyword_count; i++) {
		int bit = mailbox_keyword_find(m, f->keywords[i]);

		if (bit != -1)
			bits |= 1ull << bit;
	}
	return bits;
}

/* What a client who asked for silence takes the flags to be now. */
static void
expect(const struct mailbox *m, const struct store_job *j, struct msg *msg)
{
	for (size_t i = 0; i < j->step_count; i++) {
		const struct step *step = &j->steps[i];
		uint64_t bits = keyword_bits(m, &step->flags);

		if (step->op == FLAGS_REPLACE) {
			msg->flags = 0;
			msg->keywords = 0;
		}
		if (step->op == FLAGS_REMOVE) {
			msg->flags &= (uint8_t)~step->flags.system;
			msg->keywords &= ~bits;
		} else {
			msg->flags |= step->flags.system;
			msg->keywords |= bits;
		}
	}
}

static void
be_silent(struct imap_session *s, struct store_job *j)
{
	const struct mailbox *m = view_mailbox(s->view);

	for (size_t i = 0; i < j->count; i++) {
		const struct msg *now = mailbox_find(m, j->uids[i]);
		struct msg *known = &j->before[i];

		if (now == NULL || known->uid == 0 || is_modified(j, now->uid))
			continue;
		expect(m, j, known);
		known->modseq = now->modseq;
		view_knows(s->view, known);
	}
}

/* ---- doing it ------------------------------------------------------------------------------------ */

static void next_step(struct imap_session *s, struct store_job *j);

static void
all_done(struct imap_session *s, struct store_job *j)
{
	if (j->silent) {
		be_silent(s, j);
		finish(s, j);
		return;
	}
	view_tell_new_keywords(s->view);
	view_walk_init(&j->walk, &j->seqs);
	command_pump(s, tell);
}

static void
keep_modified(struct imap_session *s, struct store_job *j, const uint32_t *modified, size_t count)
{
	size_t n = 0;

	j->modified = arena_array(s->command.arena, count + 1, sizeof(*j->modified));
	memcpy(j->modified, modified, count * sizeof(*modified));
	j->modified_count = count;
	for (size_t i = 0; i < j->count; i++) {
		if (is_modified(j, j->uids[i]))
			continue;
		if (j->silent)
			j->before[n] = j->before[i];
		j->uids[n++] = j->uids[i];
	}
	j->count = n;
	j->unchanged_since = UINT64_MAX; /* the rest is ours now */
}

static void
on_stored(void *ctx, enum mbox_result result, const uint32_t *modified, size_t modified_count)
{
	struct imap_session *s = ctx;
	struct store_job *j = s->command.job;

	s->command.store_id = 0;
	if (result == MBOX_CANNOT) {
		command_done(s, COMMAND_NO, "LIMIT", "The mailbox has no room for more keywords");
		return;
	}
	if (result != MBOX_OK) {
		command_fail(s, result);
		return;
	}
	if (modified_count > 0)
		keep_modified(s, j, modified, modified_count);
	j->step++;
	next_step(s, j);
}

static void
next_step(struct imap_session *s, struct store_job *j)
{
	struct flag_change change = { .unchanged_since = j->unchanged_since };

	if (j->step == j->step_count) {
		all_done(s, j);
		return;
	}
	change.op = j->steps[j->step].op;
	change.flags = j->steps[j->step].flags;
	s->command.store_id = mailbox_store_flags(view_mailbox(s->view), j->uids, j->count, &change,
	                                          on_stored, s);
}

static void
keep_before(struct imap_session *s, struct store_job *j)
{
	j->before = arena_array(s->command.arena, j->count + 1, sizeof(*j->before));
	for (size_t i = 0; i < j->count; i++) {
		const struct msg *m = mailbox_find(view_mailbox(s->view), j->uids[i]);

		/* changed by others meanwhile: he is told the whole truth */
		if (m != NULL && m->modseq <= view_modseq(s->view))
			j->before[i] = *m;
	}
}

void
cmd_store(struct imap_session *s, struct command *c)
{
	struct store_job *j = arena_alloc(c->arena, sizeof(*j));

	c->job = j;
	if (!read_args(&c->args, j)) {
		command_bad(s, imap_args_bad(&c->args));
		return;
	}
	if (!view_resolve(s->view, &j->set, c->uid, c->arena, &j->seqs)) {
		command_bad(s, "No message has this number in STORE");
		return;
	}
	if (!plan(s, j)) {
		command_done(s, COMMAND_NO, "NOPERM", "You may not change these flags");
		return;
	}
	if (j->unchanged_since != UINT64_MAX)
		imap_enable_condstore(s);
	j->uids = view_uids(s->view, &j->seqs, c->arena, &j->count, &j->missing);
	if (j->silent)
		keep_before(s, j);
	next_step(s, j);
}
