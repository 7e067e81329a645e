/*
 * users_table.c - a users file taken apart.
 */
#include <bsd/stdlib.h>
#include <errno.h>
#include <stdlib.h>

#include "common/bytes/utf8.h"
#include "common/mail/address.h"
#include "lookup/tables/users_table.h"

static const char *const keys[] = { "mailbox", "quota", "password", "senders",
	"state" };
#define NKEYS (sizeof keys / sizeof *keys)
enum { KEY_MAILBOX, KEY_PASSWORD = 2, KEY_STATE = 4 };

bool
users_local_ok(struct span s)
{
	if (s.n == 0 || s.n > ADDRESS_LOCAL_MAX || s.p[0] == '.' ||
	    s.p[0] == '-')
		return false;
	for (size_t i = 0; i < s.n; i++)
		if ((s.p[i] & 0x80) == 0 &&
		    (s.p[i] < ' ' || s.p[i] > '~' || s.p[i] == '/'))
			return false;
	return utf8_ok(s);
}

/* The next word, cut off *line; empty at its end or at a comment. */
static struct span
next_word(struct span *line)
{
	struct span word;
	size_t n = 0;

	*line = span_trim(*line);
	if (line->n == 0 || line->p[0] == '#')
		return SPAN("");
	while (n < line->n && line->p[n] != ' ' && line->p[n] != '\t')
		n++;
	word = span_from(line->p, n);
	*line = span_skip(*line, n);
	return word;
}

/* Neither "..", nor an empty component, nor what no name should have. */
static bool
mailbox_ok(struct span path)
{
	if (path.n > 0 && path.p[0] == '/')
		path = span_skip(path, 1);
	if (path.n > 0 && path.p[path.n - 1] == '/')
		path.n--;
	if (path.n == 0)
		return false;
	for (size_t i = 0; i < path.n; i++)
		if (path.p[i] < ' ' || path.p[i] > '~')
			return false;
	while (path.n > 0) {
		struct span name = span_cut(&path, '/');

		if (name.n == 0 || span_is(name, ".") || span_is(name, ".."))
			return false;
	}
	return true;
}

/* Why the values are wrong, or NULL. */
static const char *
check_values(struct span line, bool *password)
{
	bool seen[NKEYS] = { false };
	struct span word;

	*password = false;
	while ((word = next_word(&line)).n > 0) {
		struct span value = word, key = span_cut(&value, '=');
		size_t k = 0;

		if (key.n == word.n)
			return "not key=value";
		while (k < NKEYS && !span_eq(key, span_of(keys[k])))
			k++;
		if (k == NKEYS)
			return "unknown key; known are mailbox, quota, "
			       "password, senders and state";
		if (seen[k])
			return "repeated key";
		seen[k] = true;
		if (k == KEY_MAILBOX && !mailbox_ok(value))
			return "bad mailbox, must be a path without . and ..";
		if (k == KEY_STATE && !span_eq(value, SPAN("full")) &&
		    !span_eq(value, SPAN("busy")))
			return "bad state, must be full or busy";
		*password = *password || k == KEY_PASSWORD;
	}
	return NULL;
}

/* Why it is no new address, or NULL. */
static const char *
check_moved(struct span *line)
{
	struct span word = next_word(line);
	struct address a;

	if (address_parse(&a, word) == -1 || next_word(line).n > 0)
		return "not a local part and the new address";
	*line = word;
	return NULL;
}

static int
add(struct users_table *t, struct span local, struct span values, uint32_t line,
    bool wrong)
{
	char *p = t->text + (local.p - t->text);

	if (t->n == t->cap) {
		size_t cap = t->cap == 0 ? 64 : 2 * t->cap;
		struct users_entry *more =
		    reallocarray(t->entries, cap, sizeof *more);

		if (more == NULL)
			return -1;
		t->entries = more;
		t->cap = cap;
	}
	for (size_t i = 0; i < local.n; i++)
		p[i] = ascii_lower(p[i]);
	t->entries[t->n++] = (struct users_entry){
		.local = local, .values = values, .line = line, .wrong = wrong
	};
	return 0;
}

static int
parse_line(struct users_table *t, enum users_form form, struct span line,
    uint32_t number)
{
	struct span local;
	const char *why;
	bool password = false;

	if (line.n > 0 && line.p[line.n - 1] == '\r')
		line.n--;
	if ((local = next_word(&line)).n == 0)
		return 0;
	if (!users_local_ok(local)) {
		table_problem(&t->problems, number, "bad local part");
		return 0;
	}
	why = form == USERS_FORM_MOVED ? check_moved(&line)
				       : check_values(line, &password);
	if (why != NULL)
		table_problem(&t->problems, number, why);
	t->passwords += password;
	return add(t, local, line, number, why != NULL);
}

static int
entry_cmp(const void *va, const void *vb)
{
	const struct users_entry *a = va, *b = vb;
	int c = span_cmp(a->local, b->local);

	return c != 0 ? c : (a->line > b->line) - (a->line < b->line);
}

/* Of two lines for one user neither can be trusted to be the right one. */
static void
find_repeated(struct users_table *t)
{
	for (size_t i = 1; i < t->n; i++) {
		struct users_entry *a = &t->entries[i - 1], *b = a + 1;

		if (!span_eq(a->local, b->local))
			continue;
		a->wrong = b->wrong = true;
		table_problem(&t->problems, b->line, "repeated local part");
	}
}

int
users_table_parse(
    struct users_table *t, enum users_form form, char *text, size_t n)
{
	struct span rest = span_from(text, n);
	uint32_t number = 0;

	*t = (struct users_table){ .text = text };
	while (rest.n > 0)
		if (parse_line(t, form, span_cut(&rest, '\n'), ++number) ==
		    -1) {
			users_table_fini(t);
			errno = ENOMEM;
			return -1;
		}
	if (t->n > 1)
		qsort(t->entries, t->n, sizeof *t->entries, entry_cmp);
	find_repeated(t);
	return 0;
}

void
users_table_fini(struct users_table *t)
{
	free(t->entries);
	free(t->text);
	*t = (struct users_table){ 0 };
}

static int
key_cmp(const void *key, const void *entry)
{
	const struct span *local = key;
	const struct users_entry *e = entry;

	return span_cmp(*local, e->local);
}

const struct users_entry *
users_table_find(const struct users_table *t, struct span local)
{
	char lower[ADDRESS_LOCAL_MAX];
	struct span key = span_from(lower, local.n);

	if (t->n == 0 || local.n > sizeof lower)
		return NULL;
	for (size_t i = 0; i < local.n; i++)
		lower[i] = ascii_lower(local.p[i]);
	return bsearch(&key, t->entries, t->n, sizeof *t->entries, key_cmp);
}

struct span
users_entry_value(const struct users_entry *e, const char *key)
{
	struct span line = e->values, word;

	while ((word = next_word(&line)).n > 0) {
		struct span value = word;

		if (span_eq(span_cut(&value, '='), span_of(key)))
			return value;
	}
	return SPAN("");
}
