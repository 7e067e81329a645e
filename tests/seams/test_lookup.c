/*
 * test_lookup.c - the real lookup, in its sandbox, with the test in the place of
 * smtpd and queue.
 */
#include <sys/stat.h>

#include <check.h>
#include <fcntl.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/msg/queue_lookup.h"
#include "common/msg/reply.h"
#include "common/msg/smtpd_lookup.h"
#include "tests/seams/seam.h"

struct fixture {
	struct seam seam;
	int smtpd, queue;
	uint32_t id;
	char dir[64], users[80];
};

static struct reply reply;
static struct route route;

/* ---- the service ---------------------------------------------------------- */

static void
write_users(const struct fixture *f, const char *text)
{
	char fresh[96];
	int fd;

	snprintf(fresh, sizeof fresh, "%s.new", f->users);
	fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC, 0644);
	ck_assert_int_ne(fd, -1);
	ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	ck_assert_int_eq(fchmod(fd, 0644), 0);
	close(fd);
	ck_assert_int_eq(rename(fresh, f->users), 0);
}

static void
set_up(struct fixture *f, bool system)
{
	struct conf_domain domains[] = {
		{ .name = "files.example",
		    .users = USERS_FILE,
		    .path = "/srv/mail/%d/%u",
		    .plus = "+" },
		{ .name = "any.example",
		    .users = USERS_ANY,
		    .path = "/srv/any/%u",
		    .owner = "vmail" },
		{ .name = "lmtp.example",
		    .users = USERS_ANY,
		    .deliver = DELIVER_LMTP,
		    .host = "127.0.0.1",
		    .port = 2424 },
		{ .name = "system.example",
		    .users = USERS_SYSTEM,
		    .path = "~/Maildir",
		    .plus = "+" },
	};
	struct conf_listen listens[1] = { { .port = 25 } };
	struct conf_route routes[] = {
		{ .pattern = "*", .via = VIA_MX },
		{ .pattern = "partner.example",
		    .via = VIA_SMTP,
		    .host = "192.0.2.7",
		    .port = 2526 },
	};
	struct netblock relay_from[1];
	struct conf conf = { .ndomains = system ? 4 : 3,
		.domains = domains,
		.nlistens = 1,
		.listens = listens,
		.nroutes = 2,
		.routes = routes,
		.nrelay_from = 1,
		.relay_from = relay_from,
		.max_sessions = 5,
		.max_sessions_per_client = 3,
		.min_uid = 1000 };

	memset(f, 0, sizeof *f);
	strcpy(f->dir, "/tmp/seam-lookup.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(f->dir));
	ck_assert_int_eq(chmod(f->dir, 0755), 0);
	snprintf(f->users, sizeof f->users, "%s/users", f->dir);
	write_users(f,
	    "# people\nalice\nBob mailbox=/srv/elsewhere/bob\n"
	    "carl mailbox=carl\nwrong color=blue\n");
	strcpy(domains[0].users_file, f->users);
	strcpy(conf.hostname, "mx.example");
	strcpy(conf.postmaster, "alice@files.example");
	ck_assert(ip_parse(&listens[0].ip, SPAN("0.0.0.0")));
	ck_assert(netblock_parse(&relay_from[0], SPAN("10.0.0.0/8")));
	seam_start(&f->seam, "lookup", &conf);
	f->smtpd = seam_connect(&f->seam, PEER_SMTPD, 1);
	f->queue = seam_connect(&f->seam, PEER_QUEUE, 1);
}

static void
clean(const struct fixture *f)
{
	char command[128];

	snprintf(command, sizeof command, "rm -r %s", f->dir);
	ck_assert_int_eq(system(command), 0);
}

static void
tear_down(struct fixture *f)
{
	close(f->smtpd);
	close(f->queue);
	ck_assert_int_eq(seam_stop(&f->seam), 0);
	clean(f);
}

/* ---- questions ------------------------------------------------------------ */

static void
send_connect(struct fixture *f, int smtpd, uint32_t session, const char *ip)
{
	struct msg_connect c = { .session = session, .local = ip == NULL };

	if (ip != NULL)
		ck_assert(ip_parse(&c.ip, span_of(ip)));
	msg_connect_put(seam_body(), &c);
	seam_send(smtpd, LOOKUP_CONNECT, ++f->id, -1);
}

/* The code; *trusted may be NULL. */
static unsigned
connect_client(struct fixture *f, int smtpd, uint32_t session, const char *ip,
    bool *trusted)
{
	struct msg_client client;
	struct ipc_msg m;

	send_connect(f, smtpd, session, ip);
	seam_recv(smtpd, &m, LOOKUP_CLIENT);
	ck_assert_uint_eq(m.id, f->id);
	ck_assert_int_eq(msg_client_get(&m, &client), 0);
	if (trusted != NULL)
		*trusted = client.trusted;
	return client.reply.code;
}

static void
gone(struct fixture *f, int smtpd, uint32_t session)
{
	const struct msg_gone g = { session };

	(void)f;
	msg_gone_put(seam_body(), &g);
	seam_send(smtpd, LOOKUP_GONE, 0, -1);
}

static void
send_rcpt(struct fixture *f, uint32_t session, const char *to)
{
	const struct msg_rcpt r = { session, SPAN("x@client.example"),
		span_of(to) };

	msg_rcpt_put(seam_body(), &r);
	seam_send(f->smtpd, LOOKUP_RCPT, ++f->id, -1);
}

static unsigned
rcpt(struct fixture *f, uint32_t session, const char *to)
{
	struct ipc_msg m;

	send_rcpt(f, session, to);
	seam_recv(f->smtpd, &m, LOOKUP_VERDICT);
	ck_assert_uint_eq(m.id, f->id);
	ck_assert_int_eq(msg_reply_get(&m, &reply), 0);
	return reply.code;
}

static unsigned
ask_route(struct fixture *f, const char *to)
{
	const struct msg_route r = { span_of(to) };
	struct msg_routed routed;
	struct ipc_msg m;

	msg_route_put(seam_body(), &r);
	seam_send(f->queue, ROUTE_ASK, ++f->id, -1);
	seam_recv(f->queue, &m, ROUTE_ANSWER);
	ck_assert_uint_eq(m.id, f->id);
	ck_assert_int_eq(msg_routed_get(&m, &routed), 0);
	reply = routed.reply;
	route = routed.route;
	return reply.code;
}

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
		{ "\"../x\"@any.example", 550, 550, SCOPE_RECIPIENT },
		{ "-x@any.example", 550, 550, SCOPE_RECIPIENT },
		{ "who@lmtp.example", 250, 250, SCOPE_DOMAIN },
		{ "x@elsewhere.example", 550, 250, SCOPE_DOMAIN },
		{ "postmaster@elsewhere.example", 550, 250, SCOPE_DOMAIN },
		{ "x@[192.0.2.1]", 550, 250, SCOPE_DOMAIN },
		/* we ourselves */
		{ "x@[127.0.0.1]", 550, 550, SCOPE_DOMAIN },
		{ "x@[0.0.0.0]", 550, 550, SCOPE_DOMAIN },
	};
	struct fixture f;
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
		    "%s: %u %s", rows[i].to, reply.code, reply.text);
		ck_assert_msg(reply.scope == rows[i].scope, "%s", rows[i].to);
		ck_assert_msg(rcpt(&f, 2, rows[i].to) == rows[i].trusted,
		    "%s: %u %s", rows[i].to, reply.code, reply.text);
		ck_assert_msg(rcpt(&f, 3, rows[i].to) == rows[i].trusted,
		    "%s: %u %s", rows[i].to, reply.code, reply.text);
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
		{ "postmaster@files.example", 250, ROUTE_MAILDIR_VIRTUAL,
		    "/srv/mail/files.example/alice", "", "", 0 },
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
		{ .to = "a/b@any.example", .code = 550 },
	};
	struct fixture f;
	unsigned n = 0;

	set_up(&f, false);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++, n++) {
		ck_assert_msg(ask_route(&f, rows[i].to) == rows[i].code,
		    "%s: %u %s", rows[i].to, reply.code, reply.text);
		if (rows[i].code != 250)
			continue;
		ck_assert_int_eq(route.kind, rows[i].kind);
		ck_assert_str_eq(route.path, rows[i].path);
		ck_assert_str_eq(route.host, rows[i].host);
		ck_assert_str_eq(route.user, rows[i].user);
		ck_assert_uint_eq(route.port, rows[i].port);
	}
	ck_assert_uint_eq(n, sizeof rows / sizeof *rows);
	/* A relative mailbox is one beside the users file. */
	ck_assert_uint_eq(ask_route(&f, "carl@files.example"), 250);
	ck_assert_int_eq(strncmp(route.path, f.dir, strlen(f.dir)), 0);
	ck_assert_str_eq(route.path + strlen(f.dir), "/carl");
	tear_down(&f);
}
END_TEST

START_TEST(sessions_are_counted)
{
	struct fixture f;
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
	struct fixture f;
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
			const struct msg_route r = { SPAN("x@any.example") };

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

/* A question and its answer, until it is that one or time is up. */
static unsigned
rcpt_until(struct fixture *f, const char *to, unsigned code)
{
	unsigned got = 0;

	for (int i = 0; i < 60; i++) {
		got = rcpt(f, 1, to);
		if (got == code)
			break;
		usleep(50000);
	}
	return got;
}

START_TEST(a_users_file_is_read_again)
{
	struct fixture f;

	set_up(&f, false);
	ck_assert_uint_eq(
	    connect_client(&f, f.smtpd, 1, "192.0.2.1", NULL), 220);
	ck_assert_uint_eq(rcpt(&f, 1, "dora@files.example"), 550);
	write_users(&f, "dora\n");
	ck_assert_uint_eq(rcpt_until(&f, "dora@files.example", 250), 250);
	ck_assert_uint_eq(rcpt(&f, 1, "alice@files.example"), 550);
	ck_assert_int_eq(unlink(f.users), 0);
	ck_assert_uint_eq(rcpt_until(&f, "dora@files.example", 451), 451);
	ck_assert_uint_eq(rcpt(&f, 1, "nobody@files.example"), 451);
	/* RFC 5321 section 4.5.1 */
	ck_assert_uint_eq(rcpt(&f, 1, "postmaster@files.example"), 250);
	ck_assert_uint_eq(ask_route(&f, "postmaster@files.example"), 451);
	write_users(&f, "dora\nnobody\n");
	ck_assert_uint_eq(rcpt_until(&f, "nobody@files.example", 250), 250);
	tear_down(&f);
}
END_TEST

/* A user of this machine that may have mail, or one that may not. */
static bool
some_user(char *name, size_t size, bool ordinary)
{
	struct passwd *pw;
	bool found = false;

	setpwent();
	while (!found && (pw = getpwent()) != NULL)
		if ((pw->pw_uid >= 1000) == ordinary &&
		    strlen(pw->pw_name) < size) {
			strcpy(name, pw->pw_name);
			found = true;
		}
	endpwent();
	return found;
}

START_TEST(system_users)
{
	char user[33], to[256];
	struct fixture f;

	set_up(&f, true);
	ck_assert_uint_eq(
	    connect_client(&f, f.smtpd, 1, "192.0.2.1", NULL), 220);
	ck_assert(some_user(user, sizeof user, true));
	snprintf(to, sizeof to, "%s@system.example", user);
	ck_assert_uint_eq(rcpt(&f, 1, to), 250);
	ck_assert_uint_eq(ask_route(&f, to), 250);
	ck_assert_int_eq(route.kind, ROUTE_MAILDIR_SYSTEM);
	ck_assert_str_eq(route.user, user);
	ck_assert_str_eq(route.path, "Maildir");
	for (char *p = user; *p != '\0'; p++)
		*p = *p >= 'a' && *p <= 'z' ? (char)(*p - 'a' + 'A') : *p;
	snprintf(to, sizeof to, "%s+ext@system.example", user);
	ck_assert_uint_eq(rcpt(&f, 1, to), 250);
	/* Below min_uid there is no mail. */
	ck_assert_uint_eq(rcpt(&f, 1, "root@system.example"), 550);
	ck_assert(some_user(user, sizeof user, false));
	snprintf(to, sizeof to, "%s@system.example", user);
	ck_assert_uint_eq(rcpt(&f, 1, to), 550);
	ck_assert_uint_eq(rcpt(&f, 1, "no.such.user@system.example"), 550);
	ck_assert_uint_eq(rcpt(&f, 1, "\"a:b\"@system.example"), 550);
	ck_assert_uint_eq(rcpt(&f, 1, "postmaster@system.example"), 250);
	tear_down(&f);
}
END_TEST

/* Its helper is its only child. */
static pid_t
helper_of(const struct fixture *f)
{
	char path[64], text[64] = "";
	int fd;

	snprintf(path, sizeof path, "/proc/%d/task/%d/children", f->seam.pid,
	    f->seam.pid);
	ck_assert_int_ne(fd = open(path, O_RDONLY), -1);
	ck_assert_int_gt(read(fd, text, sizeof text - 1), 0);
	close(fd);
	return atoi(text);
}

START_TEST(a_directory_that_hangs_holds_up_nobody_else)
{
	struct fixture f;
	struct ipc_msg m;
	pid_t helper;

	set_up(&f, true);
	helper = helper_of(&f);
	ck_assert_uint_eq(
	    connect_client(&f, f.smtpd, 1, "192.0.2.1", NULL), 220);
	ck_assert_int_eq(kill(helper, SIGSTOP), 0);
	send_rcpt(&f, 1, "someone@system.example");
	ck_assert_uint_eq(ask_route(&f, "x@any.example"), 250);
	ck_assert_uint_eq(
	    connect_client(&f, f.smtpd, 2, "192.0.2.1", NULL), 220);
	/* The time limit for an answer. */
	seam_recv(f.smtpd, &m, LOOKUP_VERDICT);
	ck_assert_int_eq(msg_reply_get(&m, &reply), 0);
	ck_assert_uint_eq(reply.code, 451);
	ck_assert_int_eq(kill(helper, SIGCONT), 0);
	ck_assert_uint_eq(rcpt(&f, 1, "no.one@system.example"), 550);
	/* Without its helper it would know no user: it ends, to be started anew. */
	ck_assert_int_eq(kill(helper, SIGKILL), 0);
	ck_assert_int_eq(seam_wait(&f.seam), 1);
	clean(&f);
}
END_TEST

START_TEST(who_asked_may_be_gone_before_the_answer)
{
	struct fixture f;
	pid_t helper;

	set_up(&f, true);
	helper = helper_of(&f);
	ck_assert_int_eq(kill(helper, SIGSTOP), 0);
	ck_assert_uint_eq(
	    connect_client(&f, f.smtpd, 1, "192.0.2.1", NULL), 220);
	for (int i = 0; i < 50; i++) {
		const struct msg_route r = { SPAN("some.one@system.example") };

		send_rcpt(&f, 1, "some.one@system.example");
		msg_route_put(seam_body(), &r);
		seam_send(f.queue, ROUTE_ASK, ++f.id, -1);
	}
	ck_assert_uint_eq(ask_route(&f, "x@any.example"), 250);
	close(f.smtpd);
	close(f.queue);
	f.smtpd = seam_connect(&f.seam, PEER_SMTPD, 2);
	f.queue = seam_connect(&f.seam, PEER_QUEUE, 2);
	ck_assert_uint_eq(
	    connect_client(&f, f.smtpd, 1, "192.0.2.1", NULL), 220);
	ck_assert_int_eq(kill(helper, SIGCONT), 0);
	ck_assert_uint_eq(rcpt(&f, 1, "some.one@system.example"), 550);
	ck_assert_uint_eq(ask_route(&f, "some.one@system.example"), 550);
	tear_down(&f);
}
END_TEST

START_TEST(the_helper_ends_with_lookup)
{
	struct fixture f;
	pid_t helper;

	set_up(&f, true);
	helper = helper_of(&f);
	/* To the process group: not for the helper. */
	ck_assert_int_eq(kill(helper, SIGTERM), 0);
	ck_assert_uint_eq(
	    ask_route(&f, "nobody-of-that-name@system.example"), 550);
	ck_assert_int_eq(kill(f.seam.pid, SIGKILL), 0);
	ck_assert_int_eq(seam_wait(&f.seam), -1);
	for (int i = 0; i < 100 && kill(helper, 0) == 0; i++)
		usleep(50000);
	ck_assert_int_eq(kill(helper, 0), -1);
	clean(&f);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("lookup");
	TCase *t = tcase_create("lookup");
	SRunner *r = srunner_create(s);
	int failed;

	suite_add_tcase(s, t);
	tcase_set_timeout(t, 120);
	tcase_add_test(t, recipients_and_their_scopes);
	tcase_add_test(t, routes);
	tcase_add_test(t, sessions_are_counted);
	tcase_add_test(t, nonsense_closes_the_channel_and_nothing_else);
	tcase_add_test(t, a_users_file_is_read_again);
	tcase_add_test(t, system_users);
	tcase_add_test(t, a_directory_that_hangs_holds_up_nobody_else);
	tcase_add_test(t, who_asked_may_be_gone_before_the_answer);
	tcase_add_test(t, the_helper_ends_with_lookup);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
