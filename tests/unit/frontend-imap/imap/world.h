/*
 * world - the IMAP proxy on the fake network: clients, two scripted stores, a directory,
 * a map.
 */
#ifndef UNIT_FRONTEND_IMAP_IMAP_WORLD_H
#define UNIT_FRONTEND_IMAP_IMAP_WORLD_H

#include "fakeauth/fakeauth.h"
#include "fakehome.h"
#include "fakemap.h"
#include "fakenet/play.h"
#include "imap/session.h"

struct world {
	struct play *play;
	struct conf *conf;
	struct auth *auth;
	struct servers *servers;
	struct fakehome found;
	struct home *home;
	struct fakemap *map;
	struct imap_proxy *proxy;
	bool drained;
	char who[400];
};

void world_init(struct world *w);
void world_fini(struct world *w);
/* One script in worlds of its own: with all bytes at once, and in small pieces. */
void world_play(const char *script);
/* The same with more settings. */
void world_play_with(const char *more, const char *script);

/* What the stores of the scripts announce. */
#define STORE_CAPS                                                                                 \
	"IMAP4rev1 LITERAL+ SASL-IR ID ENABLE IDLE NAMESPACE UIDPLUS MOVE UNSELECT CHILDREN "      \
	"SPECIAL-USE CONDSTORE MULTIAPPEND STATUS=SIZE QUOTA "                                     \
	"QUOTA=RES-STORAGE QUOTA=RES-MESSAGE "                                                     \
	"ACL RIGHTS=kxte LIST-EXTENDED LIST-STATUS "                                               \
	"LIST-MYRIGHTS CREATE-SPECIAL-USE ESEARCH SORT SORT=DISPLAY "                              \
	"THREAD=ORDEREDSUBJECT THREAD=REFERENCES"
/* A store and its front end know each other. */
#define STORE_LOGIN                                                                                 \
	"store1 accepts\n"                                                                          \
	"store1 > * OK [CAPABILITY " STORE_CAPS " AUTH=PLAIN] store1 ready\n"                       \
	"store1 < R1 ID (*\"x-originating-ip\" \"192.0.2.1\" \"x-session-id\" \"*\")\n"             \
	"store1 < R2 AUTHENTICATE PLAIN ZnJlZAByb29zdC1wcm94eQB0b2tlbjpmcmVkOmltYXA6c3RvcmUxOjc=\n" \
	"store1 > * ID NIL\n"                                                                       \
	"store1 > R1 OK\n"                                                                          \
	"store1 > R2 OK [CAPABILITY " STORE_CAPS " XOTHER] hello\n"
/* fred is logged in, nothing is selected. */
#define LOGIN                                                                                      \
	"client connects\n"                                                                        \
	"client < * OK [CAPABILITY " STORE_CAPS " STARTTLS AUTH=PLAIN] fe1 Roost IMAP ready\n"     \
	"client > a LOGIN fred \"p w\"\n" STORE_LOGIN "client < a OK [CAPABILITY " STORE_CAPS      \
	"] Logged in\n"
/* And on his way to another store, for the mailboxes of others. */
#define GUEST_LOGIN                                                                                \
	"store2 accepts\n"                                                                         \
	"store2 > * OK [CAPABILITY " STORE_CAPS " AUTH=PLAIN] store2 ready\n"                      \
	"store2 < R1 ID (*)\n"                                                                     \
	"store2 < R2 AUTHENTICATE PLAIN ZnJlZAByb29zdC1wcm94eQB0b2tlbjpmcmVkOmltYXA6c3RvcmUyOj"    \
	"E4NDQ2NzQ0MDczNzA5NTUxNjE1\n"                                                             \
	"store2 > * ID NIL\n"                                                                      \
	"store2 > R1 OK\n"                                                                         \
	"store2 > R2 OK [CAPABILITY " STORE_CAPS "] hello\n"
#define SELECTED                                                                                   \
	LOGIN "client > s SELECT inbox\n"                                                          \
	      "store1 < s SELECT \"inbox\"\n"                                                      \
	      "store1 > * 3 EXISTS\n"                                                              \
	      "store1 > s OK [READ-WRITE] done\n"                                                  \
	      "client < * 3 EXISTS\n"                                                              \
	      "client < s OK [READ-WRITE] done\n"

#endif
