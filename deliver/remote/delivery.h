/*
 * delivery.h - one hand-out of queue: what is to be delivered, and what became
 * of it for each recipient.
 *
 * A delivery lives from DELIVER to RECORDED.  It owns copies of all that came
 * in the packet; a large content stays behind its descriptor and is read in
 * blocks, never whole.  Room for the results is taken with it, so that a result
 * can always be kept.
 */
#ifndef DELIVERY_H
#define DELIVERY_H

#include <sys/queue.h>

#include "common/msg/queue_agent.h"

/* The same reply for some recipients. */
struct outcome {
	char host[CONF_HOST_MAX + 1];
	struct reply reply;
	uint32_t n;
	uint8_t rcpts[DELIVER_RCPTS_MAX]; /* positions in the hand-out */
};

struct hosts;

struct delivery {
	TAILQ_ENTRY(delivery) link; /* in the table of all */
	TAILQ_ENTRY(delivery) wait; /* in its destination's queue */
	struct msg_deliver d;	    /* its spans point into `text` */
	char *text;
	int fd;			      /* the content, or -1: inlined */
	int64_t since;		      /* milliseconds of the monotonic clock */
	bool done[DELIVER_RCPTS_MAX]; /* has its result */
	uint32_t ndone;
	struct outcome *outcomes; /* room for nrcpts */
	uint32_t noutcomes;

	/* of the destination: where it was tried */
	struct hosts *hosts; /* a reference; NULL before the first */
	uint64_t tried;	     /* bits of hosts->a */
	unsigned ntried;
	struct reply last; /* why the last host would not do; code 0: none */
	char last_host[CONF_HOST_MAX + 1];
};

TAILQ_HEAD(delivery_list, delivery);

/* Takes m's descriptor over (m->fd becomes -1).  NULL with errno. */
struct delivery *delivery_new(
    const struct msg_deliver *, struct ipc_msg *m, int64_t now);
void delivery_free(struct delivery *);

/* The result for who[0..n); those that have one already keep it. */
void delivery_result(struct delivery *, const uint8_t *who, uint32_t n,
    const struct reply *, const char *host);
/* … for all that have none. */
void delivery_result_rest(
    struct delivery *, const struct reply *, const char *host);
/* Content and addresses are needed no more: the results wait for RECORDED. */
void delivery_drop_content(struct delivery *);
/* Every recipient has its result. */
bool delivery_complete(const struct delivery *);

/* Up to n octets of prefix and content from `at`, which is not behind their
 * end; 0 at the end, -1 with errno (EIO: the content is shorter than it should
 * be). */
ssize_t delivery_read(const struct delivery *, char *p, size_t n, uint64_t at);

#endif
