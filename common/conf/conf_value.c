/*
 * Every type is a row: how it is read. What is allowed is said by one function, so that
 * errors and the reference agree.
 */
#include "conf/conf_value.h"

#include "base/num.h"
#include "base/text.h"
#include "base/xalloc.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct unit {
	const char *name;
	uint64_t factor;
};

static const struct unit byte_units[] = {
	{ "", 1 },           { "B", 1 },
	{ "K", 1 << 10 },    { "KiB", 1 << 10 },
	{ "M", 1 << 20 },    { "MiB", 1 << 20 },
	{ "G", 1u << 30 },   { "GiB", 1u << 30 },
	{ "T", 1ull << 40 }, { "TiB", 1ull << 40 },
	{ NULL, 0 },
};

static const struct unit time_units[] = {
	{ "ms", 1 },      { "s", 1000 },     { "m", 60000 }, { "min", 60000 },
	{ "h", 3600000 }, { "d", 86400000 }, { NULL, 0 },
};

static const struct unit percent_units[] = { { "", 1 }, { "%", 1 }, { NULL, 0 } };

/* NULL: a plain number. */
static const struct unit *
units_of(const struct conf_def *def)
{
	switch (def->type) {
	case CONF_BYTES:
		return byte_units;
	case CONF_PERCENT:
		return percent_units;
	case CONF_DURATION:
		return time_units;
	default:
		return NULL;
	}
}

static bool
parse_unit(struct slice s, const struct unit *units, uint64_t *v_r)
{
	size_t n = 0;
	struct slice name;
	uint64_t v;

	while (n < s.n && text_is_digit(s.p[n]))
		n++;
	name = slice_trim(slice_skip(s, n));
	if (!num_parse_u64(slice_sub(s, 0, n), UINT64_MAX, &v))
		return false;
	if (name.n == 0 && v == 0) {
		*v_r = 0;
		return true;
	}
	for (; units->name != NULL; units++) {
		if (!slice_ieq_str(name, units->name))
			continue;
		if (v > UINT64_MAX / units->factor)
			return false;
		*v_r = v * units->factor;
		return true;
	}
	return false;
}

bool
conf_parse_bytes(struct slice text, uint64_t *v_r)
{
	return parse_unit(text, byte_units, v_r);
}

static bool
parse_number(struct conf_value *v)
{
	struct slice s = slice_of(v->text);
	const struct unit *units = units_of(v->def);
	bool ok = units == NULL ? num_parse_u64(s, UINT64_MAX, &v->num)
	                        : parse_unit(s, units, &v->num);

	return ok && v->num >= v->def->min && (v->def->max == 0 || v->num <= v->def->max);
}

static bool
parse_bool(struct conf_value *v)
{
	static const char *const words[] = { "no", "yes", "false", "true", "off", "on" };

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (slice_ieq_str(slice_of(v->text), words[i])) {
			v->num = i & 1;
			return true;
		}
	return false;
}

static bool
find_word(const struct conf_def *def, const char *word, uint64_t *at_r)
{
	struct slice rest = slice_of(def->words);

	for (*at_r = 0; rest.n > 0; ++*at_r)
		if (slice_eq_str(slice_cut(&rest, ' '), word))
			return true;
	return false;
}

static void
split(struct conf_value *v)
{
	struct slice s = slice_of(v->text);

	while (s.n > 0) {
		size_t n = 0;

		while (n < s.n && s.p[n] != ' ' && s.p[n] != ',' && s.p[n] != '\t')
			n++;
		if (n > 0) {
			v->list = xreallocarray(v->list, v->count + 1, sizeof(*v->list));
			v->list[v->count++] = xstrndup(s.p, n);
		}
		s = slice_skip(s, n + 1);
	}
}

static bool
parse_list(struct conf_value *v, struct err *reason)
{
	uint64_t at;

	split(v);
	for (size_t i = 0; v->def->words != NULL && i < v->count; i++)
		if (!find_word(v->def, v->list[i], &at)) {
			err_set(reason, "%s is none of them", v->list[i]);
			return false;
		}
	return true;
}

static bool
parse_addresses(struct conf_value *v, struct err *reason)
{
	split(v);
	if (v->count == 0)
		return v->def->type == CONF_ADDRESSES;
	if (v->def->type == CONF_ADDRESS && v->count != 1)
		return false;
	v->addrs = xcalloc(v->count, sizeof(*v->addrs));
	for (size_t i = 0; i < v->count; i++) {
		struct err err;

		if (addr_parse(slice_of(v->list[i]), (uint16_t)v->def->min, &v->addrs[i], &err))
			continue;
		err_set(reason, "%s", err.text);
		return false;
	}
	return true;
}

static bool
parse_networks(struct conf_value *v, struct err *reason)
{
	split(v);
	v->nets = xcalloc(v->count + 1, sizeof(*v->nets));
	for (size_t i = 0; i < v->count; i++) {
		if (addr_net_parse(slice_of(v->list[i]), &v->nets[i]))
			continue;
		err_set(reason, "%s is no network", v->list[i]);
		return false;
	}
	return true;
}

static bool
parse_typed(struct conf_value *v, struct err *reason)
{
	switch (v->def->type) {
	case CONF_STRING:
		return true;
	case CONF_PATH:
		return *v->text != '\0';
	case CONF_BOOL:
		return parse_bool(v);
	case CONF_INT:
	case CONF_BYTES:
	case CONF_PERCENT:
	case CONF_DURATION:
		return parse_number(v);
	case CONF_LIST:
		return parse_list(v, reason);
	case CONF_ADDRESS:
	case CONF_ADDRESSES:
		return parse_addresses(v, reason);
	case CONF_NETWORKS:
		return parse_networks(v, reason);
	case CONF_ENUM:
		return find_word(v->def, v->text, &v->num);
	}
	must_not_reach();
}

bool
conf_value_parse(struct conf_value *v, struct err *reason)
{
	struct buf allowed = BUF_INIT(512);
	struct err detail = { "" };
	bool ok = parse_typed(v, &detail);

	if (!ok) {
		conf_value_print_allowed(v->def, &allowed);
		err_set(reason, "%s%sallowed is %s", detail.text, *detail.text != '\0' ? "; " : "",
		        buf_cstr(&allowed));
	}
	buf_fini(&allowed);
	return ok;
}

void
conf_value_fini(struct conf_value *v)
{
	if (v->text != NULL)
		secret_wipe(v->text, strlen(v->text));
	for (size_t i = 0; i < v->count && v->list != NULL; i++)
		free(v->list[i]);
	free(v->text);
	free(v->file);
	free(v->list);
	free(v->addrs);
	free(v->nets);
	memset(v, 0, sizeof(*v));
}

/* 65536 as "64K", 90000 ms as "90s": in the largest unit that goes without a rest */
static void
print_unit(uint64_t v, const struct unit *units, const char *plain, struct buf *out)
{
	const struct unit *best = NULL;

	for (; units->name != NULL; units++)
		if (v > 0 && v % units->factor == 0 && *units->name != '\0' &&
		    (best == NULL || units->factor > best->factor))
			best = units;
	if (best == NULL)
		buf_printf(out, "%" PRIu64 "%s", v, plain);
	else
		buf_printf(out, "%" PRIu64 "%s", v / best->factor, best->name);
}

static void
print_limit(const struct conf_def *def, uint64_t v, struct buf *out)
{
	const struct unit *units = units_of(def);

	if (units != NULL)
		print_unit(v, units, "", out);
	else
		buf_printf(out, "%" PRIu64, v);
}

static void
print_number(const struct conf_def *def, struct buf *out)
{
	static const char *const texts[] = {
		[CONF_INT] = "a whole number",
		[CONF_BYTES] = "a size such as 512, 64K or 10M",
		[CONF_PERCENT] = "a share such as 90%",
		[CONF_DURATION] = "a time such as 500ms, 30s, 5m, 2h or 7d",
	};

	buf_add_str(out, texts[def->type]);
	if (def->min > 0 || def->max > 0) {
		buf_add_str(out, def->max > 0 ? ", from " : ", at least ");
		print_limit(def, def->min, out);
	}
	if (def->max > 0) {
		buf_add_str(out, " to ");
		print_limit(def, def->max, out);
	}
}

static void
print_words(const struct conf_def *def, const char *before, struct buf *out)
{
	struct slice rest = slice_of(def->words);

	while (rest.n > 0) {
		buf_add_str(out, before);
		buf_add_slice(out, slice_cut(&rest, ' '));
		before = ", ";
	}
}

void
conf_value_print_allowed(const struct conf_def *def, struct buf *out)
{
	static const char *const texts[] = {
		[CONF_STRING] = "any text",
		[CONF_PATH] = "the path of a file or folder",
		[CONF_BOOL] = "yes or no",
		[CONF_NETWORKS] = "networks such as 10.0.0.0/8 or ::1, separated by spaces",
	};

	switch (def->type) {
	case CONF_INT:
	case CONF_BYTES:
	case CONF_PERCENT:
	case CONF_DURATION:
		print_number(def, out);
		break;
	case CONF_ENUM:
		print_words(def, "one of ", out);
		break;
	case CONF_LIST:
		if (def->words != NULL)
			print_words(def, "some of ", out);
		else
			buf_add_str(out, "words separated by spaces");
		break;
	case CONF_ADDRESS:
	case CONF_ADDRESSES:
		buf_printf(out, "%s such as 10.0.0.1%s, [::1]:143, *:143 or /path",
		           def->type == CONF_ADDRESS ? "an address" : "addresses",
		           def->min > 0 ? "" : ":143");
		if (def->min > 0)
			buf_printf(out, " (port %" PRIu64 " when none is given)", def->min);
		break;
	default:
		buf_add_str(out, texts[def->type]);
	}
}
