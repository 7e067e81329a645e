/*
 * message.h - the message on standard input, and how much of it is kept.
 *
 * Up to MESSAGE_KEPT_MAX is read before the service is asked for anything: the
 * header has to be known, and a job that is slow to write holds no session.  What
 * is larger, or has no place in the memory that we may use, flows on from there.
 */
#ifndef MESSAGE_H
#define MESSAGE_H

#include "admin/sendmail/text.h"
#include "common/bytes/buf.h"

#define MESSAGE_KEPT_MAX (1024 * 1024)
#define MESSAGE_BLOCK	 16384

struct message {
	struct text text;
	struct buf kept;   /* its beginning */
	struct span block; /* what comes behind that; message_next */
	bool whole;	   /* all of it is there */
	char out[TEXT_OUT_MAX(MESSAGE_BLOCK)];
};

void message_init(struct message *, bool ignore_dots);
/* Both end the program where standard input cannot be read, or holds a NUL. */
void message_keep(struct message *);
void message_next(struct message *); /* the next block, or ->whole */

#endif
