/*
 * summary.c - what a sealed segment tells a start, so that its records need
 * not be read: the state of every message that one of them touched.
 *
 * A SUMMARY is a run of entries: u8 kind, then
 *   MESSAGE  its place, the payload of a MESSAGE record (prefix, client and
 *            reply texts left out), for each recipient the place of its last reply
 *   DONE     u64 id
 *   CONTENT  u64 number, u64 size, u8 is-a-file, u32 offset, u32 size: it lies
 *            in this segment
 *   HIGHEST  u64: the highest id when this was written
 *   TOLD     u64 sequence of the last record that the history had to tell of, u32
 *            events of it; the first entry of a seal batch
 * A place is u64 segment (0: none), u32 offset, u32 size.
 */
#include <errno.h>
#include <stdlib.h>

#include "queue/store_state.h"

#define SUMMARY_RECORD \
	(256 * 1024) /* a payload, but for one that is a single larger entry */
#define ENTRY_MESSAGE 96 /* without sender and recipients; at most */
#define ENTRY_RCPT    80 /* without the address; at most */
#define ENTRY_NUMBER  9
#define ENTRY_CONTENT 26
#define ENTRY_TOLD    13

enum entry {
	SUMMARY_MESSAGE = 1,
	SUMMARY_DONE,
	SUMMARY_CONTENT,
	SUMMARY_HIGHEST,
	SUMMARY_TOLD
};

/* ---- how much room ------------------------------------------------------------ */

size_t
summary_message_size(const struct message *m)
{
	size_t n = ENTRY_MESSAGE + strlen(m->sender);

	for (uint32_t i = 0; i < m->nrcpts; i++)
		n += ENTRY_RCPT + strlen(m->rcpts[i].local) +
		    strlen(m->rcpts[i].domain);
	return n;
}

/* What a record that is not applied yet may add to its segment's summary. */
size_t
summary_record_size(struct store *s, const struct record *rec)
{
	struct wire_get w = wire_reader(rec->payload);
	struct message *m;

	switch (rec->type) {
	case RECORD_MESSAGE:
		/* A row takes at least 46 bytes here, and 16 more there. */
		return ENTRY_MESSAGE + rec->payload.n * 3 / 2;
	case RECORD_RESULT:
	case RECORD_HOLD:
	case RECORD_RELEASE:
	case RECORD_RETRY:
		m = index_find(s->index, wire_get_u64(&w));
		if (m == NULL ||
		    (s->head != NULL && m->touched == s->head->number))
			return 0;
		return summary_message_size(m);
	case RECORD_CONTENT:
	case RECORD_CONTENT_FILE:
		return ENTRY_CONTENT;
	default:
		return 0;
	}
}

size_t
summary_seal_size(size_t summary)
{
	/* Records are cut between entries: each may be half empty. */
	size_t records = 2 * (summary / SUMMARY_RECORD) + 1;

	return RECORD_BATCH_SIZE + ENTRY_NUMBER + ENTRY_TOLD + summary +
	    records * (RECORD_HEADER + RECORD_ALIGN);
}

void
summary_touch(struct store *s, struct segment *head, uint64_t id)
{
	struct message *m = index_find(s->index, id);
	uint64_t *grown;

	if (m == NULL || m->touched == head->number)
		return;
	if (head->ntouched == head->cap) {
		grown = reallocarray(
		    head->touched, 2 * head->cap + 64, sizeof *grown);
		if (grown == NULL)
			abort(); /* what is on disk must be told */
		head->touched = grown;
		head->cap = 2 * head->cap + 64;
	}
	head->touched[head->ntouched++] = id;
	head->summary += summary_message_size(m);
	m->touched = head->number;
}

/* ---- writing ------------------------------------------------------------------ */

struct writer {
	struct buf *b;
	struct wire_put w;
	bool open;
	int count; /* records; -1: failed */
};

static void
close_record(struct writer *out)
{
	if (!out->open)
		return;
	out->open = false;
	if (record_close(out->b, &out->w) == -1)
		out->count = -1;
	else
		out->count++;
}

/* Room for an entry of at most n bytes. */
static struct wire_put *
room(struct writer *out, size_t n)
{
	size_t max = n > SUMMARY_RECORD ? n : SUMMARY_RECORD;

	if (out->open && n <= out->w.max - out->w.n)
		return &out->w;
	close_record(out);
	if (out->count == -1)
		return NULL;
	if (record_open(out->b, RECORD_SUMMARY, max, &out->w) == -1) {
		out->count = -1;
		return NULL;
	}
	out->open = true;
	return &out->w;
}

static void
put_place(struct wire_put *w, struct place p)
{
	wire_put_u64(w, p.segment != NULL ? p.segment->number : 0);
	wire_put_u32(w, p.offset);
	wire_put_u32(w, p.size);
}

static void
put_message(
    struct wire_put *w, const struct message *m, const struct state_rows *rows)
{
	const struct record_message rec = {
		.id = m->id,
		.content = m->content->number,
		.size = m->content->size,
		.flags = m->flags,
		.body = m->body,
		.sender = span_of(m->sender),
		.client = SPAN(""),
		.prefix = SPAN(""),
		.nrcpts = m->nrcpts,
	};
	struct wire_put length, payload;

	wire_put_u8(w, SUMMARY_MESSAGE);
	put_place(w, m->place);
	length = wire_writer(w->p + w->n, sizeof(uint32_t));
	wire_put_u32(w, 0);
	payload = wire_writer(w->p + w->n, w->max - w->n);
	record_message_put(&payload, &rec, rows->row);
	w->bad |= payload.bad;
	if (w->bad)
		return;
	wire_put_u32(&length, (uint32_t)payload.n);
	w->n += payload.n;
	for (uint32_t i = 0; i < m->nrcpts; i++)
		put_place(w, m->rcpts[i].last);
}

static void
put_number(struct wire_put *w, enum entry kind, uint64_t number)
{
	wire_put_u8(w, (uint8_t)kind);
	wire_put_u64(w, number);
}

static void
put_touched(
    struct writer *out, struct state_rows *rows, struct message *m, uint64_t id)
{
	struct wire_put *w;

	w = room(out, m != NULL ? summary_message_size(m) : ENTRY_NUMBER);
	if (w == NULL)
		return;
	if (m == NULL)
		put_number(w, SUMMARY_DONE, id);
	else if (state_rows_fill(rows, m) == 0)
		put_message(w, m, rows);
	else
		w->bad = true;
}

static void
put_content(struct writer *out, const struct content *c)
{
	struct wire_put *w = room(out, ENTRY_CONTENT);

	if (w == NULL)
		return;
	wire_put_u8(w, SUMMARY_CONTENT);
	wire_put_u64(w, c->number);
	wire_put_u64(w, c->size);
	wire_put_u8(w, c->file);
	wire_put_u32(w, c->place.offset);
	wire_put_u32(w, c->place.size);
}

static void
put_entry(struct writer *out, enum entry kind, uint64_t number)
{
	struct wire_put *w = room(out, ENTRY_NUMBER);

	if (w != NULL)
		put_number(w, kind, number);
}

static void
put_told(struct writer *out, struct history_mark mark)
{
	struct wire_put *w = room(out, ENTRY_TOLD);

	if (w == NULL)
		return;
	put_number(w, SUMMARY_TOLD, mark.seq);
	wire_put_u32(w, mark.events);
}

int
summary_put_highest(struct buf *b, uint64_t id)
{
	struct writer out = { .b = b };

	put_entry(&out, SUMMARY_HIGHEST, id);
	close_record(&out);
	return out.count;
}

int
summary_put(struct store *s, const struct segment *seg, struct buf *b)
{
	struct writer out = { .b = b };
	struct state_rows rows;
	const struct content *c;

	state_rows_init(&rows);
	put_told(&out, history_told(s->history));
	TAILQ_FOREACH (c, &seg->contents, in_segment)
		put_content(&out, c);
	for (size_t i = 0; i < seg->ntouched; i++)
		put_touched(&out, &rows, index_find(s->index, seg->touched[i]),
		    seg->touched[i]);
	put_entry(&out, SUMMARY_HIGHEST, index_highest(s->index));
	close_record(&out);
	state_rows_fini(&rows);
	return out.count;
}

/* ---- reading ------------------------------------------------------------------ */

static struct place
get_place(struct store *s, struct wire_get *w)
{
	struct place p = {
		.segment = store_segment(s, wire_get_u64(w)),
		.offset = wire_get_u32(w),
		.size = wire_get_u32(w),
	};

	return p;
}

static void
apply_message(struct store *s, struct wire_get *w)
{
	struct place place = get_place(s, w);
	struct record rec = { .type = RECORD_MESSAGE,
		.payload = wire_get_span(w) };
	struct record_message get;
	struct message *m;

	if (w->bad || record_message_get(rec.payload, &get) == -1 ||
	    index_apply(s->index, &rec, place) == -1 ||
	    (m = index_find(s->index, get.id)) == NULL) {
		w->bad = true;
		return;
	}
	for (uint32_t i = 0; i < m->nrcpts; i++)
		m->rcpts[i].last = get_place(s, w);
}

static void
apply_content(struct store *s, struct segment *seg, struct wire_get *w)
{
	uint64_t number = wire_get_u64(w);
	uint64_t size = wire_get_u64(w);
	bool file = wire_get_bool(w);
	struct place place = { .segment = seg };

	place.offset = wire_get_u32(w);
	place.size = wire_get_u32(w);
	if (!w->bad)
		index_content_at(s->index, number, size, file, place);
}

bool
summary_told(struct span payload, struct history_mark *mark)
{
	struct wire_get w = wire_reader(payload);
	bool told = wire_get_u8(&w) == SUMMARY_TOLD;

	mark->seq = wire_get_u64(&w);
	mark->events = wire_get_u32(&w);
	return told && !w.bad;
}

int
summary_apply(struct store *s, struct segment *seg, struct span payload)
{
	struct wire_get w = wire_reader(payload);

	while (!w.bad && w.n > 0) {
		switch (wire_get_u8(&w)) {
		case SUMMARY_MESSAGE:
			apply_message(s, &w);
			break;
		case SUMMARY_DONE:
			index_done(s->index, wire_get_u64(&w));
			break;
		case SUMMARY_CONTENT:
			apply_content(s, seg, &w);
			break;
		case SUMMARY_HIGHEST:
			index_seen(s->index, wire_get_u64(&w));
			break;
		case SUMMARY_TOLD:
			wire_get_u64(&w);
			wire_get_u32(&w);
			break;
		default:
			w.bad = true;
		}
	}
	return wire_done(&w) ? 0 : -1;
}
