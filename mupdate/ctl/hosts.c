/*
 * Reading settings of one host or several, and finding sockets.
 *
 * How many workers a front end has is a setting of its own table, which we do not have; so
 * the sockets in run_dir are counted instead.
 */
#include "ctl/hosts.h"

#include "base/num.h"
#include "base/xalloc.h"
#include "conf/common.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define FILES_MOST 256

static const struct conf_schema schema = { .program = "roostctl" };

/* In the order people think of a cluster. */
static const char *const programs[] = { "roost-mupdate", "roost-store", "roost-imap",
	                                "roost-smtp" };

/* ---- names of sockets ------------------------------------------------------------------ */

bool
hosts_parse_socket(const char *name, char program_r[32], char instance_r[128], unsigned *worker_r)
{
	struct slice s = slice_of(name), number;
	size_t dot;
	uint32_t worker = 0;

	if (!slice_ends(s, SLICE(".ctl")))
		return false;
	s = slice_sub(s, 0, s.n - 4);
	dot = slice_find_last(s, '.');
	number = dot < s.n ? slice_skip(s, dot + 1) : SLICE("");
	/* an instance may have a dot and digits in its name: then it looks like a worker */
	if (number.n > 0 && num_parse_u32(number, &worker) && worker > 0 && worker < WORKERS_MOST)
		s = slice_sub(s, 0, dot);
	else
		worker = 0;
	for (size_t i = 0; i < ARRAY_LEN(programs); i++) {
		struct slice p = slice_of(programs[i]), rest;

		if (!slice_starts(s, p))
			continue;
		rest = slice_skip(s, p.n);
		if ((rest.n > 0 && rest.p[0] != '-') || rest.n == 1 || rest.n > 127)
			continue;
		snprintf(program_r, 32, "%s", programs[i]);
		snprintf(instance_r, 128, "%.*s", (int)(rest.n > 0 ? rest.n - 1 : 0),
		         rest.n > 0 ? rest.p + 1 : "");
		*worker_r = worker;
		return true;
	}
	return false;
}

/* ---- programs ------------------------------------------------------------------------------ */

static const char *
run_dir(const struct host *h)
{
	return conf_str(h->conf, "run_dir");
}

static struct program *
find_program(struct hosts *all, const struct host *h, const char *program, const char *instance)
{
	for (unsigned i = 0; i < all->program_count; i++) {
		struct program *p = &all->programs[i];
		bool same = p->instance == NULL || instance == NULL
		                    ? p->instance == instance
		                    : strcmp(p->instance, instance) == 0;

		if (strcmp(run_dir(p->host), run_dir(h)) == 0 && strcmp(p->program, program) == 0 &&
		    same)
			return p;
	}
	return NULL;
}

static struct program *
add_program(struct hosts *all, const struct host *h, const char *program, const char *instance)
{
	struct program *p = find_program(all, h, program, instance);
	char path[512];

	if (p != NULL)
		return p;
	all->programs =
		xreallocarray(all->programs, all->program_count + 1, sizeof(struct program));
	p = &all->programs[all->program_count++];
	*p = (struct program){ .host = h, .program = xstrdup(program) };
	p->instance = instance != NULL ? xstrdup(instance) : NULL;
	snprintf(path, sizeof(path), "%s/%s%s%s.ctl", run_dir(h), program,
	         instance != NULL ? "-" : "", instance != NULL ? instance : "");
	p->sockets = xcalloc(1, sizeof(char *));
	p->sockets[0] = xstrdup(path);
	p->socket_count = 1;
	return p;
}

static bool
is_program(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(programs); i++)
		if (strcmp(programs[i], name) == 0)
			return true;
	return false;
}

/* [roost-store] beside [roost-store store1] is no program but what its instances share. */
static bool
has_instances(const struct conf_file *f, const char *program)
{
	const char *kind, *name;
	size_t pos = 0;

	while (conf_file_next(f, &pos, &kind, &name))
		if (name != NULL && strcmp(kind, program) == 0)
			return true;
	return false;
}

static void
add_sections(struct hosts *all, const struct host *h, const struct conf_file *f)
{
	const char *kind, *name;
	size_t pos = 0;

	while (conf_file_next(f, &pos, &kind, &name))
		if (is_program(kind) && (name != NULL || !has_instances(f, kind)))
			add_program(all, h, kind, name)->configured = true;
}

static void
add_socket(struct hosts *all, const struct host *h, const char *name)
{
	char program[32], instance[128], path[512];
	struct program *p;
	unsigned worker;

	if (!hosts_parse_socket(name, program, instance, &worker))
		return;
	p = add_program(all, h, program, *instance != '\0' ? instance : NULL);
	if (worker == 0)
		return; /* it is there already */
	snprintf(path, sizeof(path), "%s/%s", run_dir(h), name);
	for (unsigned i = 0; i < p->socket_count; i++)
		if (strcmp(p->sockets[i], path) == 0)
			return;
	p->sockets = xreallocarray(p->sockets, p->socket_count + 1, sizeof(char *));
	p->sockets[p->socket_count++] = xstrdup(path);
}

static void
add_sockets(struct hosts *all, const struct host *h)
{
	struct dirent **names;
	int n = scandir(run_dir(h), &names, NULL, alphasort);

	for (int i = 0; i < n; i++) {
		add_socket(all, h, names[i]->d_name);
		free(names[i]);
	}
	if (n >= 0)
		free(names);
}

static int
rank(const struct program *p)
{
	for (size_t i = 0; i < ARRAY_LEN(programs); i++)
		if (strcmp(programs[i], p->program) == 0)
			return (int)i;
	return ARRAY_LEN(programs);
}

static int
compare_programs(const void *a, const void *b)
{
	const struct program *p = a, *q = b;
	int by_rank = rank(p) - rank(q);

	if (p->host != q->host)
		return p->host < q->host ? -1 : 1;
	if (by_rank != 0)
		return by_rank;
	return strcmp(p->instance != NULL ? p->instance : "",
	              q->instance != NULL ? q->instance : "");
}

/* ---- files ----------------------------------------------------------------------------------- */

/* "fe1" of "/x/fe1.conf" */
static char *
label_of(const char *path)
{
	struct slice s = slice_of(path);
	size_t slash = slice_find_last(s, '/');

	if (slash < s.n)
		s = slice_skip(s, slash + 1);
	if (slice_ends(s, SLICE(".conf")))
		s.n -= 5;
	return slice_dup(s);
}

static int
add_host(struct hosts *all, const char *path, struct err *err)
{
	struct conf_file *f = conf_file_read(path, err);
	struct conf *c = f != NULL ? conf_new(f, &schema, NULL, err) : NULL;

	conf_file_free(&f);
	if (c == NULL)
		return -1;
	must(all->host_count < FILES_MOST);
	all->hosts[all->host_count++] = (struct host){ label_of(path), c };
	return 0;
}

static int
is_conf(const struct dirent *d)
{
	return d->d_name[0] != '.' && slice_ends(slice_of(d->d_name), SLICE(".conf"));
}

static int
add_folder(struct hosts *all, const char *path, struct err *err)
{
	struct dirent **names;
	int n = scandir(path, &names, is_conf, alphasort), r = 0;
	char file[4096];

	if (n == -1) {
		err_set_errno(err, "%s", path);
		return -1;
	}
	for (int i = 0; i < n; i++) {
		snprintf(file, sizeof(file), "%s/%s", path, names[i]->d_name);
		if (r == 0 && i < FILES_MOST)
			r = add_host(all, file, err);
		free(names[i]);
	}
	free(names);
	if (r == 0 && n > FILES_MOST) {
		err_set(err, "%s: more than %d files", path, FILES_MOST);
		r = -1;
	} else if (n == 0) {
		err_set(err, "%s: there is no file *.conf in it", path);
		r = -1;
	}
	return r;
}

static void
find_programs(struct hosts *all)
{
	for (unsigned i = 0; i < all->host_count; i++) {
		const struct host *h = &all->hosts[i];
		struct err err;
		struct conf_file *f = conf_file_read(conf_path(h->conf), &err);

		if (f != NULL)
			add_sections(all, h, f);
		conf_file_free(&f);
		add_sockets(all, h);
	}
	if (all->program_count > 0)
		qsort(all->programs, all->program_count, sizeof(*all->programs), compare_programs);
}

struct hosts *
hosts_open(const char *path, struct err *err)
{
	struct hosts *all = xcalloc(1, sizeof(*all));
	struct stat st;
	int r;

	all->hosts = xcalloc(FILES_MOST, sizeof(*all->hosts)); /* programs point into it */
	if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
		r = add_folder(all, path, err);
	else
		r = add_host(all, path, err);
	if (r == -1) {
		hosts_free(&all);
		return NULL;
	}
	if (all->host_count == 1)
		*all->hosts[0].label = '\0';
	find_programs(all);
	return all;
}

void
hosts_free(struct hosts **h)
{
	if (*h == NULL)
		return;
	for (unsigned i = 0; i < (*h)->program_count; i++) {
		struct program *p = &(*h)->programs[i];

		for (unsigned k = 0; k < p->socket_count; k++)
			free(p->sockets[k]);
		free(p->sockets);
		free(p->program);
		free(p->instance);
	}
	for (unsigned i = 0; i < (*h)->host_count; i++) {
		free((*h)->hosts[i].label);
		conf_free(&(*h)->hosts[i].conf);
	}
	free((*h)->programs);
	free((*h)->hosts);
	free(*h);
	*h = NULL;
}

const char *
program_text(const struct program *p)
{
	static char texts[4][400];
	static unsigned next;
	char *text = texts[next++ % ARRAY_LEN(texts)];

	snprintf(text, sizeof(texts[0]), "%s%s%s%s%s", p->program, p->instance != NULL ? " " : "",
	         p->instance != NULL ? p->instance : "", *p->host->label != '\0' ? " on " : "",
	         p->host->label);
	return text;
}
