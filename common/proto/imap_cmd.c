#include "proto/imap_cmd.h"

#include "base/num.h"
#include "base/text.h"
#include "base/xalloc.h"

/*
 * command = tag SP name *(SP argument) CRLF     ; RFC 3501 section 9
 * line    = text [ "{" number ["+"] "}" ] CRLF  ; with "{": a literal of that size follows,
 *                                               ; and after it the next line
 */
enum state {
	START,   /* the first line of a command */
	ARG,     /* bytes of a literal that is an argument */
	REST,    /* a line behind an argument's literal: more arguments, or the rest */
	LITERAL, /* bytes of a literal that passes */
	TEXT,    /* a line behind such a literal */
	DEAD,
};

/* What a line says about itself, without knowing its command. */
struct line {
	struct slice text; /* without CRLF and without the literal's {n} */
	const char *bad;   /* NULL: fine */
	bool literal, sync, literal8;
	uint64_t literal_n;
};

void
imap_cmd_init(struct imap_cmd *c, imap_cmd_find_fn *find, const struct imap_cmd_limits *limits)
{
	memset(c, 0, sizeof(*c));
	c->find = find;
	c->limits = *limits;
	c->state = START;
	buf_init(&c->head, SIZE_MAX);
}

void
imap_cmd_fini(struct imap_cmd *c)
{
	buf_wipe(&c->head);
}

void
imap_cmd_set_limits(struct imap_cmd *c, const struct imap_cmd_limits *limits)
{
	c->limits = *limits;
}

void
imap_cmd_expect_line(struct imap_cmd *c)
{
	must(c->state == START);
	c->expect_line = true;
}

bool
imap_cmd_is_open(const struct imap_cmd *c)
{
	return c->state == LITERAL || c->state == TEXT;
}

static void
forget(struct imap_cmd *c)
{
	secret_wipe(c->head.data, c->head.cap);
	buf_clear(&c->head);
	c->tag_n = 0;
	c->arg_count = 0;
}

void
imap_cmd_forget(struct imap_cmd *c)
{
	must(c->state == START);
	forget(c);
}

static void
reset(struct imap_cmd *c)
{
	forget(c);
	c->state = START;
	c->def = NULL;
	c->literals = 0;
	c->bad = NULL;
	c->discard = false;
}

bool
imap_cmd_discard(struct imap_cmd *c, bool go)
{
	must(imap_cmd_is_open(c));
	if (!go) {
		reset(c);
		return true;
	}
	c->discard = true;
	return false;
}

/* ---- lines ------------------------------------------------------------------------------------ */

/* Quotes must close on their line, and hold only the escapes RFC 3501 knows: otherwise two
 * readers could differ about where the next literal starts. */
static bool
quotes_ok(struct slice s)
{
	bool in = false;

	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '"') {
			in = !in;
		} else if (in && s.p[i] == '\\') {
			i++;
			if (i == s.n || (s.p[i] != '"' && s.p[i] != '\\'))
				return false;
		}
	}
	return !in;
}

/* `{5}`, `{5+}` or `~{5}` at the end of a line. */
static bool
cut_literal(struct line *l)
{
	struct slice s = l->text, digits;
	size_t open;

	if (s.n == 0 || s.p[s.n - 1] != '}')
		return true;
	open = slice_find_last(s, '{');
	if (open == s.n)
		return true;
	digits = slice_sub(s, open + 1, s.n - open - 2);
	l->sync = true;
	if (digits.n > 0 && digits.p[digits.n - 1] == '+') {
		l->sync = false;
		digits.n--;
	}
	l->literal = true;
	l->literal8 = open > 0 && s.p[open - 1] == '~';
	l->text = slice_sub(s, 0, open - (l->literal8 ? 1 : 0));
	return num_parse_u64(digits, INT64_MAX, &l->literal_n);
}

static void
line_parse(struct line *l, struct slice s)
{
	char before;

	memset(l, 0, sizeof(*l));
	l->text = s;
	/* first of all: also a bad line may have a literal behind it */
	if (!cut_literal(l)) {
		l->bad = "BAD this is no literal's size";
		return;
	}
	if (memchr(s.p, '\0', s.n) != NULL || memchr(s.p, '\r', s.n) != NULL) {
		l->bad = "BAD NUL or bare CR in a command";
		return;
	}
	if (!quotes_ok(l->text)) {
		l->bad = "BAD a quoted string does not end, or has an unknown escape";
		return;
	}
	before = l->text.n > 0 ? l->text.p[l->text.n - 1] : ' ';
	if (l->literal && before != ' ' && before != '(')
		l->bad = "BAD a literal must stand alone";
}

/* ---- the first line --------------------------------------------------------------------------- */

/* RFC 3501: any ASTRING-CHAR except "+". */
static bool
tag_ok(struct slice tag)
{
	if (tag.n == 0 || tag.n > IMAP_CMD_TAG_MAX)
		return false;
	for (size_t i = 0; i < tag.n; i++)
		if (text_is_ctl(tag.p[i]) || (tag.p[i] & 0x80) != 0 ||
		    strchr("(){ %*\"\\+", tag.p[i]) != NULL)
			return false;
	return true;
}

static struct slice
cut_word(struct slice *rest)
{
	size_t n = slice_find(*rest, ' ');
	struct slice word = slice_sub(*rest, 0, n);

	*rest = slice_skip(*rest, n);
	return word;
}

static const struct imap_cmd_def *
find_command(struct imap_cmd *c, struct slice *rest)
{
	struct slice all = slice_skip(*rest, 1), word;
	struct slice two;

	*rest = all;
	word = cut_word(rest);
	if (slice_ieq(word, SLICE("UID")) && rest->n > 1) {
		*rest = slice_skip(*rest, 1);
		two = cut_word(rest);
		word = slice_sub(all, 0, word.n + 1 + two.n);
	}
	return c->find(word);
}

static void
hold_arg(struct imap_cmd *c, struct slice s)
{
	c->args[c->arg_count].at = c->head.len;
	c->args[c->arg_count].n = s.n;
	c->arg_count++;
	buf_add_slice(&c->head, s);
}

/* quotes_ok() has seen the line. */
static void
hold_quoted(struct imap_cmd *c, struct slice *rest)
{
	size_t i = 1, at = c->head.len;

	for (; rest->p[i] != '"'; i++) {
		if (rest->p[i] == '\\')
			i++;
		buf_add_char(&c->head, rest->p[i]);
	}
	*rest = slice_skip(*rest, i + 1);
	c->args[c->arg_count].at = at;
	c->args[c->arg_count].n = c->head.len - at;
	c->arg_count++;
}

static bool
word_ok(struct slice word, char kind)
{
	const char *stop = kind == 'a' ? "(){%*\"\\" : "(){\"\\";

	for (size_t i = 0; i < word.n; i++)
		if (text_is_ctl(word.p[i]) || strchr(stop, word.p[i]) != NULL)
			return false;
	return word.n > 0;
}

/* One argument from *rest, which starts with its space. NULL: done. */
static const char *
take_arg(struct imap_cmd *c, char kind, struct slice *rest)
{
	struct slice word;

	if (rest->n < 2 || rest->p[0] != ' ')
		return "BAD an argument is missing";
	*rest = slice_skip(*rest, 1);
	if (kind == 'a' && rest->p[0] == '"') {
		hold_quoted(c, rest);
	} else {
		word = cut_word(rest);
		if (!word_ok(word, kind))
			return "BAD this is not the argument that is wanted here";
		hold_arg(c, word);
	}
	if (c->args[c->arg_count - 1].n > c->limits.arg_bytes)
		return "BAD an argument is too long";
	return rest->n == 0 || rest->p[0] == ' ' ? NULL : "BAD a space is missing";
}

/* ---- events ----------------------------------------------------------------------------------- */

static struct slice
tag_of(const struct imap_cmd *c)
{
	return c->tag_n == 0 ? SLICE("*") : slice_sub(buf_slice(&c->head), 0, c->tag_n);
}

static int
fatal(struct imap_cmd *c, struct imap_cmd_event *ev, const char *text)
{
	c->state = DEAD;
	ev->type = IMAP_CMD_FATAL;
	ev->text = slice_of(text);
	return 1;
}

/* The end of a command that nobody carries out. Its tag stays until the next call. */
static int
swallowed(struct imap_cmd *c, struct imap_cmd_event *ev)
{
	ev->type = c->discard ? IMAP_CMD_END : IMAP_CMD_BAD;
	ev->text = slice_of(c->bad);
	ev->tag = tag_of(c);
	c->state = START;
	return 1;
}

/* Swallow l and what follows. 0: go on behind it. */
static int
swallow(struct imap_cmd *c, const struct line *l, struct imap_cmd_event *ev)
{
	/* A client that waits for a continuation will not send the literal. One that does
	 * not wait must be believed, or its message would be read as commands. */
	if (!l->literal || l->sync)
		return swallowed(c, ev);
	if (l->bad != NULL)
		return fatal(c, ev, "cannot tell where this command ends");
	if (l->literal_n > c->limits.literal_bytes || ++c->literals > c->limits.literals)
		return fatal(c, ev, "[TOOBIG] too long for a command that is refused");
	c->literal_left = l->literal_n;
	c->state = l->literal_n > 0 ? LITERAL : TEXT;
	return 0;
}

static int
bad(struct imap_cmd *c, const struct line *l, struct imap_cmd_event *ev, const char *text)
{
	if (c->bad == NULL)
		c->bad = text;
	return swallow(c, l, ev);
}

/* The rest of the line goes to the owner as it is. */
static int
pass(struct imap_cmd *c, const struct line *l, struct slice text, struct imap_cmd_event *ev)
{
	if (l->literal && l->literal_n > c->limits.literal_bytes)
		return l->sync ? bad(c, l, ev, "NO [TOOBIG] this literal is too long")
		               : fatal(c, ev, "[TOOBIG] this literal is too long");
	if (l->literal && ++c->literals > c->limits.literals)
		return l->sync ? bad(c, l, ev, "BAD too many literals in one command")
		               : fatal(c, ev, "too many literals in one command");
	ev->text = text;
	ev->tag = tag_of(c);
	ev->def = c->def;
	ev->last = !l->literal;
	ev->sync = l->sync;
	ev->literal8 = l->literal8;
	ev->literal_n = l->literal_n;
	c->literal_left = l->literal_n;
	c->state = !l->literal ? START : l->literal_n > 0 ? LITERAL : TEXT;
	return 1;
}

/* The arguments from `rest` on. */
static int
take_args(struct imap_cmd *c, const struct line *l, struct slice rest, struct imap_cmd_event *ev)
{
	size_t want = strlen(c->def->args);
	const char *problem;

	while (c->arg_count < want) {
		char kind = c->def->args[c->arg_count];

		if (l->literal && kind == 'a' && rest.n == 1 && rest.p[0] == ' ') {
			/* a literal as argument: held, since it decides */
			if (l->literal8 || l->literal_n > c->limits.arg_bytes)
				return l->sync ? bad(c, l, ev, "BAD an argument is too long")
				               : fatal(c, ev, "an argument is too long");
			c->literal_left = l->literal_n;
			c->state = ARG;
			ev->type = IMAP_CMD_GO;
			return l->sync ? 1 : 0;
		}
		problem = take_arg(c, kind, &rest);
		if (problem != NULL)
			return bad(c, l, ev, problem);
	}
	if (rest.n > 0 && rest.p[0] != ' ')
		return bad(c, l, ev, "BAD a space is missing");
	ev->type = IMAP_CMD_HEAD;
	for (unsigned i = 0; i < c->arg_count; i++)
		ev->args[i] = slice_sub(buf_slice(&c->head), c->args[i].at, c->args[i].n);
	return pass(c, l, rest, ev);
}

static int
first_line(struct imap_cmd *c, const struct line *l, struct imap_cmd_event *ev)
{
	struct slice rest = l->text, tag = cut_word(&rest);

	if (!tag_ok(tag))
		return bad(c, l, ev, "BAD a command starts with a tag");
	buf_add_slice(&c->head, tag);
	c->tag_n = tag.n;
	if (l->bad != NULL)
		return bad(c, l, ev, l->bad);
	if (rest.n < 2)
		return bad(c, l, ev, "BAD a command's name is missing");
	c->def = find_command(c, &rest);
	if (c->def == NULL)
		return bad(c, l, ev, "BAD unknown command");
	return take_args(c, l, rest, ev);
}

static int
next_line(struct imap_cmd *c, const struct line *l, struct imap_cmd_event *ev)
{
	if (c->bad != NULL || c->discard)
		return swallow(c, l, ev);
	if (l->bad != NULL)
		return bad(c, l, ev, l->bad);
	if (c->state == REST)
		return take_args(c, l, l->text, ev);
	ev->type = IMAP_CMD_TEXT;
	return pass(c, l, l->text, ev);
}

/* A whole line: 1 with its end, 0 not yet, -1 too long. */
static int
cut_line(const struct imap_cmd *c, struct slice in, size_t *used_r, struct slice *line_r,
         bool *bare_r)
{
	size_t end = slice_find(in, '\n');

	if (MIN(end, in.n) >= c->limits.line_bytes)
		return -1;
	if (end == in.n)
		return 0;
	*used_r = end + 1;
	*bare_r = end == 0 || in.p[end - 1] != '\r';
	*line_r = slice_sub(in, 0, *bare_r ? end : end - 1);
	return 1;
}

static int
read_line(struct imap_cmd *c, struct slice in, size_t *used_r, struct imap_cmd_event *ev)
{
	struct slice text;
	struct line l;
	bool bare;
	int r = cut_line(c, in, used_r, &text, &bare);

	if (r == 0)
		return 0;
	if (r == -1)
		return fatal(c, ev, "a line is too long");
	if (c->state == START)
		reset(c);
	if (c->state == START && c->expect_line) {
		c->expect_line = false;
		ev->type = IMAP_CMD_LINE;
		/* a control character is nothing anybody could mean: base64 and DONE have none */
		ev->text = bare ? SLICE("") : text;
		return 1;
	}
	line_parse(&l, text);
	if (bare && l.bad == NULL)
		l.bad = "BAD lines end in CRLF";
	return c->state == START ? first_line(c, &l, ev) : next_line(c, &l, ev);
}

/* ---- literals --------------------------------------------------------------------------------- */

static int
read_arg(struct imap_cmd *c, struct slice in, size_t *used_r)
{
	if (in.n < c->literal_left)
		return 0;
	*used_r = c->literal_left;
	hold_arg(c, slice_sub(in, 0, c->literal_left));
	c->literal_left = 0;
	c->state = REST;
	return 1;
}

static int
read_literal(struct imap_cmd *c, struct slice in, size_t *used_r, struct imap_cmd_event *ev)
{
	size_t n = (size_t)MIN((uint64_t)in.n, c->literal_left);

	*used_r = n;
	c->literal_left -= n;
	if (c->literal_left == 0)
		c->state = TEXT;
	if (c->bad != NULL || c->discard)
		return 0;
	ev->type = IMAP_CMD_BYTES;
	ev->text = slice_sub(in, 0, n);
	ev->tag = tag_of(c);
	ev->def = c->def;
	return 1;
}

int
imap_cmd_read(struct imap_cmd *c, struct slice in, size_t *used_r, struct imap_cmd_event *ev)
{
	size_t all = 0, used;
	int r = 0;

	must(c->state != DEAD);
	memset(ev, 0, sizeof(*ev));
	for (;;) {
		struct slice rest = slice_skip(in, all);

		used = 0;
		if (c->state == ARG) {
			if (read_arg(c, rest, &used) == 0)
				break;
		} else if (rest.n == 0) {
			break;
		} else if (c->state == LITERAL) {
			r = read_literal(c, rest, &used, ev);
		} else {
			r = read_line(c, rest, &used, ev);
			if (r == 0 && used == 0)
				break;
		}
		all += used;
		if (r != 0)
			break;
	}
	*used_r = all;
	return r;
}

/* ---- for stores ------------------------------------------------------------------------------- */

bool
imap_cmd_is_quotable(struct slice s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] == '\0' || s.p[i] == '\r' || s.p[i] == '\n' || (s.p[i] & 0x80) != 0)
			return false;
	return true;
}

void
imap_cmd_add_quoted(struct buf *out, struct slice s)
{
	must(imap_cmd_is_quotable(s));
	buf_add_char(out, '"');
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '"' || s.p[i] == '\\')
			buf_add_char(out, '\\');
		buf_add_char(out, s.p[i]);
	}
	buf_add_char(out, '"');
}
