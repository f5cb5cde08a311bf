/*
 * world - a master and a replica on the fake network, for the tests of mupdate/.
 */
#ifndef UNIT_MUPDATE_WORLD_H
#define UNIT_MUPDATE_WORLD_H

#include "base/clock.h"
#include "fakeauth/fakeauth.h"
#include "fakenet/play.h"
#include "lib/test.h"
#include "mapdb.h"
#include "replica.h"
#include "service.h"

#define WORLD_SESSIONS 100 /* most a server has */

/* A MUPDATE server: 127.0.0.1:3905 is m, 127.0.0.1:3906 is a replica of it. */
struct node {
	struct world *world;
	struct conf *conf;
	struct mapdb *db;
	struct service *service;
	struct replica *replica; /* NULL: the master */
	char dir[256];
};

struct world {
	struct play *play;
	struct auth *auth;
	struct node master, replica;
	uint64_t map_bytes; /* of databases opened from here on; 0: as always */
	bool by_octets;     /* the setting plain_order, of nodes that start from here on */
};

/* Players: "client", "other", "third" connect to the master, "reader" to the replica.
 * Identities: be1 (speaks for be1.test), be2, any, replica (reads only); password "x". */
void world_init(struct world *w);
void world_fini(struct world *w);
/* The master's list is complete from here on. */
void world_complete(struct world *w);
/* A complete master on which "client" (be1) has activated user.a, and a replica that follows. */
void world_init_both(struct world *w);
/* Stops and starts a master with the same or (fresh) with a new database. */
void world_stop_master(struct world *w);
void world_start_master(struct world *w, bool fresh);
/* Who connects from here on reaches the master, and not what play_add_server() has put there. */
void world_listen_master(struct world *w);
/* takeover: the setting activate. */
void world_start_master_with(struct world *w, bool fresh, bool takeover);
void world_start_replica(struct world *w);
void world_stop_replica(struct world *w);

/* "user.a active be1.test!p a=1 ..." one line a name: what a node's committed list says. */
char *world_dump(struct node *n);
void world_check_dump(struct node *n, const char *want);
/* Overwrites the byte `skip` behind `mark` in a node's data file, wherever mark is there. Returns
 * how often. */
unsigned world_damage(const struct node *n, const char *mark, size_t skip, char byte);
/* Plays the greeting and the login of player. */
void world_login(struct world *w, const char *player, const char *identity);
/* A replica connects to "fake", a Cyrus master, which tells it of user.u0 ... */
void world_play_plain_list(struct world *w, unsigned names);

#endif
