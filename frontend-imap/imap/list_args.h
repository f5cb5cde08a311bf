/*
 * list_args - what a LIST asks for. RFC 5258 section 6, RFC 5819, RFC 8440.
 *
 *	list = "LIST" [SP "(" options ")"] SP reference SP patterns [SP "RETURN" SP "(" options ")"]
 *
 * Options that mean nothing here are the store's business, and pass as they are.
 */
#ifndef IMAP_LIST_ARGS_H
#define IMAP_LIST_ARGS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/buf.h"
#include "mail/pattern.h"

enum {
	LIST_SELECT_SUBSCRIBED = 1,
	LIST_SELECT_SPECIAL_USE = 2,
	LIST_SELECT_RECURSIVE = 4,
	LIST_RETURN_SUBSCRIBED = 8,
	LIST_RETURN_MYRIGHTS = 16,
};

#define LIST_PATTERNS_MAX 20 /* in one command: 17 KB each */

struct list_args {
	unsigned options;
	bool extended;         /* in any of the three ways */
	struct slice select;   /* "(SUBSCRIBED)", as it was; or empty */
	struct slice returned; /* the same behind RETURN */
	struct slice status;   /* "(MESSAGES UIDNEXT)" of STATUS in there; or empty */
	struct slice reference;
	bool many; /* patterns in parentheses */
	struct slice texts[LIST_PATTERNS_MAX];
	size_t text_count;
	struct pattern *patterns; /* those that can match anything */
	size_t pattern_count;
	const char *bad; /* of the arena */
};

/* text: behind the command's name, with the space in front and literals in place. False: see
 * bad. Slices are borrowed from text and arena. */
bool list_args_read(struct list_args *l, struct arena *arena, struct slice text);
/* The same again, without literals. */
void list_args_write(const struct list_args *l, struct buf *out);
/* Might it find names of others? */
bool list_args_are_wide(const struct list_args *l);
bool list_args_match(const struct list_args *l, struct slice client);

#endif
