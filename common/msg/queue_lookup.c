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
}

int
msg_route_get(struct ipc_msg *m, struct msg_route *r)
{
	r->rcpt = wire_get_span(&m->body);
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
