#include "proto/mupdate_client.h"

#include "base/list.h"
#include "base/must.h"
#include "base/num.h"
#include "base/text.h"
#include "base/xalloc.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum client_state {
	BANNER,    /* until "* OK MUPDATE" */
	STARTTLS,  /* asked */
	HANDSHAKE, /* the owner is at it */
	LOGIN,
	HELLO, /* ROOST sent */
	READY,
	FAILED,
};

struct request {
	struct list link;
	uint64_t id;
	uint64_t revision, claim; /* from CHANGED */
};

struct mupdate_client {
	const struct mupdate_client_conf *conf;
	const struct mupdate_client_ops *ops;
	void *ctx;
	struct buf *out;
	enum client_state state;
	struct mupdate_lexer lexer;
	struct list pending; /* struct request, in the order they were sent */
	size_t pending_count;
	uint64_t next_id;
	uint64_t update_id; /* its records go on after it is done; 0: none */
	bool is_tls;
	/* from the banner, anew after STARTTLS */
	bool has_starttls, has_plain, has_extension;
	struct mupdate_hello hello;
	char *hostname, *master_url, *cluster, *history;
	struct buf joined; /* the text of an answer in several words */
};

struct mupdate_client *
mupdate_client_new(const struct mupdate_client_conf *conf, const struct mupdate_client_ops *ops,
                   void *ctx, struct buf *out)
{
	struct mupdate_client *c = xcalloc(1, sizeof(*c));

	c->conf = conf;
	c->ops = ops;
	c->ctx = ctx;
	c->out = out;
	c->next_id = 1;
	list_init(&c->pending);
	buf_init(&c->joined, 4096);
	mupdate_lexer_init(&c->lexer, &mupdate_limits_default);
	return c;
}

static void
request_free(struct mupdate_client *c, struct request *r)
{
	list_del(&r->link);
	c->pending_count--;
	free(r);
}

void
mupdate_client_free(struct mupdate_client **cp)
{
	struct mupdate_client *c = *cp;
	struct request *r;

	if (c == NULL)
		return;
	LIST_EACH (r, &c->pending, struct request, link)
		request_free(c, r);
	mupdate_lexer_fini(&c->lexer);
	buf_fini(&c->joined);
	free(c->hostname);
	free(c->master_url);
	free(c->cluster);
	free(c->history);
	free(c);
	*cp = NULL;
}

bool
mupdate_client_is_ready(const struct mupdate_client *c)
{
	return c->state == READY;
}

size_t
mupdate_client_pending(const struct mupdate_client *c)
{
	return c->pending_count;
}

static void
client_fail(struct mupdate_client *c, const char *why, bool denied)
{
	if (c->state == FAILED)
		return;
	c->state = FAILED;
	c->ops->failed(c->ctx, why, denied);
}

/* ---- requests ------------------------------------------------------------------------- */

static uint64_t
request_begin(struct mupdate_client *c, const char *verb)
{
	struct request *r = xcalloc(1, sizeof(*r));

	must(c->state == READY);
	r->id = c->next_id++;
	list_add_tail(&c->pending, &r->link);
	c->pending_count++;
	buf_printf(c->out, "R%" PRIu64 " %s", r->id, verb);
	return r->id;
}

static void
add_string(struct mupdate_client *c, struct slice s)
{
	buf_add_char(c->out, ' ');
	mupdate_add_string(c->out, s);
}

static void
add_fields(struct mupdate_client *c, struct slice fields)
{
	if (c->hello.extended)
		add_string(c, fields);
}

static void
request_end(struct mupdate_client *c)
{
	buf_add_str(c->out, "\r\n");
}

uint64_t
mupdate_client_activate(struct mupdate_client *c, struct slice name, struct slice place,
                        struct slice acl, struct slice fields)
{
	uint64_t id = request_begin(c, "ACTIVATE");

	add_string(c, name);
	add_string(c, place);
	add_string(c, acl);
	add_fields(c, fields);
	request_end(c);
	return id;
}

uint64_t
mupdate_client_reserve(struct mupdate_client *c, struct slice name, struct slice place,
                       struct slice fields)
{
	uint64_t id = request_begin(c, "RESERVE");

	add_string(c, name);
	add_string(c, place);
	add_fields(c, fields);
	request_end(c);
	return id;
}

uint64_t
mupdate_client_deactivate(struct mupdate_client *c, struct slice name, struct slice place)
{
	uint64_t id = request_begin(c, "DEACTIVATE");

	add_string(c, name);
	add_string(c, place);
	request_end(c);
	return id;
}

static uint64_t
request_one(struct mupdate_client *c, const char *verb, struct slice arg)
{
	uint64_t id = request_begin(c, verb);

	add_string(c, arg);
	request_end(c);
	return id;
}

uint64_t
mupdate_client_delete(struct mupdate_client *c, struct slice name)
{
	return request_one(c, "DELETE", name);
}

uint64_t
mupdate_client_find(struct mupdate_client *c, struct slice name)
{
	return request_one(c, "FIND", name);
}

uint64_t
mupdate_client_pushed(struct mupdate_client *c, struct slice server)
{
	return request_one(c, "PUSHED", server);
}

uint64_t
mupdate_client_list(struct mupdate_client *c, struct slice place_prefix)
{
	uint64_t id;

	if (place_prefix.n > 0)
		return request_one(c, "LIST", place_prefix);
	id = request_begin(c, "LIST");
	request_end(c);
	return id;
}

uint64_t
mupdate_client_noop(struct mupdate_client *c)
{
	uint64_t id = request_begin(c, "NOOP");

	request_end(c);
	return id;
}

uint64_t
mupdate_client_update(struct mupdate_client *c, const char *history, uint64_t revision)
{
	c->update_id = request_begin(c, "UPDATE");
	if (history != NULL && c->hello.extended)
		buf_printf(c->out, " SINCE \"%s\" \"%" PRIu64 "\"", history, revision);
	request_end(c);
	return c->update_id;
}

void
mupdate_client_logout(struct mupdate_client *c)
{
	if (c->state != FAILED)
		buf_add_str(c->out, "Q1 LOGOUT\r\n");
}

/* ---- before READY ----------------------------------------------------------------------- */

/* PLAIN, RFC 4616. */
static void
send_login(struct mupdate_client *c)
{
	struct buf plain = BUF_INIT(4096), text = BUF_INIT(8192);

	buf_add_char(&plain, '\0');
	buf_add_str(&plain, c->conf->user);
	buf_add_char(&plain, '\0');
	buf_add_str(&plain, c->conf->secret);
	text_base64_add(&text, buf_slice(&plain));
	buf_add_str(c->out, "A1 AUTHENTICATE \"PLAIN\" ");
	mupdate_add_string(c->out, buf_slice(&text));
	buf_add_str(c->out, "\r\n");
	buf_wipe(&plain);
	buf_wipe(&text);
	c->state = LOGIN;
}

static void
client_ready(struct mupdate_client *c)
{
	c->state = READY;
	c->ops->ready(c->ctx, &c->hello);
}

static void
banner_end(struct mupdate_client *c, const struct mupdate_line *line)
{
	const struct mupdate_word *w = line->words;

	/* * OK MUPDATE host implementation version "(master)" */
	if (line->count < 7 || !slice_ieq_str(w[2].s, "MUPDATE")) {
		client_fail(c, "the peer does not speak MUPDATE", false);
		return;
	}
	free(c->hostname);
	c->hostname = slice_dup(w[3].s);
	free(c->master_url);
	c->master_url = slice_dup(w[6].s);
	c->hello.hostname = c->hostname;
	c->hello.is_master = slice_eq_str(w[6].s, "(master)");
	c->hello.master_url = c->hello.is_master ? NULL : c->master_url;
	if (c->conf->want_tls && !c->is_tls) {
		if (!c->has_starttls) {
			client_fail(c, "the server does not offer STARTTLS", true);
			return;
		}
		buf_add_str(c->out, "S1 STARTTLS\r\n");
		c->state = STARTTLS;
	} else if (!c->has_plain) {
		client_fail(c, "the server does not offer a login by PLAIN", true);
	} else {
		send_login(c);
	}
}

static void
on_banner(struct mupdate_client *c, const struct mupdate_line *line)
{
	const struct mupdate_word *w = line->words;

	if (slice_ieq_str(w[1].s, "AUTH")) {
		for (unsigned i = 2; i < line->count; i++)
			if (slice_ieq_str(w[i].s, "PLAIN"))
				c->has_plain = true;
	} else if (slice_ieq_str(w[1].s, "STARTTLS")) {
		c->has_starttls = true;
	} else if (slice_ieq_str(w[1].s, "ROOST")) {
		c->has_extension = line->count > 2 && slice_eq_str(w[2].s, MUPDATE_EXT_VERSION);
	} else if (slice_ieq_str(w[1].s, "OK")) {
		banner_end(c, line);
	} else if (slice_ieq_str(w[1].s, "BYE") || slice_ieq_str(w[1].s, "NO")) {
		client_fail(c, "the server refuses connections", false);
	}
	/* RFC 3656 3.8: everything else is ignored */
}

void
mupdate_client_tls_started(struct mupdate_client *c)
{
	must(c->state == HANDSHAKE);
	mupdate_lexer_reset(&c->lexer);
	c->is_tls = true;
	c->has_starttls = c->has_plain = c->has_extension = false;
	c->state = BANNER;
}

static void
on_login_ok(struct mupdate_client *c)
{
	if (!c->conf->want_extension || !c->has_extension) {
		client_ready(c);
		return;
	}
	buf_add_str(c->out, "X1 ROOST \"" MUPDATE_EXT_VERSION "\" ");
	mupdate_add_string(c->out, slice_of(c->conf->cluster));
	buf_printf(c->out, " \"%" PRIu64 "\"\r\n", c->conf->term);
	c->state = HELLO;
}

/* X1 ROOST cluster history revision term state, then X1 OK. */
static void
on_hello(struct mupdate_client *c, const struct mupdate_line *line)
{
	const struct mupdate_word *w = line->words;

	if (!slice_ieq_str(w[1].s, "ROOST") || line->count != 7 || c->cluster != NULL ||
	    !num_parse_u64(w[4].s, UINT64_MAX, &c->hello.revision) ||
	    !num_parse_u64(w[5].s, UINT64_MAX, &c->hello.term)) {
		client_fail(c, "the server's ROOST answer makes no sense", false);
		return;
	}
	c->cluster = slice_dup(w[2].s);
	c->history = slice_dup(w[3].s);
	c->hello.cluster = c->cluster;
	c->hello.history = c->history;
	c->hello.complete = slice_eq_str(w[6].s, "complete");
	c->hello.extended = true;
}

static void
on_hello_ok(struct mupdate_client *c)
{
	if (c->cluster == NULL)
		client_fail(c, "the server's ROOST answer makes no sense", false);
	else if (c->hello.term < c->conf->term)
		client_fail(c, "the server's term is older than one seen before", true);
	else
		client_ready(c);
}

/* The answer to S1, A1 or X1. */
static void
on_setup(struct mupdate_client *c, const struct mupdate_line *line)
{
	bool ok = slice_ieq_str(line->words[1].s, "OK");

	if (c->state == HELLO && !ok && slice_ieq_str(line->words[1].s, "ROOST")) {
		on_hello(c, line);
	} else if (!ok) {
		client_fail(c,
		            c->state == LOGIN ? "the server refuses our login"
		            : c->state == HELLO
		                    ? "the server is of another cluster, or knows of a newer master"
		                    : "the server refuses STARTTLS",
		            true);
	} else if (c->state == STARTTLS) {
		c->state = HANDSHAKE;
		c->ops->starttls(c->ctx);
	} else if (c->state == LOGIN) {
		on_login_ok(c);
	} else {
		on_hello_ok(c);
	}
}

/* ---- READY ------------------------------------------------------------------------------ */

static struct request *
request_find(struct mupdate_client *c, uint64_t id)
{
	struct request *r;

	LIST_EACH (r, &c->pending, struct request, link)
		if (r->id == id)
			return r;
	return NULL;
}

/* Everything behind the status: one string, or the words of Cyrus' "NO Client canceled". */
static struct slice
answer_text(struct mupdate_client *c, const struct mupdate_line *line)
{
	if (line->count == 3)
		return line->words[2].s;
	buf_clear(&c->joined);
	for (unsigned i = 2; i < line->count; i++) {
		if (i > 2)
			buf_add_char(&c->joined, ' ');
		buf_add_slice(&c->joined, line->words[i].s);
	}
	return buf_slice(&c->joined);
}

static void
on_answer(struct mupdate_client *c, struct request *r, enum mupdate_status status,
          const struct mupdate_line *line)
{
	struct mupdate_answer a = { .status = status, .text = answer_text(c, line) };
	uint64_t id = r->id;

	a.revision = r->revision;
	a.claim = r->claim;
	if (status != MUPDATE_OK && c->hello.extended)
		a.code = mupdate_code_cut(&a.text);
	if (id == c->update_id && status != MUPDATE_OK)
		c->update_id = 0;
	request_free(c, r);
	c->ops->done(c->ctx, id, &a);
}

/* MAILBOX name place acl, RESERVE name place, DELETE name; fields behind when extended, and
 * behind these the ACL of a RESERVE that was left. */
static bool
parse_record(struct mupdate_client *c, const struct mupdate_line *line,
             struct mupdate_record *rec_r)
{
	static const struct {
		const char *word;
		unsigned strings;
	} kinds[] = {
		[MUPDATE_R_MAILBOX] = { "MAILBOX", 3 },
		[MUPDATE_R_RESERVE] = { "RESERVE", 2 },
		[MUPDATE_R_DELETE] = { "DELETE", 1 },
	};

	for (unsigned k = 0; k < ARRAY_LEN(kinds); k++) {
		unsigned n = kinds[k].strings;

		if (!slice_ieq_str(line->words[1].s, kinds[k].word))
			continue;
		/* RFC 3656 4.11 shows a RESERVE with an ACL: what is too much is ignored. */
		if (line->count < 2 + n)
			return false;
		rec_r->kind = (enum mupdate_record_kind)k;
		rec_r->name = line->words[2].s;
		rec_r->place = n > 1 ? line->words[3].s : SLICE("");
		rec_r->acl = n > 2 ? line->words[4].s : SLICE("");
		rec_r->fields =
			c->hello.extended && line->count > 2 + n ? line->words[2 + n].s : SLICE("");
		rec_r->left = c->hello.extended && k == MUPDATE_R_RESERVE && line->count > 3 + n;
		if (rec_r->left)
			rec_r->acl = line->words[3 + n].s;
		return true;
	}
	return false;
}

static bool
on_changed(struct request *r, const struct mupdate_line *line)
{
	return r != NULL && line->count == 4 &&
	       num_parse_u64(line->words[2].s, UINT64_MAX, &r->revision) &&
	       num_parse_u64(line->words[3].s, UINT64_MAX, &r->claim);
}

static bool
on_stream(struct mupdate_client *c, struct request *r, const struct mupdate_line *line)
{
	char history[65];
	uint64_t revision;

	if (r == NULL || r->id != c->update_id || line->count != 5 ||
	    line->words[3].s.n >= sizeof(history) ||
	    !num_parse_u64(line->words[4].s, UINT64_MAX, &revision))
		return false;
	memcpy(history, line->words[3].s.p, line->words[3].s.n);
	history[line->words[3].s.n] = '\0';
	c->ops->stream(c->ctx, r->id, slice_eq_str(line->words[2].s, "snapshot"), history,
	               revision);
	return true;
}

static bool
on_tagged(struct mupdate_client *c, uint64_t id, const struct mupdate_line *line)
{
	static const char *const words[] = { "OK", "NO", "BAD" };
	struct slice word = line->words[1].s;
	struct request *r = request_find(c, id);
	struct mupdate_record rec;

	for (unsigned i = 0; i < ARRAY_LEN(words); i++) {
		if (!slice_ieq_str(word, words[i]))
			continue;
		if (r == NULL)
			return false;
		on_answer(c, r, (enum mupdate_status)i, line);
		return true;
	}
	if (slice_ieq_str(word, "CHANGED"))
		return on_changed(r, line);
	if (slice_ieq_str(word, "STREAM"))
		return on_stream(c, r, line);
	if ((r == NULL && id != c->update_id) || !parse_record(c, line, &rec))
		return false;
	c->ops->record(c->ctx, id, &rec);
	return true;
}

static void
on_line(struct mupdate_client *c)
{
	const struct mupdate_line *line = &c->lexer.line;
	uint64_t id;

	if (line->count > 0 && slice_eq_str(line->words[0].s, "+"))
		return; /* an invitation nobody asked for */
	if (line->count < 2) {
		client_fail(c, "the server sent a line that makes no sense", false);
		return;
	}
	if (slice_ieq_str(line->words[1].s, "BYE")) {
		client_fail(c, "the server said goodbye", false);
		return;
	}
	if (slice_eq_str(line->words[0].s, "*")) {
		if (c->state == BANNER)
			on_banner(c, line);
		return;
	}
	if (c->state == STARTTLS || c->state == LOGIN || c->state == HELLO) {
		on_setup(c, line);
		return;
	}
	if (slice_eq_str(line->words[0].s, "Q1")) {
		client_fail(c, "logged out", false);
		return;
	}
	if (c->state != READY || !line->words[0].is_atom || line->words[0].s.p[0] != 'R' ||
	    !num_parse_u64(slice_skip(line->words[0].s, 1), UINT64_MAX, &id) ||
	    !on_tagged(c, id, line))
		client_fail(c, "the server answered what was not asked", false);
}

size_t
mupdate_client_input(struct mupdate_client *c, struct slice in)
{
	size_t used = 0;

	/* Bytes behind the OK to STARTTLS stay where they are: the conn refuses them. */
	while (used < in.n && c->state != FAILED && c->state != HANDSHAKE) {
		enum mupdate_lex result;

		used += mupdate_lexer_feed(&c->lexer, slice_skip(in, used), &result);
		switch (result) {
		case MUPDATE_LEX_MORE:
			break;
		case MUPDATE_LEX_LINE:
			on_line(c);
			break;
		case MUPDATE_LEX_GO_AHEAD:
			buf_add_str(c->out, "+ go ahead\r\n");
			break;
		case MUPDATE_LEX_BAD:
		case MUPDATE_LEX_FATAL:
			client_fail(c, "the server sent a line that cannot be", false);
			break;
		}
	}
	return c->state == FAILED ? in.n : used;
}
