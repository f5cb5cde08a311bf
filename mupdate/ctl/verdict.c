/*
 * The first that is true is the verdict: who cannot be asked comes before what they would
 * say, mailboxes before lists, since stores are the truth about mailboxes.
 */
#include "ctl/verdict.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct {
	const char *word;
	int exit;
} rows[] = {
#define X(name, code, word) [VERDICT_##name] = { word, code },
	VERDICTS(X)
#undef X
};

const char *
verdict_word(enum verdict_id id)
{
	return rows[id].word;
}

int
verdict_exit(enum verdict_id id)
{
	return rows[id].exit;
}

static void say(struct verdict *v, enum verdict_id id, const char *fmt, ...) PRINTF_LIKE(3, 4);
static void next(struct verdict *v, const char *fmt, ...) PRINTF_LIKE(2, 3);

static void
say(struct verdict *v, enum verdict_id id, const char *fmt, ...)
{
	va_list ap;

	v->id = id;
	*v->next = '\0';
	va_start(ap, fmt);
	vsnprintf(v->text, sizeof(v->text), fmt, ap);
	va_end(ap);
}

static void
next(struct verdict *v, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(v->next, sizeof(v->next), fmt, ap);
	va_end(ap);
}

struct look {
	const char *address, *home;
	enum account_is account;
	enum home_is home_is;
	const struct facts *f;
	const struct fact_list *master;
	const struct fact_store *having; /* the first store that has it active */
	const struct fact_store *other;  /* a second one, or one that was refused */
};

static void
look_around(struct look *l)
{
	const struct fact_store *s;
	unsigned pos = 0;

	l->master = facts_master(l->f);
	while ((s = facts_next_having(l->f, &pos)) != NULL)
		if (s->has == STORE_ACTIVE && l->having == NULL)
			l->having = s;
		else
			l->other = s;
}

/* ---- the account ------------------------------------------------------------------------ */

static bool
judge_account(const struct look *l, struct verdict *v)
{
	const struct fact_store *has = l->having != NULL ? l->having : l->other;

	switch (l->account) {
	case ACCOUNT_ACTIVE:
	case ACCOUNT_DISABLED:
		return false; /* later: where the mail is matters more */
	case ACCOUNT_AWAY:
		say(v, VERDICT_DIRECTORY_AWAY,
		    "The directory cannot be read, so nobody can log in and mail waits outside.");
		next(v, "Look at the setting `directory` and at the file it names.");
		return true;
	case ACCOUNT_INVALID:
		say(v, VERDICT_INVALID, "This can be no address of a user.");
		if (strchr(l->address, '/') != NULL)
			next(v, "For a mailbox: roostctl mailbox where %s", l->address);
		else if (strchr(l->address, '@') == NULL)
			next(v, "Write it with its domain, such as alice@example.org.");
		return true;
	case ACCOUNT_DOMAIN_UNKNOWN:
		say(v, VERDICT_DOMAIN_UNKNOWN,
		    "The domain is not one of ours: mail for it is refused for good.");
		next(v, "If it should be: roostctl domain add %s",
		     strchr(l->address, '@') != NULL ? strchr(l->address, '@') + 1 : "DOMAIN");
		return true;
	case ACCOUNT_UNKNOWN:
		break;
	}
	if (has == NULL) {
		say(v, VERDICT_NO_ACCOUNT,
		    "There is no such account: mail for it is refused for good.");
		next(v, "If there should be: roostctl user add %s", l->address);
		return true;
	}
	say(v, VERDICT_ORPHAN, "There is no such account, but %s holds mailboxes of that name.",
	    has->server);
	next(v,
	     "Give them an account again (roostctl user add %s --store %s), or remove them "
	     "(roostctl user delete %s).",
	     l->address, has->server, l->address);
	return true;
}

static bool
judge_disabled(const struct look *l, struct verdict *v)
{
	if (l->account != ACCOUNT_DISABLED)
		return false;
	say(v, VERDICT_DISABLED,
	    "The account is disabled: nobody can log in, and mail for it is refused.");
	next(v, "If it should not be: roostctl user enable %s", l->address);
	return true;
}

/* ---- the mailbox ------------------------------------------------------------------------- */

static bool
judge_conflict(const struct look *l, struct verdict *v)
{
	const char *good, *bad;

	if (l->other == NULL)
		return false;
	good = l->having != NULL ? l->having->server : "another store";
	bad = l->other->server;
	say(v, VERDICT_CONFLICT,
	    "Two stores say that they have this mailbox: %s serves it, %s was refused.", good, bad);
	next(v,
	     "Compare both; then delete the copy that is not wanted on %s, by its own tools. "
	     "Nothing is deleted by itself.",
	     bad);
	return true;
}

static bool
nobody_answers(const struct facts *f)
{
	for (unsigned i = 0; i < f->list_count; i++)
		if (f->lists[i].says != LIST_SILENT)
			return false;
	for (unsigned i = 0; i < f->store_count; i++)
		if (f->stores[i].has != STORE_SILENT)
			return false;
	return true;
}

static bool
judge_found(const struct look *l, const struct fact_list *list, struct verdict *v)
{
	const struct fact_store *s = facts_store(l->f, list->server);

	if (s == NULL)
		return false; /* on another host: judge_rest() says that it was not asked */
	if (s->has == STORE_SILENT) {
		say(v, VERDICT_STORE_AWAY,
		    "It is on %s, which does not answer: its users are told to come back later, and "
		    "mail for them waits outside.",
		    list->server);
		next(v, "Start %s; see its log, and roostctl status.", list->server);
		return true;
	}
	if (s->has == STORE_NONE) {
		say(v, VERDICT_LOST, "The list says that it is on %s, and %s does not have it%s%s.",
		    s->server, s->server, l->having != NULL ? "; it is on " : "",
		    l->having != NULL ? l->having->server : "");
		next(v, "roostctl reconcile --store %s", s->server);
		return true;
	}
	if (s->has == STORE_RESERVED) {
		say(v, VERDICT_PENDING, "%s is making or renaming it just now.", s->server);
		next(v, "If it stays like this: roostctl reconcile --store %s", s->server);
		return true;
	}
	return false;
}

static bool
judge_none(const struct look *l, struct verdict *v)
{
	const struct fact_store *home = facts_store(l->f, l->home);

	if (l->having != NULL && l->having->clustered) {
		say(v, VERDICT_UNTOLD, "%s has it, and the master does not know%s.",
		    l->having->server, l->having->connected ? "" : ": they are not connected");
		next(v,
		     l->having->connected ? "roostctl reconcile --store %s"
		                          : "Look why %s does not reach the master: its log, "
		                            "and roostctl status",
		     l->having->server);
		return true;
	}
	if (l->having != NULL)
		return false;
	if (home != NULL && home->has == STORE_SILENT) {
		say(v, VERDICT_STORE_AWAY,
		    "Nobody knows the mailbox, and its home %s does not "
		    "answer.",
		    home->server);
		next(v, "Start %s, then look again.", home->server);
		return true;
	}
	if (judge_disabled(l, v))
		return true;
	if (l->home_is != HOME_FOREIGN && *l->home != '\0') {
		say(v, VERDICT_NEW,
		    "The account has no mailboxes yet: %s makes them with the first login or the "
		    "first mail.",
		    l->home);
		if (home != NULL)
			next(v, "roostctl user add %s makes them now.", l->address);
		return true;
	}
	say(v, VERDICT_NO_MAILBOX, "The account has no mailboxes yet.");
	if (l->home_is == HOME_FOREIGN)
		next(v, "%s is a server of others: its own tools make them.", l->home);
	else
		next(v, "roostctl user add %s --store STORE makes them.", l->address);
	return true;
}

/* What the master says, or the best list there is without it. */
static const struct fact_list *
best_list(const struct look *l)
{
	if (l->master != NULL)
		return l->master;
	for (unsigned i = 0; i < l->f->list_count; i++)
		if (l->f->lists[i].says != LIST_SILENT && l->f->lists[i].says != LIST_BLIND)
			return &l->f->lists[i];
	for (unsigned i = 0; i < l->f->list_count; i++)
		if (l->f->lists[i].says != LIST_SILENT)
			return &l->f->lists[i];
	return NULL;
}

static bool
judge_place(const struct look *l, struct verdict *v)
{
	const struct fact_list *list = best_list(l);

	if (list == NULL)
		return l->having == NULL && judge_none(l, v);
	switch (list->says) {
	case LIST_FOUND:
		return judge_found(l, list, v);
	case LIST_RESERVED:
		say(v, VERDICT_PENDING, "%s is making or renaming it just now.", list->server);
		next(v, "If it stays like this: roostctl reconcile --store %s", list->server);
		return true;
	case LIST_BLIND:
		say(v, VERDICT_REBUILDING,
		    "The list of locations is not complete: until it is, what is not in it is "
		    "\"later\" and not \"unknown\".");
		next(v, "roostctl servers shows which stores have not told theirs yet.");
		return true;
	case LIST_NONE:
	case LIST_SILENT:
		break;
	}
	return judge_none(l, v);
}

/* ---- a home that is in no list ------------------------------------------------------------ */

/* What front ends never ask for, since the directory has decided. */
static const char *
hidden_on(const struct look *l)
{
	const struct fact_list *list = best_list(l);

	if (l->having != NULL)
		return l->having->server;
	if (l->other != NULL)
		return l->other->server;
	return list != NULL && list->says == LIST_FOUND ? list->server : NULL;
}

static bool
judge_unlisted(const struct look *l, struct verdict *v)
{
	const char *hidden = hidden_on(l);

	if (l->home_is != HOME_UNLISTED)
		return false;
	if (judge_disabled(l, v))
		return true;
	if (hidden != NULL) {
		say(v, VERDICT_HIDDEN,
		    "Mail for %s goes to %s, and what %s has for him nobody sees: %s is not in the "
		    "list of locations, and there the directory decides.",
		    l->address, l->home, hidden, l->home);
		next(v, "Copy to %s what is wanted of it, by IMAP; then delete it on %s.", l->home,
		     hidden);
		return true;
	}
	say(v, VERDICT_FINE_HERE,
	    "Mail for %s goes to %s, by the directory alone: that is a server of others, which is "
	    "not in the list of locations. It cannot be asked from here.",
	    l->address, l->home);
	return true;
}

/* ---- the lists of front ends -------------------------------------------------------------- */

static bool
judge_lists(const struct look *l, struct verdict *v)
{
	const struct fact_list *best = best_list(l);

	for (unsigned i = 0; best != NULL && i < l->f->list_count; i++) {
		const struct fact_list *x = &l->f->lists[i];

		if (x->says == LIST_SILENT ||
		    (x->says == best->says && strcmp(x->server, best->server) == 0))
			continue;
		say(v, VERDICT_BEHIND,
		    "The list of %s is behind (it is at revision %lld, %s at %lld): there, users "
		    "may be told to come back later.",
		    x->program != NULL ? program_text(x->program) : "a front end",
		    (long long)x->revision, l->master != NULL ? "the master" : "another",
		    (long long)best->revision);
		next(v,
		     "Look whether the replica there is connected: roostctl status on that host.");
		return true;
	}
	return false;
}

static void
judge_rest(const struct look *l, struct verdict *v)
{
	static const char *const not_asked[2][2] = {
		{ "", " The store cannot be asked from here." },
		{ " The master cannot be asked from here.",
		  " Neither master nor store can be asked from here." },
	};
	const char *server = facts_server(l->f);
	bool no_master = l->master == NULL && best_list(l) != NULL;
	bool no_store = server == NULL || facts_store(l->f, server) == NULL;

	if (judge_disabled(l, v))
		return;
	say(v, no_master || no_store ? VERDICT_FINE_HERE : VERDICT_FINE,
	    "Mail for %s goes to %s. Everybody who was asked agrees.%s", l->address,
	    server != NULL ? server : "its store", not_asked[no_master][no_store]);
	if (*l->home != '\0' && server != NULL && strcmp(l->home, server) != 0)
		next(v,
		     "The directory says %s for new mailboxes; the mailboxes are on %s, and that "
		     "is what counts.",
		     l->home, server);
}

void
verdict_find(const struct verdict_subject *s, const struct facts *f, struct verdict *v_r)
{
	struct look l = { .address = s->address,
		          .home = s->home,
		          .account = s->account,
		          .home_is = s->home_is,
		          .f = f };

	look_around(&l);
	if (judge_account(&l, v_r) || judge_unlisted(&l, v_r) || judge_conflict(&l, v_r))
		return;
	if (nobody_answers(f)) {
		bool any = f->list_count + f->store_count > 0;

		say(v_r, VERDICT_DARK, "None of the programs %s, so only the account is known.",
		    any ? "answers" : "is on this host");
		next(v_r, "%s",
		     any ? "Start them; see their logs, and roostctl status."
		         : "Run this on a host where they run, or give --config a folder with the "
		           "settings of several hosts.");
		return;
	}
	if (judge_place(&l, v_r) || judge_lists(&l, v_r))
		return;
	judge_rest(&l, v_r);
}
