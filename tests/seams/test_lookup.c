/*
 * test_lookup.c - the real lookup: clients, recipients and routes.
 */
#include <check.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/msg/smtpd_lookup.h"
#include "tests/seams/lookup_house.h"

START_TEST(recipients_and_their_scopes)
{
	static const struct {
		const char *to;
		unsigned stranger, trusted;
		enum reply_scope scope; /* of what the stranger gets */
	} rows[] = {
		{ "alice@files.example", 250, 250, SCOPE_RECIPIENT },
		{ "ALICE@files.example", 250, 250, SCOPE_RECIPIENT },
		{ "bob+lists@files.example", 250, 250, SCOPE_RECIPIENT },
		{ "nobody@files.example", 550, 550, SCOPE_RECIPIENT },
		{ "wrong@files.example", 451, 451, SCOPE_RECIPIENT },
		{ "postmaster@files.example", 250, 250, SCOPE_RECIPIENT },
		{ "PostMaster@files.example", 250, 250, SCOPE_RECIPIENT },
		{ "postmaster", 250, 250, SCOPE_RECIPIENT },
		{ "anybody@any.example", 250, 250, SCOPE_DOMAIN },
		{ "\"../x\"@any.example", 553, 553, SCOPE_RECIPIENT },
		{ "-x@any.example", 553, 553, SCOPE_RECIPIENT },
		{ "who@lmtp.example", 250, 250, SCOPE_DOMAIN },
		{ "x@elsewhere.example", 550, 250, SCOPE_DOMAIN },
		{ "postmaster@elsewhere.example", 550, 250, SCOPE_DOMAIN },
		{ "x@[192.0.2.1]", 550, 250, SCOPE_DOMAIN },
		/* we ourselves */
		{ "x@[127.0.0.1]", 550, 550, SCOPE_DOMAIN },
		{ "x@[0.0.0.0]", 550, 550, SCOPE_DOMAIN },
	};
	struct lookup_house f;
	bool trusted;
	unsigned n = 0;

	set_up(&f, false);
	ck_assert_uint_eq(
	    connect_client(&f, f.smtpd, 1, "192.0.2.9", &trusted), 220);
	ck_assert(!trusted);
	ck_assert_uint_eq(
	    connect_client(&f, f.smtpd, 2, "10.1.2.3", &trusted), 220);
	ck_assert(trusted);
	ck_assert_uint_eq(connect_client(&f, f.smtpd, 3, NULL, &trusted), 220);
	ck_assert(trusted);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++, n++) {
		ck_assert_msg(rcpt(&f, 1, rows[i].to) == rows[i].stranger,
		    "%s: %u %s", rows[i].to, f.reply.code, f.reply.text);
		ck_assert_msg(f.reply.scope == rows[i].scope, "%s", rows[i].to);
		ck_assert_msg(rcpt(&f, 2, rows[i].to) == rows[i].trusted,
		    "%s: %u %s", rows[i].to, f.reply.code, f.reply.text);
		ck_assert_msg(rcpt(&f, 3, rows[i].to) == rows[i].trusted,
		    "%s: %u %s", rows[i].to, f.reply.code, f.reply.text);
	}
	ck_assert_uint_eq(n, sizeof rows / sizeof *rows);
	tear_down(&f);
}
END_TEST

START_TEST(routes)
{
	static const struct {
		const char *to;
		unsigned code;
		enum route_kind kind;
		const char *path, *host, *user;
		uint16_t port;
	} rows[] = {
		{ "Alice@files.example", 250, ROUTE_MAILDIR_VIRTUAL,
		    "/srv/mail/files.example/alice", "", "", 0 },
		{ "alice+a+b@files.example", 250, ROUTE_MAILDIR_VIRTUAL,
		    "/srv/mail/files.example/alice", "", "", 0 },
		{ "bob@files.example", 250, ROUTE_MAILDIR_VIRTUAL,
		    "/srv/elsewhere/bob", "", "", 0 },
		{ "postmaster@any.example", 250, ROUTE_MAILDIR_VIRTUAL,
		    "/srv/any/postmaster", "", "vmail", 0 },
		{ "Any.Body@any.example", 250, ROUTE_MAILDIR_VIRTUAL,
		    "/srv/any/any.body", "", "vmail", 0 },
		{ "x@lmtp.example", 250, ROUTE_LMTP, "", "127.0.0.1", "",
		    2424 },
		{ "x@partner.example", 250, ROUTE_SMTP, "", "192.0.2.7", "",
		    2526 },
		{ "x@other.example", 250, ROUTE_MX, "", "other.example", "",
		    0 },
		{ "x@[192.0.2.1]", 250, ROUTE_SMTP, "", "192.0.2.1", "", 25 },
		{ "x@[IPv6:2001:db8::1]", 250, ROUTE_SMTP, "", "2001:db8::1",
		    "", 25 },
		{ .to = "nobody@files.example", .code = 550 },
		{ .to = "wrong@files.example", .code = 451 },
		{ .to = "a/b@any.example", .code = 553 },
	};
	struct lookup_house f;
	unsigned n = 0;

	set_up(&f, false);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++, n++) {
		ck_assert_msg(ask_route(&f, rows[i].to) == rows[i].code,
		    "%s: %u %s", rows[i].to, f.reply.code, f.reply.text);
		if (rows[i].code != 250)
			continue;
		ck_assert_int_eq(f.route.kind, rows[i].kind);
		ck_assert_str_eq(f.route.path, rows[i].path);
		ck_assert_str_eq(f.route.host, rows[i].host);
		ck_assert_str_eq(f.route.user, rows[i].user);
		ck_assert_uint_eq(f.route.port, rows[i].port);
	}
	ck_assert_uint_eq(n, sizeof rows / sizeof *rows);
	/* A relative mailbox is one beside the users file. */
	ck_assert_uint_eq(ask_route(&f, "carl@files.example"), 250);
	ck_assert_int_eq(strncmp(f.route.path, f.dir, strlen(f.dir)), 0);
	ck_assert_str_eq(f.route.path + strlen(f.dir), "/carl");
	tear_down(&f);
}
END_TEST

START_TEST(sessions_are_counted)
{
	struct lookup_house f;
	int other;

	set_up(&f, false);
	other = seam_connect(&f.seam, PEER_SMTPD, 2);
	for (uint32_t i = 1; i <= 3; i++)
		ck_assert_uint_eq(connect_client(&f, i == 3 ? other : f.smtpd,
				      i, "192.0.2.1", NULL),
		    220);
	/* Three of one address, in two smtpds. */
	ck_assert_uint_eq(
	    connect_client(&f, f.smtpd, 4, "192.0.2.1", NULL), 421);
	gone(&f, f.smtpd, 1);
	ck_assert_uint_eq(
	    connect_client(&f, f.smtpd, 5, "192.0.2.1", NULL), 220);
	ck_assert_uint_eq(
	    connect_client(&f, f.smtpd, 6, "192.0.2.2", NULL), 220);
	ck_assert_uint_eq(
	    connect_client(&f, f.smtpd, 7, "192.0.2.3", NULL), 220);
	/* Five in all. */
	ck_assert_uint_eq(
	    connect_client(&f, f.smtpd, 8, "192.0.2.4", NULL), 421);
	gone(&f, f.smtpd, 4);
	gone(&f, f.smtpd, 8);
	/* An smtpd that is gone takes its sessions with it. */
	close(other);
	for (uint32_t i = 10; i < 100; i++)
		if (connect_client(&f, f.smtpd, i, "192.0.2.4", NULL) == 220)
			break;
		else {
			gone(&f, f.smtpd, i);
			usleep(10000);
		}
	ck_assert_uint_eq(
	    connect_client(&f, f.smtpd, 100, "192.0.2.5", NULL), 421);
	tear_down(&f);
}
END_TEST

START_TEST(nonsense_closes_the_channel_and_nothing_else)
{
	struct lookup_house f;
	unsigned n = 0;

	set_up(&f, false);
	for (int i = 0; i < 6; i++, n++) {
		ck_assert_uint_eq(
		    connect_client(&f, f.smtpd, 1, "192.0.2.1", NULL), 220);
		if (i == 0) /* a number twice */
			send_connect(&f, f.smtpd, 1, "192.0.2.1");
		else if (i == 1) /* a session that there is not */
			send_rcpt(&f, 2, "alice@files.example");
		else if (i == 2)
			gone(&f, f.smtpd, 2);
		else if (i == 3) { /* an octet too many */
			const struct msg_gone g = { 1 };
			struct wire_put *w = seam_body();

			msg_gone_put(w, &g);
			wire_put_u8(w, 0);
			seam_send(f.smtpd, LOOKUP_GONE, 0, -1);
		} else if (i == 4) { /* what only queue may ask */
			const struct msg_route r = { SPAN("x@any.example"), false };

			msg_route_put(seam_body(), &r);
			seam_send(f.smtpd, ROUTE_ASK, 9, -1);
		} else { /* a descriptor */
			const struct msg_gone g = { 1 };

			msg_gone_put(seam_body(), &g);
			seam_send(f.smtpd, LOOKUP_GONE, 0, 0);
		}
		ck_assert_msg(seam_closed(f.smtpd), "case %d", i);
		close(f.smtpd);
		f.smtpd = seam_connect(&f.seam, PEER_SMTPD, 2);
		ck_assert_uint_eq(ask_route(&f, "x@any.example"), 250);
	}
	ck_assert_uint_eq(n, 6);
	/* Their sessions were counted no more. */
	ck_assert_uint_eq(
	    connect_client(&f, f.smtpd, 1, "192.0.2.1", NULL), 220);
	tear_down(&f);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("lookup");
	TCase *t = tcase_create("lookup");
	SRunner *r;
	int failed;

	suite_add_tcase(s, t);
	tcase_set_timeout(t, 120);
	tcase_add_test(t, recipients_and_their_scopes);
	tcase_add_test(t, routes);
	tcase_add_test(t, sessions_are_counted);
	tcase_add_test(t, nonsense_closes_the_channel_and_nothing_else);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
