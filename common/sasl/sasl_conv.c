/*
 * A conversation is of one kind, chosen by its mechanism: Cyrus SASL's or ours.
 *
 * Cyrus SASL is a library of mechanisms only: it reads no settings (getopt answers for
 * every option), loads plug-ins from the system's folder alone, and asks our callback
 * about passwords and authorisation.
 *
 * PLAIN and LOGIN call the password check first and the authorisation later, in two callbacks;
 * ours is one question. So the first keeps what it was told, and the second asks. The
 * password is wiped as soon as it was asked about.
 *
 * GSSAPI knows no password; its plug-in calls the authorisation alone. It never talks to a KDC: a
 * ticket is opened with the keytab. What it has against one goes to the log callback, and what it
 * has against our side (no key for this service) shows before the first challenge.
 */
#include "sasl/sasl_conv.h"

#include "base/xalloc.h"
#include "sasl/scram_server.h"

#include <sasl/sasl.h>
#include <sasl/saslplug.h>

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum scram_state { SCRAM_BEGIN, SCRAM_FIRST, SCRAM_FINAL, SCRAM_PROVED };

struct sasl_conv {
	sasl_conn_t *conn;
	const struct sasl_conv_ops *ops;
	void *ctx;
	struct scram_server *scram; /* NULL: another mechanism */
	enum scram_state scram_state;
	struct buf challenge; /* SCRAM */
	sasl_callback_t callbacks[5];
	struct buf authcid, password; /* between the two callbacks */
	enum sasl_result verdict;     /* of check(); INVALID before it was asked */
	bool done;                    /* ended: no further step */
	bool is_login, has_name;      /* LOGIN, and its name has come */
	bool too_long;                /* name or password: nobody is asked */
	bool is_gssapi, challenged;   /* GSSAPI, and it has challenged */
	char reason[256];
};

static const char *global_keytab; /* NULL: no GSSAPI */

/*
 * Properties of users, of which there are none: passwords are asked by callback. But the
 * library looks an authzid that differs from the authcid up in a plug-in of this kind, and
 * without one it ends the login with SASL_NOMECH.
 */
static char auxprop_name[] = "roost";

static int
on_auxprop_lookup(void *ctx, sasl_server_params_t *params, unsigned flags, const char *user,
                  unsigned user_len)
{
	return SASL_OK;
}

static int
auxprop_init(const sasl_utils_t *utils, int version_max, int *version_r,
             sasl_auxprop_plug_t **plug_r, const char *name)
{
	static sasl_auxprop_plug_t plug = {
		.auxprop_lookup = on_auxprop_lookup,
		.name = auxprop_name,
	};

	if (version_max < SASL_AUXPROP_PLUG_VERSION)
		return SASL_BADVERS;
	*version_r = SASL_AUXPROP_PLUG_VERSION;
	*plug_r = &plug;
	return SASL_OK;
}

static int
on_getopt(void *ctx, const char *plugin, const char *option, const char **result, unsigned *len)
{
	const char *value = NULL;

	if (strcmp(option, "mech_list") == 0)
		value = SASL_CONV_MECHS;
	else if (strcmp(option, "keytab") == 0 && global_keytab != NULL)
		value = global_keytab;
	else if (strcmp(option, "auxprop_plugin") == 0)
		value = auxprop_name; /* and none of the host's */
	else if (strcmp(option, "pwcheck_method") == 0)
		value = "auxprop"; /* never asked: our callback comes first */
	else if (strcmp(option, "log_level") == 0)
		value = "0";
	else
		return SASL_FAIL;
	*result = value;
	if (len != NULL)
		*len = (unsigned)strlen(value);
	return SASL_OK;
}

/* No <service>.conf is read: its folder does not exist. */
static int
on_getconfpath(void *ctx, char **path)
{
	static char nowhere[] = "/nonexistent";

	*path = nowhere;
	return SASL_OK;
}

/* Of all that is in the system's folder only what we offer is loaded: the rest is code that nobody
 * asked for, beside the passwords. */
static int
on_verifyfile(void *ctx, const char *path, sasl_verify_type_t type)
{
	static const char *const wanted[] = { "libplain.", "liblogin.", "libgssapiv2." };
	const char *slash = strrchr(path, '/');
	struct slice name = slice_of(slash != NULL ? slash + 1 : path);
	size_t n = ARRAY_LEN(wanted) - (global_keytab == NULL);

	for (size_t i = 0; type == SASL_VRFY_PLUGIN && i < n; i++)
		if (slice_starts(name, slice_of(wanted[i])))
			return SASL_OK;
	return SASL_CONTINUE;
}

static int
on_log(void *ctx, int level, const char *message)
{
	return SASL_OK;
}

/* What the library has to say about a conversation; never a message of its (level PASS). */
static int
on_conv_log(void *ctx, int level, const char *message)
{
	struct sasl_conv *c = ctx;

	if (level >= SASL_LOG_ERR && level <= SASL_LOG_NOTE && message != NULL)
		snprintf(c->reason, sizeof(c->reason), "%s", message);
	return SASL_OK;
}

static int
on_checkpass(sasl_conn_t *conn, void *ctx, const char *user, const char *password,
             unsigned password_len, struct propctx *props)
{
	struct sasl_conv *c = ctx;

	buf_clear(&c->authcid);
	buf_add_str(&c->authcid, user);
	buf_wipe(&c->password);
	buf_init(&c->password, 4096);
	buf_add(&c->password, password, password_len);
	c->too_long = c->authcid.overflow || c->password.overflow;
	return c->too_long ? SASL_BADAUTH : SASL_OK;
}

static int
on_authorize(sasl_conn_t *conn, void *ctx, const char *authzid, unsigned authzid_len,
             const char *authcid, unsigned authcid_len, const char *realm, unsigned realm_len,
             struct propctx *props)
{
	struct sasl_conv *c = ctx;
	struct slice who = slice_make(authzid, authzid_len);

	if (c->is_gssapi) {
		c->verdict =
			c->ops->permit_principal(c->ctx, who, slice_make(authcid, authcid_len));
		return c->verdict == SASL_RESULT_OK ? SASL_OK : SASL_NOAUTHZ;
	}
	c->verdict = c->ops->check(c->ctx, who, buf_slice(&c->authcid), buf_slice(&c->password));
	buf_wipe(&c->password);
	buf_init(&c->password, 4096);
	return c->verdict == SASL_RESULT_OK ? SASL_OK : SASL_NOAUTHZ;
}

/* The library takes the user name for a Unix one and cuts or folds it; ours is whole
 * and folded by the directory. */
static int
on_canon(sasl_conn_t *conn, void *ctx, const char *in, unsigned in_len, unsigned flags,
         const char *realm, char *out, unsigned out_max, unsigned *out_len)
{
	if (in_len >= out_max)
		return SASL_BUFOVER;
	memcpy(out, in, in_len);
	out[in_len] = '\0';
	*out_len = in_len;
	return SASL_OK;
}

typedef int callback_fn(void);

static sasl_callback_t global_callbacks[] = {
	{ SASL_CB_GETOPT, (callback_fn *)(void *)on_getopt, NULL },
	{ SASL_CB_GETCONFPATH, (callback_fn *)(void *)on_getconfpath, NULL },
	{ SASL_CB_VERIFYFILE, (callback_fn *)(void *)on_verifyfile, NULL },
	{ SASL_CB_LOG, (callback_fn *)(void *)on_log, NULL },
	{ SASL_CB_LIST_END, NULL, NULL },
};

int
sasl_conv_global_open(const char *keytab, struct err *err)
{
	int r;

	global_keytab = keytab;
	r = sasl_server_init(global_callbacks, "roost");
	if (r == SASL_OK)
		r = sasl_auxprop_add_plugin(auxprop_name, auxprop_init);
	if (r == SASL_OK)
		return 0;
	err_set(err, "Cyrus SASL does not start: %s", sasl_errstring(r, NULL, NULL));
	return -1;
}

void
sasl_conv_global_close(void)
{
	sasl_server_done();
}

/* The plug-in looks at its access only, and says nothing that an operator could read. */
static bool
check_keytab(const char *path, struct err *err)
{
	FILE *f = fopen(path, "re");
	int version = -1;

	if (f == NULL) {
		err_set_errno(err, "kerberos_keytab: %.200s cannot be read", path);
		return false;
	}
	/* A file of keys, as MIT and Heimdal write it, begins with 5 and its version. */
	if (fgetc(f) == 5)
		version = fgetc(f);
	fclose(f);
	if (version == 1 || version == 2)
		return true;
	err_set(err, "kerberos_keytab: %.200s is no keytab, or an empty one", path);
	return false;
}

/* m is NULL before and behind the list. */
static void
on_plugin(server_sasl_mechanism_t *m, sasl_info_callback_stage_t stage, void *ctx)
{
	bool *found = ctx;

	*found = *found || m != NULL;
}

bool
sasl_conv_has_gssapi(struct err *err)
{
	bool found = false;

	if (global_keytab == NULL) {
		err_set(err, "kerberos_keytab is not set");
		return false;
	}
	if (!check_keytab(global_keytab, err))
		return false;
	(void)sasl_server_plugin_info(SASL_GSSAPI, on_plugin, &found);
	if (found)
		return true;
	err_set(err, "kerberos_keytab: Cyrus SASL has no GSSAPI here: install the package "
	             "libsasl2-modules-gssapi-mit, or take the setting away");
	return false;
}

/* As Kerberos names services: RFC 5034 for POP3, the others as we do. */
static const char *
kerberos_service(const char *service)
{
	return strcmp(service, "pop3") == 0 ? "pop" : service;
}

struct sasl_conv *
sasl_conv_new(const char *service, const char *hostname, bool tls, const struct sasl_conv_ops *ops,
              void *ctx, struct err *err)
{
	struct sasl_conv *c = xcalloc(1, sizeof(*c));
	sasl_security_properties_t props = { .max_ssf = 0 }; /* no security layers */
	sasl_ssf_t ssf = tls ? 128 : 0;
	int r;

	c->ops = ops;
	c->ctx = ctx;
	c->verdict = SASL_RESULT_INVALID;
	buf_init(&c->challenge, SCRAM_MESSAGE_MAX);
	buf_init(&c->authcid, 1024);
	buf_init(&c->password, 4096);
	c->callbacks[0] = (sasl_callback_t){ SASL_CB_SERVER_USERDB_CHECKPASS,
		                             (callback_fn *)(void *)on_checkpass, c };
	c->callbacks[1] =
		(sasl_callback_t){ SASL_CB_PROXY_POLICY, (callback_fn *)(void *)on_authorize, c };
	c->callbacks[2] =
		(sasl_callback_t){ SASL_CB_CANON_USER, (callback_fn *)(void *)on_canon, c };
	c->callbacks[3] = (sasl_callback_t){ SASL_CB_LOG, (callback_fn *)(void *)on_conv_log, c };
	c->callbacks[4] = (sasl_callback_t){ SASL_CB_LIST_END, NULL, NULL };
	r = sasl_server_new(kerberos_service(service), hostname, NULL, NULL, NULL, c->callbacks, 0,
	                    &c->conn);
	if (r == SASL_OK)
		r = sasl_setprop(c->conn, SASL_SEC_PROPS, &props);
	if (r == SASL_OK)
		r = sasl_setprop(c->conn, SASL_SSF_EXTERNAL, &ssf);
	if (r == SASL_OK)
		return c;
	err_set(err, "Cyrus SASL: %s", sasl_errstring(r, NULL, NULL));
	sasl_conv_free(&c);
	return NULL;
}

void
sasl_conv_free(struct sasl_conv **c)
{
	if (*c == NULL)
		return;
	if ((*c)->conn != NULL)
		sasl_dispose(&(*c)->conn);
	scram_server_free(&(*c)->scram);
	buf_fini(&(*c)->challenge);
	buf_fini(&(*c)->authcid);
	buf_wipe(&(*c)->password);
	free(*c);
	*c = NULL;
}

/* Our own verdict, when it came to that, is better than the library's code. */
static enum sasl_result
result_of(struct sasl_conv *c, int r, const char *out, unsigned out_len, struct slice *challenge_r)
{
	*challenge_r = slice_make(out != NULL ? out : "", out != NULL ? out_len : 0);
	if (r == SASL_CONTINUE) {
		c->challenged = c->challenged || out_len > 0;
		return SASL_RESULT_CONTINUE;
	}
	c->done = true;
	if (r != SASL_OK && c->reason[0] == '\0')
		snprintf(c->reason, sizeof(c->reason), "%s", sasl_errstring(r, NULL, NULL));
	if (c->verdict != SASL_RESULT_INVALID && (c->verdict != SASL_RESULT_OK || r == SASL_OK))
		return c->verdict;
	/* no key for this service, no plug-in: the client can do nothing about it */
	if (c->is_gssapi && !c->challenged && (r == SASL_FAIL || r == SASL_NOMECH) &&
	    global_keytab != NULL)
		return SASL_RESULT_TEMP;
	if (c->too_long)
		return SASL_RESULT_INVALID;
	switch (r) {
	case SASL_OK:
		return SASL_RESULT_DENIED; /* nobody asked us: never a yes */
	case SASL_NOMECH:
	case SASL_BADPROT:
	case SASL_BADPARAM:
	case SASL_TOOWEAK:
	case SASL_ENCRYPT:
		return SASL_RESULT_INVALID;
	case SASL_NOMEM:
	case SASL_UNAVAIL:
	case SASL_TRYAGAIN:
		return SASL_RESULT_TEMP;
	default:
		return SASL_RESULT_DENIED;
	}
}

/* ---- SCRAM --------------------------------------------------------------------------------- */

static enum sasl_result
scram_first(struct sasl_conv *c, struct slice message)
{
	struct scram_keys keys;
	enum sasl_result r;

	if (!scram_server_first(c->scram, message))
		return SASL_RESULT_INVALID;
	r = c->ops->keys(c->ctx, scram_server_authcid(c->scram), &keys);
	if (r != SASL_RESULT_OK)
		return r;
	scram_server_challenge(c->scram, &keys, &c->challenge);
	secret_wipe(&keys, sizeof(keys));
	c->scram_state = SCRAM_FINAL;
	return SASL_RESULT_CONTINUE;
}

static enum sasl_result
scram_final(struct sasl_conv *c, struct slice message)
{
	int proved = scram_server_final(c->scram, message, &c->challenge);
	enum sasl_result r;

	if (proved == -1)
		return SASL_RESULT_INVALID;
	if (proved == 0)
		return SASL_RESULT_DENIED;
	r = c->ops->permit(c->ctx, scram_server_authzid(c->scram), scram_server_authcid(c->scram));
	if (r != SASL_RESULT_OK)
		return r;
	c->scram_state = SCRAM_PROVED;
	return SASL_RESULT_CONTINUE;
}

/* message.p NULL: there was no initial response, and the first message is asked for. */
static enum sasl_result
scram_step(struct sasl_conv *c, struct slice message, struct slice *challenge_r)
{
	enum sasl_result r = SASL_RESULT_INVALID;

	buf_clear(&c->challenge);
	if (c->scram_state == SCRAM_BEGIN && message.p == NULL) {
		c->scram_state = SCRAM_FIRST;
		r = SASL_RESULT_CONTINUE;
	} else if (c->done) {
		snprintf(c->reason, sizeof(c->reason), "a message behind the end");
	} else if (c->scram_state == SCRAM_PROVED) {
		r = message.n == 0 ? SASL_RESULT_OK : SASL_RESULT_INVALID;
	} else if (c->scram_state == SCRAM_FINAL) {
		r = scram_final(c, message);
	} else {
		r = scram_first(c, message);
	}
	c->done = r != SASL_RESULT_CONTINUE;
	if (c->done)
		buf_clear(&c->challenge); /* our proof is for him alone who may come in */
	*challenge_r = c->challenge.len > 0 ? buf_slice(&c->challenge) : SLICE("");
	return r;
}

/* ---- all ----------------------------------------------------------------------------------- */

/* The library would start any mechanism it has; ours are those asked for. */
static bool
is_offered(const char *mech)
{
	if (global_keytab == NULL && slice_ieq_str(slice_of(mech), SASL_GSSAPI))
		return false;
	return slice_has_word(SLICE(SASL_CONV_MECHS), slice_of(mech));
}

/* The library's LOGIN takes what is before a NUL for the whole. */
static bool
can_be_message(const struct sasl_conv *c, struct slice s)
{
	return s.n <= INT_MAX && !(c->is_login && s.n > 0 && memchr(s.p, '\0', s.n) != NULL);
}

/* ... and loses the memory of a password whose name is empty. */
static bool
can_be_response(struct sasl_conv *c, struct slice s)
{
	bool is_no_name = c->is_login && !c->has_name && s.n == 0;

	c->has_name = true;
	return !is_no_name && can_be_message(c, s);
}

enum sasl_result
sasl_conv_start(struct sasl_conv *c, const char *mech, struct slice initial,
                struct slice *challenge_r)
{
	const char *out = NULL;
	unsigned out_len = 0;
	int r = SASL_NOMECH;

	if (is_offered(mech) && slice_ieq_str(slice_of(mech), SCRAM_MECH) && c->scram == NULL) {
		c->scram = scram_server_new();
		return scram_step(c, initial, challenge_r);
	}
	c->is_login = slice_ieq_str(slice_of(mech), "LOGIN");
	c->is_gssapi = slice_ieq_str(slice_of(mech), SASL_GSSAPI);
	c->has_name = initial.n > 0; /* an empty one is none there */
	if (!can_be_message(c, initial))
		r = SASL_BADPROT;
	else if (is_offered(mech))
		r = sasl_server_start(c->conn, mech, initial.p, (unsigned)initial.n, &out,
		                      &out_len);
	return result_of(c, r, out, out_len, challenge_r);
}

enum sasl_result
sasl_conv_step(struct sasl_conv *c, struct slice response, struct slice *challenge_r)
{
	const char *out = NULL;
	unsigned out_len = 0;
	int r = SASL_BADPROT;

	if (response.p == NULL)
		response = SLICE("");
	if (c->scram != NULL)
		return scram_step(c, response, challenge_r);
	if (!c->done && can_be_response(c, response))
		r = sasl_server_step(c->conn, response.p, (unsigned)response.n, &out, &out_len);
	return result_of(c, r, out, out_len, challenge_r);
}

const char *
sasl_conv_reason(const struct sasl_conv *c)
{
	return c->reason;
}
