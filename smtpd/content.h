/*
 * content.h - what is told of a message's content while it comes in.
 *
 * No buffer, no socket: octets in, content out, and what is wrong with it.
 */
#ifndef CONTENT_H
#define CONTENT_H

#include "common/mail/dot.h"
#include "common/mail/reply.h"

struct content {
	struct dot_reader dot;
	uint64_t size; /* octets so far, without the dots that were stuffed */
	uint64_t max;  /* message_size */
};

void content_init(struct content *, enum dot_mode, uint64_t max);

/* As dot_read(): true at the end of the data. */
bool content_read(struct content *, struct span *in, char *out, size_t *nout);

/* The reply that the content must get as far as it was read, or R_COUNT. */
enum reply_name content_fault(const struct content *);

/*
 * R_LOOP if there are too many Received fields in the header (RFC 5321 section
 * 6.3), or R_COUNT.  Asked once, with the beginning of the content: the header
 * of a message is far below SUBMIT_CONTENT_MAX unless somebody means harm, and
 * then the hops after us count too.
 */
enum reply_name content_loop(struct span beginning);

/* enum envelope_lacks; what stands behind `beginning` where that is not the
 * whole content is taken to lack nothing. */
uint8_t content_lacks(struct span beginning, bool whole);

#endif
