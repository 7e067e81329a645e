/*
 * address_list.c - one address after the other off a list.
 *
 * What may be the address itself is collected without comments and blanks; a
 * `<` or a `:` behind it says that it was only a name.
 */
#include "common/mail/address_list.h"

/* A name may be longer than any address; what is beyond is dropped and noted. */
#define SPEC_MAX (ADDRESS_MAX + 2)

struct spec {
	char text[SPEC_MAX];
	size_t n;
	bool cut;    /* there was more */
	bool phrase; /* two words without a dot or an at between them: a name */
	bool word;   /* the last thing was a word */
};

void
address_list_init(struct address_list *l, struct span s)
{
	*l = (struct address_list){ .rest = s };
}

static bool
at(struct span s, char c)
{
	return s.n > 0 && s.p[0] == c;
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* RFC 5322 section 3.2.3; octets above 127 stand in names (RFC 6532), and
 * address.h says what it thinks of them in an address. */
static bool
is_word(char c)
{
	return (unsigned char)c > ' ' && c != '\x7f' &&
	    strchr("()<>[]:;@\\,.\"", c) == NULL;
}

/* A `(` is the first of *in.  Comments nest (section 3.2.2). */
static bool
skip_comment(struct span *in)
{
	size_t depth = 0;

	for (size_t i = 0; i < in->n; i++) {
		char c = in->p[i];

		if (c == '\\')
			i++;
		else if (c == '(')
			depth++;
		else if (c == ')' && --depth == 0) {
			*in = span_skip(*in, i + 1);
			return true;
		}
	}
	return false;
}

/* False: a comment without an end. */
static bool
skip_blanks(struct span *in)
{
	while (in->n > 0) {
		if (at(*in, '(')) {
			if (!skip_comment(in))
				return false;
		} else if (is_blank(in->p[0]))
			*in = span_skip(*in, 1);
		else
			break;
	}
	return true;
}

static void
add(struct spec *s, char c)
{
	if (s->n < SPEC_MAX)
		s->text[s->n++] = c;
	else
		s->cut = true;
}

static void
begin_word(struct spec *s)
{
	if (s->word)
		s->phrase = true;
	s->word = true;
}

static void
take_word(struct span *in, struct spec *s)
{
	size_t n = 0;

	begin_word(s);
	while (n < in->n && is_word(in->p[n]))
		add(s, in->p[n++]);
	*in = span_skip(*in, n);
}

/* Up to `end`, quoted pairs and all; its folding is no part of it. */
static bool
take_enclosed(struct span *in, struct spec *s, char end)
{
	add(s, in->p[0]);
	for (size_t i = 1; i < in->n; i++) {
		char c = in->p[i];

		if (c == '\r' || c == '\n')
			continue;
		add(s, c);
		if (c == end) {
			*in = span_skip(*in, i + 1);
			return true;
		}
		if (c == '\\' && i + 1 < in->n)
			add(s, in->p[++i]);
	}
	return false;
}

/* Words, dots and ats, up to anything else; false where that has no end. */
static bool
take_spec(struct span *in, struct spec *s)
{
	*s = (struct spec){ .n = 0 };
	while (skip_blanks(in)) {
		if (in->n == 0)
			return true;
		if (at(*in, '"')) {
			begin_word(s);
			if (!take_enclosed(in, s, '"'))
				return false;
		} else if (at(*in, '[') && s->n > 0 &&
		    s->text[s->n - 1] == '@') {
			begin_word(s);
			if (!take_enclosed(in, s, ']'))
				return false;
		} else if (at(*in, '.') || at(*in, '@')) {
			add(s, in->p[0]);
			s->word = false;
			*in = span_skip(*in, 1);
		} else if (is_word(in->p[0]))
			take_word(in, s);
		else
			return true;
	}
	return false;
}

static bool
make_address(struct address *a, const struct spec *s)
{
	struct span text = span_from(s->text, s->n);

	if (s->phrase || s->cut)
		return false;
	return address_parse(a, text) == 0 || address_parse_bare(a, text) == 0;
}

/* angle-addr, behind its `<`.  A route is dropped (section 4.4). */
static bool
take_angle(struct span *in, struct address *a)
{
	struct spec s;

	do {
		if (!take_spec(in, &s))
			return false;
		if (!at(*in, ',') && !at(*in, ':'))
			break;
		if (s.n > 0 && s.text[0] != '@')
			return false;
		*in = span_skip(*in, 1);
	} while (in->n > 0);
	if (!at(*in, '>') || !make_address(a, &s))
		return false;
	*in = span_skip(*in, 1);
	return skip_blanks(in);
}

/* What stands between addresses: commas, the ends of groups. */
static bool
skip_between(struct address_list *l)
{
	while (skip_blanks(&l->rest)) {
		if (at(l->rest, ';') && l->group)
			l->group = false;
		else if (!at(l->rest, ','))
			return true;
		l->rest = span_skip(l->rest, 1);
	}
	return false;
}

static bool
is_end(const struct address_list *l)
{
	return l->rest.n == 0 || at(l->rest, ',') ||
	    (at(l->rest, ';') && l->group);
}

static bool
take_address(struct address_list *l, struct address *a)
{
	struct spec s;

	if (!take_spec(&l->rest, &s))
		return false;
	if (at(l->rest, '<')) {
		l->rest = span_skip(l->rest, 1);
		return take_angle(&l->rest, a) && is_end(l);
	}
	return is_end(l) && make_address(a, &s);
}

/* "Friends:"; no group in a group (section 3.4). */
static bool
take_group(struct address_list *l)
{
	struct span in = l->rest;
	struct spec s;

	if (l->group || !take_spec(&in, &s) || s.n == 0 || !at(in, ':'))
		return false;
	l->rest = span_skip(in, 1);
	l->group = true;
	return true;
}

enum address_list_result
address_list_next(struct address_list *l, struct address *a, struct span *text)
{
	struct span from;
	bool ok;

	do {
		*text = l->rest;
		if (!skip_between(l)) {
			l->rest = SPAN("");
			return ADDRESS_LIST_BAD;
		}
		if (l->rest.n == 0)
			return ADDRESS_LIST_END;
	} while (take_group(l));
	from = l->rest;
	ok = take_address(l, a);
	*text = span_trim(span_from(from.p, from.n - l->rest.n));
	if (ok)
		return ADDRESS_LIST_NEXT;
	*text = from;
	l->rest = SPAN("");
	return ADDRESS_LIST_BAD;
}
