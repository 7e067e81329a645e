/*
 * schedule.h - which recipient is tried when, and with which others.
 *
 * Pure: recipients, routes and times go in, decisions come out; no clock, no
 * descriptor, no chance (jitter is an argument).  Times are seconds since 1970.
 *
 *   WAITING   in a tree by the time it is due
 *   ROUTING   its route is being asked for
 *   ROUTED    it has one; others of its message are still being asked for
 *   QUEUED    at its destination: all that shares a route_key
 *   ACTIVE    in a hand-out
 *   RECORDING its result is on its way to the disk
 *
 * Senders take turns, a sender's destinations do, and the senders at one
 * destination do; of one sender there the order is that of coming due.  A
 * destination that fails as a whole is backed off as a whole: what is queued there
 * rests until its time, is routed anew then, and goes behind what was not yet
 * looked at, so that no message can stand in the way of the others.  Every
 * operation costs the same whatever is waiting.
 *
 * Times are a clock's that may be set: nothing waits longer from `now` than the
 * longest wait there is, whatever it was told before.
 */
#ifndef SCHEDULE_H
#define SCHEDULE_H

#include "common/msg/queue_agent.h"
#include "queue/index.h"

enum schedule_phase {
	PHASE_NONE, PHASE_WAITING, PHASE_ROUTING, PHASE_ROUTED, PHASE_QUEUED,
	PHASE_ACTIVE, PHASE_RECORDING, PHASE_END
};

/* Recipients of one message that are routed together, at most. */
#define ROUTING_MAX 1000

struct schedule_limits {
	uint32_t retry_first, retry_max, expire;	/* seconds */
	uint32_t in_all[ROUTE_AGENT_END];	/* hand-outs of an agent at once */
	uint32_t of_one[ROUTE_AGENT_END];	/* … of one destination */
};

/* ---- when ------------------------------------------------------------------- */

/* Seconds to wait after attempt n (from 1): `first`, doubled with each, at most
 * `max`, spread by a fifth to both sides; jitter is any 32 random bits. */
int64_t schedule_wait(uint32_t first, uint32_t max, uint32_t n, uint32_t jitter);

/* What a reply makes of a recipient of a message accepted at `accepted`: its
 * attempt was number `attempts`.  WAITING sets *next; after `expire` seconds
 * 4yz is FAILED. */
enum recipient_state schedule_verdict(const struct schedule_limits *,
    const struct reply *, int64_t accepted, uint32_t attempts, int64_t now,
    uint32_t jitter, int64_t *next);
bool schedule_expired(const struct schedule_limits *, int64_t accepted,
    int64_t now);

/* ---- recipients --------------------------------------------------------------- */

struct schedule;

struct schedule *schedule_new(const struct schedule_limits *);
void schedule_free(struct schedule *);	/* the recipients are not touched */
const struct schedule_limits *schedule_limits(const struct schedule *);
/* Others from now on; times that are already set stay. */
void schedule_set_limits(struct schedule *, const struct schedule_limits *);

/* It waits until `due`, whatever it did before; one that is held rests until
 * schedule_add when it is released. */
void schedule_add(struct schedule *, struct recipient *, int64_t due);
/* Its result goes to the disk: it rests until schedule_add. */
void schedule_record(struct schedule *, struct recipient *);
/* It is final, or freed.  A hand-out that it is in forgets it. */
void schedule_remove(struct schedule *, struct recipient *);
/* Due now, and its destination is given another chance. */
void schedule_retry(struct schedule *, struct recipient *, int64_t now);

/* When schedule_ask will have something: 0 now, INT64_MAX never. */
int64_t schedule_next(struct schedule *);
/* The next whose route is to be asked for, now ROUTING; NULL: none is due.  Ask
 * again until NULL or until no more may be asked. */
struct recipient *schedule_ask(struct schedule *, int64_t now);
/* The reply for which the destination is backed off, or was at last, at which it
 * is queued or was until schedule_ask gave it; false: none. */
bool schedule_refusal(const struct recipient *, struct reply *);
/* The answer: 0, or -1 with errno ENOMEM (it is then still ROUTING). */
int schedule_routed(struct schedule *, struct recipient *, const struct route *);
/* When it will be tried, as far as can be said. */
int64_t schedule_when(const struct recipient *);

size_t schedule_count(const struct schedule *, enum schedule_phase);
size_t schedule_destinations(const struct schedule *);

/* ---- hand-outs ---------------------------------------------------------------- */

struct delivery_rcpt {
	struct recipient *rcpt;	/* NULL: final meanwhile, or never known */
	uint32_t index;
	bool answered;
};

struct delivery {
	struct handout handout;
	enum route_agent agent;
	struct destination *destination; /* NULL: taken over, or ended */
	bool running;		/* it takes a place of its agent and destination */
	bool retired;		/* … of its window no more */
	void *holder;		/* who has it; the caller's */
	bool last;		/* all its answers are here */
	bool sent;		/* the agent has it; the caller's */
	uint32_t recording;	/* answers on their way to the disk */
	size_t memory;		/* of sealed content lent with it; the caller's */
	RB_ENTRY(delivery) by_attempt;
	uint32_t n;
	struct delivery_rcpt rcpts[];
};

/* Hand-outs that the agent takes; 0: it is not there. */
void schedule_window(struct schedule *, enum route_agent, uint32_t window);
/* The next hand-out, its recipients now ACTIVE; NULL: none may start.  Its
 * route is set too. */
struct delivery *schedule_handout(struct schedule *, enum route_agent,
    uint64_t attempt, struct route *);
/* One that an agent had from the queue before: `rcpts` has NULL for what is unknown. */
struct delivery *schedule_adopt(struct schedule *, enum route_agent,
    const struct handout *, uint32_t n, const uint32_t *indexes,
    struct recipient *const *rcpts);
struct delivery *schedule_delivery(struct schedule *, uint64_t attempt);
struct delivery *schedule_delivery_of(struct schedule *, const void *holder);
/* Another one comes in its place, with a window of its own: what it has counts
 * against the limits of all and of the destination only. */
void schedule_retire(struct schedule *, const void *holder);
/* An answer for one of it.  False: not in it, or answered before.  *r is set to the
 * recipient, now RECORDING, or NULL when it does not matter any more. */
bool schedule_answer(struct schedule *, struct delivery *, uint32_t index,
    struct recipient **r);
/* Its last answer came: places are free again. */
void schedule_ended(struct schedule *, struct delivery *);
/* It is recorded, or its agent is gone; recipients still in it are PHASE_NONE. */
void schedule_forget(struct schedule *, struct delivery *);

/* What an attempt said of its whole destination. */
void schedule_refused(struct schedule *, struct delivery *, uint32_t attempts,
    int64_t now, uint32_t jitter, const struct reply *);
void schedule_served(struct schedule *, struct delivery *);

#endif
