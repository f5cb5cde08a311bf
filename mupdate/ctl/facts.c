/*
 * One `explain` to each, and one `status` where the role or the name is needed.
 */
#include "ctl/facts.h"

#include "base/xalloc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const says_words[] = {
	[LIST_SILENT] = "silent", [LIST_FOUND] = "found", [LIST_RESERVED] = "reserved",
	[LIST_NONE] = "none",     [LIST_BLIND] = "blind",
};
static const char *const has_words[] = {
	[STORE_SILENT] = "silent", [STORE_ACTIVE] = "active",     [STORE_RESERVED] = "reserved",
	[STORE_NONE] = "none",     [STORE_CONFLICT] = "conflict",
};

const char *
list_says_word(enum list_says s)
{
	return says_words[s];
}

const char *
store_has_word(enum store_has h)
{
	return has_words[h];
}

static void
copy(char *to, size_t room, const char *from)
{
	snprintf(to, room, "%s", from != NULL ? from : "");
}

/* ---- asking --------------------------------------------------------------------------- */

/* Who did not answer the first question is not waited for twice. */
static void
ask_again(struct run *r, const struct program *p, const char *mailbox, struct answer *a)
{
	if (a->json == NULL)
		return;
	answer_fini(a);
	run_ask1(r, p, "explain", "mailbox", mailbox, a);
}

static void
read_list(struct fact_list *l, const struct answer *a)
{
	const char *found = json_get_str(a->json, "found");

	l->says = LIST_SILENT;
	copy(l->why, sizeof(l->why), a->text);
	if (!a->ok || found == NULL)
		return;
	for (size_t i = LIST_FOUND; i < ARRAY_LEN(says_words); i++)
		if (strcmp(found, says_words[i]) == 0)
			l->says = (enum list_says)i;
	copy(l->server, sizeof(l->server), json_get_str(a->json, "server"));
	copy(l->partition, sizeof(l->partition), json_get_str(a->json, "partition"));
	l->revision = json_get_int(a->json, "revision", 0);
	l->claim = json_get_int(a->json, "claim", 0);
	l->age_ms = json_get_int(a->json, "age_ms", 0);
	l->complete = json_get_bool(a->json, "complete", false);
}

static void
ask_list(struct run *r, struct facts *f, const struct program *p, const char *mailbox)
{
	struct fact_list *l;
	struct answer a;
	const char *role;

	f->lists = xreallocarray(f->lists, f->list_count + 1, sizeof(*f->lists));
	l = &f->lists[f->list_count++];
	*l = (struct fact_list){ .program = p, .role = LIST_FRONT };
	if (strcmp(p->program, "roost-mupdate") == 0) {
		run_ask1(r, p, "status", NULL, NULL, &a);
		role = json_get_str(json_get(a.json, "detail"), "role");
		l->role = role != NULL && strcmp(role, "master") == 0 ? LIST_MASTER : LIST_REPLICA;
		ask_again(r, p, mailbox, &a);
	} else {
		run_ask1(r, p, "explain", "mailbox", mailbox, &a);
	}
	read_list(l, &a);
	answer_fini(&a);
}

static void
read_store(struct fact_store *s, const struct answer *a)
{
	const char *found = json_get_str(a->json, "found");

	s->has = STORE_SILENT;
	copy(s->why, sizeof(s->why), a->text);
	if (!a->ok || found == NULL)
		return;
	for (size_t i = STORE_ACTIVE; i < ARRAY_LEN(has_words); i++)
		if (strcmp(found, has_words[i]) == 0)
			s->has = (enum store_has)i;
	if (json_get_bool(a->json, "conflict", false))
		s->has = STORE_CONFLICT;
	s->messages = json_get_int(a->json, "messages", 0);
	s->uidvalidity = json_get_int(a->json, "uidvalidity", 0);
	s->claim = json_get_int(a->json, "claim", 0);
}

static void
ask_store(struct run *r, struct facts *f, const struct program *p, const char *mailbox)
{
	struct fact_store *s;
	const struct json *detail;
	const char *word;
	struct answer a;

	f->stores = xreallocarray(f->stores, f->store_count + 1, sizeof(*f->stores));
	s = &f->stores[f->store_count++];
	*s = (struct fact_store){ .program = p };
	run_ask1(r, p, "status", NULL, NULL, &a);
	detail = json_get(a.json, "detail");
	word = json_get_str(detail, "server");
	copy(s->server, sizeof(s->server), word != NULL ? word : p->instance);
	word = json_get_str(detail, "cluster");
	s->clustered = word != NULL && strcmp(word, "none") != 0;
	word = json_get_str(detail, "master");
	s->connected = word != NULL && strcmp(word, "connected") == 0;
	ask_again(r, p, mailbox, &a);
	read_store(s, &a);
	answer_fini(&a);
}

static int
compare_lists(const void *a, const void *b)
{
	const struct fact_list *x = a, *y = b;

	if (x->role != y->role)
		return (int)x->role - (int)y->role;
	return x->program < y->program ? -1 : 1;
}

struct facts *
facts_gather(struct run *r, const char *mailbox)
{
	struct facts *f = xcalloc(1, sizeof(*f));

	for (unsigned i = 0; i < r->hosts->program_count; i++) {
		const struct program *p = &r->hosts->programs[i];

		if (strcmp(p->program, "roost-store") == 0)
			ask_store(r, f, p, mailbox);
		else
			ask_list(r, f, p, mailbox);
	}
	if (f->list_count > 0)
		qsort(f->lists, f->list_count, sizeof(*f->lists), compare_lists);
	return f;
}

void
facts_free(struct facts **f)
{
	if (*f == NULL)
		return;
	free((*f)->lists);
	free((*f)->stores);
	free(*f);
	*f = NULL;
}

/* ---- conclusions ------------------------------------------------------------------------- */

const struct fact_list *
facts_master(const struct facts *f)
{
	for (unsigned i = 0; i < f->list_count; i++)
		if (f->lists[i].role == LIST_MASTER && f->lists[i].says != LIST_SILENT)
			return &f->lists[i];
	return NULL;
}

const struct fact_store *
facts_store(const struct facts *f, const char *server)
{
	for (unsigned i = 0; i < f->store_count; i++)
		if (strcmp(f->stores[i].server, server) == 0)
			return &f->stores[i];
	return NULL;
}

const struct fact_store *
facts_next_having(const struct facts *f, unsigned *pos)
{
	while (*pos < f->store_count) {
		const struct fact_store *s = &f->stores[(*pos)++];

		if (s->has == STORE_ACTIVE || s->has == STORE_CONFLICT)
			return s;
	}
	return NULL;
}

bool
facts_is_nowhere(const struct facts *f)
{
	const struct fact_list *master = facts_master(f);
	bool lone = f->store_count > 0;
	unsigned pos = 0;

	if (facts_next_having(f, &pos) != NULL)
		return false;
	for (unsigned i = 0; i < f->store_count; i++)
		lone = lone && f->stores[i].has == STORE_NONE && !f->stores[i].clustered;
	/* all there is, is one store by itself, or the master knows all names */
	return lone || (master != NULL && master->says == LIST_NONE);
}

const char *
facts_server(const struct facts *f)
{
	const struct fact_store *s;
	unsigned pos = 0;

	while ((s = facts_next_having(f, &pos)) != NULL)
		if (s->has == STORE_ACTIVE)
			return s->server;
	for (unsigned i = 0; i < f->list_count; i++)
		if (f->lists[i].says == LIST_FOUND)
			return f->lists[i].server;
	return NULL;
}

/* ---- JSON ----------------------------------------------------------------------------------- */

void
facts_print_json(const struct facts *f, struct json *to)
{
	static const char *const roles[] = { "master", "replica", "front" };
	struct json *items = json_set_array(to, "lists");

	for (unsigned i = 0; i < f->list_count; i++) {
		const struct fact_list *l = &f->lists[i];
		struct json *o = json_add_object(items);

		json_set_str(o, "program", l->program->program);
		json_set_str(o, "host", l->program->host->label);
		json_set_str(o, "role", l->says != LIST_SILENT ? roles[l->role] : NULL);
		json_set_str(o, "says", says_words[l->says]);
		json_set_str(o, "why", l->says == LIST_SILENT ? l->why : NULL);
		json_set_str(o, "server", *l->server != '\0' ? l->server : NULL);
		json_set_int(o, "revision", l->revision);
		json_set_int(o, "claim", l->claim);
		json_set_int(o, "age_ms", l->age_ms);
		json_set_bool(o, "complete", l->complete);
	}
	items = json_set_array(to, "stores");
	for (unsigned i = 0; i < f->store_count; i++) {
		const struct fact_store *s = &f->stores[i];
		struct json *o = json_add_object(items);

		json_set_str(o, "server", s->server);
		json_set_str(o, "host", s->program->host->label);
		json_set_str(o, "has", has_words[s->has]);
		json_set_str(o, "why", s->has == STORE_SILENT ? s->why : NULL);
		json_set_int(o, "messages", s->messages);
		json_set_int(o, "uidvalidity", s->uidvalidity);
		json_set_int(o, "claim", s->claim);
	}
}
