/*
 * local_house.h - the real local, in its sandbox, with the test in the place of
 * queue.
 */
#ifndef LOCAL_HOUSE_H
#define LOCAL_HOUSE_H

#include <sys/stat.h>

#include <check.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/bytes/id.h"
#include "common/msg/queue_agent.h"
#include "tests/seams/seam.h"

#define ID	UINT64_C(0x0006403fa1b2c3d4)
#define WINDOW	256
#define CONTENT "Subject: hello\r\n\r\nfirst\r\n.second\r\n"

struct fixture {
	struct seam seam;
	int queue;
	char dir[64];
	uint64_t attempt;
};

static struct msg_result result;

/* ---- the service ---------------------------------------------------------- */

static inline void
start(struct fixture *f)
{
	struct conf_domain domain = { .name = "example.org",
		.users = USERS_ANY,
		.deliver = DELIVER_MAILDIR };
	struct conf conf = { .ndomains = 1,
		.domains = &domain,
		.min_uid = 1000,
		.local_concurrency = 4 };

	strcpy(conf.hostname, "mx.example");
	snprintf(domain.path, sizeof domain.path, "%s/box/%%u", f->dir);
	seam_start(&f->seam, "local", &conf);
}

/* The number of UNDERWAY messages before HELLO. */
static inline unsigned
connect_queue(struct fixture *f, uint32_t instance)
{
	struct msg_underway u;
	struct msg_hello hello;
	struct ipc_msg m;
	unsigned n = 0;

	f->queue = seam_connect(&f->seam, PEER_QUEUE, instance);
	while (seam_recv_within(f->queue, &m, SEAM_MS) &&
	    m.type == AGENT_UNDERWAY) {
		ck_assert_int_eq(msg_underway_get(&m, &u), 0);
		n++;
	}
	ck_assert_uint_eq(m.type, AGENT_HELLO);
	ck_assert_int_eq(msg_hello_get(&m, &hello), 0);
	ck_assert_uint_eq(hello.window, WINDOW);
	return n;
}

static inline void
set_up(struct fixture *f)
{
	memset(f, 0, sizeof *f);
	strcpy(f->dir, "/tmp/seam-local.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(f->dir));
	ck_assert_int_eq(chmod(f->dir, 0777), 0);
	start(f);
	ck_assert_uint_eq(connect_queue(f, 1), 0);
}

static inline void
tear_down(struct fixture *f)
{
	char command[128];

	ck_assert_int_eq(seam_stop(&f->seam), 0);
	close(f->queue);
	snprintf(command, sizeof command, "rm -r %s", f->dir);
	ck_assert_int_eq(system(command), 0);
}

/* ---- hand-outs ------------------------------------------------------------ */

static inline struct msg_deliver
handout(struct fixture *f, const char *user, const char *rcpt)
{
	struct msg_deliver d = { .handout = { ID, ++f->attempt },
		.route = { .kind = ROUTE_MAILDIR_VIRTUAL },
		.sender = SPAN("ann@client.example"),
		.nrcpts = 1,
		.rcpts = { { 0, span_of(rcpt) } },
		.prefix = SPAN("Received: from x\r\n\tby y\r\n"),
		.inlined = true,
		.content = SPAN(CONTENT) };

	d.size = d.content.n;
	snprintf(d.route.path, sizeof d.route.path, "%s/box/%s", f->dir, user);
	return d;
}

static inline void
send_handout(struct fixture *f, const struct msg_deliver *d, int fd)
{
	msg_deliver_put(seam_body(), d);
	seam_send(f->queue, AGENT_DELIVER, 0, fd);
}

static inline void
get_result(struct fixture *f)
{
	struct ipc_msg m;

	seam_recv(f->queue, &m, AGENT_RESULT);
	ck_assert_int_eq(msg_result_get(&m, &result), 0);
}

static inline void
record(struct fixture *f, const struct msg_deliver *d)
{
	const struct msg_recorded r = { d->handout };

	msg_recorded_put(seam_body(), &r);
	seam_send(f->queue, AGENT_RECORDED, 0, -1);
}

/* One recipient, done and recorded: the code. */
static inline unsigned
deliver(struct fixture *f, const struct msg_deliver *d)
{
	send_handout(f, d, -1);
	get_result(f);
	ck_assert_uint_eq(result.handout.attempt, d->handout.attempt);
	ck_assert_uint_eq(result.nrcpts, 1);
	ck_assert(result.last);
	record(f, d);
	return result.reply.code;
}

/* The names in box/USER/PART; the last one is in `name`. */
static inline unsigned
entries(const struct fixture *f, const char *user, const char *part, char *name)
{
	char path[256];
	struct dirent *e;
	unsigned n = 0;
	DIR *d;

	snprintf(path, sizeof path, "%s/box/%s/%s", f->dir, user, part);
	if ((d = opendir(path)) == NULL)
		return 0;
	while ((e = readdir(d)) != NULL)
		if (e->d_name[0] != '.') {
			snprintf(name, 256, "%s", e->d_name);
			n++;
		}
	closedir(d);
	return n;
}

static inline size_t
message(const struct fixture *f, const char *user, char *text, size_t size)
{
	char name[256], path[600];
	ssize_t n;
	int fd;

	ck_assert_uint_eq(entries(f, user, "new", name), 1);
	snprintf(path, sizeof path, "%s/box/%s/new/%s", f->dir, user, name);
	fd = open(path, O_RDONLY);
	ck_assert_int_ne(fd, -1);
	n = read(fd, text, size - 1);
	ck_assert_int_ge(n, 0);
	text[n] = '\0';
	close(fd);
	return (size_t)n;
}

#endif
