/*
 * A file is a sequence of lines:
 *
 *	line    = blank / "#" comment / "[" kind [ name ] "]" / "include" path-or-pattern
 *		/ setting "=" value
 *	value   = *char [ " #" comment ] / DQUOTE *( char / "\" DQUOTE / "\\" ) DQUOTE
 *	setting = 1*( a-z / 0-9 / "_" )
 *
 * Limits before everything: size of all files together, depth of includes, line length.
 */
#include "conf/conf_file.h"

#include "base/num.h"
#include "base/text.h"
#include "base/xalloc.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct parser {
	struct conf_file *file;
	size_t bytes; /* of all files */
	unsigned depth;
	const char *path; /* of the file at hand */
	unsigned line;
	size_t head; /* index + 1 of the section at hand; 0: none yet */
	struct err *err;
};

static int parse_path(struct parser *p, const char *path);

static int
fail(struct parser *p, const char *what)
{
	err_set(p->err, "%s:%u: %s", p->path, p->line, what);
	return -1;
}

static bool
is_name_char(char c, const char *more)
{
	return text_is_digit(c) || text_is_alpha(c) || c == '_' ||
	       (c != '\0' && strchr(more, c) != NULL);
}

static bool
is_name(struct slice s, const char *more)
{
	for (size_t i = 0; i < s.n; i++)
		if (!is_name_char(s.p[i], more))
			return false;
	return s.n > 0 && s.n <= 128;
}

static bool
name_eq(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static struct conf_head *
find_head(const struct conf_file *f, const char *kind, const char *name)
{
	for (size_t i = 0; i < f->count; i++)
		if (strcmp(f->heads[i].kind, kind) == 0 && name_eq(f->heads[i].name, name))
			return &f->heads[i];
	return NULL;
}

const struct conf_head *
conf_file_head(const struct conf_file *f, const char *kind, const char *name)
{
	return find_head(f, kind, name);
}

static struct conf_head *
add_head(struct conf_file *f, const char *kind, const char *name, const char *path, unsigned line)
{
	struct conf_head *h = find_head(f, kind, name);

	if (h != NULL)
		return h;
	f->heads = xreallocarray(f->heads, f->count + 1, sizeof(*f->heads));
	h = &f->heads[f->count++];
	*h = (struct conf_head){
		.kind = xstrdup(kind),
		.name = name != NULL ? xstrdup(name) : NULL,
		.file = xstrdup(path),
		.line = line,
	};
	return h;
}

static void
add_entry(struct conf_head *h, const char *name, const char *value, const char *path, unsigned line)
{
	h->entries = xreallocarray(h->entries, h->count + 1, sizeof(*h->entries));
	h->entries[h->count++] = (struct conf_entry){
		.name = xstrdup(name),
		.value = xstrdup(value),
		.file = xstrdup(path),
		.line = line,
	};
}

/* "[kind]" or "[kind name]" */
static int
parse_head(struct parser *p, struct slice s)
{
	size_t close = slice_find(s, ']');
	struct slice in, rest, kind, name;
	char *k, *n;

	if (close == s.n)
		return fail(p, "a section is written [program], [program instance] or [kind name]: "
		               "the closing ] is missing");
	rest = slice_trim(slice_skip(s, close + 1));
	if (rest.n > 0 && rest.p[0] != '#')
		return fail(p, "nothing may stand behind a section's ]");
	in = slice_trim(slice_sub(s, 1, close - 1));
	kind = slice_cut(&in, ' ');
	name = slice_trim(in);
	/* Names of programs' instances become names of files. */
	if (!is_name(kind, "-.@") ||
	    (name.n > 0 && !is_name(name, slice_eq_str(kind, "identity") ? "-.@/" : "-.@")))
		return fail(p, "a section is written [program], [program instance] or [kind name], "
		               "in letters, digits, - . _ @; / may stand in [identity name] only");
	k = slice_dup(kind);
	n = name.n > 0 ? slice_dup(name) : NULL;
	p->head = (size_t)(add_head(p->file, k, n, p->path, p->line) - p->file->heads) + 1;
	free(k);
	free(n);
	return 0;
}

static int
parse_quoted(struct parser *p, struct slice s, struct buf *out)
{
	size_t i = 1;

	for (; i < s.n && s.p[i] != '"'; i++) {
		if (s.p[i] == '\\') {
			i++;
			if (i == s.n || (s.p[i] != '"' && s.p[i] != '\\'))
				return fail(p, "in quotes a \\ stands before \" or \\ only");
		}
		buf_add_char(out, s.p[i]);
	}
	if (i >= s.n)
		return fail(p, "the closing quote is missing");
	s = slice_trim(slice_skip(s, i + 1));
	if (s.n > 0 && s.p[0] != '#')
		return fail(p, "only a comment may stand behind a quoted value");
	return 0;
}

/* Up to a # at the beginning or behind white space. */
static void
parse_plain(struct slice s, struct buf *out)
{
	size_t n = 0;

	while (n < s.n && !(s.p[n] == '#' && (n == 0 || s.p[n - 1] == ' ' || s.p[n - 1] == '\t')))
		n++;
	buf_add_slice(out, slice_trim(slice_sub(s, 0, n)));
}

static int
parse_setting(struct parser *p, struct slice s)
{
	struct slice rest = s, name = slice_trim(slice_cut(&rest, '='));
	struct buf value = BUF_INIT(CONF_FILE_LINE);
	struct conf_head *h;
	char *n;
	int r = 0;

	if (rest.p == NULL)
		return fail(p, "a setting is written name = value");
	if (!is_name(name, ""))
		return fail(p, "the name of a setting has letters, digits and _ only");
	if (p->head == 0) {
		err_set(p->err, "%s:%u: %.*s must stand below a section such as [common]", p->path,
		        p->line, SLICE_ARG(name));
		return -1;
	}
	rest = slice_trim(rest);
	if (rest.n > 0 && rest.p[0] == '"')
		r = parse_quoted(p, rest, &value);
	else
		parse_plain(rest, &value);
	h = &p->file->heads[p->head - 1];
	n = slice_dup(name);
	for (size_t i = 0; i < h->count && r == 0; i++) {
		if (strcmp(h->entries[i].name, n) != 0)
			continue;
		err_set(p->err, "%s:%u: %s is set already in line %u of %s", p->path, p->line, n,
		        h->entries[i].line, h->entries[i].file);
		r = -1;
	}
	if (r == 0)
		add_entry(h, n, buf_cstr(&value), p->path, p->line);
	free(n);
	buf_wipe(&value);
	return r;
}

static char *
path_beside(const char *file, struct slice path)
{
	const char *slash = strrchr(file, '/');
	struct buf b = BUF_INIT(PATH_MAX);

	if (path.n > 0 && path.p[0] != '/' && slash != NULL)
		buf_add(&b, file, (size_t)(slash - file) + 1);
	buf_add_slice(&b, path);
	return b.overflow ? (buf_fini(&b), NULL) : buf_steal_cstr(&b);
}

static int
parse_include(struct parser *p, struct slice s)
{
	struct slice arg = slice_trim(s);
	size_t head = p->head;
	char *path;
	glob_t g;
	int r = 0;

	if (arg.n >= 2 && arg.p[0] == '"' && arg.p[arg.n - 1] == '"')
		arg = slice_sub(arg, 1, arg.n - 2);
	if (arg.n == 0)
		return fail(p, "include needs the path of a file");
	if (p->depth >= CONF_FILE_DEPTH)
		return fail(p, "files include each other too deeply (at most 8)");
	path = path_beside(p->path, arg);
	if (path == NULL)
		return fail(p, "the path is too long");
	if (strpbrk(path, "*?[") == NULL) {
		r = parse_path(p, path);
	} else if (glob(path, GLOB_ERR, NULL, &g) == 0) {
		for (size_t i = 0; i < g.gl_pathc && r == 0; i++) {
			p->head = head;
			r = parse_path(p, g.gl_pathv[i]);
		}
		globfree(&g);
	}
	free(path);
	p->head = head;
	return r;
}

static int
parse_line(struct parser *p, struct slice s)
{
	s = slice_trim(s);
	if (s.n > CONF_FILE_LINE)
		return fail(p, "the line is too long (at most 8192 bytes)");
	for (size_t i = 0; i < s.n; i++)
		if (text_is_ctl(s.p[i]) && s.p[i] != '\t')
			return fail(p, "control bytes may not stand in a settings file");
	if (s.n == 0 || s.p[0] == '#' || s.p[0] == ';')
		return 0;
	if (s.p[0] == '[')
		return parse_head(p, s);
	if (slice_starts(s, SLICE("include ")) || slice_starts(s, SLICE("include\t")))
		return parse_include(p, slice_skip(s, 8));
	return parse_setting(p, s);
}

static int
parse_text(struct parser *p, const char *path, struct slice text)
{
	const char *outer_path = p->path;
	unsigned outer_line = p->line;
	int r = 0;

	p->path = path;
	p->line = 0;
	p->bytes += text.n;
	if (p->bytes > CONF_FILE_BYTES) {
		err_set(p->err, "%s: the settings are larger than 1 MiB", path);
		r = -1;
	}
	while (r == 0 && text.p != NULL && text.n > 0) {
		p->line++;
		r = parse_line(p, slice_cut(&text, '\n'));
	}
	p->path = outer_path;
	p->line = outer_line;
	return r;
}

static int
read_all(const char *path, struct buf *out, struct err *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	char chunk[4096];
	ssize_t n = -1;

	if (fd == -1 || fstat(fd, &st) == -1) {
		err_set_errno(err, "%s: cannot be read", path);
	} else if (!S_ISREG(st.st_mode) && !S_ISFIFO(st.st_mode) && !S_ISCHR(st.st_mode)) {
		err_set(err, "%s: is not a file", path);
	} else {
		while ((n = read(fd, chunk, sizeof(chunk))) > 0 && !out->overflow)
			buf_add(out, chunk, (size_t)n);
		if (n == -1)
			err_set_errno(err, "%s: cannot be read", path);
		else if (out->overflow)
			err_set(err, "%s: the settings are larger than 1 MiB", path);
	}
	secret_wipe(chunk, sizeof(chunk));
	if (fd != -1)
		close(fd);
	return n != 0 || out->overflow ? -1 : 0;
}

static int
parse_path(struct parser *p, const char *path)
{
	struct buf text = BUF_INIT(CONF_FILE_BYTES + 1);
	struct err err;
	int r;

	p->depth++;
	r = read_all(path, &text, &err);
	if (r == -1 && p->path != NULL)
		err_set(p->err, "%s:%u: include: %s", p->path, p->line, err.text);
	else if (r == -1)
		err_set(p->err, "%s", err.text);
	else
		r = parse_text(p, path, buf_slice(&text));
	p->depth--;
	buf_wipe(&text);
	return r;
}

struct conf_file *
conf_file_read(const char *path, struct err *err)
{
	struct parser p = { .file = xcalloc(1, sizeof(*p.file)), .err = err };
	char *full = realpath(path, NULL);

	p.file->path = full != NULL ? full : xstrdup(path);
	if (parse_path(&p, p.file->path) == -1)
		conf_file_free(&p.file);
	return p.file;
}

struct conf_file *
conf_file_parse(const char *name, struct slice text, struct err *err)
{
	struct parser p = { .file = xcalloc(1, sizeof(*p.file)), .err = err };

	if (parse_text(&p, name, text) == -1)
		conf_file_free(&p.file);
	return p.file;
}

void
conf_file_free(struct conf_file **f)
{
	if (*f == NULL)
		return;
	for (size_t i = 0; i < (*f)->count; i++) {
		struct conf_head *h = &(*f)->heads[i];

		for (size_t k = 0; k < h->count; k++) {
			secret_wipe(h->entries[k].value, strlen(h->entries[k].value));
			free(h->entries[k].name);
			free(h->entries[k].value);
			free(h->entries[k].file);
		}
		free(h->entries);
		free(h->kind);
		free(h->name);
		free(h->file);
	}
	free((*f)->heads);
	free((*f)->path);
	free(*f);
	*f = NULL;
}

bool
conf_file_next(const struct conf_file *f, size_t *pos, const char **kind_r, const char **name_r)
{
	if (*pos >= f->count)
		return false;
	*kind_r = f->heads[*pos].kind;
	*name_r = f->heads[*pos].name;
	(*pos)++;
	return true;
}

/* ---- packed: strings as blobs, counts as u32; both ends are this program ------------ */

static void
pack_str(struct buf *out, const char *s)
{
	buf_add_u8(out, s != NULL);
	buf_add_blob(out, slice_of(s));
}

static char *
unpack_str(struct num_reader *r)
{
	bool there = num_read_u8(r) != 0;
	struct slice s = num_read_blob(r);

	return there && !r->bad ? slice_dup(s) : NULL;
}

void
conf_file_pack(const struct conf_file *f, struct buf *out)
{
	pack_str(out, f->path);
	buf_add_u32(out, (uint32_t)f->count);
	for (size_t i = 0; i < f->count; i++) {
		const struct conf_head *h = &f->heads[i];

		pack_str(out, h->kind);
		pack_str(out, h->name);
		pack_str(out, h->file);
		buf_add_u32(out, h->line);
		buf_add_u32(out, (uint32_t)h->count);
		for (size_t k = 0; k < h->count; k++) {
			pack_str(out, h->entries[k].name);
			pack_str(out, h->entries[k].value);
			pack_str(out, h->entries[k].file);
			buf_add_u32(out, h->entries[k].line);
		}
	}
}

static bool
unpack_entries(struct num_reader *r, struct conf_head *h)
{
	uint32_t n = num_read_u32(r);

	for (uint32_t i = 0; i < n && !r->bad; i++) {
		char *name = unpack_str(r), *value = unpack_str(r), *file = unpack_str(r);
		unsigned line = num_read_u32(r);

		if (name != NULL && value != NULL && file != NULL && !r->bad)
			add_entry(h, name, value, file, line);
		else
			r->bad = true;
		free(name);
		free(value);
		free(file);
	}
	return !r->bad;
}

static bool
unpack_head(struct num_reader *r, struct conf_file *f)
{
	char *kind = unpack_str(r), *name = unpack_str(r), *file = unpack_str(r);
	unsigned line = num_read_u32(r);

	if (kind == NULL || file == NULL)
		r->bad = true;
	else
		unpack_entries(r, add_head(f, kind, name, file, line));
	free(kind);
	free(name);
	free(file);
	return !r->bad;
}

struct conf_file *
conf_file_unpack(struct slice packed)
{
	struct conf_file *f = xcalloc(1, sizeof(*f));
	struct num_reader r = num_reader_of(packed);
	uint32_t n;

	f->path = unpack_str(&r);
	n = num_read_u32(&r);
	for (uint32_t i = 0; i < n && unpack_head(&r, f); i++)
		;
	if (r.bad || r.rest.n > 0)
		conf_file_free(&f);
	return f;
}
