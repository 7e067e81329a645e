/*
 * pending.h - requests that wait for an answer on one channel.
 *
 * A fixed window: when it is full the caller waits or answers 4yz, it never
 * queues more on the peer.  Every request has an id that is not used again
 * soon, and a time limit.
 */
#ifndef PENDING_H
#define PENDING_H

#include <event2/event.h>

#include <stdbool.h>
#include <stdint.h>

struct pending;

/* `failed` is told each request whose time ran out or whose peer went away;
 * it may add new requests, to another table or (after a close) to none. */
struct pending *pending_new(struct event_base *, size_t window,
    unsigned seconds, void (*failed)(void *arg, void *request), void *arg);
void pending_free(struct pending *);	/* forgets all, calls nobody */

bool pending_full(const struct pending *);
size_t pending_count(const struct pending *);
/* The id to send with, never 0.  The window must not be full. */
uint32_t pending_add(struct pending *, void *request);
/* The request of an answer, which is then no longer pending; NULL if there is
 * no such request (late, or made up by the peer). */
void *pending_take(struct pending *, uint32_t id);
/* Its client is gone: the answer, when it comes, is to be ignored. */
void pending_forget(struct pending *, void *request);
/* The peer is gone. */
void pending_fail_all(struct pending *);

#endif
