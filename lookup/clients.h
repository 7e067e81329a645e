/*
 * clients.h - the sessions there are, in all smtpds together, and the limits
 * on them.  No channel in here.
 */
#ifndef CLIENTS_H
#define CLIENTS_H

#include "common/msg/smtpd_lookup.h"
#include "common/run/conf.h"

/* All of it; one for the process. */
struct clients;
/* The sessions of one smtpd. */
struct sessions;

struct session {
	bool accepted; /* 220: counted, and may ask for recipients */
	bool trusted;  /* may send to anybody */
};

struct clients *clients_new(const struct conf *); /* NULL with errno */
void clients_free(struct clients *);
size_t clients_count(const struct clients *);	  /* accepted sessions in all */
uint64_t clients_refused(const struct clients *); /* since the start */

struct sessions *sessions_new(struct clients *); /* NULL with errno */
/* An smtpd is gone, and its sessions with it.  NULL is fine. */
void sessions_free(struct sessions *);

/* 0 with the answer; -1: the number is one of a live session, or there are
 * more sessions than an smtpd can have. */
int sessions_connect(
    struct sessions *, const struct msg_connect *, struct msg_client *);
/* -1: no such session. */
int sessions_gone(struct sessions *, uint32_t session);
/* NULL: no such session. */
const struct session *sessions_find(struct sessions *, uint32_t session);

#endif
