/*
 * test_load.c - from the bytes of a file to a struct conf: every default,
 * every kind of value, every refusal with its line.
 */
#include <check.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/bytes/buf.h"
#include "master/conf/load.h"
#include "master/conf/setting.h"
#include "master/conf/text.h"

static int
load(struct conf *c, struct problems *p, struct span file)
{
	char path[] = "/tmp/test_load.XXXXXX";
	int fd = mkstemp(path), rc;

	ck_assert_int_ne(fd, -1);
	ck_assert_int_eq(write(fd, file.p, file.n), (ssize_t)file.n);
	close(fd);
	rc = load_file(c, path, p, NULL);
	unlink(path);
	return rc;
}

static void
good(struct conf *c, const char *file)
{
	struct problems p = { .n = 0 };
	int rc = load(c, &p, span_of(file));

	ck_assert_msg(rc == 0, "%s", p.n > 0 ? p.list[0].text : "");
	ck_assert_uint_eq(p.n, 0);
}

START_TEST(every_default_is_as_promised)
{
	struct conf c;

	good(&c, "hostname = \"mail.example.org\"\n");
	ck_assert_str_eq(c.hostname, "mail.example.org");
	ck_assert_str_eq(c.spool, "/var/spool/sallyport");
	ck_assert_str_eq(c.runtime, "/run/sallyport");
	ck_assert_str_eq(c.postmaster, "root@mail.example.org");
	ck_assert(!c.seccomp_only);
	ck_assert_uint_eq(c.message_size, 50 << 20);
	ck_assert_uint_eq(c.spool_reserve, 32 << 20);
	ck_assert_uint_eq(c.segment_size, 16 << 20);
	ck_assert_uint_eq(c.history_size, 1 << 30);
	ck_assert_uint_eq(c.max_sessions, 20000);
	ck_assert_uint_eq(c.max_sessions_per_client, 0);
	ck_assert_uint_eq(c.max_recipients, 1000);
	ck_assert_uint_eq(c.max_useless, 100);
	ck_assert_uint_eq(c.max_line, 2048);
	ck_assert_uint_eq(c.smtpd_processes, 0);
	ck_assert_uint_eq(c.session_processes, 200);
	ck_assert_uint_eq(c.min_uid, 1000);
	ck_assert_uint_eq(c.host_concurrency, 20);
	ck_assert_uint_eq(c.local_concurrency, 20);
	ck_assert_uint_eq(c.command_timeout, 300);
	ck_assert_uint_eq(c.data_timeout, 300);
	ck_assert_uint_eq(c.connect_timeout, 30);
	ck_assert_uint_eq(c.retry_first, 300);
	ck_assert_uint_eq(c.retry_max, 4 * 3600);
	ck_assert_uint_eq(c.expire, 5 * 86400);
	ck_assert_uint_eq(c.history, 7 * 86400);
	ck_assert_uint_eq(c.nlistens, 0);
	ck_assert_uint_eq(c.ndomains, 0);
	ck_assert_uint_eq(c.nresolvers, 0);
	ck_assert_uint_eq(c.nrelay_from, 2);
	ck_assert_uint_eq(c.relay_from[0].bits, 96 + 8);
	ck_assert_uint_eq(c.relay_from[1].bits, 128);
	ck_assert_uint_eq(c.nroutes, 1);
	ck_assert_str_eq(c.routes[0].pattern, "*");
	ck_assert_int_eq(c.routes[0].via, VIA_MX);
	conf_free(&c);
}
END_TEST

START_TEST(listens_have_an_address_and_a_port)
{
	struct conf c;

	good(&c,
	    "hostname = a.example\n"
	    "listen \"0.0.0.0:25\" { }\n"
	    "listen \"[::1]:0\" { bare_newlines = convert "
	    "isolation = session ehlo_without = { size, \"CHUNKING\" } "
	    "proxy = { \"192.0.2.0/24\", \"2001:db8::1\" } }\n");
	ck_assert_uint_eq(c.nlistens, 2);
	ck_assert_uint_eq(c.listens[0].ehlo_without, 0);
	ck_assert_uint_eq(c.listens[0].nproxies, 0);
	ck_assert_uint_eq(c.listens[1].ehlo_without,
	    EXT_BIT(EXT_SIZE) | EXT_BIT(EXT_CHUNKING));
	ck_assert_uint_eq(c.listens[1].nproxies, 2);
	ck_assert_uint_eq(c.listens[1].proxies[0].bits, 120);
	ck_assert_uint_eq(c.listens[1].proxies[1].bits, 128);
	ck_assert(!c.early_talkers);
	ck_assert_str_eq(c.listens[0].title, "0.0.0.0:25");
	ck_assert_uint_eq(c.listens[0].port, 25);
	ck_assert(ip_is_v4(&c.listens[0].ip));
	ck_assert_int_eq(c.listens[0].bare_newlines, NEWLINES_REJECT);
	ck_assert_int_eq(c.listens[0].isolation, ISOLATION_SHARED);
	ck_assert_int_eq(c.listens[1].isolation, ISOLATION_SESSION);
	ck_assert_uint_eq(c.listens[1].port, 0);
	ck_assert(!ip_is_v4(&c.listens[1].ip));
	ck_assert_int_eq(c.listens[1].bare_newlines, NEWLINES_CONVERT);
	conf_free(&c);
}
END_TEST

START_TEST(domains_say_who_and_how)
{
	struct conf c;

	good(&c,
	    "hostname = a.example\n"
	    "domain \"Example.ORG\" { }\n"
	    "domain \"v.example\" { users = \"file:users\" plus = \"+\" "
	    "aliases = \"lists/aliases\" "
	    "deliver = \"maildir:./box/%d/%u\" }\n"
	    "domain \"l.example\" { users = any "
	    "deliver = \"lmtp:[::1]:24\" }\n");
	ck_assert_uint_eq(c.ndomains, 3);
	ck_assert_str_eq(c.domains[0].name, "example.org");
	ck_assert_int_eq(c.domains[0].users, USERS_SYSTEM);
	ck_assert_int_eq(c.domains[0].deliver, DELIVER_MAILDIR);
	ck_assert_str_eq(c.domains[0].path, "~/Maildir");
	ck_assert_str_eq(c.domains[0].plus, "");
	ck_assert_int_eq(c.domains[1].users, USERS_FILE);
	/* relative to the file */
	ck_assert_str_eq(c.domains[1].users_file, "/tmp/users");
	ck_assert_str_eq(c.domains[1].aliases, "/tmp/lists/aliases");
	ck_assert_str_eq(c.domains[1].path, "/tmp/box/%d/%u");
	ck_assert_str_eq(c.domains[1].plus, "+");
	ck_assert_int_eq(c.domains[2].users, USERS_ANY);
	ck_assert_int_eq(c.domains[2].deliver, DELIVER_LMTP);
	ck_assert_str_eq(c.domains[2].host, "::1");
	ck_assert_uint_eq(c.domains[2].port, 24);
	ck_assert_str_eq(c.postmaster, "root@example.org");
	conf_free(&c);
}
END_TEST

START_TEST(the_rest_of_the_settings)
{
	struct conf c;

	good(&c,
	    "hostname = a.example spool = \"x/$HOME${HOME}\"\n"
	    "runtime = \"/run/x//\" sandbox = \"seccomp-only\"\n"
	    "relay_from = {} postmaster = \"Ann@B.Example\"\n"
	    "resolver = { \"127.0.0.1\", \"::1\", \"127.0.0.1:5353\",\n"
	    "  \"[::1]:54\", \"127.0.0.2@55\" }\n"
	    "route \"Partner.example\" { via = \"smtp://192.0.2.7:2526\" }\n"
	    "route \".example\" { via = \"smtp://mx.example.net\" }\n"
	    "route \"*\" { via = \"smtp://[::1]\" }\n");
	ck_assert_str_eq(c.spool, "/tmp/x/$HOME${HOME}");
	ck_assert_str_eq(c.runtime, "/run/x");
	ck_assert(c.seccomp_only);
	ck_assert_uint_eq(c.nrelay_from, 0);
	ck_assert_str_eq(c.postmaster, "Ann@b.example");
	ck_assert_uint_eq(c.nresolvers, 5);
	ck_assert_str_eq(c.resolvers[0].address, "127.0.0.1@53");
	ck_assert_str_eq(c.resolvers[1].address, "::1@53");
	ck_assert_str_eq(c.resolvers[2].address, "127.0.0.1@5353");
	ck_assert_str_eq(c.resolvers[3].address, "::1@54");
	ck_assert_str_eq(c.resolvers[4].address, "127.0.0.2@55");
	ck_assert_uint_eq(c.nroutes, 3);
	ck_assert_str_eq(c.routes[0].pattern, "partner.example");
	ck_assert_str_eq(c.routes[0].host, "192.0.2.7");
	ck_assert_uint_eq(c.routes[0].port, 2526);
	ck_assert_str_eq(c.routes[1].host, "mx.example.net");
	ck_assert_uint_eq(c.routes[1].port, 25);
	ck_assert_str_eq(c.routes[2].host, "::1");
	conf_free(&c);
}
END_TEST

START_TEST(expectations_are_taken_apart)
{
	struct conf c;
	char ip[IP_TEXT_MAX];

	good(&c,
	    "hostname = a.example\n"
	    "expect \"rcpt a@b.example\" { reply = \"250\" }\n"
	    "expect \"mail c@d.example rcpt A@B.example from 192.0.2.9\" "
	    "{ reply = \"550 5.7.1\" }\n"
	    "expect \"mail <> rcpt postmaster\" { reply = relay-denied }\n");
	ck_assert_uint_eq(c.nexpects, 3);
	ck_assert_str_eq(c.expects[0].rcpt, "a@b.example");
	ck_assert_str_eq(c.expects[0].sender, "");
	ck_assert_uint_eq(c.expects[0].code, 250);
	ck_assert_uint_eq(c.expects[0].esc.class, 0);
	ck_assert_uint_eq(c.expects[0].line, 2);
	ip_format(ip, &c.expects[0].client);
	ck_assert_str_eq(ip, "127.0.0.1");
	ck_assert_str_eq(c.expects[1].sender, "c@d.example");
	ck_assert_str_eq(c.expects[1].rcpt, "A@b.example");
	ck_assert_uint_eq(c.expects[1].code, 550);
	ck_assert_uint_eq(c.expects[1].esc.class, 5);
	ck_assert_uint_eq(c.expects[1].esc.subject, 7);
	ck_assert_uint_eq(c.expects[1].esc.detail, 1);
	ip_format(ip, &c.expects[1].client);
	ck_assert_str_eq(ip, "192.0.2.9");
	ck_assert_str_eq(c.expects[2].rcpt, "postmaster");
	ck_assert_str_eq(c.expects[2].reply, "relay-denied");
	conf_free(&c);
}
END_TEST

/* What is wrong, on line 2, and a word of what would be right. */
static const struct {
	const char *line, *about;
} bad[] = {
	{ "postmaster = \"root\"", "postmaster" },
	{ "spool = \"\"", "spool" },
	{ "runtime = \"/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"",
	    "at most 94" },
	{ "sandbox = \"none\"", "seccomp-only" },
	{ "relay_from = { \"10.0.0.0/33\" }", "192.0.2.0/24" },
	{ "relay_from = { \"10.0.0.0/8\", \"host\" }", "host" },
	{ "resolver = \"ns.example\"", "address" },
	{ "resolver = \"127.0.0.1:0\"", "address" },
	{ "message_size = \"50MB\"", "K, M, G" },
	{ "message_size = 5m", "K, M, G" },
	{ "message_size = 1", "from 1K" },
	{ "message_size = 3G", "to 2G" },
	{ "max_sessions = 0", "from 1" },
	{ "max_sessions = -1", "from 1" },
	{ "max_sessions = 10M", "number" },
	{ "max_line = 511", "from 512" },
	{ "smtpd_processes = 257", "256" },
	{ "session_processes = 0", "from 1" },
	{ "min_uid = 0", "from 1" },
	{ "expire = 5M", "s, m, h, d" },
	{ "expire = 367d", "to 366d" },
	{ "retry_first = \"\"", "time" },
	{ "log = \"syslog\"", "\"text\" or \"json\"" },
	{ "log_to = \"file\"", "\"syslog\"" },
	{ "log_to = \"syslog:\"", "\"syslog\"" },
	{ "aliases = \"x\"", "not supported by this version" },
	{ "listen \"localhost:25\" { }", "no address" },
	{ "listen \"127.0.0.1\" { }", "no address" },
	{ "listen \"127.0.0.1:25\" { isolation = none }", "session" },
	{ "listen \"127.0.0.1:25\" { bare_newlines = keep }", "convert" },
	{ "listen \"127.0.0.1:25\" { ehlo_without = STARTTLS }", "CHUNKING" },
	{ "listen \"127.0.0.1:25\" { proxy = localhost }", "a block like" },
	{ "early_talkers = wait", "\"refuse\" or \"allow\"" },
	{ "domain \"-x\" { }", "domain name" },
	{ "domain \"[192.0.2.1]\" { }", "domain name" },
	{ "domain \"a.example\" { users = \"all\" }", "system" },
	{ "domain \"a.example\" { users = \"file:\" }", "file:PATH" },
	{ "domain \"a.example\" { users = any }", "needs users" },
	{ "domain \"a.example\" { deliver = \"mbox:/x\" }", "not supported" },
	{ "domain \"a.example\" { deliver = \"program:x\" }", "not supported" },
	{ "domain \"a.example\" { deliver = \"lmtp:unix:/x\" }",
	    "not supported" },
	{ "domain \"a.example\" { deliver = \"lmtp:localhost\" }",
	    "HOST:PORT" },
	{ "domain \"a.example\" { deliver = \"lmtp:localhost:0\" }",
	    "HOST:PORT" },
	{ "domain \"a.example\" { deliver = \"maildir:\" }", "maildir:PATH" },
	{ "domain \"a.example\" { deliver = \"maildir:~ann/x\" }",
	    "maildir:PATH" },
	{ "domain \"a.example\" { deliver = \"maildir:/x/%h\" }", "%u" },
	{ "domain \"a.example\" { deliver = \"maildir:/x/%\" }", "%u" },
	{ "domain \"a.example\" { deliver = \"/x\" }", "maildir:PATH" },
	{ "domain \"a.example\" { owner = root }", "superuser" },
	{ "domain \"a.example\" { owner = \"a b\" }", "user" },
	{ "domain \"a.example\" { plus = \"++\" }", "mark" },
	{ "domain \"a.example\" { plus = \"a\" }", "mark" },
	{ "listen \"127.0.0.1:25\" { refuse = yes }", "\"connect\"" },
	{ "domain \"a.example\" { refuse = hello }", "\"yes\"" },
	{ "domain \"a.example\" { moved = \"/x\" }", "file:PATH" },
	{ "domain \"a.example\" { moved_reply = \"551\" }", "\"tell\"" },
	{ "disclose = maybe", "\"no\" or \"yes\"" },
	{ "send = terminal", "\"mailbox\"" },
	{ "commands_off = { \"VRFY\", \"MAIL\" }", "\"EXPN\"" },
	{ "reply \"relay-denid\" { text = \"x\" }", "sallyport reply" },
	{ "reply \"ok\" { }", "has no text" },
	{ "reply \"ok\" { text = \"%\" }", "without %" },
	{ "reply \"queued\" { text = \"as %\" }", "beginning" },
	{ "domain \"a.example\" { aliases = \"x/\" }", "aliases" },
	{ "domain \"a.example\" { aliases = \"\" }", "aliases" },
	{ "route \"a b\" { }", "pattern" },
	{ "route \"*.example\" { }", "pattern" },
	{ "route \"a.example\" { via = \"smtp://\" }", "smtp://HOST" },
	{ "route \"a.example\" { via = \"smtp://h:0\" }", "smtp://HOST" },
	{ "route \"a.example\" { via = \"lmtp://h:24\" }", "not supported" },
	{ "route \"a.example\" { via = \"smtps://h\" }", "not supported" },
	{ "route \"a.example\" { via = \"direct\" }", "mx" },
	{ "expect \"rcpt a@b.example\" { }", "reply" },
	{ "expect \"rcpt a@b.example\" { reply = \"199\" }", "code" },
	{ "expect \"rcpt a@b.example\" { reply = \"550 4.1.1\" }", "code" },
	{ "expect \"rcpt a@b.example\" { reply = \"550 5.1\" }", "code" },
	{ "expect \"rcpt a@b.example\" { reply = \"no-such-name\" }", "code" },
	{ "expect \"a@b.example\" { reply = \"250\" }", "rcpt ADDRESS" },
	{ "expect \"rcpt a@b.example from x\" { reply = \"250\" }", "from IP" },
	{ "expect \"mail a@b.example\" { reply = \"250\" }", "rcpt ADDRESS" },
	{ "expect \"rcpt a@b.example listener x\" { reply = \"250\" }",
	    "title of a listen statement" },
	{ "hostname = \"other.example\"", "set on line 1" },
	{ "max_session = 1", "max_sessions would be right" },
};

START_TEST(what_is_wrong_is_said_with_its_line)
{
	struct problems p = { .n = 0 };
	char file[512];
	struct conf c;

	snprintf(file, sizeof file, "hostname = a.example\n%s\n", bad[_i].line);
	ck_assert_int_eq(load(&c, &p, span_of(file)), -1);
	ck_assert_msg(p.n == 1, "%s: %zu problems", bad[_i].line, p.n);
	ck_assert_msg(
	    p.list[0].line == 2, "%s: line %u", bad[_i].line, p.list[0].line);
	ck_assert_msg(strstr(p.list[0].text, bad[_i].about) != NULL, "%s: %s",
	    bad[_i].line, p.list[0].text);
	problems_fini(&p);
	conf_free(&c);
}
END_TEST

START_TEST(all_mistakes_are_told_in_the_order_of_the_file)
{
	struct problems p = { .n = 0 };
	char *printed = NULL;
	size_t n = 0;
	FILE *out = open_memstream(&printed, &n);
	struct conf c;

	ck_assert_int_eq(load(&c, &p,
			     SPAN("hostname = a.example\n"
				  "domain \"a.example\" { plus = \"++\"\n"
				  "  owner = \"root\" }\n"
				  "domain \"A.example\" { }\n"
				  "max_sessions = none\n"
				  "listen \"127.0.0.1:25\" { }\n"
				  "listen \"[::ffff:127.0.0.1]:25\" { }\n"
				  "domain \"b.example\" {\n"
				  "  deliver = \"maildir:~/x\"\n"
				  "  users = any }\n")),
	    -1);
	problems_print(&p, "x.conf", out);
	fclose(out);
	ck_assert_uint_eq(p.n, 6);
	for (size_t i = 0; i < 6; i++) {
		static const unsigned lines[] = { 2, 3, 4, 5, 7, 9 };

		ck_assert_uint_eq(p.list[i].line, lines[i]);
	}
	ck_assert_int_eq(strncmp(printed, "x.conf:2: plus", 14), 0);
	ck_assert_ptr_nonnull(strstr(printed, "\nx.conf:9: deliver"));
	free(printed);
	problems_fini(&p);
	conf_free(&c);
}
END_TEST

START_TEST(a_retry_that_starts_later_than_it_may_is_refused)
{
	struct problems p = { .n = 0 };
	struct conf c;

	ck_assert_int_eq(load(&c, &p,
			     SPAN("hostname = a.example\n"
				  "retry_first = 5h\n")),
	    -1);
	ck_assert_uint_eq(p.n, 1);
	ck_assert_ptr_nonnull(strstr(p.list[0].text, "retry_max"));
	problems_fini(&p);
	conf_free(&c);
}
END_TEST

START_TEST(recipients_that_no_segment_takes_are_refused)
{
	struct problems p = { .n = 0 };
	struct conf c;

	ck_assert_int_eq(load(&c, &p,
			     SPAN("hostname = a.example\n"
				  "max_recipients = 100000\n")),
	    -1);
	ck_assert_uint_eq(p.n, 1);
	ck_assert_ptr_nonnull(strstr(p.list[0].text, "max_recipients"));
	ck_assert_ptr_nonnull(strstr(p.list[0].text, "\"88M\""));
	problems_fini(&p);
	conf_free(&c);
	good(&c,
	    "hostname = a.example\nmax_recipients = 100000\n"
	    "segment_size = 88M\n");
	conf_free(&c);
	good(&c, "hostname = a.example\nmax_recipients = 17000\n");
	conf_free(&c);
}
END_TEST

static const char whole[] = "hostname = \"a.example\" # c\n"
			    "listen \"[::1]:2525\" { bare_newlines = "
			    "\"convert\" }\n"
			    "relay_from = { \"10.0.0.0/8\", # c\n"
			    "  \"::1/128\" }\n"
			    "domain \"b.example\" {\n"
			    "\tusers = \"any\"\n"
			    "\tdeliver = \"maildir:/x/%u\"\n"
			    "}\n"
			    "expect \"rcpt a@b.example\" { reply = \"250\" }\n";

/* Cut at every place, and with every byte made wrong: no crash, no leak of a
 * half-read struct, and an error is told or the result can be encoded. */
START_TEST(no_damage_goes_unnoticed_or_breaks_anything)
{
	static char blob[64 * 1024];
	size_t refused = 0;

	for (size_t i = 0; i < 2 * (sizeof whole - 1); i++) {
		struct problems p = { .n = 0 };
		struct wire_put w = wire_writer(blob, sizeof blob);
		char file[sizeof whole];
		struct conf c;

		memcpy(file, whole, sizeof file);
		if (i >= sizeof whole - 1)
			file[i - (sizeof whole - 1)] = '{';
		if (load(&c, &p,
			span_from(file,
			    i < sizeof whole - 1 ? i : sizeof whole - 1)) ==
		    0) {
			conf_put(&w, &c);
			ck_assert(!w.bad);
		} else {
			ck_assert_uint_gt(p.n, 0);
			refused++;
		}
		problems_fini(&p);
		conf_free(&c);
	}
	ck_assert_uint_gt(refused, sizeof whole);
}
END_TEST

START_TEST(the_example_is_right)
{
	struct problems p = { .n = 0 };
	struct conf c;
	int rc = load_file(&c, "etc/sallyport.conf", &p, NULL);

	ck_assert_msg(rc == 0, "%s", p.n > 0 ? p.list[0].text : "");
	ck_assert_uint_gt(c.nlistens, 0);
	ck_assert_uint_gt(c.ndomains, 0);
	conf_free(&c);
}
END_TEST

/* The default, as the page gives it behind a setting's name. */
static void
documented(struct span page, const char *section, const struct setting *s)
{
	char item[128];

	snprintf(item, sizeof item, "\n.It Ic %s", s->name);
	ck_assert_msg(memmem(page.p, page.n, item, strlen(item)) != NULL,
	    "%s %s is not in the manual page", section, s->name);
	if (s->standard == NULL || *s->standard == '\0' || s->list)
		return;
	snprintf(item, sizeof item, "\n.It Ic %s No = Qq %s\n", s->name,
	    s->standard);
	ck_assert_msg(memmem(page.p, page.n, item, strlen(item)) != NULL,
	    "%s %s has another default in the manual page", section, s->name);
}

START_TEST(every_setting_is_in_the_manual_page)
{
	struct problems p = { .n = 0 };
	size_t settings = 0;
	struct buf page;

	buf_init(&page, TEXT_FILE_MAX);
	ck_assert_int_eq(text_read(&page, "etc/sallyport.conf.5", &p), 0);
	for (size_t i = 0; i < SETTING_PLACES; i++) {
		const struct setting_place *place = setting_place(i);

		for (size_t j = 0; j < place->n; j++) {
			if (place->settings[j].read == setting_read_unsupported)
				continue;
			documented(buf_span(&page), place->section,
			    &place->settings[j]);
			settings++;
		}
	}
	ck_assert_uint_ge(settings, 35);
	buf_fini(&page);
}
END_TEST

static void
add_tests(TCase *t)
{
	tcase_add_test(t, every_default_is_as_promised);
	tcase_add_test(t, listens_have_an_address_and_a_port);
	tcase_add_test(t, domains_say_who_and_how);
	tcase_add_test(t, the_rest_of_the_settings);
	tcase_add_test(t, expectations_are_taken_apart);
	tcase_add_loop_test(t, what_is_wrong_is_said_with_its_line, 0,
	    sizeof bad / sizeof bad[0]);
	tcase_add_test(t, all_mistakes_are_told_in_the_order_of_the_file);
	tcase_add_test(t, recipients_that_no_segment_takes_are_refused);
	tcase_add_test(t, a_retry_that_starts_later_than_it_may_is_refused);
	tcase_add_test(t, no_damage_goes_unnoticed_or_breaks_anything);
	tcase_add_test(t, the_example_is_right);
	tcase_add_test(t, every_setting_is_in_the_manual_page);
}

int
main(void)
{
	Suite *s = suite_create("load");
	TCase *t = tcase_create("load");
	SRunner *r = srunner_create(s);
	int failed;

	suite_add_tcase(s, t);
	tcase_set_timeout(t, 60);
	add_tests(t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
