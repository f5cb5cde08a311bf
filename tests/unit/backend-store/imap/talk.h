/*
 * talk - clients of the service in world.h whose answers are compared byte by byte, and
 * messages that come in behind their back.
 */
#ifndef UNIT_BACKEND_STORE_IMAP_TALK_H
#define UNIT_BACKEND_STORE_IMAP_TALK_H

#include "base/buf.h"
#include "base/slice.h"
#include "world.h"

struct talk {
	struct world *world;
	struct conn *conn;
	struct buf in;
	bool ended; /* by the server */
};

/* A user of the world, logged in. */
void talk_init(struct talk *t, struct world *w, const char *user);
/* Closes. */
void talk_fini(struct talk *t);
/* A world with one client, fred, who has selected nothing yet. */
void talk_world_init(struct world *w, struct talk *t);
void talk_world_fini(struct world *w, struct talk *t);

/* Sends what as it is and lets everything run. */
void talk_send(struct talk *t, const char *what);
/* All that has come since the last time, borrowed until the next call. */
struct slice talk_heard(struct talk *t);
/* Says line and CRLF; the whole answer must be this. */
void talk_check(struct talk *t, const char *line, const char *answer);
/* Says line and CRLF; the last line of the answer, without its end. Borrowed as above. */
struct slice talk_last(struct talk *t, const char *line);
/* The same; it must be this. */
void talk_check_end(struct talk *t, const char *line, const char *last);
/* Has it been told this, and nothing else, since the last time? */
void talk_check_news(struct talk *t, const char *what, const char *news);
/* SELECT of INBOX. */
void talk_select(struct talk *t);
/* Takes no bytes from the server, or does so again. */
void talk_stop_reading(struct talk *t, bool stop);

/* A message into the mailbox of this canonical name, and everything runs. */
struct talk_msg {
	struct slice body;
	uint8_t flags;
	const char *keyword; /* NULL: none */
	int64_t date;        /* 0: 1 January 2024, noon UTC */
};
void talk_put(struct world *w, const char *mbox, const struct talk_msg *m);
void talk_put_text(struct world *w, const char *mbox, const char *body);

/* A test in worlds of its own: whole, and cut into pieces of 1 and 7; INBOX holds these
 * messages, or messages of these bodies; t has it selected. */
typedef void talk_fn(struct talk *t);
void talk_play_messages(const struct talk_msg *msgs, size_t count, talk_fn *fn);
void talk_play(const char *const *bodies, size_t count, talk_fn *fn);
/* What t is answered to line while another session of fred's in INBOX says all of beside. Borrowed
 * as above. */
struct slice talk_disturbed(struct talk *t, const char *line, const char *beside);

#endif
