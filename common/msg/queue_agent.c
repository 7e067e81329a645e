/*
 * msg/queue_agent.c - hand-outs and what became of them, coded.
 */
#include "common/msg/check.h"
#include "common/msg/queue_agent.h"

static void
handout_put(struct wire_put *w, const struct handout *h)
{
	wire_put_u64(w, h->message);
	wire_put_u64(w, h->attempt);
}

static void
handout_get(struct wire_get *w, struct handout *h)
{
	h->message = wire_get_u64(w);
	h->attempt = wire_get_u64(w);
	if (h->message == 0)
		w->bad = true;
}

/* How many recipients follow: at least one. */
static void
count_put(struct wire_put *w, uint32_t n)
{
	if (n == 0 || n > DELIVER_RCPTS_MAX)
		w->bad = true;
	wire_put_u8(w, (uint8_t)n);
}

static uint32_t
count_get(struct wire_get *w)
{
	uint32_t n = wire_get_enum(w, DELIVER_RCPTS_MAX + 1);

	if (n == 0)
		w->bad = true;
	return n;
}

static void
indexes_put(struct wire_put *w, const uint32_t *rcpts, uint32_t n)
{
	count_put(w, n);
	for (uint32_t i = 0; i < n && !w->bad; i++)
		wire_put_u32(w, rcpts[i]);
}

static uint32_t
indexes_get(struct wire_get *w, uint32_t rcpts[DELIVER_RCPTS_MAX])
{
	uint32_t n = count_get(w);

	for (uint32_t i = 0; i < n; i++)
		rcpts[i] = wire_get_u32(w);
	return n;
}

static void
rcpts_put(struct wire_put *w, const struct msg_deliver *d)
{
	count_put(w, d->nrcpts);
	for (uint32_t i = 0; i < d->nrcpts && !w->bad; i++) {
		wire_put_u32(w, d->rcpts[i].index);
		wire_put_span(w, d->rcpts[i].address);
	}
}

static void
rcpts_get(struct wire_get *w, struct msg_deliver *d)
{
	d->nrcpts = count_get(w);
	for (uint32_t i = 0; i < d->nrcpts && !w->bad; i++) {
		d->rcpts[i].index = wire_get_u32(w);
		d->rcpts[i].address = wire_get_span(w);
		if (!msg_address_ok(d->rcpts[i].address))
			w->bad = true;
	}
}

void
msg_deliver_put(struct wire_put *w, const struct msg_deliver *d)
{
	handout_put(w, &d->handout);
	wire_put_u8(w, d->maybe);
	route_put(w, &d->route);
	wire_put_span(w, d->sender);
	wire_put_u8(w, (uint8_t)d->body);
	wire_put_u8(w, d->utf8);
	rcpts_put(w, d);
	wire_put_span(w, d->prefix);
	wire_put_u64(w, d->size);
	wire_put_u8(w, d->inlined);
	if (d->inlined)
		wire_put_span(w, d->content);
}

/* The content is in the packet, whole, or behind the descriptor; not both. */
static bool
content_ok(const struct ipc_msg *m, const struct msg_deliver *d)
{
	if (!d->inlined)
		return m->fd != -1 && d->size <= INT64_MAX;
	return m->fd == -1 && d->size == d->content.n &&
	    d->content.n <= DELIVER_INLINE_MAX;
}

int
msg_deliver_get(struct ipc_msg *m, struct msg_deliver *d)
{
	handout_get(&m->body, &d->handout);
	d->maybe = wire_get_bool(&m->body);
	route_get(&m->body, &d->route);
	d->sender = wire_get_span(&m->body);
	d->body = (enum envelope_body)wire_get_enum(&m->body, BODY_END);
	d->utf8 = wire_get_bool(&m->body);
	rcpts_get(&m->body, d);
	d->prefix = wire_get_span(&m->body);
	d->size = wire_get_u64(&m->body);
	d->inlined = wire_get_bool(&m->body);
	d->content = d->inlined ? wire_get_span(&m->body) : SPAN("");
	if (!wire_done(&m->body) || !content_ok(m, d))
		return -1;
	return d->sender.n == 0 || msg_address_ok(d->sender) ? 0 : -1;
}

void
msg_underway_put(struct wire_put *w, const struct msg_underway *u)
{
	handout_put(w, &u->handout);
	indexes_put(w, u->rcpts, u->nrcpts);
}

int
msg_underway_get(struct ipc_msg *m, struct msg_underway *u)
{
	handout_get(&m->body, &u->handout);
	u->nrcpts = indexes_get(&m->body, u->rcpts);
	return wire_done(&m->body) ? 0 : -1;
}

void
msg_hello_put(struct wire_put *w, const struct msg_hello *h)
{
	wire_put_u32(w, h->window);
}

int
msg_hello_get(struct ipc_msg *m, struct msg_hello *h)
{
	h->window = wire_get_u32(&m->body);
	if (!wire_done(&m->body))
		return -1;
	return h->window >= 1 && h->window <= AGENT_WINDOW ? 0 : -1;
}

void
msg_result_put(struct wire_put *w, const struct msg_result *r)
{
	handout_put(w, &r->handout);
	wire_put_str(w, r->host);
	indexes_put(w, r->rcpts, r->nrcpts);
	reply_put(w, &r->reply);
	wire_put_u8(w, r->last);
}

int
msg_result_get(struct ipc_msg *m, struct msg_result *r)
{
	handout_get(&m->body, &r->handout);
	wire_get_str(&m->body, r->host, sizeof r->host);
	r->nrcpts = indexes_get(&m->body, r->rcpts);
	reply_get(&m->body, &r->reply);
	r->last = wire_get_bool(&m->body);
	return wire_done(&m->body) && msg_final_ok(&r->reply) ? 0 : -1;
}

void
msg_recorded_put(struct wire_put *w, const struct msg_recorded *r)
{
	handout_put(w, &r->handout);
}

int
msg_recorded_get(struct ipc_msg *m, struct msg_recorded *r)
{
	handout_get(&m->body, &r->handout);
	return wire_done(&m->body) ? 0 : -1;
}
