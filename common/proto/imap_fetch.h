/*
 * imap_fetch - what a FETCH asks for. RFC 3501 section 6.4.5, RFC 7162 sections 3.1.4, 3.2.6.
 */
#ifndef PROTO_IMAP_FETCH_H
#define PROTO_IMAP_FETCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mail/mime.h"
#include "proto/imap_args.h"
#include "proto/imap_set.h"

enum {
	IMAP_FETCH_UID = 1 << 0,
	IMAP_FETCH_FLAGS = 1 << 1,
	IMAP_FETCH_INTERNALDATE = 1 << 2,
	IMAP_FETCH_SIZE = 1 << 3,
	IMAP_FETCH_MODSEQ = 1 << 4,
	IMAP_FETCH_ENVELOPE = 1 << 5,
	IMAP_FETCH_BODY = 1 << 6,
	IMAP_FETCH_BODYSTRUCTURE = 1 << 7,
};

#define IMAP_FETCH_SECTIONS_MAX 100
#define IMAP_FETCH_FIELDS_MAX 1000 /* names in one HEADER.FIELDS */

struct imap_fetch_section {
	struct slice label; /* as the response names it: "BODY[1.MIME]<0>" */
	struct mime_section section;
	bool fields, fields_not; /* HEADER.FIELDS, HEADER.FIELDS.NOT (both) */
	struct slice *names;     /* of the fields */
	size_t name_count;
	bool peek;
	bool partial;
	uint64_t from, n; /* partial: n is not 0 */
};

struct imap_fetch {
	struct imap_set set; /* not resolved */
	unsigned items;
	struct imap_fetch_section *sections;
	size_t section_count;
	bool changed_since, vanished;
	uint64_t since;
};

/* All arguments, to the end. Memory is a's arena. False: imap_args_bad() says why. */
bool imap_fetch_read(struct imap_args *a, struct imap_fetch *f_r);
/* Does it set \Seen? */
bool imap_fetch_sees(const struct imap_fetch *f);

#endif
