/*
 * msg/reply.h - messages whose body is a single reply, and those without a body.
 */
#ifndef MSG_REPLY_H
#define MSG_REPLY_H

#include "common/mail/reply.h"
#include "common/run/ipc.h"

void msg_reply_put(struct wire_put *, const struct reply *);
int msg_reply_get(struct ipc_msg *, struct reply *);
int msg_empty_get(struct ipc_msg *);

#endif
