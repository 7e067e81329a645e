/*
 * msg/remote_resolver.c - a name, and the addresses found for it, coded.
 */
#include "common/msg/check.h"
#include "common/msg/remote_resolver.h"

void
msg_dns_ask_put(struct wire_put *w, const struct msg_dns_ask *a)
{
	wire_put_u8(w, (uint8_t)a->mode);
	wire_put_str(w, a->name);
}

int
msg_dns_ask_get(struct ipc_msg *m, struct msg_dns_ask *a)
{
	a->mode = (enum dns_mode)wire_get_enum(&m->body, DNS_MODE_END);
	wire_get_str(&m->body, a->name, sizeof a->name);
	return wire_done(&m->body) && a->name[0] != '\0' ? 0 : -1;
}

void
msg_dns_answer_put(struct wire_put *w, const struct msg_dns_answer *a)
{
	reply_put(w, &a->reply);
	if (a->n > DNS_ADDRESSES_MAX) {
		w->bad = true;
		return;
	}
	wire_put_u8(w, (uint8_t)a->n);
	for (uint32_t i = 0; i < a->n; i++) {
		wire_put_u16(w, a->a[i].preference);
		wire_put_str(w, a->a[i].host);
		ip_put(w, &a->a[i].ip);
	}
}

int
msg_dns_answer_get(struct ipc_msg *m, struct msg_dns_answer *a)
{
	reply_get(&m->body, &a->reply);
	a->n = wire_get_enum(&m->body, DNS_ADDRESSES_MAX + 1);
	for (uint32_t i = 0; i < a->n; i++) {
		a->a[i].preference = wire_get_u16(&m->body);
		wire_get_str(&m->body, a->a[i].host, sizeof a->a[i].host);
		ip_get(&m->body, &a->a[i].ip);
	}
	if (!wire_done(&m->body) || !msg_final_ok(&a->reply))
		return -1;
	/* Addresses come with a 2yz, and with nothing else. */
	return (a->n > 0) == (reply_class(&a->reply) == 2) ? 0 : -1;
}
