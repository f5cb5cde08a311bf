/*
 * commands - what there is; each function is one row of the table in commands.c.
 */
#ifndef CTL_COMMANDS_H
#define CTL_COMMANDS_H

#include "ctl/run.h"

command_fn cmd_status, cmd_who, cmd_servers, cmd_explain, cmd_reconcile, cmd_compare,
	cmd_config_check, cmd_help;
command_fn cmd_user_list, cmd_user_add, cmd_user_passwd, cmd_user_disable, cmd_user_enable,
	cmd_user_delete;
command_fn cmd_domain_list, cmd_domain_add;
command_fn cmd_mailbox_list, cmd_mailbox_create, cmd_mailbox_delete, cmd_mailbox_rename;

/* All commands, or one in full; from the table. */
void commands_print_help(struct buf *out);
void commands_print_command(const struct command *c, struct buf *out);

void commands_print_man(struct buf *out);

/* What exit codes mean; ended by what == NULL. */
struct exit_line {
	const char *what, *text;
};
extern const struct exit_line exit_lines[];

#endif
