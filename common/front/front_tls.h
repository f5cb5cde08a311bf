/*
 * front_tls - the TLS of a front end: towards clients (tls_cert, tls_key) and towards
 * stores ([server] tls, tls_ca).
 */
#ifndef FRONT_FRONT_TLS_H
#define FRONT_FRONT_TLS_H

#include <stdbool.h>

#include "base/err.h"
#include "base/must.h"
#include "conf/conf.h"
#include "tls/tls.h"

/* For a program's `check`: both files or none, and they can be read. -1 with the operator's
 * sentence. */
int front_tls_check(const struct conf *c, struct err *err) MUST_CHECK;
/* Is there a certificate in the settings? */
bool front_tls_has_cert(const struct conf *c);

/* For clients and for stores; NULL where it is not needed. False with the operator's sentence;
 * what was made is the caller's all the same. */
bool front_tls_open(const struct conf *c, struct tls_ctx **clients_r, struct tls_ctx **stores_r,
                    struct err *err) MUST_CHECK;

#endif
