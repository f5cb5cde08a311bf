/*
 * admin_acl - who may do what with a mailbox, by the control socket: mailbox.acl.*. Rights and
 * identifiers are written as in RFC 4314; see mail/acl.h.
 */
#include "instance/instance.h"
#include "mail/acl.h"

#include <string.h>

#define DEADLINE_MS 30000

void
admin_add_acl(struct json *o, struct slice acl)
{
	struct json *items = json_set_array(o, "acl");
	char text[ACL_TEXT_SIZE];
	struct slice id;
	uint32_t rights;

	while (acl_next(&acl, &id, &rights)) {
		struct json *item = json_add_object(items);

		json_set_slice(item, "id", id);
		json_set_str(item, "rights", acl_rights_to_client(rights, text));
	}
}

static void
cmd_show(void *ctx, struct ctl_req *req, const struct json *args)
{
	struct instance *i = ctx;
	const char *name = admin_need(req, args, "mailbox");
	struct json *fields;
	struct mbox_info info;

	if (name == NULL)
		return;
	if (!store_find(i->store, slice_of(name), &info)) {
		admin_fail(req, "mailbox.acl.show", MBOX_ABSENT);
		return;
	}
	fields = json_new_object();
	json_set_slice(fields, "mailbox", info.name);
	admin_add_acl(fields, info.acl);
	ctl_reply(req, &fields);
}

static void
on_changed(void *ctx, enum mbox_result r)
{
	struct admin_change *c = ctx;

	if (r == MBOX_CANNOT)
		admin_changed(&c, r, "limit", "the list has too many entries");
	else
		admin_changed(&c, r, NULL, NULL);
}

static void
change(struct instance *i, struct ctl_req *req, const struct json *args, const char *what,
       const char *rights)
{
	const char *name = admin_need(req, args, "mailbox");
	const char *id = name != NULL ? admin_need(req, args, "id") : NULL;
	struct acl_change ch = { .rights = 0 };
	char canonical[ACL_ID_SIZE];

	if (id == NULL)
		return;
	if (!acl_id_canonical(slice_of(id), store_default_domain(i->store), canonical)) {
		ctl_fail(req, "invalid", "%s: this can be no identifier", what);
		return;
	}
	if (!acl_rights_from_client(slice_of(rights), &ch.mode, &ch.rights)) {
		ctl_fail(req, "invalid",
		         "%s: rights are letters of %scd, perhaps with + or - "
		         "in front",
		         what, ACL_ORDER);
		return;
	}
	ch.id = slice_of(canonical);
	(void)store_change_acl(i->store, slice_of(name), &ch, on_changed,
	                       admin_change_new(req, what));
}

static void
cmd_set(void *ctx, struct ctl_req *req, const struct json *args)
{
	const char *rights = admin_need(req, args, "rights");

	if (rights != NULL)
		change(ctx, req, args, "mailbox.acl.set", rights);
}

static void
cmd_delete(void *ctx, struct ctl_req *req, const struct json *args)
{
	change(ctx, req, args, "mailbox.acl.delete", "");
}

static const struct ctl_cmd commands[] = {
	{ "mailbox.acl.show", "mailbox", "Who may do what with a mailbox.", cmd_show, DEADLINE_MS },
	{ "mailbox.acl.set", "mailbox id rights",
	  "Gives an identifier these rights; with + or - in front more or less than it has.",
	  cmd_set, DEADLINE_MS },
	{ "mailbox.acl.delete", "mailbox id", "Takes an identifier's entry away.", cmd_delete,
	  DEADLINE_MS },
	{ .name = NULL },
};

void
admin_acl_start(struct instance *i)
{
	ctl_register(svc_ctl(i->svc), commands, i);
}
