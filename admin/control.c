/*
 * control.c - the program `control`: answers the admin commands.
 *
 * It knows who asks from the kernel, passes typed requests on to queue and
 * master, and reads the history files.  What is broken into here can ask queue
 * what any administrator may; it cannot read the spool.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "admin/control/control.h"
#include "common/bytes/log.h"

static void
prepare(struct process *p)
{
	struct control *k = p->state;

	k->process = p;
	k->owner = getuid();
	TAILQ_INIT(&k->clients);
}

/* As its own user: master gave the directory to that user's group. */
static void
open_history(struct process *p)
{
	struct control *k = p->state;
	char path[CONF_PATH_MAX + 16];

	snprintf(path, sizeof path, "%s/history", p->conf->spool);
	k->history = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (k->history == -1)
		fatal(path);
}

static void
begin(struct process *p)
{
	(void)p;
}

static void
on_peer(struct process *p, enum peer kind, uint32_t instance, int fd)
{
	if (kind == PEER_QUEUE)
		queue_connect(p->state, instance, fd);
	else if (kind == PEER_LOGGER)
		logger_connect(p->state, instance, fd);
	else
		close(fd);
}

static void
on_listener(struct process *p, unsigned index, int fd)
{
	(void)index;
	clients_listen(p->state, fd);
}

static void
on_status(
    struct process *p, void (*add)(void *, const char *, uint64_t), void *arg)
{
	const struct control *k = p->state;

	add(arg, "clients", k->nclients);
	add(arg, "requests", k->served);
	add(arg, "refused", k->refused);
}

int
main(int argc, char **argv)
{
	static struct control k = { .history = -1 };
	const struct process_ops ops = {
		.kind = PEER_CONTROL,
		.prepare = prepare,
		.sandbox = control_sandbox,
		.threads = open_history,
		.begin = begin,
		.peer = on_peer,
		.listener = on_listener,
		.stop = process_exit,
		.status = on_status,
		.rules = master_rules,
		.nrules = master_nrules,
	};

	return process_main(&ops, &k, argc, argv);
}
