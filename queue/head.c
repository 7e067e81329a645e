/*
 * head.c - the segment that is written to: sealed when it is full, replaced by
 * a spare when it is sealed or lost.
 *
 * All of it is done by the log thread, but for the first head of a start.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <sodium.h>

#include "common/bytes/log.h"
#include "queue/store_state.h"

struct opening {
	struct job job;
	struct store *store;
	struct segment *segment;
	struct batch *first; /* ABANDONs, highest id */
	size_t nabandons;    /* of the store's, in there */
	uint64_t spare;
	int log_dir;
	int err;
};

struct sealing {
	struct job job;
	struct store *store;
	struct segment *segment;
	struct batch *last; /* SUMMARY records */
	int err;
};

size_t
segment_capacity(const struct store *s)
{
	/* The first batch of a segment takes some. */
	return s->opt.segment_size - SEGMENT_HEADER - SEGMENT_TRAILER - 4096;
}

/* ---- the next head ------------------------------------------------------------ */

/* In the log thread: everything by which a spare becomes a segment, in order. */
static int
make_head(struct opening *o)
{
	char from[SEGMENT_NAME_MAX], to[SEGMENT_NAME_MAX];
	char header[SEGMENT_HEADER];
	struct segment *seg = o->segment;
	struct buf *first = &o->first->bytes;

	segment_name(from, o->spare, SEGMENT_SPARE);
	segment_name(to, seg->number, SEGMENT_USED);
	segment_header_put(header, seg, store_now_us());
	seg->fd = openat(o->log_dir, from, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	if (seg->fd == -1 ||
	    disk_write(seg->fd, header, sizeof header, 0) == -1 ||
	    disk_sync(seg->fd) == -1 ||
	    disk_rename(o->log_dir, from, o->log_dir, to) == -1 ||
	    disk_sync(o->log_dir) == -1)
		return -1;
	o->first->fd = seg->fd;
	batch_finish(o->first);
	if (disk_write(seg->fd, first->p, first->n, SEGMENT_HEADER) == -1)
		return -1;
	return disk_datasync(seg->fd);
}

static void
run_opening(struct job *job)
{
	struct opening *o = (struct opening *)job;
	char name[SEGMENT_NAME_MAX];

	o->err = 0;
	if (make_head(o) == 0)
		return;
	o->err = errno;
	/* Under one of these names: not to be used by anybody again. */
	segment_name(name, o->spare, SEGMENT_SPARE);
	disk_unlink(o->log_dir, name);
	segment_name(name, o->segment->number, SEGMENT_USED);
	disk_unlink(o->log_dir, name);
}

static void
opening_free(struct opening *o)
{
	segment_free(o->segment);
	batch_free(o->first);
	free(o);
}

/* The first batch of a segment tells what failed before it, and the highest id:
 * so neither ids nor sequence begin anew when all others are reclaimed. */
static struct batch *
first_batch(struct store *s, const struct segment *seg)
{
	struct batch *b = batch_new(s);
	struct wire_put w;

	if (b == NULL)
		return NULL;
	for (size_t i = 0; i < s->nabandons; i++) {
		if (record_open(&b->bytes, RECORD_ABANDON,
			RECORD_ABANDON_PAYLOAD, &w) == -1)
			goto fail;
		record_abandon_put(&w, &s->abandons[i]);
		if (record_close(&b->bytes, &w) == -1)
			goto fail;
	}
	if (summary_put_highest(&b->bytes, s->last_id) != 1)
		goto fail;
	b->count = (uint32_t)s->nabandons + 1;
	batch_place(b, seg, s->next_seq);
	s->next_seq += 1 + (uint64_t)b->count;
	return b;
fail:
	batch_free(b);
	return NULL;
}

static struct opening *
opening_new(struct store *s, uint64_t spare)
{
	struct opening *o = calloc(1, sizeof *o);
	struct record_seal seal;

	if (o == NULL)
		return NULL;
	memcpy(seal.key, s->key, sizeof seal.key);
	randombytes_buf(seal.nonce, sizeof seal.nonce);
	o->job.run = run_opening;
	o->store = s;
	o->log_dir = s->log_dir;
	o->spare = spare;
	o->nabandons = s->nabandons;
	o->segment =
	    segment_new(s->next_segment++, &seal, -1, s->opt.segment_size);
	if (o->segment != NULL)
		o->first = first_batch(s, o->segment);
	if (o->first != NULL)
		return o;
	opening_free(o);
	return NULL;
}

/* It is there: the head from now on. */
static void
adopt(struct store *s, struct opening *o)
{
	struct segment *seg = o->segment;

	seg->end += o->first->bytes.n;
	seg->begin = seg->end;
	store_segment_add(s, seg);
	s->head = seg;
	s->writable = true;
	s->head_error = 0;
	/* Those of failures that came meanwhile are for the next. */
	s->nabandons -= o->nabandons;
	if (s->nabandons > 0)
		memmove(s->abandons, s->abandons + o->nabandons,
		    s->nabandons * sizeof *s->abandons);
	o->segment = NULL;
}

void
head_retry_later(struct store *s)
{
	const struct timeval tv = { .tv_sec = STORE_RETRY_SECONDS };

	if (!evtimer_pending(s->retry, NULL))
		evtimer_add(s->retry, &tv);
}

void
head_failed(struct store *s, int err)
{
	s->writable = false;
	s->head_waits = true;
	s->head_error = err;
	log_error("log_not_writable", log_errno(err));
	commit_fail_waiting(s, err);
	head_retry_later(s);
}

static void
on_opening(struct job *job)
{
	struct opening *o = (struct opening *)job;
	struct store *s = o->store;
	int err = o->err;

	s->opening = NULL;
	s->count.syncs += 3;
	if (err == 0)
		adopt(s, o);
	opening_free(o);
	if (err != 0)
		head_failed(s, err);
	spare_make(s);
	commit_submit(s);
	admission_update(s);
	reclaim_kick(s);
	store_step_close(s);
}

void
head_open(struct store *s)
{
	uint64_t spare;

	if (s->opening != NULL || s->head != NULL || s->head_waits ||
	    (s->closing && !commit_waiting(s)))
		return;
	if (!spare_take(s, &spare)) {
		spare_make(s); /* which comes back here */
		return;
	}
	if ((s->opening = opening_new(s, spare)) == NULL) {
		spare_add(s, spare);
		head_failed(s, ENOMEM);
		return;
	}
	s->opening->job.done = on_opening;
	worker_give(s->log, &s->opening->job);
}

/* ---- the end of a head -------------------------------------------------------- */

static void
run_sealing(struct job *job)
{
	struct sealing *z = (struct sealing *)job;
	char trailer[SEGMENT_TRAILER];
	const struct buf *last = &z->last->bytes;
	uint64_t at = z->segment->size - SEGMENT_TRAILER;

	batch_finish(z->last);
	segment_trailer_put(trailer, z->segment, z->last->offset);
	z->err = 0;
	/* Torn, it is no summary: then the records are read. */
	if (disk_write(z->last->fd, last->p, last->n, (off_t)z->last->offset) ==
		-1 ||
	    disk_write(z->last->fd, trailer, sizeof trailer, (off_t)at) == -1 ||
	    disk_datasync(z->last->fd) == -1)
		z->err = errno;
}

static void
forget_touched(struct segment *seg)
{
	free(seg->touched);
	seg->touched = NULL;
	seg->ntouched = seg->cap = 0;
}

static void
on_sealing(struct job *job)
{
	struct sealing *z = (struct sealing *)job;
	struct store *s = z->store;
	struct segment *seg = z->segment;

	s->sealing = NULL;
	s->count.syncs++;
	if (z->err == 0) {
		seg->end += z->last->bytes.n;
		seg->sealed = true;
		s->head = NULL;
		forget_touched(seg);
		head_open(s);
		history_sync(s, NULL, NULL);
	} else
		head_lost(s, z->last->offset, z->err);
	batch_free(z->last);
	free(z);
	reclaim_kick(s);
	store_step_close(s);
}

/* It goes without a summary: a start will read its records. */
static void
leave_unsealed(struct store *s)
{
	forget_touched(s->head);
	s->head = NULL;
	head_open(s);
	store_step_close(s);
}

void
head_seal(struct store *s)
{
	struct segment *head = s->head;
	struct sealing *z = calloc(1, sizeof *z);
	struct batch *b = z != NULL ? batch_new(s) : NULL;
	int n = b != NULL ? summary_put(s, head, &b->bytes) : -1;

	if (n == -1 || head->end + b->bytes.n + SEGMENT_TRAILER > head->size) {
		batch_free(b);
		free(z);
		leave_unsealed(s);
		return;
	}
	b->count = (uint32_t)n;
	batch_place(b, head, s->next_seq);
	s->next_seq += 1 + (uint64_t)b->count;
	z->job = (struct job){ .run = run_sealing, .done = on_sealing };
	z->store = s;
	z->segment = head;
	z->last = b;
	s->sealing = z;
	worker_give(s->log, &z->job);
}

/* I7: nothing is written to it or synced again, and what was not acknowledged
 * will not count. */
void
head_lost(struct store *s, uint64_t offset, int err)
{
	struct segment *head = s->head;
	struct record_abandon *grown =
	    reallocarray(s->abandons, s->nabandons + 1, sizeof *grown);

	if (grown == NULL)
		abort();
	s->abandons = grown;
	s->abandons[s->nabandons++] = (struct record_abandon){
		.segment = head->number,
		.offset = offset,
	};
	log_error("log_write_failed", log_num("segment", (int64_t)head->number),
	    log_num("offset", (int64_t)offset), log_errno(err));
	forget_touched(head);
	s->head = NULL;
	s->writable = false;
	s->head_error = err;
	head_open(s);
}

void
head_on_retry(evutil_socket_t fd, short what, void *arg)
{
	struct store *s = arg;

	(void)fd;
	(void)what;
	s->head_waits = false;
	head_open(s);
	spare_make(s);
}

/* ---- at set-up ------------------------------------------------------------------ */

int
head_open_now(struct store *s)
{
	struct opening *o;
	uint64_t spare;
	int err;

	if (!spare_take(s, &spare)) {
		if (spare_make_now(s, &spare) == -1)
			return -1;
	}
	if ((o = opening_new(s, spare)) == NULL)
		return -1;
	run_opening(&o->job);
	if ((err = o->err) == 0)
		adopt(s, o);
	opening_free(o);
	errno = err;
	return err == 0 ? 0 : -1;
}

void
head_forget(struct store *s)
{
	if (s->opening != NULL)
		opening_free(s->opening);
	if (s->sealing != NULL) {
		batch_free(s->sealing->last);
		free(s->sealing);
	}
	free(s->sparing);
}
