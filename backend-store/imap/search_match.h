/*
 * search_match - is a message one of those that a SEARCH program wants? RFC 3501 section
 * 6.4.4, RFC 5032, RFC 7162 section 3.1.5.
 *
 * What costs little is looked at first: the message table, then the summary, then the header,
 * then the body. A message that cannot be read matches no key that needs its bytes.
 */
#ifndef IMAP_SEARCH_MATCH_H
#define IMAP_SEARCH_MATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "imap/fetch_body.h"
#include "imap/view.h"
#include "proto/imap_search.h"

struct imap_session;

struct search_match {
	struct imap_session *session;
	struct imap_search_node *root;
	int64_t now_s;
	struct fetch_body body;
	uint32_t seq;            /* of the message being looked at */
	enum mbox_result failed; /* why it could not be read; MBOX_OK */
	bool worked;             /* a text was looked for in this turn */
	bool later;              /* the next one has to wait for another turn */
};

/* Prepares the program: strings to UTF-8 and folded, sets resolved, keys in order of their
 * cost. All is borrowed for its life. False: the charset is unknown; fini all the same. */
bool search_match_init(struct search_match *m, struct imap_session *s, struct imap_search *program,
                       int64_t now_s) MUST_CHECK;
void search_match_fini(struct search_match *m);

/* The message with this number, as it is now. LATER: others have waited long enough; called
 * again for the same message it goes on where it was. Numbers ascend. */
enum search_answer { SEARCH_NO, SEARCH_YES, SEARCH_LATER };
enum search_answer search_match(struct search_match *m, uint32_t seq, const struct msg *msg);

#endif
