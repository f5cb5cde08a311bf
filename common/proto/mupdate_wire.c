#include "proto/mupdate_wire.h"

#include "base/must.h"
#include "base/text.h"
#include "proto/sasl_line.h"

#include <string.h>

const struct mupdate_limits mupdate_limits_login = { SASL_LINE_MAX, SASL_LINE_MAX, SASL_LINE_MAX };
const struct mupdate_limits mupdate_limits_default = { 8192, 65536, 131072 };

/* A line that makes no sense is skipped so far, then the peer is given up. */
#define SKIP_MAX 65536
#define STRING_QUOTED_MAX 200
#define LITERAL_DIGITS_MAX 10

enum {
	S_WORD, /* a word begins; at the start of a line CR is allowed too */
	S_ATOM,
	S_QUOTED,
	S_QUOTED_ESC,
	S_BEHIND, /* a string ended: SP or CR */
	S_LIT_DIGIT,
	S_LIT_BRACE, /* "+" was seen */
	S_LIT_CR,
	S_LIT_LF,
	S_LIT_BODY,
	S_CR,   /* CR was seen at the end of the line */
	S_SKIP, /* an error was found; to the end of the line */
	S_RAW,
	S_RAW_CR,
};

void
mupdate_lexer_init(struct mupdate_lexer *lx, const struct mupdate_limits *limits)
{
	memset(lx, 0, sizeof(*lx));
	lx->limits = *limits;
	buf_init(&lx->text, limits->command_bytes);
}

void
mupdate_lexer_fini(struct mupdate_lexer *lx)
{
	/* A SASL answer may have been in it. */
	buf_wipe(&lx->text);
}

static void
line_reset(struct mupdate_lexer *lx)
{
	lx->state = lx->raw ? S_RAW : S_WORD;
	lx->line.count = 0;
	lx->word_open = false;
	lx->line_bytes = 0;
	lx->text.limit = lx->limits.command_bytes;
	buf_clear(&lx->text);
}

void
mupdate_lexer_reset(struct mupdate_lexer *lx)
{
	lx->raw = false;
	line_reset(lx);
}

bool
mupdate_lexer_is_idle(const struct mupdate_lexer *lx)
{
	return lx->line_bytes == 0 && (lx->state == S_WORD || lx->state == S_RAW);
}

void
mupdate_lexer_set_raw(struct mupdate_lexer *lx, bool raw)
{
	lx->raw = raw;
	line_reset(lx);
}

/* ---- words ------------------------------------------------------------------------- */

static bool
word_begin(struct mupdate_lexer *lx, bool is_atom)
{
	if (lx->line.count == MUPDATE_WORDS_MAX)
		return false;
	lx->line.words[lx->line.count].is_atom = is_atom;
	lx->word_start[lx->line.count] = lx->text.len;
	lx->word_open = true;
	return true;
}

static void
word_end(struct mupdate_lexer *lx)
{
	unsigned i = lx->line.count++;

	lx->word_len[i] = lx->text.len - lx->word_start[i];
	lx->word_open = false;
}

/* The text does not move any more: words can point into it. */
static void
words_settle(struct mupdate_lexer *lx)
{
	struct slice all = buf_slice(&lx->text);

	for (unsigned i = 0; i < lx->line.count; i++)
		lx->line.words[i].s = slice_sub(all, lx->word_start[i], lx->word_len[i]);
}

static bool
word_add(struct mupdate_lexer *lx, const char *p, size_t n)
{
	buf_add(&lx->text, p, n);
	return !lx->text.overflow;
}

/* ---- the machine --------------------------------------------------------------------- */

enum step { STEP_ON, STEP_LINE, STEP_GO_AHEAD, STEP_BAD, STEP_FATAL };

static enum step
step_error(struct mupdate_lexer *lx, const char *why)
{
	lx->error = why;
	lx->word_open = false;
	lx->skip_tail = 0;
	lx->state = S_SKIP;
	return STEP_ON;
}

/* A bare LF ends a line that is refused: nobody can hide a command behind it, since
 * what follows is a line of its own for us as for everybody. */
static enum step
step_bare_lf(struct mupdate_lexer *lx)
{
	lx->error = "Lines end in CRLF";
	lx->word_open = false;
	return STEP_BAD;
}

static bool
is_atom_char(char c)
{
	return c > 0x20 && c < 0x7f && c != '"';
}

static enum step
step_word(struct mupdate_lexer *lx, char c)
{
	if (c == '\r' && lx->line.count == 0 && lx->line_bytes == 1) {
		lx->state = S_CR;
		return STEP_ON;
	}
	if (c == '"') {
		lx->state = S_QUOTED;
		return word_begin(lx, false) ? STEP_ON : step_error(lx, "Too many arguments");
	}
	if (c == '{') {
		lx->state = S_LIT_DIGIT;
		lx->literal_left = 0;
		lx->literal_digits = 0;
		return word_begin(lx, false) ? STEP_ON : step_error(lx, "Too many arguments");
	}
	if (!is_atom_char(c))
		return step_error(lx, "Badly formed arguments");
	if (!word_begin(lx, true))
		return step_error(lx, "Too many arguments");
	lx->state = S_ATOM;
	return word_add(lx, &c, 1) ? STEP_ON : step_error(lx, "Command too long");
}

static enum step
step_behind(struct mupdate_lexer *lx, char c)
{
	if (c == ' ')
		lx->state = S_WORD;
	else if (c == '\r')
		lx->state = S_CR;
	else
		return step_error(lx, "Badly formed arguments");
	return STEP_ON;
}

static enum step
step_atom(struct mupdate_lexer *lx, char c)
{
	if (is_atom_char(c))
		return word_add(lx, &c, 1) ? STEP_ON : step_error(lx, "Command too long");
	word_end(lx);
	return step_behind(lx, c);
}

static enum step
step_quoted(struct mupdate_lexer *lx, char c)
{
	if (lx->state == S_QUOTED && c == '"') {
		word_end(lx);
		lx->state = S_BEHIND;
		return STEP_ON;
	}
	if (c == '\0' || c == '\r')
		return step_error(lx, "Badly formed arguments");
	if (lx->state == S_QUOTED && c == '\\') {
		lx->state = S_QUOTED_ESC;
		return STEP_ON;
	}
	lx->state = S_QUOTED;
	return word_add(lx, &c, 1) ? STEP_ON : step_error(lx, "Command too long");
}

static enum step
step_literal_digit(struct mupdate_lexer *lx, char c)
{
	if (text_is_digit(c)) {
		/* Ten digits cannot overflow 64 bits; the limit comes when the number is
		 * complete, so that the answer fits. */
		if (lx->literal_digits == LITERAL_DIGITS_MAX)
			return step_error(lx, "Literal too big");
		lx->literal_left = lx->literal_left * 10 + (uint64_t)(c - '0');
		lx->literal_digits++;
		return STEP_ON;
	}
	if (lx->literal_digits == 0 || (c != '+' && c != '}'))
		return step_error(lx, "Badly formed arguments");
	lx->literal_sync = c == '}';
	lx->state = c == '}' ? S_LIT_CR : S_LIT_BRACE;
	return STEP_ON;
}

/* The LF behind "{n}" was seen. */
static enum step
step_literal_start(struct mupdate_lexer *lx)
{
	if (lx->literal_left > lx->limits.literal_bytes ||
	    lx->literal_left > lx->limits.command_bytes - lx->text.len) {
		lx->error = "Literal too big";
		lx->word_open = false;
		/* A synchronising one is simply not asked for. The bytes of the other kind
		 * are on their way, and must not be taken for commands. */
		return lx->literal_sync ? STEP_BAD : STEP_FATAL;
	}
	if (lx->literal_left == 0) {
		word_end(lx);
		lx->state = S_BEHIND;
	} else {
		lx->state = S_LIT_BODY;
	}
	return lx->literal_sync ? STEP_GO_AHEAD : STEP_ON;
}

static enum step
step_literal(struct mupdate_lexer *lx, char c)
{
	switch (lx->state) {
	case S_LIT_DIGIT:
		return step_literal_digit(lx, c);
	case S_LIT_BRACE:
		lx->state = S_LIT_CR;
		return c == '}' ? STEP_ON : step_error(lx, "Badly formed arguments");
	case S_LIT_CR:
		lx->state = S_LIT_LF;
		return c == '\r' ? STEP_ON : step_error(lx, "Badly formed arguments");
	default:
		return c == '\n' ? step_literal_start(lx)
		                 : step_error(lx, "Badly formed arguments");
	}
}

/* A skipped line that announces a literal cannot be skipped: its bytes would be taken for
 * commands. */
static enum step
step_skip(struct mupdate_lexer *lx, char c)
{
	switch (c) {
	case '+':
		lx->skip_tail = 1;
		break;
	case '}':
		lx->skip_tail = lx->skip_tail == 1 ? 2 : 0;
		break;
	case '\r':
		lx->skip_tail = lx->skip_tail == 2 ? 3 : 0;
		break;
	case '\n':
		return lx->skip_tail == 3 ? STEP_FATAL : STEP_BAD;
	default:
		lx->skip_tail = 0;
	}
	return lx->line_bytes > SKIP_MAX ? STEP_FATAL : STEP_ON;
}

static enum step
step_raw(struct mupdate_lexer *lx, char c)
{
	if (lx->state == S_RAW_CR) {
		if (c != '\n')
			return step_error(lx, "Lines end in CRLF");
		word_end(lx);
		return STEP_LINE;
	}
	if (!lx->word_open && !word_begin(lx, true))
		must_not_reach();
	if (c == '\r') {
		lx->state = S_RAW_CR;
		return STEP_ON;
	}
	if (c == '\0')
		return step_error(lx, "Badly formed response");
	return word_add(lx, &c, 1) ? STEP_ON : step_error(lx, "Response too long");
}

static enum step
step_byte(struct mupdate_lexer *lx, char c)
{
	if (c == '\n' && lx->state != S_CR && lx->state != S_LIT_LF && lx->state != S_RAW_CR &&
	    lx->state != S_SKIP)
		return step_bare_lf(lx);
	switch (lx->state) {
	case S_WORD:
		return step_word(lx, c);
	case S_ATOM:
		return step_atom(lx, c);
	case S_QUOTED:
	case S_QUOTED_ESC:
		return step_quoted(lx, c);
	case S_BEHIND:
		return step_behind(lx, c);
	case S_CR:
		return c == '\n' ? STEP_LINE : step_error(lx, "Lines end in CRLF");
	case S_SKIP:
		return step_skip(lx, c);
	case S_RAW:
	case S_RAW_CR:
		return step_raw(lx, c);
	default:
		return step_literal(lx, c);
	}
}

static size_t
take_literal(struct mupdate_lexer *lx, struct slice in)
{
	size_t n = MIN(in.n, lx->literal_left);

	/* Fits: step_literal_start() has compared it with the limit. */
	buf_add(&lx->text, in.p, n);
	lx->literal_left -= n;
	if (lx->literal_left == 0) {
		word_end(lx);
		lx->state = S_BEHIND;
	}
	return n;
}

/* As many bytes of an atom or a quoted string as stand in a row: names and ACLs are most of
 * what is said. 0: the next byte is another one, or would break a limit. */
static size_t
take_run(struct mupdate_lexer *lx, struct slice in)
{
	size_t most = MIN(in.n, lx->limits.line_bytes - MIN(lx->line_bytes, lx->limits.line_bytes));
	size_t n = 0;

	most = MIN(most, lx->text.limit - lx->text.len);
	if (lx->state == S_ATOM)
		while (n < most && is_atom_char(in.p[n]))
			n++;
	else if (lx->state == S_QUOTED)
		while (n < most && in.p[n] >= ' ' && in.p[n] != '"' && in.p[n] != '\\')
			n++;
	buf_add(&lx->text, in.p, n);
	lx->line_bytes += n;
	return n;
}

static enum step
take_byte(struct mupdate_lexer *lx, char c)
{
	enum step st;

	lx->line_bytes++;
	if (lx->line_bytes > lx->limits.line_bytes && lx->state != S_SKIP)
		step_error(lx, "Line too long");
	if (lx->state == S_SKIP)
		return step_skip(lx, c);
	st = step_byte(lx, c);
	/* The byte that was wrong may be the first of what the skipping looks for. */
	return lx->state == S_SKIP && st == STEP_ON ? step_skip(lx, c) : st;
}

size_t
mupdate_lexer_feed(struct mupdate_lexer *lx, struct slice in, enum mupdate_lex *result_r)
{
	static const enum mupdate_lex result_of[] = {
		[STEP_LINE] = MUPDATE_LEX_LINE,
		[STEP_GO_AHEAD] = MUPDATE_LEX_GO_AHEAD,
		[STEP_BAD] = MUPDATE_LEX_BAD,
		[STEP_FATAL] = MUPDATE_LEX_FATAL,
	};
	size_t used = 0;

	/* The line handed out by the last call is over. */
	if (lx->line_bytes == 0)
		line_reset(lx);
	*result_r = MUPDATE_LEX_MORE;
	while (used < in.n) {
		enum step st;
		size_t run = take_run(lx, slice_skip(in, used));

		used += run;
		if (run > 0)
			continue;

		if (lx->state == S_LIT_BODY) {
			used += take_literal(lx, slice_skip(in, used));
			continue;
		}
		st = take_byte(lx, in.p[used++]);
		if (st == STEP_ON)
			continue;
		*result_r = result_of[st];
		if (st != STEP_GO_AHEAD) {
			words_settle(lx);
			lx->line_bytes = 0;
			lx->state = lx->raw ? S_RAW : S_WORD;
		}
		break;
	}
	return used;
}

/* ---- writing ------------------------------------------------------------------------- */

void
mupdate_add_literal(struct buf *out, struct slice s)
{
	buf_add_char(out, '{');
	buf_add_decimal(out, s.n);
	buf_add(out, "+}\r\n", 4);
	buf_add_slice(out, s);
}

void
mupdate_add_string(struct buf *out, struct slice s)
{
	bool quoted = s.n <= STRING_QUOTED_MAX;

	for (size_t i = 0; quoted && i < s.n; i++)
		quoted = s.p[i] >= 0x20 && s.p[i] < 0x7f && s.p[i] != '"' && s.p[i] != '\\';
	if (!quoted) {
		mupdate_add_literal(out, s);
		return;
	}
	buf_add_char(out, '"');
	buf_add_slice(out, s);
	buf_add_char(out, '"');
}

void
mupdate_add_text(struct buf *out, const char *s)
{
	size_t n = strlen(s);
	char *p;

	buf_add_char(out, '"');
	p = buf_extend(out, n);
	for (size_t i = 0; p != NULL && i < n; i++) {
		bool plain = s[i] >= 0x20 && s[i] < 0x7f && s[i] != '"' && s[i] != '\\';

		p[i] = plain ? s[i] : '?';
	}
	buf_add_char(out, '"');
}

/* ---- codes --------------------------------------------------------------------------- */

static const char *const code_texts[] = {
#define X(name, text) text,
	MUPDATE_CODES(X)
#undef X
};

const char *
mupdate_code_text(enum mupdate_code code)
{
	return code_texts[code];
}

enum mupdate_code
mupdate_code_cut(struct slice *text)
{
	struct slice inner;
	size_t end = slice_find(*text, ']');

	if (text->n == 0 || text->p[0] != '[' || end == text->n)
		return MUPDATE_CODE_NONE;
	inner = slice_sub(*text, 1, end - 1);
	for (size_t i = 1; i < ARRAY_LEN(code_texts); i++) {
		if (!slice_eq_str(inner, code_texts[i]))
			continue;
		*text = slice_skip(*text, end + 1);
		if (text->n > 0 && text->p[0] == ' ')
			*text = slice_skip(*text, 1);
		return (enum mupdate_code)i;
	}
	return MUPDATE_CODE_NONE;
}
