#include "ctl/lists.h"

#include "base/xalloc.h"

int
lists_open(struct run *r)
{
	json_set_bool(r->result, "dry_run", r->dry_run);
	return run_open_directory(r, r->dry_run ? DIRECTORY_READ : DIRECTORY_WRITE);
}

int
lists_fail(struct run *r, enum directory_result d, const struct err *err, const char *unknown,
           const char *exists)
{
	const char *text = err->text;

	if (*text == '\0' && d == DIRECTORY_UNKNOWN)
		text = unknown;
	else if (*text == '\0' && d == DIRECTORY_EXISTS)
		text = exists;
	return run_fail(r,
	                d == DIRECTORY_TEMP      ? EXIT_TEMP
	                : d == DIRECTORY_INVALID ? EXIT_USAGE
	                                         : EXIT_NO,
	                "%s", text);
}

int
lists_get_account(struct run *r, const char *word, struct directory_account *a_r)
{
	char user[DIRECTORY_NAME_MAX + 1];
	struct err err = { "" };
	enum directory_result d = DIRECTORY_UNKNOWN;

	if (directory_canon(slice_of(word), run_default_domain(r), user))
		d = directory_get(r->directory, user, a_r, &err);
	secret_wipe(a_r->hash, sizeof(a_r->hash));
	if (d == DIRECTORY_UNKNOWN)
		return run_fail(r, EXIT_NO, "there is no account %s", word);
	return d == DIRECTORY_OK ? EXIT_DONE : lists_fail(r, d, &err, "", "");
}

int
lists_open_account(struct run *r, const char *word, struct directory_account *a_r)
{
	int code = lists_open(r);

	return code != EXIT_DONE ? code : lists_get_account(r, word, a_r);
}

void
lists_say_delay(struct run *r)
{
	uint64_t ms = conf_ms(run_conf(r), "directory_cache");

	if (!r->dry_run && directory_is_server(r->directory) && ms > 0)
		run_say(r, "Front ends know it after %g s (directory_cache).", (double)ms / 1000);
}

int
pairs_begin(struct run *r, struct pairs *p, const char *array, const char *left, const char *right,
            const char *head)
{
	int code = run_open_directory(r, DIRECTORY_READ);

	*p = (struct pairs){ .run = r, .left = left, .right = right };
	if (code != EXIT_DONE)
		return code;
	p->items = json_set_array(r->result, array);
	p->table = table_new(head);
	return EXIT_DONE;
}

bool
pairs_add(void *ctx, const char *left, const char *right)
{
	struct pairs *p = ctx;
	struct json *o = json_add_object(p->items);

	p->count++;
	json_set_str(o, p->left, left);
	json_set_str(o, p->right, *right != '\0' ? right : NULL);
	table_add(p->table, left);
	table_add(p->table, right);
	return true;
}

void
pairs_drop(struct pairs *p)
{
	table_free(&p->table);
}

int
pairs_end(struct pairs *p, enum directory_result d, const struct err *err)
{
	if (d == DIRECTORY_OK && p->count > 0)
		run_table(p->run, p->table);
	pairs_drop(p);
	return d == DIRECTORY_OK ? EXIT_DONE : lists_fail(p->run, d, err, "there is none", "");
}
