/*
 * test_smtpd_peers.c - the real smtpd: lookup and queue go away, come back, and
 * say what they may not.
 */
#include <check.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/msg/master.h"
#include "common/msg/smtpd_lookup.h"
#include "common/msg/smtpd_queue.h"
#include "tests/seams/client.h"
#include "tests/seams/smtpd_house.h"

#define BIG (3 * 1024 * 1024)

static struct smtpd_house *h;

static void
set_up(void)
{
	h = start("reject", 100, 300);
}

START_TEST(without_queue_there_is_451_until_it_is_back)
{
	greet();
	begin_message();
	client_say(h->client, "text\r\n.");
	seam_recv(h->queue, &h->k, QUEUE_SUBMIT);
	close(h->queue);
	client_expect(h->client, "451 4.3.0");
	client_say(h->client, "MAIL FROM:<>");
	client_expect(h->client, "451 4.3.0");
	h->queue = seam_connect(&h->d, PEER_QUEUE, 0);
	silence(h->queue);
	begin_message();
	client_say(h->client, "text\r\n.");
	seam_recv(h->queue, &h->k, QUEUE_SUBMIT);
	queue_says(250, "done");
	client_expect(h->client, "250 done");
	stop();
}
END_TEST

START_TEST(queue_lost_within_a_large_message)
{
	char *content = make_content(BIG);

	greet();
	begin_message();
	client_send(h->client, content, 100000);
	expect_open(1);
	close(h->queue);
	close(h->k.fd);
	client_send(h->client, content, BIG);
	client_say(h->client, ".");
	client_expect(h->client, "451 4.3.0");
	h->queue = seam_connect(&h->d, PEER_QUEUE, 0);
	client_say(h->client, "NOOP");
	client_expect(h->client, "250");
	free(content);
	stop();
}
END_TEST

START_TEST(queue_says_when_mail_is_accepted)
{
	greet();
	answer(h->queue, QUEUE_STATE, 0, 452, SCOPE_SESSION, "full");
	silence(h->queue);
	client_say(h->client, "MAIL FROM:<>");
	client_expect(h->client, "452 full");
	answer(h->queue, QUEUE_STATE, 0, 250, SCOPE_SESSION, "");
	silence(h->queue);
	client_say(h->client, "MAIL FROM:<>");
	client_expect(h->client, "250 2.1.0");
	stop();
}
END_TEST

START_TEST(a_new_lookup_is_told_of_every_session)
{
	int late;

	greet();
	client_say(h->client, "MAIL FROM:<>\r\nRCPT TO:<a@x.example>\r\nNOOP");
	client_expect(h->client, "250");
	seam_recv(h->lookup, &h->k, LOOKUP_RCPT);
	close(h->lookup);
	/* Told at once, and the session goes on. */
	client_expect(h->client, "451 4.3.0");
	client_expect(h->client, "250 2.0.0");
	client_say(h->client, "RCPT TO:<a@x.example>");
	client_expect(h->client, "451 4.3.0");
	late = client_connect(h->port);
	client_expect(late, "421 4.3.0");
	client_expect_end(late);
	h->lookup = seam_connect(&h->d, PEER_LOOKUP, 0);
	admit();
	client_say(h->client, "RCPT TO:<a@x.example>");
	judge("a@x.example", 250, SCOPE_DOMAIN);
	client_expect(h->client, "250 verdict");
	/* The verdict of a lookup goes with it. */
	close(h->lookup);
	silence(h->queue);
	h->lookup = seam_connect(&h->d, PEER_LOOKUP, 0);
	client_say(h->client, "RCPT TO:<b@x.example>");
	admit();
	judge("b@x.example", 550, SCOPE_RECIPIENT);
	client_expect(h->client, "550 verdict");
	stop();
}
END_TEST

START_TEST(a_new_lookup_may_refuse_a_session)
{
	greet();
	close(h->lookup);
	h->lookup = seam_connect(&h->d, PEER_LOOKUP, 0);
	seam_recv(h->lookup, &h->k, LOOKUP_CONNECT);
	answer(h->lookup, LOOKUP_CLIENT, h->k.id, 554, SCOPE_SESSION, "no");
	client_expect(h->client, "421 4.3.0");
	client_expect_end(h->client);
	stop();
}
END_TEST

START_TEST(a_refused_client_hears_why)
{
	h->client = client_connect(h->port);
	seam_recv(h->lookup, &h->k, LOOKUP_CONNECT);
	answer(
	    h->lookup, LOOKUP_CLIENT, h->k.id, 421, SCOPE_SESSION, "too many");
	client_expect(h->client, "421 too many");
	client_expect_end(h->client);
	seam_recv(h->lookup, &h->k, LOOKUP_GONE);
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
	channel = nonsense[_i].to_lookup ? h->lookup : h->queue;
	answer(channel, nonsense[_i].type, 7, nonsense[_i].code, SCOPE_SESSION,
	    "");
	closed(channel);
	seam_recv(h->d.master, &h->k, MASTER_COMPLAIN);
	ck_assert_int_eq(msg_complain_get(&h->k, &m), 0);
	ck_assert_int_eq(
	    m.kind, nonsense[_i].to_lookup ? PEER_LOOKUP : PEER_QUEUE);
	client_say(h->client, "NOOP");
	client_expect(h->client, "250");
	stop();
}
END_TEST

START_TEST(an_answer_before_the_end_cannot_be_250)
{
	char *content = make_content(100000);

	greet();
	begin_message();
	client_send(h->client, content, 100000);
	expect_open(1);
	queue_says(250, "all of it");
	closed(h->queue);
	client_say(h->client, ".");
	client_expect(h->client, "451 4.3.0");
	free(content);
	stop();
}
END_TEST

START_TEST(late_and_invented_answers_are_ignored)
{
	greet();
	answer(h->queue, QUEUE_ANSWER, 12345, 250, SCOPE_MESSAGE, "what?");
	answer(h->lookup, LOOKUP_VERDICT, 12345, 250, SCOPE_SESSION, "what?");
	begin_message();
	client_say(h->client, ".");
	seam_recv(h->queue, &h->k, QUEUE_SUBMIT);
	queue_says(250, "done");
	queue_says(250, "twice");
	client_expect(h->client, "250 done");
	client_say(h->client, "NOOP");
	client_expect(h->client, "250 2.0.0 OK");
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
	Suite *s = suite_create("smtpd_peers");
	TCase *tc;
	SRunner *r;
	int failed;

	tc = add(s, "peers", set_up);
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
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
