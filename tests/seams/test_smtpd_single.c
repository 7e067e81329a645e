/*
 * test_smtpd_single.c - the real smtpd as a process for one session: a client
 * that master sends, and one on standard input.
 *
 * What is read when, where replies go, and how each way of ending it ends.
 */
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <arpa/inet.h>
#include <check.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>

#include "common/msg/master.h"
#include "common/msg/reply.h"
#include "common/msg/smtpd_lookup.h"
#include "common/msg/smtpd_queue.h"
#include "tests/seams/client.h"
#include "tests/seams/smtpd_house.h"

static struct smtpd_house *h;
static int to, from; /* the client's ends */

#define MAIL \
	"EHLO client.example\r\n" \
	"MAIL FROM:<a@client.example>\r\n" \
	"RCPT TO:<b@example.org>\r\n"
#define CONTENT "DATA\r\nSubject: x\r\n\r\nhello\r\n.\r\n"

/* ---- the client --------------------------------------------------------- */

/* A connection over TCP: the client's end in `to` and `from`, and the server's. */
static int
over_tcp(void)
{
	uint16_t port = 0;
	int listener = seam_listen("127.0.0.1", &port), fd;

	to = from = client_connect(port);
	fd = seam_accept(listener);
	close(listener);
	return fd;
}

/* Two pipes; the process's ends. */
static void
over_pipes(int *in, int *out)
{
	int a[2], b[2];

	ck_assert_int_eq(pipe2(a, O_CLOEXEC), 0);
	ck_assert_int_eq(pipe2(b, O_CLOEXEC), 0);
	*in = a[0];
	to = a[1];
	from = b[0];
	*out = b[1];
}

static void
greeting_and_ehlo(void)
{
	client_expect(from, "220 mail.example.org ESMTP");
	client_expect_lines(from, "250");
}

/* A message is handed over, and queue takes it. */
static void
take_message(void)
{
	struct msg_submit m;

	seam_recv(h->queue, &h->k, QUEUE_SUBMIT);
	ck_assert_int_eq(msg_submit_get(&h->k, &m), 0);
	ck_assert(span_eq(m.content, SPAN("Subject: x\r\n\r\nhello\r\n")));
	ck_assert_uint_eq(m.envelope.with, WITH_ESMTP);
	queue_says(250, "done");
}

static struct msg_connect
admitted(void)
{
	struct msg_connect m;

	seam_recv(h->lookup, &h->k, LOOKUP_CONNECT);
	ck_assert_int_eq(msg_connect_get(&h->k, &m), 0);
	answer(h->lookup, LOOKUP_CLIENT, h->k.id, 220, SCOPE_SESSION, "");
	return m;
}

static void
whole_dialogue(void)
{
	client_send(to, MAIL, sizeof MAIL - 1);
	greeting_and_ehlo();
	client_expect(from, "250 ");
	judge("b@example.org", 250, SCOPE_RECIPIENT);
	client_expect(from, "250");
	client_send(to, CONTENT, sizeof CONTENT - 1);
	client_expect(from, "354");
	take_message();
	client_expect(from, "250 done");
	client_say(to, "QUIT");
	client_expect(from, "221");
	client_expect_end(from);
}

/* ---- from master -------------------------------------------------------- */

START_TEST(a_session_from_master_is_all_there_is)
{
	struct msg_connect m;

	h = start_empty();
	begin_session(1, over_tcp());
	m = admitted();
	ck_assert_uint_eq(m.listener, 1);
	ck_assert_int_eq(m.from, CLIENT_ADDRESS);
	ck_assert_uint_eq(m.ip.b[15], 7);
	whole_dialogue();
	/* Nobody told it to. */
	ck_assert_int_eq(seam_wait(&h->d), 0);
}
END_TEST

START_TEST(its_end_is_the_clients)
{
	h = start_empty();
	begin_session(0, over_tcp());
	admitted();
	client_expect(from, "220");
	close(to);
	closed(h->lookup);
	ck_assert_int_eq(seam_wait(&h->d), 0);
}
END_TEST

/* 0: a second session; 1: a listener; 2: one that is not there; 3: standard
 * input, which is not the client's; 4: no descriptor. */
START_TEST(it_gets_no_other_client)
{
	uint16_t port = 0;
	int fd;

	h = start_empty();
	if (_i < 2) {
		begin_session(0, over_tcp());
		admitted();
		client_expect(from, "220");
	}
	if (_i == 1) {
		fd = seam_listen("127.0.0.1", &port);
		msg_listener_put(seam_body(), &(struct msg_listener){ 0 });
		seam_send(h->d.master, MASTER_LISTENER, 0, fd);
		close(fd);
		/* It is closed at once: nobody else has it. */
		for (int i = 0; i < 1000; i++) {
			struct sockaddr_in sin = { .sin_family = AF_INET,
				.sin_port = htons(port),
				.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };

			fd = socket(AF_INET, SOCK_STREAM, 0);
			if (connect(fd, (struct sockaddr *)&sin, sizeof sin) ==
			    -1)
				break;
			close(fd);
			usleep(10000);
			ck_assert_int_lt(i, 999);
		}
		client_say(to, "QUIT");
		client_expect(from, "221");
		ck_assert_int_eq(seam_wait(&h->d), 0);
		return;
	}
	begin_session(_i == 0 || _i == 4 ? 0
		: _i == 2		 ? 2
					 : LISTENER_STDIN,
	    _i == 4 ? -1 : dup(STDERR_FILENO));
	/* It ends as without master. */
	if (_i == 0)
		client_expect(from, "421 4.3.2 mail.example.org");
	ck_assert_int_eq(seam_wait(&h->d), 0);
}
END_TEST

START_TEST(what_only_one_from_outside_may_be_told)
{
	int fd = open("/dev/null", O_RDWR);

	h = start_empty();
	if (_i == 0)
		msg_conf_put(seam_body(), &(struct msg_conf){ 2 });
	else
		seam_body();
	seam_send(h->d.master, _i == 0 ? MASTER_CONF : MASTER_LOG, 0, fd);
	close(fd);
	ck_assert_int_eq(seam_wait(&h->d), 0);
}
END_TEST

/* ---- on standard input -------------------------------------------------- */

START_TEST(a_pipe_is_an_unknown_client)
{
	struct msg_connect m;
	int in, out;

	over_pipes(&in, &out);
	h = start_outside(in, out);
	begin_session(LISTENER_STDIN, -1);
	m = admitted();
	ck_assert_int_eq(m.from, CLIENT_UNKNOWN);
	ck_assert_uint_eq(m.listener, LISTENER_STDIN);
	whole_dialogue();
	ck_assert_int_eq(seam_wait(&h->d), 0);
}
END_TEST

START_TEST(a_tcp_socket_tells_who_it_is)
{
	struct msg_connect m;
	int fd = over_tcp();

	/* Wherever its standard output goes. */
	h = start_outside(fd, _i == 0 ? fd : open("/dev/null", O_RDWR));
	begin_session(LISTENER_STDIN, -1);
	m = admitted();
	ck_assert_int_eq(m.from, CLIENT_ADDRESS);
	ck_assert_uint_eq(m.ip.b[12], 127);
	ck_assert_uint_eq(m.ip.b[15], 1);
	whole_dialogue();
	ck_assert_int_eq(seam_wait(&h->d), 0);
}
END_TEST

/* All that was in the pipe is read, but nothing of it before the session. */
START_TEST(what_was_sent_ahead_is_read_when_it_is_time)
{
	static const char all[] = MAIL CONTENT "QUIT\r\n";
	struct pollfd p;
	int in, out, again, n = 0;

	over_pipes(&in, &out);
	again = dup(in);
	client_send(to, all, sizeof all - 1);
	close(to);
	h = start_outside(in, out);
	/* It is READY: confined. */
	ck_assert_int_eq(ioctl(again, FIONREAD, &n), 0);
	ck_assert_int_eq(n, (int)sizeof all - 1);
	p = (struct pollfd){ .fd = from, .events = POLLIN };
	ck_assert_int_eq(poll(&p, 1, 100), 0);
	begin_session(LISTENER_STDIN, -1);
	/* A pipe without a writer is no dead client. */
	sleep(3);
	admitted();
	greeting_and_ehlo();
	judge("b@example.org", 250, SCOPE_RECIPIENT);
	take_message();
	client_expect(from, "250 ");
	client_expect(from, "250");
	client_expect(from, "354");
	client_expect(from, "250 done");
	client_expect(from, "221");
	client_expect_end(from);
	ck_assert_int_eq(seam_wait(&h->d), 0);
	close(again);
}
END_TEST

/* A file has an end too, and epoll does not take it. */
START_TEST(a_file_will_do)
{
	static const char all[] = MAIL CONTENT;
	FILE *f = tmpfile();
	int out[2];

	ck_assert_ptr_nonnull(f);
	fwrite(all, 1, sizeof all - 1, f);
	rewind(f);
	ck_assert_int_eq(pipe2(out, O_CLOEXEC), 0);
	from = out[0];
	h = start_outside(dup(fileno(f)), out[1]);
	fclose(f);
	begin_session(LISTENER_STDIN, -1);
	ck_assert_int_eq(admitted().from, CLIENT_UNKNOWN);
	greeting_and_ehlo();
	judge("b@example.org", 250, SCOPE_RECIPIENT);
	take_message();
	client_expect(from, "250 ");
	client_expect(from, "250");
	client_expect(from, "354");
	client_expect(from, "250 done");
	client_expect_end(from);
	ck_assert_int_eq(seam_wait(&h->d), 0);
}
END_TEST

START_TEST(half_a_message_is_none)
{
	static const char all[] = MAIL "DATA\r\nSubject: x\r\n\r\nhel";
	int in, out;

	over_pipes(&in, &out);
	client_send(to, all, sizeof all - 1);
	close(to);
	h = start_outside(in, out);
	begin_session(LISTENER_STDIN, -1);
	admitted();
	judge("b@example.org", 250, SCOPE_RECIPIENT);
	closed(h->lookup);
	ck_assert(!seam_recv_within(h->queue, &h->k, 200));
	ck_assert_int_eq(seam_wait(&h->d), 0);
}
END_TEST

/* ---- without a service -------------------------------------------------- */

/* 0: nobody listens; 1: it closes; 2: in the middle of what it should say. */
START_TEST(without_a_service_there_is_421)
{
	int in, out, listener, fd;

	over_pipes(&in, &out);
	h = without_master(in, out, &listener);
	if (_i >= 1) {
		fd = seam_accept(listener);
		if (_i == 2) {
			msg_conf_put(seam_body(), &(struct msg_conf){ 1 });
			seam_send(fd, MASTER_CONF, 0, STDERR_FILENO);
		}
		close(fd);
	}
	close(listener);
	client_expect(from, "421 4.3.2 ");
	client_expect_end(from);
	ck_assert_int_eq(seam_wait(&h->d), EX_TEMPFAIL);
}
END_TEST

/* 0, 1: master goes away, before the session and within; 2, 3: says STOP. */
START_TEST(when_the_service_goes_away_there_is_421)
{
	int in, out;

	over_pipes(&in, &out);
	h = start_outside(in, out);
	if (_i % 2 == 1) {
		begin_session(LISTENER_STDIN, -1);
		admitted();
		client_expect(from, "220");
	}
	if (_i < 2)
		shutdown(h->d.master, SHUT_RDWR);
	else {
		seam_body();
		seam_send(h->d.master, MASTER_STOP, 0, -1);
	}
	client_expect(from, "421 4.3.2 mail.example.org");
	client_expect_end(from);
	ck_assert_int_eq(seam_wait(&h->d), EX_TEMPFAIL);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("smtpd_single");
	TCase *tc = tcase_create("single");
	SRunner *r;
	int failed;

	signal(SIGPIPE, SIG_IGN);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, a_session_from_master_is_all_there_is);
	tcase_add_test(tc, its_end_is_the_clients);
	tcase_add_loop_test(tc, it_gets_no_other_client, 0, 5);
	tcase_add_loop_test(tc, what_only_one_from_outside_may_be_told, 0, 2);
	tcase_add_test(tc, a_pipe_is_an_unknown_client);
	tcase_add_loop_test(tc, a_tcp_socket_tells_who_it_is, 0, 2);
	tcase_add_test(tc, what_was_sent_ahead_is_read_when_it_is_time);
	tcase_add_test(tc, a_file_will_do);
	tcase_add_test(tc, half_a_message_is_none);
	tcase_add_loop_test(tc, without_a_service_there_is_421, 0, 3);
	tcase_add_loop_test(tc, when_the_service_goes_away_there_is_421, 0, 4);
	suite_add_tcase(s, tc);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
