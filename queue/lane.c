/*
 * lane.c - whose turn it is: senders share an agent, and a destination.
 *
 * What one sender has at one destination is a lane.  An agent takes from one
 * sender after the other, of a sender's destinations from one after the other,
 * and there from its lanes in turn; so whoever has a hundred thousand messages,
 * to one host or to as many, delays another's single one by a hand-out.
 */
#include <stdlib.h>
#include <string.h>

#include "queue/destination.h"

/* --- lanes -------------------------------------------------------------------
 */

static const char *
lane_sender(const struct lane *l)
{
	return TAILQ_FIRST(&l->queue)->message->sender;
}

static int
lane_cmp(const struct lane *a, const struct lane *b)
{
	return strcmp(lane_sender(a), lane_sender(b));
}

/* RB_GENERATE_STATIC of libbsd needs an __unused that it does not define. */
RB_GENERATE_INTERNAL(
    lane_tree, lane, by_sender, lane_cmp, __attribute__((__unused__)) static)

static struct lane *
lane_find(struct destination *d, const char *sender)
{
	struct lane *l = RB_ROOT(&d->lanes);

	while (l != NULL) {
		int c = strcmp(sender, lane_sender(l));

		if (c == 0)
			break;
		l = c < 0 ? RB_LEFT(l, by_sender) : RB_RIGHT(l, by_sender);
	}
	return l;
}

static struct lane *
lane_make(struct destination *d, struct recipient *first)
{
	struct lane *l = calloc(1, sizeof *l);

	if (l == NULL)
		abort(); /* it would wait for ever: a start plans it again */
	TAILQ_INIT(&l->queue);
	TAILQ_INSERT_TAIL(&l->queue, first, in_list);
	l->epoch = d->epoch;
	RB_INSERT(lane_tree, &d->lanes, l);
	TAILQ_INSERT_TAIL(&d->fresh, l, in_list);
	return l;
}

void
lane_put(struct destination *d, struct recipient *r)
{
	struct lane *l = lane_find(d, r->message->sender);

	if (l != NULL)
		TAILQ_INSERT_TAIL(&l->queue, r, in_list);
	else
		l = lane_make(d, r);
	r->lane = l;
}

static void
to_tail(struct lane_list *list, struct lane *l)
{
	TAILQ_REMOVE(list, l, in_list);
	TAILQ_INSERT_TAIL(list, l, in_list);
}

void
lane_take(struct destination *d, struct recipient *r)
{
	struct lane *l = r->lane;
	bool fresh = l->epoch == d->epoch;
	const struct recipient *next;

	r->lane = NULL;
	TAILQ_REMOVE(&l->queue, r, in_list);
	next = TAILQ_FIRST(&l->queue);
	if (next == NULL) {
		if (fresh)
			RB_REMOVE(lane_tree, &d->lanes, l);
		TAILQ_REMOVE(fresh ? &d->fresh : &d->stale, l, in_list);
		free(l);
	} else if (!fresh && next->message != r->message)
		to_tail(&d->stale, l);
}

struct lane *
lane_next(struct destination *d)
{
	struct lane *l = TAILQ_FIRST(&d->fresh);

	to_tail(&d->fresh, l);
	return l;
}

void
lane_age(struct destination *d)
{
	TAILQ_CONCAT(&d->stale, &d->fresh, in_list);
	RB_INIT(&d->lanes);
	d->epoch++;
}

static void
free_list(struct lane_list *list)
{
	struct lane *l;

	while ((l = TAILQ_FIRST(list)) != NULL) {
		TAILQ_REMOVE(list, l, in_list);
		free(l);
	}
}

void
lane_free_all(struct destination *d)
{
	free_list(&d->fresh);
	free_list(&d->stale);
}

/* --- turns -------------------------------------------------------------------
 */

static int
turn_cmp(const struct turn *a, const struct turn *b)
{
	return strcmp(a->sender, b->sender);
}

RB_GENERATE_INTERNAL(
    turn_tree, turn, by_sender, turn_cmp, __attribute__((__unused__)) static)

static struct turn *
turn_get(struct schedule *s, enum route_agent agent, const char *sender)
{
	struct turn *t = RB_ROOT(&s->agents[agent].senders);
	size_t n = strlen(sender) + 1;

	while (t != NULL) {
		int c = strcmp(sender, t->sender);

		if (c == 0)
			return t;
		t = c < 0 ? RB_LEFT(t, by_sender) : RB_RIGHT(t, by_sender);
	}
	if ((t = calloc(1, sizeof *t + n)) == NULL)
		abort(); /* as above */
	memcpy(t->sender, sender, n);
	TAILQ_INIT(&t->destinations);
	RB_INSERT(turn_tree, &s->agents[agent].senders, t);
	TAILQ_INSERT_TAIL(&s->agents[agent].turns, t, in_agent);
	return t;
}

void
turn_leave(struct schedule *s, struct destination *d)
{
	struct turn *t = d->turn;

	if (t == NULL)
		return;
	d->turn = NULL;
	TAILQ_REMOVE(&t->destinations, d, in_turn);
	if (!TAILQ_EMPTY(&t->destinations))
		return;
	RB_REMOVE(turn_tree, &s->agents[d->agent].senders, t);
	TAILQ_REMOVE(&s->agents[d->agent].turns, t, in_agent);
	free(t);
}

void
turn_join(struct schedule *s, struct destination *d)
{
	const char *sender = lane_sender(TAILQ_FIRST(&d->fresh));

	if (d->turn != NULL && strcmp(d->turn->sender, sender) == 0)
		return;
	turn_leave(s, d);
	d->turn = turn_get(s, d->agent, sender);
	TAILQ_INSERT_TAIL(&d->turn->destinations, d, in_turn);
}

struct destination *
turn_next(struct schedule *s, enum route_agent agent)
{
	struct turn *t = TAILQ_FIRST(&s->agents[agent].turns);

	if (t == NULL)
		return NULL;
	TAILQ_REMOVE(&s->agents[agent].turns, t, in_agent);
	TAILQ_INSERT_TAIL(&s->agents[agent].turns, t, in_agent);
	return TAILQ_FIRST(&t->destinations);
}

void
turn_free_all(struct schedule *s, enum route_agent agent)
{
	struct turn *t;

	while ((t = TAILQ_FIRST(&s->agents[agent].turns)) != NULL) {
		TAILQ_REMOVE(&s->agents[agent].turns, t, in_agent);
		free(t);
	}
}
