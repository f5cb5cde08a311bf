/* log_syslog - see log_syslog.h. */
#include "log/log_syslog.h"

#include <syslog.h>

#include "base/must.h"

void
log_syslog_open(const char *program)
{
	openlog(program, LOG_PID, LOG_MAIL);
}

void
log_syslog_write(int level, struct slice line)
{
	/* in the order of enum log_level: error, warning, info, debug, trace */
	static const int priorities[] = { LOG_ERR, LOG_WARNING, LOG_INFO, LOG_DEBUG, LOG_DEBUG };

	must(level >= 0 && (size_t)level < ARRAY_LEN(priorities));
	syslog(priorities[level], "%.*s", SLICE_ARG(line));
}
