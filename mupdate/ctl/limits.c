/*
 * limits - failed logins that are held against somebody: list, clear. Each front end program
 * has a limits process of its own; worker 0 of each is asked.
 */
#include "ctl/commands.h"

#include <stdio.h>
#include <string.h>

#define NO_FRONT_END "there is no front end on this host; run this where one is"
#define SILENT "%u of %u front end programs do not answer; see roostctl status"

static const char *const programs[] = { "roost-imap", "roost-smtp" };

static void
add_row(struct table *t, const struct program *p, const struct json *e)
{
	const char *user = json_get_str(e, "user"), *name = json_get_str(e, "name");
	int64_t block = json_get_int(e, "block_s", 0);
	char age[TABLE_TEXT];

	table_add(t, json_get_str(e, "kind"));
	if (user != NULL)
		table_addf(t, "%s from %s", user, name);
	else
		table_add(t, name);
	table_add_int(t, json_get_int(e, "failures", 0));
	table_age((uint64_t)MAX(block, 0), age);
	table_add(t, block > 0 ? age : NULL);
	table_addf(t, "%s", p->program);
}

/* False: it does not answer. */
static bool
list_of(struct run *r, const struct program *p, struct json *items, struct table *t)
{
	struct answer a;
	const struct json *entries;
	bool ok;

	run_ask1(r, p, "limits", NULL, NULL, &a);
	entries = json_get(a.json, "entries");
	for (size_t i = 0; a.ok && i < json_count(entries); i++) {
		const struct json *e = json_item(entries, i);
		struct json *o = json_add_object(items);

		json_set_str(o, "program", p->program);
		json_set_str(o, "kind", json_get_str(e, "kind"));
		json_set_str(o, "name", json_get_str(e, "name"));
		json_set_str(o, "user", json_get_str(e, "user"));
		json_set_int(o, "failures", json_get_int(e, "failures", 0));
		json_set_int(o, "block_s", json_get_int(e, "block_s", 0));
		add_row(t, p, e);
	}
	ok = a.ok;
	answer_fini(&a);
	return ok;
}

int
cmd_limits_list(struct run *r)
{
	struct json *items = json_set_array(r->result, "entries");
	struct table *t = table_new("KIND|WHO|FAILURES>|BLOCKED FOR|BY");
	const struct program *p;
	unsigned asked = 0, away = 0, pos;

	for (size_t i = 0; i < ARRAY_LEN(programs); i++)
		for (pos = 0; (p = run_next(r, programs[i], &pos)) != NULL; asked++)
			away += !list_of(r, p, items, t);
	if (table_rows(t) == 0 && away == 0 && asked > 0)
		run_say(r, "Nothing is held against anybody.");
	run_table(r, t);
	table_free(&t);
	if (asked == 0)
		return run_fail(r, EXIT_NO, NO_FRONT_END);
	return away == 0 ? EXIT_DONE : run_fail(r, EXIT_TEMP, SILENT, away, asked);
}

int
cmd_limits_clear(struct run *r)
{
	const char *name = r->args.operands[0];
	char user[DIRECTORY_NAME_MAX + 1];
	unsigned asked = 0, away = 0, pos;
	int64_t cleared = 0;
	const struct program *p;

	if (strchr(name, '@') != NULL &&
	    directory_canon(slice_of(name), run_default_domain(r), user))
		name = user;
	for (size_t i = 0; i < ARRAY_LEN(programs); i++)
		for (pos = 0; (p = run_next(r, programs[i], &pos)) != NULL; asked++) {
			struct answer a;

			run_ask1(r, p, "limits.clear", "name", name, &a);
			cleared += a.ok ? json_get_int(a.json, "cleared", 0) : 0;
			away += !a.ok;
			answer_fini(&a);
		}
	json_set_int(r->result, "cleared", cleared);
	if (asked == 0)
		return run_fail(r, EXIT_NO, NO_FRONT_END);
	if (away > 0)
		return run_fail(r, EXIT_TEMP, SILENT, away, asked);
	if (cleared > 0)
		run_say(r, "%s is not held to its failed logins any more.", name);
	else
		run_say(r, "Nothing was held against %s here.", name);
	return EXIT_DONE;
}
