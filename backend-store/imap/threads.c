/*
 * Nodes are messages, then dummies: IDs of messages that are not there, and what joins messages
 * of one subject. The steps of RFC 5256 are done in another order with the same result:
 *
 * (1) Each message is first given the parent that it names itself, which nothing may change;
 *     then what the references of others say counts for those without. A message without
 *     references has no parent but one that a later message names. Loops: two nodes are
 *     already in one tree when they have the same leader (union-find), and who has no parent
 *     is the root of his tree.
 * (3) From the roots down each node learns the nearest message above it, or, when there are only
 *     dummies, the uppermost one. A dummy with one message below is none.
 * (4) (6) Nobody sorts siblings: messages come in the order of their dates, and each is put behind
 *     those that its parent has by then. A dummy has its place where its first child has.
 */
#include "imap/threads.h"

#include "base/xalloc.h"

#include <stdlib.h>

#define NONE UINT32_MAX

struct message {
	uint64_t subject;
	uint32_t told;
	uint32_t first_id; /* its own, then its references: place in ids */
	bool answer, has_id;
};

struct node {
	uint32_t parent, first, last, next;
};

/* From hashes to nodes: linear probing, at most half full. */
struct table {
	struct slot {
		uint64_t hash; /* 0: empty */
		uint32_t node;
	} * slots;
	size_t mask;
};

enum phase {
	SAME_SUBJECT, /* ORDEREDSUBJECT: this one, then SIBLINGS */
	OWN_IDS,
	OWN_PARENTS,
	OTHERS_LINKS,
	CHILDREN,
	PRUNE,
	ROOTS,
	SUBJECTS,
	MERGE,
	SIBLINGS,
	DONE,
};

struct threads {
	struct message *messages;
	size_t count, max;
	uint64_t *ids;
	size_t id_count, id_room;
	uint32_t *order;
	size_t ordered;

	enum phase phase;
	size_t at; /* of the phase */
	struct table table;
	struct node *nodes;
	size_t node_count;
	uint32_t *leader;  /* union-find: the next one; or, of a leader, NONE */
	uint32_t *members; /* of a leader; later, of an uppermost dummy */
	uint32_t *up;      /* the parent when dummies are gone; NONE */
	uint32_t *roots;   /* by date */
	size_t root_count;
	uint32_t first_root, last_root;
	uint32_t here; /* PRUNE, and writing: the node; NONE: before the first one */
	bool began;    /* "here" has been entered */
};

struct threads *
threads_new(enum imap_thread algorithm, size_t max)
{
	struct threads *t = xcalloc(1, sizeof(*t));

	t->max = max;
	t->messages = xcalloc(MAX(max, (size_t)1), sizeof(*t->messages));
	t->order = xcalloc(MAX(max, (size_t)1), sizeof(*t->order));
	t->first_root = t->last_root = t->here = NONE;
	t->phase = algorithm == IMAP_THREAD_ORDEREDSUBJECT ? SAME_SUBJECT : OWN_IDS;
	return t;
}

void
threads_free(struct threads **t)
{
	if (*t == NULL)
		return;
	free((*t)->messages);
	free((*t)->ids);
	free((*t)->order);
	free((*t)->table.slots);
	free((*t)->nodes);
	free((*t)->leader);
	free((*t)->members);
	free((*t)->up);
	free((*t)->roots);
	free(*t);
	*t = NULL;
}

/* ---- what there is ------------------------------------------------------------------------------ */

static void
add_id(struct threads *t, uint64_t id)
{
	if (t->id_count == t->id_room) {
		t->id_room = MAX(t->id_room * 2, (size_t)1024);
		t->ids = xrealloc(t->ids, t->id_room * sizeof(*t->ids));
	}
	t->ids[t->id_count++] = id == 0 ? 1 : id;
}

bool
threads_add(struct threads *t, uint32_t told, uint64_t id, uint64_t subject, bool answer)
{
	struct message *m = &t->messages[t->count];

	must(t->count < t->max);
	if (t->id_count + 1 + THREADS_REFERENCES_MAX > THREADS_IDS_MAX)
		return false;
	*m = (struct message){ .subject = subject,
		               .told = told,
		               .first_id = (uint32_t)t->id_count,
		               .answer = answer,
		               .has_id = id != 0 };
	t->count++;
	add_id(t, id);
	return true;
}

/* Where the IDs of message i end. */
static size_t
ids_end(const struct threads *t, size_t i)
{
	return i + 1 < t->count ? t->messages[i + 1].first_id : t->id_count;
}

void
threads_add_reference(struct threads *t, uint64_t id)
{
	uint64_t *refs = t->ids + t->messages[t->count - 1].first_id + 1;

	if (t->id_count - (t->messages[t->count - 1].first_id + 1) == THREADS_REFERENCES_MAX) {
		memmove(refs, refs + 1, (THREADS_REFERENCES_MAX - 1) * sizeof(*refs));
		t->id_count--;
	}
	add_id(t, id);
}

void
threads_order(struct threads *t, uint32_t number)
{
	must(number < t->count && t->ordered < t->count);
	t->order[t->ordered++] = number;
}

/* ---- tables --------------------------------------------------------------------------------------- */

static void
table_start(struct table *table, size_t most)
{
	size_t size = 16;

	while (size < 2 * most)
		size *= 2;
	free(table->slots);
	table->slots = xcalloc(size, sizeof(*table->slots));
	table->mask = size - 1;
}

/* The slot of this hash, or the empty one where it belongs. */
static struct slot *
table_find(struct table *table, uint64_t hash)
{
	size_t i = (size_t)hash & table->mask;

	while (table->slots[i].hash != 0 && table->slots[i].hash != hash)
		i = (i + 1) & table->mask;
	return &table->slots[i];
}

/* ---- nodes ---------------------------------------------------------------------------------------- */

static bool
is_dummy(const struct threads *t, uint32_t n)
{
	return n >= t->count;
}

static uint32_t
add_node(struct threads *t)
{
	uint32_t n = (uint32_t)t->node_count++;

	t->nodes[n] = (struct node){ NONE, NONE, NONE, NONE };
	t->leader[n] = NONE;
	t->members[n] = 1;
	return n;
}

static uint32_t
leader_of(struct threads *t, uint32_t n)
{
	while (t->leader[n] != NONE) {
		uint32_t next = t->leader[n];

		if (t->leader[next] != NONE)
			t->leader[n] = t->leader[next];
		n = next;
	}
	return n;
}

/* Unless it has one, or that would be a loop. */
static void
link_to(struct threads *t, uint32_t parent, uint32_t child)
{
	uint32_t a, b;

	if (t->nodes[child].parent != NONE)
		return;
	a = leader_of(t, parent);
	b = leader_of(t, child);
	if (a == b)
		return;
	t->nodes[child].parent = parent;
	if (t->members[a] < t->members[b]) {
		uint32_t swap = a;

		a = b;
		b = swap;
	}
	t->leader[b] = a;
	t->members[a] += t->members[b];
}

/* Behind the children that parent has. */
static void
put_below(struct threads *t, uint32_t parent, uint32_t child)
{
	struct node *p = &t->nodes[parent];

	if (p->first == NONE)
		p->first = child;
	else
		t->nodes[p->last].next = child;
	p->last = child;
}

static uint32_t
node_of_id(struct threads *t, uint64_t id)
{
	struct slot *slot = table_find(&t->table, id);

	if (slot->hash == 0) {
		slot->hash = id;
		slot->node = add_node(t);
	}
	return slot->node;
}

/* ---- (1) links -------------------------------------------------------------------------------------- */

static void
start(struct threads *t)
{
	size_t most = t->id_count + t->count / 2 + 1;

	must(t->ordered == t->count);
	table_start(&t->table, t->id_count);
	t->nodes = xcalloc(most, sizeof(*t->nodes));
	t->leader = xcalloc(most, sizeof(*t->leader));
	t->members = xcalloc(most, sizeof(*t->members));
	t->up = xcalloc(most, sizeof(*t->up));
	t->roots = xcalloc(MAX(t->count, (size_t)1), sizeof(*t->roots));
}

/* The first message with an ID has it. */
static void
own_id(struct threads *t, size_t i)
{
	const struct message *m = &t->messages[i];
	uint32_t n = add_node(t);
	struct slot *slot;

	if (!m->has_id)
		return;
	slot = table_find(&t->table, t->ids[m->first_id]);
	if (slot->hash == 0) {
		slot->hash = t->ids[m->first_id];
		slot->node = n;
	}
}

static void
own_parent(struct threads *t, size_t i)
{
	size_t end = ids_end(t, i);

	if (end > t->messages[i].first_id + 1)
		link_to(t, node_of_id(t, t->ids[end - 1]), (uint32_t)i);
}

/* Each reference is the parent of the next one. */
static void
others_links(struct threads *t, size_t i)
{
	size_t end = ids_end(t, i);

	for (size_t k = t->messages[i].first_id + 1; k + 1 < end; k++) {
		uint32_t parent = node_of_id(t, t->ids[k]), child = node_of_id(t, t->ids[k + 1]);

		if (is_dummy(t, child) || child < i)
			link_to(t, parent, child);
	}
}

static void
to_parent(struct threads *t, size_t n)
{
	if (t->nodes[n].parent != NONE)
		put_below(t, t->nodes[n].parent, (uint32_t)n);
}

/* ---- (3) dummies go ------------------------------------------------------------------------------------ */

static void
prune(struct threads *t, uint32_t n)
{
	uint32_t p = t->nodes[n].parent;

	if (p == NONE)
		t->up[n] = is_dummy(t, n) ? n : NONE;
	else
		t->up[n] = is_dummy(t, p) ? t->up[p] : p;
	if (is_dummy(t, n))
		t->members[n] = 0;
	else if (t->up[n] != NONE && is_dummy(t, t->up[n]))
		t->members[t->up[n]]++;
}

/* The node behind n in the tree that it is in, from above; NONE: that was the last one. */
static uint32_t
next_in_tree(const struct threads *t, uint32_t n)
{
	if (t->nodes[n].first != NONE)
		return t->nodes[n].first;
	while (n != NONE && t->nodes[n].next == NONE)
		n = t->nodes[n].parent;
	return n == NONE ? NONE : t->nodes[n].next;
}

/* One node of the tree of root n. */
static void
prune_tree(struct threads *t, size_t n)
{
	if (t->here == NONE && t->nodes[n].parent != NONE)
		return;
	if (t->here == NONE)
		t->here = (uint32_t)n;
	prune(t, t->here);
	t->here = next_in_tree(t, t->here);
}

/* ---- (4) roots by date -------------------------------------------------------------------------------- */

/* From here on `first` of an uppermost dummy is its first child, and NONE before that has come. */
static void
root(struct threads *t, size_t i)
{
	uint32_t n = t->order[i], up = t->up[n];

	if (up != NONE && !is_dummy(t, up))
		return;
	if (up != NONE && t->members[up] == 1)
		t->up[n] = up = NONE;
	if (up == NONE) {
		t->roots[t->root_count++] = n;
	} else if (t->leader[up] != up) {
		/* the leaders are of no use any more: seen */
		t->leader[up] = up;
		t->nodes[up].first = n;
		t->roots[t->root_count++] = up;
	}
}

/* ---- (5) the same subject ------------------------------------------------------------------------------ */

static const struct message *
subject_of(const struct threads *t, uint32_t n)
{
	return &t->messages[is_dummy(t, n) ? t->nodes[n].first : n];
}

static bool
is_answer(const struct threads *t, uint32_t n)
{
	return !is_dummy(t, n) && t->messages[n].answer;
}

static void
subject(struct threads *t, size_t i)
{
	uint32_t n = t->roots[i];
	uint64_t hash = subject_of(t, n)->subject;
	struct slot *slot;

	if (hash == 0)
		return;
	slot = table_find(&t->table, hash);
	if (slot->hash == 0 ||
	    (!is_dummy(t, slot->node) &&
	     (is_dummy(t, n) || (is_answer(t, slot->node) && !is_answer(t, n))))) {
		slot->hash = hash;
		slot->node = n;
	}
}

static void
merge(struct threads *t, size_t i)
{
	uint32_t n = t->roots[i], with;
	uint64_t hash = subject_of(t, n)->subject;
	struct slot *slot;

	if (hash == 0)
		return;
	slot = table_find(&t->table, hash);
	with = slot->node;
	if (with == n)
		return;
	/* the children of a dummy follow it: siblings() looks where it went */
	if (!is_dummy(t, with) && (is_dummy(t, n) || !is_answer(t, n) || is_answer(t, with))) {
		uint32_t both = add_node(t);

		t->up[both] = both;
		t->up[with] = t->up[n] = both;
		slot->node = both;
		return;
	}
	t->up[n] = with;
}

/* ---- (6) siblings ---------------------------------------------------------------------------------------- */

static void
put_root(struct threads *t, uint32_t n)
{
	if (t->first_root == NONE)
		t->first_root = n;
	else
		t->nodes[t->last_root].next = n;
	t->last_root = n;
}

static void
clear(struct threads *t, size_t n)
{
	t->nodes[n] = (struct node){ NONE, NONE, NONE, NONE };
}

static void
sibling(struct threads *t, size_t i)
{
	uint32_t n = t->order[i], up = t->up[n];

	if (up == NONE) {
		put_root(t, n);
		return;
	}
	if (is_dummy(t, up))
		up = t->up[up]; /* another dummy that took its children, or itself */
	if (is_dummy(t, up) && t->nodes[up].first == NONE)
		put_root(t, up);
	t->nodes[n].parent = up;
	put_below(t, up, n);
}

/* ---- ORDEREDSUBJECT ------------------------------------------------------------------------------------------ */

static void
start_grouping(struct threads *t)
{
	must(t->ordered == t->count);
	table_start(&t->table, t->count);
	t->nodes = xcalloc(MAX(t->count, (size_t)1), sizeof(*t->nodes));
	t->up = xcalloc(MAX(t->count, (size_t)1), sizeof(*t->up));
	t->node_count = t->count;
}

/* The earliest message of a subject has all others below it. */
static void
same_subject(struct threads *t, size_t i)
{
	uint32_t n = t->order[i];
	uint64_t hash = t->messages[n].subject;
	struct slot *slot = table_find(&t->table, hash == 0 ? 1 : hash);

	t->up[n] = slot->hash == 0 ? NONE : slot->node;
	if (slot->hash == 0) {
		slot->hash = hash == 0 ? 1 : hash;
		slot->node = n;
	}
}

/* ---- the phases --------------------------------------------------------------------------------------------- */

static size_t
messages(const struct threads *t)
{
	return t->count;
}

static size_t
nodes(const struct threads *t)
{
	return t->node_count;
}

static size_t
roots(const struct threads *t)
{
	return t->root_count;
}

static void
start_subjects(struct threads *t)
{
	table_start(&t->table, t->root_count);
}

static size_t
nodes_and_messages(const struct threads *t)
{
	return t->node_count + t->count;
}

/* First all nodes are made empty, then comes each message. */
static void
clear_or_sibling(struct threads *t, size_t i)
{
	if (i < t->node_count)
		clear(t, i);
	else
		sibling(t, i - t->node_count);
}

static const struct {
	void (*start)(struct threads *t); /* or NULL */
	size_t (*count)(const struct threads *t);
	void (*one)(struct threads *t, size_t i); /* again while t->here is something */
} phases[] = {
	[SAME_SUBJECT] = { start_grouping, messages, same_subject },
	[OWN_IDS] = { start, messages, own_id },
	[OWN_PARENTS] = { NULL, messages, own_parent },
	[OTHERS_LINKS] = { NULL, messages, others_links },
	[CHILDREN] = { NULL, nodes, to_parent },
	[PRUNE] = { NULL, nodes, prune_tree },
	[ROOTS] = { NULL, messages, root },
	[SUBJECTS] = { start_subjects, roots, subject },
	[MERGE] = { NULL, roots, merge },
	[SIBLINGS] = { NULL, nodes_and_messages, clear_or_sibling },
};

/* False: the phase is over. */
static bool
work(struct threads *t)
{
	if (t->at == 0 && phases[t->phase].start != NULL)
		phases[t->phase].start(t);
	if (t->at == phases[t->phase].count(t))
		return false;
	phases[t->phase].one(t, t->at);
	if (t->here == NONE)
		t->at++;
	return true;
}

bool
threads_work(struct threads *t, size_t steps)
{
	for (; steps > 0 && t->phase != DONE; steps--) {
		if (work(t))
			continue;
		t->phase = t->phase == SAME_SUBJECT ? SIBLINGS : t->phase + 1;
		t->at = 0;
	}
	return t->phase == DONE;
}

/* ---- the response ----------------------------------------------------------------------------------------- */

static bool
has_siblings(const struct threads *t, uint32_t n)
{
	uint32_t p = t->nodes[n].parent;

	return p == NONE || t->nodes[p].first != t->nodes[p].last;
}

static void
enter(struct threads *t, uint32_t n, struct buf *out)
{
	if (has_siblings(t, n))
		buf_add_char(out, '(');
	if (!is_dummy(t, n)) {
		buf_add_decimal(out, t->messages[n].told);
		if (t->nodes[n].first != NONE)
			buf_add_char(out, ' ');
	}
	t->here = n;
	t->began = true;
}

bool
threads_write(struct threads *t, size_t steps, struct buf *out)
{
	if (t->here == NONE) {
		if (t->first_root == NONE)
			return true;
		enter(t, t->first_root, out);
	}
	for (; steps > 0; steps--) {
		const struct node *n = &t->nodes[t->here];

		if (t->began && n->first != NONE) {
			enter(t, n->first, out);
			continue;
		}
		if (has_siblings(t, t->here))
			buf_add_char(out, ')');
		t->began = false;
		if (n->next != NONE) {
			enter(t, n->next, out);
			continue;
		}
		if (n->parent == NONE)
			return true;
		t->here = n->parent;
	}
	return false;
}
