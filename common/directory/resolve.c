#include "directory/resolve.h"

#include "base/map.h"
#include "base/must.h"
#include "base/text.h"
#include "base/xalloc.h"
#include "directory/directory_impl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PATH_MAX_LEVELS (RESOLVE_DEPTH_MAX + 1)

/* An address on the way. */
struct place {
	struct dir_name name;                /* local is "" when no account or alias can be so */
	char local[DIRECTORY_NAME_MAX + 1];  /* unquoted, case as given */
	char detail[DIRECTORY_NAME_MAX + 1]; /* its own, or what came along */
	char domain[DIRECTORY_NAME_MAX + 1];
	char full[3 * DIRECTORY_NAME_MAX + 3]; /* for texts and for knowing it again */
	bool elsewhere; /* its domain cannot be ours: a literal, or letters beyond ASCII */
};

struct walk {
	const struct resolve_config *c;
	const char *default_domain; /* lower case, or NULL */
	struct resolved *out;
	struct map *seen;            /* by full: the walk itself */
	char *path[PATH_MAX_LEVELS]; /* full of each level above */
	unsigned steps;
	bool temp, looped, denied, stale; /* somewhere on the way */
};

const char *
resolve_event_text(enum resolve_event e)
{
	static const char *const texts[] = {
#define X(name, text) [RESOLVE_##name] = text,
		RESOLVE_EVENTS(X)
#undef X
	};

	return texts[e];
}

static void
tell(struct walk *w, unsigned depth, const char *address, enum resolve_event event)
{
	if (w->c->trace != NULL)
		w->c->trace(w->c->trace_ctx, depth, address, event);
}

static void
set_temp(struct walk *w, const char *why)
{
	w->temp = true;
	if (w->out->why[0] == '\0')
		snprintf(w->out->why, sizeof(w->out->why), "%s", why);
}

/* ---- addresses --------------------------------------------------------------------------- */

/* "fred" of "\"fred\"": the same mailbox by RFC 5321 section 4.1.2. */
static struct slice
unquote(struct slice local, char room[DIRECTORY_NAME_MAX + 1])
{
	size_t n = 0;

	if (local.n < 2 || local.p[0] != '"' || local.p[local.n - 1] != '"')
		return local;
	for (size_t i = 1; i + 1 < local.n; i++) {
		if (local.p[i] == '\\' && i + 2 < local.n)
			i++;
		room[n++] = local.p[i];
	}
	return slice_make(room, n);
}

/* A detail becomes part of mailbox names and protocol lines elsewhere. */
static bool
is_text(struct slice s)
{
	for (size_t i = 0; i < s.n; i++)
		if (text_is_ctl(s.p[i]))
			return false;
	return true;
}

static bool
read_place(const struct walk *w, struct slice address, const char *detail, struct place *p)
{
	size_t at = slice_find_last(address, '@'), cut;
	const char *delimiter = w->c->delimiter != NULL ? w->c->delimiter : "";
	char room[DIRECTORY_NAME_MAX + 1];
	struct slice local = slice_sub(address, 0, at), domain = slice_of(w->default_domain);

	if (address.n > DIRECTORY_NAME_MAX || local.n == 0 || !is_text(address))
		return false;
	if (at < address.n)
		domain = slice_skip(address, at + 1);
	local = unquote(local, room);
	cut = *delimiter != '\0' ? slice_find(local, *delimiter) : local.n;
	if (cut == 0)
		cut = local.n; /* nothing in front: a name of its own, which nobody of ours has */
	if (domain.n == 0)
		return false;
	p->elsewhere = !dir_name_of_domain(domain, &p->name);
	dir_name_set_local(&p->name, slice_sub(local, 0, cut));
	snprintf(p->local, sizeof(p->local), "%.*s", (int)cut, local.p);
	snprintf(p->detail, sizeof(p->detail), "%s", detail);
	if (cut + 1 < local.n)
		snprintf(p->detail, sizeof(p->detail), "%.*s",
		         SLICE_ARG(slice_skip(local, cut + 1)));
	snprintf(p->domain, sizeof(p->domain), "%.*s", SLICE_ARG(domain));
	snprintf(p->full, sizeof(p->full), "%s%s%s@%s", p->local,
	         *p->detail != '\0' && *delimiter != '\0' ? (char[]){ *delimiter, '\0' } : "",
	         p->detail, p->domain);
	return true;
}

/* ---- what came of it ------------------------------------------------------------------------ */

static bool
has_room(struct walk *w)
{
	if (w->out->final_count + w->out->relay_count < DIRECTORY_TARGETS_MAX)
		return true;
	w->out->is_too_much = true;
	set_temp(w, "it leads to too many");
	return false;
}

static void
add_final(struct walk *w, const struct place *p, const char *home)
{
	struct resolved *r = w->out;
	char user[DIRECTORY_NAME_MAX + 1];

	dir_name_text(p->name.local, p->name.domain, w->default_domain, user);
	for (size_t i = 0; i < r->final_count; i++)
		if (strcmp(r->finals[i].user, user) == 0 &&
		    strcmp(r->finals[i].detail, p->detail) == 0)
			return;
	if (!has_room(w))
		return;
	r->finals = xreallocarray(r->finals, r->final_count + 1, sizeof(*r->finals));
	r->finals[r->final_count++] =
		(struct auth_final){ xstrdup(user), xstrdup(p->detail), xstrdup(home) };
}

/* The local part belongs to others there: as it was written, without what came along. */
static void
add_relay(struct walk *w, struct slice address)
{
	struct resolved *r = w->out;
	char text[DIRECTORY_NAME_MAX + 1];

	snprintf(text, sizeof(text), "%.*s", SLICE_ARG(address));
	for (char *c = strrchr(text, '@'); *c != '\0'; c++)
		*c = text_lower(*c);
	for (size_t i = 0; i < r->relay_count; i++)
		if (strcmp(r->relays[i], text) == 0)
			return;
	if (!has_room(w))
		return;
	r->relays = xreallocarray(r->relays, r->relay_count + 1, sizeof(*r->relays));
	r->relays[r->relay_count++] = xstrdup(text);
}

/* ---- the walk -------------------------------------------------------------------------------- */

static void visit(struct walk *w, struct slice address, const char *detail, unsigned depth);

static void
visit_all(struct walk *w, const struct buf *targets, const char *detail, unsigned depth)
{
	const char *target;
	size_t pos = 0;

	while ((target = entry_next(targets, &pos)) != NULL)
		visit(w, slice_of(target), detail, depth);
}

static void
visit_account(struct walk *w, const struct place *p, const struct entry *e, unsigned depth)
{
	bool forwards = e->forwards.len > 0 && !w->c->senders;

	if (e->account.status != DIRECTORY_ACTIVE && !w->c->senders) {
		tell(w, depth, p->full, RESOLVE_DISABLED);
		w->denied = true;
		return;
	}
	tell(w, depth, p->full,
	     !forwards              ? RESOLVE_ACCOUNT
	     : e->account.keep_copy ? RESOLVE_FORWARDS_AND_KEEPS
	                            : RESOLVE_FORWARDS);
	if (!forwards || e->account.keep_copy)
		add_final(w, p, e->account.home);
	if (forwards)
		visit_all(w, &e->forwards, p->detail, depth + 1);
}

static void
visit_other_domain(struct walk *w, const struct place *p, const struct entry *e, unsigned depth)
{
	char address[DIRECTORY_NAME_MAX + 1];
	int n = snprintf(address, sizeof(address), "%s@%s", p->local, e->alias_of);

	tell(w, depth, p->full, RESOLVE_OTHER_DOMAIN);
	if (n > 0 && (size_t)n < sizeof(address))
		visit(w, slice_make(address, (size_t)n), p->detail, depth + 1);
}

static bool
is_default_domain(const struct walk *w, const char *domain)
{
	return w->default_domain != NULL && strcmp(domain, w->default_domain) == 0;
}

/* Rule 4. Whom it leads to counts, so it is asked when the rest has led nowhere. */
static void
visit_postmaster(struct walk *w, const struct place *p, unsigned depth)
{
	char address[DIRECTORY_NAME_MAX + 1];

	tell(w, depth, p->full, RESOLVE_POSTMASTER);
	if (w->c->postmaster != NULL) {
		visit(w, slice_of(w->c->postmaster), p->detail, depth + 1);
	} else if (w->default_domain != NULL && !is_default_domain(w, p->name.domain)) {
		snprintf(address, sizeof(address), "postmaster@%s", w->default_domain);
		visit(w, slice_of(address), p->detail, depth + 1);
	}
	if (w->out->final_count + w->out->relay_count == 0)
		set_temp(w, "nobody gets the postmaster's mail: set `postmaster`, or make an alias "
		            "postmaster of the default domain");
}

static bool
leads_nowhere(const struct walk *w)
{
	return !w->temp && w->out->final_count + w->out->relay_count == 0;
}

static void
visit_elsewhere(struct walk *w, struct slice address, unsigned depth)
{
	char text[DIRECTORY_NAME_MAX + 1];

	snprintf(text, sizeof(text), "%.*s", SLICE_ARG(address)); /* no detail went along */
	tell(w, depth, text, RESOLVE_ELSEWHERE);
	if (depth > 0)
		add_relay(w, address);
	else
		w->out->domain_unknown = true;
}

/* A target that may have been made meanwhile is not left out. */
static void
visit_unknown(struct walk *w, const struct place *p, const struct entry *e, unsigned depth)
{
	tell(w, depth, p->full, RESOLVE_UNKNOWN);
	if (e->is_stale && depth > 0)
		set_temp(w, "the directory is away, and what it said before is too little");
}

static void
visit_entry(struct walk *w, struct slice address, const struct place *p, const struct entry *e,
            unsigned depth)
{
	bool is_postmaster = strcmp(p->name.local, "postmaster") == 0 && !w->c->senders;

	w->stale = w->stale || e->is_stale;
	if (!e->domain_known && !is_default_domain(w, p->name.domain)) {
		visit_elsewhere(w, address, depth);
		return;
	}
	if (e->alias_of[0] != '\0')
		visit_other_domain(w, p, e, depth);
	else if (e->has_account)
		visit_account(w, p, e, depth);
	else if (e->aliases.len > 0 && *p->name.local != '\0') {
		tell(w, depth, p->full, RESOLVE_ALIAS);
		visit_all(w, &e->aliases, p->detail, depth + 1);
	} else if (e->catch_all.len > 0 && !is_postmaster) {
		tell(w, depth, p->full, RESOLVE_CATCH_ALL);
		visit_all(w, &e->catch_all, p->detail, depth + 1);
	} else if (!is_postmaster) {
		visit_unknown(w, p, e, depth);
	}
	if (is_postmaster && depth == 0 && leads_nowhere(w))
		visit_postmaster(w, p, depth);
}

/* Both are told; only a circle is wrong. */
static bool
was_here(struct walk *w, const struct place *p, unsigned depth)
{
	for (unsigned i = 0; i < depth; i++)
		if (strcmp(w->path[i], p->full) == 0) {
			tell(w, depth, p->full, RESOLVE_LOOP);
			w->looped = true;
			return true;
		}
	if (map_set(w->seen, slice_of(p->full), w) == NULL)
		return false;
	tell(w, depth, p->full, RESOLVE_AGAIN);
	return true;
}

static void
visit_place(struct walk *w, struct slice address, struct place *p, unsigned depth)
{
	struct err err = { "" };
	struct entry *e;

	if (w->temp || was_here(w, p, depth))
		return; /* TEMP is the answer to the whole: whoever is left need not be asked */
	if (depth >= RESOLVE_DEPTH_MAX || ++w->steps > RESOLVE_STEPS_MAX) {
		tell(w, depth, p->full, RESOLVE_TOO_MUCH);
		w->out->is_too_much = true;
		set_temp(w, "it leads through too many names");
		return;
	}
	if (p->elsewhere) {
		visit_elsewhere(w, address, depth);
		return;
	}
	if (directory_find(w->c->directory, &p->name, &e, &err) != DIRECTORY_OK) {
		tell(w, depth, p->full, RESOLVE_TEMP);
		set_temp(w, err.text);
		return;
	}
	w->path[depth] = p->full;
	visit_entry(w, address, p, e, depth);
	entry_unref(&e);
}

static void
visit(struct walk *w, struct slice address, const char *detail, unsigned depth)
{
	struct place *p = xmalloc(sizeof(*p)); /* too large for a stack of ten */
	char text[DIRECTORY_NAME_MAX + 1];

	if (read_place(w, address, detail, p)) {
		visit_place(w, address, p, depth);
	} else {
		snprintf(text, sizeof(text), "%.*s", (int)MIN(address.n, sizeof(text) - 1),
		         address.p != NULL ? address.p : "");
		tell(w, depth, text, RESOLVE_INVALID);
		w->out->result = depth == 0 ? AUTH_INVALID : AUTH_UNKNOWN;
	}
	free(p);
}

/* ---- the whole -------------------------------------------------------------------------------- */

static enum auth_result
judge(struct walk *w)
{
	struct resolved *r = w->out;

	if (w->temp)
		return AUTH_TEMP;
	if (r->final_count + r->relay_count > 0)
		return AUTH_OK;
	if (r->result == AUTH_INVALID)
		return AUTH_INVALID;
	if (w->stale) { /* nothing is unknown because nobody answered */
		set_temp(w, "the directory is away, and what it said before is too little");
		return AUTH_TEMP;
	}
	r->loop = w->looped;
	return w->looped || w->denied ? AUTH_DENIED : AUTH_UNKNOWN;
}

void
resolve_address(const struct resolve_config *c, struct slice address, struct resolved *r_r)
{
	struct walk w = { .c = c, .out = r_r, .seen = map_new() };

	memset(r_r, 0, sizeof(*r_r));
	r_r->result = AUTH_UNKNOWN;
	if (c->directory != NULL) {
		w.default_domain = c->directory->default_domain;
		visit(&w, address, "", 0);
	} else {
		set_temp(&w, "there is no directory");
	}
	r_r->result = judge(&w);
	r_r->domain_unknown = r_r->domain_unknown && r_r->result == AUTH_UNKNOWN;
	map_free(&w.seen);
}

void
resolved_fini(struct resolved *r)
{
	for (size_t i = 0; i < r->final_count; i++) {
		free((char *)r->finals[i].user);
		free((char *)r->finals[i].detail);
		free((char *)r->finals[i].home);
	}
	for (size_t i = 0; i < r->relay_count; i++)
		free(r->relays[i]);
	free(r->finals);
	free(r->relays);
	memset(r, 0, sizeof(*r));
}
