/*
 * resolve - an address to the users and the addresses elsewhere that its mail goes to, through
 * aliases, forwards, other names of domains and what catches the rest of a domain.
 *
 *	1. What follows recipient_delimiter is the detail; it goes along, and a target with a
 *	   detail of its own has that one.
 *	2. An account gets its mail; with forwards they get it, and the account when it keeps a
 *	   copy. Else the targets of the alias. Else, for postmaster, see 4. Else the targets of
 *	   "@domain". Else it is unknown.
 *	3. A domain that is not ours is elsewhere: a target there is a relay, an address there is
 *	   domain_unknown.
 *	4. The postmaster of a domain of ours that has none of its own (active) is the setting
 *	   `postmaster`, else the postmaster of the default domain. When that leads nowhere
 *	   either, it is TEMP: RFC 5321 section 4.5.1 does not let us refuse him.
 *
 * Everybody comes once. A target that is unknown or disabled is left out as long as there are
 * others. A circle ends where it closes, and only when nothing else comes of it the address is
 * a loop. More than DIRECTORY_TARGETS_MAX ends, RESOLVE_STEPS_MAX names or RESOLVE_DEPTH_MAX
 * levels are TEMP.
 */
#ifndef DIRECTORY_RESOLVE_H
#define DIRECTORY_RESOLVE_H

#include "directory/auth.h"
#include "directory/directory.h"

#define RESOLVE_DEPTH_MAX 10
#define RESOLVE_STEPS_MAX 1000

#define RESOLVE_EVENTS(X)                                                                          \
	X(ACCOUNT, "is an account, and gets it")                                                   \
	X(FORWARDS, "is an account that forwards its mail, and keeps none")                        \
	X(FORWARDS_AND_KEEPS, "is an account that forwards its mail, and keeps a copy")            \
	X(DISABLED, "is a disabled account, which gets nothing")                                   \
	X(ALIAS, "is an alias")                                                                    \
	X(CATCH_ALL, "is nothing of its own; the whole domain is an alias")                        \
	X(OTHER_DOMAIN, "is in a domain that is another name of one")                              \
	X(POSTMASTER, "is a postmaster who is not there")                                          \
	X(ELSEWHERE, "is in a domain that is not ours")                                            \
	X(UNKNOWN, "is unknown")                                                                   \
	X(INVALID, "is no address")                                                                \
	X(AGAIN, "was there already")                                                              \
	X(LOOP, "leads back to itself")                                                            \
	X(TOO_MUCH, "is too many levels deep, or one name too many")                               \
	X(TEMP, "cannot be looked up now")
enum resolve_event {
#define X(name, text) RESOLVE_##name,
	RESOLVE_EVENTS(X)
#undef X
		RESOLVE_EVENT_COUNT
};
const char *resolve_event_text(enum resolve_event e);

/* One for each name on the way, the targets right behind it, one level deeper. */
typedef void resolve_trace_fn(void *ctx, unsigned depth, const char *address,
                              enum resolve_event event);

/* All borrowed. */
struct resolve_config {
	struct directory *directory; /* NULL: could not be opened, and all is TEMP */
	const char *delimiter;       /* "+"; "" or NULL: no details */
	const char *postmaster;      /* an address, or NULL */
	bool senders;                /* whose address is it? Forwards and status do not count */
	resolve_trace_fn *trace;     /* or NULL */
	void *trace_ctx;
};

/* Everything on the heap. */
struct resolved {
	enum auth_result result; /* as in struct auth_resolved */
	bool domain_unknown, loop;
	bool is_too_much; /* TEMP, but for nobody to wait for */
	struct auth_final *finals;
	size_t final_count;
	char **relays;
	size_t relay_count;
	char why[512]; /* TEMP: the operator's text */
};

void resolve_address(const struct resolve_config *c, struct slice address, struct resolved *r_r);
void resolved_fini(struct resolved *r);

#endif
