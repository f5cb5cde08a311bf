/*
 * hosts - the settings roostctl was given, and the programs they speak of: which should
 * run, which control sockets there are.
 *
 * A program is known by its section ([roost-imap], [roost-store store1]) or by a socket
 * in run_dir. Only run_dir of [roostctl] and [common] is looked at.
 */
#ifndef CTL_HOSTS_H
#define CTL_HOSTS_H

#include <stdbool.h>

#include "base/err.h"
#include "conf/conf.h"

#define WORKERS_MOST 256

/* One program (or instance) on one host. */
struct program {
	const struct host *host;
	char *program;   /* "roost-store" */
	char *instance;  /* "store1", or NULL */
	bool configured; /* it has a section */
	char **sockets;  /* of the workers that have one; the first is worker 0's, and is
			  * named even when it is not there */
	unsigned socket_count;
};

struct host {
	char *label; /* "fe1" of fe1.conf; "" when there is one host only */
	struct conf *conf;
};

struct hosts {
	struct host *hosts;
	unsigned host_count;
	struct program *programs; /* in the order of hosts; mupdate, store, imap, smtp */
	unsigned program_count;
};

/* path: a file, or a folder whose *.conf are read. NULL with the text. */
struct hosts *hosts_open(const char *path, struct err *err) MUST_CHECK;
void hosts_free(struct hosts **h);
/* "roost-store store1 on store1"; borrowed, in one of 4 buffers used in turn. */
const char *program_text(const struct program *p);

/* "roost-store-store1.2.ctl" -> program, instance ("" without), worker. False: not a
 * control socket of ours. Pure. */
bool hosts_parse_socket(const char *name, char program_r[32], char instance_r[128],
                        unsigned *worker_r);

#endif
