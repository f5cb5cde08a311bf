/*
 * Printing and asking, for all commands.
 */
#include "ctl/run.h"

#include "conf/common.h"
#include "ctl/ctl.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* ---- answering ------------------------------------------------------------------------ */

void
run_say(struct run *r, const char *fmt, ...)
{
	struct buf text = BUF_INIT(1 << 16), clean = BUF_INIT(1 << 18);
	va_list ap;

	if (r->json)
		return;
	va_start(ap, fmt);
	buf_vprintf(&text, fmt, ap);
	va_end(ap);
	table_add_clean(&clean, buf_cstr(&text));
	printf("%s\n", buf_cstr(&clean));
	buf_fini(&text);
	buf_fini(&clean);
}

void
run_table(struct run *r, const struct table *t)
{
	struct buf text = BUF_INIT(SIZE_MAX);

	if (r->json)
		return;
	table_print(t, &text);
	(void)fwrite(buf_slice(&text).p, 1, text.len, stdout);
	buf_fini(&text);
}

void
run_text(struct run *r, const struct buf *text)
{
	if (r->json)
		json_set_slice(r->result, "text", buf_slice(text));
	else
		(void)fwrite(buf_slice(text).p, 1, text->len, stdout);
}

int
run_fail(struct run *r, int code, const char *fmt, ...)
{
	static const char *const words[] = {
		[EXIT_NO] = "no",
		[EXIT_USAGE] = "usage",
		[EXIT_TEMP] = "temp",
		[EXIT_CONF] = "conf",
	};
	struct buf text = BUF_INIT(1 << 16), clean = BUF_INIT(1 << 18);
	va_list ap;

	va_start(ap, fmt);
	buf_vprintf(&text, fmt, ap);
	va_end(ap);
	table_add_clean(&clean, buf_cstr(&text));
	fprintf(stderr, "roostctl: %s\n", buf_cstr(&clean));
	json_set_str(r->result, "error", words[code]);
	json_set_str(r->result, "text", buf_cstr(&text));
	buf_fini(&text);
	buf_fini(&clean);
	return code;
}

/* ---- asking ----------------------------------------------------------------------------- */

void
answer_fini(struct answer *a)
{
	json_free(&a->json);
}

int
answer_exit(const struct answer *a)
{
	static const char *const final[] = { "usage",   "notfound", "exists",
		                             "invalid", "denied",   "limit" };

	if (a->ok)
		return EXIT_DONE;
	for (size_t i = 0; i < ARRAY_LEN(final); i++)
		if (strcmp(a->error, final[i]) == 0)
			return EXIT_NO;
	return EXIT_TEMP;
}

/* Stores give themselves 30 s for a change; to know how it ended is worth the wait. */
#define CHANGE_MS 35000

static unsigned
patience_ms(const struct run *r, const struct json *request)
{
	struct slice cmd = slice_of(json_get_str(request, "cmd"));
	bool changes = slice_starts(cmd, SLICE("user.")) || slice_starts(cmd, SLICE("mailbox."));

	return changes ? MAX(r->timeout_ms, CHANGE_MS) : r->timeout_ms;
}

void
run_ask(struct run *r, const struct program *p, unsigned worker, struct json **request,
        struct answer *a_r)
{
	struct err err = { "" };
	const char *error, *text;

	memset(a_r, 0, sizeof(*a_r));
	a_r->json = ctl_call(p->sockets[worker], *request, patience_ms(r, *request), &err);
	json_free(request);
	a_r->ok = json_get_bool(a_r->json, "ok", false);
	if (a_r->ok)
		return;
	error = json_get_str(a_r->json, "error");
	text = json_get_str(a_r->json, "text");
	if (a_r->json == NULL) {
		error = "away";
		text = err.text;
	}
	snprintf(a_r->error, sizeof(a_r->error), "%s", error != NULL ? error : "internal");
	snprintf(a_r->text, sizeof(a_r->text), "%s",
	         text != NULL ? text : "the answer is not understood");
}

void
run_ask1(struct run *r, const struct program *p, const char *cmd, const char *key,
         const char *value, struct answer *a_r)
{
	struct json *request = json_new_object();

	json_set_str(request, "cmd", cmd);
	if (key != NULL)
		json_set_str(request, key, value);
	run_ask(r, p, 0, &request, a_r);
}

/* ---- finding ---------------------------------------------------------------------------- */

const struct program *
run_next(const struct run *r, const char *program, unsigned *pos)
{
	while (*pos < r->hosts->program_count) {
		const struct program *p = &r->hosts->programs[(*pos)++];

		if (strcmp(p->program, program) == 0)
			return p;
	}
	return NULL;
}

/* Its own word counts; the instance's name is the default of the setting server. */
static bool
is_server(struct run *r, const struct program *p, const char *server)
{
	struct answer a;
	const char *said;
	bool same;

	run_ask1(r, p, "status", NULL, NULL, &a);
	said = json_get_str(json_get(a.json, "detail"), "server");
	same = said != NULL && strcmp(said, server) == 0;
	answer_fini(&a);
	return same;
}

const struct program *
run_find_store(struct run *r, const char *server)
{
	const struct program *p;
	unsigned pos = 0;

	/* most often the instance is called like the server: ask it first */
	while ((p = run_next(r, "roost-store", &pos)) != NULL)
		if (p->instance != NULL && strcmp(p->instance, server) == 0 &&
		    is_server(r, p, server))
			return p;
	pos = 0;
	while ((p = run_next(r, "roost-store", &pos)) != NULL)
		if ((p->instance == NULL || strcmp(p->instance, server) != 0) &&
		    is_server(r, p, server))
			return p;
	return NULL;
}

bool
run_some_store_is_silent(struct run *r)
{
	const struct program *p;
	bool silent = false;
	unsigned pos = 0;

	while (!silent && (p = run_next(r, "roost-store", &pos)) != NULL) {
		struct answer a;

		run_ask1(r, p, "status", NULL, NULL, &a);
		silent = !a.ok;
		answer_fini(&a);
	}
	return silent;
}

int
run_need_store(struct run *r, const char *server, const struct program **p_r)
{
	*p_r = run_find_store(r, server);
	if (*p_r != NULL)
		return EXIT_DONE;
	if (run_some_store_is_silent(r))
		return run_fail(r, EXIT_TEMP,
		                "%s does not answer on a control socket here; see roostctl status",
		                server);
	if (run_server(r, server) == NULL)
		return run_fail(r, EXIT_NO,
		                "there is no store %s on this host, and no section [server %s]",
		                server, server);
	return run_fail(r, EXIT_NO, "%s is not on this host; run this there", server);
}

int
run_each_store(struct run *r, run_store_fn *fn, void *ctx)
{
	const char *named = r->args.values[OPT_STORE];
	const struct program *p, *only = NULL;
	unsigned pos = 0;
	int code = named != NULL ? run_need_store(r, named, &only) : EXIT_DONE;

	if (code != EXIT_DONE)
		return code;
	if (run_next(r, "roost-store", &pos) == NULL)
		return run_fail(r, EXIT_NO,
		                "there is no roost-store on this host; run this where one is");
	for (pos = 0; (p = run_next(r, "roost-store", &pos)) != NULL;) {
		int one = only == NULL || p == only ? fn(ctx, r, p) : EXIT_DONE;

		code = MAX(code, one);
	}
	return code;
}

const struct conf *
run_server(const struct run *r, const char *server)
{
	const struct conf *s = NULL;

	for (unsigned i = 0; s == NULL && i < r->hosts->host_count; i++)
		s = conf_section(r->hosts->hosts[i].conf, "server", server);
	return s;
}

bool
run_server_is_foreign(const struct run *r, const char *server)
{
	const struct conf *s = run_server(r, server);

	return s != NULL && strcmp(conf_enum_text(s, "kind"), "imap") == 0;
}

bool
run_server_is_unlisted(const struct run *r, const char *server)
{
	const struct conf *s = run_server(r, server);

	return s != NULL && !conf_bool(s, "listed");
}

const struct conf *
run_conf(const struct run *r)
{
	return r->hosts->hosts[0].conf;
}

const char *
run_default_domain(const struct run *r)
{
	return conf_str(run_conf(r), "default_domain");
}

int
run_open_directory(struct run *r, enum directory_mode mode)
{
	struct err err;

	if (!conf_common_has_directory(run_conf(r)))
		return run_fail(r, EXIT_CONF,
		                "the settings say directory = none; run this on a host that has "
		                "the directory, such as a front end");
	r->directory = directory_open_conf(run_conf(r), mode, &err);
	if (r->directory != NULL)
		return EXIT_DONE;
	return run_fail(r, mode == DIRECTORY_READ ? EXIT_CONF : EXIT_TEMP, "%s", err.text);
}
