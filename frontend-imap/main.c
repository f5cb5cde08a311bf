/*
 * roost-imap - the IMAP and POP3 proxy of a cluster: log in, find the user's home, and let
 * that store do the rest. Holds no mail and no state that matters.
 */
#include "worker.h"

static const struct conf_def *const tables[] = { imap_conf_table, pop3_conf_table, NULL };

static const struct svc_listen_def listeners[] = {
	{ "imap_listen", "imap", "* BYE [LIMIT] Too many connections from your address\r\n" },
	{ "imaps_listen", "imaps", "" },
	{ "pop3_listen", "pop3", "-ERR [SYS/TEMP] Too many connections from your address\r\n" },
	{ "pop3s_listen", "pop3s", "" },
	{ .setting = NULL },
};

static const struct svc_program program = {
	.name = "roost-imap",
	.title = "IMAP and POP3 front end",
	.summary = "The IMAP and POP3 front end: clients log in here and are led to the store "
		   "that has their mail.",
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
	metrics_register(imap_metrics, IMAP_M_COUNT);
	metrics_register(pop3_metrics, POP3_M_COUNT);
	metrics_register(pop3_proxy_metrics, POP3_PROXY_M_COUNT);
	return svc_main(&program, argc, argv);
}
