/*
 * segment.h - one file of the log: its header, its trailer, its name.
 *
 * DESIGN section 4.1.  The bytes are made and checked here without I/O; what a
 * segment in use holds is kept in struct segment.
 */
#ifndef SEGMENT_H
#define SEGMENT_H

#include "queue/index.h"

#define SEGMENT_NAME_MAX 24	     /* "0123456789abcdef.spare" */
#define SEGMENT_ROOM_MIN (64 * 1024) /* the smallest segment_size that works */

struct segment {
	uint64_t number;
	struct record_seal seal;
	int fd;		/* read and write */
	uint64_t size;	/* of the file */
	uint64_t end;	/* behind the last batch that counts */
	uint64_t begin; /* of the head: behind its first batch */
	bool sealed;
	uint64_t live; /* bytes of the records that the lists below name */
	TAILQ_HEAD(, message) messages; /* whose latest MESSAGE lies here */
	TAILQ_HEAD(, content) contents;
	/* The head's own, for the summary: every message that one of its records
	 * touched, and what the summary of these will take. */
	uint64_t *touched;
	size_t ntouched, cap;
	size_t summary;
	TAILQ_ENTRY(segment) next;
	RB_ENTRY(segment) by_number;
};

/* Bytes of a segment that are set aside: "NUMBER-OFFSET". */
#define SEGMENT_DAMAGED_MAX 36
void segment_damaged_name(
    char dst[SEGMENT_DAMAGED_MAX], uint64_t number, uint64_t offset);

enum segment_kind { SEGMENT_USED, SEGMENT_SPARE };

void segment_name(
    char dst[SEGMENT_NAME_MAX], uint64_t number, enum segment_kind);
bool segment_name_parse(
    const char *name, uint64_t *number, enum segment_kind *);

TAILQ_HEAD(segments, segment);	/* by number */
RB_HEAD(segment_tree, segment); /* the same */

struct segment *segment_new(
    uint64_t number, const struct record_seal *, int fd, uint64_t size);
void segment_free(struct segment *); /* closes it */

void segment_header_put(
    char dst[SEGMENT_HEADER], const struct segment *, int64_t created);
/* Number, nonce and size; 0, or -1 if it is none.  s->seal.key is set. */
int segment_header_get(const char src[SEGMENT_HEADER], struct segment *s);
void segment_trailer_put(
    char dst[SEGMENT_TRAILER], const struct segment *, uint64_t seal_offset);
/* The same from the other end, with the offset of the seal batch.  A header
 * may be damaged, so the nonce comes from here too. */
int segment_trailer_get(
    const char src[SEGMENT_TRAILER], struct segment *s, uint64_t *seal_offset);

#endif
