/*
 * worker.h - threads that do what may wait for the disk.
 *
 * Jobs are begun in the order they were given, so one thread does them one after
 * the other; each comes back to the event loop when it is done.  A job sees only
 * what stands in it: the threads and the loop share nothing else.
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

#define WORKER_THREADS_MAX 8

/* Starts the threads (with all signals blocked).  NULL with errno. */
struct worker *worker_new(unsigned threads);
/* Completions come from this loop from now on.  0 or -1. */
int worker_begin(struct worker *, struct event_base *);
/* Does what was given and ends the threads; done() of what was not yet told
 * is not called any more. */
void worker_free(struct worker *);

/* The job stays the caller's until done(). */
void worker_give(struct worker *, struct job *);
bool worker_idle(const struct worker *); /* all was told */

#endif
