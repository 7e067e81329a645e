/*
 * control_show.c - what an administrator sees of one message: its recipients
 * with their last replies, and its content.
 */
#include <errno.h>
#include <stdlib.h>

#include "common/msg/control.h"
#include "common/msg/reply.h"
#include "queue/queue.h"

static bool
is_active(const struct recipient *r)
{
	return r->phase == PHASE_ACTIVE || r->phase == PHASE_RECORDING;
}

enum select_state
control_state(const struct recipient *r)
{
	if (r->held)
		return STATE_HELD;
	return is_active(r) ? STATE_ACTIVE : STATE_DEFERRED;
}

int64_t
control_next(const struct recipient *r)
{
	return control_state(r) == STATE_DEFERRED ? schedule_when(r) : 0;
}

uint16_t
control_code(const struct recipient *r)
{
	struct reply refusal;

	return r->code == 0 && schedule_refusal(r, &refusal) ? refusal.code
							     : r->code;
}

static void
no_such_message(struct reply *reply)
{
	*reply = (struct reply){ .code = 550,
		.esc = { 5, 0, 0 },
		.text = "No such message in the queue" };
}

struct detail {
	struct msg_detail d;
	char addresses[CONTROL_RCPTS_MAX][ADDRESS_MAX + 1];
	char hosts[CONTROL_RCPTS_MAX][CONF_HOST_MAX + 1];
	struct buf message, row;
};

static void
show_rcpt(struct queue *q, struct detail *s, const struct recipient *r)
{
	const struct message *m = r->message;
	uint32_t n = s->d.n++;
	struct control_rcpt *to = &s->d.rcpts[n];
	struct record_rcpt row;
	size_t length = index_address(r, s->addresses[n], ADDRESS_MAX + 1);

	*to = (struct control_rcpt){ .rcpt = span_from(s->addresses[n], length),
		.state = control_state(r),
		.final = r->state != RCPT_WAITING,
		.attempts = r->attempts,
		.next = r->state == RCPT_WAITING ? control_next(r) : 0,
		.host = SPAN("") };
	buf_clear(&s->row);
	if (r->code == 0 && schedule_refusal(r, &row.reply))
		to->reply = row.reply;
	if (r->code == 0 ||
	    store_last_reply(
		q->store, m, (uint32_t)(r - m->rcpts), &s->row, &row) == -1)
		return;
	to->time = row.time;
	to->reply = row.reply;
	if (span_copy(s->hosts[n], sizeof s->hosts[n], row.host))
		to->host = span_of(s->hosts[n]);
}

static void
show(struct queue *q, struct detail *s, const struct message *m, uint32_t from)
{
	struct record_message record;

	reply_make(&s->d.reply, R_DONE, NULL);
	s->d.id = m->id;
	s->d.size = m->content->size;
	s->d.sender = span_of(m->sender);
	s->d.bounce = (m->flags & MESSAGE_BOUNCE) != 0;
	s->d.damaged = (m->flags & MESSAGE_DAMAGED) != 0;
	s->d.nrcpts = m->nrcpts;
	s->d.first = from;
	if (store_message(q->store, m, &s->message, &record) == 0) {
		s->d.parent = record.parent;
		s->d.client = record.client;
	}
	for (uint32_t i = from; i < m->nrcpts && s->d.n < CONTROL_RCPTS_MAX;
	     i++)
		show_rcpt(q, s, &m->rcpts[i]);
}

int
control_show(void *arg, struct ipc_msg *m)
{
	struct queue *q = arg;
	struct msg_show ask;
	const struct message *message;
	struct detail *s;

	if (msg_show_get(m, &ask) == -1)
		return -1;
	s = calloc(1, sizeof *s);
	if (s == NULL)
		return 0; /* control's time limit answers */
	s->d.sender = s->d.client = SPAN("");
	buf_init(&s->message, MESSAGE_RECORD_MAX);
	buf_init(&s->row, MESSAGE_RECORD_MAX);
	message = index_find(store_index(q->store), ask.id);
	if (message != NULL)
		show(q, s, message, ask.index);
	else
		no_such_message(&s->d.reply);
	msg_detail_put(channel_begin(q->control, CONTROL_DETAIL, m->id), &s->d);
	(void)channel_send(q->control, -1);
	buf_fini(&s->message);
	buf_fini(&s->row);
	free(s);
	return 0;
}

/* --- the content -------------------------------------------------------------
 */

/* It is read by the store's thread; who asked may be gone by then. */
struct cat {
	struct queue *queue;
	struct channel *control;
	uint32_t instance, request;
	uint64_t id;
};

static void
answer_cat(struct queue *q, uint32_t request, const struct msg_content *content,
    int fd)
{
	msg_content_put(
	    channel_begin(q->control, CONTROL_CONTENT, request), content);
	(void)channel_send(q->control, fd);
}

static void
cat_failed(struct queue *q, uint32_t request, int err)
{
	struct msg_content content = { .prefix = SPAN("") };

	if (err == 0)
		no_such_message(&content.reply);
	else if (content_is_damaged(err))
		reply_make(&content.reply, R_DAMAGED, NULL);
	else
		reply_from_errno(&content.reply, err, "content");
	answer_cat(q, request, &content, -1);
}

static void
on_cat(void *arg, int fd, int err)
{
	struct cat *cat = arg;
	struct queue *q = cat->queue;
	struct msg_content content = { .prefix = SPAN("") };
	const struct message *m = index_find(store_index(q->store), cat->id);
	struct record_message record;
	struct buf b;

	q->cats--;
	buf_init(&b, MESSAGE_RECORD_MAX);
	if (q->control != cat->control || q->control_instance != cat->instance)
		; /* nobody waits for it */
	else if (err != 0 || m == NULL)
		cat_failed(q, cat->request, err);
	else if (store_message(q->store, m, &b, &record) == -1)
		cat_failed(q, cat->request, errno);
	else {
		reply_make(&content.reply, R_DONE, NULL);
		content.size = m->content->size;
		content.prefix = record.prefix;
		answer_cat(q, cat->request, &content, fd);
	}
	buf_fini(&b);
	free(cat);
}

int
control_cat(void *arg, struct ipc_msg *m)
{
	struct queue *q = arg;
	struct msg_show ask;
	const struct message *message;
	struct cat *cat;

	if (msg_show_get(m, &ask) == -1 || q->cats == CONTROL_WINDOW)
		return -1;
	message = index_find(store_index(q->store), ask.id);
	if (message == NULL) {
		cat_failed(q, m->id, 0);
		return 0;
	}
	if ((cat = malloc(sizeof *cat)) == NULL)
		return 0; /* control's time limit answers */
	*cat =
	    (struct cat){ q, q->control, q->control_instance, m->id, ask.id };
	if (content_fetch(q->store, message->content, on_cat, cat) == -1) {
		cat_failed(q, m->id, errno);
		free(cat);
	} else
		q->cats++;
	return 0;
}

/* --- before a trace ---------------------------------------------------------- */

struct settling {
	struct queue *queue;
	uint32_t instance; /* of the control that asked */
	uint32_t request;
};

static void
settled(void *arg)
{
	struct settling *s = arg;
	struct queue *q = s->queue;

	if (q->control != NULL && q->control_instance == s->instance) {
		(void)channel_begin(q->control, CONTROL_SETTLED, s->request);
		(void)channel_send(q->control, -1);
	}
	free(s);
}

int
control_settle(void *arg, struct ipc_msg *m)
{
	struct queue *q = arg;
	struct settling *s;

	if (msg_empty_get(m) == -1)
		return -1;
	s = calloc(1, sizeof *s);
	if (s == NULL)
		abort();
	*s = (struct settling){ q, q->control_instance, m->id };
	history_sync(q->store, settled, s);
	return 0;
}
