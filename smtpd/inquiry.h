/*
 * inquiry.h - the commands that ask and change nothing: VRFY, EXPN, HELP.
 *
 * RFC 5321 section 3.5.  Who exists is told to clients that may relay, and to
 * others where `disclose` says so.
 */
#ifndef INQUIRY_H
#define INQUIRY_H

#include "smtpd/session.h"

void inquiry_vrfy(struct session *, struct span arg, struct step *);
void inquiry_expn(struct session *, struct span arg, struct step *);
void inquiry_help(struct session *, struct span arg, struct step *);

/* lookup's word on s->rcpt becomes what is said of it. */
void inquiry_answer(const struct session *, struct reply *);

/* A word KEYWORD=VALUE, where none is known: 504, the reply is there. */
bool inquiry_has_parameter(struct span arg, struct step *);

#endif
