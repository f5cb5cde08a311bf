/* Logins: SCRAM from both sides, stored keys, SASLprep; and the frames of the limits process. */
#include "base/must.h"
#include "fuzz/fuzz.h"
#include "guard/guard_wire.h"
#include "sasl/sasl_client.h"
#include "sasl/scram.h"
#include "sasl/scram_server.h"
#include "text/prep.h"

static const char stored[] = "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$"
			     "WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:"
			     "wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=";

/* Up to the first line's end the first message, then the final one. Nobody gets in. */
static void
server(struct slice s)
{
	struct scram_server *server = scram_server_new();
	struct slice first = slice_cut(&s, '\n');
	struct buf out = BUF_INIT(65536);
	struct scram_keys k;

	must(scram_keys_parse(slice_of(stored), &k));
	if (scram_server_first(server, first)) {
		must(scram_server_authcid(server).n > 0);
		scram_server_challenge(server, &k, &out);
		must(scram_server_final(server, s, &out) != 1);
	}
	scram_server_free(&server);
	buf_fini(&out);
}

/* A server that does not know the password is never believed. "%" in the challenge stands for
 * our nonce; the rounds are few, so that there are many runs. */
static void
client(struct slice s)
{
	struct sasl_client *c = sasl_client_new("SCRAM-SHA-256", "", "fred", "secret");
	struct slice first, nonce, challenge = slice_cut(&s, '\n');
	struct buf out = BUF_INIT(65536), said = BUF_INIT(65536);

	must(sasl_client_step(c, SLICE(""), &out) == 0);
	first = buf_slice(&out);
	nonce = slice_skip(first, slice_find_slice(first, SLICE("r=")) + 2);
	for (size_t i = 0; i < challenge.n; i++) {
		if (challenge.p[i] == '%')
			buf_add_slice(&said, nonce);
		else
			buf_add_char(&said, challenge.p[i]);
	}
	if (slice_ends(challenge, SLICE(",i=4096")) &&
	    sasl_client_step(c, buf_slice(&said), &out) == 0)
		must(sasl_client_step(c, s, &out) == -1);
	must(!sasl_client_is_done(c));
	sasl_client_free(&c);
	buf_fini(&out);
	buf_fini(&said);
}

static void
keys(struct slice s)
{
	struct buf text = BUF_INIT(1024);
	struct scram_keys k, again;

	if (scram_keys_parse(s, &k)) {
		scram_keys_print(&k, &text);
		must(scram_keys_parse(buf_slice(&text), &again));
		must(again.rounds == k.rounds && again.salt_n == k.salt_n);
	}
	buf_fini(&text);
}

static void
frames(struct slice s)
{
	static struct guard_storage storage;
	struct guard_frame f;
	size_t used;

	while (guard_wire_next(s, &f, &storage, &used) == 1) {
		struct buf out = BUF_INIT(SIZE_MAX);

		must(used <= s.n);
		guard_wire_add(&f, &out);
		must(out.len == used);
		buf_fini(&out);
		s = slice_skip(s, used);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice s = slice_make(data, size);
	struct buf out = BUF_INIT(8192);

	if (size > 8192)
		s.n = 8192;
	server(s);
	client(s);
	keys(s);
	frames(s);
	if (prep_sasl(&out, s))
		must(out.len <= 8192);
	buf_fini(&out);
	return 0;
}
