/*
 * mupdate_wire - lines of MUPDATE, both directions: words, quoted strings, literals.
 *
 * Bytes in, one line of words at a time out. RFC 3656 sections 2 and 5, and what Cyrus
 * does: literals {n+} from the server too, quoted strings with backslash escapes,
 * unquoted text behind NO. Knows no command.
 *
 *   line    = word *(SP word) CRLF
 *   word    = atom / quoted / literal
 *   atom    = 1*<0x21-0x7e but DQUOTE, and no "{" in front>
 *   quoted  = DQUOTE *(<any but NUL CR LF DQUOTE "\"> / "\" <any but NUL CR LF>) DQUOTE
 *   literal = "{" 1*DIGIT ["+"] "}" CRLF <n octets>
 */
#ifndef PROTO_MUPDATE_WIRE_H
#define PROTO_MUPDATE_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/slice.h"

#define MUPDATE_WORDS_MAX 40 /* PARTIAL-UPDATE may name 30 hosts */
#define MUPDATE_TAG_MAX 64

struct mupdate_limits {
	size_t line_bytes;    /* of a line without its literals (RFC: at least 1024) */
	size_t literal_bytes; /* of one literal (RFC: at least 4096) */
	size_t command_bytes; /* of all words of a line together */
};
extern const struct mupdate_limits mupdate_limits_login; /* before login: small */
extern const struct mupdate_limits mupdate_limits_default;

struct mupdate_word {
	struct slice s;
	bool is_atom; /* false: a quoted string or a literal */
};

struct mupdate_line {
	unsigned count; /* 0: an empty line */
	struct mupdate_word words[MUPDATE_WORDS_MAX];
};

enum mupdate_lex {
	MUPDATE_LEX_MORE,     /* wants more bytes */
	MUPDATE_LEX_LINE,     /* lx->line is complete */
	MUPDATE_LEX_GO_AHEAD, /* a synchronising literal waits: answer "+ go ahead" */
	MUPDATE_LEX_BAD,      /* a line that cannot be; skipped, or its literal not taken.
				 * lx->error says why, lx->line has the words before it */
	MUPDATE_LEX_FATAL,    /* nothing behind this can be understood: close */
};

/* Words are in text; valid until the next mupdate_lexer_feed(). */
struct mupdate_lexer {
	struct mupdate_limits limits;
	struct mupdate_line line;
	const char *error; /* static text */
	/* own */
	int state;
	bool raw;
	bool word_open; /* the last word of the line is not finished */
	bool literal_sync;
	uint64_t literal_left;
	unsigned literal_digits;
	unsigned skip_tail; /* how much of "+}" CR the skipped line ends in */
	size_t line_bytes;  /* of this line so far, without literals */
	size_t word_start[MUPDATE_WORDS_MAX];
	size_t word_len[MUPDATE_WORDS_MAX];
	struct buf text;
};

void mupdate_lexer_init(struct mupdate_lexer *lx, const struct mupdate_limits *limits);
void mupdate_lexer_fini(struct mupdate_lexer *lx);
/* Forgets a half line; for STARTTLS. */
void mupdate_lexer_reset(struct mupdate_lexer *lx);
/* From the next line on (true): a line is one word, as it stands, for SASL answers. Only
 * between lines. */
void mupdate_lexer_set_raw(struct mupdate_lexer *lx, bool raw);
/* Between two lines? */
bool mupdate_lexer_is_idle(const struct mupdate_lexer *lx);
/* Returns the bytes consumed. Stops at the end of a line. */
size_t mupdate_lexer_feed(struct mupdate_lexer *lx, struct slice in, enum mupdate_lex *result_r);

/* A quoted string; anything it cannot hold (8 bit, DQUOTE, "\", controls, over 200
 * octets) becomes a literal {n+}. */
void mupdate_add_string(struct buf *out, struct slice s);
/* Always {n+}, as Cyrus sends data. */
void mupdate_add_literal(struct buf *out, struct slice s);
/* A quoted string for texts of ours; DQUOTE, "\" and controls become "?". */
void mupdate_add_text(struct buf *out, const char *s);

/* How NO says what it means to peers that speak our extension: "[EXISTS] text". Plain
 * peers get the text alone. */
#define MUPDATE_CODES(X)                                                                           \
	X(NONE, "")           /* no code: a plain peer, or nothing to tell */                      \
	X(EXISTS, "EXISTS")   /* the name belongs to another store */                              \
	X(UNKNOWN, "UNKNOWN") /* no such name */                                                   \
	X(DENIED, "DENIED")   /* this identity may not do that */                                  \
	X(INVALID, "INVALID") /* a name, place or ACL that cannot be */                            \
	X(LATER, "LATER")     /* temporary: rebuilding, disk full, no master */                    \
	X(CLUSTER, "CLUSTER") /* another cluster */                                                \
	X(STALE, "STALE")     /* an older term or claim */
enum mupdate_code {
#define X(name, text) MUPDATE_CODE_##name,
	MUPDATE_CODES(X)
#undef X
};
const char *mupdate_code_text(enum mupdate_code code);
/* Takes "[CODE] " off the front of *text. */
enum mupdate_code mupdate_code_cut(struct slice *text);

/*
 * Our extension, announced in the banner as `* ROOST "1"`; all of it is used only after
 * the client said ROOST on this connection.
 *
 *   C: t ROOST "1" "<cluster id, may be empty>" "<highest term known>"
 *   S: t ROOST "<cluster id>" "<history, hex>" "<revision>" "<term>" "<state>"
 *   S: t OK ...                    state: "complete" or "rebuilding"
 *   C: t ACTIVATE name place acl fields | t RESERVE name place fields
 *   S: t CHANGED "<revision>" "<claim>"      before the OK of each change
 *   C: t UPDATE SINCE "<history>" "<revision>"
 *   S: t STREAM "difference" | "snapshot" "<history>" "<revision>"
 *   S: t MAILBOX name place acl fields | t RESERVE name place fields | t DELETE name fields
 *   S: t RESERVE name place fields acl   left by a DEACTIVATE; earlier versions skip the ACL
 *   S: t OK "streaming starts"     after it only changes, each with rev= in its fields
 *   C: t PUSHED "<server>"         this server has told everything it holds
 *   LIST and FIND answer with fields too.
 */
#define MUPDATE_EXT_VERSION "1"

#endif
