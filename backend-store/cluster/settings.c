#include "cluster/cluster.h"

#include <string.h>

const struct conf_def cluster_settings[] = {
	{ "cluster", CONF_ENUM, "none", .words = "none mupdate", .flags = CONF_RESTART,
	  .help = "none: this store is alone, every name is free. mupdate: a location master is "
	          "asked before mailboxes are made, renamed or deleted." },
	{ "master", CONF_ADDRESS, NULL, 3905, .flags = CONF_RESTART,
	  .help = "Where the location master listens." },
	{ "master_user", CONF_STRING, .flags = CONF_RESTART,
	  .help = "This store's identity at the master." },
	{ "master_password", CONF_STRING, .flags = CONF_SECRET | CONF_RESTART,
	  .help = "Its password there." },
	{ "master_tls", CONF_ENUM, "off", .words = "off starttls", .flags = CONF_RESTART,
	  .help = "starttls: the link to the master is encrypted and its certificate verified "
	          "(tls_ca)." },
	{ "master_tls_name", CONF_STRING, .flags = CONF_RESTART,
	  .help = "The name in the master's certificate. Needed with master_tls = starttls." },
	{ "cluster_id", CONF_STRING, "roost", .flags = CONF_RESTART,
	  .help = "Name of the cluster; must be the master's." },
	{ "partition", CONF_STRING, "default", .flags = CONF_RESTART,
	  .help = "The partition named in locations. Only Cyrus front ends look at it." },
	{ "master_keepalive", CONF_DURATION, "20s", 100, 600000, .flags = CONF_RESTART,
	  .help = "A quiet link to the master is tried so often." },
	{ "master_timeout", CONF_DURATION, "10s", 100, 600000, .flags = CONF_RESTART,
	  .help = "A master that is silent for so long is taken as gone; what was asked is "
	          "answered \"later\"." },
	{ "master_retry_min", CONF_DURATION, "200ms", 10, 600000, .flags = CONF_RESTART,
	  .help = "Connects again after this pause, doubled each time." },
	{ "master_retry_max", CONF_DURATION, "1s", 10, 3600000, .flags = CONF_RESTART,
	  .help = "The longest such pause." },
	{ "master_again", CONF_DURATION, "30s", 100, 3600000, .flags = CONF_RESTART,
	  .help = "When the master could not take a change, the lists are compared again after "
	          "this time." },
	{ "guard_names", CONF_INT, "100", 0, 1000000000, .flags = CONF_RESTART,
	  .help = "At most so many names that the master believes here, and this store knows "
	          "nothing about, are taken out of service without a person." },
	{ "guard_percent", CONF_INT, "5", 0, 100, .flags = CONF_RESTART,
	  .help = "And at most this part of the names the master believes here." },
	{ .name = NULL },
};

bool
cluster_is_wanted(const struct conf *c)
{
	return strcmp(conf_enum_text(c, "cluster"), "mupdate") == 0;
}

bool
cluster_wants_tls(const struct conf *c)
{
	return strcmp(conf_enum_text(c, "master_tls"), "starttls") == 0;
}

int
cluster_check(const struct conf *c, struct err *err)
{
	static const char *const texts[] = { "master_user", "master_password" };

	if (!cluster_is_wanted(c))
		return 0;
	if (conf_addr(c, "master") == NULL) {
		err_set(err, "cluster = mupdate needs master: its address");
		return -1;
	}
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		if (conf_str(c, texts[i]) != NULL)
			continue;
		err_set(err, "cluster = mupdate needs %s", texts[i]);
		return -1;
	}
	if (!cluster_wants_tls(c) || conf_str(c, "master_tls_name") != NULL)
		return 0;
	err_set(err, "master_tls = starttls needs master_tls_name");
	return -1;
}

void
cluster_config_fill(struct cluster_config *cfg, const struct conf *c)
{
	cfg->partition = conf_str(c, "partition");
	cfg->cluster_id = conf_str(c, "cluster_id");
	cfg->master = *conf_addr(c, "master");
	cfg->tls_name = conf_str(c, "master_tls_name");
	cfg->user = conf_str(c, "master_user");
	cfg->secret = conf_str(c, "master_password");
	cfg->keepalive_ms = conf_ms(c, "master_keepalive");
	cfg->answer_ms = conf_ms(c, "master_timeout");
	cfg->retry_min_ms = conf_ms(c, "master_retry_min");
	cfg->retry_max_ms = conf_ms(c, "master_retry_max");
	cfg->again_ms = conf_ms(c, "master_again");
	cfg->guard_names = conf_int(c, "guard_names");
	cfg->guard_percent = conf_int(c, "guard_percent");
}
