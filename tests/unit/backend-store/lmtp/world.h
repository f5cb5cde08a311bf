/*
 * world - the LMTP service of a store on the fake network, with real mailboxes below a
 * temporary directory. Users: fred and ann@example.net have an INBOX; new (home store1), lazy
 * (no home), away (home store2), shut (disabled) have none; list@example.org is fred and new.
 * mta is an identity for lmtp ("big").
 *
 * Actors: client, second (from 127.0.0.1: plaintext and trusted), far (198.51.100.1: neither).
 * Actions:
 *
 *	auth is away | back | silent
 *	drain begins | is over | is not over
 *	who is there[ TEXT]		"PEER USER STATE; ..."
 *	store gives claim N		of fred's INBOX
 *	store gives quota NAME N	so many bytes
 *	store loses NAME		a user with all his mail
 *	store holds NAME COUNT		so many messages (canonical name)
 *	store shows NAME TEXT		the newest message begins like that; \r \n as escapes, *
 *					stands for anything
 *	disk is gone | back		the spool has no place
 *	disk is full | has room		for the store
 *	disk breaks			the next sync of the store fails
 *	settings are new		host name store9, and no certificate any more
 *	metric NAME N			so much of it since the world began
 */
#ifndef UNIT_BACKEND_STORE_LMTP_WORLD_H
#define UNIT_BACKEND_STORE_LMTP_WORLD_H

#include "conf/conf.h"
#include "fakeauth/fakeauth.h"
#include "fakenet/play.h"
#include "lmtp/session.h"
#include "engine/os.h"
#include "mailbox/store.h"

struct world {
	struct play *play;
	struct conf *conf;
	struct auth *auth;
	struct store *store;
	struct os os;
	struct os_ops os_ops;
	/* Runs once, while the store syncs its log; NULL: nothing happens then. */
	void (*in_sync)(void *ctx);
	void *in_sync_ctx;
	struct lmtp_service *service;
	char spool_dir[400];
	bool drained, full, breaks;
	bool alone;
	char who[1000];
	uint64_t metrics[LMTP_M_COUNT]; /* when it began */
};

/* more: lines of settings; "" for none. alone: cluster = none. */
void world_init(struct world *w, const char *more, bool alone);
void world_fini(struct world *w);
/* Plays it three times, each in a world of its own: whole, and cut into pieces of 1 and 7. */
void world_play(const char *script);
void world_play_with(const char *more, bool alone, const char *script);
/* The same after LHLO of "client". */
void world_play_greeted(const char *script);

#endif
