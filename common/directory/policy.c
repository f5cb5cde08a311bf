/*
 * Who may log in. Unknown users cost the time of a wrong password; a database that
 * cannot answer is "later" for everybody it might know.
 */
#include "directory/policy.h"

#include "base/clock.h"
#include "base/must.h"
#include "base/text.h"
#include "base/xalloc.h"
#include "directory/passwd.h"
#include "directory/secrets.h"
#include "directory/token.h"
#include "log/log.h"
#include "text/prep.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECRET_MIN 16
#define GRANT_LIFE_S (7 * 86400)

struct policy {
	const struct conf *conf;
	struct directory *directory;
	const char *default_domain;
	struct slice secret; /* n == 0: none */
	bool is_store;
	struct secrets *secrets;
};

struct policy *
policy_new(const struct conf *c, struct directory **d)
{
	struct policy *p = xcalloc(1, sizeof(*p));

	p->conf = c;
	p->directory = *d;
	*d = NULL;
	p->default_domain = conf_str(c, "default_domain");
	p->secret = slice_of(conf_str(c, "cluster_secret"));
	if (p->secret.n < SECRET_MIN)
		p->secret.n = 0;
	p->is_store = strcmp(conf_program(c), "roost-store") == 0;
	p->secrets = secrets_new(p->secret);
	return p;
}

void
policy_free(struct policy **p)
{
	if (*p == NULL)
		return;
	directory_close(&(*p)->directory);
	secrets_free(&(*p)->secrets);
	free(*p);
	*p = NULL;
}

static void
copy_str(char *to, size_t room, struct slice s)
{
	must(s.n < room);
	memcpy(to, s.p, s.n);
	to[s.n] = '\0';
}

/* A database that is away was logged when that began. */
static void
log_temp(const struct policy *p, const char *why)
{
	if (p->directory != NULL && directory_is_away(p->directory))
		log_debug(NULL, "directory.temp err=%s", log_esc(why));
	else
		log_error(NULL, "directory.temp err=%s", log_esc(why));
}

static enum auth_result
directory_answer(const struct policy *p, enum directory_result r, const struct err *err)
{
	if (r == DIRECTORY_OK)
		return AUTH_OK;
	if (r == DIRECTORY_UNKNOWN || r == DIRECTORY_INVALID)
		return AUTH_UNKNOWN;
	log_temp(p, err->text);
	return AUTH_TEMP;
}

static enum auth_result
get_account(struct policy *p, const char *user, struct directory_account *a_r)
{
	struct err err = { "there is none" };

	if (p->directory == NULL)
		return directory_answer(p, DIRECTORY_TEMP, &err);
	return directory_answer(p, directory_get(p->directory, user, a_r, &err), &err);
}

/* ---- logins ---------------------------------------------------------------------------------- */

static void
login_token(struct policy *p, const char *service, struct slice authzid, struct slice secret,
            struct policy_answer *a)
{
	const char *store = conf_instance(p->conf);
	struct token t;

	a->result = AUTH_DENIED;
	if (!p->is_store || p->secret.n == 0 || store == NULL ||
	    !token_verify(p->secret, TOKEN_STORE, secret, clock_wall_s(), &t))
		return;
	if (!slice_eq(t.user, authzid) || !slice_eq_str(t.service, service) ||
	    !slice_eq_str(t.store, store) || t.user.n > DIRECTORY_NAME_MAX ||
	    t.groups.n > DIRECTORY_GROUPS_MAX)
		return;
	copy_str(a->user, sizeof(a->user), t.user);
	snprintf(a->authcid, sizeof(a->authcid), "%s", TOKEN_PROXY_AUTHCID);
	a->proxied = true;
	a->claim = t.claim;
	copy_str(a->groups, sizeof(a->groups), t.groups);
	a->result = AUTH_OK;
}

/* This store, as the others call it. */
static const char *
own_name(const struct policy *p)
{
	const char *server = p->is_store ? conf_str(p->conf, "server") : NULL;

	return server != NULL ? server : conf_instance(p->conf);
}

/* Another store on the cluster port. */
static void
login_peer(struct policy *p, struct slice authcid, struct slice secret, struct policy_answer *a)
{
	struct token t;

	a->result = AUTH_DENIED;
	if (!p->is_store || p->secret.n == 0 || own_name(p) == NULL ||
	    !token_verify(p->secret, TOKEN_PEER, secret, clock_wall_s(), &t))
		return;
	if (!slice_eq(t.user, authcid) || !slice_eq_str(t.store, own_name(p)))
		return;
	copy_str(a->user, sizeof(a->user), t.user);
	copy_str(a->authcid, sizeof(a->authcid), t.user);
	a->proxied = true;
	a->claim = t.claim;
	a->result = AUTH_OK;
}

/* Its password, or its proof, was right. */
static void
permit_identity(struct policy *p, const struct conf *identity, const char *service,
                struct slice authzid, struct policy_answer *a)
{
	const char *name = conf_instance(identity);

	a->result = AUTH_DENIED;
	if (!conf_list_has(identity, "services", service))
		return;
	snprintf(a->authcid, sizeof(a->authcid), "%s", name);
	snprintf(a->user, sizeof(a->user), "%s", name);
	a->admin = conf_bool(identity, "admin");
	if (authzid.n > 0 && !slice_eq_str(authzid, name) &&
	    (!a->admin || !directory_canon(authzid, p->default_domain, a->user)))
		return;
	a->result = AUTH_OK;
}

static bool
permits(const char *services, const char *service)
{
	struct slice rest = slice_of(services);

	while (rest.n > 0)
		if (slice_eq_str(slice_cut(&rest, ' '), service))
			return true;
	return *services == '\0';
}

/* user_r is the account's name, which is another one in another name of its domain. */
static enum auth_result
find_account(struct policy *p, struct slice authcid, char user_r[DIRECTORY_NAME_MAX + 1],
             struct directory_account *account_r)
{
	enum auth_result r;

	if (!directory_canon(authcid, p->default_domain, user_r))
		return AUTH_UNKNOWN;
	r = get_account(p, user_r, account_r);
	if (r == AUTH_OK)
		snprintf(user_r, DIRECTORY_NAME_MAX + 1, "%s", account_r->user);
	return r;
}

/* Is this a name of the account, if in another name of its domain? OK, DENIED, TEMP. */
static enum auth_result
is_himself(struct policy *p, struct slice authzid, const char *user)
{
	char other[DIRECTORY_NAME_MAX + 1];
	struct directory_account account;
	enum auth_result r;

	if (!directory_canon(authzid, p->default_domain, other))
		return AUTH_DENIED;
	if (strcmp(other, user) == 0)
		return AUTH_OK;
	r = find_account(p, authzid, other, &account);
	secret_wipe(account.hash, sizeof(account.hash));
	if (r == AUTH_TEMP)
		return AUTH_TEMP;
	return r == AUTH_OK && strcmp(other, user) == 0 ? AUTH_OK : AUTH_DENIED;
}

/* The same for the account of a->user. */
static void
permit_account(struct policy *p, const struct directory_account *account, const char *service,
               struct slice authzid, struct policy_answer *a)
{
	a->result = AUTH_DENIED;
	if (account->status != DIRECTORY_ACTIVE || !permits(account->services, service) ||
	    !permits(account->domain_services, service))
		return;
	if (authzid.n > 0) {
		a->result = is_himself(p, authzid, a->user);
		if (a->result != AUTH_OK)
			return;
	}
	snprintf(a->authcid, sizeof(a->authcid), "%s", a->user);
	snprintf(a->groups, sizeof(a->groups), "%s", account->groups);
	a->result = AUTH_OK;
}

/* He may have a new password, and what is kept in memory the old one. */
static bool
is_right_now(struct policy *p, const char *user, struct directory_account *account,
             struct slice password)
{
	char was[sizeof(account->hash)];
	bool changed;

	if (!directory_refresh(p->directory, user))
		return false;
	memcpy(was, account->hash, sizeof(was));
	changed = get_account(p, user, account) == AUTH_OK && strcmp(was, account->hash) != 0;
	secret_wipe(was, sizeof(was));
	return changed && secrets_check(p->secrets, user, account->hash, password);
}

static void
login_account(struct policy *p, const char *service, struct slice authzid, struct slice authcid,
              struct slice password, struct policy_answer *a)
{
	struct directory_account account;
	bool right;

	a->result = find_account(p, authcid, a->user, &account);
	if (a->result == AUTH_UNKNOWN) {
		passwd_waste_time(password);
		a->result = AUTH_DENIED;
		a->user[0] = '\0';
	}
	if (a->result != AUTH_OK)
		return;
	right = secrets_check(p->secrets, a->user, account.hash, password) ||
	        is_right_now(p, a->user, &account, password);
	secret_wipe(account.hash, sizeof(account.hash));
	if (right)
		permit_account(p, &account, service, authzid, a);
	else
		a->result = AUTH_DENIED;
}

static void
add_grant(struct policy *p, const char *service, struct policy_answer *a)
{
	struct buf out = BUF_INIT(AUTH_GRANT_MAX - 1);
	struct token t = {
		.user = slice_of(a->user),
		.service = slice_of(service),
		.store = SLICE_INIT("*"),
		.groups = slice_of(a->groups),
		.expires_s = clock_wall_s() + GRANT_LIFE_S,
	};

	if (token_mint(p->secret, TOKEN_GRANT, &t, &out))
		copy_str(a->grant, sizeof(a->grant), buf_slice(&out));
	buf_wipe(&out);
}

/* The names of a login as they are used from here on. */
struct names {
	struct buf authzid, authcid;
	const struct conf *identity; /* NULL: an account's, or a front end's */
};

static bool
names_init(struct policy *p, struct names *n, struct slice authzid, struct slice authcid)
{
	buf_init(&n->authzid, DIRECTORY_NAME_MAX);
	buf_init(&n->authcid, DIRECTORY_NAME_MAX);
	n->identity = NULL;
	if (!prep_sasl(&n->authzid, authzid) || !prep_sasl(&n->authcid, authcid) ||
	    n->authcid.len == 0)
		return false;
	n->identity = conf_section(p->conf, "identity", buf_cstr(&n->authcid));
	return true;
}

static void
names_fini(struct names *n)
{
	buf_fini(&n->authzid);
	buf_fini(&n->authcid);
}

/* Where our programs speak with each other, and at the location master, there are none. */
static bool
has_accounts(const char *service)
{
	return strcmp(service, "mupdate") != 0 && strcmp(service, TOKEN_PEER_SERVICE) != 0;
}

static void
login_by_password(struct policy *p, const char *service, struct names *n, struct slice secret,
                  struct policy_answer *a)
{
	struct slice authzid = buf_slice(&n->authzid), authcid = buf_slice(&n->authcid);

	if (strcmp(service, TOKEN_PEER_SERVICE) == 0) {
		login_peer(p, authcid, secret, a);
		return;
	}
	if (slice_eq_str(authcid, TOKEN_PROXY_AUTHCID)) {
		login_token(p, service, authzid, secret, a);
		return;
	}
	if (n->identity == NULL && has_accounts(service))
		login_account(p, service, authzid, authcid, secret, a);
	else if (n->identity != NULL &&
	         secrets_check_setting(p->secrets, conf_instance(n->identity),
	                               conf_str(n->identity, "password"), secret))
		permit_identity(p, n->identity, service, authzid, a);
	if (a->result == AUTH_OK && p->secret.n > 0)
		add_grant(p, service, a);
}

static void
put_name(struct policy *p, struct slice name, char name_r[DIRECTORY_NAME_MAX + 1])
{
	size_t n = MIN(name.n, (size_t)DIRECTORY_NAME_MAX);

	if (directory_canon(name, p->default_domain, name_r))
		return;
	for (size_t i = 0; i < n; i++)
		name_r[i] = text_lower(name.p[i]);
	name_r[n] = '\0';
}

void
policy_name(struct policy *p, struct slice authcid, char name_r[DIRECTORY_NAME_MAX + 1])
{
	struct directory_account account;
	struct names n;

	name_r[0] = '\0';
	if (names_init(p, &n, SLICE(""), authcid) &&
	    (n.identity != NULL ||
	     find_account(p, buf_slice(&n.authcid), name_r, &account) != AUTH_OK))
		put_name(p, buf_slice(&n.authcid), name_r);
	secret_wipe(account.hash, sizeof(account.hash));
	names_fini(&n);
}

void
policy_login(struct policy *p, const char *service, struct slice authzid, struct slice authcid,
             struct slice secret, struct policy_answer *a_r)
{
	struct names n;

	memset(a_r, 0, sizeof(*a_r));
	a_r->result = AUTH_DENIED;
	if (names_init(p, &n, authzid, authcid))
		login_by_password(p, service, &n, secret, a_r);
	if (a_r->result == AUTH_DENIED) {
		/* an account's is its own, whatever name of its domain he said */
		if (n.identity != NULL || a_r->user[0] == '\0')
			put_name(p, buf_slice(&n.authcid), a_r->user);
		a_r->fingerprint = secrets_fingerprint(p->secrets, a_r->user, secret);
	}
	names_fini(&n);
}

enum auth_result
policy_scram_keys(struct policy *p, const char *service, struct slice authcid,
                  struct scram_keys *k_r)
{
	char user[DIRECTORY_NAME_MAX + 1] = "";
	struct directory_account account = { .hash = "" };
	enum auth_result r = AUTH_UNKNOWN;
	struct names n;
	bool real = false;

	if (!names_init(p, &n, SLICE(""), authcid)) {
		secrets_keys(p->secrets, "", "", k_r);
	} else if (n.identity != NULL) {
		real = secrets_setting_keys(p->secrets, conf_instance(n.identity),
		                            conf_str(n.identity, "password"), k_r);
	} else {
		if (has_accounts(service))
			r = find_account(p, buf_slice(&n.authcid), user, &account);
		real = secrets_keys(p->secrets, *user != '\0' ? user : buf_cstr(&n.authcid),
		                    r == AUTH_OK ? account.hash : "", k_r);
		secret_wipe(account.hash, sizeof(account.hash));
	}
	if (!real)
		log_debug(NULL, "auth.scram user=%s has no keys", log_esc(buf_cstr(&n.authcid)));
	names_fini(&n);
	return r == AUTH_TEMP ? AUTH_TEMP : AUTH_OK;
}

/* Who has proved that he is n->authcid. */
static void
permit_names(struct policy *p, const char *service, struct names *n, struct policy_answer *a)
{
	struct directory_account account;

	if (n->identity != NULL && strcmp(service, TOKEN_PEER_SERVICE) != 0) {
		permit_identity(p, n->identity, service, buf_slice(&n->authzid), a);
	} else if (n->identity == NULL && has_accounts(service)) {
		a->result = find_account(p, buf_slice(&n->authcid), a->user, &account);
		if (a->result == AUTH_OK)
			permit_account(p, &account, service, buf_slice(&n->authzid), a);
		else if (a->result == AUTH_UNKNOWN)
			a->result = AUTH_DENIED;
		secret_wipe(account.hash, sizeof(account.hash));
	}
	if (a->result == AUTH_OK && p->secret.n > 0)
		add_grant(p, service, a);
}

void
policy_permit(struct policy *p, const char *service, struct slice authzid, struct slice authcid,
              struct policy_answer *a_r)
{
	struct names n;

	memset(a_r, 0, sizeof(*a_r));
	a_r->result = AUTH_DENIED;
	if (names_init(p, &n, authzid, authcid))
		permit_names(p, service, &n, a_r);
	names_fini(&n);
}

/* A realm answers for its own users only: what another one calls "fred" is nobody here, unless
 * the settings trust it with a domain. Behind "\" stands what a principal may have and a user may
 * not. */
static bool
is_user_principal(struct policy *p, struct slice principal)
{
	size_t at = slice_find(principal, '@');
	char realm[DIRECTORY_NAME_MAX + 1];

	if (slice_find(principal, '/') < principal.n || slice_find(principal, '\\') < principal.n)
		return false;
	if (at == principal.n)
		return true;
	copy_str(realm, sizeof(realm), slice_skip(principal, at + 1));
	return conf_list_has(p->conf, "kerberos_realms", realm);
}

void
policy_permit_principal(struct policy *p, const char *service, struct slice authzid,
                        struct slice principal, struct policy_answer *a_r)
{
	struct names n;

	memset(a_r, 0, sizeof(*a_r));
	a_r->result = AUTH_DENIED;
	/* to Kerberos, names that SASLprep makes equal are two principals; and whoever may name
	 * principals is not to take over identities that were made for passwords */
	if (names_init(p, &n, authzid, principal) && slice_eq(buf_slice(&n.authcid), principal) &&
	    (n.identity != NULL ? conf_str(n.identity, "password") == NULL
	                        : is_user_principal(p, principal)))
		permit_names(p, service, &n, a_r);
	names_fini(&n);
}

/* ---- credentials -------------------------------------------------------------------------------- */

static enum auth_result
foreign_credentials(const struct conf *server, struct policy_credentials *c)
{
	const char *user = conf_str(server, "proxy_user"),
		   *secret = conf_str(server, "proxy_secret");

	if (user == NULL || secret == NULL || strlen(user) >= sizeof(c->authcid) ||
	    strlen(secret) >= sizeof(c->secret)) {
		log_error(NULL,
		          "auth.credentials store=%s err=\"proxy_user or proxy_secret is "
		          "missing in the settings\"",
		          conf_instance(server));
		return AUTH_TEMP;
	}
	snprintf(c->authcid, sizeof(c->authcid), "%s", user);
	snprintf(c->secret, sizeof(c->secret), "%s", secret);
	return AUTH_OK;
}

static enum auth_result
roost_credentials(struct policy *p, const char *service, const char *store, uint64_t claim,
                  struct slice groups, struct policy_credentials *c)
{
	struct buf out = BUF_INIT(POLICY_SECRET_MAX - 1);
	struct token t = {
		.user = slice_of(c->user),
		.service = slice_of(service),
		.store = slice_of(store),
		.claim = claim,
		.expires_s = clock_wall_s() + TOKEN_LIFE_S,
		.groups = groups,
	};
	bool ok = token_mint(p->secret, TOKEN_STORE, &t, &out);

	if (ok)
		copy_str(c->secret, sizeof(c->secret), buf_slice(&out));
	snprintf(c->authcid, sizeof(c->authcid), "%s", TOKEN_PROXY_AUTHCID);
	buf_wipe(&out);
	return ok ? AUTH_OK : AUTH_DENIED;
}

/* What this store shows to another one. */
static enum auth_result
peer_credentials(struct policy *p, const char *store, uint64_t nonce, struct policy_credentials *c)
{
	struct buf out = BUF_INIT(POLICY_SECRET_MAX - 1);
	const char *own = own_name(p);
	struct token t = {
		.user = slice_of(own != NULL ? own : ""),
		.service = SLICE_INIT(TOKEN_PEER_SERVICE),
		.store = slice_of(store),
		.claim = nonce,
		.expires_s = clock_wall_s() + TOKEN_LIFE_S,
	};
	bool ok = p->is_store && own != NULL && strlen(own) < sizeof(c->authcid) &&
	          token_mint(p->secret, TOKEN_PEER, &t, &out);

	if (ok) {
		copy_str(c->secret, sizeof(c->secret), buf_slice(&out));
		snprintf(c->authcid, sizeof(c->authcid), "%s", own);
		snprintf(c->user, sizeof(c->user), "%s", own);
	}
	buf_wipe(&out);
	return ok ? AUTH_OK : AUTH_DENIED;
}

void
policy_make_credentials(struct policy *p, const char *grant, const char *service, const char *store,
                        uint64_t claim, struct policy_credentials *c_r)
{
	const struct conf *server = conf_section(p->conf, "server", store);
	struct token t;

	memset(c_r, 0, sizeof(*c_r));
	c_r->result = AUTH_DENIED;
	if (p->secret.n == 0) {
		log_error(NULL,
		          "auth.credentials store=%s err=\"cluster_secret is not set or "
		          "shorter than %d bytes\"",
		          log_esc(store), SECRET_MIN);
		c_r->result = AUTH_TEMP;
		return;
	}
	if (strcmp(service, TOKEN_PEER_SERVICE) == 0) {
		c_r->result = peer_credentials(p, store, claim, c_r);
		return;
	}
	/* who may log in here only gets no further by a front end that was taken over */
	if (!token_verify(p->secret, TOKEN_GRANT, slice_of(grant), clock_wall_s(), &t) ||
	    t.user.n > DIRECTORY_NAME_MAX || !slice_eq_str(t.service, service))
		return;
	copy_str(c_r->user, sizeof(c_r->user), t.user);
	if (server != NULL && strcmp(conf_enum_text(server, "kind"), "imap") == 0)
		c_r->result = foreign_credentials(server, c_r);
	else
		c_r->result = roost_credentials(p, service, store, claim, t.groups, c_r);
}

/* ---- recipients --------------------------------------------------------------------------------------- */

/* What an administrator should look at. */
static void
on_step(void *ctx, unsigned depth, const char *address, enum resolve_event event)
{
	struct slice asked = *(const struct slice *)ctx;
	char text[DIRECTORY_NAME_MAX + 1];

	if (event != RESOLVE_LOOP && event != RESOLVE_TOO_MUCH &&
	    (depth == 0 || (event != RESOLVE_UNKNOWN && event != RESOLVE_INVALID)))
		return;
	snprintf(text, sizeof(text), "%.*s", SLICE_ARG(asked));
	log_warning(NULL, "directory.alias address=%s leads_to=%s which=%s", log_esc(text),
	            log_esc(address), log_esc(resolve_event_text(event)));
}

static struct resolve_config
resolving(struct policy *p)
{
	return (struct resolve_config){
		.directory = p->directory,
		.delimiter = conf_str(p->conf, "recipient_delimiter"),
		.postmaster = conf_str(p->conf, "postmaster"),
	};
}

void
policy_resolve(struct policy *p, struct slice address, struct resolved *r_r)
{
	struct resolve_config c = resolving(p);

	c.trace = on_step;
	c.trace_ctx = &address;
	resolve_address(&c, address, r_r);
	if (r_r->result == AUTH_TEMP)
		log_temp(p, r_r->why);
}

/* Does the address end at this user alone? */
static enum auth_result
is_his(struct policy *p, struct slice user, struct slice sender)
{
	struct resolve_config c = resolving(p);
	enum auth_result result = AUTH_DENIED;
	struct resolved r;

	c.senders = true;
	resolve_address(&c, sender, &r);
	if (r.result == AUTH_TEMP)
		result = AUTH_TEMP;
	else if (r.result == AUTH_OK && r.final_count == 1 && r.relay_count == 0 &&
	         slice_eq_str(user, r.finals[0].user))
		result = AUTH_OK;
	resolved_fini(&r);
	return result;
}

enum auth_result
policy_may_send(struct policy *p, struct slice user, struct slice sender)
{
	char name[DIRECTORY_NAME_MAX + 1];
	const struct conf *identity;
	struct err err = { "there is none" };
	enum auth_result r;

	if (sender.n == 0)
		return AUTH_OK;
	if (user.n == 0 || user.n > DIRECTORY_NAME_MAX)
		return AUTH_DENIED;
	copy_str(name, sizeof(name), user);
	identity = conf_section(p->conf, "identity", name);
	if (identity != NULL)
		return conf_bool(identity, "admin") ? AUTH_OK : AUTH_DENIED;
	r = is_his(p, user, sender);
	if (r != AUTH_DENIED)
		return r;
	if (p->directory == NULL)
		return directory_answer(p, DIRECTORY_TEMP, &err);
	r = directory_answer(p,
	                     directory_is_granted(p->directory, name, sender,
	                                          conf_str(p->conf, "recipient_delimiter"), &err),
	                     &err);
	return r == AUTH_UNKNOWN ? AUTH_DENIED : r;
}

enum auth_result
policy_lookup(struct policy *p, struct slice user, struct directory_account *a_r)
{
	char name[DIRECTORY_NAME_MAX + 1];
	enum auth_result r;

	if (!directory_canon(user, p->default_domain, name))
		return AUTH_UNKNOWN;
	r = get_account(p, name, a_r);
	if (r == AUTH_OK)
		secret_wipe(a_r->hash, sizeof(a_r->hash));
	return r;
}
