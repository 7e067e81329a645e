/*
 * search.c - RFC 5321 section 5.1; see search.h.
 */
#include <bsd/stdlib.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "lookup/dns/search.h"

#define LOOKUP_MX 0

/* ---- before any lookup ----------------------------------------------------
 */

static struct search_host *
add_host(struct search *s, const char *name, uint16_t preference)
{
	struct search_host *h = &s->hosts[s->nhosts++];

	*h = (struct search_host){ .preference = preference,
		.order = arc4random() };
	snprintf(h->name, sizeof h->name, "%s", name);
	return h;
}

/* No multicast; and not what the kernel takes for this host, RFC 1122 section
 * 3.2.1.3, RFC 4291 section 2.5.2: a domain could have its mail come back. */
static bool
is_of_a_host(const struct ip *ip)
{
	static const struct ip unspecified;

	if (ip_is_v4(ip))
		return ip->b[12] != 0 && ip->b[12] < 224;
	return ip->b[0] != 0xff &&
	    memcmp(ip, &unspecified, sizeof unspecified) != 0;
}

static void
add_ip(struct search_host *h, const struct ip *ip)
{
	if (!is_of_a_host(ip))
		return;
	if (ip_is_v4(ip) && h->nv4 < SEARCH_ADDRESSES_MAX)
		h->v4[h->nv4++] = *ip;
	else if (!ip_is_v4(ip) && h->nv6 < SEARCH_ADDRESSES_MAX)
		h->v6[h->nv6++] = *ip;
}

/* "192.0.2.1", "[192.0.2.1]", "[IPv6:2001:db8::1]", "[::1]" */
static bool
literal(const char *name, struct ip *ip)
{
	struct span s = span_of(name);

	if (s.n >= 2 && s.p[0] == '[' && s.p[s.n - 1] == ']')
		s = span_from(s.p + 1, s.n - 2);
	if (span_starts_case(s, "IPv6:"))
		s = span_skip(s, strlen("IPv6:"));
	return ip_parse(ip, s);
}

/* Names that need no lookup; RFC 6761 section 6.3 for localhost. */
static bool
known(struct search *s)
{
	const char *name = s->ask.name;
	struct search_host *h;
	struct ip ip;

	if (literal(name, &ip)) {
		add_ip(add_host(s, name, 0), &ip);
		return true;
	}
	if (strcasecmp(name, "localhost") != 0)
		return false;
	h = add_host(s, name, 0);
	if (ip_parse(&ip, SPAN("127.0.0.1")))
		add_ip(h, &ip);
	if (ip_parse(&ip, SPAN("::1")))
		add_ip(h, &ip);
	return true;
}

/* From now on, the addresses of the hosts are looked up. */
static void
seek_addresses(struct search *s)
{
	s->next = LOOKUP_MX + 1;
	s->limit = 1 + 2 * s->nhosts;
}

static void
finish(struct search *s, enum reply_name no)
{
	s->over = true;
	s->no = no;
	s->next = s->limit;
}

void
search_begin(struct search *s, const struct msg_dns_ask *ask)
{
	s->ask = *ask;
	s->next = s->limit = s->outstanding = s->nhosts = 0;
	s->over = false;
	if (known(s))
		return;
	s->limit = 1;
	if (ask->mode == DNS_MX)
		return;
	add_host(s, ask->name, 0);
	seek_addresses(s);
}

/* ---- lookups --------------------------------------------------------------
 */

bool
search_next(struct search *s, struct search_lookup *l)
{
	if (s->next >= s->limit)
		return false;
	l->number = s->next++;
	s->outstanding++;
	if (l->number == LOOKUP_MX) {
		l->name = s->ask.name;
		l->type = PACKET_MX;
	} else {
		l->name = s->hosts[(l->number - 1) / 2].name;
		l->type = l->number % 2 == 1 ? PACKET_A : PACKET_AAAA;
	}
	return true;
}

/* RFC 5321 section 5.1: the lowest preference first, equals in random order. */
static int
compare(const void *a, const void *b)
{
	const struct search_host *x = a, *y = b;

	if (x->preference != y->preference)
		return x->preference < y->preference ? -1 : 1;
	return x->order < y->order ? -1 : x->order > y->order;
}

static bool
listed(const struct search *s, const char *name)
{
	for (uint32_t i = 0; i < s->nhosts; i++)
		if (strcmp(s->hosts[i].name, name) == 0)
			return true;
	return false;
}

/* The worst host makes room for a better one. */
static void
add_mx(struct search *s, const struct packet_record *r)
{
	if (r->host[0] == '\0' || listed(s, r->host))
		return;
	if (s->nhosts == SEARCH_HOSTS_MAX) {
		qsort(s->hosts, s->nhosts, sizeof s->hosts[0], compare);
		if (r->preference >= s->hosts[s->nhosts - 1].preference)
			return;
		s->nhosts--;
	}
	add_host(s, r->host, r->preference);
}

static void
on_mx(struct search *s, const struct packet_records *p)
{
	switch (p->status) {
	case PACKET_NO_NAME:
		finish(s, R_NO_SUCH_DOMAIN);
		return;
	case PACKET_FAILED:
		finish(s, R_DNS_TEMPORARY);
		return;
	case PACKET_NODATA:
		/* The implicit MX: the domain itself. */
		add_host(s, s->ask.name, 0);
		break;
	case PACKET_FOUND:
		/* RFC 7505: a single MX that names the root. */
		if (p->n == 1 && p->r[0].host[0] == '\0') {
			finish(s, R_NULL_MX);
			return;
		}
		for (uint32_t i = 0; i < p->n; i++)
			add_mx(s, &p->r[i]);
		qsort(s->hosts, s->nhosts, sizeof s->hosts[0], compare);
		break;
	}
	seek_addresses(s);
}

void
search_result(struct search *s, uint32_t number, const struct packet_records *p)
{
	struct search_host *h;

	s->outstanding--;
	if (number == LOOKUP_MX) {
		on_mx(s, p);
		return;
	}
	h = &s->hosts[(number - 1) / 2];
	if (p->status == PACKET_FAILED)
		h->failed = true;
	for (uint32_t i = 0; i < p->n; i++)
		add_ip(h, &p->r[i].ip);
}

bool
search_done(const struct search *s)
{
	return s->next >= s->limit && s->outstanding == 0;
}

/* ---- the answer -----------------------------------------------------------
 */

static bool
is_our_ip(const struct search_self *self, const struct ip *ip)
{
	if (self->loopback && ip_is_v4(ip) && ip->b[12] == 127)
		return true;
	for (size_t i = 0; i < self->nips; i++)
		if (memcmp(ip, &self->ips[i], sizeof *ip) == 0)
			return true;
	return false;
}

static bool
is_self(const struct search_host *h, const struct search_self *self)
{
	if (strcasecmp(h->name, self->hostname) == 0)
		return true;
	for (uint32_t i = 0; i < h->nv4; i++)
		if (is_our_ip(self, &h->v4[i]))
			return true;
	for (uint32_t i = 0; i < h->nv6; i++)
		if (is_our_ip(self, &h->v6[i]))
			return true;
	return false;
}

/* Hosts whose preference is not better than ours would send the mail back: out
 * with them and with us.  True if we were among them. */
static bool
drop_self(struct search *s, const struct search_self *self)
{
	for (uint32_t i = 0; i < s->nhosts; i++) {
		if (!is_self(&s->hosts[i], self))
			continue;
		while (i > 0 &&
		    s->hosts[i - 1].preference == s->hosts[i].preference)
			i--;
		s->nhosts = i;
		return true;
	}
	return false;
}

static void
add_answer(
    struct msg_dns_answer *a, const struct search_host *h, const struct ip *ip)
{
	struct dns_address *to;

	if (a->n == DNS_ADDRESSES_MAX)
		return;
	to = &a->a[a->n++];
	to->preference = h->preference;
	memcpy(to->host, h->name, sizeof to->host);
	to->ip = *ip;
}

/* Both families in turn, so that a host that is out of reach by one of them is
 * soon tried by the other. */
static void
add_addresses(struct msg_dns_answer *a, const struct search_host *h)
{
	for (uint32_t i = 0; i < SEARCH_ADDRESSES_MAX; i++) {
		if (i < h->nv6)
			add_answer(a, h, &h->v6[i]);
		if (i < h->nv4)
			add_answer(a, h, &h->v4[i]);
	}
}

void
search_answer(
    struct search *s, const struct search_self *self, struct msg_dns_answer *a)
{
	bool failed = false, ours = false;
	enum reply_name no = R_NO_SUCH_DOMAIN;

	a->n = 0;
	if (!s->over && s->ask.mode == DNS_MX)
		ours = drop_self(s, self);
	for (uint32_t i = 0; !s->over && i < s->nhosts; i++) {
		add_addresses(a, &s->hosts[i]);
		failed |= s->hosts[i].failed;
	}
	if (s->over)
		no = s->no;
	else if (failed)
		no = R_DNS_TEMPORARY;
	else if (ours)
		no = R_MAIL_LOOPS_BACK;
	reply_make(&a->reply, a->n > 0 ? R_DONE : no, s->ask.name);
}
