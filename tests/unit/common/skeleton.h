/*
 * skeleton.h - for the tests of processes: a real one, and the test is its master.
 */
#ifndef SKELETON_H
#define SKELETON_H

#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <check.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/msg/master.h"
#include "common/msg/reply.h"
#include "common/run/process.h"

#define NOBODY	    65534
#define WAIT_MS	    5000
#define HIGH_FD	    20 /* out of the way of 3 and 4 */
#define EXTRA_TYPE  0x0777
#define EXTRA_REPLY 0x0778

struct child {
	pid_t pid;
	int fd; /* our end of its channel */
};

struct heard {
	uint16_t type;
	uint32_t id;
	char p[IPC_PACKET_MAX];
	struct ipc_msg m;
};

/* --- the process ------------------------------------------------------------
 */

struct state {
	bool slow; /* does not exit when it is told to stop */
};

static void
prepare(struct process *p)
{
	/* The loop is there, the configuration is read. */
	if (p->base == NULL || strcmp(p->conf->hostname, "mail.example.org"))
		exit(5);
}

static const struct confine *
sandbox(struct process *p)
{
	static const struct confine c = { .caps = 0 };

	(void)p;
	return &c;
}

static void
begin(struct process *p)
{
	struct state *s = p->state;

	if (p->instance == 666)
		s->slow = true;
}

/* Says over the new channel who was announced. */
static void
on_new_peer(struct process *p, enum peer kind, uint32_t instance, int fd)
{
	char text[64];
	int n = snprintf(text, sizeof text, "%s %u", peer_name(kind), instance);

	(void)p;
	if (write(fd, text, (size_t)n) != n)
		exit(3);
	close(fd);
}

/* What a confined process must never do. */
static void
on_new_listener(struct process *p, unsigned index, int fd)
{
	(void)p;
	(void)fd;
	if (index == 1)
		process_complain(p, PEER_QUEUE, 5);
	else
		(void)socket(AF_INET, SOCK_STREAM, 0);
}

static void
on_stopping(struct process *p)
{
	const struct state *s = p->state;

	if (!s->slow)
		process_exit(p);
}

static void
status(
    struct process *p, void (*add)(void *, const char *, uint64_t), void *arg)
{
	(void)p;
	add(arg, "sessions", 7);
	for (int i = 0; i < 2 * STATUS_COUNTERS_MAX; i++)
		add(arg, "a counter whose name is longer than there is room",
		    1);
}

static int
on_extra(void *arg, struct ipc_msg *m)
{
	struct process *p = arg;

	if (msg_empty_get(m) == -1)
		return -1;
	channel_begin(p->master, EXTRA_REPLY, m->id);
	return channel_send(p->master, -1);
}

static const struct ipc_rule extra[] = {
	{ EXTRA_TYPE, IPC_ANY_PHASE, IPC_FD_NEVER, on_extra },
};

static const struct process_ops ops = {
	.kind = PEER_SMTPD,
	.prepare = prepare,
	.sandbox = sandbox,
	.begin = begin,
	.peer = on_new_peer,
	.listener = on_new_listener,
	.stop = on_stopping,
	.status = status,
	.rules = extra,
	.nrules = 1,
};

/* --- its master
 * --------------------------------------------------------------- */

static int
conf_file(void)
{
	static char blob[65536];
	struct conf c = { .hostname = "mail.example.org",
		.runtime = "/nonexistent" };
	struct wire_put w = wire_writer(blob, sizeof blob);
	int fd = memfd_create("conf", MFD_CLOEXEC);

	conf_put(&w, &c);
	ck_assert(!w.bad);
	ck_assert_int_eq(write(fd, blob, w.n), (ssize_t)w.n);
	return fd;
}

static void
become_child(
    const struct process_ops *o, const char *instance, int channel, int conf)
{
	struct state s = { .slow = false };
	char name[] = "process", number[16];
	char *argv[] = { name, number, NULL };

	snprintf(number, sizeof number, "%s", instance);
	channel = fcntl(channel, F_DUPFD, HIGH_FD);
	conf = fcntl(conf, F_DUPFD, HIGH_FD);
	if (dup2(channel, PROCESS_FD_MASTER) == -1 ||
	    dup2(conf, PROCESS_FD_CONF) == -1)
		_exit(4);
	dup2(open("/dev/null", O_WRONLY), 2);
	if (geteuid() == 0 && setresuid(NOBODY, NOBODY, NOBODY) == -1)
		_exit(4);
	exit(process_main(o, &s, 2, argv));
}

static struct child
start(const struct process_ops *o, const char *instance)
{
	struct child c;
	int fds[2], conf = conf_file();

	ck_assert_int_eq(channel_pair(fds), 0);
	c.pid = fork();
	ck_assert_int_ne(c.pid, -1);
	if (c.pid == 0) {
		close(fds[0]);
		become_child(o, instance, fds[1], conf);
	}
	close(fds[1]);
	close(conf);
	c.fd = fds[0];
	return c;
}

static void
tell(int fd, uint16_t type, uint32_t id, struct span body, int passed)
{
	char packet[256];
	struct wire_put w = wire_writer(packet, sizeof packet);
	union {
		char space[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = { .space = { 0 } };
	struct iovec iov = { packet, 0 };
	struct msghdr h = { .msg_iov = &iov, .msg_iovlen = 1 };

	wire_put_u16(&w, type);
	wire_put_u16(&w, 0);
	wire_put_u32(&w, id);
	wire_put_bytes(&w, body.p, body.n);
	iov.iov_len = w.n;
	if (passed != -1) {
		h.msg_control = control.space;
		h.msg_controllen = sizeof control.space;
		control.align.cmsg_level = SOL_SOCKET;
		control.align.cmsg_type = SCM_RIGHTS;
		control.align.cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(&control.align), &passed, sizeof passed);
	}
	ck_assert_int_eq(sendmsg(fd, &h, MSG_NOSIGNAL), (ssize_t)w.n);
}

static bool
hear(int fd, struct heard *h)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	ssize_t n;

	ck_assert_int_eq(poll(&p, 1, WAIT_MS), 1);
	n = recv(fd, h->p, sizeof h->p, 0);
	if (n <= 0)
		return false;
	h->m.body = wire_reader(span_from(h->p, (size_t)n));
	h->m.fd = -1;
	h->type = wire_get_u16(&h->m.body);
	wire_get_u16(&h->m.body);
	h->id = wire_get_u32(&h->m.body);
	return true;
}

static void
wait_ready(struct child *c)
{
	struct heard h;

	ck_assert(hear(c->fd, &h));
	ck_assert_uint_eq(h.type, MASTER_READY);
	ck_assert_int_eq(msg_empty_get(&h.m), 0);
}

/* How it ended: its status, or minus the signal. */
static int
ended(const struct child *c)
{
	int status;

	ck_assert_int_eq(waitpid(c->pid, &status, 0), c->pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

#endif
