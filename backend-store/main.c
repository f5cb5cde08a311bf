/*
 * roost-store - the back-end store: mail comes in by LMTP and is served by IMAP and POP3.
 */
#include "instance/instance.h"

static const struct conf_def *const tables[] = { instance_settings,
	                                         cluster_settings,
	                                         imap_conf_table,
	                                         lmtp_conf_table,
	                                         pop3_conf_table,
	                                         transfer_settings,
	                                         NULL };

static const struct svc_listen_def listeners[] = {
	{ "imap_listen", "imap" }, { "imaps_listen", "imaps" }, { "lmtp_listen", "lmtp" },
	{ "pop3_listen", "pop3" }, { "pop3s_listen", "pop3s" }, { "cluster_listen", "cluster" },
	{ .setting = NULL },
};

static const struct svc_program program = {
	.name = "roost-store",
	.title = "mail store",
	.summary = "The store: keeps the mail of its users, takes it in by LMTP and serves it by "
		   "IMAP and POP3, alone or as one of the stores of a cluster.",
	.flags = SVC_ONE_WORKER | SVC_AUTH,
	.tables = tables,
	.listeners = listeners,
	.check = instance_check,
	.start = instance_start,
	.reload = instance_reload,
	.drain = instance_drain,
	.stop = instance_stop,
};

int
main(int argc, char **argv)
{
	metrics_register(store_metrics, STORE_M_COUNT);
	metrics_register(cluster_metrics, CLUSTER_M_COUNT);
	metrics_register(transfer_metrics, TRANSFER_M_COUNT);
	metrics_register(imap_metrics, IMAP_M_COUNT);
	metrics_register(lmtp_metrics, LMTP_M_COUNT);
	metrics_register(pop3_metrics, POP3_M_COUNT);
	metrics_register(pop3_store_metrics, POP3_STORE_M_COUNT);
	return svc_main(&program, argc, argv);
}
