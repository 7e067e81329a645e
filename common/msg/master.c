/*
 * msg/master.c - what master and the processes tell each other, coded.
 */
#include "common/msg/master.h"

void
msg_peer_put(struct wire_put *w, const struct msg_peer *p)
{
	wire_put_u8(w, (uint8_t)p->kind);
	wire_put_u32(w, p->instance);
}

int
msg_peer_get(struct ipc_msg *m, struct msg_peer *p)
{
	p->kind = (enum peer)wire_get_enum(&m->body, PEER_END);
	p->instance = wire_get_u32(&m->body);
	return wire_done(&m->body) ? 0 : -1;
}

void
msg_listener_put(struct wire_put *w, const struct msg_listener *l)
{
	wire_put_u32(w, l->index);
}

int
msg_listener_get(struct ipc_msg *m, struct msg_listener *l)
{
	l->index = wire_get_u32(&m->body);
	return wire_done(&m->body) ? 0 : -1;
}

void
msg_conf_put(struct wire_put *w, const struct msg_conf *c)
{
	wire_put_u32(w, c->instance);
}

int
msg_conf_get(struct ipc_msg *m, struct msg_conf *c)
{
	c->instance = wire_get_u32(&m->body);
	return wire_done(&m->body) ? 0 : -1;
}

void
msg_session_put(struct wire_put *w, const struct msg_session *s)
{
	wire_put_u32(w, s->listener);
	ip_put(w, &s->ip);
}

/* Its descriptor is there where it is not standard input that is meant. */
int
msg_session_get(struct ipc_msg *m, struct msg_session *s)
{
	s->listener = wire_get_u32(&m->body);
	ip_get(&m->body, &s->ip);
	return wire_done(&m->body) &&
		(s->listener == LISTENER_STDIN) == (m->fd == -1)
	    ? 0
	    : -1;
}

void
msg_complain_put(struct wire_put *w, const struct msg_complain *c)
{
	wire_put_u8(w, (uint8_t)c->kind);
	wire_put_u32(w, c->instance);
}

int
msg_complain_get(struct ipc_msg *m, struct msg_complain *c)
{
	c->kind = (enum peer)wire_get_enum(&m->body, PEER_END);
	c->instance = wire_get_u32(&m->body);
	return wire_done(&m->body) ? 0 : -1;
}

static void
counters_put(struct wire_put *w, const struct msg_counters *c)
{
	if (c->n > STATUS_COUNTERS_MAX) {
		w->bad = true;
		return;
	}
	wire_put_u8(w, (uint8_t)c->n);
	for (uint32_t i = 0; i < c->n; i++) {
		wire_put_str(w, c->c[i].name);
		wire_put_u64(w, c->c[i].value);
	}
}

static void
counters_get(struct wire_get *w, struct msg_counters *c)
{
	c->n = wire_get_enum(w, STATUS_COUNTERS_MAX + 1);
	for (uint32_t i = 0; i < c->n; i++) {
		wire_get_str(w, c->c[i].name, sizeof c->c[i].name);
		c->c[i].value = wire_get_u64(w);
	}
}

void
msg_counters_put(struct wire_put *w, const struct msg_counters *c)
{
	counters_put(w, c);
}

int
msg_counters_get(struct ipc_msg *m, struct msg_counters *c)
{
	counters_get(&m->body, c);
	return wire_done(&m->body) ? 0 : -1;
}

void
msg_line_put(struct wire_put *w, const struct msg_line *l)
{
	wire_put_str(w, l->text);
}

int
msg_line_get(struct ipc_msg *m, struct msg_line *l)
{
	wire_get_str(&m->body, l->text, sizeof l->text);
	return wire_done(&m->body) ? 0 : -1;
}

void
msg_process_put(struct wire_put *w, const struct msg_process *p)
{
	wire_put_u8(w, (uint8_t)p->kind);
	wire_put_u8(w, (uint8_t)p->state);
	wire_put_u32(w, p->generation);
	wire_put_u32(w, p->instance);
	wire_put_u32(w, p->pid);
	wire_put_u32(w, p->restarts);
	wire_put_u32(w, p->age);
	wire_put_u8(w, p->died);
	wire_put_u32(w, p->died_ago);
	wire_put_u32(w, p->died_signal);
	wire_put_u32(w, p->died_status);
	counters_put(w, &p->counters);
}

int
msg_process_get(struct ipc_msg *m, struct msg_process *p)
{
	p->kind = (enum peer)wire_get_enum(&m->body, PEER_END);
	p->state =
	    (enum process_state)wire_get_enum(&m->body, PROCESS_STATE_END);
	p->generation = wire_get_u32(&m->body);
	p->instance = wire_get_u32(&m->body);
	p->pid = wire_get_u32(&m->body);
	p->restarts = wire_get_u32(&m->body);
	p->age = wire_get_u32(&m->body);
	p->died = wire_get_bool(&m->body);
	p->died_ago = wire_get_u32(&m->body);
	p->died_signal = wire_get_u32(&m->body);
	p->died_status = wire_get_u32(&m->body);
	counters_get(&m->body, &p->counters);
	return wire_done(&m->body) ? 0 : -1;
}
