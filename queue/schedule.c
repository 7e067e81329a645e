/*
 * schedule.c - what is due, and its way to a destination; see schedule.h.
 */
#include <errno.h>
#include <stdlib.h>

#include "common/bytes/id.h"
#include "queue/destination.h"

/* Recipients of one message stand together, so that they are asked about
 * together and go out together. */
static int
recipient_due_cmp(const struct recipient *a, const struct recipient *b)
{
	if (a->due != b->due)
		return a->due < b->due ? -1 : 1;
	if (a->message->id != b->message->id)
		return a->message->id < b->message->id ? -1 : 1;
	return a < b ? -1 : a > b;
}

#define JITTER_MOST 400
/* What is new, what is tried again, and what waits where it is open again. */
#define SOURCES 3

RB_GENERATE(due_tree, recipient, by_due, recipient_due_cmp)

/* --- when --------------------------------------------------------------------
 */

int64_t
schedule_wait(uint32_t first, uint32_t max, uint32_t n, uint32_t jitter)
{
	int64_t wait = first > 0 ? first : 1;

	/* 31 doublings are over any maximum there can be. */
	for (uint32_t i = 1; i < n && i < 32 && wait < max; i++)
		wait *= 2;
	if (wait > max && max > 0)
		wait = max;
	/* 0.8 to 1.2 of it. */
	wait += wait * ((int64_t)(jitter % (JITTER_MOST + 1)) - 200) / 1000;
	return wait > 0 ? wait : 1;
}

static int64_t
schedule_longest(const struct schedule *s)
{
	return schedule_wait(
	    s->limits.retry_max, s->limits.retry_max, 1, JITTER_MOST);
}

bool
schedule_expired(const struct schedule_limits *l, int64_t accepted, int64_t now)
{
	return now >= accepted + l->expire;
}

enum recipient_state
schedule_verdict(const struct schedule_limits *l, const struct reply *reply,
    int64_t accepted, uint32_t attempts, int64_t now, uint32_t jitter,
    int64_t *next)
{
	int64_t end = accepted + l->expire;

	*next = 0;
	if (reply_class(reply) == 2)
		return RCPT_DELIVERED;
	if (reply_class(reply) != 4 || schedule_expired(l, accepted, now))
		return RCPT_FAILED;
	*next =
	    now + schedule_wait(l->retry_first, l->retry_max, attempts, jitter);
	/* The last attempt is made when the time is over, not hours later. */
	if (*next > end)
		*next = end;
	return RCPT_WAITING;
}

/* --- phases ------------------------------------------------------------------
 */

struct schedule *
schedule_new(const struct schedule_limits *limits)
{
	struct schedule *s = calloc(1, sizeof *s);

	if (s == NULL)
		return NULL;
	s->limits = *limits;
	RB_INIT(&s->due[0]);
	RB_INIT(&s->due[1]);
	RB_INIT(&s->keys);
	RB_INIT(&s->retries);
	RB_INIT(&s->deliveries);
	TAILQ_INIT(&s->reopened);
	for (size_t i = 0; i < ROUTE_AGENT_END; i++) {
		TAILQ_INIT(&s->agents[i].turns);
		RB_INIT(&s->agents[i].senders);
	}
	return s;
}

void
schedule_free(struct schedule *s)
{
	struct destination *d, *next;
	struct delivery *h, *after;

	if (s == NULL)
		return;
	RB_FOREACH_SAFE (h, attempt_tree, &s->deliveries, after) {
		RB_REMOVE(attempt_tree, &s->deliveries, h);
		free(h);
	}
	RB_FOREACH_SAFE (d, key_tree, &s->keys, next) {
		RB_REMOVE(key_tree, &s->keys, d);
		destination_free(d);
	}
	for (size_t i = 0; i < ROUTE_AGENT_END; i++)
		turn_free_all(s, i);
	free(s->gathering);
	free(s);
}

const struct schedule_limits *
schedule_limits(const struct schedule *s)
{
	return &s->limits;
}

void
schedule_set_limits(struct schedule *s, const struct schedule_limits *limits)
{
	struct destination *d;

	s->limits = *limits;
	RB_FOREACH (d, key_tree, &s->keys)
		destination_turn(s, d);
}

void
schedule_phase(
    struct schedule *s, struct recipient *r, enum schedule_phase phase)
{
	if (r->phase != PHASE_NONE)
		s->count[r->phase]--;
	r->phase = phase;
	if (phase != PHASE_NONE)
		s->count[phase]++;
}

/* --- routing -----------------------------------------------------------------
 */

/* All that were asked have answered, and no more come: they go on together. */
static void
settle(struct schedule *s, struct routing *g)
{
	struct recipient *r;

	if (g->asked > 0 || g == s->gathering)
		return;
	while ((r = TAILQ_FIRST(&g->done)) != NULL) {
		TAILQ_REMOVE(&g->done, r, in_list);
		schedule_phase(s, r, PHASE_QUEUED);
		r->routing = NULL;
		destination_put(s, r->destination, r);
	}
	free(g);
}

static void
stop_gathering(struct schedule *s)
{
	struct routing *g = s->gathering;

	s->gathering = NULL;
	if (g != NULL)
		settle(s, g);
}

/* There is a group that may grow by recipients of this message. */
static bool
gather(struct schedule *s, const struct message *m)
{
	if (s->gathering != NULL &&
	    (s->gathering->message != m || s->gathering->n >= ROUTING_MAX))
		stop_gathering(s);
	if (s->gathering == NULL) {
		s->gathering = calloc(1, sizeof *s->gathering);
		if (s->gathering == NULL)
			return false;
		s->gathering->message = m;
		TAILQ_INIT(&s->gathering->done);
	}
	return true;
}

static struct recipient *
first_of(struct schedule *s, unsigned source, int64_t now)
{
	struct destination *d = TAILQ_FIRST(&s->reopened);
	struct recipient *r;

	if (source == SOURCES - 1)
		return d != NULL ? destination_stale(d) : NULL;
	r = RB_MIN(due_tree, &s->due[source]);
	return r != NULL && r->due <= now ? r : NULL;
}

/* The next that is due, from the trees or from a destination that is open
 * again; they take turns, but a message is not torn apart. */
static struct recipient *
candidate(struct schedule *s, int64_t now)
{
	struct recipient *r[SOURCES];

	for (unsigned i = 0; i < SOURCES; i++) {
		r[i] = first_of(s, i, now);
		if (r[i] != NULL && s->gathering != NULL &&
		    s->gathering->message == r[i]->message)
			return r[i];
	}
	for (unsigned i = 1; i <= SOURCES; i++) {
		unsigned source = (s->source + i) % SOURCES;

		if (r[source] == NULL)
			continue;
		s->source = source;
		return r[source];
	}
	return NULL;
}

/* The next destination that is open again has its turn, once a message of
 * this one is through. */
static void
rotate(struct schedule *s, struct destination *d, const struct message *m)
{
	const struct recipient *next = destination_stale(d);

	if (!d->reopened || next == NULL || next->message == m)
		return;
	TAILQ_REMOVE(&s->reopened, d, in_reopened);
	TAILQ_INSERT_TAIL(&s->reopened, d, in_reopened);
}

/* What waits for longer than anything does was planned by a clock that was
 * ahead; it has been set back since. */
static void
mind_the_clock(struct schedule *s, int64_t now)
{
	int64_t wait = schedule_longest(s), longest;
	struct recipient *r;

	if (now > INT64_MAX - wait)
		return;
	longest = now + wait;
	for (size_t i = 0; i < SOURCES - 1; i++)
		while ((r = RB_MAX(due_tree, &s->due[i])) != NULL &&
		    r->due > longest)
			schedule_add(s, r, longest);
	destination_mind_the_clock(s, longest);
}

struct recipient *
schedule_ask(struct schedule *s, int64_t now)
{
	struct recipient *r;

	mind_the_clock(s, now);
	destination_wake(s, now);
	r = candidate(s, now);
	if (r == NULL || !gather(s, r->message)) {
		stop_gathering(s);
		return NULL;
	}
	if (r->phase == PHASE_WAITING)
		RB_REMOVE(due_tree, &s->due[r->again], r);
	else {
		/* It keeps its hold on the destination, which so remembers
		 * its failures until the new route is known. */
		destination_take(s, r->destination, r);
		rotate(s, r->destination, r->message);
	}
	r->routing = s->gathering;
	r->routing->n++;
	r->routing->asked++;
	schedule_phase(s, r, PHASE_ROUTING);
	return r;
}

int
schedule_routed(
    struct schedule *s, struct recipient *r, const struct route *route)
{
	struct destination *old = r->destination;
	struct destination *d = destination_get(s, route);

	if (d == NULL)
		return -1;
	if (old != NULL)
		destination_unref(s, old);
	r->destination = d;
	if (r->urgent)
		destination_forgive(s, d);
	r->urgent = false;
	schedule_phase(s, r, PHASE_ROUTED);
	TAILQ_INSERT_TAIL(&r->routing->done, r, in_list);
	r->routing->asked--;
	settle(s, r->routing);
	return 0;
}

/* --- recipients --------------------------------------------------------------
 */

static void
leave_routing(struct schedule *s, struct recipient *r)
{
	struct routing *g = r->routing;

	if (r->phase == PHASE_ROUTED)
		TAILQ_REMOVE(&g->done, r, in_list);
	else
		g->asked--;
	r->routing = NULL;
	settle(s, g);
}

static void
leave_delivery(struct recipient *r)
{
	struct delivery *h = r->delivery;

	for (uint32_t i = 0; i < h->n; i++)
		if (h->rcpts[i].rcpt == r)
			h->rcpts[i].rcpt = NULL;
	r->delivery = NULL;
}

void
schedule_remove(struct schedule *s, struct recipient *r)
{
	enum schedule_phase phase = r->phase;
	struct destination *d = r->destination;

	if (phase == PHASE_WAITING)
		RB_REMOVE(due_tree, &s->due[r->again], r);
	else if (phase == PHASE_ROUTING || phase == PHASE_ROUTED)
		leave_routing(s, r);
	else if (phase == PHASE_QUEUED)
		destination_take(s, d, r);
	else if (phase == PHASE_ACTIVE)
		leave_delivery(r);
	r->destination = NULL;
	if (d != NULL)
		destination_unref(s, d);
	schedule_phase(s, r, PHASE_NONE);
}

void
schedule_record(struct schedule *s, struct recipient *r)
{
	schedule_remove(s, r);
	schedule_phase(s, r, PHASE_RECORDING);
}

void
schedule_add(struct schedule *s, struct recipient *r, int64_t due)
{
	schedule_remove(s, r);
	r->due = due;
	if (r->held)
		return;
	r->again = r->attempts > 0;
	schedule_phase(s, r, PHASE_WAITING);
	RB_INSERT(due_tree, &s->due[r->again], r);
}

void
schedule_retry(struct schedule *s, struct recipient *r, int64_t now)
{
	if (r->destination != NULL)
		destination_forgive(s, r->destination);
	if (r->phase == PHASE_WAITING || r->phase == PHASE_ROUTING)
		r->urgent = true;
	if (r->phase == PHASE_WAITING && r->due > now)
		schedule_add(s, r, now);
}

int64_t
schedule_next(struct schedule *s)
{
	const struct destination *d = RB_MIN(retry_tree, &s->retries);
	int64_t next = d != NULL ? d->retry_at : INT64_MAX;

	if (!TAILQ_EMPTY(&s->reopened))
		return 0;
	for (size_t i = 0; i < SOURCES - 1; i++) {
		const struct recipient *r = RB_MIN(due_tree, &s->due[i]);

		if (r != NULL && r->due < next)
			next = r->due;
	}
	return next;
}

int64_t
schedule_when(const struct recipient *r)
{
	if (r->phase == PHASE_QUEUED && r->destination->retry_at > r->due)
		return r->destination->retry_at;
	return r->due;
}

size_t
schedule_count(const struct schedule *s, enum schedule_phase phase)
{
	return s->count[phase];
}
