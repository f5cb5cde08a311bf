/*
 * mailboxes - what commands about one mailbox share: its name, its store, asking that.
 */
#ifndef CTL_MAILBOXES_H
#define CTL_MAILBOXES_H

#include "ctl/run.h"
#include "mail/mbox_name.h"

/* A mailbox as people write it. EXIT_DONE, or the code and it was said why. */
int mailboxes_parse(struct run *r, const char *word, struct mbox_name *name_r) MUST_CHECK;
/* The store that has it. hint goes behind "there is no mailbox". EXIT_DONE, or the code and it
 * was said why. */
int mailboxes_find_owner(struct run *r, const char *mailbox, const char *hint,
                         const struct program **p_r) MUST_CHECK;
/* The mailbox that the first operand names, and its store. EXIT_DONE, or the code and it was said
 * why. */
int mailboxes_find(struct run *r, struct mbox_name *name_r, const struct program **p_r) MUST_CHECK;
/* A request about it, to be added to; the result names it, too. The caller's. */
struct json *mailboxes_request(struct run *r, const char *cmd, const struct mbox_name *name);
/* Takes *request: a change, told as what it does; with --dry-run only that. The exit code. */
int mailboxes_change(struct run *r, const struct program *p, struct json **request,
                     const char *what) MUST_CHECK;

#endif
