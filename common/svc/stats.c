/* stats - the supervisor's own metrics. */
#include "base/version.h"
#include "svc/svc_impl.h"

struct metric svc_metrics[SVC_M_COUNT] = {
	[SVC_M_BUILD] = METRIC_GAUGE("roost_build_info", "version=\"" ROOST_VERSION "\"",
	                             "1, and the version of the program."),
	[SVC_M_START_TIME] = METRIC_GAUGE("roost_start_time_seconds", NULL,
	                                  "When the supervisor started, since 1970."),
	[SVC_M_READY] = METRIC_GAUGE("roost_workers_ready", NULL, "Workers that serve."),
	[SVC_M_WORKER_STARTS] =
		METRIC_COUNTER("roost_child_starts_total", "kind=\"worker\"", "Processes started."),
	[SVC_M_AUTH_STARTS] =
		METRIC_COUNTER("roost_child_starts_total", "kind=\"auth\"", "Processes started."),
	[SVC_M_RELOADS_OK] = METRIC_COUNTER("roost_reloads_total", "result=\"ok\"",
	                                    "Settings read again by result."),
	[SVC_M_RELOADS_FAILED] = METRIC_COUNTER("roost_reloads_total", "result=\"failed\"",
	                                        "Settings read again by result."),
};
