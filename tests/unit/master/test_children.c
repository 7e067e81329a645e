/*
 * test_children.c - who is started again when, and who talks to whom.
 */
#include <check.h>

#include "master/master.h"

START_TEST(the_first_restart_is_at_once_and_later_ones_wait)
{
	static const unsigned delays[] = { 0, 1, 2, 4, 8, 16, 30, 30, 30 };
	unsigned failures = 0;

	for (size_t i = 0; i < sizeof delays / sizeof delays[0]; i++)
		ck_assert_uint_eq(child_delay(&failures, 0), delays[i]);
	/* Just short of a minute is not steady. */
	ck_assert_uint_eq(child_delay(&failures, STEADY_SECONDS - 1), 30);
	ck_assert_uint_eq(child_delay(&failures, STEADY_SECONDS), 0);
	ck_assert_uint_eq(child_delay(&failures, 5), 1);
}
END_TEST

START_TEST(many_failures_do_not_overflow)
{
	unsigned failures = 0;

	for (size_t i = 0; i < 100000; i++)
		ck_assert_uint_le(child_delay(&failures, 0), DELAY_MAX);
}
END_TEST

/* The table of DESIGN: who may talk to whom, both ways. */
START_TEST(only_the_pairs_of_the_design_talk)
{
	static const enum peer pairs[][2] = {
		{ PEER_SMTPD, PEER_LOOKUP },
		{ PEER_SMTPD, PEER_QUEUE },
		{ PEER_QUEUE, PEER_LOOKUP },
		{ PEER_QUEUE, PEER_LOCAL },
		{ PEER_QUEUE, PEER_REMOTE },
		{ PEER_REMOTE, PEER_RESOLVER },
		{ PEER_CONTROL, PEER_LOGGER },
		{ PEER_CONTROL, PEER_QUEUE },
	};
	const size_t n = sizeof pairs / sizeof pairs[0];
	size_t found = 0;

	for (size_t i = 0; i < n; i++) {
		ck_assert(channels_pair_of(pairs[i][0], pairs[i][1]));
		ck_assert(channels_pair_of(pairs[i][1], pairs[i][0]));
	}
	for (unsigned a = 0; a < PEER_END; a++)
		for (unsigned b = 0; b < PEER_END; b++)
			found += channels_pair_of((enum peer)a, (enum peer)b);
	ck_assert_uint_eq(found, 2 * n);
}
END_TEST

/* Two configurations side by side do not meet but in who stays. */
START_TEST(generations_meet_only_in_those_that_stay)
{
	struct generation old = { .number = 1 }, new = { .number = 2 };

	for (unsigned a = 0; a < PEER_END; a++)
		for (unsigned b = 0; b < PEER_END; b++) {
			struct child x = { .kind = (enum peer)a,
				.generation = &old };
			struct child y = { .kind = (enum peer)b,
				.generation = &old };
			bool meet =
			    channels_stays(x.kind) || channels_stays(y.kind);

			ck_assert(channels_between(&x, &y));
			y.generation = &new;
			/* Queue asks the lookup of its own configuration. */
			ck_assert_int_eq(channels_between(&x, &y),
			    meet && x.kind != PEER_LOOKUP &&
				y.kind != PEER_LOOKUP);
			/* One that is to come meets its like alone. */
			y.role = ROLE_NEXT;
			ck_assert(!channels_between(&x, &y));
			x.generation = &new;
			ck_assert(!channels_between(&x, &y));
			x.role = ROLE_NEXT;
			ck_assert(channels_between(&x, &y));
		}
	ck_assert(channels_stays(PEER_QUEUE) && channels_stays(PEER_CONTROL) &&
	    channels_stays(PEER_LOGGER));
	ck_assert(!channels_stays(PEER_SMTPD) && !channels_stays(PEER_LOOKUP) &&
	    !channels_stays(PEER_LOCAL) && !channels_stays(PEER_REMOTE) &&
	    !channels_stays(PEER_RESOLVER));
}
END_TEST

/* Pings and their answers, as two processes see them. */
static struct child two[2];
static struct master watched;

static void
nobody_asked(void)
{
	memset(two, 0, sizeof two);
	TAILQ_INIT(&watched.children);
	TAILQ_INSERT_TAIL(&watched.children, &two[0], link);
	TAILQ_INSERT_TAIL(&watched.children, &two[1], link);
}

static void
ask_both(void)
{
	for (size_t i = 0; i < 2; i++) {
		two[i].ready = true;
		two[i].pid = 1;
		two[i].asked++;
	}
}

START_TEST(an_answer_is_to_a_ping_that_waits_for_one)
{
	struct child c = { .asked = 5, .answered = 2 };

	ck_assert_uint_eq(child_unanswered(&c), 3);
	ck_assert_int_eq(child_answered(&c, 2), -1);
	ck_assert_int_eq(child_answered(&c, 6), -1);
	ck_assert_int_eq(child_answered(&c, 0), -1);
	ck_assert_int_eq(child_answered(&c, UINT32_MAX), -1);
	ck_assert_int_eq(child_answered(&c, 3), 0);
	ck_assert_uint_eq(child_unanswered(&c), 2);
	ck_assert_int_eq(child_answered(&c, 3), -1);
	ck_assert_int_eq(child_answered(&c, 5), 0);
	ck_assert_uint_eq(child_unanswered(&c), 0);
	ck_assert_int_eq(child_answered(&c, 5), -1);
	ck_assert_int_eq(child_answered(&c, 6), -1);
}
END_TEST

START_TEST(the_numbers_of_pings_may_begin_anew)
{
	struct child c = { .asked = 1, .answered = UINT32_MAX };

	ck_assert_uint_eq(child_unanswered(&c), 2);
	ck_assert_int_eq(child_answered(&c, 0), 0);
	ck_assert_int_eq(child_answered(&c, 1), 0);
	ck_assert_int_eq(child_answered(&c, 2), -1);
}
END_TEST

START_TEST(all_is_well_only_when_each_has_answered_since)
{
	ck_assert(!children_answered(&watched)); /* nobody was asked */
	ask_both();
	ck_assert(!children_answered(&watched));
	ck_assert_int_eq(child_answered(&two[0], 1), 0);
	ck_assert(!children_answered(&watched));
	ck_assert_int_eq(child_answered(&two[1], 1), 0);
	ck_assert(children_answered(&watched));
	/* The same answers do not count twice. */
	ck_assert(!children_answered(&watched));
	ask_both();
	ck_assert_int_eq(child_answered(&two[0], 2), 0);
	for (unsigned i = 0; i < 20; i++) {
		ck_assert(!children_answered(&watched));
		ask_both();
		ck_assert_int_eq(child_answered(&two[0], 3 + i), 0);
	}
	ck_assert_int_eq(child_answered(&two[1], 2), 0);
	ck_assert(children_answered(&watched));
}
END_TEST

/* An answer that was under way when it was fed is of no use the next time. */
START_TEST(who_is_always_late_is_well_as_well)
{
	ask_both();
	ck_assert_int_eq(child_answered(&two[0], 1), 0);
	ck_assert_int_eq(child_answered(&two[1], 1), 0);
	ask_both();
	ck_assert(children_answered(&watched));
	ck_assert_int_eq(child_answered(&two[0], 2), 0);
	ck_assert_int_eq(child_answered(&two[1], 2), 0);
	ck_assert(!children_answered(&watched));
	ask_both();
	ask_both();
	ck_assert_int_eq(child_answered(&two[0], 3), 0);
	ck_assert_int_eq(child_answered(&two[1], 3), 0);
	ck_assert(children_answered(&watched));
}
END_TEST

START_TEST(a_process_that_is_gone_or_starting_is_not_well)
{
	ask_both();
	ck_assert_int_eq(child_answered(&two[0], 1), 0);
	ck_assert_int_eq(child_answered(&two[1], 1), 0);
	two[1].pid = 0;
	ck_assert(!children_answered(&watched));
	two[1].pid = 1;
	two[1].ready = false;
	ck_assert(!children_answered(&watched));
	two[1].ready = true;
	ck_assert(children_answered(&watched));
}
END_TEST

/* They come and go: one that starts tells nothing, one that hangs does. */
START_TEST(a_process_for_a_session_counts_when_it_hangs)
{
	two[1].role = ROLE_SESSION;
	ask_both();
	ck_assert_int_eq(child_answered(&two[0], 1), 0);
	two[1].ready = false;
	ck_assert(children_answered(&watched));
	ask_both();
	ck_assert_int_eq(child_answered(&two[0], 2), 0);
	ck_assert(!children_answered(&watched)); /* two questions are open */
	ck_assert_int_eq(child_answered(&two[1], 1), 0);
	ck_assert(children_answered(&watched));
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("children");
	TCase *t = tcase_create("children");
	SRunner *r = srunner_create(s);
	int failed;

	suite_add_tcase(s, t);
	tcase_add_checked_fixture(t, nobody_asked, NULL);
	tcase_add_test(t, the_first_restart_is_at_once_and_later_ones_wait);
	tcase_add_test(t, many_failures_do_not_overflow);
	tcase_add_test(t, only_the_pairs_of_the_design_talk);
	tcase_add_test(t, generations_meet_only_in_those_that_stay);
	tcase_add_test(t, an_answer_is_to_a_ping_that_waits_for_one);
	tcase_add_test(t, the_numbers_of_pings_may_begin_anew);
	tcase_add_test(t, all_is_well_only_when_each_has_answered_since);
	tcase_add_test(t, who_is_always_late_is_well_as_well);
	tcase_add_test(t, a_process_that_is_gone_or_starting_is_not_well);
	tcase_add_test(t, a_process_for_a_session_counts_when_it_hangs);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
