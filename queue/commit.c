/*
 * commit.c - batches onto the disk, one after the other.
 *
 * While one batch is written and synced by the log thread, the next is
 * collected (DESIGN 4.3).  When it is on disk its records are applied to the
 * index, then those who wait are told: nothing is told or applied before.
 */
#include <errno.h>
#include <stdlib.h>

#include "common/bytes/log.h"
#include "queue/store_state.h"

static void on_batch(struct job *);
static void write_batch(struct job *);

struct batch *
batch_new(struct store *s)
{
	struct batch *b = calloc(1, sizeof *b);
	struct wire_put w;

	if (b == NULL)
		return NULL;
	b->store = s;
	b->job = (struct job){ .run = write_batch, .done = on_batch };
	buf_init(&b->bytes, UINT32_MAX / 2);
	/* What it says is known when it flies; the room is taken now. */
	if (record_open(&b->bytes, RECORD_BATCH, RECORD_BATCH_PAYLOAD, &w) ==
	    0) {
		record_batch_put(&w, &(struct record_batch){ .count = 0 });
		if (record_close(&b->bytes, &w) == 0)
			return b;
	}
	batch_free(b);
	return NULL;
}

void
batch_free(struct batch *b)
{
	if (b == NULL)
		return;
	buf_fini(&b->bytes);
	free(b->changes);
	free(b);
}

void
batch_place(struct batch *b, const struct segment *head, uint64_t seq)
{
	struct wire_put w =
	    wire_writer(b->bytes.p + RECORD_HEADER, RECORD_BATCH_PAYLOAD);
	const struct record_batch says = {
		.count = b->count,
		.bytes = b->bytes.n,
		/* I3: all before it in this segment was synced before. */
		.durable = head->end,
	};

	record_batch_put(&w, &says);
	b->seal = head->seal;
	b->fd = head->fd;
	b->offset = head->end;
	b->seq = seq;
}

void
batch_finish(struct batch *b)
{
	struct record rec;
	uint64_t seq = b->seq;

	for (size_t at = 0; at < b->bytes.n; at += rec.size) {
		char *p = b->bytes.p + at;

		if (record_peek(span_from(p, b->bytes.n - at), &rec) == -1)
			abort(); /* we made it ourselves */
		record_finish(p, &b->seal, seq++);
	}
}

/* In the log thread. */
static void
write_batch(struct job *job)
{
	struct batch *b = (struct batch *)job;

	batch_finish(b);
	b->err = 0;
	if (disk_write(b->fd, b->bytes.p, b->bytes.n, (off_t)b->offset) == -1 ||
	    disk_datasync(b->fd) == -1)
		b->err = errno;
}

/* ---- those who wait --------------------------------------------------------- */

static void
failed_reply(struct reply *r, int err)
{
	reply_make(r,
	    err == ENOSPC || err == EDQUOT ? R_NO_SPACE : R_QUEUE_ERROR, NULL);
}

static void
tell(const struct change *c, size_t n, const struct reply *failed)
{
	for (size_t i = 0; i < n; i++)
		c[i].done(c[i].arg, failed);
}

/* Of what is known of a message that is there already. */
static bool
is_change(enum record_type type)
{
	return type == RECORD_RESULT || record_is_order(type);
}

static size_t
add_ids(const struct batch *b, uint64_t *ids, size_t n)
{
	struct span left = buf_span(&b->bytes);
	struct record rec;

	for (; record_peek(left, &rec) == 0; left = span_skip(left, rec.size)) {
		struct wire_get w = wire_reader(rec.payload);

		if (rec.type == RECORD_MESSAGE || is_change(rec.type))
			ids[n++] = wire_get_u64(&w);
	}
	return n;
}

static int
id_cmp(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

ssize_t
commit_pending(const struct store *s, uint64_t **ids)
{
	size_t n = s->flying != NULL ? s->flying->count : 0;
	const struct batch *b;

	TAILQ_FOREACH (b, &s->waiting, next)
		n += b->count;
	if ((*ids = reallocarray(NULL, n + 1, sizeof **ids)) == NULL)
		return -1;
	n = s->flying != NULL ? add_ids(s->flying, *ids, 0) : 0;
	TAILQ_FOREACH (b, &s->waiting, next)
		n = add_ids(b, *ids, n);
	qsort(*ids, n, sizeof **ids, id_cmp);
	return (ssize_t)n;
}

void
commit_drop_files(struct store *s, struct span records)
{
	struct record rec;
	struct record_content c;

	for (; record_peek(records, &rec) == 0;
	     records = span_skip(records, rec.size))
		if (rec.type == RECORD_CONTENT_FILE &&
		    record_content_get(&rec, &c) == 0 &&
		    index_content(s->index, c.number) == NULL)
			content_unlink(s, c.number);
}

static void
fail_batch(struct store *s, struct batch *b, int err)
{
	struct reply r;

	failed_reply(&r, err);
	s->count.failed += b->nchanges;
	commit_drop_files(s, buf_span(&b->bytes));
	tell(b->changes, b->nchanges, &r);
	batch_free(b);
}

static void
tell_ready(struct store *s)
{
	if (!s->was_busy || store_busy(s))
		return;
	s->was_busy = false;
	if (s->ready != NULL)
		s->ready(s->ready_arg);
}

/* Where there is nothing to write to, nobody waits for it. */
void
commit_fail_waiting(struct store *s, int err)
{
	struct batches all = TAILQ_HEAD_INITIALIZER(all);
	struct batch *b;

	/* Who is told may begin a new change: that one goes to a new batch. */
	TAILQ_CONCAT(&all, &s->waiting, next);
	s->waiting_bytes = 0;
	while ((b = TAILQ_FIRST(&all)) != NULL) {
		TAILQ_REMOVE(&all, b, next);
		fail_batch(s, b, err);
	}
	tell_ready(s);
}

static void
tell_refused(struct store *s)
{
	struct change *c = s->refused;
	size_t n = s->nrefused;
	struct reply r;

	s->refused = NULL;
	s->nrefused = 0;
	reply_make(&r, R_QUEUE_ERROR, NULL);
	s->count.failed += n;
	tell(c, n, &r);
	free(c);
}

/* ---- applying --------------------------------------------------------------- */

static void
apply(struct store *s, struct segment *head, const struct record *rec,
    struct place place)
{
	struct wire_get w = wire_reader(rec->payload);
	uint64_t id = wire_get_u64(&w);

	history_note(s, rec);
	/* Before, for a RESULT may be its message's last. */
	if (is_change(rec->type))
		summary_touch(s, head, id);
	errno = 0;
	if (index_apply(s->index, rec, place) == -1) {
		log_error("record_not_applied", log_num("type", rec->type),
		    log_id("id", id), log_errno(errno));
		/* It is on disk and will be told of; a segment whose messages
		 * are not in the index is reclaimed.  A start reads it. */
		if (errno == ENOMEM)
			abort();
	}
	if (rec->type == RECORD_MESSAGE)
		summary_touch(s, head, id);
	else if (!is_change(rec->type))
		head->summary += summary_record_size(s, rec);
}

static void
on_dropped(void *arg, const struct content *c)
{
	if (c->file)
		content_unlink(arg, c->number);
}

static void
apply_batch(struct store *s, struct batch *b)
{
	struct segment *head = s->head;
	struct span left = span_skip(buf_span(&b->bytes), RECORD_BATCH_SIZE);
	struct place place = { head, (uint32_t)head->end + RECORD_BATCH_SIZE,
		0 };
	struct record rec;

	head->end += b->bytes.n;
	for (; record_peek(left, &rec) == 0; left = span_skip(left, rec.size)) {
		place.size = (uint32_t)rec.size;
		apply(s, head, &rec, place);
		place.offset += place.size;
	}
	index_sweep(s->index, on_dropped, s);
	s->count.commits++;
	s->count.syncs++;
	s->count.records += b->count;
	s->count.bytes += b->bytes.n;
}

static void
on_batch(struct job *job)
{
	struct batch *b = (struct batch *)job;
	struct store *s = b->store;

	if (b->err == 0) {
		apply_batch(s, b);
		s->flying = NULL;
		/* The next may be written while these are told. */
		commit_submit(s);
		tell(b->changes, b->nchanges, NULL);
		batch_free(b);
	} else {
		s->flying = NULL;
		head_lost(s, b->offset, b->err);
		fail_batch(s, b, b->err);
	}
	history_push(s);
	admission_update(s);
	reclaim_kick(s);
	store_step_close(s);
}

/* ---- submitting --------------------------------------------------------------- */

static size_t
batch_summary(struct store *s, const struct batch *b)
{
	struct span left = buf_span(&b->bytes);
	struct record rec;
	size_t n = 0;

	for (; record_peek(left, &rec) == 0; left = span_skip(left, rec.size))
		n += summary_record_size(s, &rec);
	return n;
}

static bool
fits_head(struct store *s, const struct batch *b)
{
	const struct segment *head = s->head;
	size_t seal = summary_seal_size(head->summary + batch_summary(s, b));
	uint64_t end = head->end + b->bytes.n + SEGMENT_TRAILER;

	/* What a fresh one has no room for has no room anywhere: then it will
	 * be closed without a summary. */
	return end + seal <= head->size ||
	    (head->end == head->begin && end <= head->size);
}

static void
fly(struct store *s, struct batch *b)
{
	TAILQ_REMOVE(&s->waiting, b, next);
	s->waiting_bytes -= b->bytes.n - RECORD_BATCH_SIZE;
	batch_place(b, s->head, s->next_seq);
	s->next_seq += 1 + (uint64_t)b->count;
	s->flying = b;
	worker_give(s->log, &b->job);
	tell_ready(s);
}

bool
commit_waiting(const struct store *s)
{
	/* Of a change that was aborted an empty batch stays behind. */
	const struct batch *b = TAILQ_FIRST(&s->waiting);

	return b != NULL && b->nchanges > 0;
}

void
commit_submit(struct store *s)
{
	struct batch *b = TAILQ_FIRST(&s->waiting);

	if (s->flying != NULL || s->sealing != NULL || s->opening != NULL ||
	    s->building != NULL || !commit_waiting(s))
		return;
	if (s->head == NULL) {
		if (s->head_waits || (!s->writable && s->sparing == NULL))
			commit_fail_waiting(s, s->head_error);
		else
			head_open(s);
		return;
	}
	if (fits_head(s, b))
		fly(s, b);
	else
		head_seal(s);
}

void
commit_later(struct store *s)
{
	/* Behind all events that this turn has found: what they bring shares
	 * the batch. */
	event_active(s->submit, EV_TIMEOUT, 0);
}

void
commit_on_submit(evutil_socket_t fd, short what, void *arg)
{
	struct store *s = arg;

	(void)fd;
	(void)what;
	tell_refused(s);
	commit_submit(s);
	store_step_close(s);
}

bool
store_busy(const struct store *s)
{
	return s->waiting_bytes >= s->batch_max;
}

void
store_on_ready(struct store *s, void (*ready)(void *arg), void *arg)
{
	s->ready = ready;
	s->ready_arg = arg;
}
