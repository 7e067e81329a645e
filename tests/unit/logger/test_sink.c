/*
 * test_sink.c - lines go, or wait, or are counted; nobody hangs.
 */
#include <sys/socket.h>

#include <check.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "master/logger/sink.h"

static const char three[] = "one\ntwo 2\nthree\n";

static void
datagrams(int fds[2])
{
	ck_assert_int_eq(
	    socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, fds), 0);
}

static void
expect(int fd, const char *want)
{
	char got[64];
	ssize_t n = read(fd, got, sizeof got - 1);

	ck_assert_int_ge(n, 0);
	got[n] = '\0';
	ck_assert_str_eq(got, want);
}

START_TEST(a_line_is_a_datagram)
{
	char text[64];
	size_t n = sizeof three - 1;
	uint64_t lost = 0;
	struct sink s = { .datagrams = true };
	int fds[2];

	datagrams(fds);
	s.fd = fds[0];
	memcpy(text, three, n);
	ck_assert_int_eq(sink_write(&s, text, &n, &lost), SINK_DONE);
	ck_assert_uint_eq(n, 0);
	ck_assert_uint_eq(lost, 0);
	expect(fds[1], "one");
	expect(fds[1], "two 2");
	expect(fds[1], "three");
	close(fds[0]);
	close(fds[1]);
}
END_TEST

START_TEST(one_who_does_not_read_is_waited_for)
{
	char text[64];
	size_t n, sent = 0;
	uint64_t lost = 0;
	struct sink s = { .datagrams = true };
	enum sink_state state = SINK_DONE;
	int fds[2];

	datagrams(fds);
	s.fd = fds[0];
	for (int i = 0; i < 100000 && state == SINK_DONE; i++, sent++) {
		n = 4;
		memcpy(text, three, n);
		state = sink_write(&s, text, &n, &lost);
	}
	ck_assert_int_eq(state, SINK_BUSY);
	ck_assert_uint_gt(sent, 1);
	ck_assert_uint_eq(n, 4);
	ck_assert_uint_eq(lost, 0);
	expect(fds[1], "one");
	ck_assert_int_eq(sink_write(&s, text, &n, &lost), SINK_DONE);
	ck_assert_uint_eq(n, 0);
	close(fds[0]);
	close(fds[1]);
}
END_TEST

START_TEST(nobody_there)
{
	char text[64];
	size_t n = sizeof three - 1;
	uint64_t lost = 0;
	struct sink s = { .fd = -1, .datagrams = true };
	int fds[2];

	memcpy(text, three, n);
	ck_assert_int_eq(sink_write(&s, text, &n, &lost), SINK_GONE);
	datagrams(fds);
	close(fds[1]);
	s.fd = fds[0];
	ck_assert_int_eq(sink_write(&s, text, &n, &lost), SINK_GONE);
	/* All of it is there for the next one. */
	ck_assert_uint_eq(n, sizeof three - 1);
	ck_assert_int_eq(memcmp(text, three, n), 0);
	ck_assert_uint_eq(lost, 0);
	close(fds[0]);
}
END_TEST

START_TEST(a_slow_pipe_is_waited_for)
{
	static char text[256 * 1024];
	size_t n = 0, all;
	uint64_t lost = 0;
	struct sink s = { .datagrams = false };
	ssize_t got;
	int fds[2];

	ck_assert_int_eq(pipe(fds), 0);
	s.fd = fds[1];
	while (n + 10 <= sizeof text) {
		memcpy(text + n, "123456789\n", 10);
		n += 10;
	}
	all = n;
	ck_assert_int_eq(sink_write(&s, text, &n, &lost), SINK_BUSY);
	ck_assert_uint_gt(n, 0);
	ck_assert_uint_lt(n, all);
	/* What is left begins with a whole line. */
	ck_assert_int_eq(memcmp(text, "123456789\n", 10), 0);
	while (n > 0) {
		static char in[65536];

		got = read(fds[0], in, sizeof in);
		ck_assert_int_gt(got, 0);
		all -= (size_t)got;
		(void)sink_write(&s, text, &n, &lost);
	}
	ck_assert_uint_eq(lost, 0);
	ck_assert_uint_lt(all, 128 * 1024);
	close(fds[0]);
	close(fds[1]);
}
END_TEST

START_TEST(a_full_disk_loses_lines_and_counts_them)
{
	char text[64];
	size_t n = sizeof three - 1;
	uint64_t lost = 0;
	struct sink s = { .fd = open("/dev/full", O_WRONLY) };

	ck_assert_int_ne(s.fd, -1);
	memcpy(text, three, n);
	ck_assert_int_eq(sink_write(&s, text, &n, &lost), SINK_DONE);
	ck_assert_uint_eq(n, 0);
	ck_assert_uint_eq(lost, 3);
	close(s.fd);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("sink");
	TCase *t = tcase_create("sink");
	SRunner *r;
	int failed;

	suite_add_tcase(s, t);
	tcase_add_test(t, a_line_is_a_datagram);
	tcase_add_test(t, one_who_does_not_read_is_waited_for);
	tcase_add_test(t, nobody_there);
	tcase_add_test(t, a_slow_pipe_is_waited_for);
	tcase_add_test(t, a_full_disk_loses_lines_and_counts_them);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
