#include "proto/imap_sort.h"

static const char *const names[IMAP_SORT_KEYS] = {
	[IMAP_SORT_ARRIVAL] = "ARRIVAL",
	[IMAP_SORT_CC] = "CC",
	[IMAP_SORT_DATE] = "DATE",
	[IMAP_SORT_DISPLAYFROM] = "DISPLAYFROM",
	[IMAP_SORT_DISPLAYTO] = "DISPLAYTO",
	[IMAP_SORT_FROM] = "FROM",
	[IMAP_SORT_SIZE] = "SIZE",
	[IMAP_SORT_SUBJECT] = "SUBJECT",
	[IMAP_SORT_TO] = "TO",
};

static const char *const algorithms[] = {
	[IMAP_THREAD_ORDEREDSUBJECT] = "ORDEREDSUBJECT",
	[IMAP_THREAD_REFERENCES] = "REFERENCES",
};

/* One of these words; count: none, and an error. */
static size_t
read_word(struct imap_args *a, const char *const *words, size_t count, const char *what)
{
	size_t i = 0;

	while (i < count && !imap_args_try_word(a, words[i]))
		i++;
	if (i == count)
		imap_args_fail(a, "Unknown %s in %s", what, a->cmd);
	return i;
}

static void
add(struct imap_sort *s, enum imap_sort_key key, bool reverse)
{
	for (unsigned i = 0; i < s->count; i++)
		if (s->by[i].key == key)
			return;
	s->by[s->count].key = key;
	s->by[s->count++].reverse = reverse;
}

bool
imap_sort_read(struct imap_args *a, struct imap_sort *s_r)
{
	bool first = true;

	s_r->count = 0;
	if (!imap_args_space(a) || !imap_args_open(a, "sort criteria"))
		return false;
	while (imap_args_next(a, &first)) {
		bool reverse = imap_args_try_word(a, "REVERSE");
		size_t key;

		if (reverse && !imap_args_space(a))
			return false;
		key = read_word(a, names, ARRAY_LEN(names), "sort criterion");
		if (key == ARRAY_LEN(names))
			return false;
		add(s_r, (enum imap_sort_key)key, reverse);
	}
	if (imap_args_ok(a) && s_r->count == 0)
		return imap_args_fail(a, "Missing sort criterion in %s", a->cmd);
	return imap_args_ok(a);
}

bool
imap_thread_read(struct imap_args *a, enum imap_thread *t_r)
{
	size_t i;

	if (!imap_args_space(a))
		return false;
	i = read_word(a, algorithms, ARRAY_LEN(algorithms), "threading algorithm");
	*t_r = (enum imap_thread)i;
	return i < ARRAY_LEN(algorithms);
}
