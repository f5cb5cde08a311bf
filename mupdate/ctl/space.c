/*
 * space - the disk of this host's stores: what their logs hold, compaction, and damage.
 */
#include "ctl/commands.h"

static void
add_bytes(struct table *t, const struct json *answer, const char *field)
{
	char text[TABLE_TEXT];

	table_bytes((uint64_t)MAX(json_get_int(answer, field, 0), 0), text);
	table_add(t, text);
}

struct asking {
	struct table *table;
	struct json *items;
};

/* p's own word on cmd. *o_r: the store's object in the result. */
static void
ask(const struct asking *q, struct run *r, const struct program *p, const char *cmd,
    struct answer *a_r, struct json **o_r)
{
	struct json *o = json_add_object(q->items);

	run_ask1(r, p, cmd, NULL, NULL, a_r);
	json_set_str(o, "store", p->instance);
	json_set_str(o, "host", p->host->label);
	json_set_bool(o, "ok", a_r->ok);
	json_set_str(o, "text", a_r->ok ? NULL : a_r->text);
	*o_r = o;
}

/* What it said, done. */
static int
end(struct run *r, const struct program *p, struct answer *a)
{
	int code = EXIT_DONE;

	if (!a->ok)
		code = run_fail(r, answer_exit(a), "%s: %s", program_text(p), a->text);
	answer_fini(a);
	return code;
}

static void
tell_damage(struct run *r, const struct program *p, const struct json *answer)
{
	int64_t damaged = json_get_int(answer, "damaged_segments", 0);

	if (damaged > 0)
		run_say(r,
		        "%s: %lld log file%s damaged and not compacted; what can be read of it is "
		        "served. Its log says where (engine.compact_damaged).",
		        program_text(p), (long long)damaged, damaged == 1 ? " is" : "s are");
}

/* Of the last check. */
static void
tell_check(struct run *r, const struct program *p, const struct json *answer)
{
	const struct json *c = json_get(answer, "check");
	int64_t damaged = json_get_int(c, "damaged", 0), bodies = json_get_int(c, "bodies", 0);
	bool working = json_get_bool(c, "working", false);

	if (c == NULL || (!working && json_get_int(c, "ended", 0) == 0))
		return;
	if (working)
		run_say(r, "%s: its log is being checked; %lld damaged place%s so far.",
		        program_text(p), (long long)damaged, damaged == 1 ? "" : "s");
	else if (damaged == 0)
		run_say(r, "%s: its log was checked; nothing is damaged.", program_text(p));
	else
		run_say(r,
		        "%s: its log was checked; %lld damaged place%s, %lld of them bodies of "
		        "messages, which are lost; %lld mailboxes and the like were written anew. "
		        "Its log says where (engine.check_damaged).",
		        program_text(p), (long long)damaged, damaged == 1 ? "" : "s",
		        (long long)bodies, (long long)json_get_int(c, "mended", 0));
}

static int
ask_space(void *ctx, struct run *r, const struct program *p)
{
	const struct asking *q = ctx;
	struct answer a;
	struct json *o;

	ask(q, r, p, "space", &a, &o);
	if (a.ok) {
		table_add(q->table, p->instance);
		add_bytes(q->table, a.json, "free_bytes");
		table_add_int(q->table, json_get_int(a.json, "segments", 0));
		add_bytes(q->table, a.json, "live_bytes");
		add_bytes(q->table, a.json, "dead_bytes");
		add_bytes(q->table, a.json, "dropped_bytes");
		table_add(q->table, json_get_str(a.json, "state"));
		tell_damage(r, p, a.json);
		tell_check(r, p, a.json);
		json_take_member(o, "space", &a.json);
	}
	return end(r, p, &a);
}

/* A work that goes on when the answer is there. */
static int
begin(const struct asking *q, struct run *r, const struct program *p, const char *cmd,
      const char *text)
{
	struct answer a;
	struct json *o;

	ask(q, r, p, cmd, &a, &o);
	if (a.ok)
		run_say(r, "%s %s", program_text(p), text);
	return end(r, p, &a);
}

static int
ask_compact(void *ctx, struct run *r, const struct program *p)
{
	return begin(ctx, r, p, "compact",
	             "compacts its log; `roostctl store space` shows how far it is.");
}

static int
ask_check(void *ctx, struct run *r, const struct program *p)
{
	return begin(ctx, r, p, "check",
	             "checks its log; `roostctl store space` shows what it finds.");
}

static int
ask_all(struct run *r, run_store_fn *fn, struct table *t)
{
	struct asking q = { t, json_set_array(r->result, "stores") };

	return run_each_store(r, fn, &q);
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

int
cmd_store_check(struct run *r)
{
	return ask_all(r, ask_check, NULL);
}
