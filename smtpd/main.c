/*
 * main.c - smtpd: SMTP sessions, many in one process, one process for each
 * core; or one session in a process that is for it alone.
 *
 *   smtpd INSTANCE        started by master
 *   smtpd [-r RUNTIME]    the client is on standard input: single.c
 *
 * It holds what strangers send and two channels, and nothing else: who breaks
 * in here can put mail into the queue and see that of their fellow sessions.
 */
#include <sys/resource.h>

#include <stdio.h>
#include <stdlib.h>

#include "common/bytes/log.h"
#include "common/msg/master.h"
#include "smtpd/single.h"

/* One turn of input, behind the start of a line. */
#define TURN_INPUT (64 * 1024)
/* Those that lookup refused, and who still read why, come on top of max_sessions. */
#define REFUSED_MAX 1024
/* The log, the loop, the channels and those that come, one in each hand. */
#define OWN_DESCRIPTORS 24
/* How long those that wait for queue's word may hold up the end: below
 * STOP_FINISH of common/run/process.h. */
#define STOP_PATIENCE 5

_Static_assert(STOP_PATIENCE < STOP_FINISH, "we are done before master is");

static uint64_t
least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/*
 * As many sessions and pipes as there are descriptors for, whatever the settings
 * say: a peer that is started anew comes as a descriptor, and there must be room
 * for it when strangers have all that they may have.
 */
static void
share_descriptors(struct smtpd *m)
{
	const struct conf *conf = m->conf;
	uint64_t own = OWN_DESCRIPTORS + (uint64_t)conf->nlistens, left;
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) == -1)
		fatal("descriptors");
	if (r.rlim_cur < own + 2)
		fatalx("descriptors", "too few, see ulimit -n");
	left = r.rlim_cur - own;
	m->opens_max = (uint32_t)least(OPENS_MAX, left / 4 + 1);
	m->nslots = (uint32_t)least(
	    (uint64_t)conf->max_sessions + REFUSED_MAX, left - m->opens_max);
}

static void
prepare(struct process *process)
{
	struct smtpd *m = process->state;
	const struct conf *conf = process->conf;

	m->process = process;
	m->conf = conf;
	if (process->outside)
		single_prepare(m);
	m->service.conf = conf;
	m->in_max = TURN_INPUT + conf->max_line;
	m->in = malloc(m->in_max);
	m->content = malloc(DOT_OUT_MAX(m->in_max));
	m->rcpts = calloc(conf->max_recipients, sizeof *m->rcpts);
	share_descriptors(m);
	m->free_slots = calloc(m->nslots, sizeof *m->free_slots);
	if (m->in == NULL || m->content == NULL || m->rcpts == NULL ||
	    m->free_slots == NULL)
		fatal("memory");
	for (; m->nfree < m->nslots; m->nfree++)
		/* The lowest is on top. */
		m->free_slots[m->nfree] = m->nslots - 1 - m->nfree;
}

static void
begin(struct process *process)
{
	struct smtpd *m = process->state;

	TAILQ_INIT(&m->all);
	input_begin(m);
	timers_begin(m);
	memory_begin(m);
	peers_begin(m);
}

static void
peer(struct process *process, enum peer kind, uint32_t instance, int fd)
{
	peers_set(process->state, kind, instance, fd);
}

static void
listener(struct process *process, unsigned index, int fd)
{
	if (listener_add(process->state, index, fd) == -1)
		log_error("listener", log_num("index", index));
}

/* Sessions go on as if nothing had happened. */
static void
retire(struct process *process)
{
	struct smtpd *m = process->state;

	listener_close_all(m);
	if (TAILQ_EMPTY(&m->all))
		process_exit(process);
}

static void
out_of_patience(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	process_exit(((struct smtpd *)arg)->process);
}

static void
stop(struct process *process)
{
	static const struct timeval patience = { .tv_sec = STOP_PATIENCE };
	struct smtpd *m = process->state;
	struct connection *c, *next;

	if (m->stopping)
		return;
	m->stopping = true;
	listener_close_all(m);
	single_stop(m);
	if (TAILQ_EMPTY(&m->all)) {
		process_exit(process);
		return;
	}
	evtimer_assign(&m->stop, process->base, out_of_patience, m);
	evtimer_add(&m->stop, &patience);
	TAILQ_FOREACH_SAFE (c, &m->all, all, next)
		connection_stop(c);
}

static void
status(struct process *process, void (*add)(void *, const char *, uint64_t),
    void *arg)
{
	const struct smtpd *m = process->state;

	add(arg, "sessions", m->sessions);
	add(arg, "connections", m->connections);
	add(arg, "accepted", m->accepted);
	add(arg, "refused", m->refused);
	add(arg, "rcpts_refused", m->rcpts_refused);
	add(arg, "timeouts", m->timeouts);
}

int
main(int argc, char **argv)
{
	static const struct ipc_rule rules[] = {
		{ MASTER_SESSION, PROCESS_GOING, IPC_FD_MAYBE, single_session },
	};
	static const struct process_ops ops = {
		.kind = PEER_SMTPD,
		.prepare = prepare,
		.sandbox = smtpd_sandbox,
		.begin = begin,
		.peer = peer,
		.listener = listener,
		.retire = retire,
		.stop = stop,
		.status = status,
		.rules = rules,
		.nrules = sizeof rules / sizeof rules[0],
	};
	static struct smtpd m;
	const char *runtime = CONF_RUNTIME;

	/* Master gives a number, and nothing else does. */
	if (argc == 2 && argv[1][0] != '-')
		return process_main(&ops, &m, argc, argv);
	if (argc == 3 && strcmp(argv[1], "-r") == 0)
		runtime = argv[2];
	else if (argc != 1) {
		fputs("usage: smtpd [-r RUNTIME]\n", stderr);
		return 2;
	}
	return single_outside(&ops, &m, runtime);
}
