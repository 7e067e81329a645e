/*
 * buf.h - owned bytes that grow up to a limit.
 *
 * Every buffer has a maximum, set when it is made: what a stranger sends can
 * never make one grow without end.
 */
#ifndef BUF_H
#define BUF_H

#include <stdarg.h>

#include "common/bytes/span.h"

struct buf {
	char *p;	/* NULL as long as nothing was added */
	size_t n;	/* bytes held */
	size_t cap;	/* bytes allocated */
	size_t max;	/* n never exceeds this */
};

void buf_init(struct buf *, size_t max);
void buf_fini(struct buf *);	/* frees; the buffer may be used again */

/* 0, or -1 with errno ENOBUFS (over max) or ENOMEM; then nothing is added. */
int buf_add(struct buf *, const void *, size_t);
int buf_add_span(struct buf *, struct span);
int buf_add_str(struct buf *, const char *);
int buf_addf(struct buf *, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
int buf_vaddf(struct buf *, const char *fmt, va_list)
    __attribute__((format(printf, 2, 0)));

/* Room for n more bytes at p + n; the caller writes there and adds to ->n.
 * NULL with errno as above. */
char *buf_reserve(struct buf *, size_t n);

void buf_drop(struct buf *, size_t n);	/* the first n bytes (at most all) */
void buf_clear(struct buf *);		/* empty; the memory is kept */

static inline struct span
buf_span(const struct buf *b)
{
	return (struct span){ b->p != NULL ? b->p : "", b->n };
}

#endif
