/*
 * who - the sessions of a program, as the control command `who` lists them (ctl/ctl.h).
 *
 * Each service goes through its own by a function xxx_each(service, fn, ctx):
 *
 *	struct who who = { .sessions = json_set_array(fields, "sessions"), .user = ... };
 *
 *	imap_proxy_each(imap, who_add, &who);
 */
#ifndef SESSION_WHO_H
#define SESSION_WHO_H

#include <stdbool.h>
#include <stdint.h>

struct json;

/* Borrowed for the call. */
struct who_session {
	const char *service; /* "imap" */
	const char *id, *peer;
	const char *user;    /* NULL before the login */
	const char *store;   /* where the mail is; NULL: not known, or here */
	const char *mailbox; /* NULL: nothing is selected */
	const char *state;   /* "SELECTED"; the service's own words */
	bool tls;
	uint64_t age_s;
};
typedef void who_fn(void *ctx, const struct who_session *s);

struct who {
	struct json *sessions; /* an array */
	const char *user;      /* only his; NULL: all */
	const char *store;     /* of all that do not name one; NULL: none */
};

/* A who_fn; who is a struct who. */
void who_add(void *who, const struct who_session *s);

#endif
