/*
 * recycle.c - the way of an empty segment out of the log, for good: the history
 * made from it is synced, it loses its name, the directory is synced (I5).
 */
#include <errno.h>
#include <stdlib.h>

#include "common/bytes/log.h"
#include "queue/reclaim.h"

struct recycling {
	struct job job;
	struct store *store;
	struct segment *segment;
	int log_dir;
	bool keep; /* as a spare */
	bool renamed;
	int err;
};

static void
run_recycling(struct job *job)
{
	struct recycling *rc = (struct recycling *)job;
	uint64_t number = rc->segment->number;
	char from[SEGMENT_NAME_MAX], to[SEGMENT_NAME_MAX];

	segment_name(from, number, SEGMENT_USED);
	segment_name(to, number, SEGMENT_SPARE);
	rc->err = 0;
	if (rc->keep ? disk_rename(rc->log_dir, from, rc->log_dir, to) == -1
		     : disk_unlink(rc->log_dir, from) == -1) {
		rc->err = errno;
		return;
	}
	rc->renamed = true;
	if (disk_sync(rc->log_dir) == -1)
		rc->err = errno;
}

static void
on_recycling(struct job *job)
{
	struct recycling *rc = (struct recycling *)job;
	struct store *s = rc->store;
	struct segment *seg = rc->segment;

	s->reclaim->recycling = NULL;
	if (rc->err == 0) {
		s->count.reclaimed++;
		store_segment_remove(s, seg);
		if (rc->keep)
			spare_add(s, seg->number);
		segment_free(seg);
		if (rc->keep)
			head_open(s);
	} else {
		/* I5: whether it is gone for good cannot be known any more, so
		 * nothing younger may go. */
		s->reclaim->off = rc->renamed;
		s->reclaim->failed = true;
		log_error("segment_not_reclaimed",
		    log_num("segment", (int64_t)seg->number),
		    log_errno(rc->err));
	}
	free(rc);
	admission_update(s);
	reclaim_kick(s);
	store_step_close(s);
}

static void
on_history_synced(void *arg)
{
	struct recycling *rc = arg;

	worker_give(rc->store->log, &rc->job);
}

void
recycle_start(struct store *s, struct segment *seg)
{
	struct recycling *rc = calloc(1, sizeof *rc);
	size_t enough = s->nsegments / 4;

	if (rc == NULL)
		return;
	if (enough < STORE_SPARES)
		enough = STORE_SPARES;
	rc->job = (struct job){ .run = run_recycling, .done = on_recycling };
	rc->store = s;
	rc->segment = seg;
	rc->log_dir = s->log_dir;
	rc->keep = s->nspares < enough && seg->size == s->opt.segment_size;
	s->reclaim->recycling = rc;
	history_sync(s, on_history_synced, rc);
}

void
recycle_free(struct recycling *rc)
{
	free(rc);
}
