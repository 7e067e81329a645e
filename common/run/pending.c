/*
 * pending.c - a window of slots, made once; an id is a slot and its generation.
 *
 * All requests of a table have the same time limit, so the list of those that
 * wait is in the order of their deadlines, and one timer looks at its head.
 */
#include <sys/queue.h>

#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "common/run/pending.h"

#define SLOT_BITS 16
#define SLOT_MASK ((1u << SLOT_BITS) - 1)

struct slot {
	TAILQ_ENTRY(slot) link;
	void *request;
	int64_t deadline;    /* seconds of the monotonic clock */
	uint16_t generation; /* never 0, so that no id is */
	bool busy;
	bool forgotten; /* nobody is told; it still takes its place */
};

TAILQ_HEAD(slots, slot);

struct pending {
	struct event *timer;
	size_t window, count;
	unsigned seconds;
	void (*failed)(void *, void *);
	void *arg;
	struct slots waiting; /* by deadline */
	struct slots idle;    /* longest unused first: an id comes back late */
	struct slot slots[];
};

static int64_t
now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec;
}

static void
arm(struct pending *p)
{
	static const struct timeval second = { .tv_sec = 1 };

	if (!TAILQ_EMPTY(&p->waiting) && !evtimer_pending(p->timer, NULL))
		evtimer_add(p->timer, &second);
}

static void
release(struct pending *p, struct slot *s)
{
	TAILQ_REMOVE(&p->waiting, s, link);
	TAILQ_INSERT_TAIL(&p->idle, s, link);
	s->busy = false;
	p->count--;
}

static void
fail(struct pending *p, struct slot *s)
{
	bool tell = !s->forgotten;

	/* Out of the table first: failed() may come back to it. */
	release(p, s);
	if (tell)
		p->failed(p->arg, s->request);
}

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct pending *p = arg;
	struct slot *s;
	int64_t t = now();

	(void)fd;
	(void)what;
	while ((s = TAILQ_FIRST(&p->waiting)) != NULL && s->deadline <= t)
		fail(p, s);
	arm(p);
}

struct pending *
pending_new(struct event_base *base, size_t window, unsigned seconds,
    void (*failed)(void *, void *), void *arg)
{
	struct pending *p;

	if (window == 0 || window > SLOT_MASK) {
		errno = EINVAL;
		return NULL;
	}
	p = calloc(1, sizeof *p + window * sizeof p->slots[0]);
	if (p == NULL)
		return NULL;
	p->timer = evtimer_new(base, on_timer, p);
	if (p->timer == NULL) {
		free(p);
		errno = ENOMEM;
		return NULL;
	}
	p->window = window;
	p->seconds = seconds;
	p->failed = failed;
	p->arg = arg;
	TAILQ_INIT(&p->waiting);
	TAILQ_INIT(&p->idle);
	for (size_t i = 0; i < window; i++)
		TAILQ_INSERT_TAIL(&p->idle, &p->slots[i], link);
	return p;
}

void
pending_free(struct pending *p)
{
	if (p == NULL)
		return;
	event_free(p->timer);
	free(p);
}

bool
pending_full(const struct pending *p)
{
	return p->count == p->window;
}

size_t
pending_count(const struct pending *p)
{
	return p->count;
}

uint32_t
pending_add(struct pending *p, void *request)
{
	struct slot *s = TAILQ_FIRST(&p->idle);

	TAILQ_REMOVE(&p->idle, s, link);
	TAILQ_INSERT_TAIL(&p->waiting, s, link);
	if (++s->generation == 0)
		s->generation = 1;
	s->request = request;
	s->busy = true;
	s->forgotten = false;
	/* The clock counts whole seconds, so one more: never too early. */
	s->deadline = now() + p->seconds + 1;
	p->count++;
	arm(p);
	return (uint32_t)s->generation << SLOT_BITS | (uint32_t)(s - p->slots);
}

void *
pending_take(struct pending *p, uint32_t id)
{
	struct slot *s;

	if ((id & SLOT_MASK) >= p->window)
		return NULL;
	s = &p->slots[id & SLOT_MASK];
	if (!s->busy || s->generation != id >> SLOT_BITS)
		return NULL;
	release(p, s);
	return s->forgotten ? NULL : s->request;
}

void
pending_forget(struct pending *p, void *request)
{
	struct slot *s;

	TAILQ_FOREACH(s, &p->waiting, link)
	if (s->request == request)
		s->forgotten = true;
}

void
pending_fail_all(struct pending *p)
{
	struct slot *s;

	/* As many as there are now: what failed() adds is not of this peer. */
	for (size_t n = p->count; n > 0; n--) {
		s = TAILQ_FIRST(&p->waiting);
		if (s == NULL)
			break;
		fail(p, s);
	}
}
