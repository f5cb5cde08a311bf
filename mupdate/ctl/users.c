/*
 * users - accounts of the directory and their mailboxes on a store, kept in step.
 *
 * What must be true, whatever fails in between:
 *
 * 1. add: the row comes first and goes again when the store does not make the mailboxes.
 *    A row without mailboxes (we were killed) is completed by the same command.
 * 2. delete: the account is disabled first, so that no delivery makes its INBOX again
 *    behind our back; then the mailboxes go, then the row. Killed in between, the same
 *    command finishes it.
 * 3. Nothing is taken for gone because nobody answered.
 */
#include "ctl/commands.h"
#include "ctl/facts.h"
#include "ctl/lists.h"
#include "ctl/password.h"

#include "base/xalloc.h"
#include "mail/mbox_name.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

struct who {
	char user[DIRECTORY_NAME_MAX + 1]; /* canonical */
	char full[DIRECTORY_NAME_MAX + 1]; /* with its domain */
	char inbox[MBOX_NAME_MAX + 1];
};

static int
parse_user(struct run *r, struct who *w)
{
	const char *domain = run_default_domain(r), *word = r->args.operands[0];
	struct mbox_user user;
	struct mbox_name inbox;

	if (!directory_canon(slice_of(word), domain, w->user) ||
	    !mbox_user_from_login(slice_of(w->user), slice_of(domain), &user) ||
	    !mbox_name_of_user(mbox_user_slice(&user), slice_of(domain), &inbox))
		return run_fail(r, EXIT_USAGE,
		                "\"%s\" cannot be a user: names are letters, digits and . _ - = ' "
		                "~ with a domain behind @",
		                word);
	directory_full_name(w->user, domain, w->full);
	snprintf(w->inbox, sizeof(w->inbox), "%.*s", (int)inbox.n, inbox.s);
	json_set_str(r->result, "user", w->user);
	json_set_str(r->result, "address", w->full);
	json_set_bool(r->result, "dry_run", r->dry_run);
	return EXIT_DONE;
}

/* The row. UNKNOWN is an answer; EXIT_TEMP and the like were told. */
static int
get_account(struct run *r, const struct who *w, struct directory_account *a_r,
            enum directory_result *result_r)
{
	struct err err = { "" };

	*result_r = directory_get(r->directory, w->user, a_r, &err);
	secret_wipe(a_r->hash, sizeof(a_r->hash));
	if (*result_r == DIRECTORY_OK || *result_r == DIRECTORY_UNKNOWN)
		return EXIT_DONE;
	return run_fail(r, EXIT_TEMP, "%s", err.text);
}

/* For the user, written to the directory or (--dry-run) only read. */
static int
begin(struct run *r, struct who *w, bool writes)
{
	int code = parse_user(r, w);

	if (code != EXIT_DONE)
		return code;
	return run_open_directory(r, writes && !r->dry_run ? DIRECTORY_WRITE : DIRECTORY_READ);
}

static int
fail_directory(struct run *r, const struct who *w, enum directory_result d, const struct err *err)
{
	if (d == DIRECTORY_UNKNOWN)
		return run_fail(r, EXIT_NO, "there is no account %s", w->full);
	if (d == DIRECTORY_EXISTS)
		return run_fail(r, EXIT_NO, "there is an account %s already", w->full);
	return run_fail(r, d == DIRECTORY_INVALID ? EXIT_USAGE : EXIT_TEMP, "%s", err->text);
}

/* ---- add ------------------------------------------------------------------------------ */

struct add {
	struct who who;
	char store[DIRECTORY_STORE_MAX + 1];
	const struct program *program; /* NULL: it is foreign, or on another host */
	char password[PASSWD_MAX];
	bool has_row; /* it was there before us */
};

/* The store of a host that does everything: no [server] says what else there may be. "" for none,
 * several, or one that does not answer. */
static void
lone_store(struct run *r, char *name_r, size_t room)
{
	unsigned pos = 0;
	const struct program *p = run_next(r, "roost-store", &pos);
	const char *server;
	struct answer a;

	*name_r = '\0';
	if (p == NULL || run_next(r, "roost-store", &pos) != NULL)
		return;
	run_ask1(r, p, "status", NULL, NULL, &a);
	server = json_get_str(json_get(a.json, "detail"), "server");
	snprintf(name_r, room, "%s", server != NULL ? server : "");
	answer_fini(&a);
}

/* The only store there is, when there is only one. */
static int
choose_store(struct run *r, struct add *a)
{
	const char *named = r->args.values[OPT_STORE], *name, *only = NULL;
	char lone[DIRECTORY_STORE_MAX + 1];
	size_t pos = 0;

	while (named == NULL && conf_next_section(run_conf(r), "server", &pos, &name) != NULL) {
		if (only != NULL)
			return run_fail(r, EXIT_USAGE,
			                "there are several stores: say which by --store");
		only = name;
	}
	if (named == NULL)
		named = only;
	if (named == NULL) {
		lone_store(r, lone, sizeof(lone));
		named = *lone != '\0' ? lone : NULL;
	}
	if (named == NULL)
		return run_fail(r, EXIT_USAGE, "say on which store by --store");
	if (strlen(named) > DIRECTORY_STORE_MAX)
		return run_fail(r, EXIT_USAGE, "\"%s\" cannot be the name of a store", named);
	snprintf(a->store, sizeof(a->store), "%s", named);
	return EXIT_DONE;
}

static int
find_store(struct run *r, struct add *a)
{
	a->program = run_find_store(r, a->store);
	if (a->program != NULL)
		return EXIT_DONE;
	if (run_server_is_foreign(r, a->store))
		return EXIT_DONE; /* not ours: its mailboxes are made over there */
	if (run_server(r, a->store) == NULL)
		return run_fail(r, EXIT_NO, "there is no store %s: no section [server %s]",
		                a->store, a->store);
	if (!run_some_store_is_silent(r))
		return EXIT_DONE; /* on another host: they come with the first login or mail */
	return run_fail(r, EXIT_TEMP,
	                "%s does not answer on its control socket here, so nothing was changed; "
	                "see roostctl status",
	                a->store);
}

static const char *
mailboxes_of(struct run *r, const struct add *a)
{
	if (a->program != NULL)
		return ", with its mailboxes";
	return run_server_is_foreign(r, a->store)
	               ? "; that store makes its mailboxes by its own tools"
	               : ", which is not on this host: its mailboxes come with the first login or "
	                 "the first mail";
}

static void
say_domain(struct run *r, const struct who *w)
{
	const char *at = strchr(w->full, '@');
	struct err err;

	if (at != NULL &&
	    directory_has_domain(r->directory, slice_of(at + 1), &err) == DIRECTORY_UNKNOWN)
		run_say(r, "The domain %s is new; it %s as well.", at + 1,
		        r->dry_run ? "would be added" : "is added");
}

static int
add_row(struct run *r, struct add *a)
{
	struct err err = { "" };
	enum directory_result d;

	say_domain(r, &a->who);
	if (r->dry_run)
		return EXIT_DONE;
	d = directory_add(r->directory, a->who.user, a->password, a->store, &err);
	return d == DIRECTORY_OK ? EXIT_DONE : fail_directory(r, &a->who, d, &err);
}

/* Does the store have the INBOX? */
static bool
has_inbox(struct run *r, const struct program *store, const char *inbox)
{
	struct answer a;
	const char *found;
	bool has;

	run_ask1(r, store, "explain", "mailbox", inbox, &a);
	found = json_get_str(a.json, "found");
	has = a.ok && found != NULL && strcmp(found, "active") == 0;
	answer_fini(&a);
	return has;
}

/* An answer that was lost is no failure when the mailboxes are there. */
static int
make_mailboxes(struct run *r, const struct add *a, char *text_r, size_t room)
{
	struct answer answer;
	int code;

	if (a->program == NULL || r->dry_run)
		return EXIT_DONE;
	run_ask1(r, a->program, "user.create", "user", a->who.user, &answer);
	code = answer_exit(&answer);
	snprintf(text_r, room, "%s", answer.text);
	answer_fini(&answer);
	if (code != EXIT_DONE && has_inbox(r, a->program, a->who.inbox))
		code = EXIT_DONE;
	return code;
}

static void
undo_row(struct run *r, const struct add *a)
{
	struct err err = { "" };
	enum directory_result d = directory_delete(r->directory, a->who.user, &err);

	if (d != DIRECTORY_OK)
		run_say(r,
		        "The account %s could not be taken back (%s); `roostctl user delete %s` "
		        "does it.",
		        a->who.full, err.text, a->who.full);
}

/* Invariant 1. */
static int
add_mailboxes(struct run *r, struct add *a)
{
	char text[512] = "";
	int code = make_mailboxes(r, a, text, sizeof(text));

	if (code == EXIT_DONE)
		return code;
	if (a->has_row)
		return run_fail(r, code, "%s did not make the mailboxes: %s", a->store, text);
	undo_row(r, a);
	return run_fail(r, code,
	                "%s did not make the mailboxes, so the account was taken back and nothing "
	                "is changed: %s",
	                a->store, text);
}

/* A row that is there: complete it, or say that there is nothing to do. */
static int
complete_row(struct run *r, struct add *a, const struct directory_account *row)
{
	const char *asked = r->args.values[OPT_STORE];
	int code;

	if (*row->home != '\0' && asked != NULL && strcmp(asked, row->home) != 0)
		return run_fail(r, EXIT_NO, "there is an account %s already, at home on %s",
		                a->who.full, row->home);
	if (*row->home != '\0')
		snprintf(a->store, sizeof(a->store), "%s", row->home);
	code = *a->store == '\0' ? choose_store(r, a) : EXIT_DONE;
	if (code == EXIT_DONE)
		code = find_store(r, a);
	if (code != EXIT_DONE)
		return code;
	if (a->program == NULL || has_inbox(r, a->program, a->who.inbox))
		return run_fail(r, EXIT_NO, "there is an account %s already", a->who.full);
	a->has_row = true;
	code = add_mailboxes(r, a);
	if (code == EXIT_DONE)
		run_say(r,
		        "The account %s was there; its mailboxes were missing on %s and %s. "
		        "Its password is the old one.",
		        a->who.full, a->store, r->dry_run ? "would be made" : "are made now");
	return code;
}

static int
add_new(struct run *r, struct add *a)
{
	int code = choose_store(r, a);

	if (code == EXIT_DONE)
		code = find_store(r, a);
	if (code == EXIT_DONE)
		code = password_get(r, a->password);
	if (code == EXIT_DONE)
		code = add_row(r, a);
	if (code == EXIT_DONE)
		code = add_mailboxes(r, a);
	if (code != EXIT_DONE)
		return code;
	run_say(r, "%s %s on %s%s.", a->who.full, r->dry_run ? "would be added" : "is added",
	        a->store, mailboxes_of(r, a));
	password_show(r, a->password);
	return EXIT_DONE;
}

int
cmd_user_add(struct run *r)
{
	struct add a = { .has_row = false };
	struct directory_account row;
	enum directory_result d;
	int code = begin(r, &a.who, true);

	if (code != EXIT_DONE)
		return code;
	code = get_account(r, &a.who, &row, &d);
	if (code == EXIT_DONE)
		code = d == DIRECTORY_OK ? complete_row(r, &a, &row) : add_new(r, &a);
	json_set_str(r->result, "store", a.store);
	secret_wipe(a.password, sizeof(a.password));
	return code;
}

/* ---- delete ------------------------------------------------------------------------------ */

struct del {
	struct who who;
	bool has_row;
	enum directory_status status; /* before us */
	char home[DIRECTORY_STORE_MAX + 1];
	struct facts *facts;
	unsigned deleted; /* stores */
};

/* Invariant 3: everybody who may have the mailboxes has to be here. */
static int
check_reach(struct run *r, const struct del *d)
{
	const struct fact_list *master = facts_master(d->facts);
	const char *server = facts_server(d->facts);
	const struct fact_store *s = server != NULL ? facts_store(d->facts, server) : NULL;
	unsigned pos = 0;

	if (args_has(&r->args, OPT_FORCE))
		return EXIT_DONE;
	if (server != NULL && (s == NULL || s->has == STORE_SILENT))
		return run_fail(r, EXIT_TEMP,
		                "the mailboxes of %s are on %s, which does not answer on a control "
		                "socket here; nothing was changed. Delete them on its host first "
		                "(roostctl mailbox delete %s --tree). --force deletes the account "
		                "alone.",
		                d->who.full, server, d->who.full);
	if (facts_next_having(d->facts, &pos) != NULL || facts_is_nowhere(d->facts))
		return EXIT_DONE;
	return run_fail(
		r, EXIT_TEMP,
		"nobody who can be asked from here knows whether %s has mailboxes%s; nothing "
		"was changed. (--force deletes the account alone.)",
		d->who.full,
		master != NULL ? ": the master's list is not complete"
			       : ": the master is not on this host");
}

static int
set_status(struct run *r, const struct del *d, enum directory_status status)
{
	struct err err = { "" };
	enum directory_result result;

	if (r->dry_run || !d->has_row)
		return EXIT_DONE;
	result = directory_set_status(r->directory, d->who.user, status, &err);
	return result == DIRECTORY_OK ? EXIT_DONE : fail_directory(r, &d->who, result, &err);
}

static int
delete_on(struct run *r, struct del *d, const struct fact_store *s)
{
	struct answer a;
	int code = EXIT_DONE;

	run_say(r, "%s the mailboxes of %s on %s (%lld messages in INBOX).",
	        r->dry_run ? "Would delete" : "Deleting", d->who.full, s->server,
	        (long long)s->messages);
	d->deleted++;
	if (r->dry_run)
		return code;
	run_ask1(r, s->program, "user.delete", "user", d->who.user, &a);
	if (!a.ok && strcmp(a.error, "notfound") != 0)
		code = run_fail(r, answer_exit(&a), "%s did not delete the mailboxes: %s",
		                s->server, a.text);
	answer_fini(&a);
	return code;
}

static int
delete_mailboxes(struct run *r, struct del *d)
{
	const struct fact_store *s;
	unsigned pos = 0;
	int code = EXIT_DONE;

	while (code == EXIT_DONE && (s = facts_next_having(d->facts, &pos)) != NULL)
		code = delete_on(r, d, s);
	return code;
}

static int
delete_row(struct run *r, const struct del *d)
{
	struct err err = { "" };
	enum directory_result result;

	if (r->dry_run || !d->has_row)
		return EXIT_DONE;
	result = directory_delete(r->directory, d->who.user, &err);
	return result == DIRECTORY_OK ? EXIT_DONE : fail_directory(r, &d->who, result, &err);
}

struct leading {
	struct run *run;
	struct json *items;
};

static bool
say_leading(void *ctx, const char *left, const char *right)
{
	struct leading *l = ctx;

	json_add_str(l->items, left);
	run_say(l->run, "%s still leads to %s.", left, right);
	return true;
}

/* Nobody else decides where that mail goes now. */
static void
say_what_dangles(struct run *r, const struct del *d)
{
	struct leading l = { r, json_set_array(r->result, "still_leading_there") };
	struct err err = { "" };

	if (directory_list_leading_to(r->directory, d->who.full, say_leading, &l, &err) !=
	    DIRECTORY_OK)
		run_say(r, "What still leads to %s cannot be listed: %s", d->who.full, err.text);
}

/* Invariant 2. */
static int
delete_all(struct run *r, struct del *d)
{
	int code = check_reach(r, d);

	if (code == EXIT_DONE)
		code = set_status(r, d, DIRECTORY_DISABLED);
	if (code != EXIT_DONE)
		return code;
	code = delete_mailboxes(r, d);
	if (code != EXIT_DONE) {
		if (set_status(r, d, d->status) == EXIT_DONE)
			run_say(r, "The account is as it was; the same command again goes on.");
		return code;
	}
	if (!d->has_row && d->deleted == 0)
		return run_fail(r, EXIT_NO, "there is no account %s", d->who.full);
	code = delete_row(r, d);
	if (code != EXIT_DONE)
		return code;
	run_say(r, "%s %s.", d->who.full, r->dry_run ? "would be deleted" : "is deleted");
	if (run_server_is_foreign(r, d->home))
		run_say(r, "What he has on %s stays there: remove it by its own tools.", d->home);
	say_what_dangles(r, d);
	return code;
}

int
cmd_user_delete(struct run *r)
{
	struct del d = { .has_row = false };
	struct directory_account row;
	enum directory_result result;
	int code = begin(r, &d.who, true);

	if (code == EXIT_DONE)
		code = get_account(r, &d.who, &row, &result);
	if (code != EXIT_DONE)
		return code;
	d.has_row = result == DIRECTORY_OK;
	d.status = d.has_row ? row.status : DIRECTORY_ACTIVE;
	snprintf(d.home, sizeof(d.home), "%s", d.has_row ? row.home : "");
	d.facts = facts_gather(r, d.who.inbox);
	code = delete_all(r, &d);
	facts_free(&d.facts);
	return code;
}

/* ---- changes of the row ------------------------------------------------------------------- */

int
cmd_user_passwd(struct run *r)
{
	struct who w;
	struct directory_account row;
	char password[PASSWD_MAX] = "";
	enum directory_result d;
	struct err err = { "" };
	int code = begin(r, &w, true);

	if (code == EXIT_DONE)
		code = get_account(r, &w, &row, &d);
	if (code == EXIT_DONE && d != DIRECTORY_OK)
		code = fail_directory(r, &w, d, &err);
	if (code == EXIT_DONE)
		code = password_get(r, password);
	if (code == EXIT_DONE && !r->dry_run) {
		d = directory_set_password(r->directory, w.user, password, &err);
		if (d != DIRECTORY_OK)
			code = fail_directory(r, &w, d, &err);
	}
	if (code == EXIT_DONE) {
		run_say(r, "%s %s a new password; the old one %s.", w.full,
		        r->dry_run ? "would get" : "has", r->dry_run ? "would end" : "ends");
		lists_say_delay(r);
		password_show(r, password);
	}
	secret_wipe(password, sizeof(password));
	return code;
}

static int
change_status(struct run *r, enum directory_status status, const char *word)
{
	struct who w;
	struct directory_account row;
	enum directory_result d;
	struct err err = { "" };
	int code = begin(r, &w, true);

	if (code == EXIT_DONE)
		code = get_account(r, &w, &row, &d);
	if (code != EXIT_DONE)
		return code;
	if (d == DIRECTORY_OK && !r->dry_run)
		d = directory_set_status(r->directory, w.user, status, &err);
	if (d != DIRECTORY_OK)
		return fail_directory(r, &w, d, &err);
	run_say(r, "%s %s %s.", w.full, r->dry_run ? "would be" : "is", word);
	lists_say_delay(r);
	return EXIT_DONE;
}

int
cmd_user_disable(struct run *r)
{
	return change_status(r, DIRECTORY_DISABLED, "disabled");
}

int
cmd_user_enable(struct run *r)
{
	return change_status(r, DIRECTORY_ACTIVE, "enabled");
}

/* Nothing that the list of locations decides is changed here. */
static int
check_home(struct run *r, const struct who *w, const char *from, const char *to)
{
	if (run_server(r, to) == NULL)
		return run_fail(r, EXIT_NO, "there is no store %s: no section [server %s]", to, to);
	if (strcmp(from, to) == 0)
		return run_fail(r, EXIT_NO, "%s is at home on %s already", w->full, to);
	if (!run_server_is_unlisted(r, from) && !run_server_is_unlisted(r, to))
		return run_fail(r, EXIT_NO,
		                "neither %s nor %s is a server with listed = no, so the list of "
		                "locations says where his mailboxes are: see roostctl move user",
		                *from != '\0' ? from : "his home", to);
	return EXIT_DONE;
}

int
cmd_user_home(struct run *r)
{
	const char *to = r->args.operands[1];
	struct directory_account row;
	enum directory_result d;
	struct err err = { "" };
	struct who w;
	int code = begin(r, &w, true);

	if (code == EXIT_DONE)
		code = get_account(r, &w, &row, &d);
	if (code == EXIT_DONE && d != DIRECTORY_OK)
		code = fail_directory(r, &w, d, &err);
	if (code == EXIT_DONE)
		code = check_home(r, &w, row.home, to);
	if (code == EXIT_DONE && !r->dry_run) {
		d = directory_set_home(r->directory, w.user, to, &err);
		if (d != DIRECTORY_OK)
			code = fail_directory(r, &w, d, &err);
	}
	if (code != EXIT_DONE)
		return code;
	run_say(r, "%s %s at home on %s; what he has on %s stays there.", w.full,
	        r->dry_run ? "would be" : "is", to, *row.home != '\0' ? row.home : "other stores");
	lists_say_delay(r);
	return EXIT_DONE;
}

/* ---- lists ----------------------------------------------------------------------------------- */

struct listing {
	struct run *run;
	struct table *table;
	struct json *items;
};

static bool
list_account(void *ctx, const struct directory_account *a)
{
	struct listing *l = ctx;
	struct json *o = json_add_object(l->items);
	char full[DIRECTORY_NAME_MAX + 1], day[32] = "";
	time_t created = (time_t)a->created_s;
	struct tm tm;

	directory_full_name(a->user, run_default_domain(l->run), full);
	if (localtime_r(&created, &tm) != NULL)
		strftime(day, sizeof(day), "%Y-%m-%d", &tm);
	json_set_str(o, "address", full);
	json_set_str(o, "user", a->user);
	json_set_bool(o, "active", a->status == DIRECTORY_ACTIVE);
	json_set_str(o, "home", a->home);
	json_set_int(o, "created_s", (int64_t)a->created_s);
	table_add(l->table, full);
	table_add(l->table, a->status == DIRECTORY_ACTIVE ? "active" : "disabled");
	table_add(l->table, a->home);
	table_add(l->table, day);
	return true;
}

int
cmd_user_list(struct run *r)
{
	struct listing l = { r, NULL, NULL };
	struct err err = { "" };
	enum directory_result d;
	int code = run_open_directory(r, DIRECTORY_WRITE);

	if (code != EXIT_DONE)
		return code;
	l.items = json_set_array(r->result, "users");
	l.table = table_new("ADDRESS|STATUS|HOME|CREATED");
	d = directory_list(r->directory, r->args.count > 0 ? r->args.operands[0] : NULL,
	                   list_account, &l, &err);
	if (d == DIRECTORY_OK)
		run_table(r, l.table);
	table_free(&l.table);
	if (d == DIRECTORY_INVALID)
		return run_fail(r, EXIT_USAGE, "\"%s\" is no domain name", r->args.operands[0]);
	return d == DIRECTORY_OK ? EXIT_DONE : run_fail(r, EXIT_TEMP, "%s", err.text);
}
