/*
 * handout.c - what is ready goes to its agent, with the content.
 *
 * A small content goes in the packet; a larger one is read and checked by the
 * store's thread first, while smaller ones pass it.
 */
#include <errno.h>
#include <stdlib.h>

#include "common/bytes/log.h"
#include "queue/queue.h"

/* Seconds to wait with what could not be handed out. */
#define LATER	       60
#define PACKET_RESERVE 4096 /* of a DELIVER, beside its spans */

void
queue_put_off(struct queue *q, struct delivery *h, int64_t wait)
{
	int64_t due = queue_now() + wait;

	for (uint32_t i = 0; i < h->n; i++)
		if (h->rcpts[i].rcpt != NULL)
			schedule_add(q->schedule, h->rcpts[i].rcpt, due);
	agent_forget(q, h);
}

/* An attempt as any other: it is seen, tried again, for a disk may come to its
 * senses, and in the end the sender is told. */
static void
damaged(struct queue *q, struct delivery *h)
{
	uint32_t rcpts[DELIVER_RCPTS_MAX];
	struct message *m =
	    index_find(store_index(q->store), h->handout.message);
	struct result result = {
		.handout = { h->handout.message, 0 }, .host = "", .rcpts = rcpts
	};

	for (uint32_t i = 0; i < h->n; i++) {
		if (h->rcpts[i].rcpt == NULL)
			continue;
		rcpts[result.n++] = h->rcpts[i].index;
		schedule_record(q->schedule, h->rcpts[i].rcpt);
	}
	if (m != NULL)
		m->flags |= MESSAGE_DAMAGED;
	agent_forget(q, h);
	reply_make(&result.reply, R_DAMAGED, NULL);
	if (result.n > 0)
		outcome_record(q, &result);
}

static void
undelivered(struct queue *q, struct delivery *h, int err)
{
	bool is_damaged = content_is_damaged(err);

	if (err != 0)
		log_error(is_damaged ? "content_damaged" : "not_handed_out",
		    log_id("id", h->handout.message), log_errno(err));
	if (is_damaged)
		damaged(q, h);
	else
		queue_put_off(q, h, err != 0 ? LATER : 0);
}

/* Its trace fields; those of the last message are kept, since the hand-outs of
 * a message with many recipients follow each other. */
static int
load_prefix(struct queue *q, const struct message *m)
{
	struct record_message record;
	struct buf b;
	int rc = -1;

	if (q->prefix_of == m->id)
		return 0;
	buf_init(&b, MESSAGE_RECORD_MAX);
	q->prefix_of = 0;
	buf_clear(&q->prefix);
	if (store_message(q->store, m, &b, &record) == -1) {
		/* Who it is from and for is known: it goes out without. */
		if ((rc = content_is_damaged(errno) ? 0 : -1) == 0)
			log_error("trace_damaged", log_id("id", m->id),
			    log_errno(errno));
	} else if (buf_add_span(&q->prefix, record.prefix) == 0) {
		q->prefix_of = m->id;
		rc = 0;
	}
	buf_fini(&b);
	return rc;
}

/* Does the content go in the packet itself? */
static bool
fits(const struct queue *q, const struct msg_deliver *d)
{
	size_t n = PACKET_RESERVE + sizeof d->route + q->prefix.n + d->sender.n;

	for (uint32_t i = 0; i < d->nrcpts; i++)
		n += 8 + d->rcpts[i].address.n;
	return d->size <= DELIVER_INLINE_MAX && n + d->size <= IPC_BODY_MAX;
}

/* What became of it while its content was read: of those that are left. */
static void
describe(struct queue *q, struct msg_deliver *d, struct delivery *h,
    const struct message *m, char addresses[][ADDRESS_MAX + 1])
{
	d->handout = h->handout;
	d->sender = span_of(m->sender);
	d->body = m->body;
	d->utf8 = (m->flags & MESSAGE_UTF8) != 0;
	d->size = m->content->size;
	d->prefix = buf_span(&q->prefix);
	d->content = SPAN("");
	for (uint32_t i = 0; i < h->n; i++) {
		const struct recipient *r = h->rcpts[i].rcpt;
		char *to = addresses[d->nrcpts];
		size_t n;

		if (r == NULL) {
			h->rcpts[i].answered = true;
			continue;
		}
		n = index_address(r, to, ADDRESS_MAX + 1);
		d->rcpts[d->nrcpts].index = h->rcpts[i].index;
		d->rcpts[d->nrcpts++].address = span_from(to, n);
		d->maybe |= r->maybe;
	}
}

/* A channel that takes it no more loses it with its agent, which is told from
 * the loop. */
static void
send_it(
    struct agent *a, struct delivery *h, const struct msg_deliver *d, int fd)
{
	msg_deliver_put(channel_begin(a->channel, AGENT_DELIVER, 0), d);
	(void)channel_send(a->channel, fd);
	h->sent = true;
}

static int
send_inlined(struct queue *q, struct agent *a, struct msg_deliver *d,
    const struct content *c, struct delivery *h)
{
	struct buf b;
	int rc;

	buf_init(&b, DELIVER_INLINE_MAX);
	rc = content_load(q->store, c, DELIVER_INLINE_MAX, &b);
	if (rc == 0) {
		d->inlined = true;
		d->content = buf_span(&b);
		send_it(a, h, d, -1);
	}
	buf_fini(&b);
	return rc;
}

/* --- a content that is read by the store's thread ---------------------------- */

struct fetching {
	struct queue *queue;
	uint64_t attempt;
	struct route route;
};

static void
on_fetched(void *arg, int fd, int err)
{
	struct fetching *f = arg;
	struct queue *q = f->queue;
	/* Gone with its agent; or all of it was deleted. */
	struct delivery *h = schedule_delivery(q->schedule, f->attempt);
	struct message *m = h == NULL
	    ? NULL
	    : index_find(store_index(q->store), h->handout.message);
	struct msg_deliver d = { .route = f->route };
	char addresses[DELIVER_RCPTS_MAX][ADDRESS_MAX + 1];

	free(f);
	if (h == NULL)
		return;
	if (err != 0 || m == NULL || q->process->stopping)
		undelivered(q, h, err);
	else if (load_prefix(q, m) == -1)
		undelivered(q, h, errno);
	else {
		describe(q, &d, h, m, addresses);
		if (d.nrcpts == 0)
			agent_forget(q, h);
		else {
			m->flags &= ~(uint32_t)MESSAGE_DAMAGED;
			send_it(h->holder, h, &d, fd);
		}
	}
	queue_pump(q);
}

static int
fetch(struct queue *q, struct delivery *h, const struct route *route,
    const struct content *c)
{
	struct fetching *f = malloc(sizeof *f);

	if (f == NULL)
		return -1;
	*f = (struct fetching){ q, h->handout.attempt, *route };
	if (content_fetch(q->store, c, on_fetched, f) == -1) {
		int saved = errno;

		free(f);
		errno = saved;
		return -1;
	}
	if (!c->file) {
		h->memory = c->size;
		q->lent += h->memory;
	}
	return 0;
}

static int
deliver(struct queue *q, struct agent *a, struct delivery *h,
    const struct route *route)
{
	const struct message *m = h->rcpts[0].rcpt->message;
	char addresses[DELIVER_RCPTS_MAX][ADDRESS_MAX + 1];
	struct msg_deliver d = { .route = *route };

	if (load_prefix(q, m) == -1)
		return -1;
	describe(q, &d, h, m, addresses);
	/* What cannot be read so is looked at again, and set aside, there. */
	if (fits(q, &d) && !m->content->file &&
	    send_inlined(q, a, &d, m->content, h) == 0)
		return 0;
	return fetch(q, h, route, m->content);
}

void
hand_out(struct agent *a)
{
	struct queue *q = a->queue;
	struct delivery *h;
	struct route route;

	while (q->lent < LENT_MAX &&
	    channel_backlog(a->channel) < AGENT_BACKLOG_MAX) {
		uint64_t attempt = id_next(q->last_attempt, queue_now_us());

		h = schedule_handout(q->schedule, a->kind, attempt, &route);
		if (h == NULL)
			break;
		h->holder = a;
		q->last_attempt = attempt;
		if (deliver(q, a, h, &route) == 0)
			continue;
		undelivered(q, h, errno);
		queue_pump(q);
		break;
	}
}
