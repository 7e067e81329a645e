/*
 * destination.h - the scheduler's state, shared by its three files: schedule.c
 * (what is due), destination.c (turns and back-off), delivery.c (hand-outs).
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
TAILQ_HEAD(reopened_list, destination);

/*
 * All that shares a route_key.  Its queue is one list in two parts: first what
 * was there when it was backed off, to be routed anew (stale), then what may be
 * handed out (from `fresh` on).  So backing off is one assignment.
 */
struct destination {
	RB_ENTRY(destination) by_key;
	RB_ENTRY(destination) by_retry;		/* while retry_at is set */
	TAILQ_ENTRY(destination) in_turn;	/* of its agent */
	TAILQ_ENTRY(destination) in_reopened;
	struct recipient_list queue;
	struct recipient *fresh;
	int64_t retry_at;	/* 0: open */
	struct reply *refusal;	/* why it was backed off */
	uint32_t failures;	/* in a row; one hand-out at a time while not 0 */
	uint32_t active;	/* hand-outs */
	uint32_t refs;		/* recipients and hand-outs that point here */
	enum route_agent agent;
	bool turning, reopened;	/* whether it is in the lists */
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
	struct due_tree due;
	struct key_tree keys;
	struct retry_tree retries;
	struct reopened_list reopened;
	struct routing *gathering;	/* the one that may still grow */
	bool stale_turn;
	struct attempt_tree deliveries;
	size_t count[PHASE_END];
	size_t destinations;
	struct {
		struct turn_list turn;
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
/* The next one to be routed anew; NULL: none. */
struct recipient *destination_stale(const struct destination *);
/* Puts it into or out of its agent's turn, as its state says. */
void destination_turn(struct schedule *, struct destination *);
void destination_forgive(struct schedule *, struct destination *);
/* Those whose back-off is over are open again. */
void destination_wake(struct schedule *, int64_t now);
/* No back-off ends later than this. */
void destination_mind_the_clock(struct schedule *, int64_t longest);

#endif
