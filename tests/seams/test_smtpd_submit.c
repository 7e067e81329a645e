/*
 * test_smtpd_submit.c - submit.sock: who is at its other end, and what queue is
 * told of a message that came through it.
 */
#include <sys/socket.h>
#include <sys/un.h>

#include <check.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/msg/master.h"
#include "common/msg/smtpd_lookup.h"
#include "common/msg/smtpd_queue.h"
#include "tests/seams/client.h"
#include "tests/seams/smtpd_house.h"

static struct smtpd_house *h;
static struct sockaddr_un sun;
static socklen_t nsun;

/* A socket without a file; the kernel gives it a name. */
static int
listen_unix(void)
{
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	sun.sun_family = AF_UNIX;
	nsun = sizeof sun;
	ck_assert_int_eq(
	    bind(fd, (struct sockaddr *)&sun, sizeof sun.sun_family), 0);
	ck_assert_int_eq(listen(fd, 5), 0);
	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&sun, &nsun), 0);
	return fd;
}

static void
set_up(void)
{
	int fd = listen_unix();

	h = start_empty();
	msg_listener_put(
	    seam_body(), &(struct msg_listener){ LISTENER_SUBMIT });
	seam_send(h->d.master, MASTER_LISTENER, 0, fd);
	close(fd);
}

static void
greet_local(void)
{
	struct msg_connect m;

	h->client = socket(AF_UNIX, SOCK_STREAM, 0);
	ck_assert_int_eq(connect(h->client, (struct sockaddr *)&sun, nsun), 0);
	seam_recv(h->lookup, &h->k, LOOKUP_CONNECT);
	ck_assert_int_eq(msg_connect_get(&h->k, &m), 0);
	ck_assert_uint_eq(m.listener, LISTENER_SUBMIT);
	ck_assert_int_eq(m.from, CLIENT_LOCAL);
	ck_assert_uint_eq(m.uid, getuid());
	answer(h->lookup, LOOKUP_CLIENT, h->k.id, 220, SCOPE_SESSION, "");
	client_expect(h->client, "220 mail.example.org ESMTP");
	client_say(h->client, "EHLO localhost");
	client_expect(h->client, "250-mail.example.org");
	/* No domain is configured. */
	client_expect(h->client, "250-XQUALIFY mail.example.org");
	client_expect_lines(h->client, "250");
}

static void
begin_local(void)
{
	client_say(h->client, "MAIL FROM:<alice>");
	client_expect(h->client, "250");
	client_say(h->client, "RCPT TO:<bob>");
	judge("bob@mail.example.org", 250, SCOPE_RECIPIENT);
	client_expect(h->client, "250");
	client_say(h->client, "DATA");
	client_expect(h->client, "354");
}

static void
check_envelope(const struct envelope *e, unsigned lacks)
{
	ck_assert(span_is(e->sender, "alice@mail.example.org"));
	ck_assert_int_eq(e->with, WITH_LOCAL);
	ck_assert_uint_eq(e->uid, getuid());
	ck_assert_uint_eq(e->client.n, 0);
	ck_assert_uint_eq(e->lacks, lacks);
}

START_TEST(queue_is_told_the_uid_and_what_is_missing)
{
	static const struct {
		const char *content;
		unsigned lacks;
	} messages[] = {
		{ "hi\r\n.",
		    LACKS_DATE | LACKS_FROM | LACKS_MESSAGE_ID | LACKS_HEADER },
		{ "From: x\r\n\r\nhi\r\n.", LACKS_DATE | LACKS_MESSAGE_ID },
		{ "From: x\r\nDate: y\r\nMessage-ID: z\r\n\r\n.", 0 },
	};
	struct msg_submit m;

	greet_local();
	for (size_t i = 0; i < sizeof messages / sizeof *messages; i++) {
		begin_local();
		client_say(h->client, messages[i].content);
		seam_recv(h->queue, &h->k, QUEUE_SUBMIT);
		ck_assert_int_eq(msg_submit_get(&h->k, &m), 0);
		check_envelope(&m.envelope, messages[i].lacks);
		/* Not an octet more or less. */
		ck_assert_uint_eq(m.content.n, strlen(messages[i].content) - 1);
		queue_says(250, "done");
		client_expect(h->client, "250 done");
	}
	stop();
}
END_TEST

START_TEST(so_it_is_of_what_goes_through_a_pipe)
{
	char *content = make_content(200 * 1024);
	struct msg_submit m;

	greet_local();
	begin_local();
	client_say(h->client, "Date: x\r\n");
	client_send(h->client, content, 200 * 1024);
	seam_recv(h->queue, &h->k, QUEUE_OPEN);
	ck_assert_int_eq(msg_submit_get(&h->k, &m), 0);
	check_envelope(&m.envelope, LACKS_FROM | LACKS_MESSAGE_ID);
	free(content);
	/* Half of a message is none. */
	close(h->client);
	seam_recv(h->queue, &h->k, QUEUE_RCPTS);
	seam_recv(h->queue, &h->k, QUEUE_ABORT);
	stop();
}
END_TEST

START_TEST(a_listener_that_master_cannot_mean_is_not_taken)
{
	int fd = listen_unix();

	msg_listener_put(
	    seam_body(), &(struct msg_listener){ LISTENER_SUBMIT + 7 });
	seam_send(h->d.master, MASTER_LISTENER, 0, fd);
	close(fd);
	/* Nobody listens there any more. */
	h->client = socket(AF_UNIX, SOCK_STREAM, 0);
	for (int i = 0; i < 1000; i++) {
		if (connect(h->client, (struct sockaddr *)&sun, nsun) == -1) {
			stop();
			return;
		}
		close(h->client);
		h->client = socket(AF_UNIX, SOCK_STREAM, 0);
		usleep(1000);
	}
	ck_abort_msg("it listens");
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("smtpd_submit");
	TCase *tc = tcase_create("submit");
	SRunner *r;
	int failed;

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, set_up, NULL);
	tcase_add_test(tc, queue_is_told_the_uid_and_what_is_missing);
	tcase_add_test(tc, so_it_is_of_what_goes_through_a_pipe);
	tcase_add_test(tc, a_listener_that_master_cannot_mean_is_not_taken);
	suite_add_tcase(s, tc);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
