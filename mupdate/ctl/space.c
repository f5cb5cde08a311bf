/*
 * space - the disk of this host's stores: what their logs hold, and compaction.
 */
#include "ctl/commands.h"

static void
add_bytes(struct table *t, const struct json *answer, const char *field)
{
	char text[TABLE_TEXT];

	table_bytes((uint64_t)MAX(json_get_int(answer, field, 0), 0), text);
	table_add(t, text);
}

static int
ask_space(struct run *r, const struct program *p, struct table *t, struct json *items)
{
	struct json *o = json_add_object(items);
	int code = EXIT_DONE;
	struct answer a;

	run_ask1(r, p, "space", NULL, NULL, &a);
	json_set_str(o, "store", p->instance);
	json_set_str(o, "host", p->host->label);
	json_set_bool(o, "ok", a.ok);
	if (a.ok) {
		table_add(t, p->instance);
		add_bytes(t, a.json, "free_bytes");
		table_add_int(t, json_get_int(a.json, "segments", 0));
		add_bytes(t, a.json, "live_bytes");
		add_bytes(t, a.json, "dead_bytes");
		add_bytes(t, a.json, "dropped_bytes");
		table_add(t, json_get_str(a.json, "state"));
		json_take_member(o, "space", &a.json);
	} else {
		code = run_fail(r, answer_exit(&a), "%s: %s", program_text(p), a.text);
	}
	answer_fini(&a);
	return code;
}

static int
ask_compact(struct run *r, const struct program *p, UNUSED struct table *t, struct json *items)
{
	struct json *o = json_add_object(items);
	int code = EXIT_DONE;
	struct answer a;

	run_ask1(r, p, "compact", NULL, NULL, &a);
	json_set_str(o, "store", p->instance);
	json_set_str(o, "host", p->host->label);
	json_set_bool(o, "ok", a.ok);
	json_set_str(o, "text", a.ok ? NULL : a.text);
	if (a.ok)
		run_say(r, "%s compacts its log; `roostctl store space` shows how far it is.",
		        program_text(p));
	else
		code = run_fail(r, answer_exit(&a), "%s: %s", program_text(p), a.text);
	answer_fini(&a);
	return code;
}

typedef int ask_fn(struct run *r, const struct program *p, struct table *t, struct json *items);

/* Of the store that was named, or all here. */
static int
ask_all(struct run *r, ask_fn *ask, struct table *t)
{
	const char *store = r->args.values[OPT_STORE];
	struct json *items = json_set_array(r->result, "stores");
	const struct program *p;
	unsigned pos = 0, asked = 0;
	int code = EXIT_DONE;

	if (store != NULL) {
		p = run_find_store(r, store);
		if (p == NULL)
			return run_fail(r, EXIT_TEMP, "%s does not answer on a control socket here",
			                store);
		return ask(r, p, t, items);
	}
	while ((p = run_next(r, "roost-store", &pos)) != NULL) {
		int one = ask(r, p, t, items);

		code = MAX(code, one);
		asked++;
	}
	if (asked == 0)
		run_say(r, "There is no roost-store on this host.");
	return code;
}

int
cmd_store_space(struct run *r)
{
	struct table *t = table_new("STORE|FREE>|LOG FILES>|NEEDED>|DEAD>|GIVEN BACK>|COMPACTION");
	int code = ask_all(r, ask_space, t);

	run_table(r, t);
	table_free(&t);
	return code;
}

int
cmd_store_compact(struct run *r)
{
	return r->dry_run ? cmd_store_space(r) : ask_all(r, ask_compact, NULL);
}
