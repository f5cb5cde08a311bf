/*
 * location - where a mailbox lives: the record of the map, its states and its codecs.
 *
 * A record is {name, server, partition, ACL, state} as in RFC 3656 (sections 3.5 and 3.6), and our
 * own fields, which plain MUPDATE peers neither see nor lose: mailbox id, UIDVALIDITY, special-use,
 * revision, claim. Names are canonical ("example.org!user.fred.Sent"). `server` is a
 * logical name; addresses come from the settings (`[server NAME]`).
 */
#ifndef LOCATION_LOCATION_H
#define LOCATION_LOCATION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/must.h"
#include "base/slice.h"

/* Most octets of the parts. LMDB keys hold 511 with 4 of an interned id in front. */
#define LOCATION_NAME_MAX 490
#define LOCATION_SERVER_MAX 255
#define LOCATION_PARTITION_MAX 255
#define LOCATION_ACL_MAX 65536
#define LOCATION_ACL_IDENTIFIER_MAX 490
#define LOCATION_FIELD_MAX 255
/* A server and a partition with "!" between. */
#define LOCATION_PLACE_MAX (LOCATION_SERVER_MAX + 1 + LOCATION_PARTITION_MAX)

enum location_state {
	LOCATION_RESERVED = 1, /* the name is taken, the mailbox is not there yet (or moves) */
	LOCATION_ACTIVE = 2,   /* there and ready */
};

/* The slices are borrowed; whoever hands one out says until when. */
struct location {
	struct slice name;
	struct slice server;
	struct slice partition; /* may be empty: Cyrus sends "be1!" */
	struct slice acl;       /* id TAB rights TAB id TAB rights TAB; see left */
	enum location_state state;
	/* RESERVED: a DEACTIVATE left it, and any server may activate it. The mailbox is there and
	 * on its way: it keeps the ACL it had, so that LIST goes on showing it. Else what is
	 * RESERVED has no ACL. */
	bool left;
	struct slice mbox_id;     /* as the store names it; empty: unknown */
	uint32_t uidvalidity;     /* 0: unknown */
	struct slice special_use; /* "\\Sent", or several with a space between; or empty */
	uint64_t revision;        /* of the change that wrote this record; 0: unknown */
	uint64_t claim;           /* only in the record of a user's INBOX; else 0 */
};

/* Fit for the map: 1..490 octets of 0x20..0x7e, at most one "!" with something on both
 * sides, no empty part between dots. Wider than mail/mbox_name, since Cyrus has names that
 * our clients cannot make (DELETED.*). */
bool location_name_ok(struct slice name);
/* Letters, digits, "-", "_", ".", ":", "[", "]"; the partition may be empty. */
bool location_place_ok(struct slice server, struct slice partition);
/* No control characters but the TABs, and no identifier that is empty or too long. */
bool location_acl_ok(struct slice acl);

/* "server!partition"; without "!" the whole is the server. Borrowed from place. */
void location_place_split(struct slice place, struct slice *server_r, struct slice *partition_r);
/* Always with "!": "server!" when the partition is empty. */
void location_place_add(struct buf *out, const struct location *loc);

/* Takes the next pair off an ACL, borrowed from it; false at its end. */
bool location_acl_next(struct slice *rest, struct slice *id_r, struct slice *rights_r);

/*
 * The extension's text of our fields: key=value with a space between, in any order;
 * values escape %, space and control characters as %XX. Keys: id, uv, su, rev, claim.
 * Unknown keys are skipped, so that later versions can add some.
 */
void location_fields_add(struct buf *out, const struct location *loc);
/* Sets the fields that are there and leaves the others. False: malformed; nothing set.
 * Copies into a. */
bool location_fields_parse(struct slice text, struct arena *a, struct location *loc) MUST_CHECK;

/* A copy of everything into a. */
struct location location_dup(struct arena *a, const struct location *loc);
const char *location_state_text(enum location_state s);

#endif
