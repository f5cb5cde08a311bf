/*
 * limits_ctl - what the limits process holds against somebody, on the control socket:
 *
 *	limits          {"ok":true,"shared":B,"entries":[{"kind":"address|user|pair",
 *	                "name":"192.0.2.1","user":"fred"|null,"failures":9,"block_s":12}]}
 *	limits.clear    {"name":"192.0.2.1"} or a user's: {"ok":true,"cleared":2}
 *
 * shared: Redis is there, and other hosts may know more.
 */
#include <stdlib.h>

#include "base/num.h"
#include "base/xalloc.h"
#include "guard/guard.h"
#include "svc/svc_impl.h"

static void
add_entry(struct json *entries, struct slice line)
{
	struct json *o = json_add_object(entries);
	struct slice subject = slice_cut(&line, '\t'), failures = slice_cut(&line, '\t');
	char *name = slice_dup(slice_skip(subject, 2)), *user = NULL;
	char kind = subject.n > 0 ? subject.p[0] : '\0';
	uint64_t v;

	if (kind == 'p') { /* ADDRESS|USER */
		struct slice rest = slice_skip(subject, 2), address = slice_cut(&rest, '|');

		free(name);
		name = slice_dup(address);
		user = slice_dup(rest);
	}
	json_set_str(o, "kind", kind == 'a' ? "address" : kind == 'u' ? "user" : "pair");
	json_set_str(o, "name", name);
	json_set_str(o, "user", user);
	json_set_int(o, "failures", num_parse_u64(failures, INT64_MAX, &v) ? (int64_t)v : 0);
	json_set_int(o, "block_s", num_parse_u64(line, INT64_MAX, &v) ? (int64_t)v : 0);
	free(name);
	free(user);
}

static void
on_list(void *ctx, const char *text, uint64_t shared)
{
	struct json *o, *entries;
	struct slice rest = slice_of(text);

	if (text == NULL) {
		ctl_fail(ctx, "temp", "the limits process does not answer");
		return;
	}
	o = json_new_object();
	json_set_bool(o, "shared", shared != 0);
	entries = json_set_array(o, "entries");
	while (rest.n > 0) {
		struct slice line = slice_cut(&rest, '\n');

		if (line.n > 0)
			add_entry(entries, line);
	}
	ctl_reply(ctx, &o);
}

static void
cmd_limits(void *ctx, struct ctl_req *req, UNUSED const struct json *args)
{
	guard_list(ctx, on_list, req);
}

static void
on_cleared(void *ctx, const char *text, uint64_t cleared)
{
	struct json *o;

	if (text == NULL) {
		ctl_fail(ctx, "temp", "the limits process does not answer");
		return;
	}
	o = json_new_object();
	json_set_int(o, "cleared", (int64_t)cleared);
	ctl_reply(ctx, &o);
}

static void
cmd_clear(void *ctx, struct ctl_req *req, const struct json *args)
{
	const char *name = json_get_str(args, "name");

	if (name == NULL || *name == '\0')
		ctl_fail(req, "usage", "name is missing");
	else
		guard_clear(ctx, name, on_cleared, req);
}

static const struct ctl_cmd commands[] = {
	{ "limits", "", "Failed logins that are held against addresses and users.", cmd_limits },
	{ "limits.clear", "name", "Forgets those of an address or a user.", cmd_clear },
	{ .name = NULL },
};

void
svc_limits_register(struct ctl_server *s, struct guard *g)
{
	ctl_register(s, commands, g);
}
