/*
 * msg/queue_agent.h - all that may pass between queue and a delivery process
 * (local, remote): one vocabulary for all of them.
 *
 *   agent -> queue   UNDERWAY…, HELLO    on every new channel, before anything else
 *                    RESULT              what became of a hand-out, in one piece or several
 *   queue -> agent   DELIVER             one message for recipients of one route
 *                    RECORDED            the results of a hand-out are on disk: forget it
 *
 * A hand-out is (message, attempt).  `attempt` is made by queue and never used
 * twice, not even by a queue that was restarted.  The agent keeps a result
 * until RECORDED.  On a new channel it tells every hand-out that is under way or
 * whose result is not recorded (UNDERWAY), then HELLO with how many hand-outs it
 * takes at once; only then may queue DELIVER, and not what is under way.  Results
 * that were not recorded are sent (again) after HELLO.
 */
#ifndef MSG_QUEUE_AGENT_H
#define MSG_QUEUE_AGENT_H

#include "common/mail/envelope.h"
#include "common/msg/queue_lookup.h"

enum {
	AGENT_UNDERWAY = 0x0500, AGENT_HELLO, AGENT_DELIVER, AGENT_RESULT,
	AGENT_RECORDED
};

#define AGENT_WINDOW	    400	/* hand-outs at once, at most */
#define DELIVER_RCPTS_MAX   100	/* recipients in one hand-out, RFC 5321 4.5.3.1.8 */
#define DELIVER_INLINE_MAX (64 * 1024) /* content in the packet; else a descriptor */

struct handout {
	uint64_t message;	/* queue id */
	uint64_t attempt;
};

struct deliver_rcpt {
	uint32_t index;		/* of the recipient within its message */
	struct span address;	/* canonical */
};

struct msg_deliver {		/* AGENT_DELIVER, with a descriptor if the content is not in it */
	struct handout handout;
	bool maybe;		/* an earlier hand-out was lost with its process: it
				 * may have been delivered already */
	struct route route;
	struct span sender;
	enum envelope_body body;
	bool utf8;		/* only to who speaks SMTPUTF8 */
	uint32_t nrcpts;
	struct deliver_rcpt rcpts[DELIVER_RCPTS_MAX];
	struct span prefix;	/* trace fields, CRLF, to stand above the content */
	uint64_t size;		/* of the content, without prefix */
	bool inlined;
	struct span content;	/* inlined: all of it */
	/* else the message's descriptor: read-only, content at 0 to size, sealed
	 * memory or a file; read with pread */
};

struct msg_underway {		/* AGENT_UNDERWAY */
	struct handout handout;
	uint32_t nrcpts;
	uint32_t rcpts[DELIVER_RCPTS_MAX];	/* indexes without a result yet or not recorded */
};

struct msg_hello {		/* AGENT_HELLO */
	uint32_t window;	/* 1 to AGENT_WINDOW */
};

struct msg_result {		/* AGENT_RESULT */
	struct handout handout;
	char host[CONF_HOST_MAX + 1];	/* who answered: "mx.example [192.0.2.1]", or "" */
	uint32_t nrcpts;		/* at least 1 */
	uint32_t rcpts[DELIVER_RCPTS_MAX];
	struct reply reply;		/* the same for all of them: 2yz, 4yz or 5yz */
	bool last;			/* nothing of this hand-out is outstanding */
};

struct msg_recorded {		/* AGENT_RECORDED: all of a hand-out whose last result came */
	struct handout handout;
};

void msg_deliver_put(struct wire_put *, const struct msg_deliver *);
int msg_deliver_get(struct ipc_msg *, struct msg_deliver *);
void msg_underway_put(struct wire_put *, const struct msg_underway *);
int msg_underway_get(struct ipc_msg *, struct msg_underway *);
void msg_hello_put(struct wire_put *, const struct msg_hello *);
int msg_hello_get(struct ipc_msg *, struct msg_hello *);
void msg_result_put(struct wire_put *, const struct msg_result *);
int msg_result_get(struct ipc_msg *, struct msg_result *);
void msg_recorded_put(struct wire_put *, const struct msg_recorded *);
int msg_recorded_get(struct ipc_msg *, struct msg_recorded *);

#endif
