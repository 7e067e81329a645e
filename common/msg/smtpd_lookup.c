/*
 * msg/smtpd_lookup.c - what smtpd asks lookup, coded.
 */
#include "common/msg/check.h"
#include "common/msg/smtpd_lookup.h"

void
msg_connect_put(struct wire_put *w, const struct msg_connect *c)
{
	wire_put_u32(w, c->session);
	wire_put_u32(w, c->listener);
	wire_put_u8(w, (uint8_t)c->from);
	ip_put(w, &c->ip);
	wire_put_u32(w, c->uid);
}

int
msg_connect_get(struct ipc_msg *m, struct msg_connect *c)
{
	c->session = wire_get_u32(&m->body);
	c->listener = wire_get_u32(&m->body);
	c->from = (enum client_from)wire_get_enum(&m->body, CLIENT_END);
	ip_get(&m->body, &c->ip);
	c->uid = wire_get_u32(&m->body);
	return wire_done(&m->body) ? 0 : -1;
}

void
msg_client_put(struct wire_put *w, const struct msg_client *c)
{
	reply_put(w, &c->reply);
	wire_put_u8(w, c->trusted);
}

int
msg_client_get(struct ipc_msg *m, struct msg_client *c)
{
	reply_get(&m->body, &c->reply);
	c->trusted = wire_get_bool(&m->body);
	return wire_done(&m->body) && c->reply.code != 0 ? 0 : -1;
}

void
msg_rcpt_put(struct wire_put *w, const struct msg_rcpt *r)
{
	wire_put_u32(w, r->session);
	wire_put_span(w, r->sender);
	wire_put_span(w, r->rcpt);
}

int
msg_rcpt_get(struct ipc_msg *m, struct msg_rcpt *r)
{
	r->session = wire_get_u32(&m->body);
	r->sender = wire_get_span(&m->body);
	r->rcpt = wire_get_span(&m->body);
	if (!wire_done(&m->body))
		return -1;
	if (r->sender.n != 0 && !msg_address_ok(r->sender))
		return -1;
	/* RFC 5321 section 4.1.1.3: "postmaster" needs no domain. */
	if (!span_is(r->rcpt, "postmaster") && !msg_address_ok(r->rcpt))
		return -1;
	return 0;
}

void
msg_verdict_put(struct wire_put *w, const struct msg_verdict *v)
{
	reply_put(w, &v->reply);
	if (v->reply.code == 251)
		wire_put_span(w, v->forward);
}

int
msg_verdict_get(struct ipc_msg *m, struct msg_verdict *v)
{
	reply_get(&m->body, &v->reply);
	v->forward = SPAN("");
	if (v->reply.code == 251)
		v->forward = wire_get_span(&m->body);
	if (!wire_done(&m->body) || v->reply.code == 0)
		return -1;
	return v->reply.code != 251 || msg_address_ok(v->forward) ? 0 : -1;
}

void
msg_gone_put(struct wire_put *w, const struct msg_gone *g)
{
	wire_put_u32(w, g->session);
}

int
msg_gone_get(struct ipc_msg *m, struct msg_gone *g)
{
	g->session = wire_get_u32(&m->body);
	return wire_done(&m->body) ? 0 : -1;
}
