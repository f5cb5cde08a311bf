/*
 * imap_search - the program of a SEARCH as a tree. RFC 3501 section 6.4.4, RFC 4731 (RETURN),
 * RFC 5032 (OLDER, YOUNGER), RFC 7162 section 3.1.5 (MODSEQ).
 *
 * The tree is at most IMAP_SEARCH_DEPTH_MAX deep, so who walks it may recurse; chains of OR
 * and NOT are flat in it. Strings are as they came, in the charset that was named.
 */
#ifndef PROTO_IMAP_SEARCH_H
#define PROTO_IMAP_SEARCH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"
#include "proto/imap_args.h"
#include "proto/imap_set.h"

#define IMAP_SEARCH_DEPTH_MAX 50
#define IMAP_SEARCH_NODES_MAX 10000

enum imap_search_op {
	/* with children */
	IMAP_SEARCH_AND, /* none: all */
	IMAP_SEARCH_OR,  /* two or more */
	/* leaves, and what of the node they use */
	IMAP_SEARCH_NUMBERS,    /* set, of message numbers */
	IMAP_SEARCH_UIDS,       /* set */
	IMAP_SEARCH_FLAG,       /* text: "\\Seen", or a keyword */
	IMAP_SEARCH_RECENT,     /* - */
	IMAP_SEARCH_BEFORE,     /* day: internal date; the SENT keys: the Date field */
	IMAP_SEARCH_ON,         /* day */
	IMAP_SEARCH_SINCE,      /* day */
	IMAP_SEARCH_SENTBEFORE, /* day */
	IMAP_SEARCH_SENTON,     /* day */
	IMAP_SEARCH_SENTSINCE,  /* day */
	IMAP_SEARCH_LARGER,     /* number */
	IMAP_SEARCH_SMALLER,    /* number */
	IMAP_SEARCH_OLDER,      /* number: seconds, at least */
	IMAP_SEARCH_YOUNGER,    /* number: seconds, at most */
	IMAP_SEARCH_MODSEQ,     /* number: at least */
	IMAP_SEARCH_HEADER,     /* field, text */
	IMAP_SEARCH_BODY,       /* text */
	IMAP_SEARCH_TEXT,       /* text */
};

struct imap_search_node {
	enum imap_search_op op;
	bool invert; /* NOT: messages for which op is not true */
	struct imap_search_node *child, *next;
	struct imap_set set;
	struct slice text, field;
	int32_t day;
	uint64_t number;
	void *owner; /* for the one who evaluates; NULL at first */
};

enum {
	IMAP_SEARCH_MIN = 1 << 0,
	IMAP_SEARCH_MAX = 1 << 1,
	IMAP_SEARCH_COUNT = 1 << 2,
	IMAP_SEARCH_ALL = 1 << 3,
};

struct imap_search {
	bool extended;        /* RETURN: answer with ESEARCH */
	unsigned results;     /* what of */
	struct slice charset; /* empty: none was named */
	bool modseq;          /* a MODSEQ key is in it: tell the highest */
	struct imap_search_node root;
};

/* All arguments, to the end. Memory is a's arena. False: imap_args_bad() says why. */
bool imap_search_read(struct imap_args *a, struct imap_search *s_r);
/* The same of SORT and THREAD: SP charset 1*(SP search-key). RFC 5256 section 5. */
bool imap_search_read_sorted(struct imap_args *a, struct imap_search *s_r);

#endif
