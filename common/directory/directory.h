/*
 * directory - domains and accounts: one interface, a database behind it. Blocking: for
 * auth workers and roostctl only.
 *
 * "sqlite:/path" (or a path) is an SQLite file made with its schema when it is opened
 * for writing first. A database that is away, locked or damaged is DIRECTORY_TEMP,
 * never "unknown".
 *
 * Users are canonical: lower case, "fred@example.org"; those of the default domain
 * without it: "fred" (directory_canon()). In the database every user has his domain.
 */
#ifndef DIRECTORY_DIRECTORY_H
#define DIRECTORY_DIRECTORY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/slice.h"

struct directory;

enum directory_result {
	DIRECTORY_OK,
	DIRECTORY_UNKNOWN, /* no such account or domain */
	DIRECTORY_EXISTS,
	DIRECTORY_INVALID, /* not a name */
	DIRECTORY_TEMP,
};

#define DIRECTORY_NAME_MAX 320 /* user@domain (RFC 5321 4.5.3.1: 64 + 1 + 255) */
#define DIRECTORY_HASH_MAX 384 /* crypt(3) output */
#define DIRECTORY_STORE_MAX 128
#define DIRECTORY_GROUPS_MAX 512  /* all groups of a user, with the spaces between */
#define DIRECTORY_TARGETS_MAX 256 /* users and addresses elsewhere that one address leads to */

enum directory_status { DIRECTORY_ACTIVE, DIRECTORY_DISABLED };

struct directory_account {
	char user[DIRECTORY_NAME_MAX + 1];  /* canonical */
	char hash[DIRECTORY_HASH_MAX + 1];  /* wipe after use; empty in lists */
	char home[DIRECTORY_STORE_MAX + 1]; /* store of new mailboxes; "" not set */
	enum directory_status status;
	uint64_t created_s;
};

enum directory_mode {
	DIRECTORY_READ,  /* the file is not written and need not exist yet */
	DIRECTORY_WRITE, /* made and migrated when needed */
};

/* default_domain may be NULL. For READ this hardly ever fails: what is wrong with the
 * file shows in each call as TEMP. NULL with the operator's text. */
struct directory *directory_open(const char *url, const char *default_domain,
                                 enum directory_mode mode, struct err *err) MUST_CHECK;
void directory_close(struct directory **d);

/* name as a client wrote it -> canonical user. False: not a valid user name (empty,
 * control bytes, spaces, too long, two @, bad characters for a mailbox name). */
bool directory_canon(struct slice name, const char *default_domain,
                     char user_r[DIRECTORY_NAME_MAX + 1]) MUST_CHECK;
/* Canonical user -> always with a domain, when there is a default domain. */
void directory_full_name(const char *user, const char *default_domain,
                         char name_r[DIRECTORY_NAME_MAX + 1]);

/* ---- reading ---------------------------------------------------------------------------- */

enum directory_result directory_get(struct directory *d, const char *user,
                                    struct directory_account *a_r, struct err *err) MUST_CHECK;
/* Is the domain ours? OK, UNKNOWN, TEMP. The default domain always is. */
enum directory_result directory_has_domain(struct directory *d, struct slice domain,
                                           struct err *err) MUST_CHECK;
/* Accounts in order of their names; domain NULL: all. fn false ends the listing. */
typedef bool directory_list_fn(void *ctx, const struct directory_account *a);
enum directory_result directory_list(struct directory *d, const char *domain, directory_list_fn *fn,
                                     void *ctx, struct err *err) MUST_CHECK;
typedef bool directory_domain_fn(void *ctx, const char *domain, uint64_t accounts);
enum directory_result directory_list_domains(struct directory *d, directory_domain_fn *fn,
                                             void *ctx, struct err *err) MUST_CHECK;

/* ---- writing (DIRECTORY_WRITE) ------------------------------------------------------------ */

/* The domain is made when it is not there. password NULL: an account nobody can log in to. */
enum directory_result directory_add(struct directory *d, const char *user, const char *password,
                                    const char *home, struct err *err) MUST_CHECK;
enum directory_result directory_set_password(struct directory *d, const char *user,
                                             const char *password, struct err *err) MUST_CHECK;
enum directory_result directory_set_status(struct directory *d, const char *user,
                                           enum directory_status status,
                                           struct err *err) MUST_CHECK;
enum directory_result directory_set_home(struct directory *d, const char *user, const char *home,
                                         struct err *err) MUST_CHECK;
enum directory_result directory_delete(struct directory *d, const char *user,
                                       struct err *err) MUST_CHECK;
enum directory_result directory_add_domain(struct directory *d, const char *domain,
                                           struct err *err) MUST_CHECK;

#endif
