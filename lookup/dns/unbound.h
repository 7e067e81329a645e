/*
 * unbound.h - libunbound, set up for this process.
 *
 * Its event interface: state machines on our loop, no thread and no fork.  All
 * files are read when it is made; later it needs sockets and nothing else.
 */
#ifndef DNS_UNBOUND_H
#define DNS_UNBOUND_H

#include <unbound.h>
#include <unbound-event.h>

#include "common/run/process.h"

/* A context on p->base, with the name servers of the configuration or those of
 * /etc/resolv.conf, and /etc/hosts.  fatal() on failure. */
struct ub_ctx *unbound_open(struct process *);

#endif
