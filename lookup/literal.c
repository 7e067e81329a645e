/*
 * literal.c - see literal.h.
 */
#include "lookup/literal.h"

bool
literal_ip(struct ip *ip, struct span domain)
{
	if (domain.n < 3 || domain.p[0] != '[')
		return false;
	domain = span_from(domain.p + 1, domain.n - 2);
	if (span_starts_case(domain, "IPv6:"))
		domain = span_skip(domain, sizeof "IPv6:" - 1);
	return ip_parse(ip, domain);
}

static bool
is_unspecified(const struct ip *ip)
{
	static const struct ip any6 = { { 0 } };
	static const struct ip any4 = { { [10] = 0xff, [11] = 0xff } };

	return memcmp(ip, &any6, sizeof *ip) == 0 ||
	    memcmp(ip, &any4, sizeof *ip) == 0;
}

static bool
is_loopback(const struct ip *ip)
{
	static const struct ip one6 = { { [15] = 1 } };

	return (ip_is_v4(ip) && ip->b[12] == 127) ||
	    memcmp(ip, &one6, sizeof *ip) == 0;
}

bool
literal_is_ours(const struct conf *conf, const struct ip *ip)
{
	if (is_unspecified(ip))
		return true;
	for (size_t i = 0; i < conf->nlistens; i++) {
		const struct ip *mine = &conf->listens[i].ip;

		if (memcmp(mine, ip, sizeof *ip) == 0)
			return true;
		if (is_unspecified(mine) && is_loopback(ip))
			return true;
	}
	return false;
}
