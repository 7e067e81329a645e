/*
 * test_resolver.c - the real resolver, in its sandbox, against a real name
 * server (nsd) with zones made here.
 */
#include <sys/prctl.h>
#include <sys/wait.h>

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/msg/master.h"
#include "common/msg/remote_resolver.h"
#include "tests/seams/seam.h"

#define HOSTNAME "us.example"

static const char zone[] =
    "$ORIGIN example.\n$TTL 60\n"
    "@ SOA ns hostmaster 1 60 60 60 60\n@ NS ns\nns A 127.0.0.1\n"
    /* by preference, equals in any order, both families */
    "three MX 20 b\nthree MX 10 a\nthree MX 20 c\n"
    "a A 192.0.2.1\na AAAA 2001:db8::1\nb A 192.0.2.2\nc A 192.0.2.3\n"
    /* no MX: implicit */
    "implicit A 192.0.2.4\n"
    /* behind a CNAME */
    "alias CNAME three\n"
    "nullmx MX 0 .\n"
    /* the first host has no address, the second one does not exist */
    "halfbad MX 5 noaddress\nhalfbad MX 7 nowhere\nhalfbad MX 10 b\n"
    "noaddress TXT x\n"
    "allbad MX 5 noaddress\nallbad MX 7 nowhere\n"
    "nothing TXT x\n"
    /* we are the backup; we are the only one; nobody better has an address */
    "backup MX 10 a\nbackup MX 20 us\nbackup MX 20 b\nbackup MX 30 c\n"
    "us A 192.0.2.99\nonlyus MX 10 us\n"
    "onlyusleft MX 5 noaddress\nonlyusleft MX 10 us\n"
    /* a host whose zone is broken: others may do, or may not */
    "servfailhost MX 10 x.broken.test.\n"
    "servfailfirst MX 10 x.broken.test.\nservfailfirst MX 20 b\n"
    "servfailus MX 10 x.broken.test.\nservfailus MX 20 us\n"
    "servfailmix MX 10 nowhere\nservfailmix MX 20 x.broken.test.\n";

struct server {
	pid_t pid;
	uint16_t port;
	char dir[64];
};

static void
put_file(const char *dir, const char *name, const char *text)
{
	char path[128];
	int fd;

	snprintf(path, sizeof path, "%s/%s", dir, name);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
	ck_assert_int_ne(fd, -1);
	ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
}

/* A domain with so many MX that its answer needs TCP. */
static void
large(char *to, size_t size)
{
	size_t n = (size_t)snprintf(to, size, "%s", zone);

	for (int i = 0; i < 60; i++)
		n += (size_t)snprintf(to + n, size - n,
		    "large MX %d a-rather-long-label-of-a-host-%d.and-another-"
		    "one-%d\n"
		    "a-rather-long-label-of-a-host-%d.and-another-one-%d A "
		    "198.51.100.%d\n",
		    100 + i, i, i, i, i, i + 1);
	ck_assert_uint_lt(n, size);
}

/* It goes with the test, also when that fails. */
static void
server_run(struct server *s)
{
	char conf[128];

	snprintf(conf, sizeof conf, "%s/nsd.conf", s->dir);
	s->pid = fork();
	if (s->pid != 0)
		return;
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	execl("/usr/sbin/nsd", "nsd", "-d", "-c", conf, (char *)NULL);
	_exit(127);
}

static void
server_start(struct server *s)
{
	char conf[1024], text[32768];
	int probe;

	s->port = 0;
	probe = seam_listen("127.0.0.1", &s->port);
	close(probe);
	strcpy(s->dir, "/tmp/seam-nsd.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(s->dir));
	large(text, sizeof text);
	put_file(s->dir, "example.zone", text);
	snprintf(conf, sizeof conf,
	    "server:\n ip-address: 127.0.0.1@%u\n server-count: 1\n"
	    " username: \"\"\n chroot: \"\"\n zonesdir: \"%s\"\n"
	    " database: \"\"\n pidfile: \"%s/pid\"\n xfrdfile: \"%s/xfrd\"\n"
	    " xfrdir: \"%s\"\n zonelistfile: \"%s/list\"\n logfile: "
	    "\"%s/log\"\n"
	    "remote-control:\n control-enable: no\n"
	    "zone:\n name: example\n zonefile: example.zone\n"
	    "zone:\n name: broken.test\n zonefile: missing.zone\n",
	    s->port, s->dir, s->dir, s->dir, s->dir, s->dir, s->dir);
	put_file(s->dir, "nsd.conf", conf);
	server_run(s);
}

static void
server_stop(struct server *s)
{
	char command[128];

	kill(s->pid, SIGTERM);
	ck_assert_int_eq(waitpid(s->pid, NULL, 0), s->pid);
	snprintf(command, sizeof command, "rm -r %s", s->dir);
	ck_assert_int_eq(system(command), 0);
}

/* ---- questions ------------------------------------------------------------ */

struct fixture {
	struct server server;
	struct seam seam;
	int channel;
	uint32_t id;
};

static struct msg_dns_answer answer;

static void
send_ask(struct fixture *f, enum dns_mode mode, const char *name)
{
	struct msg_dns_ask a = { .mode = mode };

	snprintf(a.name, sizeof a.name, "%s", name);
	msg_dns_ask_put(seam_body(), &a);
	seam_send(f->channel, DNS_ASK, ++f->id, -1);
}

/* Resolver gives up after RESOLVER_SECONDS. */
#define ANSWER_MS (70 * 1000)

static void
ask(struct fixture *f, enum dns_mode mode, const char *name)
{
	struct ipc_msg m;

	send_ask(f, mode, name);
	ck_assert(seam_recv_within(f->channel, &m, ANSWER_MS));
	ck_assert_uint_eq(m.type, DNS_ANSWER);
	ck_assert_uint_eq(m.id, f->id);
	ck_assert_int_eq(msg_dns_answer_get(&m, &answer), 0);
}

/* "10 a.example 2001:db8::1;10 a.example 192.0.2.1;" or "550 5.1.2" */
static void
describe(char dst[2048])
{
	size_t n = 0;

	if (answer.n == 0)
		snprintf(dst, 2048, "%u %u.%u.%u", answer.reply.code,
		    answer.reply.esc.class, answer.reply.esc.subject,
		    answer.reply.esc.detail);
	for (uint32_t i = 0; i < answer.n; i++) {
		char ip[IP_TEXT_MAX];

		ip_format(ip, &answer.a[i].ip);
		n += (size_t)snprintf(dst + n, 2048 - n, "%u %s %s;",
		    answer.a[i].preference, answer.a[i].host, ip);
	}
}

static void
set_up(struct fixture *f)
{
	struct conf conf = { .nresolvers = 1 };
	struct conf_resolver resolver;

	memset(f, 0, sizeof *f);
	server_start(&f->server);
	strcpy(conf.hostname, HOSTNAME);
	snprintf(resolver.address, sizeof resolver.address, "127.0.0.1@%u",
	    f->server.port);
	conf.resolvers = &resolver;
	seam_start(&f->seam, "resolver", &conf);
	f->channel = seam_connect(&f->seam, PEER_REMOTE, 1);
	/* The server may need a moment. */
	for (int i = 0; i < 50; i++) {
		ask(f, DNS_HOST, "ns.example");
		if (answer.n == 1)
			return;
		usleep(100000);
	}
	ck_abort_msg("the name server does not answer");
}

static void
tear_down(struct fixture *f)
{
	ck_assert_int_eq(seam_stop(&f->seam), 0);
	close(f->channel);
	server_stop(&f->server);
}

static const struct row {
	enum dns_mode mode;
	const char *name, *answer, * or ;
} rows[] = {
	{ DNS_MX, "three.example",
	    "10 a.example 2001:db8::1;10 a.example 192.0.2.1;20 b.example "
	    "192.0.2.2;20 c.example 192.0.2.3;",
	    "10 a.example 2001:db8::1;10 a.example 192.0.2.1;20 c.example "
	    "192.0.2.3;20 b.example 192.0.2.2;" },
	{ DNS_MX, "Alias.Example",
	    "10 a.example 2001:db8::1;10 a.example 192.0.2.1;20 b.example "
	    "192.0.2.2;20 c.example 192.0.2.3;",
	    "10 a.example 2001:db8::1;10 a.example 192.0.2.1;20 c.example "
	    "192.0.2.3;20 b.example 192.0.2.2;" },
	{ DNS_MX, "implicit.example", "0 implicit.example 192.0.2.4;", NULL },
	{ DNS_MX, "nullmx.example", "556 5.1.10", NULL },
	{ DNS_MX, "no-such.example", "550 5.1.2", NULL },
	{ DNS_MX, "nothing.example", "550 5.1.2", NULL },
	{ DNS_MX, "halfbad.example", "10 b.example 192.0.2.2;", NULL },
	{ DNS_MX, "allbad.example", "550 5.1.2", NULL },
	{ DNS_MX, "backup.example",
	    "10 a.example 2001:db8::1;10 a.example 192.0.2.1;", NULL },
	{ DNS_MX, "onlyus.example", "554 5.4.6", NULL },
	{ DNS_MX, "us.example", "554 5.4.6", NULL },
	{ DNS_MX, "onlyusleft.example", "554 5.4.6", NULL },
	{ DNS_MX, "x.broken.test", "451 4.4.3", NULL },
	{ DNS_MX, "servfailhost.example", "451 4.4.3", NULL },
	{ DNS_MX, "servfailfirst.example", "20 b.example 192.0.2.2;", NULL },
	{ DNS_MX, "servfailus.example", "451 4.4.3", NULL },
	{ DNS_MX, "servfailmix.example", "451 4.4.3", NULL },
	{ DNS_MX, "[192.0.2.7]", "0 [192.0.2.7] 192.0.2.7;", NULL },
	{ DNS_HOST, "a.example",
	    "0 a.example 2001:db8::1;0 a.example 192.0.2.1;", NULL },
	{ DNS_HOST, "three.example", "550 5.1.2", NULL },
	{ DNS_HOST, "us.example", "0 us.example 192.0.2.99;", NULL },
	{ DNS_HOST, "no-such.example", "550 5.1.2", NULL },
	{ DNS_HOST, "x.broken.test", "451 4.4.3", NULL },
	{ DNS_HOST, "127.0.0.1", "0 127.0.0.1 127.0.0.1;", NULL },
	{ DNS_HOST, "[::1]", "0 [::1] ::1;", NULL },
	{ DNS_HOST, "[IPv6:::1]", "0 [IPv6:::1] ::1;", NULL },
	{ DNS_HOST, "localhost", "0 localhost ::1;0 localhost 127.0.0.1;",
	    NULL },
	/* no name at all */
	{ DNS_HOST, "a..b", "550 5.1.2", NULL },
};

START_TEST(answers_are_those_of_rfc_5321)
{
	struct fixture f;
	char got[2048];
	size_t i;

	set_up(&f);
	for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		const struct row *r = &rows[i];

		ask(&f, r->mode, r->name);
		describe(got);
		ck_assert_msg(strcmp(got, r->answer) == 0 ||
			(r->or != NULL && strcmp(got, r->or) == 0),
		    "%s: \"%s\"", r->name, got);
	}
	ck_assert_uint_gt(i, 20);
	tear_down(&f);
}
END_TEST

START_TEST(a_large_answer_comes_over_tcp)
{
	struct fixture f;

	set_up(&f);
	ask(&f, DNS_MX, "large.example");
	ck_assert_uint_eq(answer.reply.code, 250);
	/* the best of sixty, in their order */
	ck_assert_uint_eq(answer.n, 24);
	for (uint32_t i = 0; i < answer.n; i++)
		ck_assert_uint_eq(answer.a[i].preference, 100 + i);
	tear_down(&f);
}
END_TEST

START_TEST(many_questions_at_once)
{
	struct fixture f;
	struct ipc_msg m;
	char name[64];
	bool seen[REMOTE_RESOLVER_WINDOW] = { false };
	uint32_t first;

	set_up(&f);
	first = f.id + 1;
	for (int i = 0; i < REMOTE_RESOLVER_WINDOW; i++) {
		snprintf(name, sizeof name,
		    i % 2 ? "n%d.example" : "three.example", i);
		send_ask(&f, DNS_MX, name);
	}
	for (int i = 0; i < REMOTE_RESOLVER_WINDOW; i++) {
		uint32_t n;

		seam_recv(f.channel, &m, DNS_ANSWER);
		n = m.id - first;
		ck_assert_uint_lt(n, REMOTE_RESOLVER_WINDOW);
		ck_assert(!seen[n]);
		seen[n] = true;
		ck_assert_int_eq(msg_dns_answer_get(&m, &answer), 0);
		ck_assert_uint_eq(answer.reply.code, n % 2 ? 550 : 250);
	}
	tear_down(&f);
}
END_TEST

/* The name server is gone, and comes back. */
START_TEST(an_absent_name_server_is_temporary)
{
	struct fixture f;
	uint16_t port;
	int probe;

	set_up(&f);
	kill(f.server.pid, SIGTERM);
	waitpid(f.server.pid, NULL, 0);
	ask(&f, DNS_MX, "three.example");
	ck_assert_uint_eq(answer.reply.code, 451);
	port = f.server.port;
	probe = seam_listen("127.0.0.1", &port);
	close(probe);
	server_run(&f.server);
	for (int i = 0; i < 100 && answer.n == 0; i++) {
		usleep(200000);
		ask(&f, DNS_MX, "halfbad.example");
	}
	ck_assert_uint_eq(answer.n, 1);
	tear_down(&f);
}
END_TEST

/* The asker of today goes with its questions, the next one is served. */
START_TEST(a_bad_message_costs_only_its_channel)
{
	struct fixture f;
	struct ipc_msg m;

	set_up(&f);
	send_ask(&f, DNS_MX, "three.example");
	wire_put_u8(seam_body(), 77);
	seam_send(f.channel, DNS_ASK, 1, -1);
	while (seam_recv_within(f.channel, &m, SEAM_MS))
		;
	close(f.channel);
	seam_recv(f.seam.master, &m, MASTER_COMPLAIN);
	f.channel = seam_connect(&f.seam, PEER_REMOTE, 2);
	ask(&f, DNS_MX, "implicit.example");
	ck_assert_uint_eq(answer.n, 1);
	tear_down(&f);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("resolver");
	TCase *t = tcase_create("resolver");
	SRunner *r;
	int failed;

	tcase_set_timeout(t, 240);
	tcase_add_test(t, answers_are_those_of_rfc_5321);
	tcase_add_test(t, a_large_answer_comes_over_tcp);
	tcase_add_test(t, many_questions_at_once);
	tcase_add_test(t, an_absent_name_server_is_temporary);
	tcase_add_test(t, a_bad_message_costs_only_its_channel);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
