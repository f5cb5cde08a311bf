/*
 * directory - domains, accounts, aliases, forwards, groups: one interface, a database behind
 * it (common/sql). Blocking: for auth workers and roostctl only.
 *
 * "sqlite:/path" (or a path) is an SQLite file, "postgresql://user@host/database" a server.
 * Both are set up, and brought up to date, when they are opened for writing. A database that
 * is away, locked or damaged is DIRECTORY_TEMP, never "unknown".
 *
 * Users are canonical: lower case, "fred@example.org"; those of the default domain
 * without it: "fred" (directory_canon()). In the database every user has his domain.
 *
 * One address is one thing: an account (perhaps with forwards) or an alias. "@example.org" as
 * an alias is for every address of the domain that is neither. A domain may be another name
 * of a domain: then everything under it is what that one has.
 */
#ifndef DIRECTORY_DIRECTORY_H
#define DIRECTORY_DIRECTORY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/slice.h"

struct conf;
struct directory;

enum directory_result {
	DIRECTORY_OK,
	DIRECTORY_UNKNOWN, /* no such account, domain, alias, ... */
	DIRECTORY_EXISTS,
	DIRECTORY_INVALID, /* not a name, or it would make no sense */
	DIRECTORY_IN_USE,  /* others still need it */
	DIRECTORY_TEMP,
};

#define DIRECTORY_NAME_MAX 320 /* user@domain (RFC 5321 4.5.3.1: 64 + 1 + 255) */
#define DIRECTORY_HASH_MAX 384 /* crypt(3) output */
#define DIRECTORY_STORE_MAX 128
#define DIRECTORY_SERVICES_MAX 127
#define DIRECTORY_GROUPS_MAX 512  /* all groups of a user, with the spaces between */
#define DIRECTORY_TARGETS_MAX 256 /* users and addresses elsewhere that one address leads to */

enum directory_status { DIRECTORY_ACTIVE, DIRECTORY_DISABLED };

struct directory_account {
	char user[DIRECTORY_NAME_MAX + 1];  /* canonical */
	char hash[DIRECTORY_HASH_MAX + 1];  /* wipe after use; empty in lists */
	char home[DIRECTORY_STORE_MAX + 1]; /* store of new mailboxes; "" not set */
	enum directory_status status;
	uint64_t created_s;
	char services[DIRECTORY_SERVICES_MAX + 1]; /* he may log in to, "imap pop3"; "" all */
	bool keep_copy;                            /* of what is forwarded; true without forwards */
	/* Not in lists: */
	char domain_services[DIRECTORY_SERVICES_MAX + 1]; /* for everybody of his domain; "" all */
	char groups[DIRECTORY_GROUPS_MAX + 1];            /* as in struct auth_reply */
};

enum directory_mode {
	DIRECTORY_READ,  /* the file is not written and need not exist yet */
	DIRECTORY_WRITE, /* made and migrated when needed */
};

/* default_domain may be NULL. For READ this hardly ever fails: what is wrong with the
 * file shows in each call as TEMP. NULL with the operator's text. */
struct directory *directory_open(const char *url, const char *default_domain,
                                 enum directory_mode mode, struct err *err) MUST_CHECK;
/* By the settings of conf/common.h, with password, time-out and (READ) what is kept in
 * memory: a name that was read lately is not asked for again when the database is a server,
 * and is answered from memory when the database is away. */
struct directory *directory_open_conf(const struct conf *c, enum directory_mode mode,
                                      struct err *err) MUST_CHECK;
void directory_close(struct directory **d);
/* Are the settings for it such as can be? Nothing is asked. -1 with the operator's sentence. */
int directory_check(const struct conf *c, struct err *err) MUST_CHECK;

/* name as a client wrote it -> canonical user. False: not a valid user name (empty,
 * control bytes, spaces, too long, two @, bad characters for a mailbox name). */
bool directory_canon(struct slice name, const char *default_domain,
                     char user_r[DIRECTORY_NAME_MAX + 1]) MUST_CHECK;
/* Canonical user -> always with a domain, when there is a default domain. */
void directory_full_name(const char *user, const char *default_domain,
                         char name_r[DIRECTORY_NAME_MAX + 1]);

/* ---- reading ---------------------------------------------------------------------------- */

/* a_r->user is another one than user when his domain is another name of a domain. */
enum directory_result directory_get(struct directory *d, const char *user,
                                    struct directory_account *a_r, struct err *err) MUST_CHECK;
/* Asks the database for this user (canonical) though it was asked lately: before somebody is
 * told that what he knows is wrong. False: there is nothing newer than directory_get() has. */
bool directory_refresh(struct directory *d, const char *user);
/* Not a file: there may be a memory between what is changed and who reads it. */
bool directory_is_server(const struct directory *d);
/* The database did not answer last time; that was logged. */
bool directory_is_away(const struct directory *d);
/* Is the domain ours? OK, UNKNOWN, TEMP. The default domain always is. */
enum directory_result directory_has_domain(struct directory *d, struct slice domain,
                                           struct err *err) MUST_CHECK;
/* Accounts in order of their names; domain NULL: all. fn false ends the listing. */
/* May user (canonical) send as this address because it was granted to him? With delimiter
 * ("+", "" or NULL: none) also as what is below it. OK, UNKNOWN, TEMP. */
enum directory_result directory_is_granted(struct directory *d, const char *user,
                                           struct slice sender, const char *delimiter,
                                           struct err *err) MUST_CHECK;
typedef bool directory_list_fn(void *ctx, const struct directory_account *a);
enum directory_result directory_list(struct directory *d, const char *domain, directory_list_fn *fn,
                                     void *ctx, struct err *err) MUST_CHECK;
struct directory_domain {
	const char *name;
	const char *alias_of; /* "" : a domain of its own */
	const char *services; /* as in struct directory_account, for the whole domain */
	uint64_t accounts, aliases;
};
typedef bool directory_domain_fn(void *ctx, const struct directory_domain *domain);
enum directory_result directory_list_domains(struct directory *d, directory_domain_fn *fn,
                                             void *ctx, struct err *err) MUST_CHECK;

/* Pairs in order: an alias and a target, a user and a target, ... as each list says. Both are
 * as people write them: with their domain. */
typedef bool directory_pair_fn(void *ctx, const char *left, const char *right);
/* domain NULL: all. Alias, target. */
enum directory_result directory_list_aliases(struct directory *d, const char *domain,
                                             directory_pair_fn *fn, void *ctx,
                                             struct err *err) MUST_CHECK;
/* What leads to this address directly: alias or forwarding user, the address. */
enum directory_result directory_list_leading_to(struct directory *d, const char *address,
                                                directory_pair_fn *fn, void *ctx,
                                                struct err *err) MUST_CHECK;
/* user NULL: all. User, target. */
enum directory_result directory_list_forwards(struct directory *d, const char *user,
                                              directory_pair_fn *fn, void *ctx,
                                              struct err *err) MUST_CHECK;
/* Group (NULL: all), member; a group without members comes with "". */
enum directory_result directory_list_groups(struct directory *d, const char *group,
                                            directory_pair_fn *fn, void *ctx,
                                            struct err *err) MUST_CHECK;
/* user NULL: all. User, what he may send as besides what is his. */
enum directory_result directory_list_senders(struct directory *d, const char *user,
                                             directory_pair_fn *fn, void *ctx,
                                             struct err *err) MUST_CHECK;
/* Groups of a user, user. */
enum directory_result directory_list_groups_of(struct directory *d, const char *user,
                                               directory_pair_fn *fn, void *ctx,
                                               struct err *err) MUST_CHECK;

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
/* services: "" all. */
enum directory_result directory_set_services(struct directory *d, const char *user,
                                             const char *services, struct err *err) MUST_CHECK;
/* With his forwards, memberships and senders. */
enum directory_result directory_delete(struct directory *d, const char *user,
                                       struct err *err) MUST_CHECK;

/* alias_of NULL: a domain of its own. */
enum directory_result directory_add_domain(struct directory *d, const char *domain,
                                           const char *alias_of, struct err *err) MUST_CHECK;
enum directory_result directory_set_domain_services(struct directory *d, const char *domain,
                                                    const char *services,
                                                    struct err *err) MUST_CHECK;
/* IN_USE while it has accounts, aliases or groups, or is what another domain means. */
enum directory_result directory_delete_domain(struct directory *d, const char *domain,
                                              struct err *err) MUST_CHECK;

/* address: "sales@example.org" or "@example.org"; targets: any addresses, all or none. EXISTS:
 * it leads to one of them already. INVALID: it would lead to itself, or is the name of an
 * account. UNKNOWN: the domain is not ours. */
enum directory_result directory_add_alias(struct directory *d, const char *address,
                                          const char *const *targets, size_t count,
                                          struct err *err) MUST_CHECK;
/* target NULL: the whole alias. */
enum directory_result directory_delete_alias(struct directory *d, const char *address,
                                             const char *target, struct err *err) MUST_CHECK;
/* Replaces what was there; count 0: none. */
enum directory_result directory_set_forwards(struct directory *d, const char *user,
                                             const char *const *targets, size_t count,
                                             bool keep_copy, struct err *err) MUST_CHECK;
enum directory_result directory_add_group(struct directory *d, const char *group,
                                          struct err *err) MUST_CHECK;
enum directory_result directory_delete_group(struct directory *d, const char *group,
                                             struct err *err) MUST_CHECK;
/* UNKNOWN: no such group, or no such account; the text says which. */
enum directory_result directory_add_member(struct directory *d, const char *group, const char *user,
                                           struct err *err) MUST_CHECK;
enum directory_result directory_delete_member(struct directory *d, const char *group,
                                              const char *user, struct err *err) MUST_CHECK;
/* sender: an address, or "@example.org". */
enum directory_result directory_add_sender(struct directory *d, const char *user,
                                           const char *sender, struct err *err) MUST_CHECK;
enum directory_result directory_delete_sender(struct directory *d, const char *user,
                                              const char *sender, struct err *err) MUST_CHECK;

#endif
