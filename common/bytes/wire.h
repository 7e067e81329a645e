/*
 * wire.h - bytes between processes and on disk, put and got.
 *
 * Integers are little-endian of fixed width; a span is a u32 length and its
 * bytes.  Both sides are sticky: after the first thing that does not fit (put)
 * or is not there (get), `bad` stays set, nothing more is written, and gets
 * return zeros and empty spans.  So a message is coded without a check at
 * each field, and checked once at its end.
 */
#ifndef WIRE_H
#define WIRE_H

#include "common/bytes/span.h"

struct wire_put {
	char *p;	/* the caller's memory */
	size_t n, max;	/* written, and how much there is */
	bool bad;
};

struct wire_get {
	const char *p;	/* what is left; borrowed */
	size_t n;
	bool bad;
};

static inline struct wire_put
wire_writer(void *p, size_t max)
{
	return (struct wire_put){ p, 0, max, false };
}

static inline struct wire_get
wire_reader(struct span s)
{
	return (struct wire_get){ s.p, s.n, false };
}

void wire_put_u8(struct wire_put *, uint8_t);
void wire_put_u16(struct wire_put *, uint16_t);
void wire_put_u32(struct wire_put *, uint32_t);
void wire_put_u64(struct wire_put *, uint64_t);
void wire_put_span(struct wire_put *, struct span);
void wire_put_str(struct wire_put *, const char *);	/* as a span */
void wire_put_bytes(struct wire_put *, const void *, size_t); /* no length */

uint8_t wire_get_u8(struct wire_get *);
uint16_t wire_get_u16(struct wire_get *);
uint32_t wire_get_u32(struct wire_get *);
uint64_t wire_get_u64(struct wire_get *);
/* Borrowed from the reader's bytes. */
struct span wire_get_span(struct wire_get *);
/* As a C string in dst; too long, or with a NUL in it, is bad (dst is ""). */
void wire_get_str(struct wire_get *, char *dst, size_t size);
void wire_get_bytes(struct wire_get *, void *dst, size_t);
/* A value of an enum that must be below `end`. */
unsigned wire_get_enum(struct wire_get *, unsigned end);	/* a u8 */
bool wire_get_bool(struct wire_get *);	/* a u8 that is 0 or 1, else bad */

/* True if all was there and nothing is left over. */
static inline bool
wire_done(const struct wire_get *w)
{
	return !w->bad && w->n == 0;
}

#endif
