/*
 * msg/control.c - see control.h.
 */
#include <errno.h>

#include "common/msg/control.h"

static int
done(struct ipc_msg *m)
{
	if (wire_done(&m->body))
		return 0;
	errno = EBADMSG;
	return -1;
}

static void
cursor_put(struct wire_put *w, const struct control_cursor *c)
{
	wire_put_u64(w, c->id);
	wire_put_u32(w, c->index);
	wire_put_u8(w, c->set);
}

static void
cursor_get(struct wire_get *w, struct control_cursor *c)
{
	c->id = wire_get_u64(w);
	c->index = wire_get_u32(w);
	c->set = wire_get_bool(w);
}

/* A count that an array in the message must hold. */
static uint32_t
count_get(struct wire_get *w, uint32_t max)
{
	uint32_t n = wire_get_u32(w);

	if (n > max)
		w->bad = true;
	return w->bad ? 0 : n;
}

static void
select_put(struct wire_put *w, const struct select *s)
{
	wire_put_u32(w, s->n);
	for (uint32_t i = 0; i < s->n; i++) {
		wire_put_u8(w, s->t[i].field);
		wire_put_u8(w, s->t[i].op);
		wire_put_str(w, s->t[i].text);
		wire_put_u64(w, s->t[i].number);
	}
}

static void
select_get(struct wire_get *w, struct select *s)
{
	s->n = count_get(w, SELECT_TERMS_MAX);
	for (uint32_t i = 0; i < s->n; i++) {
		struct select_term *t = &s->t[i];

		t->field = wire_get_enum(w, SELECT_FIELD_END);
		t->op = wire_get_enum(w, SELECT_OP_END);
		wire_get_str(w, t->text, sizeof t->text);
		t->number = wire_get_u64(w);
		if (t->field == SELECT_STATE && t->number >= STATE_END)
			w->bad = true;
	}
}

void
msg_act_put(struct wire_put *w, const struct msg_act *a)
{
	wire_put_u8(w, a->verb);
	wire_put_u8(w, a->dry);
	cursor_put(w, &a->cursor);
	select_put(w, &a->select);
	wire_put_str(w, a->reason);
}

int
msg_act_get(struct ipc_msg *m, struct msg_act *a)
{
	a->verb = wire_get_enum(&m->body, VERB_END);
	a->dry = wire_get_bool(&m->body);
	cursor_get(&m->body, &a->cursor);
	select_get(&m->body, &a->select);
	wire_get_str(&m->body, a->reason, sizeof a->reason);
	return done(m);
}

void
msg_show_put(struct wire_put *w, const struct msg_show *s)
{
	wire_put_u64(w, s->id);
	wire_put_u32(w, s->index);
}

int
msg_show_get(struct ipc_msg *m, struct msg_show *s)
{
	s->id = wire_get_u64(&m->body);
	s->index = wire_get_u32(&m->body);
	return done(m);
}

void
msg_story_put(struct wire_put *w, const struct msg_story *s)
{
	wire_put_u64(w, s->id);
	wire_put_u64(w, (uint64_t)s->slice);
	wire_put_u64(w, s->offset);
}

int
msg_story_get(struct ipc_msg *m, struct msg_story *s)
{
	s->id = wire_get_u64(&m->body);
	s->slice = (int64_t)wire_get_u64(&m->body);
	s->offset = wire_get_u64(&m->body);
	if (s->id == 0)
		m->body.bad = true;
	return done(m);
}

static void
row_put(struct wire_put *w, const struct control_row *r)
{
	wire_put_u64(w, r->id);
	wire_put_u32(w, r->index);
	wire_put_span(w, r->sender);
	wire_put_span(w, r->rcpt);
	wire_put_u64(w, r->size);
	wire_put_u64(w, (uint64_t)r->accepted);
	wire_put_u8(w, r->state);
	wire_put_u32(w, r->attempts);
	wire_put_u64(w, (uint64_t)r->next);
	wire_put_u16(w, r->code);
}

static void
row_get(struct wire_get *w, struct control_row *r)
{
	r->id = wire_get_u64(w);
	r->index = wire_get_u32(w);
	r->sender = wire_get_span(w);
	r->rcpt = wire_get_span(w);
	r->size = wire_get_u64(w);
	r->accepted = (int64_t)wire_get_u64(w);
	r->state = wire_get_enum(w, STATE_END);
	r->attempts = wire_get_u32(w);
	r->next = (int64_t)wire_get_u64(w);
	r->code = wire_get_u16(w);
}

void
msg_page_put(struct wire_put *w, const struct msg_page *p)
{
	reply_put(w, &p->reply);
	wire_put_u64(w, p->matched);
	wire_put_u8(w, p->more);
	cursor_put(w, &p->cursor);
	wire_put_u32(w, p->nrows);
	for (uint32_t i = 0; i < p->nrows; i++)
		row_put(w, &p->rows[i]);
}

int
msg_page_get(struct ipc_msg *m, struct msg_page *p)
{
	struct wire_get *w = &m->body;

	reply_get(w, &p->reply);
	p->matched = wire_get_u64(w);
	p->more = wire_get_bool(w);
	cursor_get(w, &p->cursor);
	p->nrows = count_get(w, CONTROL_ROWS_MAX);
	for (uint32_t i = 0; i < p->nrows; i++)
		row_get(w, &p->rows[i]);
	return done(m);
}

static void
rcpt_put(struct wire_put *w, const struct control_rcpt *r)
{
	wire_put_span(w, r->rcpt);
	wire_put_u8(w, r->state);
	wire_put_u8(w, r->final);
	wire_put_u32(w, r->attempts);
	wire_put_u64(w, (uint64_t)r->next);
	wire_put_u64(w, (uint64_t)r->time);
	wire_put_u8(w, r->reply.code != 0);
	if (r->reply.code != 0)
		reply_put(w, &r->reply);
	wire_put_span(w, r->host);
}

static void
rcpt_get(struct wire_get *w, struct control_rcpt *r)
{
	r->rcpt = wire_get_span(w);
	r->state = wire_get_enum(w, STATE_END);
	r->final = wire_get_bool(w);
	r->attempts = wire_get_u32(w);
	r->next = (int64_t)wire_get_u64(w);
	r->time = (int64_t)wire_get_u64(w);
	r->reply = (struct reply){ 0 };
	if (wire_get_bool(w))
		reply_get(w, &r->reply);
	r->host = wire_get_span(w);
}

void
msg_detail_put(struct wire_put *w, const struct msg_detail *d)
{
	reply_put(w, &d->reply);
	wire_put_u64(w, d->id);
	wire_put_u64(w, d->parent);
	wire_put_u64(w, d->size);
	wire_put_span(w, d->sender);
	wire_put_span(w, d->client);
	wire_put_u8(w, d->bounce);
	wire_put_u8(w, d->damaged);
	wire_put_u32(w, d->nrcpts);
	wire_put_u32(w, d->first);
	wire_put_u32(w, d->n);
	for (uint32_t i = 0; i < d->n; i++)
		rcpt_put(w, &d->rcpts[i]);
}

int
msg_detail_get(struct ipc_msg *m, struct msg_detail *d)
{
	struct wire_get *w = &m->body;

	reply_get(w, &d->reply);
	d->id = wire_get_u64(w);
	d->parent = wire_get_u64(w);
	d->size = wire_get_u64(w);
	d->sender = wire_get_span(w);
	d->client = wire_get_span(w);
	d->bounce = wire_get_bool(w);
	d->damaged = wire_get_bool(w);
	d->nrcpts = wire_get_u32(w);
	d->first = wire_get_u32(w);
	d->n = count_get(w, CONTROL_RCPTS_MAX);
	for (uint32_t i = 0; i < d->n; i++)
		rcpt_get(w, &d->rcpts[i]);
	return done(m);
}

void
msg_content_put(struct wire_put *w, const struct msg_content *c)
{
	reply_put(w, &c->reply);
	wire_put_u64(w, c->size);
	wire_put_span(w, c->prefix);
}

int
msg_content_get(struct ipc_msg *m, struct msg_content *c)
{
	reply_get(&m->body, &c->reply);
	c->size = wire_get_u64(&m->body);
	c->prefix = wire_get_span(&m->body);
	return done(m);
}

void
msg_tale_put(struct wire_put *w, const struct msg_tale *t)
{
	struct buf frames;

	buf_init(&frames, IPC_BODY_MAX);
	reply_put(w, &t->reply);
	wire_put_u8(w, t->more);
	wire_put_u64(w, (uint64_t)t->slice);
	wire_put_u64(w, t->offset);
	wire_put_u32(w, t->n);
	for (uint32_t i = 0; i < t->n; i++)
		if (history_put(&frames, i, &t->events[i]) == -1)
			w->bad = true;
	wire_put_span(w, buf_span(&frames));
	buf_fini(&frames);
}

int
msg_tale_get(struct ipc_msg *m, struct msg_tale *t)
{
	struct wire_get *w = &m->body;
	struct span frames;
	uint64_t seq;

	reply_get(w, &t->reply);
	t->more = wire_get_bool(w);
	t->slice = (int64_t)wire_get_u64(w);
	t->offset = wire_get_u64(w);
	t->n = count_get(w, CONTROL_EVENTS_MAX);
	frames = wire_get_span(w);
	for (uint32_t i = 0; i < t->n; i++)
		if (history_get(&frames, &seq, &t->events[i]) != 1)
			w->bad = true;
	if (frames.n != 0)
		w->bad = true;
	return done(m);
}

void
msg_errors_put(struct wire_put *w, const struct msg_errors *e)
{
	wire_put_u8(w, (uint8_t)e->n);
	for (uint32_t i = 0; i < e->n; i++)
		wire_put_span(w, e->lines[i]);
}

int
msg_errors_get(struct ipc_msg *m, struct msg_errors *e)
{
	e->n = wire_get_enum(&m->body, CONTROL_ERRORS_MAX + 1);
	for (uint32_t i = 0; i < e->n; i++) {
		e->lines[i] = wire_get_span(&m->body);
		if (e->lines[i].n > CONTROL_ERROR_MAX)
			return -1;
	}
	return wire_done(&m->body) ? 0 : -1;
}
