/*
 * proxy.c - see proxy.h.
 *
 * Nothing is taken for a header that is not one in every octet: what was meant
 * for something else must not become a client's address.
 */
#include <netinet/in.h>

#include "smtpd/proxy.h"

#define V1_MAX	    107
#define V2_HEAD	    16
#define V2_COMMAND  0x20 /* the version in the upper half */
#define V2_LOCAL    (V2_COMMAND | 0)
#define V2_PROXY    (V2_COMMAND | 1)
#define V2_TCP4	    0x11
#define V2_TCP6	    0x21
#define V2_TCP4_LEN 12 /* two addresses, two ports */
#define V2_TCP6_LEN 36

static const char signature[12] = "\r\n\r\n\0\r\nQUIT\n";

static bool
port_ok(struct span s)
{
	uint64_t port;

	/* No leading zeros, as the text says of it. */
	return span_number(s, UINT16_MAX, &port) && (s.n == 1 || s.p[0] != '0');
}

/* "TCP4 192.0.2.1 192.0.2.2 56324 25" */
static enum proxy_result
read_words(struct span s, struct ip *client)
{
	struct span family = span_cut(&s, ' ');
	struct span from = span_cut(&s, ' '), to = span_cut(&s, ' ');
	struct span port = span_cut(&s, ' ');
	struct ip ip, dst;

	/* What stands behind it means nothing. */
	if (span_eq(family, SPAN("UNKNOWN")))
		return PROXY_ITSELF;
	if (!ip_parse(&ip, from) || !ip_parse(&dst, to) || !port_ok(port) ||
	    !port_ok(s) || ip_is_v4(&ip) != ip_is_v4(&dst) ||
	    !span_eq(family, ip_is_v4(&ip) ? SPAN("TCP4") : SPAN("TCP6")))
		return PROXY_BAD;
	*client = ip;
	return PROXY_ADDRESS;
}

static enum proxy_result
read_v1(struct span *in, struct ip *client)
{
	static const char word[] = "PROXY ";
	struct span head =
	    span_from(in->p, in->n < V1_MAX ? in->n : (size_t)V1_MAX);
	size_t n = span_line(head);
	enum proxy_result result;

	if (memcmp(word, head.p, head.n < 6 ? head.n : (size_t)6) != 0)
		return PROXY_BAD;
	if (n == 0)
		return head.n == V1_MAX ? PROXY_BAD : PROXY_MORE;
	result = read_words(span_from(head.p + 6, n - 8), client);
	*in = span_skip(*in, n);
	return result;
}

static enum proxy_result
read_addresses(unsigned char family, struct span s, struct ip *client)
{
	struct sockaddr_in v4 = { .sin_family = AF_INET };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6 };

	if (family == V2_TCP4 && s.n >= V2_TCP4_LEN) {
		memcpy(&v4.sin_addr, s.p, 4);
		return ip_from_sockaddr(client, (struct sockaddr *)&v4)
		    ? PROXY_ADDRESS
		    : PROXY_BAD;
	}
	if (family == V2_TCP6 && s.n >= V2_TCP6_LEN) {
		memcpy(&v6.sin6_addr, s.p, 16);
		return ip_from_sockaddr(client, (struct sockaddr *)&v6)
		    ? PROXY_ADDRESS
		    : PROXY_BAD;
	}
	return family == V2_TCP4 || family == V2_TCP6 ? PROXY_BAD
						      : PROXY_ITSELF;
}

static enum proxy_result
read_v2(struct span *in, struct ip *client)
{
	const unsigned char *p = (const unsigned char *)in->p;
	size_t n = in->n < sizeof signature ? in->n : sizeof signature;
	enum proxy_result result = PROXY_ITSELF;

	if (memcmp(p, signature, n) != 0)
		return PROXY_BAD;
	if (in->n < V2_HEAD)
		return PROXY_MORE;
	if (p[12] != V2_LOCAL && p[12] != V2_PROXY)
		return PROXY_BAD;
	n = V2_HEAD + ((size_t)p[14] << 8 | p[15]);
	if (n > PROXY_MAX)
		return PROXY_BAD;
	if (in->n < n)
		return PROXY_MORE;
	if (p[12] == V2_PROXY)
		result = read_addresses(
		    p[13], span_from(in->p + V2_HEAD, n - V2_HEAD), client);
	*in = span_skip(*in, n);
	return result;
}

enum proxy_result
proxy_read(struct span *in, struct ip *client)
{
	if (in->n == 0)
		return PROXY_MORE;
	return in->p[0] == 'P' ? read_v1(in, client) : read_v2(in, client);
}
