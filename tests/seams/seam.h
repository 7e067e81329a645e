/*
 * seam.h - one real process of Sallyport, confined as ever, with the test in the
 * place of master and of its peers.
 *
 * All waits have an end; what does not come in time fails the test.
 */
#ifndef SEAM_H
#define SEAM_H

#include <sys/types.h>

#include "common/run/process.h"

#define SEAM_MS 20000 /* the longest wait; generous, for sanitized builds */

struct seam {
	pid_t pid;
	int master;
};

/* `name` is that of the program in libexec beside the test's own build. */
void seam_start(struct seam *, const char *name, const struct conf *);
/*
 * A program that is started from outside, with these as standard input and
 * output; master, which is the test, is below `runtime`: its listening socket
 * is returned.
 */
int seam_outside(
    struct seam *, const char *name, const char *runtime, int from, int to);
/* Master lets it in: s->master, the configuration, a log; then it is READY. */
void seam_admit(struct seam *, int listener, const struct conf *);
/* A channel between the process and the test, which is a peer of this kind. */
int seam_connect(struct seam *, enum peer kind, uint32_t instance);
/* MASTER_STOP, and its exit status; -1 if it ended by a signal. */
int seam_stop(struct seam *);
/* Its exit status, once it ends by itself. */
int seam_wait(struct seam *);

/* To send: put the body into *seam_body(), then send. */
struct wire_put *seam_body(void);
void seam_send(int channel, uint16_t type, uint32_t id, int fd);
/* The next message, of this type; its body is valid until the next one, its
 * descriptor is the caller's. */
void seam_recv(int channel, struct ipc_msg *, uint16_t type);
/* False: none within so many milliseconds. */
bool seam_recv_within(int channel, struct ipc_msg *, int ms);
/* The process closed the channel. */
bool seam_closed(int channel);

/* A listening socket on 127.0.0.1 (or that address), and its port. */
int seam_listen(const char *address, uint16_t *port);
/* The next connection, blocking. */
int seam_accept(int listener);

#endif
