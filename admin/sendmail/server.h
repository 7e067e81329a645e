/*
 * server.h - the client's side of SMTP on runtime/submit.sock.
 *
 * Commands one by one, each with its reply; the socket blocks, and every wait
 * has its end.
 */
#ifndef SERVER_H
#define SERVER_H

#include "common/bytes/buf.h"
#include "common/mail/address.h"
#include "common/mail/line.h"
#include "common/mail/reply.h"

/* For each reply, and each block of content: that of RFC 5321 section 4.5.3.2
 * for the end of the data. */
#define SERVER_SECONDS 600

struct server {
	int fd;
	struct line_reader lines;
	char in[4096];
	size_t nin;

	/* of EHLO's answer */
	bool eight_bit, size, dsn;
	uint64_t size_max;		     /* 0: not told */
	char domain[ADDRESS_DOMAIN_MAX + 1]; /* for addresses that lack one */
};

/* 0, or -1 with errno. */
int server_connect(struct server *, const char *path);
void server_close(struct server *);
/* The greeting, then EHLO.  As server_say. */
int server_hello(struct server *, struct reply *);
/* A command and its reply; -1 with errno: the connection is of no use. */
int server_say(struct server *, struct reply *, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
int server_reply(struct server *, struct reply *);
/* All of it; -1 with errno. */
int server_write(struct server *, const char *, size_t);

#endif
