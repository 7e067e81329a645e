/*
 * batch.h - several messages into Maildirs at once, so that they share what is
 * dear: the syncs.
 *
 * All files are written, then synced (the first sync of a journal often serves
 * the others), then named, then each new/ is synced once.
 */
#ifndef BATCH_H
#define BATCH_H

#include "deliver/local/content.h"
#include "deliver/local/handout.h"
#include "deliver/local/syncer.h"

#define BATCH_MAX 32

struct batch;

/* All are used as long as the batch is. */
struct batch *batch_new(
    const struct conf *, const struct account *, struct syncer *);
void batch_free(struct batch *);

bool batch_full(const struct batch *);
/* A recipient, by its position in the hand-out, which stays until batch_run.
 * Room must be there. */
void batch_add(struct batch *, struct handout_entry *, uint32_t position);

/* Deliver them all; `done` is told what became of each, in order.  The batch is
 * empty then. */
void batch_run(struct batch *,
    void (*done)(void *arg, struct handout_entry *, uint32_t position,
	const struct reply *),
    void *arg);

#endif
