/*
 * header.c - fields of a message's header, one after the other.
 *
 * Only CRLF ends a line here, so that everybody who reads a message sees the
 * same fields in it.
 */
#include "common/mail/header.h"

/* The length of the line at the start of s with its CRLF, or of all of s. */
static size_t
line_length(struct span s)
{
	size_t n = span_line(s);

	return n > 0 ? n : s.n;
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* RFC 5322 section 2.2: printable ASCII but the colon; and section 4.5: blanks
 * may stand before the colon.  The colon's place, or 0 if this is no field. */
static size_t
name_length(struct span s, size_t *colon)
{
	size_t n = 0;

	while (n < s.n && s.p[n] > ' ' && s.p[n] <= '~' && s.p[n] != ':')
		n++;
	*colon = n;
	while (*colon < s.n && is_blank(s.p[*colon]))
		++*colon;
	return *colon < s.n && s.p[*colon] == ':' ? n : 0;
}

bool
header_next(struct span *in, struct span *name, struct span *value)
{
	size_t name_n, colon, n, end;

	if (in->n == 0 || (name_n = name_length(*in, &colon)) == 0)
		return false;
	n = line_length(*in);
	while (n < in->n && is_blank(in->p[n]))
		n += line_length(span_skip(*in, n));
	end = n >= 2 && memcmp(in->p + n - 2, "\r\n", 2) == 0 ? n - 2 : n;
	*name = span_from(in->p, name_n);
	*value = span_from(in->p + colon + 1, end - colon - 1);
	*in = span_skip(*in, n);
	return true;
}

size_t
header_length(struct span content)
{
	struct span rest = content, name, value;

	while (header_next(&rest, &name, &value))
		continue;
	return content.n - rest.n;
}

bool
header_ends(struct span content)
{
	struct span rest = span_skip(content, header_length(content));

	/* A line, or so much of one that it can be no field. */
	return span_line(rest) > 0 || rest.n > HEADER_LINE_MAX;
}

static bool
is_folding(char c)
{
	return is_blank(c) || c == '\r' || c == '\n';
}

/* As span_trim, with the line ends of folding. */
static struct span
trim_folded(struct span s)
{
	while (s.n > 0 && is_folding(s.p[0]))
		s = span_skip(s, 1);
	while (s.n > 0 && is_folding(s.p[s.n - 1]))
		s.n--;
	return s;
}

size_t
header_count(struct span content, const char *name, struct span value)
{
	struct span rest = content, field, text;
	size_t n = 0;

	while (header_next(&rest, &field, &text)) {
		if (!span_is(field, name))
			continue;
		if (value.n == 0 || span_case_eq(trim_folded(text), value))
			n++;
	}
	return n;
}
