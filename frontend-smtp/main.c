/*
 * roost-smtp - the SMTP, submission and LMTP front end of a cluster: asks the stores and the next
 * hop at RCPT, gives them the message, and answers what they answer. Holds no mail and no queue.
 */
#include "worker.h"

static const struct conf_def *const tables[] = { smtp_conf_table, NULL };

#define TOO_MANY "421 4.7.0 Too many connections from your address\r\n"

static const struct svc_listen_def listeners[] = {
	{ "mx_listen", "smtp", TOO_MANY },
	{ "lmtp_listen", "lmtp" }, /* an MTA of ours has as many as it likes */
	{ "submission_listen", "submission", TOO_MANY },
	{ "submissions_listen", "submissions", "" },
	{ .setting = NULL },
};

static const struct svc_program program = {
	.name = "roost-smtp",
	.title = "SMTP, submission and LMTP front end",
	.summary = "The SMTP and LMTP front end: takes mail from the Internet, from our users, or "
		   "from an MTA before it, and gives each recipient's copy to the store that has "
		   "his mailbox, or to the next hop. It keeps nothing: a message is accepted when "
		   "everyone it is for has it.",
	.flags = SVC_AUTH | SVC_LIMITS,
	.tables = tables,
	.listeners = listeners,
	.check = worker_check,
	.start = worker_start,
	.drain = worker_drain,
	.stop = worker_stop,
};

int
main(int argc, char **argv)
{
	metrics_register(smtp_metrics, SMTP_M_COUNT);
	metrics_register(pool_metrics, POOL_M_COUNT);
	return svc_main(&program, argc, argv);
}
