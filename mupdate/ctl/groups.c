/*
 * groups - users under one name, for the ACLs of shared mailboxes ("group:NAME").
 */
#include "ctl/commands.h"
#include "ctl/lists.h"

int
cmd_group_list(struct run *r)
{
	const char *group = r->args.count > 0 ? r->args.operands[0] : NULL;
	struct pairs p;
	struct err err = { "" };
	enum directory_result d;
	int code = pairs_begin(r, &p, "groups", "group", "member", "GROUP|MEMBER");

	if (code != EXIT_DONE)
		return code;
	d = directory_list_groups(r->directory, group, pairs_add, &p, &err);
	if (d == DIRECTORY_OK && group != NULL && p.count == 0)
		d = DIRECTORY_UNKNOWN;
	return pairs_end(&p, d, &err);
}

static int
change_group(struct run *r, bool add)
{
	const char *group = r->args.operands[0];
	struct err err = { "" };
	enum directory_result d = DIRECTORY_OK;
	int code = lists_open(r);

	if (code != EXIT_DONE)
		return code;
	if (!r->dry_run)
		d = add ? directory_add_group(r->directory, group, &err)
		        : directory_delete_group(r->directory, group, &err);
	if (d != DIRECTORY_OK)
		return lists_fail(r, d, &err, "there is no such group",
		                  "there is such a group already");
	run_say(r, "The group %s %s %s.", group, r->dry_run ? "would be" : "is",
	        add ? "added" : "deleted");
	return EXIT_DONE;
}

int
cmd_group_add(struct run *r)
{
	return change_group(r, true);
}

int
cmd_group_delete(struct run *r)
{
	return change_group(r, false);
}

static int
change_member(struct run *r, bool add)
{
	const char *group = r->args.operands[0], *user = r->args.operands[1];
	struct directory_account a;
	struct err err = { "" };
	enum directory_result d = DIRECTORY_OK;
	int code = lists_open_account(r, user, &a);

	if (code != EXIT_DONE)
		return code;
	if (!r->dry_run)
		d = add ? directory_add_member(r->directory, group, a.user, &err)
		        : directory_delete_member(r->directory, group, a.user, &err);
	if (d != DIRECTORY_OK)
		return lists_fail(r, d, &err, "he is no member", "he is a member already");
	run_say(r, "%s %s %s the group %s.", user, r->dry_run ? "would be" : "is",
	        add ? "in" : "no longer in", group);
	if (!r->dry_run)
		run_say(r, "Sessions that are there already do not know yet.");
	return EXIT_DONE;
}

int
cmd_group_join(struct run *r)
{
	return change_member(r, true);
}

int
cmd_group_leave(struct run *r)
{
	return change_member(r, false);
}
