/*
 * fakestore - the part of mailbox/store.h that cluster/ uses, from a table: so that these
 * tests need no disk, and can say what a crash left behind.
 */
#ifndef UNIT_BACKEND_STORE_CLUSTER_FAKESTORE_H
#define UNIT_BACKEND_STORE_CLUSTER_FAKESTORE_H

#include "mailbox/store.h"

/* Linked in place of the store. */
struct store *fakestore_new(void);
void fakestore_free(struct store **s);
void fakestore_add(struct store *s, const char *name, const char *acl, uint64_t id);
void fakestore_remove(struct store *s, const char *name);
void fakestore_add_tombstone(struct store *s, const char *name);
void fakestore_set_pending(struct store *s, const char *name, bool pending);
/* "user.a c1 conflict\n-user.gone\n": mailboxes with claim and conflict, tombstones. */
char *fakestore_dump(struct store *s);

#endif
