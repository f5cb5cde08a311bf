/*
 * log_syslog - the system log. Apart from log.c because <syslog.h> claims the same
 * LOG_ names for its macros.
 */
#ifndef LOG_LOG_SYSLOG_H
#define LOG_LOG_SYSLOG_H

#include "base/slice.h"

/* program is borrowed for ever. */
void log_syslog_open(const char *program);
/* level is an enum log_level. */
void log_syslog_write(int level, struct slice line);

#endif
