/*
 * imap_auth - the words of LOGIN and AUTHENTICATE, the same on a store and on a front end: what of
 * them goes to the auth workers, and what is refused at once. RFC 3501 sections 6.2.2 and 6.2.3,
 * RFC 4959.
 *
 * What the auth workers answer is the owner's, challenges ("+ ") too. What is decoded here is wiped
 * here; what imap_cmd has decoded it wipes itself.
 */
#ifndef SESSION_IMAP_AUTH_H
#define SESSION_IMAP_AUTH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"
#include "directory/auth.h"

/* Who asks with which words, and who hears the answer. */
struct imap_auth_ask {
	struct auth *auth;
	struct auth_session session;
	bool allowed; /* passwords may be said here: TLS, or a network that we trust so far */
	/* The command's head, as in struct imap_cmd_event. */
	const struct slice *args;
	struct slice text;
	bool last;
	auth_fn *fn;
	void *ctx;
};

/* NULL: fn will be called, *id_r is for auth_cancel(). Else the answer to the command, without its
 * tag: "BAD ..." or "NO ...", static. */
const char *imap_auth_login(const struct imap_auth_ask *ask, uint64_t *id_r);
const char *imap_auth_authenticate(const struct imap_auth_ask *ask, uint64_t *id_r);

/* A line of the client's, behind a challenge of *id. As above; where it ends the conversation
 * ("*", no base64) that is cancelled, and *id is 0. */
const char *imap_auth_line(struct auth *a, uint64_t *id, struct slice line);

#endif
