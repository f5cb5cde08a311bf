/*
 * auth - what a worker asks the auth workers: SASL conversations, credentials for
 * stores, recipients and users. Asynchronous.
 *
 * Every call gives an id and is answered once by its callback, from the loop, never
 * from inside the call; after auth_cancel(id) it is not called any more. Whatever goes
 * wrong on the way (auth worker gone, directory locked, deadline `auth_timeout`) is
 * AUTH_TEMP: "later". AUTH_DENIED and AUTH_UNKNOWN come from positive knowledge only.
 *
 * Implementations: directory/auth_pipe.h (socket pairs to auth workers; svc_auth() gives
 * it), tests/fakeauth (a table, for scenarios).
 */
#ifndef DIRECTORY_AUTH_H
#define DIRECTORY_AUTH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/must.h"
#include "base/slice.h"

struct auth;
struct conn;

enum auth_result {
	AUTH_OK,
	AUTH_CONTINUE, /* send the challenge, answer with auth_step() */
	AUTH_DENIED,   /* wrong password, unknown or disabled user, not allowed here */
	AUTH_INVALID,  /* the exchange is malformed or the mechanism not offered */
	AUTH_UNKNOWN,  /* no such address or user */
	AUTH_TEMP,
	AUTH_LIMIT, /* logins: not now, whatever the password: see auth_reply's why */
};
const char *auth_result_name(enum auth_result r); /* "ok", for logs */

/* ---- logins ------------------------------------------------------------------------- */

struct auth_session {
	const char *service; /* imap pop3 smtp lmtp mupdate sieve */
	const char *session; /* session id, for the log */
	const char *peer;    /* client address, for the log */
	bool tls;            /* the client's conn is encrypted */
	/* The client's, for limits by user; NULL: they do not hold. Lives until the answer, or
	 * auth_cancel(). */
	const struct conn *conn;
};

struct auth_reply {
	enum auth_result result;
	struct slice challenge; /* CONTINUE: raw, not base64 */
	/* OK: */
	const char *user;    /* authorised identity, canonical (lower case, no default domain).
			      * CONTINUE: "", or who has proved to be he: the challenge is our proof */
	const char *authcid; /* who proved who he is; often the same */
	bool proxied;        /* a front end speaks for user, by token */
	bool admin;          /* an identity with admin = yes */
	uint64_t claim;      /* proxied: the claim the front end knew */
	/* Of user, "" none: names with spaces between, without "group:". Those of the default
	 * domain are bare ("staff"), others have theirs ("staff@example.net"). */
	const char *groups;
	const char *grant; /* for auth_credentials(); opaque, shorter than AUTH_GRANT_MAX */
	/* DENIED: whose password was wrong (canonical if it can be; user above), and a number that
	 * is the same for the same wrong password of his; 0: nobody can say. */
	uint64_t fingerprint;
	const char *why; /* LIMIT: a sentence for the client */
};
#define AUTH_GRANT_MAX 1536

/* reply is borrowed until it returns. */
typedef void auth_fn(void *ctx, uint64_t id, const struct auth_reply *reply);

/* Begins a conversation. initial.p NULL: the client sent no initial response (an empty
 * one is p != NULL, n == 0). A conversation ends with any result but CONTINUE. DENIED is
 * answered after `login_failure_delay`, and is logged by us. */
uint64_t auth_start(struct auth *a, const struct auth_session *s, const char *mech,
                    struct slice initial, auth_fn *fn, void *ctx);
/* The client's response, decoded. Same id, same callback. Only after CONTINUE. */
void auth_step(struct auth *a, uint64_t id, struct slice response);
/* LOGIN, USER/PASS: a user name as the client wrote it and a password. Wiping the
 * password is the caller's. */
uint64_t auth_login(struct auth *a, const struct auth_session *s, struct slice user,
                    struct slice password, auth_fn *fn, void *ctx);
/* Also aborts a conversation (client sent `*`, client gone). Unknown ids are fine. */
void auth_cancel(struct auth *a, uint64_t id);

/* Mechanisms on offer, "PLAIN" or "PLAIN LOGIN". Borrowed. Empty: none. */
const char *auth_mechs(const struct auth *a);
/* Is this one on offer? */
bool auth_offers(const struct auth *a, const char *mech);

/* ---- credentials for stores ---------------------------------------------------------- */

struct auth_credentials {
	enum auth_result result; /* OK, DENIED (no grant), TEMP */
	/* For SASL PLAIN: authzid is the user of the grant. Wiped when the callback returns. */
	const char *authzid, *authcid, *secret;
};
typedef void auth_credentials_fn(void *ctx, uint64_t id, const struct auth_credentials *c);

/* A claim that says: his home is another store, he comes for the mailboxes of others. */
#define AUTH_CLAIM_GUEST UINT64_MAX

/* (Service "cluster": what a store shows to another store; grant "", claim: the number that
 * store made up. Taken there by auth_login() with our name; the reply has the number.) */
/* What a front end shows to a store for a user who logged in: a token (Roost) or the
 * proxy login ([server] kind = imap). Valid 60 s. */
uint64_t auth_credentials(struct auth *a, const char *grant, const char *service, const char *store,
                          uint64_t claim, auth_credentials_fn *fn, void *ctx);

/* ---- addresses and users --------------------------------------------------------------- */

struct auth_final {
	const char *user;   /* canonical: "fred@example.org", "fred" of the default domain */
	const char *detail; /* "" without one */
	const char *home;   /* store for mailboxes that do not exist yet; "" unknown */
};

struct auth_resolved {
	enum auth_result result;         /* OK, UNKNOWN, DENIED (exists, may not receive), TEMP,
					 * INVALID (not an address) */
	bool relay_domain_unknown;       /* UNKNOWN: the domain is not ours at all */
	bool loop;                       /* DENIED: aliases that lead to themselves only (5.4.6) */
	const struct auth_final *finals; /* OK: each user and detail once */
	size_t final_count;
	const char *const *relays; /* OK: addresses elsewhere ("x@example.com"), each once. Both
	                            * may be there, and one of them is */
	size_t relay_count;
};
typedef void auth_resolve_fn(void *ctx, uint64_t id, const struct auth_resolved *r);

/* address: "fred+list@example.org" without angle brackets; "postmaster" alone and bare
 * local parts belong to the default domain. */
uint64_t auth_resolve(struct auth *a, struct slice address, const char *session,
                      auth_resolve_fn *fn, void *ctx);

struct auth_user {
	enum auth_result result; /* OK, UNKNOWN, TEMP */
	const char *user;        /* canonical */
	const char *home;        /* store for his mailboxes; "" unknown */
	bool disabled;
};
typedef void auth_user_fn(void *ctx, uint64_t id, const struct auth_user *u);
uint64_t auth_lookup(struct auth *a, struct slice user, auth_user_fn *fn, void *ctx);

/* May this user (canonical, logged in) send as this envelope sender or From address? His own
 * address and its subaddresses, aliases that lead to him alone, what is granted to him; the
 * empty sender. OK, DENIED, TEMP. */
typedef void auth_may_send_fn(void *ctx, uint64_t id, enum auth_result result);
uint64_t auth_may_send(struct auth *a, struct slice user, struct slice sender, auth_may_send_fn *fn,
                       void *ctx);

/* ---- for implementations ----------------------------------------------------------------- */

struct auth_ops {
	uint64_t (*start)(struct auth *a, const struct auth_session *s, const char *mech,
	                  struct slice initial, auth_fn *fn, void *ctx);
	void (*step)(struct auth *a, uint64_t id, struct slice response);
	void (*cancel)(struct auth *a, uint64_t id);
	const char *(*mechs)(const struct auth *a);
	uint64_t (*credentials)(struct auth *a, const char *grant, const char *service,
	                        const char *store, uint64_t claim, auth_credentials_fn *fn,
	                        void *ctx);
	uint64_t (*resolve)(struct auth *a, struct slice address, const char *session,
	                    auth_resolve_fn *fn, void *ctx);
	uint64_t (*lookup)(struct auth *a, struct slice user, auth_user_fn *fn, void *ctx);
	uint64_t (*may_send)(struct auth *a, struct slice user, struct slice sender,
	                     auth_may_send_fn *fn, void *ctx);
	void (*free)(struct auth *a);
};
struct auth {
	const struct auth_ops *ops;
};
void auth_free(struct auth **a);

#endif
