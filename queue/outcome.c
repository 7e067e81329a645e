/*
 * outcome.c - what became of recipients, on its way to the log.
 *
 * A result, and the bounce that it causes, are one change: a failed recipient
 * has its bounce whatever happens.  Until the change is on disk the recipients
 * rest (RECORDING); a change that could not be written is made again when the log
 * can be written, and the agent is not told before.
 */
#include <bsd/stdlib.h>
#include <bsd/string.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/bytes/log.h"
#include "common/bytes/utf8.h"
#include "queue/bounce.h"
#include "queue/queue.h"

/* Seconds before what was cut short is tried again, doubled each time. */
#define SOON_FIRST 5
/* Seconds before a change that could not be written is made again. */
#define RECORD_AGAIN 1

struct outcome {
	TAILQ_ENTRY(outcome) link;
	struct queue *queue;
	struct handout handout;
	bool soon, told;
	enum recipient_state order;
	int64_t time;
	struct reply reply;
	char host[CONF_HOST_MAX + 1];
	void (*settled)(void *);
	void *arg;
	uint32_t n;
	uint32_t rcpts[];
};

/* --- a row for each recipient ------------------------------------------------
 */

static void
decide(const struct outcome *o, const struct message *m,
    const struct recipient *r, struct record_rcpt *row)
{
	struct schedule_limits limits = *schedule_limits(o->queue->schedule);
	char text[REPLY_LINE_MAX + 1];

	*row = (struct record_rcpt){ .index = (uint32_t)(r - m->rcpts),
		.time = o->time,
		.attempts = r->attempts,
		.reply = o->reply,
		.host = span_of(o->host) };
	if (o->order != RCPT_WAITING) {
		row->state = o->order;
		return;
	}
	if (row->attempts < UINT16_MAX)
		row->attempts++;
	if (o->soon)
		limits.retry_first = SOON_FIRST;
	row->state = schedule_verdict(&limits, &o->reply, queue_accepted(m),
	    row->attempts, o->time, arc4random(), &row->next);
	if (row->state == RCPT_FAILED && r->held) {
		/* It was held while this attempt was under way: whoever did
		 * that decides. */
		row->state = RCPT_WAITING;
		row->next = o->time;
	} else if (row->state == RCPT_FAILED && reply_class(&o->reply) == 4) {
		reply_text(text, sizeof text, &o->reply);
		reply_make(&row->reply, R_EXPIRED, text);
	}
}

static void
tell(const struct outcome *o, const struct recipient *r,
    const struct record_rcpt *row)
{
	static const char *const events[] = {
		[RCPT_WAITING] = "deferred",
		[RCPT_DELIVERED] = "delivered",
		[RCPT_FAILED] = "failed",
		[RCPT_DELETED] = "deleted",
	};
	char to[ADDRESS_MAX + 1], text[REPLY_LINE_MAX + 1];

	index_address(r, to, sizeof to);
	reply_text(text, sizeof text, &row->reply);
	log_info(events[row->state], log_id("id", o->handout.message),
	    log_str("to", to), log_str("host", o->host),
	    log_num("attempt", row->attempts), log_str("reply", text));
}

static void
count(struct queue *q, enum recipient_state state)
{
	q->delivered += state == RCPT_DELIVERED;
	q->deferred += state == RCPT_WAITING;
	q->failed += state == RCPT_FAILED;
}

/* --- the bounce --------------------------------------------------------------
 */

static struct bounce_rcpt *
bounce_rcpts(const struct outcome *o, const struct message *m,
    const struct record_rcpt *rows, uint32_t n, struct buf *addresses,
    uint32_t *failed)
{
	struct bounce_rcpt *b = calloc(n, sizeof *b);
	char *p = buf_reserve(addresses, (size_t)n * (ADDRESS_MAX + 1));

	*failed = 0;
	for (uint32_t i = 0; b != NULL && p != NULL && i < n; i++) {
		size_t length;

		if (rows[i].state != RCPT_FAILED)
			continue;
		length =
		    index_address(&m->rcpts[rows[i].index], p, ADDRESS_MAX + 1);
		b[(*failed)++] =
		    (struct bounce_rcpt){ .address = span_from(p, length),
			    .host = span_of(o->host),
			    .reply = o->reply,
			    .expired = reply_class(&o->reply) == 4,
			    .time = o->time };
		p += length;
	}
	return b;
}

/* A new message over a new content, to the sender of the one that failed. */
static void
add_bounce(
    struct queue *q, const struct message *m, uint64_t id, struct span content)
{
	const struct record_rcpt to = { .address = span_of(m->sender),
		.state = RCPT_WAITING,
		.host = SPAN("") };
	/* Its To: field is then in UTF-8, and more of it. */
	bool global = utf8_beyond_ascii(span_of(m->sender));
	const struct record_message bounce = { .id = id,
		.parent = m->id,
		.content = id,
		.size = content.n,
		.flags = MESSAGE_BOUNCE | (global ? MESSAGE_UTF8 : 0),
		.body = global ? BODY_8BITMIME : BODY_7BIT,
		.sender = SPAN(""),
		.client = SPAN(""),
		.prefix = SPAN(""),
		.nrcpts = 1 };

	change_content(q->store, id, content);
	change_message(q->store, &bounce, &to);
	q->bounced++;
	log_info("bounce", log_id("id", id), log_id("of", m->id),
	    log_str("to", m->sender));
}

/* Within a change.  0, or -1: no memory for it. */
static int
bounce(const struct outcome *o, const struct message *m,
    const struct record_rcpt *rows, uint32_t n)
{
	struct queue *q = o->queue;
	struct record_message original = { .prefix = SPAN("") };
	struct buf record, head, text, addresses;
	struct bounce b = { .hostname = q->conf->hostname,
		.id = store_id(q->store),
		.parent = m->id,
		.utf8 = (m->flags & MESSAGE_UTF8) != 0,
		.sender = span_of(m->sender),
		.time = o->time,
		.zone = queue_zone(o->time) };
	struct bounce_rcpt *rcpts;
	int made = -1;

	buf_init(&record, MESSAGE_RECORD_MAX);
	buf_init(&head, 2 * BOUNCE_HEADER_MAX);
	buf_init(&text, BOUNCE_MAX);
	buf_init(&addresses, DELIVER_RCPTS_MAX * (ADDRESS_MAX + 1));
	/* A bounce without the original's header is better than none. */
	if (store_message(q->store, m, &record, &original) == 0)
		b.prefix = original.prefix;
	else
		b.prefix = SPAN("");
	if (content_load(q->store, m->content, BOUNCE_HEADER_MAX, &head) == -1)
		buf_clear(&head);
	b.content = buf_span(&head);
	b.rcpts = rcpts = bounce_rcpts(o, m, rows, n, &addresses, &b.n);
	if (rcpts != NULL && bounce_add(&text, &b) == 0) {
		add_bounce(q, m, b.id, buf_span(&text));
		made = 0;
	}
	free(rcpts);
	buf_fini(&record);
	buf_fini(&head);
	buf_fini(&text);
	buf_fini(&addresses);
	return made;
}

/* --- to the disk -------------------------------------------------------------
 */

/* On disk, or without meaning any more. */
static void
settled(struct outcome *o)
{
	struct queue *q = o->queue;
	struct delivery *h = schedule_delivery(q->schedule, o->handout.attempt);

	q->outcomes--;
	if (h != NULL) {
		h->recording--;
		agent_recorded(q, h);
	}
	if (o->settled != NULL)
		o->settled(o->arg);
	free(o);
	queue_pump(q);
}

static void
postpone(struct outcome *o)
{
	TAILQ_INSERT_TAIL(&o->queue->unrecorded, o, link);
	o->queue->record_again = queue_now() + RECORD_AGAIN;
	queue_pump(o->queue);
}

static void
on_disk(void *arg, const struct reply *failed)
{
	struct outcome *o = arg;

	if (failed == NULL) {
		settled(o);
		return;
	}
	log_warn("not_recorded", log_id("id", o->handout.message),
	    log_num("code", failed->code));
	postpone(o);
}

static bool
any_failed(const struct record_rcpt *rows, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		if (rows[i].state == RCPT_FAILED)
			return true;
	return false;
}

static void
commit(struct outcome *o, const struct message *m,
    const struct record_rcpt *rows, uint32_t n)
{
	struct queue *q = o->queue;
	bool failed = any_failed(rows, n);

	change_begin(q->store);
	/* RFC 5321 section 4.5.5: what has no sender is never answered. */
	if (failed && m->sender[0] == '\0')
		log_info("double_bounce_dropped", log_id("id", m->id));
	else if (failed && bounce(o, m, rows, n) == -1) {
		change_abort(q->store);
		postpone(o);
		return;
	}
	change_result(q->store, m->id, rows, n);
	change_commit(q->store, on_disk, o);
}

static void
record(struct outcome *o)
{
	struct queue *q = o->queue;
	struct message *m =
	    index_find(store_index(q->store), o->handout.message);
	struct record_rcpt *rows = calloc(o->n, sizeof *rows);
	uint32_t n = 0;

	if (rows == NULL) {
		postpone(o);
		return;
	}
	for (uint32_t i = 0; m != NULL && i < o->n; i++) {
		const struct recipient *r = &m->rcpts[o->rcpts[i]];

		if (r->state != RCPT_WAITING)
			continue;
		decide(o, m, r, &rows[n]);
		if (!o->told) {
			tell(o, r, &rows[n]);
			count(q, rows[n].state);
		}
		n++;
	}
	o->told = true;
	if (n > 0)
		commit(o, m, rows, n);
	else
		settled(o);
	free(rows);
}

void
outcome_record(struct queue *q, const struct result *result)
{
	struct delivery *h =
	    schedule_delivery(q->schedule, result->handout.attempt);
	struct outcome *o =
	    calloc(1, sizeof *o + result->n * sizeof o->rcpts[0]);

	if (o == NULL) {
		/* Nothing can be recorded without memory, and a result must
		 * not be lost: the agents have it, and tell the next queue. */
		fatal("result");
	}
	o->queue = q;
	o->handout = result->handout;
	o->soon = result->soon;
	o->order = result->order;
	o->time = queue_now();
	o->reply = result->reply;
	strlcpy(o->host, result->host, sizeof o->host);
	o->settled = result->settled;
	o->arg = result->arg;
	o->n = result->n;
	memcpy(o->rcpts, result->rcpts, result->n * sizeof o->rcpts[0]);
	q->outcomes++;
	if (h != NULL)
		h->recording++;
	record(o);
}

/* In words, with the reason, which may be in any language. */
static void
order_reply(struct reply *r, enum recipient_state state, const char *reason)
{
	bool deleted = state == RCPT_DELETED;

	*r = deleted ? (struct reply){ .code = 554, .esc = { 5, 0, 0 } }
		     : (struct reply){ .code = 554, .esc = { 5, 7, 0 } };
	snprintf(r->text, sizeof r->text, "%s by the administrator%s%s",
	    deleted ? "Deleted" : "Returned", reason[0] != '\0' ? ": " : "",
	    reason);
	for (char *p = r->text; *p != '\0'; p++)
		if (*p < ' ' || *p > '~')
			*p = '?';
}

void
outcome_order(struct queue *q, struct message *m, uint32_t n,
    const uint32_t *rcpts, enum recipient_state state, const char *reason,
    void (*settled_now)(void *), void *arg)
{
	struct result result = { .handout = { m->id, 0 },
		.order = state,
		.host = "",
		.n = n,
		.rcpts = rcpts,
		.settled = settled_now,
		.arg = arg };

	order_reply(&result.reply, state, reason);
	for (uint32_t i = 0; i < n; i++) {
		struct recipient *r = &m->rcpts[rcpts[i]];

		queue_unschedule(q, r);
		schedule_record(q->schedule, r);
	}
	outcome_record(q, &result);
}

void
outcome_retry(struct queue *q)
{
	struct outcome_list again = TAILQ_HEAD_INITIALIZER(again);
	struct outcome *o;

	int64_t wait = q->record_again - queue_now();

	/* A longer wait is a clock that was set back. */
	if (!store_writable(q->store) || (wait > 0 && wait <= RECORD_AGAIN))
		return;
	TAILQ_CONCAT(&again, &q->unrecorded, link);
	while ((o = TAILQ_FIRST(&again)) != NULL) {
		TAILQ_REMOVE(&again, o, link);
		record(o);
	}
}
