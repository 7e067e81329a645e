/*
 * smtpd_house.h - the real smtpd between a client and a test, which is master,
 * lookup and queue.
 */
#ifndef SMTPD_HOUSE_H
#define SMTPD_HOUSE_H

#include "tests/seams/seam.h"

struct smtpd_house {
	struct seam d;
	int lookup, queue, client;
	uint16_t port;
	struct ipc_msg k; /* the last one that was expected */
};

/* `title` is "reject" or "convert", as the listener's bare_newlines; `timeout`
 * is that of commands and of data, in seconds. */
struct smtpd_house *start(
    const char *title, uint32_t useless, uint32_t timeout);
/* A process that has its peers and no client yet. */
struct smtpd_house *start_empty(void);
/* The same, with the client on these, which are closed here; without_master():
 * the process alone, and the socket on which it looks for master. */
struct smtpd_house *start_outside(int in, int out);
struct smtpd_house *without_master(int in, int out, int *listener);
/* MASTER_SESSION; fd may be -1, and is closed here. */
void begin_session(uint32_t listener, int fd);
/* It stops when it is told to, and every test ends with that. */
void stop(void);

void answer(int channel, uint16_t type, uint32_t id, unsigned code,
    enum reply_scope scope, const char *text);
/* Nothing comes within a moment. */
void silence(int channel);
/* Smtpd closes it, whatever it says before. */
void closed(int channel);

/* Lookup lets the next client in; the number of its session. */
uint32_t admit(void);
/* Lookup is asked about a recipient, and says so. */
void judge(const char *rcpt, unsigned code, enum reply_scope scope);
/* Queue's answer to the last one that was expected. */
void queue_says(unsigned code, const char *text);

/* A new client, up to EHLO; and from MAIL to 354. */
void greet(void);
void begin_message(void);

char *make_content(size_t n);
/* The client sends as much of it as the server takes; how much. */
size_t try_send(const char *p, size_t n);
/* Queue is told of a message through a pipe; its reading end. */
int expect_open(uint32_t nrcpts);

#endif
