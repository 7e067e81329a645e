/*
 * self.c - who we are; see self.h.
 */
#include <ifaddrs.h>
#include <stdlib.h>

#include "common/bytes/log.h"
#include "lookup/dns/self.h"

#define MX_PORT 25

static void
add(struct search_self *self, const struct ip *ip)
{
	struct ip *ips =
	    reallocarray((struct ip *)self->ips, self->nips + 1, sizeof *ips);

	if (ips == NULL)
		fatal("own addresses");
	ips[self->nips++] = *ip;
	self->ips = ips;
}

static bool
is_any4(const struct ip *listen)
{
	struct ip any4;

	return ip_parse(&any4, SPAN("0.0.0.0")) &&
	    memcmp(listen, &any4, sizeof any4) == 0;
}

static bool
is_any6(const struct ip *listen)
{
	static const struct ip any6;

	return memcmp(listen, &any6, sizeof any6) == 0;
}

/* "::" takes IPv4 connections too, where the system is set so. */
static bool
wildcard(const struct ip *listen, const struct ip *ip)
{
	return is_any6(listen) || (is_any4(listen) && ip_is_v4(ip));
}

static void
add_interfaces(struct search_self *self, const struct ip *listen)
{
	struct ifaddrs *all, *i;
	struct ip ip;

	if (getifaddrs(&all) == -1)
		fatal("own addresses");
	for (i = all; i != NULL; i = i->ifa_next)
		if (i->ifa_addr != NULL && ip_from_sockaddr(&ip, i->ifa_addr) &&
		    wildcard(listen, &ip))
			add(self, &ip);
	freeifaddrs(all);
}

void
self_find(struct search_self *self, const struct conf *conf)
{
	*self = (struct search_self){ .hostname = conf->hostname };
	for (size_t i = 0; i < conf->nlistens; i++) {
		if (conf->listens[i].port != MX_PORT)
			continue;
		add(self, &conf->listens[i].ip);
		add_interfaces(self, &conf->listens[i].ip);
		if (is_any4(&conf->listens[i].ip) ||
		    is_any6(&conf->listens[i].ip))
			self->loopback = true;
	}
}
