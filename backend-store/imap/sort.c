/*
 * sort - SORT and UID SORT. RFC 5256, RFC 5957 (DISPLAYFROM, DISPLAYTO), RFC 7162 section 3.1.9.
 *
 * Three parts, each a few milliseconds at a time: the messages are found and what they are
 * sorted by is written down; that is sorted; the answer. The summaries have all that is needed.
 */
#include "imap/message_key.h"
#include "imap/search_scan.h"
#include "imap/session_impl.h"
#include "imap/sort_keys.h"
#include "proto/imap_sort.h"

#include <inttypes.h>

#define STEPS 512 /* between looks at the clock */

struct sort_job {
	struct imap_sort by;
	struct search_scan scan;
	struct message_key key;
	struct sort_keys keys;
	uint64_t modseq_max; /* of what was found */
	size_t told;
};

static void
cleanup(struct imap_session *s)
{
	struct sort_job *j = s->command.job;

	search_scan_fini(&j->scan);
	message_key_fini(&j->key);
	sort_keys_fini(&j->keys);
}

/* ---- what messages are sorted by ---- */

static void
add_criterion(struct sort_job *j, enum imap_sort_key key, bool reverse, const struct msg *m)
{
	struct sort_keys *k = &j->keys;

	switch (key) {
	case IMAP_SORT_ARRIVAL:
		sort_keys_add_number(k, m->internal_date, reverse);
		return;
	case IMAP_SORT_DATE:
		sort_keys_add_number(k, message_key_sent(&j->key), reverse);
		return;
	case IMAP_SORT_SIZE:
		sort_keys_add_number(k, (int64_t)m->size, reverse);
		return;
	case IMAP_SORT_SUBJECT:
		sort_keys_add_text(k, message_key_subject(&j->key, NULL), reverse);
		return;
	case IMAP_SORT_CC:
		sort_keys_add_text(k, message_key_local(&j->key, "Cc"), reverse);
		return;
	case IMAP_SORT_FROM:
		sort_keys_add_text(k, message_key_local(&j->key, "From"), reverse);
		return;
	case IMAP_SORT_TO:
		sort_keys_add_text(k, message_key_local(&j->key, "To"), reverse);
		return;
	case IMAP_SORT_DISPLAYFROM:
		sort_keys_add_text(k, message_key_display(&j->key, "From"), reverse);
		return;
	case IMAP_SORT_DISPLAYTO:
		sort_keys_add_text(k, message_key_display(&j->key, "To"), reverse);
		return;
	case IMAP_SORT_KEYS:
		break;
	}
	must_not_reach();
}

static bool
add_message(struct imap_session *s, struct sort_job *j, uint32_t seq, const struct msg *m)
{
	j->modseq_max = MAX(j->modseq_max, m->modseq);
	message_key_start(&j->key, &j->scan.match.body);
	sort_keys_start(&j->keys);
	for (unsigned i = 0; i < j->by.count; i++)
		add_criterion(j, j->by.by[i].key, j->by.by[i].reverse, m);
	return sort_keys_end(&j->keys, s->command.uid ? m->uid : seq);
}

/* ---- the parts ---- */

static void
tell(struct imap_session *s, struct command *c)
{
	struct sort_job *j = c->job;
	struct buf *out = imap_out(s);

	if (j->told == 0)
		buf_add_str(out, "* SORT");
	for (; j->told < j->keys.count; j->told++) {
		if (j->told % STEPS == STEPS - 1 && command_must_yield(s))
			return;
		buf_add_char(out, ' ');
		buf_add_decimal(out, sort_keys_id(&j->keys, j->told));
	}
	if (j->scan.program.modseq && j->keys.count > 0)
		buf_printf(out, " (MODSEQ %" PRIu64 ")", j->modseq_max);
	buf_add_str(out, "\r\n");
	command_done(s, COMMAND_OK, NULL, "Sorted");
}

static void
order(struct imap_session *s, struct command *c)
{
	struct sort_job *j = c->job;

	while (!sort_keys_sort(&j->keys, STEPS))
		if (command_must_yield(s))
			return;
	command_pump(s, tell);
}

static void
collect(struct imap_session *s, struct command *c)
{
	struct sort_job *j = c->job;
	enum search_step step;
	const struct msg *m;
	uint32_t seq;

	while ((step = search_scan_next(&j->scan, &seq, &m)) == SEARCH_FOUND) {
		if (!add_message(s, j, seq, m)) {
			command_done(s, COMMAND_NO, "LIMIT", "Too much to be sorted");
			return;
		}
	}
	if (step == SEARCH_END)
		command_pump(s, order);
}

void
cmd_sort(struct imap_session *s, struct command *c)
{
	struct sort_job *j = arena_alloc(c->arena, sizeof(*j));

	c->job = j;
	if (!imap_sort_read(&c->args, &j->by) ||
	    !imap_search_read_sorted(&c->args, &j->scan.program)) {
		command_bad(s, imap_args_bad(&c->args));
		return;
	}
	message_key_init(&j->key);
	sort_keys_init(&j->keys, view_count(s->view));
	c->cleanup = cleanup;
	if (search_scan_init(&j->scan, s))
		command_pump(s, collect);
}
