/*
 * test_queue_peers.c - who dies, who lies, and hosts that do not answer.
 */
#include <check.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/bytes/id.h"
#include "common/msg/master.h"
#include "common/msg/reply.h"
#include "tests/seams/queue_house.h"

static struct queue_house *q;

static void
before(void)
{
	q = set_up();
}

/* --- who dies, and who lies -------------------------------------------------------
 */

START_TEST(an_accepted_message_outlives_queue)
{
	uint64_t id;

	begin();
	id = submit_one("a@example", "bob@example.org", "text\r\n");
	kill_queue();
	begin();
	to_mailbox("bob@example.org", "bob");
	delivered_to(q->local, id, "bob@example.org");
	ck_assert(span_eq(q->delivery.content, SPAN("text\r\n")));
	ck_assert(q->delivery.maybe);
	result(q->local, 250, SCOPE_RECIPIENT);
	kill_queue();
	begin();
	silence(q->lookup);
	ck_assert_uint_eq(count(), 0);
	stop();
}
END_TEST

START_TEST(what_is_under_way_is_not_handed_out_again)
{
	static const char *const to[] = { "a@example.org", "b@example.org" };
	struct handout h, old;

	begin();
	submit("s@example", to, 2, "x\r\n");
	accepted();
	to_mailbox(to[0], "u");
	to_mailbox(to[1], "u");
	delivered_to(q->local, 0, to[0]);
	h = q->delivery.handout;
	ck_assert_uint_eq(q->delivery.nrcpts, 2);
	kill_queue();
	start();
	/* The new one asks at once, but local may still have them. */
	to_mailbox(to[0], "u");
	underway(q->local, &h, (uint32_t[]){ 0, 1 }, 2);
	old = (struct handout){ h.message, h.attempt - 1 };
	underway(q->local, &old, (uint32_t[]){ 9 }, 1);
	hello(q->local);
	hello(q->remote);
	(void)asked(to[1]);
	silence(q->local);
	/* A result that was lost with the old queue comes again. */
	send_result(
	    q->local, &h, (uint32_t[]){ 0 }, 1, 250, SCOPE_RECIPIENT, false);
	send_result(
	    q->local, &h, (uint32_t[]){ 1 }, 1, 450, SCOPE_RECIPIENT, true);
	recorded(q->local, &h);
	/* of one that is not known any more */
	send_result(
	    q->local, &old, (uint32_t[]){ 9 }, 1, 250, SCOPE_RECIPIENT, true);
	recorded(q->local, &old);
	counted(1);
	to_mailbox(to[1], "u");
	delivered_to(q->local, h.message, to[1]);
	ck_assert_uint_gt(q->delivery.handout.attempt, h.attempt);
	result(q->local, 250, SCOPE_RECIPIENT);
	counted(0);
	stop();
}
END_TEST

START_TEST(an_agent_that_dies_leaves_a_maybe)
{
	uint64_t id;

	begin();
	id = submit_one("a@example", "bob@example.org", "x\r\n");
	to_mailbox("bob@example.org", "bob");
	delivered_to(q->local, id, "bob@example.org");
	ck_assert(!q->delivery.maybe);
	close(q->local);
	q->local = seam_connect(&q->d, PEER_LOCAL, 1);
	hello(q->local);
	silence(q->lookup);
	to_mailbox("bob@example.org", "bob");
	delivered_to(q->local, id, "bob@example.org");
	ck_assert(q->delivery.maybe);
	result(q->local, 250, SCOPE_RECIPIENT);
	counted(0);
	stop();
}
END_TEST

START_TEST(what_a_stop_cut_short_is_tried_soon)
{
	struct msg_result r = { .nrcpts = 1, .last = true };

	q->conf.retry_first = q->conf.retry_max = 600;
	begin();
	submit_one("a@example", "bob@example.org", "x\r\n");
	to_mailbox("bob@example.org", "bob");
	delivered_to(q->local, 0, "bob@example.org");
	r.handout = q->delivery.handout;
	reply_make(&r.reply, R_STOPPING, NULL);
	msg_result_put(seam_body(), &r);
	seam_send(q->local, AGENT_RESULT, 0, -1);
	recorded(q->local, &r.handout);
	silence(q->lookup);
	to_mailbox("bob@example.org", "bob");
	delivered_to(q->local, 0, "bob@example.org");
	result(q->local, 250, SCOPE_RECIPIENT);
	counted(0);
	stop();
}
END_TEST

/* One octet of the log's newest segment, wherever `text` stands in it. */
static void
damage(const char *text)
{
	char path[128], *bytes = malloc(q->conf.segment_size), *at;
	DIR *dir;
	const struct dirent *e;
	ssize_t n;
	int fd, hits = 0;

	snprintf(path, sizeof path, "%s/log", q->spool);
	ck_assert_ptr_nonnull(bytes);
	ck_assert_ptr_nonnull(dir = opendir(path));
	while ((e = readdir(dir)) != NULL) {
		fd = openat(dirfd(dir), e->d_name, O_RDWR);
		if (fd == -1 || e->d_name[0] == '.')
			continue;
		n = pread(fd, bytes, q->conf.segment_size, 0);
		at =
		    n > 0 ? memmem(bytes, (size_t)n, text, strlen(text)) : NULL;
		if (at != NULL && pwrite(fd, "?", 1, at - bytes) == 1)
			hits++;
		close(fd);
	}
	closedir(dir);
	free(bytes);
	ck_assert_int_eq(hits, 1);
}

START_TEST(a_damaged_content_is_not_delivered)
{
	struct msg_content content;
	struct msg_detail detail;
	uint64_t id;

	q->conf.expire = 4;
	start();
	id = submit_one("a@example", "bob@example.org", "precious text\r\n");
	to_mailbox("bob@example.org", "bob");
	damage("precious text");
	hello(q->local);
	silence(q->local);
	/* It is an attempt like others, and shown. */
	act(VERB_LIST, false, NULL);
	ck_assert_uint_eq(q->page.nrows, 1);
	ck_assert_uint_eq(q->page.rows[0].code, 451);
	ck_assert_uint_eq(q->page.rows[0].attempts, 1);
	msg_show_put(seam_body(), &(struct msg_show){ id, 0 });
	seam_send(q->control, CONTROL_SHOW, 1, -1);
	seam_recv(q->control, &q->k, CONTROL_DETAIL);
	ck_assert_int_eq(msg_detail_get(&q->k, &detail), 0);
	ck_assert(detail.damaged);
	ck_assert_ptr_nonnull(
	    strstr(detail.rcpts[0].reply.text, "damaged on our disk"));
	msg_show_put(seam_body(), &(struct msg_show){ id, 0 });
	seam_send(q->control, CONTROL_CAT, 1, -1);
	seam_recv(q->control, &q->k, CONTROL_CONTENT);
	ck_assert_int_eq(msg_content_get(&q->k, &content), 0);
	ck_assert_uint_ne(content.reply.code, 250);
	ck_assert_int_eq(q->k.fd, -1);
	/* The others are. */
	id = submit_one("a@example", "eve@example.org", "more text\r\n");
	to_mailbox("eve@example.org", "eve");
	delivered_to(q->local, id, "eve@example.org");
	result(q->local, 250, SCOPE_RECIPIENT);
	/* And in the end its sender knows. */
	to_mailbox("bob@example.org", "bob");
	to_mailbox("bob@example.org", "bob");
	to_mailbox("a@example", "a");
	delivered_to(q->local, 0, "a@example");
	content_has("Status: 5.4.7\r\n");
	content_has("451 4.3.0 Content of the message was damaged");
	result(q->local, 250, SCOPE_RECIPIENT);
	counted(0);
	stop();
}
END_TEST

START_TEST(lookup_may_die)
{
	begin();
	submit_one("a@example", "bob@example.org", "x\r\n");
	(void)asked("bob@example.org");
	close(q->lookup);
	q->lookup = seam_connect(&q->d, PEER_LOOKUP, 0);
	to_mailbox("bob@example.org", "bob");
	delivered_to(q->local, 0, "bob@example.org");
	/* no attempt was made */
	result(q->local, 250, SCOPE_RECIPIENT);
	counted(0);
	stop();
}
END_TEST

START_TEST(an_agent_answers_only_for_what_it_has)
{
	const uint32_t zero = 0, one = 1;
	struct handout h;
	uint64_t id;

	begin();
	id = submit_one("a@example", "bob@example.org", "x\r\n");
	to_mailbox("bob@example.org", "bob");
	delivered_to(q->local, id, "bob@example.org");
	h = q->delivery.handout;
	/* another agent's */
	send_result(q->remote, &h, &zero, 1, 250, SCOPE_RECIPIENT, true);
	refused(q->remote, PEER_REMOTE);
	close(q->remote);
	/* a recipient that is not in it */
	send_result(q->local, &h, &one, 1, 250, SCOPE_RECIPIENT, true);
	refused(q->local, PEER_LOCAL);
	close(q->local);
	ck_assert_uint_eq(count(), 1);
	q->local = seam_connect(&q->d, PEER_LOCAL, 1);
	q->remote = seam_connect(&q->d, PEER_REMOTE, 1);
	/* Once greeted, nobody can claim what this queue knows of itself. */
	underway(q->remote, &h, &zero, 1);
	hello(q->remote);
	send_result(q->remote, &h, &zero, 1, 250, SCOPE_RECIPIENT, true);
	recorded(q->remote, &h);
	ck_assert_uint_eq(count(), 1);
	hello(q->local);
	to_mailbox("bob@example.org", "bob");
	delivered_to(q->local, id, "bob@example.org");
	result(q->local, 250, SCOPE_RECIPIENT);
	counted(0);
	stop();
}
END_TEST

START_TEST(a_delivery_may_end_while_queue_stops)
{
	begin();
	submit_one("a@example", "bob@example.org", "x\r\n");
	to_mailbox("bob@example.org", "bob");
	delivered_to(q->local, 0, "bob@example.org");
	seam_body();
	seam_send(q->d.master, MASTER_STOP, 0, -1);
	submit("a@example", &(const char *){ "c@example.org" }, 1, "x\r\n");
	not_accepted(451);
	silence(q->lookup);
	result(q->local, 250, SCOPE_RECIPIENT);
	ck_assert_int_eq(seam_wait(&q->d), 0);
	hang_up();
	begin();
	silence(q->lookup);
	ck_assert_uint_eq(count(), 0);
	stop();
}
END_TEST

/* --- a host that does not answer ----------------------------------------------------
 */

/* Two hand-outs of remote, both of them delivered. */
static void
both(uint64_t id, const char *rcpt, uint64_t id2, const char *rcpt2)
{
	struct handout first;

	delivered_to(q->remote, id, rcpt);
	first = q->delivery.handout;
	delivered_to(q->remote, id2, rcpt2);
	result(q->remote, 250, SCOPE_RECIPIENT);
	send_result(q->remote, &first, (uint32_t[]){ 0 }, 1, 250,
	    SCOPE_RECIPIENT, true);
	recorded(q->remote, &first);
}

START_TEST(a_host_that_fails_holds_back_the_others)
{
	static const char *const to[] = { "a@b.example", "b@b.example",
		"c@b.example", "d@b.example" };
	char id[ID_LEN + 1];
	uint64_t ids[4];
	struct handout first;

	q->conf.retry_first = 600;
	q->conf.retry_max = 6000;
	begin();
	for (int i = 0; i < 4; i++) {
		ids[i] = submit_one("s@example", to[i], "x\r\n");
		to_host(to[i], "b.example");
	}
	/* two at once to one host */
	delivered_to(q->remote, ids[0], to[0]);
	first = q->delivery.handout;
	delivered_to(q->remote, ids[1], to[1]);
	silence(q->remote);
	send_result(
	    q->remote, &first, (uint32_t[]){ 0 }, 1, 451, SCOPE_HOST, true);
	recorded(q->remote, &first);
	result(q->remote, 451, SCOPE_HOST);
	silence(q->remote);
	silence(q->lookup);
	ck_assert_uint_eq(count(), 4);
	/* An administrator knows better. */
	id_format(id, ids[3]);
	act(VERB_RETRY, false, id);
	ck_assert_uint_eq(q->page.matched, 1);
	to_host(to[2], "b.example");
	to_host(to[3], "b.example");
	both(ids[2], to[2], ids[3], to[3]);
	silence(q->lookup);
	act(VERB_RETRY, false, NULL);
	ck_assert_uint_eq(q->page.matched, 2);
	to_host(to[0], "b.example");
	to_host(to[1], "b.example");
	both(ids[0], to[0], ids[1], to[1]);
	counted(0);
	stop();
}
END_TEST

/* Those that wait for a dead host are not forgotten. */
START_TEST(what_waits_behind_a_dead_host_expires)
{
	static const char *const to[] = { "a@b.example", "b@b.example",
		"c@b.example" };
	uint64_t ids[3];

	q->conf.expire = 3;
	q->conf.retry_first = 4;
	q->conf.host_concurrency = 1;
	begin();
	for (int i = 0; i < 3; i++) {
		ids[i] = submit_one("s@example", to[i], "x\r\n");
		to_host(to[i], "b.example");
	}
	delivered_to(q->remote, ids[0], to[0]);
	result(q->remote, 451, SCOPE_HOST);
	silence(q->remote);
	/* What was not tried itself shows why it waits. */
	act(VERB_LIST, false, NULL);
	ck_assert_uint_eq(q->page.nrows, 3);
	for (int i = 0; i < 3; i++)
		ck_assert_uint_eq(q->page.rows[i].code, 451);
	ck_assert_uint_eq(q->page.rows[1].attempts, 0);
	/* The first is due again, and waits as well. */
	to_host(to[0], "b.example");
	silence(q->remote);
	/* When the host has another chance the time of all is over. */
	for (int i = 0; i < 3; i++) {
		to_mailbox("s@example", "s");
		delivered_to(q->local, 0, "s@example");
		content_has("Status: 5.4.7\r\n");
		content_has("Diagnostic-Code: smtp; 451 4.1.1 what the host");
		result(q->local, 250, SCOPE_RECIPIENT);
	}
	silence(q->remote);
	counted(0);
	stop();
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("queue_peers");
	TCase *t = tcase_create("queue_peers");
	SRunner *r = srunner_create(s);
	int failed;

	suite_add_tcase(s, t);
	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, before, tear_down);
	tcase_add_test(t, an_accepted_message_outlives_queue);
	tcase_add_test(t, what_is_under_way_is_not_handed_out_again);
	tcase_add_test(t, an_agent_that_dies_leaves_a_maybe);
	tcase_add_test(t, what_a_stop_cut_short_is_tried_soon);
	tcase_add_test(t, a_damaged_content_is_not_delivered);
	tcase_add_test(t, lookup_may_die);
	tcase_add_test(t, an_agent_answers_only_for_what_it_has);
	tcase_add_test(t, a_delivery_may_end_while_queue_stops);
	tcase_add_test(t, a_host_that_fails_holds_back_the_others);
	tcase_add_test(t, what_waits_behind_a_dead_host_expires);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
