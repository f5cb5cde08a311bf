/*
 * password - where a new password comes from: standard input, a terminal without echo, or
 * made here.
 */
#ifndef CTL_PASSWORD_H
#define CTL_PASSWORD_H

#include "ctl/run.h"
#include "directory/passwd.h"

/* password_r is wiped by the caller. EXIT_DONE, or the code and it was said why. */
int password_get(struct run *r, char password_r[PASSWD_MAX]) MUST_CHECK;

/* Shows the one that was made; once, when all went well. */
void password_show(struct run *r, const char *password);

#endif
