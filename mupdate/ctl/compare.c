/*
 * compare - do the lists of master and replicas agree? Digests over ranges of names first;
 * rows only where they differ. What differs is looked at again a moment later, since a
 * replica may just be on its way.
 */
#include "base/xalloc.h"
#include "ctl/commands.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SHOWN_MOST 20
#define AGAIN_MS 1000
#define CELL_MOST 60 /* of a row with a long ACL the table shows the start */

struct side {
	const struct program *p;
	bool is_master;
	int64_t names, revision, age_ms;
	bool complete;
	char history[64];
};

/* Two lists being compared. */
struct pair {
	struct run *r;
	struct side *ref, *other;
	bool plain; /* histories differ: revisions mean nothing */
	struct json *found;
	struct table *shown;
	unsigned count;
	bool waited; /* once, for a replica that is on its way */
	int failed;  /* exit code when somebody does not answer any more; else 0 */
};

/* ---- who there is ------------------------------------------------------------------------- */

/* False: it does not answer, and this was said. */
static bool
look_at(struct run *r, const struct program *p, struct side *s_r)
{
	const struct json *detail;
	const char *text;
	struct answer a;
	bool ok;

	*s_r = (struct side){ .p = p };
	run_ask1(r, p, "status", NULL, NULL, &a);
	ok = a.ok;
	detail = json_get(a.json, "detail");
	text = json_get_str(detail, "role");
	s_r->is_master = text != NULL && strcmp(text, "master") == 0;
	text = json_get_str(detail, "history");
	snprintf(s_r->history, sizeof(s_r->history), "%s", text != NULL ? text : "");
	s_r->names = json_get_int(detail, "locations", 0);
	s_r->revision = json_get_int(detail, "revision", 0);
	s_r->age_ms = json_get_int(detail, "age_ms", 0);
	s_r->complete = json_get_bool(detail, "complete", false);
	if (!ok)
		(void)run_fail(r, EXIT_TEMP, "%s: %s", program_text(p), a.text);
	answer_fini(&a);
	return ok;
}

/* The master, else who knows most. */
static unsigned
choose_reference(const struct side *sides, unsigned count)
{
	unsigned best = 0;

	for (unsigned i = 1; i < count; i++)
		if (!sides[best].is_master &&
		    (sides[i].is_master || sides[i].revision > sides[best].revision))
			best = i;
	return best;
}

/* ---- asking -------------------------------------------------------------------------------- */

static bool
ask(struct pair *pair, const struct side *s, struct json **request, struct answer *a_r)
{
	run_ask(pair->r, s->p, 0, request, a_r);
	if (!a_r->ok)
		pair->failed = run_fail(pair->r, answer_exit(a_r), "%s: %s", program_text(s->p),
		                        a_r->text);
	return a_r->ok;
}

static bool
ask_range(struct pair *pair, const struct side *s, const char *cmd, const char *after,
          const char *to, struct answer *a_r)
{
	struct json *request = json_new_object();

	json_set_str(request, "cmd", cmd);
	json_set_str(request, "after", after);
	if (to != NULL)
		json_set_str(request, "to", to);
	json_set_bool(request, "plain", pair->plain);
	return ask(pair, s, &request, a_r);
}

static const char *
text_of(const struct json *j, const char *key)
{
	const char *text = json_get_str(j, key);

	return text != NULL ? text : "";
}

static bool
has_more(const struct answer *a)
{
	return json_get_bool(a->json, "more", false);
}

/* ---- rows ------------------------------------------------------------------------------------ */

/* The row of one name, "" when it is not there. NULL: it could not be asked for. */
static char *
row_of(struct pair *pair, const struct side *s, const char *name)
{
	struct json *request = json_new_object();
	struct answer a;
	char *row = NULL;

	json_set_str(request, "cmd", "rows");
	json_set_str(request, "mailbox", name);
	json_set_bool(request, "plain", pair->plain);
	if (ask(pair, s, &request, &a))
		row = xstrdup(text_of(json_item(json_get(a.json, "rows"), 0), "row"));
	answer_fini(&a);
	return row;
}

static void
add_row(struct table *t, const char *row)
{
	table_addf(t, "%.*s%s", CELL_MOST, *row != '\0' ? row : "(is not there)",
	           strlen(row) > CELL_MOST ? "..." : "");
}

static void
add_difference(struct pair *pair, const char *name, const char *ours, const char *theirs)
{
	struct json *o = json_add_object(pair->found);

	pair->count++;
	json_set_str(o, "mailbox", name);
	json_set_str(o, "reference", *ours != '\0' ? ours : NULL);
	json_set_str(o, "other", *theirs != '\0' ? theirs : NULL);
	table_add(pair->shown, name);
	add_row(pair->shown, ours);
	add_row(pair->shown, theirs);
}

static void
differs(struct pair *pair, const char *name)
{
	char *ours, *theirs;

	if (!pair->waited)
		nanosleep(&(struct timespec){ AGAIN_MS / 1000, AGAIN_MS % 1000 * 1000000L }, NULL);
	pair->waited = true;
	ours = row_of(pair, pair->ref, name);
	theirs = ours != NULL ? row_of(pair, pair->other, name) : NULL;
	if (theirs != NULL && strcmp(ours, theirs) != 0)
		add_difference(pair, name, ours, theirs);
	free(ours);
	free(theirs);
}

/* Both lists up to `end` (NULL: all of both). */
static void
merge(struct pair *pair, const struct json *a, const struct json *b, const char *end)
{
	size_t i = 0, k = 0;

	while (pair->count < SHOWN_MOST && pair->failed == 0) {
		const struct json *x = json_item(a, i), *y = json_item(b, k);
		const char *name_x = text_of(x, "mailbox"), *name_y = text_of(y, "mailbox");
		int order = y == NULL ? -1 : x == NULL ? 1 : strcmp(name_x, name_y);

		if ((x == NULL && y == NULL) ||
		    (end != NULL && strcmp(order <= 0 ? name_x : name_y, end) > 0))
			return;
		if (order != 0 || strcmp(text_of(x, "row"), text_of(y, "row")) != 0)
			differs(pair, order <= 0 ? name_x : name_y);
		i += order <= 0;
		k += order >= 0;
	}
}

/* Names behind `after` up to `to`, row by row. */
static void
compare_rows(struct pair *pair, const char *after, const char *to)
{
	char at[512], end[512];
	bool more = true;

	snprintf(at, sizeof(at), "%s", after);
	while (more && pair->failed == 0 && pair->count < SHOWN_MOST) {
		struct answer a = { .json = NULL }, b = { .json = NULL };

		if (ask_range(pair, pair->ref, "rows", at, to, &a) &&
		    ask_range(pair, pair->other, "rows", at, to, &b)) {
			const char *last_a = text_of(a.json, "last");
			const char *last_b = text_of(b.json, "last");

			more = has_more(&a) || has_more(&b);
			/* as far as both answers go */
			snprintf(end, sizeof(end), "%s",
			         !has_more(&a)                                 ? last_b
			         : !has_more(&b) || strcmp(last_a, last_b) < 0 ? last_a
			                                                       : last_b);
			merge(pair, json_get(a.json, "rows"), json_get(b.json, "rows"),
			      more ? end : NULL);
			snprintf(at, sizeof(at), "%s", end);
		}
		answer_fini(&a);
		answer_fini(&b);
	}
}

/* ---- ranges ---------------------------------------------------------------------------------- */

static void
compare_all(struct pair *pair)
{
	char at[512] = "", to[512];
	bool more = true;

	while (more && pair->failed == 0 && pair->count < SHOWN_MOST) {
		struct answer a = { .json = NULL }, b = { .json = NULL };

		if (!ask_range(pair, pair->ref, "digest", at, NULL, &a)) {
			answer_fini(&a);
			return;
		}
		more = has_more(&a);
		snprintf(to, sizeof(to), "%s", text_of(a.json, "last"));
		if (ask_range(pair, pair->other, "digest", at, more ? to : NULL, &b) &&
		    (has_more(&b) ||
		     strcmp(text_of(a.json, "digest"), text_of(b.json, "digest")) != 0))
			compare_rows(pair, at, more ? to : NULL);
		snprintf(at, sizeof(at), "%s", to);
		answer_fini(&a);
		answer_fini(&b);
	}
}

static int
compare(struct run *r, struct side *ref, struct side *other, struct json *items)
{
	struct json *o = json_add_object(items);
	struct pair pair = { .r = r,
		             .ref = ref,
		             .other = other,
		             .plain = strcmp(ref->history, other->history) != 0,
		             .found = json_set_array(o, "differences"),
		             .shown = table_new("MAILBOX|REFERENCE|OTHER") };
	bool agree;

	json_set_str(o, "program", program_text(other->p));
	json_set_int(o, "names", other->names);
	json_set_int(o, "revision", other->revision);
	json_set_bool(o, "complete", other->complete);
	json_set_bool(o, "same_history", !pair.plain);
	compare_all(&pair);
	agree = pair.failed == 0 && pair.count == 0;
	json_set_bool(o, "agrees", agree);
	if (pair.failed == 0)
		run_say(r, "%s (%" PRId64 " names, revision %" PRId64 "%s%s) %s.",
		        program_text(other->p), other->names, other->revision,
		        pair.plain ? ", another history: revisions are not compared" : "",
		        other->complete ? "" : ", not complete",
		        agree                      ? "agrees"
		        : pair.count == SHOWN_MOST ? "differs; the first differences"
		                                   : "differs");
	run_table(r, pair.shown);
	table_free(&pair.shown);
	return pair.failed != 0 ? pair.failed : agree ? EXIT_DONE : EXIT_NO;
}

int
cmd_compare(struct run *r)
{
	struct json *items = json_set_array(r->result, "compared");
	struct side sides[WORKERS_MOST];
	unsigned count = 0, ref, pos = 0;
	const struct program *p;
	int code = EXIT_DONE;

	while (count < WORKERS_MOST && (p = run_next(r, "roost-mupdate", &pos)) != NULL) {
		if (look_at(r, p, &sides[count]))
			count++;
		else
			code = EXIT_TEMP;
	}
	if (count == 0)
		return code != EXIT_DONE ? code
		                         : run_fail(r, EXIT_TEMP,
		                                    "no location server can be asked "
		                                    "from here");
	ref = choose_reference(sides, count);
	json_set_str(r->result, "reference", program_text(sides[ref].p));
	json_set_int(r->result, "names", sides[ref].names);
	json_set_int(r->result, "revision", sides[ref].revision);
	run_say(r,
	        "%s (%s, %" PRId64 " names, revision %" PRId64 "%s) is what the others are "
	        "compared with.",
	        program_text(sides[ref].p), sides[ref].is_master ? "master" : "replica",
	        sides[ref].names, sides[ref].revision, sides[ref].complete ? "" : ", not complete");
	for (unsigned i = 0; i < count; i++) {
		int one = i != ref ? compare(r, &sides[ref], &sides[i], items) : EXIT_DONE;

		code = MAX(code, one);
	}
	if (count == 1 && code == EXIT_DONE)
		return run_fail(r, EXIT_NO,
		                "there is no other list to compare it with: give --config a folder "
		                "with the settings of several hosts");
	return code;
}
