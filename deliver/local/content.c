/*
 * content.c - a message from queue's form to a mailbox's, block by block: it is
 * never in memory as a whole.
 */
#include <errno.h>
#include <unistd.h>

#include "deliver/local/content.h"
#include "deliver/local/lf.h"

/* All of `n` octets at `at`, or -1 with errno. */
static int
read_at(int fd, char *p, size_t n, uint64_t at)
{
	while (n > 0) {
		ssize_t got = pread(fd, p, n, (off_t)at);

		if (got == -1 && errno == EINTR)
			continue;
		if (got == 0)
			errno = EIO;
		if (got <= 0)
			return -1;
		p += got;
		n -= (size_t)got;
		at += (uint64_t)got;
	}
	return 0;
}

static int
write_all(int fd, const char *p, size_t n)
{
	while (n > 0) {
		ssize_t put = write(fd, p, n);

		if (put == -1 && errno == EINTR)
			continue;
		if (put == -1)
			return -1;
		p += put;
		n -= (size_t)put;
	}
	return 0;
}

int
content_head(const struct content *c, struct buf *space, struct span *head)
{
	size_t n =
	    c->size < CONTENT_HEADER_MAX ? (size_t)c->size : CONTENT_HEADER_MAX;
	char *p;

	if (c->fd == -1) {
		*head = span_from(c->inlined.p, n);
		return 0;
	}
	buf_clear(space);
	if ((p = buf_reserve(space, n)) == NULL ||
	    read_at(c->fd, p, n, 0) == -1)
		return -1;
	space->n = n;
	*head = buf_span(space);
	return 0;
}

/* What goes out together. */
struct writer {
	int fd;
	struct lf lf;
	size_t n;
	char out[2 * CONTENT_BLOCK + 2];
};

/* At most CONTENT_BLOCK octets of content. */
static int
put(struct writer *w, struct span in, bool lines)
{
	if (lines)
		w->n += lf_convert(&w->lf, in, w->out + w->n);
	else {
		memcpy(w->out + w->n, in.p, in.n);
		w->n += in.n;
	}
	if (w->n < CONTENT_BLOCK)
		return 0;
	if (write_all(w->fd, w->out, w->n) == -1)
		return -1;
	w->n = 0;
	return 0;
}

static int
put_content(struct writer *w, const struct content *c)
{
	char block[CONTENT_BLOCK];

	for (uint64_t at = 0; at < c->size;) {
		uint64_t left = c->size - at;
		size_t n = left < sizeof block ? (size_t)left : sizeof block;
		bool lines = !c->binary || at < c->header;
		struct span in;

		if (c->binary && lines && n > c->header - at)
			n = (size_t)(c->header - at);
		in = span_from(block, n);
		if (c->fd == -1)
			in = span_from(c->inlined.p + at, n);
		else if (read_at(c->fd, block, n, at) == -1)
			return -1;
		if (put(w, in, lines) == -1)
			return -1;
		at += n;
	}
	return 0;
}

int
content_write(const struct content *c, struct span prefix, int out)
{
	struct writer w = { .fd = out };

	/* In one write with the content, where that is small. */
	if (prefix.n > CONTENT_BLOCK) {
		if (write_all(out, prefix.p, prefix.n) == -1)
			return -1;
	} else {
		memcpy(w.out, prefix.p, prefix.n);
		w.n = prefix.n;
	}
	if (put_content(&w, c) == -1)
		return -1;
	w.n += lf_end(&w.lf, w.out + w.n);
	return write_all(out, w.out, w.n);
}

int
content_prefix(
    struct buf *b, struct span sender, struct span rcpt, struct span trace)
{
	struct lf lf = { 0 };
	char *p;

	if (buf_addf(b, "Return-Path: <%.*s>\nDelivered-To: %.*s\n",
		(int)sender.n, sender.p, (int)rcpt.n, rcpt.p) == -1)
		return -1;
	if ((p = buf_reserve(b, trace.n + 1)) == NULL)
		return -1;
	b->n += lf_convert(&lf, trace, p);
	b->n += lf_end(&lf, b->p + b->n);
	return 0;
}
