/*
 * sandbox.c - what remote may do once it speaks with strangers.
 *
 * Outgoing TCP to the ports of mail, and nothing else: no file (the content
 * comes as a descriptor), no name service, no listening socket.
 */
#include <sys/socket.h>

#include <seccomp.h>
#include <stdlib.h>

#include "common/bytes/log.h"
#include "deliver/remote/remote.h"

static const struct confine_call calls[] = {
	{ .nr = SCMP_SYS(socket),
	    .why = "connection_open: TCP over IPv4",
	    .check = true,
	    .arg = 0,
	    .mask = UINT32_MAX,
	    .value = AF_INET },
	{ .nr = SCMP_SYS(socket),
	    .why = "connection_open: TCP over IPv6",
	    .check = true,
	    .arg = 0,
	    .mask = UINT32_MAX,
	    .value = AF_INET6 },
	{ .nr = SCMP_SYS(connect), .why = "connection_open" },
	{ .nr = SCMP_SYS(setsockopt), .why = "connection_open: TCP_NODELAY" },
	{ .nr = SCMP_SYS(getsockopt), .why = "on_writable: SO_ERROR" },
	{ .nr = SCMP_SYS(sendto), .why = "write_out" },
	{ .nr = SCMP_SYS(recvfrom), .why = "on_readable" },
	{ .nr = SCMP_SYS(pread64), .why = "delivery_read" },
};

/* Port 25 and whatever the configuration names as a next hop's. */
static size_t
collect_ports(const struct conf *c, uint16_t *ports)
{
	size_t n = 0;

	ports[n++] = REMOTE_SMTP_PORT;
	for (size_t i = 0; i < c->nroutes; i++)
		if (c->routes[i].via == VIA_SMTP)
			ports[n++] = c->routes[i].port;
	for (size_t i = 0; i < c->ndomains; i++)
		if (c->domains[i].deliver == DELIVER_LMTP)
			ports[n++] = c->domains[i].port;
	return n;
}

const struct confine *
remote_sandbox(struct process *p)
{
	static struct confine limits = {
		.empty_root = true,
		.calls = calls,
		.ncalls = sizeof calls / sizeof calls[0],
	};
	uint16_t *ports = reallocarray(
	    NULL, 1 + p->conf->nroutes + p->conf->ndomains, sizeof *ports);

	if (ports == NULL)
		fatal("ports");
	limits.nports = collect_ports(p->conf, ports);
	limits.ports = ports; /* used once more, then the process's */
	return &limits;
}
