/*
 * seam.c - a process and its peers; see seam.h.
 */
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/msg/master.h"
#include "tests/seams/seam.h"

#define NOBODY 65534

static char body[IPC_BODY_MAX];
static struct wire_put out;

/* ---- the process ---------------------------------------------------------- */

/* build/tests/seams/test_x -> build/libexec/name */
static void
program(char *dst, size_t size, const char *name)
{
	char self[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);

	ck_assert_int_gt(n, 0);
	self[n] = '\0';
	for (int i = 0; i < 3; i++)
		*strrchr(self, '/') = '\0';
	ck_assert_int_lt(
	    snprintf(dst, size, "%s/libexec/%s", self, name), (int)size);
}

static int
encoded(const struct conf *conf)
{
	static char blob[1 << 20];
	struct wire_put w = wire_writer(blob, sizeof blob);
	int fd = memfd_create("conf", 0);

	conf_put(&w, conf);
	ck_assert(!w.bad);
	ck_assert_int_eq(write(fd, blob, w.n), (ssize_t)w.n);
	ck_assert_int_eq(lseek(fd, 0, SEEK_SET), 0);
	return fd;
}

/* In the directory of the program, as a user that is not root; it is ./NAME. */
static void
step_down(char *path, const char *name, char here[64])
{
	/* From where it stands: whoever it becomes may not be let through to
	 * there (a checkout below a directory that is root's alone). */
	snprintf(here, 64, "./%s", name);
	*strrchr(path, '/') = '\0';
	if (chdir(path) == -1)
		_exit(126);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	/* What it logs is looked at by hand, where somebody wants to. */
	if (getenv("SEAM_LOG") == NULL)
		dup2(open("/dev/null", O_WRONLY), STDERR_FILENO);
	/* The users of the package need not exist here. */
	if (geteuid() == 0 &&
	    (setresgid(NOBODY, NOBODY, NOBODY) == -1 ||
		setresuid(NOBODY, NOBODY, NOBODY) == -1))
		_exit(126);
}

static void
run(char *path, const char *name, int master, int conf)
{
	char here[64];

	/* Above the numbers that they shall have. */
	master = fcntl(master, F_DUPFD, 10);
	conf = fcntl(conf, F_DUPFD, 10);
	if (dup2(master, PROCESS_FD_MASTER) == -1 ||
	    dup2(conf, PROCESS_FD_CONF) == -1)
		_exit(126);
	step_down(path, name, here);
	if (getenv("SEAM_STRACE") != NULL)
		execlp("strace", "strace", "-ff", "-o", getenv("SEAM_STRACE"),
		    here, "1", (char *)NULL);
	execl(here, name, "1", (char *)NULL);
	_exit(127);
}

void
seam_start(struct seam *s, const char *name, const struct conf *conf)
{
	char path[PATH_MAX];
	int pair[2], fd = encoded(conf);
	struct ipc_msg m;

	program(path, sizeof path, name);
	ck_assert_int_eq(channel_pair(pair), 0);
	s->pid = fork();
	ck_assert_int_ne(s->pid, -1);
	if (s->pid == 0)
		run(path, name, pair[1], fd);
	close(pair[1]);
	close(fd);
	s->master = pair[0];
	seam_recv(s->master, &m, MASTER_READY);
}

static int
listen_as_master(const char *runtime)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	snprintf(sun.sun_path, sizeof sun.sun_path, "%s/" PROCESS_SOCKET,
	    runtime);
	unlink(sun.sun_path);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&sun, sizeof sun), 0);
	ck_assert_int_eq(chmod(sun.sun_path, 0666), 0);
	ck_assert_int_eq(listen(fd, 5), 0);
	return fd;
}

int
seam_outside(
    struct seam *s, const char *name, const char *runtime, int from, int to)
{
	char path[PATH_MAX], here[64];
	int listener = listen_as_master(runtime);

	program(path, sizeof path, name);
	s->pid = fork();
	ck_assert_int_ne(s->pid, -1);
	if (s->pid == 0) {
		if (dup2(from, STDIN_FILENO) == -1 ||
		    dup2(to, STDOUT_FILENO) == -1)
			_exit(126);
		step_down(path, name, here);
		execl(here, name, "-r", runtime, (char *)NULL);
		_exit(127);
	}
	close(from);
	if (to != from)
		close(to);
	return listener;
}

void
seam_admit(struct seam *s, int listener, const struct conf *conf)
{
	int fd = encoded(conf), log[2];
	struct ipc_msg m;

	s->master = seam_accept(listener);
	close(listener);
	ck_assert_int_eq(pipe(log), 0);
	msg_conf_put(seam_body(), &(struct msg_conf){ 1 });
	seam_send(s->master, MASTER_CONF, 0, fd);
	seam_body();
	seam_send(s->master, MASTER_LOG, 0, log[1]);
	close(fd);
	close(log[1]);
	seam_recv(s->master, &m, MASTER_READY);
	close(log[0]);
}

int
seam_connect(struct seam *s, enum peer kind, uint32_t instance)
{
	const struct msg_peer peer = { kind, instance };
	int pair[2];

	ck_assert_int_eq(channel_pair(pair), 0);
	msg_peer_put(seam_body(), &peer);
	seam_send(s->master, MASTER_PEER, 0, pair[1]);
	close(pair[1]);
	return pair[0];
}

int
seam_wait(struct seam *s)
{
	int status = 0;

	for (int i = 0; i < SEAM_MS / 10; i++) {
		pid_t got = waitpid(s->pid, &status, WNOHANG);

		if (got == s->pid) {
			close(s->master);
			return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
		}
		usleep(10000);
	}
	kill(s->pid, SIGKILL);
	ck_abort_msg("the process did not end");
}

int
seam_stop(struct seam *s)
{
	seam_body();
	seam_send(s->master, MASTER_STOP, 0, -1);
	return seam_wait(s);
}

/* ---- messages ------------------------------------------------------------- */

static bool
ready(int fd, short what, int ms)
{
	struct pollfd p = { .fd = fd, .events = what };

	return poll(&p, 1, ms) == 1;
}

struct wire_put *
seam_body(void)
{
	out = wire_writer(body, sizeof body);
	return &out;
}

void
seam_send(int channel, uint16_t type, uint32_t id, int fd)
{
	char head[IPC_HEADER];
	struct wire_put w = wire_writer(head, sizeof head);
	union {
		char space[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = { .space = { 0 } };
	struct iovec iov[2] = { { head, sizeof head }, { body, out.n } };
	struct msghdr h = { .msg_iov = iov, .msg_iovlen = 2 };
	ssize_t n;

	ck_assert(!out.bad);
	wire_put_u16(&w, type);
	wire_put_u16(&w, 0);
	wire_put_u32(&w, id);
	if (fd != -1) {
		struct cmsghdr *c = &control.align;

		h.msg_control = control.space;
		h.msg_controllen = sizeof control.space;
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof fd);
		memcpy(CMSG_DATA(c), &fd, sizeof fd);
	}
	do
		n = sendmsg(channel, &h, MSG_NOSIGNAL);
	while (n == -1 && errno == EAGAIN && ready(channel, POLLOUT, SEAM_MS));
	ck_assert_msg(n == (ssize_t)(sizeof head + out.n),
	    "message %#x was not sent: %m", type);
}

bool
seam_recv_within(int channel, struct ipc_msg *m, int ms)
{
	static char packet[IPC_PACKET_MAX];
	union {
		char space[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control;
	struct iovec iov = { packet, sizeof packet };
	struct msghdr h = { .msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.space,
		.msg_controllen = sizeof control.space };
	const struct cmsghdr *c;
	ssize_t n;

	if (!ready(channel, POLLIN, ms))
		return false;
	n = recvmsg(channel, &h, MSG_CMSG_CLOEXEC);
	if (n <= 0)
		return false;
	*m =
	    (struct ipc_msg){ .body = wire_reader(span_from(packet, (size_t)n)),
		    .fd = -1 };
	c = CMSG_FIRSTHDR(&h);
	if (c != NULL && c->cmsg_type == SCM_RIGHTS)
		memcpy(&m->fd, CMSG_DATA(c), sizeof m->fd);
	m->type = wire_get_u16(&m->body);
	wire_get_u16(&m->body);
	m->id = wire_get_u32(&m->body);
	return true;
}

void
seam_recv(int channel, struct ipc_msg *m, uint16_t type)
{
	ck_assert_msg(
	    seam_recv_within(channel, m, SEAM_MS), "no message %#x came", type);
	ck_assert_uint_eq(m->type, type);
}

bool
seam_closed(int channel)
{
	char c;

	return ready(channel, POLLIN, SEAM_MS) && recv(channel, &c, 1, 0) <= 0;
}

/* ---- sockets -------------------------------------------------------------- */

int
seam_listen(const char *address, uint16_t *port)
{
	struct sockaddr_in sin = { .sin_family = AF_INET,
		.sin_port = htons(*port) };
	socklen_t n = sizeof sin;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int on = 1;

	ck_assert_int_eq(inet_pton(AF_INET, address, &sin.sin_addr), 1);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&sin, n), 0);
	ck_assert_int_eq(listen(fd, 64), 0);
	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&sin, &n), 0);
	*port = ntohs(sin.sin_port);
	return fd;
}

int
seam_accept(int listener)
{
	int fd;

	ck_assert_msg(ready(listener, POLLIN, SEAM_MS), "nobody connected");
	fd = accept(listener, NULL, NULL);
	ck_assert_int_ne(fd, -1);
	return fd;
}
