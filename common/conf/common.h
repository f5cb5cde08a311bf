/*
 * common - the settings every program knows: `[common]`, `[server NAME]` and
 * `[identity NAME]`. Only these may stand in `[common]`; each may also stand in a
 * program's or instance's section, where it wins.
 *
 *	run_dir		PATH	/run/roost: control sockets, pid files
 *	user		STRING	daemons started as root change to it; not set: stay
 *	log		STRING	stderr | syslog | a path
 *	log_level	ENUM	error warning info debug trace
 *	hostname	STRING	in greetings and Received:; default: the host's
 *	default_domain	STRING	of bare logins; its mailboxes have no domain prefix
 *	recipient_delimiter STRING  "+" between user and detail; "" for none
 *	directory	STRING	sqlite:/var/lib/roost/directory.db; postgresql://...; none
 *	directory_password STRING  of a database server (auth workers only)
 *	directory_timeout DURATION  a question to the database
 *	directory_cache, directory_cache_negative, directory_cache_stale DURATION
 *	directory_cache_entries INT
 *	postmaster	STRING	of domains that have none of their own
 *	cluster_secret	STRING	tokens between front ends and stores (auth workers only)
 *	trusted_networks NETWORKS  ID / XCLIENT / XROOST are taken from there
 *	plaintext_networks NETWORKS  clients there may log in without TLS
 *	tls_cert, tls_key, tls_ca  PATH
 *	location_dir	PATH	LMDB of this host's location replica
 *	location_socket	PATH	the replica's Unix socket (barriers)
 *	workers		INT	event loops (programs with more than one)
 *	auth_workers	INT
 *	auth_timeout	DURATION  an answer of an auth worker
 *	login_mechs	LIST	GSSAPI SCRAM-SHA-256 PLAIN LOGIN
 *	kerberos_keytab	PATH	GSSAPI: keys of this host's services (auth workers read it)
 *	kerberos_realms	LIST	GSSAPI: other realms whose principals are users
 *	login_failure_delay DURATION  before a failed login is answered
 *	limit_*		what one address, user, sender may (common/limit)
 *	unlimited_networks NETWORKS  not limited
 *	redis, redis_*	front ends count together (common/guard)
 *	drain_timeout	DURATION  sessions may go on that long after SIGTERM or a reload
 *	metrics		ADDRESSES  Prometheus text over HTTP
 *
 * [server NAME]: a store as front ends see it.
 *	kind		ENUM	roost imap (a foreign store)
 *	imap, pop3, lmtp  ADDRESS
 *	tls		ENUM	off starttls (verified by tls_ca and tls_name)
 *	tls_name	STRING	name in the certificate; default: NAME
 *	proxy_user, proxy_secret  STRING  kind = imap: PLAIN with authzid (auth workers only)
 *	listed		BOOL	kind = imap: it is in the list of locations
 *
 * [identity NAME]: who may speak to servers without being a mail user.
 *	password	STRING	plain, a crypt(3) hash, SCRAM keys (auth workers only); none: a
 *				Kerberos principal
 *	services	LIST	mupdate imap pop3 lmtp: where it may log in
 *	servers		LIST	mupdate: servers it may speak for; empty: any
 *	admin		BOOL	may act for any user (authzid), and administer
 */
#ifndef CONF_COMMON_H
#define CONF_COMMON_H

#include "conf/conf.h"

extern const struct conf_def conf_common_settings[];
extern const struct conf_kind conf_common_kinds[]; /* ended by kind == NULL */

/* The programs of the family; sections of others are checked by the others. */
extern const char *const conf_common_programs[]; /* NULL-terminated */

/* False with `directory = none`: the stores have accounts of their own. */
bool conf_common_has_directory(const struct conf *c);

/* The setting hostname, or the host's own name. Borrowed. */
const char *conf_common_hostname(const struct conf *c);

#endif
