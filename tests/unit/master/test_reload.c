/*
 * test_reload.c - what an expectation wants, what needs a restart, which sockets
 * are kept.
 */
#include <sys/socket.h>

#include <check.h>
#include <errno.h>
#include <unistd.h>

#include "master/master.h"

static struct reply
made(enum reply_name name, const char *arg)
{
	struct reply r;

	reply_make(&r, name, arg);
	return r;
}

START_TEST(an_expectation_is_met_by_what_it_names)
{
	static const struct {
		struct conf_expect expect;
		enum reply_name reply;
		const char *arg;
		bool met;
	} cases[] = {
		{ { .code = 250 }, R_RCPT_OK, NULL, true },
		{ { .code = 250 }, R_NO_SUCH_USER, "x", false },
		{ { .code = 550 }, R_NO_SUCH_USER, "x", true },
		{ { .code = 550, .esc = { 5, 1, 1 } }, R_NO_SUCH_USER, "x",
		    true },
		{ { .code = 550, .esc = { 5, 7, 1 } }, R_NO_SUCH_USER, "x",
		    false },
		{ { .code = 550, .esc = { 5, 1, 2 } }, R_NO_SUCH_USER, "x",
		    false },
		{ { .reply = "no-such-user" }, R_NO_SUCH_USER, "x@y", true },
		{ { .reply = "no-such-user" }, R_NO_SUCH_USER, NULL, true },
		{ { .reply = "no-such-user" }, R_RELAY_DENIED, NULL, false },
		{ { .reply = "relay-denied" }, R_RELAY_DENIED, NULL, true },
		/* The same codes, and yet another reply. */
		{ { .reply = "table-error" }, R_LOCAL_ERROR, NULL, false },
		{ { .reply = "table-error" }, R_TABLE_ERROR, NULL, true },
		{ { .reply = "made-up" }, R_TABLE_ERROR, NULL, false },
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct reply r = made(cases[i].reply, cases[i].arg);

		ck_assert_msg(expect_met(&cases[i].expect, &r) == cases[i].met,
		    "case %zu", i);
	}
}
END_TEST

START_TEST(every_reply_is_known_by_its_name)
{
	for (unsigned i = 0; i < R_COUNT; i++) {
		struct reply r = made((enum reply_name)i, "argument");
		struct conf_expect e = { .code = 0 };

		snprintf(e.reply, sizeof e.reply, "%s",
		    reply_row((enum reply_name)i)->name);
		/* A text that begins with what is told of the case. */
		if (reply_row((enum reply_name)i)->text[0] != '%')
			ck_assert_msg(expect_met(&e, &r), "%s", e.reply);
	}
}
END_TEST

START_TEST(what_those_that_stay_cannot_change_needs_a_restart)
{
	static struct conf a, b;

	ck_assert_ptr_null(configuration_fixed(&a, &b));
	strcpy(b.hostname, "other.example");
	b.expire = b.max_sessions = 1;
	ck_assert_ptr_null(configuration_fixed(&a, &b));
	strcpy(b.spool, "/elsewhere");
	ck_assert_str_eq(configuration_fixed(&a, &b), "spool");
	b = a;
	strcpy(b.runtime, "/elsewhere");
	ck_assert_str_eq(configuration_fixed(&a, &b), "runtime");
	b = a;
	b.segment_size = 1;
	ck_assert_str_eq(configuration_fixed(&a, &b), "segment_size");
	b = a;
	b.seccomp_only = true;
	ck_assert_str_eq(configuration_fixed(&a, &b), "sandbox");
}
END_TEST

/* --- listeners -------------------------------------------------------------
 */

static struct conf_listen listens[2][3];

static struct generation *
generation(size_t which, size_t n, const uint16_t *ports)
{
	struct generation *g = generation_new();

	ck_assert_ptr_nonnull(g);
	for (size_t i = 0; i < n; i++) {
		struct conf_listen *l = &listens[which][i];

		ck_assert(ip_parse(&l->ip, SPAN("127.0.0.1")));
		l->port = ports[i];
		snprintf(l->title, sizeof l->title, "127.0.0.1:%u", ports[i]);
	}
	g->conf.listens = listens[which];
	g->conf.nlistens = n;
	return g;
}

static void
release(struct generation *g)
{
	g->conf.listens = NULL; /* ours */
	generation_unref(g);
}

static uint16_t
port_of(int fd)
{
	struct sockaddr_storage ss;
	socklen_t n = sizeof ss;

	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&ss, &n), 0);
	return (uint16_t)(((unsigned char *)&ss)[2] << 8 |
	    ((unsigned char *)&ss)[3]);
}

static bool
listens_now(int fd)
{
	int on = 0;
	socklen_t n = sizeof on;

	ck_assert_int_eq(getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &on, &n), 0);
	return on;
}

START_TEST(unchanged_addresses_keep_their_sockets)
{
	struct master m = { .current = generation(0, 2, (uint16_t[]){ 0, 0 }) };
	struct generation *next = generation(1, 3, (uint16_t[]){ 0, 0, 0 });
	const char *which;

	listen_open(&m, NULL, 0);
	ck_assert_int_eq(listen_prepare(m.current, next, &which), 0);
	/* Each is kept once; the third is new, and does not listen yet. */
	for (size_t i = 0; i < 2; i++) {
		ck_assert_uint_eq(port_of(next->listeners[i]),
		    port_of(m.current->listeners[i]));
		ck_assert_int_ne(next->listeners[i], m.current->listeners[i]);
		ck_assert(listens_now(next->listeners[i]));
	}
	ck_assert_uint_ne(
	    port_of(next->listeners[2]), port_of(next->listeners[0]));
	ck_assert(!listens_now(next->listeners[2]));
	ck_assert_int_eq(listen_begin(next, &which), 0);
	ck_assert(listens_now(next->listeners[2]));
	/* The old ones' end is not the socket's. */
	generation_close_listeners(m.current);
	ck_assert_int_eq(m.current->listeners[0], -1);
	ck_assert(listens_now(next->listeners[0]));
	release(m.current);
	release(next);
}
END_TEST

START_TEST(an_address_that_cannot_be_had_is_named)
{
	struct master m = { .current = generation(0, 1, (uint16_t[]){ 0 }) };
	struct generation *next;
	const char *which = NULL;
	uint16_t port;
	int fd;

	listen_open(&m, NULL, 0);
	fd = m.current->listeners[0];
	port = port_of(fd);
	next = generation(1, 2, (uint16_t[]){ 0, port });
	ck_assert_int_eq(listen_prepare(m.current, next, &which), -1);
	ck_assert_int_eq(errno, EADDRINUSE);
	ck_assert_str_eq(which, listens[1][1].title);
	/* Nothing has happened to what there is. */
	release(next);
	ck_assert(listens_now(fd));
	release(m.current);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("reload");
	TCase *t = tcase_create("reload");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_add_test(t, an_expectation_is_met_by_what_it_names);
	tcase_add_test(t, every_reply_is_known_by_its_name);
	tcase_add_test(t, what_those_that_stay_cannot_change_needs_a_restart);
	tcase_add_test(t, unchanged_addresses_keep_their_sockets);
	tcase_add_test(t, an_address_that_cannot_be_had_is_named);
	suite_add_tcase(s, t);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed > 0;
}
