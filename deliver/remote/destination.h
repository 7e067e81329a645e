/*
 * destination.h - a next hop (a route's key): the deliveries that wait for it,
 * its hosts, and its connections, never more than host_concurrency.
 *
 * RFC 5321 section 5.1: the hosts are tried in the order that resolver gave, at
 * least two addresses where there are two.  A host that could not be reached is
 * not tried again by anyone as long as the answer is kept.
 */
#ifndef DESTINATION_H
#define DESTINATION_H

#include "deliver/remote/remote.h"

/* The answer of resolver, and what is known of its hosts, is kept this long. */
#define HOSTS_SECONDS 30
/* Addresses tried for one delivery. */
#define HOSTS_TRIES 5

/* The hosts of a destination; shared, freed with the last reference. */
struct hosts {
	unsigned refs;
	int64_t until;	  /* milliseconds */
	uint64_t failed;  /* bits: could not be reached */
	struct reply why; /* … the last of them, with its name */
	char why_host[CONF_HOST_MAX + 1];
	uint32_t n;
	struct dns_address a[];
};

void hosts_release(struct hosts *); /* NULL is fine */
/* "mx.example [192.0.2.1]" */
void hosts_name(char dst[CONF_HOST_MAX + 1], const struct dns_address *);

/* How a host failed a delivery. */
enum destination_failure {
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
void destination_unreachable(
    struct destination *, struct delivery *, uint32_t address, int err);
/* Something changed: look again, soon. */
void destination_wake(struct destination *);
/* The process stops; `late`: STOP_FINISH is over. */
void destination_stop(struct destination *, bool late);

#endif
