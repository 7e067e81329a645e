/*
 * reclaim.c - the oldest segment is emptied and used again: DESIGN 4.5.
 *
 * When it is worth it, and that only one thing is done at a time.
 */
#include <stdlib.h>

#include "queue/reclaim.h"

int
reclaim_new(struct store *s)
{
	s->reclaim = calloc(1, sizeof *s->reclaim);
	return s->reclaim != NULL ? 0 : -1;
}

static bool
is_worth(const struct store *s)
{
	uint64_t bytes = 0, live = 0;
	const struct segment *seg;

	TAILQ_FOREACH (seg, &s->segments, next) {
		if (seg == s->head)
			continue;
		bytes += seg->size;
		live += seg->live;
	}
	if (s->nsegments > 2 && 2 * live < bytes)
		return true;
	/* The last spare is in sight: any gain is one. */
	return s->nspares <= 1 && s->spare_error != 0 &&
	    live + s->opt.segment_size < bytes;
}

void
reclaim_kick(struct store *s)
{
	struct reclaim *r = s->reclaim;
	struct segment *seg = TAILQ_FIRST(&s->segments);

	if (s->base == NULL || s->closing || r->off || !reclaim_idle(s))
		return;
	if (s->homeless && s->writable)
		slice_settle_homeless(s);
	else if (seg == s->head || s->nsegments < 2 || r->failed)
		; /* the last one stays: numbers and sequence go on from it */
	else if (TAILQ_EMPTY(&seg->messages) && TAILQ_EMPTY(&seg->contents))
		recycle_start(s, seg);
	else if (s->writable && is_worth(s))
		slice_start(s, seg);
	r->failed = false;
}

bool
reclaim_idle(const struct store *s)
{
	const struct reclaim *r = s->reclaim;

	return r->slice == NULL && r->copying == 0 && r->recycling == NULL;
}

void
reclaim_free(struct store *s)
{
	if (s->reclaim == NULL)
		return;
	slice_free(s->reclaim->slice);
	recycle_free(s->reclaim->recycling);
	free(s->reclaim);
}
