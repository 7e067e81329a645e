/*
 * main.c - sendmail, mailq and newaliases, as every program expects them.
 */
#include <bsd/stdlib.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "admin/sendmail/sendmail.h"

/*
 * 0, 1 and 2 are open, whoever started us: no socket may get their place.  What
 * fills the place of standard input cannot be read.
 */
static void
open_standard(void)
{
	int fd;

	do
		fd = open("/dev/null", O_WRONLY);
	while (fd != -1 && fd <= STDERR_FILENO);
	if (fd == -1)
		fail(EX_TEMPFAIL, "/dev/null cannot be opened");
	close(fd);
}

int
main(int argc, char **argv)
{
	struct options o;

	open_standard();
	setprogname(argc > 0 ? argv[0] : "sendmail");
	/* Whatever the caller made of them. */
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	signal(SIGCHLD, SIG_DFL);
	if (options_parse(&o, argc, argv) == -1)
		fail(EX_USAGE, "%s", o.error);
	switch (o.mode) {
	case MODE_SMTP:
		return relay_smtp(&o);
	case MODE_VERIFY:
		return verify_addresses(&o);
	case MODE_LIST:
		return list_queue(&o);
	case MODE_RETRY:
		return retry_queue(&o);
	case MODE_ALIASES:
		check_aliases(&o);
	default:
		return send_message(&o);
	}
}
