/*
 * from_control.c - admin commands: what is in the queue, and changes to it.
 *
 * An answer is one page: as many recipients are looked at as do not keep the
 * others waiting, and the cursor says where the next page goes on.
 */
#include <errno.h>
#include <bsd/string.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/bytes/log.h"
#include "common/msg/control.h"
#include "queue/queue.h"
#include "queue/select.h"

/* Recipients looked at for one page; those whose reply is read from disk. */
#define SCAN_MAX      2000
#define SCAN_DISK_MAX 100

void
control_answer(struct queue *q, uint32_t request, const struct msg_page *page)
{
	msg_page_put(channel_begin(q->control, CONTROL_PAGE, request), page);
	(void)channel_send(q->control, -1);
}

/* --- a walk over the recipients ----------------------------------------------
 */

struct walk {
	struct queue *queue;
	const struct msg_act *act;
	bool wants_esc, wants_route;
	uint64_t only; /* one message, or 0 */
	int64_t now;
	struct msg_page *page;
	char (*addresses)[ADDRESS_MAX + 1]; /* of the page's rows */
	struct acting *acting;		    /* NULL: nothing is changed */
	uint32_t nchosen; /* of the message that is looked at */
	uint32_t chosen[DELIVER_RCPTS_MAX];
};

static void
read_esc(struct queue *q, const struct recipient *r, struct select_subject *s)
{
	const struct message *m = r->message;
	struct record_rcpt row;
	struct buf b;

	buf_init(&b, MESSAGE_RECORD_MAX);
	if (r->code == 0 && schedule_refusal(r, &row.reply))
		s->esc = row.reply.esc;
	else if (s->code != 0 &&
	    store_last_reply(q->store, m, (uint32_t)(r - m->rcpts), &b, &row) ==
		0)
		s->esc = row.reply.esc;
	buf_fini(&b);
}

/* As the configuration says now: lookup asks nobody else for it. */
static void
find_route(
    const struct conf *c, struct select_subject *s, char hop[CONF_HOST_MAX + 8])
{
	char domain[ADDRESS_DOMAIN_MAX + 1];
	const struct conf_route *route;

	span_copy(domain, sizeof domain, s->domain);
	for (char *p = domain; *p != '\0'; p++)
		*p = ascii_lower(*p);
	if (domain[0] == '\0' || conf_domain(c, span_of(domain)) != NULL ||
	    (route = conf_route(c, span_of(domain))) == NULL)
		return;
	s->route = span_of(route->pattern);
	if (route->via == VIA_MX)
		strlcpy(hop, "mx", CONF_HOST_MAX + 8);
	else
		snprintf(
		    hop, CONF_HOST_MAX + 8, "%s:%u", route->host, route->port);
	s->hop = span_of(hop);
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
		.code = control_code(r),
		.state = control_state(r),
		.route = SPAN(""),
		.hop = SPAN("") };
	char hop[CONF_HOST_MAX + 8];

	if (w->wants_route)
		find_route(w->queue->conf, &s, hop);
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
		.state = control_state(r),
		.attempts = r->attempts,
		.next = control_next(r),
		.code = control_code(r) };
}

static void
act_on(struct walk *w, struct message *m)
{
	if (w->acting != NULL)
		order_add(w->acting, w->act->verb, m, w->nchosen, w->chosen,
		    w->act->reason);
	w->nchosen = 0;
}

/* One that matches. */
static void
choose(struct walk *w, struct recipient *r, struct span address)
{
	if (!order_applies(w->act->verb, r))
		return;
	w->page->matched++;
	if (w->act->verb == VERB_LIST)
		add_row(w, r, address);
	w->chosen[w->nchosen++] = (uint32_t)(r - r->message->rcpts);
	if (w->nchosen == DELIVER_RCPTS_MAX)
		act_on(w, r->message);
}

/* Looks at the recipients of m from index `from` on; false when the page is
 * full, with the cursor behind the last one. */
static bool
look(struct walk *w, struct message *m, uint32_t from, uint32_t *scan)
{
	char text[ADDRESS_MAX + 1];

	for (uint32_t i = from; i < m->nrcpts; i++) {
		struct recipient *r = &m->rcpts[i];
		struct span address;

		w->page->cursor = (struct control_cursor){ m->id, i, true };
		if (r->state == RCPT_WAITING) {
			address = span_from(
			    text, index_address(r, text, sizeof text));
			if (matches(w, r, address))
				choose(w, r, address);
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
		bool whole = look(w, m, from, &scan);

		act_on(w, m);
		if (!whole) {
			w->page->more = true;
			return;
		}
		m = w->only != 0 ? NULL : index_after(ix, m->id);
		from = 0;
	}
}

static bool
changes(const struct msg_act *act)
{
	return act->verb != VERB_LIST && act->verb != VERB_COUNT && !act->dry;
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

	if (msg_act_get(m, &act) == -1 || q->nactings == CONTROL_WINDOW)
		return -1;
	w.wants_esc = select_wants_esc(&act.select);
	w.wants_route = select_wants_route(&act.select);
	w.only = select_id(&act.select);
	page.matched = 0;
	page.nrows = 0;
	page.more = false;
	page.cursor = act.cursor;
	reply_make(&page.reply, R_DONE, NULL);
	if (changes(&act) && (w.acting = order_begin(q, m->id)) == NULL)
		reply_make(&page.reply, R_LOCAL_ERROR, "no memory");
	else
		walk(&w);
	queue_pump(q);
	if (w.acting != NULL)
		order_end(w.acting, &page);
	else
		control_answer(q, m->id, &page);
	return 0;
}

static const struct ipc_rule rules[] = {
	{ CONTROL_ACT, IPC_ANY_PHASE, IPC_FD_NEVER, on_act },
	{ CONTROL_SHOW, IPC_ANY_PHASE, IPC_FD_NEVER, control_show },
	{ CONTROL_CAT, IPC_ANY_PHASE, IPC_FD_NEVER, control_cat },
	{ CONTROL_SETTLE, IPC_ANY_PHASE, IPC_FD_NEVER, control_settle },
};

/* --- coming and going --------------------------------------------------------
 */

static void
on_closed(void *arg, bool bad)
{
	struct queue *q = arg;

	q->control = NULL;
	order_orphan(q);
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
	order_orphan(q);
	q->control = channel_new(q->base, fd, PEER_CONTROL, &ops, q);
	if (q->control == NULL)
		log_warn("peer_failed",
		    log_str("peer", peer_name(PEER_CONTROL)), log_errno(errno));
}
