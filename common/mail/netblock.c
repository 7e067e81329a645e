/*
 * netblock.c - IP addresses as 16 octets, and which block they are in.
 */
#include <arpa/inet.h>
#include <netinet/in.h>

#include "common/mail/netblock.h"

static const uint8_t v4_prefix[12] = { [10] = 0xff, [11] = 0xff };

static void
set_v4(struct ip *ip, const struct in_addr *v4)
{
	memcpy(ip->b, v4_prefix, sizeof v4_prefix);
	memcpy(ip->b + sizeof v4_prefix, v4, 4);
}

bool
ip_parse(struct ip *ip, struct span s)
{
	char text[IP_TEXT_MAX];
	struct in_addr v4;

	if (!span_copy(text, sizeof text, s))
		return false;
	/* inet_pton wants four decimal numbers: no octal, no short forms. */
	if (inet_pton(AF_INET, text, &v4) == 1) {
		set_v4(ip, &v4);
		return true;
	}
	return inet_pton(AF_INET6, text, ip->b) == 1;
}

bool
ip_is_v4(const struct ip *ip)
{
	return memcmp(ip->b, v4_prefix, sizeof v4_prefix) == 0;
}

void
ip_format(char dst[IP_TEXT_MAX], const struct ip *ip)
{
	if (ip_is_v4(ip))
		inet_ntop(AF_INET, ip->b + sizeof v4_prefix, dst, IP_TEXT_MAX);
	else
		inet_ntop(AF_INET6, ip->b, dst, IP_TEXT_MAX);
}

bool
ip_from_sockaddr(struct ip *ip, const struct sockaddr *sa)
{
	struct sockaddr_in in;
	struct sockaddr_in6 in6;

	/* Copied, since a struct sockaddr need not be aligned for either. */
	switch (sa->sa_family) {
	case AF_INET:
		memcpy(&in, sa, sizeof in);
		set_v4(ip, &in.sin_addr);
		return true;
	case AF_INET6:
		memcpy(&in6, sa, sizeof in6);
		memcpy(ip->b, &in6.sin6_addr, sizeof ip->b);
		return true;
	default:
		return false;
	}
}

socklen_t
ip_to_sockaddr(struct sockaddr_storage *ss, const struct ip *ip, uint16_t port)
{
	struct sockaddr_in in = { .sin_family = AF_INET };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6 };

	memset(ss, 0, sizeof *ss);
	if (ip_is_v4(ip)) {
		in.sin_port = htons(port);
		memcpy(&in.sin_addr, ip->b + sizeof v4_prefix, 4);
		memcpy(ss, &in, sizeof in);
		return sizeof in;
	}
	in6.sin6_port = htons(port);
	memcpy(&in6.sin6_addr, ip->b, sizeof ip->b);
	memcpy(ss, &in6, sizeof in6);
	return sizeof in6;
}

bool
netblock_parse(struct netblock *b, struct span s)
{
	bool has_bits = s.n > 0 && memchr(s.p, '/', s.n) != NULL;
	struct span address = span_cut(&s, '/');
	struct netblock block = { .bits = 128 };
	uint64_t bits;
	unsigned width;

	if (!ip_parse(&block.ip, address))
		return false;
	width = memchr(address.p, ':', address.n) != NULL ? 128 : 32;
	if (has_bits) {
		if (!span_number(s, width, &bits))
			return false;
		block.bits = (uint8_t)(128 - width + bits);
	}
	*b = block;
	return true;
}

bool
netblock_has(const struct netblock *b, const struct ip *ip)
{
	unsigned whole = b->bits / 8, rest = b->bits % 8;
	unsigned mask = 0xff00u >> rest & 0xff;

	/* "::/0" is said of IPv6; who means IPv4 says "0.0.0.0/0". */
	if (b->bits < 96 && ip_is_v4(ip))
		return false;
	if (b->bits > 128 || memcmp(b->ip.b, ip->b, whole) != 0)
		return false;
	return rest == 0 || ((b->ip.b[whole] ^ ip->b[whole]) & mask) == 0;
}

void
ip_put(struct wire_put *w, const struct ip *ip)
{
	wire_put_bytes(w, ip->b, sizeof ip->b);
}

void
ip_get(struct wire_get *w, struct ip *ip)
{
	wire_get_bytes(w, ip->b, sizeof ip->b);
}
