/*
 * From the text of the file to the values one program instance sees.
 *
 * Sections that may hold settings of this program, from the special to the general:
 * `[program instance]`, `[program]`, `[common]`. Everything written anywhere in them is
 * checked, also what is overridden; sections of other programs are left to them.
 */
#include "conf/conf.h"

#include "base/num.h"
#include "base/xalloc.h"
#include "conf/common.h"
#include "conf/conf_file.h"
#include "conf/conf_value.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct conf {
	char *kind, *name; /* of the section; kind is the program for the main one */
	char *path;
	bool in_place; /* of the schema */
	struct conf_value *values;
	size_t count;
	struct conf **sections; /* named ones; main only */
	size_t section_count;
};

/* ---- tables ------------------------------------------------------------------------ */

static void
add_table(struct conf *c, const struct conf_def *defs)
{
	for (; defs->name != NULL; defs++) {
		for (size_t i = 0; i < c->count; i++)
			must(strcmp(c->values[i].def->name, defs->name) != 0);
		c->values = xreallocarray(c->values, c->count + 1, sizeof(*c->values));
		c->values[c->count++] = (struct conf_value){ .def = defs };
	}
}

static struct conf *
conf_blank(const char *kind, const char *name, const char *path)
{
	struct conf *c = xcalloc(1, sizeof(*c));

	c->kind = xstrdup(kind);
	c->name = name != NULL ? xstrdup(name) : NULL;
	c->path = path != NULL ? xstrdup(path) : NULL;
	return c;
}

static struct conf_value *
find_value(const struct conf *c, const char *name)
{
	for (size_t i = 0; i < c->count; i++)
		if (strcmp(c->values[i].def->name, name) == 0)
			return &c->values[i];
	return NULL;
}

/* ---- suggestions -------------------------------------------------------------------- */

/* Levenshtein's distance, for short names. */
static unsigned
distance(const char *a, const char *b)
{
	unsigned row[64];
	size_t n = strlen(b);

	if (n >= ARRAY_LEN(row))
		return UINT_MAX;
	for (size_t j = 0; j <= n; j++)
		row[j] = (unsigned)j;
	for (size_t i = 0; a[i] != '\0'; i++) {
		unsigned diagonal = row[0];

		row[0] = (unsigned)i + 1;
		for (size_t j = 0; j < n; j++) {
			unsigned change = diagonal + (a[i] != b[j]);

			diagonal = row[j + 1];
			row[j + 1] = MIN(change, MIN(diagonal, row[j]) + 1);
		}
	}
	return row[n];
}

struct guess {
	const char *word; /* what was written */
	const char *best;
	unsigned distance;
};

static void
guess_try(struct guess *g, const char *candidate)
{
	unsigned d = distance(g->word, candidate);

	if (d < g->distance && d <= 1 + strlen(g->word) / 4) {
		g->distance = d;
		g->best = candidate;
	}
}

static void
head_text(const char *kind, const char *name, char *text_r, size_t room)
{
	snprintf(text_r, room, "[%s%s%s]", kind, name != NULL ? " " : "", name != NULL ? name : "");
}

static int
fail_unknown(const struct conf *c, const struct conf_head *h, const struct conf_entry *e,
             struct err *err)
{
	struct guess g = { .word = e->name, .distance = UINT_MAX };
	char head[300];

	for (size_t i = 0; i < c->count; i++)
		guess_try(&g, c->values[i].def->name);
	head_text(h->kind, h->name, head, sizeof(head));
	err_set(err, "%s:%u: %s has no setting %s%s%s%s", e->file, e->line, head, e->name,
	        g.best != NULL ? "; did you mean " : "", g.best != NULL ? g.best : "",
	        g.best != NULL ? "?" : "");
	return -1;
}

/* ---- values ---------------------------------------------------------------------------- */

/* Relative paths are taken from the folder of the file they stand in. */
static char *
absolute_path(const char *value, const char *file)
{
	const char *slash = strrchr(file, '/');
	struct buf b = BUF_INIT(PATH_MAX);

	if (*value != '/' && *value != '\0' && slash != NULL)
		buf_add(&b, file, (size_t)(slash - file) + 1);
	buf_add_str(&b, value);
	if (b.overflow)
		buf_clear(&b); /* an empty path is refused below */
	return buf_steal_cstr(&b);
}

static int
parse_entry(struct conf_value *v, const struct conf_head *h, const struct conf_entry *e,
            struct err *err)
{
	struct err reason;
	char head[300];

	v->file = xstrdup(e->file);
	v->line = e->line;
	v->text = v->def->type == CONF_PATH ? absolute_path(e->value, e->file) : xstrdup(e->value);
	if (conf_value_parse(v, &reason))
		return 0;
	head_text(h->kind, h->name, head, sizeof(head));
	err_set(err, "%s:%u: setting %s of %s is \"%.100s\": %s", e->file, e->line, e->name, head,
	        v->def->flags & CONF_SECRET ? "(secret)" : e->value, reason.text);
	return -1;
}

/* Checks each entry; those not set by a more special section are kept. */
static int
apply_head(struct conf *c, const struct conf_head *h, struct err *err)
{
	for (size_t i = 0; i < h->count; i++) {
		const struct conf_entry *e = &h->entries[i];
		struct conf_value *v = find_value(c, e->name);
		struct conf_value fresh = { 0 };

		if (v == NULL)
			return fail_unknown(c, h, e, err);
		fresh.def = v->def;
		if (parse_entry(&fresh, h, e, err) == -1) {
			conf_value_fini(&fresh);
			return -1;
		}
		if (v->text == NULL)
			*v = fresh;
		else
			conf_value_fini(&fresh);
	}
	return 0;
}

static int
apply_defaults(struct conf *c, const char *file, unsigned line, struct err *err)
{
	char head[300];

	head_text(c->kind, c->name, head, sizeof(head));
	for (size_t i = 0; i < c->count; i++) {
		struct conf_value *v = &c->values[i];
		struct err reason;

		if (v->text != NULL)
			continue;
		if (v->def->flags & CONF_REQUIRED) {
			err_set(err, "%s:%u: %s needs the setting %s: %s", file, line, head,
			        v->def->name, v->def->help);
			return -1;
		}
		if (v->def->deflt == NULL)
			continue;
		v->text = xstrdup(v->def->deflt);
		if (!conf_value_parse(v, &reason))
			must_fail(v->def->name, "a default that its own table forbids", 0);
	}
	return 0;
}

/* ---- sections ------------------------------------------------------------------------------ */

static const struct conf_kind *
find_kind(const char *kind)
{
	for (const struct conf_kind *k = conf_common_kinds; k->kind != NULL; k++)
		if (strcmp(k->kind, kind) == 0)
			return k;
	return NULL;
}

static bool
is_program(const char *kind, const struct conf_schema *schema)
{
	for (size_t i = 0; conf_common_programs[i] != NULL; i++)
		if (strcmp(conf_common_programs[i], kind) == 0)
			return true;
	return strcmp(schema->program, kind) == 0;
}

static int
fail_head(const struct conf_head *h, const struct conf_schema *schema, struct err *err)
{
	struct guess g = { .word = h->kind, .distance = UINT_MAX };
	char head[300];

	guess_try(&g, "common");
	guess_try(&g, schema->program);
	for (size_t i = 0; conf_common_programs[i] != NULL; i++)
		guess_try(&g, conf_common_programs[i]);
	for (const struct conf_kind *k = conf_common_kinds; k->kind != NULL; k++)
		guess_try(&g, k->kind);
	head_text(h->kind, h->name, head, sizeof(head));
	err_set(err,
	        "%s:%u: there is no section %s%s%s%s; sections are [common], [PROGRAM], "
	        "[PROGRAM INSTANCE], [server NAME] and [identity NAME]",
	        h->file, h->line, head, g.best != NULL ? ", did you mean " : "",
	        g.best != NULL ? g.best : "", g.best != NULL ? "?" : "");
	return -1;
}

static int
add_section(struct conf *c, const struct conf_head *h, const struct conf_kind *k, struct err *err)
{
	struct conf *s;

	if (h->name == NULL) {
		err_set(err, "%s:%u: [%s] needs a name: [%s NAME]", h->file, h->line, h->kind,
		        h->kind);
		return -1;
	}
	s = conf_blank(h->kind, h->name, c->path);
	c->sections = xreallocarray(c->sections, c->section_count + 1, sizeof(struct conf *));
	c->sections[c->section_count++] = s;
	add_table(s, k->defs);
	if (apply_head(s, h, err) == -1)
		return -1;
	return apply_defaults(s, h->file, h->line, err);
}

static int
check_heads(struct conf *c, const struct conf_file *f, const struct conf_schema *schema,
            struct err *err)
{
	for (size_t i = 0; i < f->count; i++) {
		const struct conf_head *h = &f->heads[i];
		const struct conf_kind *k = find_kind(h->kind);

		if (k != NULL) {
			if (add_section(c, h, k, err) == -1)
				return -1;
		} else if (strcmp(h->kind, "common") == 0) {
			if (h->name != NULL)
				return fail_head(h, schema, err);
		} else if (!is_program(h->kind, schema)) {
			return fail_head(h, schema, err);
		}
	}
	return 0;
}

/* [common] holds only what all programs know, so that each can judge all of it. */
static int
apply_common(struct conf *c, const struct conf_file *f, struct err *err)
{
	const struct conf_head *h = conf_file_head(f, "common", NULL);
	struct conf *common;
	int r = 0;

	if (h == NULL)
		return 0;
	common = conf_blank("common", NULL, NULL);
	add_table(common, conf_common_settings);
	for (size_t i = 0; i < h->count && r == 0; i++) {
		const struct conf_entry *e = &h->entries[i];

		if (find_value(common, e->name) != NULL)
			continue;
		if (find_value(c, e->name) == NULL) {
			r = fail_unknown(common, h, e, err);
			continue;
		}
		err_set(err, "%s:%u: setting %s may not stand in [common]; move it to [%s]",
		        e->file, e->line, e->name, c->kind);
		r = -1;
	}
	conf_free(&common);
	return r == 0 ? apply_head(c, h, err) : -1;
}

static int
apply_program(struct conf *c, const struct conf_file *f, const char *instance, struct err *err)
{
	const struct conf_head *h;

	if (instance != NULL) {
		h = conf_file_head(f, c->kind, instance);
		if (h == NULL) {
			err_set(err, "%s: there is no section [%s %s] for this instance",
			        f->path != NULL ? f->path : "settings", c->kind, instance);
			return -1;
		}
		if (apply_head(c, h, err) == -1)
			return -1;
	}
	h = conf_file_head(f, c->kind, NULL);
	return h != NULL ? apply_head(c, h, err) : 0;
}

struct conf *
conf_new(const struct conf_file *f, const struct conf_schema *schema, const char *instance,
         struct err *err)
{
	struct conf *c = conf_blank(schema->program, instance, f->path);
	const struct conf_head *h;

	c->in_place = schema->in_place;
	add_table(c, conf_common_settings);
	for (size_t i = 0; schema->tables != NULL && schema->tables[i] != NULL; i++)
		add_table(c, schema->tables[i]);
	if (check_heads(c, f, schema, err) == -1 || apply_program(c, f, instance, err) == -1 ||
	    apply_common(c, f, err) == -1) {
		conf_free(&c);
		return NULL;
	}
	h = conf_file_head(f, schema->program, instance);
	if (apply_defaults(c,
	                   h != NULL         ? h->file
	                   : f->path != NULL ? f->path
	                                     : "settings",
	                   h != NULL ? h->line : 1, err) == -1)
		conf_free(&c);
	return c;
}

static struct conf *
load_file(struct conf_file *f, const struct conf_schema *schema, const char *instance,
          struct err *err)
{
	struct conf *c;

	if (f == NULL)
		return NULL;
	c = conf_new(f, schema, instance, err);
	conf_file_free(&f);
	return c;
}

struct conf *
conf_load(const char *path, const struct conf_schema *schema, const char *instance, struct err *err)
{
	return load_file(conf_file_read(path, err), schema, instance, err);
}

struct conf *
conf_load_text(const char *name, struct slice text, const struct conf_schema *schema,
               const char *instance, struct err *err)
{
	return load_file(conf_file_parse(name, text, err), schema, instance, err);
}

void
conf_free(struct conf **c)
{
	if (*c == NULL)
		return;
	for (size_t i = 0; i < (*c)->count; i++)
		conf_value_fini(&(*c)->values[i]);
	for (size_t i = 0; i < (*c)->section_count; i++)
		conf_free(&(*c)->sections[i]);
	free((*c)->values);
	free((*c)->sections);
	free((*c)->kind);
	free((*c)->name);
	free((*c)->path);
	free(*c);
	*c = NULL;
}

void
conf_wipe_auth_only(struct conf *c)
{
	for (size_t i = 0; i < c->count; i++) {
		const struct conf_def *def = c->values[i].def;

		if ((def->flags & CONF_AUTH_ONLY) == 0)
			continue;
		conf_value_fini(&c->values[i]);
		c->values[i].def = def;
	}
	for (size_t i = 0; i < c->section_count; i++)
		conf_wipe_auth_only(c->sections[i]);
}

static void
wipe_entry(struct conf_entry *e)
{
	secret_wipe(e->value, strlen(e->value));
	free(e->value);
	e->value = xstrdup("-");
}

static void
wipe_entries(struct conf_head *h, const struct conf_def *defs)
{
	for (size_t i = 0; i < h->count; i++)
		for (const struct conf_def *d = defs; d->name != NULL; d++)
			if (strcmp(h->entries[i].name, d->name) == 0 &&
			    (d->flags & CONF_AUTH_ONLY) != 0)
				wipe_entry(&h->entries[i]);
}

static void
drop_entries(struct conf_head *h)
{
	for (size_t i = 0; i < h->count; i++) {
		wipe_entry(&h->entries[i]);
		free(h->entries[i].name);
		free(h->entries[i].value);
		free(h->entries[i].file);
	}
	h->count = 0;
}

void
conf_file_wipe_auth_only(struct conf_file *f, const struct conf_schema *schema)
{
	for (size_t i = 0; i < f->count; i++) {
		struct conf_head *h = &f->heads[i];
		const struct conf_kind *k = find_kind(h->kind);

		if (k != NULL) {
			wipe_entries(h, k->defs);
			continue;
		}
		if (strcmp(h->kind, "common") != 0 && strcmp(h->kind, schema->program) != 0) {
			drop_entries(h);
			continue;
		}
		wipe_entries(h, conf_common_settings);
		for (size_t t = 0; schema->tables != NULL && schema->tables[t] != NULL; t++)
			wipe_entries(h, schema->tables[t]);
	}
}

/* ---- looking up ---------------------------------------------------------------------------- */

static const struct conf_value *
get(const struct conf *c, const char *name, enum conf_type type)
{
	const struct conf_value *v = find_value(c, name);

	if (v == NULL || v->def->type != type)
		must_fail(name, "a setting that is in no table with this type", 0);
	return v;
}

const char *
conf_program(const struct conf *c)
{
	return c->kind;
}

const char *
conf_instance(const struct conf *c)
{
	return c->name;
}

const char *
conf_path(const struct conf *c)
{
	return c->path;
}

const char *
conf_str(const struct conf *c, const char *name)
{
	const struct conf_value *v = find_value(c, name);

	return get(c, name, v != NULL && v->def->type == CONF_PATH ? CONF_PATH : CONF_STRING)->text;
}

bool
conf_bool(const struct conf *c, const char *name)
{
	return get(c, name, CONF_BOOL)->num != 0;
}

uint64_t
conf_int(const struct conf *c, const char *name)
{
	return get(c, name, CONF_INT)->num;
}

uint64_t
conf_bytes(const struct conf *c, const char *name)
{
	return get(c, name, CONF_BYTES)->num;
}

uint64_t
conf_percent(const struct conf *c, const char *name)
{
	return get(c, name, CONF_PERCENT)->num;
}

uint64_t
conf_ms(const struct conf *c, const char *name)
{
	return get(c, name, CONF_DURATION)->num;
}

int
conf_enum(const struct conf *c, const char *name)
{
	return (int)get(c, name, CONF_ENUM)->num;
}

const char *
conf_enum_text(const struct conf *c, const char *name)
{
	return get(c, name, CONF_ENUM)->text;
}

const struct addr *
conf_addr(const struct conf *c, const char *name)
{
	return get(c, name, CONF_ADDRESS)->addrs;
}

const struct addr *
conf_addrs(const struct conf *c, const char *name, size_t *count_r)
{
	const struct conf_value *v = get(c, name, CONF_ADDRESSES);

	*count_r = v->count;
	return v->addrs;
}

const char *const *
conf_list(const struct conf *c, const char *name, size_t *count_r)
{
	const struct conf_value *v = get(c, name, CONF_LIST);

	*count_r = v->count;
	return (const char *const *)v->list;
}

bool
conf_list_has(const struct conf *c, const char *name, const char *word)
{
	const struct conf_value *v = get(c, name, CONF_LIST);

	for (size_t i = 0; i < v->count; i++)
		if (strcmp(v->list[i], word) == 0)
			return true;
	return false;
}

const struct addr_net *
conf_nets(const struct conf *c, const char *name, size_t *count_r)
{
	const struct conf_value *v = get(c, name, CONF_NETWORKS);

	*count_r = v->count;
	return v->nets;
}

bool
conf_nets_has(const struct conf *c, const char *name, const struct addr *a)
{
	size_t n;
	const struct addr_net *nets = conf_nets(c, name, &n);

	for (size_t i = 0; i < n; i++)
		if (addr_net_has(&nets[i], a))
			return true;
	return false;
}

static bool
same_text(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

const char *
conf_next_restart(const struct conf *a, const struct conf *b, size_t *pos)
{
	unsigned flags = CONF_RESTART | (a->in_place ? CONF_RESTART_IN_PLACE : 0);

	must(a->count == b->count);
	while (*pos < a->count) {
		const struct conf_value *v = &a->values[*pos], *w = &b->values[*pos];

		++*pos;
		if ((v->def->flags & flags) != 0 && !same_text(v->text, w->text))
			return v->def->name;
	}
	return NULL;
}

bool
conf_is_set(const struct conf *c, const char *name)
{
	const struct conf_value *v = find_value(c, name);

	must(v != NULL);
	return v->file != NULL;
}

const char *
conf_where(const struct conf *c, const char *name, char *text_r, size_t room)
{
	const struct conf_value *v = find_value(c, name);
	char head[300];

	must(v != NULL);
	head_text(c->kind, c->name, head, sizeof(head));
	if (v->file != NULL)
		snprintf(text_r, room, "%s:%u: setting %s of %s", v->file, v->line, name, head);
	else
		snprintf(text_r, room, "%s: setting %s of %s (not set there)",
		         c->path != NULL ? c->path : "settings", name, head);
	return text_r;
}

const struct conf *
conf_section(const struct conf *c, const char *kind, const char *name)
{
	for (size_t i = 0; i < c->section_count; i++)
		if (strcmp(c->sections[i]->kind, kind) == 0 &&
		    strcmp(c->sections[i]->name, name) == 0)
			return c->sections[i];
	return NULL;
}

const struct conf *
conf_next_section(const struct conf *c, const char *kind, size_t *pos, const char **name_r)
{
	while (*pos < c->section_count) {
		const struct conf *s = c->sections[(*pos)++];

		if (strcmp(s->kind, kind) == 0) {
			if (name_r != NULL)
				*name_r = s->name;
			return s;
		}
	}
	return NULL;
}

/* ---- printing ------------------------------------------------------------------------------- */

static void
print_one(const struct conf *c, struct buf *out)
{
	buf_printf(out, "[%s%s%s]\n", c->kind, c->name != NULL ? " " : "",
	           c->name != NULL ? c->name : "");
	for (size_t i = 0; i < c->count; i++) {
		const struct conf_value *v = &c->values[i];

		if (v->text == NULL)
			continue;
		if (v->def->flags & CONF_SECRET) {
			buf_printf(out, "%s = (secret)\n", v->def->name);
			continue;
		}
		buf_printf(out, "%s = \"", v->def->name);
		for (const char *p = v->text; *p != '\0'; p++) {
			if (*p == '"' || *p == '\\')
				buf_add_char(out, '\\');
			buf_add_char(out, *p);
		}
		buf_add_str(out, v->file != NULL ? "\"\n" : "\"\t# default\n");
	}
}

void
conf_print(const struct conf *c, struct buf *out)
{
	print_one(c, out);
	for (size_t i = 0; i < c->section_count; i++) {
		buf_add_char(out, '\n');
		print_one(c->sections[i], out);
	}
}
