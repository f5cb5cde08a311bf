/*
 * lists - what the commands for aliases, forwards, groups and senders share.
 */
#ifndef CTL_LISTS_H
#define CTL_LISTS_H

#include "ctl/run.h"

/* The directory, written or (--dry-run) only read. */
int lists_open(struct run *r) MUST_CHECK;
/* The row, without the hash. EXIT_DONE, or the code and it was said why. */
int lists_get_account(struct run *r, const char *word, struct directory_account *a_r) MUST_CHECK;
/* Both. */
int lists_open_account(struct run *r, const char *word, struct directory_account *a_r) MUST_CHECK;
/* Says why; the words are for answers without a text. */
int lists_fail(struct run *r, enum directory_result d, const struct err *err, const char *unknown,
               const char *exists);

/* When others see a change, where that is not at once. */
void lists_say_delay(struct run *r);

/* A list of pairs as a table and, with --json, as an array of objects. */
struct pairs {
	struct run *run;
	struct table *table;
	struct json *items;
	const char *left, *right; /* names of the fields */
	unsigned count;
};
int pairs_begin(struct run *r, struct pairs *p, const char *array, const char *left,
                const char *right, const char *head) MUST_CHECK;
bool pairs_add(void *ctx, const char *left, const char *right); /* a directory_pair_fn */
/* Prints, or says why not. */
int pairs_end(struct pairs *p, enum directory_result d, const struct err *err) MUST_CHECK;
void pairs_drop(struct pairs *p);

#endif
