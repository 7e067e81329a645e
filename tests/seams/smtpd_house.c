/*
 * smtpd_house.c - see smtpd_house.h.
 */
#include <sys/stat.h>

#include <check.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/msg/master.h"
#include "common/msg/reply.h"
#include "common/msg/smtpd_lookup.h"
#include "common/msg/smtpd_queue.h"
#include "tests/seams/client.h"
#include "tests/seams/smtpd_house.h"

static struct smtpd_house house;

/* ---- the other processes ----------------------------------------------- */

void
answer(int channel, uint16_t type, uint32_t id, unsigned code,
    enum reply_scope scope, const char *text)
{
	struct reply r = { .code = (uint16_t)code, .scope = scope };

	snprintf(r.text, sizeof r.text, "%s", text);
	if (type == LOOKUP_CLIENT)
		msg_client_put(seam_body(), &(struct msg_client){ r, true });
	else
		msg_reply_put(seam_body(), &r);
	seam_send(channel, type, id, -1);
}

void
silence(int channel)
{
	ck_assert(!seam_recv_within(channel, &house.k, 200));
}

void
closed(int channel)
{
	while (seam_recv_within(channel, &house.k, SEAM_MS))
		if (house.k.fd != -1)
			close(house.k.fd);
	ck_assert(seam_closed(channel));
}

uint32_t
admit(void)
{
	struct msg_connect m;

	seam_recv(house.lookup, &house.k, LOOKUP_CONNECT);
	ck_assert_int_eq(msg_connect_get(&house.k, &m), 0);
	answer(house.lookup, LOOKUP_CLIENT, house.k.id, 220, SCOPE_SESSION, "");
	return m.session;
}

void
judge(const char *rcpt, unsigned code, enum reply_scope scope)
{
	struct msg_rcpt m;

	seam_recv(house.lookup, &house.k, LOOKUP_RCPT);
	ck_assert_int_eq(msg_rcpt_get(&house.k, &m), 0);
	ck_assert(span_is(m.rcpt, rcpt));
	answer(
	    house.lookup, LOOKUP_VERDICT, house.k.id, code, scope, "verdict");
}

void
queue_says(unsigned code, const char *text)
{
	answer(
	    house.queue, QUEUE_ANSWER, house.k.id, code, SCOPE_MESSAGE, text);
}

void
greet(void)
{
	house.client = client_connect(house.port);
	admit();
	client_expect(house.client, "220 mail.example.org ESMTP");
	client_say(house.client, "EHLO client.example");
	client_expect_lines(house.client, "250");
}

void
begin_message(void)
{
	client_say(house.client, "MAIL FROM:<a@client.example>");
	client_expect(house.client, "250 ");
	client_say(house.client, "RCPT TO:<b@example.org>");
	judge("b@example.org", 250, SCOPE_RECIPIENT);
	client_expect(house.client, "250");
	client_say(house.client, "DATA");
	client_expect(house.client, "354");
}

static const struct conf *
configuration(uint32_t useless, uint32_t timeout)
{
	static struct conf_listen listens[] = { { .title = "reject" },
		{ .title = "convert", .bare_newlines = NEWLINES_CONVERT } };
	static struct conf conf;

	conf = (struct conf){
		.hostname = "mail.example.org",
		.runtime = "/nonexistent",
		.spool = "/nonexistent",
		.postmaster = "root@example.org",
		.message_size = 4 * 1024 * 1024,
		.max_sessions = 3000,
		.max_recipients = 1000,
		.max_useless = useless,
		.max_line = 512,
		.command_timeout = timeout,
		.data_timeout = timeout,
		.nlistens = 2,
		.listens = listens,
	};
	return &conf;
}

static void
connect_peers(void)
{
	house.lookup = seam_connect(&house.d, PEER_LOOKUP, 0);
	house.queue = seam_connect(&house.d, PEER_QUEUE, 0);
}

struct smtpd_house *
start_empty(void)
{
	seam_start(&house.d, "smtpd", configuration(100, 60));
	connect_peers();
	return &house;
}

static char runtime[] = "/tmp/seam.XXXXXX";

static void
remove_runtime(void)
{
	char path[sizeof runtime + sizeof PROCESS_SOCKET];

	snprintf(path, sizeof path, "%s/" PROCESS_SOCKET, runtime);
	unlink(path);
	rmdir(runtime);
}

/* Each test is a process of its own, and so is its end. */
struct smtpd_house *
without_master(int in, int out, int *listener)
{
	ck_assert_ptr_nonnull(mkdtemp(runtime));
	atexit(remove_runtime);
	ck_assert_int_eq(chmod(runtime, 0755), 0);
	*listener = seam_outside(&house.d, "smtpd", runtime, in, out);
	return &house;
}

struct smtpd_house *
start_outside(int in, int out)
{
	int listener;

	without_master(in, out, &listener);
	seam_admit(&house.d, listener, configuration(100, 60));
	connect_peers();
	return &house;
}

void
begin_session(uint32_t listener, int fd)
{
	struct msg_session m = { .listener = listener };

	ck_assert(ip_parse(&m.ip, SPAN("192.0.2.7")));
	msg_session_put(seam_body(), &m);
	seam_send(house.d.master, MASTER_SESSION, 0, fd);
	if (fd != -1)
		close(fd);
}

struct smtpd_house *
start(const char *title, uint32_t useless, uint32_t timeout)
{
	unsigned index = strcmp(title, "convert") == 0;
	int fd;

	seam_start(&house.d, "smtpd", configuration(useless, timeout));
	connect_peers();
	house.port = 0;
	fd = seam_listen("127.0.0.1", &house.port);
	msg_listener_put(seam_body(), &(struct msg_listener){ index });
	seam_send(house.d.master, MASTER_LISTENER, 0, fd);
	close(fd);
	return &house;
}

void
stop(void)
{
	ck_assert_int_eq(seam_stop(&house.d), 0);
}

/* ---- content ----------------------------------------------------------- */

char *
make_content(size_t n)
{
	char *p = malloc(n);

	ck_assert_ptr_nonnull(p);
	for (size_t i = 0; i < n; i++)
		p[i] = (char)('a' + i % 23);
	for (size_t i = 78; i < n - 80; i += 80)
		memcpy(p + i, "\r\n", 2);
	memcpy(p + n - 2, "\r\n", 2);
	return p;
}

size_t
try_send(const char *p, size_t n)
{
	size_t sent = 0;

	while (sent < n) {
		struct pollfd f = { .fd = house.client, .events = POLLOUT };
		ssize_t done;

		if (poll(&f, 1, 300) == 0)
			break;
		done = write(house.client, p + sent,
		    n - sent < 16384 ? n - sent : 16384);
		if (done == -1 && errno == EAGAIN)
			continue;
		ck_assert_int_gt(done, 0);
		sent += (size_t)done;
	}
	return sent;
}

int
expect_open(uint32_t nrcpts)
{
	struct msg_submit m;

	seam_recv(house.queue, &house.k, QUEUE_OPEN);
	ck_assert_int_eq(msg_submit_get(&house.k, &m), 0);
	ck_assert_uint_eq(m.envelope.nrcpts, nrcpts);
	ck_assert_int_ne(house.k.fd, -1);
	return house.k.fd;
}
