/*
 * channel.h - the inside of a channel, for ipc.c (its life, receiving) and
 * send.c (sending).
 */
#ifndef CHANNEL_H
#define CHANNEL_H

#include <sys/queue.h>

#include "common/run/ipc.h"

struct packet {
	TAILQ_ENTRY(packet) link;
	int fd; /* our duplicate, or -1 */
	size_t n;
	char p[];
};

struct channel {
	int fd;
	enum peer peer;
	const struct channel_ops *ops;
	void *arg;
	unsigned phase;
	struct event *readable, *writable;
	struct event *later; /* the kernel had no memory for us */
	TAILQ_HEAD(, packet) out;
	size_t backlog;
	bool paused;  /* nothing is read */
	bool busy;    /* one of our functions above us still uses it */
	bool dead;    /* freed as soon as not busy */
	bool broken;  /* the peer takes nothing any more */
	bool overrun; /* … because it did not read */
};

/* It has been sent, or never will be. */
void channel_packet_free(struct channel *, struct packet *);
/* The event of writable and later: send what waits. */
void channel_flush(evutil_socket_t, short, void *);

#endif
