/*
 * test_local.c - what local puts into mailboxes, and what it refuses.
 */
#include <sys/mman.h>

#include "tests/seams/local_house.h"

START_TEST(a_message_is_delivered)
{
	struct fixture f;
	struct msg_deliver d;
	char text[4096], name[256];

	set_up(&f);
	d = handout(&f, "bob", "bob@example.org");
	ck_assert_uint_eq(deliver(&f, &d), 250);
	message(&f, "bob", text, sizeof text);
	ck_assert_str_eq(text,
	    "Return-Path: <ann@client.example>\n"
	    "Delivered-To: bob@example.org\n"
	    "Received: from x\n\tby y\n"
	    "Subject: hello\n\nfirst\n.second\n");
	ck_assert_uint_eq(entries(&f, "bob", "tmp", name), 0);
	tear_down(&f);
}
END_TEST

START_TEST(a_large_message_comes_by_descriptor)
{
	size_t n = 6 * 524288 + 4; /* not a multiple of any block */
	char *content = malloc(n), *text = malloc(n + 4096);
	struct fixture f;
	struct msg_deliver d;
	size_t got;
	int fd = memfd_create("content", 0);

	ck_assert_int_ne(fd, -1);
	for (size_t i = 0; i < n; i++)
		content[i] = "line\r\n"[i % 6];
	ck_assert_int_eq(write(fd, content, n), (ssize_t)n);
	set_up(&f);
	d = handout(&f, "bob", "bob@example.org");
	d.inlined = false;
	d.size = n;
	send_handout(&f, &d, fd);
	get_result(&f);
	ck_assert_uint_eq(result.reply.code, 250);
	record(&f, &d);
	got = message(&f, "bob", text, n + 4096);
	ck_assert_uint_gt(got, n - n / 6);
	ck_assert_ptr_null(memchr(text, '\r', got));
	ck_assert_int_eq(memcmp(text + got - 9, "line\nline", 9), 0);
	/* Less behind the descriptor than it says: never a short message. */
	d = handout(&f, "short", "short@example.org");
	d.inlined = false;
	d.size = n + 1;
	send_handout(&f, &d, fd);
	ck_assert(seam_closed(f.queue));
	connect_queue(&f, 2);
	free(content);
	free(text);
	close(fd);
	tear_down(&f);
}
END_TEST

START_TEST(recipients_of_one_mailbox_get_a_file_each)
{
	struct fixture f;
	struct msg_deliver d;
	char name[256];

	set_up(&f);
	d = handout(&f, "bob", "bob@example.org");
	d.nrcpts = 3;
	d.rcpts[1] = (struct deliver_rcpt){ 7, SPAN("bob+a@example.org") };
	d.rcpts[2] = (struct deliver_rcpt){ 9, SPAN("bob+b@example.org") };
	send_handout(&f, &d, -1);
	get_result(&f);
	ck_assert_uint_eq(result.nrcpts, 3);
	ck_assert(result.last);
	ck_assert_uint_eq(entries(&f, "bob", "new", name), 3);
	record(&f, &d);
	tear_down(&f);
}
END_TEST

START_TEST(a_repeated_delivery_finds_what_is_there)
{
	struct fixture f;
	struct msg_deliver d;
	char name[256], from[600], to[600];

	set_up(&f);
	d = handout(&f, "bob", "bob@example.org");
	ck_assert_uint_eq(deliver(&f, &d), 250);
	/* In new/ … */
	d = handout(&f, "bob", "bob@example.org");
	d.maybe = true;
	ck_assert_uint_eq(deliver(&f, &d), 250);
	ck_assert_uint_eq(entries(&f, "bob", "new", name), 1);
	/* … and seen by its reader, with what a killed attempt left. */
	snprintf(from, sizeof from, "%s/box/bob/new/%s", f.dir, name);
	snprintf(to, sizeof to, "%s/box/bob/cur/%s:2,S", f.dir, name);
	ck_assert_int_eq(rename(from, to), 0);
	snprintf(to, sizeof to, "%s/box/bob/tmp/%s.A77", f.dir, name);
	close(open(to, O_CREAT | O_WRONLY, 0600));
	d = handout(&f, "bob", "bob@example.org");
	d.maybe = true;
	ck_assert_uint_eq(deliver(&f, &d), 250);
	ck_assert_uint_eq(entries(&f, "bob", "new", name), 0);
	ck_assert_uint_eq(entries(&f, "bob", "cur", name), 1);
	ck_assert_uint_eq(entries(&f, "bob", "tmp", name), 0);
	tear_down(&f);
}
END_TEST

START_TEST(our_own_delivered_to_is_a_loop)
{
	struct fixture f;
	struct msg_deliver d;
	char name[256];

	set_up(&f);
	d = handout(&f, "bob", "bob@example.org");
	d.content = SPAN("Delivered-To: Bob@Example.org\r\n\r\nx\r\n");
	d.size = d.content.n;
	ck_assert_uint_eq(deliver(&f, &d), 554);
	ck_assert_uint_eq(result.reply.esc.subject, 4);
	ck_assert_uint_eq(result.reply.esc.detail, 6);
	ck_assert_uint_eq(entries(&f, "bob", "new", name), 0);
	tear_down(&f);
}
END_TEST

START_TEST(what_may_not_be_is_refused)
{
	static const struct {
		const char *path, *user;
		enum route_kind kind;
		unsigned code;
	} rows[] = {
		{ "%s/box/../evil", "", ROUTE_MAILDIR_VIRTUAL, 451 },
		{ "%s/box/a//b", "", ROUTE_MAILDIR_VIRTUAL, 451 },
		{ "%s/box/.", "", ROUTE_MAILDIR_VIRTUAL, 451 },
		/* beside the mailboxes */
		{ "%s/evil", "", ROUTE_MAILDIR_VIRTUAL, 451 },
		/* an owner that no domain has */
		{ "%s/box/bob", "root", ROUTE_MAILDIR_VIRTUAL, 451 },
		/* no domain has system users */
		{ "Maildir%.0s", "root", ROUTE_MAILDIR_SYSTEM, 550 },
	};
	struct fixture f;
	char name[256];
	unsigned n = 0;

	set_up(&f);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++, n++) {
		struct msg_deliver d = handout(&f, "x", "x@example.org");

		d.route.kind = rows[i].kind;
		strcpy(d.route.user, rows[i].user);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
		snprintf(
		    d.route.path, sizeof d.route.path, rows[i].path, f.dir);
#pragma GCC diagnostic pop
		ck_assert_msg(deliver(&f, &d) == rows[i].code, "%s: %u %s",
		    rows[i].path, result.reply.code, result.reply.text);
	}
	ck_assert_uint_eq(n, sizeof rows / sizeof *rows);
	ck_assert_uint_eq(entries(&f, "../evil", "new", name), 0);
	tear_down(&f);
}
END_TEST

START_TEST(a_mailbox_that_points_elsewhere_is_not_used)
{
	char path[256], name[256];
	struct fixture f;
	struct msg_deliver d;

	set_up(&f);
	snprintf(path, sizeof path, "%s/box", f.dir);
	ck_assert_int_eq(mkdir(path, 0755), 0);
	ck_assert_int_eq(chmod(path, 0777), 0);
	snprintf(path, sizeof path, "%s/box/bob", f.dir);
	ck_assert_int_eq(symlink("/tmp", path), 0);
	d = handout(&f, "bob", "bob@example.org");
	ck_assert_uint_eq(deliver(&f, &d), 451);
	ck_assert_uint_eq(result.reply.esc.subject, 3);
	ck_assert_uint_eq(result.reply.esc.detail, 5);
	ck_assert_uint_eq(entries(&f, "bob", "new", name), 0);
	tear_down(&f);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("local");
	TCase *t = tcase_create("local");
	SRunner *r = srunner_create(s);
	int failed;

	suite_add_tcase(s, t);
	tcase_set_timeout(t, 120);
	tcase_add_test(t, a_message_is_delivered);
	tcase_add_test(t, a_large_message_comes_by_descriptor);
	tcase_add_test(t, recipients_of_one_mailbox_get_a_file_each);
	tcase_add_test(t, a_repeated_delivery_finds_what_is_there);
	tcase_add_test(t, our_own_delivered_to_is_a_loop);
	tcase_add_test(t, what_may_not_be_is_refused);
	tcase_add_test(t, a_mailbox_that_points_elsewhere_is_not_used);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
