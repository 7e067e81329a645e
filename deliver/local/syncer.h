/*
 * syncer.h - many descriptors synced at once.
 *
 * A disk is asked to flush for every fsync; those that are under way together
 * share one flush.  So a batch is synced by a few threads, which do nothing
 * else: they hold no lock while they wait and touch nothing but their job.
 */
#ifndef SYNCER_H
#define SYNCER_H

#include <stddef.h>

#define SYNCER_THREADS 3 /* beside the one that calls */

struct sync_job {
	int fd;
	int err; /* 0, or errno of its fsync */
};

struct syncer;

/* Starts the threads: before the filter.  NULL with errno. */
struct syncer *syncer_new(void);
/* Returns when each has its err. */
void syncer_run(struct syncer *, struct sync_job *, size_t n);

#endif
