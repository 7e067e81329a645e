/*
 * control.h - control: who may ask, and for whom an answer is.
 *
 * Commands connect to runtime/control.sock.  A client has one request under way
 * at a time; its number is the request id towards queue and master, so that an
 * answer finds its client without a table.  Nothing is kept for a client
 * between its requests: pages have cursors.
 */
#ifndef CONTROL_CONTROL_H
#define CONTROL_CONTROL_H

#include <bsd/sys/queue.h>

#include "common/msg/control.h"
#include "common/run/process.h"

#define CONTROL_CLIENTS_MAX 64 /* at once; the next one is closed */

enum client_waits { WAITS_NOBODY, WAITS_QUEUE, WAITS_MASTER, WAITS_LOGGER };

struct control;

struct client {
	TAILQ_ENTRY(client) link;
	struct control *control;
	struct channel *channel;
	uint32_t number;  /* request id towards queue and master */
	uint32_t request; /* the client's own request id */
	enum client_waits waits;
	struct msg_story story; /* to tell when queue has settled; id 0: none */
};

struct control {
	struct process *process;
	struct event *listener;
	TAILQ_HEAD(, client) clients;
	uint32_t nclients, last_number;
	uint64_t served, refused;
	uid_t owner; /* who may ask, besides root */

	struct channel *queue; /* NULL while queue is away */
	uint32_t queue_instance;
	struct channel *logger; /* NULL while it is away */
	uint32_t logger_instance;
	int history; /* spool/history */
};

/* clients.c */
void clients_listen(struct control *, int fd);
/* The client that waits for this answer, which is then no longer waited for;
 * NULL if it is gone. */
struct client *clients_answered(
    struct control *, uint32_t number, enum client_waits);
struct client *clients_waiting(
    struct control *, uint32_t number, enum client_waits);
/* Whoever waits on a peer that went away is told so. */
void clients_fail(struct control *, enum client_waits, enum reply_name);

/* queue.c */
void queue_connect(struct control *, uint32_t instance, int fd);
/* Pass a request on; a DONE with 4yz at once when queue is away. */
void queue_ask_act(struct client *, const struct msg_act *);
void queue_ask_message(struct client *, uint16_t type, const struct msg_show *);

/* logger.c */
void logger_connect(struct control *, uint32_t instance, int fd);
/* The last errors; while logger is away there are none. */
void logger_ask(struct client *);

/* master.c */
void master_ask(struct client *, uint16_t type);
extern const struct ipc_rule master_rules[];
extern const size_t master_nrules;

/* Have queue write what it has to tell first; without queue, tell what there is. */
void queue_ask_settle(struct client *, const struct msg_story *);

/* story.c: what the history says of an id, from a cursor on. */
void story_tell(struct client *, const struct msg_story *);

/* The page of the story that the client waits for. */
void client_tell(struct client *);

/* A DONE with a reply of the catalogue. */
void client_done(struct client *, enum reply_name);

/* sandbox.c */
const struct confine *control_sandbox(struct process *);

#endif
