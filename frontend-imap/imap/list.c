/*
 * list - LIST where it reaches further than the user's own names: RFC 3501 section 6.3.8, RFC
 * 5258 (LIST-EXTENDED), RFC 5819 (LIST-STATUS), RFC 8440 (LIST-MYRIGHTS).
 *
 *	barrier			promise 6; when it is late: from the list at hand
 *	home: LSUB, twice	where it matters what is subscribed to
 *	home: LIST		as the client said it; what it says of "Other Users" and "Shared
 *				Folders" is dropped: it knows its own ones only
 *	the list of locations	these two namespaces
 *	stores: STATUS		of what is there; a store that is away leaves its ones out
 *
 * So each name is told once, by the home or by us. Without any list nobody knows what there is
 * of others: then the whole is "later", lest a client takes its copies for deleted.
 */
#include "imap/list_args.h"
#include "imap/list_shared.h"
#include "imap/session_impl.h"

#include "base/xalloc.h"
#include "location/barrier.h"
#include "proto/imap_args.h"

#include <stdlib.h>

#define LINE_MAX_BYTES 16384 /* of a response about one name */
#define SUBSCRIPTIONS_MAX 20000
#define STATUS_MAX 32 /* on their way to a store at a time */

#define REPLY_DONE "OK That is all"
#define REPLY_BLIND "NO [UNAVAILABLE] Nobody can say now which mailboxes of others there are"
#define REPLY_MANY "NO [LIMIT] There are too many names"

enum step { BARRIER, SUBSCRIPTIONS, HOME, TELL, STATUS };

struct entry {
	struct list_shared_name name;
	bool subscribed, below; /* below: something subscribed to */
	bool asked;             /* its STATUS */
};

struct list_job {
	enum step step;
	struct list_args args;
	struct arena *arena;
	struct arena *scratch; /* of one response */
	uint64_t barrier_id;
	struct imap_leg *home;
	const char *tag;    /* of the command at the home */
	unsigned questions; /* SUBSCRIPTIONS: still to come */
	bool taking;        /* the response under way is about names */
	struct buf line;    /* of it, so far */
	const char *reply;  /* the last word, when it is known */

	struct list_shared shared;
	struct slice *subscribed; /* client names; sorted when complete; heap */
	size_t subscribed_count, subscribed_cap;
	struct entry *entries; /* heap */
	size_t count, cap, at;

	struct server *server; /* STATUS: the one that is being asked */
	struct imap_leg *leg;
	unsigned on_way;
};

static struct list_job *
job_of(struct imap_session *s)
{
	return s->job_data;
}

/* ---- what is subscribed to ------------------------------------------------------------------------- */

static int
compare_slices(const void *a, const void *b)
{
	return slice_cmp(*(const struct slice *)a, *(const struct slice *)b);
}

static void
subscribe(struct list_job *j, struct slice client)
{
	/* the home says this, and it is told anew by us */
	if (j->subscribed_count == SUBSCRIPTIONS_MAX || !list_shared_is_name(client) ||
	    !imap_cmd_is_quotable(client))
		return;
	if (j->subscribed_count == j->subscribed_cap) {
		j->subscribed_cap = j->subscribed_cap != 0 ? 2 * j->subscribed_cap : 16;
		j->subscribed =
			xreallocarray(j->subscribed, j->subscribed_cap, sizeof(*j->subscribed));
	}
	j->subscribed[j->subscribed_count++] = arena_slice_dup(j->arena, client);
}

static bool
is_subscribed(const struct list_job *j, struct slice client)
{
	return j->subscribed_count > 0 && bsearch(&client, j->subscribed, j->subscribed_count,
	                                          sizeof(client), compare_slices) != NULL;
}

/* Is any name below this one, that (with a pattern) no pattern matches? */
static bool
is_subscribed_below(const struct list_job *j, struct slice client, bool hidden)
{
	for (size_t i = 0; i < j->subscribed_count; i++) {
		struct slice name = j->subscribed[i];

		if (name.n > client.n && name.p[client.n] == MBOX_SEPARATOR &&
		    slice_starts(name, client) && !(hidden && list_args_match(&j->args, name)))
			return true;
	}
	return false;
}

/* ---- names of others -------------------------------------------------------------------------------- */

static struct entry *
add_entry(struct list_job *j, const struct list_shared_name *name)
{
	if (j->count == j->cap) {
		j->cap = j->cap != 0 ? 2 * j->cap : 32;
		j->entries = xreallocarray(j->entries, j->cap, sizeof(*j->entries));
	}
	j->entries[j->count] = (struct entry){ .name = *name };
	j->entries[j->count].subscribed = is_subscribed(j, name->client);
	return &j->entries[j->count++];
}

static void
on_name(void *ctx, const struct list_shared_name *name)
{
	(void)add_entry(ctx, name);
}

/* One that is subscribed to, or, RECURSIVEMATCH, above such ones. */
static void
add_subscribed(struct list_job *j, struct slice client)
{
	bool recursive = (j->args.options & LIST_SELECT_RECURSIVE) != 0;
	struct list_shared_name name;
	struct entry *e;

	if (!list_args_match(&j->args, client) ||
	    !(is_subscribed(j, client) || (recursive && is_subscribed_below(j, client, true))))
		return;
	for (size_t i = 0; i < j->count; i++)
		if (slice_eq(j->entries[i].name.client, client))
			return;
	list_shared_look(&j->shared, client, &name);
	e = add_entry(j, &name);
	e->below = recursive && is_subscribed_below(j, client, false);
}

static void
find_subscribed(struct list_job *j)
{
	for (size_t i = 0; i < j->subscribed_count; i++) {
		struct slice name = j->subscribed[i];

		for (size_t k = 0; k < name.n; k++)
			if (name.p[k] == MBOX_SEPARATOR &&
			    (j->args.options & LIST_SELECT_RECURSIVE) != 0)
				add_subscribed(j, slice_sub(name, 0, k));
		add_subscribed(j, name);
	}
}

/* Those of others have no special use: whoever looks for his Sent must not find theirs. */
static void
find_names(struct imap_session *s, struct list_job *j)
{
	struct mbox_view view = imap_dispatch_view(s);

	if ((j->args.options & LIST_SELECT_SPECIAL_USE) != 0)
		return;
	list_shared_init(&j->shared, s->proxy->c.reader, &view, s->groups, j->arena);
	if ((j->args.options & LIST_SELECT_SUBSCRIBED) != 0)
		find_subscribed(j);
	else
		list_shared_find(&j->shared, j->args.patterns, j->args.pattern_count, on_name, j);
	if (j->shared.blind)
		j->reply = REPLY_BLIND;
	else if (j->shared.left == 0 || j->subscribed_count == SUBSCRIPTIONS_MAX)
		j->reply = REPLY_MANY;
}

/* ---- what is said of them ---------------------------------------------------------------------------- */

static void
tell_entry(struct imap_session *s, const struct list_job *j, const struct entry *e)
{
	const struct list_shared_name *n = &e->name;
	char rights[ACL_TEXT_SIZE];
	struct buf out = BUF_INIT(8 * MBOX_NAME_MAX);

	buf_add_str(&out, "* LIST (");
	if (!n->exists)
		buf_add_str(&out, j->args.extended ? "\\NonExistent " : "\\Noselect ");
	buf_add_str(&out, n->has_children ? "\\HasChildren" : "\\HasNoChildren");
	if (e->subscribed && (j->args.options & LIST_RETURN_SUBSCRIBED) != 0)
		buf_add_str(&out, " \\Subscribed");
	buf_add_str(&out, ") \"/\" ");
	imap_cmd_add_quoted(&out, n->client);
	if (e->below)
		buf_add_str(&out, " (\"CHILDINFO\" (\"SUBSCRIBED\"))");
	if (n->exists && (j->args.options & LIST_RETURN_MYRIGHTS) != 0) {
		buf_add_str(&out, "\r\n* MYRIGHTS ");
		imap_cmd_add_quoted(&out, n->client);
		buf_printf(&out, " %s", acl_rights_to_client(n->rights, rights));
	}
	imap_session_say(s, "%s", buf_cstr(&out));
	buf_fini(&out);
}

/* ---- STATUS ------------------------------------------------------------------------------------------ */

static bool
wants_status(const struct list_job *j, const struct entry *e)
{
	return j->args.status.n > 0 && !e->asked && e->name.exists &&
	       (e->name.rights & ACL_READ) != 0;
}

static struct server *
server_of(struct imap_session *s, const struct entry *e)
{
	return servers_find(s->proxy->c.servers, e->name.server);
}

/* The next store that has something to be asked; NULL: none. */
static struct server *
next_server(struct imap_session *s, struct list_job *j)
{
	for (; j->at < j->count; j->at++) {
		struct entry *e = &j->entries[j->at];
		struct server *server = wants_status(j, e) ? server_of(s, e) : NULL;

		if (server != NULL && server->imap != NULL)
			return server;
	}
	return NULL;
}

/* It cannot be asked: RFC 5819 section 2 leaves its ones out. */
static void
skip_server(struct imap_session *s, struct list_job *j)
{
	for (size_t i = 0; i < j->count; i++)
		if (server_of(s, &j->entries[i]) == j->server)
			j->entries[i].asked = true;
	j->server = NULL;
	j->leg = NULL;
	j->on_way = 0;
}

static void
ask_status(struct imap_session *s, struct list_job *j)
{
	for (size_t i = j->at; i < j->count && j->on_way < STATUS_MAX; i++) {
		struct entry *e = &j->entries[i];
		struct buf name = BUF_INIT(4 * MBOX_NAME_MAX);

		if (!wants_status(j, e) || server_of(s, e) != j->server)
			continue;
		imap_cmd_add_quoted(&name, e->name.client);
		(void)imap_forward_own(s, j->leg, "STATUS %s %.*s", buf_cstr(&name),
		                       SLICE_ARG(j->args.status));
		buf_fini(&name);
		e->asked = true;
		j->on_way++;
	}
}

static struct imap_leg *
leg_to(struct imap_session *s, struct server *server)
{
	if (server == s->store)
		return s->home;
	return imap_reach_leg(s, server);
}

/* All stores, one after the other. */
static void
go_on_status(struct imap_session *s, struct list_job *j)
{
	while (j->on_way == 0) {
		j->server = next_server(s, j);
		if (j->server == NULL) {
			imap_session_finish_job(s, j->reply != NULL ? j->reply : REPLY_DONE);
			return;
		}
		j->leg = leg_to(s, j->server);
		if (j->leg == NULL && (s->head.problem != NULL || j->server == s->store)) {
			s->head.problem = NULL;
			skip_server(s, j);
		} else if (j->leg == NULL) {
			return; /* it is on its way */
		} else {
			imap_forward_enable(s, j->leg);
			ask_status(s, j);
			imap_forward_ask(s, j->leg);
		}
	}
}

/* ---- from step to step -------------------------------------------------------------------------------- */

static void
ask_home(struct imap_session *s, struct list_job *j)
{
	struct buf text = BUF_INIT(SIZE_MAX);

	j->step = HOME;
	list_args_write(&j->args, &text);
	if (imap_forward_uses_condstore(j->args.status)) {
		s->condstore = true;
		imap_leg_notes(j->home)->condstore = true;
	}
	j->tag = imap_forward_own(s, j->home, "LIST %s", buf_cstr(&text));
	imap_forward_ask(s, j->home);
	buf_fini(&text);
}

static void
begin(struct imap_session *s, struct list_job *j)
{
	if ((j->args.options & LIST_RETURN_SUBSCRIBED) == 0) {
		ask_home(s, j);
		return;
	}
	j->step = SUBSCRIPTIONS;
	j->questions = 2;
	(void)imap_forward_own(s, j->home, "LSUB \"\" \"" MBOX_OTHER_USERS_PREFIX "*\"");
	(void)imap_forward_own(s, j->home, "LSUB \"\" \"" MBOX_SHARED_PREFIX "*\"");
	imap_forward_ask(s, j->home);
}

static void
on_barrier(void *ctx, UNUSED enum barrier_result result)
{
	struct imap_session *s = ctx;
	struct list_job *j = job_of(s);

	j->barrier_id = 0;
	begin(s, j);
	imap_session_wake(s);
}

static void
on_go_on(struct imap_session *s)
{
	struct list_job *j = job_of(s);

	while (j->step == TELL && j->at < j->count) {
		if (!imap_session_has_room(s))
			return;
		tell_entry(s, j, &j->entries[j->at++]);
		if (j->at % 256 == 0)
			link_flush(s->client);
	}
	if (j->step == TELL) {
		j->step = STATUS;
		j->at = 0;
	}
	if (j->step == STATUS)
		go_on_status(s, j);
}

/* ---- what the stores say --------------------------------------------------------------------------------- */

/* Of a response about a mailbox, without its end. False: it is none. */
static bool
read_name(struct list_job *j, struct slice line, struct slice *name_r)
{
	struct slice word, *attributes;
	struct imap_args a;
	size_t count;
	bool status;

	(void)slice_cut(&line, ' ');
	word = slice_sub(line, 0, slice_find(line, ' '));
	status = slice_ieq(word, SLICE("STATUS")) || slice_ieq(word, SLICE("MYRIGHTS"));
	arena_reset(j->scratch);
	imap_args_init(&a, j->scratch, "LIST", slice_skip(line, word.n));
	if (!status && (!imap_args_space(&a) || !imap_args_flags(&a, false, &attributes, &count) ||
	                !imap_args_space(&a) || !imap_args_skip(&a, "separator")))
		return false;
	return imap_args_space(&a) && imap_args_astring(&a, "name", name_r);
}

/* A whole response about a name. False: it makes no sense. */
static bool
on_line(struct imap_session *s, struct list_job *j)
{
	struct slice line = buf_slice(&j->line), name;

	line.n -= 2; /* CRLF */
	if (memchr(line.p, '\0', line.n) != NULL || !read_name(j, line, &name))
		return false;
	if (j->step == SUBSCRIPTIONS)
		subscribe(j, name);
	else if (j->step == STATUS || !list_shared_is_name(name))
		imap_session_say(s, "%.*s", SLICE_ARG(line));
	return true;
}

static enum imap_take
on_data(struct imap_session *s, struct list_job *j, const struct imap_resp_event *ev)
{
	static const char *const about[] = { "LIST", "LSUB", "STATUS", "MYRIGHTS" };

	if (ev->type == IMAP_RESP_DATA) {
		j->taking = false;
		for (size_t i = 0; i < ARRAY_LEN(about); i++)
			j->taking = j->taking || slice_eq_str(ev->name, about[i]);
		buf_clear(&j->line);
	}
	if (!j->taking)
		return TAKE_PASS;
	buf_add_slice(&j->line, ev->bytes);
	if (j->line.overflow || (ev->last && !on_line(s, j)))
		return TAKE_WRONG;
	return TAKE_TAKEN;
}

static void
home_done(struct imap_session *s, struct list_job *j, const struct imap_resp_event *ev)
{
	imap_forward_ask(s, NULL);
	if (ev->status != IMAP_RESP_OK) {
		imap_session_finish_job(
			s, arena_slice_str(s->head.arena,
		                           slice_trim(slice_skip(ev->bytes, ev->tag.n))));
		return;
	}
	find_names(s, j);
	j->step = TELL;
}

static enum imap_take
on_tagged(struct imap_session *s, struct list_job *j, const struct imap_resp_event *ev)
{
	if (ev->tag.n < 2 || ev->tag.p[0] != 'R' || ev->status > IMAP_RESP_BAD)
		return TAKE_WRONG;
	if (j->step == SUBSCRIPTIONS && --j->questions == 0) {
		if (j->subscribed_count > 0)
			qsort(j->subscribed, j->subscribed_count, sizeof(*j->subscribed),
			      compare_slices);
		ask_home(s, j);
	} else if (j->step == HOME && slice_eq_str(ev->tag, j->tag)) {
		home_done(s, j, ev);
	} else if (j->step == STATUS && j->on_way > 0 && --j->on_way == 0) {
		imap_forward_ask(s, NULL);
	}
	return TAKE_TAKEN;
}

/* Is this the answer to what imap_forward_enable() said? */
static bool
is_quiet(struct imap_session *s, const struct imap_leg *leg, struct slice tag)
{
	struct imap_flight *f;

	LIST_EACH (f, &s->flights, struct imap_flight, link)
		if (f->leg == leg && slice_eq_str(tag, f->tag))
			return true;
	return false;
}

static enum imap_take
on_response(struct imap_session *s, struct imap_leg *leg, const struct imap_resp_event *ev)
{
	struct list_job *j = job_of(s);

	if (s->asked != leg)
		return TAKE_PASS;
	switch (ev->type) {
	case IMAP_RESP_STATUS:
		if (slice_eq(ev->tag, SLICE("*")) || is_quiet(s, leg, ev->tag))
			return TAKE_PASS;
		return on_tagged(s, j, ev);
	case IMAP_RESP_CONTINUE:
		return TAKE_WRONG;
	case IMAP_RESP_DATA:
	case IMAP_RESP_MORE:
		return on_data(s, j, ev);
	}
	must_not_reach();
}

static void
on_lost(struct imap_session *s, const struct imap_leg *leg, const char *reply)
{
	struct list_job *j = job_of(s);

	if (j->step == STATUS && (leg == NULL || leg == j->leg))
		skip_server(s, j);
	else if (leg == j->home && j->step < TELL)
		imap_session_finish_job(s, reply);
}

static void
on_free(struct imap_session *s)
{
	struct list_job *j = job_of(s);
	struct arena *arena = j->arena; /* where j is */

	barrier_cancel(s->proxy->c.barrier, j->barrier_id);
	buf_fini(&j->line);
	free(j->subscribed);
	free(j->entries);
	arena_free(&j->scratch);
	arena_free(&arena);
}

static const struct imap_job list_job = { on_response, on_go_on, on_lost, on_free };

/* ---- for others --------------------------------------------------------------------------------------------- */

bool
imap_list_is_wide(struct imap_session *s)
{
	struct imap_head *h = &s->head;
	struct list_args args;
	bool wide;

	if (s->store->kind != SERVER_ROOST || !h->last)
		return false;
	if (h->wide == 0) {
		/* what is wrong with it is said here; literals would have to wait for the store */
		wide = !list_args_read(&args, h->arena, h->text) || list_args_are_wide(&args) ||
		       slice_find(h->text, '\n') < h->text.n;
		h->wide = wide ? 1 : -1;
	}
	return h->wide > 0;
}

void
imap_list_start(struct imap_session *s)
{
	struct arena *arena = arena_new("imap.list");
	struct list_job *j = arena_alloc(arena, sizeof(*j));

	if (!list_args_read(&j->args, arena, s->head.text)) {
		imap_session_refuse(s, arena_printf(s->head.arena, "BAD %s", j->args.bad));
		arena_free(&arena);
		return;
	}
	j->arena = arena;
	j->scratch = arena_new("imap.list.line");
	j->home = s->home;
	buf_init(&j->line, LINE_MAX_BYTES);
	imap_session_start_job(s, &list_job, j);
	j->barrier_id = barrier_wait(s->proxy->c.barrier, on_barrier, s);
}
