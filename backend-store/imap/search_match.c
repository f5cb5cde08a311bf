#include "imap/search_match.h"

#include "base/xalloc.h"
#include "imap/session_impl.h"
#include "mail/date.h"
#include "text/charset.h"
#include "text/search.h"

#include <stdlib.h>
#include <string.h>

/* A text that is looked for. What was found is kept, so that a message with many of them can
 * be put aside in between: a large one takes a second for each. */
struct text_key {
	struct fold_needle *needle;
	uint32_t seq; /* of the message looked at last; 0: none yet */
	bool found;   /* in that */
};

enum cost { COST_TABLE, COST_SUMMARY, COST_HEADER, COST_BODY };

static bool
has_children(const struct imap_search_node *n)
{
	return n->op == IMAP_SEARCH_AND || n->op == IMAP_SEARCH_OR;
}

/* ---- preparing ---------------------------------------------------------------------------------- */

static enum cost
cost_of(const struct imap_search_node *n)
{
	enum cost most = COST_TABLE;

	switch (n->op) {
	case IMAP_SEARCH_SENTBEFORE:
	case IMAP_SEARCH_SENTON:
	case IMAP_SEARCH_SENTSINCE:
		return COST_SUMMARY;
	case IMAP_SEARCH_HEADER:
		return COST_HEADER;
	case IMAP_SEARCH_BODY:
	case IMAP_SEARCH_TEXT:
		return COST_BODY;
	default:
		break;
	}
	if (has_children(n))
		for (const struct imap_search_node *c = n->child; c != NULL; c = c->next)
			most = MAX(most, cost_of(c));
	return most;
}

/* Cheap children first, otherwise in the order in which they were said. */
static void
order_children(struct imap_search_node *n)
{
	struct imap_search_node *all = n->child, *c, **tail = &n->child;

	n->child = NULL;
	for (int cost = COST_TABLE; cost <= COST_BODY; cost++) {
		struct imap_search_node **left = &all;

		while ((c = *left) != NULL) {
			if ((int)cost_of(c) != cost) {
				left = &c->next;
				continue;
			}
			*left = c->next;
			c->next = NULL;
			*tail = c;
			tail = &c->next;
		}
	}
}

static const struct {
	const char *name;
	uint8_t bit;
} system_flags[] = {
	{ "\\Seen", MSG_SEEN },       { "\\Answered", MSG_ANSWERED }, { "\\Flagged", MSG_FLAGGED },
	{ "\\Deleted", MSG_DELETED }, { "\\Draft", MSG_DRAFT },
};

/* number becomes the bit of a system flag; 0: it is a keyword. */
static void
prepare_flag(struct imap_search_node *n)
{
	n->number = 0;
	for (size_t i = 0; i < ARRAY_LEN(system_flags); i++)
		if (slice_ieq_str(n->text, system_flags[i].name))
			n->number = system_flags[i].bit;
}

static bool
prepare_text(struct imap_search_node *n, struct slice charset)
{
	struct buf utf8 = BUF_INIT(SIZE_MAX);
	struct text_key *key = xcalloc(1, sizeof(*key));
	bool known = true;

	if (charset.n == 0)
		buf_add_slice(&utf8, n->text);
	else
		known = charset_to_utf8(charset, n->text, &utf8);
	if (known)
		key->needle = fold_needle_new(buf_slice(&utf8));
	n->owner = key;
	buf_fini(&utf8);
	return known;
}

static bool
prepare(struct search_match *m, struct imap_search_node *n, struct slice charset)
{
	const struct view *v = m->session->view;
	uint32_t count = view_count(v);

	switch (n->op) {
	case IMAP_SEARCH_AND:
	case IMAP_SEARCH_OR:
		for (struct imap_search_node *c = n->child; c != NULL; c = c->next)
			if (!prepare(m, c, charset))
				return false;
		order_children(n);
		return true;
	case IMAP_SEARCH_NUMBERS:
		imap_set_resolve(&n->set, count);
		return true;
	case IMAP_SEARCH_UIDS:
		imap_set_resolve(&n->set, count > 0 ? view_uid(v, count) : 0);
		return true;
	case IMAP_SEARCH_FLAG:
		prepare_flag(n);
		return true;
	case IMAP_SEARCH_HEADER:
	case IMAP_SEARCH_BODY:
	case IMAP_SEARCH_TEXT:
		return prepare_text(n, charset);
	default:
		return true;
	}
}

bool
search_match_init(struct search_match *m, struct imap_session *s, struct imap_search *program,
                  int64_t now_s)
{
	*m = (struct search_match){ .session = s, .root = &program->root, .now_s = now_s };
	fetch_body_init(&m->body, view_mailbox(s->view), view_place(s->view));
	if (program->charset.n > 0 && !charset_is_known(program->charset))
		return false;
	return prepare(m, m->root, program->charset);
}

static void
free_keys(struct imap_search_node *n)
{
	struct text_key *key = n->owner;

	if (key != NULL)
		fold_needle_free(&key->needle);
	free(key);
	n->owner = NULL;
	if (has_children(n))
		for (struct imap_search_node *c = n->child; c != NULL; c = c->next)
			free_keys(c);
}

void
search_match_fini(struct search_match *m)
{
	free_keys(m->root);
	fetch_body_fini(&m->body);
}

/* ---- one message --------------------------------------------------------------------------------- */

static bool
has_flag(struct search_match *m, const struct imap_search_node *n)
{
	const struct msg *msg = &m->body.msg;
	int bit;

	if (n->number != 0)
		return (msg->flags & n->number) != 0;
	bit = mailbox_keyword_find(m->body.mailbox, n->text);
	return bit != -1 && (msg->keywords >> bit & 1) != 0;
}

static bool
sent_on(struct search_match *m, int32_t *day_r)
{
	const struct summary *sum;

	m->failed = fetch_body_summary(&m->body, &sum);
	if (m->failed != MBOX_OK || !sum->has_date)
		return false;
	*day_r = date_day(sum->date);
	return true;
}

static bool
has_field(struct search_match *m, const struct imap_search_node *n, struct fold_needle *needle)
{
	const struct summary *sum;
	struct slice header;

	m->failed = fetch_body_summary(&m->body, &sum);
	if (m->failed != MBOX_OK)
		return false;
	header = sum->fields;
	if (!summary_keeps(sum, n->field))
		m->failed = fetch_body_header(&m->body, &header);
	return m->failed == MBOX_OK && search_field(header, n->field, needle);
}

static bool
has_text(struct search_match *m, const struct imap_search_node *n, struct fold_needle *needle)
{
	struct slice msg;

	m->failed = fetch_body_whole(&m->body, &msg);
	if (m->failed != MBOX_OK)
		return false;
	return n->op == IMAP_SEARCH_BODY ? search_body(msg, needle) : search_text(msg, needle);
}

/* One text in each turn at least, or it would never end. */
static bool
has_key(struct search_match *m, const struct imap_search_node *n)
{
	struct text_key *key = n->owner;
	bool found;

	if (key->seq == m->seq)
		return key->found;
	m->later = m->worked && command_must_yield(m->session);
	if (m->later)
		return false;
	m->worked = true;
	found = n->op == IMAP_SEARCH_HEADER ? has_field(m, n, key->needle)
	                                    : has_text(m, n, key->needle);
	if (m->failed == MBOX_OK) {
		key->seq = m->seq;
		key->found = found;
	}
	return found;
}

static bool
is_true_of_table(const struct search_match *m, const struct imap_search_node *n)
{
	const struct msg *msg = &m->body.msg;
	int32_t day = date_day((struct date){ msg->internal_date, msg->zone });

	switch (n->op) {
	case IMAP_SEARCH_NUMBERS:
		return imap_set_has(&n->set, m->seq);
	case IMAP_SEARCH_UIDS:
		return imap_set_has(&n->set, msg->uid);
	case IMAP_SEARCH_RECENT:
		return view_is_recent(m->session->view, msg->uid);
	case IMAP_SEARCH_BEFORE:
		return day < n->day;
	case IMAP_SEARCH_ON:
		return day == n->day;
	case IMAP_SEARCH_SINCE:
		return day >= n->day;
	case IMAP_SEARCH_LARGER:
		return msg->size > n->number;
	case IMAP_SEARCH_SMALLER:
		return msg->size < n->number;
	case IMAP_SEARCH_OLDER:
		return m->now_s - msg->internal_date >= (int64_t)n->number;
	case IMAP_SEARCH_YOUNGER:
		return m->now_s - msg->internal_date <= (int64_t)n->number;
	case IMAP_SEARCH_MODSEQ:
		return msg->modseq >= n->number;
	default:
		must_not_reach();
	}
}

static bool is_wanted(struct search_match *m, const struct imap_search_node *n);

static bool
is_true(struct search_match *m, const struct imap_search_node *n)
{
	const struct imap_search_node *c;
	int32_t day;

	switch (n->op) {
	case IMAP_SEARCH_AND:
		for (c = n->child; c != NULL && is_wanted(m, c);)
			c = c->next;
		return c == NULL;
	case IMAP_SEARCH_OR:
		for (c = n->child; c != NULL && !is_wanted(m, c);)
			c = c->next;
		return c != NULL;
	case IMAP_SEARCH_FLAG:
		return has_flag(m, n);
	case IMAP_SEARCH_SENTBEFORE:
		return sent_on(m, &day) && day < n->day;
	case IMAP_SEARCH_SENTON:
		return sent_on(m, &day) && day == n->day;
	case IMAP_SEARCH_SENTSINCE:
		return sent_on(m, &day) && day >= n->day;
	case IMAP_SEARCH_HEADER:
	case IMAP_SEARCH_BODY:
	case IMAP_SEARCH_TEXT:
		return has_key(m, n);
	default:
		return is_true_of_table(m, n);
	}
}

static bool
is_wanted(struct search_match *m, const struct imap_search_node *n)
{
	bool is;

	if (m->failed != MBOX_OK || m->later)
		return false;
	is = is_true(m, n);
	return m->failed == MBOX_OK && !m->later && is != n->invert;
}

enum search_answer
search_match(struct search_match *m, uint32_t seq, const struct msg *msg)
{
	bool wanted;

	m->seq = seq;
	m->failed = MBOX_OK;
	m->worked = m->later = false;
	fetch_body_start(&m->body, msg);
	wanted = is_wanted(m, m->root);
	fetch_body_release(&m->body);
	if (m->later)
		return SEARCH_LATER;
	return wanted ? SEARCH_YES : SEARCH_NO;
}
