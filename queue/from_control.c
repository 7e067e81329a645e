/*
 * from_control.c - admin commands: what is in the queue, and changes to it.
 *
 * An answer is one page: as many recipients are looked at as do not keep the
 * others waiting, and the cursor says where the next page goes on.
 */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/bytes/log.h"
#include "common/msg/control.h"
#include "queue/queue.h"
#include "queue/select.h"

/* Recipients looked at for one page; those whose reply is read from disk. */
#define SCAN_MAX      2000
#define SCAN_DISK_MAX 100

static bool
is_active(const struct recipient *r)
{
	return r->phase == PHASE_ACTIVE || r->phase == PHASE_RECORDING;
}

static enum select_state
state_of(const struct recipient *r)
{
	return is_active(r) ? STATE_ACTIVE : STATE_DEFERRED;
}

static int64_t
next_of(const struct recipient *r)
{
	return is_active(r) ? 0 : schedule_when(r);
}

/* --- a walk over the recipients ----------------------------------------------
 */

struct walk {
	struct queue *queue;
	const struct msg_act *act;
	bool wants_esc;
	uint64_t only; /* one message, or 0 */
	int64_t now;
	struct msg_page *page;
	char (*addresses)[ADDRESS_MAX + 1]; /* of the page's rows */
};

static void
read_esc(struct queue *q, const struct recipient *r, struct select_subject *s)
{
	const struct message *m = r->message;
	struct record_rcpt row;
	struct buf b;

	buf_init(&b, MESSAGE_RECORD_MAX);
	if (s->code != 0 &&
	    store_last_reply(q->store, m, (uint32_t)(r - m->rcpts), &b, &row) ==
		0)
		s->esc = row.reply.esc;
	buf_fini(&b);
}

static bool
matches(const struct walk *w, const struct recipient *r, struct span address)
{
	const struct message *m = r->message;
	int64_t age = w->now - queue_accepted(m);
	struct select_subject s = { .id = m->id,
		.sender = span_of(m->sender),
		.rcpt = address,
		.domain = span_of(r->domain),
		.age = age > 0 ? (uint64_t)age : 0,
		.size = m->content->size,
		.code = r->code,
		.state = state_of(r) };

	if (w->wants_esc)
		read_esc(w->queue, r, &s);
	return select_match(&w->act->select, &s);
}

static void
add_row(const struct walk *w, const struct recipient *r, struct span address)
{
	const struct message *m = r->message;
	char *text = w->addresses[w->page->nrows];

	span_copy(text, ADDRESS_MAX + 1, address);
	w->page->rows[w->page->nrows++] = (struct control_row){ .id = m->id,
		.index = (uint32_t)(r - m->rcpts),
		.sender = span_of(m->sender),
		.rcpt = span_of(text),
		.size = m->content->size,
		.accepted = queue_accepted(m),
		.state = state_of(r),
		.attempts = r->attempts,
		.next = next_of(r),
		.code = r->code };
}

static void
act_on(const struct walk *w, struct recipient *r, struct span address)
{
	struct queue *q = w->queue;

	if (w->act->verb == VERB_LIST)
		add_row(w, r, address);
	if (w->act->dry)
		return;
	if (w->act->verb == VERB_RETRY)
		schedule_retry(q->schedule, r, w->now);
	/* One result at a time for a recipient: what is on its way to the disk
	 * gets there first. */
	if (w->act->verb == VERB_DELETE && r->phase == PHASE_RECORDING)
		r->doomed = true;
	else if (w->act->verb == VERB_DELETE)
		outcome_delete(q, r, w->act->reason);
}

/* Looks at the recipients of m from index `from` on; false when the page is
 * full, with the cursor behind the last one. */
static bool
look(const struct walk *w, struct message *m, uint32_t from, uint32_t *scan)
{
	char text[ADDRESS_MAX + 1];

	for (uint32_t i = from; i < m->nrcpts; i++) {
		struct recipient *r = &m->rcpts[i];
		struct span address;

		w->page->cursor = (struct control_cursor){ m->id, i, true };
		if (r->state == RCPT_WAITING) {
			address = span_from(
			    text, index_address(r, text, sizeof text));
			if (matches(w, r, address)) {
				w->page->matched++;
				act_on(w, r, address);
			}
		}
		if (--*scan == 0 || w->page->nrows == CONTROL_ROWS_MAX)
			return false;
	}
	return true;
}

static struct message *
start(const struct walk *w, uint32_t *from)
{
	struct index *ix = store_index(w->queue->store);
	const struct control_cursor *c = &w->act->cursor;
	struct message *m;

	*from = 0;
	if (w->only != 0 && (!c->set || c->id < w->only))
		return index_find(ix, w->only);
	if (!c->set)
		return index_first(ix);
	m = index_find(ix, c->id);
	if (m != NULL && c->index < m->nrcpts - 1) {
		*from = c->index + 1;
		return m;
	}
	return w->only != 0 ? NULL : index_after(ix, c->id);
}

static void
walk(struct walk *w)
{
	struct index *ix = store_index(w->queue->store);
	uint32_t from, scan = w->wants_esc ? SCAN_DISK_MAX : SCAN_MAX;
	struct message *m = start(w, &from);

	while (m != NULL) {
		if (!look(w, m, from, &scan)) {
			w->page->more = true;
			return;
		}
		m = w->only != 0 ? NULL : index_after(ix, m->id);
		from = 0;
	}
}

static int
on_act(void *arg, struct ipc_msg *m)
{
	static struct msg_page page;
	static char addresses[CONTROL_ROWS_MAX][ADDRESS_MAX + 1];
	static struct msg_act act;
	struct queue *q = arg;
	struct walk w = { .queue = q,
		.act = &act,
		.now = queue_now(),
		.page = &page,
		.addresses = addresses };

	if (msg_act_get(m, &act) == -1)
		return -1;
	w.wants_esc = select_wants_esc(&act.select);
	w.only = select_id(&act.select);
	page.matched = 0;
	page.nrows = 0;
	page.more = false;
	page.cursor = act.cursor;
	reply_make(&page.reply, R_OK, NULL);
	walk(&w);
	msg_page_put(channel_begin(q->control, CONTROL_PAGE, m->id), &page);
	(void)channel_send(q->control, -1);
	queue_pump(q);
	return 0;
}

/* --- one message --------------------------------------------------------------
 */

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
		.state = state_of(r),
		.final = r->state != RCPT_WAITING,
		.attempts = r->attempts,
		.next = r->state == RCPT_WAITING ? next_of(r) : 0,
		.host = SPAN("") };
	buf_clear(&s->row);
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

	reply_make(&s->d.reply, R_OK, NULL);
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

static int
on_show(void *arg, struct ipc_msg *m)
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

static int
on_cat(void *arg, struct ipc_msg *m)
{
	struct queue *q = arg;
	struct msg_show ask;
	struct msg_content content = { .prefix = SPAN("") };
	const struct message *message;
	struct record_message record;
	struct buf b;
	int fd = -1;

	if (msg_show_get(m, &ask) == -1)
		return -1;
	buf_init(&b, MESSAGE_RECORD_MAX);
	message = index_find(store_index(q->store), ask.id);
	if (message == NULL)
		no_such_message(&content.reply);
	else if (store_message(q->store, message, &b, &record) == -1 ||
	    (fd = content_fd(q->store, message->content)) == -1)
		reply_from_errno(&content.reply, errno, "content");
	else {
		reply_make(&content.reply, R_OK, NULL);
		content.size = message->content->size;
		content.prefix = record.prefix;
	}
	msg_content_put(
	    channel_begin(q->control, CONTROL_CONTENT, m->id), &content);
	(void)channel_send(q->control, fd);
	if (fd != -1)
		close(fd);
	buf_fini(&b);
	return 0;
}

static const struct ipc_rule rules[] = {
	{ CONTROL_ACT, IPC_ANY_PHASE, IPC_FD_NEVER, on_act },
	{ CONTROL_SHOW, IPC_ANY_PHASE, IPC_FD_NEVER, on_show },
	{ CONTROL_CAT, IPC_ANY_PHASE, IPC_FD_NEVER, on_cat },
};

/* --- coming and going --------------------------------------------------------
 */

static void
on_closed(void *arg, bool bad)
{
	struct queue *q = arg;

	q->control = NULL;
	if (bad)
		process_complain(q->process, PEER_CONTROL, q->control_instance);
}

static const struct channel_ops ops = {
	.rules = rules,
	.nrules = sizeof rules / sizeof rules[0],
	.closed = on_closed,
};

void
control_peer(struct queue *q, uint32_t instance, int fd)
{
	q->control_instance = instance;
	channel_free(q->control);
	q->control = channel_new(q->base, fd, PEER_CONTROL, &ops, q);
	if (q->control == NULL)
		log_warn("peer_failed",
		    log_str("peer", peer_name(PEER_CONTROL)), log_errno(errno));
}
