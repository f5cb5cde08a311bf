/*
 * mupdate_client - the client's side of a MUPDATE session: banner, STARTTLS, PLAIN login,
 * our extension where the server has it, then pipelined commands and an update stream.
 *
 * A pure core: bytes in, bytes and events out. Deadlines are the owner's. Works against
 * Cyrus (no extension) as well. RFC 3656.
 */
#ifndef PROTO_MUPDATE_CLIENT_H
#define PROTO_MUPDATE_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/slice.h"
#include "proto/mupdate_server.h"
#include "proto/mupdate_wire.h"

struct mupdate_client;

/* What the server said of itself. Borrowed for the client's life. */
struct mupdate_hello {
	const char *hostname;
	bool is_master;
	const char *master_url; /* of a replica; NULL for a master */
	bool extended;          /* the rest is set only then */
	const char *cluster;
	const char *history; /* hex */
	uint64_t revision;
	uint64_t term;
	bool complete; /* false: rebuilding */
};

enum mupdate_record_kind { MUPDATE_R_MAILBOX, MUPDATE_R_RESERVE, MUPDATE_R_DELETE };
/* A line of FIND, LIST or UPDATE. Borrowed for the call. */
struct mupdate_record {
	enum mupdate_record_kind kind;
	struct slice name, place, acl, fields;
	bool left; /* RESERVE: by a DEACTIVATE; acl is what it had. Extension only */
};

/* How a request ended. */
struct mupdate_answer {
	enum mupdate_status status; /* OK, NO, BAD; BYE never */
	enum mupdate_code code;     /* with NO, where the server has our extension */
	struct slice text;
	uint64_t revision, claim; /* of a change, in extension mode; else 0 */
};

/* Called from mupdate_client_input() only. The owner may not free the core inside. */
struct mupdate_client_ops {
	/* STARTTLS was answered OK: start TLS, then mupdate_client_tls_started(). */
	void (*starttls)(void *ctx);
	/* Logged in (and the extension agreed): requests may be made. */
	void (*ready)(void *ctx, const struct mupdate_hello *hello);
	/* Of request id (FIND, LIST, UPDATE), also after an UPDATE was done. */
	void (*record)(void *ctx, uint64_t id, const struct mupdate_record *rec);
	/* UPDATE SINCE: what follows until done is the whole list, or only what differs. */
	void (*stream)(void *ctx, uint64_t id, bool snapshot, const char *history,
	               uint64_t revision);
	/* An UPDATE is done when streaming starts. */
	void (*done)(void *ctx, uint64_t id, const struct mupdate_answer *answer);
	/* Nothing more will come of this connection; requests without done have an unknown
	 * outcome. why is for the log. denied: the server refused us (login, cluster), trying
	 * again soon is of no use. */
	void (*failed)(void *ctx, const char *why, bool denied);
};

struct mupdate_client_conf {
	const char *user, *secret; /* PLAIN */
	bool want_tls;             /* STARTTLS or nothing */
	bool want_extension;
	const char *cluster; /* our cluster's id, or "" */
	uint64_t term;       /* highest known; a server with a lower one is refused */
};

/* conf, ops and out are borrowed. */
struct mupdate_client *mupdate_client_new(const struct mupdate_client_conf *conf,
                                          const struct mupdate_client_ops *ops, void *ctx,
                                          struct buf *out);
void mupdate_client_free(struct mupdate_client **c);
size_t mupdate_client_input(struct mupdate_client *c, struct slice in);
void mupdate_client_tls_started(struct mupdate_client *c);
bool mupdate_client_is_ready(const struct mupdate_client *c);
/* Requests without an answer. */
size_t mupdate_client_pending(const struct mupdate_client *c);

/* Each returns the id of its done(), never 0. Only when ready; names are the caller's to
 * check. fields are sent in extension mode only. */
uint64_t mupdate_client_activate(struct mupdate_client *c, struct slice name, struct slice place,
                                 struct slice acl, struct slice fields);
uint64_t mupdate_client_reserve(struct mupdate_client *c, struct slice name, struct slice place,
                                struct slice fields);
uint64_t mupdate_client_deactivate(struct mupdate_client *c, struct slice name, struct slice place);
uint64_t mupdate_client_delete(struct mupdate_client *c, struct slice name);
uint64_t mupdate_client_find(struct mupdate_client *c, struct slice name);
/* place_prefix empty: everything. */
uint64_t mupdate_client_list(struct mupdate_client *c, struct slice place_prefix);
uint64_t mupdate_client_noop(struct mupdate_client *c);
/* history NULL: plain UPDATE. */
uint64_t mupdate_client_update(struct mupdate_client *c, const char *history, uint64_t revision);
uint64_t mupdate_client_pushed(struct mupdate_client *c, struct slice server);
void mupdate_client_logout(struct mupdate_client *c);

#endif
