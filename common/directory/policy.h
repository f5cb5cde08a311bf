/*
 * policy - who may log in where, and as whom: accounts of the directory, identities of
 * the settings, front ends by token. Blocking; runs in auth workers.
 *
 * The order: authcid `roost-proxy` is a token; a name of an [identity] is that identity
 * (for its services); everybody else is an account (not for mupdate). Accounts act for
 * themselves; an identity for itself, with admin = yes for any account; a token for its
 * own user only. The service "cluster" is for stores among themselves: credentials need no
 * grant, the claim is the number the other store made up, and the login is the other store's
 * name with such a token.
 */
#ifndef DIRECTORY_POLICY_H
#define DIRECTORY_POLICY_H

#include "conf/conf.h"
#include "directory/auth.h"
#include "directory/directory.h"
#include "directory/resolve.h"
#include "sasl/scram.h"

struct policy;

/* c is borrowed. The directory may be NULL (then there are no accounts). Takes *d. */
struct policy *policy_new(const struct conf *c, struct directory **d);
void policy_free(struct policy **p);

struct policy_answer {
	enum auth_result result;
	char user[DIRECTORY_NAME_MAX + 1];
	char authcid[DIRECTORY_NAME_MAX + 1];
	bool proxied, admin;
	uint64_t claim;
	/* DENIED: user is whose password was wrong, as far as that can be said */
	uint64_t fingerprint;
	char groups[DIRECTORY_GROUPS_MAX + 1];
	char grant[AUTH_GRANT_MAX];
};

/* By password. authzid empty: the same as authcid. Names are prepared here (SASLprep). */
void policy_login(struct policy *p, const char *service, struct slice authzid, struct slice authcid,
                  struct slice secret, struct policy_answer *a_r);

/* Whom a client means: canonical, or in lower case when it cannot be a user's. */
void policy_name(struct policy *p, struct slice authcid, char name_r[DIRECTORY_NAME_MAX + 1]);

/* SCRAM, first step: the keys to prove against. Names that may not log in so get made-up ones
 * (directory/secrets.h) and OK, or TEMP with a directory that is away. */
enum auth_result policy_scram_keys(struct policy *p, const char *service, struct slice authcid,
                                   struct scram_keys *k_r);
/* SCRAM, last step: authcid has proved that he knows the password of those keys. */
void policy_permit(struct policy *p, const char *service, struct slice authzid,
                   struct slice authcid, struct policy_answer *a_r);

/* GSSAPI: this Kerberos principal has shown a ticket. An identity of exactly that name, and
 * without a password, is that identity. "fred", of the realm that is the host's default, is the user fred of the default
 * domain; "fred@OTHER.NET" is fred@other.net where the setting `kerberos_realms` has OTHER.NET.
 * No other principal is a user ("fred/admin", "host/x": never). */
void policy_permit_principal(struct policy *p, const char *service, struct slice authzid,
                             struct slice principal, struct policy_answer *a_r);

#define POLICY_SECRET_MAX 1536
struct policy_credentials {
	enum auth_result result;
	char user[DIRECTORY_NAME_MAX + 1];
	char authcid[DIRECTORY_NAME_MAX + 1];
	char secret[POLICY_SECRET_MAX];
};
void policy_make_credentials(struct policy *p, const char *grant, const char *service,
                             const char *store, uint64_t claim, struct policy_credentials *c_r);

/* For auth_resolve(). resolved_fini() is the caller's. */
void policy_resolve(struct policy *p, struct slice address, struct resolved *r_r);

/* For auth_may_send(). */
enum auth_result policy_may_send(struct policy *p, struct slice user, struct slice sender);

/* For auth_lookup(): the account itself, whatever its status. */
enum auth_result policy_lookup(struct policy *p, struct slice user, struct directory_account *a_r);

#endif
