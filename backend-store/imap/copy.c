/*
 * copy - COPY, MOVE and their UID forms. RFC 3501 section 6.4.7, RFC 4315, RFC 6851.
 *
 * All or nothing, in one transaction of the store. COPY of messages by number of which others
 * have expunged one copies none: NO [EXPUNGEISSUED] (RFC 2180 section 4.4.1).
 */
#include "imap/session_impl.h"
#include "imap/view.h"

#include <inttypes.h>

struct copy_job {
	struct imap_set set, seqs;
	bool move;
	struct mailbox *to;
	uint32_t *uids;
	size_t count;
};

static void
cleanup(struct imap_session *s)
{
	struct copy_job *j = s->command.job;

	if (j->to != NULL)
		mailbox_release(&j->to);
}

static void
on_copied(void *ctx, enum mbox_result result, const struct mailbox_added *added)
{
	struct imap_session *s = ctx;
	struct copy_job *j = s->command.job;
	struct buf code = BUF_INIT(SIZE_MAX);

	s->command.store_id = 0;
	if (result != MBOX_OK) {
		command_fail_target(s, result);
		return;
	}
	if (added->count == 0) {
		command_done(s, COMMAND_OK, NULL, "There was nothing");
		return;
	}
	buf_printf(&code, "COPYUID %" PRIu32 " ", added->uidvalidity);
	imap_set_add_numbers(&code, added->source_uids, added->count);
	buf_add_char(&code, ' ');
	imap_set_add_numbers(&code, added->uids, added->count);
	/* RFC 6851 section 4.3: before the EXPUNGEs */
	if (j->move)
		imap_untagged(s, "OK [%s] Moved", buf_cstr(&code));
	command_done(s, COMMAND_OK, j->move ? NULL : buf_cstr(&code), j->move ? "Done" : "Copied");
	buf_fini(&code);
}

static void
on_open(void *ctx, enum mbox_result result, struct mailbox *m)
{
	struct imap_session *s = ctx;
	struct command *c = &s->command;
	struct copy_job *j = c->job;
	struct copy_how how = { .move = j->move };
	uint32_t rights;
	bool missing;

	c->store_id = 0;
	if (result != MBOX_OK) {
		command_fail_target(s, result);
		return;
	}
	j->to = m;
	rights = imap_rights(s, mailbox_name(m), mailbox_acl(m));
	if ((rights & ACL_INSERT) == 0) { /* taken from him meanwhile */
		imap_refuse(s, rights, "TRYCREATE");
		return;
	}
	how.flags = imap_changeable(rights);
	how.keywords = (rights & ACL_WRITE) != 0;
	j->uids = view_uids(s->view, &j->seqs, c->arena, &j->count, &missing);
	if (missing && !c->uid) {
		command_done(s, COMMAND_NO, "EXPUNGEISSUED", "Some messages are gone");
		return;
	}
	c->store_id =
		mailbox_copy(view_mailbox(s->view), j->uids, j->count, j->to, &how, on_copied, s);
}

static void
start(struct imap_session *s, bool move)
{
	struct command *c = &s->command;
	struct copy_job *j = arena_alloc(c->arena, sizeof(*j));
	struct imap_args *a = &c->args;
	struct mbox_info info;
	struct slice name;

	j->move = move;
	if (!imap_args_space(a) || !imap_set_read(a, "message set", &j->set) ||
	    !imap_args_space(a) || !imap_args_astring(a, "mailbox name", &name) ||
	    !imap_args_end(a)) {
		command_bad(s, imap_args_bad(a));
		return;
	}
	if (!view_resolve(s->view, &j->set, c->uid, c->arena, &j->seqs)) {
		command_bad(s, move ? "No message has this number in MOVE"
		                    : "No message has this number in COPY");
		return;
	}
	if (move && (~imap_selected_rights(s) & (ACL_DELETE_MSG | ACL_EXPUNGE)) != 0) {
		command_done(s, COMMAND_NO, "NOPERM", "You may not take messages from here");
		return;
	}
	if (!imap_find_mailbox(s, name, ACL_INSERT, "TRYCREATE", &info))
		return;
	c->job = j;
	c->cleanup = cleanup;
	c->store_id = mailbox_open(s->service->c.store, info.name, on_open, s);
}

void
cmd_copy(struct imap_session *s, UNUSED struct command *c)
{
	start(s, false);
}

void
cmd_move(struct imap_session *s, UNUSED struct command *c)
{
	start(s, true);
}
