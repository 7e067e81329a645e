/*
 * recipients.h - what a recipient is: whose it is, whether it exists, and where
 * its mail goes.
 *
 * There is one resolution, used when smtpd asks at RCPT and when queue asks for
 * a route, so that what was accepted is what is delivered.
 */
#ifndef RECIPIENTS_H
#define RECIPIENTS_H

#include "common/msg/queue_lookup.h"
#include "common/run/account.h"
#include "lookup/files.h"
#include "lookup/tables/table_watch.h"

struct resolution {
	bool foreign;	    /* its domain is not configured: to be relayed */
	bool postmaster;    /* RFC 5321 section 4.5.1: must be accepted */
	bool moved;	    /* 251: to `forward`, whose route this is */
	struct reply reply; /* 250 with its scope, 251, or why there is no
			     * route */
	char forward[ADDRESS_MAX + 1];
	struct route route; /* where 250 or 251 */
	bool expands;	    /* it is an alias: its mail goes on from `start` */
	struct address origin, start;
};

typedef void resolution_answer(void *arg, const struct resolution *);

struct recipients;

/* `accounts` may be NULL where no domain has system users, the watch where none
 * has a users file; `root` says whether virtual mailboxes have an owner of their
 * own.  Reads the users files.  NULL with errno. */
struct recipients *recipients_new(
    const struct conf *, struct accounts *, struct table_watch *, bool root);
void recipients_free(struct recipients *);

/* The tables it reads. */
const struct files *recipients_files(const struct recipients *);

/* `answer` is called once, maybe before this returns.  The recipient is
 * canonical; "postmaster" without a domain is legal.  What is `expanded` comes
 * from an alias, and none counts any more. */
void recipients_resolve(struct recipients *, struct span rcpt, bool expanded,
    resolution_answer *, void *arg);
/* No answer any more for whoever asked with this arg. */
void recipients_forget(struct recipients *, void *arg);

#endif
