/*
 * main.c - local: mail into the mailboxes of this host, as their users.
 */
#include <unistd.h>

#include "common/bytes/log.h"
#include "common/run/process.h"
#include "deliver/local/agent.h"
#include "deliver/local/sandbox.h"

struct local {
	struct accounts *accounts;
	struct agent *agent;
	uid_t least_uid; /* where started as root */
};

/* Somebody's name is in the configuration, or is the name of a mailbox. */
static bool
needs_accounts(const struct process *p)
{
	for (size_t i = 0; i < p->conf->ndomains; i++)
		if (p->root || p->conf->domains[i].users == USERS_SYSTEM ||
		    p->conf->domains[i].owner[0] != '\0')
			return true;
	return false;
}

static void
prepare(struct process *p)
{
	struct local *l = p->state;

	if (p->root)
		l->least_uid = sandbox_least_uid(p->conf);
	if (needs_accounts(p))
		l->accounts = process_accounts(p, p->root);
}

static const struct confine *
sandbox(struct process *p)
{
	return sandbox_parent(p->conf, p->root);
}

/* No threads: a layer below the filter that comes next. */
static void
threads(struct process *p)
{
	const struct local *l = p->state;

	if (p->root)
		sandbox_forbid_uids(l->least_uid);
}

static void
queue_gone(void *arg, uint32_t instance, bool bad)
{
	if (bad)
		process_complain(arg, PEER_QUEUE, instance);
}

static void
idle(void *arg)
{
	process_exit(arg);
}

static void
begin(struct process *p)
{
	struct local *l = p->state;
	struct agent_conf c = {
		.base = p->base,
		.conf = p->conf,
		.accounts = l->accounts,
		.root = p->root,
		.least_uid = l->least_uid,
		.gone = queue_gone,
		.idle = idle,
		.arg = p,
	};

	accounts_begin(l->accounts, p->base);
	if ((l->agent = agent_new(&c)) == NULL)
		fatal("agent");
}

static void
peer(struct process *p, enum peer kind, uint32_t instance, int fd)
{
	struct local *l = p->state;

	if (kind == PEER_QUEUE)
		agent_connect(l->agent, instance, fd);
	else
		close(fd);
}

static void
retire(struct process *p)
{
	struct local *l = p->state;

	agent_retire(l->agent);
}

static void
stop(struct process *p)
{
	struct local *l = p->state;

	agent_stop(l->agent);
}

static void
status(
    struct process *p, void (*add)(void *, const char *, uint64_t), void *arg)
{
	const struct local *l = p->state;
	struct agent_counters n;

	agent_count(l->agent, &n);
	add(arg, "delivered", n.delivered);
	add(arg, "deferred", n.deferred);
	add(arg, "failed", n.failed);
	add(arg, "underway", n.underway);
	add(arg, "unrecorded", n.unrecorded);
	add(arg, "user_processes", n.children);
	add(arg, "user_processes_lost", n.deaths);
}

static const struct process_ops ops = {
	.kind = PEER_LOCAL,
	.prepare = prepare,
	.sandbox = sandbox,
	.threads = threads,
	.begin = begin,
	.peer = peer,
	.retire = retire,
	.stop = stop,
	.status = status,
};

int
main(int argc, char **argv)
{
	static struct local state;

	return process_main(&ops, &state, argc, argv);
}
