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

			ck_assert(channels_between(&x, &y));
			y.generation = &new;
			ck_assert_int_eq(channels_between(&x, &y),
			    channels_stays(x.kind) || channels_stays(y.kind));
		}
	ck_assert(channels_stays(PEER_QUEUE) && channels_stays(PEER_CONTROL) &&
	    channels_stays(PEER_LOGGER));
	ck_assert(!channels_stays(PEER_SMTPD) && !channels_stays(PEER_LOOKUP) &&
	    !channels_stays(PEER_LOCAL) && !channels_stays(PEER_REMOTE) &&
	    !channels_stays(PEER_RESOLVER));
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
	tcase_add_test(t, the_first_restart_is_at_once_and_later_ones_wait);
	tcase_add_test(t, many_failures_do_not_overflow);
	tcase_add_test(t, only_the_pairs_of_the_design_talk);
	tcase_add_test(t, generations_meet_only_in_those_that_stay);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
