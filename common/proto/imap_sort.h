/*
 * imap_sort - the arguments of SORT and THREAD in front of what is searched for. RFC 5256
 * section 5, RFC 5957 (DISPLAYFROM, DISPLAYTO).
 */
#ifndef PROTO_IMAP_SORT_H
#define PROTO_IMAP_SORT_H

#include <stdbool.h>

#include "proto/imap_args.h"

enum imap_sort_key {
	IMAP_SORT_ARRIVAL,
	IMAP_SORT_CC,
	IMAP_SORT_DATE,
	IMAP_SORT_DISPLAYFROM,
	IMAP_SORT_DISPLAYTO,
	IMAP_SORT_FROM,
	IMAP_SORT_SIZE,
	IMAP_SORT_SUBJECT,
	IMAP_SORT_TO,
	IMAP_SORT_KEYS
};

struct imap_sort {
	unsigned count; /* each key once: again it would decide nothing */
	struct {
		enum imap_sort_key key;
		bool reverse;
	} by[IMAP_SORT_KEYS];
};

/* SP "(" keys ")". */
bool imap_sort_read(struct imap_args *a, struct imap_sort *s_r);

enum imap_thread { IMAP_THREAD_ORDEREDSUBJECT, IMAP_THREAD_REFERENCES };
/* SP algorithm. */
bool imap_thread_read(struct imap_args *a, enum imap_thread *t_r);

#endif
