/*
 * child_life.h - one child as its parent sees it: started, given work, heard,
 * and gone.
 *
 * It is gone when both its channel is closed and its process is reaped, in
 * either order.
 */
#ifndef CHILD_LIFE_H
#define CHILD_LIFE_H

#include "deliver/local/children.h"

struct child {
	TAILQ_ENTRY(child) link;
	struct children *in;
	pid_t pid;		 /* 0: reaped */
	struct channel *channel; /* NULL: closed */
	bool home;		 /* a system user's own mailbox */
	struct account account;
	TAILQ_HEAD(, handout_entry) sent;
	size_t nsent;
	int64_t since; /* its last result, when it got work, or was to end */
};

struct children {
	struct event_base *base;
	const struct conf *conf;
	bool root;
	children_result *result;
	void *arg;
	struct event *tick, *sigchld;
	struct event *again; /* a place became free */
	TAILQ_HEAD(, child) list;
	size_t n;
	TAILQ_HEAD(, handout_entry) waiting;
	bool dispatching;
	uint64_t deaths;
};

/* Seconds of the monotonic clock. */
int64_t child_now(void);

/* For the mailboxes of h's user.  NULL: it could not be started (logged). */
struct child *child_new(struct children *, const struct handout_entry *h);
/* It delivers as h wants it. */
bool child_is_for(const struct child *, const struct handout_entry *h);
/* A hand-out that waits is its own now. */
void child_give(struct child *, struct handout_entry *);
/* It sees the end of its channel, and ends; it has nothing to do. */
void child_end(struct child *);
/* Frees it if both its channel and its process are gone. */
void child_release(struct child *);

/* children.c: give what waits to those who can take it. */
void children_dispatch(struct children *);

#endif
