/*
 * test_queue_reload.c - queue while agents with another configuration take over.
 */
#include <sys/mman.h>

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/msg/master.h"
#include "tests/seams/queue_house.h"

/* Those that were started behind queue, which is number 1. */
#define NEWER 2

static struct queue_house *q;

static void
before(void)
{
	q = set_up();
}

/* MASTER_OLD_PEER: one that retires, older than queue. */
static int
old_peer(enum peer kind)
{
	const struct msg_peer peer = { kind, 0 };
	int pair[2];

	ck_assert_int_eq(channel_pair(pair), 0);
	msg_peer_put(seam_body(), &peer);
	seam_send(q->d.master, MASTER_OLD_PEER, 0, pair[1]);
	close(pair[1]);
	return pair[0];
}

static uint64_t
deliver_to(int agent, const char *rcpt, const char *user)
{
	uint64_t id = submit_one("a@example", rcpt, "x\r\n");

	to_mailbox(rcpt, user);
	delivered_to(agent, id, rcpt);
	return id;
}

START_TEST(the_new_agent_gets_what_comes_and_the_old_one_ends)
{
	const uint32_t zero = 0;
	struct handout h;
	int old;

	begin();
	deliver_to(q->local, "a@example.org", "u");
	h = q->delivery.handout;
	old = q->local;
	q->local = seam_connect(&q->d, PEER_LOCAL, NEWER);
	/* Nothing to either while the new one has not said that it is there. */
	submit_one("a@example", "b@example.org", "x\r\n");
	to_mailbox("b@example.org", "v");
	silence(q->local);
	silence(old);
	hello(q->local);
	delivered_to(q->local, 0, "b@example.org");
	result(q->local, 250, SCOPE_RECIPIENT);
	/* Its result is recorded as ever, and then no more can come. */
	send_result(old, &h, &zero, 1, 250, SCOPE_RECIPIENT, true);
	recorded(old, &h);
	ck_assert(seam_closed(old));
	close(old);
	counted(0);
	stop();
}
END_TEST

START_TEST(an_old_agent_without_work_ends_at_once)
{
	int old;

	begin();
	old = q->remote;
	q->remote = seam_connect(&q->d, PEER_REMOTE, NEWER);
	ck_assert(seam_closed(old));
	close(old);
	hello(q->remote);
	submit_one("a@example", "b@far.example", "x\r\n");
	to_host("b@far.example", "192.0.2.1");
	delivered_to(q->remote, 0, "b@far.example");
	result(q->remote, 250, SCOPE_RECIPIENT);
	counted(0);
	stop();
}
END_TEST

START_TEST(an_old_agent_that_dies_leaves_its_work_to_the_new_one)
{
	int old;

	begin();
	deliver_to(q->local, "a@example.org", "u");
	old = q->local;
	q->local = seam_connect(&q->d, PEER_LOCAL, NEWER);
	hello(q->local);
	silence(q->local);
	close(old);
	to_mailbox("a@example.org", "u");
	delivered_to(q->local, 0, "a@example.org");
	ck_assert(q->delivery.maybe);
	result(q->local, 250, SCOPE_RECIPIENT);
	counted(0);
	stop();
}
END_TEST

/* An answer for what the other one has is none. */
START_TEST(neither_answers_for_the_other)
{
	const uint32_t zero = 0;
	struct handout h;
	int old;

	begin();
	deliver_to(q->local, "a@example.org", "u");
	h = q->delivery.handout;
	old = q->local;
	q->local = seam_connect(&q->d, PEER_LOCAL, NEWER);
	hello(q->local);
	send_result(q->local, &h, &zero, 1, 250, SCOPE_RECIPIENT, true);
	refused(q->local, PEER_LOCAL);
	ck_assert_uint_eq(count(), 1);
	send_result(old, &h, &zero, 1, 250, SCOPE_RECIPIENT, true);
	recorded(old, &h);
	close(old);
	counted(0);
	stop();
}
END_TEST

/* Queue dies while an old agent is at work: the new queue is told of both. */
START_TEST(a_new_queue_waits_for_the_word_of_the_old_agent)
{
	const uint32_t zero = 0;
	struct handout h;
	int old;

	begin();
	deliver_to(q->local, "a@example.org", "u");
	h = q->delivery.handout;
	kill_queue();
	hang_up();
	seam_start(&q->d, "queue", &q->conf);
	q->smtpd = seam_connect(&q->d, PEER_SMTPD, 0);
	q->lookup = seam_connect(&q->d, PEER_LOOKUP, 0);
	old = old_peer(PEER_LOCAL);
	q->local = seam_connect(&q->d, PEER_LOCAL, 0);
	q->remote = seam_connect(&q->d, PEER_REMOTE, 0);
	q->control = seam_connect(&q->d, PEER_CONTROL, 0);
	expect_state(250);
	hello(q->local);
	hello(q->remote);
	to_mailbox("a@example.org", "u");
	silence(q->local);
	underway(old, &h, &zero, 1);
	hello(old);
	silence(q->local);
	silence(old);
	/* What comes meanwhile goes to the new one only. */
	deliver_to(q->local, "b@example.org", "v");
	result(q->local, 250, SCOPE_RECIPIENT);
	send_result(old, &h, &zero, 1, 250, SCOPE_RECIPIENT, true);
	recorded(old, &h);
	ck_assert(seam_closed(old));
	close(old);
	counted(0);
	stop();
}
END_TEST

START_TEST(an_old_agent_with_nothing_is_let_go_by_a_new_queue)
{
	int old;

	begin();
	old = old_peer(PEER_REMOTE);
	hello(old);
	ck_assert(seam_closed(old));
	close(old);
	ck_assert_uint_eq(count(), 0);
	stop();
}
END_TEST

static void
settings(const struct conf *conf)
{
	char *p = malloc(CONF_BLOB_MAX);
	struct wire_put w = wire_writer(p, CONF_BLOB_MAX);
	int fd = memfd_create("settings", MFD_CLOEXEC);

	ck_assert_ptr_nonnull(p);
	ck_assert_int_ne(fd, -1);
	conf_put(&w, conf);
	ck_assert_int_eq(write(fd, p, w.n), (ssize_t)w.n);
	free(p);
	(void)seam_body();
	seam_send(q->d.master, MASTER_SETTINGS, 0, fd);
	close(fd);
}

static void
received_by(const char *host)
{
	struct span p = q->delivery.prefix;
	char by[64];

	snprintf(by, sizeof by, "by %s ", host);
	ck_assert_msg(
	    memmem(p.p, p.n, by, strlen(by)) != NULL, "%.*s", (int)p.n, p.p);
}

START_TEST(settings_change_without_a_restart)
{
	struct conf other;

	q->conf.retry_first = q->conf.retry_max = 6000;
	begin();
	deliver_to(q->local, "a@example.org", "u");
	received_by(q->conf.hostname);
	result(q->local, 450, SCOPE_RECIPIENT);
	counted(1);
	other = q->conf;
	strcpy(other.hostname, "other.example");
	other.retry_first = 1;
	other.message_size = 4;
	settings(&other);
	/* A time that is set stays; what fails from now on is tried soon. */
	silence(q->lookup);
	deliver_to(q->local, "b@example.org", "v");
	received_by("other.example");
	result(q->local, 450, SCOPE_RECIPIENT);
	to_mailbox("b@example.org", "v");
	delivered_to(q->local, 0, "b@example.org");
	result(q->local, 250, SCOPE_RECIPIENT);
	/* An smtpd keeps the limits that it was started with … */
	submit(
	    "a@example", (const char *[]){ "c@example.org" }, 1, "12345\r\n");
	accepted();
	to_mailbox("c@example.org", "w");
	delivered_to(q->local, 0, "c@example.org");
	result(q->local, 250, SCOPE_RECIPIENT);
	/* … and a new one has those of now. */
	close(q->smtpd);
	q->smtpd = seam_connect(&q->d, PEER_SMTPD, NEWER);
	expect_state(250);
	submit(
	    "a@example", (const char *[]){ "c@example.org" }, 1, "12345\r\n");
	not_accepted(552);
	stop();
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("queue_reload");
	TCase *t = tcase_create("queue_reload");
	SRunner *r = srunner_create(s);
	int failed;

	suite_add_tcase(s, t);
	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, before, tear_down);
	tcase_add_test(t, the_new_agent_gets_what_comes_and_the_old_one_ends);
	tcase_add_test(t, an_old_agent_without_work_ends_at_once);
	tcase_add_test(
	    t, an_old_agent_that_dies_leaves_its_work_to_the_new_one);
	tcase_add_test(t, neither_answers_for_the_other);
	tcase_add_test(t, a_new_queue_waits_for_the_word_of_the_old_agent);
	tcase_add_test(t, an_old_agent_with_nothing_is_let_go_by_a_new_queue);
	tcase_add_test(t, settings_change_without_a_restart);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
