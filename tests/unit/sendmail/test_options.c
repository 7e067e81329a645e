/*
 * test_options.c - command lines that programs really use, and some that nobody
 * should.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin/sendmail/options.h"

#define ARGS_MAX 16

static char *args[ARGS_MAX + 1];
static char copy[1024];
static struct options o;

/* A command line, its words parted by blanks; "''" is the empty word. */
static int
parse(const char *line)
{
	int argc = 0;

	snprintf(copy, sizeof copy, "%s", line);
	for (char *p = strtok(copy, " "); p != NULL; p = strtok(NULL, " ")) {
		ck_assert_int_lt(argc, ARGS_MAX);
		args[argc++] = strcmp(p, "''") == 0 ? p + 2 : p;
	}
	args[argc] = NULL;
	return options_parse(&o, argc, args);
}

static const struct {
	const char *line;
	enum mode mode;
	const char *words, *sender; /* words with a blank behind each */
	bool header, dots;
} lines[] = {
	/* cron, at, git, PHP, mdadm, mutt, s-nail */
	{ "/usr/sbin/sendmail -FCronDaemon -i -B8BITMIME -oem root", MODE_SEND,
	    "root ", NULL, false, true },
	{ "/usr/sbin/sendmail -i alice", MODE_SEND, "alice ", NULL, false,
	    true },
	{ "sendmail -f a@b -i x@y z@w", MODE_SEND, "x@y z@w ", "a@b", false,
	    true },
	{ "/usr/sbin/sendmail -t -i", MODE_SEND, "", NULL, true, true },
	{ "/usr/sbin/sendmail -t", MODE_SEND, "", NULL, true, false },
	{ "sendmail -oem -oi -f a@b -- x@y -z@w", MODE_SEND, "x@y -z@w ", "a@b",
	    false, true },
	{ "sendmail -i -r a@b -- x@y", MODE_SEND, "x@y ", "a@b", false, true },
	/* joined and apart */
	{ "sendmail -ti", MODE_SEND, "", NULL, true, true },
	{ "sendmail -itfa@b", MODE_SEND, "", "a@b", true, true },
	{ "sendmail -itf a@b c", MODE_SEND, "c ", "a@b", true, true },
	{ "sendmail -fa@b c", MODE_SEND, "c ", "a@b", false, false },
	{ "sendmail -f '' c", MODE_SEND, "c ", "", false, false },
	{ "sendmail -f <> c", MODE_SEND, "c ", "<>", false, false },
	{ "sendmail c -f a@b d", MODE_SEND, "c d ", "a@b", false, false },
	{ "sendmail -f -t", MODE_SEND, "", "-t", false, false },
	{ "sendmail -o i x", MODE_SEND, "x ", NULL, false, true },
	{ "sendmail -ot x", MODE_SEND, "x ", NULL, true, false },
	{ "sendmail -- -t", MODE_SEND, "-t ", NULL, false, false },
	{ "sendmail - x", MODE_SEND, "- x ", NULL, false, false },
	/* ignored */
	{ "sendmail -odb -oem -o7 -oA/etc/aliases -OTimeout=1 -O x=1 -L tag -X "
	  "log -p SMTP:me",
	    MODE_SEND, "", NULL, false, false },
	{ "sendmail -em -e q -h 3 -n -m -v -U -G -s -x -E x", MODE_SEND, "x ",
	    NULL, false, false },
	{ "sendmail -Ac -Am -d0.1 -d -T1h -D f x", MODE_SEND, "x ", NULL, false,
	    false },
	/* modes */
	{ "sendmail -bm x", MODE_SEND, "x ", NULL, false, false },
	{ "sendmail -bs", MODE_SMTP, "", NULL, false, false },
	{ "sendmail -b s", MODE_SMTP, "", NULL, false, false },
	{ "sendmail -bv x", MODE_VERIFY, "x ", NULL, false, false },
	{ "sendmail -bp", MODE_LIST, "", NULL, false, false },
	{ "sendmail -bi", MODE_ALIASES, "", NULL, false, false },
	{ "sendmail -I", MODE_ALIASES, "", NULL, false, false },
	{ "sendmail -q", MODE_RETRY, "", NULL, false, false },
	{ "mailq", MODE_LIST, "", NULL, false, false },
	{ "/usr/bin/mailq -v", MODE_LIST, "", NULL, false, false },
	{ "./newaliases", MODE_ALIASES, "", NULL, false, false },
	{ "xmailq x", MODE_SEND, "x ", NULL, false, false },
};

START_TEST(lines_of_programs)
{
	char words[256] = "";

	ck_assert_msg(parse(lines[_i].line) == 0, "%s", o.error);
	ck_assert_int_eq(o.mode, lines[_i].mode);
	for (size_t i = 0; i < o.nwords; i++) {
		strcat(words, o.words[i]);
		strcat(words, " ");
	}
	ck_assert_str_eq(words, lines[_i].words);
	ck_assert_pstr_eq(o.sender, lines[_i].sender);
	ck_assert_int_eq(o.from_header, lines[_i].header);
	ck_assert_int_eq(o.ignore_dots, lines[_i].dots);
}
END_TEST

/* And a word of what is said about it. */
static const char *const wrong[][2] = {
	{ "sendmail -z", "-z" },
	{ "sendmail -t-", "--" },
	{ "sendmail --help", "--" },
	{ "sendmail -f", "-f needs" },
	{ "sendmail -tF", "-F needs" },
	{ "sendmail -bd", "sallyport run" },
	{ "sendmail -bD -q30m", "sallyport run" },
	{ "sendmail -bx", "-b" },
	{ "sendmail -bsx", "-b" },
	{ "sendmail -B 9BIT", "7BIT" },
	{ "sendmail -q30m", "sallyport run" },
	{ "sendmail -qI", "-q" },
	{ "sendmail -N sometimes", "never" },
	{ "sendmail -N success,never", "never" },
	{ "sendmail -N success,", "never" },
	{ "sendmail -N ''", "never" },
	{ "sendmail -R all", "full" },
	{ "sendmail -V ''", "1 to 100" },
	{ "sendmail -V \xc3\xa4", "ASCII" },
	{ "sendmail -f a\nb", "control" },
	{ "sendmail -f a\x7f", "control" },
	{ "sendmail -Fa\rb", "control" },
};

START_TEST(what_is_wrong_is_said)
{
	ck_assert_int_eq(parse(wrong[_i][0]), -1);
	ck_assert_msg(
	    strstr(o.error, wrong[_i][1]) != NULL, "said: %s", o.error);
}
END_TEST

START_TEST(what_dsn_needs)
{
	ck_assert_int_eq(
	    parse("sendmail -N SUCCESS,delay -R hdrs -V id=1 x"), 0);
	ck_assert_str_eq(o.notify, "SUCCESS,delay");
	ck_assert_str_eq(o.ret, "HDRS");
	ck_assert_str_eq(o.envid, "id=1");
	ck_assert_int_eq(parse("sendmail -Nnever -Rfull x"), 0);
	ck_assert_str_eq(o.notify, "never");
	ck_assert_str_eq(o.ret, "FULL");
	ck_assert_int_eq(parse("sendmail -B7BIT -qRfoo -C f -Fme x"), 0);
	ck_assert(o.seven_bit && !o.eight_bit);
	ck_assert_str_eq(o.retry, "Rfoo");
	ck_assert_str_eq(o.conf, "f");
	ck_assert_str_eq(o.name, "me");
}
END_TEST

START_TEST(no_words_at_all)
{
	char *none[] = { NULL };

	ck_assert_int_eq(options_parse(&o, 0, none), 0);
	ck_assert_int_eq(o.mode, MODE_SEND);
	ck_assert_uint_eq(o.nwords, 0);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("options");
	TCase *t = tcase_create("options");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_loop_test(
	    t, lines_of_programs, 0, sizeof lines / sizeof *lines);
	tcase_add_loop_test(
	    t, what_is_wrong_is_said, 0, sizeof wrong / sizeof *wrong);
	tcase_add_test(t, what_dsn_needs);
	tcase_add_test(t, no_words_at_all);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
