/*
 * history.c - what happened to each message, written down: DESIGN section 6.
 *
 * What commits bring is collected and written by the file thread, with one
 * write for all that came while it was busy.  A failure costs the story of some
 * messages, never a message: it is logged, and a new file begun.
 */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/bytes/log.h"
#include "common/mail/address.h"
#include "common/msg/history.h"
#include "queue/history_file.h"

#define NOTED_MAX (64 * 1024 * 1024)

struct waiter {
	void (*done)(void *arg);
	void *arg;
	TAILQ_ENTRY(waiter) next;
};
TAILQ_HEAD(waiters, waiter);

/* What the thread works with. */
struct appending {
	struct job job;
	struct history *history;
	struct history_file file;
	struct buf bytes;
	bool sync;
	int err;
};

struct history {
	struct store *store;
	struct buf noted;
	struct appending append;
	bool busy;
	struct waiters next, now;     /* for the next job; for this one */
	struct history_mark in_files; /* at the start */
	struct history_mark told;     /* noted by now */
	bool failing;
};

static void
run_appending(struct job *job)
{
	struct appending *a = (struct appending *)job;

	a->err = history_file_append(&a->file, buf_span(&a->bytes), a->sync);
}

/* ---- collecting ------------------------------------------------------------------------ */

static void
note(struct history *h, uint64_t seq, const struct history_event *e)
{
	if (h->told.seq != seq)
		h->told = (struct history_mark){ .seq = seq };
	h->told.events++;
	/* A start reads records again that are told of already. */
	if (history_reaches(h->in_files, h->told))
		return;
	if (history_put(&h->noted, seq, e) == -1 && !h->failing) {
		h->failing = true;
		log_warn("history_lost", log_id("id", e->id));
	}
}

static void
note_accepted(struct history *h, const struct record *rec)
{
	struct record_message m;
	struct record_rcpt row;

	if (record_message_get(rec->payload, &m) == -1 ||
	    (m.flags & MESSAGE_COPY) != 0 ||
	    index_find(h->store->index, m.id) != NULL)
		return;
	while (record_rcpt_next(&m.rcpts, true, &row)) {
		const struct history_event e = {
			.kind = HISTORY_ACCEPTED,
			.id = m.id,
			.parent = m.parent,
			.bounce = (m.flags & MESSAGE_BOUNCE) != 0,
			.time = (int64_t)id_time(m.id),
			.size = m.size,
			.sender = m.sender,
			.client = m.client,
			.rcpt = row.address,
			.index = row.index,
			.nrcpts = m.nrcpts,
			.host = SPAN(""),
		};
		note(h, rec->seq, &e);
	}
}

static void
note_result(struct history *h, const struct record *rec)
{
	char address[ADDRESS_MAX + 1];
	struct record_result r;
	struct record_rcpt row;
	struct message *m;
	size_t n;

	if (record_result_get(rec->payload, &r) == -1 ||
	    (m = index_find(h->store->index, r.id)) == NULL)
		return;
	while (record_rcpt_next(&r.rcpts, false, &row)) {
		if (row.index >= m->nrcpts || row.reply.code == 0)
			continue;
		n = index_address(
		    &m->rcpts[row.index], address, sizeof address);
		const struct history_event e = {
			.kind = row.state == RCPT_EXPANDED ? HISTORY_EXPANDED
							   : HISTORY_RESULT,
			.id = m->id,
			.time = row.time * 1000000,
			.sender = SPAN(""),
			.client = SPAN(""),
			.rcpt = span_from(address, n),
			.index = row.index,
			.nrcpts = m->nrcpts,
			.final = row.state != RCPT_WAITING,
			.deleted = row.state == RCPT_DELETED,
			.attempts = row.attempts,
			.next = row.next,
			.reply = row.reply,
			.host = row.host,
		};
		note(h, rec->seq, &e);
	}
}

static void
note_order(struct history *h, const struct record *rec)
{
	static const enum history_kind kinds[] = {
		[RECORD_HOLD] = HISTORY_HELD,
		[RECORD_RELEASE] = HISTORY_RELEASED,
		[RECORD_RETRY] = HISTORY_RETRIED,
	};
	char address[ADDRESS_MAX + 1];
	struct record_order o;
	struct message *m;
	uint32_t index;
	size_t n;

	if (record_order_get(rec->payload, &o) == -1 ||
	    (m = index_find(h->store->index, o.id)) == NULL)
		return;
	while (record_order_next(&o.rcpts, &index)) {
		if (index >= m->nrcpts || m->rcpts[index].state != RCPT_WAITING)
			continue;
		n = index_address(&m->rcpts[index], address, sizeof address);
		struct history_event e = {
			.kind = kinds[rec->type],
			.id = m->id,
			.time = o.time * 1000000,
			.sender = SPAN(""),
			.client = SPAN(""),
			.rcpt = span_from(address, n),
			.index = index,
			.nrcpts = m->nrcpts,
			.attempts = m->rcpts[index].attempts,
			.host = SPAN(""),
		};
		span_copy(e.reply.text, sizeof e.reply.text, o.reason);
		note(h, rec->seq, &e);
	}
}

void
history_note(struct store *s, const struct record *rec)
{
	if (rec->seq < s->history->in_files.seq)
		return;
	if (rec->type == RECORD_MESSAGE)
		note_accepted(s->history, rec);
	else if (rec->type == RECORD_RESULT)
		note_result(s->history, rec);
	else if (record_is_order(rec->type))
		note_order(s->history, rec);
}

static void
on_appending(struct job *job)
{
	struct history *h = ((struct appending *)job)->history;
	struct waiter *w;

	h->busy = false;
	if (h->append.err != 0 && !h->failing)
		log_warn("history_lost", log_errno(h->append.err));
	h->failing = h->append.err != 0;
	while ((w = TAILQ_FIRST(&h->now)) != NULL) {
		TAILQ_REMOVE(&h->now, w, next);
		if (w->done != NULL)
			w->done(w->arg);
		free(w);
	}
	history_push(h->store);
}

void
history_push(struct store *s)
{
	struct history *h = s->history;
	struct buf was = h->append.bytes;

	if (h->busy || (h->noted.n == 0 && TAILQ_EMPTY(&h->next)))
		return;
	h->append.bytes = h->noted;
	buf_clear(&was);
	h->noted = was;
	h->append.sync = !TAILQ_EMPTY(&h->next);
	h->append.file.keep = s->opt.history;
	h->append.file.keep_size = s->opt.history_size;
	TAILQ_CONCAT(&h->now, &h->next, next);
	h->busy = true;
	worker_give(s->file, &h->append.job);
}

void
history_sync(struct store *s, void (*done)(void *arg), void *arg)
{
	struct waiter *w = calloc(1, sizeof *w);

	if (w == NULL)
		abort();
	w->done = done;
	w->arg = arg;
	TAILQ_INSERT_TAIL(&s->history->next, w, next);
	history_push(s);
}

bool
history_reaches(struct history_mark have, struct history_mark want)
{
	return have.seq > want.seq ||
	    (have.seq == want.seq && have.events >= want.events);
}

struct history_mark
history_in_files(const struct history *h)
{
	return h->in_files;
}

struct history_mark
history_told(const struct history *h)
{
	return history_reaches(h->in_files, h->told) ? h->in_files : h->told;
}

/* ---- at set-up -------------------------------------------------------------------------- */

struct history *
history_new(struct store *s)
{
	struct history *h = calloc(1, sizeof *h);

	if (h == NULL)
		return NULL;
	h->store = s;
	buf_init(&h->noted, NOTED_MAX);
	buf_init(&h->append.bytes, NOTED_MAX);
	TAILQ_INIT(&h->next);
	TAILQ_INIT(&h->now);
	h->append.job =
	    (struct job){ .run = run_appending, .done = on_appending };
	h->append.history = h;
	h->append.file = (struct history_file){
		.dir = s->history_dir,
		.fd = -1,
		.keep = s->opt.history,
		.keep_size = s->opt.history_size,
	};
	if (s->opt.look) {
		/* Whatever there is was told. */
		h->in_files.seq = UINT64_MAX;
		return h;
	}
	if (history_file_open(&h->append.file, &h->in_files) == 0)
		return h;
	history_free(h);
	return NULL;
}

int
history_recover(struct store *s)
{
	struct history *h = s->history;

	if (h->noted.n == 0)
		return 0;
	errno = history_file_append(&h->append.file, buf_span(&h->noted), true);
	buf_clear(&h->noted);
	return errno == 0 ? 0 : -1;
}

void
history_free(struct history *h)
{
	struct waiter *w;

	if (h == NULL)
		return;
	TAILQ_CONCAT(&h->now, &h->next, next);
	while ((w = TAILQ_FIRST(&h->now)) != NULL) {
		TAILQ_REMOVE(&h->now, w, next);
		free(w);
	}
	if (h->append.file.fd != -1)
		close(h->append.file.fd);
	buf_fini(&h->append.bytes);
	buf_fini(&h->noted);
	free(h);
}
