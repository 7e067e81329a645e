/*
 * message.h - the message on standard input, and how much of it is kept.
 *
 * All of it is read before the service is asked for anything: a job that takes
 * hours to write holds no session, and what is here can be sent once more.
 * MESSAGE_KEPT_MAX stays in memory, the rest is in a file without a name.  Who
 * may write no file, or has no place for it, still sends: the rest then flows
 * from standard input to the service.
 */
#ifndef MESSAGE_H
#define MESSAGE_H

#include "admin/sendmail/text.h"
#include "common/bytes/buf.h"

#define MESSAGE_KEPT_MAX (1024 * 1024)
#define MESSAGE_FILE_MAX (256 * 1024 * 1024) /* far above what is let in */
#define MESSAGE_BLOCK	 16384

struct message {
	struct text text;
	struct buf kept;   /* its beginning */
	int file;	   /* what comes behind that, or -1 */
	uint64_t in_file;  /* octets */
	struct span block; /* … and behind that; message_next */
	bool whole;	   /* there is no more on standard input */
	char out[TEXT_OUT_MAX(MESSAGE_BLOCK)];
};

void message_init(struct message *, bool ignore_dots);
/* Both end the program where standard input cannot be read, or holds a NUL. */
void message_keep(struct message *);
void message_next(struct message *); /* the next block, or ->whole */
/* A piece of the file, from `at` on, at most in_file; empty: there is no more.
 * Ends the program where it cannot be read. */
struct span message_piece(const struct message *, uint64_t at);

#endif
