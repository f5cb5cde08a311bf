/*
 * openness - would these networks make us an open relay? Who may relay by his address, or may
 * say whom he speaks for, is somebody the operator knows: private networks of any size, public
 * ones up to IPv4 /16 and IPv6 /32.
 */
#ifndef OPENNESS_H
#define OPENNESS_H

#include "base/err.h"
#include "base/must.h"
#include "conf/conf.h"

/* Of mynetworks and trusted_networks; open_relay_i_mean_it allows all. -1 with the operator's
 * sentence. */
int openness_check(const struct conf *c, struct err *err) MUST_CHECK;

#endif
