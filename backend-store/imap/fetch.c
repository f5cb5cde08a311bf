/*
 * fetch - FETCH and UID FETCH. RFC 3501 sections 6.4.5 and 7.4.2, RFC 7162 section 3.1.4.
 *
 * Messages are answered one after the other, in pieces as the client takes them. \Seen is set
 * before a message goes out, for some messages at a time, so that its flags are in the same
 * response; when that cannot be written the messages are shown all the same.
 *
 * A message that others have expunged: UID FETCH leaves it out (the client is told of the
 * EXPUNGE before the tagged OK), FETCH answers NO [EXPUNGEISSUED] behind the others (RFC 2180
 * section 4.1.2), since it may not tell him yet.
 */
#include "imap/fetch_body.h"
#include "imap/session_impl.h"
#include "imap/view.h"

#include <inttypes.h>
#include <stdlib.h>

#define SEEN_BATCH 64          /* messages whose \Seen is set at a time */
#define PIECE_BYTES 32768      /* of a section */
#define NUL_SHOWN ((char)0x80) /* RFC 3501 has no NUL: as Dovecot shows it */

struct fetch_job {
	struct imap_fetch f;
	bool needs_summary;
	struct view_walk walk;
	uint32_t next; /* taken from walk, not begun; 0: none */
	struct fetch_body body;
	struct buf piece;

	/* \Seen */
	bool sees;
	uint32_t seen[SEEN_BATCH]; /* uids that got it, ascending */
	size_t seen_count;
	uint32_t seen_to; /* looked at up to this number */

	/* the message being shown; 0: none */
	uint32_t seq;
	bool any;                  /* an item is in its response */
	struct fetch_bytes *bytes; /* of each section */
	size_t section;
	bool section_open; /* its literal has begun */
	uint64_t at;       /* bytes of it that are out */

	bool missing;            /* one was expunged by others */
	enum mbox_result failed; /* of one that could not be read */
};

/* ---- output ---------------------------------------------------------------------------------- */

static bool
got_seen(const struct fetch_job *j, uint32_t uid)
{
	for (size_t i = 0; i < j->seen_count; i++)
		if (j->seen[i] == uid)
			return true;
	return false;
}

/* The name of the next item in the response. */
static void
add_name(struct fetch_job *j, struct buf *out, struct slice name)
{
	if (j->any)
		buf_add_char(out, ' ');
	buf_add_slice(out, name);
	j->any = true;
}

static void
add_number(struct fetch_job *j, struct buf *out, struct slice name, uint64_t n)
{
	add_name(j, out, name);
	buf_printf(out, " %" PRIu64, n);
}

static void
add_text(struct fetch_job *j, struct buf *out, struct slice name, struct slice text)
{
	add_name(j, out, name);
	buf_add_char(out, ' ');
	buf_add_slice(out, text);
}

static void
add_flags(struct imap_session *s, struct fetch_job *j, bool with_modseq)
{
	const struct msg *m = &j->body.msg;

	add_name(j, imap_out(s), SLICE(""));
	view_add_flags(s->view, m, imap_out(s));
	if (!s->condstore || with_modseq)
		view_told(s->view, m);
}

/* All that is known without the body. */
static void
add_items(struct imap_session *s, struct fetch_job *j, const struct summary *sum)
{
	const struct msg *m = &j->body.msg;
	struct buf *out = imap_out(s);
	unsigned items = j->f.items;

	if (got_seen(j, m->uid))
		items |= IMAP_FETCH_FLAGS | (s->condstore ? IMAP_FETCH_MODSEQ : 0);
	buf_printf(out, "* %" PRIu32 " FETCH (", j->seq);
	j->any = false;
	if (items & IMAP_FETCH_UID)
		add_number(j, out, SLICE("UID"), m->uid);
	if (items & IMAP_FETCH_FLAGS)
		add_flags(s, j, (items & IMAP_FETCH_MODSEQ) != 0);
	if (items & IMAP_FETCH_INTERNALDATE) {
		add_name(j, out, SLICE("INTERNALDATE \""));
		date_add_imap(out, (struct date){ m->internal_date, m->zone });
		buf_add_char(out, '"');
	}
	if (items & IMAP_FETCH_SIZE)
		add_number(j, out, SLICE("RFC822.SIZE"), m->size);
	if (items & IMAP_FETCH_MODSEQ) {
		add_name(j, out, SLICE("MODSEQ"));
		buf_printf(out, " (%" PRIu64 ")", m->modseq);
	}
	if (items & IMAP_FETCH_ENVELOPE)
		add_text(j, out, SLICE("ENVELOPE"), sum->envelope);
	if (items & IMAP_FETCH_BODY)
		add_text(j, out, SLICE("BODY"), sum->body);
	if (items & IMAP_FETCH_BODYSTRUCTURE)
		add_text(j, out, SLICE("BODYSTRUCTURE"), sum->bodystructure);
}

static void
add_bytes(struct buf *out, struct slice s)
{
	char *p = buf_extend(out, s.n);

	if (p == NULL || s.n == 0)
		return; /* the link's limit: it ends the session */
	memcpy(p, s.p, s.n);
	for (char *nul = memchr(p, '\0', s.n); nul != NULL;
	     nul = memchr(nul, '\0', s.n - (size_t)(nul - p)))
		*nul = NUL_SHOWN;
}

static uint64_t
bytes_size(const struct fetch_bytes *b)
{
	return b->held.p != NULL ? b->held.n : b->n;
}

/* The name of the section and the head of its literal. */
static void
open_section(struct imap_session *s, struct fetch_job *j)
{
	const struct fetch_bytes *b = &j->bytes[j->section];
	struct buf *out = imap_out(s);

	add_name(j, out, j->f.sections[j->section].label);
	if (b->nil)
		buf_add_str(out, " NIL");
	else if (bytes_size(b) == 0)
		buf_add_str(out, " \"\"");
	else
		buf_printf(out, " {%" PRIu64 "}\r\n", bytes_size(b));
	j->section_open = true;
	j->at = 0;
}

/* A piece of the section. False: it cannot be read, and the response cannot be ended. */
static bool
add_piece(struct imap_session *s, struct fetch_job *j)
{
	const struct fetch_bytes *b = &j->bytes[j->section];
	uint64_t n = MIN(bytes_size(b) - j->at, (uint64_t)PIECE_BYTES);
	struct slice piece = slice_sub(b->held, (size_t)j->at, (size_t)n);

	if (b->held.p == NULL) {
		buf_clear(&j->piece);
		if (mailbox_read(j->body.mailbox, &j->body.msg, b->from + j->at, n, &j->piece) !=
		            MBOX_OK ||
		    j->piece.len != n)
			return false;
		piece = buf_slice(&j->piece);
	}
	add_bytes(imap_out(s), piece);
	j->at += n;
	return true;
}

/* The rest of the message under way. False: later, or the session is over. */
static bool
show_sections(struct imap_session *s, struct fetch_job *j)
{
	while (j->section < j->f.section_count) {
		const struct fetch_bytes *b = &j->bytes[j->section];

		if (!j->section_open)
			open_section(s, j);
		while (!b->nil && j->at < bytes_size(b)) {
			if (view_must_yield(s->view))
				return false;
			if (!add_piece(s, j)) {
				log_error(&s->log, "imap.fetch_broken uid=%" PRIu32,
				          j->body.msg.uid);
				imap_session_end(s, "a message cannot be read");
				return false;
			}
		}
		j->section++;
		j->section_open = false;
	}
	return true;
}

/* ---- one message ------------------------------------------------------------------------------ */

static enum mbox_result
find_all(struct fetch_job *j, const struct summary **sum_r)
{
	enum mbox_result r = MBOX_OK;

	if (j->needs_summary)
		r = fetch_body_summary(&j->body, sum_r);
	for (size_t i = 0; i < j->f.section_count && r == MBOX_OK; i++)
		r = fetch_body_find(&j->body, &j->f.sections[i], &j->bytes[i]);
	fetch_body_release(&j->body);
	return r;
}

/* Begins its response, unless there is none to be. */
static void
start_message(struct imap_session *s, struct fetch_job *j, uint32_t seq)
{
	const struct msg *m = view_msg(s->view, seq);
	const struct summary *sum = NULL;
	enum mbox_result r;

	if (m == NULL) {
		j->missing = true;
		return;
	}
	if (j->f.changed_since && m->modseq <= j->f.since)
		return;
	fetch_body_start(&j->body, m);
	r = find_all(j, &sum);
	if (r != MBOX_OK) {
		log_error(&s->log, "imap.fetch_failed uid=%" PRIu32 " why=%s", m->uid,
		          mbox_result_name(r));
		j->failed = r;
		return;
	}
	j->seq = seq;
	j->section = 0;
	j->section_open = false;
	add_items(s, j, sum);
	metrics_add(&imap_metrics[IMAP_M_FETCHED], 1);
}

/* ---- \Seen -------------------------------------------------------------------------------------- */

static void pump(struct imap_session *s, struct command *c);

static void
on_seen(void *ctx, enum mbox_result result, UNUSED const uint32_t *modified,
        UNUSED size_t modified_count)
{
	struct imap_session *s = ctx;
	struct fetch_job *j = s->command.job;

	s->command.store_id = 0;
	if (result != MBOX_OK) {
		log_debug(&s->log, "imap.fetch_not_seen why=%s", mbox_result_name(result));
		j->seen_count = 0;
	}
	command_pump(s, pump);
}

/* Sets \Seen of the next messages; true: and that has to be waited for. */
static bool
set_seen(struct imap_session *s, struct fetch_job *j, uint32_t seq)
{
	struct flag_change change = { FLAGS_ADD, { MSG_SEEN, NULL, 0 }, UINT64_MAX };
	struct view_walk ahead = j->walk;
	struct command *c = &s->command;

	j->seen_count = 0;
	for (int i = 0; i < SEEN_BATCH && seq != 0; i++, seq = view_walk_next(&ahead)) {
		const struct msg *m = view_msg(s->view, seq);

		j->seen_to = seq;
		if (m != NULL && (m->flags & MSG_SEEN) == 0 &&
		    (!j->f.changed_since || m->modseq > j->f.since))
			j->seen[j->seen_count++] = m->uid;
	}
	if (j->seen_count == 0)
		return false;
	command_pump(s, NULL);
	c->store_id = mailbox_store_flags(view_mailbox(s->view), j->seen, j->seen_count, &change,
	                                  on_seen, s);
	return true;
}

/* ---- the command ------------------------------------------------------------------------------ */

static void
finish(struct imap_session *s, struct fetch_job *j)
{
	if (j->failed != MBOX_OK)
		command_fail(s, j->failed);
	else if (j->missing && !s->command.uid)
		command_done(s, COMMAND_NO, "EXPUNGEISSUED", "Some messages are gone");
	else
		command_done(s, COMMAND_OK, NULL, "Fetched");
}

static void
pump(struct imap_session *s, struct command *c)
{
	struct fetch_job *j = c->job;

	for (;;) {
		if (j->seq != 0) {
			if (!show_sections(s, j))
				return;
			buf_add_str(imap_out(s), ")\r\n");
			j->seq = 0;
		}
		if (view_must_yield(s->view))
			return;
		if (j->next == 0)
			j->next = view_walk_next(&j->walk);
		if (j->next == 0) {
			finish(s, j);
			return;
		}
		if (j->sees && j->next > j->seen_to && set_seen(s, j, j->next))
			return;
		start_message(s, j, j->next);
		j->next = 0;
	}
}

static void
cleanup(struct imap_session *s)
{
	struct fetch_job *j = s->command.job;

	fetch_body_fini(&j->body);
	buf_fini(&j->piece);
}

static bool
needs_summary(const struct imap_fetch *f)
{
	return (f->items & (IMAP_FETCH_ENVELOPE | IMAP_FETCH_BODY | IMAP_FETCH_BODYSTRUCTURE)) != 0;
}

static void
start(struct imap_session *s, struct fetch_job *j)
{
	struct command *c = &s->command;
	struct imap_set seqs;

	if (!view_resolve(s->view, &j->f.set, c->uid, c->arena, &seqs)) {
		command_bad(s, "No message has this number in FETCH");
		return;
	}
	if (j->f.changed_since || (j->f.items & IMAP_FETCH_MODSEQ))
		imap_enable_condstore(s);
	if (j->f.changed_since)
		j->f.items |= IMAP_FETCH_MODSEQ;
	if (c->uid)
		j->f.items |= IMAP_FETCH_UID;
	j->needs_summary = needs_summary(&j->f);
	j->sees = imap_fetch_sees(&j->f) && !view_is_read_only(s->view) &&
	          (imap_selected_rights(s) & ACL_SEEN) != 0;
	j->bytes = arena_array(c->arena, j->f.section_count + 1, sizeof(*j->bytes));
	view_walk_init(&j->walk, &seqs);
	buf_init(&j->piece, SIZE_MAX);
	fetch_body_init(&j->body, view_mailbox(s->view), view_place(s->view));
	c->cleanup = cleanup;
	command_pump(s, pump);
}

void
cmd_fetch(struct imap_session *s, struct command *c)
{
	struct fetch_job *j = arena_alloc(c->arena, sizeof(*j));

	c->job = j;
	if (!imap_fetch_read(&c->args, &j->f)) {
		command_bad(s, imap_args_bad(&c->args));
		return;
	}
	if (j->f.vanished) {
		command_bad(s, "VANISHED needs QRESYNC, which is not enabled");
		return;
	}
	start(s, j);
}
