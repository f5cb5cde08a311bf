/* srs: there and back, and what is no way back. */
#include "rewrite/srs.h"

#include "lib/test.h"

#include <stdio.h>
#include <string.h>

static const struct srs srs = { "srs.example.org", "0123456789abcdef" };
#define NOW 1790000000ULL
#define DAY 86400ULL

static struct address
addr(const char *text)
{
	struct address a;

	assert_int_equal(address_parse(slice_of(text), ADDRESS_ALLOW_UTF8, &a), ADDRESS_OK);
	return a;
}

static void
there_and_back(const char *from, const char *tag)
{
	struct address a = addr(from), there, back;
	char text[ADDRESS_TEXT_SIZE];

	assert_true(srs_forward(&srs, &a, NOW, &there));
	assert_string_equal(there.domain, "srs.example.org");
	test_check(strncmp(there.local, tag, 5) == 0, "%s", there.local);
	/* as text, and read again, as a bounce comes */
	there = addr(address_text(&there, text));
	assert_int_equal(srs_reverse(&srs, &there, NOW + 20 * DAY, &back), SRS_OK);
	test_eq_str("back", address_text(&back, text), from);
}

TEST(there_and_back_again)
{
	there_and_back("ann@far.example", "SRS0=");
	there_and_back("ann=b+c-d@far.example", "SRS0=");
	there_and_back("\"a b\"@far.example", "SRS0=");
	there_and_back("x@[192.0.2.1]", "SRS0=");
	there_and_back("SRS0=abcd=xy=a.example=ann@b.example", "SRS1=");
	there_and_back("SRS0+abcd=xy=a.example=ann@b.example", "SRS1=");
}

/* The way back of a third hop leads to the first. */
TEST(second_and_third_hop)
{
	struct address a = addr("SRS1=zzzz=b.example==abcd=xy=a.example=ann@c.example"), there,
		       back;
	char text[ADDRESS_TEXT_SIZE];

	assert_true(srs_forward(&srs, &a, NOW, &there));
	test_check(strstr(there.local, "=b.example==abcd=xy=a.example=ann") != NULL, "%s",
	           there.local);
	assert_int_equal(srs_reverse(&srs, &there, NOW, &back), SRS_OK);
	test_eq_str("back", address_text(&back, text), "SRS0=abcd=xy=a.example=ann@b.example");
}

TEST(nothing_to_rewrite)
{
	static const struct srs off = { NULL, NULL };
	struct address null = { "" }, a = addr("ann@far.example"), r,
		       ours = addr("SRS0=abcdef=xy=a.example=ann@srs.example.org"),
		       broken = addr("SRS1=abcd@far.example"),
		       longish = addr("0123456789012345678901234567890123456789@far.example");

	assert_false(srs_forward(&srs, &null, NOW, &r));
	assert_false(srs_forward(&off, &a, NOW, &r));
	assert_false(srs_forward(&srs, &ours, NOW, &r));
	assert_false(srs_forward(&srs, &broken, NOW, &r));
	broken = addr("SRS1=abcd=x@far.example");
	assert_false(srs_forward(&srs, &broken, NOW, &r));
	broken = addr("SRS1=abcd==x@far.example");
	assert_false(srs_forward(&srs, &broken, NOW, &r));
	assert_false(srs_forward(&srs, &longish, NOW, &r));
	assert_int_equal(srs_reverse(&off, &ours, NOW, &r), SRS_NOT);
	assert_int_equal(srs_reverse(&srs, &a, NOW, &r), SRS_NOT);
}

TEST(lower_case_on_the_way_does_no_harm)
{
	struct address a = addr("ann@far.example"), there, back;

	assert_true(srs_forward(&srs, &a, NOW, &there));
	for (char *p = there.local; *p != '\0'; p++)
		if (*p >= 'A' && *p <= 'Z')
			*p += 32;
	assert_int_equal(srs_reverse(&srs, &there, NOW, &back), SRS_OK);
	assert_string_equal(back.local, "ann");
}

TEST(any_changed_byte_is_no_way_back)
{
	struct address a = addr("ann@far.example"), there, back, bad;

	assert_true(srs_forward(&srs, &a, NOW, &there));
	for (size_t i = 5; there.local[i] != '\0'; i++) {
		bad = there;
		bad.local[i] = bad.local[i] == '7' ? '2' : '7';
		test_check(srs_reverse(&srs, &bad, NOW, &back) == SRS_BAD, "%s", bad.local);
	}
	for (size_t n = 6; n < strlen(there.local); n++) {
		bad = there;
		bad.local[n] = '\0';
		test_check(srs_reverse(&srs, &bad, NOW, &back) == SRS_BAD, "%s", bad.local);
	}
	{
		struct srs other = { srs.domain, "fedcba9876543210" };

		assert_int_equal(srs_reverse(&other, &there, NOW, &back), SRS_BAD);
	}
}

TEST(ways_back_end)
{
	struct address a = addr("ann@far.example"), there, back;

	assert_true(srs_forward(&srs, &a, NOW, &there));
	assert_int_equal(srs_reverse(&srs, &there, NOW + SRS_DAYS * DAY, &back), SRS_OK);
	assert_int_equal(srs_reverse(&srs, &there, NOW + (SRS_DAYS + 1) * DAY, &back), SRS_EXPIRED);
	assert_int_equal(srs_reverse(&srs, &there, NOW - DAY, &back), SRS_EXPIRED);
}
