/*
 * names - what may be a user, a domain, an address in the directory's tables. Pure. Within
 * common/directory only; directory_canon() and its like are declared in directory.h.
 */
#ifndef DIRECTORY_NAMES_H
#define DIRECTORY_NAMES_H

#include <stdbool.h>

#include "base/slice.h"
#include "directory/directory.h"

#define NAMES_LOCAL_MAX 64
#define NAMES_DOMAIN_MAX 255

/* A name in the tables, in lower case; the domain is never empty. local is "" where a whole
 * domain is meant. */
struct dir_name {
	char local[NAMES_LOCAL_MAX + 1];
	char domain[NAMES_DOMAIN_MAX + 1];
};

/* Canonical or complete user -> name. False: not a user that can exist. */
bool dir_name_of_user(const char *user, const char *default_domain,
                      struct dir_name *n_r) MUST_CHECK;
/* The same with "@domain" for a whole domain. */
bool dir_name_of_address(const char *address, const char *default_domain,
                         struct dir_name *n_r) MUST_CHECK;
/* False: no domain name. */
bool dir_name_of_domain(struct slice domain, struct dir_name *n_r) MUST_CHECK;
/* The local part in lower case; "" when there can be no such user. */
void dir_name_set_local(struct dir_name *n, struct slice local);

/* "local@domain"; with default_domain (may be NULL) without that one. */
void dir_name_text(const char *local, const char *domain, const char *default_domain,
                   char text_r[DIRECTORY_NAME_MAX + 1]);

bool dir_is_store_name(const char *home);
/* "" or words of letters with one space between, as a list of services. */
bool dir_is_services(const char *services);

#endif
