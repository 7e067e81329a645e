/*
 * test_process.c - a real process: what it is given, and what it may do.
 */
#include "tests/unit/common/skeleton.h"

static struct span
packed(struct wire_put *w)
{
	return span_from(w->p, w->n);
}

START_TEST(a_ping_is_answered_with_the_counters)
{
	struct child c = start(&ops, "1");
	struct msg_counters n;
	struct heard h;

	wait_ready(&c);
	tell(c.fd, MASTER_PING, 42, SPAN(""), -1);
	ck_assert(hear(c.fd, &h));
	ck_assert_uint_eq(h.type, MASTER_PONG);
	ck_assert_uint_eq(h.id, 42);
	ck_assert_int_eq(msg_counters_get(&h.m, &n), 0);
	ck_assert_uint_eq(n.n, STATUS_COUNTERS_MAX);
	ck_assert_str_eq(n.c[0].name, "sessions");
	ck_assert_uint_eq(n.c[0].value, 7);
	tell(c.fd, MASTER_STOP, 0, SPAN(""), -1);
	ck_assert_int_eq(ended(&c), 0);
}
END_TEST

START_TEST(a_process_has_no_power)
{
	struct child c = start(&ops, "1");
	char path[64], line[128];
	int found = 0;
	FILE *f;

	wait_ready(&c);
	snprintf(path, sizeof path, "/proc/%d/status", (int)c.pid);
	f = fopen(path, "r");
	ck_assert_ptr_nonnull(f);
	while (fgets(line, sizeof line, f) != NULL) {
		found += strcmp(line, "NoNewPrivs:\t1\n") == 0;
		found += strcmp(line, "Seccomp:\t2\n") == 0;
		found += strcmp(line, "CapPrm:\t0000000000000000\n") == 0;
		found += strcmp(line, "CapEff:\t0000000000000000\n") == 0;
	}
	fclose(f);
	ck_assert_int_eq(found, 4);
	close(c.fd);
	ck_assert_int_eq(ended(&c), 0);
}
END_TEST

START_TEST(a_peer_is_handed_over)
{
	struct child c = start(&ops, "1");
	const struct msg_peer peer = { PEER_LOOKUP, 12 };
	char body[16];
	struct wire_put w = wire_writer(body, sizeof body);
	struct heard h;
	int fds[2];

	msg_peer_put(&w, &peer);
	wait_ready(&c);
	ck_assert_int_eq(channel_pair(fds), 0);
	tell(c.fd, MASTER_PEER, 0, packed(&w), fds[1]);
	close(fds[1]);
	ck_assert(hear(fds[0], &h));
	ck_assert_mem_eq(h.p, "lookup 12", 9);
	ck_assert(!hear(fds[0], &h));
	close(c.fd);
	ck_assert_int_eq(ended(&c), 0);
}
END_TEST

START_TEST(a_forbidden_call_ends_the_process)
{
	struct child c = start(&ops, "1");

	wait_ready(&c);
	tell(c.fd, MASTER_LISTENER, 0, SPAN("\0\0\0\0"), c.fd);
	ck_assert_int_eq(ended(&c), -SIGSYS);
}
END_TEST

START_TEST(a_complaint_reaches_master)
{
	struct child c = start(&ops, "1");
	struct msg_complain complaint;
	struct heard h;

	wait_ready(&c);
	tell(c.fd, MASTER_LISTENER, 0, SPAN("\1\0\0\0"), STDIN_FILENO);
	ck_assert(hear(c.fd, &h));
	ck_assert_uint_eq(h.type, MASTER_COMPLAIN);
	ck_assert_int_eq(msg_complain_get(&h.m, &complaint), 0);
	ck_assert_int_eq(complaint.kind, PEER_QUEUE);
	ck_assert_uint_eq(complaint.instance, 5);
	close(c.fd);
	ck_assert_int_eq(ended(&c), 0);
}
END_TEST

START_TEST(own_rules_stand_behind_the_common_ones)
{
	struct child c = start(&ops, "1");
	struct heard h;

	wait_ready(&c);
	tell(c.fd, EXTRA_TYPE, 9, SPAN(""), -1);
	ck_assert(hear(c.fd, &h));
	ck_assert_uint_eq(h.type, EXTRA_REPLY);
	ck_assert_uint_eq(h.id, 9);
	close(c.fd);
	ck_assert_int_eq(ended(&c), 0);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("process");
	TCase *t = tcase_create("process");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_set_timeout(t, STOP_SECONDS + 10);
	tcase_add_test(t, a_ping_is_answered_with_the_counters);
	tcase_add_test(t, a_process_has_no_power);
	tcase_add_test(t, a_peer_is_handed_over);
	tcase_add_test(t, a_forbidden_call_ends_the_process);
	tcase_add_test(t, a_complaint_reaches_master);
	tcase_add_test(t, own_rules_stand_behind_the_common_ones);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
