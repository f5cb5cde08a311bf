/*
 * fakeauth - directory/auth.h from a table, in this process: for session tests and
 * scenarios on the fake network. Answers in the next turn of the loop.
 */
#ifndef TESTS_FAKEAUTH_FAKEAUTH_H
#define TESTS_FAKEAUTH_FAKEAUTH_H

#include "directory/auth.h"
#include "net/loop.h"

/* PLAIN only. The default domain is example.org: `fred@example.org` is user `fred`;
 * pass default_domain NULL for none. Free with auth_free(), before the loop. */
struct auth *fakeauth_new(struct loop *l, const char *default_domain);

/* user is canonical ("fred", "ann@example.net"). home may be "". Copies. */
void fakeauth_add_user(struct auth *a, const char *user, const char *password, const char *home);
/* Domains of users are ours by themselves; this adds empty ones. */
void fakeauth_add_domain(struct auth *a, const char *domain);
/* An alias or list: address resolves to these users ("fred ann@example.net"); what follows
 * ">" are addresses elsewhere ("fred >x@example.com"). */
void fakeauth_add_alias(struct auth *a, const char *address, const char *users);
/* groups: as in struct auth_reply. */
void fakeauth_set_groups(struct auth *a, const char *user, const char *groups);
/* user may send as sender too, besides his own address and what leads to him alone. */
void fakeauth_add_sender(struct auth *a, const char *sender, const char *user);
/* This address is an alias that leads to itself. */
void fakeauth_add_loop(struct auth *a, const char *address);
void fakeauth_disable_user(struct auth *a, const char *user);

/* An [identity]: user for services such as "mupdate"; admin may act for any user. */
void fakeauth_add_identity(struct auth *a, const char *name, const char *password, bool admin);

/* Everything answers AUTH_TEMP until set back: the directory is away. */
void fakeauth_set_temp(struct auth *a, bool temp);
/* Nothing answers at all until set back (then all at once): auth workers hang. */
void fakeauth_set_silent(struct auth *a, bool silent);

/* Credentials it gives: authcid "roost-proxy", secret "token:USER:SERVICE:STORE:CLAIM" and, when
 * there are groups, ":GROUPS".
 * As a store it takes such a secret as a valid login for authzid USER (claim in the
 * reply, proxied = true), whatever SERVICE and STORE say. Service "cluster": "peer:STORE:CLAIM"
 * for any store. */

#endif
