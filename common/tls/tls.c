/* tls - see tls.h. */
#include "tls/tls.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/must.h"
#include "base/slice.h"
#include "base/xalloc.h"

struct tls_ctx {
	SSL_CTX *ssl_ctx;
	enum tls_verify verify;
};

static void
err_set_openssl(struct err *err, const char *what, const char *path)
{
	char text[200];

	ERR_error_string_n(ERR_get_error(), text, sizeof(text));
	ERR_clear_error();
	err_set(err, "%s %s: %s", what, path, text);
}

static struct tls_ctx *
ctx_new(const SSL_METHOD *method)
{
	struct tls_ctx *t = xcalloc(1, sizeof(*t));

	t->ssl_ctx = SSL_CTX_new(method);
	must(t->ssl_ctx != NULL);
	must(SSL_CTX_set_min_proto_version(t->ssl_ctx, TLS1_2_VERSION) == 1);
	SSL_CTX_set_options(t->ssl_ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
	                                        SSL_OP_CIPHER_SERVER_PREFERENCE |
	                                        SSL_OP_IGNORE_UNEXPECTED_EOF);
	/* 15 instead of 31 KB for an idle connection */
	SSL_CTX_set_mode(t->ssl_ctx, SSL_MODE_RELEASE_BUFFERS |
	                                     SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
	                                     SSL_MODE_ENABLE_PARTIAL_WRITE);
	must(SSL_CTX_set_cipher_list(t->ssl_ctx, "ECDHE+AESGCM:ECDHE+CHACHA20:!aNULL") == 1);
	return t;
}

static bool
is_readable(const char *what, const char *path, struct err *err)
{
	if (access(path, R_OK) == 0)
		return true;
	err_set_errno(err, "cannot read the %s %s", what, path);
	return false;
}

static bool
use_certificate(struct tls_ctx *t, const char *cert_path, const char *key_path, struct err *err)
{
	if (!is_readable("TLS certificate", cert_path, err) ||
	    !is_readable("TLS key", key_path, err))
		return false;
	if (SSL_CTX_use_certificate_chain_file(t->ssl_ctx, cert_path) != 1)
		err_set_openssl(err, "the TLS certificate", cert_path);
	else if (SSL_CTX_use_PrivateKey_file(t->ssl_ctx, key_path, SSL_FILETYPE_PEM) != 1)
		err_set_openssl(err, "the TLS key", key_path);
	else if (SSL_CTX_check_private_key(t->ssl_ctx) != 1)
		err_set_openssl(err, "the TLS key does not belong to the certificate", cert_path);
	else
		return true;
	return false;
}

/* ca_path NULL: the system's. */
static bool
use_authorities(struct tls_ctx *t, const char *ca_path, struct err *err)
{
	int ok;

	if (ca_path != NULL && !is_readable("file of TLS authorities", ca_path, err))
		return false;
	ok = ca_path != NULL ? SSL_CTX_load_verify_locations(t->ssl_ctx, ca_path, NULL)
	                     : SSL_CTX_set_default_verify_paths(t->ssl_ctx);
	if (ok != 1)
		err_set_openssl(err, "the file of TLS authorities",
		                ca_path != NULL ? ca_path : "(system)");
	return ok == 1;
}

/* RFC 7301: u8 length, name, ... What mail programs say they speak; one that names others only
 * (a browser: "h2", "http/1.1") has been led here by somebody between us who lets one protocol pass
 * for another. */
static int
select_protocol(UNUSED SSL *ssl, const unsigned char **out, unsigned char *out_len,
                const unsigned char *in, unsigned in_len, UNUSED void *ctx)
{
	static const char *const ours[] = { "imap", "pop3",        "smtp",   "esmtp",
		                            "lmtp", "managesieve", "mupdate" };
	struct slice rest = slice_make(in, in_len);

	while (rest.n > 0) {
		size_t n = MIN((size_t)(unsigned char)rest.p[0], rest.n - 1);
		struct slice name = slice_sub(rest, 1, n);

		for (size_t i = 0; i < ARRAY_LEN(ours); i++)
			if (slice_eq_str(name, ours[i])) {
				*out = (const unsigned char *)name.p;
				*out_len = (unsigned char)n;
				return SSL_TLSEXT_ERR_OK;
			}
		rest = slice_skip(rest, 1 + n);
	}
	return SSL_TLSEXT_ERR_ALERT_FATAL;
}

struct tls_ctx *
tls_server_new(const char *cert_path, const char *key_path, struct err *err)
{
	struct tls_ctx *t = ctx_new(TLS_server_method());

	SSL_CTX_set_alpn_select_cb(t->ssl_ctx, select_protocol, NULL);
	if (!use_certificate(t, cert_path, key_path, err))
		tls_free(&t);
	return t;
}

struct tls_ctx *
tls_client_new(const char *ca_path, enum tls_verify verify, struct err *err)
{
	struct tls_ctx *t = ctx_new(TLS_client_method());

	t->verify = verify;
	if (verify == TLS_VERIFY_NONE) {
		if (ca_path == NULL || is_readable("file of TLS authorities", ca_path, err))
			return t;
		tls_free(&t);
		return NULL;
	}
	SSL_CTX_set_verify(t->ssl_ctx, SSL_VERIFY_PEER, NULL);
	if (!use_authorities(t, ca_path, err))
		tls_free(&t);
	return t;
}

struct tls_ctx *
tls_peer_new(const char *cert_path, const char *key_path, const char *ca_path, struct err *err)
{
	struct tls_ctx *t = ctx_new(TLS_method());

	t->verify = TLS_VERIFY_NAME;
	SSL_CTX_set_verify(t->ssl_ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	SSL_CTX_set_session_cache_mode(t->ssl_ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_options(t->ssl_ctx, SSL_OP_NO_TICKET);
	must(SSL_CTX_set_purpose(t->ssl_ctx, X509_PURPOSE_SSL_SERVER) == 1);
	if (use_certificate(t, cert_path, key_path, err) && use_authorities(t, ca_path, err))
		return t;
	tls_free(&t);
	return NULL;
}

void
tls_free(struct tls_ctx **t)
{
	if (*t == NULL)
		return;
	SSL_CTX_free((*t)->ssl_ctx);
	free(*t);
	*t = NULL;
}

struct ssl_st *
tls_session_new(struct tls_ctx *t, bool server, const char *hostname)
{
	SSL *ssl = SSL_new(t->ssl_ctx);

	must(ssl != NULL);
	if (server || hostname == NULL)
		return ssl;
	if (t->verify == TLS_VERIFY_NAME) {
		/* an address is matched as an address */
		if (X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), hostname) != 1)
			must(SSL_set1_host(ssl, hostname) == 1);
	}
	if (hostname[0] < '0' || hostname[0] > '9')
		(void)SSL_set_tlsext_host_name(ssl, hostname);
	return ssl;
}

void
tls_session_shutdown(struct ssl_st *ssl)
{
	(void)SSL_shutdown(ssl);
	ERR_clear_error();
}

enum tls_trust
tls_session_trust(struct ssl_st *ssl)
{
	switch (SSL_get_verify_result(ssl)) {
	case X509_V_OK:
		return TLS_TRUST_FULL;
	case X509_V_ERR_HOSTNAME_MISMATCH:
	case X509_V_ERR_IP_ADDRESS_MISMATCH:
		return TLS_TRUST_OTHER_NAME;
	default:
		return TLS_TRUST_NONE;
	}
}

bool
tls_session_peer_is(struct ssl_st *ssl, const char *hostname)
{
	X509 *cert = SSL_get0_peer_certificate(ssl);

	return cert != NULL && (X509_check_ip_asc(cert, hostname, 0) == 1 ||
	                        X509_check_host(cert, hostname, 0, 0, NULL) == 1);
}

const char *
tls_session_text(struct ssl_st *ssl, char *text_r, size_t room)
{
	snprintf(text_r, room, "%s %s", SSL_get_version(ssl), SSL_get_cipher_name(ssl));
	return text_r;
}
