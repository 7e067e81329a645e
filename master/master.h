/*
 * master.h - the supervisor: what its files share.
 *
 * Master opens the sockets, makes every channel, starts, watches, restarts and
 * stops the processes.  It reads no byte that came from the network, from a
 * message or from a user; the configuration reaches it parsed and checked.
 */
#ifndef MASTER_H
#define MASTER_H

#include <sys/time.h>
#include <sys/types.h>
#include <sys/un.h>

#include <bsd/sys/queue.h>

#include <signal.h>

#include "common/bytes/buf.h"
#include "common/msg/master.h"
#include "common/run/conf.h"

#define START_SECONDS	60 /* from a process's start to its READY; above the 10 s
			    * that queue waits for spool/lock */
#define PING_SECONDS	5  /* the counters of `sallyport status` are as old at most */
#define PING_LEAST	10 /* milliseconds, however impatient the service manager is */
#define PINGS_MAX	12 /* unanswered: the process hangs */
#define STOP_LAST	9  /* queue, lookup and resolver are gone, from SIGTERM on;
			    * between STOP_FINISH and STOP_SECONDS of process.h */
#define DELAY_MAX	30 /* of a restart */
#define OLD_SECONDS	10 /* that a start waits for the end of an old service */
#define STEADY_SECONDS	60 /* who lived as long starts without delay again */
#define COMPLAINTS_MAX	3  /* a minute; who has more of them is at fault itself */
#define LOG_PIPE_SIZE	(1024 * 1024) /* a busy second's lines */
#define LISTEN_BACKLOG	1024
#define CONTROL_SOCKET	"control.sock"
#define SUBMIT_SOCKET	"submit.sock"
/* Those of the listen statements, and SUBMIT_SOCKET. */
#define INHERITED_MAX	(CONF_LISTENS_MAX + 1)
#define RETIRE_SECONDS	300 /* that old processes have for what they began */
#define OLD_MAX		16  /* generations that retire; the oldest then has to end */
#define WAITERS_MAX	64  /* `sallyport reload` at once */

enum phase { PHASE_STARTING, PHASE_RUNNING, PHASE_STOPPING,
	PHASE_CHECKING /* `master -n` */ };

struct master;
struct generation;

/* A socket from which master itself accepts: isolation = "session". */
struct session_listener {
	struct master *master;
	struct generation *generation;
	uint32_t index;		/* into conf.listens */
	struct event *readable;	/* NULL: none of these */
};

/*
 * A configuration, and whom it concerns: the processes of several live side by
 * side.  It is gone with the last of those who have it.
 */
struct generation {
	uint32_t number;	/* 1, 2, … */
	unsigned refs;
	struct conf conf;
	int conf_fd;		/* the encoding, sealed */
	int listeners[CONF_LISTENS_MAX]; /* as conf.listens; -1: closed */
	int64_t retired;	/* when a newer one took its place */
	struct session_listener sessions[CONF_LISTENS_MAX]; /* the same */
};

enum role {
	ROLE_PLACE,		/* who ends is followed by another one */
	ROLE_NEXT,		/* of the configuration that is to come: no reload
				 * without it */
	ROLE_SESSION,		/* who ends is followed by none, and is expected to */
	ROLE_RETIRING		/* the same; a newer generation has its work */
};

/* A process, or a place for one, in which the process may change. */
struct child {
	TAILQ_ENTRY(child) link;
	struct master *master;
	struct generation *generation;
	enum role role;
	enum peer kind;
	uint32_t instance;	/* of the process, never given again */
	pid_t pid;		/* 0: none */
	bool outside;		/* no child of ours: its end is that of its channel */
	struct channel *channel; /* NULL: none, or broken */
	bool ready;
	bool killed;		/* by us */
	int64_t stopped;	/* when one that retires had to end; 0: not yet */
	/* Both ends stay open here, so that neither a new process in this place
	 * nor a new logger loses a line. */
	int log[2];
	int64_t started;
	uint32_t asked;		/* how many pings it got */
	uint32_t answered;	/* the last of them that it answered */
	uint32_t fed;		/* `asked`, when the watchdog was fed last */
	unsigned failures;	/* in a row, each within STEADY_SECONDS */
	uint32_t restarts;
	bool died;		/* one in this place did: */
	int64_t died_at;
	int died_status;	/* as waitpid() tells it */
	unsigned complaints;	/* of it, since `complained` */
	int64_t complained;
	/* Of a place, the next start; of one from outside, its end. */
	struct event *restart;
	struct msg_counters counters;
	/* ROLE_SESSION, until it is READY: whom it is for.  -1: it has the client,
	 * or had it from the beginning. */
	int client;
	struct msg_session session;
};

/* A short-lived process of our own, one at a time. */
#define HELPER_FD      3	/* what it is given */
#define HELPER_OUT_MAX (CONF_BLOB_MAX + 128 * 1024)
#define HELPER_ERR_MAX (1024 * 1024)
struct helper {
	struct master *master;
	pid_t pid;		/* 0: none */
	int status;		/* of wait(2) */
	int (*run)(const struct master *);	/* its main; the exit status */
	void (*done)(struct master *, int status);
	struct helper_pipe {
		struct helper *helper;
		int fd;		/* -1: it has ended */
		struct event *readable;
		struct buf text;
	} said[2];		/* standard output, standard error */
};

enum reload_stage { RELOAD_NONE, RELOAD_FILE, RELOAD_USERS, RELOAD_START,
	RELOAD_EXPECT };

/* A command that waits for the end of a reload. */
struct waiter {
	uint32_t control;	/* instance */
	uint32_t id;		/* of its request */
	bool next;		/* … of the one after this */
};

struct reload {
	enum reload_stage stage;
	struct generation *next;
	bool again;		/* asked for while one is under way */
	struct waiter waiters[WAITERS_MAX];
	size_t nwaiters;
	struct event *limit;
};

/* "127.0.0.1:25,[::1]:25", with the real ports. */
#define LISTEN_TEXT_MAX (CONF_LISTENS_MAX * 64)

/* The service manager that started us. */
#define NOTIFY_STATUS_MAX (LISTEN_TEXT_MAX + 1024)
#define NOTIFY_TEXT_MAX	  (NOTIFY_STATUS_MAX + 64)
struct notify {
	struct sockaddr_un to;
	socklen_t size;		/* of it; 0: nobody wants to know */
	uint64_t watchdog;	/* its patience in microseconds; 0: endless */
	char status[NOTIFY_STATUS_MAX]; /* what it was told last */
};

struct master {
	struct event_base *base;
	struct generation *current;
	char dir[CONF_PATH_MAX]; /* of the programs */
	bool root;
	int null, err;		/* /dev/null; the standard error that we got */
	int log[2];		/* our own lines */
	int control;
	int submit;
	bool submit_inherited;	/* its giver removes it, too */
	int outside;		/* runtime/smtpd.sock */
	uid_t outside_uid;	/* who may come there, beside root */
	struct event *outside_readable;
	size_t nsessions;	/* processes for one session, of all generations */
	bool deaf;		/* none is begun for a second */
	struct event *hear;	/* … which is over */
	TAILQ_HEAD(children, child) children; /* older generations first */
	uint32_t instances;	/* the last one given */
	enum phase phase;
	unsigned stop_limits;	/* stopping: how many of the time limits are over */
	bool stop_last;		/* stopping: the second group has its order */
	bool stop_logger;	/* … and logger */
	struct event *events[5]; /* four signals and the tick */
	struct event *start_limit, *stop_limit;
	uint64_t descriptors;	/* that a process may have open */
	int64_t started;
	int64_t patience;	/* until when an old service may still hold something */
	int status;		/* for exit */
	struct notify notify;
	struct helper helper;
	struct reload reload;
};

/* generation.c */
struct generation *generation_new(void); /* one reference; NULL with errno */
struct generation *generation_ref(struct generation *);
void generation_unref(struct generation *); /* NULL is fine */
void generation_close_listeners(struct generation *);

/* configuration.c: what `config` makes of a file. */
/* Has FILE parsed into the first generation; ends the program on error. */
void configuration_read(struct master *, const char *file);
/* The generation of an encoding; NULL with errno. */
struct generation *configuration_new(struct span, uint32_t number);
/* Becomes config, which writes to descriptor `out`. */
_Noreturn void configuration_exec(
    const struct master *, const char *file, unsigned out);
/* A setting that differs and cannot be changed by a reload, or NULL. */
const char *configuration_fixed(const struct conf *, const struct conf *);

/* directories.c: spool, runtime and what is below; ends the program on error. */
struct directory_owner {
	uid_t queue, root;	/* whoever runs us, where that is not root */
	gid_t queue_group, root_group, control_group;
};
void directories_make(const struct conf *, const struct directory_owner *);
/* users.c: who must exist; ends the program on error. */
void users_find(const struct master *, const struct conf *,
    struct directory_owner *);

/* listen.c: sockets.  All end the program on error. */
void listen_inherit(int inherited[INHERITED_MAX], size_t *n);
void listen_open(struct master *, const int *inherited, size_t n);
/*
 * The processes of a master that was killed end by themselves, but not at once;
 * until then they hold its addresses and its spool.  Queue waits as long for the
 * lock (STORE_LOCK_SECONDS).  True: it was worth another try.
 */
bool listen_wait(struct master *);
/* Those of a generation that is to come: where the address is one of the current
 * generation, the same socket; others are bound, and listen by listen_begin.  The
 * two do not end the program: 0, or -1 with errno and in *which the title. */
int listen_prepare(const struct generation *current, struct generation *,
    const char **which);
int listen_begin(const struct generation *, const char **which);
/* How many may be open, after trying to get what is needed. */
uint64_t descriptors_raise(const struct conf *);
uint64_t descriptors_needed(const struct conf *);
void listen_text(const struct master *, char dst[LISTEN_TEXT_MAX]);

/* unix.c: the sockets in the runtime directory.  All end the program on error,
 * but those that remove. */
void control_open(struct master *);
void control_remove(const struct master *);
/* Where smtpds come that somebody else has started. */
void outside_open(struct master *);
void outside_remove(const struct master *);
/* Is it a Unix socket?  Then it is the submission socket, or an error. */
bool submit_inherit(struct master *, int fd);
void submit_open(struct master *); /* unless it was inherited */
void submit_remove(const struct master *);

/* spawn.c: a new process; its pid, or -1 with errno. */
pid_t spawn(const struct master *, const struct child *, int channel);
/* In a child: nothing of the loop's handlers may run there. */
void spawn_signals(const sigset_t *mask);

/* helper.c: run() as a process of its own, with fd (-1: none; closed here) as
 * HELPER_FD.  0, or -1 with errno; done() is called when it has ended and all that
 * it said is in m->helper.said. */
int helper_start(struct master *, int (*run)(const struct master *), int fd,
    void (*done)(struct master *, int status));
void helper_reaped(struct master *, pid_t, int status);
void helper_end(struct master *); /* done() is not called any more */

/* reload.c: another configuration, by new processes. */
int reload_init(struct master *);	/* 0, or -1 */
void reload_begin(struct master *, const char *by);
void reload_go_on(struct master *);	/* one more is ready, or the service is */
void reload_lost(struct master *, enum peer); /* a new one has ended */
void reload_abandon(struct master *);	/* the service stops */

/* waiters.c: the commands that wait for its end. */
/* One wants a reload: its request is answered at the end. */
void reload_asked(struct child *control, uint32_t id);
/* What is wrong, to those that asked before it began. */
void waiters_tell(struct master *, const struct msg_line *);
/* It is over for them; the others wait for the next one … */
void waiters_answer(struct master *, enum reply_name);
/* … or are answered with them, as there is none. */
void waiters_join(struct master *);

/* retire.c: the processes of older generations. */
void retire_generation(struct master *, struct generation *);
void retire_watch(struct master *);	/* who is done, who takes too long */

/* expect.c: the statements of the configuration, asked of a lookup on HELPER_FD.
 * What is wrong goes to standard error; 0, or 1 where anything is. */
int expect_ask(const struct conf *, bool root);
bool expect_met(const struct conf_expect *, const struct reply *);

/* check.c: `master -n`: the configuration as a start would read it, and its
 * expectations; the exit status. */
int check(struct master *, const char *file);
void check_go_on(struct child *lookup); /* it is ready */
void check_lost(struct master *);	/* it has ended */

/* children.c */
/* Of that size, or what there is; 0: the usual one.  0, or -1 with errno. */
int child_log_pipe(int fds[2], int size);
void child_log_close(struct child *);
/* A place, or one process, without a process as yet; NULL with errno. */
struct child *child_new(
    struct master *, struct generation *, enum peer, enum role);
void child_free(struct child *);
/* All places of the first generation.  0, or -1 with errno. */
int children_make(struct master *);
/* Those of a further one, started.  0, or -1: one could not be. */
int children_begin(struct master *, struct generation *);
void children_free(struct master *);
/* One that is no place is freed where it cannot be started, as when it ends:
 * false, and it is gone. */
bool child_start(struct child *);
void child_kill(struct child *);
void children_reap(struct master *);
bool children_ready(const struct master *);
/* Seconds to wait before the next start of one that lived `lived` seconds. */
unsigned child_delay(unsigned *failures, int64_t lived);
int64_t master_now(void);

/* sessions.c: processes for one session each. */
int sessions_init(struct master *); /* 0, or -1 */
void sessions_free(struct master *);
/* From now on, those of the current generation are accepted. */
void sessions_listen(struct master *);
/* One more, or one less (-1). */
void sessions_count(struct master *, int more);
/* It is ready, and has its peers. */
void session_begin(struct child *);
/* It ends without having had its client, which hears 421. */
void session_refuse(const struct child *);

/* watch.c: who still answers. */
void child_ping(struct child *);
void children_ping(struct master *);
/* How many pings are without an answer. */
unsigned child_unanswered(const struct child *);
/* Its answer to a ping; 0, or -1: it was not asked, or has answered already. */
int child_answered(struct child *, uint32_t ping);
bool child_late(const struct child *);
/* Has every process answered a ping that was sent after the last true? */
bool children_answered(struct master *);

/* channels.c: who talks to whom. */
void channels_make(struct child *);	/* with all of its peers that are ready */
void channels_make_all(struct master *);
/* Between the processes of a generation that is to come … */
void channels_make_next(struct master *);
/* … and, now that it is here, with those that stay. */
void channels_join(struct master *);
/* One end is given to a process as that of a peer, the other one is returned; -1
 * with errno. */
int channels_lend(struct child *, enum peer);
bool channels_pair_of(enum peer, enum peer);
/* Those of one generation, and with all of them those that stay. */
bool channels_between(const struct child *, const struct child *);
/* Whether that process stays while generations come and go. */
bool channels_stays(enum peer);

/* status.c: a row for master and for each process. */
void status_tell(struct child *to, uint32_t id);

/* syslog.c: logger wants the syslog service's socket. */
int syslog_asked(void *child, struct ipc_msg *);

/* messages.c: what the processes say. */
const struct channel_ops *messages_from(enum peer);
void messages_send(struct child *, uint16_t type, uint32_t id);
void messages_done(struct child *control, uint32_t id, enum reply_name);

/* stop.c */
void stop_begin(struct master *, int status);
void stop_go_on(struct master *);	/* one more has gone */
void stop_limit_reached(struct master *);

/* notify.c: the service manager, see sd_notify(3). */
void notify_open(struct notify *); /* takes its variables from the environment */
void notify(const struct notify *, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
void notify_status(struct master *); /* if it has changed */
/* How often the processes are asked, so that one that hangs is found and
 * replaced within the watchdog's patience. */
struct timeval notify_ping_interval(const struct notify *);

/* sandbox.c */
const struct confine *master_sandbox(void);

#endif
