/*
 * mailboxes - CREATE, DELETE, RENAME, SUBSCRIBE, UNSUBSCRIBE. RFC 3501 sections 6.3.3 to
 * 6.3.7, RFC 6154 section 3, rights by RFC 4314 section 4.
 *
 * The superiors of a new name that are missing are made first, from the top: each is a change
 * of its own. DELETE takes one mailbox; where names are below it, LIST goes on showing it as
 * \Noselect.
 */
#include "imap/session_impl.h"

#include "imap/view.h"

struct making {
	struct mbox_name name; /* what is wanted */
	struct mbox_name from; /* RENAME */
	bool rename;
	const char *use; /* "\\Sent" or "" */
	size_t at;       /* how much of name is there, or being made */
};

/* A mailbox name and, with more, what may stand behind it. False: answered. */
static bool
read_name(struct imap_session *s, bool more, struct slice *name_r)
{
	struct imap_args *a = &s->command.args;

	if (imap_args_space(a) && imap_args_astring(a, "mailbox name", name_r) &&
	    (more || imap_args_end(a)))
		return true;
	command_bad(s, imap_args_bad(a));
	return false;
}

static void
on_done(void *ctx, enum mbox_result result)
{
	struct imap_session *s = ctx;

	s->command.store_id = 0;
	if (result == MBOX_OK)
		command_done(s, COMMAND_OK, NULL, "Done");
	else
		command_fail(s, result);
}

/* ---- making names ------------------------------------------------------------------------------- */

/* May he make a name there: has he the right on the nearest mailbox above? Shared ones at the
 * top are an admin's. */
static bool
may_make(struct imap_session *s, const struct mbox_name *name)
{
	struct slice up = mbox_name_slice(name);
	struct mbox_info info;

	while (mbox_name_parent(up, &up))
		if (store_find(s->service->c.store, up, &info))
			return (imap_rights(s, info.name, info.acl) & ACL_CREATE) != 0;
	return s->admin && mbox_name_root(mbox_name_slice(name)).n == 0;
}

/* Names below INBOX have no mailbox between them and it: INBOX/a is user.fred.INBOX.a, and
 * there is no user.fred.INBOX (mail/mbox_name.h). */
static bool
is_inbox_level(struct slice up)
{
	struct slice parent;

	return slice_ends(up, SLICE(".INBOX")) && mbox_name_parent(up, &parent) &&
	       mbox_name_is_inbox(parent);
}

static void make_next(struct imap_session *s);

static void
on_superior(void *ctx, enum mbox_result result)
{
	struct imap_session *s = ctx;

	s->command.store_id = 0;
	if (result == MBOX_OK || result == MBOX_EXISTS)
		make_next(s);
	else
		command_fail(s, result);
}

/* The next superior that is missing, else the mailbox itself. */
static void
make_next(struct imap_session *s)
{
	struct store *store = s->service->c.store;
	struct command *c = &s->command;
	struct making *m = c->job;
	struct slice name = mbox_name_slice(&m->name), up;
	struct mbox_info info;

	for (m->at++; m->at < name.n; m->at++) {
		up = slice_sub(name, 0, m->at);
		if (name.p[m->at] != '.' || is_inbox_level(up) || store_find(store, up, &info))
			continue;
		c->store_id = store_create(store, up, SLICE(""), on_superior, s);
		return;
	}
	if (m->rename)
		c->store_id = store_rename(store, mbox_name_slice(&m->from), name, on_done, s);
	else
		c->store_id = store_create(store, name, slice_of(m->use), on_done, s);
}

/* m: of the command's arena. */
static void
make(struct imap_session *s, struct making *m)
{
	struct slice name = mbox_name_slice(&m->name), root = mbox_name_root(name);
	struct mbox_info info;

	if (store_find(s->service->c.store, name, &info) &&
	    (imap_rights(s, info.name, info.acl) & ACL_LOOKUP) != 0) {
		command_fail(s, MBOX_EXISTS);
		return;
	}
	if (!may_make(s, &m->name)) {
		command_done(s, COMMAND_NO, "NOPERM", "You may not create this");
		return;
	}
	/* a user's INBOX comes to be by his login only; of a shared name the domain is no part */
	m->at = root.n > 0 ? root.n : mbox_name_domain(name).n;
	s->command.job = m;
	make_next(s);
}

/* ---- CREATE ---------------------------------------------------------------------------------------- */

struct use_search {
	const char *use;
	bool found;
};

static bool
on_use(void *ctx, const struct mbox_info *info)
{
	struct use_search *u = ctx;

	u->found = slice_ieq_str(info->special_use, u->use);
	return !u->found;
}

/* One mailbox for each use: clients pick any of several. Shared ones have none. */
static bool
use_is_free(struct imap_session *s, const struct making *m)
{
	struct slice root = mbox_name_root(mbox_name_slice(&m->name));
	struct use_search u = { m->use, false };
	char prefix[MBOX_NAME_MAX + 2];

	if (!slice_eq(root, s->who.inbox))
		return false; /* those of others are no business of his */
	memcpy(prefix, root.p, root.n);
	prefix[root.n] = '.';
	store_each(s->service->c.store, slice_make(prefix, root.n + 1), on_use, &u);
	return !u.found;
}

/* \All and \Flagged are collections of other mailboxes, which this server does not make. */
static const char *const uses[] = { "\\Archive", "\\Drafts", "\\Junk", "\\Sent", "\\Trash" };

/* NULL: cannot be assigned. */
static const char *
find_use(struct slice word)
{
	for (size_t i = 0; i < ARRAY_LEN(uses); i++)
		if (slice_ieq_str(word, uses[i]))
			return uses[i];
	return NULL;
}

/* SP "(" "USE" SP "(" [use *(SP use)] ")" ")". *count_r: how many there were. */
static bool
read_use(struct imap_args *a, const char **use_r, unsigned *count_r)
{
	bool first_param = true, first;
	struct slice word;

	*use_r = "";
	*count_r = 0;
	if (imap_args_peek(a) != ' ')
		return imap_args_end(a);
	if (!imap_args_space(a) || !imap_args_open(a, "parameters"))
		return false;
	while (imap_args_next(a, &first_param)) {
		if (!imap_args_try_word(a, "USE"))
			return imap_args_fail(a, "Unknown parameter in CREATE");
		first = true;
		if (!imap_args_space(a) || !imap_args_open(a, "special uses"))
			return false;
		while (imap_args_next(a, &first)) {
			if (!imap_args_flag(a, &word))
				return false;
			*use_r = find_use(word);
			++*count_r;
		}
	}
	return imap_args_end(a);
}

void
cmd_create(struct imap_session *s, struct command *c)
{
	struct making *m = arena_alloc(c->arena, sizeof(*m));
	struct slice name;
	unsigned count;

	if (!read_name(s, true, &name))
		return;
	if (!read_use(&c->args, &m->use, &count)) {
		command_bad(s, imap_args_bad(&c->args));
		return;
	}
	if (!imap_name(s, mbox_name_strip_separator(name), "CANNOT", &m->name))
		return;
	if (count > 1 || m->use == NULL || (*m->use != '\0' && !use_is_free(s, m)))
		command_done(s, COMMAND_NO, "USEATTR", "This special use cannot be assigned");
	else
		make(s, m);
}

/* ---- DELETE ---------------------------------------------------------------------------------------- */

static void
on_deleted(void *ctx, enum mbox_result result)
{
	struct imap_session *s = ctx;

	/* his own doing, and no reason to send him away */
	if (result == MBOX_OK && s->view != NULL && mailbox_is_gone(view_mailbox(s->view)))
		view_free(&s->view);
	on_done(s, result);
}

void
cmd_delete(struct imap_session *s, struct command *c)
{
	struct mbox_info info;
	struct slice name;

	if (!read_name(s, false, &name) ||
	    !imap_find_mailbox(s, name, ACL_DELETE_MBOX, "NONEXISTENT", &info))
		return;
	c->store_id = store_delete(s->service->c.store, info.name, false, on_deleted, s);
}

/* ---- RENAME ---------------------------------------------------------------------------------------- */

/* What he may do with a mailbox and those below it, together. */
struct tree {
	struct imap_session *session;
	struct slice top;
	bool top_exists;
	uint32_t top_rights;
	uint32_t any, all; /* on one of them; on each of them */
};

static bool
on_tree(void *ctx, const struct mbox_info *info)
{
	struct tree *t = ctx;
	bool top = slice_eq(info->name, t->top);
	uint32_t rights;

	if (!top && !mbox_name_is_below(info->name, t->top))
		return true;
	rights = imap_rights(t->session, info->name, info->acl);
	t->any |= rights;
	t->all &= rights;
	if (top) {
		t->top_exists = true;
		t->top_rights = rights;
	}
	return true;
}

/* Does the move keep its owner? Who owns a mailbox may do with it what its ACL does not say. */
static bool
owner_stays(const struct making *m)
{
	struct slice from = mbox_name_slice(&m->from), to = mbox_name_slice(&m->name);

	return slice_eq(mbox_name_root(from), mbox_name_root(to)) &&
	       slice_eq(mbox_name_domain(from), mbox_name_domain(to));
}

/* RFC 4314 section 4 wants the right on the mailbox itself; where only names below it are there,
 * each of them is one. Into another owner's names only what he could give away anyhow. */
static bool
may_rename(struct imap_session *s, const struct making *m)
{
	struct tree t = { s, mbox_name_slice(&m->from), .all = ACL_ALL };
	uint32_t wanted = owner_stays(m) ? ACL_DELETE_MBOX : ACL_DELETE_MBOX | ACL_ADMIN;
	uint32_t has;

	store_each(s->service->c.store, t.top, on_tree, &t);
	if (t.any == 0)
		t.all = 0;
	has = t.top_exists && owner_stays(m) ? t.top_rights : t.all;
	if ((has & wanted) == wanted)
		return true;
	imap_refuse(s, t.top_exists ? t.top_rights : t.any, "NONEXISTENT");
	return false;
}

/* Its messages move, and it stays (RFC 3501 section 6.3.5). Only his own. */
static bool
may_rename_inbox(struct imap_session *s, const struct making *m)
{
	const uint32_t wanted = ACL_READ | ACL_DELETE_MSG | ACL_EXPUNGE | ACL_DELETE_MBOX;
	struct slice name = mbox_name_slice(&m->from);
	uint32_t has = 0;
	struct mbox_info info;

	if (store_find(s->service->c.store, name, &info))
		has = imap_rights(s, info.name, info.acl);
	if ((has & wanted) != wanted)
		imap_refuse(s, has, "NONEXISTENT");
	else if (!slice_eq(name, s->who.inbox))
		command_fail(s, MBOX_CANNOT);
	else
		return true;
	return false;
}

void
cmd_rename(struct imap_session *s, struct command *c)
{
	struct making *m = arena_alloc(c->arena, sizeof(*m));
	struct slice from, to;

	if (!read_name(s, true, &from) || !read_name(s, false, &to) ||
	    !imap_name(s, from, "NONEXISTENT", &m->from) ||
	    !imap_name(s, mbox_name_strip_separator(to), "CANNOT", &m->name) ||
	    !(mbox_name_is_inbox(mbox_name_slice(&m->from)) ? may_rename_inbox(s, m)
	                                                    : may_rename(s, m)))
		return;
	m->rename = true;
	/* below itself: its superiors would be made for nothing */
	if (!mbox_name_is_inbox(mbox_name_slice(&m->from)) &&
	    mbox_name_is_below(mbox_name_slice(&m->name), mbox_name_slice(&m->from)))
		command_fail(s, MBOX_CANNOT);
	else
		make(s, m);
}

/* ---- subscriptions --------------------------------------------------------------------------------- */

/* Names that are not there may be subscribed to, RFC 3501 section 6.3.6. */
static void
subscribe(struct imap_session *s, bool on)
{
	struct mbox_name name;
	struct slice client;

	if (!read_name(s, false, &client) ||
	    !imap_name(s, mbox_name_strip_separator(client), "CANNOT", &name))
		return;
	s->command.store_id = store_subscribe(s->service->c.store, s->names.user,
	                                      mbox_name_slice(&name), on, on_done, s);
}

void
cmd_subscribe(struct imap_session *s, UNUSED struct command *c)
{
	subscribe(s, true);
}

void
cmd_unsubscribe(struct imap_session *s, UNUSED struct command *c)
{
	subscribe(s, false);
}
