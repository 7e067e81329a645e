/*
 * msg/master.h - all that may pass between master and a process.
 *
 *   master -> process   PEER, LISTENER, RETIRE, STOP, PING
 *   process -> master   READY, PONG, COMPLAIN
 *   master -> those that stay at a reload   OLD_PEER, SETTINGS
 *   master -> one that it did not start   CONF, LOG (before all else)
 *   master -> smtpd     SESSION (the one that this process is for)
 *   control -> master   STATUS, STOP_SERVICE, RELOAD (each answered by request id)
 *   master -> control   PROCESS (one for each), LINE (of what is wrong), DONE
 *   master -> logger    LOGPIPE (one for each process)
 *   logger -> master    SYSLOG: open the syslog service's socket
 *   master -> logger    SYSLOG, with it; without: it cannot be opened now
 */
#ifndef MSG_MASTER_H
#define MSG_MASTER_H

#include "common/mail/netblock.h"
#include "common/mail/reply.h"
#include "common/run/conf.h"
#include "common/run/ipc.h"

enum {
	MASTER_PEER = 0x0100, MASTER_LISTENER, MASTER_STOP, MASTER_PING,
	MASTER_READY, MASTER_PONG, MASTER_COMPLAIN,
	MASTER_STATUS, MASTER_STOP_SERVICE, MASTER_PROCESS, MASTER_DONE,
	MASTER_LOGPIPE, MASTER_CONF, MASTER_LOG, MASTER_SESSION, MASTER_SYSLOG,
	MASTER_OLD_PEER, MASTER_SETTINGS, MASTER_RETIRE, MASTER_RELOAD, MASTER_LINE
};

#define STATUS_COUNTERS_MAX 32
#define STATUS_NAME_MAX	    32
#define MASTER_LINE_MAX	    2000

struct msg_peer {		/* MASTER_PEER and, of one that retires, MASTER_OLD_PEER,
				 * with the end of the channel; MASTER_LOGPIPE, with the
				 * end to read */
	enum peer kind;
	uint32_t instance;
};
struct msg_listener {		/* MASTER_LISTENER, with the socket */
	uint32_t index;		/* into conf->listens, or LISTENER_SUBMIT; 0 for control */
};
#define LISTENER_SUBMIT CONF_LISTENS_MAX /* runtime/submit.sock */
#define LISTENER_STDIN	(CONF_LISTENS_MAX + 1) /* a process from outside has its client */
struct msg_conf {		/* MASTER_CONF, with the encoded configuration */
	uint32_t instance;	/* of who gets it */
};
struct msg_session {		/* MASTER_SESSION */
	uint32_t listener;	/* index, with the client's socket; or LISTENER_STDIN:
				 * it has the client already */
	struct ip ip;		/* of the client; where LISTENER_STDIN, of no meaning */
};
struct msg_complain {		/* MASTER_COMPLAIN */
	enum peer kind;
	uint32_t instance;
};
struct msg_counter {
	char name[STATUS_NAME_MAX];
	uint64_t value;
};
struct msg_counters {		/* MASTER_PONG, the answer to MASTER_PING */
	uint32_t n;
	struct msg_counter c[STATUS_COUNTERS_MAX];
};
struct msg_line {		/* MASTER_LINE: "FILE:LINE: what is wrong" */
	char text[MASTER_LINE_MAX + 1];
};
enum process_state {
	PROCESS_STARTING,	/* not yet ready */
	PROCESS_RUNNING,
	PROCESS_COMING,		/* of a configuration that is not yet in force */
	PROCESS_RETIRING,	/* another one has its work; it ends */
	PROCESS_GONE,		/* … and is started again after a while */
	PROCESS_STATE_END
};
struct msg_process {		/* MASTER_PROCESS, to control: one row of status */
	enum peer kind;
	enum process_state state;
	uint32_t generation;	/* of the configuration it has */
	uint32_t instance;
	uint32_t pid;
	uint32_t restarts;	/* in this place since the start */
	uint32_t age;		/* seconds since its start */
	bool died;		/* one in this place did, … */
	uint32_t died_ago;	/* so many seconds ago, … */
	uint32_t died_signal;	/* of this signal, or, where 0, … */
	uint32_t died_status;	/* with this exit status */
	struct msg_counters counters;	/* of its last PONG */
};

void msg_peer_put(struct wire_put *, const struct msg_peer *);
int msg_peer_get(struct ipc_msg *, struct msg_peer *);
void msg_listener_put(struct wire_put *, const struct msg_listener *);
int msg_listener_get(struct ipc_msg *, struct msg_listener *);
void msg_conf_put(struct wire_put *, const struct msg_conf *);
int msg_conf_get(struct ipc_msg *, struct msg_conf *);
void msg_session_put(struct wire_put *, const struct msg_session *);
int msg_session_get(struct ipc_msg *, struct msg_session *);
void msg_complain_put(struct wire_put *, const struct msg_complain *);
int msg_complain_get(struct ipc_msg *, struct msg_complain *);
void msg_counters_put(struct wire_put *, const struct msg_counters *);
int msg_counters_get(struct ipc_msg *, struct msg_counters *);
void msg_line_put(struct wire_put *, const struct msg_line *);
int msg_line_get(struct ipc_msg *, struct msg_line *);
void msg_process_put(struct wire_put *, const struct msg_process *);
int msg_process_get(struct ipc_msg *, struct msg_process *);
/* MASTER_DONE: a reply; see msg_reply_put in msg/reply.h.  MASTER_SETTINGS has no
 * body but the descriptor of the encoding.  RETIRE, STOP, PING, READY, SYSLOG, STATUS,
 * STOP_SERVICE, RELOAD and LOG (with its end to write) have no body
 * (msg_empty_get). */

#endif
