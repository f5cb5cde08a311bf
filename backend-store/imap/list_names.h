/*
 * list_names - the mailbox names of all three namespaces as a user's client sees them: existing
 * ones that he may see, subscribed ones, and the names in between that are neither (RFC 3501
 * section 6.3.4: \Noselect).
 *
 * His own names are found by their prefix, others' by what ACLs give him (store_each_granted):
 * so it costs what it finds.
 */
#ifndef IMAP_LIST_NAMES_H
#define IMAP_LIST_NAMES_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/slice.h"
#include "imap/session_impl.h"

struct list_name {
	struct slice client; /* modified UTF-7, of the arena */
	struct slice name;   /* canonical, of the arena; empty: nobody's */
	struct slice use;    /* "\\Sent" or empty; of his own */
	uint32_t rights;     /* existing ones */
	bool exists, subscribed;
	bool has_children; /* existing ones */
	size_t parent;     /* index; of itself when it is at the top */
};

struct list_names {
	struct list_name *names; /* parents before their children; heap */
	size_t count, cap;
};

enum {
	LIST_NAMES_EXISTING = 1, /* what the user may see (ACL_LOOKUP), not only subscriptions */
	LIST_NAMES_OTHERS = 2,   /* also of the other two namespaces */
};
/* What he has subscribed to, and more. */
void list_names_init(struct list_names *l, struct imap_session *s, struct arena *a, unsigned what);
void list_names_fini(struct list_names *l);

#endif
