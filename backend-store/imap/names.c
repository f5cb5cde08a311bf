/* Mailboxes as the client names them, and what he may do there: RFC 4314. */
#include "imap/session_impl.h"

#include "imap/view.h"

uint32_t
imap_rights(const struct imap_session *s, struct slice acl)
{
	struct acl_who who = {
		.user = mbox_user_acl_id(s->names.user, s->names.default_domain),
	};

	return acl_rights_of(acl, &who);
}

uint32_t
imap_selected_rights(const struct imap_session *s)
{
	must(s->view != NULL);
	return imap_rights(s, mailbox_acl(view_mailbox(s->view)));
}

bool
imap_name(struct imap_session *s, struct slice client, const char *code, struct mbox_name *name_r)
{
	enum mbox_name_error e = mbox_name_from_client(&s->names, client, name_r);

	if (e == MBOX_NAME_OK)
		return true;
	command_done(s, COMMAND_NO, code, mbox_name_error_text(e));
	return false;
}

static bool
absent(struct imap_session *s, const char *code)
{
	command_done(s, COMMAND_NO, code, "There is no such mailbox");
	return false;
}

bool
imap_find_mailbox(struct imap_session *s, struct slice client, uint32_t rights, const char *code,
                  struct mbox_info *info_r)
{
	struct mbox_name name;
	uint32_t has;

	/* a name that cannot be is not made by a CREATE either */
	if (!imap_name(s, client, "NONEXISTENT", &name))
		return false;
	if (!store_find(s->service->c.store, mbox_name_slice(&name), info_r))
		return absent(s, code);
	has = imap_rights(s, info_r->acl);
	if ((has & ACL_LOOKUP) == 0)
		return absent(s, code);
	if ((has & rights) != rights) {
		command_done(s, COMMAND_NO, "NOPERM", "You may not do this there");
		return false;
	}
	return true;
}
