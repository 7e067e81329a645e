/*
 * handout.c - hand-outs kept.
 */
#include <sys/stat.h>

#include <stdlib.h>
#include <unistd.h>

#include "deliver/local/handout.h"

/* Content is a file of at least that size: pread must not wait for anybody. */
static bool
content_ok(int fd, uint64_t size)
{
	struct stat st;

	return fd == -1 ||
	    (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
		(uint64_t)st.st_size >= size);
}

/* A recipient twice would be one message delivered and counted twice. */
static bool
rcpts_ok(const struct msg_deliver *d)
{
	for (uint32_t i = 0; i < d->nrcpts; i++)
		for (uint32_t j = 0; j < i; j++)
			if (d->rcpts[i].index == d->rcpts[j].index)
				return false;
	return true;
}

struct handout_entry *
handout_new(struct ipc_msg *m)
{
	struct handout_entry *h = calloc(1, sizeof *h);
	struct ipc_msg copy = { .type = m->type, .id = m->id, .fd = m->fd };

	if (h == NULL)
		return NULL;
	STAILQ_INIT(&h->results);
	h->fd = -1;
	if ((h->packet = malloc(m->body.n + 1)) == NULL) {
		free(h);
		return NULL;
	}
	memcpy(h->packet, m->body.p, m->body.n);
	copy.body = wire_reader(span_from(h->packet, m->body.n));
	if (msg_deliver_get(&copy, &h->d) == -1 || !rcpts_ok(&h->d) ||
	    route_agent(&h->d.route) != ROUTE_LOCAL ||
	    !content_ok(m->fd, h->d.size)) {
		handout_free(h);
		return NULL;
	}
	h->fd = m->fd;
	m->fd = -1;
	return h;
}

void
handout_drop_content(struct handout_entry *h)
{
	if (h->fd != -1)
		close(h->fd);
	h->fd = -1;
	free(h->packet);
	h->packet = NULL;
}

void
handout_free(struct handout_entry *h)
{
	struct result *r;

	if (h == NULL)
		return;
	while ((r = STAILQ_FIRST(&h->results)) != NULL) {
		STAILQ_REMOVE_HEAD(&h->results, link);
		free(r);
	}
	handout_drop_content(h);
	free(h);
}

int
handout_position(const struct handout_entry *h, uint32_t rcpt)
{
	for (uint32_t i = 0; i < h->d.nrcpts; i++)
		if (h->d.rcpts[i].index == rcpt)
			return h->done[i] ? -1 : (int)i;
	return -1;
}

uint32_t
handout_open(const struct handout_entry *h, uint32_t rcpts[DELIVER_RCPTS_MAX])
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < h->d.nrcpts; i++)
		if (!h->done[i])
			rcpts[n++] = h->d.rcpts[i].index;
	return n;
}

bool
handout_finished(const struct handout_entry *h)
{
	return h->ndone == h->d.nrcpts;
}
