/*
 * children.c - starting, feeding, watching and ending the children.
 *
 * Hand-outs wait in one list, in the order in which they came.  Where every
 * child that there may be is busy, the first that needs another one stops those
 * behind it, so that users with much mail do not keep the others waiting for
 * ever.
 */
#include <sys/wait.h>

#include <bsd/string.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "common/bytes/log.h"
#include "deliver/local/child.h"
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
	int64_t since; /* its last result, or when it got work */
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

static void dispatch(struct children *);

static int64_t
now_seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec;
}

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

static struct handout_entry *
find_sent(struct child *c, const struct handout *key)
{
	struct handout_entry *h;

	TAILQ_FOREACH(h, &c->sent, link)
	if (h->d.handout.message == key->message &&
	    h->d.handout.attempt == key->attempt)
		return h;
	return NULL;
}

/* A child is a user's process: what it says is checked like anybody's. */
static bool
result_ok(const struct handout_entry *h, const struct msg_result *r)
{
	for (uint32_t i = 0; i < r->nrcpts; i++) {
		if (handout_position(h, r->rcpts[i]) == -1)
			return false;
		for (uint32_t j = 0; j < i; j++)
			if (r->rcpts[i] == r->rcpts[j])
				return false;
	}
	return r->last == (h->ndone + r->nrcpts == h->d.nrcpts) &&
	    r->host[0] == '\0';
}

static int
on_result(void *arg, struct ipc_msg *m)
{
	struct child *c = arg;
	struct children *in = c->in;
	struct handout_entry *h;
	struct msg_result r;

	if (msg_result_get(m, &r) == -1 ||
	    (h = find_sent(c, &r.handout)) == NULL || !result_ok(h, &r))
		return -1;
	c->since = now_seconds();
	if (r.last) {
		TAILQ_REMOVE(&c->sent, h, link);
		c->nsent--;
	}
	in->result(in->arg, h, &r);
	if (r.last)
		dispatch(in);
	return 0;
}

static const struct ipc_rule rules[] = {
	{ AGENT_RESULT, IPC_ANY_PHASE, IPC_FD_NEVER, on_result },
};

/* --- ends ------------------------------------------------------------------ */

/* Both its channel and its process are gone. */
static void
release(struct child *c)
{
	static const struct timeval now = { 0 };
	struct children *in = c->in;

	if (c->pid != 0 || c->channel != NULL)
		return;
	TAILQ_REMOVE(&in->list, c, link);
	in->n--;
	free(c);
	/* From the loop: whoever calls this may walk the list. */
	evtimer_add(in->again, &now);
}

static void
on_again(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	dispatch(arg);
}

static void
on_closed(void *arg, bool bad)
{
	struct child *c = arg;
	struct children *in = c->in;
	struct handout_entry *h;
	struct reply r;

	c->channel = NULL;
	if (bad && c->pid != 0)
		kill(c->pid, SIGKILL);
	if (c->nsent > 0) {
		in->deaths++;
		log_warn("delivery_process_lost",
		    log_str("user", c->account.name),
		    log_num("handouts", (int64_t)c->nsent));
	}
	reply_make(&r, R_AGENT_DIED, NULL);
	while ((h = TAILQ_FIRST(&c->sent)) != NULL) {
		TAILQ_REMOVE(&c->sent, h, link);
		c->nsent--;
		children_answer(h, &r, in->result, in->arg);
	}
	release(c);
}

static const struct channel_ops ops = { rules, sizeof rules / sizeof *rules,
	on_closed };

/* It sees the end of its channel, and ends; it has nothing to do. */
static void
end(struct child *c)
{
	channel_free(c->channel);
	c->channel = NULL;
	release(c);
}

static void
reaped(struct children *in, pid_t pid, int status)
{
	struct child *c;

	TAILQ_FOREACH(c, &in->list, link)
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
	release(c);
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

	TAILQ_FOREACH_SAFE(c, &in->list, link, next)
	if (c->channel != NULL && c->nsent == 0)
		end(c);
}

/* Once a second as long as there is a child. */
static void
on_tick(evutil_socket_t fd, short what, void *arg)
{
	static const struct timeval second = { .tv_sec = 1 };
	struct children *in = arg;
	struct child *c, *next;
	int64_t now = now_seconds();

	(void)fd;
	(void)what;
	TAILQ_FOREACH_SAFE(c, &in->list, link, next)
	{
		bool busy = c->nsent > 0;

		if (c->channel != NULL && !busy &&
		    now - c->since > CHILD_IDLE_SECONDS)
			end(c);
		else if (busy && c->pid != 0 &&
		    now - c->since > CHILD_HUNG_SECONDS)
			kill(c->pid, SIGKILL);
	}
	if (!TAILQ_EMPTY(&in->list))
		evtimer_add(in->tick, &second);
}

/* --- beginnings ------------------------------------------------------------ */

static bool
is_for(const struct child *c, const struct handout_entry *h)
{
	const struct account *a = &c->account, *b = &h->account;

	return c->channel != NULL &&
	    c->home == (h->d.route.kind == ROUTE_MAILDIR_SYSTEM) &&
	    a->uid == b->uid && a->gid == b->gid &&
	    strcmp(a->name, b->name) == 0 && strcmp(a->home, b->home) == 0;
}

static int
start(struct child *c)
{
	struct child_setup setup = {
		.conf = c->in->conf,
		.root = c->in->root,
		.home = c->home,
		.account = &c->account,
	};
	int fds[2];

	if (channel_pair(fds) == -1)
		return -1;
	setup.fd = fds[1];
	c->pid = child_fork(&setup);
	close(fds[1]);
	if (c->pid == -1) {
		close(fds[0]);
		return -1;
	}
	c->channel = channel_new(c->in->base, fds[0], PEER_LOCAL, &ops, c);
	/* Without a channel the child is at its end already, and is reaped. */
	return 0;
}

static struct child *
child_new(struct children *in, const struct handout_entry *h)
{
	static const struct timeval second = { .tv_sec = 1 };
	struct child *c = calloc(1, sizeof *c);

	if (c == NULL)
		return NULL;
	c->in = in;
	c->home = h->d.route.kind == ROUTE_MAILDIR_SYSTEM;
	c->account = h->account;
	c->since = now_seconds();
	TAILQ_INIT(&c->sent);
	if (start(c) == -1) {
		log_error("delivery_process_not_started",
		    log_str("user", c->account.name), log_errno(errno));
		free(c);
		return NULL;
	}
	TAILQ_INSERT_TAIL(&in->list, c, link);
	in->n++;
	if (!evtimer_pending(in->tick, NULL))
		evtimer_add(in->tick, &second);
	return c;
}

static void
give(struct child *c, struct handout_entry *h)
{
	TAILQ_REMOVE(&c->in->waiting, h, link);
	TAILQ_INSERT_TAIL(&c->sent, h, link);
	if (c->nsent++ == 0)
		c->since = now_seconds();
	msg_deliver_put(channel_begin(c->channel, AGENT_DELIVER, 0), &h->d);
	/* A channel that broke is told of by the loop. */
	(void)channel_send(c->channel, h->fd);
}

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

	TAILQ_FOREACH(c, &in->list, link)
	if (is_for(c, h))
		return c;
	return NULL;
}

/* Give what waits to those who can take it. */
static void
dispatch(struct children *in)
{
	struct handout_entry *h, *next;

	if (in->dispatching)
		return;
	in->dispatching = true;
	TAILQ_FOREACH_SAFE(h, &in->waiting, link, next)
	{
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
			give(c, h);
	}
	in->dispatching = false;
}

void
children_deliver(struct children *in, struct handout_entry *h)
{
	TAILQ_INSERT_TAIL(&in->waiting, h, link);
	dispatch(in);
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
