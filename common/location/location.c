#include "location/location.h"

#include "base/num.h"
#include "base/text.h"

#include <inttypes.h>

bool
location_name_ok(struct slice name)
{
	struct slice rest = name;
	size_t bang = slice_find(name, '!');

	if (name.n == 0 || name.n > LOCATION_NAME_MAX)
		return false;
	for (size_t i = 0; i < name.n; i++)
		if (name.p[i] < 0x20 || name.p[i] > 0x7e)
			return false;
	if (bang < name.n) {
		if (bang == 0)
			return false;
		rest = slice_skip(name, bang + 1);
		if (slice_find(rest, '!') < rest.n)
			return false;
	}
	if (rest.n == 0)
		return false;
	while (rest.p != NULL)
		if (slice_cut(&rest, '.').n == 0)
			return false;
	return true;
}

static bool
is_place_text(struct slice s)
{
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (!text_is_alpha(c) && !text_is_digit(c) &&
		    (c == '\0' || strchr("-_.:[]", c) == NULL))
			return false;
	}
	return true;
}

bool
location_place_ok(struct slice server, struct slice partition)
{
	return server.n > 0 && server.n <= LOCATION_SERVER_MAX &&
	       partition.n <= LOCATION_PARTITION_MAX && is_place_text(server) &&
	       is_place_text(partition);
}

bool
location_acl_ok(struct slice acl)
{
	struct slice id, rights;

	if (acl.n > LOCATION_ACL_MAX)
		return false;
	for (size_t i = 0; i < acl.n; i++)
		if (text_is_ctl(acl.p[i]) && acl.p[i] != '\t')
			return false;
	while (location_acl_next(&acl, &id, &rights))
		if (id.n == 0 || id.n > LOCATION_ACL_IDENTIFIER_MAX)
			return false;
	return true;
}

void
location_place_split(struct slice place, struct slice *server_r, struct slice *partition_r)
{
	size_t bang = slice_find(place, '!');

	*server_r = slice_sub(place, 0, bang);
	*partition_r = bang < place.n ? slice_skip(place, bang + 1) : SLICE("");
}

void
location_place_add(struct buf *out, const struct location *loc)
{
	buf_add_slice(out, loc->server);
	buf_add_char(out, '!');
	buf_add_slice(out, loc->partition);
}

bool
location_acl_next(struct slice *rest, struct slice *id_r, struct slice *rights_r)
{
	if (rest->n == 0)
		return false;
	*id_r = slice_cut(rest, '\t');
	*rights_r = slice_cut(rest, '\t');
	return true;
}

/* ---- fields --------------------------------------------------------------------------- */

static void
add_value(struct buf *out, const char *key, struct slice value)
{
	if (value.n == 0)
		return;
	if (out->len > 0)
		buf_add_char(out, ' ');
	buf_add_str(out, key);
	buf_add_char(out, '=');
	for (size_t i = 0; i < value.n; i++) {
		unsigned char c = (unsigned char)value.p[i];

		if (c <= 0x20 || c >= 0x7f || c == '%')
			buf_printf(out, "%%%02X", c);
		else
			buf_add_char(out, (char)c);
	}
}

static void
add_number(struct buf *out, const char *key, uint64_t v)
{
	if (v == 0)
		return;
	if (out->len > 0)
		buf_add_char(out, ' ');
	buf_add_str(out, key);
	buf_add_char(out, '=');
	buf_add_decimal(out, v);
}

void
location_fields_add(struct buf *out, const struct location *loc)
{
	add_number(out, "rev", loc->revision);
	add_number(out, "claim", loc->claim);
	add_number(out, "uv", loc->uidvalidity);
	add_value(out, "id", loc->mbox_id);
	add_value(out, "su", loc->special_use);
}

static bool
take_value(struct slice text, struct arena *a, struct slice *value_r)
{
	struct buf value = BUF_INIT(LOCATION_FIELD_MAX);
	bool ok = true;

	while (ok && text.n > 0) {
		bool escaped = text.p[0] == '%';

		if (escaped)
			ok = text.n >= 3 && text_hex_decode(slice_sub(text, 1, 2), &value);
		else
			buf_add_char(&value, text.p[0]);
		text = slice_skip(text, escaped ? 3 : 1);
		ok = ok && !value.overflow;
	}
	if (ok)
		*value_r = arena_slice_dup(a, buf_slice(&value));
	buf_fini(&value);
	return ok;
}

static bool
take_field(struct slice key, struct slice value, struct arena *a, struct location *loc)
{
	if (slice_eq_str(key, "rev"))
		return num_parse_u64(value, UINT64_MAX, &loc->revision);
	if (slice_eq_str(key, "claim"))
		return num_parse_u64(value, UINT64_MAX, &loc->claim);
	if (slice_eq_str(key, "uv"))
		return num_parse_u32(value, &loc->uidvalidity);
	if (slice_eq_str(key, "id"))
		return take_value(value, a, &loc->mbox_id);
	if (slice_eq_str(key, "su"))
		return take_value(value, a, &loc->special_use);
	return true;
}

bool
location_fields_parse(struct slice text, struct arena *a, struct location *loc)
{
	struct location got = *loc;

	while (text.n > 0) {
		struct slice field = slice_cut(&text, ' ');
		size_t eq = slice_find(field, '=');

		if (eq == 0 || eq == field.n ||
		    !take_field(slice_sub(field, 0, eq), slice_skip(field, eq + 1), a, &got))
			return false;
	}
	*loc = got;
	return true;
}

struct location
location_dup(struct arena *a, const struct location *loc)
{
	struct location copy = *loc;

	copy.name = arena_slice_dup(a, loc->name);
	copy.server = arena_slice_dup(a, loc->server);
	copy.partition = arena_slice_dup(a, loc->partition);
	copy.acl = arena_slice_dup(a, loc->acl);
	copy.mbox_id = arena_slice_dup(a, loc->mbox_id);
	copy.special_use = arena_slice_dup(a, loc->special_use);
	return copy;
}

const char *
location_state_text(enum location_state s)
{
	return s == LOCATION_ACTIVE ? "active" : "reserved";
}
