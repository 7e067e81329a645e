/*
 * smtpd.h - what the parts of this process share: the process and a connection.
 *
 *   listener.c    accepts; single.c instead, where a process is for one session
 *   connection.c  begins, writes, ends; what is read in input.c
 *   session.c     the dialogue (pure), its commands in verbs.c, chunk.c, inquiry.c,
 *                 parameters.c
 *   proxy.c       the PROXY protocol (pure)
 *   transfer.c    content, and when it goes to queue; the rules for it in
 *                 content.c (pure); how it goes in submit.c
 *   peers.c       the channels; questions to lookup in ask.c, queue in handover.c
 *   timers.c      time limits
 *   memory.c      what all connections together may keep
 *
 * One event loop, one thread.  An entry from the loop (a socket, an answer, a
 * timer) works on one connection and leaves it by connection_settle(), the only
 * function in which a connection may die: behind it the pointer is not used.
 */
#ifndef SMTPD_H
#define SMTPD_H

#include <bsd/sys/queue.h>

#include <event2/event_struct.h>

#include "common/msg/smtpd_lookup.h"
#include "common/msg/smtpd_queue.h"
#include "common/run/pending.h"
#include "common/run/process.h"
#include "smtpd/content.h"
#include "smtpd/session.h"

struct smtpd;

/* Why no input is taken now; bits. */
enum wait {
	WAIT_CLIENT = 1,  /* lookup's word on the client */
	WAIT_VERDICT = 2, /* lookup's word on a recipient */
	WAIT_ROOM = 4,	  /* queue has not taken what it has of the content */
	WAIT_ANSWER = 8,  /* queue's word on the message */
	WAIT_OUTPUT = 16, /* the client has not read its replies */
	WAIT_CLOSE = 32,  /* the last reply was given */
	WAIT_LINGER = 64  /* … and is out; the client may read it */
};

enum timer {
	TIMER_COMMAND, /* command_timeout */
	TIMER_DATA,    /* data_timeout */
	TIMER_PEER, /* SMTPD_QUEUE_SECONDS, for lookup or queue */
	TIMER_LINGER,
	TIMER_PROXY, /* its header */
	TIMER_END /* none */
};

/* What lookup was asked about a connection and has not answered. */
enum asked { ASKED_NOTHING, ASKED_CLIENT, ASKED_RCPT };

enum stage {
	STAGE_KEEP,   /* queue was told nothing */
	STAGE_OPEN,   /* it reads from the pipe */
	STAGE_BROKEN, /* it stopped reading: its answer will say why */
	STAGE_SENT    /* it has all of it */
};

TAILQ_HEAD(connections, connection);

/* A message's content on its way to queue. */
struct transfer {
	enum stage stage;
	struct content content;
	struct buf kept;  /* what queue does not have yet */
	uint64_t piped;	  /* octets that went through the pipe */
	uint32_t id;	  /* of the request to queue; 0: none waits */
	int pipe;	  /* writing end, or -1 */
	size_t next_rcpt; /* session_rcpts(): those behind were sent */
	uint32_t rcpts_sent;
	bool active;	 /* from DATA, or the first BDAT, to the last reply */
	bool ended;	 /* the end of the data was met */
	bool large;	 /* not one packet */
	bool open;	 /* counted in opens */
	int64_t since;	 /* … since then, timers_now() */
	uint64_t before; /* octets that came before that */
	struct event writable; /* the pipe */
	struct reply answer;   /* to the end of the data; code 0: none yet */
};

/* A client that has come. */
struct arrival {
	uint32_t listener; /* index, LISTENER_SUBMIT or LISTENER_STDIN */
	int in, out; /* one socket, or standard input and output */
	enum client_from from;
	struct ip ip; /* CLIENT_ADDRESS */
	uint32_t uid; /* CLIENT_LOCAL */
};

struct connection {
	TAILQ_ENTRY(connection) all;
	TAILQ_ENTRY(connection) timer_link;
	TAILQ_ENTRY(connection) lookup_link, queue_link;
	TAILQ_ENTRY(connection) resume_link;
	struct smtpd *m;
	struct arrival client;
	uint32_t slot; /* its number for lookup */
	char name[32]; /* in the log: smtpd's instance, and its number there */
	char client_text[IP_TEXT_MAX]; /* its address, "uid 1000", "unknown" */

	unsigned wait; /* enum wait */
	bool proxying; /* the header of a proxy comes first */
	bool proxied;  /* … and came */
	bool paused;   /* the loop does not look for input */
	bool broken;   /* the socket is of no use any more */
	bool linger;   /* the last word is ours, not an answer to QUIT */
	bool progress; /* since the last look at the clock */
	enum asked asked;
	bool announced;			/* to the present lookup */
	bool known;			/* … which let it in */
	bool lookup_waits;		/* for room in the window */
	struct connections *queue_line; /* the same; NULL: does not */
	bool resumes;			/* in the list of those */

	enum timer timer;
	int64_t deadline;

	struct event readable, writable;
	TAILQ_ENTRY(connection) held_link;
	size_t held; /* memory.c */
	struct line_reader lines;
	struct buf in;	/* read but not taken */
	struct buf out; /* said but not written */
	struct session session;
	struct transfer transfer;
};

struct listener {
	struct smtpd *m;
	unsigned index; /* into conf->listens, or LISTENER_SUBMIT */
	int fd;
	struct event readable;
};

struct peer_link {
	struct smtpd *m;
	enum peer kind;
	uint32_t instance;
	struct channel *channel; /* NULL while it is away */
	struct pending *pending;
	struct connections waiting; /* for room in the window */
};

/* Replies of one turn, written together; larger than any one of them. */
#define OUT_MAX (16 * 1024)

struct smtpd {
	struct process *process;
	const struct conf *conf;
	struct session_service service;
	struct connections all;
	struct connections timers[TIMER_END];
	struct event tick; /* each second */
	struct connections resuming;
	struct event resume; /* the next turn of those */
	struct event stop;   /* the end of patience */
	struct connections
	    holders; /* those that keep much; the longest first */
	size_t held;
	struct event shed;
	struct peer_link lookup, queue;
	struct connections large; /* those that wait for an OPEN */
	uint32_t opens, opens_max;

	struct listener listeners[CONF_LISTENS_MAX + 1];
	size_t nlisteners;
	bool deaf; /* no descriptors left: not accepting for a second */
	bool stopping;
	bool single;	      /* it has its one session, or had */
	struct arrival input; /* standard input, for one from outside */

	uint32_t *free_slots, nfree, nslots; /* numbers for lookup */
	uint64_t number;

	/* memory that no connection keeps beyond its turn */
	char *in, *content;
	size_t in_max;
	const char **rcpts;
	char out[OUT_MAX];
	size_t nout;

	uint64_t connections, sessions, accepted, refused, rcpts_refused,
	    timeouts;
};

/* listener.c */
int listener_add(struct smtpd *, unsigned index, int fd);
void listener_hear(struct smtpd *); /* again, if deaf */
void listener_close_all(struct smtpd *);

/* connection.c */
void connection_new(struct smtpd *, const struct arrival *);
void connection_settle(struct connection *);
void connection_step(struct connection *, const struct step *);
/* What the proxy says of its client is the next in *in; false: not there yet, or
 * not ever. */
bool connection_proxy(struct connection *, struct span *in);
/* An end of our own: a 421, then closed. */
void connection_end(struct connection *, enum reply_name);
void connection_timeout(struct connection *, enum timer);
/* Reset by the client, or by the network: seen even where nothing is read. */
bool connection_is_dead(const struct connection *);
void connection_stop(struct connection *);
struct span connection_client(const struct connection *);
/* NULL for submit.sock, which no statement tells of. */
const struct conf_listen *connection_listen(const struct connection *);
bool connection_may_retry(int err); /* the loop says when */

/* input.c */
void input_begin(struct smtpd *);
void input_readable(evutil_socket_t, short, void *connection);
/* Goes on with what was read and not taken. */
void input_go(struct connection *);
/* The same, from the loop: for callers that must not ask a peer now. */
void input_later(struct connection *);
void input_cancel(struct connection *);

/* transfer.c */
void transfer_init(struct transfer *);
void transfer_begin(struct connection *); /* or its next chunk */
/* False: the session goes on without it (RSET between chunks). */
bool transfer_wanted(const struct connection *);
/* The next octets of content; *in begins behind what was taken. */
void transfer_input(struct connection *, struct span *in);
void transfer_go(struct connection *); /* as far as queue takes it now */
void transfer_answer(struct connection *, const struct reply *);
/* It will not be taken, and this is why; said at the end of the data. */
void transfer_end(struct connection *, const struct reply *);
void transfer_give_up(struct connection *); /* queue takes too long */
void transfer_drop(struct connection *);    /* the client is gone */
/* Those that are OPEN and slow are refused, if others wait for their place. */
void transfer_hurry(struct smtpd *);

/* peers.c */
void peers_begin(struct smtpd *);
void peers_set(struct smtpd *, enum peer, uint32_t instance, int fd);
void peers_closed(void *link, bool bad);
void peers_tick(struct smtpd *);

/* ask.c: the client first, then, while WAIT_VERDICT, the recipient.  Without
 * lookup the answer is there at once. */
void ask_next(struct connection *);
void ask_give_up(struct connection *); /* lookup takes too long */
void ask_gone(struct connection *);
void ask_line(struct smtpd *);
void ask_failed(void *, void *connection);
void ask_lost(struct smtpd *);
void ask_came(struct smtpd *);
const struct channel_ops *ask_ops(void);

/* handover.c.  Messages that are OPEN at once: such a one lasts as long as its
 * client likes.  They must never have all of the window, or a few hundred slow
 * clients would keep out everybody else. */
#define OPENS_MAX (SMTPD_QUEUE_WINDOW / 2)
/* Room for one more message, or packet of it: or c waits for it. */
bool handover_room(struct connection *);
void handover_leave(struct connection *); /* waits no longer */
void handover_line(struct smtpd *);
void handover_failed(void *, void *connection);
void handover_lost(struct smtpd *);
const struct channel_ops *handover_ops(void);

/* timers.c */
void timers_begin(struct smtpd *);
void timers_set(struct connection *, enum timer);
int64_t timers_now(void); /* seconds */

/* memory.c: what c keeps now, at the end of each turn; and when it goes. */
void memory_begin(struct smtpd *);
void memory_count(struct connection *);
void memory_forget(struct connection *);

/* sandbox.c */
const struct confine *smtpd_sandbox(struct process *);

#endif
