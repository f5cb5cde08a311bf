#include "imap/list_args.h"

#include "imap/list_shared.h"
#include "proto/imap_args.h"
#include "proto/imap_cmd.h"

static const struct option {
	const char *word;
	unsigned bits;
} select_options[] = {
	{ "SUBSCRIBED", LIST_SELECT_SUBSCRIBED | LIST_RETURN_SUBSCRIBED },
	{ "SPECIAL-USE", LIST_SELECT_SPECIAL_USE },
	{ "RECURSIVEMATCH", LIST_SELECT_RECURSIVE },
	{ NULL, 0 },
}, return_options[] = {
	{ "SUBSCRIBED", LIST_RETURN_SUBSCRIBED },
	{ "MYRIGHTS", LIST_RETURN_MYRIGHTS },
	{ NULL, 0 },
};

/* "(" options ")": text_r is the whole. */
static bool
read_options(struct imap_args *a, const struct option *table, struct list_args *l,
             struct slice *text_r)
{
	struct slice all = a->rest, word;
	bool first = true;

	if (!imap_args_open(a, "options"))
		return false;
	while (imap_args_next(a, &first)) {
		struct slice before;

		if (!imap_args_atom(a, "option", &word))
			return false;
		for (size_t i = 0; table[i].word != NULL; i++)
			if (slice_ieq_str(word, table[i].word))
				l->options |= table[i].bits;
		if (!slice_ieq(word, SLICE("STATUS")))
			continue;
		if (!imap_args_space(a))
			return false;
		before = a->rest;
		if (!imap_args_skip(a, "status items"))
			return false;
		l->status = slice_sub(before, 0, before.n - a->rest.n);
	}
	*text_r = slice_sub(all, 0, all.n - a->rest.n);
	if (slice_find(*text_r, '\n') < text_r->n)
		return imap_args_fail(a, "A literal among the options of LIST");
	return imap_args_ok(a);
}

static bool
read_pattern(struct imap_args *a, struct list_args *l)
{
	struct slice text;

	if (!imap_args_list_mailbox(a, "pattern", &text))
		return false;
	if (!imap_cmd_is_quotable(text) || !imap_cmd_is_quotable(l->reference))
		return imap_args_fail(a, "A pattern has characters that are not allowed");
	if (l->text_count == LIST_PATTERNS_MAX)
		return imap_args_fail(a, "Too many patterns in LIST");
	l->texts[l->text_count++] = text;
	/* one that is too long for any name matches none */
	if (text.n > 0 && pattern_init(&l->patterns[l->pattern_count], l->reference, text))
		l->pattern_count++;
	return true;
}

static bool
read_patterns(struct imap_args *a, struct list_args *l)
{
	bool first = true;

	l->many = imap_args_peek(a) == '(';
	l->patterns = arena_array(a->arena, l->many ? LIST_PATTERNS_MAX : 1, sizeof(*l->patterns));
	if (!l->many)
		return read_pattern(a, l);
	l->extended = true;
	if (!imap_args_open(a, "patterns"))
		return false;
	while (imap_args_next(a, &first))
		if (!read_pattern(a, l))
			return false;
	if (imap_args_ok(a) && first)
		return imap_args_fail(a, "Missing pattern in LIST");
	return imap_args_ok(a);
}

static bool
read_all(struct imap_args *a, struct list_args *l)
{
	if (!imap_args_space(a))
		return false;
	if (imap_args_peek(a) == '(') {
		l->extended = true;
		if (!read_options(a, select_options, l, &l->select) || !imap_args_space(a))
			return false;
	}
	if (!imap_args_astring(a, "reference", &l->reference) || !imap_args_space(a) ||
	    !read_patterns(a, l))
		return false;
	if (imap_args_peek(a) == ' ') {
		l->extended = true;
		if (!imap_args_space(a) || !imap_args_try_word(a, "RETURN"))
			return imap_args_fail(a, "RETURN was expected in LIST");
		if (!imap_args_space(a) || !read_options(a, return_options, l, &l->returned))
			return false;
	}
	return imap_args_end(a);
}

bool
list_args_read(struct list_args *l, struct arena *arena, struct slice text)
{
	struct imap_args a;

	memset(l, 0, sizeof(*l));
	imap_args_init(&a, arena, "LIST", text);
	if (read_all(&a, l))
		return true;
	l->bad = imap_args_bad(&a);
	return false;
}

void
list_args_write(const struct list_args *l, struct buf *out)
{
	if (l->select.n > 0)
		buf_printf(out, "%.*s ", SLICE_ARG(l->select));
	imap_cmd_add_quoted(out, l->reference);
	buf_add_str(out, l->many ? " (" : " ");
	for (size_t i = 0; i < l->text_count; i++) {
		if (i > 0)
			buf_add_char(out, ' ');
		imap_cmd_add_quoted(out, l->texts[i]);
	}
	if (l->many)
		buf_add_char(out, ')');
	if (l->returned.n > 0)
		buf_printf(out, " RETURN %.*s", SLICE_ARG(l->returned));
}

bool
list_args_are_wide(const struct list_args *l)
{
	for (size_t i = 0; i < l->pattern_count; i++)
		if (list_shared_is_wanted(&l->patterns[i]))
			return true;
	return false;
}

bool
list_args_match(const struct list_args *l, struct slice client)
{
	for (size_t i = 0; i < l->pattern_count; i++)
		if (pattern_matches(&l->patterns[i], client))
			return true;
	return false;
}
