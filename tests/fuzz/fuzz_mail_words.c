/* Small grammars of mail: addresses, dates, names, patterns, rights, header values. */
#include "base/arena.h"
#include "base/must.h"
#include "fuzz/fuzz.h"
#include "mail/acl.h"
#include "mail/address.h"
#include "mail/base_subject.h"
#include "mail/date.h"
#include "mail/header.h"
#include "mail/mbox_name.h"
#include "mail/msg_id.h"
#include "mail/pattern.h"
#include "mail/utf7.h"
#include "text/charset.h"
#include "text/fold.h"

static void
addresses(struct arena *a, struct slice s)
{
	char text[ADDRESS_TEXT_SIZE];
	struct address_list list;
	struct address one, again;
	size_t used;

	address_list_parse(a, s, 100, &list);
	(void)address_parse_path(s, ADDRESS_ALLOW_NULL | ADDRESS_ALLOW_UTF8, &one, &used);
	if (address_parse(s, ADDRESS_ALLOW_UTF8, &one) != ADDRESS_OK)
		return;
	must(address_parse(slice_of(address_text(&one, text)), ADDRESS_ALLOW_UTF8, &again) ==
	     ADDRESS_OK);
	must(address_eq(&one, &again));
}

/* What comes out is a fixed point, and may be stored. */
static void
acl_words(struct slice s)
{
	char id[ACL_ID_SIZE], again[ACL_ID_SIZE], text[ACL_TEXT_SIZE];
	struct buf acl = BUF_INIT(65536);
	enum acl_mode mode;
	uint32_t rights, back;

	if (acl_rights_from_client(s, &mode, &rights))
		must(acl_rights_parse(slice_of(acl_rights_text(rights, text)), &back) &&
		     back == rights);
	if (!acl_id_canonical(s, SLICE("example.org"), id))
		return;
	must(acl_id_canonical(slice_of(id), SLICE("example.org"), again) && strcmp(id, again) == 0);
	must(acl_set(SLICE("fred\tlr\t"), slice_of(id), ACL_READ, &acl) &&
	     acl_is_valid(buf_slice(&acl)));
	buf_fini(&acl);
}

static void
names(struct slice s)
{
	const struct mbox_view view = { SLICE_INIT("fred"), SLICE_INIT("example.org") };
	struct buf client = BUF_INIT(8192);
	struct mbox_name name, again;
	struct mbox_user user;
	struct acl_who who = { .user = SLICE_INIT("fred") };
	static struct pattern pattern;

	if (mbox_name_from_client(&view, s, &name) == MBOX_NAME_OK) {
		must(mbox_name_check(mbox_name_slice(&name)) == MBOX_NAME_OK);
		if (mbox_name_to_client(&view, mbox_name_slice(&name), &client))
			must(mbox_name_from_client(&view, buf_slice(&client), &again) ==
			             MBOX_NAME_OK &&
			     strcmp(name.s, again.s) == 0);
	}
	if (mbox_user_from_login(s, view.default_domain, &user))
		(void)mbox_name_of_user(mbox_user_slice(&user), view.default_domain, &name);
	if (pattern_init(&pattern, SLICE(""), s))
		(void)pattern_matches(&pattern, SLICE("a/b/INBOX/c"));
	(void)acl_rights_of(s, &who);
	acl_words(s);
	buf_fini(&client);
}

static void
utf7(struct slice s)
{
	struct buf utf8 = BUF_INIT(65536), back = BUF_INIT(65536);

	if (utf7_to_utf8(s, &utf8))
		must(utf7_from_utf8(buf_slice(&utf8), &back) && slice_eq(buf_slice(&back), s));
	buf_fini(&utf8);
	buf_fini(&back);
}

/* What SORT and THREAD compare: the base of a base is itself, a collated text has no NUL. */
static void
compared(struct slice s)
{
	struct buf base = BUF_INIT(65536), again = BUF_INIT(65536), text = BUF_INIT(1 << 20);

	(void)base_subject_add(s, &base);
	must(!base_subject_add(buf_slice(&base), &again));
	must(slice_eq(buf_slice(&base), buf_slice(&again)));
	fold_add_collated(&text, s);
	must(text.len == 0 || memchr(text.data, '\0', text.len) == NULL);
	buf_clear(&text);
	while (msg_id_next(&s, &text))
		must(text.len > 1);
	buf_fini(&base);
	buf_fini(&again);
	buf_fini(&text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *a = arena_new("fuzz");
	struct slice s = slice_make(data, size);
	struct buf out = BUF_INIT(1 << 20);
	struct header_params params;
	struct date date;

	if (size > 4096)
		s.n = 4096;
	addresses(a, s);
	names(s);
	utf7(s);
	compared(s);
	if (date_parse(s, &date)) {
		date_add(&out, date);
		date_add_imap(&out, date);
	}
	(void)date_parse_imap(s, &date);
	header_parse_params(a, s, &params);
	charset_decode_header(s, &out);
	buf_fini(&out);
	arena_free(&a);
	return 0;
}
