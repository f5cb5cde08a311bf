/*
 * passwd - what the directory keeps instead of passwords, its `secret`: one or two words
 * separated by a space, in any order.
 *
 *	SCRAM-SHA-256$ROUNDS:SALT$STORED:SERVER		sasl/scram.h; what new ones are
 *	$y$... $7$... $gy$... $2b$... $6$... $5$...	crypt(3); MD5 and DES are too weak
 *
 * New passwords become SCRAM keys and nothing else. Every login can be checked by them: the
 * client proves himself (SCRAM), or shows his password (PLAIN, LOGIN, USER/PASS) and the same
 * keys are made of it. A second hash beside them would make a stolen directory no safer,
 * since a thief tries passwords against the weaker of the two, and a slower login. Neither
 * word lets its reader log in. A crypt hash alone, taken over from another system, does for
 * everything but SCRAM.
 */
#ifndef DIRECTORY_PASSWD_H
#define DIRECTORY_PASSWD_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/slice.h"
#include "sasl/scram.h"

#define PASSWD_MAX 512 /* longest password, in bytes (limit of crypt(3)) */
/* Of new keys: some 15 ms for us or for the client, as long as yescrypt takes. */
#define PASSWD_ROUNDS 65536
#define PASSWD_SALT_LEN 16

/* A new secret for the password. hash_r has DIRECTORY_HASH_MAX + 1 bytes. -1: the password is
 * empty, too long, no UTF-8, or has control characters. */
int passwd_hash(struct slice password, char *hash_r, size_t room, struct err *err) MUST_CHECK;
/* 1 right, 0 wrong, -1 there is no secret that we understand. Takes about as long whatever
 * the answer. */
int passwd_check(struct slice password, const char *hash) MUST_CHECK;
/* The SCRAM keys in a secret. False: it has none. */
bool passwd_scram_keys(const char *hash, struct scram_keys *k_r) MUST_CHECK;
/* Spends the time of a check: for users that do not exist. */
void passwd_waste_time(struct slice password);
/* A random password of 20 characters that people can type. */
void passwd_generate(char password_r[21]);

#endif
