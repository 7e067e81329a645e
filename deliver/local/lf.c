/*
 * lf.c - CRLF into LF, a run of octets at a time.
 */
#include "deliver/local/lf.h"

size_t
lf_convert(struct lf *s, struct span in, char *out)
{
	size_t n = 0;

	while (in.n > 0) {
		const char *cr;
		size_t run;

		if (s->cr && in.p[0] != '\n')
			out[n++] = '\r';
		s->cr = false;
		cr = memchr(in.p, '\r', in.n);
		run = cr != NULL ? (size_t)(cr - in.p) : in.n;
		memcpy(out + n, in.p, run);
		n += run;
		s->cr = cr != NULL;
		in = span_skip(in, run + (cr != NULL));
	}
	return n;
}

size_t
lf_end(struct lf *s, char *out)
{
	size_t n = 0;

	if (s->cr)
		out[n++] = '\r';
	s->cr = false;
	return n;
}
