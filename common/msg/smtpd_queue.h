/*
 * msg/smtpd_queue.h - all that may pass between smtpd and queue.
 *
 *   smtpd -> queue   SUBMIT                    envelope, recipients and content in one
 *                    OPEN, RCPTS…, END|ABORT   the same in pieces (all with one id)
 *   queue -> smtpd   ANSWER                    by request id: 250 ID, or 4yz
 *                    STATE                     unasked: may MAIL be accepted now
 *
 * A message whose envelope, recipients and content fit into SUBMIT_MAX goes as
 * SUBMIT.  A larger one is OPENed with the reading end of a pipe: the content
 * comes through the pipe, further recipients in RCPTS; END says how many bytes
 * there are, so that a pipe that ends early is never a whole message.  queue
 * reads the pipe no faster than its budget allows: back-pressure is a slow
 * read.  ANSWER comes after END (or before it, when the queue gives up).
 */
#ifndef MSG_SMTPD_QUEUE_H
#define MSG_SMTPD_QUEUE_H

#include "common/mail/address.h"
#include "common/mail/envelope.h"
#include "common/mail/reply.h"
#include "common/run/ipc.h"

enum {
	QUEUE_SUBMIT = 0x0300, QUEUE_OPEN, QUEUE_RCPTS, QUEUE_END, QUEUE_ABORT,
	QUEUE_ANSWER, QUEUE_STATE
};

#define SUBMIT_MAX (96 * 1024)	 /* body of SUBMIT; below IPC_BODY_MAX */
#define SUBMIT_CONTENT_MAX (64 * 1024) /* content that smtpd keeps before it OPENs */
#define RCPTS_MAX  256		 /* recipients in one RCPTS */
#define SMTPD_QUEUE_WINDOW  1024
#define SMTPD_QUEUE_SECONDS 120	 /* from the end of the data to the answer; below
				  * the client's ten minutes, RFC 5321 4.5.3.2.6 */

/* A list of addresses as it lies in a message: nrcpts spans.  Walk it with
 * rcpts_next; get has checked all of it: count, and that each is a canonical
 * address (address_parse gives the same text). */
struct rcpt_list {
	struct wire_get list;
	uint32_t n;
};
bool rcpts_next(struct rcpt_list *, struct span *rcpt);

struct msg_submit {		/* QUEUE_SUBMIT; QUEUE_OPEN: content empty, few rcpts or none */
	struct envelope envelope;	/* nrcpts: in all */
	struct rcpt_list rcpts;		/* put: filled by rcpts_put */
	struct span content;
};
struct msg_rcpts {		/* QUEUE_RCPTS */
	struct rcpt_list rcpts;
};
struct msg_end {		/* QUEUE_END */
	uint64_t size;		/* octets that went through the pipe */
};
/* QUEUE_ABORT: empty.  QUEUE_ANSWER and QUEUE_STATE: a reply. */

/* Put walks `rcpts`, an array of n C strings. */
void msg_submit_put(struct wire_put *, const struct envelope *,
    const char *const *rcpts, uint32_t n, struct span content);
int msg_submit_get(struct ipc_msg *, struct msg_submit *);
void msg_rcpts_put(struct wire_put *, const char *const *rcpts, uint32_t n);
int msg_rcpts_get(struct ipc_msg *, struct msg_rcpts *);
void msg_end_put(struct wire_put *, const struct msg_end *);
int msg_end_get(struct ipc_msg *, struct msg_end *);

#endif
