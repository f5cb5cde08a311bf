/*
 * mailboxes - create, delete, rename, list and ACLs, each on the store that has the mailbox.
 *
 * A mailbox is written by its canonical name (user.fred.Sent) or as people think of it:
 * fred@example.org for an INBOX, fred@example.org/Sent for a folder.
 */
#include "ctl/mailboxes.h"

#include "ctl/commands.h"
#include "ctl/facts.h"

#include "mail/acl.h"

#include <stdio.h>
#include <string.h>

#define ACL_SHOWN 65536 /* in a list */

/* "fred@example.org/Sent" */
static enum mbox_name_error
from_address(struct slice domain, const char *word, struct mbox_name *name_r)
{
	struct slice folder = slice_of(word), login = slice_cut(&folder, '/');
	struct mbox_user user;
	struct mbox_view view;

	if (!mbox_user_from_login(login, domain, &user))
		return MBOX_NAME_USER;
	if (folder.p == NULL)
		return mbox_name_of_user(mbox_user_slice(&user), domain, name_r) ? MBOX_NAME_OK
		                                                                 : MBOX_NAME_USER;
	view = (struct mbox_view){ mbox_user_slice(&user), domain };
	return mbox_name_from_client(&view, folder, name_r);
}

int
mailboxes_parse(struct run *r, const char *word, struct mbox_name *name_r)
{
	struct slice domain = slice_of(run_default_domain(r));
	enum mbox_name_error e = strchr(word, '@') != NULL && strchr(word, '!') == NULL
	                                 ? from_address(domain, word, name_r)
	                                 : mbox_name_set(name_r, slice_of(word));

	if (e == MBOX_NAME_OK)
		return EXIT_DONE;
	return run_fail(r, EXIT_USAGE, "%s: %s", word, mbox_name_error_text(e));
}

int
mailboxes_find_owner(struct run *r, const char *mailbox, const char *hint,
                     const struct program **p_r)
{
	struct facts *f = facts_gather(r, mailbox);
	const char *server = facts_server(f);
	const struct fact_store *s = server != NULL ? facts_store(f, server) : NULL;
	int code = EXIT_DONE;

	if (s != NULL && s->has == STORE_ACTIVE)
		*p_r = s->program;
	else if (server != NULL && s == NULL && !run_some_store_is_silent(r))
		code = run_fail(r, EXIT_NO,
		                "%s is on %s, which is not on this host; run this there", mailbox,
		                server);
	else if (server != NULL)
		code = run_fail(r, EXIT_TEMP,
		                "%s is on %s, which does not answer on a control socket "
		                "here; see roostctl status",
		                mailbox, server);
	else if (facts_is_nowhere(f))
		code = run_fail(r, EXIT_NO, "there is no mailbox %s%s", mailbox, hint);
	else
		code = run_fail(r, EXIT_TEMP,
		                "nobody who can be asked from here knows %s; run this on the host "
		                "of its store, which roostctl explain names on a front end",
		                mailbox);
	facts_free(&f);
	return code;
}

/* Where a new one goes: to the store named, else to that of the user or the level above. */
static int
find_place(struct run *r, const struct mbox_name *name, const struct program **p_r)
{
	struct slice mbox = mbox_name_slice(name), above;
	const char *store = r->args.values[OPT_STORE];
	char parent[MBOX_NAME_MAX + 1];

	if (store != NULL) {
		return run_need_store(r, store, p_r);
	}
	above = mbox_name_root(mbox);
	if (mbox_name_is_inbox(mbox) || (above.n == 0 && !mbox_name_parent(mbox, &above)))
		return run_fail(r, EXIT_USAGE, "say on which store by --store");
	snprintf(parent, sizeof(parent), "%.*s", SLICE_ARG(above));
	return mailboxes_find_owner(r, parent, "; without it, say on which store by --store", p_r);
}

int
mailboxes_find(struct run *r, struct mbox_name *name_r, const struct program **p_r)
{
	int code = mailboxes_parse(r, r->args.operands[0], name_r);

	if (code == EXIT_DONE)
		code = mailboxes_find_owner(r, name_r->s, "", p_r);
	return code;
}

struct json *
mailboxes_request(struct run *r, const char *cmd, const struct mbox_name *name)
{
	struct json *request = json_new_object();

	json_set_str(request, "cmd", cmd);
	json_set_str(request, "mailbox", name->s);
	json_set_str(r->result, "mailbox", name->s);
	return request;
}

int
mailboxes_change(struct run *r, const struct program *p, struct json **request, const char *what)
{
	struct answer a;
	int code = EXIT_DONE;

	if (r->dry_run) {
		json_free(request);
		run_say(r, "%s would be asked: %s", program_text(p), what);
		return code;
	}
	run_ask(r, p, 0, request, &a);
	if (a.ok)
		run_say(r, "Done by %s: %s", program_text(p), what);
	else
		code = run_fail(r, answer_exit(&a), "%s: %s", program_text(p), a.text);
	answer_fini(&a);
	return code;
}

int
cmd_mailbox_create(struct run *r)
{
	struct mbox_name name;
	const struct program *p;
	struct json *request;
	char what[MBOX_NAME_MAX + 20];
	int code = mailboxes_parse(r, r->args.operands[0], &name);

	if (code == EXIT_DONE)
		code = find_place(r, &name, &p);
	if (code != EXIT_DONE)
		return code;
	request = mailboxes_request(r, "mailbox.create", &name);
	json_set_bool(request, "parents", args_has(&r->args, OPT_PARENTS));
	snprintf(what, sizeof(what), "create %s", name.s);
	return mailboxes_change(r, p, &request, what);
}

int
cmd_mailbox_delete(struct run *r)
{
	bool tree = args_has(&r->args, OPT_TREE);
	struct mbox_name name;
	const struct program *p;
	struct json *request;
	char what[MBOX_NAME_MAX + 40];
	int code = mailboxes_find(r, &name, &p);

	if (code != EXIT_DONE)
		return code;
	request = mailboxes_request(r, "mailbox.delete", &name);
	json_set_bool(request, "tree", tree);
	snprintf(what, sizeof(what), "delete %s%s", name.s, tree ? " and all below it" : "");
	return mailboxes_change(r, p, &request, what);
}

int
cmd_mailbox_rename(struct run *r)
{
	struct mbox_name from, to;
	const struct program *p;
	struct json *request;
	char what[2 * MBOX_NAME_MAX + 40];
	int code = mailboxes_parse(r, r->args.operands[0], &from);

	if (code == EXIT_DONE)
		code = mailboxes_parse(r, r->args.operands[1], &to);
	if (code == EXIT_DONE)
		code = mailboxes_find_owner(r, from.s, "", &p);
	if (code != EXIT_DONE)
		return code;
	request = mailboxes_request(r, "mailbox.rename", &from);
	json_set_str(request, "to", to.s);
	json_set_str(r->result, "to", to.s);
	snprintf(what, sizeof(what), "rename %s to %s", from.s, to.s);
	return mailboxes_change(r, p, &request, what);
}

/* ---- ACLs --------------------------------------------------------------------------------- */

/* As cyradm calls some sets of rights. */
static const struct {
	const char *word, *rights;
} sets[] = {
	{ "none", "" },        { "read", "lrs" },         { "post", "lrsp" },
	{ "append", "lrsip" }, { "write", "lrswipkxte" }, { "delete", "lrxte" },
	{ "all", ACL_ORDER },
};

static const char *
rights_of(const char *word)
{
	for (size_t i = 0; i < ARRAY_LEN(sets); i++)
		if (strcmp(sets[i].word, word) == 0)
			return sets[i].rights;
	return word;
}

static void
add_acl(const struct json *acl, struct buf *out)
{
	for (size_t i = 0; i < json_count(acl); i++) {
		const struct json *e = json_item(acl, i);

		buf_printf(out, "%s%s %s", i > 0 ? ", " : "", json_get_str(e, "id"),
		           json_get_str(e, "rights"));
	}
}

int
cmd_mailbox_acl_show(struct run *r)
{
	struct mbox_name name;
	const struct program *p;
	const struct json *acl;
	struct json *items;
	struct table *t;
	struct answer a;
	int code = mailboxes_find(r, &name, &p);

	if (code != EXIT_DONE)
		return code;
	run_ask1(r, p, "mailbox.acl.show", "mailbox", name.s, &a);
	if (!a.ok)
		code = run_fail(r, answer_exit(&a), "%s: %s", program_text(p), a.text);
	json_set_str(r->result, "mailbox", name.s);
	items = json_set_array(r->result, "acl");
	acl = json_get(a.json, "acl");
	t = table_new("IDENTIFIER|RIGHTS");
	for (size_t i = 0; a.ok && i < json_count(acl); i++) {
		const struct json *e = json_item(acl, i);
		struct json *o = json_add_object(items);

		json_set_str(o, "id", json_get_str(e, "id"));
		json_set_str(o, "rights", json_get_str(e, "rights"));
		table_add(t, json_get_str(e, "id"));
		table_add(t, json_get_str(e, "rights"));
	}
	run_table(r, t);
	table_free(&t);
	answer_fini(&a);
	return code;
}

/* rights: NULL to delete. */
static int
change_acl(struct run *r, const char *rights)
{
	const char *id = r->args.operands[1];
	struct mbox_name name;
	const struct program *p;
	struct json *request;
	struct buf what = BUF_INIT(4096);
	int code = mailboxes_find(r, &name, &p);

	if (code != EXIT_DONE)
		return code;
	request = mailboxes_request(r, rights != NULL ? "mailbox.acl.set" : "mailbox.acl.delete",
	                            &name);
	json_set_str(request, "id", id);
	if (rights != NULL) {
		json_set_str(request, "rights", rights);
		json_set_str(r->result, "rights", rights);
		buf_printf(&what, "%s on %s: \"%s\"", id, name.s, rights);
	} else {
		buf_printf(&what, "%s on %s: no entry", id, name.s);
	}
	json_set_str(r->result, "id", id);
	code = mailboxes_change(r, p, &request, buf_cstr(&what));
	buf_fini(&what);
	return code;
}

int
cmd_mailbox_acl_set(struct run *r)
{
	return change_acl(r, rights_of(r->args.operands[2]));
}

int
cmd_mailbox_acl_delete(struct run *r)
{
	return change_acl(r, NULL);
}

/* ---- list --------------------------------------------------------------------------------- */

static void
list_items(struct json *items, struct table *t, const struct program *p, const struct json *said)
{
	for (size_t i = 0; i < json_count(said); i++) {
		const struct json *m = json_item(said, i), *acl = json_get(m, "acl");
		struct json *o = json_add_object(items);
		struct buf text = BUF_INIT(ACL_SHOWN);
		int64_t bytes = json_get_int(m, "bytes", 0);
		char size[TABLE_TEXT];

		json_set_str(o, "mailbox", json_get_str(m, "mailbox"));
		json_set_str(o, "store", p->instance);
		json_set_int(o, "messages", json_get_int(m, "messages", 0));
		json_set_int(o, "bytes", bytes);
		json_set_int(o, "uidvalidity", json_get_int(m, "uidvalidity", 0));
		table_bytes(bytes > 0 ? (uint64_t)bytes : 0, size);
		table_add(t, json_get_str(m, "mailbox"));
		table_add(t, p->instance);
		table_add_int(t, json_get_int(m, "messages", 0));
		table_add(t, size);
		table_add_int(t, json_get_int(m, "uidvalidity", 0));
		add_acl(acl, &text);
		json_set_str(o, "acl", buf_cstr(&text));
		table_add(t, buf_cstr(&text));
		buf_fini(&text);
	}
}

struct listing {
	const char *prefix;
	struct json *items;
	struct table *table;
};

/* One store's part of the list. */
static int
list_store(void *ctx, struct run *r, const struct program *p)
{
	const struct listing *l = ctx;
	struct answer a;
	int code = EXIT_DONE;

	run_ask1(r, p, "mailbox.list", l->prefix != NULL ? "prefix" : NULL, l->prefix, &a);
	if (a.ok)
		list_items(l->items, l->table, p, json_get(a.json, "mailboxes"));
	else
		code = run_fail(r, answer_exit(&a), "%s: %s", program_text(p), a.text);
	if (json_get_bool(a.json, "more", false))
		run_say(r, "%s has more than it tells at once; name a longer PREFIX.",
		        program_text(p));
	answer_fini(&a);
	return code;
}

int
cmd_mailbox_list(struct run *r)
{
	struct listing l = { .prefix = r->args.count > 0 ? r->args.operands[0] : NULL };
	struct mbox_name name;
	int code;

	l.items = json_set_array(r->result, "mailboxes");
	if (l.prefix != NULL && strchr(l.prefix, '@') != NULL) {
		code = mailboxes_parse(r, l.prefix, &name);
		if (code != EXIT_DONE)
			return code;
		l.prefix = name.s;
	}
	l.table = table_new("MAILBOX|STORE|MESSAGES>|SIZE>|UIDVALIDITY>|ACL");
	code = run_each_store(r, list_store, &l);
	if (table_rows(l.table) == 0 && code == EXIT_DONE)
		run_say(r,
		        l.prefix != NULL ? "No mailbox here has a name that begins with %s."
		                         : "There are no mailboxes here.",
		        l.prefix);
	run_table(r, l.table);
	table_free(&l.table);
	return code;
}
