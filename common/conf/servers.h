/*
 * servers - the stores of the settings, `[server NAME]`, as a front end reaches them.
 *
 * Credentials for them are the auth workers' business (directory/auth.h), also those of
 * foreign stores (kind = imap: proxy_user and proxy_secret).
 */
#ifndef CONF_SERVERS_H
#define CONF_SERVERS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/must.h"
#include "base/slice.h"
#include "conf/conf.h"
#include "net/addr.h"

struct tls_ctx;

enum server_kind { SERVER_ROOST, SERVER_FOREIGN }; /* in the order of the setting's words */

struct server {
	const char *name; /* as the location map says it */
	enum server_kind kind;
	/* Its mailboxes are in the list of locations. False: foreign, and its users are those whose
	 * home it is in the directory, whatever the list says. */
	bool listed;
	const struct addr *imap, *pop3, *lmtp; /* NULL: it does not do that */
	bool starttls;                         /* never go on without */
	struct tls_ctx *tls;                   /* with starttls; borrowed */
	const char *tls_name;                  /* in its certificate */

	/* What the store announced after the last login there: a set of bits of the
	 * protocol's own making; known is false until somebody was there. */
	struct {
		bool known;
		uint64_t bits;
	} imap_offer;
};

struct servers;

/* conf and tls are borrowed. tls: for [server] tls = starttls; may be NULL when no server
 * has it, else it is an error. NULL with the operator's text. */
struct servers *servers_new(const struct conf *conf, struct tls_ctx *tls,
                            struct err *err) MUST_CHECK;
void servers_free(struct servers **s);

/* Does any server want STARTTLS (so that a client context is needed)? */
bool servers_want_tls(const struct conf *conf);

/* NULL: the settings have no such server. Borrowed for the life of s. */
struct server *servers_find(struct servers *s, struct slice name);
/* Is there one that is not listed? */
bool servers_have_unlisted(const struct servers *s);
size_t servers_count(const struct servers *s);
/* i < servers_count(), in the order of the file. */
struct server *servers_at(struct servers *s, size_t i);

#endif
