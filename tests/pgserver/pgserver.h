/*
 * pgserver - a PostgreSQL server for tests, on a Unix socket in a folder of its own; one for
 * each test program, started when it is first needed and stopped with the program. Without
 * Debian's package postgresql there is none, and tests skip.
 */
#ifndef TESTS_PGSERVER_PGSERVER_H
#define TESTS_PGSERVER_PGSERVER_H

#include <stdbool.h>

bool pgserver_is_installed(void);

/* A new empty database; the server runs then. */
void pgserver_new_database(char url_r[300]);
/* In one of them, by its URL. Fails the test when the server says no. */
void pgserver_run(const char *url, const char *statements);

void pgserver_stop(void);  /* away: nobody answers on the socket */
void pgserver_start(void); /* again; returns when it answers */
/* Every process of it stands still: the socket takes connections, nobody answers. */
void pgserver_freeze(void);
void pgserver_thaw(void);

#endif
