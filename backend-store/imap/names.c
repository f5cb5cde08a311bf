/* Mailboxes as the client names them, and what he may do there: RFC 4314. */
#include "imap/session_impl.h"

#include "base/xalloc.h"
#include "imap/view.h"

#include <stdlib.h>

void
imap_who_init(struct imap_session *s, const char *groups)
{
	struct slice domain = store_default_domain(s->service->c.store);
	struct slice list[ACL_GROUPS_MAX];
	struct mbox_name inbox;
	size_t count;

	imap_who_fini(s);
	s->names = (struct mbox_view){ slice_of(s->user), domain };
	s->groups = xstrdup(groups);
	count = acl_groups_split(slice_of(s->groups), list, ACL_GROUPS_MAX);
	s->group_list = xcalloc(count + 1, sizeof(*list));
	memcpy(s->group_list, list, count * sizeof(*list));
	s->who = (struct acl_who){
		.user = mbox_user_acl_id(s->names.user, domain),
		.groups = s->group_list,
		.group_count = count,
	};
	/* who has no INBOX does not get in */
	if (!mbox_name_of_user(s->names.user, domain, &inbox))
		return;
	s->inbox = slice_dup(mbox_name_slice(&inbox));
	s->who.inbox = slice_make(s->inbox, inbox.n);
}

void
imap_who_fini(struct imap_session *s)
{
	free(s->inbox);
	free(s->groups);
	free(s->group_list);
	s->inbox = s->groups = NULL;
	s->group_list = NULL;
}

uint32_t
imap_rights(const struct imap_session *s, struct slice name, struct slice acl)
{
	return acl_rights_on(name, acl, &s->who) | (s->admin ? ACL_OWNER : 0);
}

uint32_t
imap_selected_rights(const struct imap_session *s)
{
	const struct mailbox *m;

	must(s->view != NULL);
	m = view_mailbox(s->view);
	return imap_rights(s, mailbox_name(m), mailbox_acl(m));
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

void
imap_refuse(struct imap_session *s, uint32_t has, const char *code)
{
	if ((has & ACL_LOOKUP) == 0)
		(void)absent(s, code);
	else
		command_done(s, COMMAND_NO, "NOPERM", "You may not do this there");
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
	has = imap_rights(s, info_r->name, info_r->acl);
	if ((has & rights) == rights)
		return true;
	imap_refuse(s, has, code);
	return false;
}
