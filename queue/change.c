/*
 * change.c - records that count together, put into the batch in memory.
 */
#include <errno.h>
#include <stdlib.h>

#include "common/bytes/log.h"
#include "queue/store_state.h"

static struct batch *
collecting(struct store *s)
{
	struct batch *b = TAILQ_LAST(&s->waiting, batches);

	if (b != NULL && b->bytes.n < s->batch_max)
		return b;
	if ((b = batch_new(s)) != NULL)
		TAILQ_INSERT_TAIL(&s->waiting, b, next);
	return b;
}

void
change_begin(struct store *s)
{
	s->building = collecting(s);
	s->build_bad = s->building == NULL;
	s->build_from = s->build_bad ? 0 : s->building->bytes.n;
	s->build_count = 0;
}

/* A writer for the payload of one more record; false if there is none. */
static bool
open_record(
    struct store *s, enum record_type type, size_t max, struct wire_put *w)
{
	if (!s->build_bad &&
	    record_open(&s->building->bytes, type, max, w) == -1)
		s->build_bad = true;
	return !s->build_bad;
}

static void
close_record(struct store *s, const struct wire_put *w)
{
	if (record_close(&s->building->bytes, w) == -1)
		s->build_bad = true;
	else
		s->build_count++;
}

static void
add_content(struct store *s, enum record_type type,
    const struct record_content *c, size_t size)
{
	struct wire_put w;

	if (!open_record(s, type, size, &w))
		return;
	record_content_put(&w, type, c);
	close_record(s, &w);
}

void
change_content(struct store *s, uint64_t number, struct span octets)
{
	const struct record_content c = { .number = number, .octets = octets };

	add_content(s, RECORD_CONTENT, &c, RECORD_CONTENT_PREFIX + octets.n);
}

void
change_content_file(
    struct store *s, uint64_t number, uint64_t size, const uint8_t hash[32])
{
	struct record_content c = { .number = number, .size = size };

	memcpy(c.hash, hash, sizeof c.hash);
	add_content(s, RECORD_CONTENT_FILE, &c, RECORD_CONTENT_FILE_PAYLOAD);
}

void
change_message(struct store *s, const struct record_message *m,
    const struct record_rcpt *rcpts)
{
	struct wire_put w;

	if (!open_record(s, RECORD_MESSAGE, record_message_max(m, rcpts), &w))
		return;
	record_message_put(&w, m, rcpts);
	close_record(s, &w);
}

void
change_result(
    struct store *s, uint64_t id, const struct record_rcpt *rcpts, uint32_t n)
{
	struct wire_put w;

	if (!open_record(s, RECORD_RESULT, record_result_max(rcpts, n), &w))
		return;
	record_result_put(&w, id, rcpts, n);
	close_record(s, &w);
}

void
change_order(struct store *s, enum record_type type,
    const struct record_order *o, const uint32_t *indexes)
{
	struct wire_put w;

	if (!open_record(s, type, record_order_max(o), &w))
		return;
	record_order_put(&w, o, indexes);
	close_record(s, &w);
}

void
change_copy(struct store *s, enum record_type type, struct span payload)
{
	struct wire_put w;

	if (!open_record(s, type, payload.n, &w))
		return;
	wire_put_bytes(&w, payload.p, payload.n);
	close_record(s, &w);
}

static void
refuse(struct store *s, const struct change *c)
{
	struct change *grown =
	    reallocarray(s->refused, s->nrefused + 1, sizeof *grown);

	if (grown == NULL)
		fatal("no memory to tell that there is none");
	grown[s->nrefused++] = *c;
	s->refused = grown;
	commit_later(s);
}

static int
append(struct batch *b, const struct change *c)
{
	struct change *grown;

	if (b->nchanges == b->cap) {
		grown = reallocarray(b->changes, 2 * b->cap + 8, sizeof *grown);
		if (grown == NULL)
			return -1;
		b->changes = grown;
		b->cap = 2 * b->cap + 8;
	}
	b->changes[b->nchanges++] = *c;
	return 0;
}

/* Into an empty segment, with its summary? */
bool
change_fits(struct store *s)
{
	const struct buf *b;
	size_t at = s->build_from, summary = 0;
	struct record rec;

	if (s->build_bad)
		return false;
	b = &s->building->bytes;

	for (; at < b->n; at += rec.size) {
		if (record_peek(span_from(b->p + at, b->n - at), &rec) == -1)
			return false;
		summary += summary_record_size(s, &rec);
	}
	return RECORD_BATCH_SIZE + (b->n - s->build_from) +
	    summary_seal_size(summary) <=
	    segment_capacity(s);
}

/* A batch must fit into a segment, and others do not wait for a big change. */
static int
move_apart(struct store *s)
{
	struct batch *b = s->building, *own;
	struct span change = span_skip(buf_span(&b->bytes), s->build_from);

	if (b->nchanges == 0 || b->bytes.n <= 2 * s->batch_max)
		return 0;
	if ((own = batch_new(s)) == NULL)
		return -1;
	if (buf_add_span(&own->bytes, change) == -1) {
		batch_free(own);
		return -1;
	}
	b->bytes.n = s->build_from;
	TAILQ_INSERT_TAIL(&s->waiting, own, next);
	s->building = own;
	s->build_from = RECORD_BATCH_SIZE;
	return 0;
}

void
change_commit(
    struct store *s, void (*done)(void *arg, const struct reply *), void *arg)
{
	const struct change c = { done, arg };

	if (!change_fits(s) || move_apart(s) == -1 ||
	    append(s->building, &c) == -1) {
		log_error("change_refused", log_num("records", s->build_count),
		    log_errno(errno));
		change_abort(s);
		refuse(s, &c);
		return;
	}
	s->building->count += s->build_count;
	s->waiting_bytes += s->building->bytes.n - s->build_from;
	s->building = NULL;
	if (store_busy(s))
		s->was_busy = true;
	commit_later(s);
}

void
change_abort(struct store *s)
{
	struct buf *b;

	if (s->building == NULL)
		return;
	b = &s->building->bytes;
	commit_drop_files(s, span_skip(buf_span(b), s->build_from));
	b->n = s->build_from;
	s->building = NULL;
}
