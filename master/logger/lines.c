/*
 * lines.c - see lines.h.
 */
#include <stdio.h>

#include "master/logger/lines.h"

bool
lines_next(struct lines *l, struct span *in, struct span *line)
{
	while (in->n > 0) {
		const char *end = memchr(in->p, '\n', in->n);
		size_t n = end != NULL ? (size_t)(end - in->p) : in->n;
		size_t room = sizeof l->p - l->n;
		size_t fits = n < room ? n : room;

		/* What does not fit is what is cut. */
		memcpy(l->p + l->n, in->p, fits);
		l->n += fits;
		*in = span_skip(*in, end != NULL ? n + 1 : n);
		if (end != NULL && l->n > 0) {
			*line = lines_rest(l);
			return true;
		}
	}
	return false;
}

struct span
lines_rest(struct lines *l)
{
	struct span rest = span_from(l->p, l->n);

	l->n = 0;
	return rest;
}

static size_t
escape(char *dst, struct span line)
{
	static const char hex[] = "0123456789abcdef";
	char *p = dst;

	for (size_t i = 0; i < line.n; i++) {
		unsigned char c = (unsigned char)line.p[i];

		if (c >= ' ' && c <= '~') {
			*p++ = (char)c;
			continue;
		}
		*p++ = '\\';
		*p++ = 'x';
		*p++ = hex[c >> 4];
		*p++ = hex[c & 15];
	}
	return (size_t)(p - dst);
}

size_t
lines_format(char dst[LINES_TEXT_MAX], const struct timespec *now,
    const char *process, struct span line)
{
	struct tm tm = { .tm_mday = 1 };
	size_t n;

	gmtime_r(&now->tv_sec, &tm);
	n = strftime(dst, LINES_TEXT_MAX, "%Y-%m-%dT%H:%M:%S", &tm);
	n += (size_t)snprintf(dst + n, LINES_TEXT_MAX - n, ".%06ldZ %.16s ",
	    now->tv_nsec / 1000, process);
	n += escape(dst + n,
	    span_from(line.p, line.n < LOG_LINE_MAX ? line.n : LOG_LINE_MAX));
	dst[n++] = '\n';
	return n;
}
