/*
 * conf - the settings: one file per host, described by tables.
 *
 *	# comment
 *	[common]                    for all programs (settings of conf/common.h only)
 *	run_dir = /run/roost
 *	[roost-imap]                for one program
 *	workers = 4
 *	[roost-store store1]        for one instance of a program
 *	data_dir = /srv/store1
 *	[server store1]             a named thing all programs know (kinds of conf/common.h)
 *	imap = 10.0.0.1:1143
 *	include conf.d/extra.conf   relative to this file
 *
 * A value runs to the end of the line or to ` #`; `"..."` keeps spaces and `#`, with \"
 * and \\ as escapes. Lists are separated by spaces or commas. A later section of the
 * same name adds to the first; the same setting twice in one section is an error. What
 * is more special wins: instance, program, common, default. An instance that is asked
 * for must have its section.
 *
 * Every error names file, line, setting and what is allowed.
 */
#ifndef CONF_CONF_H
#define CONF_CONF_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "net/addr.h"

#define CONF_EXIT 78 /* EX_CONFIG: what main() returns for bad settings */

enum conf_type {
	CONF_STRING,
	CONF_PATH, /* relative ones are taken from the folder of the settings file */
	CONF_BOOL, /* yes no true false on off */
	CONF_INT,
	CONF_BYTES,    /* 512, 64K, 10M, 2G (or KiB, MiB, GiB): powers of 1024 */
	CONF_PERCENT,  /* 90% or 90 */
	CONF_DURATION, /* 500ms, 30s, 5m, 2h, 7d; kept in milliseconds; 0 needs no unit */
	CONF_LIST,     /* of words: of `words` only, when the row has them */
	CONF_ADDRESS,  /* one net/addr.h address */
	CONF_ADDRESSES,
	CONF_NETWORKS, /* list of net/addr.h networks */
	CONF_ENUM,     /* one of words */
};

enum {
	CONF_REQUIRED = 1,  /* no default: the setting must be there */
	CONF_SECRET = 2,    /* never printed */
	CONF_AUTH_ONLY = 4, /* wiped in every process but the auth workers */
	/* SIGHUP does not change it: a new value counts from the next start on. Always, or
	 * only in programs with one worker, which take new settings in place. */
	CONF_RESTART = 8,
	CONF_RESTART_IN_PLACE = 16,
};

/* A row; a table ends with a row whose name is NULL. All borrowed for ever. */
struct conf_def {
	const char *name;
	enum conf_type type;
	const char *deflt; /* as it would stand in the file; NULL: not set */
	uint64_t min, max; /* INT, BYTES, PERCENT, DURATION (ms); max 0: none. ADDRESS(ES): min is
				 * the port when none is given, 0: it must be given */
	const char *words; /* ENUM, LIST: allowed words, separated by one space */
	const char *help;  /* one or two sentences */
	unsigned flags;
};

/* Sections `[kind NAME]` that are not programs. They are listed in conf/common.h, since
 * every program must know every section of the file. */
struct conf_kind {
	const char *kind;
	const struct conf_def *defs;
	const char *help;
};

/* What one program knows. The tables of conf/common.h belong to every program and
 * are added by themselves. */
struct conf_schema {
	const char *program;                  /* "roost-imap" */
	const struct conf_def *const *tables; /* NULL-terminated list; may be NULL */
	bool in_place;                        /* CONF_RESTART_IN_PLACE means this program */
};

/* ---- reading ---------------------------------------------------------------------- */

struct conf;

/* instance may be NULL. NULL with the operator's text on failure. A file changed
 * later does not matter: reload by loading a new object. */
struct conf *conf_load(const char *path, const struct conf_schema *schema, const char *instance,
                       struct err *err) MUST_CHECK;
/* The same from memory; name stands for the file in errors. For tests. */
struct conf *conf_load_text(const char *name, struct slice text, const struct conf_schema *schema,
                            const char *instance, struct err *err) MUST_CHECK;
void conf_free(struct conf **c);
/* Wipes the values marked CONF_AUTH_ONLY (they read as not set from then on). */
void conf_wipe_auth_only(struct conf *c);

/* The program of the schema; for a named section its kind. */
const char *conf_program(const struct conf *c);
/* NULL when none was given; for a named section its name. */
const char *conf_instance(const struct conf *c);
/* The settings file, absolute; NULL from memory. */
const char *conf_path(const struct conf *c);

/* ---- looking up ------------------------------------------------------------------- */
/*
 * name must stand in the tables with the type asked for (our own mistake otherwise).
 * Everything is borrowed for the life of c.
 */
const char *conf_str(const struct conf *c, const char *name); /* STRING, PATH; NULL: not set */
bool conf_bool(const struct conf *c, const char *name);
uint64_t conf_int(const struct conf *c, const char *name); /* INT */
uint64_t conf_percent(const struct conf *c, const char *name);
uint64_t conf_bytes(const struct conf *c, const char *name);
uint64_t conf_ms(const struct conf *c, const char *name); /* DURATION */
int conf_enum(const struct conf *c, const char *name);    /* position in words */
const char *conf_enum_text(const struct conf *c, const char *name);
const struct addr *conf_addr(const struct conf *c, const char *name); /* NULL: not set */
const struct addr *conf_addrs(const struct conf *c, const char *name, size_t *count_r);
const char *const *conf_list(const struct conf *c, const char *name, size_t *count_r);
bool conf_list_has(const struct conf *c, const char *name, const char *word);
bool conf_nets_has(const struct conf *c, const char *name, const struct addr *a);
const struct addr_net *conf_nets(const struct conf *c, const char *name, size_t *count_r);
/* Was it written in the file (or does it only have its default)? */
bool conf_is_set(const struct conf *c, const char *name);
/* A setting that only a restart changes and whose value differs between a and b, of one
 * schema; the next one each time, NULL at the end. *pos starts at 0. */
const char *conf_next_restart(const struct conf *a, const struct conf *b, size_t *pos);
/* "/etc/roost.conf:12: setting imap of [server store1]": for errors found later. */
const char *conf_where(const struct conf *c, const char *name, char *text_r, size_t room);

/* A size as BYTES settings are written: 512, 64K, 10M. */
bool conf_parse_bytes(struct slice text, uint64_t *v_r) MUST_CHECK;

/* ---- named sections ---------------------------------------------------------------- */

/* The section `[kind name]`, or NULL. Look its settings up as above. */
const struct conf *conf_section(const struct conf *c, const char *kind, const char *name);
/* One after the other in the order of the file; *pos starts at 0; NULL at the end. */
const struct conf *conf_next_section(const struct conf *c, const char *kind, size_t *pos,
                                     const char **name_r);

/* ---- the file as it is: for tools that look at all programs ------------------------ */

struct conf_file;
struct conf_file *conf_file_read(const char *path, struct err *err) MUST_CHECK;
void conf_file_free(struct conf_file **f);
/* Section heads: "roost-store" and "store1" (name NULL without one). */
bool conf_file_next(const struct conf_file *f, size_t *pos, const char **kind_r,
                    const char **name_r);
/* The settings of one program from a file that was read. */
struct conf *conf_new(const struct conf_file *f, const struct conf_schema *schema,
                      const char *instance, struct err *err) MUST_CHECK;
/* Forgets the values that are CONF_AUTH_ONLY for this program (strings: "-" stands there
 * instead) and all that only other programs know: before the file goes to a worker. */
void conf_file_wipe_auth_only(struct conf_file *f, const struct conf_schema *schema);
/* The whole file as bytes for a process that may not read it, and back. */
void conf_file_pack(const struct conf_file *f, struct buf *out);
struct conf_file *conf_file_unpack(struct slice packed) MUST_CHECK; /* NULL: damaged */

/* ---- reference ---------------------------------------------------------------------- */

/* All settings of the schema for people, from the tables. */
void conf_print_help(const struct conf_schema *schema, struct buf *out);
/* The same as parts of manual pages (base/roff.h): of the schema, with in_place the
 * remark that fits; and what the file looks like and all programs know. */
void conf_print_man(const struct conf_schema *schema, struct buf *out);
void conf_print_man_common(struct buf *out);
/* The settings in force, as a file; secrets as "(secret)". */
void conf_print(const struct conf *c, struct buf *out);

#endif
