/*
 * main.c - lookup: clients, recipients and routes, for smtpd and queue.
 */
#include <unistd.h>

#include "common/bytes/log.h"
#include "common/run/process.h"
#include "lookup/files.h"
#include "lookup/routes.h"
#include "lookup/sandbox.h"
#include "lookup/smtpds.h"

struct lookup {
	struct accounts *accounts; /* NULL: no domain has system users */
	struct table_watch *watch; /* NULL: none has a table */
	struct recipients *recipients;
	struct smtpds *smtpds;
	struct routes *routes;
};

static bool
has_system_users(const struct conf *conf)
{
	for (size_t i = 0; i < conf->ndomains; i++)
		if (conf->domains[i].users == USERS_SYSTEM)
			return true;
	return false;
}

static void
prepare(struct process *p)
{
	struct lookup *l = p->state;

	if (has_system_users(p->conf))
		l->accounts = process_accounts(p, false);
}

static const struct confine *
sandbox(struct process *p)
{
	return lookup_sandbox(p->conf);
}

static void
threads(struct process *p)
{
	struct lookup *l = p->state;

	if (!files_needed(p->conf))
		return;
	if ((l->watch = table_watch_new()) == NULL)
		fatal("thread");
}

/* Nobody is left who could ask. */
static void
exit_if_idle(struct process *p)
{
	const struct lookup *l = p->state;

	if (p->stopping && smtpds_empty(l->smtpds) &&
	    !routes_connected(l->routes))
		process_exit(p);
}

static void
smtpd_gone(void *arg, uint32_t instance, bool bad)
{
	struct process *p = arg;

	if (bad)
		process_complain(p, PEER_SMTPD, instance);
	exit_if_idle(p);
}

static void
queue_gone(void *arg, uint32_t instance, bool bad)
{
	struct process *p = arg;

	if (bad)
		process_complain(p, PEER_QUEUE, instance);
	exit_if_idle(p);
}

static void
begin(struct process *p)
{
	struct lookup *l = p->state;

	accounts_begin(l->accounts, p->base);
	l->recipients = recipients_new(p->conf, l->accounts, l->watch, p->root);
	if (l->recipients == NULL)
		fatal("recipients");
	if (l->watch != NULL && table_watch_begin(l->watch, p->base) == -1)
		fatalx("lookup", "no events");
	l->smtpds = smtpds_new(p->base, p->conf, l->recipients, smtpd_gone, p);
	l->routes = routes_new(p->base, p->conf, l->recipients, queue_gone, p);
	if (l->smtpds == NULL || l->routes == NULL)
		fatal("lookup");
}

static void
peer(struct process *p, enum peer kind, uint32_t instance, int fd)
{
	struct lookup *l = p->state;

	if (kind == PEER_SMTPD)
		smtpds_add(l->smtpds, instance, fd);
	else if (kind == PEER_QUEUE)
		routes_connect(l->routes, instance, fd);
	else
		close(fd);
}

/* Sessions that end, and messages that are on their way, still ask. */
static void
stop(struct process *p)
{
	exit_if_idle(p);
}

static void
status(
    struct process *p, void (*add)(void *, const char *, uint64_t), void *arg)
{
	const struct lookup *l = p->state;
	struct smtpds_counters s;
	struct routes_counters r;

	smtpds_count(l->smtpds, &s);
	routes_count(l->routes, &r);
	add(arg, "sessions", s.sessions);
	add(arg, "clients", s.clients);
	add(arg, "clients_refused", s.refused);
	add(arg, "rcpts_accepted", s.accepted);
	add(arg, "rcpts_denied", s.denied);
	add(arg, "rcpts_deferred", s.deferred);
	add(arg, "routes", r.routed);
	add(arg, "aliases_expanded", r.expanded);
	add(arg, "routes_deferred", r.deferred);
	add(arg, "routes_failed", r.failed);
	add(arg, "tables_unreadable", table_watch_failing(l->watch));
}

static const struct process_ops ops = {
	.kind = PEER_LOOKUP,
	.prepare = prepare,
	.sandbox = sandbox,
	.threads = threads,
	.begin = begin,
	.peer = peer,
	.stop = stop,
	.status = status,
};

int
main(int argc, char **argv)
{
	static struct lookup state;

	return process_main(&ops, &state, argc, argv);
}
