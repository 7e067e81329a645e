/*
 * worker.h - a thread that does what may wait for the disk.
 *
 * Jobs are done one after the other in the order they were given; each comes
 * back to the event loop when it is done.  A job sees only what stands in it:
 * the thread and the loop share nothing else.
 */
#ifndef WORKER_H
#define WORKER_H

#include <bsd/sys/queue.h>
#include <event2/event.h>

#include <stdbool.h>

struct worker;

struct job {
	void (*run)(struct job *);  /* in the thread */
	void (*done)(struct job *); /* in the loop; the job is free again */
	TAILQ_ENTRY(job) next;
};

/* Starts the thread (with all signals blocked).  NULL with errno. */
struct worker *worker_new(void);
/* Completions come from this loop from now on.  0 or -1. */
int worker_begin(struct worker *, struct event_base *);
/* Does what was given and ends the thread; done() of what was not yet told
 * is not called any more. */
void worker_free(struct worker *);

/* The job stays the caller's until done(). */
void worker_give(struct worker *, struct job *);
bool worker_idle(const struct worker *); /* all was told */

#endif
