/*
 * search     = [SP "RETURN" SP "(" [option *(SP option)] ")"] [SP "CHARSET" SP astring]
 *              1*(SP search-key)
 * search-key = a key of the table with its arguments / sequence-set /
 *              "(" search-key *(SP search-key) ")"
 *
 * Iterative: a stack of what is open (parentheses, OR, NOT). NOT is a mark on the node that
 * follows; an OR whose last operand is an OR takes its operands (a or (b or c)).
 */
#include "proto/imap_search.h"

#include "base/text.h"

enum arg {
	ARG_NONE,
	ARG_SET,
	ARG_DAY,
	ARG_NUMBER,
	ARG_SECONDS,
	ARG_MODSEQ,
	ARG_STRING,
	ARG_FIELD,   /* HEADER: a name and a string */
	ARG_KEYWORD, /* an atom */
	ARG_KEYS,    /* NOT, OR: search keys */
	ARG_NEW,     /* none, but it stands for RECENT UNSEEN */
};

static const struct key {
	const char *name;
	enum imap_search_op op;
	bool invert;
	enum arg arg;
	const char *text; /* FLAG: which; HEADER: the field */
} keys[] = {
	{ "ALL", IMAP_SEARCH_AND, false, ARG_NONE, NULL },
	{ "ANSWERED", IMAP_SEARCH_FLAG, false, ARG_NONE, "\\Answered" },
	{ "BCC", IMAP_SEARCH_HEADER, false, ARG_STRING, "Bcc" },
	{ "BEFORE", IMAP_SEARCH_BEFORE, false, ARG_DAY, NULL },
	{ "BODY", IMAP_SEARCH_BODY, false, ARG_STRING, NULL },
	{ "CC", IMAP_SEARCH_HEADER, false, ARG_STRING, "Cc" },
	{ "DELETED", IMAP_SEARCH_FLAG, false, ARG_NONE, "\\Deleted" },
	{ "DRAFT", IMAP_SEARCH_FLAG, false, ARG_NONE, "\\Draft" },
	{ "FLAGGED", IMAP_SEARCH_FLAG, false, ARG_NONE, "\\Flagged" },
	{ "FROM", IMAP_SEARCH_HEADER, false, ARG_STRING, "From" },
	{ "HEADER", IMAP_SEARCH_HEADER, false, ARG_FIELD, NULL },
	{ "KEYWORD", IMAP_SEARCH_FLAG, false, ARG_KEYWORD, NULL },
	{ "LARGER", IMAP_SEARCH_LARGER, false, ARG_NUMBER, NULL },
	{ "MODSEQ", IMAP_SEARCH_MODSEQ, false, ARG_MODSEQ, NULL },
	{ "NEW", IMAP_SEARCH_AND, false, ARG_NEW, NULL },
	{ "NOT", IMAP_SEARCH_AND, true, ARG_KEYS, NULL },
	{ "OLD", IMAP_SEARCH_RECENT, true, ARG_NONE, NULL },
	{ "OLDER", IMAP_SEARCH_OLDER, false, ARG_SECONDS, NULL },
	{ "ON", IMAP_SEARCH_ON, false, ARG_DAY, NULL },
	{ "OR", IMAP_SEARCH_OR, false, ARG_KEYS, NULL },
	{ "RECENT", IMAP_SEARCH_RECENT, false, ARG_NONE, NULL },
	{ "SEEN", IMAP_SEARCH_FLAG, false, ARG_NONE, "\\Seen" },
	{ "SENTBEFORE", IMAP_SEARCH_SENTBEFORE, false, ARG_DAY, NULL },
	{ "SENTON", IMAP_SEARCH_SENTON, false, ARG_DAY, NULL },
	{ "SENTSINCE", IMAP_SEARCH_SENTSINCE, false, ARG_DAY, NULL },
	{ "SINCE", IMAP_SEARCH_SINCE, false, ARG_DAY, NULL },
	{ "SMALLER", IMAP_SEARCH_SMALLER, false, ARG_NUMBER, NULL },
	{ "SUBJECT", IMAP_SEARCH_HEADER, false, ARG_STRING, "Subject" },
	{ "TEXT", IMAP_SEARCH_TEXT, false, ARG_STRING, NULL },
	{ "TO", IMAP_SEARCH_HEADER, false, ARG_STRING, "To" },
	{ "UID", IMAP_SEARCH_UIDS, false, ARG_SET, NULL },
	{ "UNANSWERED", IMAP_SEARCH_FLAG, true, ARG_NONE, "\\Answered" },
	{ "UNDELETED", IMAP_SEARCH_FLAG, true, ARG_NONE, "\\Deleted" },
	{ "UNDRAFT", IMAP_SEARCH_FLAG, true, ARG_NONE, "\\Draft" },
	{ "UNFLAGGED", IMAP_SEARCH_FLAG, true, ARG_NONE, "\\Flagged" },
	{ "UNKEYWORD", IMAP_SEARCH_FLAG, true, ARG_KEYWORD, NULL },
	{ "UNSEEN", IMAP_SEARCH_FLAG, true, ARG_NONE, "\\Seen" },
	{ "YOUNGER", IMAP_SEARCH_YOUNGER, false, ARG_SECONDS, NULL },
};

struct frame {
	struct imap_search_node *node;
	struct imap_search_node **tail; /* where its next child goes */
	unsigned left;                  /* OR: operands to come; parentheses: 0 */
};

struct reader {
	struct imap_args *a;
	struct imap_search *s;
	struct frame stack[IMAP_SEARCH_DEPTH_MAX];
	unsigned depth;
	unsigned nodes;
	bool invert; /* NOT: of the next key */
};

static struct imap_search_node *
add_node(struct reader *r, enum imap_search_op op, bool invert)
{
	struct frame *f = &r->stack[r->depth - 1];
	struct imap_search_node *n;

	if (r->nodes == IMAP_SEARCH_NODES_MAX) {
		imap_args_fail(r->a, "Too many keys in %s", r->a->cmd);
		return NULL;
	}
	r->nodes++;
	n = arena_alloc(r->a->arena, sizeof(*n));
	n->op = op;
	n->invert = invert != r->invert;
	r->invert = false;
	*f->tail = n;
	f->tail = &n->next;
	return n;
}

static bool
push(struct reader *r, struct imap_search_node *n, unsigned left)
{
	if (n == NULL)
		return false;
	if (r->depth == IMAP_SEARCH_DEPTH_MAX)
		return imap_args_fail(r->a, "Too deep a nesting in %s", r->a->cmd);
	r->stack[r->depth++] = (struct frame){ n, &n->child, left };
	return true;
}

static bool
open_or(struct reader *r)
{
	struct frame *f = &r->stack[r->depth - 1];

	if (f->node->op == IMAP_SEARCH_OR && f->left == 1 && !r->invert) {
		f->left = 2;
		return true;
	}
	return push(r, add_node(r, IMAP_SEARCH_OR, false), 2);
}

/* Is an operand of OR the next thing, so that ')' cannot come? */
static bool
wants_operand(const struct reader *r)
{
	return r->invert || r->stack[r->depth - 1].node->op == IMAP_SEARCH_OR;
}

/* A key is complete: perhaps the ORs it belongs to are. */
static void
key_done(struct reader *r)
{
	while (r->stack[r->depth - 1].node->op == IMAP_SEARCH_OR &&
	       --r->stack[r->depth - 1].left == 0)
		r->depth--;
}

/* ---- keys ----------------------------------------------------------------------------------- */

static const struct key *
find_key(struct slice name)
{
	size_t low = 0, high = ARRAY_LEN(keys);

	while (low < high) {
		size_t middle = low + (high - low) / 2, n = strlen(keys[middle].name);
		int c = 0;

		for (size_t i = 0; i < name.n && i < n && c == 0; i++)
			c = text_upper(name.p[i]) - keys[middle].name[i];
		if (c == 0 && name.n == n)
			return &keys[middle];
		if (c < 0 || (c == 0 && name.n < n))
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}

/* MODSEQ [SP entry-name SP ("all" / "priv" / "shared")] SP number: flags have one modseq for
 * all entries here. */
static bool
read_modseq(struct reader *r, struct imap_search_node *n)
{
	struct imap_args *a = r->a;
	struct slice entry;

	r->s->modseq = true;
	if (imap_args_peek(a) == '"' &&
	    !(imap_args_string(a, "entry name", &entry) && imap_args_space(a) &&
	      imap_args_atom(a, "entry type", &entry) && imap_args_space(a)))
		return false;
	return imap_args_u64(a, "modification sequence", &n->number);
}

static void
add_new(struct imap_args *a, struct imap_search_node *n)
{
	struct imap_search_node *two = arena_array(a->arena, 2, sizeof(*two));

	two[0].op = IMAP_SEARCH_RECENT;
	two[0].next = &two[1];
	two[1].op = IMAP_SEARCH_FLAG;
	two[1].invert = true;
	two[1].text = SLICE("\\Seen");
	n->child = two;
}

static bool
read_arg(struct reader *r, const struct key *k, struct imap_search_node *n)
{
	struct imap_args *a = r->a;
	uint32_t seconds = 0;

	if (k->text != NULL && k->op == IMAP_SEARCH_FLAG)
		n->text = slice_of(k->text);
	else if (k->text != NULL)
		n->field = slice_of(k->text);
	if (k->arg != ARG_NONE && k->arg != ARG_NEW && !imap_args_space(a))
		return false;
	switch (k->arg) {
	case ARG_NEW:
		add_new(a, n);
		return true;
	case ARG_SET:
		return imap_set_read(a, "UID set", &n->set);
	case ARG_DAY:
		return imap_args_day(a, "date", &n->day);
	case ARG_NUMBER:
		return imap_args_u64(a, "number", &n->number);
	case ARG_SECONDS:
		if (!imap_args_nz_u32(a, "number of seconds", &seconds))
			return false;
		n->number = seconds;
		return true;
	case ARG_MODSEQ:
		return read_modseq(r, n);
	case ARG_STRING:
		return imap_args_astring(a, "search string", &n->text);
	case ARG_FIELD:
		return imap_args_astring(a, "header name", &n->field) && imap_args_space(a) &&
		       imap_args_astring(a, "search string", &n->text);
	case ARG_KEYWORD:
		return imap_args_atom(a, "keyword", &n->text);
	case ARG_NONE:
	case ARG_KEYS:
		break;
	}
	return true;
}

static bool
read_leaf(struct reader *r, const struct key *k)
{
	struct imap_search_node *n = add_node(r, k->op, k->invert);

	if (n == NULL || !read_arg(r, k, n))
		return false;
	key_done(r);
	return true;
}

static bool
read_set(struct reader *r)
{
	struct imap_search_node *n = add_node(r, IMAP_SEARCH_NUMBERS, false);

	if (n == NULL || !imap_set_read(r->a, "message set", &n->set))
		return false;
	key_done(r);
	return true;
}

static bool
read_key(struct reader *r)
{
	struct imap_args *a = r->a;
	char c = imap_args_peek(a);
	const struct key *k;
	struct slice name;

	if (imap_args_try(a, '('))
		return push(r, add_node(r, IMAP_SEARCH_AND, false), 0);
	if (text_is_digit(c) || c == '*')
		return read_set(r);
	if (!imap_args_atom(a, "search key", &name))
		return false;
	k = find_key(name);
	if (k == NULL)
		return imap_args_fail(a, "Unknown search key in %s", a->cmd);
	if (k->arg != ARG_KEYS)
		return read_leaf(r, k);
	if (k->invert) {
		r->invert = !r->invert;
		return true;
	}
	return open_or(r);
}

/* Keys until the end. Behind a '(' comes a key without a space. */
static bool
read_keys(struct reader *r)
{
	bool opened = false;

	for (;;) {
		unsigned depth = r->depth;
		bool paren;

		if (!opened && !imap_args_space(r->a))
			return false;
		paren = imap_args_peek(r->a) == '(';
		if (!read_key(r))
			return false;
		opened = paren && r->depth > depth;
		while (!opened && !wants_operand(r) && r->depth > 1 && imap_args_try(r->a, ')')) {
			r->depth--;
			key_done(r);
		}
		if (imap_args_is_end(r->a) ||
		    (r->depth == 1 && !wants_operand(r) && slice_trim(r->a->rest).n == 0))
			break;
	}
	if (r->depth > 1 || wants_operand(r))
		return imap_args_fail(
			r->a, wants_operand(r) ? "Missing search key in %s" : "Missing ) in %s",
			r->a->cmd);
	return true;
}

/* ---- in front of them ------------------------------------------------------------------------- */

static const struct {
	const char *name;
	unsigned bit;
} results[] = {
	{ "MIN", IMAP_SEARCH_MIN },
	{ "MAX", IMAP_SEARCH_MAX },
	{ "ALL", IMAP_SEARCH_ALL },
	{ "COUNT", IMAP_SEARCH_COUNT },
};

static bool
read_return(struct imap_args *a, struct imap_search *s)
{
	bool first = true;

	s->extended = true;
	if (!imap_args_space(a) || !imap_args_open(a, "result options"))
		return false;
	while (imap_args_next(a, &first)) {
		size_t i = 0;

		while (i < ARRAY_LEN(results) && !imap_args_try_word(a, results[i].name))
			i++;
		if (i == ARRAY_LEN(results))
			return imap_args_fail(a, "Unknown result option in %s", a->cmd);
		s->results |= results[i].bit;
	}
	if (s->results == 0)
		s->results = IMAP_SEARCH_ALL;
	return imap_args_ok(a);
}

/* " WORD" comes next. */
static bool
try_option(struct imap_args *a, const char *word)
{
	struct imap_args ahead = *a;

	if (!imap_args_try(&ahead, ' ') || !imap_args_try_word(&ahead, word))
		return false;
	*a = ahead;
	return true;
}

static bool
read_program(struct imap_args *a, struct imap_search *s)
{
	struct reader r = { .a = a, .s = s };

	s->root.op = IMAP_SEARCH_AND;
	r.stack[r.depth++] = (struct frame){ &s->root, &s->root.child, 0 };
	return read_keys(&r) && imap_args_end(a);
}

static bool
read_charset(struct imap_args *a, struct imap_search *s)
{
	return imap_args_space(a) && imap_args_astring(a, "charset", &s->charset);
}

bool
imap_search_read(struct imap_args *a, struct imap_search *s_r)
{
	*s_r = (struct imap_search){ .charset = SLICE("") };
	if (try_option(a, "RETURN") && !read_return(a, s_r))
		return false;
	if (try_option(a, "CHARSET") && !read_charset(a, s_r))
		return false;
	return read_program(a, s_r);
}

bool
imap_search_read_sorted(struct imap_args *a, struct imap_search *s_r)
{
	*s_r = (struct imap_search){ .charset = SLICE("") };
	return read_charset(a, s_r) && read_program(a, s_r);
}
