/*
 * subject      = *subj-leader [subj-middle] *subj-trailer
 * subj-leader  = (*subj-blob subj-refwd) / WSP
 * subj-refwd   = ("re" / ("fw" ["d"])) *WSP [subj-blob] ":"
 * subj-blob    = "[" *BLOBCHAR "]" *WSP
 * subj-trailer = "(fwd)" / WSP
 * subj-fwd     = "[fwd:" subject "]"
 *
 * Each step below is one of RFC 5256 section 2.1. What was read of a leader's blobs in vain is
 * not read again: a blob that is followed by no leader is dropped itself, or nothing more is.
 */
#include "mail/base_subject.h"

#include "base/text.h"

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Step 1: each run of blanks is one space. */
static void
add_plain(struct slice s, struct buf *out)
{
	for (size_t i = 0; i < s.n; i++)
		if (!is_blank(s.p[i]))
			buf_add_char(out, s.p[i]);
		else if (i + 1 == s.n || !is_blank(s.p[i + 1]))
			buf_add_char(out, ' ');
}

static bool
ends_in(struct slice s, struct slice end)
{
	return s.n >= end.n && slice_ieq(slice_skip(s, s.n - end.n), end);
}

/* Step 2. */
static bool
cut_trailers(struct slice *s)
{
	bool forwarded = false;

	for (;;) {
		if (ends_in(*s, SLICE(" "))) {
			s->n--;
		} else if (ends_in(*s, SLICE("(fwd)"))) {
			s->n -= strlen("(fwd)");
			forwarded = true;
		} else {
			return forwarded;
		}
	}
}

static struct slice
skip_spaces(struct slice s)
{
	while (s.n > 0 && s.p[0] == ' ')
		s = slice_skip(s, 1);
	return s;
}

/* Behind the blob that s begins with; s itself: with none. */
static struct slice
skip_blob(struct slice s)
{
	if (s.n == 0 || s.p[0] != '[')
		return s;
	for (size_t i = 1; i < s.n && s.p[i] != '['; i++)
		if (s.p[i] == ']')
			return skip_spaces(slice_skip(s, i + 1));
	return s;
}

/* "re:", "Fwd [1]:" in front. */
static bool
cut_refwd(struct slice *s)
{
	struct slice rest;

	if (slice_istarts(*s, SLICE("re")))
		rest = slice_skip(*s, 2);
	else if (slice_istarts(*s, SLICE("fwd")))
		rest = slice_skip(*s, 3);
	else if (slice_istarts(*s, SLICE("fw")))
		rest = slice_skip(*s, 2);
	else
		return false;
	rest = skip_blob(skip_spaces(rest));
	if (rest.n == 0 || rest.p[0] != ':')
		return false;
	*s = skip_spaces(slice_skip(rest, 1));
	return true;
}

/* Steps 3 to 5. */
static bool
cut_leaders(struct slice *s)
{
	struct slice behind_blobs, next;
	bool answer = false;

	*s = skip_spaces(*s);
	for (;;) {
		behind_blobs = *s;
		while ((next = skip_blob(behind_blobs)).p != behind_blobs.p)
			behind_blobs = next;
		next = behind_blobs;
		if (cut_refwd(&next)) {
			*s = next;
			answer = true;
		} else if (behind_blobs.n > 0) {
			*s = behind_blobs;
			return answer;
		} else {
			/* nothing but blobs: the last one is the subject */
			while ((next = skip_blob(*s)).n > 0)
				*s = next;
			return answer;
		}
	}
}

/* Step 6. */
static bool
cut_forward(struct slice *s)
{
	if (!slice_istarts(*s, SLICE("[fwd:")) || !ends_in(*s, SLICE("]")))
		return false;
	*s = slice_sub(*s, strlen("[fwd:"), s->n - strlen("[fwd:") - 1);
	return true;
}

bool
base_subject_add(struct slice utf8, struct buf *out)
{
	struct buf plain = BUF_INIT(SIZE_MAX);
	struct slice s;
	bool answer = false, again;

	add_plain(utf8, &plain);
	s = buf_slice(&plain);
	do {
		bool cut = cut_trailers(&s);

		cut = cut_leaders(&s) || cut;
		again = cut_forward(&s);
		answer = answer || cut || again;
	} while (again);
	buf_add_slice(out, s);
	buf_fini(&plain);
	return answer;
}
