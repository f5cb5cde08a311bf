/*
 * conf_value - one setting's text to its typed value. Within common/conf only.
 */
#ifndef CONF_CONF_VALUE_H
#define CONF_CONF_VALUE_H

#include "base/buf.h"
#include "conf/conf.h"

struct conf_value {
	const struct conf_def *def;
	char *text; /* NULL: not set */
	char *file; /* NULL: the default */
	unsigned line;
	/* by type: */
	uint64_t num; /* BOOL, INT, BYTES, DURATION, ENUM */
	char **list;  /* LIST; the words of ADDRESSES and NETWORKS too */
	struct addr *addrs;
	struct addr_net *nets;
	size_t count;
};

/* Fills the typed part from v->text. False: reason gets what is wrong or allowed. */
bool conf_value_parse(struct conf_value *v, struct err *reason) MUST_CHECK;
void conf_value_fini(struct conf_value *v);
/* "a whole number from 1 to 64": for errors and the reference. */
void conf_value_print_allowed(const struct conf_def *def, struct buf *out);

#endif
