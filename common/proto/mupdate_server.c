#include "proto/mupdate_server.h"

#include "base/must.h"
#include "base/num.h"
#include "base/text.h"
#include "base/xalloc.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct verb_row {
	const char *text;
	unsigned fewest, most;
	bool extension, streaming, changes;
};

static const struct verb_row verbs[MUPDATE_V_COUNT] = {
#define X(name, text, fewest, most, ext, streaming, changes)                                       \
	[MUPDATE_V_##name] = { text, fewest, most, ext, streaming, changes },
	MUPDATE_VERBS(X)
#undef X
};

struct mupdate_server {
	const struct mupdate_server_conf *conf;
	const struct mupdate_server_ops *ops;
	void *ctx;
	struct buf *out;
	char *mechs, *mechs_tls;
	struct mupdate_lexer lexer;
	char tag[MUPDATE_TAG_MAX + 1]; /* of the command being handled */
	bool is_tls;
	bool authenticated;
	bool in_auth; /* between AUTHENTICATE and its end */
	bool streaming;
	bool extended;
	bool waiting;
	bool closed;  /* goodbye was said */
	unsigned bad; /* BADs before login */
};

const char *
mupdate_verb_text(enum mupdate_verb verb)
{
	return verbs[verb].text;
}

struct mupdate_server *
mupdate_server_new(const struct mupdate_server_conf *conf, const char *mechs, const char *mechs_tls,
                   bool is_tls, const struct mupdate_server_ops *ops, void *ctx, struct buf *out)
{
	struct mupdate_server *s = xcalloc(1, sizeof(*s));

	s->conf = conf;
	s->ops = ops;
	s->ctx = ctx;
	s->out = out;
	s->mechs = xstrdup(mechs);
	s->mechs_tls = xstrdup(mechs_tls);
	s->is_tls = is_tls;
	mupdate_lexer_init(&s->lexer, &mupdate_limits_login);
	return s;
}

void
mupdate_server_free(struct mupdate_server **s)
{
	if (*s == NULL)
		return;
	mupdate_lexer_fini(&(*s)->lexer);
	free((*s)->mechs);
	free((*s)->mechs_tls);
	free(*s);
	*s = NULL;
}

void
mupdate_server_set_out(struct mupdate_server *s, struct buf *out)
{
	s->out = out;
}

void
mupdate_server_wait(struct mupdate_server *s)
{
	s->waiting = true;
}

void
mupdate_server_resume(struct mupdate_server *s)
{
	s->waiting = false;
}

bool
mupdate_server_is_waiting(const struct mupdate_server *s)
{
	return s->waiting;
}

bool
mupdate_server_is_extended(const struct mupdate_server *s)
{
	return s->extended;
}

bool
mupdate_server_is_authenticated(const struct mupdate_server *s)
{
	return s->authenticated;
}

void
mupdate_server_set_streaming(struct mupdate_server *s)
{
	s->streaming = true;
}

void
mupdate_server_set_extended(struct mupdate_server *s)
{
	s->extended = true;
}

/* ---- output -------------------------------------------------------------------------- */

static const char *
mechs_now(const struct mupdate_server *s)
{
	if (s->is_tls)
		return s->mechs_tls;
	return s->conf->tls_required ? "" : s->mechs;
}

/* RFC 3656 3.8, in the order of Cyrus. */
void
mupdate_server_greet(struct mupdate_server *s)
{
	struct slice rest = slice_of(mechs_now(s));

	buf_add_str(s->out, "* AUTH");
	while (rest.n > 0) {
		struct slice mech = slice_cut(&rest, ' ');

		buf_printf(s->out, " \"%.*s\"", SLICE_ARG(mech));
	}
	buf_add_str(s->out, "\r\n");
	if (s->conf->tls_offered && !s->is_tls)
		buf_add_str(s->out, "* STARTTLS\r\n");
	buf_add_str(s->out, "* PARTIAL-UPDATE\r\n* ROOST \"" MUPDATE_EXT_VERSION "\"\r\n"
	                    "* OK MUPDATE ");
	mupdate_add_text(s->out, s->conf->hostname);
	buf_add_str(s->out, " \"Roost\" ");
	mupdate_add_text(s->out, s->conf->version);
	buf_add_char(s->out, ' ');
	mupdate_add_text(s->out, s->conf->master_url != NULL ? s->conf->master_url : "(master)");
	buf_add_str(s->out, "\r\n");
}

void
mupdate_server_tls_started(struct mupdate_server *s)
{
	must(!s->authenticated);
	s->is_tls = true;
	s->bad = 0;
	s->waiting = false;
	mupdate_lexer_reset(&s->lexer);
	mupdate_server_greet(s);
}

void
mupdate_server_reply(struct mupdate_server *s, const char *tag, enum mupdate_status status,
                     enum mupdate_code code, const char *text)
{
	static const char *const words[] = { "OK", "NO", "BAD", "BYE" };
	char full[256];

	buf_add_str(s->out, tag);
	buf_add_char(s->out, ' ');
	buf_add_str(s->out, words[status]);
	buf_add_char(s->out, ' ');
	if (s->extended && code != MUPDATE_CODE_NONE) {
		snprintf(full, sizeof(full), "[%s] %s", mupdate_code_text(code), text);
		text = full;
	}
	mupdate_add_text(s->out, text);
	buf_add_str(s->out, "\r\n");
}

/* Data as Cyrus sends it: always literals. */
static void
add_data(struct mupdate_server *s, struct slice data)
{
	buf_add_char(s->out, ' ');
	mupdate_add_literal(s->out, data);
}

void
mupdate_server_record(struct mupdate_server *s, const char *tag, struct slice name,
                      struct slice place, struct slice acl, struct slice fields)
{
	buf_add_str(s->out, tag);
	buf_add_str(s->out, " MAILBOX");
	add_data(s, name);
	add_data(s, place);
	add_data(s, acl);
	if (s->extended)
		add_data(s, fields);
	buf_add_str(s->out, "\r\n");
}

void
mupdate_server_reserved(struct mupdate_server *s, const char *tag, struct slice name,
                        struct slice place, const struct slice *acl, struct slice fields)
{
	buf_add_str(s->out, tag);
	buf_add_str(s->out, " RESERVE");
	add_data(s, name);
	add_data(s, place);
	if (s->extended)
		add_data(s, fields);
	if (s->extended && acl != NULL)
		add_data(s, *acl);
	buf_add_str(s->out, "\r\n");
}

void
mupdate_server_deleted(struct mupdate_server *s, const char *tag, struct slice name,
                       struct slice fields)
{
	buf_printf(s->out, "%s DELETE", tag);
	add_data(s, name);
	if (s->extended)
		add_data(s, fields);
	buf_add_str(s->out, "\r\n");
}

void
mupdate_server_hello(struct mupdate_server *s, const char *tag, const char *cluster,
                     const char *history, uint64_t revision, uint64_t term, bool complete)
{
	buf_printf(s->out, "%s ROOST ", tag);
	mupdate_add_text(s->out, cluster);
	buf_printf(s->out, " \"%s\" \"%" PRIu64 "\" \"%" PRIu64 "\" \"%s\"\r\n", history, revision,
	           term, complete ? "complete" : "rebuilding");
}

void
mupdate_server_changed(struct mupdate_server *s, const char *tag, uint64_t revision, uint64_t claim)
{
	if (s->extended)
		buf_printf(s->out, "%s CHANGED \"%" PRIu64 "\" \"%" PRIu64 "\"\r\n", tag, revision,
		           claim);
}

void
mupdate_server_stream(struct mupdate_server *s, const char *tag, bool snapshot, const char *history,
                      uint64_t revision)
{
	buf_printf(s->out, "%s STREAM \"%s\" \"%s\" \"%" PRIu64 "\"\r\n", tag,
	           snapshot ? "snapshot" : "difference", history, revision);
}

/* ---- refusing -------------------------------------------------------------------------- */

static void
close_with(struct mupdate_server *s, const char *tag, const char *text)
{
	mupdate_server_reply(s, tag, MUPDATE_BYE, MUPDATE_CODE_NONE, text);
	s->closed = true;
	s->ops->goodbye(s->ctx, text);
}

static void
reply_bad(struct mupdate_server *s, const char *tag, const char *text)
{
	mupdate_server_reply(s, tag, MUPDATE_BAD, MUPDATE_CODE_NONE, text);
	if (!s->authenticated && ++s->bad >= s->conf->bad_max)
		close_with(s, "*", "Too many errors");
}

/* ---- login --------------------------------------------------------------------------- */

static void
auth_refuse(struct mupdate_server *s, const char *text)
{
	s->in_auth = false;
	mupdate_lexer_set_raw(&s->lexer, false);
	mupdate_server_reply(s, s->tag, MUPDATE_NO, MUPDATE_CODE_NONE, text);
}

/* cmd-authenticate = "AUTHENTICATE" SP sasl-mech [ SP string ]; Cyrus sends the mechanism
 * as a string. */
static void
cmd_authenticate(struct mupdate_server *s, const struct mupdate_line *line)
{
	struct buf initial = BUF_INIT(SIZE_MAX);
	struct slice given = { NULL, 0 };
	char mech[32];

	if (line->count < 3) {
		reply_bad(s, s->tag, "Missing arguments");
		return;
	}
	if (line->count > 4) {
		reply_bad(s, s->tag, "Extra arguments");
		return;
	}
	if (s->authenticated) {
		reply_bad(s, s->tag, "already authenticated");
		return;
	}
	if (!slice_has_word(slice_of(mechs_now(s)), line->words[2].s) ||
	    line->words[2].s.n >= sizeof(mech)) {
		auth_refuse(s, s->conf->tls_required && !s->is_tls ? "Use STARTTLS first"
		                                                   : "no mechanism available");
		return;
	}
	for (size_t i = 0; i < line->words[2].s.n; i++)
		mech[i] = text_upper(line->words[2].s.p[i]);
	mech[line->words[2].s.n] = '\0';
	if (line->count == 4) {
		if (!text_base64_decode(line->words[3].s, &initial)) {
			auth_refuse(s, "Error reading client response");
			goto out;
		}
		given = initial.len > 0 ? buf_slice(&initial) : SLICE("");
	}
	s->in_auth = true;
	s->waiting = true;
	s->ops->auth_start(s->ctx, mech, given);
out:
	buf_wipe(&initial);
}

/* A line of the client while a conversation goes on. */
static void
auth_line(struct mupdate_server *s, struct slice text)
{
	struct buf response = BUF_INIT(SIZE_MAX);

	if (slice_eq_str(text, "*")) {
		auth_refuse(s, "Client canceled authentication");
		s->ops->auth_abort(s->ctx);
	} else if (!text_base64_decode(text, &response)) {
		auth_refuse(s, "Error reading client response");
		s->ops->auth_abort(s->ctx);
	} else {
		s->waiting = true;
		s->ops->auth_step(s->ctx, response.len > 0 ? buf_slice(&response) : SLICE(""));
	}
	buf_wipe(&response);
}

/* RFC 3656 4.2: base64 and CRLF, not a string. */
void
mupdate_server_auth_continue(struct mupdate_server *s, struct slice challenge)
{
	must(s->in_auth);
	text_base64_add(s->out, challenge);
	buf_add_str(s->out, "\r\n");
	mupdate_lexer_set_raw(&s->lexer, true);
	s->waiting = false;
}

void
mupdate_server_auth_done(struct mupdate_server *s, bool ok, const char *text)
{
	must(s->in_auth);
	s->waiting = false;
	if (!ok) {
		auth_refuse(s, text);
		if (++s->bad >= s->conf->bad_max)
			close_with(s, "*", "Too many errors");
		return;
	}
	s->in_auth = false;
	s->authenticated = true;
	mupdate_lexer_set_raw(&s->lexer, false);
	s->lexer.limits = mupdate_limits_default;
	mupdate_server_reply(s, s->tag, MUPDATE_OK, MUPDATE_CODE_NONE, text);
}

static void
cmd_starttls(struct mupdate_server *s, const struct mupdate_line *line)
{
	if (!s->conf->tls_offered) {
		reply_bad(s, s->tag, "Unrecognized command");
	} else if (line->count > 2) {
		reply_bad(s, s->tag, "Extra arguments");
	} else if (s->is_tls || s->authenticated) {
		mupdate_server_reply(s, s->tag, MUPDATE_NO, MUPDATE_CODE_NONE,
		                     s->is_tls ? "TLS is on already" : "already authenticated");
	} else {
		mupdate_server_reply(s, s->tag, MUPDATE_OK, MUPDATE_CODE_NONE,
		                     "Begin TLS negotiation now");
		s->waiting = true;
		s->ops->starttls(s->ctx);
	}
}

static void
cmd_logout(struct mupdate_server *s, const struct mupdate_line *line)
{
	if (line->count > 2) {
		reply_bad(s, s->tag, "Extra arguments");
		return;
	}
	/* Cyrus says OK here, RFC 3656 BYE; its clients want what it says. */
	mupdate_server_reply(s, s->tag, MUPDATE_OK, MUPDATE_CODE_NONE, "bye-bye");
	s->closed = true;
	s->ops->goodbye(s->ctx, "logout");
}

/* ---- commands with data ---------------------------------------------------------------- */

/* The arguments are strings; an atom in their place is no argument at all (Cyrus: missing,
 * or extra where the last one should be). NULL when all is well. */
static const char *
args_wrong(const struct mupdate_server *s, enum mupdate_verb verb, const struct mupdate_line *line)
{
	const struct verb_row *row = &verbs[verb];
	unsigned count = line->count - 2, most = row->most, fewest = row->fewest;
	bool since = verb == MUPDATE_V_UPDATE && s->extended && count > 0 &&
	             line->words[2].is_atom && slice_ieq_str(line->words[2].s, "SINCE");

	if (s->extended && (verb == MUPDATE_V_ACTIVATE || verb == MUPDATE_V_RESERVE))
		most++;
	if (since)
		most = fewest = 3;
	for (unsigned i = since ? 1 : 0; i < MIN(count, most); i++) {
		if (line->words[2 + i].is_atom)
			return i + 1 >= fewest ? "Extra arguments" : "Missing arguments";
		if (verb == MUPDATE_V_UPDATE && line->words[2 + i].s.n == 0)
			return "Badly formed arguments";
	}
	if (count < fewest)
		return "Missing arguments";
	return count > most ? "Extra arguments" : NULL;
}

static bool
fill_update(struct mupdate_cmd *cmd, const struct mupdate_word *args, unsigned count)
{
	if (count > 0 && args[0].is_atom) {
		cmd->is_since = true;
		cmd->history = args[1].s;
		return num_parse_u64(args[2].s, UINT64_MAX, &cmd->revision);
	}
	cmd->host_count = count;
	for (unsigned i = 0; i < count; i++)
		cmd->hosts[i] = args[i].s;
	return true;
}

/* False: a number is none. */
static bool
fill(struct mupdate_cmd *cmd, const struct mupdate_line *line)
{
	const struct mupdate_word *args = line->words + 2;
	unsigned count = line->count - 2;

	switch (cmd->verb) {
	case MUPDATE_V_UPDATE:
		return fill_update(cmd, args, count);
	case MUPDATE_V_LIST:
		cmd->has_place = count > 0;
		cmd->place = count > 0 ? args[0].s : SLICE("");
		return true;
	case MUPDATE_V_ROOST:
		cmd->cluster = args[1].s;
		return slice_eq_str(args[0].s, MUPDATE_EXT_VERSION) &&
		       num_parse_u64(args[2].s, UINT64_MAX, &cmd->term);
	default:
		break;
	}
	if (count > 0)
		cmd->name = args[0].s;
	if (count > 1)
		cmd->place = args[1].s;
	if (cmd->verb == MUPDATE_V_ACTIVATE) {
		cmd->acl = args[2].s;
		cmd->fields = count > 3 ? args[3].s : SLICE("");
	} else if (cmd->verb == MUPDATE_V_RESERVE) {
		cmd->fields = count > 2 ? args[2].s : SLICE("");
	}
	return true;
}

static void
cmd_data(struct mupdate_server *s, enum mupdate_verb verb, const struct mupdate_line *line)
{
	struct mupdate_cmd cmd = { .verb = verb, .tag = s->tag };
	const char *wrong;

	if (!s->authenticated) {
		reply_bad(s, s->tag, "Please login first");
		return;
	}
	wrong = args_wrong(s, verb, line);
	if (wrong == NULL && !fill(&cmd, line))
		wrong = "Badly formed arguments";
	if (wrong == NULL && s->streaming && !verbs[verb].streaming)
		wrong = "not legal when streaming";
	if (wrong == NULL && verbs[verb].changes && s->conf->master_url != NULL)
		wrong = "read-only session";
	if (wrong != NULL)
		reply_bad(s, s->tag, wrong);
	else
		s->ops->command(s->ctx, &cmd);
}

static void
dispatch(struct mupdate_server *s, const struct mupdate_line *line)
{
	struct slice word = line->words[1].s;

	if (slice_ieq_str(word, "AUTHENTICATE")) {
		cmd_authenticate(s, line);
		return;
	}
	if (slice_ieq_str(word, "LOGOUT")) {
		cmd_logout(s, line);
		return;
	}
	if (slice_ieq_str(word, "STARTTLS")) {
		cmd_starttls(s, line);
		return;
	}
	for (int v = 0; v < MUPDATE_V_COUNT; v++) {
		if (!slice_ieq_str(word, verbs[v].text))
			continue;
		if (verbs[v].extension && !s->extended)
			break;
		cmd_data(s, (enum mupdate_verb)v, line);
		return;
	}
	reply_bad(s, s->tag, "Unrecognized command");
}

/* tag = 1*ATOM-CHAR; RFC 3656 2: alphanumeric, and whatever mupdatetest sends. */
static bool
take_tag(struct mupdate_server *s, const struct mupdate_line *line)
{
	struct slice tag;

	memcpy(s->tag, "*", 2);
	if (line->count == 0 || !line->words[0].is_atom)
		return false;
	tag = line->words[0].s;
	if (tag.n > MUPDATE_TAG_MAX)
		return false;
	for (size_t i = 0; i < tag.n; i++)
		if (!text_is_alpha(tag.p[i]) && !text_is_digit(tag.p[i]) &&
		    strchr("-_.:/", tag.p[i]) == NULL)
			return false;
	memcpy(s->tag, tag.p, tag.n);
	s->tag[tag.n] = '\0';
	return true;
}

static void
on_line(struct mupdate_server *s)
{
	const struct mupdate_line *line = &s->lexer.line;

	if (s->in_auth)
		auth_line(s, line->words[0].s);
	else if (!take_tag(s, line))
		reply_bad(s, "*", line->count == 0 ? "Need tag" : "Bad tag");
	else if (line->count < 2 || !line->words[1].is_atom)
		reply_bad(s, s->tag, "Need command");
	else
		dispatch(s, line);
}

static void
on_bad_line(struct mupdate_server *s)
{
	if (s->in_auth) {
		auth_refuse(s, "Error reading client response");
		s->ops->auth_abort(s->ctx);
		return;
	}
	(void)take_tag(s, &s->lexer.line);
	reply_bad(s, s->tag, s->lexer.error);
}

size_t
mupdate_server_input(struct mupdate_server *s, struct slice in)
{
	size_t used = 0;

	while (!s->waiting && !s->closed && used < in.n) {
		enum mupdate_lex result;

		used += mupdate_lexer_feed(&s->lexer, slice_skip(in, used), &result);
		switch (result) {
		case MUPDATE_LEX_MORE:
			break;
		case MUPDATE_LEX_LINE:
			on_line(s);
			break;
		case MUPDATE_LEX_GO_AHEAD:
			buf_add_str(s->out, "+ go ahead\r\n");
			break;
		case MUPDATE_LEX_BAD:
			on_bad_line(s);
			break;
		case MUPDATE_LEX_FATAL:
			if (s->in_auth)
				s->ops->auth_abort(s->ctx);
			close_with(s, "*", s->lexer.error);
			break;
		}
	}
	return s->closed ? in.n : used;
}
