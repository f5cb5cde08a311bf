/*
 * roff - manual pages (man(7)) out of the tables that also do the work.
 *
 * Names and texts are escaped; no line of theirs becomes a request.
 */
#ifndef BASE_ROFF_H
#define BASE_ROFF_H

#include "base/buf.h"

/* The page's head: `.TH`, and NAME with the one line that whatis(1) shows. */
void roff_head(struct buf *out, const char *page, const char *section, const char *summary);
void roff_section(struct buf *out, const char *title);
void roff_subsection(struct buf *out, const char *title);
/* A paragraph of running text; an empty line in it begins the next one. */
void roff_text(struct buf *out, const char *text);
/* A row of a list: what (bold), what follows on its line (plain, may be ""), its text. */
void roff_item(struct buf *out, const char *what, const char *more, const char *text);
/* The paragraph after this belongs to the row before. */
void roff_item_more(struct buf *out, const char *text);
/* Lines as they are. */
void roff_verbatim(struct buf *out, const char *text);

#endif
