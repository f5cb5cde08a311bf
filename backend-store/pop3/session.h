/*
 * session - POP3 on a store: what session/pop3_session.h leads to is the user's INBOX.
 *
 * A session sees it as it was at the login: numbers and sizes stay, whatever others do
 * meanwhile. There is no lock: several sessions may be in one maildrop (RFC 1939 section 3
 * asks for one, so that numbers hold; the snapshot does that). Deletions happen at QUIT and
 * are on disk when it is answered.
 *
 * UIDL is "uidvalidity.uid", as Cyrus has it; both survive moves.
 */
#ifndef POP3_SESSION_H
#define POP3_SESSION_H

#include "conf/conf.h"
#include "mailbox/store.h"
#include "metrics/metrics.h"
#include "session/pop3_session.h"

/* Settings of roost-store, beside those of conf/common.h: pop3_listen, pop3s_listen, ... */
extern const struct conf_def pop3_conf_table[];

/* Beside pop3_metrics. */
enum { POP3_STORE_M_RETRIEVED, POP3_STORE_M_DELETED, POP3_STORE_M_COUNT };
extern struct metric pop3_store_metrics[POP3_STORE_M_COUNT];

/* owner is the struct store; the service is freed before that is closed. */
extern const struct pop3_ops pop3_store_ops;

#endif
