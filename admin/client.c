/*
 * client.c - the commands' end of control.sock.
 */
#include <sys/socket.h>
#include <sys/un.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "admin/admin.h"
#include "common/msg/reply.h"

static struct answer answer;

static int
finish(struct admin *a, const struct ipc_msg *m, int got)
{
	if (got == -1)
		return -1;
	a->answer->type = m->type;
	event_base_loopbreak(a->base);
	return 0;
}

static int
on_page(void *arg, struct ipc_msg *m)
{
	return finish(arg, m, msg_page_get(m, &answer.page));
}

static int
on_detail(void *arg, struct ipc_msg *m)
{
	return finish(arg, m, msg_detail_get(m, &answer.detail));
}

static int
on_content(void *arg, struct ipc_msg *m)
{
	int got = msg_content_get(m, &answer.content);

	answer.fd = m->fd;
	m->fd = -1;
	return finish(arg, m, got);
}

static int
on_tale(void *arg, struct ipc_msg *m)
{
	return finish(arg, m, msg_tale_get(m, &answer.tale));
}

static int
on_errors(void *arg, struct ipc_msg *m)
{
	return finish(arg, m, msg_errors_get(m, &answer.errors));
}

static int
on_process(void *arg, struct ipc_msg *m)
{
	static struct msg_process row;

	(void)arg;
	if (msg_process_get(m, &row) == -1)
		return -1;
	if (answer.process != NULL)
		answer.process(answer.arg, &row);
	return 0;
}

/* What is wrong, in the words of whoever found it. */
static int
on_line(void *arg, struct ipc_msg *m)
{
	static struct msg_line line;

	(void)arg;
	if (msg_line_get(m, &line) == -1)
		return -1;
	for (char *p = line.text; *p != '\0'; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			*p = '?'; /* nothing for a terminal to act on */
	fprintf(stderr, "%s\n", line.text);
	return 0;
}

static int
on_done(void *arg, struct ipc_msg *m)
{
	return finish(arg, m, msg_reply_get(m, &answer.done));
}

static const struct ipc_rule rules[] = {
	{ CONTROL_PAGE, IPC_ANY_PHASE, IPC_FD_NEVER, on_page },
	{ CONTROL_DETAIL, IPC_ANY_PHASE, IPC_FD_NEVER, on_detail },
	{ CONTROL_CONTENT, IPC_ANY_PHASE, IPC_FD_MAYBE, on_content },
	{ CONTROL_TALE, IPC_ANY_PHASE, IPC_FD_NEVER, on_tale },
	{ CONTROL_ERRORS_LAST, IPC_ANY_PHASE, IPC_FD_NEVER, on_errors },
	{ CONTROL_PROCESS, IPC_ANY_PHASE, IPC_FD_NEVER, on_process },
	{ CONTROL_LINE, IPC_ANY_PHASE, IPC_FD_NEVER, on_line },
	{ CONTROL_DONE, IPC_ANY_PHASE, IPC_FD_NEVER, on_done },
};

static void
on_closed(void *arg, bool bad)
{
	struct admin *a = arg;

	(void)bad;
	a->channel = NULL;
	event_base_loopbreak(a->base);
}

static const struct channel_ops ops = {
	.rules = rules,
	.nrules = sizeof rules / sizeof *rules,
	.closed = on_closed,
};

static int
dial(const char *runtime)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd, len;

	len = snprintf(
	    sun.sun_path, sizeof sun.sun_path, "%s/control.sock", runtime);
	if (len >= (int)sizeof sun.sun_path)
		refuse(EXIT_REFUSED, "runtime: %s is too long for a socket",
		    runtime);
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fd == -1)
		refuse(EXIT_REFUSED, "socket: %s", strerror(errno));
	if (connect(fd, (struct sockaddr *)&sun, sizeof sun) == 0)
		return fd;
	if (errno == EACCES || errno == EPERM)
		refuse(EXIT_REFUSED, "%s: %s", sun.sun_path, strerror(errno));
	refuse(EXIT_NOT_RUNNING, "no service is running (%s: %s)", sun.sun_path,
	    strerror(errno));
}

void
admin_connect(struct admin *a)
{
	int fd;

	a->conf = program_conf(a->conf_file);
	if (a->conf == NULL)
		exit(EXIT_REFUSED);
	fd = dial(a->conf->runtime);
	a->base = event_base_new();
	if (a->base == NULL || evutil_make_socket_nonblocking(fd) == -1 ||
	    (a->channel = channel_new(a->base, fd, PEER_CONTROL, &ops, a)) ==
		NULL)
		refuse(EXIT_REFUSED, "out of memory");
	answer.fd = -1;
	a->answer = &answer;
}

void
admin_close(struct admin *a)
{
	channel_free(a->channel);
	if (a->base != NULL)
		event_base_free(a->base);
	if (a->conf != NULL)
		conf_free(a->conf);
	free(a->conf);
}

struct wire_put *
admin_begin(struct admin *a, uint16_t type)
{
	if (a->channel == NULL)
		refuse(EXIT_NOT_RUNNING, "the service closed the connection");
	return channel_begin(a->channel, type, 1);
}

struct answer *
admin_ask(struct admin *a, uint16_t want)
{
	unsigned seconds = a->patience > 0 ? a->patience : ADMIN_SECONDS;
	const struct timeval limit = { .tv_sec = seconds };
	char text[REPLY_LINE_MAX];

	answer.type = 0;
	if (channel_send(a->channel, -1) == -1)
		refuse(
		    EXIT_REFUSED, "sending the request: %s", strerror(errno));
	event_base_loopexit(a->base, &limit);
	while (answer.type == 0 && a->channel != NULL &&
	    !event_base_got_exit(a->base))
		event_base_loop(a->base, EVLOOP_ONCE);
	if (answer.type == 0 && a->channel == NULL)
		refuse(EXIT_NOT_RUNNING, "the service closed the connection");
	if (answer.type == 0)
		refuse(EXIT_REFUSED, "no answer within %u seconds", seconds);
	if (answer.type == CONTROL_DONE &&
	    (want != CONTROL_DONE || answer.done.code != 250)) {
		reply_text(text, sizeof text, &answer.done);
		refuse(EXIT_REFUSED, "%s", text);
	}
	if (answer.type != want)
		refuse(EXIT_REFUSED,
		    "the service gave an answer to another question");
	return &answer;
}

bool
admin_wait_end(struct admin *a, unsigned seconds)
{
	const struct timeval limit = { .tv_sec = seconds };

	event_base_loopexit(a->base, &limit);
	while (a->channel != NULL && !event_base_got_exit(a->base))
		event_base_loop(a->base, EVLOOP_ONCE);
	return a->channel == NULL;
}
