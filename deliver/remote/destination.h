/*
 * destination.h - a next hop (a route's key): the deliveries that wait for it,
 * its hosts, and its connections, never more than host_concurrency.
 *
 * A connection that is refused while the same host serves us on others means
 * that it wants no more of them: that delivery goes to another host, or waits
 * until one of those is free or closed.
 */
#ifndef DESTINATION_H
#define DESTINATION_H

#include "deliver/remote/hosts.h"
#include "deliver/remote/remote.h"

/* How a host failed a delivery. */
enum destination_failure {
	HOST_NO_WAY,	  /* … not even to begin: that costs nothing */
	HOST_UNREACHABLE, /* no connection, or no session: for anybody */
	HOST_FAILED,	  /* in the middle of this delivery */
	HOST_STALE /* a kept connection was closed meanwhile: try it again */
};

struct destination {
	LIST_ENTRY(destination) link;
	struct remote *remote;
	struct event *turn; /* there is something to do */
	struct route route; /* of the first delivery: host, port, kind */
	struct delivery_list waiting;
	struct connection_list connections;
	uint32_t nconnections;
	struct hosts *hosts; /* NULL: not known (any more) */
	bool asking;
	char key[]; /* route_key */
};

/* A delivery begins. */
void destination_deliver(struct remote *, struct delivery *);
/* What resolver says; NULL: it is away or did not answer in time. */
void destination_answer(struct destination *, const struct msg_dns_answer *);
/* A connection has no work: the delivery that waits longest, or NULL. */
struct delivery *destination_next(struct destination *);
/* A host failed a delivery, as reply says: it goes on with the next host, or
 * gets its results. */
void destination_failed(struct destination *, struct delivery *,
    uint32_t address, enum destination_failure, const struct reply *);
/* … that there is no connection to. */
void destination_unreachable(struct destination *, struct delivery *,
    uint32_t address, enum destination_failure, int err);
/* Something changed: look again, soon. */
void destination_wake(struct destination *);
/* The process stops; `late`: STOP_FINISH is over. */
void destination_stop(struct destination *, bool late);

#endif
