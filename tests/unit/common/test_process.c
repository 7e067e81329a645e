/*
 * test_process.c - a real process, from its start to each of its ends; the
 * test is its master.
 */
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

static const struct process_ops ops_bare = {
	.kind = PEER_REMOTE,
	.prepare = prepare,
	.sandbox = sandbox,
	.begin = begin,
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

static struct span
packed(struct wire_put *w)
{
	return span_from(w->p, w->n);
}

/* --- tests
 * -------------------------------------------------------------------- */

START_TEST(a_ping_is_answered_with_the_counters)
{
	struct child c = start(&ops, "1");
	struct msg_counters n;
	struct heard h;

	wait_ready(&c);
	tell(c.fd, MASTER_PING, 42, SPAN(""), -1);
	ck_assert(hear(c.fd, &h));
	ck_assert_uint_eq(h.type, MASTER_PONG);
	ck_assert_uint_eq(h.id, 42);
	ck_assert_int_eq(msg_counters_get(&h.m, &n), 0);
	ck_assert_uint_eq(n.n, STATUS_COUNTERS_MAX);
	ck_assert_str_eq(n.c[0].name, "sessions");
	ck_assert_uint_eq(n.c[0].value, 7);
	tell(c.fd, MASTER_STOP, 0, SPAN(""), -1);
	ck_assert_int_eq(ended(&c), 0);
}
END_TEST

START_TEST(a_process_has_no_power)
{
	struct child c = start(&ops, "1");
	char path[64], line[128];
	int found = 0;
	FILE *f;

	wait_ready(&c);
	snprintf(path, sizeof path, "/proc/%d/status", (int)c.pid);
	f = fopen(path, "r");
	ck_assert_ptr_nonnull(f);
	while (fgets(line, sizeof line, f) != NULL) {
		found += strcmp(line, "NoNewPrivs:\t1\n") == 0;
		found += strcmp(line, "Seccomp:\t2\n") == 0;
		found += strcmp(line, "CapPrm:\t0000000000000000\n") == 0;
		found += strcmp(line, "CapEff:\t0000000000000000\n") == 0;
	}
	fclose(f);
	ck_assert_int_eq(found, 4);
	close(c.fd);
	ck_assert_int_eq(ended(&c), 0);
}
END_TEST

START_TEST(a_peer_is_handed_over)
{
	struct child c = start(&ops, "1");
	const struct msg_peer peer = { PEER_LOOKUP, 12 };
	char body[16];
	struct wire_put w = wire_writer(body, sizeof body);
	struct heard h;
	int fds[2];

	msg_peer_put(&w, &peer);
	wait_ready(&c);
	ck_assert_int_eq(channel_pair(fds), 0);
	tell(c.fd, MASTER_PEER, 0, packed(&w), fds[1]);
	close(fds[1]);
	ck_assert(hear(fds[0], &h));
	ck_assert_mem_eq(h.p, "lookup 12", 9);
	ck_assert(!hear(fds[0], &h));
	close(c.fd);
	ck_assert_int_eq(ended(&c), 0);
}
END_TEST

START_TEST(a_forbidden_call_ends_the_process)
{
	struct child c = start(&ops, "1");

	wait_ready(&c);
	tell(c.fd, MASTER_LISTENER, 0, SPAN("\0\0\0\0"), c.fd);
	ck_assert_int_eq(ended(&c), -SIGSYS);
}
END_TEST

START_TEST(a_complaint_reaches_master)
{
	struct child c = start(&ops, "1");
	struct msg_complain complaint;
	struct heard h;

	wait_ready(&c);
	tell(c.fd, MASTER_LISTENER, 0, SPAN("\1\0\0\0"), STDIN_FILENO);
	ck_assert(hear(c.fd, &h));
	ck_assert_uint_eq(h.type, MASTER_COMPLAIN);
	ck_assert_int_eq(msg_complain_get(&h.m, &complaint), 0);
	ck_assert_int_eq(complaint.kind, PEER_QUEUE);
	ck_assert_uint_eq(complaint.instance, 5);
	close(c.fd);
	ck_assert_int_eq(ended(&c), 0);
}
END_TEST

START_TEST(own_rules_stand_behind_the_common_ones)
{
	struct child c = start(&ops, "1");
	struct heard h;

	wait_ready(&c);
	tell(c.fd, EXTRA_TYPE, 9, SPAN(""), -1);
	ck_assert(hear(c.fd, &h));
	ck_assert_uint_eq(h.type, EXTRA_REPLY);
	ck_assert_uint_eq(h.id, 9);
	close(c.fd);
	ck_assert_int_eq(ended(&c), 0);
}
END_TEST

/* Each of these is the end of master for the process: it stops. */
static const struct {
	uint16_t type;
	const char *body;
	size_t n;
	bool fd;
} nonsense[] = {
	{ MASTER_PEER, "\x2\x0\x0\x0\x0", 5, false }, /* no descriptor */
	{ MASTER_PEER, "\xff\x0\x0\x0\x0", 5, true }, /* no such kind */
	{ MASTER_PEER, "\x2\x0\x0\x0", 4, true },
	{ MASTER_PEER, "\x2\x0\x0\x0\x0\x0", 6, true },
	{ MASTER_LISTENER, "\x1\x0\x0\x0", 4, false },
	{ MASTER_LISTENER, "\x1\x0\x0", 3, true },
	{ MASTER_PING, "x", 1, false },
	{ MASTER_PING, "", 0, true },
	{ MASTER_READY, "", 0, false },
	{ 0xffff, "", 0, false },
};

START_TEST(nonsense_from_master_stops_the_process)
{
	struct child c = start(&ops, "1");
	struct heard h;

	wait_ready(&c);
	tell(c.fd, nonsense[_i].type, 0,
	    span_from(nonsense[_i].body, nonsense[_i].n),
	    nonsense[_i].fd ? STDIN_FILENO : -1);
	ck_assert(!hear(c.fd, &h));
	ck_assert_int_eq(ended(&c), 0);
}
END_TEST

START_TEST(sigterm_stops_and_other_signals_do_not)
{
	struct child c = start(&ops, "1");
	struct heard h;

	wait_ready(&c);
	kill(c.pid, SIGINT);
	kill(c.pid, SIGHUP);
	kill(c.pid, SIGPIPE);
	tell(c.fd, MASTER_PING, 1, SPAN(""), -1);
	ck_assert(hear(c.fd, &h));
	ck_assert_uint_eq(h.type, MASTER_PONG);
	kill(c.pid, SIGTERM);
	ck_assert_int_eq(ended(&c), 0);
}
END_TEST

START_TEST(a_process_without_more_ops_stops_at_once)
{
	struct child c = start(&ops_bare, "1");

	wait_ready(&c);
	tell(c.fd, MASTER_STOP, 0, SPAN(""), -1);
	ck_assert_int_eq(ended(&c), 0);
}
END_TEST

START_TEST(a_process_without_peers_is_given_none)
{
	struct child c = start(&ops_bare, "1");
	struct heard h;

	wait_ready(&c);
	tell(c.fd, MASTER_PEER, 0, SPAN("\2\0\0\0\0"), STDIN_FILENO);
	ck_assert(!hear(c.fd, &h));
	ck_assert_int_eq(ended(&c), 0);
}
END_TEST

START_TEST(a_stop_that_hangs_is_ended)
{
	struct child c = start(&ops, "666");

	wait_ready(&c);
	tell(c.fd, MASTER_STOP, 0, SPAN(""), -1);
	tell(c.fd, MASTER_STOP, 0, SPAN(""), -1);
	ck_assert_int_eq(ended(&c), 1);
}
END_TEST

START_TEST(only_master_starts_it)
{
	struct child c = start(&ops, "x");

	ck_assert_int_eq(ended(&c), 1);
}
END_TEST

START_TEST(users_are_named_after_the_programs)
{
	ck_assert_ptr_null(process_user(PEER_MASTER));
	ck_assert_str_eq(process_user(PEER_SMTPD), "sallyport-smtpd");
	for (enum peer p = PEER_LOGGER; p <= PEER_SMTPD; p++) {
		ck_assert_int_eq(strncmp(process_user(p), USER_PREFIX, 10), 0);
		ck_assert_str_eq(process_user(p) + 10, peer_name(p));
	}
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("process");
	TCase *t = tcase_create("process");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_set_timeout(t, STOP_SECONDS + 10);
	tcase_add_test(t, a_ping_is_answered_with_the_counters);
	tcase_add_test(t, a_process_has_no_power);
	tcase_add_test(t, a_peer_is_handed_over);
	tcase_add_test(t, a_forbidden_call_ends_the_process);
	tcase_add_test(t, a_complaint_reaches_master);
	tcase_add_test(t, own_rules_stand_behind_the_common_ones);
	tcase_add_loop_test(t, nonsense_from_master_stops_the_process, 0,
	    sizeof nonsense / sizeof nonsense[0]);
	tcase_add_test(t, sigterm_stops_and_other_signals_do_not);
	tcase_add_test(t, a_process_without_more_ops_stops_at_once);
	tcase_add_test(t, a_process_without_peers_is_given_none);
	tcase_add_test(t, a_stop_that_hangs_is_ended);
	tcase_add_test(t, only_master_starts_it);
	tcase_add_test(t, users_are_named_after_the_programs);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
