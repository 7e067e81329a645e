/*
 * expansion.h - the addresses that an alias leads to, as they come from lookup,
 * and in the order in which they become messages.  Pure.
 */
#ifndef EXPANSION_H
#define EXPANSION_H

#include <bsd/sys/queue.h>

#include "common/msg/queue_lookup.h"
#include "queue/index.h"

/* Recipients of one of the new messages; more go into several. */
#define CHILD_RCPTS_MAX 1000

struct row {
	struct span address, owner; /* set by expansion_complete() */
	size_t address_at, owner_at;
	uint32_t order;
	bool again, alias;
	uint64_t child; /* the message that begins with it */
};

struct expansion {
	LIST_ENTRY(expansion) link; /* the caller's */
	struct recipient *rcpt;
	uint64_t number; /* lookup's */
	uint32_t n, total;
	struct row *rows;
	struct buf text;
};

/* By its first packet, which is not added yet.  NULL with errno. */
struct expansion *expansion_new(
    struct recipient *, const struct msg_expanded *);
void expansion_free(struct expansion *);
/* Is this the packet that comes next? */
bool expansion_continues(const struct expansion *, const struct msg_expanded *);
/* 0, or -1 with errno. */
int expansion_add(struct expansion *, const struct msg_expanded *);

/* All are there: addresses and owners are set from here on. */
void expansion_complete(struct expansion *);
/* What is a recipient of the message anyway, and no alias, gets it there.  0,
 * or -1: no memory. */
int expansion_drop_known(struct expansion *);
/* Those that share a new message stand together, in their order. */
void expansion_sort(struct expansion *);
/* How many from here on share a new message. */
uint32_t expansion_run(const struct expansion *, uint32_t from);

#endif
