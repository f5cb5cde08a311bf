#include "perf/mupdate/wire.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool
fail(struct wire *w, const char *what)
{
	snprintf(w->why, sizeof(w->why), "%s: %.150s", what, w->peer.line);
	return false;
}

static void
base64(const unsigned char *in, size_t n, char *out)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	for (size_t i = 0; i < n; i += 3) {
		unsigned v = (unsigned)in[i] << 16;

		if (i + 1 < n)
			v |= (unsigned)in[i + 1] << 8;
		if (i + 2 < n)
			v |= in[i + 2];
		*out++ = digits[v >> 18];
		*out++ = digits[v >> 12 & 63];
		*out++ = i + 1 < n ? digits[v >> 6 & 63] : '=';
		*out++ = i + 2 < n ? digits[v & 63] : '=';
	}
	*out = '\0';
}

bool
wire_open(struct wire *w, const char *address, const char *user, const char *password)
{
	char plain[128], text[256];
	int n = snprintf(plain, sizeof(plain), "%c%s%c%s", 0, user, 0, password);

	w->why[0] = w->peer.line[0] = '\0';
	if (!peer_open(&w->peer, address))
		return fail(w, "cannot connect");
	do {
		if (!peer_read_line(&w->peer))
			return fail(w, "no banner");
	} while (strncmp(w->peer.line, "* OK MUPDATE", 12) != 0);
	base64((const unsigned char *)plain, (size_t)n, text);
	if (!peer_say(&w->peer, "A AUTHENTICATE \"PLAIN\" \"%s\"\r\n", text) ||
	    !wire_await(w, "A", NULL))
		return fail(w, "no login");
	return true;
}

void
wire_close(struct wire *w)
{
	peer_close(&w->peer);
}

/* A line that ends in "{N}" or "{N+}" goes on behind N bytes. */
static bool
read_literals(struct wire *w)
{
	for (;;) {
		const char *brace = strrchr(w->peer.line, '{');
		size_t n;

		if (brace == NULL || w->peer.line[strlen(w->peer.line) - 1] != '}')
			return true;
		n = strtoul(brace + 1, NULL, 10);
		if (!peer_skip(&w->peer, n) || !peer_read_line(&w->peer))
			return fail(w, "the connection broke");
	}
}

bool
wire_await(struct wire *w, const char *tag, uint64_t *records_r)
{
	size_t n = strlen(tag);
	uint64_t records = 0;

	for (;;) {
		const char *rest;

		if (!peer_read_line(&w->peer))
			return fail(w, "the connection broke");
		rest = w->peer.line + n;
		if (strncmp(w->peer.line, tag, n) != 0 || *rest++ != ' ')
			continue;
		if (strncmp(rest, "OK", 2) == 0)
			break;
		if (strncmp(rest, "NO", 2) == 0 || strncmp(rest, "BAD", 3) == 0)
			return fail(w, "refused");
		records++;
		if (!read_literals(w))
			return false;
	}
	if (records_r != NULL)
		*records_r = records;
	return true;
}
