/*
 * test_local_peers.c - local's children and its queue: work, death, windows
 * and nonsense.
 */
#include <signal.h>

#include "tests/seams/local_house.h"

START_TEST(results_wait_for_the_next_queue)
{
	struct fixture f;
	struct msg_deliver one, two;

	set_up(&f);
	one = handout(&f, "bob", "bob@example.org");
	send_handout(&f, &one, -1);
	get_result(&f);
	/* Nothing was recorded when queue died; another one comes. */
	close(f.queue);
	ck_assert_uint_eq(connect_queue(&f, 2), 1);
	get_result(&f);
	ck_assert_uint_eq(result.handout.attempt, one.handout.attempt);
	ck_assert_uint_eq(result.reply.code, 250);
	record(&f, &one);
	two = handout(&f, "ann", "ann@example.org");
	ck_assert_uint_eq(deliver(&f, &two), 250);
	close(f.queue);
	ck_assert_uint_eq(connect_queue(&f, 3), 0);
	tear_down(&f);
}
END_TEST

/* A FIFO in the place of a directory does not hold up a child; what does is the
 * test's SIGSTOP.  The pid of the one child that there is. */
static pid_t
child_of(const struct fixture *f)
{
	char path[64], text[256] = "";
	int fd;

	snprintf(path, sizeof path, "/proc/%d/task/%d/children", f->seam.pid,
	    f->seam.pid);
	if ((fd = open(path, O_RDONLY)) == -1)
		return 0;
	ck_assert_int_ge(read(fd, text, sizeof text - 1), 0);
	close(fd);
	return atoi(text);
}

START_TEST(a_child_that_dies_takes_only_its_own)
{
	struct fixture f;
	struct msg_deliver d;
	pid_t child;

	set_up(&f);
	d = handout(&f, "bob", "bob@example.org");
	ck_assert_uint_eq(deliver(&f, &d), 250);
	child = child_of(&f);
	ck_assert_int_gt(child, 0);
	ck_assert_int_eq(kill(child, SIGSTOP), 0);
	d = handout(&f, "ann", "ann@example.org");
	send_handout(&f, &d, -1);
	usleep(100000);
	ck_assert_int_eq(kill(child, SIGKILL), 0);
	get_result(&f);
	ck_assert_uint_eq(result.reply.code, 451);
	ck_assert(result.last);
	record(&f, &d);
	d = handout(&f, "ann", "ann@example.org");
	d.maybe = true;
	ck_assert_uint_eq(deliver(&f, &d), 250);
	tear_down(&f);
}
END_TEST

START_TEST(a_child_ends_when_it_has_no_work)
{
	struct fixture f;
	struct msg_deliver d;

	set_up(&f);
	d = handout(&f, "bob", "bob@example.org");
	ck_assert_uint_eq(deliver(&f, &d), 250);
	ck_assert_int_gt(child_of(&f), 0);
	for (int i = 0; i < 100 && child_of(&f) != 0; i++)
		usleep(100000);
	ck_assert_int_eq(child_of(&f), 0);
	d = handout(&f, "ann", "ann@example.org");
	ck_assert_uint_eq(deliver(&f, &d), 250);
	tear_down(&f);
}
END_TEST

/* Its user may stop it; it does not hold a place for ever. */
START_TEST(a_child_that_was_stopped_is_ended)
{
	struct fixture f;
	struct msg_deliver d;
	pid_t child;

	set_up(&f);
	d = handout(&f, "bob", "bob@example.org");
	ck_assert_uint_eq(deliver(&f, &d), 250);
	child = child_of(&f);
	ck_assert_int_gt(child, 0);
	ck_assert_int_eq(kill(child, SIGSTOP), 0);
	for (int i = 0; i < 200 && child_of(&f) != 0; i++)
		usleep(100000);
	ck_assert_int_eq(child_of(&f), 0);
	d = handout(&f, "ann", "ann@example.org");
	ck_assert_uint_eq(deliver(&f, &d), 250);
	tear_down(&f);
}
END_TEST

/* Killed without a word, its child finishes what it has. */
START_TEST(a_delivery_survives_the_death_of_local)
{
	struct fixture f;
	struct msg_deliver d;
	char name[256];
	pid_t child;

	set_up(&f);
	d = handout(&f, "bob", "bob@example.org");
	ck_assert_uint_eq(deliver(&f, &d), 250);
	child = child_of(&f);
	ck_assert_int_eq(kill(child, SIGSTOP), 0);
	d = handout(&f, "ann", "ann@example.org");
	send_handout(&f, &d, -1);
	usleep(100000);
	ck_assert_int_eq(kill(f.seam.pid, SIGKILL), 0);
	ck_assert_int_eq(seam_wait(&f.seam), -1);
	ck_assert_uint_eq(entries(&f, "ann", "new", name), 0);
	ck_assert_int_eq(kill(child, SIGCONT), 0);
	for (int i = 0; i < 100 && kill(child, 0) == 0; i++)
		usleep(100000);
	ck_assert_uint_eq(entries(&f, "ann", "new", name), 1);
	/* The next one has it at once, and only once. */
	close(f.queue);
	start(&f);
	connect_queue(&f, 2);
	d = handout(&f, "ann", "ann@example.org");
	d.maybe = true;
	ck_assert_uint_eq(deliver(&f, &d), 250);
	ck_assert_uint_eq(entries(&f, "ann", "new", name), 1);
	tear_down(&f);
}
END_TEST

START_TEST(many_at_once_all_arrive)
{
	struct fixture f;
	struct msg_deliver d;
	char name[256], user[16], rcpt[64];
	unsigned done = 0, sent = 0;

	set_up(&f);
	while (done < 500) {
		while (sent < 500 && sent - done < WINDOW) {
			snprintf(user, sizeof user, "u%u", sent % 7);
			snprintf(rcpt, sizeof rcpt, "%s@example.org", user);
			d = handout(&f, user, rcpt);
			d.rcpts[0].index = sent++;
			send_handout(&f, &d, -1);
		}
		get_result(&f);
		ck_assert_uint_eq(result.reply.code, 250);
		d.handout = result.handout;
		record(&f, &d);
		done++;
	}
	done = 0;
	for (unsigned i = 0; i < 7; i++) {
		snprintf(user, sizeof user, "u%u", i);
		done += entries(&f, user, "new", name);
	}
	ck_assert_uint_eq(done, 500);
	tear_down(&f);
}
END_TEST

START_TEST(more_than_the_window_is_a_fault)
{
	struct fixture f;
	struct msg_deliver d;
	pid_t child;

	set_up(&f);
	d = handout(&f, "bob", "bob@example.org");
	ck_assert_uint_eq(deliver(&f, &d), 250);
	child = child_of(&f);
	ck_assert_int_eq(kill(child, SIGSTOP), 0);
	for (unsigned i = 0; i <= WINDOW; i++) {
		d = handout(&f, "bob", "bob@example.org");
		d.rcpts[0].index = 1 + i;
		send_handout(&f, &d, -1);
	}
	ck_assert(seam_closed(f.queue));
	close(f.queue);
	ck_assert_uint_eq(connect_queue(&f, 2), WINDOW);
	ck_assert_int_eq(kill(child, SIGCONT), 0);
	for (unsigned i = 0; i < WINDOW; i++) {
		get_result(&f);
		ck_assert_uint_eq(result.reply.code, 250);
		d.handout = result.handout;
		record(&f, &d);
	}
	tear_down(&f);
}
END_TEST

START_TEST(nonsense_closes_the_channel_and_nothing_else)
{
	struct fixture f;
	struct msg_deliver d;

	set_up(&f);
	for (int i = 0; i < 5; i++) {
		d = handout(&f, "bob", "bob@example.org");
		if (i == 0) { /* the same recipient twice */
			d.nrcpts = 2;
			d.rcpts[1] = d.rcpts[0];
		} else if (i == 1) /* for remote */
			d.route = (struct route){ .kind = ROUTE_MX,
				.host = "example.org" };
		if (i < 2)
			send_handout(&f, &d, -1);
		else if (i == 2) /* not handed out */
			record(&f, &d);
		else if (i == 3) { /* twice */
			send_handout(&f, &d, -1);
			get_result(&f);
			send_handout(&f, &d, -1);
		} else {
			seam_body();
			seam_send(f.queue, AGENT_HELLO, 0, -1);
		}
		ck_assert_msg(seam_closed(f.queue), "case %d", i);
		close(f.queue);
		ck_assert_uint_eq(connect_queue(&f, 2), i >= 3);
		if (i >= 3)
			get_result(&f);
	}
	d = handout(&f, "ann", "ann@example.org");
	ck_assert_uint_eq(deliver(&f, &d), 250);
	close(f.queue);
	tear_down(&f);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("local_peers");
	TCase *t = tcase_create("local_peers");
	SRunner *r = srunner_create(s);
	int failed;

	suite_add_tcase(s, t);
	tcase_set_timeout(t, 120);
	tcase_add_test(t, results_wait_for_the_next_queue);
	tcase_add_test(t, a_child_that_dies_takes_only_its_own);
	tcase_add_test(t, a_child_ends_when_it_has_no_work);
	tcase_add_test(t, a_child_that_was_stopped_is_ended);
	tcase_add_test(t, a_delivery_survives_the_death_of_local);
	tcase_add_test(t, many_at_once_all_arrive);
	tcase_add_test(t, more_than_the_window_is_a_fault);
	tcase_add_test(t, nonsense_closes_the_channel_and_nothing_else);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
