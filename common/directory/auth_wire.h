/*
 * auth_wire - the frames between workers and auth workers: one frame, one packet. Pure.
 *
 * Both ends are ours and of one build, but one of them speaks with the Internet: what
 * arrives is checked as if a stranger had sent it.
 */
#ifndef DIRECTORY_AUTH_WIRE_H
#define DIRECTORY_AUTH_WIRE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "directory/auth.h"
#include "directory/directory.h"

#define AUTH_WIRE_MAX 65536      /* bytes of a frame */
#define AUTH_WIRE_DATA_MAX 16384 /* SASL message, address, user */
#define AUTH_WIRE_FINALS DIRECTORY_TARGETS_MAX

enum auth_frame_kind {
	/* from workers */
	AUTH_FRAME_START,
	AUTH_FRAME_STEP,
	AUTH_FRAME_CANCEL, /* has no answer */
	AUTH_FRAME_CREDENTIALS,
	AUTH_FRAME_RESOLVE,
	AUTH_FRAME_LOOKUP,
	AUTH_FRAME_MAY_SEND,
	AUTH_FRAME_PING,
	/* from auth workers */
	AUTH_FRAME_LOGIN_IS, /* answers START and STEP */
	AUTH_FRAME_CREDENTIALS_ARE,
	AUTH_FRAME_RESOLVED,
	AUTH_FRAME_USER_IS,
	AUTH_FRAME_MAY_SEND_IS,
	AUTH_FRAME_PONG,
	AUTH_FRAME_HELLO, /* "I am new": what a predecessor was told is lost */
	AUTH_FRAME_COUNT,
};
const char *auth_frame_name(enum auth_frame_kind kind); /* "start", for logs */

enum {
	AUTH_FLAG_TLS = 1,
	AUTH_FLAG_HAS_DATA = 2, /* START: there is an initial response, if an empty one */
	AUTH_FLAG_PROXIED = 4,
	AUTH_FLAG_ADMIN = 8,
	AUTH_FLAG_DOMAIN_UNKNOWN = 16,
	AUTH_FLAG_DISABLED = 32,
	AUTH_FLAG_LOOP = 64,
};

/* Which members a kind has is told in auth_wire.c; the others are 0 or "". */
struct auth_frame {
	enum auth_frame_kind kind;
	uint64_t id;          /* 0 for HELLO only */
	uint64_t deadline_ms; /* clock_mono_ms() of the host: nobody waits any longer */
	enum auth_result result;
	unsigned flags;
	uint64_t claim; /* LOGIN_IS with DENIED: the fingerprint of auth_reply */
	const char *service, *session, *peer, *mech;
	const char *grant, *store, *user, *authcid, *secret, *home, *groups;
	struct slice data;
	const struct auth_final *finals;
	size_t final_count;
	const char *const *relays;
	size_t relay_count;
};

/* Where the lists of a decoded frame are. */
struct auth_wire_room {
	struct auth_final finals[AUTH_WIRE_FINALS];
	const char *relays[AUTH_WIRE_FINALS];
};

/* NULL texts count as "". False: a member is too long; out is cleared then. */
bool auth_wire_encode(const struct auth_frame *f, struct buf *out) MUST_CHECK;
/* Everything in f_r borrows from bytes and room; room NULL: for frames without lists. False:
 * not a frame. */
bool auth_wire_decode(struct slice bytes, struct auth_wire_room *room,
                      struct auth_frame *f_r) MUST_CHECK;

#endif
