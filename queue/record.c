/*
 * record.c - records and their payloads, put and got.
 *
 * What is read here was written by us, but a disk may return anything: a
 * record counts only if its keyed hash says so, and even then every length and
 * enum is checked.
 */
#include <errno.h>

#include <sodium.h>

#include "queue/record.h"

#define MAGIC	      "SREC"
#define HASH_OFFSET   24
#define HASH_SIZE     16
#define RCPT_FIXED    56 /* a row without address, texts and host */
#define MESSAGE_FIXED 64
#define ORDER_FIXED   24
/* Beside the state of a recipient in a MESSAGE. */
#define HELD 0x80

_Static_assert(RECORD_HEADER == HASH_OFFSET + HASH_SIZE, "hash ends a header");

size_t
record_size(size_t n)
{
	size_t whole = RECORD_HEADER + n;

	return (whole + RECORD_ALIGN - 1) / RECORD_ALIGN * RECORD_ALIGN;
}

int
record_open(
    struct buf *b, enum record_type type, size_t max, struct wire_put *w)
{
	char *at = buf_reserve(b, record_size(max));
	struct wire_put header;

	if (at == NULL)
		return -1;
	memset(at, 0, RECORD_HEADER);
	header = wire_writer(at, RECORD_HEADER);
	wire_put_bytes(&header, MAGIC, 4);
	wire_put_u16(&header, (uint16_t)type);
	*w = wire_writer(at + RECORD_HEADER, max);
	return 0;
}

int
record_close(struct buf *b, const struct wire_put *w)
{
	char *at = b->p + b->n;
	struct wire_put length = wire_writer(at + 8, 4);
	size_t size = record_size(w->n);

	if (w->bad || w->n > UINT32_MAX) {
		errno = EMSGSIZE;
		return -1;
	}
	wire_put_u32(&length, (uint32_t)w->n);
	memset(at + RECORD_HEADER + w->n, 0, size - RECORD_HEADER - w->n);
	b->n += size;
	return 0;
}

static void
hash(const char *at, const struct record_seal *seal, size_t length,
    uint8_t out[HASH_SIZE])
{
	crypto_generichash_state st;

	crypto_generichash_init(&st, seal->key, sizeof seal->key, HASH_SIZE);
	crypto_generichash_update(&st, seal->nonce, sizeof seal->nonce);
	crypto_generichash_update(&st, (const uint8_t *)at, HASH_OFFSET);
	crypto_generichash_update(
	    &st, (const uint8_t *)at + RECORD_HEADER, length);
	crypto_generichash_final(&st, out, HASH_SIZE);
}

void
record_finish(char *at, const struct record_seal *seal, uint64_t seq)
{
	struct wire_get length = wire_reader(span_from(at + 8, 4));
	struct wire_put w = wire_writer(at + 16, 8);

	wire_put_u64(&w, seq);
	hash(at, seal, wire_get_u32(&length), (uint8_t *)at + HASH_OFFSET);
}

int
record_add(struct buf *b, const struct record_seal *seal, enum record_type type,
    uint64_t seq, struct span payload)
{
	struct wire_put w;
	size_t at = b->n;

	if (record_open(b, type, payload.n, &w) == -1)
		return -1;
	wire_put_bytes(&w, payload.p, payload.n);
	if (record_close(b, &w) == -1)
		return -1;
	record_finish(b->p + at, seal, seq);
	return 0;
}

int
record_peek(struct span s, struct record *r)
{
	struct wire_get w = wire_reader(s);
	char magic[4];
	uint32_t length, zero;
	uint16_t type, pad;

	wire_get_bytes(&w, magic, sizeof magic);
	type = wire_get_u16(&w);
	pad = wire_get_u16(&w);
	length = wire_get_u32(&w);
	zero = wire_get_u32(&w);
	r->seq = wire_get_u64(&w);
	if (w.bad || memcmp(magic, MAGIC, sizeof magic) != 0 || pad != 0 ||
	    zero != 0 || type == 0 || type >= RECORD_TYPE_END)
		return -1;
	r->type = type;
	r->size = record_size(length);
	if (r->size > s.n)
		return -1;
	r->payload = span_from(s.p + RECORD_HEADER, length);
	return 0;
}

int
record_get(struct span s, const struct record_seal *seal, struct record *r)
{
	uint8_t want[HASH_SIZE];

	if (record_peek(s, r) == -1)
		return -1;
	hash(s.p, seal, r->payload.n, want);
	return sodium_memcmp(want, s.p + HASH_OFFSET, HASH_SIZE) == 0 ? 0 : -1;
}

void
record_batch_put(struct wire_put *w, const struct record_batch *b)
{
	wire_put_u32(w, b->count);
	wire_put_u64(w, b->bytes);
	wire_put_u64(w, b->durable);
}

int
record_batch_get(struct span s, struct record_batch *b)
{
	struct wire_get w = wire_reader(s);

	b->count = wire_get_u32(&w);
	b->bytes = wire_get_u64(&w);
	b->durable = wire_get_u64(&w);
	return wire_done(&w) ? 0 : -1;
}

void
record_content_put(
    struct wire_put *w, enum record_type type, const struct record_content *c)
{
	wire_put_u64(w, c->number);
	if (type == RECORD_CONTENT) {
		wire_put_bytes(w, c->octets.p, c->octets.n);
		return;
	}
	wire_put_u64(w, c->size);
	wire_put_bytes(w, c->hash, sizeof c->hash);
}

int
record_content_get(const struct record *r, struct record_content *c)
{
	struct wire_get w = wire_reader(r->payload);

	*c = (struct record_content){ .number = wire_get_u64(&w) };
	if (w.bad || c->number == 0)
		return -1;
	if (r->type == RECORD_CONTENT) {
		c->octets = span_from(w.p, w.n);
		c->size = w.n;
		return 0;
	}
	c->size = wire_get_u64(&w);
	wire_get_bytes(&w, c->hash, sizeof c->hash);
	return wire_done(&w) ? 0 : -1;
}

void
record_abandon_put(struct wire_put *w, const struct record_abandon *a)
{
	wire_put_u64(w, a->segment);
	wire_put_u64(w, a->offset);
}

int
record_abandon_get(struct span s, struct record_abandon *a)
{
	struct wire_get w = wire_reader(s);

	a->segment = wire_get_u64(&w);
	a->offset = wire_get_u64(&w);
	return wire_done(&w) ? 0 : -1;
}

static void
rcpt_put(struct wire_put *w, bool with_address, uint32_t index,
    const struct record_rcpt *r)
{
	wire_put_u32(w, index);
	if (with_address)
		wire_put_span(w, r->address);
	wire_put_u8(
	    w, (uint8_t)(with_address && r->held ? r->state | HELD : r->state));
	wire_put_u32(w, r->attempts);
	wire_put_u64(w, (uint64_t)r->next);
	wire_put_u64(w, (uint64_t)r->time);
	reply_put(w, &r->reply);
	wire_put_span(w, r->host);
}

static void
rcpt_get(struct wire_get *w, bool with_address, struct record_rcpt *r)
{
	uint8_t state;

	r->index = wire_get_u32(w);
	r->address = with_address ? wire_get_span(w) : SPAN("");
	state = wire_get_u8(w);
	r->held = state == (RCPT_WAITING | HELD) && with_address;
	if (r->held)
		state = RCPT_WAITING;
	if (state >= RCPT_STATE_END)
		w->bad = true;
	r->state = w->bad ? RCPT_WAITING : state;
	r->attempts = wire_get_u32(w);
	r->next = (int64_t)wire_get_u64(w);
	r->time = (int64_t)wire_get_u64(w);
	reply_get(w, &r->reply);
	r->host = wire_get_span(w);
}

bool
record_rcpt_next(
    struct wire_get *rcpts, bool with_address, struct record_rcpt *r)
{
	if (rcpts->bad || rcpts->n == 0)
		return false;
	rcpt_get(rcpts, with_address, r);
	return !rcpts->bad;
}

/* Are there exactly n rows?  In a MESSAGE they are numbered from 0. */
static bool
rcpts_ok(struct wire_get w, bool message, uint32_t n)
{
	struct record_rcpt r;

	for (uint32_t i = 0; i < n; i++)
		if (!record_rcpt_next(&w, message, &r) ||
		    (message && r.index != i))
			return false;
	return n > 0 && wire_done(&w);
}

static size_t
rcpts_max(const struct record_rcpt *r, uint32_t n, bool with_address)
{
	size_t size = 0;

	for (uint32_t i = 0; i < n; i++)
		size += RCPT_FIXED + (with_address ? r[i].address.n : 0) +
		    r[i].host.n + strlen(r[i].reply.text);
	return size;
}

size_t
record_message_max(const struct record_message *m, const struct record_rcpt *r)
{
	return MESSAGE_FIXED + m->sender.n + m->client.n + m->prefix.n +
	    rcpts_max(r, m->nrcpts, true);
}

size_t
record_result_max(const struct record_rcpt *r, uint32_t n)
{
	return 12 + rcpts_max(r, n, false);
}

void
record_message_put(struct wire_put *w, const struct record_message *m,
    const struct record_rcpt *rcpts)
{
	wire_put_u64(w, m->id);
	wire_put_u64(w, m->parent);
	wire_put_u64(w, m->content);
	wire_put_u64(w, m->size);
	wire_put_u32(w, m->flags);
	wire_put_u8(w, (uint8_t)m->body);
	wire_put_span(w, m->sender);
	wire_put_span(w, m->client);
	wire_put_span(w, m->prefix);
	wire_put_u32(w, m->nrcpts);
	for (uint32_t i = 0; i < m->nrcpts; i++)
		rcpt_put(w, true, i, &rcpts[i]);
}

int
record_message_get(struct span s, struct record_message *m)
{
	struct wire_get w = wire_reader(s);
	const uint32_t flags = MESSAGE_BOUNCE | MESSAGE_DAMAGED |
	    MESSAGE_COPY | MESSAGE_UTF8 | MESSAGE_EXPANDED;

	m->id = wire_get_u64(&w);
	m->parent = wire_get_u64(&w);
	m->content = wire_get_u64(&w);
	m->size = wire_get_u64(&w);
	m->flags = wire_get_u32(&w);
	m->body = wire_get_enum(&w, BODY_END);
	m->sender = wire_get_span(&w);
	m->client = wire_get_span(&w);
	m->prefix = wire_get_span(&w);
	m->nrcpts = wire_get_u32(&w);
	m->rcpts = w;
	if (w.bad || m->id == 0 || m->content == 0 || (m->flags & ~flags) != 0)
		return -1;
	return rcpts_ok(w, true, m->nrcpts) ? 0 : -1;
}

void
record_result_put(
    struct wire_put *w, uint64_t id, const struct record_rcpt *r, uint32_t n)
{
	wire_put_u64(w, id);
	wire_put_u32(w, n);
	for (uint32_t i = 0; i < n; i++)
		rcpt_put(w, false, r[i].index, &r[i]);
}

int
record_result_get(struct span s, struct record_result *r)
{
	struct wire_get w = wire_reader(s);

	r->id = wire_get_u64(&w);
	r->nrcpts = wire_get_u32(&w);
	r->rcpts = w;
	if (w.bad || r->id == 0)
		return -1;
	return rcpts_ok(w, false, r->nrcpts) ? 0 : -1;
}

bool
record_is_order(enum record_type type)
{
	return type == RECORD_HOLD || type == RECORD_RELEASE ||
	    type == RECORD_RETRY;
}

size_t
record_order_max(const struct record_order *o)
{
	return ORDER_FIXED + o->reason.n + o->nrcpts * sizeof(uint32_t);
}

void
record_order_put(
    struct wire_put *w, const struct record_order *o, const uint32_t *indexes)
{
	wire_put_u64(w, o->id);
	wire_put_u64(w, (uint64_t)o->time);
	wire_put_span(w, o->reason);
	wire_put_u32(w, o->nrcpts);
	for (uint32_t i = 0; i < o->nrcpts; i++)
		wire_put_u32(w, indexes[i]);
}

int
record_order_get(struct span s, struct record_order *o)
{
	struct wire_get w = wire_reader(s);

	o->id = wire_get_u64(&w);
	o->time = (int64_t)wire_get_u64(&w);
	o->reason = wire_get_span(&w);
	o->nrcpts = wire_get_u32(&w);
	o->rcpts = w;
	if (w.bad || o->id == 0 || o->nrcpts == 0)
		return -1;
	return w.n == o->nrcpts * (uint64_t)sizeof(uint32_t) ? 0 : -1;
}

bool
record_order_next(struct wire_get *rcpts, uint32_t *index)
{
	if (rcpts->bad || rcpts->n == 0)
		return false;
	*index = wire_get_u32(rcpts);
	return !rcpts->bad;
}
