/*
 * search - SEARCH and UID SEARCH. RFC 3501 sections 6.4.4 and 7.2.5, RFC 4731 (ESEARCH),
 * RFC 7162 section 3.1.5.
 *
 * search_scan.c finds the messages; here are the forms of the answer.
 */
#include "base/num.h"
#include "imap/search_scan.h"

#include <inttypes.h>

struct search_job {
	struct search_scan scan;
	struct buf found; /* u32 each: numbers or UIDs, ascending */
	/* of what was found: all, the first and the last */
	uint64_t modseq_max, modseq_first, modseq_last;
};

static void
cleanup(struct imap_session *s)
{
	struct search_job *j = s->command.job;

	search_scan_fini(&j->scan);
	buf_fini(&j->found);
}

/* ---- the answer --------------------------------------------------------------------------------- */

static uint32_t
found_at(const struct search_job *j, size_t i)
{
	return num_get_le32((const uint8_t *)buf_slice(&j->found).p + 4 * i);
}

/* RFC 4731 section 3.2: the highest of those that are told. */
static uint64_t
told_modseq(const struct search_job *j)
{
	uint64_t first = 0, last = 0;

	if (!j->scan.program.extended ||
	    (j->scan.program.results & (IMAP_SEARCH_ALL | IMAP_SEARCH_COUNT)) != 0)
		return j->modseq_max;
	if ((j->scan.program.results & IMAP_SEARCH_MIN) != 0)
		first = j->modseq_first;
	if ((j->scan.program.results & IMAP_SEARCH_MAX) != 0)
		last = j->modseq_last;
	return MAX(first, last);
}

static void
add_modseq(const struct search_job *j, const char *fmt, struct buf *out)
{
	if (j->scan.program.modseq && j->found.len > 0)
		buf_printf(out, fmt, told_modseq(j));
}

static void
add_search(const struct search_job *j, struct buf *out)
{
	size_t count = j->found.len / 4;

	buf_add_str(out, "* SEARCH");
	for (size_t i = 0; i < count; i++) {
		buf_add_char(out, ' ');
		buf_add_decimal(out, found_at(j, i));
	}
	add_modseq(j, " (MODSEQ %" PRIu64 ")", out);
	buf_add_str(out, "\r\n");
}

static void
add_esearch(const struct search_job *j, const struct command *c, struct buf *out)
{
	unsigned results = j->scan.program.results;
	size_t count = j->found.len / 4;
	struct imap_set_writer w;

	buf_printf(out, "* ESEARCH (TAG \"%s\")%s", c->tag, c->uid ? " UID" : "");
	if ((results & IMAP_SEARCH_MIN) != 0 && count > 0)
		buf_printf(out, " MIN %" PRIu32, found_at(j, 0));
	if ((results & IMAP_SEARCH_MAX) != 0 && count > 0)
		buf_printf(out, " MAX %" PRIu32, found_at(j, count - 1));
	if ((results & IMAP_SEARCH_ALL) != 0 && count > 0) {
		buf_add_str(out, " ALL ");
		imap_set_writer_init(&w, out);
		for (size_t i = 0; i < count; i++)
			imap_set_writer_add(&w, found_at(j, i));
		imap_set_writer_end(&w);
	}
	if ((results & IMAP_SEARCH_COUNT) != 0)
		buf_printf(out, " COUNT %zu", count);
	add_modseq(j, " MODSEQ %" PRIu64, out);
	buf_add_str(out, "\r\n");
}

static void
finish(struct imap_session *s, struct search_job *j)
{
	if (j->scan.program.extended)
		add_esearch(j, &s->command, imap_out(s));
	else
		add_search(j, imap_out(s));
	command_done(s, COMMAND_OK, NULL, "Searched");
}

/* ---- the work ------------------------------------------------------------------------------------ */

static void
note(struct imap_session *s, struct search_job *j, uint32_t seq, const struct msg *m)
{
	if (j->found.len == 0)
		j->modseq_first = m->modseq;
	j->modseq_last = m->modseq;
	buf_add_u32(&j->found, s->command.uid ? m->uid : seq);
	j->modseq_max = MAX(j->modseq_max, m->modseq);
}

static void
pump(struct imap_session *s, struct command *c)
{
	struct search_job *j = c->job;
	enum search_step step;
	const struct msg *m;
	uint32_t seq;

	while ((step = search_scan_next(&j->scan, &seq, &m)) == SEARCH_FOUND)
		note(s, j, seq, m);
	if (step == SEARCH_END)
		finish(s, j);
}

void
cmd_search(struct imap_session *s, struct command *c)
{
	struct search_job *j = arena_alloc(c->arena, sizeof(*j));

	c->job = j;
	if (!imap_search_read(&c->args, &j->scan.program)) {
		command_bad(s, imap_args_bad(&c->args));
		return;
	}
	buf_init(&j->found, SIZE_MAX);
	c->cleanup = cleanup;
	if (search_scan_init(&j->scan, s))
		command_pump(s, pump);
}
