/*
 * origin - what a hop before us says of the client: his address, and the session's name on all
 * tiers; by XCLIENT (SMTP, LMTP, POP3) or ID (IMAP). No RFC: the words are those of Postfix and
 * Dovecot. They end up in logs and on other wires, so only what looks like one is taken.
 */
#ifndef PROTO_ORIGIN_H
#define PROTO_ORIGIN_H

#include <stdbool.h>

#include "base/slice.h"

#define ORIGIN_SESSION_MAX 64 /* octets */

/* "192.0.2.1", "2001:db8::1" */
bool origin_is_address(struct slice s);
/* 1 to ORIGIN_SESSION_MAX letters, digits and "-_.+/=:". */
bool origin_is_session(struct slice id);

#endif
