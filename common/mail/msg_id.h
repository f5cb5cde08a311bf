/*
 * msg_id - the Message-IDs in a field. RFC 5322 section 3.6.4, RFC 5256 section 3.
 */
#ifndef MAIL_MSG_ID_H
#define MAIL_MSG_ID_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/slice.h"

/* Takes the next one out of a field's value, without its brackets, its quotes and blanks undone so
 * that all forms of one ID are the same bytes. What is no ID is skipped. False: no more. */
bool msg_id_next(struct slice *rest, struct buf *id_r);

#endif
