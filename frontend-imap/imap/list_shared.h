/*
 * list_shared - the names of others and of nobody that a user may see, from this host's list
 * of locations: its index by ACL says for him, his groups and anyone where to look, level by
 * level; so a LIST costs what it returns.
 */
#ifndef IMAP_LIST_SHARED_H
#define IMAP_LIST_SHARED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "location/reader.h"
#include "mail/acl.h"
#include "mail/mbox_name.h"
#include "mail/pattern.h"

struct list_shared {
	struct location_reader *reader;
	struct mbox_view view;
	struct arena *arena;
	struct acl_who who;
	struct slice *ids; /* as ACLs name him; the last one is "anyone" */
	size_t id_count;
	struct slice *domains; /* "", "example.org!": where he may have been given something */
	size_t domain_count;
	struct slice own_domain; /* in the same form; the first of domains */
	size_t left;             /* so many names more */
	bool blind;              /* the list could not be read to its end */
};

struct list_shared_name {
	struct slice client; /* modified UTF-7 */
	struct slice server; /* exists; empty while it is moved: nobody can be asked about it */
	bool exists;         /* and may be seen */
	bool has_children;   /* that may be seen */
	uint32_t rights;     /* exists */
};

#define LIST_SHARED_MAX 100000 /* names looked at by one command */

/* All borrowed for its life; groups as in auth_reply. */
void list_shared_init(struct list_shared *l, struct location_reader *reader,
                      const struct mbox_view *view, const char *groups, struct arena *arena);

/* name is borrowed for the call, its slices from the arena. */
typedef void list_shared_fn(void *ctx, const struct list_shared_name *name);
/* Those that a pattern matches and that are there or have some below them; in order, from "Other
 * Users" and "Shared Folders" down. */
void list_shared_find(struct list_shared *l, const struct pattern *patterns, size_t count,
                      list_shared_fn *fn, void *ctx);
/* One of these namespaces, by its client's name; it need not be there. */
void list_shared_look(struct list_shared *l, struct slice client, struct list_shared_name *name_r);

/* "Shared Folders", "Other Users/bob", ... */
bool list_shared_is_name(struct slice client);
/* May a pattern match such names? */
bool list_shared_is_wanted(const struct pattern *p);

#endif
