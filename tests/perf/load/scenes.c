#include "perf/load/scenes.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool __attribute__((format(printf, 2, 3))) fail(struct worker *w, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(w->why, sizeof(w->why), fmt, ap);
	va_end(ap);
	peer_close(&w->peer);
	w->open = false;
	return false;
}

static const char *
user(const struct worker *w)
{
	return w->load->users[(w->number + w->count) % w->load->user_count];
}

/* Sessions: one user for each connection, since a maildrop is open only once at a time. */
static const char *
own_user(const struct worker *w)
{
	return w->load->users[w->number % w->load->user_count];
}

/* ---- deliveries on a kept connection ------------------------------------------------- */

static bool
smtp_open(struct worker *w, const char *hello)
{
	if (w->open)
		return true;
	if (!peer_open(&w->peer, w->load->address))
		return fail(w, "cannot connect");
	if (peer_read_reply(&w->peer) != 220)
		return fail(w, "greeting: %.200s", w->peer.line);
	if (!peer_say(&w->peer, "%s load.example.net\r\n", hello) ||
	    peer_read_reply(&w->peer) != 250)
		return fail(w, "%s: %.200s", hello, w->peer.line);
	w->open = true;
	return true;
}

static bool
smtp_envelope(struct worker *w)
{
	const struct load *l = w->load;
	bool ok;

	if (!peer_say(&w->peer, "MAIL FROM:<load@load.example.net>\r\nRCPT TO:<%s@%s>\r\nDATA\r\n",
	              user(w), l->domain))
		return fail(w, "connection broke");
	ok = peer_read_reply(&w->peer) == 250;
	ok = peer_read_reply(&w->peer) == 250 && ok;
	if (!ok)
		return fail(w, "RCPT: %.200s", w->peer.line);
	if (peer_read_reply(&w->peer) != 354)
		return fail(w, "DATA: %.200s", w->peer.line);
	return true;
}

/* Each message is another one: a store keeps one copy of the same. */
static bool
deliver(struct worker *w, const char *hello)
{
	const struct load *l = w->load;
	struct peer *p = &w->peer;

	if (!smtp_open(w, hello) || !smtp_envelope(w))
		return false;
	if (!peer_say(p,
	              "From: <load@load.example.net>\r\nTo: <%s@%s>\r\nSubject: load\r\n"
	              "Message-ID: <%" PRIx64 ".%u.%" PRIu64 "@load.example.net>\r\n\r\n",
	              user(w), l->domain, l->seed, w->number, w->count) ||
	    !peer_send(p, l->body, l->message_bytes) || !peer_send(p, ".\r\n", 3))
		return fail(w, "connection broke in the message");
	if (peer_read_reply(p) != 250)
		return fail(w, "after the message: %.200s", p->line);
	return true;
}

static bool
scene_lmtp(struct worker *w)
{
	return deliver(w, "LHLO");
}

static bool
scene_smtp(struct worker *w)
{
	return deliver(w, "EHLO");
}

/* ---- IMAP: log in, select, fetch the newest message, log out --------------------------- */

/* Reads up to the tagged line, counted bytes included. *exists_r: of the last EXISTS. */
static bool
imap_until(struct worker *w, const char *tag, unsigned long *exists_r)
{
	struct peer *p = &w->peer;
	size_t n = strlen(tag);

	while (peer_read_line(p)) {
		const char *brace = strrchr(p->line, '{');
		size_t end = strlen(p->line);

		if (strncmp(p->line, tag, n) == 0 && p->line[n] == ' ')
			return strncmp(p->line + n + 1, "OK", 2) == 0 || fail(w, "%.200s", p->line);
		if (exists_r != NULL && strncmp(p->line, "* ", 2) == 0 &&
		    strstr(p->line, " EXISTS") != NULL)
			*exists_r = strtoul(p->line + 2, NULL, 10);
		if (brace != NULL && end > 0 && p->line[end - 1] == '}' &&
		    !peer_skip(p, strtoul(brace + 1, NULL, 10)))
			break;
	}
	return fail(w, "connection broke before %s", tag);
}

static bool
imap_fetch(struct worker *w)
{
	unsigned long exists = 0;

	if (!peer_say(&w->peer, "b SELECT INBOX\r\n") || !imap_until(w, "b", &exists))
		return false;
	if (exists == 0)
		return fail(w, "INBOX of %s is empty", own_user(w));
	return peer_say(&w->peer, "c FETCH %lu (UID FLAGS BODY.PEEK[])\r\n", exists) &&
	       imap_until(w, "c", NULL);
}

static bool
scene_imap(struct worker *w)
{
	const struct load *l = w->load;

	if (!peer_open(&w->peer, l->address) || !peer_read_line(&w->peer))
		return fail(w, "no greeting");
	if (!peer_say(&w->peer, "a LOGIN %s@%s %s\r\n", own_user(w), l->domain, l->password) ||
	    !imap_until(w, "a", NULL))
		return false;
	if (!imap_fetch(w))
		return false;
	if (!peer_say(&w->peer, "d LOGOUT\r\n") || !imap_until(w, "d", NULL))
		return false;
	peer_close(&w->peer);
	return true;
}

/* ---- POP3: log in, look, retrieve the newest message, quit ------------------------------ */

static bool
pop3_ask(struct worker *w, const char *line)
{
	if (!peer_say(&w->peer, "%s\r\n", line) || !peer_read_line(&w->peer))
		return fail(w, "connection broke at %s", line);
	return strncmp(w->peer.line, "+OK", 3) == 0 || fail(w, "%s: %.200s", line, w->peer.line);
}

static bool
pop3_login(struct worker *w)
{
	const struct load *l = w->load;
	char line[512];

	if (!peer_open(&w->peer, l->address) || !peer_read_line(&w->peer))
		return fail(w, "no greeting");
	snprintf(line, sizeof(line), "USER %s@%s", own_user(w), l->domain);
	if (!pop3_ask(w, line))
		return false;
	snprintf(line, sizeof(line), "PASS %s", l->password);
	return pop3_ask(w, line);
}

static bool
scene_pop3(struct worker *w)
{
	unsigned long count;
	char line[64];

	if (!pop3_login(w) || !pop3_ask(w, "STAT"))
		return false;
	count = strtoul(w->peer.line + strlen("+OK "), NULL, 10);
	if (count == 0)
		return fail(w, "maildrop of %s is empty", own_user(w));
	snprintf(line, sizeof(line), "RETR %lu", count);
	if (!pop3_ask(w, line))
		return false;
	while (strcmp(w->peer.line, ".") != 0)
		if (!peer_read_line(&w->peer))
			return fail(w, "connection broke in RETR");
	if (!pop3_ask(w, "QUIT"))
		return false;
	peer_close(&w->peer);
	return true;
}

const struct scene scenes[] = {
	{ "lmtp", scene_lmtp }, { "smtp", scene_smtp }, { "imap", scene_imap },
	{ "pop3", scene_pop3 }, { .name = NULL },
};
