/*
 * header.h - what sendmail reads in a message's header, and changes there.
 */
#ifndef SENDMAIL_HEADER_H
#define SENDMAIL_HEADER_H

#include "common/bytes/buf.h"
#include "common/mail/address.h"

/* Recipients, in the order in which they came. */
struct rcpts {
	struct buf text; /* each with a NUL */
	size_t n;
};

#define RCPTS_MEMORY_MAX (16 * 1024 * 1024)

void rcpts_init(struct rcpts *);
void rcpts_fini(struct rcpts *);
int rcpts_add(struct rcpts *, const struct address *); /* 0, or -1 with errno */
/* The next one behind *at, which begins as 0; NULL: no more. */
const char *rcpts_next(const struct rcpts *, size_t *at);

/* All of a list.  0, or -1: errno is EINVAL, and *bad what is no address, or it
 * is another. */
int rcpts_add_list(struct rcpts *, struct span list, struct span *bad);

/* Mailboxes begin a message with a line "From alice Mon Nov 23 …" that is no
 * part of it.  Its length, or 0. */
size_t header_envelope_line(struct span message);

/*
 * -t: whom the fields To, Cc and Bcc name; those with Resent- before them where
 * there are any (RFC 5322 section 3.6.6).  As rcpts_add_list.
 */
int header_rcpts(struct span header, struct rcpts *, struct span *bad);

/* The same without Bcc and Resent-Bcc.  0, or -1 with errno from the buffer. */
int header_add_public(struct buf *, struct span header);

/*
 * "From: Alice Liddell <alice@b.example>\r\n".  A name in UTF-8 is encoded (RFC
 * 2047); one that is neither that nor ASCII, or has control characters, is left
 * out.  0, or -1 with errno from the buffer.
 */
int header_add_from(struct buf *, const char *name, const char *address);

#endif
