/*
 * test_conf.c - the configuration comes out of its encoding as it went in, and
 * the right domain and route are found in it.
 */
#include <sys/mman.h>

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/run/conf.h"

#define BLOB_MAX 65536

static struct conf_listen listens[] = {
	{ .title = "0.0.0.0:25", .port = 25 },
	{ .title = "[::1]:2525",
	    .ip = { { [15] = 1 } },
	    .port = 2525,
	    .isolation = ISOLATION_SESSION,
	    .bare_newlines = NEWLINES_CONVERT,
	    .refuse = REFUSE_HELLO,
	    .ehlo_without = EXT_BIT(EXT_CHUNKING) | EXT_BIT(EXT_LIMITS),
	    .nproxies = 2,
	    .proxies = { { .ip = { { [15] = 2 } }, .bits = 128 },
		{ .ip = { { [15] = 3 } }, .bits = 127 } } },
};
static struct conf_domain domains[] = {
	{ .name = "example.org", .path = "~/Maildir", .plus = "+" },
	{ .name = "lists.example.org",
	    .users = USERS_FILE,
	    .users_file = "/etc/sallyport/lists",
	    .deliver = DELIVER_LMTP,
	    .host = "192.0.2.7",
	    .port = 24,
	    .owner = "vmail",
	    .refuse = true,
	    .moved_file = "/etc/sallyport/moved",
	    .moved_tell = true,
	    .aliases = "/etc/aliases" },
};
static struct conf_route routes[] = {
	{ .pattern = "*" },
	{ .pattern = ".example.com",
	    .via = VIA_SMTP,
	    .host = "hub.example.com",
	    .port = 25 },
	{ .pattern = ".deep.example.com",
	    .via = VIA_SMTP,
	    .host = "deep.example.com",
	    .port = 26 },
	{ .pattern = "exact.deep.example.com",
	    .via = VIA_SMTP,
	    .host = "127.0.0.1",
	    .port = 65535 },
};
static struct netblock relay_from[] = {
	{ .ip = { { [10] = 255, [11] = 255, [12] = 127 } }, .bits = 104 },
	{ .ip = { { [15] = 1 } }, .bits = 128 },
};
static struct conf_resolver resolvers[] = { { "127.0.0.1@5353" } };
static struct conf_reply replies[] = {
	{ .name = R_RELAY_DENIED, .text = "Ask us: %" },
	{ .name = R_DONE, .text = "Fine" },
};
static struct conf_expect expects[] = {
	{ .sender = "",
	    .rcpt = "alice@example.org",
	    .client = { { [10] = 255, [11] = 255, [12] = 192 } },
	    .code = 550,
	    .esc = { 5, 7, 1 },
	    .reply = "relay-denied",
	    .line = 77 },
};

/* Every number another one, so that no two can change places. */
static const struct conf full = {
	.file = "/etc/sallyport/sallyport.conf",
	.hostname = "mail.example.org",
	.spool = "/var/spool/sallyport",
	.runtime = "/run/sallyport",
	.postmaster = "root@example.org",
	.seccomp_only = true,
	.log_json = true,
	.send_mailbox = true,
	.disclose = true,
	.early_talkers = true,
	.commands_off = 1u << CMD_HELP,
	.log_socket = "/dev/log",
	.message_size = UINT64_C(1) << 40,
	.spool_reserve = 2,
	.segment_size = 3,
	.max_sessions = 4,
	.max_sessions_per_client = 5,
	.max_recipients = 6,
	.max_useless = 7,
	.max_line = 8,
	.command_timeout = 9,
	.data_timeout = 10,
	.smtpd_processes = 11,
	.session_processes = 20,
	.min_uid = 12,
	.retry_first = 13,
	.retry_max = 14,
	.expire = 15,
	.host_concurrency = 16,
	.local_concurrency = 17,
	.history = 18,
	.history_size = 19,
	.connect_timeout = UINT32_MAX,
	.nlistens = 2,
	.ndomains = 2,
	.nroutes = 4,
	.nrelay_from = 2,
	.nresolvers = 1,
	.nexpects = 1,
	.nreplies = 2,
	.replies = replies,
	.listens = listens,
	.domains = domains,
	.routes = routes,
	.relay_from = relay_from,
	.resolvers = resolvers,
	.expects = expects,
};

static size_t
encode(char p[BLOB_MAX], const struct conf *c)
{
	struct wire_put w = wire_writer(p, BLOB_MAX);

	conf_put(&w, c);
	ck_assert(!w.bad);
	return w.n;
}

static int
decode(const char *p, size_t n, struct conf *c)
{
	/* A copy that ends where it ends, for the sanitizer to watch. */
	char *copy = malloc(n + 1);
	struct wire_get w;
	int rc;

	ck_assert_ptr_nonnull(copy);
	memcpy(copy, p, n);
	w = wire_reader(span_from(copy, n));
	rc = conf_get(&w, c);
	free(copy);
	return rc;
}

static void
same_lists(const struct conf *c)
{
	ck_assert_uint_eq(c->nlistens, 2);
	ck_assert_mem_eq(c->listens, listens, sizeof listens);
	ck_assert_uint_eq(c->ndomains, 2);
	ck_assert_mem_eq(c->domains, domains, sizeof domains);
	ck_assert_uint_eq(c->nroutes, 4);
	ck_assert_mem_eq(c->routes, routes, sizeof routes);
	ck_assert_uint_eq(c->nrelay_from, 2);
	ck_assert_mem_eq(c->relay_from, relay_from, sizeof relay_from);
	ck_assert_uint_eq(c->nresolvers, 1);
	ck_assert_mem_eq(c->resolvers, resolvers, sizeof resolvers);
	ck_assert_uint_eq(c->nexpects, 1);
	ck_assert_mem_eq(c->expects, expects, sizeof expects);
	ck_assert_uint_eq(c->nreplies, 2);
	ck_assert_mem_eq(c->replies, replies, sizeof replies);
}

START_TEST(what_was_put_comes_back)
{
	static char p[BLOB_MAX], q[BLOB_MAX];
	size_t n = encode(p, &full);
	struct conf c;

	ck_assert_int_eq(decode(p, n, &c), 0);
	same_lists(&c);
	/* All else lies before the first list, and is in it byte by byte. */
	ck_assert_mem_eq(&c, &full, offsetof(struct conf, nlistens));
	ck_assert_uint_eq(encode(q, &c), n);
	ck_assert_mem_eq(p, q, n);
	conf_free(&c);
	ck_assert_ptr_null(c.domains);
	conf_free(&c);
}
END_TEST

START_TEST(an_empty_one_comes_back)
{
	static const struct conf none = { .nlistens = 0 };
	static char p[BLOB_MAX];
	size_t n = encode(p, &none);
	struct conf c;

	ck_assert_int_eq(decode(p, n, &c), 0);
	ck_assert_uint_eq(c.ndomains, 0);
	ck_assert_ptr_null(c.domains);
	ck_assert_ptr_null(conf_route(&c, SPAN("example.org")));
	ck_assert_ptr_null(conf_domain(&c, SPAN("example.org")));
	conf_free(&c);
}
END_TEST

START_TEST(no_other_length_is_taken)
{
	static char p[BLOB_MAX];
	size_t n = encode(p, &full);
	struct conf c;

	for (size_t i = 0; i < n; i++) {
		errno = 0;
		ck_assert_int_eq(decode(p, i, &c), -1);
		ck_assert_int_eq(errno, EBADMSG);
		ck_assert_uint_eq(c.nlistens + c.ndomains + c.nexpects, 0);
	}
	p[n] = 0;
	ck_assert_int_eq(decode(p, n + 1, &c), -1);
}
END_TEST

/* Whatever a single byte says, it is refused or comes back as itself. */
START_TEST(no_byte_does_harm)
{
	static char p[BLOB_MAX], q[BLOB_MAX];
	size_t n = encode(p, &full);
	struct conf c;

	for (size_t i = 0; i < n; i++) {
		char good = p[i];

		for (unsigned bit = 0; bit < 8; bit++) {
			p[i] = (char)(good ^ 1 << bit);
			if (decode(p, n, &c) == -1)
				continue;
			ck_assert_uint_eq(encode(q, &c), n);
			ck_assert_mem_eq(p, q, n);
			conf_free(&c);
		}
		p[i] = good;
	}
}
END_TEST

START_TEST(enums_and_counts_out_of_range_are_refused)
{
	struct conf_listen many[CONF_LISTENS_MAX + 1] = { { .port = 1 } };
	struct conf_listen l = listens[0];
	struct conf_domain d = domains[0];
	struct conf_route r = routes[0];
	struct netblock b = relay_from[0];
	struct conf none = { .nlistens = 0 }, c;
	static char p[BLOB_MAX];

#define REFUSED(count, list, what) \
	do { \
		struct conf one = none; \
		one.count = 1; \
		one.list = &what; \
		ck_assert_int_eq(decode(p, encode(p, &one), &c), -1); \
	} while (0)
	l.isolation = ISOLATION_END;
	REFUSED(nlistens, listens, l);
	l = listens[0];
	l.bare_newlines = NEWLINES_END;
	REFUSED(nlistens, listens, l);
	l = listens[0];
	l.ehlo_without = EXT_BIT(EXT_END);
	REFUSED(nlistens, listens, l);
	l = listens[0];
	l.nproxies = 1;
	l.proxies[0].bits = 129;
	REFUSED(nlistens, listens, l);
	d.users = USERS_END;
	REFUSED(ndomains, domains, d);
	d = domains[0];
	d.deliver = DELIVER_END;
	REFUSED(ndomains, domains, d);
	r.via = VIA_END;
	REFUSED(nroutes, routes, r);
	b.bits = 129;
	REFUSED(nrelay_from, relay_from, b);
#undef REFUSED
	none.listens = many;
	none.nlistens = CONF_LISTENS_MAX + 1;
	ck_assert_int_eq(decode(p, encode(p, &none), &c), -1);
	none.nlistens = CONF_LISTENS_MAX;
	ck_assert_int_eq(decode(p, encode(p, &none), &c), 0);
	conf_free(&c);
}
END_TEST

/* --- from a descriptor ------------------------------------------------------------ */

START_TEST(a_file_is_read_from_its_start_by_each)
{
	static char p[BLOB_MAX];
	size_t n = encode(p, &full);
	int fd = memfd_create("conf", MFD_CLOEXEC);

	ck_assert_int_eq(write(fd, p, n), (ssize_t)n);
	for (int i = 0; i < 2; i++) {
		struct conf *c = conf_read(fd);

		ck_assert_ptr_nonnull(c);
		same_lists(c);
		conf_free(c);
		free(c);
	}
	ck_assert_int_eq(ftruncate(fd, (off_t)n - 1), 0);
	ck_assert_ptr_null(conf_read(fd));
	ck_assert_int_eq(errno, EBADMSG);
	ck_assert_int_eq(ftruncate(fd, CONF_BLOB_MAX + (1 << 20)), 0);
	ck_assert_ptr_null(conf_read(fd));
	close(fd);
	ck_assert_ptr_null(conf_read(fd));
	ck_assert_int_eq(errno, EBADF);
}
END_TEST

START_TEST(a_pipe_is_read_to_its_end)
{
	static char p[BLOB_MAX];
	size_t n = encode(p, &full);
	struct conf *c;
	int fds[2];

	ck_assert_int_eq(pipe(fds), 0);
	ck_assert_int_eq(write(fds[1], p, n), (ssize_t)n);
	close(fds[1]);
	c = conf_read(fds[0]);
	ck_assert_ptr_nonnull(c);
	same_lists(c);
	conf_free(c);
	free(c);
	close(fds[0]);
}
END_TEST

/* --- looking up -------------------------------------------------------------------- */

START_TEST(domains_are_found_by_their_whole_name)
{
	ck_assert_ptr_eq(conf_domain(&full, SPAN("example.org")), &domains[0]);
	ck_assert_ptr_eq(conf_domain(&full, SPAN("EXAMPLE.org")), &domains[0]);
	ck_assert_ptr_eq(
	    conf_domain(&full, SPAN("lists.example.org")), &domains[1]);
	ck_assert_ptr_null(conf_domain(&full, SPAN("example.or")));
	ck_assert_ptr_null(conf_domain(&full, SPAN("xexample.org")));
	ck_assert_ptr_null(conf_domain(&full, SPAN("")));
}
END_TEST

static const struct {
	const char *name;
	unsigned route;
} ways[] = {
	{ "anywhere.example", 0 },
	{ "example.com", 0 }, /* no subdomain of itself */
	{ "notexample.com", 0 },
	{ "", 0 },
	{ "a.example.com", 1 },
	{ "a.b.example.com", 1 },
	{ "A.EXAMPLE.COM", 1 },
	{ "deep.example.com", 1 },
	{ "a.deep.example.com", 2 },
	{ "xexact.deep.example.com", 2 },
	{ "exact.deep.example.com", 3 },
	{ "EXACT.deep.example.com", 3 },
	{ "a.exact.deep.example.com", 2 },
	{ ".example.com", 1 },
};

START_TEST(the_closest_route_is_taken)
{
	ck_assert_ptr_eq(
	    conf_route(&full, span_of(ways[_i].name)), &routes[ways[_i].route]);
}
END_TEST

START_TEST(of_two_routes_alike_the_first_is_taken)
{
	struct conf_route two[] = {
		{ .pattern = "example.net", .port = 1 },
		{ .pattern = "example.net", .port = 2 },
	};
	const struct conf c = { .nroutes = 2, .routes = two };

	ck_assert_ptr_eq(conf_route(&c, SPAN("example.net")), &two[0]);
	ck_assert_ptr_null(conf_route(&c, SPAN("example.com")));
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("conf");
	TCase *t = tcase_create("conf");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_set_timeout(t, 60);
	tcase_add_test(t, what_was_put_comes_back);
	tcase_add_test(t, an_empty_one_comes_back);
	tcase_add_test(t, no_other_length_is_taken);
	tcase_add_test(t, no_byte_does_harm);
	tcase_add_test(t, enums_and_counts_out_of_range_are_refused);
	tcase_add_test(t, a_file_is_read_from_its_start_by_each);
	tcase_add_test(t, a_pipe_is_read_to_its_end);
	tcase_add_test(t, domains_are_found_by_their_whole_name);
	tcase_add_loop_test(
	    t, the_closest_route_is_taken, 0, sizeof ways / sizeof ways[0]);
	tcase_add_test(t, of_two_routes_alike_the_first_is_taken);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
