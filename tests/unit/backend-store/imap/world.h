/*
 * world - the IMAP service of a store on the fake network, with real mailboxes below a
 * temporary directory. Users: fred ("p w"), ann ("secret", of the groups staff and
 * sales@other.net), eve@other.net ("secret"); boss is an admin ("big").
 *
 * Actors: client, second (from 127.0.0.1: plaintext and trusted), far (198.51.100.1: neither),
 * secure (as far, TLS from the first byte). Actions:
 *
 *	auth is away | back | silent
 *	drain begins | is over | is not over
 *	who is there[ TEXT]		"PEER USER STATE MAILBOX; ..."
 *	store gives acl NAME TEXT	sets an ACL (| for TAB)
 *	store makes NAME		a mailbox of this canonical name
 *	store gives claim N		of fred's INBOX
 *	store gives quota NAME N N	bytes and messages; -1: no limit
 *	store holds NAME COUNT		so many messages (canonical name)
 *	session is called TEXT		the id of the latest session, as in the log
 */
#ifndef UNIT_BACKEND_STORE_IMAP_WORLD_H
#define UNIT_BACKEND_STORE_IMAP_WORLD_H

#include "conf/conf.h"
#include "fakeauth/fakeauth.h"
#include "fakenet/play.h"
#include "imap/session.h"
#include "mailbox/store.h"

struct world {
	struct play *play;
	struct conf *conf;
	struct auth *auth;
	struct store *store;
	struct imap_service *service;
	bool drained;
	char who[1000];
};

/* more: lines of settings; "" for none. */
void world_init(struct world *w, const char *more);
void world_fini(struct world *w);
/* Plays it three times, each in a world of its own: whole, and cut into pieces of 1 and 7. */
void world_play(const char *script);
void world_play_with(const char *more, const char *script);
/* The same, with the client logged in as fred before, and INBOX selected. */
void world_play_logged_in(const char *script);
void world_play_selected(const char *script);

#endif
