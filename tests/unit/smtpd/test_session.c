/*
 * test_session.c - what a dialogue does not show: the transaction behind it.
 *
 * Recipients as queue will get them, memory that is given back, and that no
 * order of commands and verdicts leads to a reply that the command may not get.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "smtpd/session.h"

static struct conf_domain domain = { .name = "first.example" };
static struct conf conf = {
	.hostname = "mail.example.org",
	.postmaster = "root@host.example",
	.message_size = 1000,
	.max_recipients = 1000,
	.max_useless = 100,
	.max_line = 512,
};
static struct session_service service;
static struct session s;
static struct step st;

static void
line(const char *text)
{
	session_line(&s, LINE_OK, span_of(text), &st);
}

static void
verdict(unsigned code, enum reply_scope scope)
{
	struct reply r = { .code = (uint16_t)code, .scope = scope };

	session_verdict(&s, &r, &st);
}

static void
greet(void)
{
	struct reply r = { .code = 220 };

	session_client(&s, &r, &st);
	ck_assert_uint_eq(st.reply.code, 220);
}

static void
set_up(void)
{
	conf.ndomains = 1;
	conf.domains = &domain;
	service.conf = &conf;
	reply_make(&service.queue, R_DONE, NULL);
	session_init(&s, &service);
	greet();
	line("EHLO client.example");
	ck_assert_int_eq(s.phase, PHASE_READY);
}

static void
tear_down(void)
{
	session_fini(&s);
}

START_TEST(what_is_asked_is_canonical)
{
	line("MAIL FROM:<\"a\"@Client.Example> BODY=8BITMIME SIZE=5");
	ck_assert_uint_eq(st.reply.code, 250);
	ck_assert_str_eq(s.sender.text, "a@client.example");
	ck_assert_int_eq(s.body, BODY_8BITMIME);
	line("RCPT TO:<@x.example:B@Example.ORG>");
	ck_assert_int_eq(st.action, ACTION_ASK);
	ck_assert_uint_eq(st.reply.code, 0);
	ck_assert(s.asking);
	ck_assert_str_eq(s.rcpt.text, "B@example.org");
	verdict(250, SCOPE_RECIPIENT);
	ck_assert(!s.asking);
	ck_assert_uint_eq(s.nrcpts, 1);
}
END_TEST

/* Whose names those of this host are. */
START_TEST(a_local_client_needs_no_domain)
{
	char text[STEP_TEXT_MAX + 1];

	conf.ndomains = (size_t)_i;
	line("MAIL FROM:<alice>");
	ck_assert_uint_eq(st.reply.code, 501);
	s.local = true;
	line("EHLO x");
	session_format(&s, &st, text);
	ck_assert_ptr_nonnull(strstr(text,
	    _i ? "250-XQUALIFY first.example\r\n"
	       : "250-XQUALIFY mail.example.org\r\n"));
	line("MAIL FROM:<alice> SIZE=5");
	ck_assert_uint_eq(st.reply.code, 250);
	ck_assert_str_eq(s.sender.text,
	    _i ? "alice@first.example" : "alice@mail.example.org");
	line("RCPT TO:<\"a b\">");
	ck_assert_int_eq(st.action, ACTION_ASK);
	ck_assert_str_eq(s.rcpt.text,
	    _i ? "\"a b\"@first.example" : "\"a b\"@mail.example.org");
	verdict(250, SCOPE_RECIPIENT);
	line("RCPT TO:<postmaster>");
	ck_assert_str_eq(s.rcpt.text, "postmaster");
	verdict(250, SCOPE_RECIPIENT);
	line("RCPT TO:<bob@other.example>");
	ck_assert_str_eq(s.rcpt.text, "bob@other.example");
	verdict(250, SCOPE_RECIPIENT);
	line("RSET");
	line("MAIL FROM:<>");
	ck_assert_uint_eq(st.reply.code, 250);
	ck_assert_uint_eq(s.sender.n, 0);
	line("RCPT TO:<a..b>");
	ck_assert_uint_eq(st.reply.code, 501);
}
END_TEST

START_TEST(recipients_come_in_order_and_in_pieces)
{
	const char *got[7];
	char text[64];
	uint32_t total = 0, n;
	size_t at = 0;

	line("MAIL FROM:<>");
	for (unsigned i = 0; i < 1000; i++) {
		snprintf(text, sizeof text, "RCPT TO:<u%u@example.org>", i);
		line(text);
		if (i == 0)
			verdict(250, SCOPE_DOMAIN);
		ck_assert_uint_eq(st.reply.code, 250);
	}
	ck_assert_uint_eq(s.nrcpts, 1000);
	line("RCPT TO:<one-more@example.org>");
	ck_assert_uint_eq(st.reply.code, 452);
	while ((n = session_rcpts(&s, &at, got, 7)) > 0)
		for (uint32_t i = 0; i < n; i++) {
			snprintf(text, sizeof text, "u%u@example.org", total++);
			ck_assert_str_eq(got[i], text);
		}
	ck_assert_uint_eq(total, 1000);
}
END_TEST

START_TEST(a_recipient_given_twice_is_one)
{
	const char *got[4];
	size_t at = 0;

	line("MAIL FROM:<>");
	for (int i = 0; i < 3; i++) {
		line("RCPT TO:<b@example.org>");
		verdict(250, SCOPE_RECIPIENT);
		ck_assert_uint_eq(st.reply.code, 250);
	}
	/* The case of a local part is its host's matter. */
	line("RCPT TO:<B@example.org>");
	verdict(250, SCOPE_RECIPIENT);
	ck_assert_uint_eq(session_rcpts(&s, &at, got, 4), 2);
	ck_assert_uint_eq(s.nrcpts, 2);
}
END_TEST

START_TEST(postmaster_gets_a_domain_behind_the_question)
{
	const char *got[1];
	size_t at = 0;

	conf.ndomains = (size_t)_i;
	line("MAIL FROM:<>");
	line("RCPT TO:<postMaster>");
	ck_assert_str_eq(s.rcpt.text, "postmaster");
	verdict(250, SCOPE_RECIPIENT);
	ck_assert_uint_eq(st.reply.code, 250);
	ck_assert_uint_eq(session_rcpts(&s, &at, got, 1), 1);
	ck_assert_str_eq(
	    got[0], _i == 0 ? "root@host.example" : "postmaster@first.example");
}
END_TEST

/* Each way out of a transaction leaves nothing of it. */
static const char *const ways_out[] = { "RSET", "EHLO again", "HELO again",
	"DATA" };

START_TEST(nothing_of_a_transaction_is_left)
{
	struct reply r = { .code = 250 };
	char text[64];
	size_t at = 0;
	const char *got[1];

	line("MAIL FROM:<a@client.example> BODY=8BITMIME");
	for (unsigned i = 0; i < 200; i++) {
		snprintf(text, sizeof text, "RCPT TO:<u%u@example.org>", i);
		line(text);
		if (i == 0)
			verdict(250, SCOPE_DOMAIN);
	}
	ck_assert_uint_gt(s.rcpts.cap, 1024);
	line(ways_out[_i]);
	if (s.phase == PHASE_DATA)
		session_done(&s, &r, &st);
	ck_assert_uint_eq(st.reply.code, 250);
	ck_assert_int_eq(s.phase, PHASE_READY);
	ck_assert_uint_eq(s.nrcpts, 0);
	ck_assert_uint_eq(s.nrefused, 0);
	ck_assert_uint_eq(s.sender.n, 0);
	ck_assert_int_eq(s.body, BODY_7BIT);
	ck_assert_uint_eq(session_rcpts(&s, &at, got, 1), 0);
	ck_assert_uint_le(s.rcpts.cap, 1024);
	line("DATA");
	ck_assert_uint_eq(st.reply.code, 503);
}
END_TEST

START_TEST(another_lookup_is_asked_again)
{
	line("MAIL FROM:<>");
	line("RCPT TO:<a@example.org>");
	verdict(250, SCOPE_SESSION);
	line("RCPT TO:<b@other.example>");
	ck_assert_uint_eq(st.reply.code, 250);
	session_forget_verdict(&s);
	line("RCPT TO:<c@other.example>");
	ck_assert_int_eq(st.action, ACTION_ASK);
	verdict(550, SCOPE_DOMAIN);
	/* Of that domain only, and only there. */
	line("RCPT TO:<d@other.example>");
	ck_assert_uint_eq(st.reply.code, 550);
	line("RCPT TO:<d@sub.other.example>");
	ck_assert_int_eq(st.action, ACTION_ASK);
	verdict(250, SCOPE_RECIPIENT);
}
END_TEST

START_TEST(an_end_of_our_own_at_any_time)
{
	static const char *const lines[] = { "MAIL FROM:<>",
		"RCPT TO:<a@example.org>", NULL, "DATA" };

	for (int i = 0; i < _i; i++)
		if (lines[i] != NULL)
			line(lines[i]);
		else
			verdict(250, SCOPE_RECIPIENT);
	session_end(&s, R_SHUTDOWN, &st);
	ck_assert_uint_eq(st.reply.code, 421);
	ck_assert_uint_eq(st.reply.esc.subject, 3);
	ck_assert_int_eq(st.action, ACTION_CLOSE);
	ck_assert_int_eq(s.phase, PHASE_END);
	ck_assert(!s.asking);
}
END_TEST

START_TEST(an_accepted_message_is_counted)
{
	struct reply r = { .code = (uint16_t)_i };

	line("MAIL FROM:<>");
	line("RCPT TO:<a@example.org>");
	verdict(250, SCOPE_RECIPIENT);
	line("NOOP");
	line("DATA");
	ck_assert_int_eq(st.action, ACTION_CONTENT);
	ck_assert_uint_eq(s.useless, 1);
	session_done(&s, &r, &st);
	ck_assert_uint_eq(s.accepted, _i == 250);
	ck_assert_uint_eq(s.useless, _i != 250);
}
END_TEST

/* ---- any order --------------------------------------------------------- */

static uint32_t
dice(uint32_t sides)
{
	static uint32_t x = 2463534242u;

	/* The same for each run: a failure can be had again. */
	x ^= x << 13;
	x ^= x >> 17;
	x ^= x << 5;
	return x % sides;
}

static struct reply
any_reply(void)
{
	static const uint16_t codes[] = { 0, 200, 220, 221, 250, 251, 252, 354,
		421, 450, 451, 452, 455, 500, 501, 503, 521, 530, 550, 551, 552,
		553, 554, 555, 556, 599 };

	return (struct reply){ .code = codes[dice(sizeof codes / 2)],
		.scope = dice(SCOPE_END) };
}

static void
any_turn(void)
{
	static const char *const lines[] = { "EHLO x", "HELO x", "HELO",
		"MAIL FROM:<>", "MAIL FROM:<a@b.example> SIZE=9999", "MAIL",
		"MAIL FROM:<a@b.example> X", "RCPT TO:<a@b.example>",
		"RCPT TO:<c@b.example>", "RCPT TO:<a@c.example> X", "RCPT",
		"RCPT TO:<postmaster>", "DATA", "DATA x", "RSET", "RSET x",
		"NOOP", "VRFY", "VRFY x", "VRFY @", "HELP", "EXPN", "SEND",
		"SOML", "SAML", "TURN", "QUIT x", "BDAT", "" };
	struct reply r = any_reply();

	if (s.phase == PHASE_CONNECT)
		session_client(&s, &r, &st);
	else if (s.asking)
		session_verdict(&s, &r, &st);
	else if (s.phase == PHASE_DATA)
		session_done(&s, &r, &st);
	else if (dice(20) == 0)
		session_line(&s, dice(2) ? LINE_LONG : LINE_BAD, SPAN(""), &st);
	else
		line(lines[dice(sizeof lines / sizeof *lines)]);
}

START_TEST(no_order_leads_to_a_wrong_reply)
{
	char text[STEP_TEXT_MAX + 1];
	unsigned said[600] = { 0 };

	for (int i = 0; i < 200000; i++) {
		if (s.phase == PHASE_END) {
			session_fini(&s);
			session_init(&s, &service);
			service.queue = any_reply();
			if (dice(2) == 0 || reply_class(&service.queue) == 3 ||
			    service.queue.code == 0)
				reply_make(&service.queue, R_DONE, NULL);
		}
		any_turn();
		ck_assert_int_eq(st.reply.code == 0, st.action == ACTION_ASK);
		ck_assert_int_eq(
		    s.phase == PHASE_END, st.action == ACTION_CLOSE);
		if (st.reply.code == 0)
			continue;
		ck_assert_msg(reply_allowed(st.command, st.reply.code),
		    "%u to %s", st.reply.code, reply_command_name(st.command));
		said[st.reply.code]++;
		ck_assert_uint_le(session_format(&s, &st, text), STEP_TEXT_MAX);
		/* What closes says so, and nothing else does. */
		if (st.action == ACTION_CLOSE)
			ck_assert(st.reply.code == 221 ||
			    st.reply.code == 421 || st.reply.code / 10 == 55 ||
			    st.command == CMD_CONNECT);
		else
			ck_assert_uint_ne(st.reply.code, 421);
	}
	/* It came everywhere. */
	ck_assert_uint_gt(said[250], 100);
	ck_assert_uint_gt(said[354], 20);
	ck_assert_uint_gt(said[421], 100);
	ck_assert_uint_gt(said[503], 100);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("session");
	TCase *tc = tcase_create("session");
	SRunner *r;
	int failed;

	/* One goes through very many turns, where others may use the machine. */
	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_test(tc, what_is_asked_is_canonical);
	tcase_add_loop_test(tc, a_local_client_needs_no_domain, 0, 2);
	tcase_add_test(tc, recipients_come_in_order_and_in_pieces);
	tcase_add_test(tc, a_recipient_given_twice_is_one);
	tcase_add_loop_test(
	    tc, postmaster_gets_a_domain_behind_the_question, 0, 2);
	tcase_add_loop_test(tc, nothing_of_a_transaction_is_left, 0,
	    sizeof ways_out / sizeof *ways_out);
	tcase_add_test(tc, another_lookup_is_asked_again);
	tcase_add_loop_test(tc, an_end_of_our_own_at_any_time, 0, 5);
	tcase_add_loop_test(tc, an_accepted_message_is_counted, 250, 251);
	tcase_add_loop_test(tc, an_accepted_message_is_counted, 452, 453);
	tcase_add_test(tc, no_order_leads_to_a_wrong_reply);
	suite_add_tcase(suite, tc);
	r = srunner_create(suite);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
