/*
 * secrets - are these the right password, and which SCRAM keys does a name have? Of accounts
 * and of identities in the settings. Blocking; for auth workers (policy.c).
 *
 * Positive answers are remembered for SECRETS_LIFE_S: hashing is slow on purpose, and clients
 * log in all the time. What is kept is a MAC of name, stored secret and password under a key
 * that lives in this process only. Nothing but the hashing is remembered: the account is read
 * for each login, and a changed password has another stored secret, so the old one fails at
 * once. (What a database that is cached elsewhere says late is late here too.)
 */
#ifndef DIRECTORY_SECRETS_H
#define DIRECTORY_SECRETS_H

#include <stdbool.h>

#include "base/slice.h"
#include "sasl/scram.h"

#define SECRETS_LIFE_S 30

struct secrets;

/* cluster_secret may be empty. */
struct secrets *secrets_new(struct slice cluster_secret);
void secrets_free(struct secrets **s);

/* stored: the account's secret (directory/passwd.h). */
bool secrets_check(struct secrets *s, const char *user, const char *stored,
                   struct slice password) MUST_CHECK;
/* setting: a password in clear, or as directory/passwd.h has it; NULL: none. */
bool secrets_check_setting(struct secrets *s, const char *name, const char *setting,
                           struct slice password) MUST_CHECK;

/* Tells a wrong password of a user from his others, on all hosts with this cluster_secret; a
 * number that nobody without it can get the password from. Never 0. */
uint64_t secrets_fingerprint(const struct secrets *s, const char *user, struct slice password);

/* The keys stored; without any, such as no password fits, the same every time for this name
 * and on all hosts with this cluster_secret, so that nobody can tell. True: real ones. */
bool secrets_keys(struct secrets *s, const char *user, const char *stored, struct scram_keys *k_r);
/* Keys for a password in clear are made here, once for each name and password. */
bool secrets_setting_keys(struct secrets *s, const char *name, const char *setting,
                          struct scram_keys *k_r);

#endif
