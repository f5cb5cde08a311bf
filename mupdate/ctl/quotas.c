/*
 * quotas - how much may lie in a user's mailboxes or in a tree of shared ones: show, set,
 * clear, list. A quota belongs to a mailbox (a user's to the INBOX) and covers all below it.
 */
#include "ctl/commands.h"
#include "ctl/mailboxes.h"

#include "base/num.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define BYTES_MOST ((uint64_t)1 << 60) /* as the store */

/* ---- showing ---------------------------------------------------------------------------------- */

static bool
has(const struct json *o, const char *field)
{
	return json_get(o, field) != NULL;
}

static void
copy_int(const struct json *from, struct json *to, const char *field)
{
	if (has(from, field))
		json_set_int(to, field, json_get_int(from, field, 0));
}

static void
add_bytes(struct table *t, const struct json *q, const char *field)
{
	int64_t v = json_get_int(q, field, 0);
	char text[TABLE_TEXT];

	table_bytes(v > 0 ? (uint64_t)v : 0, text);
	table_add(t, has(q, field) ? text : NULL);
}

#define HEADS "QUOTA ROOT|STORE|USED>|OF>|MESSAGES>|OF>|SHARE>|LIMITS"

static void
add_row(struct table *t, struct json *to, const struct program *p, const struct json *q)
{
	bool limited = has(q, "bytes_limit") || has(q, "messages_limit");
	bool own = json_get_bool(q, "own", false);

	json_set_str(to, "root", json_get_str(q, "root"));
	json_set_str(to, "store", p->instance);
	json_set_bool(to, "own", own);
	copy_int(q, to, "bytes");
	copy_int(q, to, "bytes_limit");
	copy_int(q, to, "messages");
	copy_int(q, to, "messages_limit");
	copy_int(q, to, "percent");
	table_add(t, json_get_str(q, "root"));
	table_add(t, p->instance);
	add_bytes(t, q, "bytes");
	add_bytes(t, q, "bytes_limit");
	table_add_int(t, json_get_int(q, "messages", 0));
	if (has(q, "messages_limit"))
		table_add_int(t, json_get_int(q, "messages_limit", 0));
	else
		table_add(t, NULL);
	if (limited)
		table_addf(t, "%" PRId64 "%%", json_get_int(q, "percent", 0));
	else
		table_add(t, NULL);
	table_add(t, own ? "its own" : limited ? "default" : "none");
}

int
cmd_mailbox_quota_show(struct run *r)
{
	struct mbox_name name;
	const struct program *p;
	struct answer a;
	int code = mailboxes_find(r, &name, &p);

	if (code != EXIT_DONE)
		return code;
	json_set_str(r->result, "mailbox", name.s);
	run_ask1(r, p, "mailbox.quota.show", "mailbox", name.s, &a);
	if (!a.ok) {
		code = run_fail(r, answer_exit(&a), "%s: %s", program_text(p), a.text);
	} else if (!has(a.json, "root")) {
		run_say(r, "%s is in no quota root.", name.s);
	} else {
		struct table *t = table_new(HEADS);

		add_row(t, r->result, p, a.json);
		run_table(r, t);
		table_free(&t);
	}
	answer_fini(&a);
	return code;
}

/* ---- changing ---------------------------------------------------------------------------------- */

/* "1G", "100", "none". *v_r: -1 for none. */
static int
read_limit(struct run *r, enum opt_id opt, int64_t *v_r)
{
	const char *text = r->args.values[opt];
	uint64_t v;
	bool ok;

	*v_r = -1;
	if (strcmp(text, "none") == 0)
		return EXIT_DONE;
	ok = opt == OPT_STORAGE ? conf_parse_bytes(slice_of(text), &v)
	                        : num_parse_u64(slice_of(text), INT64_MAX, &v);
	if (!ok || (opt == OPT_STORAGE && v > BYTES_MOST))
		return run_fail(r, EXIT_USAGE, "--%s: %s is no limit; allowed is %s, or none",
		                opts[opt].name, text,
		                opt == OPT_STORAGE ? "a size such as 500M or 2G" : "a number");
	*v_r = (int64_t)v;
	return EXIT_DONE;
}

static void
describe(struct buf *what, const char *resource, const char *text)
{
	buf_printf(what, "%s%s %s", what->len > 0 ? ", " : "", resource, text);
}

/* The limits that the options name, into the request. */
static int
take_limits(struct run *r, struct json *request, struct buf *what)
{
	static const struct {
		enum opt_id opt;
		const char *field, *resource;
	} limits[] = {
		{ OPT_STORAGE, "bytes_limit", "storage" },
		{ OPT_MESSAGES, "messages_limit", "messages" },
	};
	int code = EXIT_DONE;

	for (size_t i = 0; i < ARRAY_LEN(limits) && code == EXIT_DONE; i++) {
		int64_t v;

		if (r->args.values[limits[i].opt] == NULL)
			continue;
		code = read_limit(r, limits[i].opt, &v);
		json_set_int(request, limits[i].field, v);
		json_set_int(r->result, limits[i].field, v);
		describe(what, limits[i].resource, r->args.values[limits[i].opt]);
	}
	if (code == EXIT_DONE && what->len == 0)
		code = run_fail(r, EXIT_USAGE, "say which limit: --storage or --messages");
	return code;
}

int
cmd_mailbox_quota_set(struct run *r)
{
	struct json *request = json_new_object();
	struct buf limits = BUF_INIT(1024), what = BUF_INIT(4096);
	struct mbox_name name;
	const struct program *p;
	int code = take_limits(r, request, &limits);

	if (code == EXIT_DONE)
		code = mailboxes_find(r, &name, &p);
	if (code == EXIT_DONE) {
		json_set_str(request, "cmd", "mailbox.quota.set");
		json_set_str(request, "mailbox", name.s);
		json_set_str(r->result, "mailbox", name.s);
		buf_printf(&what, "%s: %s", name.s, buf_cstr(&limits));
		code = mailboxes_change(r, p, &request, buf_cstr(&what));
	}
	json_free(&request);
	buf_fini(&limits);
	buf_fini(&what);
	return code;
}

int
cmd_mailbox_quota_clear(struct run *r)
{
	struct json *request;
	struct mbox_name name;
	const struct program *p;
	char what[MBOX_NAME_MAX + 40];
	int code = mailboxes_find(r, &name, &p);

	if (code != EXIT_DONE)
		return code;
	request = mailboxes_request(r, "mailbox.quota.clear", &name);
	snprintf(what, sizeof(what), "%s: no limits of its own", name.s);
	return mailboxes_change(r, p, &request, what);
}

/* ---- list --------------------------------------------------------------------------------------- */

struct wanted {
	const char *prefix;
	uint64_t over;
	struct json *items;
	struct table *table;
};

static int
list_store(void *ctx, struct run *r, const struct program *p)
{
	const struct wanted *w = ctx;
	struct json *request = json_new_object();
	const struct json *said;
	struct answer a;
	int code = EXIT_DONE;

	json_set_str(request, "cmd", "mailbox.quota.list");
	json_set_int(request, "over", (int64_t)w->over);
	if (w->prefix != NULL)
		json_set_str(request, "prefix", w->prefix);
	run_ask(r, p, 0, &request, &a);
	if (!a.ok)
		code = run_fail(r, answer_exit(&a), "%s: %s", program_text(p), a.text);
	said = json_get(a.json, "quotas");
	for (size_t i = 0; a.ok && i < json_count(said); i++)
		add_row(w->table, json_add_object(w->items), p, json_item(said, i));
	if (json_get_bool(a.json, "more", false))
		run_say(r, "%s has more than it tells at once; name a longer PREFIX.",
		        program_text(p));
	answer_fini(&a);
	return code;
}

/* --over "90%" or "90". */
static int
read_over(struct run *r, uint64_t *over_r)
{
	const char *text = r->args.values[OPT_OVER];
	struct slice s = slice_of(text != NULL ? text : "0");

	if (slice_ends(s, SLICE("%")))
		s.n--;
	if (num_parse_u64(s, 9999, over_r))
		return EXIT_DONE;
	return run_fail(r, EXIT_USAGE, "--over: %s is no share such as 90%%", text);
}

int
cmd_mailbox_quota_list(struct run *r)
{
	struct wanted w = { .prefix = r->args.count > 0 ? r->args.operands[0] : NULL };
	struct mbox_name name;
	int code = read_over(r, &w.over);

	w.items = json_set_array(r->result, "quotas");
	if (code == EXIT_DONE && w.prefix != NULL && strchr(w.prefix, '@') != NULL) {
		code = mailboxes_parse(r, w.prefix, &name);
		w.prefix = name.s;
	}
	if (code != EXIT_DONE)
		return code;
	w.table = table_new(HEADS);
	code = run_each_store(r, list_store, &w);
	if (table_rows(w.table) == 0 && code == EXIT_DONE)
		run_say(r, "No quota root here is like that.");
	run_table(r, w.table);
	table_free(&w.table);
	return code;
}
