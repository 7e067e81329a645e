/*
 * aliases_table.c - an aliases file taken apart.
 */
#include <bsd/stdlib.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "lookup/tables/aliases_table.h"
#include "lookup/tables/table_watch.h"
#include "lookup/tables/users_table.h"

/* The entry whose lines are being read. */
struct reading {
	struct aliases_table *table;
	const char *path;
	bool open;  /* there is one */
	bool wrong; /* its name was */
	struct span name;
	struct span targets;
	uint32_t line;
};

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

/* ---- included files ------------------------------------------------------- */

/* The path of an include: absolute, or below the aliases file's directory; and
 * there it must lie in any case.  False: it does not. */
static bool
include_path(
    char dst[2 * ALIAS_PATH_MAX], const char *aliases, const char *written)
{
	const char *slash = strrchr(aliases, '/');
	size_t n = slash != NULL ? (size_t)(slash - aliases) + 1 : 0;

	if (written[0] == '/') {
		snprintf(dst, 2 * ALIAS_PATH_MAX, "%s", written);
		return n > 0 && strncmp(written, aliases, n) == 0 &&
		    written[n] != '\0';
	}
	snprintf(dst, 2 * ALIAS_PATH_MAX, "%.*s%s", (int)n, aliases, written);
	return true;
}

static struct aliases_include *
find_include(const struct aliases_table *t, const char *path)
{
	for (size_t i = 0; i < t->nincludes; i++)
		if (strcmp(t->includes[i].path, path) == 0)
			return &t->includes[i];
	return NULL;
}

static int
add_include(struct aliases_table *t, const char *path)
{
	struct aliases_include *more;
	char *copy;

	if (find_include(t, path) != NULL)
		return 0;
	if (t->nincludes == t->includes_cap) {
		size_t cap = t->includes_cap == 0 ? 8 : 2 * t->includes_cap;

		more = reallocarray(t->includes, cap, sizeof *more);
		if (more == NULL)
			return -1;
		t->includes = more;
		t->includes_cap = cap;
	}
	if ((copy = strdup(path)) == NULL)
		return -1;
	t->includes[t->nincludes++] = (struct aliases_include){ .path = copy };
	return 0;
}

struct table_file *
aliases_table_include(const struct aliases_table *t, const char *aliases_path,
    const struct alias_target *target)
{
	char path[2 * ALIAS_PATH_MAX];
	const struct aliases_include *i;

	if (!include_path(path, aliases_path, target->path))
		return NULL;
	i = find_include(t, path);
	return i != NULL ? i->file : NULL;
}

/* ---- one entry ------------------------------------------------------------ */

/* Why this target cannot be used, or NULL.  -1 in *error: no memory. */
static const char *
check_target(struct reading *r, const struct alias_target *t, int *error)
{
	char path[2 * ALIAS_PATH_MAX];

	switch (t->kind) {
	case ALIAS_WRONG:
		return t->why;
	case ALIAS_PROGRAM:
		return "programs are not run by this version";
	case ALIAS_FILE:
		return "files are not written by this version";
	case ALIAS_DIRECTORY:
		return "directories are not written by this version";
	case ALIAS_INCLUDE:
		if (!include_path(path, r->path, t->path))
			return "an included file that is not below the "
			       "directory of this one";
		*error = add_include(r->table, path);
		return NULL;
	default:
		return NULL;
	}
}

static uint32_t
line_of(const struct reading *r, const char *at)
{
	uint32_t line = r->line;

	for (const char *p = r->targets.p; p < at; p++)
		line += *p == '\n';
	return line;
}

/* Whether all targets are right; each that is not is reported.  -1: no memory. */
static int
check_targets(struct reading *r)
{
	struct table_problems *problems = &r->table->problems;
	struct span rest = r->targets;
	struct alias_target t;
	bool ok = true;
	size_t n = 0;

	for (alias_next(&rest, &t); t.kind != ALIAS_END;
	     alias_next(&rest, &t), n++) {
		int error = 0;
		const char *why = check_target(r, &t, &error);

		if (error == -1)
			return -1;
		if (why == NULL)
			continue;
		ok = false;
		table_problem(problems, line_of(r, t.at), why);
	}
	if (n == 0) {
		ok = false;
		table_problem(problems, r->line,
		    "leads nowhere; an address behind the colon would be "
		    "right");
	}
	return ok;
}

static int
add(struct aliases_table *t, const struct aliases_entry *e)
{
	if (t->n == t->cap) {
		size_t cap = t->cap == 0 ? 64 : 2 * t->cap;
		struct aliases_entry *more =
		    reallocarray(t->entries, cap, sizeof *more);

		if (more == NULL)
			return -1;
		t->entries = more;
		t->cap = cap;
	}
	t->entries[t->n++] = *e;
	return 0;
}

static int
end_entry(struct reading *r)
{
	int ok;

	if (!r->open)
		return 0;
	r->open = false;
	if (r->wrong)
		return 0;
	if ((ok = check_targets(r)) == -1)
		return -1;
	return add(r->table,
	    &(struct aliases_entry){ .name = r->name,
		.targets = r->targets,
		.line = r->line,
		.wrong = !ok });
}

/* The name, up to its colon, which is cut off; false: there is none. */
static bool
take_name(struct span *line, struct span *name)
{
	struct span s = *line;
	size_t n = 0;

	if (s.n > 0 && s.p[0] == '"') {
		for (n = 1; n < s.n && s.p[n] != '"' && s.p[n] != '\\';)
			n++;
		if (n == s.n || s.p[n] != '"')
			return false;
		*name = span_from(s.p + 1, n - 1);
		s = span_trim(span_skip(s, n + 1));
		if (s.n == 0 || s.p[0] != ':')
			return false;
		*line = span_skip(s, 1);
		return true;
	}
	*name = span_cut(&s, ':');
	if (name->n == line->n)
		return false;
	*name = span_trim(*name);
	*line = s;
	return true;
}

static bool
name_ok(struct span name)
{
	if (!users_local_ok(name))
		return false;
	for (size_t i = 0; i < name.n; i++)
		if (name.p[i] == '@' || name.p[i] == '"')
			return false;
	return true;
}

static void
begin_entry(struct reading *r, struct span line, uint32_t number)
{
	char *p;

	r->open = true;
	r->line = number;
	r->wrong = !take_name(&line, &r->name);
	if (r->wrong) {
		table_problem(&r->table->problems, number,
		    "no alias; \"NAME: ADDRESS, …\" would be right");
		return;
	}
	if (!name_ok(r->name)) {
		r->wrong = true;
		table_problem(&r->table->problems, number,
		    "a bad name; the part in front of the @ alone would be "
		    "right");
		return;
	}
	p = r->table->text + (r->name.p - r->table->text);
	for (size_t i = 0; i < r->name.n; i++)
		p[i] = ascii_lower(p[i]);
	r->targets = line;
}

/* A comment between the lines of an entry is no part of it. */
static void
wipe(struct reading *r, struct span line)
{
	memset(r->table->text + (line.p - r->table->text), ' ', line.n);
}

static int
read_line(struct reading *r, struct span line, uint32_t number)
{
	struct span words = line;

	while (words.n > 0 && is_blank(words.p[0]))
		words = span_skip(words, 1);
	if (words.n == 0)
		return 0;
	if (words.p[0] == '#') {
		wipe(r, words);
		return 0;
	}
	if (words.p > line.p) {
		if (!r->open) {
			table_problem(&r->table->problems, number,
			    "begins with a blank, so it goes on with an entry, "
			    "but there is none");
			r->open = r->wrong = true;
		} else if (!r->wrong)
			r->targets = span_from(r->targets.p,
			    (size_t)(line.p + line.n - r->targets.p));
		return 0;
	}
	if (end_entry(r) == -1)
		return -1;
	begin_entry(r, line, number);
	return 0;
}

/* ---- the whole ------------------------------------------------------------ */

static int
entry_cmp(const void *va, const void *vb)
{
	const struct aliases_entry *a = va, *b = vb;
	int c = span_cmp(a->name, b->name);

	return c != 0 ? c : (a->line > b->line) - (a->line < b->line);
}

/* Of two entries for one name neither can be trusted to be the right one. */
static void
find_repeated(struct aliases_table *t)
{
	for (size_t i = 1; i < t->n; i++) {
		struct aliases_entry *a = &t->entries[i - 1], *b = a + 1;

		if (!span_eq(a->name, b->name))
			continue;
		a->wrong = b->wrong = true;
		table_problem(&t->problems, b->line, "repeated name");
	}
}

struct aliases_table *
aliases_table_parse(const char *path, char *text, size_t n)
{
	struct aliases_table *t = calloc(1, sizeof *t);
	struct reading r = { .table = t, .path = path };
	struct span rest = span_from(text, n);
	uint32_t number = 0;

	if (t == NULL) {
		free(text);
		return NULL;
	}
	t->text = text;
	while (rest.n > 0)
		if (read_line(&r, span_cut(&rest, '\n'), ++number) == -1)
			goto fail;
	if (end_entry(&r) == -1)
		goto fail;
	if (t->n > 1)
		qsort(t->entries, t->n, sizeof *t->entries, entry_cmp);
	find_repeated(t);
	return t;
fail:
	aliases_table_free(t);
	errno = ENOMEM;
	return NULL;
}

void
aliases_table_free(struct aliases_table *t)
{
	if (t == NULL)
		return;
	for (size_t i = 0; i < t->nincludes; i++)
		free(t->includes[i].path);
	free(t->includes);
	free(t->entries);
	free(t->text);
	free(t);
}

static int
key_cmp(const void *key, const void *entry)
{
	const struct span *name = key;
	const struct aliases_entry *e = entry;

	return span_cmp(*name, e->name);
}

const struct aliases_entry *
aliases_table_find(const struct aliases_table *t, struct span name)
{
	char lower[ADDRESS_LOCAL_MAX];
	struct span key = span_from(lower, name.n);

	if (t->n == 0 || name.n > sizeof lower)
		return NULL;
	for (size_t i = 0; i < name.n; i++)
		lower[i] = ascii_lower(name.p[i]);
	return bsearch(&key, t->entries, t->n, sizeof *t->entries, key_cmp);
}
