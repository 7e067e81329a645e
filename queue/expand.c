/*
 * expand.c - a recipient that is an alias becomes recipients of new messages
 * over the same content (RFC 5321 section 3.9).
 *
 * lookup sends the addresses in packets.  When all are there they are one change
 * with the result that ends the recipient: after a crash there are all of the
 * new messages or none, and the alias is never expanded twice.
 */
#include <stdio.h>
#include <stdlib.h>

#include "common/bytes/log.h"
#include "queue/expansion.h"
#include "queue/given.h"
#include "queue/queue.h"

/* Expansions that come in more than one packet, at once. */
#define EXPANSIONS_MAX 4
/* Seconds until one that had to be put off is asked for again. */
#define PUT_OFF 2

/* ---- as the packets come --------------------------------------------------- */

static void
drop(struct queue *q, struct expansion *x)
{
	LIST_REMOVE(x, link);
	q->nexpansions--;
	expansion_free(x);
}

static struct expansion *
expansion_of(const struct queue *q, const struct recipient *r)
{
	struct expansion *x;

	LIST_FOREACH(x, &q->expansions, link)
	if (x->rcpt == r)
		return x;
	return NULL;
}

void
expand_forget(struct queue *q, const struct recipient *r)
{
	struct expansion *x = expansion_of(q, r);

	if (x != NULL)
		drop(q, x);
}

/* Nothing has happened yet: it is asked about once more. */
static void
put_off(struct queue *q, struct recipient *r)
{
	expand_forget(q, r);
	schedule_add(q->schedule, r, queue_now() + PUT_OFF);
}

static void
ask_for_more(struct queue *q, const struct expansion *x)
{
	const struct msg_expand ask = { x->number, x->n };

	msg_expand_put(channel_begin(q->lookup, EXPAND_ASK,
			   pending_add(q->asked, x->rcpt)),
	    &ask);
	/* If it is not sent, the channel's end fails it. */
	(void)channel_send(q->lookup, -1);
}

/* ---- what becomes of it ------------------------------------------------------ */

/* Neither what another alias of the message led to.  The changes of both are on
 * disk one after the other, so that the first is there if the second is. */
static void
drop_given(struct queue *q, struct expansion *x)
{
	const struct message *m = x->rcpt->message;
	uint32_t index = (uint32_t)(x->rcpt - m->rcpts), kept = 0;

	if (m->nrcpts == 1)
		return;
	for (uint32_t i = 0; i < x->n; i++)
		if (given_add(q->given, m->id, index, x->rows[i].address,
			x->rows[i].again))
			x->rows[kept++] = x->rows[i];
	x->n = kept;
}

/* What never had a sender is not given one: its failure is nobody's news (RFC
 * 5321 section 4.5.5). */
static struct span
sender_of(const struct message *m, const struct row *row)
{
	return m->sender[0] != '\0' && row->owner.n > 0 ? row->owner
							: span_of(m->sender);
}

static void
add_child(struct queue *q, const struct message *m, struct row *rows,
    struct record_message *child, struct record_rcpt *rcpts)
{
	child->id = store_id(q->store);
	child->flags = m->flags & (MESSAGE_DAMAGED | MESSAGE_UTF8);
	if (!rows->again)
		child->flags |= MESSAGE_EXPANDED;
	child->sender = sender_of(m, rows);
	for (uint32_t i = 0; i < child->nrcpts; i++)
		rcpts[i] = (struct record_rcpt){ .index = i,
			.address = rows[i].address,
			.state = RCPT_WAITING,
			.host = SPAN("") };
	change_message(q->store, child, rcpts);
	rows[0].child = child->id;
}

static void
add_result(struct queue *q, const struct recipient *r, uint32_t n)
{
	char text[64];
	struct record_rcpt row = {
		.index = (uint32_t)(r - r->message->rcpts),
		.state = RCPT_EXPANDED,
		.attempts = r->attempts + 1u,
		.time = queue_now(),
		.host = SPAN(""),
	};

	snprintf(text, sizeof text, "%u recipient%s", n, n == 1 ? "" : "s");
	reply_make(&row.reply, R_EXPANDED, text);
	change_result(q->store, r->message->id, &row, 1);
}

static void
tell(const struct expansion *x)
{
	const struct recipient *r = x->rcpt;
	const struct message *m = r->message;
	char to[ADDRESS_MAX + 1];

	index_address(r, to, sizeof to);
	log_info("expanded", log_id("id", m->id), log_str("to", to),
	    log_num("nrcpt", x->n));
	for (uint32_t at = 0, n; at < x->n; at += n) {
		n = expansion_run(x, at);
		log_info("expansion", log_id("id", x->rows[at].child),
		    log_id("of", m->id),
		    log_span("from", sender_of(m, &x->rows[at])),
		    log_num("nrcpt", n));
	}
}

/* Its trace fields go on with it; what cannot be read any more goes without. */
static int
load_prefix(struct queue *q, const struct message *m, struct buf *record,
    struct record_message *child)
{
	struct record_message parent;

	*child = (struct record_message){ .parent = m->id,
		.content = m->content->number,
		.size = m->content->size,
		.body = m->body,
		.client = SPAN(""),
		.prefix = SPAN("") };
	if (store_message(q->store, m, record, &parent) == 0)
		child->prefix = parent.prefix;
	else if (!content_is_damaged(errno))
		return -1;
	return 0;
}

/* ---- to the disk -------------------------------------------------------------- */

struct recording {
	struct queue *queue;
	uint64_t id;
	uint32_t index;
};

static void
on_disk(void *arg, const struct reply *failed)
{
	struct recording *w = arg;
	struct queue *q = w->queue;
	struct message *m = index_find(store_index(q->store), w->id);

	q->outcomes--;
	if (failed == NULL)
		q->expanded++;
	else if (m != NULL) {
		log_warn("not_recorded", log_id("id", w->id),
		    log_num("code", failed->code));
		given_take_back(q->given, w->id, w->index);
		queue_again(q, &m->rcpts[w->index], queue_now() + PUT_OFF);
	}
	free(w);
	queue_pump(q);
}

static void
commit(struct queue *q, struct recipient *r)
{
	struct recording *w = calloc(1, sizeof *w);

	if (w == NULL)
		fatal("expansion");
	*w = (struct recording){ q, r->message->id,
		(uint32_t)(r - r->message->rcpts) };
	q->outcomes++;
	schedule_record(q->schedule, r);
	change_commit(q->store, on_disk, w);
}

/* The log's segments are too small for it. */
static void
refuse(struct queue *q, struct recipient *r, uint32_t n)
{
	char to[ADDRESS_MAX + 1];
	struct reply reply;

	index_address(r, to, sizeof to);
	log_error("expansion_too_large", log_id("id", r->message->id),
	    log_str("to", to), log_num("nrcpt", n),
	    log_num("segment_size", (int64_t)q->conf->segment_size));
	reply_make(&reply, R_ALIAS_TOO_LARGE, NULL);
	lookup_refused(q, r, &reply);
}

static int
record(struct queue *q, struct expansion *x)
{
	struct recipient *r = x->rcpt;
	struct record_message child;
	struct record_rcpt *rcpts = calloc(CHILD_RCPTS_MAX, sizeof *rcpts);
	struct buf prefix;
	int rc = -1;

	buf_init(&prefix, MESSAGE_RECORD_MAX);
	expansion_complete(x);
	if (rcpts == NULL || expansion_drop_known(x) == -1 ||
	    load_prefix(q, r->message, &prefix, &child) == -1)
		goto out;
	drop_given(q, x);
	expansion_sort(x);
	change_begin(q->store);
	for (uint32_t at = 0; at < x->n; at += child.nrcpts) {
		child.nrcpts = expansion_run(x, at);
		add_child(q, r->message, &x->rows[at], &child, rcpts);
	}
	add_result(q, r, x->n);
	rc = 0;
	if (change_fits(q->store)) {
		tell(x);
		commit(q, r);
	} else {
		change_abort(q->store);
		given_take_back(q->given, r->message->id,
		    (uint32_t)(r - r->message->rcpts));
		refuse(q, r, x->n);
	}
out:
	free(rcpts);
	buf_fini(&prefix);
	return rc;
}

int
expand_take(struct queue *q, struct recipient *r, const struct msg_expanded *m)
{
	struct expansion *x = expansion_of(q, r);

	if (m->expansion == 0 ||
	    (x == NULL && m->n < m->total &&
		q->nexpansions >= EXPANSIONS_MAX)) {
		put_off(q, r);
		return 0;
	}
	if (x != NULL ? !expansion_continues(x, m) : m->at != 0)
		return -1;
	if (x == NULL && (x = expansion_new(r, m)) != NULL) {
		LIST_INSERT_HEAD(&q->expansions, x, link);
		q->nexpansions++;
	}
	if (x == NULL || expansion_add(x, m) == -1) {
		put_off(q, r);
		return 0;
	}
	if (x->n < x->total) {
		ask_for_more(q, x);
		return 0;
	}
	if (q->process->stopping || record(q, x) == -1)
		put_off(q, r);
	else
		drop(q, x);
	return 0;
}
