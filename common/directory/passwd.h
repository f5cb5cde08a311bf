/*
 * passwd - password hashes by crypt(3) of libxcrypt: yescrypt for new ones; sha512,
 * sha256, bcrypt, scrypt and the like are understood, MD5 and DES are not.
 */
#ifndef DIRECTORY_PASSWD_H
#define DIRECTORY_PASSWD_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/slice.h"

#define PASSWD_MAX 512 /* longest password, in bytes (limit of crypt(3)) */

/* hash_r has DIRECTORY_HASH_MAX + 1 bytes. -1: the password has a NUL or is too long,
 * or the system cannot hash. */
int passwd_hash(struct slice password, char *hash_r, size_t room, struct err *err) MUST_CHECK;
/* 1 right, 0 wrong, -1 the hash is none we understand. Takes about as long whatever the
 * answer. */
int passwd_check(struct slice password, const char *hash) MUST_CHECK;
/* Spends the time of a check: for users that do not exist. */
void passwd_waste_time(struct slice password);
/* A random password of 20 characters that people can type. */
void passwd_generate(char password_r[21]);

#endif
