/*
 * child_life.c - one child as its parent sees it; see child_life.h.
 */
#include <bsd/string.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "common/bytes/log.h"
#include "deliver/local/child.h"
#include "deliver/local/child_life.h"

int64_t
child_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec;
}

/* --- results --------------------------------------------------------------- */

static struct handout_entry *
find_sent(struct child *c, const struct handout *key)
{
	struct handout_entry *h;

	TAILQ_FOREACH (h, &c->sent, link)
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
	c->since = child_now();
	if (r.last) {
		TAILQ_REMOVE(&c->sent, h, link);
		c->nsent--;
	}
	in->result(in->arg, h, &r);
	if (r.last)
		children_dispatch(in);
	return 0;
}

static const struct ipc_rule rules[] = {
	{ AGENT_RESULT, IPC_ANY_PHASE, IPC_FD_NEVER, on_result },
};

/* --- ends ------------------------------------------------------------------ */

/* Both its channel and its process are gone. */
void
child_release(struct child *c)
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
on_closed(void *arg, bool bad)
{
	struct child *c = arg;
	struct children *in = c->in;
	struct handout_entry *h;
	struct reply r;

	c->channel = NULL;
	c->since = child_now();
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
	child_release(c);
}

static const struct channel_ops ops = { rules, sizeof rules / sizeof *rules,
	on_closed };

/* It sees the end of its channel, and ends; it has nothing to do. */
void
child_end(struct child *c)
{
	channel_free(c->channel);
	c->channel = NULL;
	c->since = child_now();
	child_release(c);
}

/* --- beginnings ------------------------------------------------------------ */

bool
child_is_for(const struct child *c, const struct handout_entry *h)
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

struct child *
child_new(struct children *in, const struct handout_entry *h)
{
	static const struct timeval second = { .tv_sec = 1 };
	struct child *c = calloc(1, sizeof *c);

	if (c == NULL)
		return NULL;
	c->in = in;
	c->home = h->d.route.kind == ROUTE_MAILDIR_SYSTEM;
	c->account = h->account;
	c->since = child_now();
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

void
child_give(struct child *c, struct handout_entry *h)
{
	TAILQ_REMOVE(&c->in->waiting, h, link);
	TAILQ_INSERT_TAIL(&c->sent, h, link);
	if (c->nsent++ == 0)
		c->since = child_now();
	msg_deliver_put(channel_begin(c->channel, AGENT_DELIVER, 0), &h->d);
	/* A channel that broke is told of by the loop. */
	(void)channel_send(c->channel, h->fd);
}
