/*
 * child.h - a user's process: gets hand-outs, delivers, says what became of
 * them.  It talks queue_agent.h's DELIVER and RESULT with its parent.
 *
 * It ends with its channel, but never in the middle: what it has begun when its
 * parent goes away is finished.
 */
#ifndef CHILD_H
#define CHILD_H

#include "common/run/account.h"

struct child_setup {
	int fd; /* to the parent */
	const struct conf *conf;
	bool root; /* the parent was started as root: become the user */
	bool home; /* a system user, who delivers into the own home */
	const struct account *account;
};

/* Its pid, or -1 with errno.  The child does not return. */
pid_t child_fork(const struct child_setup *);

#endif
