/*
 * status, who and servers: what runs, who is there, which stores the cluster has.
 */
#include "ctl/commands.h"

#include "net/addr.h"

#include <stdarg.h>

#include <stdio.h>
#include <string.h>

/* ---- status ---------------------------------------------------------------------------- */

struct seen {
	unsigned workers, answered;
	int64_t sessions;
};

static void add_word(struct buf *b, const char *fmt, ...) PRINTF_LIKE(2, 3);

static void
add_word(struct buf *b, const char *fmt, ...)
{
	va_list ap;

	if (b->len > 0)
		buf_add_str(b, ", ");
	va_start(ap, fmt);
	buf_vprintf(b, fmt, ap);
	va_end(ap);
}

static void
describe_mupdate(const struct json *d, struct buf *b)
{
	const char *role = json_get_str(d, "role"), *master = json_get_str(d, "master");
	const char *why = json_get_str(d, "why");

	add_word(b, "%s", role != NULL ? role : "?");
	add_word(b, "revision %lld", (long long)json_get_int(d, "revision", 0));
	add_word(b, "%lld locations", (long long)json_get_int(d, "locations", 0));
	if (!json_get_bool(d, "complete", false))
		add_word(b, "NOT COMPLETE");
	if (master != NULL)
		add_word(b, "master %s", master);
	if (why != NULL)
		add_word(b, "%s", why);
	for (size_t i = 0; i < json_count(json_get(d, "missing")); i++)
		add_word(b, "waits for %s", json_as_str(json_item(json_get(d, "missing"), i)));
}

static void
describe_store(const struct json *d, struct buf *b)
{
	const char *master = json_get_str(d, "master"), *why = json_get_str(d, "why");
	char free_space[TABLE_TEXT];

	add_word(b, "%lld users", (long long)json_get_int(d, "users", 0));
	add_word(b, "%lld mailboxes", (long long)json_get_int(d, "mailboxes", 0));
	if (master != NULL)
		add_word(b, "master %s", master);
	if (why != NULL)
		add_word(b, "%s", why);
	if (json_get_int(d, "conflicts", 0) > 0)
		add_word(b, "%lld CONFLICTS", (long long)json_get_int(d, "conflicts", 0));
	if (json_get_int(d, "unknown", 0) > 0)
		add_word(b, "%lld names await a decision (roostctl reconcile)",
		         (long long)json_get_int(d, "unknown", 0));
	if (json_get_bool(d, "full", false))
		add_word(b, "DISK FULL");
	if (json_get_bool(d, "failed", false))
		add_word(b, "LOG FAILED, needs a restart");
	if (json_get_int(d, "damaged", 0) > 0)
		add_word(b, "%lld damaged places", (long long)json_get_int(d, "damaged", 0));
	if (json_get_int(d, "free_bytes", -1) >= 0) {
		table_bytes((uint64_t)json_get_int(d, "free_bytes", 0), free_space);
		add_word(b, "%s free", free_space);
	}
	if (json_get_int(d, "damaged_segments", 0) > 0)
		add_word(b, "%lld damaged log files stay",
		         (long long)json_get_int(d, "damaged_segments", 0));
	if (json_get_bool(d, "compacting", false))
		add_word(b, "compacting");
}

/* Next hops of roost-smtp that do not work. */
static void
describe_relay(const struct json *hops, struct buf *b)
{
	for (size_t i = 0; i < json_count(hops); i++) {
		const struct json *hop = json_item(hops, i);

		if (json_get_bool(hop, "down", false))
			add_word(b, "relay %s DOWN", json_get_str(hop, "name"));
	}
}

static void
describe_front(const struct json *d, struct buf *b)
{
	const struct json *l = json_get(d, "location");
	const char *why = json_get_str(l, "why");
	char age[TABLE_TEXT];

	describe_relay(json_get(d, "relay"), b);
	if (l == NULL)
		return;
	table_age((uint64_t)MAX(json_get_int(l, "age_ms", 0), 0) / 1000, age);
	if (json_get_bool(l, "complete", false))
		add_word(b, "list at revision %lld, %s old",
		         (long long)json_get_int(l, "revision", 0), age);
	else
		add_word(b, "list NOT COMPLETE");
	if (why != NULL)
		add_word(b, "%s", why);
}

static void
describe(const struct program *p, const struct json *answer, struct buf *b)
{
	const struct json *d = json_get(answer, "detail");

	if (json_get_bool(answer, "draining", false))
		add_word(b, "draining");
	if (strcmp(p->program, "roost-mupdate") == 0)
		describe_mupdate(d, b);
	else if (strcmp(p->program, "roost-store") == 0)
		describe_store(d, b);
	else
		describe_front(d, b);
}

/* Further workers: only their sessions count. */
static void
ask_others(struct run *r, const struct program *p, struct seen *s)
{
	for (unsigned i = 1; i < p->socket_count; i++) {
		struct json *request = json_new_object();
		struct answer a;

		json_set_str(request, "cmd", "status");
		run_ask(r, p, i, &request, &a);
		if (a.ok) {
			s->answered++;
			s->sessions += json_get_int(a.json, "sessions", 0);
		}
		answer_fini(&a);
	}
}

static void
add_cells(struct table *t, const struct program *p, const struct answer *a, const struct seen *s)
{
	struct buf b = BUF_INIT(4096);
	char age[TABLE_TEXT] = "";

	table_add(t, p->host->label);
	table_add(t, p->program);
	table_add(t, p->instance);
	if (a->ok) {
		table_age((uint64_t)MAX(json_get_int(a->json, "uptime_s", 0), 0), age);
		table_addf(t, "%u/%u", s->answered, s->workers);
		table_add_int(t, json_get_int(a->json, "pid", 0));
		table_add(t, age);
		table_add_int(t, s->sessions);
		describe(p, a->json, &b);
		table_add(t, buf_cstr(&b));
	} else {
		for (int i = 0; i < 4; i++)
			table_add(t, "");
		table_addf(t, "%s: %s", strcmp(a->error, "away") == 0 ? "AWAY" : a->error, a->text);
	}
	buf_fini(&b);
}

/* Returns whether it runs. */
static bool
status_of(struct run *r, const struct program *p, struct json *items, struct table *t)
{
	struct json *o = json_add_object(items);
	struct seen s = { .answered = 1 };
	struct answer a;
	bool ok;

	run_ask1(r, p, "status", NULL, NULL, &a);
	s.sessions = json_get_int(a.json, "sessions", 0);
	s.workers = (unsigned)MAX(json_get_int(a.json, "workers", 1), 1);
	if (a.ok)
		ask_others(r, p, &s);
	add_cells(t, p, &a, &s);
	json_set_str(o, "host", p->host->label);
	json_set_str(o, "program", p->program);
	json_set_str(o, "instance", p->instance);
	json_set_bool(o, "running", a.ok);
	json_set_str(o, "why", a.ok ? NULL : a.text);
	json_set_int(o, "sessions", s.sessions);
	ok = a.ok;
	if (a.json != NULL)
		json_take_member(o, "status", &a.json);
	answer_fini(&a);
	return ok;
}

int
cmd_status(struct run *r)
{
	struct json *items = json_set_array(r->result, "programs");
	struct table *t = table_new("HOST|PROGRAM|INSTANCE|WORKERS>|PID>|UP|SESSIONS>|");
	unsigned away = 0;

	for (unsigned i = 0; i < r->hosts->program_count; i++)
		away += !status_of(r, &r->hosts->programs[i], items, t);
	run_table(r, t);
	table_free(&t);
	if (r->hosts->program_count == 0)
		return run_fail(r, EXIT_CONF, "the settings name no program of Roost");
	if (away == 0)
		return EXIT_DONE;
	return run_fail(r, EXIT_TEMP,
	                "%u of %u programs do not answer; their logs say why (systemctl status)",
	                away, r->hosts->program_count);
}

/* ---- who ---------------------------------------------------------------------------------- */

static void
add_session(struct json *items, struct table *t, const struct program *p, const struct json *s)
{
	static const char *const texts[] = { "id",    "service", "user", "peer",
		                             "state", "mailbox", "store" };
	struct json *o = json_add_object(items);
	int64_t age_s = json_get_int(s, "age_s", 0);
	char age[TABLE_TEXT];

	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		json_set_str(o, texts[i], json_get_str(s, texts[i]));
	json_set_bool(o, "tls", json_get_bool(s, "tls", false));
	json_set_int(o, "age_s", age_s);
	json_set_str(o, "program", p->program);
	json_set_str(o, "host", p->host->label);
	table_age((uint64_t)MAX(age_s, 0), age);
	table_add(t, json_get_str(s, "user"));
	table_add(t, json_get_str(s, "service"));
	table_add(t, json_get_str(s, "peer"));
	table_add(t, json_get_bool(s, "tls", false) ? "TLS" : "plain");
	table_add(t, age);
	table_add(t, json_get_str(s, "state"));
	table_add(t, json_get_str(s, "mailbox"));
	table_add(t, json_get_str(s, "store"));
	table_add(t, program_text(p));
	table_add(t, json_get_str(s, "id"));
}

/* Location servers know identities and tell all. */
static bool
is_user(const struct json *session, const char *user)
{
	const char *said = json_get_str(session, "user");

	return said != NULL && strcmp(said, user) == 0;
}

static bool
who_of(struct run *r, const struct program *p, unsigned worker, struct json *items, struct table *t)
{
	struct json *request = json_new_object();
	const struct json *sessions;
	struct answer a;
	bool ok;

	json_set_str(request, "cmd", "who");
	if (r->args.count > 0)
		json_set_str(request, "user", r->args.operands[0]);
	run_ask(r, p, worker, &request, &a);
	sessions = json_get(a.json, "sessions");
	for (size_t i = 0; i < json_count(sessions); i++)
		if (r->args.count == 0 || is_user(json_item(sessions, i), r->args.operands[0]))
			add_session(items, t, p, json_item(sessions, i));
	ok = answer_exit(&a) != EXIT_TEMP;
	answer_fini(&a);
	return ok;
}

/* Programs know users by their canonical names. */
static int
canonical_who(struct run *r, char user_r[DIRECTORY_NAME_MAX + 1])
{
	if (r->args.count == 0)
		return EXIT_DONE;
	if (!directory_canon(slice_of(r->args.operands[0]), run_default_domain(r), user_r))
		return run_fail(r, EXIT_USAGE, "\"%s\" cannot be a user", r->args.operands[0]);
	r->args.operands[0] = user_r;
	return EXIT_DONE;
}

int
cmd_who(struct run *r)
{
	struct json *items;
	struct table *t;
	unsigned away = 0;
	const struct program *first = NULL; /* that does not answer */
	char user[DIRECTORY_NAME_MAX + 1];
	int code = canonical_who(r, user);

	if (code != EXIT_DONE)
		return code;
	items = json_set_array(r->result, "sessions");
	t = table_new("USER|SERVICE|FROM|TLS|AGE|STATE|MAILBOX|STORE|BY|SESSION");
	for (unsigned i = 0; i < r->hosts->program_count; i++) {
		const struct program *p = &r->hosts->programs[i];

		for (unsigned k = 0; k < p->socket_count; k++) {
			if (who_of(r, p, k, items, t))
				continue;
			first = away++ == 0 ? p : first;
		}
	}
	if (table_rows(t) == 0 && away == 0)
		run_say(r, "Nobody is there.");
	run_table(r, t);
	table_free(&t);
	if (away == 0)
		return EXIT_DONE;
	if (away == 1)
		return run_fail(
			r, EXIT_TEMP,
			"%s does not answer, so somebody may be missing; see roostctl status",
			program_text(first));
	return run_fail(r, EXIT_TEMP,
	                "%s and %u more do not answer, so somebody may be missing; see roostctl "
	                "status",
	                program_text(first), away - 1);
}

/* ---- servers ------------------------------------------------------------------------------- */

/* A location server's answers: how many names each store has, and who has not told. */
struct told {
	struct answer servers, status; /* zero when nobody answers */
	bool is_master;
};

static void
ask_told(struct run *r, struct told *t_r)
{
	const struct program *p;
	const char *role;
	unsigned pos = 0;

	memset(t_r, 0, sizeof(*t_r));
	while (!t_r->is_master && (p = run_next(r, "roost-mupdate", &pos)) != NULL) {
		struct told t = { .is_master = false };

		run_ask1(r, p, "servers", NULL, NULL, &t.servers);
		run_ask1(r, p, "status", NULL, NULL, &t.status);
		role = json_get_str(json_get(t.status.json, "detail"), "role");
		t.is_master = role != NULL && strcmp(role, "master") == 0;
		if (t.servers.ok && (t.is_master || !t_r->servers.ok)) {
			struct told worse = *t_r;

			*t_r = t;
			t = worse;
		}
		answer_fini(&t.servers);
		answer_fini(&t.status);
	}
}

/* Stores without a name are not in the list. */
static int64_t
told_names(const struct told *t, const char *name)
{
	const struct json *servers = json_get(t->servers.json, "servers");

	for (size_t i = 0; i < json_count(servers); i++) {
		const char *server = json_get_str(json_item(servers, i), "server");

		if (server != NULL && strcmp(server, name) == 0)
			return json_get_int(json_item(servers, i), "names", 0);
	}
	return 0;
}

static const char *
told_word(const struct told *t, const struct conf *section)
{
	const struct json *missing = json_get(json_get(t->status.json, "detail"), "missing");
	const char *name = conf_instance(section);

	if (!conf_bool(section, "listed"))
		return "unlisted";
	if (!t->is_master)
		return NULL; /* only the master knows */
	for (size_t i = 0; i < json_count(missing); i++) {
		const char *server = json_as_str(json_item(missing, i));

		if (server != NULL && strcmp(server, name) == 0)
			return "awaited";
	}
	return "told";
}

static void
add_addr(struct json *o, struct table *t, const struct conf *s, const char *service)
{
	const struct addr *a = conf_addr(s, service);
	char text[ADDR_TEXT_LEN] = "";

	if (a != NULL)
		addr_text(a, text);
	json_set_str(o, service, a != NULL ? text : NULL);
	table_add(t, text);
}

/* Is there a section of it on these hosts, so that it should answer? */
static bool
is_expected(const struct run *r, const char *name)
{
	const struct program *p;
	unsigned pos = 0;

	while ((p = run_next(r, "roost-store", &pos)) != NULL)
		if (p->instance != NULL && strcmp(p->instance, name) == 0)
			return true;
	return false;
}

static void
add_server(struct run *r, struct json *items, struct table *t, const struct conf *s,
           const struct told *told)
{
	const char *name = conf_instance(s), *word = told_word(told, s);
	struct json *o = json_add_object(items);
	bool answers = run_find_store(r, name) != NULL;

	json_set_str(o, "server", name);
	json_set_str(o, "kind", conf_enum_text(s, "kind"));
	table_add(t, name);
	table_add(t, conf_enum_text(s, "kind"));
	add_addr(o, t, s, "imap");
	add_addr(o, t, s, "pop3");
	add_addr(o, t, s, "lmtp");
	json_set_str(o, "list", word);
	json_set_bool(o, "answers", answers);
	if (told->servers.ok) {
		json_set_int(o, "names", told_names(told, name));
		table_add_int(t, told_names(told, name));
	} else {
		table_add(t, "");
	}
	table_add(t, word);
	table_add(t, answers ? "answers" : is_expected(r, name) ? "SILENT" : "not here");
}

/* Sections of all hosts, each name once. */
static bool
is_first(const struct run *r, unsigned host, const char *name)
{
	for (unsigned i = 0; i < host; i++)
		if (conf_section(r->hosts->hosts[i].conf, "server", name) != NULL)
			return false;
	return true;
}

/* A store that the location server knows and these settings have no section of, as on the host
 * of the master. Nothing when it is one of those or was there before. */
static void
add_known(struct run *r, struct json *items, struct table *t, const char *name, int64_t names,
          const char *word)
{
	struct json *o;

	if (name == NULL || run_server(r, name) != NULL)
		return;
	for (size_t i = 0; i < json_count(items); i++)
		if (strcmp(json_get_str(json_item(items, i), "server"), name) == 0)
			return;
	o = json_add_object(items);
	json_set_str(o, "server", name);
	json_set_str(o, "list", word);
	json_set_int(o, "names", names);
	json_set_bool(o, "answers", run_find_store(r, name) != NULL);
	table_add(t, name);
	for (int i = 0; i < 4; i++)
		table_add(t, NULL);
	table_add_int(t, names);
	table_add(t, word);
	table_add(t, run_find_store(r, name) != NULL ? "answers" : "not here");
}

/* Of stores that wait nothing is known but their names, and perhaps what they had told before. */
static void
add_others(struct run *r, struct json *items, struct table *t, const struct told *told)
{
	const struct json *missing = json_get(json_get(told->status.json, "detail"), "missing");
	const struct json *servers = json_get(told->servers.json, "servers");

	for (size_t i = 0; i < json_count(missing); i++) {
		const char *name = json_as_str(json_item(missing, i));

		if (name != NULL)
			add_known(r, items, t, name, told_names(told, name), "awaited");
	}
	for (size_t i = 0; i < json_count(servers); i++)
		add_known(r, items, t, json_get_str(json_item(servers, i), "server"),
		          json_get_int(json_item(servers, i), "names", 0),
		          told->is_master ? "told" : NULL);
}

int
cmd_servers(struct run *r)
{
	struct json *items = json_set_array(r->result, "servers");
	struct table *t = table_new("SERVER|KIND|IMAP|POP3|LMTP|NAMES>|LIST|CONTROL");
	const struct conf *s;
	const char *name;
	struct told told;
	size_t rows;

	ask_told(r, &told);
	for (unsigned i = 0; i < r->hosts->host_count; i++) {
		size_t pos = 0;

		while ((s = conf_next_section(r->hosts->hosts[i].conf, "server", &pos, &name)) !=
		       NULL)
			if (is_first(r, i, name))
				add_server(r, items, t, s, &told);
	}
	add_others(r, items, t, &told);
	rows = table_rows(t);
	run_table(r, t);
	table_free(&t);
	if (!told.servers.ok)
		run_say(r, "No location server can be asked from here: how many names each store "
		           "has is not known.");
	answer_fini(&told.servers);
	answer_fini(&told.status);
	return rows > 0 ? EXIT_DONE
	                : run_fail(r, EXIT_CONF,
	                           "the settings have no section [server NAME], and no location "
	                           "server that answers here knows of a store");
}
