/*
 * children.h - the processes that deliver: one for each user who has mail now.
 *
 * A child is forked, becomes the user, and is then handed one hand-out after
 * the other; it is kept until it was without work for some seconds, for a new one
 * is a fork, a sandbox and threads.  There are at most local_concurrency of them,
 * and one without work makes room for another user's.  A child that ends takes
 * with it only what it was given: those recipients are told to be tried again.
 */
#ifndef CHILDREN_H
#define CHILDREN_H

#include <event2/event.h>

#include "deliver/local/handout.h"

#define CHILD_WINDOW	    32 /* hand-outs that a child has at once */
#define CHILD_IDLE_SECONDS  5
#define CHILD_HUNG_SECONDS  300 /* without any result: it is ended */
#define CHILD_LEAVE_SECONDS 5 /* … or after it was to end; it holds a place */

struct children;

/* One or several recipients of a hand-out have their result; the message is
 * checked.  The last one of a hand-out comes when nothing here knows it any more. */
typedef void children_result(
    void *arg, struct handout_entry *, const struct msg_result *);

/* NULL with errno.  For begin(): SIGCHLD is taken. */
struct children *children_new(struct event_base *, const struct conf *,
    bool root, children_result *, void *arg);

/* h->account is set.  The result may come before this returns. */
void children_deliver(struct children *, struct handout_entry *);
/* A hand-out that no child has begun, which is then the caller's; or NULL. */
struct handout_entry *children_withdraw(struct children *);
/* For the open recipients of a hand-out. */
void children_answer(
    struct handout_entry *, const struct reply *, children_result *, void *arg);

/* Those without work end now. */
void children_end_idle(struct children *);
size_t children_count(const struct children *);
/* How often a child ended with work in hand. */
uint64_t children_deaths(const struct children *);

#endif
