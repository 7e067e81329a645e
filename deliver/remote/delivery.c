/*
 * delivery.c - hand-outs and their results; see delivery.h.
 */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "deliver/remote/delivery.h"

/* Copy s behind *to and point it there. */
static void
own(struct span *s, char **to)
{
	if (s->n > 0)
		memcpy(*to, s->p, s->n);
	s->p = *to;
	*to += s->n;
}

/* The spans of the packet become ours. */
static int
own_text(struct delivery *v)
{
	struct msg_deliver *d = &v->d;
	size_t n = d->sender.n + d->prefix.n + d->content.n;
	char *to;

	for (uint32_t i = 0; i < d->nrcpts; i++)
		n += d->rcpts[i].address.n;
	v->text = to = malloc(n + 1);
	if (to == NULL)
		return -1;
	own(&d->sender, &to);
	own(&d->prefix, &to);
	own(&d->content, &to);
	for (uint32_t i = 0; i < d->nrcpts; i++)
		own(&d->rcpts[i].address, &to);
	return 0;
}

struct delivery *
delivery_new(const struct msg_deliver *d, struct ipc_msg *m, int64_t now)
{
	struct delivery *v = calloc(1, sizeof *v);

	if (v == NULL)
		return NULL;
	v->fd = -1;
	v->d = *d;
	v->since = now;
	v->outcomes = calloc(d->nrcpts, sizeof *v->outcomes);
	if (v->outcomes == NULL || own_text(v) == -1) {
		delivery_free(v);
		return NULL;
	}
	v->fd = m->fd;
	m->fd = -1;
	return v;
}

void
delivery_drop_content(struct delivery *v)
{
	if (v->fd != -1)
		close(v->fd);
	v->fd = -1;
	free(v->text);
	v->text = NULL;
	v->d.sender = v->d.prefix = v->d.content = SPAN("");
	for (uint32_t i = 0; i < v->d.nrcpts; i++)
		v->d.rcpts[i].address = SPAN("");
}

void
delivery_free(struct delivery *v)
{
	if (v == NULL)
		return;
	if (v->fd != -1)
		close(v->fd);
	free(v->outcomes);
	free(v->text);
	free(v);
}

static bool
same_reply(const struct reply *a, const struct reply *b)
{
	return a->code == b->code && a->esc.class == b->esc.class &&
	    a->esc.subject == b->esc.subject &&
	    a->esc.detail == b->esc.detail && a->scope == b->scope &&
	    a->source == b->source && strcmp(a->text, b->text) == 0;
}

static struct outcome *
outcome_for(struct delivery *v, const struct reply *r, const char *host)
{
	struct outcome *o;

	for (uint32_t i = 0; i < v->noutcomes; i++) {
		o = &v->outcomes[i];
		if (same_reply(&o->reply, r) && strcmp(o->host, host) == 0)
			return o;
	}
	o = &v->outcomes[v->noutcomes++];
	o->reply = *r;
	span_copy(o->host, sizeof o->host, span_of(host));
	return o;
}

void
delivery_result(struct delivery *v, const uint8_t *who, uint32_t n,
    const struct reply *r, const char *host)
{
	for (uint32_t i = 0; i < n; i++) {
		struct outcome *o;

		if (who[i] >= v->d.nrcpts || v->done[who[i]])
			continue;
		o = outcome_for(v, r, host);
		o->rcpts[o->n++] = who[i];
		v->done[who[i]] = true;
		v->ndone++;
	}
}

void
delivery_result_rest(
    struct delivery *v, const struct reply *r, const char *host)
{
	for (uint32_t i = 0; i < v->d.nrcpts; i++)
		delivery_result(v, &(uint8_t){ (uint8_t)i }, 1, r, host);
}

bool
delivery_complete(const struct delivery *v)
{
	return v->ndone == v->d.nrcpts;
}

/* A piece of the content; fewer octets than there should be is an error. */
static ssize_t
read_content(const struct delivery *v, char *p, size_t n, uint64_t at)
{
	ssize_t got;

	if (v->d.inlined) {
		memcpy(p, v->d.content.p + at, n);
		return (ssize_t)n;
	}
	do
		got = pread(v->fd, p, n, (off_t)at);
	while (got == -1 && errno == EINTR);
	if (got == 0)
		errno = EIO;
	return got > 0 ? got : -1;
}

ssize_t
delivery_read(const struct delivery *v, char *p, size_t n, uint64_t at)
{
	const struct msg_deliver *d = &v->d;
	size_t head = 0;
	uint64_t left;
	ssize_t got;

	if (at < d->prefix.n) {
		left = d->prefix.n - at;
		head = n < left ? n : (size_t)left;
		memcpy(p, d->prefix.p + at, head);
	}
	at += head;
	left = d->prefix.n + d->size - at;
	n -= head;
	n = n < left ? n : (size_t)left;
	if (n == 0)
		return (ssize_t)head;
	got = read_content(v, p + head, n, at - d->prefix.n);
	return got == -1 ? -1 : (ssize_t)head + got;
}
