#include "smtp_owner.h"

#include "lib/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void
owner_init(struct owner *o, bool lmtp)
{
	memset(o, 0, sizeof(*o));
	o->settings = (struct smtp_server_settings){ .lmtp = lmtp,
		                                     .hostname = "mx.example",
		                                     .size_max = 1000,
		                                     .rcpt_max = 20,
		                                     .rcpt_parallel = 3,
		                                     .mechs = "PLAIN LOGIN",
		                                     .tls_offered = true,
		                                     .plaintext_ok = true,
		                                     .bare_ok = lmtp,
		                                     .smtputf8 = true,
		                                     .dsn = true,
		                                     .chunking = true,
		                                     .trusted = true };
	buf_init(&o->log, SIZE_MAX);
	o->notes = &o->log;
	buf_init(&o->body, SIZE_MAX);
	o->s = smtp_server_new(&o->settings, false);
}

void
owner_fini(struct owner *o)
{
	smtp_server_free(&o->s);
	buf_fini(&o->log);
	buf_fini(&o->body);
}

static void
note(struct owner *o, const char *label, struct slice data)
{
	if (data.p == NULL)
		return;
	buf_add_str(o->notes, label);
	for (size_t i = 0; i < data.n; i++)
		buf_add_char(o->notes, data.p[i] == '\0' ? '|' : data.p[i]);
}

static void
on_mail(struct owner *o, const struct smtp_mail *m)
{
	char text[ADDRESS_TEXT_SIZE];

	buf_printf(o->notes, "<mail %s", address_text(&m->from, text));
	if (m->size != 0)
		buf_printf(o->notes, " size=%llu", (unsigned long long)m->size);
	if (m->body == SMTP_BODY_8BIT)
		buf_add_str(o->notes, " 8bit");
	if (m->smtputf8)
		buf_add_str(o->notes, " utf8");
	if (m->ret != SMTP_RET_NONE)
		buf_add_str(o->notes, m->ret == SMTP_RET_FULL ? " full" : " hdrs");
	note(o, " envid=", m->envid);
	if (m->has_key)
		buf_printf(o->notes, " key=%02x..%02x", m->key[0], m->key[SMTP_KEY_LEN - 1]);
	note(o, " session=", m->session);
	note(o, " addr=", m->addr);
	buf_add_str(o->notes, ">\n");
	o->rcpts = 0;
	if (strcmp(m->from.local, "temp") == 0)
		smtp_server_reply(o->s, 451, "4.3.0", "later", &o->log);
	else
		smtp_server_reply(o->s, 250, "2.1.0", "ok", &o->log);
}

static void
on_rcpt(struct owner *o, const struct smtp_event *ev)
{
	const struct smtp_rcpt *r = &ev->rcpt;
	char text[ADDRESS_TEXT_SIZE];

	assert_int_equal(ev->number, o->rcpts);
	buf_printf(o->notes, "<rcpt %zu %s", o->rcpts++, address_text(&r->to, text));
	if (r->notify != 0)
		buf_printf(o->notes, " notify=%u", r->notify);
	note(o, " orcpt=", r->orcpt_type);
	note(o, ";", r->orcpt);
	note(o, " user=", r->user);
	note(o, " detail=", r->detail);
	if (r->claim != 0)
		buf_printf(o->notes, " claim=%llu", (unsigned long long)r->claim);
	buf_add_str(o->notes, ">\n");
	o->accepted[ev->number] = strncmp(r->to.local, "no", 2) != 0;
	if (strncmp(r->to.local, "hold", 4) == 0)
		return;
	if (o->accepted[ev->number])
		smtp_server_reply_rcpt(o->s, ev->number, 250, "2.1.5", "ok", &o->log);
	else
		smtp_server_reply_rcpt(o->s, ev->number, 550, "5.1.1", "nobody", &o->log);
}

static void
on_body(struct owner *o, struct slice data)
{
	buf_add_slice(&o->body, data);
	if (slice_find_slice(buf_slice(&o->body), SLICE("stop")) != o->body.len)
		smtp_server_refuse_body(o->s, 452, "4.3.1", "full");
}

static void
on_body_end(struct owner *o)
{
	bool reject = slice_find_slice(buf_slice(&o->body), SLICE("reject")) != o->body.len;
	size_t i = o->rcpts;

	note(o, "<body ", o->body.len > 0 ? buf_slice(&o->body) : SLICE(""));
	buf_add_str(o->notes, ">\n");
	buf_clear(&o->body);
	if (o->hold_final)
		return;
	if (!o->settings.lmtp) {
		smtp_server_reply(o->s, reject ? 554 : 250, reject ? "5.7.1" : "2.0.0", "done",
		                  &o->log);
		return;
	}
	/* backwards: the machine sorts */
	while (i-- > 0) {
		char which[32];

		snprintf(which, sizeof(which), "for %zu", i);
		if (o->accepted[i])
			smtp_server_reply_rcpt(o->s, i, reject ? 554 : 250,
			                       reject ? "5.7.1" : "2.0.0", which, &o->log);
	}
}

static void
on_sasl(struct owner *o, const struct smtp_event *ev)
{
	if (ev->kind == SMTP_SASL_START)
		buf_printf(o->notes, "<auth %s", ev->mech);
	else
		buf_add_str(o->notes, "<step");
	note(o, " ", ev->data);
	buf_add_str(o->notes, ">\n");
	if (ev->data.p == NULL)
		smtp_server_challenge(o->s, SLICE("who?"), &o->log);
	else if (slice_eq(ev->data, SLICE("\0fred\0pw")))
		smtp_server_logged_in(o->s, &o->log);
	else
		smtp_server_refused(
			o->s, slice_eq_str(ev->data, "later") ? SMTP_AUTH_TEMP : SMTP_AUTH_DENIED,
			&o->log);
	o->ended = smtp_server_is_over(o->s);
}

static void
on_xclient(struct owner *o, const struct smtp_xclient *x)
{
	buf_add_str(o->notes, "<for");
	note(o, " ", x->addr);
	if (x->port != 0)
		buf_printf(o->notes, ":%u", x->port);
	note(o, " name=", x->name);
	note(o, " helo=", x->helo);
	note(o, " login=", x->login);
	note(o, " session=", x->session);
	buf_printf(o->notes, "%s>\n", x->esmtp ? " esmtp" : "");
}

static void
on_event(struct owner *o, const struct smtp_event *ev)
{
	switch (ev->kind) {
	case SMTP_HELO:
		buf_printf(o->notes, "<helo %s>\n", smtp_server_get_helo(o->s));
		buf_clear(&o->body);
		return;
	case SMTP_STARTTLS:
		buf_add_str(o->notes, "<tls>\n");
		smtp_server_tls_done(o->s);
		return;
	case SMTP_XCLIENT:
		on_xclient(o, &ev->xclient);
		return;
	case SMTP_SASL_START:
	case SMTP_SASL_STEP:
		on_sasl(o, ev);
		return;
	case SMTP_SASL_CANCEL:
		buf_add_str(o->notes, "<cancel>\n");
		o->ended = smtp_server_is_over(o->s);
		return;
	case SMTP_MAIL:
		on_mail(o, &ev->mail);
		return;
	case SMTP_RCPT:
		on_rcpt(o, ev);
		return;
	case SMTP_DATA:
		buf_add_str(o->notes, "<data>\n");
		smtp_server_go_ahead(o->s, &o->log);
		return;
	case SMTP_BODY:
		on_body(o, ev->data);
		return;
	case SMTP_BODY_END:
		on_body_end(o);
		return;
	case SMTP_RESET:
		buf_add_str(o->notes, "<reset>\n");
		buf_clear(&o->body);
		return;
	case SMTP_QUIT:
		buf_add_str(o->notes, "<quit>\n");
		o->ended = true;
	}
}

/* Only while there are bytes, as a link does it. */
struct slice
owner_feed(struct owner *o, struct slice in)
{
	while (!o->ended && in.n > 0) {
		struct smtp_event ev;
		size_t used;
		int r = smtp_server_input(o->s, in, &used, &o->log, &ev);

		assert_true(used <= in.n);
		assert_true(r != 1 || used > 0);
		in = slice_skip(in, used);
		if (r == 0)
			return in;
		if (r == -1)
			o->ended = true;
		else
			on_event(o, &ev);
	}
	return o->ended ? SLICE("") : in;
}

void
owner_feed_cut(struct owner *o, struct slice in, size_t cut)
{
	struct slice rest = owner_feed(o, slice_sub(in, 0, cut));
	struct buf all = BUF_INIT(SIZE_MAX);

	buf_add_slice(&all, rest);
	buf_add_slice(&all, slice_skip(in, cut));
	(void)owner_feed(o, buf_slice(&all));
	buf_fini(&all);
}
