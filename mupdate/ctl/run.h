/*
 * run - one run of roostctl: what was asked, what there is to ask, and how the answer is
 * given: sentences and tables for people, or one JSON object.
 */
#ifndef CTL_RUN_H
#define CTL_RUN_H

#include "ctl/args.h"
#include "ctl/hosts.h"
#include "ctl/table.h"
#include "directory/directory.h"
#include "json/json.h"

struct run {
	struct args args;
	struct hosts *hosts; /* NULL for commands that need no settings */
	unsigned timeout_ms;
	bool json, dry_run;
	struct json *result;         /* what --json prints */
	struct directory *directory; /* once it was opened */
};

/* ---- answering ------------------------------------------------------------------------ */

/* A sentence on standard output; nothing with --json. */
void run_say(struct run *r, const char *fmt, ...) PRINTF_LIKE(2, 3);
void run_table(struct run *r, const struct table *t);
/* A text of ours, with its line ends; with --json it is the member "text". */
void run_text(struct run *r, const struct buf *text);
/* The sentence on standard error, and in the result. Returns code. */
int run_fail(struct run *r, int code, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* ---- asking ----------------------------------------------------------------------------- */

struct answer {
	struct json *json; /* NULL: nobody answered, and text says why */
	bool ok;           /* "ok":true */
	char text[512];    /* not ok: the sentence */
	char error[16];    /* not ok: "notfound"; "away" when nobody answered */
};
void answer_fini(struct answer *a);
/* EXIT_NO for what will not get better by itself, EXIT_TEMP for the rest. */
int answer_exit(const struct answer *a);

/* Takes *request, an object with "cmd". worker: position in p->sockets. */
void run_ask(struct run *r, const struct program *p, unsigned worker, struct json **request,
             struct answer *a_r);
/* The same with one field, or none when key is NULL. */
void run_ask1(struct run *r, const struct program *p, const char *cmd, const char *key,
              const char *value, struct answer *a_r);

/* ---- finding ---------------------------------------------------------------------------- */

/* Programs of one kind, one after the other; *pos starts at 0. NULL at the end. */
const struct program *run_next(const struct run *r, const char *program, unsigned *pos);
/* The store that has this name in the cluster; NULL when none of it answers here. */
const struct program *run_find_store(struct run *r, const char *server);
/* Does one of this host not answer? Then it may be the one that was not found. */
bool run_some_store_is_silent(struct run *r);
/* run_find_store(), or the code (and it was said whether it is away, elsewhere or unknown). */
int run_need_store(struct run *r, const char *server, const struct program **p_r);
/* fn for the store that --store names, or for each of this host. As run_need_store(), EXIT_NO
 * (and it was said) where there is none; else fn's worst. */
typedef int run_store_fn(void *ctx, struct run *r, const struct program *p);
int run_each_store(struct run *r, run_store_fn *fn, void *ctx);
/* Its section of the settings; NULL when they do not know it. */
const struct conf *run_server(const struct run *r, const char *server);
bool run_server_is_foreign(const struct run *r, const char *server);
/* It is known, and not in the list of locations. */
bool run_server_is_unlisted(const struct run *r, const char *server);

/* The settings for things all hosts share. */
const struct conf *run_conf(const struct run *r);
/* The directory, opened as mode says. EXIT_DONE, or the code (and it was said why). */
int run_open_directory(struct run *r, enum directory_mode mode);
const char *run_default_domain(const struct run *r); /* NULL: none */

#endif
