/*
 * user_show - all that the directory says of one user, and what he may log in to.
 */
#include "ctl/commands.h"
#include "ctl/lists.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

/* One kind of what hangs on him: into an array, and as words of one line. */
struct words {
	struct json *array;
	struct buf line;
	bool want_left; /* of each pair */
};

static bool
add_word(void *ctx, const char *left, const char *right)
{
	struct words *w = ctx;
	const char *word = w->want_left ? left : right;

	json_add_str(w->array, word);
	buf_printf(&w->line, "%s%s", w->line.len > 0 ? ", " : "", word);
	return true;
}

typedef enum directory_result pairs_fn(struct directory *d, const char *user, directory_pair_fn *fn,
                                       void *ctx, struct err *err);

static const struct part {
	const char *json, *head;
	pairs_fn *list;
	bool full; /* asked by the whole address */
	bool want_left;
} parts[] = {
	{ "aliases", "Led to by:   ", directory_list_leading_to, true, true },
	{ "forwards", "Forwards to: ", directory_list_forwards, false, false },
	{ "groups", "Groups:      ", directory_list_groups_of, false, true },
	{ "senders", "Sends also as:", directory_list_senders, false, false },
};

static int
show_part(struct run *r, const struct part *part, const struct directory_account *a)
{
	struct words w = { .line = BUF_INIT(1 << 16), .want_left = part->want_left };
	char full[DIRECTORY_NAME_MAX + 1];
	struct err err = { "" };
	enum directory_result d;

	directory_full_name(a->user, run_default_domain(r), full);
	w.array = json_set_array(r->result, part->json);
	d = part->list(r->directory, part->full ? full : a->user, add_word, &w, &err);
	if (d == DIRECTORY_OK && w.line.len > 0)
		run_say(r, "%s %s", part->head, buf_cstr(&w.line));
	buf_fini(&w.line);
	return d == DIRECTORY_OK ? EXIT_DONE : lists_fail(r, d, &err, "", "");
}

static void
show_row(struct run *r, const struct directory_account *a)
{
	char full[DIRECTORY_NAME_MAX + 1], day[32] = "an unknown day";
	time_t created = (time_t)a->created_s;
	struct tm tm;

	directory_full_name(a->user, run_default_domain(r), full);
	if (localtime_r(&created, &tm) != NULL)
		strftime(day, sizeof(day), "%Y-%m-%d", &tm);
	json_set_str(r->result, "address", full);
	json_set_str(r->result, "user", a->user);
	json_set_bool(r->result, "active", a->status == DIRECTORY_ACTIVE);
	json_set_str(r->result, "home", a->home);
	json_set_int(r->result, "created_s", (int64_t)a->created_s);
	json_set_str(r->result, "services", a->services);
	json_set_str(r->result, "domain_services", a->domain_services);
	json_set_bool(r->result, "keep_copy", a->keep_copy);
	run_say(r, "Account:      %s, %s, made on %s", full,
	        a->status == DIRECTORY_ACTIVE ? "active" : "DISABLED", day);
	run_say(r, "Home:         %s", *a->home != '\0' ? a->home : "none");
	run_say(r, "Logs in to:   %s%s%s", *a->services != '\0' ? a->services : "all services",
	        *a->domain_services != '\0' ? "; his domain: " : "", a->domain_services);
	if (!a->keep_copy)
		run_say(r, "Copies:       what is forwarded does not stay in the mailbox");
}

int
cmd_user_show(struct run *r)
{
	struct directory_account a;
	int code = run_open_directory(r, DIRECTORY_READ);

	if (code == EXIT_DONE)
		code = lists_get_account(r, r->args.operands[0], &a);
	if (code != EXIT_DONE)
		return code;
	show_row(r, &a);
	for (size_t i = 0; i < ARRAY_LEN(parts) && code == EXIT_DONE; i++)
		code = show_part(r, &parts[i], &a);
	return code;
}

int
cmd_user_services(struct run *r)
{
	char services[2 * DIRECTORY_SERVICES_MAX];
	struct directory_account a;
	struct err err = { "" };
	enum directory_result d;
	int code = lists_open_account(r, r->args.operands[0], &a);

	if (code == EXIT_DONE)
		code = services_of_word(r, r->args.operands[1], services, sizeof(services));
	if (code != EXIT_DONE)
		return code;
	d = r->dry_run ? DIRECTORY_OK
	               : directory_set_services(r->directory, a.user, services, &err);
	if (d != DIRECTORY_OK)
		return lists_fail(r, d, &err, "there is no such account", "");
	run_say(r, "%s %s log in to: %s.", r->args.operands[0], r->dry_run ? "could" : "can",
	        *services != '\0' ? services : "all services");
	lists_say_delay(r);
	return EXIT_DONE;
}
