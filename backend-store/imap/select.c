/*
 * select - SELECT, EXAMINE, CLOSE, UNSELECT. RFC 3501 sections 6.3.1, 6.3.2 and 6.4.2, RFC
 * 3691, RFC 4314 section 5.2, RFC 7162 section 3.1.
 */
#include "imap/session_impl.h"

#include "imap/view.h"

#include <inttypes.h>

/* ---- what a SELECT tells ------------------------------------------------------------------------ */

static void
tell_all(struct imap_session *s)
{
	struct view *v = s->view;
	const struct mailbox *m = view_mailbox(v);
	uint32_t unseen = view_first_unseen(v);

	view_tell_keywords(v);
	imap_untagged(s, "%" PRIu32 " EXISTS", view_count(v));
	imap_untagged(s, "%" PRIu32 " RECENT", view_recent(v));
	if (unseen != 0)
		imap_untagged(s, "OK [UNSEEN %" PRIu32 "] First unseen", unseen);
	imap_untagged(s, "OK [UIDVALIDITY %" PRIu32 "] Valid", mailbox_uidvalidity(m));
	imap_untagged(s, "OK [UIDNEXT %" PRIu32 "] Next", mailbox_uidnext(m));
	imap_untagged(s, "OK [HIGHESTMODSEQ %" PRIu64 "] Highest", view_modseq(v));
}

/* ---- opening --------------------------------------------------------------------------------------- */

struct select {
	bool examine;
};

static void
on_open(void *ctx, enum mbox_result result, struct mailbox *m)
{
	struct imap_session *s = ctx;
	struct command *c = &s->command;
	const struct select *sel = c->job;

	c->store_id = 0;
	if (result != MBOX_OK) {
		command_fail(s, result);
		return;
	}
	/* the mailbox was exchanged meanwhile */
	if ((imap_rights(s, mailbox_name(m), mailbox_acl(m)) & ACL_READ) == 0) {
		mailbox_release(&m);
		command_fail(s, MBOX_ABSENT);
		return;
	}
	s->view = view_new(s, &m, sel->examine);
	tell_all(s);
	imap_quota_warn(s);
	command_done(s, COMMAND_OK, view_is_read_only(s->view) ? "READ-ONLY" : "READ-WRITE",
	             "Selected");
}

/* SP "(" "CONDSTORE" ")"; RFC 4466 section 2.1. */
static bool
read_params(struct imap_args *a, bool *condstore_r)
{
	bool first = true;
	struct slice word;

	*condstore_r = false;
	if (imap_args_peek(a) != ' ')
		return imap_args_end(a);
	if (!imap_args_space(a) || !imap_args_open(a, "parameters"))
		return false;
	while (imap_args_next(a, &first)) {
		if (!imap_args_atom(a, "parameter", &word))
			return false;
		if (!slice_ieq(word, SLICE("CONDSTORE")))
			return imap_args_fail(a, "Unknown parameter");
		*condstore_r = true;
	}
	return imap_args_end(a);
}

static void
start(struct imap_session *s, bool examine)
{
	struct command *c = &s->command;
	struct select *sel = arena_alloc(c->arena, sizeof(*sel));
	struct mbox_info info;
	struct slice name;
	bool condstore;

	if (!imap_args_space(&c->args) || !imap_args_astring(&c->args, "mailbox name", &name) ||
	    !read_params(&c->args, &condstore)) {
		command_bad(s, imap_args_bad(&c->args));
		return;
	}
	/* whatever comes now: the old one is not selected any more */
	view_free(&s->view);
	if (condstore)
		imap_enable_condstore(s);
	if (!imap_find_mailbox(s, name, ACL_READ, "NONEXISTENT", &info))
		return;
	sel->examine = examine;
	c->job = sel;
	c->store_id = mailbox_open(s->service->c.store, info.name, on_open, s);
}

void
cmd_select(struct imap_session *s, UNUSED struct command *c)
{
	start(s, false);
}

void
cmd_examine(struct imap_session *s, UNUSED struct command *c)
{
	start(s, true);
}

/* ---- closing --------------------------------------------------------------------------------------- */

static void
on_expunged(void *ctx, enum mbox_result result, UNUSED uint64_t modseq)
{
	struct imap_session *s = ctx;

	s->command.store_id = 0;
	/* what is gone altogether has no deleted messages left */
	if (result != MBOX_OK && result != MBOX_ABSENT) {
		command_fail(s, result);
		return;
	}
	view_free(&s->view);
	command_done(s, COMMAND_OK, NULL, "Closed");
}

void
cmd_close(struct imap_session *s, struct command *c)
{
	if (!command_args_end(s))
		return;
	if (!view_is_read_only(s->view) && (imap_selected_rights(s) & ACL_EXPUNGE) != 0) {
		c->store_id = mailbox_expunge(view_mailbox(s->view), NULL, 0, true, on_expunged, s);
		return;
	}
	view_free(&s->view);
	command_done(s, COMMAND_OK, NULL, "Closed");
}

void
cmd_unselect(struct imap_session *s, UNUSED struct command *c)
{
	if (!command_args_end(s))
		return;
	view_free(&s->view);
	command_done(s, COMMAND_OK, NULL, "Unselected");
}
