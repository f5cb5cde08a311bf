/*
 * conf_file - the settings file as text: sections and entries, not yet judged. Within
 * common/conf only.
 */
#ifndef CONF_CONF_FILE_H
#define CONF_CONF_FILE_H

#include "base/err.h"
#include "base/slice.h"
#include "conf/conf.h"

#define CONF_FILE_BYTES (1u << 20) /* of all files together */
#define CONF_FILE_DEPTH 8          /* includes within includes */
#define CONF_FILE_LINE 8192

struct conf_entry {
	char *name, *value;
	char *file; /* where it stands */
	unsigned line;
};

struct conf_head {         /* one section; heads of one name are joined */
	char *kind, *name; /* name NULL: `[kind]` */
	char *file;
	unsigned line;
	struct conf_entry *entries;
	size_t count;
};

struct conf_file {
	char *path; /* NULL: from memory */
	struct conf_head *heads;
	size_t count;
};

struct conf_file *conf_file_parse(const char *name, struct slice text, struct err *err) MUST_CHECK;
const struct conf_head *conf_file_head(const struct conf_file *f, const char *kind,
                                       const char *name);

#endif
