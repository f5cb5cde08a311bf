/*
 * smtp_wire - parameters of MAIL and RCPT, xtext.
 *
 *	args        = path *( SP esmtp-param )
 *	esmtp-param = esmtp-keyword [ "=" esmtp-value ]
 *
 * RFC 5321 section 4.1.2. Each keyword is a row of a table; none may come twice.
 */
#include "proto/smtp_wire.h"

#include "base/num.h"
#include "base/text.h"

/* ---- xtext ----------------------------------------------------------------------------- */

void
smtp_xtext_add(struct buf *out, struct slice in)
{
	for (size_t i = 0; i < in.n; i++) {
		unsigned char ch = (unsigned char)in.p[i];

		if (ch < 33 || ch > 126 || ch == '+' || ch == '=')
			buf_printf(out, "+%02X", ch);
		else
			buf_add_char(out, (char)ch);
	}
}

bool
smtp_xtext_decode(struct slice in, struct buf *out)
{
	size_t before = out->len;

	for (size_t i = 0; i < in.n; i++) {
		unsigned char ch = (unsigned char)in.p[i];
		bool good = ch >= 33 && ch <= 126 && ch != '=';

		if (ch != '+') {
			buf_add_char(out, (char)ch);
		} else {
			good = i + 2 < in.n && text_hex_decode(slice_sub(in, i + 1, 2), out);
			i += 2;
		}
		if (!good || out->overflow) {
			buf_truncate(out, before);
			return false;
		}
	}
	return true;
}

/* ---- parameters -------------------------------------------------------------------------- */

struct call {
	struct arena *a;
	const struct smtp_allowed *allowed;
	struct smtp_mail *mail;
	struct smtp_rcpt *rcpt;
};

static const struct smtp_refusal bad_value = { 501, "5.5.4", "Bad value of a parameter." };
static const struct smtp_refusal bad_twice = { 501, "5.5.4", "A parameter is given twice." };
static const struct smtp_refusal bad_param = { 501, "5.5.4", "Malformed parameter." };
static const struct smtp_refusal unknown_param = { 555, "5.5.4", "Unknown parameter." };
static const struct smtp_refusal needs_utf8 = { 553, "5.6.7", "The address needs SMTPUTF8." };

static bool
has_ctl(struct slice s)
{
	for (size_t i = 0; i < s.n; i++)
		if (text_is_ctl(s.p[i]))
			return true;
	return false;
}

/* xtext of at most max bytes, as text without control characters. */
static bool
take_xtext(struct call *c, struct slice value, size_t max, struct slice *s_r)
{
	struct buf b = BUF_INIT(max);
	bool good = smtp_xtext_decode(value, &b) && !has_ctl(buf_slice(&b)) &&
	            text_is_utf8(buf_slice(&b));

	if (good)
		*s_r = b.len > 0 ? arena_slice_dup(c->a, buf_slice(&b)) : SLICE("");
	buf_fini(&b);
	return good;
}

static bool
take_size(struct call *c, struct slice value)
{
	return num_parse_u64(value, UINT64_MAX, &c->mail->size);
}

static bool
take_body(struct call *c, struct slice value)
{
	c->mail->body = slice_ieq_str(value, "8BITMIME") ? SMTP_BODY_8BIT : SMTP_BODY_7BIT;
	return c->mail->body == SMTP_BODY_8BIT || slice_ieq_str(value, "7BIT");
}

static bool
take_smtputf8(struct call *c, struct slice value)
{
	c->mail->smtputf8 = true;
	return value.p == NULL;
}

static bool
take_ret(struct call *c, struct slice value)
{
	c->mail->ret = slice_ieq_str(value, "FULL") ? SMTP_RET_FULL : SMTP_RET_HDRS;
	return c->mail->ret == SMTP_RET_FULL || slice_ieq_str(value, "HDRS");
}

static bool
take_envid(struct call *c, struct slice value)
{
	return value.n > 0 && take_xtext(c, value, SMTP_ENVID_MAX, &c->mail->envid);
}

/* RFC 4954 section 5: who is said to have sent it. Nothing here depends on it. */
static bool
take_auth(struct call *c, struct slice value)
{
	struct slice ignored;

	return slice_eq_str(value, "<>") ||
	       (value.n > 0 && take_xtext(c, value, SMTP_ORCPT_MAX, &ignored));
}

static bool
take_key(struct call *c, struct slice value)
{
	struct buf b = BUF_INIT(SMTP_KEY_LEN);

	c->mail->has_key = value.n == 2 * SMTP_KEY_LEN && text_hex_decode(value, &b);
	if (c->mail->has_key)
		memcpy(c->mail->key, buf_slice(&b).p, SMTP_KEY_LEN);
	buf_fini(&b);
	return c->mail->has_key;
}

static bool
take_session(struct call *c, struct slice value)
{
	if (!origin_is_session(value))
		return false;
	c->mail->session = arena_slice_dup(c->a, value);
	return true;
}

static bool
take_addr(struct call *c, struct slice value)
{
	if (!origin_is_address(value))
		return false;
	c->mail->addr = arena_slice_dup(c->a, value);
	return true;
}

/* NEVER, or a list of the others: RFC 3461 section 4.1. */
static bool
take_notify(struct call *c, struct slice value)
{
	static const char *const names[] = { "NEVER", "SUCCESS", "FAILURE", "DELAY" };
	unsigned bits = 0;

	if (value.n == 0)
		return false;
	while (value.p != NULL) {
		struct slice word = slice_cut(&value, ',');
		size_t i = 0;

		while (i < ARRAY_LEN(names) && !slice_ieq_str(word, names[i]))
			i++;
		if (i == ARRAY_LEN(names))
			return false;
		bits |= 1u << i;
	}
	c->rcpt->notify = bits;
	return (bits & SMTP_NOTIFY_NEVER) == 0 || bits == SMTP_NOTIFY_NEVER;
}

static bool
take_orcpt(struct call *c, struct slice value)
{
	struct slice type = slice_cut(&value, ';');

	if (type.n == 0 || value.n == 0)
		return false;
	c->rcpt->orcpt_type = arena_slice_dup(c->a, type);
	return take_xtext(c, value, SMTP_ORCPT_MAX, &c->rcpt->orcpt);
}

static bool
take_user(struct call *c, struct slice value)
{
	return value.n > 0 && take_xtext(c, value, SMTP_USER_MAX, &c->rcpt->user);
}

static bool
take_detail(struct call *c, struct slice value)
{
	return value.p != NULL && take_xtext(c, value, SMTP_USER_MAX, &c->rcpt->detail);
}

static bool
take_claim(struct call *c, struct slice value)
{
	return num_parse_u64(value, UINT64_MAX, &c->rcpt->claim);
}

enum { NEEDS_NOTHING, NEEDS_UTF8, NEEDS_DSN, NEEDS_AUTH, NEEDS_XROOST };
struct param {
	const char *name;
	int needs;
	bool (*take)(struct call *c, struct slice value);
};
static const struct param mail_params[] = {
	{ "SIZE", NEEDS_NOTHING, take_size },      { "BODY", NEEDS_NOTHING, take_body },
	{ "SMTPUTF8", NEEDS_UTF8, take_smtputf8 }, { "RET", NEEDS_DSN, take_ret },
	{ "ENVID", NEEDS_DSN, take_envid },        { "AUTH", NEEDS_AUTH, take_auth },
	{ "XKEY", NEEDS_XROOST, take_key },        { "XSESSION", NEEDS_XROOST, take_session },
	{ "XADDR", NEEDS_XROOST, take_addr },
};
static const struct param rcpt_params[] = {
	{ "NOTIFY", NEEDS_DSN, take_notify },   { "ORCPT", NEEDS_DSN, take_orcpt },
	{ "XUSER", NEEDS_XROOST, take_user },   { "XDETAIL", NEEDS_XROOST, take_detail },
	{ "XCLAIM", NEEDS_XROOST, take_claim },
};

static bool
is_offered(const struct smtp_allowed *allowed, int needs)
{
	switch (needs) {
	case NEEDS_UTF8:
		return allowed->smtputf8;
	case NEEDS_DSN:
		return allowed->dsn;
	case NEEDS_AUTH:
		return allowed->auth;
	case NEEDS_XROOST:
		return allowed->xroost;
	default:
		return true;
	}
}

static const struct smtp_refusal *
take_param(struct call *c, struct slice word, const struct param *params, size_t count,
           unsigned *seen)
{
	struct slice key = slice_cut(&word, '=');

	if (key.n == 0)
		return &bad_param;
	for (size_t i = 0; i < count; i++) {
		if (!slice_ieq_str(key, params[i].name) || !is_offered(c->allowed, params[i].needs))
			continue;
		if (*seen & 1u << i)
			return &bad_twice;
		*seen |= 1u << i;
		return params[i].take(c, word) ? NULL : &bad_value;
	}
	return &unknown_param;
}

static const struct smtp_refusal *
take_params(struct call *c, struct slice rest, const struct param *params, size_t count)
{
	const struct smtp_refusal *bad = NULL;
	unsigned seen = 0;

	if (rest.n > 0 && *rest.p != ' ')
		return &bad_param;
	while (bad == NULL && rest.n > 0) {
		struct slice word = slice_cut(&rest, ' ');

		if (word.n > 0)
			bad = take_param(c, word, params, count, &seen);
	}
	return bad;
}

/* Old programs say "FROM: <fred@x>"; it is clear what they mean. */
static struct slice
skip_spaces(struct slice s)
{
	while (s.n > 0 && *s.p == ' ')
		s = slice_skip(s, 1);
	return s;
}

static const struct smtp_refusal *
refuse_address(enum address_error e, bool sender)
{
	static const struct smtp_refusal bad[2][ADDRESS_ERROR_COUNT] = {
#define X(name, text) [ADDRESS_##name] = { 501, "5.1.3", "Bad recipient: " text "." },
		{ ADDRESS_ERRORS(X) },
#undef X
#define X(name, text) [ADDRESS_##name] = { 501, "5.1.7", "Bad sender: " text "." },
		{ ADDRESS_ERRORS(X) },
#undef X
	};

	return e == ADDRESS_UTF8 ? &needs_utf8 : &bad[sender][e];
}

static bool
is_bare_ok(const struct address *addr, const struct smtp_allowed *allowed)
{
	return addr->domain[0] != '\0' || allowed->bare ||
	       slice_ieq_str(slice_of(addr->local), "postmaster");
}

const struct smtp_refusal *
smtp_mail_parse(struct arena *a, struct slice args, const struct smtp_allowed *allowed,
                struct smtp_mail *mail_r)
{
	struct call c = { .a = a, .allowed = allowed, .mail = mail_r };
	unsigned flags = ADDRESS_ALLOW_NULL | ADDRESS_ALLOW_BARE;
	const struct smtp_refusal *bad;
	enum address_error e;
	size_t used;

	memset(mail_r, 0, sizeof(*mail_r));
	args = skip_spaces(args);
	if (allowed->smtputf8)
		flags |= ADDRESS_ALLOW_UTF8;
	e = address_parse_path(args, flags, &mail_r->from, &used);
	if (e != ADDRESS_OK)
		return refuse_address(e, true);
	if (!address_is_null(&mail_r->from) && !is_bare_ok(&mail_r->from, allowed))
		return refuse_address(ADDRESS_NO_DOMAIN, true);
	bad = take_params(&c, slice_skip(args, used), mail_params, ARRAY_LEN(mail_params));
	if (bad == NULL && mail_r->from.utf8 && !mail_r->smtputf8)
		bad = &needs_utf8;
	return bad;
}

const struct smtp_refusal *
smtp_rcpt_parse(struct arena *a, struct slice args, const struct smtp_allowed *allowed,
                struct smtp_rcpt *rcpt_r)
{
	struct call c = { .a = a, .allowed = allowed, .rcpt = rcpt_r };
	unsigned flags = ADDRESS_ALLOW_BARE;
	enum address_error e;
	size_t used;

	memset(rcpt_r, 0, sizeof(*rcpt_r));
	args = skip_spaces(args);
	if (allowed->smtputf8)
		flags |= ADDRESS_ALLOW_UTF8;
	e = address_parse_path(args, flags, &rcpt_r->to, &used);
	if (e != ADDRESS_OK)
		return refuse_address(e, false);
	if (!is_bare_ok(&rcpt_r->to, allowed))
		return refuse_address(ADDRESS_NO_DOMAIN, false);
	return take_params(&c, slice_skip(args, used), rcpt_params, ARRAY_LEN(rcpt_params));
}
