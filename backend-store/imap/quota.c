/*
 * quota - GETQUOTA, GETQUOTAROOT, SETQUOTA: RFC 9208 (and RFC 2087), and the warning of a
 * mailbox that is nearly full.
 *
 * A root is called by the name of its mailbox, as this client knows it: so a front end finds
 * the store. The canonical name is understood too. STORAGE is in units of 1024 octets; what is
 * used is rounded up, so that it never looks less than it is.
 *
 * Who sees what: his own root; another one where he has ACL_READ. Only an admin, who has come
 * in as the user, changes limits.
 */
#include "mailbox/quota.h"

#include "imap/session_impl.h"
#include "imap/view.h"

#include <inttypes.h>

#define UNIT 1024
#define NUMBER_MOST ((uint64_t)INT64_MAX) /* number64 of RFC 9051 */

/* ---- telling ------------------------------------------------------------------------------------ */

static void
add_resource(struct buf *out, const char *name, uint64_t used, uint64_t limit)
{
	buf_printf(out, "%s %" PRIu64 " %" PRIu64, name, used, limit);
}

static void
tell_quota(struct imap_session *s, const struct quota_info *q)
{
	struct buf root = BUF_INIT(8 * MBOX_NAME_MAX);
	struct buf *out = imap_out(s);
	bool storage = q->limits.bytes != QUOTA_NONE, messages = q->limits.messages != QUOTA_NONE;

	if (imap_add_mailbox(s, q->root, &root)) {
		buf_printf(out, "* QUOTA %s (", buf_cstr(&root));
		if (storage)
			add_resource(out, "STORAGE", (q->bytes + UNIT - 1) / UNIT,
			             q->limits.bytes / UNIT);
		if (storage && messages)
			buf_add_char(out, ' ');
		if (messages)
			add_resource(out, "MESSAGE", q->messages, q->limits.messages);
		buf_add_str(out, ")\r\n");
	}
	buf_fini(&root);
}

void
imap_quota_warn(struct imap_session *s)
{
	uint64_t warn = conf_percent(s->service->c.conf, "quota_warn");
	struct quota_info q;
	unsigned percent;

	if (s->quota_warned || warn == 0 ||
	    !quota_find(s->service->c.store, mailbox_name(view_mailbox(s->view)), &q))
		return;
	percent = quota_percent(&q);
	if (percent < warn)
		return;
	s->quota_warned = true;
	if (percent >= 100)
		imap_untagged(s, "NO [OVERQUOTA] There is no room for more mail");
	else
		imap_untagged(s, "NO [ALERT] %u%% of the room for mail is used", percent);
}

/* ---- which root -------------------------------------------------------------------------------- */

static bool
may_read(struct imap_session *s, struct slice name)
{
	struct mbox_info info;

	return s->admin || (store_find(s->service->c.store, name, &info) &&
	                    (imap_rights(s, info.name, info.acl) & ACL_READ) != 0);
}

/* A mailbox by what a client calls a root: his name of it, or the canonical one. */
static bool
find_root(struct imap_session *s, struct slice word, struct mbox_info *info_r)
{
	struct store *store = s->service->c.store;
	struct mbox_name name;

	if (mbox_name_from_client(&s->names, word, &name) == MBOX_NAME_OK &&
	    store_find(store, mbox_name_slice(&name), info_r))
		return true;
	return mbox_name_check(word) == MBOX_NAME_OK && store_find(store, word, info_r);
}

static void
no_root(struct imap_session *s)
{
	command_done(s, COMMAND_NO, "NONEXISTENT", "There is no such quota root");
}

/* SP astring, and with more something behind it. False: answered. */
static bool
read_word(struct imap_session *s, const char *what, bool more, struct slice *word_r)
{
	struct imap_args *a = &s->command.args;

	if (imap_args_space(a) && imap_args_astring(a, what, word_r) && (more || imap_args_end(a)))
		return true;
	command_bad(s, imap_args_bad(a));
	return false;
}

void
cmd_getquota(struct imap_session *s, UNUSED struct command *c)
{
	struct mbox_info info;
	struct quota_info q;
	struct slice word;

	if (!read_word(s, "quota root", false, &word))
		return;
	if (!find_root(s, word, &info) || !may_read(s, info.name) ||
	    !quota_find(s->service->c.store, info.name, &q) || !slice_eq(q.root, info.name)) {
		no_root(s);
		return;
	}
	tell_quota(s, &q);
	command_done(s, COMMAND_OK, NULL, "That is all");
}

/* The name need not be there: then the nearest above it says what he may know. One that he may
 * not look up is for him as one that is not there. */
static bool
may_ask_for(struct imap_session *s, struct slice name)
{
	struct slice at = name;
	struct mbox_info info;

	do {
		if (may_read(s, at))
			return true;
		if (store_find(s->service->c.store, at, &info) &&
		    (imap_rights(s, info.name, info.acl) & ACL_LOOKUP) != 0)
			return false;
	} while (mbox_name_parent(at, &at));
	return false;
}

void
cmd_getquotaroot(struct imap_session *s, UNUSED struct command *c)
{
	struct buf out = BUF_INIT(32 * MBOX_NAME_MAX);
	struct quota_info q;
	struct mbox_name name;
	struct slice word;
	bool limited;

	if (!read_word(s, "mailbox name", false, &word) ||
	    !imap_name(s, word, "NONEXISTENT", &name))
		return;
	if (!may_ask_for(s, mbox_name_slice(&name)) ||
	    !imap_add_mailbox(s, mbox_name_slice(&name), &out)) {
		buf_fini(&out);
		command_fail(s, MBOX_ABSENT);
		return;
	}
	limited =
		quota_find(s->service->c.store, mbox_name_slice(&name), &q) && quota_is_limited(&q);
	if (limited) {
		buf_add_char(&out, ' ');
		limited = imap_add_mailbox(s, q.root, &out);
	}
	imap_untagged(s, "QUOTAROOT %s", buf_cstr(&out));
	buf_fini(&out);
	if (limited)
		tell_quota(s, &q);
	command_done(s, COMMAND_OK, NULL, "That is all");
}

/* ---- SETQUOTA ----------------------------------------------------------------------------------- */

struct setting {
	struct mbox_name root;
	struct quota_limits limits;
	bool unknown; /* a resource that has no limits here */
};

/* SP "(" [resource SP limit *(SP resource SP limit)] ")" */
static bool
read_limits(struct imap_args *a, struct setting *set)
{
	bool first = true;
	struct slice name;
	uint64_t n;

	if (!imap_args_space(a) || !imap_args_open(a, "limits"))
		return false;
	while (imap_args_next(a, &first)) {
		if (!imap_args_atom(a, "resource", &name) || !imap_args_space(a) ||
		    !imap_args_u64(a, "limit", &n))
			return false;
		if (n > NUMBER_MOST)
			return imap_args_fail(a, "A limit in %s is too large", a->cmd);
		if (slice_ieq(name, SLICE("STORAGE")))
			/* what no disk holds is refused by the store */
			set->limits.bytes = MIN(n, (uint64_t)QUOTA_BYTES_MOST / UNIT + 1) * UNIT;
		else if (slice_ieq(name, SLICE("MESSAGE")))
			set->limits.messages = n;
		else
			set->unknown = true;
	}
	return imap_args_end(a);
}

static void
on_set(void *ctx, enum mbox_result result)
{
	struct imap_session *s = ctx;
	const struct setting *set = s->command.job;
	struct quota_info q;

	s->command.store_id = 0;
	if (result != MBOX_OK) {
		command_fail(s, result);
		return;
	}
	log_info(&s->log, "imap.setquota root=%s bytes=%" PRId64 " messages=%" PRId64,
	         log_esc(set->root.s), (int64_t)set->limits.bytes, (int64_t)set->limits.messages);
	if (quota_find(s->service->c.store, mbox_name_slice(&set->root), &q) &&
	    slice_eq(q.root, mbox_name_slice(&set->root)))
		tell_quota(s, &q);
	command_done(s, COMMAND_OK, NULL, "Done");
}

void
cmd_setquota(struct imap_session *s, struct command *c)
{
	struct setting *set = arena_alloc(c->arena, sizeof(*set));
	struct mbox_info info;
	struct slice word;

	*set = (struct setting){ .limits = { QUOTA_NONE, QUOTA_NONE } };
	if (!read_word(s, "quota root", true, &word))
		return;
	if (!read_limits(&c->args, set)) {
		command_bad(s, imap_args_bad(&c->args));
	} else if (!s->admin) {
		command_done(s, COMMAND_NO, "NOPERM", "Only an administrator sets quotas");
	} else if (set->unknown) {
		command_done(s, COMMAND_NO, "CANNOT", "Only STORAGE and MESSAGE have limits");
	} else if (!find_root(s, word, &info) ||
	           mbox_name_set(&set->root, info.name) != MBOX_NAME_OK) {
		no_root(s);
	} else {
		c->job = set;
		c->store_id = quota_set(s->service->c.store, info.name, &set->limits, on_set, s);
	}
}
