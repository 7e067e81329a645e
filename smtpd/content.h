/*
 * content.h - what is told of a message's content while it comes in.
 *
 * No buffer, no socket: octets in, content out, and what is wrong with it.
 */
#ifndef CONTENT_H
#define CONTENT_H

#include "common/mail/dot.h"
#include "common/mail/reply.h"

/* Where in the header the content is. */
enum content_place {
	PLACE_FIRST, /* nothing came yet */
	PLACE_START, /* of a line */
	PLACE_NAME,  /* of a field */
	PLACE_BLANK, /* between a name and its colon */
	PLACE_LINE,  /* the rest of a line */
	PLACE_BODY
};

struct content {
	struct dot_reader dot;
	enum content_place place;
	uint8_t matched; /* octets of "Received" at the start of the line */
	bool beyond;	 /* an octet above 127 was in the header */
	uint32_t hops;	 /* Received fields in the header so far */
	uint64_t size;	 /* octets so far, without the dots that were stuffed */
	uint64_t max;	 /* message_size */
};

void content_init(struct content *, enum dot_mode, uint64_t max);

/* As dot_read(): true at the end of the data. */
bool content_read(struct content *, struct span *in, char *out, size_t *nout);

/* A chunk of BDAT, or a part of it; how many octets of content. */
size_t content_chunk(struct content *, struct span in, bool last, char *out);

/* The reply that the content must get as far as it was read, or R_COUNT: bare
 * newlines, size, and the hops of a loop (RFC 5321 section 6.3). */
enum reply_name content_fault(const struct content *);

/* enum envelope_lacks; what stands behind `beginning` where that is not the
 * whole content is taken to lack nothing. */
uint8_t content_lacks(struct span beginning, bool whole);

#endif
