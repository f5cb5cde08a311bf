/*
 * reconcile - stores compare their mailboxes with the master's list, which they also do by
 * themselves; here is where a person may go past the guards, and sees conflicts.
 */
#include "ctl/commands.h"

#include <stdio.h>
#include <string.h>

/* *code_r: EXIT_TEMP, and it was said, when one of those that could be it does not answer. */
static const struct program *
find_master(struct run *r, int *code_r)
{
	const struct program *p;
	unsigned pos = 0;

	*code_r = EXIT_DONE;

	while ((p = run_next(r, "roost-mupdate", &pos)) != NULL) {
		struct answer a;
		const char *role;
		bool is_master;

		run_ask1(r, p, "status", NULL, NULL, &a);
		if (!a.ok)
			*code_r = run_fail(r, EXIT_TEMP, "%s: %s", program_text(p), a.text);
		role = json_get_str(json_get(a.json, "detail"), "role");
		is_master = role != NULL && strcmp(role, "master") == 0;
		answer_fini(&a);
		if (is_master)
			return p;
	}
	return NULL;
}

/* ---- --complete -------------------------------------------------------------------------- */

static int
complete(struct run *r, const struct program *master, const char *server)
{
	const struct json *missing;
	struct answer a;
	int code = EXIT_DONE;

	if (r->dry_run) {
		run_say(r, "%s would take the list of %s as told.", program_text(master), server);
		return code;
	}
	run_ask1(r, master, "reconcile", "complete", server, &a);
	missing = json_get(a.json, "missing");
	if (!a.ok)
		code = run_fail(r, answer_exit(&a), "%s: %s", program_text(master), a.text);
	else if (json_get_bool(a.json, "complete", false))
		run_say(r, "The master's list is complete now.");
	else
		run_say(r, "The master's list is not complete yet.");
	for (size_t i = 0; i < json_count(missing); i++)
		run_say(r, "It waits for %s.", json_as_str(json_item(missing, i)));
	if (a.ok)
		json_take_member(r->result, "master", &a.json);
	answer_fini(&a);
	return code;
}

/* ---- plans -------------------------------------------------------------------------------- */

/* What the store would do, and why. */
static int
show_plan(struct run *r, const struct program *p, struct json *o, bool force)
{
	struct json *request = json_new_object();
	struct table *t = table_new("WOULD|MAILBOX|WHY");
	const struct json *steps;
	int code = EXIT_DONE;
	struct answer a;

	json_set_str(request, "cmd", "reconcile");
	json_set_bool(request, "force", force);
	json_set_bool(request, "dry_run", true);
	run_ask(r, p, 0, &request, &a);
	steps = json_get(a.json, "steps");
	for (size_t i = 0; i < json_count(steps); i++) {
		table_add(t, json_get_str(json_item(steps, i), "action"));
		table_add(t, json_get_str(json_item(steps, i), "mailbox"));
		table_add(t, json_get_str(json_item(steps, i), "why"));
	}
	if (!a.ok)
		code = run_fail(r, answer_exit(&a), "%s: %s", program_text(p), a.text);
	else if (table_rows(t) == 0)
		run_say(r, "%s agrees with the master's list: nothing would be done.",
		        program_text(p));
	else
		run_say(r, "%s would do this%s:", program_text(p),
		        json_get_bool(a.json, "more", false) ? " (and more)" : "");
	run_table(r, t);
	table_free(&t);
	if (a.ok)
		json_take_member(o, "plan", &a.json);
	answer_fini(&a);
	return code;
}

/* ---- stores -------------------------------------------------------------------------------- */

static int
ask_store(void *items, struct run *r, const struct program *p)
{
	bool force = args_has(&r->args, OPT_FORCE);
	struct json *request = json_new_object(), *o = json_add_object(items);
	struct answer a;
	int code = EXIT_DONE;

	json_set_str(o, "store", p->instance);
	json_set_str(o, "host", p->host->label);
	json_set_bool(o, "dry_run", r->dry_run);
	if (r->dry_run) {
		json_free(&request);
		return show_plan(r, p, o, force);
	}
	json_set_str(request, "cmd", "reconcile");
	json_set_bool(request, "force", force);
	run_ask(r, p, 0, &request, &a);
	json_set_bool(o, "ok", a.ok);
	json_set_str(o, "text", a.ok ? NULL : a.text);
	if (a.ok)
		run_say(r, "%s compares its mailboxes with the master's list%s.", program_text(p),
		        force ? ", without the guard" : "");
	else
		code = run_fail(r, answer_exit(&a), "%s: %s", program_text(p), a.text);
	answer_fini(&a);
	return code;
}

static void
show_conflicts(struct run *r, const struct program *master)
{
	struct table *t = table_new("MAILBOX|REFUSED ON");
	const struct json *all;
	struct answer a;

	run_ask1(r, master, "conflicts", NULL, NULL, &a);
	all = json_get(a.json, "conflicts");
	for (size_t i = 0; i < json_count(all); i++) {
		table_add(t, json_get_str(json_item(all, i), "mailbox"));
		table_add(t, json_get_str(json_item(all, i), "server"));
	}
	if (table_rows(t) > 0)
		run_say(r, "Two stores say that they have these; the one that had it first serves "
		           "it:");
	else if (a.ok)
		run_say(r, "The master knows of no conflicts.");
	run_table(r, t);
	table_free(&t);
	if (a.ok)
		json_take_member(r->result, "master", &a.json);
	answer_fini(&a);
}

int
cmd_reconcile(struct run *r)
{
	const char *server = r->args.values[OPT_COMPLETE];
	const struct program *master;
	struct json *stores;
	unsigned pos = 0;
	int code, away;

	if (server != NULL && (args_has(&r->args, OPT_STORE) || args_has(&r->args, OPT_FORCE)))
		return run_fail(r, EXIT_USAGE, "--complete stands alone");
	if (args_has(&r->args, OPT_FORCE) && !args_has(&r->args, OPT_STORE))
		return run_fail(r, EXIT_USAGE, "--force needs --store: one store at a time");
	master = find_master(r, &away);
	if (server != NULL)
		return master != NULL ? complete(r, master, server)
		                      : run_fail(r, EXIT_TEMP,
		                                 "no location master answers on this host; run "
		                                 "this on the master's");
	stores = json_set_array(r->result, "stores");
	if (master != NULL && run_next(r, "roost-store", &pos) == NULL)
		code = EXIT_DONE; /* a host of the master: what it knows is the answer */
	else
		code = run_each_store(r, ask_store, stores);
	if (master == NULL)
		return MAX(code, away);
	show_conflicts(r, master);
	return code;
}
