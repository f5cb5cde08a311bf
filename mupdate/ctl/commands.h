/*
 * commands - what there is; each function is one row of the table in commands.c.
 */
#ifndef CTL_COMMANDS_H
#define CTL_COMMANDS_H

#include "ctl/run.h"

command_fn cmd_status, cmd_who, cmd_servers, cmd_explain, cmd_reconcile, cmd_compare,
	cmd_config_check, cmd_help;
command_fn cmd_user_list, cmd_user_add, cmd_user_passwd, cmd_user_disable, cmd_user_enable,
	cmd_user_home, cmd_user_delete;
command_fn cmd_store_space, cmd_store_compact, cmd_store_check;
command_fn cmd_limits_list, cmd_limits_clear;
command_fn cmd_user_show, cmd_user_services;
command_fn cmd_move_user, cmd_move_status, cmd_move_undo, cmd_move_drop;
command_fn cmd_domain_list, cmd_domain_add, cmd_domain_delete, cmd_domain_services;
command_fn cmd_alias_list, cmd_alias_add, cmd_alias_delete, cmd_alias_show;
command_fn cmd_forward_list, cmd_forward_set, cmd_forward_show, cmd_forward_clear;
command_fn cmd_group_list, cmd_group_add, cmd_group_delete, cmd_group_join, cmd_group_leave;
command_fn cmd_sender_list, cmd_sender_add, cmd_sender_delete;
command_fn cmd_mailbox_quota_show, cmd_mailbox_quota_set, cmd_mailbox_quota_clear,
	cmd_mailbox_quota_list;
command_fn cmd_mailbox_list, cmd_mailbox_create, cmd_mailbox_delete, cmd_mailbox_rename,
	cmd_mailbox_where;
command_fn cmd_mailbox_acl_show, cmd_mailbox_acl_set, cmd_mailbox_acl_delete;

/* "imap,pop3" -> "imap pop3"; "all" -> "". EXIT_USAGE (and it was said) for other words. */
int services_of_word(struct run *r, const char *word, char *services_r, size_t room);

/* All commands, or one in full; from the table. */
void commands_print_help(struct buf *out);
void commands_print_command(const struct command *c, struct buf *out);
/* What the operands name: one command, those that begin with these words, or all. EXIT_USAGE
 * (and it was said) when there is none. */
int commands_help(struct run *r, struct buf *out);

void commands_print_man(struct buf *out);

/* What exit codes mean; ended by what == NULL. */
struct exit_line {
	const char *what, *text;
};
extern const struct exit_line exit_lines[];

#endif
