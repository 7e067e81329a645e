/*
 * test_account.c - system users, asked of the helper.
 */
#include <check.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/run/account.h"
#include "common/run/account_helper.h"

static struct event_base *base;
static struct account got;
static unsigned answers;

static void
on_answer(void *arg, const struct account *a)
{
	(void)arg;
	got = *a;
	answers++;
}

static void
wait_answers(unsigned n)
{
	while (answers < n)
		event_base_loop(base, EVLOOP_ONCE);
	ck_assert_uint_eq(answers, n);
}

static struct accounts *
start(bool groups)
{
	static struct conf conf;
	struct accounts *as = accounts_start(&conf, NULL, groups);

	answers = 0;
	base = event_base_new();
	accounts_begin(as, base);
	return as;
}

static void
end(struct accounts *as)
{
	accounts_free(as);
	event_base_free(base);
}

START_TEST(those_who_are_there_and_those_who_are_not)
{
	struct accounts *as = start(true);
	const struct passwd *pw = getpwuid(0);

	ck_assert_ptr_nonnull(pw);
	accounts_ask(as, span_of(pw->pw_name), on_answer, NULL);
	wait_answers(1);
	ck_assert_int_eq(got.state, ACCOUNT_FOUND);
	ck_assert_uint_eq(got.uid, 0);
	ck_assert_str_eq(got.name, pw->pw_name);
	ck_assert_str_eq(got.home, pw->pw_dir);
	ck_assert_uint_ge(got.ngroups, 1);
	ck_assert_uint_eq(got.groups[0], got.gid);
	accounts_ask(as, SPAN("no-such-user-here"), on_answer, NULL);
	wait_answers(2);
	ck_assert_int_eq(got.state, ACCOUNT_NONE);
	/* Fresh: no question is needed. */
	accounts_ask(as, span_of(pw->pw_name), on_answer, NULL);
	ck_assert_uint_eq(answers, 3);
	ck_assert_int_eq(got.state, ACCOUNT_FOUND);
	end(as);
}
END_TEST

START_TEST(names_that_nobody_has)
{
	static const char *const names[] = { "", ".", "..", ".a", "-a", "a/b",
		"a:b", "a b", "a\n", "\303\251",
		"a-name-that-is-longer-than-32-letters" };
	struct accounts *as = start(false);
	unsigned n = sizeof names / sizeof *names;

	for (unsigned i = 0; i < n; i++) {
		ck_assert(!account_name_ok(span_of(names[i])));
		accounts_ask(as, span_of(names[i]), on_answer, NULL);
		ck_assert_uint_eq(answers, i + 1);
		ck_assert_int_eq(got.state, ACCOUNT_NONE);
	}
	accounts_ask(as, span_from("root\0x", 6), on_answer, NULL);
	ck_assert_uint_eq(answers, n + 1);
	ck_assert_int_eq(got.state, ACCOUNT_NONE);
	end(as);
}
END_TEST

START_TEST(many_questions_and_one_that_is_forgotten)
{
	struct accounts *as = start(false);
	char name[32];
	int one, all;

	for (unsigned i = 0; i < 2 * ACCOUNT_ENTRIES_MAX; i++) {
		snprintf(name, sizeof name, "nobody-%u", i);
		accounts_ask(
		    as, span_of(name), on_answer, i == 0 ? &one : &all);
	}
	/* More than there is room for are not known now. */
	ck_assert_uint_eq(answers, ACCOUNT_ENTRIES_MAX);
	ck_assert_int_eq(got.state, ACCOUNT_ERROR);
	accounts_forget(as, &one);
	wait_answers(2 * ACCOUNT_ENTRIES_MAX - 1);
	ck_assert_int_eq(got.state, ACCOUNT_NONE);
	/* The table is of use again. */
	accounts_ask(as, SPAN("root"), on_answer, NULL);
	wait_answers(2 * ACCOUNT_ENTRIES_MAX);
	ck_assert_int_eq(got.state, ACCOUNT_FOUND);
	end(as);
}
END_TEST

START_TEST(the_process_ends_with_its_helper)
{
	pid_t pid = fork();
	int status;

	ck_assert_int_ne(pid, -1);
	if (pid == 0) {
		struct accounts *as;
		char path[64], text[32] = "";
		int fd;

		dup2(open("/dev/null", O_WRONLY), STDERR_FILENO);
		as = start(false);
		snprintf(
		    path, sizeof path, "/proc/self/task/%d/children", getpid());
		fd = open(path, O_RDONLY);
		if (fd == -1 || read(fd, text, sizeof text - 1) <= 0)
			_exit(99);
		kill(atoi(text), SIGKILL);
		accounts_ask(as, SPAN("root"), on_answer, NULL);
		event_base_dispatch(base);
		_exit(98);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFEXITED(status));
	ck_assert_int_eq(WEXITSTATUS(status), 1);
}
END_TEST

START_TEST(the_coding)
{
	struct account a = { .state = ACCOUNT_FOUND,
		.home = "/home/ann",
		.uid = 1234,
		.gid = 5678,
		.ngroups = 2,
		.groups = { 5678, 90 } };
	char space[ACCOUNT_ANSWER_MAX + 1];
	struct wire_put w = wire_writer(space, sizeof space);

	account_put(&w, &a);
	ck_assert(!w.bad);
	for (size_t n = 0; n <= w.n + 1; n++) {
		struct wire_get r = wire_reader(span_from(space, n));
		struct account b = { 0 };

		account_get(&r, &b);
		ck_assert_msg(wire_done(&r) == (n == w.n), "%zu octets", n);
	}
	/* More groups than there is room for. */
	a.ngroups = ACCOUNT_GROUPS_MAX;
	w = wire_writer(space, sizeof space);
	memset(a.home, 'h', sizeof a.home - 1);
	account_put(&w, &a);
	ck_assert(!w.bad);
	ck_assert_uint_le(w.n, ACCOUNT_ANSWER_MAX);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("account");
	TCase *t = tcase_create("account");
	SRunner *r = srunner_create(s);
	int failed;

	suite_add_tcase(s, t);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, those_who_are_there_and_those_who_are_not);
	tcase_add_test(t, names_that_nobody_has);
	tcase_add_test(t, many_questions_and_one_that_is_forgotten);
	tcase_add_test(t, the_process_ends_with_its_helper);
	tcase_add_test(t, the_coding);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
