/*
 * acl - SETACL, DELETEACL, GETACL, LISTRIGHTS, MYRIGHTS: RFC 4314 section 3.
 *
 * Identifiers are users (as they log in), "anyone", "anonymous" and "group:NAME"; with "-" in
 * front they take rights away. A user keeps ACL_OWNER on what is his own. A change goes to the
 * location master before it is answered, so that every front end knows it (store_change_acl).
 */
#include "imap/session_impl.h"

#define ADMIN_NEEDED ACL_ADMIN

/* SP mailbox [SP identifier [SP rights]]: so many of them. False: answered. */
static bool
read_args(struct imap_session *s, struct slice *words, unsigned count)
{
	static const char *const what[] = { "mailbox name", "identifier", "rights" };
	struct imap_args *a = &s->command.args;

	for (unsigned i = 0; i < count; i++) {
		if (!imap_args_space(a) || !imap_args_astring(a, what[i], &words[i])) {
			command_bad(s, imap_args_bad(a));
			return false;
		}
	}
	return command_args_end(s);
}

/* False: answered. */
static bool
read_id(struct imap_session *s, struct slice word, char id_r[ACL_ID_SIZE])
{
	if (acl_id_canonical(word, s->names.default_domain, id_r))
		return true;
	command_bad(s, "This can be no identifier");
	return false;
}

/* Is id ("fred") the owner of this mailbox? */
static bool
is_owner(struct imap_session *s, struct slice name, struct slice id)
{
	struct mbox_user owner;

	return mbox_user_of_name(name, s->names.default_domain, &owner) &&
	       slice_eq(mbox_user_acl_id(mbox_user_slice(&owner), s->names.default_domain), id);
}

/* ---- changing ----------------------------------------------------------------------------------- */

static void
on_changed(void *ctx, enum mbox_result result)
{
	struct imap_session *s = ctx;

	s->command.store_id = 0;
	if (result == MBOX_OK)
		command_done(s, COMMAND_OK, NULL, "Done");
	else if (result == MBOX_CANNOT)
		command_done(s, COMMAND_NO, "LIMIT", "This list has too many entries");
	else
		command_fail(s, result);
}

static void
change(struct imap_session *s, struct slice client, struct acl_change *change)
{
	struct mbox_info info;

	if (!imap_find_mailbox(s, client, ADMIN_NEEDED, "NONEXISTENT", &info))
		return;
	log_info(&s->log, "imap.acl mbox=%s id=%s mode=%s rights=%x", log_esc_slice(info.name),
	         log_esc_slice(change->id),
	         change->mode == ACL_ADD      ? "add"
	         : change->mode == ACL_REMOVE ? "remove"
	                                      : "set",
	         (unsigned)change->rights);
	s->command.store_id =
		store_change_acl(s->service->c.store, info.name, change, on_changed, s);
}

void
cmd_setacl(struct imap_session *s, UNUSED struct command *c)
{
	struct acl_change ch = { .rights = 0 };
	char id[ACL_ID_SIZE];
	struct slice words[3];

	if (!read_args(s, words, 3) || !read_id(s, words[1], id))
		return;
	ch.id = slice_of(id);
	if (acl_rights_from_client(words[2], &ch.mode, &ch.rights))
		change(s, words[0], &ch);
	else
		command_bad(s, "This server has no such right");
}

void
cmd_deleteacl(struct imap_session *s, UNUSED struct command *c)
{
	struct acl_change ch = { .mode = ACL_REPLACE, .rights = 0 };
	char id[ACL_ID_SIZE];
	struct slice words[2];

	if (!read_args(s, words, 2) || !read_id(s, words[1], id))
		return;
	ch.id = slice_of(id);
	change(s, words[0], &ch);
}

/* ---- asking --------------------------------------------------------------------------------------- */

static void
add_entry(struct buf *out, struct slice id, uint32_t rights)
{
	char text[ACL_TEXT_SIZE];

	buf_add_char(out, ' ');
	imap_add_astring(out, id);
	buf_add_char(out, ' ');
	imap_add_astring(out, slice_of(acl_rights_to_client(rights, text)));
}

/* The owner's entry says what he really may, and stands there also when it was deleted. */
static void
add_entries(struct imap_session *s, const struct mbox_info *info, struct buf *out)
{
	struct slice rest = info->acl, id;
	struct mbox_user owner;
	uint32_t rights;
	bool told = !mbox_user_of_name(info->name, s->names.default_domain, &owner);

	while (acl_next(&rest, &id, &rights)) {
		if (!is_owner(s, info->name, id)) {
			add_entry(out, id, rights);
			continue;
		}
		add_entry(out, id, rights | ACL_OWNER);
		told = true;
	}
	if (!told)
		add_entry(out, mbox_user_acl_id(mbox_user_slice(&owner), s->names.default_domain),
		          ACL_OWNER);
}

/* "* WORD mailbox". NULL: a name that no client may see; answered. */
static struct buf *
begin(struct imap_session *s, const char *word, struct slice name)
{
	struct buf client = BUF_INIT(8 * MBOX_NAME_MAX);
	bool shown = imap_add_mailbox(s, name, &client);

	if (shown)
		buf_printf(imap_out(s), "* %s %s", word, buf_cstr(&client));
	else
		imap_refuse(s, 0, "NONEXISTENT");
	buf_fini(&client);
	return shown ? imap_out(s) : NULL;
}

void
cmd_getacl(struct imap_session *s, UNUSED struct command *c)
{
	struct mbox_info info;
	struct slice name;
	struct buf *out;

	if (!read_args(s, &name, 1) ||
	    !imap_find_mailbox(s, name, ADMIN_NEEDED, "NONEXISTENT", &info) ||
	    (out = begin(s, "ACL", info.name)) == NULL)
		return;
	add_entries(s, &info, out);
	buf_add_str(out, "\r\n");
	command_done(s, COMMAND_OK, NULL, "That is all");
}

/* None are tied but those the owner always has, with the old letters that mean them. */
void
cmd_listrights(struct imap_session *s, UNUSED struct command *c)
{
	struct mbox_info info;
	char id[ACL_ID_SIZE];
	struct slice words[2];
	struct buf *out;

	if (!read_args(s, words, 2) || !read_id(s, words[1], id) ||
	    !imap_find_mailbox(s, words[0], ADMIN_NEEDED, "NONEXISTENT", &info) ||
	    (out = begin(s, "LISTRIGHTS", info.name)) == NULL)
		return;
	buf_add_char(out, ' ');
	imap_add_astring(out, words[1]);
	buf_add_str(out, is_owner(s, info.name, slice_of(id))
	                         ? " lkxca r s w i p t e d\r\n"
	                         : " \"\" l r s w i p k x t e c d a\r\n");
	command_done(s, COMMAND_OK, NULL, "That is all");
}

void
cmd_myrights(struct imap_session *s, UNUSED struct command *c)
{
	struct mbox_name name;
	struct mbox_info info;
	struct slice client;
	char text[ACL_TEXT_SIZE];
	uint32_t rights = 0;
	struct buf *out;

	if (!read_args(s, &client, 1) || !imap_name(s, client, "NONEXISTENT", &name))
		return;
	if (store_find(s->service->c.store, mbox_name_slice(&name), &info))
		rights = imap_rights(s, info.name, info.acl);
	if ((rights & ACL_ANY) == 0) {
		imap_refuse(s, 0, "NONEXISTENT");
		return;
	}
	if ((out = begin(s, "MYRIGHTS", info.name)) == NULL)
		return;
	buf_printf(out, " %s\r\n", acl_rights_to_client(rights, text));
	command_done(s, COMMAND_OK, NULL, "That is all");
}
