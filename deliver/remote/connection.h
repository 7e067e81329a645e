/*
 * connection.h - a connection to one host: the socket, the time limits, and the
 * content on its way out.
 *
 * A connection is opened for a delivery.  With that done it takes the next one
 * of its destination, or stays idle for CONNECTION_IDLE_SECONDS; one that was of
 * use more than once stays as long again, if the host still answers.
 */
#ifndef CONNECTION_H
#define CONNECTION_H

#include "common/mail/dot.h"
#include "deliver/remote/client.h"
#include "deliver/remote/destination.h"

#define CONNECTION_IDLE_SECONDS 2
/* None is kept longer, so that a better host that is back is found again. */
#define CONNECTION_AGE_SECONDS 300
#define CONTENT_BLOCK	       (64 * 1024)
#define CONNECTION_IN_MAX      (2 * CLIENT_LINE_MAX)

/* What the timer runs for; it starts anew when one of them changes. */
struct connection_step {
	bool connecting;
	enum client_state state;
	uint32_t next;
	uint64_t sent;
};

struct connection {
	TAILQ_ENTRY(connection) link;	    /* of its destination */
	TAILQ_ENTRY(connection) spare_link; /* of remote */
	struct destination *destination;
	struct delivery *delivery;    /* NULL: idle, or over */
	struct hosts *hosts;	      /* a reference */
	uint32_t address;	      /* in hosts */
	char name[CONF_HOST_MAX + 1]; /* "mx.example [192.0.2.1]" */
	int fd;
	struct event *readable, *writable, *timer;
	bool connecting;
	bool greeted;	     /* there is a session */
	bool spare;	     /* idle or saying goodbye: may be dropped */
	bool deaf;	     /* nothing can be written any more: */
	enum reply_name why; /* … why that is */
	int64_t since;	     /* milliseconds */
	uint32_t messages;   /* transactions done on it */
	bool kept;	     /* NOOP was said since the last of them */
	struct client client;
	struct connection_step step;

	struct dot_writer dots;
	uint64_t sent;	    /* octets of the content taken */
	bool ended;	    /* its end is in `content` */
	struct buf content; /* a block in dot-stuffed form */

	size_t nin;
	char in[CONNECTION_IN_MAX];
};

/* To v->hosts->a[address].  0, or -1 with errno: it cannot be reached. */
int connection_open(struct destination *, struct delivery *, uint32_t address);
/* … and said nothing, not even in part. */
static inline bool
connection_idle(const struct connection *c)
{
	return c->spare && c->client.state == CLIENT_IDLE && c->nin == 0;
}
/* An idle one takes a delivery that was not tried before. */
void connection_take(struct connection *, struct delivery *);
/* The process stops: what is not in the dialogue, or (late) not in doubt, ends
 * with R_STOPPING. */
void connection_stop(struct connection *, bool late);

#endif
