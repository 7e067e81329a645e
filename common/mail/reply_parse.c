/*
 * reply_parse.c - what other servers reply, made into one reply of ours.
 *
 * The other server may be anybody: its text is cleaned and cut, its enhanced
 * code believed only where it agrees with the code.
 */
#include "common/mail/reply.h"

void
reply_parser_init(struct reply_parser *p)
{
	p->r = (struct reply){ .source = BY_HOST };
	p->lines = 0;
}

/* RFC 5321 section 4.2: a first digit of 2 to 5 and two more; 0 is malformed.
 */
static uint16_t
take_code(struct span *line)
{
	uint64_t code;

	if (!span_number(
		span_from(line->p, line->n < 3 ? line->n : 3), 599, &code) ||
	    code < 200)
		return 0;
	*line = span_skip(*line, 3);
	return (uint16_t)code;
}

/* One to three digits, RFC 3463 section 2. */
static bool
take_number(struct span *in, uint16_t *out)
{
	size_t n = 0;
	uint64_t v;

	while (n < in->n && n < 4 && in->p[n] >= '0' && in->p[n] <= '9')
		n++;
	if (!span_number(span_from(in->p, n), 999, &v) || n > 3)
		return false;
	*in = span_skip(*in, n);
	*out = (uint16_t)v;
	return true;
}

static bool
take_dot(struct span *in)
{
	bool dot = span_starts(*in, ".");

	*in = span_skip(*in, 1);
	return dot;
}

/* An enhanced code of the class that the code has (RFC 2034 section 4), with a
 * blank or nothing behind it, cut off *text; else *text stays as it is. */
static struct reply_esc
take_esc(struct span *text, unsigned class)
{
	const struct reply_esc none = { 0, 0, 0 };
	struct span s = *text;
	struct reply_esc esc;
	uint16_t first;

	if (class == 3)
		return none;
	if (!take_number(&s, &first) || first != class || !take_dot(&s) ||
	    !take_number(&s, &esc.subject) || !take_dot(&s) ||
	    !take_number(&s, &esc.detail))
		return none;
	if (s.n > 0 && s.p[0] != ' ' && s.p[0] != '\t')
		return none;
	esc.class = (uint8_t) class;
	*text = s;
	return esc;
}

static bool
same_esc(const struct reply_esc *a, const struct reply_esc *b)
{
	return a->class == b->class && a->subject == b->subject &&
	    a->detail == b->detail;
}

static void
add_text(struct reply *r, struct span s)
{
	size_t n = strlen(r->text);

	s = span_trim(s);
	if (s.n > 0 && n > 0 && n < REPLY_TEXT_MAX)
		r->text[n++] = ' ';
	for (size_t i = 0; i < s.n && n < REPLY_TEXT_MAX; i++) {
		char c = s.p[i] == '\t' ? ' ' : s.p[i];

		r->text[n++] = c >= ' ' && c <= '~' ? c : '?';
	}
	r->text[n] = '\0';
}

int
reply_parse_line(struct reply_parser *p, struct span line)
{
	struct reply *r = &p->r;
	uint16_t code = take_code(&line);
	struct span text;
	struct reply_esc esc;

	if (code == 0 || (p->lines > 0 && code != r->code))
		return -1;
	if (line.n > 0 && line.p[0] != ' ' && line.p[0] != '-')
		return -1;
	if (++p->lines > REPLY_LINES_MAX)
		return -1;
	r->code = code;
	text = span_skip(line, 1);
	esc = take_esc(&text, reply_class(r));
	if (r->esc.class == 0)
		r->esc = esc;
	/* A second, different code is text; the first one stands. */
	add_text(r, same_esc(&r->esc, &esc) ? text : span_skip(line, 1));
	if (line.n > 0 && line.p[0] == '-')
		return 0;
	if (r->esc.class == 0 && reply_class(r) != 3)
		r->esc.class = (uint8_t)reply_class(r);
	return 1;
}
