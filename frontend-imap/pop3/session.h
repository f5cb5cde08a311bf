/*
 * session - POP3 on a front end: what session/pop3_session.h leads to is the user's home,
 * and the store there does the rest.
 *
 * A user whose home cannot be found or reached for whatever reason is told [SYS/TEMP]:
 * mail clients keep the password and come again.
 */
#ifndef POP3_SESSION_H
#define POP3_SESSION_H

#include "conf/conf.h"
#include "metrics/metrics.h"
#include "route/home.h"
#include "session/pop3_session.h"

/* Settings of roost-imap, beside those of conf/common.h. */
extern const struct conf_def pop3_conf_table[];

/* Beside pop3_metrics. */
enum { POP3_PROXY_M_STORE_LOST, POP3_PROXY_M_COUNT };
extern struct metric pop3_proxy_metrics[POP3_PROXY_M_COUNT];

/* owner is the struct home; the service is freed before it. */
extern const struct pop3_ops pop3_proxy_ops;

#endif
