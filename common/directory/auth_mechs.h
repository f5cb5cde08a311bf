/*
 * auth_mechs - what the settings say about ways to log in. Pure.
 */
#ifndef DIRECTORY_AUTH_MECHS_H
#define DIRECTORY_AUTH_MECHS_H

#include <stdbool.h>

#include "base/err.h"
#include "base/must.h"
#include "conf/conf.h"

/* What auth_mechs() says: the setting `login_mechs` in the order of our preference, GSSAPI with
 * `kerberos_keytab` only; but for front ends always PLAIN too, by which front ends and stores log
 * in. */
#define AUTH_MECHS_MAX 64
void auth_mechs_of(const struct conf *c, char mechs_r[AUTH_MECHS_MAX]);
bool auth_mechs_have_gssapi(const struct conf *c);

/* Contradictions: who could not log in by anything. -1 with the operator's text. */
int auth_mechs_check(const struct conf *c, struct err *err) MUST_CHECK;

#endif
