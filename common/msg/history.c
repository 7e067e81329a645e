/*
 * msg/history.c - frames and events of the history, put and got.
 */
#include <inttypes.h>
#include <stdio.h>

#include <sodium.h>

#include "common/msg/history.h"

#define HASH_SIZE   16
#define HASH_OFFSET 12
#define EVENT_FIXED 96 /* an event without its spans and its reply's text */

_Static_assert(HISTORY_FRAME == HASH_OFFSET + HASH_SIZE, "hash ends a frame");

static void
hash(const char *frame, size_t length, uint8_t out[HASH_SIZE])
{
	crypto_generichash_state st;

	crypto_generichash_init(&st, NULL, 0, HASH_SIZE);
	crypto_generichash_update(&st, (const uint8_t *)frame + 4, 8);
	crypto_generichash_update(
	    &st, (const uint8_t *)frame + HISTORY_FRAME, length);
	crypto_generichash_final(&st, out, HASH_SIZE);
}

static void
event_put(struct wire_put *w, const struct history_event *e)
{
	wire_put_u8(w, (uint8_t)e->kind);
	wire_put_u64(w, e->id);
	wire_put_u64(w, (uint64_t)e->time);
	wire_put_u32(w, e->index);
	wire_put_u32(w, e->nrcpts);
	wire_put_span(w, e->rcpt);
	if (e->kind == HISTORY_ACCEPTED) {
		wire_put_u64(w, e->parent);
		wire_put_u8(w, e->bounce);
		wire_put_u64(w, e->size);
		wire_put_span(w, e->sender);
		wire_put_span(w, e->client);
		return;
	}
	wire_put_u8(w, e->final);
	wire_put_u8(w, e->deleted);
	wire_put_u32(w, e->attempts);
	wire_put_u64(w, (uint64_t)e->next);
	reply_put(w, &e->reply);
	wire_put_span(w, e->host);
}

static void
event_get(struct wire_get *w, struct history_event *e)
{
	*e = (struct history_event){
		.sender = SPAN(""), .client = SPAN(""), .host = SPAN("")
	};
	e->kind = wire_get_enum(w, HISTORY_KIND_END);
	e->id = wire_get_u64(w);
	e->time = (int64_t)wire_get_u64(w);
	e->index = wire_get_u32(w);
	e->nrcpts = wire_get_u32(w);
	e->rcpt = wire_get_span(w);
	if (e->kind == HISTORY_ACCEPTED) {
		e->parent = wire_get_u64(w);
		e->bounce = wire_get_bool(w);
		e->size = wire_get_u64(w);
		e->sender = wire_get_span(w);
		e->client = wire_get_span(w);
		return;
	}
	e->final = wire_get_bool(w);
	e->deleted = wire_get_bool(w);
	e->attempts = wire_get_u32(w);
	e->next = (int64_t)wire_get_u64(w);
	reply_get(w, &e->reply);
	e->host = wire_get_span(w);
}

int
history_put(struct buf *b, uint64_t seq, const struct history_event *e)
{
	size_t max = EVENT_FIXED + e->sender.n + e->client.n + e->rcpt.n +
	    e->host.n + strlen(e->reply.text);
	struct wire_put w, frame;
	char *at;

	if (max > HISTORY_EVENT_MAX)
		return -1;
	if ((at = buf_reserve(b, HISTORY_FRAME + max)) == NULL)
		return -1;
	w = wire_writer(at + HISTORY_FRAME, max);
	event_put(&w, e);
	if (w.bad)
		return -1;
	frame = wire_writer(at, HASH_OFFSET);
	wire_put_u32(&frame, (uint32_t)w.n);
	wire_put_u64(&frame, seq);
	hash(at, w.n, (uint8_t *)at + HASH_OFFSET);
	b->n += HISTORY_FRAME + w.n;
	return 0;
}

int
history_get(struct span *in, uint64_t *seq, struct history_event *e)
{
	struct wire_get frame = wire_reader(*in), w;
	uint32_t length = wire_get_u32(&frame);
	uint64_t number = wire_get_u64(&frame);
	uint8_t want[HASH_SIZE];

	if (frame.bad || length > HISTORY_EVENT_MAX ||
	    in->n < HISTORY_FRAME + (size_t)length)
		return 0;
	hash(in->p, length, want);
	if (memcmp(want, in->p + HASH_OFFSET, HASH_SIZE) != 0)
		return 0;
	w = wire_reader(span_from(in->p + HISTORY_FRAME, length));
	event_get(&w, e);
	if (!wire_done(&w))
		return 0;
	*seq = number;
	*in = span_skip(*in, HISTORY_FRAME + (size_t)length);
	return 1;
}

void
history_name(char dst[HISTORY_NAME_LEN + 1], int64_t seconds)
{
	/* Ten digits last until the year 2286. */
	uint64_t n = seconds > 0 ? (uint64_t)seconds : 0;

	snprintf(
	    dst, HISTORY_NAME_LEN + 1, "%010" PRIu64 ".log", n % 10000000000u);
}

bool
history_name_parse(struct span name, int64_t *seconds)
{
	uint64_t n;

	if (name.n != HISTORY_NAME_LEN ||
	    !span_eq(span_skip(name, 10), SPAN(".log")) ||
	    !span_number(span_from(name.p, 10), INT64_MAX, &n))
		return false;
	*seconds = (int64_t)n;
	return true;
}
