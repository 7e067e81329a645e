/*
 * agent.h - what queue hands out, and what it is told (queue_agent.h).
 *
 * Hand-outs and results outlive queue: a new one is told what is under way and
 * gets the results that the old one did not record.
 */
#ifndef AGENT_H
#define AGENT_H

#include "deliver/local/children.h"

/* Hand-outs at once: eight mailboxes with as many as queue gives of one
 * (queue/main.c PER_MAILBOX). */
#define LOCAL_WINDOW 256

struct agent_conf {
	struct event_base *base;
	const struct conf *conf;
	struct accounts *accounts; /* NULL: no user has to be looked up */
	bool root;
	uid_t least_uid; /* as root: nobody below it can be delivered to */
	/* queue went away; bad: it broke the rules. */
	void (*gone)(void *arg, uint32_t instance, bool bad);
	/* While stopping or retiring: nothing is under way any more. */
	void (*idle)(void *arg);
	void *arg;
};

struct agent_counters {
	uint64_t delivered, deferred, failed; /* recipients */
	size_t underway;   /* hand-outs without all results */
	size_t unrecorded; /* with, but not recorded by queue */
	size_t children;
	uint64_t deaths;
};

struct agent *agent_new(const struct agent_conf *); /* NULL with errno */
/* queue, or a new one in the place of the old one. */
void agent_connect(struct agent *, uint32_t instance, int fd);
/* idle() when all it has is done and recorded, and queue has gone: no more comes. */
void agent_retire(struct agent *);
/* What was not begun is told to be tried later; idle() follows. */
void agent_stop(struct agent *);
void agent_count(const struct agent *, struct agent_counters *);

#endif
