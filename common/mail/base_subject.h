/*
 * base_subject - what a subject is without "Re:", "Fwd:", "[list]" and the like. RFC 5256
 * sections 2.1 and 5.
 */
#ifndef MAIL_BASE_SUBJECT_H
#define MAIL_BASE_SUBJECT_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/slice.h"

/* utf8: the subject, unfolded and with its encoded words decoded. Appends its base. True: it is
 * one of an answer, or of something forwarded. Linear in its size. */
bool base_subject_add(struct slice utf8, struct buf *out);

#endif
