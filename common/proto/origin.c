#include "proto/origin.h"

#include <arpa/inet.h>
#include <string.h>

#include "base/text.h"

bool
origin_is_address(struct slice s)
{
	char host[INET6_ADDRSTRLEN];
	unsigned char bytes[16];

	if (s.n == 0 || s.n >= sizeof(host) || memchr(s.p, '\0', s.n) != NULL)
		return false;
	memcpy(host, s.p, s.n);
	host[s.n] = '\0';
	return inet_pton(AF_INET, host, bytes) == 1 || inet_pton(AF_INET6, host, bytes) == 1;
}

bool
origin_is_session(struct slice id)
{
	static const char others[] = "-_.+/=:";

	if (id.n == 0 || id.n > ORIGIN_SESSION_MAX)
		return false;
	for (size_t i = 0; i < id.n; i++)
		if (!text_is_alpha(id.p[i]) && !text_is_digit(id.p[i]) &&
		    memchr(others, id.p[i], strlen(others)) == NULL)
			return false;
	return true;
}
