/*
 * logger.c - one log out of the pipes of all processes.
 *
 * Adds the time and the name of the process to each line and writes it to
 * standard error, or to the syslog service, whose socket master opens for it
 * whenever it asks.  Nobody waits for the log: when what reads it is slow or
 * away, logger stops reading, the pipes fill, and log.h drops lines and counts
 * them where they are made.  All that it reads may come from a process that was
 * broken into; lines.h makes it harmless.
 */
#include <fcntl.h>
#include <jansson.h>
#include <seccomp.h>
#include <unistd.h>

#include "common/bytes/log.h"
#include "common/msg/master.h"
#include "common/msg/reply.h"
#include "master/logger/logger.h"

#define STOP_WAIT 2 /* at the end, until standard error gets the rest */

static void
prepare(struct process *p)
{
	struct logger *l = p->state;
	int fds[2];

	l->process = p;
	LIST_INIT(&l->sources);
	/* Else it would look for a device that gives random bytes. */
	json_object_seed(1);
	l->err = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0);
	if (l->err == -1 || pipe2(fds, O_CLOEXEC | O_NONBLOCK) == -1)
		fatal("standard error");
	if (output_retry_init(l) == -1 || source_turn_init(l) == -1 ||
	    source_add(l, PEER_LOGGER, fds[0]) == -1)
		fatalx("logger", "no events");
	l->own = fds[1];
}

static const struct confine *
sandbox(struct process *p)
{
	static const struct confine_call calls[] = {
		{ .nr = SCMP_SYS(poll), .why = "sink.c, source.c" },
		{ .nr = SCMP_SYS(ppoll), .why = "the same (arm64)" },
		{ .nr = SCMP_SYS(sendto), .why = "sink.c: syslog" },
		{ .nr = SCMP_SYS(pread64), .why = "configured" },
		{ .nr = SCMP_SYS(dup2), .why = "begin" },
		{ .nr = SCMP_SYS(dup3), .why = "begin (arm64)" },
	};
	static const struct confine limits = {
		.empty_root = true,
		.calls = calls,
		.ncalls = sizeof calls / sizeof calls[0],
	};

	(void)p;
	return &limits;
}

/* As the configuration says. */
static void
choose(struct logger *l)
{
	const struct conf *c = l->process->conf;

	l->form = (struct lines_form){ c->log_json, c->log_socket[0] != '\0' };
	if (l->form.syslog)
		output_detach(l);
	else
		output_attach(l, l->err, false);
	output_go_on(l);
}

/* From here on our own lines take the way of all others; what ended us before
 * had to be said at once. */
static void
begin(struct process *p)
{
	struct logger *l = p->state;

	if (dup2(l->own, STDERR_FILENO) == -1)
		fatal("standard error");
	close(l->own);
	choose(l);
}

/* A reload.  What has come until now is in the old form. */
static void
configured(struct process *p)
{
	struct logger *l = p->state;

	l->complained = false;
	if (!p->stopping)
		choose(l);
}

/* --- who asks -------------------------------------------------------------- */

static int
on_errors(void *arg, struct ipc_msg *m)
{
	struct logger *l = arg;
	struct msg_errors errors;

	if (msg_empty_get(m) == -1)
		return -1;
	errors_tell(&l->errors, &errors);
	msg_errors_put(
	    channel_begin(l->control, CONTROL_ERRORS_LAST, m->id), &errors);
	(void)channel_send(l->control, -1);
	return 0;
}

static void
on_control_closed(void *arg, bool bad)
{
	struct logger *l = arg;

	l->control = NULL;
	if (bad)
		process_complain(l->process, PEER_CONTROL, l->control_instance);
}

static void
peer(struct process *p, enum peer kind, uint32_t instance, int fd)
{
	static const struct ipc_rule rules[] = {
		{ CONTROL_ERRORS, IPC_ANY_PHASE, IPC_FD_NEVER, on_errors },
	};
	static const struct channel_ops ops = { rules,
		sizeof rules / sizeof rules[0], on_control_closed };
	struct logger *l = p->state;

	if (kind != PEER_CONTROL) {
		close(fd);
		return;
	}
	channel_free(l->control);
	l->control_instance = instance;
	l->control = channel_new(p->base, fd, kind, &ops, l);
	if (l->control == NULL) {
		log_warn("no_channel", log_str("peer", peer_name(kind)));
		close(fd);
	}
}

static void
stop(struct process *p)
{
	struct logger *l = p->state;

	if (l->sink.fd != l->err)
		output_retry_in(l, STOP_WAIT);
	source_exit_if_done(l);
}

static void
status(
    struct process *p, void (*add)(void *, const char *, uint64_t), void *arg)
{
	const struct logger *l = p->state;

	add(arg, "lines", l->nlines);
	add(arg, "lost", l->lost);
	add(arg, "away", l->sink.fd == -1 && l->complained);
}

int
main(int argc, char **argv)
{
	static const struct ipc_rule rules[] = {
		{ MASTER_LOGPIPE, IPC_ANY_PHASE, IPC_FD_ALWAYS, source_pipe },
		{ MASTER_SYSLOG, IPC_ANY_PHASE, IPC_FD_MAYBE, output_syslog },
	};
	static const struct process_ops ops = {
		.kind = PEER_LOGGER,
		.prepare = prepare,
		.sandbox = sandbox,
		.begin = begin,
		.configured = configured,
		.peer = peer,
		.stop = stop,
		.status = status,
		.rules = rules,
		.nrules = sizeof rules / sizeof rules[0],
	};
	static struct logger logger = { .sink = { .fd = -1 } };

	return process_main(&ops, &logger, argc, argv);
}
