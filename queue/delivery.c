/*
 * delivery.c - hand-outs: recipients of one message and one route that an
 * agent has, and what it answered so far.  See schedule.h.
 */
#include <assert.h>
#include <stdlib.h>

#include "queue/destination.h"

static int
delivery_cmp(const struct delivery *a, const struct delivery *b)
{
	if (a->handout.attempt != b->handout.attempt)
		return a->handout.attempt < b->handout.attempt ? -1 : 1;
	return 0;
}

RB_GENERATE(attempt_tree, delivery, by_attempt, delivery_cmp)

void
schedule_window(struct schedule *s, enum route_agent agent, uint32_t window)
{
	s->agents[agent].window = window;
}

static struct delivery *
make(struct schedule *s, enum route_agent agent, const struct handout *handout,
    uint32_t n)
{
	struct delivery *h = calloc(1, sizeof *h + n * sizeof h->rcpts[0]);

	if (h == NULL)
		return NULL;
	h->handout = *handout;
	h->agent = agent;
	h->n = n;
	h->running = true;
	s->agents[agent].used++;
	s->agents[agent].running++;
	RB_INSERT(attempt_tree, &s->deliveries, h);
	return h;
}

static void
hold(struct schedule *s, struct delivery *h, uint32_t slot, struct recipient *r)
{
	h->rcpts[slot].rcpt = r;
	r->delivery = h;
	schedule_phase(s, r, PHASE_ACTIVE);
}

/* Recipients of its first message that go out together. */
static uint32_t
run_length(const struct lane *l)
{
	const struct recipient *first = TAILQ_FIRST(&l->queue);
	const struct message *m = first->message;
	uint32_t n = 0;

	for (const struct recipient *r = first;
	     r != NULL && r->message == m && n < DELIVER_RCPTS_MAX;
	     r = TAILQ_NEXT(r, in_list))
		n++;
	return n;
}

static void
fill(struct schedule *s, struct delivery *h, struct destination *d,
    struct lane *l)
{
	h->destination = d;
	d->refs++;
	d->active++;
	for (uint32_t i = 0; i < h->n; i++) {
		struct recipient *r = TAILQ_FIRST(&l->queue);

		destination_take(s, d, r);
		r->destination = NULL;
		d->refs--;
		h->rcpts[i].index = (uint32_t)(r - r->message->rcpts);
		hold(s, h, i, r);
	}
}

struct delivery *
schedule_handout(struct schedule *s, enum route_agent agent, uint64_t attempt,
    struct route *route)
{
	struct destination *d;
	struct delivery *h;
	struct wire_get w;
	struct lane *l;

	if (s->agents[agent].used >= s->agents[agent].window ||
	    s->agents[agent].running >= s->limits.in_all[agent] ||
	    (d = turn_next(s, agent)) == NULL)
		return NULL;
	l = lane_next(d);
	h = make(s, agent,
	    &(struct handout){ TAILQ_FIRST(&l->queue)->message->id, attempt },
	    run_length(l));
	if (h == NULL)
		return NULL;
	w = wire_reader(span_from(d->route, d->route_n));
	route_get(&w, route);
	assert(wire_done(&w));
	/* It goes behind the others, if it has more. */
	turn_leave(s, d);
	fill(s, h, d, l);
	destination_turn(s, d);
	return h;
}

struct delivery *
schedule_adopt(struct schedule *s, enum route_agent agent,
    const struct handout *handout, uint32_t n, const uint32_t *indexes,
    struct recipient *const *rcpts)
{
	struct delivery *h = make(s, agent, handout, n);

	for (uint32_t i = 0; h != NULL && i < n; i++) {
		h->rcpts[i].index = indexes[i];
		if (rcpts[i] == NULL)
			continue;
		schedule_remove(s, rcpts[i]);
		hold(s, h, i, rcpts[i]);
	}
	return h;
}

struct delivery *
schedule_delivery(struct schedule *s, uint64_t attempt)
{
	struct delivery *h = RB_ROOT(&s->deliveries);

	while (h != NULL && h->handout.attempt != attempt)
		h = attempt < h->handout.attempt ? RB_LEFT(h, by_attempt)
						 : RB_RIGHT(h, by_attempt);
	return h;
}

struct delivery *
schedule_delivery_of(struct schedule *s, const void *holder)
{
	struct delivery *h;

	RB_FOREACH (h, attempt_tree, &s->deliveries)
		if (h->holder == holder)
			return h;
	return NULL;
}

void
schedule_retire(struct schedule *s, const void *holder)
{
	struct delivery *h;

	RB_FOREACH (h, attempt_tree, &s->deliveries) {
		if (h->holder != holder || h->retired)
			continue;
		h->retired = true;
		s->agents[h->agent].used--;
	}
}

bool
schedule_answer(struct schedule *s, struct delivery *h, uint32_t index,
    struct recipient **r)
{
	for (uint32_t i = 0; i < h->n; i++) {
		struct delivery_rcpt *slot = &h->rcpts[i];

		if (slot->index != index || slot->answered)
			continue;
		slot->answered = true;
		*r = slot->rcpt;
		if (*r != NULL)
			schedule_record(s, *r);
		return true;
	}
	return false;
}

void
schedule_ended(struct schedule *s, struct delivery *h)
{
	struct destination *d = h->destination;

	if (!h->running)
		return;
	h->running = false;
	s->agents[h->agent].running--;
	h->destination = NULL;
	if (d == NULL)
		return;
	d->active--;
	destination_turn(s, d);
	destination_unref(s, d);
}

void
schedule_forget(struct schedule *s, struct delivery *h)
{
	schedule_ended(s, h);
	for (uint32_t i = 0; i < h->n; i++)
		if (h->rcpts[i].rcpt != NULL)
			schedule_remove(s, h->rcpts[i].rcpt);
	if (!h->retired)
		s->agents[h->agent].used--;
	RB_REMOVE(attempt_tree, &s->deliveries, h);
	free(h);
}
