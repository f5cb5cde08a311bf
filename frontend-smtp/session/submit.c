/*
 * What our users and mynetworks may send, and what is added to it (RFC 6409 sections 6 and 8).
 *
 * Whose mail may leave us decides session_may_relay(); who has logged in sends only as himself,
 * by the directory's word: the envelope sender, and with sender_check = from also every
 * address of the From field.
 */
#include "session/session_impl.h"

#include "base/clock.h"

enum { CHECK_NO, CHECK_ENVELOPE, CHECK_FROM }; /* words of sender_check */

static bool
checks(const struct smtp_session *s, int at_least)
{
	return *s->user != '\0' && conf_enum(s->proxy->c.conf, "sender_check") >= at_least;
}

/* ---- MAIL ------------------------------------------------------------------------------------------- */

static void
refuse_mail(struct smtp_session *s, enum auth_result result)
{
	struct buf *out = link_out(s->client);

	log_info(&s->log, "smtp.sender_refused from=%s result=%s", log_esc(s->mail.from.local),
	         auth_result_name(result));
	if (result == AUTH_TEMP)
		smtp_server_reply(s->core, 451, "4.3.0",
		                  "The sender cannot be looked up now, please come again", out);
	else
		smtp_server_reply(s->core, 553, "5.7.1", "You may not send as this address", out);
}

static void
on_may_send(void *ctx, uint64_t id, enum auth_result result)
{
	struct smtp_session *s = ctx;

	s->auth_id = 0;
	if (result == AUTH_OK)
		session_begin_transaction(s, &s->mail);
	else
		refuse_mail(s, result);
	arena_free(&s->arena);
	session_answered(s);
}

/* What a trusted front end before us has to say with it is kept over the wait. */
static void
keep_mail(struct smtp_session *s, const struct smtp_mail *mail)
{
	arena_free(&s->arena);
	s->arena = arena_new("smtp.mail");
	s->mail = *mail;
	if (mail->envid.p != NULL)
		s->mail.envid = arena_slice_dup(s->arena, mail->envid);
	if (mail->session.p != NULL)
		s->mail.session = arena_slice_dup(s->arena, mail->session);
	if (mail->addr.p != NULL)
		s->mail.addr = arena_slice_dup(s->arena, mail->addr);
}

void
session_submit_mail(struct smtp_session *s, const struct smtp_mail *mail)
{
	char from[ADDRESS_TEXT_SIZE];

	if (!checks(s, CHECK_ENVELOPE)) {
		session_begin_transaction(s, mail);
		return;
	}
	keep_mail(s, mail);
	s->auth_id = auth_may_send(s->proxy->c.auth, slice_of(s->user),
	                           slice_of(address_text(&mail->from, from)), on_may_send, s);
}

/* ---- the message -------------------------------------------------------------------------------------- */

/* The header as it goes out. */
static void
complete(struct smtp_session *s, struct slice header)
{
	struct buf out = BUF_INIT(SIZE_MAX);
	struct submitted sub = {
		.from = txn_get_sender(s->txn),
		.hostname = s->settings.hostname,
		.id = s->id,
		.wall_s = clock_wall_s(),
	};

	submitted_add(&out, header, &sub);
	txn_take_header(s->txn, &out, header.n);
}

/* False: the message is refused. */
static bool
read_header(struct smtp_session *s, struct slice *header_r)
{
	int r = txn_get_header(s->txn, header_r);

	if (r == 1 && !submitted_is_readable(*header_r))
		r = 0;
	if (r == 0)
		txn_refuse(s->txn, 552, "5.3.4", "The header of the message is too long");
	else if (r == -1)
		txn_refuse(s->txn, 451, "4.3.0", "The message cannot be read, please come again");
	return r == 1;
}

static void
go_on(struct smtp_session *s)
{
	struct slice header;

	arena_free(&s->arena);
	if (read_header(s, &header)) {
		complete(s, header);
		session_deliver(s);
	}
}

static void ask_next(struct smtp_session *s);

static void
on_may_be_from(void *ctx, uint64_t id, enum auth_result result)
{
	struct smtp_session *s = ctx;

	s->auth_id = 0;
	if (result == AUTH_OK)
		ask_next(s);
	else if (result == AUTH_TEMP)
		txn_refuse(s->txn, 451, "4.3.0",
		           "The From field cannot be looked up now, please come again");
	else
		txn_refuse(s->txn, 550, "5.7.1",
		           "You may not send as the address of the From field");
}

static void
ask_next(struct smtp_session *s)
{
	if (s->from_next == s->from_count) {
		go_on(s);
		return;
	}
	s->auth_id = auth_may_send(s->proxy->c.auth, slice_of(s->user),
	                           slice_of(s->froms[s->from_next++]), on_may_be_from, s);
}

static void
ask_froms(struct smtp_session *s, struct slice header)
{
	int n;

	arena_free(&s->arena);
	s->arena = arena_new("smtp.from");
	n = submitted_get_from(s->arena, header, s->froms);
	if (n == -1) {
		txn_refuse(s->txn, 550, "5.7.1", "There is no address of yours in the From field");
		return;
	}
	s->from_count = (size_t)n;
	s->from_next = 0;
	ask_next(s);
}

void
session_submit_message(struct smtp_session *s)
{
	struct slice header;

	if (!session_may_relay(s) || !txn_is_whole(s->txn)) {
		session_deliver(s);
	} else if (!checks(s, CHECK_FROM)) {
		go_on(s);
	} else if (read_header(s, &header)) {
		ask_froms(s, header);
	}
}
