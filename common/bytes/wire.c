/*
 * wire.c - fixed-width integers and counted bytes, in and out.
 *
 * The other side is not trusted: what is left is always compared with what is
 * wanted before a byte is touched, and never the other way round.
 */
#include "common/bytes/wire.h"

/* Room for n bytes, taken; NULL once anything did not fit. */
static unsigned char *
room(struct wire_put *w, size_t n)
{
	unsigned char *p;

	if (w->bad || n > w->max - w->n) {
		w->bad = true;
		return NULL;
	}
	p = (unsigned char *)w->p + w->n;
	w->n += n;
	return p;
}

static void
put_int(struct wire_put *w, uint64_t v, size_t width)
{
	unsigned char *p = room(w, width);

	if (p == NULL)
		return;
	for (size_t i = 0; i < width; i++)
		p[i] = (unsigned char)(v >> (8 * i));
}

void
wire_put_u8(struct wire_put *w, uint8_t v)
{
	put_int(w, v, sizeof v);
}

void
wire_put_u16(struct wire_put *w, uint16_t v)
{
	put_int(w, v, sizeof v);
}

void
wire_put_u32(struct wire_put *w, uint32_t v)
{
	put_int(w, v, sizeof v);
}

void
wire_put_u64(struct wire_put *w, uint64_t v)
{
	put_int(w, v, sizeof v);
}

void
wire_put_span(struct wire_put *w, struct span s)
{
	if (s.n > UINT32_MAX) {
		w->bad = true;
		return;
	}
	wire_put_u32(w, (uint32_t)s.n);
	wire_put_bytes(w, s.p, s.n);
}

void
wire_put_str(struct wire_put *w, const char *s)
{
	wire_put_span(w, span_of(s));
}

void
wire_put_bytes(struct wire_put *w, const void *p, size_t n)
{
	unsigned char *to = room(w, n);

	if (to != NULL && n > 0)
		memcpy(to, p, n);
}

/* The next n bytes, taken; NULL once anything was not there. */
static const unsigned char *
take(struct wire_get *w, size_t n)
{
	const unsigned char *p = (const unsigned char *)w->p;

	if (w->bad || n > w->n) {
		w->bad = true;
		return NULL;
	}
	if (n > 0) {
		w->p += n;
		w->n -= n;
	}
	return p;
}

static uint64_t
get_int(struct wire_get *w, size_t width)
{
	const unsigned char *p = take(w, width);
	uint64_t v = 0;

	if (p == NULL)
		return 0;
	for (size_t i = 0; i < width; i++)
		v |= (uint64_t)p[i] << (8 * i);
	return v;
}

uint8_t
wire_get_u8(struct wire_get *w)
{
	return (uint8_t)get_int(w, sizeof(uint8_t));
}

uint16_t
wire_get_u16(struct wire_get *w)
{
	return (uint16_t)get_int(w, sizeof(uint16_t));
}

uint32_t
wire_get_u32(struct wire_get *w)
{
	return (uint32_t)get_int(w, sizeof(uint32_t));
}

uint64_t
wire_get_u64(struct wire_get *w)
{
	return get_int(w, sizeof(uint64_t));
}

struct span
wire_get_span(struct wire_get *w)
{
	size_t n = wire_get_u32(w);
	const unsigned char *p = take(w, n);

	/* take() of nothing, from a reader of nothing, may be NULL too. */
	return p != NULL ? span_from(p, n) : SPAN("");
}

void
wire_get_str(struct wire_get *w, char *dst, size_t size)
{
	if (!span_copy(dst, size, wire_get_span(w)))
		w->bad = true;
}

void
wire_get_bytes(struct wire_get *w, void *dst, size_t n)
{
	const unsigned char *p = take(w, n);

	if (n == 0)
		return;
	if (p != NULL)
		memcpy(dst, p, n);
	else
		memset(dst, 0, n);
}

unsigned
wire_get_enum(struct wire_get *w, unsigned end)
{
	unsigned v = wire_get_u8(w);

	if (v >= end) {
		w->bad = true;
		return 0;
	}
	return v;
}

bool
wire_get_bool(struct wire_get *w)
{
	return wire_get_enum(w, 2) == 1;
}
