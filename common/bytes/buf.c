/*
 * buf.c - bytes that grow, up to their limit and not beyond.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/bytes/buf.h"

#define BUF_FIRST 256 /* the smallest allocation */

void
buf_init(struct buf *b, size_t max)
{
	*b = (struct buf){ .max = max };
}

void
buf_fini(struct buf *b)
{
	free(b->p);
	buf_init(b, b->max);
}

/*
 * Room for n more bytes and one: vsnprintf writes a NUL behind what it was
 * asked for, and that must not count against the maximum.
 */
char *
buf_reserve(struct buf *b, size_t n)
{
	size_t need, cap;
	char *p;

	if (n > b->max - b->n) {
		errno = ENOBUFS;
		return NULL;
	}
	need = b->n + n;
	if (need < b->cap)
		return b->p + b->n;
	if (need >= SIZE_MAX / 2) {
		errno = ENOMEM;
		return NULL;
	}
	cap = b->cap < BUF_FIRST / 2 ? BUF_FIRST : 2 * b->cap;
	if (cap > b->max)
		cap = b->max + 1;
	if (cap < need + 1)
		cap = need + 1;
	if ((p = realloc(b->p, cap)) == NULL)
		return NULL;
	b->p = p;
	b->cap = cap;
	return b->p + b->n;
}

int
buf_add(struct buf *b, const void *bytes, size_t n)
{
	char *to = buf_reserve(b, n);

	if (to == NULL)
		return -1;
	if (n > 0)
		memcpy(to, bytes, n);
	b->n += n;
	return 0;
}

int
buf_add_span(struct buf *b, struct span s)
{
	return buf_add(b, s.p, s.n);
}

int
buf_add_str(struct buf *b, const char *s)
{
	return buf_add(b, s, strlen(s));
}

int
buf_addf(struct buf *b, const char *fmt, ...)
{
	va_list ap;
	int rc;

	va_start(ap, fmt);
	rc = buf_vaddf(b, fmt, ap);
	va_end(ap);
	return rc;
}

int
buf_vaddf(struct buf *b, const char *fmt, va_list ap)
{
	size_t room = b->cap - b->n;
	va_list again;
	char *to;
	int n;

	/* Mostly there is room already, and it need be formatted only once. */
	va_copy(again, ap);
	n = vsnprintf(b->p != NULL ? b->p + b->n : NULL, room, fmt, again);
	va_end(again);
	if (n < 0)
		return -1;
	if ((size_t)n >= room) {
		if ((to = buf_reserve(b, (size_t)n)) == NULL)
			return -1;
		vsnprintf(to, (size_t)n + 1, fmt, ap);
	}
	b->n += (size_t)n;
	return 0;
}

void
buf_drop(struct buf *b, size_t n)
{
	if (n >= b->n) {
		b->n = 0;
		return;
	}
	memmove(b->p, b->p + n, b->n - n);
	b->n -= n;
}

void
buf_clear(struct buf *b)
{
	b->n = 0;
}
