/*
 * Names are judged and completed here, once; the database below sees only full names
 * in lower case.
 *
 * A user's name becomes part of mailbox names, of protocol lines and of log lines, so
 * it is narrow: letters, digits and . _ - = ' ~, no dot at an end or doubled (`^` stands
 * for the dot in mailbox names; `+` separates the detail; `$` the fields of tokens).
 */
#include "directory/names.h"

#include "base/must.h"
#include "base/text.h"

#include <stdio.h>
#include <string.h>

#define LABEL_MAX 63

static bool
is_local_char(char c)
{
	return text_is_alpha(c) || text_is_digit(c) || (c != '\0' && strchr("._-='~", c) != NULL);
}

static bool
is_local(struct slice s)
{
	if (s.n == 0 || s.n > NAMES_LOCAL_MAX || s.p[0] == '.' || s.p[s.n - 1] == '.')
		return false;
	for (size_t i = 0; i < s.n; i++)
		if (!is_local_char(s.p[i]) || (s.p[i] == '.' && s.p[i + 1] == '.'))
			return false;
	return true;
}

static bool
is_label(struct slice s)
{
	if (s.n == 0 || s.n > LABEL_MAX || s.p[0] == '-' || s.p[s.n - 1] == '-')
		return false;
	for (size_t i = 0; i < s.n; i++)
		if (!text_is_alpha(s.p[i]) && !text_is_digit(s.p[i]) && s.p[i] != '-')
			return false;
	return true;
}

/* RFC 1123 section 2.1 */
static bool
is_domain(struct slice s)
{
	if (s.n == 0 || s.n > NAMES_DOMAIN_MAX)
		return false;
	while (s.p != NULL)
		if (!is_label(slice_cut(&s, '.')))
			return false;
	return true;
}

static void
copy_lower(char *to, struct slice s)
{
	for (size_t i = 0; i < s.n; i++)
		to[i] = text_lower(s.p[i]);
	to[s.n] = '\0';
}

bool
directory_canon(struct slice name, const char *default_domain, char user_r[DIRECTORY_NAME_MAX + 1])
{
	struct slice domain = name, local = slice_cut(&domain, '@');
	size_t n;

	if (!is_local(local))
		return false;
	copy_lower(user_r, local);
	if (domain.p == NULL)
		return default_domain != NULL;
	if (!is_domain(domain))
		return false;
	if (default_domain != NULL && slice_ieq_str(domain, default_domain))
		return true;
	n = strlen(user_r);
	user_r[n] = '@';
	copy_lower(user_r + n + 1, domain);
	return true;
}

void
directory_full_name(const char *user, const char *default_domain,
                    char name_r[DIRECTORY_NAME_MAX + 1])
{
	bool bare = strchr(user, '@') == NULL && default_domain != NULL;

	must(strlen(user) <= DIRECTORY_NAME_MAX);
	snprintf(name_r, DIRECTORY_NAME_MAX + 1, "%s%s%s", user, bare ? "@" : "",
	         bare ? default_domain : "");
}

bool
dir_name_of_domain(struct slice domain, struct dir_name *n_r)
{
	n_r->local[0] = '\0';
	n_r->domain[0] = '\0';
	if (!is_domain(domain))
		return false;
	copy_lower(n_r->domain, domain);
	return true;
}

void
dir_name_set_local(struct dir_name *n, struct slice local)
{
	copy_lower(n->local, is_local(local) ? local : SLICE(""));
}

bool
dir_name_of_user(const char *user, const char *default_domain, struct dir_name *n_r)
{
	struct slice domain = slice_of(user), local = slice_cut(&domain, '@');

	if (domain.p == NULL)
		domain = slice_of(default_domain);
	if (!is_local(local) || !dir_name_of_domain(domain, n_r))
		return false;
	dir_name_set_local(n_r, local);
	return true;
}

bool
dir_name_of_address(const char *address, const char *default_domain, struct dir_name *n_r)
{
	if (*address == '@')
		return dir_name_of_domain(slice_of(address + 1), n_r);
	return dir_name_of_user(address, default_domain, n_r);
}

void
dir_name_text(const char *local, const char *domain, const char *default_domain,
              char text_r[DIRECTORY_NAME_MAX + 1])
{
	bool bare = default_domain != NULL && strcmp(domain, default_domain) == 0;

	snprintf(text_r, DIRECTORY_NAME_MAX + 1, "%s%s%s", local, bare ? "" : "@",
	         bare ? "" : domain);
}

bool
dir_is_store_name(const char *home)
{
	struct slice s = slice_of(home);

	for (size_t i = 0; i < s.n; i++)
		if (!text_is_alpha(s.p[i]) && !text_is_digit(s.p[i]) &&
		    strchr("-._", s.p[i]) == NULL)
			return false;
	return s.n <= DIRECTORY_STORE_MAX;
}

bool
dir_is_services(const char *services)
{
	struct slice rest = slice_of(services);

	if (rest.n > DIRECTORY_SERVICES_MAX)
		return false;
	while (rest.n > 0) {
		struct slice word = slice_cut(&rest, ' ');

		if (word.n == 0 || (rest.p != NULL && rest.n == 0))
			return false;
		for (size_t i = 0; i < word.n; i++)
			if (!text_is_alpha(word.p[i]) && !text_is_digit(word.p[i]))
				return false;
	}
	return true;
}
