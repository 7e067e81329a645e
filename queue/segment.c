/*
 * segment.c - names, headers and trailers of segments.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <sodium.h>

#include "common/bytes/id.h"
#include "queue/segment.h"

#define HEADER_MAGIC   "SALLYSEG"
#define TRAILER_MAGIC  "SALLYEND"
#define MAGIC_SIZE     8
#define HASHED_HEADER  56
#define HASHED_TRAILER 40
#define HASH_SIZE      32

static const char *const suffixes[] = {
	[SEGMENT_USED] = ".seg",
	[SEGMENT_SPARE] = ".spare",
};

void
segment_name(
    char dst[SEGMENT_NAME_MAX], uint64_t number, enum segment_kind kind)
{
	snprintf(
	    dst, SEGMENT_NAME_MAX, "%016" PRIx64 "%s", number, suffixes[kind]);
}

void
segment_damaged_name(
    char dst[SEGMENT_DAMAGED_MAX], uint64_t number, uint64_t offset)
{
	snprintf(dst, SEGMENT_DAMAGED_MAX, "%016" PRIx64 "-%08" PRIx64, number,
	    offset);
}

bool
segment_name_parse(const char *name, uint64_t *number, enum segment_kind *kind)
{
	struct span s = span_of(name);

	if (s.n <= ID_LEN || !id_parse(span_from(name, ID_LEN), number))
		return false;
	for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++) {
		if (strcmp(name + ID_LEN, suffixes[i]) != 0)
			continue;
		*kind = (enum segment_kind)i;
		return true;
	}
	return false;
}

struct segment *
segment_new(
    uint64_t number, const struct record_seal *seal, int fd, uint64_t size)
{
	struct segment *s = calloc(1, sizeof *s);

	if (s == NULL)
		return NULL;
	s->number = number;
	s->seal = *seal;
	s->fd = fd;
	s->size = size;
	s->end = SEGMENT_HEADER;
	TAILQ_INIT(&s->messages);
	TAILQ_INIT(&s->contents);
	return s;
}

void
segment_free(struct segment *s)
{
	if (s == NULL)
		return;
	if (s->fd != -1)
		close(s->fd);
	free(s->touched);
	free(s);
}

static void
hash(const char *p, size_t n, const struct record_seal *seal,
    uint8_t out[HASH_SIZE])
{
	crypto_generichash(
	    out, HASH_SIZE, (const uint8_t *)p, n, seal->key, sizeof seal->key);
}

static bool
hash_ok(const char *p, size_t n, const struct record_seal *seal)
{
	uint8_t want[HASH_SIZE];

	hash(p, n, seal, want);
	return sodium_memcmp(want, p + n, HASH_SIZE) == 0;
}

void
segment_header_put(
    char dst[SEGMENT_HEADER], const struct segment *s, int64_t created)
{
	struct wire_put w = wire_writer(dst, SEGMENT_HEADER);

	memset(dst, 0, SEGMENT_HEADER);
	wire_put_bytes(&w, HEADER_MAGIC, MAGIC_SIZE);
	wire_put_u32(&w, SEGMENT_VERSION);
	wire_put_u32(&w, 0);
	wire_put_u64(&w, s->number);
	wire_put_bytes(&w, s->seal.nonce, sizeof s->seal.nonce);
	wire_put_u64(&w, s->size);
	wire_put_u64(&w, (uint64_t)created);
	hash(dst, HASHED_HEADER, &s->seal, (uint8_t *)dst + HASHED_HEADER);
}

int
segment_header_get(const char src[SEGMENT_HEADER], struct segment *s)
{
	struct wire_get w = wire_reader(span_from(src, SEGMENT_HEADER));
	char magic[MAGIC_SIZE];

	wire_get_bytes(&w, magic, sizeof magic);
	if (memcmp(magic, HEADER_MAGIC, MAGIC_SIZE) != 0 ||
	    wire_get_u32(&w) != SEGMENT_VERSION || wire_get_u32(&w) != 0 ||
	    !hash_ok(src, HASHED_HEADER, &s->seal))
		return -1;
	s->number = wire_get_u64(&w);
	wire_get_bytes(&w, s->seal.nonce, sizeof s->seal.nonce);
	s->size = wire_get_u64(&w);
	return 0;
}

void
segment_trailer_put(
    char dst[SEGMENT_TRAILER], const struct segment *s, uint64_t seal_offset)
{
	struct wire_put w = wire_writer(dst, SEGMENT_TRAILER);

	memset(dst, 0, SEGMENT_TRAILER);
	wire_put_bytes(&w, TRAILER_MAGIC, MAGIC_SIZE);
	wire_put_u64(&w, s->number);
	wire_put_bytes(&w, s->seal.nonce, sizeof s->seal.nonce);
	wire_put_u64(&w, seal_offset);
	hash(dst, HASHED_TRAILER, &s->seal, (uint8_t *)dst + HASHED_TRAILER);
}

int
segment_trailer_get(
    const char src[SEGMENT_TRAILER], struct segment *s, uint64_t *seal_offset)
{
	struct wire_get w = wire_reader(span_from(src, SEGMENT_TRAILER));
	char magic[MAGIC_SIZE];

	wire_get_bytes(&w, magic, sizeof magic);
	if (memcmp(magic, TRAILER_MAGIC, MAGIC_SIZE) != 0 ||
	    !hash_ok(src, HASHED_TRAILER, &s->seal))
		return -1;
	s->number = wire_get_u64(&w);
	wire_get_bytes(&w, s->seal.nonce, sizeof s->seal.nonce);
	*seal_offset = wire_get_u64(&w);
	return 0;
}
