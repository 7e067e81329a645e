/*
 * text.c - line ends, dots and NULs.
 */
#include "admin/sendmail/text.h"

void
text_init(struct text *t, bool ignore_dots)
{
	*t = (struct text){ .ignore_dots = ignore_dots };
}

static size_t
end_line(struct text *t, char *out)
{
	t->inside = false;
	memcpy(out, "\r\n", 2);
	return 2;
}

/* An octet that ends no line. */
static size_t
put(struct text *t, char c, char *out)
{
	t->inside = true;
	if (c == '\0')
		t->nul = true;
	if ((unsigned char)c > 127)
		t->eight_bit = true;
	*out = c;
	return 1;
}

/* What waited was not what it could have been. */
static size_t
put_waiting(struct text *t, char *out)
{
	size_t n = 0;

	if (t->dot)
		n += put(t, '.', out);
	if (t->cr)
		n += put(t, ' ', out + n);
	t->dot = t->cr = false;
	return n;
}

static size_t
take(struct text *t, char c, char *out)
{
	size_t n = 0;

	if (c == '\n') {
		t->ended = t->dot;
		t->dot = t->cr = false;
		return t->ended ? 0 : end_line(t, out);
	}
	if (c == '\r' && !t->cr) {
		t->cr = true;
		return 0;
	}
	n = put_waiting(t, out);
	if (c == '\r')
		t->cr = true;
	else if (c == '.' && !t->inside && !t->ignore_dots)
		t->dot = true;
	else
		n += put(t, c, out + n);
	return n;
}

size_t
text_add(struct text *t, struct span in, char *out)
{
	size_t n = 0;

	for (size_t i = 0; i < in.n && !t->ended; i++)
		n += take(t, in.p[i], out + n);
	t->size += n;
	return n;
}

size_t
text_end(struct text *t, char *out)
{
	size_t n = 0;

	/* A dot that is all of the last line ends the message, too. */
	if (t->dot && !t->ended) {
		t->ended = true;
		t->dot = t->cr = false;
	}
	/* A CR at the very end is the half of a line end. */
	if (t->cr && !t->ended)
		t->inside = true;
	t->cr = false;
	if (t->inside)
		n = end_line(t, out);
	t->size += n;
	return n;
}
