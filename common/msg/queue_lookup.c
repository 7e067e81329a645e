/*
 * msg/queue_lookup.c - routes, and the question for one, coded.
 */
#include <stdio.h>

#include "common/msg/check.h"
#include "common/msg/queue_lookup.h"

/* Every kind has what its delivery needs. */
static bool
route_ok(const struct route *r)
{
	switch (r->kind) {
	case ROUTE_MAILDIR_SYSTEM:
		return r->user[0] != '\0' && r->path[0] != '\0';
	case ROUTE_MAILDIR_VIRTUAL:
		return r->path[0] == '/';
	case ROUTE_MX:
		return r->host[0] != '\0';
	case ROUTE_SMTP:
	case ROUTE_LMTP:
		return r->host[0] != '\0' && r->port != 0;
	case ROUTE_KIND_END:
		break;
	}
	return false;
}

void
route_put(struct wire_put *w, const struct route *r)
{
	wire_put_u8(w, (uint8_t)r->kind);
	wire_put_str(w, r->user);
	wire_put_str(w, r->path);
	wire_put_str(w, r->host);
	wire_put_u16(w, r->port);
}

void
route_get(struct wire_get *w, struct route *r)
{
	r->kind = (enum route_kind)wire_get_enum(w, ROUTE_KIND_END);
	wire_get_str(w, r->user, sizeof r->user);
	wire_get_str(w, r->path, sizeof r->path);
	wire_get_str(w, r->host, sizeof r->host);
	r->port = wire_get_u16(w);
	if (!route_ok(r))
		w->bad = true;
}

void
route_key(char dst[ROUTE_KEY_MAX], const struct route *r)
{
	switch (r->kind) {
	case ROUTE_MAILDIR_SYSTEM:
	case ROUTE_MAILDIR_VIRTUAL:
		snprintf(dst, ROUTE_KEY_MAX, "local/%s|%s", r->user, r->path);
		return;
	case ROUTE_MX:
		snprintf(dst, ROUTE_KEY_MAX, "mx/%s", r->host);
		return;
	case ROUTE_SMTP:
		snprintf(dst, ROUTE_KEY_MAX, "smtp/%s:%u", r->host, r->port);
		return;
	case ROUTE_LMTP:
		snprintf(dst, ROUTE_KEY_MAX, "lmtp/%s:%u", r->host, r->port);
		return;
	case ROUTE_KIND_END:
		break;
	}
	dst[0] = '\0';
}

void
msg_route_put(struct wire_put *w, const struct msg_route *r)
{
	wire_put_span(w, r->rcpt);
	wire_put_u8(w, r->expanded);
}

int
msg_route_get(struct ipc_msg *m, struct msg_route *r)
{
	r->rcpt = wire_get_span(&m->body);
	r->expanded = wire_get_bool(&m->body);
	return wire_done(&m->body) && msg_address_ok(r->rcpt) ? 0 : -1;
}

void
msg_routed_put(struct wire_put *w, const struct msg_routed *r)
{
	reply_put(w, &r->reply);
	if (reply_class(&r->reply) == 2)
		route_put(w, &r->route);
}

int
msg_routed_get(struct ipc_msg *m, struct msg_routed *r)
{
	reply_get(&m->body, &r->reply);
	r->route = (struct route){ .kind = ROUTE_MAILDIR_SYSTEM };
	if (reply_class(&r->reply) == 2)
		route_get(&m->body, &r->route);
	return wire_done(&m->body) && msg_final_ok(&r->reply) ? 0 : -1;
}

void
msg_expand_put(struct wire_put *w, const struct msg_expand *e)
{
	wire_put_u64(w, e->expansion);
	wire_put_u32(w, e->at);
}

int
msg_expand_get(struct ipc_msg *m, struct msg_expand *e)
{
	e->expansion = wire_get_u64(&m->body);
	e->at = wire_get_u32(&m->body);
	return wire_done(&m->body) && e->expansion != 0 && e->at <= EXPAND_MAX
	    ? 0
	    : -1;
}

void
msg_expanded_put(struct wire_put *w, const struct msg_expanded *e)
{
	wire_put_u64(w, e->expansion);
	wire_put_u32(w, e->at);
	wire_put_u32(w, e->total);
	wire_put_u32(w, e->n);
	for (uint32_t i = 0; i < e->n; i++) {
		wire_put_span(w, e->rows[i].address);
		wire_put_span(w, e->rows[i].owner);
		wire_put_u8(w, e->rows[i].again);
		wire_put_u8(w, e->rows[i].alias);
	}
}

static bool
row_ok(const struct expand_row *r)
{
	return msg_address_ok(r->address) &&
	    (r->owner.n == 0 || msg_address_ok(r->owner));
}

int
msg_expanded_get(struct ipc_msg *m, struct msg_expanded *e)
{
	struct wire_get *w = &m->body;

	e->expansion = wire_get_u64(w);
	e->at = wire_get_u32(w);
	e->total = wire_get_u32(w);
	e->n = wire_get_u32(w);
	if (w->bad || e->n > EXPAND_ROWS_MAX || e->total > EXPAND_MAX ||
	    e->at > e->total || e->n > e->total - e->at ||
	    (e->n == 0 && e->at < e->total) ||
	    (e->expansion == 0 && e->total > 0))
		return -1;
	for (uint32_t i = 0; i < e->n; i++) {
		struct expand_row *r = &e->rows[i];

		r->address = wire_get_span(w);
		r->owner = wire_get_span(w);
		r->again = wire_get_bool(w);
		r->alias = wire_get_bool(w);
		if (w->bad || !row_ok(r))
			return -1;
	}
	return wire_done(w) ? 0 : -1;
}
