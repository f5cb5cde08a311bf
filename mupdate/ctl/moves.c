/*
 * moves - users from one store to another: the source store does it, here it is begun and
 * watched. Whatever happens to this program or to a store, the stores finish or undo it by
 * themselves; the same command again joins a move that is under way.
 */
#include "ctl/commands.h"
#include "ctl/facts.h"
#include "ctl/mailboxes.h"

#include "conf/common.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LOOK_MS 200
#define AWAY_MOST 150 /* looks in vain: half a minute */
#define NONE_MOST 5   /* looks, and the store knows of no move */

struct mover {
	struct run *r;
	const struct program *source;
	struct mbox_user user;
	struct mbox_name inbox;
	const char *target;
	bool bar; /* a progress bar is shown */
};

static int
parse_user(struct run *r, const char *word, struct mover *m)
{
	struct slice domain = slice_of(run_default_domain(r));

	if (mbox_user_from_login(slice_of(word), domain, &m->user) &&
	    mbox_name_of_user(mbox_user_slice(&m->user), domain, &m->inbox))
		return EXIT_DONE;
	return run_fail(r, EXIT_USAGE, "%s can be no user", word);
}

/* ---- watching ---------------------------------------------------------------------------- */

/* The newest that this store says of the user's move; borrowed from a. NULL: nothing. */
static const struct json *
ask_move(struct mover *m, const struct program *p, struct answer *a)
{
	const struct json *all, *found = NULL;

	run_ask1(m->r, p, "move.status", "user", m->user.s, a);
	all = json_get(a->json, "moves");
	for (size_t i = 0; i < json_count(all); i++)
		if (strcmp(json_get_str(json_item(all, i), "side"), "source") == 0)
			found = json_item(all, i);
	return found;
}

static void
show_bar(struct mover *m, const struct json *move)
{
	int64_t all = json_get_int(move, "messages", 0),
		done = json_get_int(move, "messages_done", 0);

	if (!m->bar)
		return;
	printf("\r%-24s %" PRId64 " of %" PRId64 " messages\033[K", json_get_str(move, "step"),
	       done, all);
	fflush(stdout);
}

static void
end_bar(const struct mover *m)
{
	if (m->bar)
		printf("\r\033[K");
}

/* The account's home goes along, so that mailboxes made later come to the right store. */
static void
move_home(struct mover *m, const char *from, const char *to)
{
	struct run *r = m->r;
	struct directory_account account;
	struct err err;

	if (!conf_common_has_directory(run_conf(r)) ||
	    run_open_directory(r, DIRECTORY_WRITE) != EXIT_DONE)
		return;
	if (directory_get(r->directory, m->user.s, &account, &err) != DIRECTORY_OK ||
	    strcmp(account.home, from) != 0)
		return;
	if (directory_set_home(r->directory, m->user.s, to, &err) == DIRECTORY_OK)
		run_say(r, "The directory knows %s as the home.", to);
	else
		run_say(r, "The directory still has %s as the home: %s", from, err.text);
}

static int
tell_end(struct mover *m, const struct json *move)
{
	struct run *r = m->r;
	const char *why = json_get_str(move, "why"), *to = json_get_str(move, "to");
	bool moved = json_get_bool(move, "moved", false);

	json_set_bool(r->result, "moved", moved);
	json_set_int(r->result, "messages", json_get_int(move, "messages_done", 0));
	json_set_int(r->result, "bytes", json_get_int(move, "bytes_done", 0));
	json_set_int(r->result, "ms", json_get_int(move, "ms", 0));
	json_set_int(r->result, "closed_ms", json_get_int(move, "closed_ms", 0));
	if (!moved)
		return run_fail(r, EXIT_NO, "%s was not moved; everything is as it was: %s",
		                m->user.s,
		                why != NULL && *why != '\0' ? why : "no reason is known");
	run_say(r, "%s is on %s: %" PRId64 " messages, %.1f s, closed for %.1f s.", m->user.s, to,
	        json_get_int(move, "messages_done", 0), (double)json_get_int(move, "ms", 0) / 1000,
	        (double)json_get_int(move, "closed_ms", 0) / 1000);
	move_home(m, json_get_str(move, "from"), to);
	if (strcmp(m->target, to) == 0)
		return EXIT_DONE;
	return run_fail(r, EXIT_NO, "that was the move that was joined; %s is not on %s", m->user.s,
	                m->target);
}

static void
pause_ms(long ms)
{
	nanosleep(&(struct timespec){ ms / 1000, ms % 1000 * 1000000 }, NULL);
}

/* The store was restarted when it was all over: where is he? */
static int
tell_by_place(struct mover *m)
{
	struct facts *f = facts_gather(m->r, m->inbox.s);
	const char *server = facts_server(f);
	bool moved = server != NULL && strcmp(server, m->target) == 0;
	int code = EXIT_DONE;

	json_set_bool(m->r->result, "moved", moved);
	if (moved)
		run_say(m->r, "%s is on %s.", m->user.s, server);
	else
		code = run_fail(m->r, server != NULL ? EXIT_NO : EXIT_TEMP,
		                "%s knows of no move any more; %s is on %s",
		                program_text(m->source), m->user.s,
		                server != NULL ? server : "a store that does not say so");
	facts_free(&f);
	return code;
}

/* Until it is over. */
static int
watch(struct mover *m)
{
	unsigned away = 0, none = 0;

	for (;;) {
		struct answer a;
		const struct json *move = ask_move(m, m->source, &a);
		int code;

		if (move != NULL && json_get_bool(move, "over", false)) {
			end_bar(m);
			code = tell_end(m, move);
			answer_fini(&a);
			return code;
		}
		away = a.ok ? 0 : away + 1;
		none = a.ok && move == NULL ? none + 1 : 0;
		if (move != NULL)
			show_bar(m, move);
		answer_fini(&a);
		if (none == NONE_MOST) {
			end_bar(m);
			return tell_by_place(m);
		}
		if (away == AWAY_MOST) {
			end_bar(m);
			return run_fail(
				m->r, EXIT_TEMP,
				"%s does not say how it goes; it finishes or undoes the move "
				"by itself. Ask again by: roostctl move status",
				program_text(m->source));
		}
		pause_ms(LOOK_MS);
	}
}

/* ---- move user ------------------------------------------------------------------------------- */

/* A store that is at it already. */
static const struct program *
find_running(struct mover *m)
{
	const struct program *p, *found = NULL;
	unsigned pos = 0;

	while (found == NULL && (p = run_next(m->r, "roost-store", &pos)) != NULL) {
		struct answer a;
		const struct json *move = ask_move(m, p, &a);

		if (move != NULL && !json_get_bool(move, "over", true))
			found = p;
		answer_fini(&a);
	}
	return found;
}

static int
show_plan(struct mover *m)
{
	struct json *request = json_new_object();
	struct answer a;
	int code = EXIT_DONE;
	char size[TABLE_TEXT];

	json_set_str(request, "cmd", "move.plan");
	json_set_str(request, "user", m->user.s);
	json_set_str(request, "store", m->target);
	run_ask(m->r, m->source, 0, &request, &a);
	if (a.ok) {
		table_bytes((uint64_t)json_get_int(a.json, "bytes", 0), size);
		run_say(m->r,
		        "%s would move %s to %s: %" PRId64 " mailboxes, %" PRId64 " messages, %s. "
		        "The user is sent away meanwhile, and mail for him is put off.",
		        program_text(m->source), m->user.s, m->target,
		        json_get_int(a.json, "mailboxes", 0), json_get_int(a.json, "messages", 0),
		        size);
		json_take_member(m->r->result, "plan", &a.json);
	} else {
		code = run_fail(m->r, answer_exit(&a), "%s: %s", program_text(m->source), a.text);
	}
	answer_fini(&a);
	return code;
}

static int
start(struct mover *m)
{
	struct json *request = json_new_object();
	struct answer a;
	int code = EXIT_DONE;

	json_set_str(request, "cmd", "move.start");
	json_set_str(request, "user", m->user.s);
	json_set_str(request, "store", m->target);
	json_set_bool(request, "keep", args_has(&m->r->args, OPT_KEEP));
	run_ask(m->r, m->source, 0, &request, &a);
	if (!a.ok)
		code = run_fail(m->r, answer_exit(&a), "%s: %s", program_text(m->source), a.text);
	answer_fini(&a);
	return code;
}

int
cmd_move_user(struct run *r)
{
	struct mover m = { .r = r, .bar = !r->json && isatty(STDOUT_FILENO) };
	int code = parse_user(r, r->args.operands[0], &m);

	m.target = r->args.operands[r->args.count - 1];
	if (code == EXIT_DONE && r->args.count == 3 && strcmp(r->args.operands[1], "to") != 0)
		code = run_fail(r, EXIT_USAGE, "say: move user USER to STORE");
	if (code != EXIT_DONE)
		return code;
	json_set_str(r->result, "user", m.user.s);
	json_set_str(r->result, "to", m.target);
	m.source = find_running(&m);
	if (m.source != NULL) {
		run_say(r, "%s is moving %s already%s.", program_text(m.source), m.user.s,
		        r->dry_run ? "" : "; this joins it");
		return r->dry_run ? EXIT_DONE : watch(&m);
	}
	code = mailboxes_find_owner(r, m.inbox.s, "", &m.source);
	if (code == EXIT_DONE && r->dry_run)
		return show_plan(&m);
	if (code == EXIT_DONE)
		code = start(&m);
	return code == EXIT_DONE ? watch(&m) : code;
}

/* ---- move status, undo, drop ---------------------------------------------------------------------- */

static void
add_row(struct table *t, const struct json *move)
{
	char progress[64];

	snprintf(progress, sizeof(progress), "%" PRId64 "/%" PRId64,
	         json_get_int(move, "messages_done", 0), json_get_int(move, "messages", 0));
	table_add(t, json_get_str(move, "user"));
	table_add(t, json_get_str(move, "from"));
	table_add(t, json_get_str(move, "to"));
	table_add(t, json_get_str(move, "side"));
	table_add(t, json_get_str(move, "step"));
	table_add(t, progress);
	table_add_int(t, json_get_int(move, "ms", 0) / 1000);
	table_add(t, json_get_str(move, "why"));
}

int
cmd_move_status(struct run *r)
{
	struct json *stores = json_set_array(r->result, "stores");
	struct table *t = table_new("USER|FROM|TO|SEEN BY|STEP|MESSAGES>|SECONDS>|WHY");
	const struct program *p;
	unsigned pos = 0, asked = 0;
	int code = EXIT_DONE;

	while ((p = run_next(r, "roost-store", &pos)) != NULL) {
		struct answer a;
		const struct json *all;

		run_ask1(r, p, "move.status", r->args.count > 0 ? "user" : NULL,
		         r->args.operands[0], &a);
		all = json_get(a.json, "moves");
		for (size_t i = 0; i < json_count(all); i++)
			add_row(t, json_item(all, i));
		if (!a.ok)
			code = run_fail(r, answer_exit(&a), "%s: %s", program_text(p), a.text);
		else
			json_take_item(stores, &a.json);
		answer_fini(&a);
		asked++;
	}
	if (asked == 0)
		code = run_fail(r, EXIT_NO,
		                "there is no roost-store on this host; run this where one is");
	else if (table_rows(t) == 0 && code == EXIT_DONE)
		run_say(r, "No user is being moved.");
	run_table(r, t);
	table_free(&t);
	return code;
}

/* The command to each store, until one has what it is about. */
static int
tell_stores(struct run *r, const char *cmd, const char *done)
{
	struct mover m = { .r = r };
	const struct program *p;
	unsigned pos = 0;
	char text[700] = "there is no roost-store on this host; run this where one is";
	int code = parse_user(r, r->args.operands[0], &m), worst = EXIT_NO;

	while (code == EXIT_DONE && (p = run_next(r, "roost-store", &pos)) != NULL) {
		struct answer a;
		bool ok, other;

		run_ask1(r, p, cmd, "user", m.user.s, &a);
		ok = a.ok;
		other = strcmp(a.error, "notfound") == 0;
		if (!ok)
			snprintf(text, sizeof(text), "%s: %s", program_text(p), a.text);
		if (!ok && !other)
			worst = answer_exit(&a);
		answer_fini(&a);
		if (ok) {
			run_say(r, done, program_text(p), m.user.s);
			return EXIT_DONE;
		}
		if (!other)
			break;
	}
	return code != EXIT_DONE ? code : run_fail(r, worst, "%s", text);
}

int
cmd_move_undo(struct run *r)
{
	return tell_stores(r, "move.undo", "%s undoes the move of %s.");
}

int
cmd_move_drop(struct run *r)
{
	return tell_stores(r, "move.drop", "%s deletes its hidden copy of %s.");
}
