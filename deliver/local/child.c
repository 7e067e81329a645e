/*
 * child.c - becoming the user, and the loop of a user's process.
 *
 * What lies ready in the channel is taken together and delivered as batches.
 */
#include <bsd/unistd.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/bytes/log.h"
#include "common/run/process.h"
#include "deliver/local/batch.h"
#include "deliver/local/child.h"
#include "deliver/local/sandbox.h"

#define FD_PARENT 3

struct user {
	struct event_base *base;
	struct channel *parent; /* NULL: it is gone */
	struct event *flush;
	struct batch *batch;
	TAILQ_HEAD(, handout_entry) todo;
	/* What is said of a hand-out: recipients with the same reply together. */
	struct handout_entry *telling;
	struct msg_result result;
};

/* --- results --------------------------------------------------------------- */

static void
tell(struct user *u)
{
	struct handout_entry *h = u->telling;

	u->telling = NULL;
	if (h == NULL)
		return;
	u->result.last = handout_finished(h);
	if (u->parent != NULL) {
		msg_result_put(
		    channel_begin(u->parent, AGENT_RESULT, 0), &u->result);
		(void)channel_send(u->parent, -1);
	}
	if (u->result.last) {
		TAILQ_REMOVE(&u->todo, h, link);
		handout_free(h);
	}
}

static bool
same_reply(const struct reply *a, const struct reply *b)
{
	return a->code == b->code && strcmp(a->text, b->text) == 0;
}

static void
on_done(void *arg, struct handout_entry *h, uint32_t position,
    const struct reply *r)
{
	struct user *u = arg;

	if (u->telling != h || !same_reply(&u->result.reply, r)) {
		tell(u);
		u->telling = h;
		u->result =
		    (struct msg_result){ .handout = h->d.handout, .reply = *r };
	}
	h->done[position] = true;
	h->ndone++;
	u->result.rcpts[u->result.nrcpts++] = h->d.rcpts[position].index;
}

/* --- the loop -------------------------------------------------------------- */

static void
run_batch(struct user *u)
{
	batch_run(u->batch, on_done, u);
	tell(u);
}

static void
on_flush(evutil_socket_t fd, short what, void *arg)
{
	struct user *u = arg;
	struct handout_entry *h, *next;

	(void)fd;
	(void)what;
	/* A hand-out is freed when its last result was told: by run_batch, of
	 * those that are in the batch, and not of h before its last recipient. */
	TAILQ_FOREACH_SAFE (h, &u->todo, link, next)
		for (uint32_t i = 0, n = h->d.nrcpts; i < n; i++) {
			batch_add(u->batch, h, i);
			if (batch_full(u->batch))
				run_batch(u);
		}
	run_batch(u);
	if (u->parent == NULL)
		event_base_loopbreak(u->base);
}

static int
on_deliver(void *arg, struct ipc_msg *m)
{
	static const struct timeval now = { 0 };
	struct user *u = arg;
	struct handout_entry *h = handout_new(m);

	if (h == NULL)
		return -1;
	TAILQ_INSERT_TAIL(&u->todo, h, link);
	/* After the channel has given all that it has. */
	evtimer_add(u->flush, &now);
	return 0;
}

static const struct ipc_rule rules[] = {
	{ AGENT_DELIVER, IPC_ANY_PHASE, IPC_FD_MAYBE, on_deliver },
};

static void
on_closed(void *arg, bool bad)
{
	struct user *u = arg;

	(void)bad;
	u->parent = NULL;
	if (TAILQ_EMPTY(&u->todo))
		event_base_loopbreak(u->base);
}

static const struct channel_ops ops = { rules, sizeof rules / sizeof *rules,
	on_closed };

static void
make_events(struct user *u, const struct child_setup *s)
{
	struct syncer *syncer = syncer_new();

	TAILQ_INIT(&u->todo);
	if (syncer != NULL)
		u->batch = batch_new(s->conf, s->account, syncer);
	if (u->batch == NULL || (u->base = event_base_new()) == NULL)
		fatal("delivery");
	u->flush = evtimer_new(u->base, on_flush, u);
	u->parent = channel_new(u->base, FD_PARENT, PEER_LOCAL, &ops, u);
	if (u->flush == NULL || u->parent == NULL)
		fatal("delivery");
}

/* --- becoming the user ----------------------------------------------------- */

/* Those to the process group are not for a child. */
static void
ignore_signals(void)
{
	signal(SIGTERM, SIG_IGN);
	signal(SIGINT, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	signal(SIGCHLD, SIG_DFL);
	/* A file over the limit is an error like others. */
	signal(SIGXFSZ, SIG_IGN);
}

_Noreturn static void
run(const struct child_setup *s)
{
	const struct confine *limits = sandbox_child(s);
	const struct account *a = s->account;
	struct user u = { 0 };

	/* The parent's descriptors, and the messages behind them, are not the
	 * user's. */
	if (s->fd != FD_PARENT && dup2(s->fd, FD_PARENT) == -1)
		fatal("delivery");
	closefrom(FD_PARENT + 1);
	if (s->root)
		confine_user(a->uid, a->gid, a->groups, a->ngroups);
	make_events(&u, s);
	confine_landlock(limits, s->conf->seccomp_only);
	confine_seccomp(limits);
	event_base_dispatch(u.base);
	_exit(0);
}

pid_t
child_fork(const struct child_setup *s)
{
	sigset_t all, before;
	pid_t pid;

	/* Signals wait meanwhile: a handler of the parent's, in the child,
	 * would tell the parent's loop. */
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &before);
	pid = fork();
	if (pid == 0) {
		ignore_signals();
		sigprocmask(SIG_SETMASK, &before, NULL);
		run(s);
	}
	sigprocmask(SIG_SETMASK, &before, NULL);
	return pid;
}
