/*
 * sendmail.h - what the parts of this program share.
 *
 *   options.c  the command line (pure)
 *   text.c     line ends of the message (pure)
 *   header.c   recipients, Bcc, From (pure)
 *   message.c  standard input, and how much of it is kept
 *   prepare.c  from whom, to whom, and what
 *   service.c  where the service is
 *   server.c   SMTP with smtpd
 *   submit.c   a message, from here to there
 *   relay.c    -bs
 *   queue.c    mailq and -q
 *
 * It runs as whoever calls it, with nobody's rights but theirs: no set-id bit.
 * Exit status: sysexits.h.  What was not sent as a whole is not sent at all.
 */
#ifndef SENDMAIL_H
#define SENDMAIL_H

#include <sysexits.h>

#include "admin/sendmail/options.h"
#include "admin/sendmail/server.h"

/* complain.c: "sendmail: …" on standard error, by the name that it was called by. */
void complain(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* The same, and the end. */
_Noreturn void fail(int status, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/*
 * service.c: where the service is.  That is the runtime directory of -C; without
 * it RUNTIME, and where nobody listens there, that of the installed configuration.
 */
#define SERVICE_ERROR_MAX 256
/* 0, or -1 with a line that says why. */
int service_connect(
    const struct options *, struct server *, char error[SERVICE_ERROR_MAX]);
/* The status of the command `sallyport queue` with these words, which may list
 * and change the queue only for root, or for who runs the service. */
int service_command(const struct options *, const char *const words[]);

/* Each returns the exit status. */
int send_message(const struct options *);
int verify_addresses(const struct options *);
int relay_smtp(const struct options *);
int list_queue(const struct options *);
int retry_queue(const struct options *);
/* newaliases: what is wrong in them is told by `sallyport check`. */
_Noreturn void check_aliases(const struct options *);

#endif
