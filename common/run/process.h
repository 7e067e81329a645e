/*
 * process.h - the skeleton of every process but master.
 *
 * A main is a table and one call; the order (set up, drop, Landlock, threads,
 * seccomp, loop) cannot be got wrong.  master gives each process:
 *
 *   argv[1]  its instance number     fd 2  its pipe to logger
 *   fd 3     its channel to master   fd 4  the encoded configuration
 *
 * and, over fd 3, its peers and listening sockets.  SIGTERM, EOF from master
 * and MASTER_STOP all mean stop().  At a reload those that stay get another
 * configuration, and those that were started anew take over from those that retire.
 *
 * One that inetd, a socket unit or a person started has the client on fd 0 and
 * 1 instead.  It connects to master, and gets over that connection what the
 * others find in their places; all else is the same.
 */
#ifndef PROCESS_H
#define PROCESS_H

#include "common/run/account.h"
#include "common/run/conf.h"
#include "common/run/confine.h"
#include "common/run/ipc.h"

#define PROCESS_SOCKET	  "smtpd.sock"	/* in runtime: for those from outside */
#define PROCESS_FD_MASTER 3
#define PROCESS_FD_CONF	  4
/* Phase of the channel to master: that of a process that is set up. */
#define PROCESS_GOING	  2u
#define STOP_SECONDS	  10	/* from SIGTERM to the end of all; DESIGN */
#define STOP_FINISH	  7	/* what deliveries and sessions may use of it */
#define OUTSIDE_SECONDS	  30	/* that one from outside waits for master */

/* The users by name; etc/sysusers.d/sallyport.conf makes them. */
#define USER_PREFIX  "sallyport-"
#define USER_MAILBOX "sallyport-mail"

struct process {
	enum peer kind;
	uint32_t instance;
	bool root;		/* started as root */
	bool outside;		/* not started by master */
	bool stopping;
	bool retiring;		/* a newer generation has its work */
	int landlock;		/* the ABI in force; 0: none */
	struct event_base *base;
	struct conf *conf;
	struct channel *master;
	const struct process_ops *ops;
	void *state;		/* the process's own */
};

struct process_ops {
	enum peer kind;
	/* Set up: whatever needs power, a path or a name.  fatal() on failure. */
	void (*prepare)(struct process *);
	/* The limits, from the process's sandbox.c. */
	const struct confine *(*sandbox)(struct process *);
	/* Helper threads, started below Landlock and above seccomp; NULL: none. */
	void (*threads)(struct process *);
	/* Confined; make the events. */
	void (*begin)(struct process *);
	/* A peer was connected: the first one or a new one in an old one's place
	 * (for smtpd and other kinds with many: one more).  The process owns fd. */
	void (*peer)(struct process *, enum peer, uint32_t instance, int fd);
	/* One that retires, told to a process (queue) that was not there then; it
	 * comes before the one that took its place. */
	void (*old_peer)(struct process *, enum peer, uint32_t instance, int fd);
	/* Another configuration is in p->conf; the one before is freed when this
	 * returns.  NULL: it has none for us (all but those that stay). */
	void (*configured)(struct process *);
	/* Take no more work; process_exit() when what there is is done, however
	 * long it takes: stop() comes where it takes too long.  NULL: go on until
	 * then. */
	void (*retire)(struct process *);
	/* A listening socket (smtpd, control); `index` into conf->listens. */
	void (*listener)(struct process *, unsigned index, int fd);
	/* Finish what is under way within STOP_FINISH seconds, then process_exit(). */
	void (*stop)(struct process *);
	/* Counters for `sallyport status`: name and value pairs. */
	void (*status)(struct process *, void (*add)(void *, const char *, uint64_t), void *arg);
	/* Further messages from master (control, smtpd); NULL: none. */
	const struct ipc_rule *rules;
	size_t nrules;
};

int process_main(const struct process_ops *, void *state, int argc, char **argv);
/*
 * For a process from outside: the same, with master at `path`.  -1 with errno:
 * it is not there, or does not want us; nothing was set up.  When master ends
 * it, or goes away, before it is done, the exit status is EX_TEMPFAIL.
 */
int process_outside(const struct process_ops *, void *state, const char *path);
/* Leave the loop, exit 0. */
void process_exit(struct process *);
/* A peer broke the rules (its channel is closed): master will restart it. */
void process_complain(struct process *, enum peer, uint32_t instance);
/* For prepare(): the helper of account.h, which becomes the process's user. */
struct accounts *process_accounts(const struct process *, bool groups);
/* The name of the user that it becomes where started as root; NULL: stays root. */
const char *process_user(enum peer);

#endif
