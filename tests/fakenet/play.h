/*
 * play - the scenario player: a script of who says what, played against real cores on
 * the fake network. Exact, instant; a line that does not come true fails the test with
 * its number.
 *
 *   client connects              a new connection to the server under test
 *   client > EHLO me             sends the line and CRLF; \r \n \t \\ \xNN are escapes
 *   client >> raw\r\n            sends exactly this
 *   client < 250-*               the next line must match (* = anything)
 *   client << 250 *              skips lines until one matches
 *   client is silent             nothing unread is there
 *   client is closed             the other side has closed, and nothing is unread
 *   client is reset              closed like that, by conn_end_by_reset()
 *   client ends                  sends no more, and still listens
 *   client closes / resets       this side ends; "cuts" / "heals" the cable under it
 *   client stops / reads         stops taking bytes from the other side; takes them again
 *   client starts tls            both sides must have agreed in the lines before
 *   store1 accepts               a dialled connection must be waiting; it becomes store1
 *   store1 refuses / blackholes / listens     what the next dials to it meet
 *   split 1                      deliver at most 1 byte at a time (0: all)
 *   wait 30s                     (ms, s, m, h) moves the clock
 *   NAME anything                an action registered by the test
 *
 * After each line everything that is ready has run. `#` starts a comment line.
 */
#ifndef FAKENET_PLAY_H
#define FAKENET_PLAY_H

#include "fakenet/fakenet.h"

struct play;

struct play *play_new(void);
/* Frees the loop too, when the objects under test are gone: call fakenet_settle(). */
void play_free(struct play **p);
struct loop *play_loop(struct play *p);

/* "NAME connects" hands the server's end to fn; from: the client's address. */
void play_add_client(struct play *p, const char *name, const char *from, const char *to,
                     fakenet_accept_fn *fn, void *ctx);
/* Dials to addr wait for "NAME accepts"; the latest accepted one is NAME. */
void play_add_server(struct play *p, const char *name, const char *addr);
/* A line that starts with NAME calls fn with the rest. */
typedef void play_action_fn(void *ctx, const char *rest);
void play_add_action(struct play *p, const char *name, play_action_fn *fn, void *ctx);

/* Plays; fails the running cmocka test at the first line that is not so. */
void play_run(struct play *p, const char *script);

#endif
