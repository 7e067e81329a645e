/*
 * agent.c - the channel to queue, and the hand-outs that are known.
 */
#include <bsd/string.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/bytes/log.h"
#include "deliver/local/agent.h"
#include "deliver/local/place.h"

/* Hand-outs whose results queue has not recorded come on top of the window; it
 * records them with its next commit.  More than this is a queue that forgot. */
#define UNRECORDED_MAX 4096

RB_HEAD(handouts, handout_entry);

struct agent {
	struct agent_conf c;
	struct children *children;
	struct channel *queue; /* NULL: away */
	uint32_t instance;
	bool stopping, retiring;
	struct handouts handouts;
	struct agent_counters counters;
};

static int
handout_cmp(const struct handout_entry *a, const struct handout_entry *b)
{
	const struct handout *x = &a->d.handout, *y = &b->d.handout;

	if (x->message != y->message)
		return x->message < y->message ? -1 : 1;
	return (x->attempt > y->attempt) - (x->attempt < y->attempt);
}

/* RB_GENERATE_STATIC of libbsd needs an __unused that it does not define. */
RB_GENERATE_INTERNAL(
    handouts, handout_entry, node, handout_cmp, __attribute__((unused)) static)

static struct handout_entry *
find(struct agent *a, const struct handout *key)
{
	struct handout_entry k = { .d.handout = *key };

	return RB_FIND(handouts, &a->handouts, &k);
}

/* --- results --------------------------------------------------------------- */

static void
log_result(const struct handout_entry *h, int at, const struct reply *r)
{
	static const char *const events[] = {
		[2] = "delivered",
		[4] = "deferred",
		[5] = "failed",
	};
	char text[REPLY_LINE_MAX];

	reply_text(text, sizeof text, r);
	log_info(events[reply_class(r)], log_id("id", h->d.handout.message),
	    log_span("to", h->d.rcpts[at].address),
	    log_str("user", h->account.name), log_str("reply", text));
}

static void
count(struct agent_counters *n, const struct reply *r)
{
	n->delivered += reply_class(r) == 2;
	n->deferred += reply_class(r) == 4;
	n->failed += reply_class(r) == 5;
}

static void
send_result(struct agent *a, const struct msg_result *r)
{
	if (a->queue == NULL)
		return;
	msg_result_put(channel_begin(a->queue, AGENT_RESULT, 0), r);
	/* Should it be lost, it is sent again to the next queue. */
	(void)channel_send(a->queue, -1);
}

static void
check_idle(struct agent *a)
{
	const struct agent_counters *n = &a->counters;

	if (n->underway > 0)
		return;
	if ((a->stopping && (n->unrecorded == 0 || a->queue == NULL)) ||
	    (a->retiring && n->unrecorded == 0 && a->queue == NULL))
		a->c.idle(a->c.arg);
}

static void
forget(struct agent *a, struct handout_entry *h)
{
	RB_REMOVE(handouts, &a->handouts, h);
	handout_free(h);
}

/* The recipients of the message are open ones of the hand-out. */
static void
on_result(void *arg, struct handout_entry *h, const struct msg_result *r)
{
	struct agent *a = arg;
	struct result *kept = malloc(sizeof *kept);

	/* A result that is told once and then forgotten would leave a later
	 * queue waiting: let all of it be handed out again. */
	if (kept == NULL) {
		log_error("out_of_memory", log_str("what", "result"));
		exit(1);
	}
	/* queue first, then the log: nobody waits for that. */
	send_result(a, r);
	for (uint32_t i = 0; i < r->nrcpts; i++) {
		int at = handout_position(h, r->rcpts[i]);

		log_result(h, at, &r->reply);
		count(&a->counters, &r->reply);
		h->done[at] = true;
		h->ndone++;
	}
	kept->msg = *r;
	STAILQ_INSERT_TAIL(&h->results, kept, link);
	if (handout_finished(h)) {
		handout_drop_content(h);
		a->counters.underway--;
		a->counters.unrecorded++;
	}
	check_idle(a);
}

static void
answer(struct handout_entry *h, enum reply_name name, const char *what)
{
	struct reply r;

	reply_make(&r, name, what);
	children_answer(h, &r, on_result, h->agent);
}

/* --- whose mailbox --------------------------------------------------------- */

static void
deliver(struct handout_entry *h)
{
	const struct agent_conf *c = &h->agent->c;
	const struct account *a = &h->account;

	/* Whatever was said: a delivery is never root's. */
	if (c->root && (a->uid == 0 || a->gid == 0))
		answer(h, R_MAILBOX_UNSAFE, "it would be root's");
	else if (c->root && a->uid < c->least_uid)
		answer(h, R_MAILBOX_UNSAFE, "its owner is new; restart");
	else if (!c->root && a->uid != geteuid())
		answer(
		    h, R_MAILBOX_UNSAFE, "the service was not started as root");
	else
		children_deliver(h->agent->children, h);
}

static void
on_account(void *arg, const struct account *a)
{
	struct handout_entry *h = arg;
	const struct conf *conf = h->agent->c.conf;
	bool system = h->d.route.kind == ROUTE_MAILDIR_SYSTEM;

	h->account = *a;
	if (a->state == ACCOUNT_ERROR)
		answer(h, R_TABLE_ERROR, NULL);
	else if (system &&
	    (a->state == ACCOUNT_NONE || a->uid == 0 || a->uid < conf->min_uid))
		answer(h, R_NO_SUCH_USER, h->d.route.user);
	else if (a->state == ACCOUNT_NONE)
		answer(h, R_MAILBOX_UNSAFE, "its owner does not exist");
	else
		deliver(h);
}

static void
begin(struct handout_entry *h)
{
	const struct agent_conf *c = &h->agent->c;
	const struct route *route = &h->d.route;

	if (h->agent->stopping)
		answer(h, R_STOPPING, NULL);
	else if (route->kind == ROUTE_MAILDIR_VIRTUAL &&
	    !place_owner_ok(c->conf, route->user, c->root))
		answer(h, R_MAILBOX_UNSAFE, "not an owner of mailboxes");
	else if (route->user[0] == '\0') {
		h->account.uid = geteuid();
		h->account.gid = getegid();
		deliver(h);
	} else if (c->accounts == NULL)
		answer(h, R_NO_SUCH_USER, route->user);
	else
		accounts_ask(c->accounts, span_of(route->user), on_account, h);
}

/* --- queue ----------------------------------------------------------------- */

static int
on_deliver(void *arg, struct ipc_msg *m)
{
	struct agent *a = arg;
	struct handout_entry *h;

	if (a->counters.underway >= LOCAL_WINDOW ||
	    a->counters.unrecorded >= UNRECORDED_MAX ||
	    (h = handout_new(m)) == NULL)
		return -1;
	h->agent = a;
	if (RB_INSERT(handouts, &a->handouts, h) != NULL) {
		handout_free(h);
		return -1;
	}
	a->counters.underway++;
	begin(h);
	return 0;
}

static int
on_recorded(void *arg, struct ipc_msg *m)
{
	struct agent *a = arg;
	struct msg_recorded r;
	struct handout_entry *h;

	if (msg_recorded_get(m, &r) == -1 ||
	    (h = find(a, &r.handout)) == NULL || !handout_finished(h))
		return -1;
	a->counters.unrecorded--;
	forget(a, h);
	check_idle(a);
	return 0;
}

/* The whole of what queue may say. */
static const struct ipc_rule rules[] = {
	{ AGENT_DELIVER, IPC_ANY_PHASE, IPC_FD_MAYBE, on_deliver },
	{ AGENT_RECORDED, IPC_ANY_PHASE, IPC_FD_NEVER, on_recorded },
};

static void
on_closed(void *arg, bool bad)
{
	struct agent *a = arg;

	a->queue = NULL;
	a->c.gone(a->c.arg, a->instance, bad);
	check_idle(a);
}

static const struct channel_ops ops = { rules, sizeof rules / sizeof *rules,
	on_closed };

static void
tell_underway(struct agent *a, const struct handout_entry *h)
{
	struct msg_underway u = { .handout = h->d.handout,
		.nrcpts = h->d.nrcpts };

	for (uint32_t i = 0; i < h->d.nrcpts; i++)
		u.rcpts[i] = h->d.rcpts[i].index;
	msg_underway_put(channel_begin(a->queue, AGENT_UNDERWAY, 0), &u);
	(void)channel_send(a->queue, -1);
}

void
agent_connect(struct agent *a, uint32_t instance, int fd)
{
	const struct msg_hello hello = { LOCAL_WINDOW };
	struct handout_entry *h;
	const struct result *r;

	channel_free(a->queue);
	a->instance = instance;
	a->queue = channel_new(a->c.base, fd, PEER_QUEUE, &ops, a);
	if (a->queue == NULL) {
		log_error("peer_not_taken", log_str("peer", "queue"),
		    log_errno(errno));
		return;
	}
	RB_FOREACH(h, handouts, &a->handouts)
	tell_underway(a, h);
	msg_hello_put(channel_begin(a->queue, AGENT_HELLO, 0), &hello);
	(void)channel_send(a->queue, -1);
	RB_FOREACH(h, handouts, &a->handouts)
	STAILQ_FOREACH(r, &h->results, link)
	send_result(a, &r->msg);
}

void
agent_retire(struct agent *a)
{
	a->retiring = true;
	check_idle(a);
}

void
agent_stop(struct agent *a)
{
	struct handout_entry *h;

	a->stopping = true;
	while ((h = children_withdraw(a->children)) != NULL)
		answer(h, R_STOPPING, NULL);
	children_end_idle(a->children);
	check_idle(a);
}

void
agent_count(const struct agent *a, struct agent_counters *n)
{
	*n = a->counters;
	n->children = children_count(a->children);
	n->deaths = children_deaths(a->children);
}

struct agent *
agent_new(const struct agent_conf *c)
{
	struct agent *a = calloc(1, sizeof *a);

	if (a == NULL)
		return NULL;
	a->c = *c;
	RB_INIT(&a->handouts);
	a->children = children_new(c->base, c->conf, c->root, on_result, a);
	if (a->children == NULL) {
		free(a);
		return NULL;
	}
	return a;
}
