/*
 * single.h - a process that is for one session.
 *
 * Master sends the client (isolation = "session"), or who started us has put it
 * on standard input (inetd, a socket unit, a person).  The session is the same
 * as any other; this process has no listener, and ends with it.
 */
#ifndef SINGLE_H
#define SINGLE_H

#include "smtpd/smtpd.h"

/* The whole life of a process that was started from outside; its exit status. */
int single_outside(const struct process_ops *, struct smtpd *, const char *runtime);
/* For prepare(), where it was: who is there. */
void single_prepare(struct smtpd *);
/* MASTER_SESSION. */
int single_session(void *process, struct ipc_msg *);
/* The service ends; 421 to a client that is on standard input and has heard
 * nothing yet. */
void single_stop(const struct smtpd *);

#endif
