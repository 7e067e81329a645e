/*
 * resolver.c - questions of peers, each a search; see resolver.h.
 *
 * A question lives until libunbound has called back for each of its lookups,
 * also when it was answered before, or nobody is there to hear.
 */
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "common/bytes/log.h"
#include "lookup/dns/resolver.h"

/* What libunbound gives back. */
struct lookup {
	struct question *question;
	struct search_lookup lookup;
};

struct question {
	TAILQ_ENTRY(question) link;
	struct resolver *resolver;
	struct asker *asker; /* NULL: answered, or the asker is gone */
	uint32_t id;
	time_t deadline;
	bool running; /* run() is above us */
	struct search search;
	struct lookup lookups[SEARCH_LOOKUPS_MAX];
};

static time_t
now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec;
}

/* ---- answers --------------------------------------------------------------
 */

static void
leave_if_done(struct resolver *r)
{
	if (r->process->stopping && TAILQ_EMPTY(&r->open))
		process_exit(r->process);
}

/* No longer open: nothing more is looked up for it. */
static void
close_question(struct question *q)
{
	TAILQ_REMOVE(&q->resolver->open, q, link);
	q->asker->nquestions--;
	q->asker = NULL;
	leave_if_done(q->resolver);
}

static void
answer(struct question *q)
{
	static struct msg_dns_answer a; /* large, and used within this call */
	struct resolver *r = q->resolver;
	struct channel *channel = q->asker->channel;

	search_answer(&q->search, &r->self, &a);
	/* Out of time: what is known may do, what is not is no "no". */
	if (!search_done(&q->search) && a.n == 0)
		reply_make(&a.reply, R_DNS_TEMPORARY, q->search.ask.name);
	if (reply_class(&a.reply) == 4)
		r->counters.temporary++;
	else if (reply_class(&a.reply) == 5)
		r->counters.permanent++;
	msg_dns_answer_put(channel_begin(channel, DNS_ANSWER, q->id), &a);
	/* A channel that fails is closed from the loop. */
	(void)channel_send(channel, -1);
	close_question(q);
}

/* ---- lookups --------------------------------------------------------------
 */

static void run(struct question *);

static void
on_lookup(void *arg, int rcode, void *packet, int size, int secure, char *why,
    int limited)
{
	static struct packet_records
	    records; /* large, and used within this call */
	struct lookup *l = arg;
	struct question *q = l->question;

	(void)secure;
	(void)why;
	(void)limited;
	packet_parse(&records, l->lookup.type, rcode,
	    span_from(packet, packet != NULL && size > 0 ? (size_t)size : 0));
	search_result(&q->search, l->lookup.number, &records);
	if (!q->running)
		run(q);
}

static void
start(struct question *q, const struct search_lookup *lookup)
{
	static const struct packet_records failed = { .status = PACKET_FAILED };
	static const struct packet_records none = { .status = PACKET_NO_NAME };
	struct lookup *l = &q->lookups[lookup->number];
	int rc;

	l->question = q;
	l->lookup = *lookup;
	q->resolver->counters.lookups++;
	rc = ub_resolve_event(q->resolver->unbound, lookup->name, lookup->type,
	    PACKET_CLASS, l, on_lookup, NULL);
	if (rc != 0)
		search_result(&q->search, lookup->number,
		    rc == UB_SYNTAX ? &none : &failed);
}

/* Make the lookups that are to be made; the last result is the answer's turn.
 * libunbound may call back before it returns. */
static void
run(struct question *q)
{
	struct search_lookup lookup;

	q->running = true;
	while (q->asker != NULL && search_next(&q->search, &lookup))
		start(q, &lookup);
	q->running = false;
	if (q->asker != NULL && search_done(&q->search))
		answer(q);
	if (q->asker == NULL && q->search.outstanding == 0)
		free(q);
}

/* ---- questions ------------------------------------------------------------
 */

static int
on_ask(void *arg, struct ipc_msg *m)
{
	struct asker *asker = arg;
	struct resolver *r = asker->resolver;
	struct msg_dns_ask ask;
	struct question *q;

	if (msg_dns_ask_get(m, &ask) == -1 ||
	    asker->nquestions >= REMOTE_RESOLVER_WINDOW)
		return -1;
	q = calloc(1, sizeof *q);
	if (q == NULL)
		return -1;
	q->resolver = r;
	q->asker = asker;
	q->id = m->id;
	q->deadline = now() + RESOLVER_SECONDS;
	TAILQ_INSERT_TAIL(&r->open, q, link);
	asker->nquestions++;
	r->counters.questions++;
	search_begin(&q->search, &ask);
	run(q);
	return 0;
}

/* All have the same time, so the oldest one is the first to be late. */
static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct resolver *r = arg;
	struct question *q;

	(void)fd;
	(void)what;
	while ((q = TAILQ_FIRST(&r->open)) != NULL && q->deadline <= now())
		answer(q);
}

static void
on_closed(void *arg, bool bad)
{
	struct asker *asker = arg;
	struct resolver *r = asker->resolver;
	struct question *q, *next;

	for (q = TAILQ_FIRST(&r->open); q != NULL; q = next) {
		next = TAILQ_NEXT(q, link);
		if (q->asker == asker)
			close_question(q);
	}
	asker->channel = NULL;
	if (bad)
		process_complain(r->process, asker->kind, asker->instance);
}

static const struct ipc_rule from_asker[] = {
	{ DNS_ASK, IPC_ANY_PHASE, IPC_FD_NEVER, on_ask },
};

static const struct channel_ops asker_ops = {
	.rules = from_asker,
	.nrules = sizeof from_asker / sizeof from_asker[0],
	.closed = on_closed,
};

/* ---- process --------------------------------------------------------------
 */

static void
prepare(struct process *p)
{
	struct resolver *r = p->state;

	r->process = p;
	TAILQ_INIT(&r->open);
	self_find(&r->self, p->conf);
	r->unbound = unbound_open(p);
}

static void
begin(struct process *p)
{
	static const struct timeval second = { .tv_sec = 1 };
	struct resolver *r = p->state;

	r->timer = event_new(p->base, -1, EV_PERSIST, on_timer, r);
	if (r->timer == NULL || event_add(r->timer, &second) == -1)
		fatalx("events", "no timer");
}

static void
peer(struct process *p, enum peer kind, uint32_t instance, int fd)
{
	struct resolver *r = p->state;
	struct asker *a = NULL;

	for (int i = 0; i < RESOLVER_PEERS && a == NULL; i++)
		if (r->askers[i].channel == NULL)
			a = &r->askers[i];
	if (kind != PEER_REMOTE || a == NULL) {
		log_warn("peer_refused", log_str("peer", peer_name(kind)));
		close(fd);
		return;
	}
	*a =
	    (struct asker){ .resolver = r, .kind = kind, .instance = instance };
	a->channel = channel_new(p->base, fd, kind, &asker_ops, a);
	if (a->channel == NULL) {
		log_warn("no_channel", log_str("peer", peer_name(kind)));
		close(fd);
	}
}

static void
stop(struct process *p)
{
	leave_if_done(p->state);
}

static void
status(
    struct process *p, void (*add)(void *, const char *, uint64_t), void *arg)
{
	const struct resolver *r = p->state;

	add(arg, "questions", r->counters.questions);
	add(arg, "lookups", r->counters.lookups);
	add(arg, "temporary", r->counters.temporary);
	add(arg, "permanent", r->counters.permanent);
}

const struct process_ops resolver_ops = {
	.kind = PEER_RESOLVER,
	.prepare = prepare,
	.sandbox = resolver_sandbox,
	.begin = begin,
	.peer = peer,
	.stop = stop,
	.status = status,
};
