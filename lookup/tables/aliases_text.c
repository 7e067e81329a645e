/*
 * aliases_text.c - see aliases_text.h.
 */
#include "common/mail/address_list.h"
#include "lookup/tables/aliases_text.h"

#define INCLUDE ":include:"

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* How far a quoted string goes, its quotes included; a text that ends within
 * one belongs to it. */
static size_t
quoted_length(struct span s)
{
	size_t i = 1;

	while (i < s.n && s.p[i] != '"')
		i += s.p[i] == '\\' ? 2 : 1;
	return i < s.n ? i + 1 : s.n;
}

/* Up to the next comma that is one: not in quotes, in a comment, in <…>. */
static struct span
cut_target(struct span *rest, bool lines)
{
	size_t i = 0, depth = 0;
	struct span target;
	bool angle = false;

	while (i < rest->n) {
		char c = rest->p[i];

		if (lines && c == '\n')
			break;
		if (c == ',' && depth == 0 && !angle)
			break;
		if (c == '"' && depth == 0) {
			i += quoted_length(span_skip(*rest, i));
			continue;
		}
		depth += c == '(';
		depth -= c == ')' && depth > 0;
		angle = depth == 0 ? (angle || c == '<') && c != '>' : angle;
		i += c == '\\' && i + 1 < rest->n && rest->p[i + 1] != '\n' ? 2
									    : 1;
	}
	target = span_from(rest->p, i < rest->n ? i : rest->n);
	*rest = span_skip(*rest, i < rest->n ? i + 1 : rest->n);
	return target;
}

static struct span
trim(struct span s)
{
	while (s.n > 0 && is_blank(s.p[0]))
		s = span_skip(s, 1);
	while (s.n > 0 && is_blank(s.p[s.n - 1]))
		s.n--;
	return s;
}

static void
wrong(struct alias_target *t, const char *why)
{
	t->kind = ALIAS_WRONG;
	t->why = why;
}

/* One address in a form of RFC 5322, and nothing behind it. */
static void
address(struct alias_target *t, struct span s)
{
	struct address_list list;
	struct address second;
	struct span text;

	address_list_init(&list, s);
	if (address_list_next(&list, &t->address, &text) != ADDRESS_LIST_NEXT ||
	    address_list_next(&list, &second, &text) != ADDRESS_LIST_END) {
		wrong(t,
		    "no address; one like alice or alice@example.org, and "
		    "commas between them, would be right");
		return;
	}
	t->kind = ALIAS_ADDRESS;
}

/* A name without control characters, and without what could lead elsewhere. */
static bool
path_ok(struct span path)
{
	struct span rest = path;

	if (path.n == 0 || path.n >= ALIAS_PATH_MAX)
		return false;
	for (size_t i = 0; i < path.n; i++)
		if ((unsigned char)path.p[i] < ' ' || path.p[i] == 127)
			return false;
	while (rest.n > 0)
		if (span_is(span_cut(&rest, '/'), ".."))
			return false;
	return true;
}

static void
path(struct alias_target *t, enum alias_kind kind, struct span s)
{
	t->kind = kind;
	if (!path_ok(s) || !span_copy(t->path, sizeof t->path, s))
		wrong(t, "a bad path; one without \"..\" would be right");
}

/* What begins with a mark that no address begins with.  False: an address. */
static bool
special(struct alias_target *t, struct span s)
{
	if (s.n > 0 && s.p[0] == '|') {
		t->kind = ALIAS_PROGRAM;
		return true;
	}
	if (span_starts_case(s, INCLUDE)) {
		path(t, ALIAS_INCLUDE, trim(span_skip(s, sizeof INCLUDE - 1)));
		return true;
	}
	if (s.n == 0 || s.p[0] != '/')
		return false;
	if (span_is(s, "/dev/null"))
		t->kind = ALIAS_NOTHING;
	else
		path(t, s.p[s.n - 1] == '/' ? ALIAS_DIRECTORY : ALIAS_FILE, s);
	return true;
}

/* The whole target is one quoted string: what is in it, without backslashes. */
static bool
unquote(char dst[ALIAS_PATH_MAX], struct span *inside, struct span s)
{
	size_t n = 0;

	if (s.n < 2 || s.p[0] != '"' || quoted_length(s) != s.n ||
	    s.p[s.n - 1] != '"')
		return false;
	for (size_t i = 1; i + 1 < s.n && n < ALIAS_PATH_MAX; i++) {
		if (s.p[i] == '\\' && i + 2 < s.n)
			i++;
		dst[n++] = s.p[i];
	}
	*inside = span_from(dst, n);
	return n < ALIAS_PATH_MAX;
}

static void
classify(struct alias_target *t, struct span s)
{
	char text[ALIAS_PATH_MAX];
	struct span inside;

	if (special(t, s))
		return;
	if (unquote(text, &inside, s) && special(t, inside))
		return;
	if (s.p[0] == '\\') {
		address(t, span_skip(s, 1));
		if (t->kind == ALIAS_ADDRESS)
			t->kind = ALIAS_MAILBOX;
		return;
	}
	if (s.p[0] == '#')
		wrong(t,
		    "a comment within a line; a line of its own would be "
		    "right");
	else
		address(t, s);
}

void
alias_next(struct span *rest, struct alias_target *t)
{
	struct span s;

	do {
		if (rest->n == 0) {
			t->kind = ALIAS_END;
			return;
		}
		s = trim(cut_target(rest, false));
	} while (s.n == 0);
	t->at = s.p;
	classify(t, s);
}

void
alias_next_included(struct span *rest, struct alias_target *t)
{
	struct span s;

	do {
		if (rest->n == 0) {
			t->kind = ALIAS_END;
			return;
		}
		s = trim(*rest);
		if (s.n > 0 && s.p[0] == '#') {
			*rest =
			    span_from(s.p, rest->n - (size_t)(s.p - rest->p));
			(void)span_cut(rest, '\n');
			s.n = 0;
			continue;
		}
		s = trim(cut_target(rest, true));
	} while (s.n == 0);
	t->at = s.p;
	classify(t, s);
	if (t->kind != ALIAS_ADDRESS && t->kind != ALIAS_WRONG)
		wrong(t, "only addresses may stand in an included file");
}
