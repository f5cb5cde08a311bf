/*
 * roost-mupdate - which store has which mailbox: the master of a cluster, or the replica of
 * a host with front ends. RFC 3656.
 */
#include "app.h"

static const struct conf_def *const tables[] = { app_settings, NULL };

static const struct svc_listen_def listeners[] = {
	{ "listen", "mupdate" },
	{ .setting = NULL },
};

static const struct svc_program program = {
	.name = "roost-mupdate",
	.title = "which store has which mailbox: master or replica",
	.summary = "The location server: knows which store has which mailbox. As a master it "
		   "decides; as a replica it keeps the list for the front ends of its host.",
	.flags = SVC_ONE_WORKER | SVC_AUTH,
	.tables = tables,
	.listeners = listeners,
	.check = app_check,
	.start = app_start,
	.reload = app_reload,
	.drain = app_drain,
	.stop = app_stop,
};

int
main(int argc, char **argv)
{
	metrics_register(mupdate_metrics, MUPDATE_M_COUNT);
	return svc_main(&program, argc, argv);
}
