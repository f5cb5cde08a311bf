/*
 * compare - what `roostctl compare` asks on the control socket, to see whether two lists
 * agree without carrying them about. See ctl/ctl.h; one answer covers a bounded number of
 * names, so that the loop is never held up.
 *
 *   digest   of the names in a range: how many, and a SHA-256 over their rows
 *   rows     the rows themselves, as text
 */
#include "app.h"

#include "base/text.h"
#include "json/json.h"
#include "tls/digest.h"

#include <string.h>

#define DIGEST_MOST 20000
#define ROWS_MOST 500
#define BYTES_MOST (4u << 20) /* of rows: ACLs may be long, and an answer has its limit */

struct walk {
	struct slice to; /* the last name that belongs to it; empty: no end */
	size_t most, count, bytes;
	bool plain; /* only what RFC 3656 has: lists of another history */
	bool more;
	struct digest *digest; /* or */
	struct json *rows;
	struct buf row;
	char last[LOCATION_NAME_MAX + 1];
};

static void
make_row(struct walk *w, const struct location *loc)
{
	struct location with = *loc;

	buf_clear(&w->row);
	buf_add_str(&w->row, loc->left && !w->plain ? "left" : location_state_text(loc->state));
	buf_add_char(&w->row, ' ');
	location_place_add(&w->row, loc);
	buf_add_char(&w->row, ' ');
	if (loc->state == LOCATION_ACTIVE || !w->plain)
		buf_add_slice(&w->row, loc->acl);
	buf_add_char(&w->row, ' ');
	if (!w->plain)
		location_fields_add(&w->row, &with);
}

/* All that is in it: what is not ASCII as \xNN, since JSON takes UTF-8 only. */
static void
set_row_text(struct json *o, struct slice row)
{
	struct buf text = BUF_INIT(SIZE_MAX);

	for (size_t i = 0; i < row.n; i++) {
		unsigned char c = (unsigned char)row.p[i];

		if (c < 0x80)
			buf_add_char(&text, (char)c);
		else
			buf_printf(&text, "\\x%02X", c);
	}
	json_set_slice(o, "row", buf_slice(&text));
	buf_fini(&text);
}

static bool
on_row(void *ctx, const struct location *loc)
{
	struct walk *w = ctx;

	if (w->to.n > 0 && slice_cmp(loc->name, w->to) > 0)
		return false;
	w->more = w->count == w->most || w->bytes > BYTES_MOST;
	if (w->more)
		return false;
	w->count++;
	must(loc->name.n < sizeof(w->last));
	memcpy(w->last, loc->name.p, loc->name.n);
	w->last[loc->name.n] = '\0';
	make_row(w, loc);
	w->bytes += w->row.len;
	if (w->digest != NULL) {
		digest_add(w->digest, loc->name);
		digest_add(w->digest, slice_make("", 1));
		digest_add(w->digest, buf_slice(&w->row));
		digest_add(w->digest, slice_make("", 1));
	} else {
		struct json *o = json_add_object(w->rows);

		json_set_slice(o, "mailbox", loc->name);
		set_row_text(o, buf_slice(&w->row));
	}
	return true;
}

static void
reply(struct app *a, struct ctl_req *req, const struct json *args, struct walk *w,
      struct json **fields)
{
	const char *after = json_get_str(args, "after"), *to = json_get_str(args, "to");
	const char *one = json_get_str(args, "mailbox");
	const struct mapdb_info *info = mapdb_info(a->db);
	int64_t count = json_get_int(args, "count", (int64_t)w->most);
	int r;

	w->row = (struct buf)BUF_INIT(SIZE_MAX);
	w->to = slice_of(one != NULL ? one : to != NULL ? to : "");
	w->plain = json_get_bool(args, "plain", false);
	w->most = count > 0 && count < (int64_t)w->most ? (size_t)count : w->most;
	service_commit(a->service);
	if (one != NULL)
		r = mapdb_each_prefix(a->db, slice_of(one), on_row, w);
	else
		r = mapdb_each_after(a->db, slice_of(after != NULL ? after : ""), on_row, w);
	buf_fini(&w->row);
	if (r == -1) {
		json_free(fields);
		ctl_fail(req, "internal", "the list cannot be read; the log says why");
		return;
	}
	json_set_int(*fields, "names", (int64_t)w->count);
	json_set_str(*fields, "last", w->last);
	json_set_bool(*fields, "more", w->more);
	json_set_str(*fields, "history", info->history);
	json_set_int(*fields, "revision", (int64_t)info->revision);
	json_set_bool(*fields, "complete", mapdb_is_complete(a->db));
	if (w->digest != NULL) {
		struct buf hex = BUF_INIT(2 * DIGEST_LEN);
		uint8_t sum[DIGEST_LEN];

		digest_final(w->digest, sum);
		text_hex_add(&hex, slice_make(sum, sizeof(sum)));
		json_set_slice(*fields, "digest", buf_slice(&hex));
		buf_fini(&hex);
	}
	ctl_reply(req, fields);
}

static void
cmd_digest(void *ctx, struct ctl_req *req, const struct json *args)
{
	struct walk w = { .most = DIGEST_MOST, .digest = digest_new() };
	struct json *fields = json_new_object();

	reply(ctx, req, args, &w, &fields);
	digest_free(&w.digest);
}

static void
cmd_rows(void *ctx, struct ctl_req *req, const struct json *args)
{
	struct json *fields = json_new_object();
	struct walk w = { .most = ROWS_MOST, .rows = json_set_array(fields, "rows") };

	reply(ctx, req, args, &w, &fields);
}

static const struct ctl_cmd commands[] = {
	{ "digest", "[after] [to] [count] [plain]",
	  "How many names a range has, and a digest of their rows.", cmd_digest },
	{ "rows", "[after] [to] [count] [mailbox] [plain]",
	  "The rows of a range, or of one name, as text.", cmd_rows },
	{ .name = NULL },
};

void
compare_start(struct app *a)
{
	ctl_register(svc_ctl(a->svc), commands, a);
}
