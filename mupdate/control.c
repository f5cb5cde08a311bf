/*
 * control - what roost-mupdate answers on its control socket.
 *
 *   explain mailbox      where it is (ctl/ctl.h)
 *   list [prefix]        {"locations":[{"mailbox","state","server","partition","acl",
 *                        "revision","claim"}],"more":false}; at most 10,000
 *   who                  sessions
 *   servers              {"servers":[{"server","names","pushed"}]}
 *   conflicts            {"conflicts":[{"mailbox","server"}]}: server was refused
 *   digest, rows         compare.c
 *   reconcile complete   {"complete":"store1"}: a person says that this server (or "*":
 *                        every one) has nothing more to tell to a new list
 */
#include "app.h"

#include "base/arena.h"
#include "json/json.h"
#include "log/log.h"
#include "session.h"
#include "session/who.h"

#include <string.h>

#define LIST_MAX 10000

/* ---- status and who -------------------------------------------------------------------------- */

static void
add_peer(void *ctx, struct session *sn)
{
	struct session_info i = session_info(sn);
	struct json *o;

	if (i.identity == NULL)
		return;
	o = json_add_object(ctx);
	json_set_str(o, "identity", i.identity);
	json_set_str(o, "peer", i.peer);
	json_set_str(o, "kind", i.is_feed ? "replica" : "store");
	if (i.is_feed)
		json_set_int(o, "revision", (int64_t)i.revision);
}

static void
add_name(void *ctx, const char *server)
{
	json_add_str(ctx, server);
}

static void
on_status(void *ctx, struct json *detail, uint64_t *sessions_r)
{
	struct app *a = ctx;
	const struct mapdb_info *info = mapdb_info(a->db);

	*sessions_r = service_session_count(a->service);
	json_set_str(detail, "role", a->is_master ? "master" : "replica");
	json_set_str(detail, "history", info->history);
	json_set_int(detail, "revision", (int64_t)info->revision);
	json_set_int(detail, "term", (int64_t)info->term);
	json_set_bool(detail, "complete", mapdb_is_complete(a->db));
	json_set_int(detail, "locations", (int64_t)mapdb_count(a->db));
	json_set_int(detail, "age_ms",
	             a->replica != NULL ? (int64_t)replica_age_ms(a->replica) : 0);
	if (a->replica != NULL) {
		bool following = replica_is_following(a->replica);

		json_set_str(detail, "master", following ? "connected" : "away");
		if (!following)
			json_set_str(detail, "why", replica_why(a->replica));
	} else {
		service_each_missing(a->service, add_name, json_set_array(detail, "missing"));
	}
	service_each_session(a->service, add_peer, json_set_array(detail, "peers"));
}

static void
add_session(void *ctx, struct session *sn)
{
	struct session_info i = session_info(sn);

	who_add(ctx, &(struct who_session){
			     .service = "mupdate",
			     .id = i.id,
			     .peer = i.peer,
			     .user = i.identity,
			     .state = i.is_feed            ? "UPDATE"
	                              : i.identity != NULL ? "READY"
	                                                   : "LOGIN",
			     .tls = i.tls,
			     .age_s = i.age_s,
		     });
}

static void
cmd_who(void *ctx, struct ctl_req *req, const struct json *args)
{
	struct app *a = ctx;
	struct json *fields = json_new_object();
	struct who who = { .sessions = json_set_array(fields, "sessions"),
		           .user = json_get_str(args, "user") };

	service_each_session(a->service, add_session, &who);
	ctl_reply(req, &fields);
}

/* ---- names ------------------------------------------------------------------------------------- */

static void
cmd_explain(void *ctx, struct ctl_req *req, const struct json *args)
{
	struct app *a = ctx;
	const char *name = json_get_str(args, "mailbox");
	const struct mapdb_info *info = mapdb_info(a->db);
	bool complete = mapdb_is_complete(a->db);
	struct arena *arena;
	struct json *fields;
	struct location loc;

	if (name == NULL) {
		ctl_fail(req, "usage", "the field mailbox is missing");
		return;
	}
	arena = arena_new("explain");
	fields = json_new_object();
	if (mapdb_find(a->db, slice_of(name), arena, &loc)) {
		json_set_str(fields, "found", loc.state == LOCATION_ACTIVE ? "found" : "reserved");
		json_set_slice(fields, "server", loc.server);
		json_set_slice(fields, "partition", loc.partition);
		json_set_int(fields, "claim", (int64_t)loc.claim);
	} else {
		json_set_str(fields, "found", complete ? "none" : "blind");
	}
	json_set_int(fields, "revision", (int64_t)info->revision);
	json_set_bool(fields, "complete", complete);
	json_set_int(fields, "age_ms",
	             a->replica != NULL ? (int64_t)replica_age_ms(a->replica) : 0);
	ctl_reply(req, &fields);
	arena_free(&arena);
}

struct listing {
	struct json *items;
	size_t count;
	bool more;
};

static bool
add_location(void *ctx, const struct location *loc)
{
	struct listing *l = ctx;
	struct json *o;

	l->more = l->count == LIST_MAX;
	if (l->more)
		return false;
	l->count++;
	o = json_add_object(l->items);
	json_set_slice(o, "mailbox", loc->name);
	json_set_str(o, "state", location_state_text(loc->state));
	json_set_slice(o, "server", loc->server);
	json_set_slice(o, "partition", loc->partition);
	json_set_slice(o, "acl", loc->acl);
	json_set_int(o, "revision", (int64_t)loc->revision);
	json_set_int(o, "claim", (int64_t)loc->claim);
	return true;
}

static void
cmd_list(void *ctx, struct ctl_req *req, const struct json *args)
{
	struct app *a = ctx;
	const char *prefix = json_get_str(args, "prefix");
	struct json *fields = json_new_object();
	struct listing l = { .items = json_set_array(fields, "locations") };

	service_commit(a->service);
	if (mapdb_each_prefix(a->db, slice_of(prefix != NULL ? prefix : ""), add_location, &l) ==
	    -1) {
		json_free(&fields);
		ctl_fail(req, "internal", "the list cannot be read; the log says why");
		return;
	}
	json_set_bool(fields, "more", l.more);
	ctl_reply(req, &fields);
}

/* ---- servers and reconciliation ------------------------------------------------------------------- */

struct servers {
	struct app *app;
	struct json *items;
};

static void
add_server(void *ctx, struct slice server, uint64_t names)
{
	struct servers *s = ctx;
	struct json *o = json_add_object(s->items);

	json_set_slice(o, "server", server);
	json_set_int(o, "names", (int64_t)names);
	json_set_bool(o, "pushed", mapdb_has_pushed(s->app->db, server));
}

static void
cmd_servers(void *ctx, struct ctl_req *req, UNUSED const struct json *args)
{
	struct json *fields = json_new_object();
	struct servers s = { ctx, json_set_array(fields, "servers") };

	if (mapdb_each_server(s.app->db, add_server, &s) == 0) {
		ctl_reply(req, &fields);
		return;
	}
	json_free(&fields);
	ctl_fail(req, "internal", "the list cannot be read; the log says why");
}

static void
add_conflict(void *ctx, const char *name, const char *server)
{
	struct json *o = json_add_object(ctx);

	json_set_str(o, "mailbox", name);
	json_set_str(o, "server", server);
}

static void
cmd_conflicts(void *ctx, struct ctl_req *req, UNUSED const struct json *args)
{
	struct app *a = ctx;
	struct json *fields = json_new_object();

	service_each_conflict(a->service, add_conflict, json_set_array(fields, "conflicts"));
	ctl_reply(req, &fields);
}

static void
cmd_reconcile(void *ctx, struct ctl_req *req, const struct json *args)
{
	struct app *a = ctx;
	const char *server = json_get_str(args, "complete");
	struct json *fields;

	if (server == NULL) {
		ctl_fail(req, "usage", "the field complete is missing: a server's name, or *");
		return;
	}
	if (!a->is_master) {
		ctl_fail(req, "invalid", "this is a replica; ask the master");
		return;
	}
	if (strcmp(server, "*") != 0 && !conf_list_has(a->conf, "servers", server)) {
		ctl_fail(req, "notfound", "%s is not in the setting servers of this master",
		         server);
		return;
	}
	if (!service_complete(a->service, strcmp(server, "*") != 0 ? server : NULL)) {
		ctl_fail(req, "temp", "the list cannot be written; the log says why");
		return;
	}
	log_warning(NULL, "map.said_complete server=%s", log_esc(server));
	fields = json_new_object();
	json_set_bool(fields, "complete", mapdb_is_complete(a->db));
	service_each_missing(a->service, add_name, json_set_array(fields, "missing"));
	ctl_reply(req, &fields);
}

static const struct ctl_cmd commands[] = {
	{ "who", "[user]", "Connections, all or of one identity.", cmd_who },
	{ "explain", "mailbox", "Where a mailbox is, as this list says.", cmd_explain },
	{ "list", "[prefix]", "Names that start with prefix, at most 10,000.", cmd_list },
	{ "servers", "", "Servers, how many names each has, whether it told all.", cmd_servers },
	{ "conflicts", "", "Names that two stores say they have.", cmd_conflicts },
	{ "reconcile", "complete",
	  "Take a server's (or *: every server's) list as told, so that a new list is complete.",
	  cmd_reconcile },
	{ .name = NULL },
};

void
control_start(struct app *a)
{
	svc_set_status(a->svc, on_status, a);
	ctl_register(svc_ctl(a->svc), commands, a);
	compare_start(a);
}
