/*
 * domains - the domains mail is taken for, and other names of them.
 */
#include "ctl/commands.h"

#include <stdio.h>
#include <string.h>

static int
fail(struct run *r, enum directory_result d, const char *domain, const struct err *err)
{
	if (d == DIRECTORY_EXISTS)
		return run_fail(r, EXIT_NO, "there is a domain %s already", domain);
	if (d == DIRECTORY_UNKNOWN && err->text[0] == '\0')
		return run_fail(r, EXIT_NO, "there is no domain %s", domain);
	if (d == DIRECTORY_IN_USE || d == DIRECTORY_UNKNOWN)
		return run_fail(r, EXIT_NO, "%s", err->text);
	return run_fail(r, d == DIRECTORY_INVALID ? EXIT_USAGE : EXIT_TEMP, "%s", err->text);
}

/* ---- lists ------------------------------------------------------------------------------- */

struct listing {
	struct run *run;
	struct table *table;
	struct json *items;
};

static void
say_what(char *text_r, size_t room, const struct listing *l, const struct directory_domain *domain)
{
	const char *deflt = run_default_domain(l->run);
	bool is_default = deflt != NULL && strcmp(deflt, domain->name) == 0;

	snprintf(text_r, room, "%s%s%s%s%s", is_default ? "default domain" : "",
	         *domain->alias_of != '\0' ? "another name of " : "", domain->alias_of,
	         *domain->services != '\0' ? ", logins: " : "", domain->services);
}

static bool
list_domain(void *ctx, const struct directory_domain *domain)
{
	struct listing *l = ctx;
	struct json *o = json_add_object(l->items);
	char what[400];

	say_what(what, sizeof(what), l, domain);
	json_set_str(o, "domain", domain->name);
	json_set_int(o, "accounts", (int64_t)domain->accounts);
	json_set_int(o, "aliases", (int64_t)domain->aliases);
	json_set_str(o, "alias_of", *domain->alias_of != '\0' ? domain->alias_of : NULL);
	json_set_str(o, "services", domain->services);
	table_add(l->table, domain->name);
	table_add_int(l->table, (int64_t)domain->accounts);
	table_add_int(l->table, (int64_t)domain->aliases);
	table_add(l->table, what[0] == ',' ? what + 2 : what);
	return true;
}

int
cmd_domain_list(struct run *r)
{
	struct listing l = { r, NULL, NULL };
	struct err err = { "" };
	enum directory_result d;
	int code = run_open_directory(r, DIRECTORY_READ);

	if (code != EXIT_DONE)
		return code;
	l.items = json_set_array(r->result, "domains");
	l.table = table_new("DOMAIN|ACCOUNTS>|ALIASES>|");
	d = directory_list_domains(r->directory, list_domain, &l, &err);
	if (d == DIRECTORY_OK)
		run_table(r, l.table);
	table_free(&l.table);
	return d == DIRECTORY_OK ? EXIT_DONE : fail(r, d, "", &err);
}

/* ---- changes ------------------------------------------------------------------------------ */

int
cmd_domain_add(struct run *r)
{
	const char *domain = r->args.operands[0], *alias_of = r->args.values[OPT_ALIAS_OF];
	struct err err = { "" };
	enum directory_result d;
	int code = run_open_directory(r, r->dry_run ? DIRECTORY_READ : DIRECTORY_WRITE);

	if (code != EXIT_DONE)
		return code;
	d = r->dry_run ? directory_has_domain(r->directory, slice_of(domain), &err)
	               : directory_add_domain(r->directory, domain, alias_of, &err);
	if (r->dry_run && d != DIRECTORY_TEMP)
		d = d == DIRECTORY_OK ? DIRECTORY_EXISTS : DIRECTORY_OK;
	if (d != DIRECTORY_OK)
		return fail(r, d, domain, &err);
	run_say(r, "The domain %s %s%s%s.", domain, r->dry_run ? "would be added" : "is added",
	        alias_of != NULL ? " as another name of " : "", alias_of != NULL ? alias_of : "");
	return EXIT_DONE;
}

int
cmd_domain_delete(struct run *r)
{
	const char *domain = r->args.operands[0];
	struct err err = { "" };
	enum directory_result d;
	int code = run_open_directory(r, r->dry_run ? DIRECTORY_READ : DIRECTORY_WRITE);

	if (code != EXIT_DONE)
		return code;
	d = r->dry_run ? directory_has_domain(r->directory, slice_of(domain), &err)
	               : directory_delete_domain(r->directory, domain, &err);
	if (d != DIRECTORY_OK)
		return fail(r, d, domain, &err);
	run_say(r, "The domain %s %s; mail for it is refused.", domain,
	        r->dry_run ? "would be deleted, when nothing is in it" : "is deleted");
	return EXIT_DONE;
}

/* A misspelt word would lock users out of what was meant. */
int
services_of_word(struct run *r, const char *word, char *services_r, size_t room)
{
	static const char *const known[] = { "imap", "pop3", "smtp" };
	bool all = strcmp(word, "all") == 0;
	struct slice rest = slice_of(word);

	snprintf(services_r, room, "%s", all ? "" : word);
	for (char *c = services_r; *c != '\0'; c++)
		if (*c == ',')
			*c = ' ';
	while (!all && rest.p != NULL) {
		struct slice one = slice_cut(&rest, ',');
		bool found = false;

		for (size_t i = 0; i < ARRAY_LEN(known); i++)
			found = found || slice_eq_str(one, known[i]);
		if (!found)
			return run_fail(r, EXIT_USAGE,
			                "\"%.*s\" is no service: write imap, pop3, smtp with "
			                "commas between, or all",
			                SLICE_ARG(one));
	}
	return EXIT_DONE;
}

int
cmd_domain_services(struct run *r)
{
	const char *domain = r->args.operands[0];
	char services[2 * DIRECTORY_SERVICES_MAX];
	struct err err = { "" };
	enum directory_result d;
	int code = run_open_directory(r, r->dry_run ? DIRECTORY_READ : DIRECTORY_WRITE);

	if (code != EXIT_DONE)
		return code;
	code = services_of_word(r, r->args.operands[1], services, sizeof(services));
	if (code != EXIT_DONE)
		return code;
	d = r->dry_run ? directory_has_domain(r->directory, slice_of(domain), &err)
	               : directory_set_domain_services(r->directory, domain, services, &err);
	if (d != DIRECTORY_OK)
		return fail(r, d, domain, &err);
	run_say(r, "Users of %s %s log in to: %s.", domain, r->dry_run ? "could" : "can",
	        *services != '\0' ? services : "all services");
	return EXIT_DONE;
}
