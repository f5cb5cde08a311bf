/*
 * ctl - the control socket: a Unix socket, one JSON object per line each way.
 *
 *	> {"cmd":"status"}
 *	< {"ok":true,"program":"roost-imap",...}
 *	< {"ok":false,"error":"notfound","text":"there is no mailbox ..."}
 *
 * Lines are limited to 1 MiB in, 16 MiB out; 32 connections; a command is answered
 * within its deadline or with the error "timeout". Access is by the socket's mode
 * (0660 in run_dir). One command at a time per connection.
 *
 * ---- what the commands say (fields may be added) ------------------------------------
 *
 * error: usage, notfound, exists, invalid, denied, temp, limit, timeout, internal.
 *
 * status (by svc, every program):
 *   < {"ok":true,"program":"roost-imap","instance":"fe1"|null,"worker":0,"workers":2,
 *      "pid":4711,"supervisor":4700,"uptime_s":60,"draining":false,"version":"...","sessions":3,
 *      "detail":{}}
 *   detail of roost-mupdate: {"role":"master|replica","history":"hex","revision":17,"term":9,
 *      "complete":true,"age_ms":20,"locations":40,"peers":[{"identity":"store1",
 *      "peer":"10.0.0.1","kind":"store|replica","revision":17}]}, and of a replica
 *      "master":"connected|away","why":"..." (when away), of a master "missing":["store2"]: who
 *      has not told yet what he has
 *   detail of roost-store: {"server":"store1","cluster":"none|mupdate","mailboxes":12,"users":10,
 *      "full":B,"failed":B,"damaged":0,"free_bytes":N,"dead_bytes":N,"compacting":B,
 *      "damaged_segments":0}, and in a cluster "master":"connected|away","in_step":B,
 *      "conflicts":0,"unknown":0,"term":9,"why":"..." (when away)
 *   detail of front ends: {"location":{"complete":true,"revision":17,"age_ms":20}}, or
 *      {"complete":false,"why":"..."} when there is no list to be read; of roost-smtp also
 *      "relay":[{"name":"...","down":B}],"store_connections":3
 *
 * who (every program): optional "user" limits it
 *   < {"ok":true,"sessions":[{"id":"abcdefghijklmnop","service":"imap","user":"..."|null,
 *      "peer":"10.1.1.1","tls":true,"age_s":12,"state":"SELECTED","mailbox":"..."|null,
 *      "store":"store1"|null}]}
 *
 * limits, limits.clear (front ends): see common/svc/limits_ctl.c
 *
 * explain (everybody but roost-smtp's and roost-imap's further workers):
 *   > {"cmd":"explain","mailbox":"example.org!user.fred"}
 *   replica, master, front end:
 *   < {"ok":true,"found":"found|reserved|none|blind","server":"store1",
 *      "partition":"default","revision":9,"claim":1,"complete":true,"age_ms":20}
 *   store:
 *   < {"ok":true,"found":"active|reserved|none","mailbox_id":"hex","uidvalidity":1,
 *      "messages":3,"claim":1}
 *
 * mailbox.create {"mailbox":C,"parents":B}  store: creates, reserve and activate included
 * mailbox.delete {"mailbox":C,"tree":B} tree: with everything below it
 * mailbox.rename {"mailbox":C,"to":C}
 * mailbox.list   {"prefix":C}           < {"ok":true,"mailboxes":[{"mailbox":C,
 *                                          "messages":3,"bytes":900,"uidvalidity":1}]}
 * user.create, user.delete {"user":U}   store: his mailboxes; the account is the directory's
 * mailbox.acl.show, .set, .delete       store: backend-store/instance/admin_acl.c
 * mailbox.quota.show, .set, .clear, .list  store: backend-store/instance/admin_quota.c
 * space, compact                        store: backend-store/instance/disk.c
 * move.start     {"user":U,"store":S,"keep":B}  store: begins to move U from here to S
 * move.status    {"user":U}             < {"ok":true,"moves":[{"user":U,"from":S,"to":S,
 *                                          "side":"source|target","step":"sending",
 *                                          "over":B,"moved":B,"why":"...","messages":9,
 *                                          "messages_done":3,"bytes":900,"bytes_done":300,
 *                                          "ms":70,"closed_ms":60}]}
 * move.plan      {"user":U,"store":S}   the same checks; how much it is
 * move.undo, move.drop {"user":U}
 * reconcile      {"force":B,"dry_run":B} store; the answer to dry_run: {"ok":true,
 *                                       "steps":[{"action":"activate|delete|deactivate|
 *                                       forget|ask","mailbox":C,"why":"..."}],"count":1,
 *                                       "more":false}; at most 10,000 steps
 * list, servers, conflicts, reconcile {"complete":S}  roost-mupdate: mupdate/control.c
 * digest         {"after":C,"to":C,"count":N,"plain":B} roost-mupdate: names behind after, up
 *                                       to and with to (or all), at most N:
 *                                       {"ok":true,"names":N,"last":C,"more":B,
 *                                       "digest":"hex","history":"hex","revision":9,
 *                                       "complete":true}
 * rows           the same; "rows":[{"mailbox":C,"row":"text"}] in place of the digest; at most
 *                                       500
 *   C is a canonical name. Errors: exists, notfound, invalid, temp, denied.
 */
#ifndef CTL_CTL_H
#define CTL_CTL_H

#include <stdint.h>

#include "base/err.h"
#include "json/json.h"
#include "net/loop.h"

/* ---- server ------------------------------------------------------------------------- */

struct ctl_server;
struct ctl_req;

/* Answers by ctl_reply() or ctl_fail(), now or later, exactly once. args is the whole
 * request, borrowed until this returns. */
typedef void ctl_cmd_fn(void *ctx, struct ctl_req *req, const struct json *args);

struct ctl_cmd {
	const char *name; /* "mailbox.create" */
	const char *args; /* "mailbox": for help */
	const char *help;
	ctl_cmd_fn *fn;
	unsigned deadline_ms; /* 0: 10 s */
};

/* Makes the socket (mode 0660) and listens; a stale one is replaced. -1 with the
 * operator's text on failure, e.g. when another process answers there. */
int ctl_socket_open(const char *path, struct err *err) MUST_CHECK;
/* The same, and serves it. The path is removed at the end. */
struct ctl_server *ctl_server_new(struct loop *l, const char *path, struct err *err) MUST_CHECK;
/* Takes a socket that listens already (tests, and svc). */
struct ctl_server *ctl_server_new_fd(struct loop *l, int fd);
/* Commands under way may still be answered; nobody hears of it. */
void ctl_server_free(struct ctl_server **s);
/* Takes no further connections: a successor listens on the same socket. */
void ctl_server_retire(struct ctl_server *s);
/* table ends with name == NULL and is borrowed; ctx goes to its functions. `help` is
 * always there. A name registered twice is our mistake. */
void ctl_register(struct ctl_server *s, const struct ctl_cmd *table, void *ctx);

/* Takes *fields (*fields may be NULL): the members to add to "ok":true. req is gone. */
void ctl_reply(struct ctl_req *req, struct json **fields);
void ctl_fail(struct ctl_req *req, const char *error, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* ---- client: blocking, for tools -------------------------------------------------- */

/* Sends request and waits. NULL with the operator's text when nobody answers in time;
 * an answer with "ok":false is an answer. The caller frees it. */
struct json *ctl_call(const char *path, const struct json *request, unsigned timeout_ms,
                      struct err *err) MUST_CHECK;

#endif
