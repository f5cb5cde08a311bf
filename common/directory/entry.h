/*
 * entry - all that the directory has under one name: domain, account, aliases, forwards,
 * groups, senders; read in one query, so that it can be kept as one thing.
 */
#ifndef DIRECTORY_ENTRY_H
#define DIRECTORY_ENTRY_H

#include "base/buf.h"
#include "directory/names.h"
#include "directory/schema.h"

/* Borrow for the life of the entry. */
struct entry {
	unsigned refs;
	bool domain_known;
	char alias_of[NAMES_DOMAIN_MAX + 1]; /* the domain is another name of this one */
	char domain_services[DIRECTORY_SERVICES_MAX + 1];
	bool has_account;
	struct directory_account account; /* without user, domain_services, groups */
	/* Lists of texts, for entry_next(). */
	struct buf aliases, catch_all; /* targets: of this name, of its whole domain */
	struct buf forwards;           /* targets of the account */
	struct buf groups;             /* "name@domain" */
	struct buf senders;            /* "local@domain", "@domain": what he may send as, too */
	bool is_too_much;              /* there is more than was read: nobody may use it */
	bool is_stale;                 /* the database is away, and this is what it said last */
};

/* OK whatever there is, or TEMP; one reference is the caller's. */
enum directory_result entry_read(struct sql *s, const struct dir_name *n, struct entry **e_r,
                                 struct err *err) MUST_CHECK;
struct entry *entry_ref(struct entry *e);
void entry_unref(struct entry **e);

/* Is there anything under this name? */
bool entry_is_positive(const struct entry *e);

/* The groups as struct auth_reply has them. False: they do not fit. */
bool entry_groups(const struct entry *e, const char *default_domain,
                  char text_r[DIRECTORY_GROUPS_MAX + 1]) MUST_CHECK;

/* Texts one after the other; *pos starts at 0. NULL at the end. */
const char *entry_next(const struct buf *list, size_t *pos);

#endif
