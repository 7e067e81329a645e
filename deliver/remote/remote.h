/*
 * remote.h - the delivery process for other hosts: its state, and what its
 * parts ask of each other.
 *
 *   remote.c       process: peers, stop, status; the hand-outs of queue
 *   destination.c  a next hop: what waits for it, its share of connections
 *   hosts.c        its hosts, and which of them is next
 *   connection*.c  a socket and the client dialogue on it
 *   client*.c      the dialogue itself, without a socket
 *   delivery.c     a hand-out and its results
 */
#ifndef REMOTE_H
#define REMOTE_H

#include "common/msg/remote_resolver.h"
#include "common/run/pending.h"
#include "common/run/process.h"
#include "deliver/remote/delivery.h"

/* Hand-outs under way at once. */
#define REMOTE_WINDOW 200
/* … and those whose results queue has not recorded yet, in all. */
#define REMOTE_DELIVERIES_MAX (4 * REMOTE_WINDOW)
/* Sockets: at most REMOTE_WINDOW are in use; others are idle, and give way. */
#define REMOTE_CONNECTIONS_MAX 300
#define REMOTE_SMTP_PORT       25

struct connection;
struct destination;
TAILQ_HEAD(connection_list, connection);
LIST_HEAD(destination_list, destination);

struct remote {
	struct process *process;

	struct channel *queue;
	uint32_t queue_instance;
	bool greeted; /* HELLO was sent on it */
	struct channel *resolver;
	uint32_t resolver_instance;
	struct pending *asks; /* of destinations, to resolver */

	struct delivery_list deliveries; /* from DELIVER to RECORDED */
	uint32_t ndeliveries, nactive;	 /* all; without all results */
	struct destination_list destinations;
	struct connection_list
	    spare; /* idle or saying goodbye; the oldest first */
	uint32_t nconnections;
	struct event *stop_timer;

	struct {
		uint64_t delivered, deferred, refused, connections, reused;
	} counters; /* the first three: recipients */
};

extern const struct process_ops remote_ops;

/* sandbox.c */
const struct confine *remote_sandbox(struct process *);

/* Milliseconds of the monotonic clock. */
int64_t remote_now(void);

/* Every recipient has its result: it goes to the log and to queue. */
void remote_complete(struct remote *, struct delivery *);

#endif
