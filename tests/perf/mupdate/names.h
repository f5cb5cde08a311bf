/*
 * names - the names of all measurements of the location service: the same ones, in the same
 * order, for our master, for Cyrus and for bare LMDB.
 *
 * Nine of ten are users' (INBOX and 19 folders each), one of ten is shared
 * ("lists.g000001.t000001"), readable by everybody. number 0 .. total-1; the order is
 * scattered over the whole range, as changes of real users are.
 */
#ifndef PERF_MUPDATE_NAMES_H
#define PERF_MUPDATE_NAMES_H

#include <stddef.h>
#include <stdint.h>

#define NAMES_FOLDERS 20   /* of a user, INBOX included */
#define NAMES_IN_GROUP 100 /* shared ones below one level */
#define NAMES_SHARED_EACH 10

struct names_row {
	char name[64];
	char place[64]; /* "s1!default" */
	char owner[32]; /* the only identifier of the ACL */
	const char *rights;
	char acl[64];
};

/* The number-th of total rows; scattered. */
void names_row(struct names_row *row_r, const char *server, uint64_t number, uint64_t total);
/* The same without scattering: in the order of users. */
void names_row_at(struct names_row *row_r, const char *server, uint64_t at);

#endif
