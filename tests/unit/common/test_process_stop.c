/*
 * test_process_stop.c - a real process, and each of its ends.
 */
#include "tests/unit/common/skeleton.h"

static const struct process_ops ops_bare = {
	.kind = PEER_REMOTE,
	.prepare = prepare,
	.sandbox = sandbox,
	.begin = begin,
};

/* Each of these is the end of master for the process: it stops. */
static const struct {
	uint16_t type;
	const char *body;
	size_t n;
	bool fd;
} nonsense[] = {
	{ MASTER_PEER, "\x2\x0\x0\x0\x0", 5, false }, /* no descriptor */
	{ MASTER_PEER, "\xff\x0\x0\x0\x0", 5, true }, /* no such kind */
	{ MASTER_PEER, "\x2\x0\x0\x0", 4, true },
	{ MASTER_PEER, "\x2\x0\x0\x0\x0\x0", 6, true },
	{ MASTER_LISTENER, "\x1\x0\x0\x0", 4, false },
	{ MASTER_LISTENER, "\x1\x0\x0", 3, true },
	{ MASTER_PING, "x", 1, false },
	{ MASTER_PING, "", 0, true },
	{ MASTER_READY, "", 0, false },
	{ 0xffff, "", 0, false },
};

START_TEST(nonsense_from_master_stops_the_process)
{
	struct child c = start(&ops, "1");
	struct heard h;

	wait_ready(&c);
	tell(c.fd, nonsense[_i].type, 0,
	    span_from(nonsense[_i].body, nonsense[_i].n),
	    nonsense[_i].fd ? STDIN_FILENO : -1);
	ck_assert(!hear(c.fd, &h));
	ck_assert_int_eq(ended(&c), 0);
}
END_TEST

START_TEST(sigterm_stops_and_other_signals_do_not)
{
	struct child c = start(&ops, "1");
	struct heard h;

	wait_ready(&c);
	kill(c.pid, SIGINT);
	kill(c.pid, SIGHUP);
	kill(c.pid, SIGPIPE);
	tell(c.fd, MASTER_PING, 1, SPAN(""), -1);
	ck_assert(hear(c.fd, &h));
	ck_assert_uint_eq(h.type, MASTER_PONG);
	kill(c.pid, SIGTERM);
	ck_assert_int_eq(ended(&c), 0);
}
END_TEST

START_TEST(a_process_without_more_ops_stops_at_once)
{
	struct child c = start(&ops_bare, "1");

	wait_ready(&c);
	tell(c.fd, MASTER_STOP, 0, SPAN(""), -1);
	ck_assert_int_eq(ended(&c), 0);
}
END_TEST

START_TEST(a_process_without_peers_is_given_none)
{
	struct child c = start(&ops_bare, "1");
	struct heard h;

	wait_ready(&c);
	tell(c.fd, MASTER_PEER, 0, SPAN("\2\0\0\0\0"), STDIN_FILENO);
	ck_assert(!hear(c.fd, &h));
	ck_assert_int_eq(ended(&c), 0);
}
END_TEST

START_TEST(a_stop_that_hangs_is_ended)
{
	struct child c = start(&ops, "666");

	wait_ready(&c);
	tell(c.fd, MASTER_STOP, 0, SPAN(""), -1);
	tell(c.fd, MASTER_STOP, 0, SPAN(""), -1);
	ck_assert_int_eq(ended(&c), 1);
}
END_TEST

START_TEST(only_master_starts_it)
{
	struct child c = start(&ops, "x");

	ck_assert_int_eq(ended(&c), 1);
}
END_TEST

START_TEST(users_are_named_after_the_programs)
{
	ck_assert_ptr_null(process_user(PEER_MASTER));
	ck_assert_str_eq(process_user(PEER_SMTPD), "sallyport-smtpd");
	for (enum peer p = PEER_LOGGER; p <= PEER_SMTPD; p++) {
		ck_assert_int_eq(strncmp(process_user(p), USER_PREFIX, 10), 0);
		ck_assert_str_eq(process_user(p) + 10, peer_name(p));
	}
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("process_stop");
	TCase *t = tcase_create("process");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_set_timeout(t, STOP_SECONDS + 10);
	tcase_add_loop_test(t, nonsense_from_master_stops_the_process, 0,
	    sizeof nonsense / sizeof nonsense[0]);
	tcase_add_test(t, sigterm_stops_and_other_signals_do_not);
	tcase_add_test(t, a_process_without_more_ops_stops_at_once);
	tcase_add_test(t, a_process_without_peers_is_given_none);
	tcase_add_test(t, a_stop_that_hangs_is_ended);
	tcase_add_test(t, only_master_starts_it);
	tcase_add_test(t, users_are_named_after_the_programs);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
