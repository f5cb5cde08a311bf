/*
 * expunge - EXPUNGE and UID EXPUNGE. RFC 3501 section 6.4.3, RFC 4315 section 2.1, RFC 7162
 * section 3.1.2.
 *
 * The EXPUNGE responses are the view's, in front of the tagged reply.
 */
#include "imap/session_impl.h"
#include "imap/view.h"

#include <inttypes.h>

static void
on_expunged(void *ctx, enum mbox_result result, uint64_t modseq)
{
	struct imap_session *s = ctx;
	struct command *c = &s->command;
	const char *code = NULL;

	c->store_id = 0;
	if (result != MBOX_OK) {
		command_fail(s, result);
		return;
	}
	if (s->condstore && modseq != 0)
		code = arena_printf(c->arena, "HIGHESTMODSEQ %" PRIu64, modseq);
	command_done(s, COMMAND_OK, code, "Expunged");
}

void
cmd_expunge(struct imap_session *s, struct command *c)
{
	struct imap_set set, seqs;
	uint32_t *uids = NULL;
	size_t count = 0;
	bool missing;

	if (c->uid && (!imap_args_space(&c->args) || !imap_set_read(&c->args, "UID set", &set))) {
		command_bad(s, imap_args_bad(&c->args));
		return;
	}
	if (!command_args_end(s))
		return;
	if ((imap_selected_rights(s) & ACL_EXPUNGE) == 0) {
		command_done(s, COMMAND_NO, "NOPERM", "You may not expunge messages here");
		return;
	}
	if (c->uid) {
		/* UIDs are never beyond the end */
		if (!view_resolve(s->view, &set, true, c->arena, &seqs))
			must_not_reach();
		uids = view_uids(s->view, &seqs, c->arena, &count, &missing);
	}
	c->store_id = mailbox_expunge(view_mailbox(s->view), uids, count, true, on_expunged, s);
}
