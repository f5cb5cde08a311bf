/*
 * message_key - what SORT and THREAD compare of a message: its date, base subject and addresses.
 * RFC 5256 sections 2 and 3, RFC 5957 section 3.
 *
 * Texts are collated (text/fold.h): they sort as bytes do. Those of a message that cannot be read
 * are empty, its date is the internal one.
 */
#ifndef IMAP_MESSAGE_KEY_H
#define IMAP_MESSAGE_KEY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "imap/fetch_body.h"

struct message_key {
	struct fetch_body *body; /* borrowed */
	struct arena *arena;
	struct buf decoded, base, text;
};

void message_key_init(struct message_key *k);
void message_key_fini(struct message_key *k);
/* The message that has been started there. */
void message_key_start(struct message_key *k, struct fetch_body *body);

/* Seconds since 1970. */
int64_t message_key_sent(struct message_key *k);
/* The value of its first field of this name; empty: none. Borrowed until the next message. */
struct slice message_key_field(struct message_key *k, const char *name);

/* All borrowed until the next call. answer_r (or NULL): is it an answer, or forwarded? */
struct slice message_key_subject(struct message_key *k, bool *answer_r);
/* Of the first address in this field, the part before the "@". */
struct slice message_key_local(struct message_key *k, const char *field);
/* Its name, or the address. */
struct slice message_key_display(struct message_key *k, const char *field);

#endif
