/* digest - see digest.h. */
#include "tls/digest.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>

#include "base/must.h"
#include "base/xalloc.h"

struct digest {
	EVP_MD_CTX *ctx;
};

struct digest *
digest_new(void)
{
	struct digest *d = xcalloc(1, sizeof(*d));

	d->ctx = EVP_MD_CTX_new();
	must(d->ctx != NULL);
	digest_reset(d);
	return d;
}

void
digest_free(struct digest **d)
{
	if (*d == NULL)
		return;
	EVP_MD_CTX_free((*d)->ctx);
	free(*d);
	*d = NULL;
}

void
digest_add(struct digest *d, struct slice s)
{
	must(EVP_DigestUpdate(d->ctx, s.p, s.n) == 1);
}

void
digest_final(struct digest *d, uint8_t sum_r[DIGEST_LEN])
{
	must(EVP_DigestFinal_ex(d->ctx, sum_r, NULL) == 1);
}

void
digest_reset(struct digest *d)
{
	must(EVP_DigestInit_ex(d->ctx, EVP_sha256(), NULL) == 1);
}

void
digest_of(struct slice s, uint8_t sum_r[DIGEST_LEN])
{
	must(EVP_Digest(s.p, s.n, sum_r, NULL, EVP_sha256(), NULL) == 1);
}

void
digest_hmac(struct slice key, struct slice s, uint8_t mac_r[DIGEST_LEN])
{
	must(HMAC(EVP_sha256(), key.p, (int)key.n, (const unsigned char *)s.p, s.n, mac_r, NULL) !=
	     NULL);
}

void
digest_pbkdf2(struct slice password, struct slice salt, uint32_t rounds, uint8_t key_r[DIGEST_LEN])
{
	must(rounds > 0 && rounds <= INT32_MAX);
	must(PKCS5_PBKDF2_HMAC(password.p != NULL ? password.p : "", (int)password.n,
	                       (const unsigned char *)salt.p, (int)salt.n, (int)rounds,
	                       EVP_sha256(), DIGEST_LEN, key_r) == 1);
}

void
digest_sha1(struct slice s, uint8_t sum_r[DIGEST_SHA1_LEN])
{
	must(EVP_Digest(s.p, s.n, sum_r, NULL, EVP_sha1(), NULL) == 1);
}
