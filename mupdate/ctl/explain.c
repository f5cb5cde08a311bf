/*
 * explain - the way of an address through the cluster: aliases and forwards, then for each user
 * at their ends account, name, lists, stores; then a verdict. `mailbox where` is its part about
 * one mailbox. Everything is asked, nothing is changed.
 */
#include "ctl/commands.h"
#include "ctl/mailboxes.h"
#include "ctl/verdict.h"
#include "directory/resolve.h"

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
	char why[512]; /* ACCOUNT_AWAY */
	enum home_is home_is;
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

static enum home_is
judge_home(const struct run *r, const char *home)
{
	if (run_server_is_unlisted(r, home))
		return HOME_UNLISTED;
	return run_server_is_foreign(r, home) ? HOME_FOREIGN : HOME_OURS;
}

static void
look_up(struct run *r, const char *word, struct subject *s)
{
	const char *domain = run_default_domain(r);
	char address[2 * DIRECTORY_NAME_MAX];
	struct mbox_user user;

	s->word = word;
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
	s->home_is = judge_home(r, s->row.home);
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
	run_say(r, "Directory:  %s is %s account, made on %s; home%s: %s.", s->full,
	        s->account == ACCOUNT_ACTIVE ? "an active" : "a DISABLED", day,
	        s->home_is == HOME_UNLISTED ? "" : " for new mailboxes",
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
		/* what part a silent location server has is not known */
		run_say(r, "%s    %s does not say: %s",
		        l->role == LIST_FRONT ? heads[LIST_FRONT] : "List:   ",
		        program_text(l->program), l->why);
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
say_facts(struct run *r, const struct facts *f)
{
	for (unsigned i = 0; i < f->list_count; i++)
		say_list(r, &f->lists[i]);
	for (unsigned i = 0; i < f->store_count; i++)
		say_store(r, &f->stores[i]);
}

/* ---- all of it ---------------------------------------------------------------------------------- */

static void
print_subject_json(struct json *to, const struct subject *s)
{
	static const char *const words[] = {
		[ACCOUNT_ACTIVE] = "active",   [ACCOUNT_DISABLED] = "disabled",
		[ACCOUNT_UNKNOWN] = "unknown", [ACCOUNT_DOMAIN_UNKNOWN] = "domain-unknown",
		[ACCOUNT_INVALID] = "invalid", [ACCOUNT_AWAY] = "away",
	};

	json_set_str(to, "asked", s->word);
	json_set_str(to, "address", *s->full != '\0' ? s->full : NULL);
	json_set_str(to, "user", *s->user != '\0' ? s->user : NULL);
	json_set_str(to, "detail", s->detail);
	json_set_str(to, "account", words[s->account]);
	json_set_str(to, "home", s->row.home);
	json_set_str(to, "mailbox", s->inbox.n > 0 ? s->inbox.s : NULL);
}

/* One user, or an address that is none; into the object `to`. */
static enum verdict_id
explain_one(struct run *r, const char *word, struct json *to)
{
	struct subject s = { .account = ACCOUNT_INVALID };
	static const struct facts nothing;
	struct facts *f = NULL;
	struct verdict v;

	look_up(r, word, &s);
	print_subject_json(to, &s);
	say_account(r, &s);
	if (s.inbox.n > 0) {
		f = facts_gather(r, s.inbox.s);
		facts_print_json(f, to);
		run_say(r, "Mailbox:    its INBOX is called %s in the cluster.", s.inbox.s);
		say_facts(r, f);
	}
	verdict_find(&(struct verdict_subject){ .address = *s.full != '\0' ? s.full : s.word,
	                                        .account = s.account,
	                                        .home = s.row.home,
	                                        .home_is = s.home_is },
	             f != NULL ? f : &nothing, &v);
	json_set_str(to, "verdict", verdict_word(v.id));
	json_set_str(to, "text", v.text);
	json_set_str(to, "next", *v.next != '\0' ? v.next : NULL);
	run_say(r, "Verdict:    %s", v.text);
	if (*v.next != '\0')
		run_say(r, "Next:       %s", v.next);
	facts_free(&f);
	return v.id;
}

/* ---- aliases and forwards ------------------------------------------------------------------------ */

/* Steps are told when there are more than one: an account alone has none. */
struct steps {
	struct run *run;
	struct json *array;
	unsigned count;
	struct buf text; /* lines */
};

static void
on_step(void *ctx, unsigned depth, const char *address, enum resolve_event event)
{
	struct steps *s = ctx;
	struct json *o = json_add_object(s->array);

	json_set_int(o, "depth", depth);
	json_set_str(o, "address", address);
	json_set_str(o, "text", resolve_event_text(event));
	buf_printf(&s->text, "%s%s%*s%s %s.", s->count > 0 ? "\n" : "",
	           s->count > 0 ? "            " : "Way:        ", (int)(2 * depth), "", address,
	           resolve_event_text(event));
	s->count++;
}

static void
say_lines(struct run *r, const struct buf *text)
{
	struct slice rest = buf_slice(text);

	while (rest.n > 0) {
		struct slice line = slice_cut(&rest, '\n');

		run_say(r, "%.*s", SLICE_ARG(line));
	}
}

/* Leads to nobody: the last word on the whole. */
static int
say_nowhere(struct run *r, const struct resolved *way)
{
	const char *word = "no-account", *text = "its aliases lead to nobody, so mail is refused";

	if (way->result == AUTH_TEMP) {
		word = "later";
		text = way->why;
	} else if (way->loop) {
		word = "loop";
		text = "its aliases and forwards run in a circle, so mail is refused";
	} else if (way->result == AUTH_DENIED) {
		word = "disabled";
		text = "it leads to disabled accounts only, so mail is refused";
	}
	json_set_str(r->result, "verdict", word);
	json_set_str(r->result, "text", text);
	run_say(r, "Verdict:    %s.", text);
	return way->result == AUTH_TEMP ? EXIT_TEMP : EXIT_NO;
}

/* The first verdict that is not fine is that of the whole. */
static int
explain_ends(struct run *r, const struct resolved *way)
{
	struct json *finals = json_set_array(r->result, "finals"),
		    *relays = json_set_array(r->result, "relays");
	enum verdict_id worst = VERDICT_FINE;
	char word[2 * DIRECTORY_NAME_MAX];

	for (size_t i = 0; i < way->final_count; i++) {
		enum verdict_id id;

		directory_full_name(way->finals[i].user, run_default_domain(r), word);
		run_say(r, "%s", "");
		run_say(r, "User:       %s%s%s", word,
		        *way->finals[i].detail != '\0' ? ", detail " : "", way->finals[i].detail);
		id = explain_one(r, word, json_add_object(finals));
		if (verdict_exit(worst) == EXIT_DONE)
			worst = id;
	}
	for (size_t i = 0; i < way->relay_count; i++) {
		json_add_str(relays, way->relays[i]);
		run_say(r, "%s", "");
		run_say(r, "Elsewhere:  %s, by the relay for outgoing mail.", way->relays[i]);
	}
	json_set_str(r->result, "verdict", verdict_word(worst));
	return verdict_exit(worst);
}

static int
explain_way(struct run *r, const struct resolved *way, const struct steps *s)
{
	say_lines(r, &s->text);
	json_set_str(r->result, "asked", r->args.operands[0]);
	return way->result == AUTH_OK ? explain_ends(r, way) : say_nowhere(r, way);
}

int
cmd_explain(struct run *r)
{
	struct steps steps = { .run = r, .text = BUF_INIT(1 << 20) };
	struct resolve_config c = { .trace = on_step, .trace_ctx = &steps };
	const char *word = r->args.operands[0];
	struct resolved way;
	int code = run_open_directory(r, DIRECTORY_READ);

	if (code != EXIT_DONE)
		return code;
	c.directory = r->directory;
	c.delimiter = conf_str(run_conf(r), "recipient_delimiter");
	c.postmaster = conf_str(run_conf(r), "postmaster");
	steps.array = json_set_array(r->result, "steps");
	resolve_address(&c, slice_of(word), &way);
	code = steps.count > 1 ? explain_way(r, &way, &steps)
	                       : verdict_exit(explain_one(r, word, r->result));
	resolved_fini(&way);
	buf_fini(&steps.text);
	return code;
}

/* ---- one mailbox ---------------------------------------------------------------------------------- */

/* Who answers and does not place it on server; NULL: nobody. */
static const char *
who_differs(const struct facts *f, const char *server)
{
	const struct fact_store *s = facts_store(f, server);

	for (unsigned i = 0; i < f->list_count; i++) {
		const struct fact_list *l = &f->lists[i];

		if (l->says != LIST_SILENT &&
		    (l->says != LIST_FOUND || strcmp(l->server, server) != 0))
			return program_text(l->program);
	}
	if (s != NULL && s->has != STORE_SILENT && s->has != STORE_ACTIVE)
		return s->server;
	for (unsigned i = 0; i < f->store_count; i++)
		if ((f->stores[i].has == STORE_ACTIVE || f->stores[i].has == STORE_CONFLICT) &&
		    strcmp(f->stores[i].server, server) != 0)
			return f->stores[i].server;
	return NULL;
}

static int
judge_mailbox(struct run *r, const struct facts *f)
{
	const char *server = facts_server(f), *other;

	json_set_str(r->result, "server", server);
	if (server == NULL && facts_is_nowhere(f))
		return run_fail(r, EXIT_NO, "there is no such mailbox");
	if (server == NULL)
		return run_fail(r, EXIT_TEMP, "nobody who can be asked from here knows");
	other = who_differs(f, server);
	if (other != NULL)
		return run_fail(r, EXIT_NO,
		                "%s says something else than the others; what stores and master "
		                "would do about it: roostctl reconcile --dry-run",
		                other);
	run_say(r, "Verdict:    It is on %s. Everybody who was asked agrees.", server);
	return EXIT_DONE;
}

int
cmd_mailbox_where(struct run *r)
{
	struct mbox_name name;
	struct facts *f;
	int code = mailboxes_parse(r, r->args.operands[0], &name);

	if (code != EXIT_DONE)
		return code;
	json_set_str(r->result, "mailbox", name.s);
	f = facts_gather(r, name.s);
	facts_print_json(f, r->result);
	say_facts(r, f);
	code = judge_mailbox(r, f);
	facts_free(&f);
	return code;
}
