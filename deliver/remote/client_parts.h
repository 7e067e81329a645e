/*
 * client_parts.h - what the parts of the client ask of each other.
 */
#ifndef CLIENT_PARTS_H
#define CLIENT_PARTS_H

#include "deliver/remote/client.h"

/* A state: what the reply that is due means, how long it may take, and what is
 * waited for in words. */
struct client_row {
	enum client_event (*on)(struct client *, const struct reply *);
	unsigned seconds;
	const char *doing;
};

/* client_replies.c */
const struct client_row *client_row(enum client_state);
/* Between transactions again. */
enum client_event client_ready(struct client *);
/* The session cannot go on; the reply is why. */
enum client_event client_fail(struct client *, const struct reply *);
/* … what the host said is no SMTP, or out of turn. */
enum client_event client_garbage(struct client *);
/* The reply is final for all recipients of the transaction. */
enum client_event client_result_all(struct client *, const struct reply *);

/* client_says.c */
void __attribute__((format(printf, 2, 3)))
client_say(struct client *, const char *fmt, ...);
void client_say_mail(struct client *);
void client_say_rcpt(struct client *, uint32_t i);
void client_say_bdat(struct client *);

#endif
