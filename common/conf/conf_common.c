/*
 * The tables of conf/common.h.
 */
#include "conf/common.h"

#include "base/must.h"

#include <string.h>
#include <unistd.h>

const char *const conf_common_programs[] = {
	"roost-mupdate", "roost-store", "roost-imap", "roost-smtp", "roostctl", NULL,
};

const struct conf_def conf_common_settings[] = {
	{ "run_dir", CONF_PATH, "/run/roost", .flags = CONF_RESTART,
	  .help = "Folder of control sockets and pid files." },
	{ "user", CONF_STRING, .flags = CONF_RESTART,
	  .help = "Daemons started as root become this user once their sockets are open. Not "
	          "set: they stay what they are." },
	{ "log", CONF_STRING, "stderr",
	  .help = "Where the log goes: stderr, syslog, or the path of a file." },
	{ "log_level", CONF_ENUM, "info", .words = "error warning info debug trace",
	  .help = "The least important lines that are still logged." },
	{ "hostname", CONF_STRING,
	  .help = "This host's name in greetings and Received headers. Not set: the name the "
	          "system has." },
	{ "default_domain", CONF_STRING, .flags = CONF_RESTART_IN_PLACE,
	  .help = "Domain of logins without one. Mailboxes of its users are named without the "
	          "domain; do not change it later." },
	{ "recipient_delimiter", CONF_STRING, "+",
	  .help = "Separates user and detail in addresses: fred+list@example.org. Empty: no "
	          "details." },
	{ "directory", CONF_STRING, "sqlite:/var/lib/roost/directory.db",
	  .help = "The database of domains and accounts: sqlite:/path, or "
	          "postgresql://user@host/database for several machines (off this host with TLS "
	          "verified by tls_ca, unless ?sslmode= says else). none, for a store: what front ends "
	          "say of users counts; for front ends: the stores have accounts of their own, and "
	          "roost-smtp takes mail for the mailboxes of the location list." },
	{ "directory_password", CONF_STRING,
	  .flags = CONF_SECRET | CONF_AUTH_ONLY | CONF_RESTART_IN_PLACE,
	  .help = "The database server's password for us. It may be in a file of libpq's instead: "
	          "postgresql://...?passfile=/path." },
	{ "directory_timeout", CONF_DURATION, "2s", 100, 60000, .flags = CONF_RESTART_IN_PLACE,
	  .help = "Connecting to the database, and each question to it, is given up after this time." },
	{ "directory_cache", CONF_DURATION, "5s", 0, 3600000, .flags = CONF_RESTART_IN_PLACE,
	  .help = "A database server is not asked again for a name within this time; changes are "
	          "seen that much later. An SQLite file is always asked." },
	{ "directory_cache_negative", CONF_DURATION, "2s", 0, 3600000,
	  .flags = CONF_RESTART_IN_PLACE, .help = "The same for names it does not know." },
	{ "directory_cache_stale", CONF_DURATION, "1h", 0, 604800000,
	  .flags = CONF_RESTART_IN_PLACE,
	  .help = "While the database is away, what it said within this time is still used; names "
	          "that were not asked for are \"later\"." },
	{ "directory_cache_entries", CONF_INT, "10000", 0, 1000000, .flags = CONF_RESTART_IN_PLACE,
	  .help = "Names each auth worker keeps in memory, with what is said of them; 0 for none." },
	{ "postmaster", CONF_STRING, .flags = CONF_RESTART_IN_PLACE,
	  .help = "The address that gets the mail for the postmaster of each domain that has no "
	          "postmaster of its own. Not set: postmaster of default_domain." },
	{ "cluster_secret", CONF_STRING, .flags = CONF_SECRET | CONF_AUTH_ONLY,
	  .help = "Shared by all front ends and stores: front ends show tokens made with it. At "
	          "least 16 bytes; openssl rand -hex 32 makes a good one." },
	{ "trusted_networks", CONF_NETWORKS, "127.0.0.0/8 ::1",
	  .help = "Front ends live there: client addresses and session ids are taken from them "
	          "(ID, XCLIENT, XROOST)." },
	{ "plaintext_networks", CONF_NETWORKS, "127.0.0.0/8 ::1",
	  .help = "Clients there may log in without TLS." },
	{ "tls_cert", CONF_PATH, .help = "PEM file with the certificate and its chain." },
	{ "tls_key", CONF_PATH, .help = "PEM file with the private key." },
	{ "tls_ca", CONF_PATH, .flags = CONF_RESTART_IN_PLACE,
	  .help = "PEM file with the authorities for the links between our programs. Not set: "
	          "the system's." },
	{ "location_dir", CONF_PATH, "/var/lib/roost/location", .flags = CONF_RESTART_IN_PLACE,
	  .help = "Folder of this host's location replica." },
	{ "location_socket", CONF_PATH, "/run/roost/location.sock", .flags = CONF_RESTART_IN_PLACE,
	  .help = "Unix socket of this host's location replica, for barriers." },
	{ "workers", CONF_INT, "2", 1, 256,
	  .help = "Processes that serve sessions; one for each core is a good number. Stores and "
	          "location servers always have one." },
	{ "auth_workers", CONF_INT, "2", 1, 64, .flags = CONF_RESTART_IN_PLACE,
	  .help = "Processes that check passwords and ask the directory." },
	{ "auth_timeout", CONF_DURATION, "10s", 100, 300000, .flags = CONF_RESTART_IN_PLACE,
	  .help = "An answer of an auth worker that takes longer counts as \"later\"." },
	{ "login_mechs", CONF_LIST, "GSSAPI SCRAM-SHA-256 PLAIN LOGIN",
	  .flags = CONF_RESTART_IN_PLACE, .words = "GSSAPI SCRAM-SHA-256 PLAIN LOGIN",
	  .help = "SASL mechanisms on offer where a login is allowed; GSSAPI with kerberos_keytab "
	          "only. Leave SCRAM-SHA-256 out when "
	          "accounts have crypt(3) hashes from elsewhere: clients prefer it, and it needs keys "
	          "that only passwords set here have. Stores and location servers always have PLAIN: "
	          "our own programs use it." },
	{ "kerberos_keytab", CONF_PATH, .flags = CONF_RESTART_IN_PLACE,
	  .help = "The keytab for logins by GSSAPI (Kerberos), with keys of imap/NAME, pop/NAME, "
	          "smtp/NAME, or mupdate/NAME at location servers, for each NAME by which clients "
	          "call this host. It is read at each login, by auth workers only, so user "
	          "must be able to. GSSAPI comes with the package libsasl2-modules-gssapi-mit. Not set: "
	          "it is not offered." },
	{ "kerberos_realms", CONF_LIST, .flags = CONF_RESTART_IN_PLACE,
	  .help = "A principal fred of the default realm of this host (krb5.conf) is the user fred "
	          "of default_domain, and fred@OTHER.NET of a realm named here is the user "
	          "fred@other.net. Other principals, and those with a / in their names, are no "
	          "users; any can be an [identity]." },
	{ "login_failure_delay", CONF_DURATION, "2s", 0, 60000, .flags = CONF_RESTART_IN_PLACE,
	  .help = "A failed login is answered after this time." },
	{ "limit_address_sessions", CONF_INT, "500", 0, 1000000, .flags = CONF_RESTART_IN_PLACE,
	  .help = "Front ends: sessions at once from one address; 0: any number." },
	{ "limit_user_sessions", CONF_INT, "100", 0, 1000000, .flags = CONF_RESTART_IN_PLACE,
	  .help = "Front ends: sessions at once of one user; 0: any number." },
	{ "limit_user_address_sessions", CONF_INT, "50", 0, 1000000, .flags = CONF_RESTART_IN_PLACE,
	  .help = "Front ends: sessions at once of one user from one address; 0: any number." },
	{ "limit_ipv4_prefix", CONF_INT, "32", 8, 32, .flags = CONF_RESTART_IN_PLACE,
	  .help = "For limits, IPv4 addresses that have so many first bits in common are one." },
	{ "limit_ipv6_prefix", CONF_INT, "64", 16, 128, .flags = CONF_RESTART_IN_PLACE,
	  .help = "The same of IPv6 addresses. A customer mostly has at least a /64." },
	{ "limit_address_failures", CONF_INT, "20", 1, 1000000, .flags = CONF_RESTART_IN_PLACE,
	  .help = "Failed logins from one address that have no consequence but "
	          "login_failure_delay. Each further one doubles the time for which nobody from "
	          "there may log in, but for users who have done so before." },
	{ "limit_account_failures", CONF_INT, "6", 1, 1000000, .flags = CONF_RESTART_IN_PLACE,
	  .help = "The same for one account, from wherever: known addresses of its user are let "
	          "in all the same. The same wrong password counts once." },
	{ "limit_block_max", CONF_DURATION, "15m", 1000, 86400000, .flags = CONF_RESTART_IN_PLACE,
	  .help = "The longest of these times." },
	{ "limit_failure_memory", CONF_DURATION, "1h", 1000, 604800000,
	  .flags = CONF_RESTART_IN_PLACE,
	  .help = "Failures are forgotten when there was none for so long." },
	{ "limit_known", CONF_DURATION, "30d", 0, 31536000000, .flags = CONF_RESTART_IN_PLACE,
	  .help = "An address is known for a user so long after his last login from there." },
	{ "limit_rate_period", CONF_DURATION, "1h", 1000, 86400000, .flags = CONF_RESTART_IN_PLACE,
	  .help = "The period of the next four; as many may come at once, then evenly." },
	{ "limit_client_messages", CONF_INT, "0", 0, 1000000, .flags = CONF_RESTART_IN_PLACE,
	  .help = "Messages from one address that is not logged in; 0: any number." },
	{ "limit_client_recipients", CONF_INT, "0", 0, 1000000, .flags = CONF_RESTART_IN_PLACE,
	  .help = "Recipients named by one address that is not logged in; 0: any number." },
	{ "limit_sender_messages", CONF_INT, "1000", 0, 1000000, .flags = CONF_RESTART_IN_PLACE,
	  .help = "Messages of one logged-in user; 0: any number." },
	{ "limit_sender_recipients", CONF_INT, "5000", 0, 1000000, .flags = CONF_RESTART_IN_PLACE,
	  .help = "Recipients named by one logged-in user; 0: any number." },
	{ "unlimited_networks", CONF_NETWORKS, "127.0.0.0/8 ::1", .flags = CONF_RESTART_IN_PLACE,
	  .help = "Clients there have none of these limits: webmail hosts, monitoring." },
	{ "redis", CONF_ADDRESS, NULL, 6379, .flags = CONF_RESTART_IN_PLACE,
	  .help = "A Redis server by which front ends count together. Not set, or away: each "
	          "program counts for itself." },
	{ "redis_user", CONF_STRING, .flags = CONF_RESTART_IN_PLACE,
	  .help = "Its ACL user. Not set: the default one." },
	{ "redis_password", CONF_STRING, .flags = CONF_SECRET | CONF_AUTH_ONLY,
	  .help = "Its password." },
	{ "redis_database", CONF_INT, "0", 0, 15, .flags = CONF_RESTART_IN_PLACE,
	  .help = "The number of the database there." },
	{ "redis_tls", CONF_BOOL, "no", .flags = CONF_RESTART_IN_PLACE,
	  .help = "It is spoken to inside TLS, and its certificate verified by tls_ca." },
	{ "redis_tls_name", CONF_STRING, .flags = CONF_RESTART_IN_PLACE,
	  .help = "The name in its certificate." },
	{ "drain_timeout", CONF_DURATION, "60s", 0, 86400000,
	  .help = "How long sessions may go on after SIGTERM, or with the old settings after "
	          "SIGHUP." },
	{ "metrics", CONF_ADDRESSES,
	  .help = "Addresses that serve Prometheus metrics by HTTP at /metrics." },
	{ NULL },
};

static const struct conf_def server_settings[] = {
	{ "kind", CONF_ENUM, "roost", .words = "roost imap",
	  .help = "roost: a roost-store of this cluster. imap: any other server, entered by "
	          "proxy_user." },
	{ "imap", CONF_ADDRESS, NULL, 143, .help = "Where it speaks IMAP." },
	{ "pop3", CONF_ADDRESS, NULL, 110, .help = "Where it speaks POP3." },
	{ "lmtp", CONF_ADDRESS, NULL, 24, .help = "Where it takes mail by LMTP." },
	{ "cluster", CONF_ADDRESS, NULL, 3906,
	  .help = "Where other stores speak with it, for moves of users: its cluster_listen." },
	{ "tls", CONF_ENUM, "off", .words = "off starttls",
	  .help = "starttls: links to it are encrypted, and its certificate is verified." },
	{ "tls_name", CONF_STRING,
	  .help = "The name in its certificate. Not set: the section's name." },
	{ "proxy_user", CONF_STRING, .flags = CONF_AUTH_ONLY,
	  .help = "kind = imap: logs in to its IMAP and POP3 for our users (SASL PLAIN with "
	          "authorisation). LMTP is spoken without a login." },
	{ "proxy_secret", CONF_STRING, .flags = CONF_SECRET | CONF_AUTH_ONLY,
	  .help = "Its password." },
	{ "listed", CONF_BOOL, "yes",
	  .help = "kind = imap: its mailboxes are in the list of locations, as those of a Cyrus "
	          "server under the same master. no (Dovecot): they never are, and its users are "
	          "those whose store it is in the directory." },
	{ NULL },
};

static const struct conf_def identity_settings[] = {
	{ "password", CONF_STRING, .flags = CONF_SECRET | CONF_AUTH_ONLY,
	  .help = "Its password: plain, as a crypt(3) hash, or as SCRAM-SHA-256 keys. A hash cannot "
	          "do SCRAM. An identity without one is the Kerberos principal of its name, and logs in "
	          "by GSSAPI: host/be1.example.org, or cyrus@OTHER.NET where that is not the default "
	          "realm." },
	{ "services", CONF_LIST, "mupdate",
	  .help = "Where it may log in: mupdate, imap, pop3, lmtp." },
	{ "servers", CONF_LIST,
	  .help = "Server names it may speak for at the location master. Not set: any." },
	{ "admin", CONF_BOOL, "no", .help = "It may act as any user, and administer." },
	{ NULL },
};

const struct conf_kind conf_common_kinds[] = {
	{ "server", server_settings, "a store, as front ends find it." },
	{ "identity", identity_settings, "a name that is no mail user and may log in." },
	{ NULL },
};

bool
conf_common_has_directory(const struct conf *c)
{
	return strcmp(conf_str(c, "directory"), "none") != 0;
}

const char *
conf_common_hostname(const struct conf *c)
{
	static char host[256];
	const char *set = conf_str(c, "hostname");

	if (set != NULL && *set != '\0')
		return set;
	if (gethostname(host, sizeof(host) - 1) == -1 || *host == '\0')
		return "localhost";
	return host;
}
