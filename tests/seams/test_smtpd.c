/*
 * test_smtpd.c - the real smtpd between a client and this test, which is master,
 * lookup and queue.
 *
 * What the dialogues cannot show: what goes to whom and when, content in one
 * packet and through a pipe, back-pressure, and every peer's going away.
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/msg/master.h"
#include "common/msg/reply.h"
#include "common/msg/smtpd_lookup.h"
#include "common/msg/smtpd_queue.h"
#include "common/run/process.h"
#include "tests/seams/client.h"
#include "tests/seams/seam.h"

#define BIG (3 * 1024 * 1024)

static struct seam d;
static int lookup, queue, client;
static uint16_t port;
static struct ipc_msg k; /* the last one that was expected */

/* ---- the other processes ----------------------------------------------- */

static void
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

/* Nothing comes within a moment. */
static void
silence(int channel)
{
	ck_assert(!seam_recv_within(channel, &k, 200));
}

/* Smtpd closes it, whatever it says before. */
static void
closed(int channel)
{
	while (seam_recv_within(channel, &k, SEAM_MS))
		if (k.fd != -1)
			close(k.fd);
	ck_assert(seam_closed(channel));
}

/* Lookup lets the next client in. */
static uint32_t
admit(void)
{
	struct msg_connect m;

	seam_recv(lookup, &k, LOOKUP_CONNECT);
	ck_assert_int_eq(msg_connect_get(&k, &m), 0);
	answer(lookup, LOOKUP_CLIENT, k.id, 220, SCOPE_SESSION, "");
	return m.session;
}

/* Lookup is asked about a recipient, and says so. */
static void
judge(const char *rcpt, unsigned code, enum reply_scope scope)
{
	struct msg_rcpt m;

	seam_recv(lookup, &k, LOOKUP_RCPT);
	ck_assert_int_eq(msg_rcpt_get(&k, &m), 0);
	ck_assert(span_is(m.rcpt, rcpt));
	answer(lookup, LOOKUP_VERDICT, k.id, code, scope, "verdict");
}

static void
queue_says(unsigned code, const char *text)
{
	answer(queue, QUEUE_ANSWER, k.id, code, SCOPE_MESSAGE, text);
}

static void
greet(void)
{
	client = client_connect(port);
	admit();
	client_expect(client, "220 mail.example.org ESMTP");
	client_say(client, "EHLO client.example");
	for (int i = 0; i < 4; i++)
		client_expect(client, "250-");
	client_expect(client, "250 ");
}

static void
begin_message(void)
{
	client_say(client, "MAIL FROM:<a@client.example>");
	client_expect(client, "250 ");
	client_say(client, "RCPT TO:<b@example.org>");
	judge("b@example.org", 250, SCOPE_RECIPIENT);
	client_expect(client, "250");
	client_say(client, "DATA");
	client_expect(client, "354");
}

static void
start(const char *title, uint32_t useless, uint32_t timeout)
{
	struct conf_listen listens[] = { { .title = "reject" },
		{ .title = "convert", .bare_newlines = NEWLINES_CONVERT } };
	const struct conf conf = {
		.hostname = "mail.example.org",
		.runtime = "/nonexistent",
		.spool = "/nonexistent",
		.postmaster = "root@example.org",
		.message_size = 4 * 1024 * 1024,
		.max_sessions = 100,
		.max_recipients = 1000,
		.max_useless = useless,
		.max_line = 512,
		.command_timeout = timeout,
		.data_timeout = timeout,
		.nlistens = 2,
		.listens = listens,
	};
	unsigned index = strcmp(title, "convert") == 0;
	int fd;

	seam_start(&d, "smtpd", &conf);
	lookup = seam_connect(&d, PEER_LOOKUP, 0);
	queue = seam_connect(&d, PEER_QUEUE, 0);
	port = 0;
	fd = seam_listen("127.0.0.1", &port);
	msg_listener_put(seam_body(), &(struct msg_listener){ index });
	seam_send(d.master, MASTER_LISTENER, 0, fd);
	close(fd);
}

/* It stops when it is told to, and every test ends with that. */
static void
stop(void)
{
	ck_assert_int_eq(seam_stop(&d), 0);
}

static void
set_up(void)
{
	start("reject", 100, 300);
}

/* ---- messages ---------------------------------------------------------- */

START_TEST(a_message_is_one_packet)
{
	struct msg_submit m;
	struct msg_gone gone;
	struct span rcpt;
	uint32_t session;

	client = client_connect(port);
	session = admit();
	client_expect(client, "220 ");
	client_say(client, "HELO client.example");
	client_expect(client, "250 mail.example.org");
	begin_message();
	client_say(client, "Subject: x\r\n\r\n..dot\r\n.");
	seam_recv(queue, &k, QUEUE_SUBMIT);
	ck_assert_int_eq(msg_submit_get(&k, &m), 0);
	ck_assert(span_is(m.envelope.sender, "a@client.example"));
	ck_assert(span_is(m.envelope.helo, "client.example"));
	ck_assert(span_is(m.envelope.client, "127.0.0.1"));
	ck_assert_int_eq(m.envelope.with, WITH_SMTP);
	ck_assert_uint_eq(m.envelope.nrcpts, 1);
	ck_assert(rcpts_next(&m.rcpts, &rcpt));
	ck_assert(span_is(rcpt, "b@example.org"));
	ck_assert(span_eq(m.content, SPAN("Subject: x\r\n\r\n.dot\r\n")));
	queue_says(250, "0123456789abcdef queued");
	client_expect(client, "250 0123456789abcdef queued\r\n");
	client_say(client, "QUIT");
	client_expect(client, "221");
	client_expect_end(client);
	seam_recv(lookup, &k, LOOKUP_GONE);
	ck_assert_int_eq(msg_gone_get(&k, &gone), 0);
	ck_assert_uint_eq(gone.session, session);
	stop();
}
END_TEST

START_TEST(commands_that_come_together_are_answered_in_order)
{
	struct msg_submit m;

	client = client_connect(port);
	admit();
	client_say(client,
	    "EHLO c\r\nMAIL FROM:<>\r\nRCPT TO:<a@x.example>\r\n"
	    "RCPT TO:<b@y.example>\r\nRCPT TO:<c@x.example>\r\nDATA\r\n"
	    "text\r\n.\r\nMAIL FROM:<>\r\nQUIT");
	/* RFC 2920 section 3.2: what is known is said before any wait. */
	client_expect(client, "220");
	for (int i = 0; i < 5; i++)
		client_expect(client, "250");
	client_expect(client, "250 2.1.0");
	seam_recv(lookup, &k, LOOKUP_RCPT);
	answer(lookup, LOOKUP_VERDICT, k.id, 250, SCOPE_DOMAIN, "one");
	client_expect(client, "250 one");
	judge("b@y.example", 550, SCOPE_RECIPIENT);
	client_expect(client, "550 verdict");
	client_expect(client, "250 one"); /* not asked again */
	client_expect(client, "354");
	seam_recv(queue, &k, QUEUE_SUBMIT);
	ck_assert_int_eq(msg_submit_get(&k, &m), 0);
	ck_assert_uint_eq(m.envelope.nrcpts, 2);
	queue_says(250, "done");
	client_expect(client, "250 done");
	client_expect(client, "250 2.1.0");
	client_expect(client, "221");
	client_expect_end(client);
	stop();
}
END_TEST

START_TEST(a_thousand_recipients_of_one_domain_are_one_question)
{
	char text[1000 * 40];
	size_t n = 0;
	struct msg_submit m;
	struct span rcpt;
	uint32_t count = 0;

	greet();
	for (int i = 0; i < 1000; i++)
		n += (size_t)snprintf(text + n, sizeof text - n,
		    "RCPT TO:<u%d@relay.example>\r\n", i);
	client_say(client, "MAIL FROM:<>");
	client_expect(client, "250");
	client_send(client, text, n);
	judge("u0@relay.example", 250, SCOPE_DOMAIN);
	for (int i = 0; i < 1000; i++)
		client_expect(client, "250 verdict");
	client_say(client, "DATA\r\n.");
	client_expect(client, "354");
	seam_recv(queue, &k, QUEUE_SUBMIT);
	ck_assert_int_eq(msg_submit_get(&k, &m), 0);
	while (rcpts_next(&m.rcpts, &rcpt))
		count++;
	ck_assert_uint_eq(count, 1000);
	ck_assert_uint_eq(m.content.n, 0);
	queue_says(250, "done");
	client_expect(client, "250 done");
	silence(lookup);
	stop();
}
END_TEST

/* ---- through the pipe -------------------------------------------------- */

static char *
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

/* As much of it as the server takes; how much. */
static size_t
try_send(const char *p, size_t n)
{
	size_t sent = 0;

	while (sent < n) {
		struct pollfd f = { .fd = client, .events = POLLOUT };
		ssize_t done;

		if (poll(&f, 1, 300) == 0)
			break;
		done = write(
		    client, p + sent, n - sent < 16384 ? n - sent : 16384);
		if (done == -1 && errno == EAGAIN)
			continue;
		ck_assert_int_gt(done, 0);
		sent += (size_t)done;
	}
	return sent;
}

static int
expect_open(uint32_t nrcpts)
{
	struct msg_submit m;

	seam_recv(queue, &k, QUEUE_OPEN);
	ck_assert_int_eq(msg_submit_get(&k, &m), 0);
	ck_assert_uint_eq(m.envelope.nrcpts, nrcpts);
	ck_assert_int_ne(k.fd, -1);
	return k.fd;
}

static uint32_t
expect_rcpts(uint32_t id)
{
	struct msg_rcpts m;

	seam_recv(queue, &k, QUEUE_RCPTS);
	ck_assert_uint_eq(k.id, id);
	ck_assert_int_eq(msg_rcpts_get(&k, &m), 0);
	return m.rcpts.n;
}

/* All there is in the pipe now, held against content (which may be sent more
 * than once) at *at. */
static void
drain(int pipe, const char *content, size_t *at)
{
	static char got[65536];
	ssize_t n;

	while ((n = read(pipe, got, sizeof got)) > 0) {
		for (ssize_t i = 0; i < n; i++)
			ck_assert(got[i] == content[(*at)++ % BIG]);
	}
}

/* Until so many octets have come through. */
static void
drain_to(int pipe, const char *content, size_t *at, size_t n)
{
	while (*at < n) {
		struct pollfd f = { .fd = pipe, .events = POLLIN };

		ck_assert_int_eq(poll(&f, 1, SEAM_MS), 1);
		drain(pipe, content, at);
	}
}

/* The client sends it while queue reads. */
static void
send_through(int pipe, const char *p, size_t n, const char *content, size_t *at)
{
	size_t sent = 0;

	while (sent < n) {
		drain(pipe, content, at);
		sent += try_send(p + sent, n - sent);
	}
}

START_TEST(a_large_message_goes_through_a_pipe_at_queues_pace)
{
	char *content = make_content(BIG);
	struct msg_end end;
	size_t sent, got = 0;
	int pipe;

	greet();
	ck_assert_int_eq(fcntl(client, F_SETFL, O_NONBLOCK), 0);
	begin_message();
	/* Nobody reads the pipe: the client comes to a stand. */
	sent = try_send(content, BIG);
	ck_assert_uint_gt(sent, 64 * 1024);
	pipe = expect_open(1);
	ck_assert_uint_eq(expect_rcpts(k.id), 1);
	send_through(pipe, content + sent, BIG - sent, content, &got);
	send_through(pipe, ".\r\n", 3, content, &got);
	drain_to(pipe, content, &got, BIG);
	seam_recv(queue, &k, QUEUE_END);
	ck_assert_int_eq(msg_end_get(&k, &end), 0);
	ck_assert_uint_eq(end.size, BIG);
	ck_assert_int_eq(read(pipe, content, 1), 0);
	queue_says(250, "done");
	client_expect(client, "250 done");
	free(content);
	stop();
}
END_TEST

START_TEST(recipients_that_fill_no_packet_come_in_several)
{
	char text[1000 * 120];
	char *content = make_content(60000);
	size_t n = 0, got = 0;
	uint32_t total = 0, id;
	int pipe;

	greet();
	client_say(client, "MAIL FROM:<>");
	client_expect(client, "250");
	for (int i = 0; i < 1000; i++)
		n += (size_t)snprintf(text + n, sizeof text - n,
		    "RCPT TO:<a-quite-long-local-part-for-many-octets-%d"
		    "@a-quite-long-domain.relay.example>\r\n",
		    i);
	client_send(client, text, n);
	seam_recv(lookup, &k, LOOKUP_RCPT);
	answer(lookup, LOOKUP_VERDICT, k.id, 250, SCOPE_SESSION, "yes");
	for (int i = 0; i < 1000; i++)
		client_expect(client, "250 yes");
	client_say(client, "DATA");
	client_expect(client, "354");
	client_send(client, content, 60000);
	client_say(client, ".");
	pipe = expect_open(1000);
	id = k.id;
	for (int i = 0; i < 4; i++)
		total += expect_rcpts(id);
	ck_assert_uint_eq(total, 1000);
	drain_to(pipe, content, &got, 60000);
	seam_recv(queue, &k, QUEUE_END);
	queue_says(250, "done");
	client_expect(client, "250 done");
	free(content);
	stop();
}
END_TEST

START_TEST(an_early_answer_is_given_at_the_end_of_the_data)
{
	char *content = make_content(BIG);
	int pipe;

	greet();
	begin_message();
	client_send(client, content, 200000);
	pipe = expect_open(1);
	queue_says(452, "full");
	if (_i == 1)
		close(pipe);
	expect_rcpts(k.id);
	client_send(client, content, BIG);
	client_say(client, ".");
	client_expect(client, "452 full");
	/* Nothing more of it. */
	silence(queue);
	client_say(client, "NOOP");
	client_expect(client, "250");
	free(content);
	stop();
}
END_TEST

/* What comes after OPEN, how often all of content before it, and the reply. */
static const struct {
	const char *rest;
	int times;
	const char *reply;
} faults[] = {
	{ "bare\nline\r\n.\r\n", 0, "550 5.6.0" },
	{ ".\r\n", 2, "552 5.3.4" },
};

START_TEST(what_is_refused_after_open_is_aborted)
{
	char *content = make_content(BIG);
	size_t got = 0;
	uint32_t id;
	int pipe;

	greet();
	ck_assert_int_eq(fcntl(client, F_SETFL, O_NONBLOCK), 0);
	begin_message();
	client_send(client, content, 100000);
	pipe = expect_open(1);
	id = k.id;
	expect_rcpts(id);
	drain_to(pipe, content, &got, 100000);
	for (int i = 0; i < faults[_i].times; i++) {
		got = 0;
		send_through(pipe, content, BIG, content, &got);
		if (i == 0)
			drain_to(pipe, content, &got, BIG);
	}
	client_send(client, faults[_i].rest, strlen(faults[_i].rest));
	/* What stands in the kernel's buffers must get through first. */
	while (!seam_recv_within(queue, &k, 100))
		drain(pipe, content, &got);
	ck_assert_uint_eq(k.type, QUEUE_ABORT);
	ck_assert_uint_eq(k.id, id);
	client_expect(client, faults[_i].reply);
	client_say(client, "NOOP");
	client_expect(client, "250");
	free(content);
	stop();
}
END_TEST

START_TEST(a_client_that_vanishes_leaves_nothing)
{
	char *content = make_content(BIG);
	size_t got = 0;
	int pipe = -1;

	greet();
	begin_message();
	client_send(client, content, _i == 0 ? 1000 : 100000);
	if (_i == 1) {
		pipe = expect_open(1);
		expect_rcpts(k.id);
	}
	close(client);
	if (_i == 1) {
		drain_to(pipe, content, &got, 100000);
		seam_recv(queue, &k, QUEUE_ABORT);
		ck_assert_int_eq(read(pipe, content, 1), 0);
	}
	seam_recv(lookup, &k, LOOKUP_GONE);
	silence(queue);
	free(content);
	stop();
}
END_TEST

#define MANY 60

START_TEST(more_than_queue_takes_at_once_waits_and_goes_on)
{
	char *content = make_content(60000);
	int clients[MANY];

	for (int i = 0; i < MANY; i++) {
		greet();
		begin_message();
		clients[i] = client;
	}
	/* Twice: who had to wait is served the next time, too. */
	for (int turn = 0; turn < 2; turn++) {
		for (int i = 0; i < MANY; i++) {
			client_send(clients[i], content, 60000);
			client_say(clients[i], ".");
		}
		silence(d.master);
		for (int i = 0; i < MANY; i++) {
			seam_recv(queue, &k, QUEUE_SUBMIT);
			queue_says(250, "done");
		}
		for (int i = 0; i < MANY; i++) {
			client = clients[i];
			client_expect(client, "250 done");
			if (turn == 0)
				begin_message();
		}
	}
	free(content);
	stop();
}
END_TEST

/* ---- newlines ---------------------------------------------------------- */

START_TEST(bare_newlines_are_refused_in_step)
{
	greet();
	begin_message();
	client_say(client, "a\n.\nMAIL FROM:<evil@client.example>\r\n.");
	client_expect(client, "550 5.6.0");
	client_say(client, "NOOP");
	client_expect(client, "250 2.0.0 OK");
	silence(queue);
	stop();
}
END_TEST

START_TEST(bare_newlines_are_converted_where_asked_for)
{
	struct msg_submit m;

	greet();
	begin_message();
	client_say(client, "a\n.\nb\r\n.");
	seam_recv(queue, &k, QUEUE_SUBMIT);
	ck_assert_int_eq(msg_submit_get(&k, &m), 0);
	ck_assert(span_eq(m.content, SPAN("a\r\n.\r\nb\r\n")));
	queue_says(250, "done");
	client_expect(client, "250 done");
	begin_message();
	client_send(client, "a\0b\r\n.\r\n", 8);
	client_expect(client, "550 5.6.0");
	stop();
}
END_TEST

static void
set_up_convert(void)
{
	start("convert", 100, 300);
}

/* ---- peers that go away ------------------------------------------------ */

START_TEST(without_queue_there_is_451_until_it_is_back)
{
	greet();
	begin_message();
	client_say(client, "text\r\n.");
	seam_recv(queue, &k, QUEUE_SUBMIT);
	close(queue);
	client_expect(client, "451 4.3.0");
	client_say(client, "MAIL FROM:<>");
	client_expect(client, "451 4.3.0");
	queue = seam_connect(&d, PEER_QUEUE, 0);
	silence(queue);
	begin_message();
	client_say(client, "text\r\n.");
	seam_recv(queue, &k, QUEUE_SUBMIT);
	queue_says(250, "done");
	client_expect(client, "250 done");
	stop();
}
END_TEST

START_TEST(queue_lost_within_a_large_message)
{
	char *content = make_content(BIG);

	greet();
	begin_message();
	client_send(client, content, 100000);
	expect_open(1);
	close(queue);
	close(k.fd);
	client_send(client, content, BIG);
	client_say(client, ".");
	client_expect(client, "451 4.3.0");
	queue = seam_connect(&d, PEER_QUEUE, 0);
	client_say(client, "NOOP");
	client_expect(client, "250");
	free(content);
	stop();
}
END_TEST

START_TEST(queue_says_when_mail_is_accepted)
{
	greet();
	answer(queue, QUEUE_STATE, 0, 452, SCOPE_SESSION, "full");
	silence(queue);
	client_say(client, "MAIL FROM:<>");
	client_expect(client, "452 full");
	answer(queue, QUEUE_STATE, 0, 250, SCOPE_SESSION, "");
	silence(queue);
	client_say(client, "MAIL FROM:<>");
	client_expect(client, "250 2.1.0");
	stop();
}
END_TEST

START_TEST(a_new_lookup_is_told_of_every_session)
{
	int late;

	greet();
	client_say(client, "MAIL FROM:<>\r\nRCPT TO:<a@x.example>\r\nNOOP");
	client_expect(client, "250");
	seam_recv(lookup, &k, LOOKUP_RCPT);
	close(lookup);
	/* Told at once, and the session goes on. */
	client_expect(client, "451 4.3.0");
	client_expect(client, "250 2.0.0");
	client_say(client, "RCPT TO:<a@x.example>");
	client_expect(client, "451 4.3.0");
	late = client_connect(port);
	client_expect(late, "421 4.3.0");
	client_expect_end(late);
	lookup = seam_connect(&d, PEER_LOOKUP, 0);
	admit();
	client_say(client, "RCPT TO:<a@x.example>");
	judge("a@x.example", 250, SCOPE_DOMAIN);
	client_expect(client, "250 verdict");
	/* The verdict of a lookup goes with it. */
	close(lookup);
	silence(queue);
	lookup = seam_connect(&d, PEER_LOOKUP, 0);
	client_say(client, "RCPT TO:<b@x.example>");
	admit();
	judge("b@x.example", 550, SCOPE_RECIPIENT);
	client_expect(client, "550 verdict");
	stop();
}
END_TEST

START_TEST(a_new_lookup_may_refuse_a_session)
{
	greet();
	close(lookup);
	lookup = seam_connect(&d, PEER_LOOKUP, 0);
	seam_recv(lookup, &k, LOOKUP_CONNECT);
	answer(lookup, LOOKUP_CLIENT, k.id, 554, SCOPE_SESSION, "no");
	client_expect(client, "421 4.3.0");
	client_expect_end(client);
	stop();
}
END_TEST

START_TEST(a_refused_client_hears_why)
{
	client = client_connect(port);
	seam_recv(lookup, &k, LOOKUP_CONNECT);
	answer(lookup, LOOKUP_CLIENT, k.id, 421, SCOPE_SESSION, "too many");
	client_expect(client, "421 too many");
	client_expect_end(client);
	seam_recv(lookup, &k, LOOKUP_GONE);
	stop();
}
END_TEST

/* What no lookup and no queue may say: its channel is closed, master is told, and
 * the sessions go on. */
static const struct {
	bool to_lookup;
	uint16_t type;
	unsigned code;
} nonsense[] = {
	{ true, LOOKUP_VERDICT, 0 },
	{ true, LOOKUP_CLIENT, 0 },
	{ true, LOOKUP_RCPT, 250 },
	{ false, QUEUE_ANSWER, 0 },
	{ false, QUEUE_STATE, 354 },
	{ false, QUEUE_SUBMIT, 250 },
};

START_TEST(nonsense_of_a_peer_is_complained_of)
{
	struct msg_complain m;
	int channel;

	greet();
	channel = nonsense[_i].to_lookup ? lookup : queue;
	answer(channel, nonsense[_i].type, 7, nonsense[_i].code, SCOPE_SESSION,
	    "");
	closed(channel);
	seam_recv(d.master, &k, MASTER_COMPLAIN);
	ck_assert_int_eq(msg_complain_get(&k, &m), 0);
	ck_assert_int_eq(
	    m.kind, nonsense[_i].to_lookup ? PEER_LOOKUP : PEER_QUEUE);
	client_say(client, "NOOP");
	client_expect(client, "250");
	stop();
}
END_TEST

START_TEST(an_answer_before_the_end_cannot_be_250)
{
	char *content = make_content(100000);

	greet();
	begin_message();
	client_send(client, content, 100000);
	expect_open(1);
	queue_says(250, "all of it");
	closed(queue);
	client_say(client, ".");
	client_expect(client, "451 4.3.0");
	free(content);
	stop();
}
END_TEST

START_TEST(late_and_invented_answers_are_ignored)
{
	greet();
	answer(queue, QUEUE_ANSWER, 12345, 250, SCOPE_MESSAGE, "what?");
	answer(lookup, LOOKUP_VERDICT, 12345, 250, SCOPE_SESSION, "what?");
	begin_message();
	client_say(client, ".");
	seam_recv(queue, &k, QUEUE_SUBMIT);
	queue_says(250, "done");
	queue_says(250, "twice");
	client_expect(client, "250 done");
	client_say(client, "NOOP");
	client_expect(client, "250 2.0.0 OK");
	stop();
}
END_TEST

/* ---- time, stop, limits ------------------------------------------------ */

static void
set_up_short(void)
{
	start("reject", 5, 1);
}

START_TEST(a_silent_client_gets_421)
{
	greet();
	if (_i == 1)
		begin_message();
	/* A line that never ends is no command. */
	client_send(client, "NO", 2);
	client_expect(client, "421 4.4.2");
	client_expect_end(client);
	stop();
}
END_TEST

START_TEST(a_client_that_is_served_slowly_is_not_late)
{
	greet();
	client_say(client, "MAIL FROM:<>\r\nRCPT TO:<a@x.example>");
	client_expect(client, "250");
	seam_recv(lookup, &k, LOOKUP_RCPT);
	usleep(3500000);
	answer(lookup, LOOKUP_VERDICT, k.id, 250, SCOPE_RECIPIENT, "late");
	client_expect(client, "250 late");
	stop();
}
END_TEST

START_TEST(useless_commands_end_it_and_the_reason_arrives)
{
	char text[60000];

	greet();
	for (size_t i = 0; i < sizeof text; i += 6)
		memcpy(text + i, "NOOP\r\n", 6);
	client_send(client, text, sizeof text);
	for (int i = 0; i < 5; i++)
		client_expect(client, "250 2.0.0 OK");
	client_send(client, text, sizeof text);
	client_expect(client, "421 4.7.0");
	client_expect_end(client);
	stop();
}
END_TEST

static void
set_up_generous(void)
{
	start("reject", UINT32_MAX, 300);
}

START_TEST(replies_that_are_not_read_stop_the_input)
{
	char text[60000];
	size_t asked = 0, n = 0;

	greet();
	ck_assert_int_eq(fcntl(client, F_SETFL, O_NONBLOCK), 0);
	for (size_t i = 0; i < sizeof text; i += 6)
		memcpy(text + i, "HELP\r\n", 6);
	do {
		n = try_send(text, sizeof text);
		asked += n;
		/* Far more than all buffers between us hold. */
		ck_assert_uint_lt(asked, 100u << 20);
	} while (n == sizeof text);
	/* And every one is answered when they are. */
	for (size_t lines = 0; lines < asked / 6;) {
		struct pollfd f = { .fd = client, .events = POLLIN };
		ssize_t done;

		ck_assert_int_eq(poll(&f, 1, SEAM_MS), 1);
		done = read(client, text, sizeof text);
		ck_assert_int_gt(done, 0);
		for (ssize_t i = 0; i < done; i++)
			lines += text[i] == '\n';
	}
	silence(queue);
	stop();
}
END_TEST

START_TEST(stopping_waits_for_a_message_that_is_whole)
{
	int idle;
	uint32_t id;

	greet();
	idle = client;
	greet();
	begin_message();
	client_say(client, "text\r\n.\r\nNOOP");
	seam_recv(queue, &k, QUEUE_SUBMIT);
	id = k.id;
	kill(d.pid, SIGTERM);
	client_expect(idle, "421 4.3.2");
	client_expect_end(idle);
	answer(queue, QUEUE_ANSWER, id, 250, SCOPE_MESSAGE, "done");
	client_expect(client, "250 done");
	client_expect(client, "421 4.3.2");
	client_expect_end(client);
	ck_assert_int_eq(seam_wait(&d), 0);
}
END_TEST

START_TEST(stopping_waits_no_longer_than_it_may)
{
	greet();
	begin_message();
	client_say(client, "text\r\n.");
	seam_recv(queue, &k, QUEUE_SUBMIT);
	/* Master went away: the same as being stopped. */
	close(d.master);
	ck_assert_int_eq(seam_wait(&d), 0);
}
END_TEST

START_TEST(status_counts)
{
	struct msg_counters m;
	uint64_t sessions = 99, accepted = 99;

	greet();
	begin_message();
	client_say(client, ".");
	seam_recv(queue, &k, QUEUE_SUBMIT);
	queue_says(250, "done");
	client_expect(client, "250 done");
	seam_body();
	seam_send(d.master, MASTER_PING, 5, -1);
	seam_recv(d.master, &k, MASTER_PONG);
	ck_assert_int_eq(msg_counters_get(&k, &m), 0);
	for (uint32_t i = 0; i < m.n; i++) {
		if (strcmp(m.c[i].name, "sessions") == 0)
			sessions = m.c[i].value;
		if (strcmp(m.c[i].name, "accepted") == 0)
			accepted = m.c[i].value;
	}
	ck_assert_uint_eq(sessions, 1);
	ck_assert_uint_eq(accepted, 1);
	stop();
}
END_TEST

#define COUNT(table) (int)(sizeof table / sizeof *table)

static TCase *
add(Suite *s, const char *name, void (*fixture)(void))
{
	TCase *tc = tcase_create(name);

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, fixture, NULL);
	suite_add_tcase(s, tc);
	return tc;
}

int
main(void)
{
	Suite *s = suite_create("smtpd");
	TCase *tc = add(s, "smtpd", set_up);
	SRunner *r;
	int failed;

	tcase_add_test(tc, a_message_is_one_packet);
	tcase_add_test(tc, commands_that_come_together_are_answered_in_order);
	tcase_add_test(
	    tc, a_thousand_recipients_of_one_domain_are_one_question);
	tcase_add_test(tc, a_large_message_goes_through_a_pipe_at_queues_pace);
	tcase_add_test(tc, recipients_that_fill_no_packet_come_in_several);
	tcase_add_loop_test(
	    tc, an_early_answer_is_given_at_the_end_of_the_data, 0, 2);
	tcase_add_loop_test(
	    tc, what_is_refused_after_open_is_aborted, 0, COUNT(faults));
	tcase_add_loop_test(tc, a_client_that_vanishes_leaves_nothing, 0, 2);
	tcase_add_test(tc, more_than_queue_takes_at_once_waits_and_goes_on);
	tcase_add_test(tc, bare_newlines_are_refused_in_step);
	tcase_add_test(tc, without_queue_there_is_451_until_it_is_back);
	tcase_add_test(tc, queue_lost_within_a_large_message);
	tcase_add_test(tc, queue_says_when_mail_is_accepted);
	tcase_add_test(tc, a_new_lookup_is_told_of_every_session);
	tcase_add_test(tc, a_new_lookup_may_refuse_a_session);
	tcase_add_test(tc, a_refused_client_hears_why);
	tcase_add_loop_test(
	    tc, nonsense_of_a_peer_is_complained_of, 0, COUNT(nonsense));
	tcase_add_test(tc, an_answer_before_the_end_cannot_be_250);
	tcase_add_test(tc, late_and_invented_answers_are_ignored);
	tcase_add_test(tc, stopping_waits_for_a_message_that_is_whole);
	tcase_add_test(tc, stopping_waits_no_longer_than_it_may);
	tcase_add_test(tc, status_counts);
	tc = add(s, "convert", set_up_convert);
	tcase_add_test(tc, bare_newlines_are_converted_where_asked_for);
	tc = add(s, "short", set_up_short);
	tcase_add_loop_test(tc, a_silent_client_gets_421, 0, 2);
	tcase_add_test(tc, a_client_that_is_served_slowly_is_not_late);
	tcase_add_test(tc, useless_commands_end_it_and_the_reason_arrives);
	tc = add(s, "generous", set_up_generous);
	tcase_add_test(tc, replies_that_are_not_read_stop_the_input);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
