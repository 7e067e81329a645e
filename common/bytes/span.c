/*
 * span.c - looking at borrowed bytes: comparing, cutting, reading numbers.
 *
 * Nothing here depends on the locale, allocates or keeps anything.
 */
#include "common/bytes/span.h"

static bool
same(struct span a, const char *p, size_t n)
{
	/* memcmp may not be given a NULL, not even for no bytes. */
	return a.n == n && (n == 0 || memcmp(a.p, p, n) == 0);
}

static bool
same_but_case(const char *a, const char *b, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (ascii_lower(a[i]) != ascii_lower(b[i]))
			return false;
	return true;
}

int
span_cmp(struct span a, struct span b)
{
	size_t n = a.n < b.n ? a.n : b.n;
	int c = n > 0 ? memcmp(a.p, b.p, n) : 0;

	if (c != 0)
		return c;
	return (a.n > b.n) - (a.n < b.n);
}

bool
span_eq(struct span a, struct span b)
{
	return same(a, b.p, b.n);
}

bool
span_is(struct span s, const char *word)
{
	return span_case_eq(s, span_of(word));
}

bool
span_case_eq(struct span a, struct span b)
{
	return a.n == b.n && same_but_case(a.p, b.p, a.n);
}

bool
span_starts(struct span s, const char *prefix)
{
	size_t n = strlen(prefix);

	return s.n >= n && same(span_from(s.p, n), prefix, n);
}

bool
span_starts_case(struct span s, const char *prefix)
{
	size_t n = strlen(prefix);

	return s.n >= n && same_but_case(s.p, prefix, n);
}

struct span
span_cut(struct span *s, char c)
{
	struct span head = *s;
	const char *at = s->n > 0 ? memchr(s->p, c, s->n) : NULL;

	if (at == NULL) {
		*s = span_skip(*s, s->n);
		return head;
	}
	head.n = (size_t)(at - s->p);
	*s = span_skip(*s, head.n + 1);
	return head;
}

size_t
span_line(struct span s)
{
	size_t n = 0;
	const char *lf;

	while (n < s.n && (lf = memchr(s.p + n, '\n', s.n - n)) != NULL) {
		n = (size_t)(lf + 1 - s.p);
		if (n > 1 && lf[-1] == '\r')
			return n;
	}
	return 0;
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

struct span
span_trim(struct span s)
{
	while (s.n > 0 && is_blank(s.p[0]))
		s = span_skip(s, 1);
	while (s.n > 0 && is_blank(s.p[s.n - 1]))
		s.n--;
	return s;
}

struct span
span_skip(struct span s, size_t from)
{
	if (from > s.n)
		from = s.n;
	/* NULL + 0 is not defined in C17, and an empty span may be NULL. */
	return from == 0 ? s : span_from(s.p + from, s.n - from);
}

bool
span_number(struct span s, uint64_t max, uint64_t *out)
{
	uint64_t v = 0;

	if (s.n == 0)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		unsigned digit = (unsigned)(unsigned char)s.p[i] - '0';

		/* Compared before it is computed, so that nothing wraps. */
		if (digit > 9 || digit > max || v > (max - digit) / 10)
			return false;
		v = v * 10 + digit;
	}
	*out = v;
	return true;
}

bool
span_copy(char *dst, size_t size, struct span s)
{
	if (size == 0)
		return false;
	dst[0] = '\0';
	if (s.n >= size || (s.n > 0 && memchr(s.p, '\0', s.n) != NULL))
		return false;
	if (s.n > 0)
		memcpy(dst, s.p, s.n);
	dst[s.n] = '\0';
	return true;
}
