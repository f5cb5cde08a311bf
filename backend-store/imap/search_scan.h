/*
 * search_scan - one message after the other that a search program wants, a few milliseconds at a
 * time: what SEARCH, SORT and THREAD have in common.
 */
#ifndef IMAP_SEARCH_SCAN_H
#define IMAP_SEARCH_SCAN_H

#include "imap/search_match.h"
#include "imap/session_impl.h"

struct search_scan {
	struct imap_search program; /* read by the caller */
	struct search_match match;
	uint32_t next; /* number */
};

/* The program has been read. False: its charset is unknown, and the command is over. fini in both
 * cases. */
bool search_scan_init(struct search_scan *sc, struct imap_session *s) MUST_CHECK;
void search_scan_fini(struct search_scan *sc);

enum search_step {
	SEARCH_FOUND, /* *seq_r and *m_r, which is borrowed until the next call */
	SEARCH_PAUSE, /* return to the loop */
	SEARCH_END
};
/* Messages that others have expunged are left out. */
enum search_step search_scan_next(struct search_scan *sc, uint32_t *seq_r, const struct msg **m_r);

#endif
