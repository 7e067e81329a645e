/*
 * msg/smtpd_queue.c - a message on its way from smtpd to queue, coded.
 *
 * Every address is looked at here, once, so that nothing which the parser
 * would refuse is ever written to the log or handed to a delivery.
 */
#include "common/msg/check.h"
#include "common/msg/smtpd_queue.h"

bool
rcpts_next(struct rcpt_list *l, struct span *rcpt)
{
	if (l->n == 0)
		return false;
	l->n--;
	*rcpt = wire_get_span(&l->list);
	return !l->list.bad;
}

static void
rcpts_put(struct wire_put *w, const char *const *rcpts, uint32_t n)
{
	wire_put_u32(w, n);
	for (uint32_t i = 0; i < n; i++)
		wire_put_str(w, rcpts[i]);
}

static void
rcpts_get(struct wire_get *w, struct rcpt_list *l)
{
	l->n = wire_get_u32(w);
	l->list = *w;
	for (uint32_t i = 0; i < l->n && !w->bad; i++)
		if (!msg_address_ok(wire_get_span(w)))
			w->bad = true;
	l->list.n -= w->n;
	if (w->bad)
		*l = (struct rcpt_list){ .n = 0 };
}

void
msg_submit_put(struct wire_put *w, const struct envelope *e,
    const char *const *rcpts, uint32_t n, struct span content)
{
	envelope_put(w, e);
	rcpts_put(w, rcpts, n);
	wire_put_span(w, content);
}

int
msg_submit_get(struct ipc_msg *m, struct msg_submit *s)
{
	envelope_get(&m->body, &s->envelope);
	rcpts_get(&m->body, &s->rcpts);
	s->content = wire_get_span(&m->body);
	if (!wire_done(&m->body) || s->envelope.nrcpts == 0)
		return -1;
	if (m->type == QUEUE_SUBMIT)
		return s->rcpts.n == s->envelope.nrcpts ? 0 : -1;
	/* QUEUE_OPEN: the rest follows, the content through the pipe. */
	return s->rcpts.n <= s->envelope.nrcpts && s->content.n == 0 ? 0 : -1;
}

void
msg_rcpts_put(struct wire_put *w, const char *const *rcpts, uint32_t n)
{
	rcpts_put(w, rcpts, n);
}

int
msg_rcpts_get(struct ipc_msg *m, struct msg_rcpts *r)
{
	rcpts_get(&m->body, &r->rcpts);
	if (!wire_done(&m->body))
		return -1;
	return r->rcpts.n >= 1 && r->rcpts.n <= RCPTS_MAX ? 0 : -1;
}

void
msg_end_put(struct wire_put *w, const struct msg_end *e)
{
	wire_put_u64(w, e->size);
}

int
msg_end_get(struct ipc_msg *m, struct msg_end *e)
{
	e->size = wire_get_u64(&m->body);
	return wire_done(&m->body) ? 0 : -1;
}
