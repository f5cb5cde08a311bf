/*
 * json - JSON values, by jansson. Strings are UTF-8; what is not is escaped byte by
 * byte as U+FFFD when it is added.
 */
#ifndef JSON_JSON_H
#define JSON_JSON_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/slice.h"

struct json;

struct json *json_new_object(void);
struct json *json_new_array(void);
void json_free(struct json **j);

/* obj must be an object. An existing key is replaced. NULL strings become null. */
void json_set_str(struct json *obj, const char *key, const char *value);
void json_set_slice(struct json *obj, const char *key, struct slice value);
void json_set_int(struct json *obj, const char *key, int64_t value);
void json_set_bool(struct json *obj, const char *key, bool value);
/* Take *value. */
void json_take_member(struct json *obj, const char *key, struct json **value);
void json_take_item(struct json *arr, struct json **value);
void json_add_str(struct json *arr, const char *value);
/* Makes an object or array, adds it, and returns it (borrowed). */
struct json *json_add_object(struct json *arr);
struct json *json_set_object(struct json *obj, const char *key);
struct json *json_set_array(struct json *obj, const char *key);

/* Borrowed. j may be NULL or another type: then the answer is "not there". */
const struct json *json_get(const struct json *j, const char *key);
const char *json_get_str(const struct json *j, const char *key); /* NULL: not there */
int64_t json_get_int(const struct json *j, const char *key, int64_t deflt);
bool json_get_bool(const struct json *j, const char *key, bool deflt);
size_t json_count(const struct json *arr);
const struct json *json_item(const struct json *arr, size_t i);
const char *json_as_str(const struct json *j); /* NULL: not a string */
bool json_is_obj(const struct json *j);
bool json_next_member(const struct json *obj, size_t *pos, const char **key_r,
                      const struct json **value_r);

/* One line, no newline. */
void json_print(const struct json *j, struct buf *out);
/* Indented, for people. */
void json_print_pretty(const struct json *j, struct buf *out);
/* Nesting and doubled keys are limited by jansson; the caller limits the length.
 * NULL with the reason. */
struct json *json_parse(struct slice text, struct err *err) MUST_CHECK;

#endif
