#include "deliver/hops.h"

#include "base/clock.h"
#include "base/num.h"
#include "base/text.h"
#include "base/xalloc.h"
#include "log/log.h"
#include "mail/address.h"
#include "net/resolve.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_PORT 25

/* One word of the setting. */
struct place {
	struct hops *owner;
	const char *text;
	char host[ADDRESS_DOMAIN_MAX + 1]; /* "": an address */
	uint16_t port;
	struct hop **hops;
	size_t count;
	struct resolve *resolve; /* under way */
	bool failed;             /* the last time */
	uint64_t looked_up_ms;   /* the last time; 0: never */
};

struct hops {
	struct resolver *resolver;
	struct place *places;
	size_t count;
	loop_fn *changed;
	void *ctx;
};

/* ---- one hop ------------------------------------------------------------------------------------ */

void
hop_failed(struct hop *h)
{
	h->pause_ms = MIN(MAX(2 * h->pause_ms, HOPS_PAUSE_MIN_MS), HOPS_PAUSE_MAX_MS);
	h->until_ms = clock_mono_ms() + h->pause_ms;
}

void
hop_worked(struct hop *h)
{
	h->pause_ms = 0;
	h->until_ms = 0;
}

bool
hop_is_paused(const struct hop *h)
{
	return clock_mono_ms() < h->until_ms;
}

void
hop_takes_at_most(struct hop *h, size_t rcpts)
{
	h->most_rcpts = rcpts;
	h->most_until_ms = clock_mono_ms() + HOPS_MOST_MS;
}

static struct hop *
add_hop(struct place *p, const struct addr *a)
{
	struct hop *h = xcalloc(1, sizeof(*h));
	char text[ADDR_TEXT_LEN];

	h->addr = *a;
	h->current = true;
	if (*p->host == '\0') {
		addr_text(a, h->name);
	} else {
		h->host = p->host;
		snprintf(h->name, sizeof(h->name), "%s[%s]:%u", p->host, addr_host_text(a, text),
		         addr_port(a));
	}
	p->hops = xreallocarray(p->hops, p->count + 1, sizeof(struct hop *));
	p->hops[p->count++] = h;
	return h;
}

/* ---- settings ------------------------------------------------------------------------------------- */

/* "192.0.2.300" is no name. */
static bool
is_numeric(struct slice s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!text_is_digit(s.p[i]) && s.p[i] != '.')
			return false;
	return true;
}

/* "host:25" or "host"; a_r: "192.0.2.7:25", "[2001:db8::7]:25". */
static bool
parse(const char *text, struct place *p, struct addr *a_r, struct err *err)
{
	struct slice rest = slice_of(text), host;
	uint64_t port = DEFAULT_PORT;

	if (addr_parse(rest, DEFAULT_PORT, a_r, err))
		return true;
	host = slice_cut(&rest, ':');
	if (rest.p != NULL && (!num_parse_u64(rest, UINT16_MAX, &port) || port == 0))
		return false;
	if (!address_is_domain(host, false) || host.n >= sizeof(p->host) || is_numeric(host))
		return false;
	snprintf(p->host, sizeof(p->host), "%.*s", SLICE_ARG(host));
	p->port = (uint16_t)port;
	return true;
}

static int
check_place(const struct conf *c, const char *text, struct err *err)
{
	bool tls = conf_enum(c, "relay_tls") != 0;
	struct place p = { .text = text };
	struct addr a;

	if (!parse(text, &p, &a, err))
		err_set(err, "relay: %s is neither an address nor a host name, perhaps with :port",
		        text);
	else if (conf_is_set(c, "relay_user") && !tls && (*p.host != '\0' || !addr_is_loopback(&a)))
		err_set(err, "relay: %s: relay_user is not said there without relay_tls", text);
	else if (tls && conf_bool(c, "relay_tls_verify") && !conf_is_set(c, "relay_tls_name") &&
	         *p.host == '\0')
		err_set(err,
		        "relay: %s has no name: relay_tls needs relay_tls_name, the name in "
		        "its certificate (or relay_tls_verify = no)",
		        text);
	else
		return 0;
	return -1;
}

int
hops_check(const struct conf *c, struct err *err)
{
	size_t n;
	const char *const *words = conf_list(c, "relay", &n);

	for (size_t i = 0; i < n; i++)
		if (check_place(c, words[i], err) == -1)
			return -1;
	return 0;
}

struct hops *
hops_new(const struct conf *c, struct loop *l, loop_fn *changed, void *ctx)
{
	struct hops *h = xcalloc(1, sizeof(*h));
	const char *const *words = conf_list(c, "relay", &h->count);

	h->changed = changed;
	h->ctx = ctx;
	h->places = xcalloc(h->count + 1, sizeof(*h->places));
	for (size_t i = 0; i < h->count; i++) {
		struct place *p = &h->places[i];
		struct addr a;
		struct err err;
		bool good = parse(words[i], p, &a, &err);

		must(good); /* hops_check() */
		p->owner = h;
		p->text = words[i];
		if (*p->host == '\0')
			(void)add_hop(p, &a);
		else if (h->resolver == NULL)
			h->resolver = resolver_new(l);
	}
	return h;
}

void
hops_free(struct hops **hp)
{
	struct hops *h = *hp;

	*hp = NULL;
	if (h == NULL)
		return;
	for (size_t i = 0; i < h->count; i++) {
		struct place *p = &h->places[i];

		resolve_cancel(&p->resolve);
		for (size_t k = 0; k < p->count; k++)
			free(p->hops[k]);
		free(p->hops);
	}
	resolver_free(&h->resolver);
	free(h->places);
	free(h);
}

bool
hops_are_set(const struct hops *h)
{
	return h->count > 0;
}

/* ---- names --------------------------------------------------------------------------------------- */

static struct hop *
find_hop(const struct place *p, const struct addr *a)
{
	for (size_t i = 0; i < p->count; i++)
		if (p->hops[i]->addr.len == a->len &&
		    memcmp(&p->hops[i]->addr.ss, &a->ss, a->len) == 0)
			return p->hops[i];
	return NULL;
}

static void
on_resolved(void *ctx, const struct addr *addrs, size_t count, const char *why)
{
	struct place *p = ctx;

	p->resolve = NULL;
	if (count == 0 && !p->failed)
		log_warning(NULL, "smtp.relay_name host=%s why=%s known=%zu", p->host, log_esc(why),
		            p->count);
	p->failed = count == 0;
	/* where there is no room for new ones the old ones go on */
	for (size_t i = 0; count > 0 && p->count + count <= HOPS_KNOWN_MAX && i < p->count; i++)
		p->hops[i]->current = false;
	for (size_t i = 0; i < MIN(count, (size_t)HOPS_MAX); i++) {
		struct hop *h = find_hop(p, &addrs[i]);

		if (h != NULL)
			h->current = true;
		else if (p->count < HOPS_KNOWN_MAX)
			(void)add_hop(p, &addrs[i]);
	}
	p->owner->changed(p->owner->ctx);
}

/* A failure is tried again soon. */
static bool
is_due(const struct place *p)
{
	uint64_t age = clock_mono_ms() - p->looked_up_ms;

	return *p->host != '\0' && p->resolve == NULL &&
	       (p->looked_up_ms == 0 || age >= (p->count > 0 ? HOPS_NAME_MS : 1000));
}

void
hops_refresh(struct hops *h)
{
	for (size_t i = 0; i < h->count; i++) {
		struct place *p = &h->places[i];

		if (!is_due(p))
			continue;
		p->looked_up_ms = clock_mono_ms();
		p->resolve = resolve_start(h->resolver, p->host, p->port, on_resolved, p);
	}
}

/* ---- which --------------------------------------------------------------------------------------- */

/* A name whose turn is before all others' is waited for, unless it has failed before. */
bool
hops_are_ready(const struct hops *h)
{
	bool waits = false, first = true;

	for (size_t i = 0; i < h->count; i++) {
		const struct place *p = &h->places[i];

		if (p->count > 0)
			return first;
		waits |= p->resolve != NULL;
		first &= p->resolve == NULL || p->failed;
	}
	return !waits;
}

size_t
hops_most_rcpts(const struct hops *h)
{
	size_t most = SIZE_MAX;

	for (size_t i = 0; i < h->count; i++)
		for (size_t k = 0; k < h->places[i].count; k++) {
			const struct hop *hop = h->places[i].hops[k];

			if (hop->current && hop->most_rcpts > 0 &&
			    clock_mono_ms() < hop->most_until_ms)
				most = MIN(most, hop->most_rcpts);
		}
	return most;
}

size_t
hops_list(const struct hops *h, struct hop **hops_r, size_t max)
{
	size_t n = 0;

	for (int paused = 0; paused < 2; paused++)
		for (size_t i = 0; i < h->count; i++)
			for (size_t k = 0; k < h->places[i].count && n < max; k++) {
				struct hop *hop = h->places[i].hops[k];

				if (hop->current && hop_is_paused(hop) == paused)
					hops_r[n++] = hop;
			}
	return n;
}

bool
hops_at(const struct hops *h, size_t i, const char **text_r, bool *down_r)
{
	const struct place *p;

	if (i >= h->count)
		return false;
	p = &h->places[i];
	*text_r = p->text;
	*down_r = *p->host == '\0' || p->looked_up_ms != 0;
	for (size_t k = 0; k < p->count; k++)
		if (p->hops[k]->current && !hop_is_paused(p->hops[k]))
			*down_r = false;
	return true;
}
