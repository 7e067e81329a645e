/*
 * submit.h - a message's way to queue, for transfer.c, which says when.
 */
#ifndef SUBMIT_H
#define SUBMIT_H

#include "smtpd/smtpd.h"

/* Content of so many octets, recipients and envelope in one packet? */
bool submit_fits(const struct connection *, size_t content);
void submit_packet(struct connection *, struct span content);

/* The beginning of a message that comes through the pipe, and what of its
 * content is here. */
void submit_open(struct connection *, struct span beginning);
/* True when all recipients are sent. */
bool submit_rcpts(struct connection *);
/* As much of it as the pipe takes now; *content begins behind that. */
void submit_pour(struct connection *, struct span *content);
void submit_end(struct connection *);

/* Queue need not go on with it, and no answer of its own is wanted. */
void submit_let_go(struct connection *);

/* In transfer.c: the reply is known before the end of the data. */
void transfer_refuse(struct connection *, const struct reply *);
void transfer_refuse_named(struct connection *, enum reply_name);

#endif
