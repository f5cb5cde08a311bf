/*
 * A struct json is a json_t under another name: callers need not see jansson.
 *
 * Text that is not UTF-8 (mailbox names of broken clients, file names) must not make a
 * whole answer fail, so every string is repaired before jansson checks it.
 */
#include "json/json.h"

#include "base/must.h"
#include "base/text.h"
#include "base/xalloc.h"

#include <jansson.h>

#include <stdlib.h>
#include <string.h>

static json_t *
to_jansson(const struct json *j)
{
	return (json_t *)(uintptr_t)j;
}

static struct json *
from_jansson(json_t *j)
{
	must(j != NULL); /* out of memory ends the process, as in xmalloc */
	return (struct json *)j;
}

static json_t *
new_string(struct slice s)
{
	struct buf fixed = BUF_INIT(SIZE_MAX);
	json_t *j;

	if (s.p == NULL)
		return json_null();
	if (text_is_utf8(s) && memchr(s.p, '\0', s.n) == NULL)
		return json_stringn(s.p, s.n);
	while (s.n > 0) {
		size_t n = text_utf8_next(s, NULL);

		if (n == 0 || s.p[0] == '\0') {
			buf_add_str(&fixed, "\xef\xbf\xbd");
			n = 1;
		} else {
			buf_add(&fixed, s.p, n);
		}
		s = slice_skip(s, n);
	}
	j = json_stringn(buf_slice(&fixed).p, buf_slice(&fixed).n);
	buf_fini(&fixed);
	return j;
}

struct json *
json_new_object(void)
{
	return from_jansson(json_object());
}

struct json *
json_new_array(void)
{
	return from_jansson(json_array());
}

void
json_free(struct json **j)
{
	if (*j != NULL)
		json_decref(to_jansson(*j));
	*j = NULL;
}

static void
set_member(struct json *obj, const char *key, json_t *value)
{
	must(value != NULL);
	must(json_object_set_new(to_jansson(obj), key, value) == 0);
}

void
json_set_str(struct json *obj, const char *key, const char *value)
{
	set_member(obj, key, new_string(slice_of(value)));
}

void
json_set_slice(struct json *obj, const char *key, struct slice value)
{
	set_member(obj, key, new_string(value));
}

void
json_set_int(struct json *obj, const char *key, int64_t value)
{
	set_member(obj, key, json_integer(value));
}

void
json_set_bool(struct json *obj, const char *key, bool value)
{
	set_member(obj, key, json_boolean(value));
}

void
json_take_member(struct json *obj, const char *key, struct json **value)
{
	set_member(obj, key, to_jansson(*value));
	*value = NULL;
}

static void
add_item(struct json *arr, json_t *value)
{
	must(value != NULL);
	must(json_array_append_new(to_jansson(arr), value) == 0);
}

void
json_take_item(struct json *arr, struct json **value)
{
	add_item(arr, to_jansson(*value));
	*value = NULL;
}

void
json_add_str(struct json *arr, const char *value)
{
	add_item(arr, new_string(slice_of(value)));
}

struct json *
json_add_object(struct json *arr)
{
	json_t *o = json_object();

	add_item(arr, o);
	return from_jansson(o);
}

struct json *
json_set_object(struct json *obj, const char *key)
{
	json_t *o = json_object();

	set_member(obj, key, o);
	return from_jansson(o);
}

struct json *
json_set_array(struct json *obj, const char *key)
{
	json_t *a = json_array();

	set_member(obj, key, a);
	return from_jansson(a);
}

const struct json *
json_get(const struct json *j, const char *key)
{
	if (!json_is_obj(j))
		return NULL;
	return (const struct json *)json_object_get(to_jansson(j), key);
}

const char *
json_get_str(const struct json *j, const char *key)
{
	return json_as_str(json_get(j, key));
}

int64_t
json_get_int(const struct json *j, const char *key, int64_t deflt)
{
	const json_t *v = to_jansson(json_get(j, key));

	return v != NULL && json_is_integer(v) ? json_integer_value(v) : deflt;
}

bool
json_get_bool(const struct json *j, const char *key, bool deflt)
{
	const json_t *v = to_jansson(json_get(j, key));

	return v != NULL && json_is_boolean(v) ? json_is_true(v) : deflt;
}

size_t
json_count(const struct json *arr)
{
	return arr != NULL ? json_array_size(to_jansson(arr)) : 0;
}

const struct json *
json_item(const struct json *arr, size_t i)
{
	return arr != NULL ? (const struct json *)json_array_get(to_jansson(arr), i) : NULL;
}

bool
json_is_obj(const struct json *j)
{
	return json_is_object(to_jansson(j));
}

const char *
json_as_str(const struct json *j)
{
	return j != NULL ? json_string_value(to_jansson(j)) : NULL;
}

bool
json_next_member(const struct json *obj, size_t *pos, const char **key_r,
                 const struct json **value_r)
{
	json_t *o = to_jansson(obj);
	void *it;

	if (!json_is_obj(obj))
		return false;
	it = json_object_iter(o);
	for (size_t i = 0; i < *pos && it != NULL; i++)
		it = json_object_iter_next(o, it);
	if (it == NULL)
		return false;
	(*pos)++;
	*key_r = json_object_iter_key(it);
	*value_r = (const struct json *)json_object_iter_value(it);
	return true;
}

static void
print(const struct json *j, struct buf *out, size_t flags)
{
	char *text = json_dumps(to_jansson(j), flags | JSON_ENCODE_ANY);

	must(text != NULL);
	buf_add_str(out, text);
	free(text);
}

void
json_print(const struct json *j, struct buf *out)
{
	print(j, out, JSON_COMPACT);
}

void
json_print_pretty(const struct json *j, struct buf *out)
{
	print(j, out, JSON_INDENT(2));
}

struct json *
json_parse(struct slice text, struct err *err)
{
	json_error_t e;
	json_t *j = json_loadb(text.p != NULL ? text.p : "", text.n, JSON_REJECT_DUPLICATES, &e);

	if (j == NULL) {
		err_set(err, "not JSON: %s at byte %d", e.text, e.position);
		return NULL;
	}
	return from_jansson(j);
}
