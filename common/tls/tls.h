/*
 * tls - contexts for conn, by OpenSSL. TLS 1.2 and later, no renegotiation, no
 * compression; a client that names its protocols (ALPN) names one of mail.
 */
#ifndef TLS_TLS_H
#define TLS_TLS_H

#include <stdbool.h>

#include "base/err.h"

struct tls_ctx;
struct ssl_st;

/* PEM files; cert_path holds the chain. NULL with the operator's text on failure. */
struct tls_ctx *tls_server_new(const char *cert_path, const char *key_path, struct err *err);

enum tls_verify {
	TLS_VERIFY_NAME, /* chain and host name */
	TLS_VERIFY_NONE, /* opportunistic: for links the operator said so */
};
/* ca_path NULL: the system's authorities. */
struct tls_ctx *tls_client_new(const char *ca_path, enum tls_verify verify, struct err *err);
/* For links between equals, of either side: shows the certificate and wants one. A store's
 * certificate is a server's, also where the store is the client. */
struct tls_ctx *tls_peer_new(const char *cert_path, const char *key_path, const char *ca_path,
                             struct err *err);
void tls_free(struct tls_ctx **ctx);

/* For net/ only. The caller owns it (SSL_free through bufferevent). */
struct ssl_st *tls_session_new(struct tls_ctx *ctx, bool server, const char *hostname);
/* Tells the peer that nothing more comes (close_notify), as far as the socket takes it. */
void tls_session_shutdown(struct ssl_st *ssl);
/* What was found out about the other side's certificate, also when the handshake failed of it. */
enum tls_trust {
	TLS_TRUST_FULL, /* or nothing was wanted */
	TLS_TRUST_OTHER_NAME,
	TLS_TRUST_NONE, /* out of date, or of no authority we know */
};
enum tls_trust tls_session_trust(struct ssl_st *ssl);
/* Does the other side's certificate, which was verified, have this name? */
bool tls_session_peer_is(struct ssl_st *ssl, const char *hostname);
const char *tls_session_text(struct ssl_st *ssl, char *text_r, size_t room);

#endif
