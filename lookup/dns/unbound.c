/*
 * unbound.c - settings of libunbound; see unbound.h.
 */
#include <unistd.h>

#include "common/bytes/log.h"
#include "lookup/dns/packet.h"
#include "lookup/dns/unbound.h"

#define RESOLV_CONF "/etc/resolv.conf"
#define HOSTS	    "/etc/hosts"

static const struct option {
	const char *name, *value;
} options[] = {
	/* Bounds: memory, sockets. */
	{ "msg-cache-size:", "4m" },
	{ "rrset-cache-size:", "8m" },
	{ "key-cache-size:", "1m" },
	{ "neg-cache-size:", "1m" },
	{ "infra-cache-numhosts:", "1000" },
	{ "outgoing-range:", "200" },
	{ "outgoing-num-tcp:", "20" },
	/* A name server on this host is as good as any. */
	{ "do-not-query-localhost:", "no" },
	/* One that was away is asked again at once when it is back. */
	{ "infra-host-ttl:", "60" },
	{ "infra-keep-probing:", "yes" },
	/* What is private, or reserved for tests, is for the name servers to
	 * say: libunbound's own empty zones are none of our business. */
	{ "unblock-lan-zones:", "yes" },
	{ "insecure-lan-zones:", "yes" },
	{ "local-zone:", "test. typetransparent" },
	{ "local-zone:", "home.arpa. typetransparent" },
	/* A name in /etc/hosts has an address; its MX is asked of DNS as ever.
	 */
	{ "local-zone:", ". typetransparent" },
};

static void
must(const char *what, int rc)
{
	if (rc != 0)
		fatalx(what, ub_strerror(rc));
}

/* libunbound completes its set-up with the first question, and reads files
 * then: here it is, of a name that is answered at once. */
static void
ignore(void *arg, int rcode, void *packet, int size, int secure, char *why,
    int limited)
{
	(void)rcode;
	(void)packet;
	(void)size;
	(void)secure;
	(void)why;
	(void)limited;
	*(bool *)arg = true;
}

static void
complete(struct ub_ctx *u)
{
	bool called = false;

	must("libunbound",
	    ub_resolve_event(
		u, "localhost", PACKET_A, PACKET_CLASS, &called, ignore, NULL));
	if (!called)
		fatalx("libunbound", "localhost was not answered at once");
}

struct ub_ctx *
unbound_open(struct process *p)
{
	struct ub_ctx *u = ub_ctx_create_event(p->base);

	if (u == NULL)
		fatal("libunbound");
	/* It would write to the log past our escaping. */
	must("libunbound", ub_ctx_debugout(u, NULL));
	for (size_t i = 0; i < sizeof options / sizeof options[0]; i++)
		must(options[i].name,
		    ub_ctx_set_option(u, options[i].name, options[i].value));
	for (size_t i = 0; i < p->conf->nresolvers; i++)
		must(p->conf->resolvers[i].address,
		    ub_ctx_set_fwd(u, p->conf->resolvers[i].address));
	if (p->conf->nresolvers == 0)
		must(RESOLV_CONF, ub_ctx_resolvconf(u, RESOLV_CONF));
	/* A small container has none. */
	if (access(HOSTS, F_OK) == 0)
		must(HOSTS, ub_ctx_hosts(u, HOSTS));
	complete(u);
	return u;
}
