/*
 * The table of commands. Parsing, help and the man page come from it.
 */
#include "ctl/commands.h"

#include "base/version.h"

#include <stdio.h>
#include <string.h>

#define HELP_WORDS 3 /* of the longest command */

const struct command commands[] = {
	{ "status", "", 0, 0, 0, "What runs, and how it is.",
	  "Asks every program that the settings name, or that has a control socket in run_dir.\n"
	  "Exit status 75 when one of them does not answer.",
	  "everything on this host: roostctl status\n"
	  "the cluster, for a script: roostctl --config /etc/roost.d --json status\n",
	  cmd_status },
	{ "who", "[USER]", 0, 1, 0, "Who is connected, and since when.",
	  "Sessions on front ends and stores. A user's session shows on both.",
	  "everybody: roostctl who\n"
	  "one user: roostctl who alice@example.org\n",
	  cmd_who },
	{ "limits list", "", 0, 0, 0, "Failed logins that are held against somebody.",
	  "What the front ends of this host have counted by themselves: addresses, users,\n"
	  "and users from where they are known; how often they failed, and for how long they\n"
	  "are kept out.",
	  "who is kept out now: roostctl limits list\n", cmd_limits_list },
	{ "limits clear", "ADDRESS|USER", 1, 1, 0, "Forget the failed logins of one.",
	  "An address is written as the list shows it, with its prefix where it has one. With Redis\n"
	  "it is forgotten there, too.",
	  "let them try again: roostctl limits clear 192.0.2.7\n"
	  "an account: roostctl limits clear alice@example.org\n",
	  cmd_limits_clear },
	{ "servers", "", 0, 0, 0, "The stores of the cluster.",
	  "Where each store of the settings speaks, how many names the location master has for\n"
	  "it, and whether it has told its whole list since the master's list was made. CONTROL:\n"
	  "whether the store itself answers; one on a host that is not asked is \"not here\".",
	  "all stores: roostctl servers\n", cmd_servers },
	{ "explain", "ADDRESS", 1, 1, 0, "Where a user is, and why.",
	  "Follows an address through the cluster: aliases and forwards, account, name of the\n"
	  "INBOX, what master, replicas and front ends believe, what the stores have; then a\n"
	  "verdict and what to do next. Changes nothing. Exit status 0: mail arrives; 1: it does not;\n"
	  "75: not now, or not everybody who matters could be asked.",
	  "why does her mail not arrive: roostctl explain alice@example.org\n"
	  "the same asking several hosts: roostctl --config /etc/roost.d explain alice\n",
	  cmd_explain },
	{ "reconcile", "", 0, 0, OPT(STORE) | OPT(FORCE) | OPT(COMPLETE) | OPT(DRY_RUN),
	  "Compare mailboxes with the list of the master.",
	  "Stores do this by themselves when they connect. It shows conflicts too: names that\n"
	  "two stores say they have. Nothing is deleted.\n"
	  "--dry-run: the stores tell what they would do to which name, and why, and do nothing.\n"
	  "--force (with --store): also when a store lacks so many names of the list that it\n"
	  "would rather ask a person; they are taken out of the list.\n"
	  "--complete STORE: a new master waits until every store has told what it has; this\n"
	  "says that this one (which is gone for good) has nothing to tell.",
	  "look first: roostctl reconcile --dry-run\n"
	  "now, all stores of this host: roostctl reconcile\n"
	  "a store was set up anew: roostctl reconcile --store store1 --force\n"
	  "a store is gone for good: roostctl reconcile --complete store9\n",
	  cmd_reconcile },
	{ "store space", "", 0, 0, OPT(STORE), "Disk of the stores of this host.",
	  "What is free, how many files the log has, how much of the full ones is needed (bodies of\n"
	  "messages, snapshots) and how much is dead, and what compaction does. Stores compact by\n"
	  "themselves (the settings compact, compact_dead, compact_rate).",
	  "all stores here: roostctl store space\n"
	  "one, for a script: roostctl --json store space --store store1\n",
	  cmd_store_space },
	{ "store compact", "", 0, 0, OPT(STORE) | OPT(DRY_RUN),
	  "Gives back the disk of what was deleted, now.",
	  "Every full log file that has a fifth to give is compacted once, also with less than\n"
	  "compact_dead, at the pace of compact_rate. The store begins and the command ends;\n"
	  "`store space` shows how far it is. Users notice nothing.\n"
	  "--dry-run: only shows what could be given back.",
	  "how much would it be: roostctl store compact --dry-run\n"
	  "one store: roostctl store compact --store store1\n",
	  cmd_store_compact },
	{ "store check", "", 0, 0, OPT(STORE), "Reads the log, and mends what is damaged.",
	  "Every full log file is read, at the pace of compact_rate, and compared with its checksums.\n"
	  "What was damaged and is needed is named in the store's log (engine.check_damaged); what it\n"
	  "said of mailboxes is written anew, since the index knows it, and bodies of messages cannot\n"
	  "be. The store begins and the command ends; `store space` shows what was found. Once a\n"
	  "month is a good habit: damage is mended only as long as the index is there.",
	  "all stores here: roostctl store check\n"
	  "one store: roostctl store check --store store1\n",
	  cmd_store_check },
	{ "compare", "", 0, 0, 0, "Do the lists of master and replicas agree?",
	  "Compares every replica that can be asked with the master (or, without one, with the\n"
	  "replica that knows most) by digests over ranges of names, and shows the first names\n"
	  "that differ. What differs is looked at twice, a second apart: a replica may be on its\n"
	  "way. Exit status 0: they agree; 1: they do not; 75: somebody does not answer.",
	  "all hosts of the cluster: roostctl --config /etc/roost.d compare\n", cmd_compare },
	{ "user list", "[DOMAIN]", 0, 1, 0, "Accounts of the directory.",
	  "Address, status, the store for new mailboxes, and the day it was made.",
	  "all: roostctl user list\none domain: roostctl user list example.org\n", cmd_user_list },
	{ "user add", "ADDRESS", 1, 1,
	  OPT(STORE) | OPT(PASSWORD_STDIN) | OPT(GENERATE) | OPT(DRY_RUN),
	  "A new account with its mailboxes.",
	  "Adds the account and has the store make INBOX and the usual folders. When the store\n"
	  "cannot do it, the account is taken back: all or nothing. An account whose mailboxes\n"
	  "are missing gets them by the same command. A store on another host makes them at the\n"
	  "first login or mail. Without an option for the password it is asked for on the\n"
	  "terminal.",
	  "with a typed password: roostctl user add alice@example.org --store store1\n"
	  "with a password made here: roostctl user add bob --store store2 --generate\n"
	  "by a script: pwgen | roostctl user add bob --store store2 --password-stdin\n",
	  cmd_user_add },
	{ "user passwd", "ADDRESS", 1, 1, OPT(PASSWORD_STDIN) | OPT(GENERATE) | OPT(DRY_RUN),
	  "A new password; the old one ends.", "Sessions that are there already go on.",
	  "typed: roostctl user passwd alice@example.org\n"
	  "made here: roostctl user passwd alice@example.org --generate\n",
	  cmd_user_passwd },
	{ "user disable", "ADDRESS", 1, 1, OPT(DRY_RUN), "No logins and no new mail.",
	  "The mailboxes stay as they are. Sessions that are there already go on.",
	  "lock an account: roostctl user disable alice@example.org\n", cmd_user_disable },
	{ "user enable", "ADDRESS", 1, 1, OPT(DRY_RUN), "Undoes `user disable`.", "",
	  "unlock it: roostctl user enable alice@example.org\n", cmd_user_enable },
	{ "user home", "ADDRESS STORE", 2, 2, OPT(DRY_RUN),
	  "Changes the store of a user of a server that is in no list.",
	  "To or from a [server] with listed = no (Dovecot): there the directory alone says who\n"
	  "its users are. Mail is not moved: copy it by IMAP, and keep the user away meanwhile.\n"
	  "Between stores of the list: roostctl move user.",
	  "his mail is at Dovecot from now on: roostctl user home alice@example.org dv1\n",
	  cmd_user_home },
	{ "user delete", "ADDRESS", 1, 1, OPT(FORCE) | OPT(DRY_RUN),
	  "Deletes mailboxes and account.",
	  "First the mailboxes on the store, then the account. When the store cannot be asked,\n"
	  "nothing is changed. --force goes on without stores that do not answer: the account\n"
	  "goes, mailboxes that could not be reached stay.",
	  "look first: roostctl user delete alice@example.org --dry-run\n"
	  "for good: roostctl user delete alice@example.org\n",
	  cmd_user_delete },
	{ "user show", "ADDRESS", 1, 1, 0, "All that the directory says of a user.",
	  "Status, home, what he may log in to, what leads to him, his forwards and groups.",
	  "one user: roostctl user show alice@example.org\n", cmd_user_show },
	{ "user services", "ADDRESS SERVICES", 2, 2, OPT(DRY_RUN), "What a user may log in to.",
	  "SERVICES are words with commas between: imap, pop3, smtp (submission); or all. What\n"
	  "the whole domain may not, he may not either. Mail to him arrives all the same.",
	  "no POP3: roostctl user services alice@example.org imap,smtp\n"
	  "everything: roostctl user services alice@example.org all\n",
	  cmd_user_services },
	{ "move user", "USER to STORE", 2, 3, OPT(KEEP) | OPT(DRY_RUN),
	  "Moves a user with all his mailboxes to another store.",
	  "Names, UIDs, flags, dates, ACLs, limits and subscriptions stay as they are. While it\n"
	  "runs the user is sent away and his mail is put off. To be run on the host of the\n"
	  "store that has him; the stores speak with each other (cluster_listen). Whatever is\n"
	  "killed meanwhile, the stores finish the move or undo it by themselves; the same\n"
	  "command joins a move that is under way.\n"
	  "--keep: the store that had him keeps its copy, hidden, until `move drop`.",
	  "look first: roostctl move user alice@example.org to store2 --dry-run\n"
	  "now: roostctl move user alice@example.org to store2\n",
	  cmd_move_user },
	{ "move status", "[USER]", 0, 1, 0, "Moves under way, and those that ended lately.",
	  "Asks all stores of the settings; each end of a move is a row.",
	  "all: roostctl move status\none user: roostctl move status alice\n", cmd_move_status },
	{ "move undo", "USER", 1, 1, 0, "Undoes a move that is not decided yet.",
	  "Once it is for the location master to decide, the stores follow it.",
	  "let him stay: roostctl move undo alice\n", cmd_move_undo },
	{ "move drop", "USER", 1, 1, 0, "Deletes the copy of a moved user that was kept.", "",
	  "after `move user --keep`: roostctl move drop alice\n", cmd_move_drop },
	{ "domain list", "", 0, 0, 0, "Domains of the directory.", "",
	  "all: roostctl domain list\n", cmd_domain_list },
	{ "domain add", "DOMAIN", 1, 1, OPT(ALIAS_OF) | OPT(DRY_RUN), "A new domain.",
	  "Mail for a domain that is not there is refused. `user add` adds missing ones by\n"
	  "itself. With --alias-of every address of DOMAIN is the same one of the other domain.",
	  "a domain: roostctl domain add example.net\n"
	  "another name of one: roostctl domain add example.com --alias-of example.net\n",
	  cmd_domain_add },
	{ "domain delete", "DOMAIN", 1, 1, OPT(DRY_RUN), "Deletes a domain that is empty.",
	  "While it has accounts, aliases or groups, or other names, nothing is changed.",
	  "a domain: roostctl domain delete example.com\n", cmd_domain_delete },
	{ "domain services", "DOMAIN SERVICES", 2, 2, OPT(DRY_RUN),
	  "What the users of a domain may log in to.", "As in `user services`.",
	  "no POP3 there: roostctl domain services example.net imap,smtp\n", cmd_domain_services },
	{ "alias list", "[DOMAIN]", 0, 1, 0, "Addresses that lead to others.", "",
	  "all: roostctl alias list\none domain: roostctl alias list example.net\n",
	  cmd_alias_list },
	{ "alias add", "ADDRESS TARGET...", 2, OPERANDS_MOST, OPT(DRY_RUN),
	  "An address that leads to others.",
	  "TARGETs may be users, other aliases, and addresses elsewhere (by the relay for\n"
	  "outgoing mail). An alias that is there gets them in addition. @DOMAIN is for all\n"
	  "addresses of the domain that are nothing else. A detail goes along: support+x leads to\n"
	  "alice+x. Circles are refused.",
	  "one person: roostctl alias add sales@example.org alice\n"
	  "several: roostctl alias add staff@example.org alice bob carol@elsewhere.example\n"
	  "the rest of a domain: roostctl alias add @example.net alice\n",
	  cmd_alias_add },
	{ "alias delete", "ADDRESS [TARGET]", 1, 2, OPT(DRY_RUN),
	  "Deletes an alias, or one target.", "",
	  "all of it: roostctl alias delete sales@example.org\n"
	  "one target: roostctl alias delete staff@example.org bob\n",
	  cmd_alias_delete },
	{ "alias show", "ADDRESS", 1, 1, 0, "Where an alias leads.",
	  "`explain` follows it to its ends.", "one: roostctl alias show staff@example.org\n",
	  cmd_alias_show },
	{ "forward list", "", 0, 0, 0, "Who forwards his mail, and where.", "",
	  "all: roostctl forward list\n", cmd_forward_list },
	{ "forward set", "USER TARGET...", 2, OPERANDS_MOST, OPT(KEEP) | OPT(DRY_RUN),
	  "Forwards a user's mail.", "Replaces what was set before. TARGETs as for `alias add`.",
	  "away: roostctl forward set alice alice@elsewhere.example\n"
	  "and keep a copy: roostctl forward set alice bob --keep\n",
	  cmd_forward_set },
	{ "forward show", "USER", 1, 1, 0, "Where a user's mail is forwarded.", "",
	  "one: roostctl forward show alice\n", cmd_forward_show },
	{ "forward clear", "USER", 1, 1, OPT(DRY_RUN), "The user gets his mail himself again.", "",
	  "no more: roostctl forward clear alice\n", cmd_forward_clear },
	{ "group list", "[GROUP]", 0, 1, 0, "Groups and their members.",
	  "Groups stand in ACLs of mailboxes as group:NAME.",
	  "all: roostctl group list\none: roostctl group list staff\n", cmd_group_list },
	{ "group add", "GROUP", 1, 1, OPT(DRY_RUN), "A new group.",
	  "It has a domain as users have; NAME alone is in the default domain.",
	  "a group: roostctl group add staff\n", cmd_group_add },
	{ "group delete", "GROUP", 1, 1, OPT(DRY_RUN), "Deletes a group.",
	  "ACLs that name it stay, and mean nobody.", "one: roostctl group delete staff\n",
	  cmd_group_delete },
	{ "group join", "GROUP USER", 2, 2, OPT(DRY_RUN), "A user becomes a member.",
	  "His next logins know it.", "one more: roostctl group join staff alice\n",
	  cmd_group_join },
	{ "group leave", "GROUP USER", 2, 2, OPT(DRY_RUN), "A user is no longer a member.",
	  "His next logins know it.", "one less: roostctl group leave staff alice\n",
	  cmd_group_leave },
	{ "sender list", "[USER]", 0, 1, 0, "Who may send as whom, besides his own addresses.", "",
	  "all: roostctl sender list\n", cmd_sender_list },
	{ "sender add", "USER SENDER", 2, 2, OPT(DRY_RUN), "A user may send as an address, too.",
	  "His own address, and aliases that lead to him alone, need nothing. SENDER may be\n"
	  "@DOMAIN, and need not be ours.",
	  "one: roostctl sender add alice info@example.org\n"
	  "a whole domain: roostctl sender add newsletter @example.net\n",
	  cmd_sender_add },
	{ "sender delete", "USER SENDER", 2, 2, OPT(DRY_RUN), "Undoes `sender add`.", "",
	  "one: roostctl sender delete alice info@example.org\n", cmd_sender_delete },
	{ "mailbox list", "[PREFIX]", 0, 1, OPT(STORE), "Mailboxes on the stores of this host.",
	  "PREFIX is the start of a canonical name, or an address.",
	  "one user's: roostctl mailbox list alice@example.org\n"
	  "one store's: roostctl mailbox list --store store1\n",
	  cmd_mailbox_list },
	{ "mailbox where", "MAILBOX", 1, 1, 0, "Who believes what of one mailbox.",
	  "What master, replicas and front ends have in their lists, and which stores have it.\n"
	  "MAILBOX as for `mailbox create`. Exit status 0: all who were asked agree; 1: they do\n"
	  "not, or there is none; 75: nobody who was asked knows.",
	  "a folder: roostctl mailbox where alice@example.org/Sent\n"
	  "a shared one, on all hosts: roostctl --config /etc/roost.d mailbox where lists.announce\n",
	  cmd_mailbox_where },
	{ "mailbox create", "MAILBOX", 1, 1, OPT(STORE) | OPT(PARENTS) | OPT(DRY_RUN),
	  "A new mailbox.",
	  "MAILBOX is a canonical name (user.alice.Sent, lists.announce, of another domain\n"
	  "example.net!lists.announce) or an address with a folder behind it. Without --store it\n"
	  "goes where the user, or the level above, is. It has the ACL of the level above; a\n"
	  "shared one without such may be read by anyone of its domain.",
	  "a folder: roostctl mailbox create alice@example.org/Projects\n"
	  "a shared one: roostctl mailbox create lists.announce --parents --store store1\n",
	  cmd_mailbox_create },
	{ "mailbox delete", "MAILBOX", 1, 1, OPT(TREE) | OPT(DRY_RUN), "Deletes a mailbox.",
	  "With its messages. --tree: and everything below it; an INBOX goes only so, with all\n"
	  "folders of its user (the account stays).",
	  "a folder: roostctl mailbox delete alice@example.org/Old\n"
	  "a tree: roostctl mailbox delete lists.old --tree\n",
	  cmd_mailbox_delete },
	{ "mailbox rename", "MAILBOX NEW-NAME", 2, 2, OPT(DRY_RUN), "Renames a mailbox.",
	  "With everything below it, on the same store.",
	  "a folder: roostctl mailbox rename alice@example.org/A alice@example.org/B\n",
	  cmd_mailbox_rename },
	{ "mailbox quota show", "MAILBOX", 1, 1, 0,
	  "How much may lie in a mailbox, and how much does.",
	  "Of the quota root that covers it: a user's INBOX for all of his mailboxes, or the\n"
	  "nearest shared mailbox that has limits. (cyradm: listquota, listquotaroot)",
	  "a user: roostctl mailbox quota show alice@example.org\n", cmd_mailbox_quota_show },
	{ "mailbox quota set", "MAILBOX", 1, 1, OPT(STORAGE) | OPT(MESSAGES) | OPT(DRY_RUN),
	  "Limits of its own for a user or a shared tree.",
	  "MAILBOX is an INBOX or a shared mailbox; the limits are for it and all below it. A\n"
	  "limit that is not named stays as it is. Nothing is deleted when more is there\n"
	  "already. (cyradm: setquota)",
	  "a user: roostctl mailbox quota set alice@example.org --storage 2G\n"
	  "a shared tree: roostctl mailbox quota set lists --storage 500M --messages 10000\n"
	  "no limit: roostctl mailbox quota set alice@example.org --messages none\n",
	  cmd_mailbox_quota_set },
	{ "mailbox quota clear", "MAILBOX", 1, 1, OPT(DRY_RUN), "No limits of its own any more.",
	  "A user's limits are those of the settings then (default_quota). (cyradm: setquota\n"
	  "none)",
	  "a user: roostctl mailbox quota clear alice@example.org\n", cmd_mailbox_quota_clear },
	{ "mailbox quota list", "[PREFIX]", 0, 1, OPT(STORE) | OPT(OVER),
	  "Quota roots on the stores of this host.",
	  "Every user, and shared mailboxes with limits. PREFIX is the start of a canonical\n"
	  "name, or an address.",
	  "who is nearly full: roostctl mailbox quota list --over 90%\n", cmd_mailbox_quota_list },
	{ "mailbox acl show", "MAILBOX", 1, 1, 0, "Who may do what with a mailbox.",
	  "Rights are the letters of RFC 4314. The owner of a mailbox keeps l, k, x and a.",
	  "a shared one: roostctl mailbox acl show lists.announce\n", cmd_mailbox_acl_show },
	{ "mailbox acl set", "MAILBOX IDENTIFIER RIGHTS", 3, 3, OPT(DRY_RUN),
	  "Gives somebody rights on a mailbox.",
	  "IDENTIFIER is a user, group:NAME, or anyone (of the mailbox's domain); with - in front\n"
	  "it is denied these rights. RIGHTS are letters of lrswipkxtea, or none, read (lrs), post\n"
	  "(lrsp), append (lrsip), write (lrswipkxte), delete (lrxte), all. With + or - in front\n"
	  "of the letters more, or less, than before. Words that begin with - go behind a --.",
	  "a reader: roostctl mailbox acl set lists.announce bob@example.org read\n"
	  "a group: roostctl mailbox acl set lists.announce group:staff +i\n"
	  "not he: roostctl mailbox acl set lists.announce -- -eve@example.org lr\n",
	  cmd_mailbox_acl_set },
	{ "mailbox acl delete", "MAILBOX IDENTIFIER", 2, 2, OPT(DRY_RUN),
	  "Takes somebody's entry out of a mailbox's ACL.", "",
	  "a reader: roostctl mailbox acl delete lists.announce bob@example.org\n",
	  cmd_mailbox_acl_delete },
	{ "config check", "", 0, 0, 0, "Are the settings right?",
	  "Every program judges its own sections (PROGRAM --check). Exit status 78 when one\n"
	  "would not start with them.",
	  "before a reload: roostctl config check\n", cmd_config_check },
	{ "help", "[COMMAND]", 0, HELP_WORDS, 0, "This list, or one command in full.", "",
	  "one command: roostctl help user add\n", cmd_help },
	{ .name = NULL },
};

const struct exit_line exit_lines[] = {
	{ "0", "Done." },
	{ "1", "No: it cannot be done, or the answer is bad news." },
	{ "64", "Wrong words on the command line." },
	{ "75", "Not now: somebody is away; try again." },
	{ "78", "Wrong settings." },
	{ NULL, NULL },
};

/* ---- help -------------------------------------------------------------------------------- */

static void
print_opts(unsigned set, struct buf *out)
{
	for (int i = 0; i < OPT_COUNT; i++) {
		const struct opt *o = &opts[i];
		char left[40], letter[8] = "    ";

		if ((set & (1u << i)) == 0)
			continue;
		if (o->letter != 0)
			snprintf(letter, sizeof(letter), "-%c, ", o->letter);
		snprintf(left, sizeof(left), "%s--%s%s%s", letter, o->name,
		         o->value != NULL ? " " : "", o->value != NULL ? o->value : "");
		buf_printf(out, "  %-24s  %s\n", left, o->help);
	}
}

/* Those whose names begin with these words; all when there are none. Returns how many. */
static unsigned
print_commands(const char *first, struct buf *out)
{
	size_t n = strlen(first);
	unsigned count = 0;

	for (const struct command *c = commands; c->name != NULL; c++) {
		char left[60];

		if (n > 0 && (strncmp(c->name, first, n) != 0 || c->name[n] != ' '))
			continue;
		snprintf(left, sizeof(left), "%s%s%s", c->name, *c->operands != '\0' ? " " : "",
		         c->operands);
		buf_printf(out, "  %-32s  %s\n", left, c->summary);
		count++;
	}
	return count;
}

static void
print_tail(struct buf *out)
{
	buf_add_str(out, "\nOptions:\n");
	print_opts(OPTS_GLOBAL, out);
	buf_add_str(out, "\n`roostctl help COMMAND` shows options and examples.\n");
}

void
commands_print_help(struct buf *out)
{
	buf_add_str(out,
	            "roostctl looks after a Roost cluster: it asks programs over their control "
	            "sockets, and\nkeeps the directory of users.\n\n"
	            "Usage: roostctl [OPTION]... COMMAND\n\nCommands:\n");
	print_commands("", out);
	print_tail(out);
	buf_add_str(out, "\nExit status:\n");
	for (const struct exit_line *e = exit_lines; e->what != NULL; e++)
		buf_printf(out, "  %-4s%s\n", e->what, e->text);
}

/* "what: command" lines, the commands in a column of their own. */
static void
print_examples(const char *examples, struct buf *out)
{
	struct slice rest = slice_of(examples);

	while (rest.n > 0) {
		struct slice line = slice_cut(&rest, '\n'), what;
		size_t at = slice_find_slice(line, SLICE(": "));

		what = slice_sub(line, 0, at);
		buf_printf(out, "  %.*s:\n      %.*s\n", SLICE_ARG(what),
		           SLICE_ARG(slice_skip(line, at + 2)));
	}
}

void
commands_print_command(const struct command *c, struct buf *out)
{
	buf_printf(out, "%s\n\nUsage: roostctl [OPTION]... %s%s%s\n", c->summary, c->name,
	           *c->operands != '\0' ? " " : "", c->operands);
	if (*c->text != '\0')
		buf_printf(out, "\n%s\n", c->text);
	buf_add_str(out, "\nExamples:\n");
	print_examples(c->examples, out);
	if (c->opts != 0) {
		buf_add_str(out, "\nOptions:\n");
		print_opts(c->opts, out);
	}
	buf_add_str(out, "\nOptions of all commands:\n");
	print_opts(OPTS_GLOBAL, out);
}

int
commands_help(struct run *r, struct buf *out)
{
	char name[80] = "";
	int used;
	const struct command *c;

	for (unsigned i = 0; i < r->args.count; i++)
		snprintf(name + strlen(name), sizeof(name) - strlen(name), "%s%s", i > 0 ? " " : "",
		         r->args.operands[i]);
	if (*name == '\0') {
		commands_print_help(out);
		return EXIT_DONE;
	}
	c = args_find(commands, (int)r->args.count, r->args.operands, &used);
	if (c != NULL && used == (int)r->args.count) {
		commands_print_command(c, out);
		return EXIT_DONE;
	}
	buf_add_str(out, "Commands:\n");
	if (print_commands(name, out) == 0)
		return run_fail(r, EXIT_USAGE, "there is no command %s; `roostctl help` lists them",
		                name);
	print_tail(out);
	return EXIT_DONE;
}

int
cmd_help(struct run *r)
{
	struct buf out = BUF_INIT(1 << 16);
	int code = commands_help(r, &out);

	if (code == EXIT_DONE)
		run_text(r, &out);
	buf_fini(&out);
	return code;
}
