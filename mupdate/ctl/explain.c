/*
 * explain - the way of an address through the cluster: account, name, lists, stores; then a
 * verdict. Everything is asked, nothing is changed.
 */
#include "ctl/commands.h"
#include "ctl/verdict.h"

#include "base/xalloc.h"
#include "mail/mbox_name.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

struct subject {
	const char *word; /* as it was asked */
	enum account_is account;
	struct directory_account row;
	char user[DIRECTORY_NAME_MAX + 1];
	char full[DIRECTORY_NAME_MAX + 1];
	char detail[DIRECTORY_NAME_MAX + 1];
	char why[512];          /* ACCOUNT_AWAY */
	struct mbox_name inbox; /* n 0: none is possible */
};

/* ---- the account -------------------------------------------------------------------------- */

/* "fred+list@example.org" -> "fred@example.org", "list" */
static bool
split_address(const struct run *r, const char *word, char *address, size_t room, char *detail,
              size_t detail_room)
{
	const char *delimiter = conf_str(run_conf(r), "recipient_delimiter");
	struct slice all = slice_of(word), local;
	size_t at = slice_find_last(all, '@'), cut;

	if (all.n >= room || all.n >= detail_room)
		return false;
	local = slice_sub(all, 0, at);
	cut = delimiter != NULL && *delimiter != '\0' ? slice_find(local, *delimiter) : local.n;
	snprintf(detail, detail_room, "%.*s", (int)(cut < local.n ? local.n - cut - 1 : 0),
	         cut < local.n ? local.p + cut + 1 : "");
	snprintf(address, room, "%.*s%s", (int)cut, local.p, word + at);
	return true;
}

static enum account_is
find_account(struct run *r, struct subject *s)
{
	const char *at = strchr(s->full, '@');
	struct err err = { "" };
	enum directory_result d = directory_get(r->directory, s->user, &s->row, &err);

	secret_wipe(s->row.hash, sizeof(s->row.hash));
	if (d == DIRECTORY_OK)
		return s->row.status == DIRECTORY_ACTIVE ? ACCOUNT_ACTIVE : ACCOUNT_DISABLED;
	if (d == DIRECTORY_UNKNOWN && at != NULL)
		d = directory_has_domain(r->directory, slice_of(at + 1), &err);
	if (d == DIRECTORY_OK || (d == DIRECTORY_UNKNOWN && at == NULL))
		return ACCOUNT_UNKNOWN;
	if (d == DIRECTORY_UNKNOWN)
		return ACCOUNT_DOMAIN_UNKNOWN;
	snprintf(s->why, sizeof(s->why), "%s", err.text);
	return ACCOUNT_AWAY;
}

static void
look_up(struct run *r, struct subject *s)
{
	const char *domain = run_default_domain(r);
	char address[2 * DIRECTORY_NAME_MAX];
	struct mbox_user user;

	s->word = r->args.operands[0];
	s->account = ACCOUNT_INVALID;
	if (!split_address(r, s->word, address, sizeof(address), s->detail, sizeof(s->detail)) ||
	    !directory_canon(slice_of(address), domain, s->user) ||
	    !mbox_user_from_login(slice_of(s->user), slice_of(domain), &user) ||
	    !mbox_name_of_user(mbox_user_slice(&user), slice_of(domain), &s->inbox)) {
		s->inbox.n = 0;
		return;
	}
	directory_full_name(s->user, domain, s->full);
	s->account = find_account(r, s);
}

static void
say_account(struct run *r, const struct subject *s)
{
	char day[32] = "an unknown day";
	time_t created = (time_t)s->row.created_s;
	struct tm tm;

	switch (s->account) {
	case ACCOUNT_INVALID:
		return;
	case ACCOUNT_AWAY:
		run_say(r, "Directory:  cannot be read: %s", s->why);
		return;
	case ACCOUNT_UNKNOWN:
		run_say(r, "Directory:  the domain is ours, and it has no account %s.", s->full);
		return;
	case ACCOUNT_DOMAIN_UNKNOWN:
		run_say(r, "Directory:  there is neither the account %s nor its domain.", s->full);
		return;
	case ACCOUNT_ACTIVE:
	case ACCOUNT_DISABLED:
		break;
	}
	if (localtime_r(&created, &tm) != NULL)
		strftime(day, sizeof(day), "%Y-%m-%d", &tm);
	run_say(r, "Directory:  %s is %s account, made on %s; home for new mailboxes: %s.", s->full,
	        s->account == ACCOUNT_ACTIVE ? "an active" : "a DISABLED", day,
	        *s->row.home != '\0' ? s->row.home : "none");
	if (*s->detail != '\0')
		run_say(r, "Detail:     mail is marked \"%s\".", s->detail);
}

/* ---- the lists and stores -------------------------------------------------------------------- */

static void
say_list(struct run *r, const struct fact_list *l)
{
	static const char *const heads[] = { "Master: ", "Replica:", "Front:  " };
	char age[TABLE_TEXT] = "";

	if (l->says == LIST_SILENT) {
		run_say(r, "List:       %s does not say: %s", program_text(l->program), l->why);
		return;
	}
	if (l->role != LIST_MASTER && l->complete)
		snprintf(age, sizeof(age), ", %.1f s old", (double)l->age_ms / 1000);
	run_say(r, "%s    %s says: %s%s%s%s (revision %lld%s%s).", heads[l->role],
	        program_text(l->program),
	        l->says == LIST_FOUND      ? "it is on "
	        : l->says == LIST_RESERVED ? "it is being made on "
	        : l->says == LIST_NONE     ? "there is none"
	                                   : "I do not know yet, my list is not complete",
	        l->server, *l->partition != '\0' ? ", partition " : "", l->partition,
	        (long long)l->revision, age, l->complete ? "" : ", list not complete");
}

static void
say_store(struct run *r, const struct fact_store *s)
{
	const char *link = !s->clustered  ? ""
	                   : s->connected ? ""
	                                  : " It has no link to the master.";

	switch (s->has) {
	case STORE_SILENT:
		run_say(r, "Store:      %s does not say: %s", s->server, s->why);
		break;
	case STORE_ACTIVE:
		run_say(r, "Store:      %s has it: %lld messages, UIDVALIDITY %lld, claim %lld.%s",
		        s->server, (long long)s->messages, (long long)s->uidvalidity,
		        (long long)s->claim, link);
		break;
	case STORE_RESERVED:
		run_say(r, "Store:      %s is making or renaming it.%s", s->server, link);
		break;
	case STORE_NONE:
		run_say(r, "Store:      %s does not have it.%s", s->server, link);
		break;
	case STORE_CONFLICT:
		run_say(r, "Store:      %s has a copy that the master refused; it is not served.%s",
		        s->server, link);
		break;
	}
}

static void
say_facts(struct run *r, const struct subject *s, const struct facts *f)
{
	run_say(r, "Mailbox:    its INBOX is called %s in the cluster.", s->inbox.s);
	for (unsigned i = 0; i < f->list_count; i++)
		say_list(r, &f->lists[i]);
	for (unsigned i = 0; i < f->store_count; i++)
		say_store(r, &f->stores[i]);
}

/* ---- all of it ---------------------------------------------------------------------------------- */

static void
print_subject_json(struct run *r, const struct subject *s)
{
	static const char *const words[] = {
		[ACCOUNT_ACTIVE] = "active",   [ACCOUNT_DISABLED] = "disabled",
		[ACCOUNT_UNKNOWN] = "unknown", [ACCOUNT_DOMAIN_UNKNOWN] = "domain-unknown",
		[ACCOUNT_INVALID] = "invalid", [ACCOUNT_AWAY] = "away",
	};

	json_set_str(r->result, "asked", s->word);
	json_set_str(r->result, "address", *s->full != '\0' ? s->full : NULL);
	json_set_str(r->result, "user", *s->user != '\0' ? s->user : NULL);
	json_set_str(r->result, "detail", s->detail);
	json_set_str(r->result, "account", words[s->account]);
	json_set_str(r->result, "home", s->row.home);
	json_set_str(r->result, "mailbox", s->inbox.n > 0 ? s->inbox.s : NULL);
}

int
cmd_explain(struct run *r)
{
	struct subject s = { .account = ACCOUNT_INVALID };
	static const struct facts nothing;
	struct facts *f = NULL;
	struct verdict v;
	int code = run_open_directory(r, DIRECTORY_READ);

	if (code != EXIT_DONE)
		return code;
	look_up(r, &s);
	print_subject_json(r, &s);
	say_account(r, &s);
	if (s.inbox.n > 0) {
		f = facts_gather(r, s.inbox.s);
		facts_print_json(f, r->result);
		say_facts(r, &s, f);
	}
	verdict_find(*s.full != '\0' ? s.full : s.word, s.account, s.row.home,
	             f != NULL ? f : &nothing, &v);
	json_set_str(r->result, "verdict", verdict_word(v.id));
	json_set_str(r->result, "text", v.text);
	json_set_str(r->result, "next", *v.next != '\0' ? v.next : NULL);
	run_say(r, "Verdict:    %s", v.text);
	if (*v.next != '\0')
		run_say(r, "Next:       %s", v.next);
	facts_free(&f);
	return verdict_exit(v.id);
}
