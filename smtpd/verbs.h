/*
 * verbs.h - the commands of SMTP, each with the phases in which it is legal.
 */
#ifndef VERBS_H
#define VERBS_H

#include "smtpd/session.h"

/* A command line; st->command and st->reply or st->action are set. */
void verbs_run(struct session *, struct span line, struct step *st);

#endif
