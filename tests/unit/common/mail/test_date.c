#include "mail/date.h"

#include "lib/test.h"

#include <inttypes.h>
#include <stdlib.h>

#define NOV24 1795502700LL /* Tue, 24 Nov 2026 06:45:00 +0000 */

static const struct {
	const char *name, *in, *want; /* want as date_add_imap(); NULL: no date */
} dates[] = {
	{ "the usual form", "Tue, 24 Nov 2026 08:45:00 +0000", "24-Nov-2026 08:45:00 +0000" },
	{ "blanks around", "  Tue,  2 Nov 2026 08:45:00 +0100 ", " 2-Nov-2026 08:45:00 +0100" },
	{ "no day name", "24 Nov 2026 08:45:00 -0800", "24-Nov-2026 08:45:00 -0800" },
	{ "a wrong day name", "Mon, 24 Nov 2026 08:45:00 +0000", "24-Nov-2026 08:45:00 +0000" },
	{ "no comma", "Tue 24 Nov 2026 08:45:00 +0000", "24-Nov-2026 08:45:00 +0000" },
	{ "no seconds", "24 Nov 2026 08:45 +0000", "24-Nov-2026 08:45:00 +0000" },
	{ "no zone", "24 Nov 2026 08:45:01", "24-Nov-2026 08:45:01 +0000" },
	{ "no time", "24 Nov 2026", "24-Nov-2026 00:00:00 +0000" },
	{ "comments everywhere",
	  "(a) Tue(b(c)), (d\\)) 24 (e) Nov (f) 2026 (g) 08(h):(i)45 (j) : 00 (k) +0130 (l)",
	  "24-Nov-2026 08:45:00 +0130" },
	{ "a comment without an end", "24 Nov 2026 08:45:00 +0100 (CET",
	  "24-Nov-2026 08:45:00 +0100" },
	{ "folded", "Tue,\r\n 24 Nov\r\n 2026 08:45:00 +0000", "24-Nov-2026 08:45:00 +0000" },
	{ "a year of two digits", "24 Nov 26 08:45:00 GMT", "24-Nov-2026 08:45:00 +0000" },
	{ "a year of the last century", "24 Nov 96 08:45:00 GMT", "24-Nov-1996 08:45:00 +0000" },
	{ "49 is of this century", "1 Jan 49 00:00:00 GMT", " 1-Jan-2049 00:00:00 +0000" },
	{ "50 is of the last", "1 Jan 50 00:00:00 GMT", " 1-Jan-1950 00:00:00 +0000" },
	{ "a year of three digits", "1 Jan 126 00:00:00 GMT", " 1-Jan-2026 00:00:00 +0000" },
	{ "EST", "24 Nov 2026 08:45:00 EST", "24-Nov-2026 08:45:00 -0500" },
	{ "pdt in small letters", "24 Nov 2026 08:45:00 pdt", "24-Nov-2026 08:45:00 -0700" },
	{ "a military zone is none", "24 Nov 2026 08:45:00 M", "24-Nov-2026 08:45:00 +0000" },
	{ "a zone nobody knows", "24 Nov 2026 08:45:00 XYZ", "24-Nov-2026 08:45:00 +0000" },
	{ "a broken zone", "24 Nov 2026 08:45:00 +99", "24-Nov-2026 08:45:00 +0000" },
	{ "a zone of 60 minutes", "24 Nov 2026 08:45:00 +0160", "24-Nov-2026 08:45:00 +0000" },
	{ "a zone that is unknown by itself", "24 Nov 2026 08:45:00 -0000",
	  "24-Nov-2026 08:45:00 +0000" },
	{ "RFC 850", "Tuesday, 24-Nov-26 08:45:00 GMT", "24-Nov-2026 08:45:00 +0000" },
	{ "a long month", "24 November 2026 08:45:00 +0000", "24-Nov-2026 08:45:00 +0000" },
	{ "a month in capitals", "24 NOV 2026 08:45:00 +0000", "24-Nov-2026 08:45:00 +0000" },
	{ "a leap day", "29 Feb 2024 00:00:00 +0000", "29-Feb-2024 00:00:00 +0000" },
	{ "the leap day of 2000", "29 Feb 2000 00:00:00 +0000", "29-Feb-2000 00:00:00 +0000" },
	{ "a leap second", "31 Dec 2016 23:59:60 +0000", " 1-Jan-2017 00:00:00 +0000" },
	{ "the first year", "1 Jan 0001 00:00:00 +0000", " 1-Jan-0001 00:00:00 +0000" },
	{ "the last second", "31 Dec 9999 23:59:59 -0100", "31-Dec-9999 23:59:59 -0100" },
	{ "no leap day", "29 Feb 2026 00:00:00 +0000", NULL },
	{ "no leap day in 1900", "29 Feb 1900 00:00:00 +0000", NULL },
	{ "a leap second behind the last year", "31 Dec 9999 23:59:60 +0000", NULL },
	{ "31 November", "31 Nov 2026 08:45:00 +0000", NULL },
	{ "day zero", "0 Nov 2026 08:45:00 +0000", NULL },
	{ "year zero", "1 Nov 0000 08:45:00 +0000", NULL },
	{ "a year of five digits", "1 Nov 20260 08:45:00 +0000", NULL },
	{ "hour 24", "1 Nov 2026 24:00:00 +0000", NULL },
	{ "minute 60", "1 Nov 2026 08:60:00 +0000", NULL },
	{ "second 61", "1 Nov 2026 08:00:61 +0000", NULL },
	{ "a colon and no minutes", "1 Nov 2026 08:", NULL },
	{ "no month", "24 2026 08:45:00", NULL },
	{ "a month nobody knows", "24 Foo 2026 08:45:00", NULL },
	{ "ISO 8601", "2026-11-24T08:45:00Z", NULL },
	{ "nothing", "", NULL },
	{ "only a comment", "(", NULL },
	{ "a word", "yesterday", NULL },
};

TEST(dates_of_headers)
{
	for (size_t i = 0; i < ARRAY_LEN(dates); i++) {
		struct buf out = BUF_INIT(SIZE_MAX);
		struct date d, again;
		bool ok = date_parse(slice_of(dates[i].in), &d);

		test_check(ok == (dates[i].want != NULL), "%s", dates[i].name);
		if (!ok)
			continue;
		date_add_imap(&out, d);
		test_eq_slice(dates[i].name, buf_slice(&out), slice_of(dates[i].want));
		test_check(date_parse_imap(buf_slice(&out), &again), "%s", dates[i].name);
		assert_true(again.utc_s == d.utc_s && again.zone_min == d.zone_min);
		buf_fini(&out);
	}
}

TEST(seconds_since_1970)
{
	struct date d;

	assert_true(date_parse(SLICE("1 Jan 1970 00:00:00 +0000"), &d));
	assert_true(d.utc_s == 0);
	assert_true(date_parse(SLICE("1 Jan 1970 00:00:00 +0100"), &d));
	assert_true(d.utc_s == -3600);
	assert_true(date_parse(SLICE("Tue, 24 Nov 2026 08:15:00 +0130"), &d));
	test_check(d.utc_s == NOV24, "%" PRId64, d.utc_s);
	assert_int_equal(d.zone_min, 90);
}

static const struct {
	const char *name, *in;
	bool ok;
} imap[] = {
	{ "two digits", "24-Nov-2026 08:45:00 +0000", true },
	{ "a blank and a digit", " 2-Nov-2026 08:45:00 +0000", true },
	{ "one digit", "2-Nov-2026 08:45:00 +0000", true },
	{ "a zero", "02-Nov-2026 08:45:00 -1200", true },
	{ "a month in small letters", "02-nov-2026 08:45:00 -1200", true },
	{ "no zone", "24-Nov-2026 08:45:00", false },
	{ "a zone by name", "24-Nov-2026 08:45:00 GMT", false },
	{ "a zone of three digits", "24-Nov-2026 08:45:00 +000", false },
	{ "a zone of letters", "24-Nov-2026 08:45:00 +0a00", false },
	{ "text behind", "24-Nov-2026 08:45:00 +0000 ", false },
	{ "one digit of hours", "24-Nov-2026 8:45:00 +0000", false },
	{ "a sign for a digit", "24-Nov-2026 +8:45:00 +0000", false },
	{ "a year of two digits", "24-Nov-26 08:45:00 +0000", false },
	{ "a long month", "24-November-2026 08:45:00 +0000", false },
	{ "two blanks", "24-Nov-2026  08:45:00 +0000", false },
	{ "31 February", "31-Feb-2026 08:45:00 +0000", false },
	{ "nothing", "", false },
};

TEST(date_times_of_imap)
{
	for (size_t i = 0; i < ARRAY_LEN(imap); i++) {
		struct slice in = slice_of(imap[i].in);
		struct date d;

		test_check(date_parse_imap(in, &d) == imap[i].ok, "%s", imap[i].name);
		for (size_t n = 0; imap[i].ok && n < in.n; n++)
			test_check(!date_parse_imap(slice_sub(in, 0, n), &d), "%s, cut at %zu",
			           imap[i].name, n);
	}
}

TEST(days_of_search)
{
	int32_t day;
	struct date d;

	assert_true(date_parse_day(SLICE("1-Jan-1970"), &day));
	assert_int_equal(day, 0);
	assert_true(date_parse_day(SLICE("31-Dec-1969"), &day));
	assert_int_equal(day, -1);
	assert_true(date_parse_day(SLICE("02-Jan-1970"), &day));
	assert_int_equal(day, 1);
	assert_false(date_parse_day(SLICE("1-Jan-1970 "), &day));
	assert_false(date_parse_day(SLICE("30-Feb-2024"), &day));
	assert_false(date_parse_day(SLICE("1-Jan-70"), &day));
	assert_false(date_parse_day(SLICE(""), &day));
	/* the day as written, not that of UTC */
	assert_true(date_parse(SLICE("1 Jan 1970 00:30:00 +0100"), &d));
	assert_int_equal(date_day(d), 0);
	d.zone_min = 0;
	assert_int_equal(date_day(d), -1);
	assert_true(date_parse(SLICE("31 Dec 1969 23:30:00 -0100"), &d));
	assert_int_equal(date_day(d), -1);
}

TEST(random_moments_come_back_in_both_forms)
{
	const int64_t first = -62135596800, last = 253402300799;

	srand(9);
	for (int i = 0; i < 100000; i++) {
		struct buf out = BUF_INIT(SIZE_MAX);
		struct date d, again;
		int32_t day;

		d.zone_min = (int16_t)(rand() % 2879 - 1439);
		d.utc_s = first - d.zone_min * 60 +
		          (int64_t)((double)(last - first) * ((double)rand() / RAND_MAX));
		date_add(&out, d);
		test_check(date_parse(buf_slice(&out), &again), "%s", buf_cstr(&out));
		test_check(again.utc_s == d.utc_s && again.zone_min == d.zone_min, "%s",
		           buf_cstr(&out));
		buf_clear(&out);
		date_add_imap(&out, d);
		test_check(date_parse_imap(buf_slice(&out), &again), "%s", buf_cstr(&out));
		test_check(again.utc_s == d.utc_s && again.zone_min == d.zone_min, "%s",
		           buf_cstr(&out));
		assert_true(date_parse_day(slice_sub(buf_slice(&out), 0, 11), &day));
		assert_int_equal(day, date_day(d));
		buf_fini(&out);
	}
}

TEST(the_day_name_is_told)
{
	struct buf out = BUF_INIT(SIZE_MAX);
	struct date d = { NOV24, -90 };

	date_add(&out, d);
	test_eq_slice("it", buf_slice(&out), SLICE("Tue, 24 Nov 2026 05:15:00 -0130"));
	buf_clear(&out);
	d = (struct date){ -1, 0 };
	date_add(&out, d);
	test_eq_slice("before 1970", buf_slice(&out), SLICE("Wed, 31 Dec 1969 23:59:59 +0000"));
	buf_fini(&out);
}
