/*
 * received.h - the trace field (RFC 5321 section 4.4) and dates (RFC 5322
 * section 3.3), written from values; no clock in here.
 */
#ifndef RECEIVED_H
#define RECEIVED_H

#include "common/bytes/buf.h"

/* A client that came by no address and is not one of this host's users. */
#define RECEIVED_UNKNOWN SPAN("unknown")

struct received {
	struct span helo;	/* as the client said it; "" for none */
	struct span client;	/* "192.0.2.1" or "2001:db8::1"; "" for local;
				 * RECEIVED_UNKNOWN */
	struct span by;		/* our host name */
	struct span with;	/* "SMTP", "ESMTP", … (RFC 3848) */
	uint64_t id;
	struct span recipient;	/* "" where there are several */
	int64_t time;		/* seconds since 1970 */
	int zone;		/* minutes east of UTC */
	bool local;		/* a program of this host: "(Sallyport, from userid
				 * 1000)" in the place of helo, client and with */
	uint32_t uid;
};

/* "Received: from …;\r\n\t…\r\n", folded, no line over 998 octets; what a
 * stranger said is cleaned of anything that could end a comment or a line.
 * 0, or -1 with errno from the buffer. */
int received_add(struct buf *, const struct received *);

#define DATE_LEN 31
/* "Mon, 23 Nov 2026 15:10:32 +0000" */
void date_format(char dst[DATE_LEN + 1], int64_t time, int zone);

#endif
