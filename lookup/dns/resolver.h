/*
 * resolver.h - the process that looks up DNS for others.
 *
 *   resolver.c  process: peers, their questions, time limits, stop
 *   search.c    RFC 5321 section 5.1: which lookups, which answer
 *   packet.c    DNS messages read
 *   unbound.c   libunbound set up
 *   self.c      our own addresses
 */
#ifndef RESOLVER_H
#define RESOLVER_H

#include <sys/queue.h>

#include "common/run/process.h"
#include "lookup/dns/self.h"
#include "lookup/dns/unbound.h"

/* Below REMOTE_RESOLVER_SECONDS: who asks hears from us, not of us. */
#define RESOLVER_SECONDS 50
/* Those that ask at once: remote, and while a new one takes over, the old. */
#define RESOLVER_PEERS 4

struct resolver;
struct question;
TAILQ_HEAD(question_list, question);

struct asker {
	struct resolver *resolver;
	struct channel *channel; /* NULL: free */
	enum peer kind;
	uint32_t instance;
	uint32_t nquestions; /* not answered; at most the window */
};

struct resolver {
	struct process *process;
	struct ub_ctx *unbound;
	struct search_self self;
	struct asker askers[RESOLVER_PEERS];
	struct question_list open; /* not answered, the oldest first */
	struct event *timer;
	struct {
		uint64_t questions, lookups, temporary, permanent;
	} counters;
};

extern const struct process_ops resolver_ops;

/* sandbox.c */
const struct confine *resolver_sandbox(struct process *);

#endif
