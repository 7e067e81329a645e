/*
 * line.c - lines out of a stream; see RFC 5321 section 2.3.8.
 *
 * The usual line is found by memchr for its LF and checked by two more; only a
 * line that is too long is followed octet by octet, across calls, to its CRLF.
 */
#include "common/mail/line.h"

void
line_init(struct line_reader *r, size_t max)
{
	*r = (struct line_reader){ .max = max };
}

static bool
has(struct span s, char c)
{
	return s.n > 0 && memchr(s.p, c, s.n) != NULL;
}

/* Octets of a dropped line without any LF: note what is wrong in them. */
static void
drop(struct line_reader *r, struct span s)
{
	const char *cr;

	if (s.n == 0)
		return;
	cr = memchr(s.p, '\r', s.n);
	/* A CR is bare as soon as an octet that is no LF stands behind it. */
	if (r->cr || has(s, '\0') || (cr != NULL && cr != s.p + s.n - 1))
		r->bad = true;
	r->cr = s.p[s.n - 1] == '\r';
}

/* Drop all up to the CRLF that ends the line. */
static enum line_result
skip(struct line_reader *r, struct span *in)
{
	enum line_result result;

	for (;;) {
		bool lf = has(*in, '\n');

		drop(r, span_cut(in, '\n'));
		if (!lf)
			return LINE_MORE;
		if (r->cr)
			break;
		r->bad = true;
	}
	result = r->bad ? LINE_BAD : LINE_LONG;
	line_init(r, r->max);
	return result;
}

enum line_result
line_next(struct line_reader *r, struct span *in, struct span *line)
{
	size_t within = in->n < r->max ? in->n : r->max, n;

	*line = SPAN("");
	if (r->skipping)
		return skip(r, in);
	n = span_line(span_from(in->p, within));
	if (n == 0 && in->n < r->max)
		return LINE_MORE;
	if (n == 0) {
		r->skipping = true;
		return skip(r, in);
	}
	*line = span_from(in->p, n - 2);
	*in = span_skip(*in, n);
	if (!has(*line, '\r') && !has(*line, '\n') && !has(*line, '\0'))
		return LINE_OK;
	*line = SPAN("");
	return LINE_BAD;
}
