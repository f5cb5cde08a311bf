#include "imap/message_key.h"

#include "mail/address.h"
#include "mail/base_subject.h"
#include "mail/header.h"
#include "text/charset.h"
#include "text/fold.h"

#define DECODED_MAX (64 * 1024)

void
message_key_init(struct message_key *k)
{
	k->body = NULL;
	k->arena = arena_new("imap.key");
	buf_init(&k->decoded, DECODED_MAX);
	buf_init(&k->base, DECODED_MAX);
	buf_init(&k->text, SIZE_MAX);
}

void
message_key_fini(struct message_key *k)
{
	arena_free(&k->arena);
	buf_fini(&k->decoded);
	buf_fini(&k->base);
	buf_fini(&k->text);
}

void
message_key_start(struct message_key *k, struct fetch_body *body)
{
	k->body = body;
	arena_reset(k->arena);
}

int64_t
message_key_sent(struct message_key *k)
{
	const struct summary *sum;

	if (fetch_body_summary(k->body, &sum) == MBOX_OK && sum->has_date)
		return sum->date.utc_s;
	return k->body->msg.internal_date;
}

struct slice
message_key_field(struct message_key *k, const char *name)
{
	const struct summary *sum;
	struct header_field f;
	struct slice header;

	if (fetch_body_summary(k->body, &sum) != MBOX_OK)
		return SLICE("");
	header = sum->fields;
	if (!summary_keeps(sum, slice_of(name)) && fetch_body_header(k->body, &header) != MBOX_OK)
		return SLICE("");
	return header_find(header, name, &f) ? f.value : SLICE("");
}

static struct slice
collated(struct message_key *k, struct slice utf8)
{
	buf_clear(&k->text);
	fold_add_collated(&k->text, utf8);
	return buf_slice(&k->text);
}

static struct slice
decoded(struct message_key *k, struct slice value)
{
	buf_clear(&k->decoded);
	charset_decode_header(slice_sub(value, 0, DECODED_MAX / 4), &k->decoded);
	return buf_slice(&k->decoded);
}

struct slice
message_key_subject(struct message_key *k, bool *answer_r)
{
	struct slice subject = decoded(k, message_key_field(k, "Subject"));
	bool answer;

	buf_clear(&k->base);
	answer = base_subject_add(subject, &k->base);
	if (answer_r != NULL)
		*answer_r = answer;
	return collated(k, buf_slice(&k->base));
}

/* The first one, as ENVELOPE has it: a group is an address whose local part is its name. False:
 * there is none. */
static bool
first_address(struct message_key *k, const char *field, struct address_item *item_r)
{
	struct slice value = message_key_field(k, field);
	struct address_list list;

	address_list_parse(k->arena, value, 2, &list); /* a group wants room for its end */
	if (list.count == 0)
		return false;
	*item_r = list.items[0];
	return true;
}

struct slice
message_key_local(struct message_key *k, const char *field)
{
	struct address_item item;

	if (!first_address(k, field, &item))
		return SLICE("");
	return collated(k, item.kind == ADDRESS_MAILBOX ? item.local : item.name);
}

struct slice
message_key_display(struct message_key *k, const char *field)
{
	struct address_item item;
	struct slice name;

	if (!first_address(k, field, &item))
		return SLICE("");
	name = item.kind == ADDRESS_MAILBOX && item.name.p != NULL ? decoded(k, item.name)
	                                                           : SLICE("");
	if (name.n > 0)
		return collated(k, name);
	if (item.kind != ADDRESS_MAILBOX)
		return collated(k, item.name);
	buf_clear(&k->decoded);
	buf_add_slice(&k->decoded, item.local);
	if (item.domain.n > 0)
		buf_printf(&k->decoded, "@%.*s", SLICE_ARG(item.domain));
	return collated(k, buf_slice(&k->decoded));
}
