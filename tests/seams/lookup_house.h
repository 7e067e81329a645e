/*
 * lookup_house.h - the real lookup, in its sandbox, with the test in the place
 * of smtpd and queue.
 */
#ifndef LOOKUP_HOUSE_H
#define LOOKUP_HOUSE_H

#include "common/msg/queue_lookup.h"
#include "tests/seams/seam.h"

struct lookup_house {
	struct seam seam;
	int smtpd, queue;
	uint32_t id; /* of the last question */
	char dir[64], users[80], aliases[80];
	struct reply reply; /* the last one */
	struct route route;
};

/* Domains with a users file, with any user, by LMTP, and where `system` says
 * so with those of this machine; 10/8 may relay. */
void set_up(struct lookup_house *, bool system);
void start(struct lookup_house *, bool system); /* once more, as it is */
void tear_down(struct lookup_house *);
void clean(const struct lookup_house *); /* where lookup has ended already */

void write_users(const struct lookup_house *, const char *text);
/* Of files.example. */
void write_aliases(const struct lookup_house *, const char *text);

/* From smtpd.  Without an address it is a Unix socket. */
void send_connect(
    struct lookup_house *, int smtpd, uint32_t session, const char *ip);
/* The code; *trusted may be NULL. */
unsigned connect_client(struct lookup_house *, int smtpd, uint32_t session,
    const char *ip, bool *trusted);
void gone(struct lookup_house *, int smtpd, uint32_t session);
void send_rcpt(struct lookup_house *, uint32_t session, const char *to);
unsigned rcpt(struct lookup_house *, uint32_t session, const char *to);

/* From queue. */
unsigned ask_route(struct lookup_house *, const char *to);
unsigned ask_route_expanded(struct lookup_house *, const char *to);
/* It is an alias: the first packet of what it leads to, until the next. */
const struct msg_expanded *ask_alias(struct lookup_house *, const char *to);
const struct msg_expanded *ask_more(
    struct lookup_house *, uint64_t expansion, uint32_t at);

#endif
