/*
 * date - dates of messages and of IMAP. RFC 5322 section 3.3 and 4.3, RFC 3501.
 */
#ifndef MAIL_DATE_H
#define MAIL_DATE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/must.h"
#include "base/slice.h"

/* A moment and the zone it was written in. Years 1-9999. */
struct date {
	int64_t utc_s;    /* since 1970 */
	int16_t zone_min; /* east of UTC */
};

/* The value of a Date field, leniently: day name optional, comments, two-digit years,
 * names of zones, missing seconds or zone. False: nothing to be made of it. */
bool date_parse(struct slice value, struct date *d_r) MUST_CHECK;
/* "Tue, 24 Nov 2026 08:45:00 +0000" */
void date_add(struct buf *out, struct date d);

/* IMAP date-time without quotes: "24-Nov-2026 08:45:00 +0000", day "2" or " 2" or "02". */
bool date_parse_imap(struct slice text, struct date *d_r) MUST_CHECK;
/* The same text, day as " 2". */
void date_add_imap(struct buf *out, struct date d);

/* SEARCH: date "2-Nov-2026" -> days since 1970. */
bool date_parse_day(struct slice text, int32_t *day_r) MUST_CHECK;
/* The calendar day where it was written (SENTON disregards time and zone), or with
 * zone_min 0 in UTC. */
int32_t date_day(struct date d);

#endif
