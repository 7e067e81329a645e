/*
 * bounce.h - the message that tells a sender what could not be delivered:
 * a multipart/report of RFC 6522 with a delivery status of RFC 3464.
 *
 * Pure: values in, text with CRLF line ends out.  Whatever a stranger wrote
 * (header fields, replies, host names) comes out as printable ASCII in lines that
 * cannot be taken for anything else.
 */
#ifndef BOUNCE_H
#define BOUNCE_H

#include "common/bytes/buf.h"
#include "common/mail/reply.h"

/* Of the original's header, at most. */
#define BOUNCE_HEADER_MAX (32 * 1024)
/* A bounce for 100 recipients with all that can stand in it. */
#define BOUNCE_MAX (512 * 1024)

struct bounce_rcpt {
	struct span address;
	struct span host;	/* who gave the reply: "mx.example [192.0.2.1]", or "" */
	struct reply reply;	/* the last one */
	bool expired;		/* it was 4yz, but for too long */
	int64_t time;		/* of the last attempt */
};

struct bounce {
	const char *hostname;
	uint64_t id;		/* of this bounce */
	uint64_t parent;	/* of the message that failed */
	bool utf8;		/* the original is SMTPUTF8 (RFC 6531) */
	struct span sender;	/* its reverse-path, whom this goes to */
	struct span prefix;	/* its trace fields */
	struct span content;	/* the start of its content; "" if there is none to show */
	int64_t time;
	int zone;		/* minutes east of UTC */
	uint32_t n;
	const struct bounce_rcpt *rcpts;
};

/* 0, or -1 with errno from the buffer. */
int bounce_add(struct buf *, const struct bounce *);

#endif
