/*
 * search - does a message contain this? For SEARCH BODY, TEXT and header keys.
 *
 * Decodes transfer encodings and charsets on the way. RFC 3501 section 6.4.4.
 */
#ifndef TEXT_SEARCH_H
#define TEXT_SEARCH_H

#include <stdbool.h>

#include "base/slice.h"
#include "text/fold.h"

/* Any field's decoded value or its raw name and value; of all of header. */
bool search_header(struct slice header, struct fold_needle *n);
/* A field of this name whose decoded (or raw) value has it, or, in a field of addresses, one
 * of them written plainly (local@domain); an empty needle asks whether
 * there is such a field. header may be summary.fields. */
bool search_field(struct slice header, struct slice name, struct fold_needle *n);
/* BODY: text parts, decoded, and headers of messages inside. */
bool search_body(struct slice msg, struct fold_needle *n);
/* TEXT: header or body. */
bool search_text(struct slice msg, struct fold_needle *n);

#endif
