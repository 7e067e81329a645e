/*
 * msg/reply.c - the body that is one reply, and the body that is nothing.
 */
#include "common/msg/reply.h"

void
msg_reply_put(struct wire_put *w, const struct reply *r)
{
	reply_put(w, r);
}

int
msg_reply_get(struct ipc_msg *m, struct reply *r)
{
	reply_get(&m->body, r);
	/* 0 is "no reply yet", which nobody has to send. */
	return wire_done(&m->body) && r->code != 0 ? 0 : -1;
}

int
msg_empty_get(struct ipc_msg *m)
{
	return wire_done(&m->body) ? 0 : -1;
}
