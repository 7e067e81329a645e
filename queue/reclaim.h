/*
 * reclaim.h - emptying and recycling the oldest segment: what its files share.
 */
#ifndef RECLAIM_H
#define RECLAIM_H

#include "queue/store_state.h"

struct slice;
struct recycling;

struct reclaim {
	struct slice *slice; /* is being read */
	size_t copying;	     /* changes under way */
	struct recycling *recycling;
	bool failed; /* not before something else is committed */
	bool off;    /* for good: see on_recycling */
};

/* slice.c: some of what is live in a segment is written again. */
void slice_start(struct store *, struct segment *);
void slice_free(struct slice *); /* NULL is fine */
/* Messages whose MESSAGE was lost to damage get a new one. */
void slice_settle_homeless(struct store *);

/* recycle.c: a segment with nothing live in it becomes a spare, or goes. */
void recycle_start(struct store *, struct segment *);
void recycle_free(struct recycling *);

#endif
