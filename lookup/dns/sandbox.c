/*
 * sandbox.c - what resolver may do once it reads what name servers send.
 *
 * UDP and TCP to name servers.  No file: libunbound read its own before.
 */
#include <netinet/in.h>
#include <sys/socket.h>

#include <seccomp.h>
#include <stdlib.h>

#include "common/bytes/log.h"
#include "lookup/dns/resolver.h"

#define DNS_PORT 53

static const struct confine_call calls[] = {
	{ .nr = SCMP_SYS(socket),
	    .why = "libunbound: UDP and TCP over IPv4",
	    .check = true,
	    .arg = 0,
	    .mask = UINT32_MAX,
	    .value = AF_INET },
	{ .nr = SCMP_SYS(socket),
	    .why = "libunbound: the same over IPv6",
	    .check = true,
	    .arg = 0,
	    .mask = UINT32_MAX,
	    .value = AF_INET6 },
	{ .nr = SCMP_SYS(setsockopt), .why = "libunbound: new sockets" },
	{ .nr = SCMP_SYS(bind), .why = "libunbound: random ports of UDP" },
	{ .nr = SCMP_SYS(connect), .why = "libunbound: UDP and TCP" },
	{ .nr = SCMP_SYS(getsockopt), .why = "libunbound: TCP, SO_ERROR" },
	{ .nr = SCMP_SYS(sendto), .why = "libunbound: questions over UDP" },
	{ .nr = SCMP_SYS(recvfrom), .why = "libunbound: answers" },
	{ .nr = SCMP_SYS(writev), .why = "libunbound: questions over TCP" },
};

/* 53, and what follows the @ in the configuration's name servers. */
static size_t
collect_ports(const struct conf *c, uint16_t *ports)
{
	size_t n = 0;

	ports[n++] = DNS_PORT;
	for (size_t i = 0; i < c->nresolvers; i++) {
		struct span s = span_of(c->resolvers[i].address);
		uint64_t port;

		span_cut(&s, '@');
		if (span_number(s, UINT16_MAX, &port))
			ports[n++] = (uint16_t)port;
	}
	return n;
}

const struct confine *
resolver_sandbox(struct process *p)
{
	static struct confine limits = {
		.empty_root = true,
		.calls = calls,
		.ncalls = sizeof calls / sizeof calls[0],
	};
	uint16_t *ports =
	    reallocarray(NULL, 1 + p->conf->nresolvers, sizeof *ports);

	if (ports == NULL)
		fatal("ports");
	limits.nports = collect_ports(p->conf, ports);
	limits.ports = ports; /* the process's, for its life */
	return &limits;
}
