/*
 * destination.c - what shares a route: may it be handed out, or is it backed off.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "queue/destination.h"

/* An encoded route: its strings with their lengths, kind and port. */
#define ROUTE_BYTES (sizeof(struct route) + 32)

static int
destination_key_cmp(const struct destination *a, const struct destination *b)
{
	return strcmp(a->key, b->key);
}

static int
destination_retry_cmp(const struct destination *a, const struct destination *b)
{
	if (a->retry_at != b->retry_at)
		return a->retry_at < b->retry_at ? -1 : 1;
	return strcmp(a->key, b->key);
}

RB_GENERATE(key_tree, destination, by_key, destination_key_cmp)
RB_GENERATE(retry_tree, destination, by_retry, destination_retry_cmp)

static struct destination *
find(struct schedule *s, const char *key)
{
	struct destination *d = RB_ROOT(&s->keys);

	while (d != NULL) {
		int c = strcmp(key, d->key);

		if (c == 0)
			break;
		d = c < 0 ? RB_LEFT(d, by_key) : RB_RIGHT(d, by_key);
	}
	return d;
}

static struct destination *
make(struct schedule *s, const char *key, enum route_agent agent)
{
	size_t n = strlen(key) + 1;
	struct destination *d = calloc(1, sizeof *d + n);

	if (d == NULL)
		return NULL;
	memcpy(d->key, key, n);
	d->agent = agent;
	TAILQ_INIT(&d->fresh);
	TAILQ_INIT(&d->stale);
	RB_INIT(&d->lanes);
	RB_INSERT(key_tree, &s->keys, d);
	s->destinations++;
	return d;
}

/* The instruction as it is now; the key stays, whatever changes in it. */
static int
set_route(struct destination *d, const struct route *route)
{
	char bytes[ROUTE_BYTES];
	struct wire_put w = wire_writer(bytes, sizeof bytes);
	char *p;

	route_put(&w, route);
	if (d->route_n == w.n && memcmp(d->route, bytes, w.n) == 0)
		return 0;
	p = realloc(d->route, w.n);
	if (p == NULL)
		return -1;
	memcpy(p, bytes, w.n);
	d->route = p;
	d->route_n = w.n;
	return 0;
}

struct destination *
destination_get(struct schedule *s, const struct route *route)
{
	char key[ROUTE_KEY_MAX];
	struct destination *d;

	route_key(key, route);
	d = find(s, key);
	if (d == NULL)
		d = make(s, key, route_agent(route));
	if (d == NULL)
		return NULL;
	d->refs++;
	if (set_route(d, route) == 0)
		return d;
	destination_unref(s, d);
	errno = ENOMEM;
	return NULL;
}

void
destination_free(struct destination *d)
{
	lane_free_all(d);
	free(d->refusal);
	free(d->route);
	free(d);
}

static void
free_idle(struct schedule *s, struct destination *d)
{
	if (d->refs > 0 || d->retry_at != 0)
		return;
	RB_REMOVE(key_tree, &s->keys, d);
	s->destinations--;
	destination_free(d);
}

void
destination_unref(struct schedule *s, struct destination *d)
{
	d->refs--;
	free_idle(s, d);
}

/* --- turns ------------------------------------------------------------------
 */

void
destination_turn(struct schedule *s, struct destination *d)
{
	uint32_t limit = d->failures > 0 ? 1 : s->limits.of_one[d->agent];

	if (d->retry_at == 0 && !TAILQ_EMPTY(&d->fresh) && d->active < limit)
		turn_join(s, d);
	else
		turn_leave(s, d);
}

struct recipient *
destination_stale(const struct destination *d)
{
	const struct lane *l = TAILQ_FIRST(&d->stale);

	return l != NULL ? TAILQ_FIRST(&l->queue) : NULL;
}

static void
reopen(struct schedule *s, struct destination *d)
{
	bool want = d->retry_at == 0 && destination_stale(d) != NULL;

	if (want == d->reopened)
		return;
	if (want)
		TAILQ_INSERT_TAIL(&s->reopened, d, in_reopened);
	else
		TAILQ_REMOVE(&s->reopened, d, in_reopened);
	d->reopened = want;
}

void
destination_put(struct schedule *s, struct destination *d, struct recipient *r)
{
	lane_put(d, r);
	destination_turn(s, d);
}

void
destination_take(struct schedule *s, struct destination *d, struct recipient *r)
{
	/* The last of a lane takes along the name of a turn. */
	lane_take(d, r);
	destination_turn(s, d);
	reopen(s, d);
}

/* --- back-off ---------------------------------------------------------------
 */

static void
back_off(struct schedule *s, struct destination *d, int64_t until)
{
	d->retry_at = until;
	lane_age(d);
	RB_INSERT(retry_tree, &s->retries, d);
	destination_turn(s, d);
	reopen(s, d);
}

static void
open_again(struct schedule *s, struct destination *d)
{
	RB_REMOVE(retry_tree, &s->retries, d);
	d->retry_at = 0;
	/* What came meanwhile is routed anew, too. */
	lane_age(d);
	reopen(s, d);
}

/* A short one takes little: there may be as many as messages. */
static void
set_refusal(struct destination *d, const struct reply *reply)
{
	char bytes[sizeof *reply + 32], *p;
	struct wire_put w = wire_writer(bytes, sizeof bytes);

	reply_put(&w, reply);
	if (w.bad || (p = realloc(d->refusal, w.n)) == NULL)
		return;
	memcpy(p, bytes, w.n);
	d->refusal = p;
	d->refusal_n = w.n;
}

bool
schedule_refusal(const struct recipient *r, struct reply *reply)
{
	const struct destination *d = r->destination;
	struct wire_get w;

	if (d == NULL || d->refusal == NULL)
		return false;
	w = wire_reader(span_from(d->refusal, d->refusal_n));
	reply_get(&w, reply);
	return wire_done(&w);
}

void
schedule_refused(struct schedule *s, struct delivery *h, uint32_t attempts,
    int64_t now, uint32_t jitter, const struct reply *reply)
{
	struct destination *d = h->destination;

	/* Those that were under way when it was backed off say nothing new. */
	if (d == NULL || d->retry_at != 0)
		return;
	/* A destination that nothing waits for is forgotten; the attempts of
	 * a message remember for it. */
	d->failures++;
	if (d->failures < attempts)
		d->failures = attempts;
	set_refusal(d, reply);
	back_off(s, d,
	    now +
		schedule_wait(s->limits.retry_first, s->limits.retry_max,
		    d->failures, jitter));
}

void
destination_forgive(struct schedule *s, struct destination *d)
{
	d->failures = 0;
	free(d->refusal);
	d->refusal = NULL;
	if (d->retry_at != 0)
		open_again(s, d);
	destination_turn(s, d);
}

void
schedule_served(struct schedule *s, struct delivery *h)
{
	if (h->destination != NULL && h->destination->failures > 0)
		destination_forgive(s, h->destination);
}

void
destination_wake(struct schedule *s, int64_t now)
{
	struct destination *d;

	while ((d = RB_MIN(retry_tree, &s->retries)) != NULL &&
	    d->retry_at <= now) {
		open_again(s, d);
		free_idle(s, d);
	}
}

void
destination_mind_the_clock(struct schedule *s, int64_t longest)
{
	struct destination *d;

	while ((d = RB_MAX(retry_tree, &s->retries)) != NULL &&
	    d->retry_at > longest) {
		RB_REMOVE(retry_tree, &s->retries, d);
		d->retry_at = longest;
		RB_INSERT(retry_tree, &s->retries, d);
	}
}

size_t
schedule_destinations(const struct schedule *s)
{
	return s->destinations;
}
