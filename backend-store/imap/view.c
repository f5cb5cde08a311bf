/*
 * The client's numbers, and telling him what is new.
 *
 * The table of the mailbox (msgs, ascending by uid) and ours are compared: what we have and
 * the table lacks was expunged; what the table has behind our last uid is new. Between
 * those the table never has a uid that we lack, so counting tells whether anything was
 * expunged, without looking at each.
 */
#include "imap/view.h"

#include "base/xalloc.h"
#include "imap/session_impl.h"

#include <inttypes.h>
#include <stdlib.h>

/* Any of them changes something: the mailbox is READ-WRITE (RFC 4314 section 5.2; all flags are
 * shared by those who see the mailbox). */
#define WRITING (ACL_SEEN | ACL_WRITE | ACL_INSERT | ACL_DELETE_MSG | ACL_EXPUNGE)

#define FLUSH_BYTES 32768 /* so much output before the link is asked */

/* What the client has been told beside view_pull(). */
struct known {
	uint32_t uid;
	bool modseq_too;
	uint8_t flags;
	uint64_t keywords;
	uint64_t modseq;
};

struct view {
	struct imap_session *session;
	struct mailbox *mailbox; /* ours */
	bool examine;
	uint32_t rights;     /* as told */
	uint64_t acl_serial; /* of rights */
	struct mailbox_watch watch;

	uint32_t *uids; /* number n is uids[n - 1] */
	uint32_t count, cap;
	uint64_t modseq;   /* told */
	unsigned keywords; /* how many are told */

	struct imap_range *recent; /* uids that are \Recent here, ascending */
	size_t recent_ranges;
	uint32_t recent_count; /* of our messages */

	struct known *known; /* ascending by uid, until the next pull is through */
	size_t known_count, known_cap;
	struct fetch_place place;

	/* a pull under way */
	bool pulling;
	uint64_t pull_modseq;  /* changes up to this one are told by it */
	uint32_t pull_old_uid; /* messages above are new ones: no FETCH for them */
	uint32_t pull_uid;     /* flags of messages above it are still to be told */
};

/* ---- numbers -------------------------------------------------------------------------------- */

static uint32_t
last_uid(const struct view *v)
{
	return v->count > 0 ? v->uids[v->count - 1] : 0;
}

uint32_t
view_seq_from(const struct view *v, uint32_t uid)
{
	uint32_t low = 0, high = v->count;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (v->uids[middle] < uid)
			low = middle + 1;
		else
			high = middle;
	}
	return low + 1;
}

/* How many messages of the table have a uid up to this one. */
static uint32_t
table_count_to(const struct msg *msgs, uint32_t count, uint32_t uid)
{
	uint32_t low = 0, high = count;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (msgs[middle].uid <= uid)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

uint32_t
view_uid(const struct view *v, uint32_t seq)
{
	must(seq > 0 && seq <= v->count);
	return v->uids[seq - 1];
}

const struct msg *
view_msg(const struct view *v, uint32_t seq)
{
	uint32_t uid = view_uid(v, seq), count;
	const struct msg *msgs = mailbox_msgs(v->mailbox, &count);

	/* nothing expunged in front of it: the usual case */
	if (seq <= count && msgs[seq - 1].uid == uid)
		return &msgs[seq - 1];
	return mailbox_find(v->mailbox, uid);
}

/* UIDs to numbers. */
static void
resolve_uids(const struct view *v, const struct imap_set *set, struct imap_set *seqs)
{
	for (size_t i = 0; i < set->count; i++) {
		const struct imap_range *r = &set->ranges[i];
		uint32_t first = view_seq_from(v, r->first);
		uint32_t end = r->last == UINT32_MAX ? v->count + 1 : view_seq_from(v, r->last + 1);

		if (first < end)
			seqs->ranges[seqs->count++] = (struct imap_range){ first, end - 1 };
	}
}

bool
view_resolve(const struct view *v, struct imap_set *set, bool uid, struct arena *a,
             struct imap_set *seqs_r)
{
	if (!uid && imap_set_largest(set) > v->count)
		return false;
	imap_set_resolve(set, uid ? last_uid(v) : v->count);
	seqs_r->ranges = arena_array(a, set->count + 1, sizeof(*seqs_r->ranges));
	seqs_r->count = 0;
	if (uid) {
		resolve_uids(v, set, seqs_r);
		return true;
	}
	for (size_t i = 0; i < set->count; i++) {
		struct imap_range r = set->ranges[i];

		/* "9:*" of three messages is the last one */
		r.last = MIN(r.last, v->count);
		r.first = MIN(r.first, r.last);
		seqs_r->ranges[seqs_r->count++] = r;
	}
	return true;
}

void
view_walk_init(struct view_walk *w, const struct imap_set *seqs)
{
	*w = (struct view_walk){ .seqs = *seqs };
}

uint32_t
view_walk_next(struct view_walk *w)
{
	for (; w->range < w->seqs.count; w->range++) {
		const struct imap_range *r = &w->seqs.ranges[w->range];

		w->next = w->next == 0 ? r->first : w->next + 1;
		if (w->next <= r->last)
			return w->next;
		w->next = 0;
	}
	return 0;
}

uint32_t *
view_uids(const struct view *v, const struct imap_set *seqs, struct arena *a, size_t *count_r,
          bool *missing_r)
{
	uint32_t *uids = arena_array(a, imap_set_numbers(seqs) + 1, sizeof(*uids)), seq;
	struct view_walk w;

	*count_r = 0;
	*missing_r = false;
	view_walk_init(&w, seqs);
	while ((seq = view_walk_next(&w)) != 0) {
		if (view_msg(v, seq) != NULL)
			uids[(*count_r)++] = view_uid(v, seq);
		else
			*missing_r = true;
	}
	return uids;
}

/* ---- \Recent ---------------------------------------------------------------------------------- */

bool
view_is_recent(const struct view *v, uint32_t uid)
{
	struct imap_set set = { v->recent, v->recent_ranges };

	return imap_set_has(&set, uid);
}

/* uids from first to last are recent here. */
static void
add_recent(struct view *v, uint32_t first, uint32_t last)
{
	struct imap_range *r = v->recent_ranges > 0 ? &v->recent[v->recent_ranges - 1] : NULL;

	v->recent_count += view_seq_from(v, last + 1) - view_seq_from(v, first);
	/* no uid of ours lies between two ranges that others have left alone */
	if (r != NULL && view_seq_from(v, first) == view_seq_from(v, r->last + 1)) {
		r->last = last;
		return;
	}
	v->recent = xreallocarray(v->recent, v->recent_ranges + 1, sizeof(*v->recent));
	v->recent[v->recent_ranges++] = (struct imap_range){ first, last };
}

/* Of our messages from this number on those are recent that nobody has been told of. */
static void
take_recent(struct view *v, uint32_t seq)
{
	uint32_t from = mailbox_recent(v->mailbox, !view_is_read_only(v));
	uint32_t first;

	if (seq > v->count)
		return;
	first = MAX(from, view_uid(v, seq));
	if (first <= last_uid(v))
		add_recent(v, first, last_uid(v));
}

/* ---- beginning and end ------------------------------------------------------------------------- */

/* The messages of the table behind our last one become ours. */
static void
take_new(struct view *v)
{
	uint32_t count, from, old = v->count;
	const struct msg *msgs = mailbox_msgs(v->mailbox, &count);

	from = table_count_to(msgs, count, last_uid(v));
	if (v->count + (count - from) > v->cap) {
		v->cap = v->count + (count - from) + v->cap / 8 + 16;
		v->uids = xreallocarray(v->uids, v->cap, sizeof(*v->uids));
	}
	for (uint32_t i = from; i < count; i++)
		v->uids[v->count++] = msgs[i].uid;
	take_recent(v, old + 1);
}

static uint32_t
rights_now(const struct view *v)
{
	return imap_rights(v->session, mailbox_name(v->mailbox), mailbox_acl(v->mailbox));
}

bool
view_may_read(const struct view *v)
{
	return mailbox_acl_serial(v->mailbox) == v->acl_serial || (rights_now(v) & ACL_READ) != 0;
}

/* Others may be about to take his rights away. */
static void
on_change(void *ctx, UNUSED enum mailbox_change change)
{
	struct view *v = ctx;

	if (!view_may_read(v))
		command_lost_access(v->session);
}

struct view *
view_new(struct imap_session *s, struct mailbox **m, bool examine)
{
	struct view *v = xcalloc(1, sizeof(*v));

	v->session = s;
	v->mailbox = *m;
	*m = NULL;
	v->examine = examine;
	v->rights = rights_now(v);
	v->acl_serial = mailbox_acl_serial(v->mailbox);
	v->watch.fn = on_change;
	v->watch.ctx = v;
	mailbox_watch(v->mailbox, &v->watch);
	v->modseq = mailbox_highestmodseq(v->mailbox);
	v->keywords = mailbox_keyword_count(v->mailbox);
	take_new(v);
	return v;
}

void
view_free(struct view **v)
{
	if (*v == NULL)
		return;
	mailbox_unwatch(&(*v)->watch);
	mailbox_release(&(*v)->mailbox);
	free((*v)->uids);
	free((*v)->recent);
	free((*v)->known);
	free(*v);
	*v = NULL;
}

struct mailbox *
view_mailbox(const struct view *v)
{
	return v->mailbox;
}

bool
view_is_read_only(const struct view *v)
{
	return v->examine || (v->rights & WRITING) == 0;
}

uint32_t
view_count(const struct view *v)
{
	return v->count;
}

uint32_t
view_recent(const struct view *v)
{
	return v->recent_count;
}

uint64_t
view_modseq(const struct view *v)
{
	return v->modseq;
}

uint32_t
view_first_unseen(const struct view *v)
{
	for (uint32_t seq = 1; seq <= v->count; seq++) {
		const struct msg *m = view_msg(v, seq);

		if (m != NULL && (m->flags & MSG_SEEN) == 0)
			return seq;
	}
	return 0;
}

struct fetch_place *
view_place(struct view *v)
{
	return &v->place;
}

/* ---- what he knows already ----------------------------------------------------------------------- */

static void
add_known(struct view *v, const struct msg *m, bool modseq_too)
{
	if (m->modseq <= v->modseq ||
	    (v->known_count > 0 && v->known[v->known_count - 1].uid >= m->uid))
		return;
	if (v->known_count == v->known_cap) {
		v->known_cap = v->known_cap * 2 + 16;
		v->known = xreallocarray(v->known, v->known_cap, sizeof(*v->known));
	}
	v->known[v->known_count++] = (struct known){
		.uid = m->uid,
		.modseq_too = modseq_too,
		.flags = m->flags,
		.keywords = m->keywords,
		.modseq = m->modseq,
	};
}

void
view_told(struct view *v, const struct msg *m)
{
	add_known(v, m, true);
}

void
view_knows(struct view *v, const struct msg *m)
{
	add_known(v, m, false);
}

static const struct known *
find_known(const struct view *v, uint32_t uid)
{
	size_t low = 0, high = v->known_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (v->known[middle].uid < uid)
			low = middle + 1;
		else
			high = middle;
	}
	return low < v->known_count && v->known[low].uid == uid ? &v->known[low] : NULL;
}

/* ---- telling ------------------------------------------------------------------------------------- */

static void
flush_some(struct imap_session *s)
{
	if (imap_out(s)->len >= FLUSH_BYTES)
		link_flush(s->client);
}

/* Is there room for more output? */
static bool
has_room(struct view *v)
{
	flush_some(v->session);
	return !link_is_congested(v->session->client);
}

bool
view_must_yield(struct view *v)
{
	flush_some(v->session);
	return command_must_yield(v->session);
}

void
view_add_flags(const struct view *v, const struct msg *m, struct buf *out)
{
	buf_add_str(out, "FLAGS (");
	imap_add_flags(out, v->mailbox, m->flags, m->keywords);
	if (view_is_recent(v, m->uid))
		buf_printf(out, "%s\\Recent", m->flags != 0 || m->keywords != 0 ? " " : "");
	buf_add_char(out, ')');
}

/* PERMANENTFLAGS are those this user may change, RFC 4314 section 5.1.1. */
void
view_tell_keywords(struct view *v)
{
	struct buf *out = imap_out(v->session);
	uint32_t rights = v->examine ? 0 : v->rights;
	bool keywords = (rights & ACL_WRITE) != 0;

	v->keywords = mailbox_keyword_count(v->mailbox);
	buf_add_str(out, "* FLAGS (");
	imap_add_flags(out, v->mailbox, MSG_SYSTEM, UINT64_MAX);
	buf_add_str(out, ")\r\n* OK [PERMANENTFLAGS (");
	imap_add_flags(out, v->mailbox, imap_changeable(rights), keywords ? UINT64_MAX : 0);
	if (keywords && v->keywords < MAILBOX_KEYWORDS_MAX)
		buf_add_str(out, " \\*");
	buf_add_str(out, ")] Can be changed\r\n");
}

bool
view_check_access(struct view *v)
{
	uint32_t rights, before = v->rights;
	bool was_read_only = view_is_read_only(v);

	if (mailbox_acl_serial(v->mailbox) == v->acl_serial)
		return true;
	rights = rights_now(v);
	if ((rights & ACL_READ) == 0)
		return false;
	v->acl_serial = mailbox_acl_serial(v->mailbox);
	v->rights = rights;
	if (!v->examine && imap_changeable(rights) != imap_changeable(before))
		view_tell_keywords(v);
	/* RFC 3501 section 7.1: also where it has changed while selected */
	if (view_is_read_only(v) != was_read_only)
		imap_untagged(v->session, "OK [%s] Your rights have changed",
		              was_read_only ? "READ-WRITE" : "READ-ONLY");
	return true;
}

void
view_tell_new_keywords(struct view *v)
{
	if (mailbox_keyword_count(v->mailbox) != v->keywords)
		view_tell_keywords(v);
}

/* What is not there any more, from the last one on, so that the numbers in front stay right.
 * False: not all of it had room. */
static bool
tell_expunges(struct view *v)
{
	uint32_t count, seq, left, to;
	const struct msg *msgs = mailbox_msgs(v->mailbox, &count);
	uint32_t there = table_count_to(msgs, count, last_uid(v));

	/* left: so many are gone at this number or below */
	left = v->count - there;
	for (seq = v->count; left > 0 && has_room(v); seq--) {
		uint32_t uid = v->uids[seq - 1];

		if (there > 0 && msgs[there - 1].uid == uid) {
			there--;
			continue;
		}
		left--;
		imap_untagged(v->session, "%" PRIu32 " EXPUNGE", seq);
		if (view_is_recent(v, uid))
			v->recent_count--;
		v->uids[seq - 1] = 0;
	}
	to = seq;
	for (uint32_t i = seq; i < v->count; i++)
		if (v->uids[i] != 0)
			v->uids[to++] = v->uids[i];
	v->count = to;
	return left == 0;
}

static void
tell_one(struct view *v, uint32_t seq, const struct msg *m)
{
	const struct known *k = find_known(v, m->uid);
	struct imap_session *s = v->session;
	struct buf *out = imap_out(s);
	bool same = k != NULL && k->flags == m->flags && k->keywords == m->keywords;

	if (same && (!s->condstore || (k->modseq_too && k->modseq == m->modseq)))
		return;
	buf_printf(out, "* %" PRIu32 " FETCH (", seq);
	if (s->command.uid)
		buf_printf(out, "UID %" PRIu32 " ", m->uid);
	if (s->condstore)
		buf_printf(out, "MODSEQ (%" PRIu64 ")%s", m->modseq, same ? "" : " ");
	if (!same)
		view_add_flags(v, m, out);
	buf_add_str(out, ")\r\n");
}

/* Flags of old messages that have changed since. False: not all of it had room. */
static bool
tell_changes(struct view *v)
{
	uint32_t count;
	const struct msg *msgs = mailbox_msgs(v->mailbox, &count);
	uint32_t end = table_count_to(msgs, count, v->pull_old_uid);

	for (uint32_t i = table_count_to(msgs, count, v->pull_uid); i < end; i++) {
		if (msgs[i].modseq <= v->modseq)
			continue;
		if (!has_room(v))
			return false;
		tell_one(v, view_seq_from(v, msgs[i].uid), &msgs[i]);
		v->pull_uid = msgs[i].uid;
	}
	return true;
}

/* Each new message has taken one modseq. When that accounts for all that were given since, no
 * old message has changed. */
static bool
only_new(const struct view *v)
{
	return v->pull_modseq - v->modseq == v->count + 1 - view_seq_from(v, v->pull_old_uid + 1);
}

static void
begin_pull(struct view *v)
{
	uint32_t before = v->count;

	v->pulling = true;
	v->pull_modseq = mailbox_highestmodseq(v->mailbox);
	v->pull_old_uid = last_uid(v);
	v->pull_uid = 0;
	take_new(v);
	if (v->count != before) {
		imap_untagged(v->session, "%" PRIu32 " EXISTS", v->count);
		imap_untagged(v->session, "%" PRIu32 " RECENT", v->recent_count);
	}
	view_tell_new_keywords(v);
	if (only_new(v))
		v->pull_uid = v->pull_old_uid;
}

int
view_pull(struct view *v, bool expunges)
{
	if (mailbox_is_gone(v->mailbox))
		return 1;
	if (expunges && !tell_expunges(v))
		return 0;
	if (!v->pulling) {
		if (mailbox_highestmodseq(v->mailbox) == v->modseq &&
		    mailbox_keyword_count(v->mailbox) == v->keywords)
			return 1;
		begin_pull(v);
	}
	if (!tell_changes(v))
		return 0;
	v->pulling = false;
	v->modseq = v->pull_modseq;
	v->known_count = 0;
	if (v->known_cap > 64) {
		free(v->known);
		v->known = NULL;
		v->known_cap = 0;
	}
	return 1;
}
