/*
 * handout.h - one hand-out of queue: a message for recipients of one mailbox,
 * and what became of it so far.  The same in the parent and in a user's child.
 */
#ifndef HANDOUT_H
#define HANDOUT_H

#include <bsd/sys/queue.h>
#include <bsd/sys/tree.h>

#include "common/msg/queue_agent.h"
#include "common/run/account.h"

struct agent;

struct result {
	STAILQ_ENTRY(result) link;
	struct msg_result msg;
};

struct handout_entry {
	RB_ENTRY(handout_entry) node;
	TAILQ_ENTRY(handout_entry) link; /* in a list of who has it now */
	struct agent *agent;
	struct msg_deliver d; /* its spans point into `packet` */
	char *packet;	      /* NULL once all results are there */
	int fd;		      /* of the content, or -1 */
	bool done[DELIVER_RCPTS_MAX];
	uint32_t ndone;
	STAILQ_HEAD(, result) results; /* kept until RECORDED */
	struct account account;	       /* whose mailbox it is */
};

/* Copies the message's body and takes its descriptor.  NULL if it is malformed,
 * or without memory. */
struct handout_entry *handout_new(struct ipc_msg *);
void handout_free(struct handout_entry *); /* NULL is fine */

/* The position of a recipient within the hand-out; -1: not one of it, or one
 * that has its result. */
int handout_position(const struct handout_entry *, uint32_t rcpt);
/* Its recipients without a result, as the message that says so. */
uint32_t handout_open(
    const struct handout_entry *, uint32_t rcpts[DELIVER_RCPTS_MAX]);
bool handout_finished(const struct handout_entry *);
/* Content and addresses are needed no more. */
void handout_drop_content(struct handout_entry *);

#endif
