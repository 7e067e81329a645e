/*
 * destination.h - the scheduler's state, shared by its files: schedule.c (what
 * is due), destination.c (back-off), lane.c (turns), delivery.c (hand-outs).
 */
#ifndef DESTINATION_H
#define DESTINATION_H

#include "queue/schedule.h"

TAILQ_HEAD(recipient_list, recipient);
RB_HEAD(due_tree, recipient);
RB_HEAD(key_tree, destination);
RB_HEAD(retry_tree, destination);
RB_HEAD(attempt_tree, delivery);
TAILQ_HEAD(turn_list, destination);
TAILQ_HEAD(lane_list, lane);
TAILQ_HEAD(turns, turn);
RB_HEAD(lane_tree, lane);
RB_HEAD(turn_tree, turn);
TAILQ_HEAD(reopened_list, destination);

/* What one sender has at one destination; never empty. */
struct lane {
	RB_ENTRY(lane) by_sender;	/* while fresh */
	TAILQ_ENTRY(lane) in_list;	/* of the fresh or the stale ones */
	struct recipient_list queue;
	uint32_t epoch;			/* its destination's: fresh; an older: stale */
};

/* Destinations of an agent whose next message is this sender's. */
struct turn {
	RB_ENTRY(turn) by_sender;
	TAILQ_ENTRY(turn) in_agent;
	struct turn_list destinations;
	char sender[];
};

/*
 * All that shares a route_key.  What waits there is in lanes of two kinds: stale
 * is what was there when it was backed off, to be routed anew; fresh is what may
 * be handed out.  Backing off moves a list and begins an epoch, whatever waits.
 */
struct destination {
	RB_ENTRY(destination) by_key;
	RB_ENTRY(destination) by_retry;		/* while retry_at is set */
	TAILQ_ENTRY(destination) in_turn;	/* while turn is set */
	struct turn *turn;
	TAILQ_ENTRY(destination) in_reopened;
	struct lane_list fresh, stale;
	struct lane_tree lanes;	/* the fresh ones */
	uint32_t epoch;
	int64_t retry_at;	/* 0: open */
	char *refusal;		/* why it was backed off, encoded */
	size_t refusal_n;
	uint32_t failures;	/* in a row; one hand-out at a time while not 0 */
	uint32_t active;	/* hand-outs */
	uint32_t refs;		/* recipients and hand-outs that point here */
	enum route_agent agent;
	bool reopened;		/* whether it is in the list */
	char *route;		/* encoded */
	size_t route_n;
	char key[];
};

/* Recipients of one message that are asked about together, so that those of
 * one route go out together. */
struct routing {
	const struct message *message;
	uint32_t n;		/* taken into it */
	uint32_t asked;		/* without an answer */
	struct recipient_list done;
};

struct schedule {
	struct schedule_limits limits;
	/* Waiting for its first attempt, and for another: what is new does not
	 * wait until all of a backlog is routed. */
	struct due_tree due[2];
	struct key_tree keys;
	struct retry_tree retries;
	struct reopened_list reopened;
	struct routing *gathering;	/* the one that may still grow */
	unsigned source;		/* that the last one asked about came from */
	struct attempt_tree deliveries;
	size_t count[PHASE_END];
	size_t destinations;
	struct {
		struct turns turns;
		struct turn_tree senders;
		uint32_t window;
		uint32_t used;		/* hand-outs, until recorded */
		uint32_t running;	/* hand-outs, until their last answer */
	} agents[ROUTE_AGENT_END];
};

RB_PROTOTYPE(due_tree, recipient, by_due, recipient_due_cmp)
RB_PROTOTYPE(key_tree, destination, by_key, destination_key_cmp)
RB_PROTOTYPE(retry_tree, destination, by_retry, destination_retry_cmp)
RB_PROTOTYPE(attempt_tree, delivery, by_attempt, delivery_cmp)

void schedule_phase(struct schedule *, struct recipient *, enum schedule_phase);

/* The one for a route, made if need be; the caller's reference.  NULL: ENOMEM. */
struct destination *destination_get(struct schedule *, const struct route *);
void destination_unref(struct schedule *, struct destination *);
void destination_put(struct schedule *, struct destination *, struct recipient *);
void destination_take(struct schedule *, struct destination *, struct recipient *);
/* Nothing refers to it but the schedule. */
void destination_free(struct destination *);
/* The next one to be routed anew; NULL: none. */
struct recipient *destination_stale(const struct destination *);
/* Puts it into or out of its agent's turn, as its state says. */
void destination_turn(struct schedule *, struct destination *);
void destination_forgive(struct schedule *, struct destination *);
/* Those whose back-off is over are open again. */
void destination_wake(struct schedule *, int64_t now);
/* No back-off ends later than this. */
void destination_mind_the_clock(struct schedule *, int64_t longest);

/* ---- lane.c ------------------------------------------------------------------ */

void lane_put(struct destination *, struct recipient *);
void lane_take(struct destination *, struct recipient *);
/* The fresh one whose turn it is, which there must be; the next after it is
 * another's. */
struct lane *lane_next(struct destination *);
/* What was fresh is stale. */
void lane_age(struct destination *);
void lane_free_all(struct destination *);
/* Into the turn of the sender of its next lane, at its end; or out of it. */
void turn_join(struct schedule *, struct destination *);
void turn_leave(struct schedule *, struct destination *);
/* The next sender's next destination, or NULL. */
struct destination *turn_next(struct schedule *, enum route_agent);
void turn_free_all(struct schedule *, enum route_agent);

#endif
