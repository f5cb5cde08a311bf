/*
 * list - LIST and LSUB: RFC 3501 sections 6.3.8 and 6.3.9, RFC 5258 (LIST-EXTENDED), RFC 3348
 * (CHILDREN), RFC 6154 (SPECIAL-USE), RFC 5819 (LIST-STATUS), RFC 8440 (LIST-MYRIGHTS).
 *
 * Of all namespaces, what the user may see. A name above such a one that he may not see, or that
 * is not there, is told as one that is not there.
 */
#include "imap/list_names.h"

#include "base/xalloc.h"
#include "mail/pattern.h"

#define PATTERNS_MAX 20 /* in one command: 17 KB each */

enum {
	SELECT_SUBSCRIBED = 1,
	SELECT_SPECIAL_USE = 2,
	SELECT_RECURSIVE = 4,
	SELECT_REMOTE = 8,
	RETURN_SUBSCRIBED = 16,
	RETURN_IMPLIED = 32, /* what is told in any case: CHILDREN, SPECIAL-USE */
	RETURN_STATUS = 64,  /* with items behind it */
	RETURN_MYRIGHTS = 128,
};

/* list = "LIST" [SP "(" options ")"] SP mailbox SP patterns [SP "RETURN" SP "(" options ")"]
 */
static const struct option {
	const char *word;
	unsigned bits;
} select_options[] = {
	{ "SUBSCRIBED", SELECT_SUBSCRIBED | RETURN_SUBSCRIBED },
	{ "SPECIAL-USE", SELECT_SPECIAL_USE },
	{ "RECURSIVEMATCH", SELECT_RECURSIVE },
	{ "REMOTE", SELECT_REMOTE },
	{ NULL, 0 },
}, return_options[] = {
	{ "SUBSCRIBED", RETURN_SUBSCRIBED },
	{ "CHILDREN", RETURN_IMPLIED },
	{ "SPECIAL-USE", RETURN_IMPLIED },
	{ "STATUS", RETURN_STATUS },
	{ "MYRIGHTS", RETURN_MYRIGHTS },
	{ NULL, 0 },
};

struct list_job {
	bool lsub;
	bool extended; /* in any of the three ways */
	unsigned options;
	struct slice reference;
	struct pattern *patterns;
	unsigned pattern_count;
	bool root_wanted; /* an empty pattern: the separator and the root */
	struct imap_status status;

	struct list_names names;
	struct found {
		bool matches;      /* a pattern */
		bool meets;        /* the selection criteria */
		bool below;        /* so does a name below it */
		bool hidden_below; /* one that no pattern matches */
	} * found;                 /* of names */
	size_t at;
};

/* ---- arguments ------------------------------------------------------------------------------------ */

static bool
read_options(struct imap_args *a, const struct option *table, struct list_job *j)
{
	bool first = true;
	struct slice word;
	size_t i;

	if (!imap_args_open(a, "options"))
		return false;
	while (imap_args_next(a, &first)) {
		if (!imap_args_atom(a, "option", &word))
			return false;
		for (i = 0; table[i].word != NULL && !slice_ieq_str(word, table[i].word); i++)
			continue;
		if (table[i].word == NULL)
			return imap_args_fail(a, "Unknown option in LIST");
		j->options |= table[i].bits;
		if (table[i].bits == RETURN_STATUS && !imap_status_read(a, &j->status))
			return false;
	}
	return imap_args_ok(a);
}

/* A pattern that is too long for any name matches none. */
static bool
read_pattern(struct imap_args *a, struct list_job *j)
{
	struct slice text;

	if (!imap_args_list_mailbox(a, "pattern", &text))
		return false;
	if (j->pattern_count == PATTERNS_MAX)
		return imap_args_fail(a, "Too many patterns in LIST");
	if (text.n == 0)
		j->root_wanted = true;
	else if (pattern_init(&j->patterns[j->pattern_count], j->reference, text))
		j->pattern_count++;
	return true;
}

static bool
read_patterns(struct imap_args *a, struct list_job *j)
{
	bool first = true;

	if (j->lsub || imap_args_peek(a) != '(') {
		j->patterns = arena_array(a->arena, 1, sizeof(*j->patterns));
		return read_pattern(a, j);
	}
	j->extended = true;
	j->patterns = arena_array(a->arena, PATTERNS_MAX, sizeof(*j->patterns));
	if (!imap_args_open(a, "patterns"))
		return false;
	while (imap_args_next(a, &first))
		if (!read_pattern(a, j))
			return false;
	if (imap_args_ok(a) && first)
		return imap_args_fail(a, "Missing pattern in LIST");
	return imap_args_ok(a);
}

static bool
read_list(struct imap_args *a, struct list_job *j)
{
	if (!imap_args_space(a))
		return false;
	if (!j->lsub && imap_args_peek(a) == '(') {
		j->extended = true;
		if (!read_options(a, select_options, j) || !imap_args_space(a))
			return false;
	}
	if ((j->options & (SELECT_RECURSIVE | SELECT_SUBSCRIBED)) == SELECT_RECURSIVE)
		return imap_args_fail(a, "RECURSIVEMATCH needs SUBSCRIBED");
	if (!imap_args_astring(a, "reference", &j->reference) || !imap_args_space(a) ||
	    !read_patterns(a, j))
		return false;
	if (!j->lsub && imap_args_peek(a) == ' ') {
		j->extended = true;
		if (!imap_args_space(a) || !imap_args_try_word(a, "RETURN"))
			return imap_args_fail(a, "RETURN was expected in LIST");
		if (!imap_args_space(a) || !read_options(a, return_options, j))
			return false;
	}
	return imap_args_end(a);
}

/* ---- which names ------------------------------------------------------------------------------------ */

static bool
matches(const struct list_job *j, struct slice name)
{
	for (unsigned i = 0; i < j->pattern_count; i++)
		if (pattern_matches(&j->patterns[i], name))
			return true;
	return false;
}

static bool
meets(const struct list_job *j, const struct list_name *n)
{
	if ((j->options & SELECT_SPECIAL_USE) != 0 && n->use.n == 0)
		return false;
	return (j->options & SELECT_SUBSCRIBED) != 0 ? n->subscribed : n->exists;
}

/* Could one of them match in the namespaces of others? */
static bool
wants_others(const struct list_job *j)
{
	static const char *const tops[] = { MBOX_OTHER_USERS_PREFIX, MBOX_SHARED_PREFIX };

	for (unsigned i = 0; i < j->pattern_count; i++)
		for (size_t k = 0; k < ARRAY_LEN(tops); k++) {
			struct slice top = slice_sub(slice_of(tops[k]), 0, strlen(tops[k]) - 1);

			if (pattern_matches(&j->patterns[i], top) ||
			    pattern_may_match_below(&j->patterns[i], top))
				return true;
		}
	return false;
}

static void
find(struct list_job *j)
{
	const struct list_names *l = &j->names;

	for (size_t i = l->count; i-- > 0;) {
		const struct list_name *n = &l->names[i];
		struct found *f = &j->found[i], *up = &j->found[n->parent];

		f->matches = matches(j, n->client);
		f->meets = meets(j, n);
		if (n->parent == i)
			continue;
		up->below |= f->meets || f->below;
		up->hidden_below |= (f->meets && !f->matches) || f->hidden_below;
	}
}

static bool
is_shown(const struct list_job *j, size_t i)
{
	const struct found *f = &j->found[i];

	if (!f->matches)
		return false;
	if (f->meets)
		return true;
	/* "foo" for "foo/bar" that is subscribed, but not among those returned */
	if (j->lsub || (j->options & SELECT_RECURSIVE) != 0)
		return f->hidden_below;
	/* a name that only has others below it: RFC 3501 section 6.3.4 */
	return (j->options & (SELECT_SUBSCRIBED | SELECT_SPECIAL_USE)) == 0 &&
	       j->names.names[i].has_children;
}

/* ---- what is said --------------------------------------------------------------------------------- */

static void
add_attribute(struct buf *out, struct slice attribute)
{
	if (out->data[out->start + out->len - 1] != '(')
		buf_add_char(out, ' ');
	buf_add_slice(out, attribute);
}

static void
add_attributes(const struct list_job *j, size_t i, struct buf *out)
{
	const struct list_name *n = &j->names.names[i];

	if (j->lsub) {
		if (!n->subscribed)
			add_attribute(out, SLICE("\\Noselect"));
		return;
	}
	if (!n->exists)
		add_attribute(out, j->extended ? SLICE("\\NonExistent") : SLICE("\\Noselect"));
	add_attribute(out, n->has_children ? SLICE("\\HasChildren") : SLICE("\\HasNoChildren"));
	if ((j->options & RETURN_SUBSCRIBED) != 0 && n->subscribed)
		add_attribute(out, SLICE("\\Subscribed"));
	if (n->use.n > 0)
		add_attribute(out, n->use);
}

static void
add_line(const struct list_job *j, size_t i, struct buf *out)
{
	buf_printf(out, "* %s (", j->lsub ? "LSUB" : "LIST");
	add_attributes(j, i, out);
	buf_add_str(out, ") \"/\" ");
	imap_add_astring(out, j->names.names[i].client);
	if ((j->options & SELECT_RECURSIVE) != 0 && j->found[i].below)
		buf_add_str(out, " (\"CHILDINFO\" (\"SUBSCRIBED\"))");
	buf_add_str(out, "\r\n");
}

static void
add_rights(const struct list_name *n, struct buf *out)
{
	char text[ACL_TEXT_SIZE];

	buf_add_str(out, "* MYRIGHTS ");
	imap_add_astring(out, n->client);
	buf_printf(out, " %s\r\n", acl_rights_to_client(n->rights, text));
}

static void pump(struct imap_session *s, struct command *c);

/* One that is gone meanwhile, or cannot be read now, has none: RFC 5819 section 2. */
static void
on_status(void *ctx, enum mbox_result result, const struct mailbox_status *st)
{
	struct imap_session *s = ctx;
	struct list_job *j = s->command.job;
	const struct list_name *n = &j->names.names[j->at++];

	s->command.store_id = 0;
	if (result == MBOX_OK && !imap_status_tell(s, n->name, &j->status, st))
		must_not_reach(); /* it has been told as its client's name */
	command_pump(s, pump);
}

/* All about one name. False: not yet. */
static bool
tell(struct imap_session *s, struct list_job *j)
{
	const struct list_name *n = &j->names.names[j->at];

	add_line(j, j->at, imap_out(s));
	if (!n->exists)
		return true;
	if ((j->options & RETURN_MYRIGHTS) != 0)
		add_rights(n, imap_out(s));
	if ((j->options & RETURN_STATUS) == 0 || (n->rights & ACL_READ) == 0)
		return true;
	command_pump(s, NULL);
	s->command.store_id = imap_status_ask(s, n->name, &j->status, on_status);
	return false;
}

static void
pump(struct imap_session *s, struct command *c)
{
	struct list_job *j = c->job;

	for (; j->at < j->names.count; j->at++) {
		if (command_must_yield(s))
			return;
		if (is_shown(j, j->at) && !tell(s, j))
			return;
	}
	command_done(s, COMMAND_OK, NULL, "That is all");
}

static void
cleanup(struct imap_session *s)
{
	struct list_job *j = s->command.job;

	list_names_fini(&j->names);
}

static void
start(struct imap_session *s, bool lsub)
{
	struct command *c = &s->command;
	struct list_job *j = arena_alloc(c->arena, sizeof(*j));

	j->lsub = lsub;
	if (lsub)
		j->options = SELECT_SUBSCRIBED;
	if (!read_list(&c->args, j)) {
		command_bad(s, imap_args_bad(&c->args));
		return;
	}
	if (j->root_wanted && !j->extended && !lsub)
		imap_untagged(s, "LIST (\\Noselect) \"/\" \"\"");
	imap_status_begin(s, &j->status);
	/* LSUB does not tell what is there */
	list_names_init(&j->names, s, c->arena,
	                (lsub ? 0 : LIST_NAMES_EXISTING) |
	                        (wants_others(j) ? LIST_NAMES_OTHERS : 0));
	c->job = j;
	c->cleanup = cleanup;
	j->found = arena_array(c->arena, j->names.count + 1, sizeof(*j->found));
	find(j);
	command_pump(s, pump);
}

void
cmd_list(struct imap_session *s, UNUSED struct command *c)
{
	start(s, false);
}

void
cmd_lsub(struct imap_session *s, UNUSED struct command *c)
{
	start(s, true);
}
