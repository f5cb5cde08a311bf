/*
 * kerberos - what libkrb5, below the GSSAPI plug-in, is told in this process.
 *
 * It reads krb5.conf of the host (or KRB5_CONFIG: files in their order, the first one that says
 * something counts). A file of ours goes before them, since some of its customs do not fit a server:
 *
 *	dns_canonicalize_hostname	at each login, before it looks at the ticket, it asks the DNS
 *					for the name of this host. While the DNS is away, anybody
 *					could stop the process.
 *	ignore_acceptor_hostname	clients call a front end by its own name and by that of all:
 *					whatever key the keytab has for the service is ours.
 *	default_rcache_name		tickets that were shown are remembered in /var/tmp, where any
 *					user of the host could keep us from it.
 */
#ifndef SASL_KERBEROS_H
#define SASL_KERBEROS_H

#include "base/err.h"
#include "base/must.h"

/* Before the first login. dir: a folder where the file may be written. -1 with the operator's text:
 * the customs stay. */
int kerberos_configure(const char *dir, struct err *err) MUST_CHECK;

#endif
