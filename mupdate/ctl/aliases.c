/*
 * aliases - addresses that lead to others, forwards of accounts, and who may send as whom.
 */
#include "ctl/commands.h"
#include "ctl/lists.h"

#include <stdio.h>
#include <string.h>

/* ---- aliases ----------------------------------------------------------------------------- */

int
cmd_alias_list(struct run *r)
{
	const char *domain = r->args.count > 0 ? r->args.operands[0] : NULL;
	struct pairs p;
	struct err err = { "" };
	int code = pairs_begin(r, &p, "aliases", "address", "target", "ADDRESS|LEADS TO");

	if (code == EXIT_DONE)
		code = pairs_end(&p,
		                 directory_list_aliases(r->directory, domain, pairs_add, &p, &err),
		                 &err);
	return code;
}

/* The word without the detail of "--": all that are behind the first. */
static const char *const *
targets_of(const struct run *r, size_t *count_r)
{
	*count_r = r->args.count - 1;
	return &r->args.operands[1];
}

static void
say_targets(struct run *r, const char *what, const char *verb)
{
	struct buf b = BUF_INIT(8192);
	size_t count;
	const char *const *targets = targets_of(r, &count);

	for (size_t i = 0; i < count; i++)
		buf_printf(&b, "%s%s", i > 0 ? ", " : "", targets[i]);
	run_say(r, "%s %s %s.", what, verb, buf_cstr(&b));
	buf_fini(&b);
}

int
cmd_alias_add(struct run *r)
{
	const char *address = r->args.operands[0];
	size_t count;
	const char *const *targets = targets_of(r, &count);
	struct err err = { "" };
	enum directory_result d = DIRECTORY_OK;
	int code = lists_open(r);

	if (code != EXIT_DONE)
		return code;
	if (!r->dry_run)
		d = directory_add_alias(r->directory, address, targets, count, &err);
	if (d != DIRECTORY_OK)
		return lists_fail(r, d, &err, "there is no such domain", "it is there already");
	say_targets(r, address, r->dry_run ? "would lead to" : "leads to");
	return EXIT_DONE;
}

int
cmd_alias_delete(struct run *r)
{
	const char *address = r->args.operands[0],
		   *target = r->args.count > 1 ? r->args.operands[1] : NULL;
	struct err err = { "" };
	enum directory_result d = DIRECTORY_OK;
	int code = lists_open(r);

	if (code != EXIT_DONE)
		return code;
	if (!r->dry_run)
		d = directory_delete_alias(r->directory, address, target, &err);
	if (d != DIRECTORY_OK)
		return lists_fail(
			r, d, &err,
			target != NULL ? "it does not lead there" : "there is no such alias", "");
	if (target != NULL)
		run_say(r, "%s %s to %s.", address,
		        r->dry_run ? "would no longer lead" : "no longer leads", target);
	else
		run_say(r, "The alias %s %s.", address,
		        r->dry_run ? "would be deleted" : "is deleted");
	return EXIT_DONE;
}

/* Targets of one alias, out of those of its domain. */
struct one {
	struct pairs *pairs;
	const char *address;
	bool found;
};

static bool
add_if_asked(void *ctx, const char *left, const char *right)
{
	struct one *o = ctx;

	if (strcmp(left, o->address) != 0)
		return true;
	o->found = true;
	return pairs_add(o->pairs, left, right);
}

/* As people write it: in lower case, with its domain. */
static bool
whole_address(struct run *r, const char *word, char text_r[DIRECTORY_NAME_MAX + 1])
{
	char user[DIRECTORY_NAME_MAX + 1];
	bool all = *word == '@';

	if (!all) {
		if (!directory_canon(slice_of(word), run_default_domain(r), user))
			return false;
		directory_full_name(user, run_default_domain(r), text_r);
		return true;
	}
	snprintf(user, sizeof(user), "x%s", word);
	if (strlen(word) >= DIRECTORY_NAME_MAX || !directory_canon(slice_of(user), NULL, text_r))
		return false;
	memmove(text_r, text_r + 1, strlen(text_r));
	return true;
}

int
cmd_alias_show(struct run *r)
{
	char address[DIRECTORY_NAME_MAX + 1];
	struct pairs p;
	struct one one = { &p, address, false };
	struct err err = { "" };
	enum directory_result d;
	int code;

	if (!whole_address(r, r->args.operands[0], address))
		return run_fail(r, EXIT_USAGE, "\"%s\" cannot be an alias", r->args.operands[0]);
	code = pairs_begin(r, &p, "targets", "address", "target", "ADDRESS|LEADS TO");
	if (code != EXIT_DONE)
		return code;
	d = directory_list_aliases(r->directory, strchr(address, '@') + 1, add_if_asked, &one,
	                           &err);
	if (d == DIRECTORY_OK && !one.found)
		d = DIRECTORY_UNKNOWN;
	return pairs_end(&p, d, &err);
}

/* ---- forwards ------------------------------------------------------------------------------- */

int
cmd_forward_list(struct run *r)
{
	struct pairs p;
	struct err err = { "" };
	int code = pairs_begin(r, &p, "forwards", "address", "target", "ADDRESS|FORWARDS TO");

	if (code == EXIT_DONE)
		code = pairs_end(
			&p, directory_list_forwards(r->directory, NULL, pairs_add, &p, &err), &err);
	return code;
}

int
cmd_forward_set(struct run *r)
{
	const char *user = r->args.operands[0];
	bool keep = args_has(&r->args, OPT_KEEP);
	size_t count;
	const char *const *targets = targets_of(r, &count);
	struct directory_account a;
	struct err err = { "" };
	enum directory_result d;
	int code = lists_open_account(r, user, &a);

	if (code != EXIT_DONE)
		return code;
	d = r->dry_run ? DIRECTORY_OK
	               : directory_set_forwards(r->directory, a.user, targets, count, keep, &err);
	if (d != DIRECTORY_OK)
		return lists_fail(r, d, &err, "there is no such account", "");
	say_targets(r, user, r->dry_run ? "would forward to" : "forwards to");
	run_say(r,
	        keep ? "A copy stays in the mailbox." : "Nothing stays in the mailbox (--keep).");
	return EXIT_DONE;
}

int
cmd_forward_clear(struct run *r)
{
	const char *user = r->args.operands[0];
	struct directory_account a;
	struct err err = { "" };
	enum directory_result d;
	int code = lists_open_account(r, user, &a);

	if (code != EXIT_DONE)
		return code;
	d = r->dry_run ? DIRECTORY_OK
	               : directory_set_forwards(r->directory, a.user, NULL, 0, true, &err);
	if (d != DIRECTORY_OK)
		return lists_fail(r, d, &err, "there is no such account", "");
	run_say(r, "%s %s its mail itself.", user, r->dry_run ? "would get" : "gets");
	return EXIT_DONE;
}

int
cmd_forward_show(struct run *r)
{
	const char *user = r->args.operands[0];
	struct directory_account a;
	struct pairs p;
	struct err err = { "" };
	int code = pairs_begin(r, &p, "targets", "address", "target", "ADDRESS|FORWARDS TO");

	if (code != EXIT_DONE)
		return code;
	code = lists_get_account(r, user, &a);
	if (code != EXIT_DONE) {
		pairs_drop(&p);
		return code;
	}
	json_set_bool(r->result, "keep", a.keep_copy);
	code = pairs_end(&p, directory_list_forwards(r->directory, a.user, pairs_add, &p, &err),
	                 &err);
	if (code == EXIT_DONE && p.count == 0)
		run_say(r, "%s forwards nothing.", user);
	else if (code == EXIT_DONE)
		run_say(r, a.keep_copy ? "A copy stays in the mailbox."
		                       : "Nothing stays in the mailbox.");
	return code;
}

/* ---- senders ---------------------------------------------------------------------------------- */

int
cmd_sender_list(struct run *r)
{
	const char *user = r->args.count > 0 ? r->args.operands[0] : NULL;
	struct pairs p;
	struct err err = { "" };
	int code = pairs_begin(r, &p, "senders", "user", "sender", "USER|MAY SEND AS");

	if (code == EXIT_DONE)
		code = pairs_end(
			&p, directory_list_senders(r->directory, user, pairs_add, &p, &err), &err);
	return code;
}

static int
change_sender(struct run *r, bool add)
{
	const char *user = r->args.operands[0], *sender = r->args.operands[1];
	struct directory_account a;
	struct err err = { "" };
	enum directory_result d = DIRECTORY_OK;
	int code = lists_open_account(r, user, &a);

	if (code != EXIT_DONE)
		return code;
	if (!r->dry_run)
		d = add ? directory_add_sender(r->directory, a.user, sender, &err)
		        : directory_delete_sender(r->directory, a.user, sender, &err);
	if (d != DIRECTORY_OK)
		return lists_fail(r, d, &err, "that was not granted", "that is granted already");
	run_say(r, "%s %s as %s%s.", user,
	        add          ? r->dry_run ? "might send" : "may send"
	        : r->dry_run ? "could no longer send"
	                     : "may no longer send",
	        *sender == '@' ? "anybody" : "", sender);
	return EXIT_DONE;
}

int
cmd_sender_add(struct run *r)
{
	return change_sender(r, true);
}

int
cmd_sender_delete(struct run *r)
{
	return change_sender(r, false);
}
