/*
 * args - the words of the command line, judged by the table of commands. Pure.
 *
 * Options may stand anywhere; `--` ends them. `--store=s1` is `--store s1`.
 */
#ifndef CTL_ARGS_H
#define CTL_ARGS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/slice.h"

enum {
	EXIT_DONE = 0,
	EXIT_NO = 1,     /* it could not be done, or the answer is bad news */
	EXIT_USAGE = 64, /* EX_USAGE */
	EXIT_TEMP = 75,  /* EX_TEMPFAIL: somebody is away; try again */
	EXIT_CONF = 78,  /* EX_CONFIG */
};

enum opt_id {
	OPT_CONFIG,
	OPT_JSON,
	OPT_DRY_RUN,
	OPT_TIMEOUT,
	OPT_HELP,
	OPT_VERSION,
	OPT_STORE,
	OPT_PASSWORD_STDIN,
	OPT_GENERATE,
	OPT_TREE,
	OPT_PARENTS,
	OPT_FORCE,
	OPT_COMPLETE,
	OPT_ALIAS_OF,
	OPT_KEEP,
	OPT_STORAGE,
	OPT_MESSAGES,
	OPT_OVER,
	OPT_COUNT,
};
#define OPT(id) (1u << OPT_##id)

struct opt {
	const char *name;  /* "config" */
	char letter;       /* 'c', or 0 */
	const char *value; /* "FILE", as shown; NULL: takes none */
	const char *help;
};
extern const struct opt opts[OPT_COUNT];
#define OPTS_GLOBAL (OPT(CONFIG) | OPT(JSON) | OPT(TIMEOUT) | OPT(HELP) | OPT(VERSION))

struct run;
typedef int command_fn(struct run *r);

/* A row of the table of commands. */
struct command {
	const char *name;     /* "user add" */
	const char *operands; /* "ADDRESS", "[USER]", "MAILBOX NEW-NAME" */
	unsigned least, most; /* operands */
	unsigned opts;        /* besides the global ones */
	const char *summary;  /* one line */
	const char *text;     /* paragraphs; lines of at most 78 characters */
	const char *examples; /* lines "what: command" */
	command_fn *fn;
};
extern const struct command commands[]; /* ended by name == NULL */

#define OPERANDS_MOST 64

struct args {
	const struct command *command; /* NULL: none was named */
	const char *operands[OPERANDS_MOST];
	unsigned count;
	unsigned given;                /* OPT() bits */
	const char *values[OPT_COUNT]; /* NULL where there is none */
};

static inline bool
args_has(const struct args *a, enum opt_id id)
{
	return (a->given & (1u << id)) != 0;
}

/* Borrows argv. 0, or -1 with a sentence for the user. With --help words that are no command
 * are operands, too. */
int args_parse(const struct command *table, int argc, char **argv, struct args *a_r,
               struct err *err) MUST_CHECK;

/* The command of these words ("user", "add"), NULL when there is none. *used_r: words. */
const struct command *args_find(const struct command *table, int argc, const char *const *argv,
                                int *used_r);
/* Did he want JSON? For a command line that is no good otherwise. */
bool args_ask_json(int argc, char **argv);

#endif
