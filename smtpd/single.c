/*
 * single.c - a process for one session: its client, and nobody else's.
 */
#include <sys/socket.h>
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <sysexits.h>
#include <syslog.h>
#include <unistd.h>

#include "common/bytes/log.h"
#include "common/msg/master.h"
#include "smtpd/single.h"

static bool
is_socket(int fd, struct stat *st)
{
	return fstat(fd, st) == 0 && S_ISSOCK(st->st_mode);
}

/* ---- on standard input ------------------------------------------------- */

/* inetd makes the client standard error, too: our lines are not for it. */
static bool
client_hears_errors(void)
{
	struct stat client, errors;

	return is_socket(STDIN_FILENO, &client) &&
	    is_socket(STDERR_FILENO, &errors) &&
	    client.st_dev == errors.st_dev && client.st_ino == errors.st_ino;
}

/* 0, 1 and 2 are open, whoever started us; true: our lines go nowhere until
 * there is a log. */
static bool
open_standard(void)
{
	bool mute = client_hears_errors();
	int fd;

	do
		fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	while (fd != -1 && fd <= STDERR_FILENO);
	if (fd == -1 || (mute && dup2(fd, STDERR_FILENO) == -1))
		fatal("/dev/null");
	close(fd);
	return mute;
}

static void
refuse(const char *host)
{
	char line[REPLY_LINE_MAX + 1];
	struct reply r;

	reply_make(&r, R_NO_SERVICE, host);
	/* It may be gone: nothing is owed to it then. */
	if (write(STDOUT_FILENO, line, reply_format(line, &r, true, false)) ==
	    -1)
		log_warn("not_told", log_errno(errno));
}

int
single_outside(
    const struct process_ops *ops, struct smtpd *m, const char *runtime)
{
	char path[CONF_PATH_MAX], host[HOST_NAME_MAX + 1] = "";
	bool mute = open_standard();
	int status,
	    n = snprintf(path, sizeof path, "%s/" PROCESS_SOCKET, runtime);

	if (n < 0 || (size_t)n >= sizeof path)
		fatalx(runtime, "a shorter path would be right");
	signal(SIGPIPE, SIG_IGN);
	status = process_outside(ops, m, path);
	if (status != -1)
		return status;
	log_error("no_service", log_str("socket", path), log_errno(errno));
	if (mute)
		syslog(LOG_MAIL | LOG_ERR, "no service at %s: %m", path);
	/* The name that the configuration gives us is not to be had. */
	refuse(gethostname(host, sizeof host - 1) == 0 && host[0] != '\0'
		? host
		: "localhost");
	return EX_TEMPFAIL;
}

static void
socket_client(struct arrival *a)
{
	struct sockaddr_storage from;
	socklen_t n = sizeof from;
	int listens = 0, flags = fcntl(a->in, F_GETFL);
	socklen_t size = sizeof listens;

	if (getsockopt(a->in, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) ==
		0 &&
	    listens)
		fatalx("standard input",
		    "listens; a connection would be right (`nowait' in "
		    "inetd.conf, Accept=yes in a unit)");
	/* Both ways, wherever standard output goes. */
	a->out = a->in;
	if (flags == -1 || fcntl(a->in, F_SETFL, flags | O_NONBLOCK) == -1)
		fatal("standard input");
	if (getpeername(a->in, (struct sockaddr *)&from, &n) == 0 &&
	    ip_from_sockaddr(&a->ip, (struct sockaddr *)&from))
		a->from = CLIENT_ADDRESS;
}

/*
 * What is no socket stays as it is: others have it too, who would be surprised
 * by O_NONBLOCK.  It is read when there is something to read; a write may wait,
 * and nobody waits with it.
 */
void
single_prepare(struct smtpd *m)
{
	struct stat st;

	m->input = (struct arrival){ .listener = LISTENER_STDIN,
		.in = STDIN_FILENO,
		.out = STDOUT_FILENO,
		.from = CLIENT_UNKNOWN };
	if (is_socket(STDIN_FILENO, &st))
		socket_client(&m->input);
}

void
single_stop(const struct smtpd *m)
{
	if (m->process->outside && !m->single)
		refuse(m->conf->hostname);
}

/* ---- from master ------------------------------------------------------- */

int
single_session(void *process, struct ipc_msg *msg)
{
	struct process *p = process;
	struct smtpd *m = p->state;
	struct msg_session session;
	struct arrival a = { .from = CLIENT_ADDRESS };

	if (msg_session_get(msg, &session) == -1 || m->single ||
	    m->nlisteners > 0 || m->stopping ||
	    (session.listener == LISTENER_STDIN) != p->outside)
		return -1;
	if (p->outside)
		a = m->input;
	else if (session.listener < m->conf->nlistens) {
		a.listener = session.listener;
		a.ip = session.ip;
		a.in = a.out = msg->fd;
		msg->fd = -1;
	} else
		return -1;
	m->single = true;
	connection_new(m, &a);
	return 0;
}
