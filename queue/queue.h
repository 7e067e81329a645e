/*
 * queue.h - the state of the process queue, and what its files do for each
 * other: one file for each peer that it listens to.
 *
 *   from_smtpd.c    messages come in            submit.c   … and go to the log
 *   opening.c       … large ones in pieces
 *   dispatch.c      what is due is asked about  outcome.c  results go to the log
 *   handout.c       … and goes out
 *   from_lookup.c   routes                      from_agent.c   results come in
 *   expand.c        … and aliases
 *   from_control.c  admin commands              control_show.c   … about one message
 *   order.c         … that change something
 *
 * Everything runs in one event loop; whatever may have made something due calls
 * queue_pump, and the loop then calls dispatch once.
 */
#ifndef QUEUE_H
#define QUEUE_H

#include "common/bytes/id.h"
#include "common/msg/control.h"
#include "common/msg/smtpd_queue.h"
#include "common/run/pending.h"
#include "common/run/process.h"
#include "queue/schedule.h"
#include "queue/store.h"

/* Sealed memory lent to agents at once. */
#define LENT_MAX (32 * 1024 * 1024)
/* An agent with so much before it that it has not read gets no more. */
#define AGENT_BACKLOG_MAX (2 * 1024 * 1024)
/* A MESSAGE record with as many recipients as there can be. */
#define MESSAGE_RECORD_MAX (64 * 1024 * 1024)
#define QUEUE_RCPTS_MAX	   100000

/* What one smtpd may have coming in through pipes. */
#define OPENINGS_MAX 512
/* … and their recipients in memory: a message for 100,000 is 26 MB. */
#define OPENINGS_RCPTS_MAX (64 * 1024 * 1024)
/* From a pipe at once. */
#define PIPE_READ (64 * 1024)

struct smtpd;
struct outcome;
struct given;

LIST_HEAD(smtpd_list, smtpd);
LIST_HEAD(agent_list, agent);
LIST_HEAD(acting_list, acting);
LIST_HEAD(expansion_list, expansion);
TAILQ_HEAD(outcome_list, outcome);

/* A delivery process that is connected. */
struct agent {
	LIST_ENTRY(agent) link;
	struct queue *queue;
	enum route_agent kind;
	enum peer peer;
	uint32_t instance;
	struct channel *channel;
	bool ready;			/* it said HELLO */
	uint32_t underway;		/* hand-outs that it spoke of before HELLO */
	bool retiring;			/* it gets no more, and ends with what it has */
};

struct queue {
	struct process *process;
	struct event_base *base;
	const struct conf *conf;
	struct store *store;
	struct schedule *schedule;
	struct smtpd_list smtpds;
	struct agent_list agents;	/* all of them */
	struct agent *serving[ROUTE_AGENT_END]; /* who gets hand-outs; NULL: nobody */
	struct channel *lookup;		/* NULL: not there */
	bool lookup_changes;		/* another one has come in its place */
	uint32_t lookup_instance, control_instance;
	struct pending *asked;		/* recipients whose route is asked for */
	struct expansion_list expansions; /* aliases whose addresses come */
	uint32_t nexpansions;
	struct given *given;		/* where aliases led to already */
	struct channel *control;	/* NULL: not there */
	struct acting_list actings;	/* that control waits for */
	uint32_t nactings, cats;
	struct event *pump;		/* something may have become due */
	struct event *limit;		/* of the stop */
	struct outcome_list unrecorded;	/* results whose commit failed */
	int64_t record_again;		/* not before */
	uint32_t outcomes;		/* results on their way to the disk */
	uint64_t last_attempt;
	size_t lent;			/* bytes of sealed memory */
	struct buf prefix;		/* of the message … */
	uint64_t prefix_of;		/* … with this id */
	char pipe[PIPE_READ];
	bool closing;			/* the store is being closed */
	uint64_t accepted, delivered, deferred, failed, bounced,
	    expanded;
};

int64_t queue_now(void);	/* seconds since 1970 */
uint64_t queue_now_us(void);
int queue_zone(int64_t time);	/* minutes east of UTC */
int64_t queue_accepted(const struct message *);	/* seconds */

/* ---- queue.c -------------------------------------------------------------------- */

/* Plans what the store has, and from now on what it will have. */
void queue_plan(struct queue *);
/* It is final or freed: nobody waits for its route any more. */
void queue_unschedule(struct queue *, struct recipient *);
/* Its result could not be recorded, or was none: it waits until then. */
void queue_again(struct queue *, struct recipient *, int64_t due);
/* On the way down: the store is closed when no delivery is under way. */
void queue_close_if_idle(struct queue *);

/* ---- from_smtpd.c -------------------------------------------------------------- */

struct smtpd {
	struct queue *queue;
	uint32_t instance;
	struct channel *channel;
	LIST_ENTRY(smtpd) link;
	LIST_HEAD(, opening) openings;
	LIST_HEAD(, submission) submissions;	/* on their way to the disk */
	uint32_t nopenings;
	size_t rcpts;			/* bytes of recipients in openings */
	/* Those of the configuration that it was started with. */
	uint64_t message_size;
	uint32_t max_recipients;
};

void smtpd_peer(struct queue *, uint32_t instance, int fd);
void smtpd_answer(struct smtpd *, uint32_t request, const struct reply *);
/* Read requests, or do not, as the store can take them. */
void smtpd_throttle(struct queue *);
/* Tell all of them whether mail is taken now. */
void smtpd_tell(void *queue);

/* ---- opening.c ----------------------------------------------------------------- */

/* NULL: it cannot be taken now.  Else it owns fd, the reading end. */
struct opening *opening_new(struct smtpd *, uint32_t request,
    struct msg_submit *, int fd);
struct opening *opening_find(struct smtpd *, uint32_t request);
/* 0, or -1: that makes no sense. */
int opening_rcpts(struct opening *, struct rcpt_list *);
int opening_end(struct opening *, uint64_t size);
/* Nobody waits for it any more. */
void opening_abort(struct opening *);

/* ---- submit.c ------------------------------------------------------------------ */

struct submit {
	struct smtpd *smtpd;		/* NULL: gone meanwhile */
	uint32_t request;
	uint64_t id;
	struct envelope envelope;
	struct rcpt_list rcpts;
	struct span content;		/* … or */
	struct incoming *incoming;	/* ended; taken over */
};

/* Commits the message; the answer follows from there. */
void submit(struct queue *, const struct submit *);
/* Its smtpd is gone: nobody waits for the answers. */
void submit_orphan(struct smtpd *);

/* ---- dispatch.c ----------------------------------------------------------------- */

void queue_pump(struct queue *);
void dispatch_begin(struct queue *);	/* makes the event */

/* ---- handout.c ------------------------------------------------------------------ */

/* As much as it takes of what is ready for it. */
void hand_out(struct agent *);
/* The recipients of a hand-out that was not sent wait so many seconds; nobody
 * was asked, so nothing is recorded. */
void queue_put_off(struct queue *, struct delivery *, int64_t wait);

/* ---- from_lookup.c -------------------------------------------------------------- */

void lookup_peer(struct queue *, uint32_t instance, int fd);
void lookup_begin(struct queue *);
bool lookup_ready(const struct queue *);
void lookup_ask(struct queue *, struct recipient *);

/* lookup's word is the end of this attempt. */
void lookup_refused(struct queue *, struct recipient *, const struct reply *);

/* ---- expand.c -------------------------------------------------------------------- */

/* Some addresses of an alias, whose question is answered: the next packet is
 * asked for, or the end recorded.  0, or -1: that makes no sense. */
int expand_take(struct queue *, struct recipient *, const struct msg_expanded *);
/* It is asked about no more. */
void expand_forget(struct queue *, const struct recipient *);

/* ---- from_agent.c --------------------------------------------------------------- */

/* A new one; who was there before finishes what it has, or is gone already. */
void agent_peer(struct queue *, enum peer, uint32_t instance, int fd);
/* One that retires, told to a queue that was not there then. */
void agent_old_peer(struct queue *, enum peer, uint32_t instance, int fd);
/* The one that may be given hand-outs now, or NULL. */
struct agent *agent_serving(const struct queue *, enum route_agent);
/* All of a hand-out is on disk: the agent may forget it. */
void agent_recorded(struct queue *, struct delivery *);
void agent_forget(struct queue *, struct delivery *);

/* ---- outcome.c ------------------------------------------------------------------ */

struct result {
	struct handout handout;	/* attempt 0: there was none */
	bool soon;		/* it was cut short: try again soon */
	enum recipient_state order; /* what an administrator wants: DELETED, FAILED, or 0 */
	struct reply reply;
	const char *host;
	uint32_t n;
	const uint32_t *rcpts;	/* indexes, all of them RECORDING */
	void (*settled)(void *arg); /* it is on disk; NULL: nobody waits for that */
	void *arg;
};

/* Takes it to the disk, with the bounce that it causes. */
void outcome_record(struct queue *, const struct result *);
/* An administrator's word for at most DELIVER_RCPTS_MAX of a message, none of them
 * RECORDING: DELETED, or FAILED with one bounce for all. */
void outcome_order(struct queue *, struct message *, uint32_t n,
    const uint32_t *rcpts, enum recipient_state, const char *reason,
    void (*settled)(void *arg), void *arg);
/* Those whose commit failed, once the log can be written again. */
void outcome_retry(struct queue *);

/* ---- order.c --------------------------------------------------------------------- */

struct acting;

/* Would the verb change it?  One that is held is not held again. */
bool order_applies(enum control_verb, const struct recipient *);
/* What a page's verb does, until it is on disk: begin (NULL: no memory), add for
 * at most DELIVER_RCPTS_MAX recipients of one message at a time, end with the
 * page, which is answered then. */
struct acting *order_begin(struct queue *, uint32_t request);
void order_add(struct acting *, enum control_verb, struct message *, uint32_t n,
    const uint32_t *rcpts, const char *reason);
void order_end(struct acting *, const struct msg_page *);
/* Nobody waits for the answers. */
void order_orphan(struct queue *);

/* ---- from_control.c -------------------------------------------------------------- */

void control_peer(struct queue *, uint32_t instance, int fd);
void control_answer(struct queue *, uint32_t request, const struct msg_page *);

/* ---- control_show.c ---------------------------------------------------------------- */

enum select_state control_state(const struct recipient *);
int64_t control_next(const struct recipient *);	/* 0 while active or held */
/* Its last reply's code; that of its destination while it waits there untried. */
uint16_t control_code(const struct recipient *);
ipc_handler control_show, control_cat, control_settle; /* of a queue */

#endif
