/*
 * date - one tokenizer for the lenient form, one fixed form for IMAP; days by the
 * proleptic Gregorian calendar, without libc's time zones.
 */
#include "mail/date.h"

#include "base/num.h"
#include "base/text.h"
#include "mail/header.h"

static const char months[12][4] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun",
	                            "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
static const char weekdays[7][4] = { "Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed" };

struct fields {
	int year, month, day; /* month 1-12 */
	int hour, minute, second;
	int zone_min;
};

/* Days since 1970-01-01 (Howard Hinnant's days_from_civil, as a formula). */
static int32_t
days_of(int year, int month, int day)
{
	int y = month <= 2 ? year - 1 : year;
	int era = y / 400; /* years 1-9999: never negative */
	int yoe = y - era * 400;
	int doy = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
	int doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;

	return era * 146097 + doe - 719468;
}

static void
civil_of(int64_t days, struct fields *f)
{
	int64_t z = days + 719468;
	int64_t era = (z >= 0 ? z : z - 146096) / 146097;
	int doe = (int)(z - era * 146097);
	int yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	int doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	int mp = (5 * doy + 2) / 153;

	f->day = doy - (153 * mp + 2) / 5 + 1;
	f->month = mp < 10 ? mp + 3 : mp - 9;
	f->year = (int)(yoe + era * 400) + (f->month <= 2);
}

static bool
is_leap(int y)
{
	return (y % 4 == 0 && y % 100 != 0) || y % 400 == 0;
}

static bool
fields_to_date(const struct fields *f, struct date *d_r)
{
	static const int len[12] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };

	if (f->year < 1 || f->year > 9999 || f->month < 1 || f->month > 12 || f->day < 1 ||
	    f->day > len[f->month - 1] + (f->month == 2 && is_leap(f->year)))
		return false;
	/* 60 is a leap second: the one after it, which must not be of the year 10000 */
	if (f->hour < 0 || f->hour > 23 || f->minute < 0 || f->minute > 59 || f->second < 0 ||
	    f->second > 60)
		return false;
	if (f->second == 60 && f->year == 9999)
		return false;
	d_r->utc_s = (int64_t)days_of(f->year, f->month, f->day) * 86400 + f->hour * 3600 +
	             f->minute * 60 + f->second - f->zone_min * 60;
	d_r->zone_min = (int16_t)f->zone_min;
	return true;
}

static int
month_of(struct slice s)
{
	if (s.n < 3)
		return 0;
	for (int i = 0; i < 12; i++)
		if (slice_ieq(slice_sub(s, 0, 3), slice_of(months[i])))
			return i + 1;
	return 0;
}

/* ---- the lenient form ---- */

static bool
take_word(struct slice *s, struct slice *word_r)
{
	size_t n = 0;

	*s = header_skip_cfws(*s);
	while (n < s->n && text_is_alpha(s->p[n]))
		n++;
	*word_r = slice_sub(*s, 0, n);
	*s = slice_skip(*s, n);
	return n > 0;
}

/* 1 to max digits. */
static bool
take_number(struct slice *s, size_t max, int *v_r, size_t *digits_r)
{
	size_t n = 0;
	int v = 0;

	*s = header_skip_cfws(*s);
	for (; n < s->n && text_is_digit(s->p[n]); n++) {
		if (n == max)
			return false;
		v = v * 10 + (s->p[n] - '0');
	}
	*s = slice_skip(*s, n);
	*v_r = v;
	*digits_r = n;
	return n > 0;
}

static bool
take_char(struct slice *s, char c)
{
	*s = header_skip_cfws(*s);
	if (s->n == 0 || s->p[0] != c)
		return false;
	*s = slice_skip(*s, 1);
	return true;
}

/* RFC 5322 section 4.3; unknown names mean UTC. */
static int
zone_by_name(struct slice name)
{
	static const struct {
		const char *name;
		int min;
	} zones[] = {
		{ "EST", -300 }, { "EDT", -240 }, { "CST", -360 }, { "CDT", -300 },
		{ "MST", -420 }, { "MDT", -360 }, { "PST", -480 }, { "PDT", -420 },
		{ "CET", 60 },   { "CEST", 120 }, { "JST", 540 },
	};

	for (size_t i = 0; i < ARRAY_LEN(zones); i++)
		if (slice_ieq_str(name, zones[i].name))
			return zones[i].min;
	return 0;
}

static bool
take_zone(struct slice *s, int *min_r)
{
	struct slice name;
	size_t digits;
	int v, sign;

	*s = header_skip_cfws(*s);
	*min_r = 0;
	if (s->n == 0)
		return true;
	if (s->p[0] == '+' || s->p[0] == '-') {
		sign = s->p[0] == '-' ? -1 : 1;
		*s = slice_skip(*s, 1);
		if (!take_number(s, 4, &v, &digits) || digits != 4)
			return true; /* a broken zone is no reason to lose the date */
		if (v % 100 > 59 || v / 100 > 23)
			return true;
		*min_r = sign * (v / 100 * 60 + v % 100);
		return true;
	}
	if (take_word(s, &name))
		*min_r = zone_by_name(name);
	return true;
}

static int
full_year(int year, size_t digits)
{
	if (digits == 2)
		return year < 50 ? year + 2000 : year + 1900;
	if (digits == 3)
		return year + 1900;
	return year;
}

/* [day-name ","] day month year hour ":" minute [":" second] [zone] */
bool
date_parse(struct slice value, struct date *d_r)
{
	struct fields f = { 0 };
	struct slice s = value, word;
	size_t digits;

	if (take_word(&s, &word)) {
		(void)take_char(&s, '.');
		(void)take_char(&s, ',');
	}
	if (!take_number(&s, 2, &f.day, &digits))
		return false;
	(void)take_char(&s, '-');
	if (!take_word(&s, &word) || (f.month = month_of(word)) == 0)
		return false;
	(void)take_char(&s, '.');
	(void)take_char(&s, '-');
	if (!take_number(&s, 4, &f.year, &digits))
		return false;
	f.year = full_year(f.year, digits);
	if (take_number(&s, 2, &f.hour, &digits)) {
		if (!take_char(&s, ':') || !take_number(&s, 2, &f.minute, &digits))
			return false;
		if (take_char(&s, ':') && !take_number(&s, 2, &f.second, &digits))
			return false;
		if (!take_zone(&s, &f.zone_min))
			return false;
	}
	return fields_to_date(&f, d_r);
}

/* ---- formatting ---- */

static void
split(struct date d, struct fields *f, int *weekday_r)
{
	int64_t local = d.utc_s + d.zone_min * 60;
	int64_t days = local / 86400, rest = local % 86400;

	if (rest < 0) {
		rest += 86400;
		days--;
	}
	civil_of(days, f);
	f->hour = (int)(rest / 3600);
	f->minute = (int)(rest / 60 % 60);
	f->second = (int)(rest % 60);
	f->zone_min = d.zone_min;
	*weekday_r = (int)((days % 7 + 7) % 7);
}

static void
add_zone(struct buf *out, int zone_min)
{
	int m = zone_min < 0 ? -zone_min : zone_min;

	buf_printf(out, "%c%02d%02d", zone_min < 0 ? '-' : '+', m / 60, m % 60);
}

void
date_add(struct buf *out, struct date d)
{
	struct fields f;
	int weekday;

	split(d, &f, &weekday);
	buf_printf(out, "%s, %d %s %04d %02d:%02d:%02d ", weekdays[weekday], f.day,
	           months[f.month - 1], f.year, f.hour, f.minute, f.second);
	add_zone(out, f.zone_min);
}

void
date_add_imap(struct buf *out, struct date d)
{
	struct fields f;
	int weekday;

	split(d, &f, &weekday);
	buf_printf(out, "%2d-%s-%04d %02d:%02d:%02d ", f.day, months[f.month - 1], f.year, f.hour,
	           f.minute, f.second);
	add_zone(out, f.zone_min);
}

/* ---- IMAP ---- */

/* Exactly n digits. */
static bool
take_digits(struct slice *s, size_t n, int *v_r)
{
	uint64_t v;

	if (s->n < n || !num_parse_u64(slice_sub(*s, 0, n), 9999, &v))
		return false;
	*v_r = (int)v;
	*s = slice_skip(*s, n);
	return true;
}

static bool
take_exact(struct slice *s, char c)
{
	if (s->n == 0 || s->p[0] != c)
		return false;
	*s = slice_skip(*s, 1);
	return true;
}

/* "d-Mon-yyyy", " d-Mon-yyyy", "dd-Mon-yyyy" */
static bool
take_imap_day(struct slice *s, struct fields *f)
{
	(void)take_exact(s, ' ');
	if (!take_digits(s, 2, &f->day) && !take_digits(s, 1, &f->day))
		return false;
	if (!take_exact(s, '-') || (f->month = month_of(*s)) == 0)
		return false;
	*s = slice_skip(*s, 3);
	return take_exact(s, '-') && take_digits(s, 4, &f->year);
}

/* RFC 3501: date-time = date-day-fixed "-" date-month "-" date-year SP time SP zone */
bool
date_parse_imap(struct slice text, struct date *d_r)
{
	struct fields f = { 0 };
	struct slice s = text;
	int sign, zone;

	if (!take_imap_day(&s, &f) || !take_exact(&s, ' ') || !take_digits(&s, 2, &f.hour) ||
	    !take_exact(&s, ':') || !take_digits(&s, 2, &f.minute) || !take_exact(&s, ':') ||
	    !take_digits(&s, 2, &f.second) || !take_exact(&s, ' ') || s.n != 5)
		return false;
	if (s.p[0] != '+' && s.p[0] != '-')
		return false;
	sign = s.p[0] == '-' ? -1 : 1;
	s = slice_skip(s, 1);
	if (!take_digits(&s, 4, &zone) || zone % 100 > 59 || zone / 100 > 23)
		return false;
	f.zone_min = sign * (zone / 100 * 60 + zone % 100);
	return fields_to_date(&f, d_r);
}

bool
date_parse_day(struct slice text, int32_t *day_r)
{
	struct fields f = { 0 };
	struct slice s = text;
	struct date d;

	if (!take_imap_day(&s, &f) || s.n != 0 || !fields_to_date(&f, &d))
		return false;
	*day_r = days_of(f.year, f.month, f.day);
	return true;
}

int32_t
date_day(struct date d)
{
	int64_t local = d.utc_s + d.zone_min * 60;

	return (int32_t)((local >= 0 ? local : local - 86399) / 86400);
}
