/* Formats of our own, as damage or another version may show them: frames of auth workers,
 * rows of the location map, facts of the log, settings, JSON lines, stuffed bodies. */
#include "base/arena.h"
#include "base/must.h"
#include "conf/common.h"
#include "conf/conf.h"
#include "directory/auth_wire.h"
#include "fuzz/fuzz.h"
#include "json/json.h"
#include "location/location.h"
#include "location/tables.h"
#include "mailbox/facts.h"
#include "proto/dotbuf.h"

static void
frames(struct slice s)
{
	static struct auth_wire_room room;
	struct auth_frame f;
	struct buf out = BUF_INIT(AUTH_WIRE_MAX);

	if (auth_wire_decode(s, &room, &f))
		(void)auth_wire_encode(&f, &out);
	buf_fini(&out);
}

static void
rows(struct slice s)
{
	struct arena *a = arena_new("fuzz");
	struct location loc = { .name = s };
	struct location_row row;

	(void)location_fields_parse(s, a, &loc);
	(void)location_name_ok(s);
	(void)location_acl_ok(s);
	if (location_row_parse(SLICE("user.a"), s, &row)) {
		struct buf out = BUF_INIT(1 << 20);

		location_row_add(&out, &row.loc, row.server_id);
		buf_fini(&out);
	}
	arena_free(&a);
}

static void
facts(struct slice s)
{
	struct num_reader r = num_reader_of(s);
	struct fact_create create;
	struct slice name;
	struct msg msg;
	uint64_t id;
	int64_t time;
	bool on;

	(void)fact_create_read(s, &create);
	(void)fact_delete_read(s, &on, &time);
	(void)fact_append_read(s, &msg);
	while (fact_rename_pair_read(&r, &id, &name))
		continue;
	r = num_reader_of(s);
	while (fact_flags_entry_read(&r, &msg))
		continue;
}

static void
texts(struct slice s)
{
	const struct conf_schema schema = { "roost-imap", NULL };
	struct err err;
	struct conf *c = conf_load_text("fuzz", s, &schema, NULL, &err);
	struct json *j = json_parse(s, &err);
	struct buf out = BUF_INIT(1 << 20);

	if (c != NULL)
		conf_print(c, &out);
	buf_clear(&out);
	if (j != NULL)
		json_print(j, &out);
	conf_free(&c);
	json_free(&j);
	buf_fini(&out);
}

/* What is stuffed comes out as it was. */
static void
dots(struct slice s)
{
	struct buf wire = BUF_INIT(SIZE_MAX), back = BUF_INIT(SIZE_MAX), twice = BUF_INIT(SIZE_MAX);
	struct dotbuf_encoder e;
	struct dotbuf d;
	size_t used;

	dotbuf_init(&d);
	if (dotbuf_decode(&d, s, &used, &back) == 1)
		must(used <= s.n);
	buf_clear(&back);
	dotbuf_encoder_init(&e);
	dotbuf_encode(&e, s, &wire);
	dotbuf_encode_end(&e, &wire);
	dotbuf_init(&d);
	must(dotbuf_decode(&d, buf_slice(&wire), &used, &back) == 1 && used == wire.len);
	dotbuf_encoder_init(&e);
	dotbuf_encode(&e, buf_slice(&back), &twice);
	dotbuf_encode_end(&e, &twice);
	must(slice_eq(buf_slice(&wire), buf_slice(&twice)));
	buf_fini(&wire);
	buf_fini(&back);
	buf_fini(&twice);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice s = slice_make(data, size);

	frames(s);
	rows(s);
	facts(s);
	texts(s);
	dots(s);
	return 0;
}
