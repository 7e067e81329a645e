/*
 * outside.h - the beginning of a process that master did not start; for
 * process.c.
 */
#ifndef OUTSIDE_H
#define OUTSIDE_H

struct event_base;

/* A connection to master at this path, as PROCESS_FD_MASTER.  0, or -1 with
 * errno: nobody is there, or it is not master who answers (EPERM). */
int outside_connect(const char *path);
/* A loop for what somebody else opened: a file and a terminal too, of which
 * epoll knows nothing.  NULL on failure. */
struct event_base *outside_loop(void);

#endif
