/*
 * charset - iconv behind an allow-list, with one open descriptor kept.
 */
#include "text/charset.h"

#include <errno.h>
#include <iconv.h>

#include "base/text.h"
#include "mail/header.h"

#define MAX_NAME 40

/* name as mail says it -> name for iconv. Supersets where mailers mean them: labels of
 * ISO-8859-1 are windows-1252 in practice (as browsers do), GB2312 is GBK and so on. */
static const struct {
	const char *name, *iconv;
} charsets[] = {
	{ "utf-8", "UTF-8" },
	{ "utf8", "UTF-8" },
	{ "us-ascii", "CP1252" },
	{ "ascii", "CP1252" },
	{ "ansi_x3.4-1968", "CP1252" },
	{ "iso-8859-1", "CP1252" },
	{ "iso8859-1", "CP1252" },
	{ "latin1", "CP1252" },
	{ "iso-8859-2", "ISO-8859-2" },
	{ "iso-8859-3", "ISO-8859-3" },
	{ "iso-8859-4", "ISO-8859-4" },
	{ "iso-8859-5", "ISO-8859-5" },
	{ "iso-8859-6", "ISO-8859-6" },
	{ "iso-8859-7", "ISO-8859-7" },
	{ "iso-8859-8", "ISO-8859-8" },
	{ "iso-8859-8-i", "ISO-8859-8" },
	{ "iso-8859-9", "CP1254" },
	{ "iso-8859-10", "ISO-8859-10" },
	{ "iso-8859-11", "CP874" },
	{ "iso-8859-13", "ISO-8859-13" },
	{ "iso-8859-14", "ISO-8859-14" },
	{ "iso-8859-15", "ISO-8859-15" },
	{ "iso-8859-16", "ISO-8859-16" },
	{ "windows-1250", "CP1250" },
	{ "windows-1251", "CP1251" },
	{ "windows-1252", "CP1252" },
	{ "windows-1253", "CP1253" },
	{ "windows-1254", "CP1254" },
	{ "windows-1255", "CP1255" },
	{ "windows-1256", "CP1256" },
	{ "windows-1257", "CP1257" },
	{ "windows-1258", "CP1258" },
	{ "windows-874", "CP874" },
	{ "tis-620", "CP874" },
	{ "cp1250", "CP1250" },
	{ "cp1251", "CP1251" },
	{ "cp1252", "CP1252" },
	{ "koi8-r", "KOI8-R" },
	{ "koi8-u", "KOI8-U" },
	{ "ibm866", "CP866" },
	{ "cp866", "CP866" },
	{ "ibm437", "CP437" },
	{ "cp437", "CP437" },
	{ "ibm850", "CP850" },
	{ "cp850", "CP850" },
	{ "macintosh", "MACINTOSH" },
	{ "iso-2022-jp", "ISO-2022-JP" },
	{ "iso-2022-kr", "ISO-2022-KR" },
	{ "shift_jis", "CP932" },
	{ "shift-jis", "CP932" },
	{ "windows-31j", "CP932" },
	{ "euc-jp", "EUC-JP" },
	{ "euc-kr", "UHC" },
	{ "ks_c_5601-1987", "UHC" },
	{ "gb2312", "GBK" },
	{ "gbk", "GBK" },
	{ "gb18030", "GB18030" },
	{ "big5", "BIG5" },
	{ "big5-hkscs", "BIG5-HKSCS" },
	{ "utf-7", "UTF-7" },
	{ "utf-16", "UTF-16" },
	{ "utf-16le", "UTF-16LE" },
	{ "utf-16be", "UTF-16BE" },
};

static const char *
find_charset(struct slice name)
{
	name = slice_trim(name);
	if (name.n == 0)
		return "CP1252";
	if (name.n > MAX_NAME)
		return NULL;
	for (size_t i = 0; i < ARRAY_LEN(charsets); i++)
		if (slice_ieq_str(name, charsets[i].name))
			return charsets[i].iconv;
	return NULL;
}

bool
charset_is_known(struct slice name)
{
	return find_charset(name) != NULL;
}

/* Opening costs some microseconds and a message has many words of one charset. Only
 * loop threads and helpers convert, each with its own. */
static iconv_t
open_charset(const char *name)
{
	static __thread const char *kept_name;
	static __thread iconv_t kept;

	if (kept_name == name)
		return kept;
	if (kept_name != NULL)
		iconv_close(kept);
	kept = iconv_open("UTF-8", name);
	kept_name = kept != (iconv_t)-1 ? name : NULL;
	return kept;
}

/* unit: bytes that are skipped of what cannot be converted. */
static void
convert(iconv_t cd, size_t unit, struct slice in, struct buf *out)
{
	char chunk[4096];
	char *from = (char *)(uintptr_t)in.p;
	size_t left = in.n;

	iconv(cd, NULL, NULL, NULL, NULL);
	for (;;) {
		/* some converters hold the last letter, which the next might combine with,
		 * until they are told that there is none */
		bool last = left == 0;
		char *to = chunk;
		size_t room = sizeof(chunk), r;
		int error;

		r = iconv(cd, last ? NULL : &from, last ? NULL : &left, &to, &room);
		error = r == (size_t)-1 ? errno : 0;
		buf_add(out, chunk, (size_t)(to - chunk));
		if (out->overflow || (last && error != E2BIG))
			return;
		if (error == 0 || error == E2BIG)
			continue;
		/* EILSEQ, or EINVAL for a cut sequence at the end */
		text_utf8_add(out, 0xfffd);
		if (error == EINVAL || left <= unit) {
			left = 0;
			continue;
		}
		from += unit;
		left -= unit;
	}
}

static void
copy_utf8(struct slice in, struct buf *out)
{
	while (in.n > 0 && !out->overflow) {
		size_t n = text_utf8_next(in, NULL);

		if (n > 0)
			buf_add_slice(out, slice_sub(in, 0, n));
		else
			text_utf8_add(out, 0xfffd);
		in = slice_skip(in, n > 0 ? n : 1);
	}
}

bool
charset_to_utf8(struct slice name, struct slice in, struct buf *out)
{
	const char *charset = find_charset(name);
	iconv_t cd;

	if (charset == NULL)
		return false;
	/* most text; what says us-ascii and is UTF-8 is taken for that */
	if (text_is_ascii(in) && (unsigned char)charset[0] == 'C' && charset[1] == 'P') {
		buf_add_slice(out, in);
		return true;
	}
	if (slice_eq_str(slice_of(charset), "UTF-8")) {
		if (text_is_utf8(in))
			buf_add_slice(out, in);
		else
			copy_utf8(in, out);
		return true;
	}
	if ((name.n == 0 || slice_ieq_str(slice_trim(name), "us-ascii")) && text_is_utf8(in)) {
		buf_add_slice(out, in);
		return true;
	}
	cd = open_charset(charset);
	if (cd == (iconv_t)-1)
		return false;
	convert(cd, slice_starts(slice_of(charset), SLICE("UTF-16")) ? 2 : 1, in, out);
	return true;
}

bool
charset_for_header(void *ctx, struct slice charset, struct slice in, struct buf *out)
{
	return charset_to_utf8(charset, in, out);
}

void
charset_decode_header(struct slice value, struct buf *out)
{
	header_decode(value, charset_for_header, NULL, out);
}
