/*
 * children.c - which child there is, and which gets what; see children.h.
 *
 * Hand-outs wait in one list, in the order in which they came.  Where every
 * child that there may be is busy, the first that needs another one stops those
 * behind it, so that users with much mail do not keep the others waiting for
 * ever.
 */
#include <sys/wait.h>

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "common/bytes/log.h"
#include "deliver/local/child_life.h"

/* --- results --------------------------------------------------------------- */

void
children_answer(struct handout_entry *h, const struct reply *reply,
    children_result *result, void *arg)
{
	struct msg_result r = { .handout = h->d.handout, .last = true };

	r.reply = *reply;
	r.nrcpts = handout_open(h, r.rcpts);
	result(arg, h, &r);
}

/* --- ends ------------------------------------------------------------------ */

static void
on_again(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	children_dispatch(arg);
}

static void
reaped(struct children *in, pid_t pid, int status)
{
	struct child *c;

	TAILQ_FOREACH (c, &in->list, link)
		if (c->pid == pid)
			break;
	if (c == NULL)
		return;
	if (WIFSIGNALED(status) || WEXITSTATUS(status) != 0)
		log_warn("delivery_process_died",
		    log_str("user", c->account.name),
		    log_num(
			"signal", WIFSIGNALED(status) ? WTERMSIG(status) : 0),
		    log_num(
			"status", WIFEXITED(status) ? WEXITSTATUS(status) : 0));
	c->pid = 0;
	child_release(c);
}

static void
on_sigchld(evutil_socket_t signum, short what, void *arg)
{
	struct children *in = arg;
	int status;
	pid_t pid;

	(void)signum;
	(void)what;
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		reaped(in, pid, status);
}

void
children_end_idle(struct children *in)
{
	struct child *c, *next;

	TAILQ_FOREACH_SAFE (c, &in->list, link, next)
		if (c->channel != NULL && c->nsent == 0)
			child_end(c);
}

/* How long it may be silent.  The user's own signals can stop it at any time,
 * and a file system of the user's making hold it up. */
static int64_t
patience(const struct child *c)
{
	return c->channel != NULL ? CHILD_HUNG_SECONDS : CHILD_LEAVE_SECONDS;
}

/* Once a second as long as there is a child. */
static void
on_tick(evutil_socket_t fd, short what, void *arg)
{
	static const struct timeval second = { .tv_sec = 1 };
	struct children *in = arg;
	struct child *c, *next;
	int64_t now = child_now();

	(void)fd;
	(void)what;
	TAILQ_FOREACH_SAFE (c, &in->list, link, next) {
		int64_t still = now - c->since;

		if (c->channel != NULL && c->nsent == 0) {
			if (still > CHILD_IDLE_SECONDS)
				child_end(c);
		} else if (c->pid != 0 && still > patience(c)) {
			kill(c->pid, SIGKILL);
		}
	}
	if (!TAILQ_EMPTY(&in->list))
		evtimer_add(in->tick, &second);
}

/* --- beginnings ------------------------------------------------------------ */

static void
refuse(struct children *in, struct handout_entry *h)
{
	struct reply r;

	TAILQ_REMOVE(&in->waiting, h, link);
	reply_make(&r, R_LOCAL_ERROR, "no process for the delivery");
	children_answer(h, &r, in->result, in->arg);
}

static struct child *
find(struct children *in, const struct handout_entry *h)
{
	struct child *c;

	TAILQ_FOREACH (c, &in->list, link)
		if (child_is_for(c, h))
			return c;
	return NULL;
}

/* Give what waits to those who can take it. */
void
children_dispatch(struct children *in)
{
	struct handout_entry *h, *next;

	if (in->dispatching)
		return;
	in->dispatching = true;
	TAILQ_FOREACH_SAFE (h, &in->waiting, link, next) {
		struct child *c = find(in, h);

		if (c == NULL && in->n >= in->conf->local_concurrency) {
			children_end_idle(in);
			break;
		}
		if (c == NULL)
			c = child_new(in, h);
		if (c == NULL || c->channel == NULL)
			refuse(in, h);
		else if (c->nsent < CHILD_WINDOW)
			child_give(c, h);
	}
	in->dispatching = false;
}

void
children_deliver(struct children *in, struct handout_entry *h)
{
	TAILQ_INSERT_TAIL(&in->waiting, h, link);
	children_dispatch(in);
}

struct handout_entry *
children_withdraw(struct children *in)
{
	struct handout_entry *h = TAILQ_FIRST(&in->waiting);

	if (h != NULL)
		TAILQ_REMOVE(&in->waiting, h, link);
	return h;
}

size_t
children_count(const struct children *in)
{
	return in->n;
}

uint64_t
children_deaths(const struct children *in)
{
	return in->deaths;
}

struct children *
children_new(struct event_base *base, const struct conf *conf, bool root,
    children_result *result, void *arg)
{
	struct children *in = calloc(1, sizeof *in);

	if (in == NULL)
		return NULL;
	in->base = base;
	in->conf = conf;
	in->root = root;
	in->result = result;
	in->arg = arg;
	TAILQ_INIT(&in->list);
	TAILQ_INIT(&in->waiting);
	in->tick = evtimer_new(base, on_tick, in);
	in->again = evtimer_new(base, on_again, in);
	in->sigchld = evsignal_new(base, SIGCHLD, on_sigchld, in);
	if (in->tick == NULL || in->again == NULL || in->sigchld == NULL ||
	    event_add(in->sigchld, NULL) == -1) {
		free(in);
		errno = ENOMEM;
		return NULL;
	}
	return in;
}
