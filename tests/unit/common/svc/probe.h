/*
 * probe - a small program made with svc_main(), run as a real process by the tests.
 *
 * The test program starts itself again with PROBE=workers or PROBE=one in its
 * environment and is then this program; see probe.c.
 *
 * A client is greeted with "PID WORKER GREETING\n" and may say, one per line:
 *	who		the greeting again
 *	secrets		what this worker sees of cluster_secret and [identity s1]: "- -"
 *	login NAME PW	asks an auth worker: "ok", "denied", "temp", ...
 *	quit		closes
 */
#ifndef UNIT_COMMON_SVC_PROBE_H
#define UNIT_COMMON_SVC_PROBE_H

#define PROBE_ENV "PROBE"

#endif
