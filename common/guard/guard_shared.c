/*
 * The rules are those of limit.c, said once more in Lua: a decision and what it changes are
 * one step for all hosts.
 */
#include "guard/guard_shared.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/xalloc.h"

#define RENEW_MOST 50 /* subjects of one script: Redis does nothing else meanwhile */
#define WORDS_MOST (2 + 3 * RENEW_MOST)
#define KEY_MAX 1200

/* KEYS: subjects. ARGV: host, lease, then for each key sessions here and the most (0: any).
 * 0: they all go; else the number of the key that has too many, and nothing has changed. */
static struct redis_script sessions_script = {
	.text = "local t = redis.call('TIME')\n"
		"local now = t[1] * 1000 + math.floor(t[2] / 1000)\n"
		"local host, lease = ARGV[1], tonumber(ARGV[2])\n"
		"for i, key in ipairs(KEYS) do\n"
		"  local mine, most = tonumber(ARGV[2 * i + 1]), tonumber(ARGV[2 * i + 2])\n"
		"  local others, all = 0, redis.call('HGETALL', key)\n"
		"  for j = 1, #all, 2 do\n"
		"    local n, till = string.match(all[j + 1], '^(%d+):(%d+)$')\n"
		"    if not till or tonumber(till) < now then\n"
		"      redis.call('HDEL', key, all[j])\n"
		"    elseif all[j] ~= host then\n"
		"      others = others + tonumber(n)\n"
		"    end\n"
		"  end\n"
		"  if most > 0 and others + mine > most then return i end\n"
		"end\n"
		"for i, key in ipairs(KEYS) do\n"
		"  local mine = tonumber(ARGV[2 * i + 1])\n"
		"  if mine == 0 then\n"
		"    redis.call('HDEL', key, host)\n"
		"  else\n"
		"    redis.call('HSET', key, host, string.format('%d:%.0f', mine, now + lease))\n"
		"    redis.call('PEXPIRE', key, lease)\n"
		"  end\n"
		"end\n"
		"return 0\n"
};

/* KEYS: known pair, known address, failures of pair, address, user; wrong passwords of user.
 * ARGV: try USER | pass KNOWN_MS | fail FINGERPRINT DELAY MOST MEMORY FREE_ADDRESS FREE_ACCOUNT
 * MOST_KNOWN.
 * try and pass: 1 is blocked. fail: milliseconds, below 0 when it was blocked before. */
static struct redis_script login_script = {
	.text = "local t = redis.call('TIME')\n"
		"local now = t[1] * 1000 + math.floor(t[2] / 1000)\n"
		"local known = redis.call('EXISTS', KEYS[1]) == 1\n"
		"local function blocked(key)\n"
		"  return now < tonumber(redis.call('HGET', key, 'until') or '0')\n"
		"end\n"
		"local function judge()\n"
		"  if known then return blocked(KEYS[3]) end\n"
		"  return blocked(KEYS[4]) or blocked(KEYS[5])\n"
		"end\n"
		"if ARGV[1] == 'try' then\n"
		"  local b = ARGV[2] ~= '' and judge() or ARGV[2] == '' and blocked(KEYS[4])\n"
		"    and redis.call('EXISTS', KEYS[2]) == 0\n"
		"  return b and 1 or 0\n"
		"end\n"
		"if ARGV[1] == 'pass' then\n"
		"  if judge() then return 1 end\n"
		"  redis.call('SET', KEYS[1], 1, 'PX', ARGV[2])\n"
		"  redis.call('SET', KEYS[2], 1, 'PX', ARGV[2])\n"
		"  redis.call('DEL', KEYS[3])\n"
		"  return 0\n"
		"end\n"
		"local delay, most, memory = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])\n"
		"local sign = judge() and -1 or 1\n"
		"if ARGV[2] ~= '0' then\n"
		"  for _, seen in ipairs(redis.call('LRANGE', KEYS[6], 0, 7)) do\n"
		"    if seen == ARGV[2] then return sign * math.max(delay, 1) end\n"
		"  end\n"
		"  redis.call('LPUSH', KEYS[6], ARGV[2])\n"
		"  redis.call('LTRIM', KEYS[6], 0, 7)\n"
		"  redis.call('PEXPIRE', KEYS[6], memory)\n"
		"end\n"
		"local function fail(key, free, most)\n"
		"  local n, ms = redis.call('HINCRBY', key, 'n', 1), 0\n"
		"  if n > free then ms = math.min(delay * 2 ^ math.min(n - free - 1, 40), most) end\n"
		"  local till = math.max(now + ms, tonumber(redis.call('HGET', key, 'until') or '0'))\n"
		"  redis.call('HSET', key, 'until', string.format('%.0f', till))\n"
		"  redis.call('PEXPIRE', key, string.format('%.0f', math.max(memory, till - now)))\n"
		"  return ms\n"
		"end\n"
		"local ms\n"
		"if known then\n"
		"  ms = fail(KEYS[3], tonumber(ARGV[7]), math.min(most, tonumber(ARGV[8])))\n"
		"else\n"
		"  ms = math.max(fail(KEYS[4], tonumber(ARGV[6]), most), fail(KEYS[5], tonumber(ARGV[7]), most))\n"
		"end\n"
		"return sign * math.max(ms, delay, 1)\n"
};

/* KEYS: the rate of a name. ARGV: most, period in ms, amount. 1: exceeded. */
static struct redis_script rate_script = {
	.text = "local t = redis.call('TIME')\n"
		"local now = t[1] * 1000000 + t[2]\n"
		"local most, period, amount = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])\n"
		"local at = math.max(now, tonumber(redis.call('GET', KEYS[1]) or '0'))\n"
		"at = at + math.floor(amount * period * 1000 / most)\n"
		"if at > now + period * 1000 then return 1 end\n"
		"redis.call('SET', KEYS[1], string.format('%.0f', at), 'PX', period + 1000)\n"
		"return 0\n"
};

struct guard_shared {
	struct redis *redis;
	char *host;
	struct limit_settings s;
};

struct guard_shared *
guard_shared_new(struct redis *r, const char *host, const struct limit_settings *s)
{
	struct guard_shared *g = xcalloc(1, sizeof(*g));

	g->redis = r;
	g->host = xstrdup(host);
	g->s = *s;
	return g;
}

void
guard_shared_free(struct guard_shared **g)
{
	if (*g == NULL)
		return;
	free((*g)->host);
	free(*g);
	*g = NULL;
}

/* ---- words --------------------------------------------------------------------------------- */

struct words {
	struct buf buf; /* all of them, each with a NUL */
	size_t starts[WORDS_MOST], count;
};

static void
words_init(struct words *w)
{
	buf_init(&w->buf, SIZE_MAX);
	w->count = 0;
}

static void word(struct words *w, const char *fmt, ...) PRINTF_LIKE(2, 3);

static void
word(struct words *w, const char *fmt, ...)
{
	va_list ap;

	must(w->count < WORDS_MOST);
	w->starts[w->count++] = w->buf.len;
	va_start(ap, fmt);
	buf_vprintf(&w->buf, fmt, ap);
	va_end(ap);
	buf_add_char(&w->buf, '\0');
}

static void
words_run(struct guard_shared *g, struct redis_script *script, struct words *w, size_t keys,
          redis_fn *fn, void *ctx)
{
	struct slice all[WORDS_MOST];

	for (size_t i = 0; i < w->count; i++)
		all[i] = slice_of(buf_slice(&w->buf).p + w->starts[i]);
	redis_run(g->redis, script, all, w->count, keys, fn, ctx);
	buf_fini(&w->buf);
}

/* ---- a question that is open --------------------------------------------------------------- */

struct question {
	guard_shared_fn *fn;
	void *ctx;
	enum limit_verdict verdicts[2]; /* what 1 and 2 mean; [0] OK: it is a time */
};

static struct question *
question_new(guard_shared_fn *fn, void *ctx, enum limit_verdict one, enum limit_verdict two)
{
	struct question *q = xcalloc(1, sizeof(*q));

	*q = (struct question){ fn, ctx, { one, two } };
	return q;
}

static void
on_reply(void *ctx, const struct redis_reply *r)
{
	struct question q = *(struct question *)ctx;

	free(ctx);
	if (r == NULL || r->type != REDIS_NUMBER || (r->number < 0 && q.verdicts[0] != LIMIT_OK))
		q.fn(q.ctx, false, LIMIT_OK, 0);
	else if (q.verdicts[0] == LIMIT_OK)
		q.fn(q.ctx, true, r->number < 0 ? LIMIT_BLOCKED : LIMIT_OK,
		     (uint64_t)MAX(r->number, 0));
	else
		q.fn(q.ctx, true, r->number == 0 ? LIMIT_OK : q.verdicts[r->number == 1 ? 0 : 1],
		     0);
}

/* ---- sessions ------------------------------------------------------------------------------ */

void
guard_shared_open(struct guard_shared *g, const char *address, uint64_t mine, guard_shared_fn *fn,
                  void *ctx)
{
	struct words w;

	words_init(&w);
	word(&w, "roost:s:a:%s", address);
	word(&w, "%s", g->host);
	word(&w, "%d", GUARD_LEASE_MS);
	word(&w, "%" PRIu64, mine);
	word(&w, "%" PRIu64, g->s.address_sessions);
	words_run(g, &sessions_script, &w, 1, on_reply,
	          question_new(fn, ctx, LIMIT_BY_ADDRESS, LIMIT_BY_ADDRESS));
}

void
guard_shared_user(struct guard_shared *g, const char *user, const char *address, uint64_t of_user,
                  uint64_t of_both, guard_shared_fn *fn, void *ctx)
{
	struct words w;

	words_init(&w);
	word(&w, "roost:s:u:%s", user);
	word(&w, "roost:s:p:%s|%s", address, user);
	word(&w, "%s", g->host);
	word(&w, "%d", GUARD_LEASE_MS);
	word(&w, "%" PRIu64, of_user);
	word(&w, "%" PRIu64, g->s.user_sessions);
	word(&w, "%" PRIu64, of_both);
	word(&w, "%" PRIu64, g->s.both_sessions);
	words_run(g, &sessions_script, &w, 2, on_reply,
	          question_new(fn, ctx, LIMIT_BY_USER, LIMIT_BY_BOTH));
}

void
guard_shared_set(struct guard_shared *g, const char *subject, uint64_t sessions)
{
	struct words w;

	if (!redis_is_up(g->redis))
		return;
	words_init(&w);
	word(&w, "roost:s:%s", subject);
	word(&w, "%s", g->host);
	word(&w, "%d", GUARD_LEASE_MS);
	word(&w, "%" PRIu64, sessions);
	word(&w, "0");
	words_run(g, &sessions_script, &w, 1, NULL, NULL);
}

struct renewal {
	struct guard_shared *g;
	struct words keys;
	uint64_t sessions[RENEW_MOST];
};

static void
renew_now(struct renewal *r)
{
	size_t keys = r->keys.count;

	if (keys == 0)
		return;
	word(&r->keys, "%s", r->g->host);
	word(&r->keys, "%d", GUARD_LEASE_MS);
	for (size_t i = 0; i < keys; i++) {
		word(&r->keys, "%" PRIu64, r->sessions[i]);
		word(&r->keys, "0");
	}
	words_run(r->g, &sessions_script, &r->keys, keys, NULL, NULL);
	words_init(&r->keys);
}

static void
renew_one(void *ctx, const char *subject, uint64_t sessions)
{
	struct renewal *r = ctx;

	if (r->keys.count == RENEW_MOST)
		renew_now(r);
	r->sessions[r->keys.count] = sessions;
	word(&r->keys, "roost:s:%s", subject);
}

void
guard_shared_renew(struct guard_shared *g, struct limit *l)
{
	struct renewal r = { .g = g };

	if (!redis_is_up(g->redis))
		return;
	words_init(&r.keys);
	limit_each_subject(l, renew_one, &r);
	renew_now(&r);
}

/* ---- logins -------------------------------------------------------------------------------- */

static void
login_keys(struct words *w, const char *address, const char *user)
{
	words_init(w);
	word(w, "roost:k:p:%s|%s", address, user);
	word(w, "roost:k:a:%s", address);
	word(w, "roost:f:p:%s|%s", address, user);
	word(w, "roost:f:a:%s", address);
	word(w, "roost:f:u:%s", user);
	word(w, "roost:w:u:%s", user);
}

void
guard_shared_try(struct guard_shared *g, const char *address, const char *user, guard_shared_fn *fn,
                 void *ctx)
{
	struct words w;

	login_keys(&w, address, user);
	word(&w, "try");
	word(&w, "%s", user);
	words_run(g, &login_script, &w, 6, on_reply,
	          question_new(fn, ctx, LIMIT_BLOCKED, LIMIT_BLOCKED));
}

void
guard_shared_passed(struct guard_shared *g, const char *address, const char *user,
                    guard_shared_fn *fn, void *ctx)
{
	struct words w;

	login_keys(&w, address, user);
	word(&w, "pass");
	word(&w, "%" PRIu64, MAX(g->s.known_ms, (uint64_t)1));
	words_run(g, &login_script, &w, 6, on_reply,
	          question_new(fn, ctx, LIMIT_BLOCKED, LIMIT_BLOCKED));
}

void
guard_shared_failed(struct guard_shared *g, const char *address, const char *user,
                    uint64_t fingerprint, guard_shared_fn *fn, void *ctx)
{
	struct words w;

	login_keys(&w, address, user);
	word(&w, "fail");
	word(&w, "%" PRIu64, fingerprint);
	word(&w, "%" PRIu64, g->s.delay_ms);
	word(&w, "%" PRIu64, g->s.block_max_ms);
	word(&w, "%" PRIu64, MAX(g->s.memory_ms, (uint64_t)1));
	word(&w, "%" PRIu64, g->s.address_failures);
	word(&w, "%" PRIu64, g->s.account_failures);
	word(&w, "%d", LIMIT_KNOWN_BLOCK_MS);
	words_run(g, &login_script, &w, 6, on_reply, question_new(fn, ctx, LIMIT_OK, LIMIT_OK));
}

/* ---- rates, and the end of a grudge -------------------------------------------------------- */

void
guard_shared_take(struct guard_shared *g, enum limit_rate rate, const char *name, uint64_t amount,
                  guard_shared_fn *fn, void *ctx)
{
	struct words w;

	words_init(&w);
	word(&w, "roost:r:%d:%s", (int)rate, name);
	word(&w, "%" PRIu64, g->s.rates[rate].most);
	word(&w, "%" PRIu64, g->s.rates[rate].period_ms);
	word(&w, "%" PRIu64, amount);
	words_run(g, &rate_script, &w, 1, on_reply,
	          question_new(fn, ctx, LIMIT_EXCEEDED, LIMIT_EXCEEDED));
}

void
guard_shared_clear(struct guard_shared *g, const char *name)
{
	static const char *const forms[] = { "f:a:", "f:u:", "w:u:" };

	for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
		char key[KEY_MAX];

		snprintf(key, sizeof(key), "roost:%s%s", forms[i], name);
		redis_ask(g->redis, (struct slice[]){ SLICE("DEL"), slice_of(key) }, 2, NULL, NULL);
	}
}
