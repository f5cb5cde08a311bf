/* run - starts and watches the probe as a real process. */
#ifndef UNIT_COMMON_SVC_RUN_H
#define UNIT_COMMON_SVC_RUN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "json/json.h"

#define RUN_PATIENCE_MS 60000
#define RUN_CHILDREN_MAX 32

struct run {
	const char *kind; /* "workers" or "one" */
	char dir[200], conf[256], log[256], out[256];
	uint16_t port, metrics_port;
	pid_t pid; /* of the supervisor; 0: not running */
};

/* A folder and ports of its own. */
void run_init(struct run *r, const char *kind);
/* Kills what is left. */
void run_fini(struct run *r);
/* The settings: fmt with one %s for what differs. common and probe may be "". */
void run_write(struct run *r, const char *common, const char *probe);
/* Starts it with arguments ("--check"; NULL: none) and waits for nothing. */
void run_spawn(struct run *r, const char *argument);
/* The same, until it serves. */
void run_start(struct run *r);
void run_signal(struct run *r, int signo);
/* The exit code; -signal when it was killed. */
int run_wait(struct run *r);

/* A connection to the probe (port 0: the usual one); -1: refused. */
int run_dial(struct run *r, uint16_t port);
/* Are new connections refused? */
bool run_refuses(struct run *r, uint16_t port);
/* Says it (NULL: nothing) and gives the next line, without its end; "" at the end. */
const char *run_ask(int fd, const char *text);
/* Greeting of a new connection that is closed again. */
const char *run_greeting(struct run *r);
pid_t run_greeting_pid(const char *greeting);

/* Pids of the supervisor's children. */
size_t run_children(const struct run *r, pid_t pids_r[RUN_CHILDREN_MAX]);
bool run_is_alive(pid_t pid); /* and no zombie */

/* A whole file as text, at most 64 KiB; "" when it is not there. */
const char *run_file(const char *path);
bool run_log_has(const struct run *r, const char *text);
/* GET target from the metrics' address: head and body. */
const char *run_http(struct run *r, const char *target);
/* The answer of a control socket (worker number). NULL: nobody answers. */
struct json *run_ctl(const struct run *r, unsigned worker, const char *request);

/* Until cond is true; fails the test after RUN_PATIENCE_MS. */
#define run_until(cond)                                                                            \
	do {                                                                                       \
		uint64_t run_end = run_now() + RUN_PATIENCE_MS;                                    \
		while (!(cond)) {                                                                  \
			test_check(run_now() < run_end, "gave up waiting for " #cond);             \
			run_pause();                                                               \
		}                                                                                  \
	} while (0)
/* A loopback address of this process alone: tests that run beside each other and whoever is
 * given a port by the kernel never want the same one. */
const char *run_host(void);
/* A port of it, another one each time. */
uint16_t run_free_port(void);
uint64_t run_now(void);
void run_pause(void);

#endif
