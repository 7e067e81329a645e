/*
 * content.h - the content of a message, in memory or behind a descriptor, and
 * the file it is written to.
 */
#ifndef CONTENT_H
#define CONTENT_H

#include "common/bytes/buf.h"

#define CONTENT_BLOCK	   (64 * 1024)
#define CONTENT_HEADER_MAX (64 * 1024) /* how far a loop is looked for */

struct content {
	struct span inlined; /* all of it, where fd is -1 */
	int fd;		     /* -1, or read with pread from 0 to size */
	uint64_t size;
	bool binary;	 /* only its header is lines (RFC 3030) … */
	uint64_t header; /* … the first so many octets */
};

/* The first CONTENT_HEADER_MAX octets: borrowed from the content, or read into
 * `space`.  0, or -1 with errno. */
int content_head(const struct content *, struct buf *space, struct span *head);

/*
 * `prefix`, which has LF line ends, and the content with its line ends made LF,
 * to a file; of binary content those of its header, the rest as it is.  0, or -1 with errno; EIO where there is less content than `size`
 * says.
 */
int content_write(const struct content *, struct span prefix, int out);

/*
 * What stands above a message in a mailbox: Return-Path (RFC 5321 section 4.4),
 * Delivered-To, and the trace fields that queue gives, with LF line ends.
 * 0, or -1 with errno from the buffer.
 */
int content_prefix(
    struct buf *, struct span sender, struct span rcpt, struct span trace);

#endif
