/*
 * submission.h - a message on its way: what is known of it before the service is
 * asked for anything.
 */
#ifndef SUBMISSION_H
#define SUBMISSION_H

#include "admin/sendmail/header.h"
#include "admin/sendmail/message.h"
#include "admin/sendmail/sendmail.h"
#include "common/mail/dot.h"

#define NAME_MAX_OCTETS 256

struct submission {
	const struct options *o;
	struct rcpts rcpts;
	struct address sender;	    /* n 0: the null reverse-path */
	char name[NAME_MAX_OCTETS]; /* whose it is, for From */
	struct message message;
	struct span header, body; /* of what is kept of the message */
	bool known;		  /* the header is: it may be changed */
	struct buf top;		  /* what is sent in its place */
	struct server server;	  /* fd -1: none yet */
	struct dot_writer dots;
	struct buf refusals; /* lines about recipients, of the last try */
	unsigned tries;	     /* that are left */
	bool again;	     /* one more is of use */
	int status;
};

/* prepare.c: all end the program where something is wrong.  The addresses of the
 * command line. */
void take_words(struct submission *);
/* -f, or who runs us; -F. */
void take_sender(struct submission *);
/* Standard input, and with -t the recipients of its header. */
void take_message(struct submission *);
/* What stands above the body; the service was asked for its domain. */
void make_top(struct submission *);

#endif
