/*
 * smtp_owner - a caller of smtp_server for tests. What the machine says and asks for is
 * written down in order, events in <>.
 *
 * Senders: "temp" is put off. Recipients: "no*" are refused, "hold*" are answered later by
 * the test, all others accepted. Bodies: "reject" in them refuses at the end, "stop" at once.
 * Logins: fred with "pw".
 */
#ifndef UNIT_COMMON_PROTO_SMTP_OWNER_H
#define UNIT_COMMON_PROTO_SMTP_OWNER_H

#include "proto/smtp_server.h"

struct owner {
	struct smtp_server_settings settings;
	struct smtp_server *s;
	struct buf log;
	struct buf *notes; /* the events: &log, unless the test has another place */
	struct buf body;
	bool accepted[64];
	size_t rcpts;
	bool ended;
	bool hold_final; /* BODY_END is answered by the test */
};

void owner_init(struct owner *o, bool lmtp);
void owner_fini(struct owner *o);
/* Feeds all of in; returns what was not consumed. */
struct slice owner_feed(struct owner *o, struct slice in);
/* The same in two parts. */
void owner_feed_cut(struct owner *o, struct slice in, size_t cut);

#endif
