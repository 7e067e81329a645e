/*
 * test_address.c - one grammar, one canonical form, no way around its limits.
 */
#include <check.h>
#include <errno.h>
#include <stdio.h>

#include "common/mail/address.h"

#define X16 "xxxxxxxxxxxxxxxx"
#define X60 X16 X16 X16 "xxxxxxxxxxxx"
#define L64 X16 X16 X16 X16
/* 189 octets of domain: with a local part of 64 and the @ they are 254. */
#define D189 X60 "." X60 "." X60 ".xxxxxx"

static const struct {
	const char *in, *out; /* NULL: refused */
	int error;
} mailboxes[] = {
	{ "alice@example.org", "alice@example.org", 0 },
	{ "Alice@EXAMPLE.Org", "Alice@example.org", 0 },
	{ "a.b+c=d/e@x", "a.b+c=d/e@x", 0 },
	{ "!#$%&'*+-/=?^_`{|}~@x.y", "!#$%&'*+-/=?^_`{|}~@x.y", 0 },
	{ "a@1.2.3", "a@1.2.3", 0 },
	{ "a@xn--bcher-kva.example", "a@xn--bcher-kva.example", 0 },
	{ "a@[192.0.2.1]", "a@[192.0.2.1]", 0 },
	{ "a@[ipv6:2001:DB8::1]", "a@[IPv6:2001:db8::1]", 0 },
	{ "a@[IPv6:::ffff:192.0.2.1]", "a@[IPv6:::ffff:192.0.2.1]", 0 },
	/* Quotes go where they are not needed, and stay where they are. */
	{ "\"alice\"@x", "alice@x", 0 },
	{ "\"al\\ice\"@x", "alice@x", 0 },
	{ "\"a.b\"@x", "a.b@x", 0 },
	{ "\"a b\"@x", "\"a b\"@x", 0 },
	{ "\"a..b\"@x", "\"a..b\"@x", 0 },
	{ "\".a\"@x", "\".a\"@x", 0 },
	{ "\"a@b\"@x", "\"a@b\"@x", 0 },
	{ "\"a\\@b\"@x", "\"a@b\"@x", 0 },
	{ "\"a\\\"b\\\\c\"@x", "\"a\\\"b\\\\c\"@x", 0 },
	{ "\"\"@x", "\"\"@x", 0 },
	{ "\"<>\"@x", "\"<>\"@x", 0 },
	/* Limits, RFC 5321 section 4.5.3.1. */
	{ L64 "@x", L64 "@x", 0 },
	{ "\"" L64 "\"@x", L64 "@x", 0 },
	{ L64 "x@x", NULL, E2BIG },
	{ "\"" L64 " \"@x", NULL, E2BIG },
	{ "\" " X60 "x\"@x", "\" " X60 "x\"@x", 0 },
	{ "\" " X60 "xx\"@x", NULL, E2BIG },
	{ "\"\\\"" X60 "\"@x", "\"\\\"" X60 "\"@x", 0 },
	{ "\"\\\"" X60 "x\"@x", NULL, E2BIG },
	{ L64 "@" D189, L64 "@" D189, 0 },
	{ L64 "@" D189 "x", NULL, E2BIG },
	{ "a@" X60 "." X60 "." X60 "." X60 "." X60, NULL, E2BIG },
	{ "a@" X60 "xxx.y", "a@" X60 "xxx.y", 0 },
	{ "a@" X60 "xxxx.y", NULL, EINVAL },
	/* Not the grammar. */
	{ "", NULL, EINVAL },
	{ "a", NULL, EINVAL },
	{ "@", NULL, EINVAL },
	{ "@x", NULL, EINVAL },
	{ "a@", NULL, EINVAL },
	{ "a@@x", NULL, EINVAL },
	{ "a@b@x", NULL, EINVAL },
	{ ".a@x", NULL, EINVAL },
	{ "a.@x", NULL, EINVAL },
	{ "a..b@x", NULL, EINVAL },
	{ "a b@x", NULL, EINVAL },
	{ " a@x", NULL, EINVAL },
	{ "a@x ", NULL, EINVAL },
	{ "a(c)@x", NULL, EINVAL },
	{ "<a@x>", NULL, EINVAL },
	{ "a,b@x", NULL, EINVAL },
	{ "\"a\"b@x", NULL, EINVAL },
	{ "\"a\".b@x", NULL, EINVAL },
	{ "\"a@x", NULL, EINVAL },
	{ "\"a\\\"@x", NULL, EINVAL },
	{ "a@.x", NULL, EINVAL },
	{ "a@x.", NULL, EINVAL },
	{ "a@x..y", NULL, EINVAL },
	{ "a@-x", NULL, EINVAL },
	{ "a@x-", NULL, EINVAL },
	{ "a@x-.y", NULL, EINVAL },
	{ "a@x_y", NULL, EINVAL },
	{ "a@x/y", NULL, EINVAL },
	{ "a@[192.0.2]", NULL, EINVAL },
	{ "a@[192.0.2.256]", NULL, EINVAL },
	{ "a@[192.0.2.01]", NULL, EINVAL },
	{ "a@[192.0.2.1", NULL, EINVAL },
	{ "a@[192.0.2.1]x", NULL, EINVAL },
	{ "a@[]", NULL, EINVAL },
	{ "a@[", NULL, EINVAL },
	{ "a@[IPv6:]", NULL, EINVAL },
	{ "a@[IPv6:192.0.2.1]", NULL, EINVAL },
	{ "a@[2001:db8::1]", NULL, EINVAL },
	{ "a@[IPv6:fe80::1%lo]", NULL, EINVAL },
	{ "a@[x:y]", NULL, EINVAL },
	/* What no address may carry. */
	{ "a\r@x", NULL, EINVAL },
	{ "a\n@x", NULL, EINVAL },
	{ "\"a\rb\"@x", NULL, EINVAL },
	{ "\"a\nb\"@x", NULL, EINVAL },
	{ "\"a\\\nb\"@x", NULL, EINVAL },
	{ "\"a\tb\"@x", NULL, EINVAL },
	{ "\"a\x7f\"@x", NULL, EINVAL },
	{ "\x01@x", NULL, EINVAL },
	{ "\xc3\xa4@x", NULL, EINVAL },
	{ "\"\xc3\xa4\"@x", NULL, EINVAL },
	{ "a@\xc3\xa4", NULL, EINVAL },
	{ "a@x\r", NULL, EINVAL },
};

static void
is_null_address(const struct address *a)
{
	ck_assert_uint_eq(a->n, 0);
	ck_assert_uint_eq(a->at, 0);
	ck_assert_str_eq(a->text, "");
}

START_TEST(mailboxes_are_canonical_or_refused)
{
	const char *in = mailboxes[_i].in, *out = mailboxes[_i].out;
	struct address a, b;

	errno = 0;
	if (out == NULL) {
		ck_assert_int_eq(address_parse(&a, span_of(in)), -1);
		ck_assert_int_eq(errno, mailboxes[_i].error);
		is_null_address(&a);
		return;
	}
	ck_assert_int_eq(address_parse(&a, span_of(in)), 0);
	ck_assert_str_eq(a.text, out);
	ck_assert_uint_eq(a.n, strlen(out));
	ck_assert_int_eq(a.text[a.at], '@');
	ck_assert_uint_eq(address_local(&a).n + 1 + address_domain(&a).n, a.n);
	ck_assert_ptr_null(
	    memchr(address_domain(&a).p, '@', address_domain(&a).n));
	/* What is canonical stays as it is. */
	ck_assert_int_eq(address_parse(&b, span_from(a.text, a.n)), 0);
	ck_assert_str_eq(b.text, a.text);
}
END_TEST

START_TEST(a_path_is_a_mailbox_in_brackets)
{
	const char *in = mailboxes[_i].in, *out = mailboxes[_i].out;
	char path[1024], before[1024];
	struct address a;
	struct span s;

	ck_assert_int_lt(
	    snprintf(path, sizeof path, "<%s> SIZE=1", in), (int)sizeof path);
	strcpy(before, path);
	s = span_of(path);
	/* "@x" and "" mean other things between brackets. */
	if (in[0] == '@' || in[0] == '\0')
		return;
	if (out == NULL) {
		ck_assert_int_eq(address_parse_path(&a, &s, 0), -1);
		ck_assert_ptr_eq(s.p, path);
		ck_assert_uint_eq(s.n, strlen(before));
		is_null_address(&a);
		return;
	}
	ck_assert_int_eq(address_parse_path(&a, &s, 0), 0);
	ck_assert_str_eq(a.text, out);
	ck_assert(span_eq(s, SPAN(" SIZE=1")));
}
END_TEST

/* A truncated address is either refused or, where the cut leaves a whole
 * shorter one, just that: nothing is read behind the end. */
START_TEST(each_truncation_is_refused_or_shorter)
{
	struct span whole = span_of(mailboxes[_i].in);
	char cut[1024], path[1024];
	struct address a;
	struct span s;

	for (size_t n = 0; n < whole.n; n++) {
		memcpy(cut, whole.p, n);
		memset(cut + n, 'Z', sizeof cut - n);
		if (address_parse(&a, span_from(cut, n)) == 0)
			ck_assert_ptr_null(strchr(a.text, 'Z'));
		else
			is_null_address(&a);
		path[0] = '<';
		memcpy(path + 1, whole.p, n);
		path[n + 1] = '>';
		s = span_from(path, n + 1);
		ck_assert_int_eq(address_parse_path(&a, &s,
				     ADDRESS_NULL_OK | ADDRESS_POSTMASTER_OK),
		    -1);
		is_null_address(&a);
		ck_assert_uint_eq(s.n, n + 1);
	}
}
END_TEST

static const struct {
	const char *in;
	unsigned flags;
	const char *out, *rest; /* NULL: refused */
} paths[] = {
	{ "<>", ADDRESS_NULL_OK, "", "" },
	{ "<> BODY=7BIT", ADDRESS_NULL_OK, "", " BODY=7BIT" },
	{ "<>", 0, NULL, NULL },
	{ "< >", ADDRESS_NULL_OK, NULL, NULL },
	{ "<postmaster>", ADDRESS_POSTMASTER_OK, "postmaster", "" },
	{ "<PostMaster> X", ADDRESS_POSTMASTER_OK, "postmaster", " X" },
	{ "<postmaster>", ADDRESS_NULL_OK, NULL, NULL },
	{ "<postmaster@>", ADDRESS_POSTMASTER_OK, NULL, NULL },
	{ "<root>", ADDRESS_POSTMASTER_OK, NULL, NULL },
	{ "<@a.example:u@b.example>", 0, "u@b.example", "" },
	{ "<@a,@b,@c:\"u\"@D>", 0, "u@d", "" },
	{ "<@a:>", ADDRESS_NULL_OK, NULL, NULL },
	{ "<@a,:u@b>", 0, NULL, NULL },
	{ "<@a,b:u@b>", 0, NULL, NULL },
	{ "<@a u@b>", 0, NULL, NULL },
	{ "<@:u@b>", 0, NULL, NULL },
	{ "<@a\r:u@b>", 0, NULL, NULL },
	{ "<\"a>b\"@x>y", 0, "\"a>b\"@x", "y" },
	{ "<a@x>>", 0, "a@x", ">" },
	{ "<<a@x>>", 0, NULL, NULL },
	{ "a@x", 0, NULL, NULL },
	{ "a@x>", 0, NULL, NULL },
	{ "<a@x", 0, NULL, NULL },
	{ "", ADDRESS_NULL_OK, NULL, NULL },
	{ "<", ADDRESS_NULL_OK, NULL, NULL },
	{ " <a@x>", 0, NULL, NULL },
	{ "<a@x >", 0, NULL, NULL },
	{ "<alice> X", ADDRESS_BARE_OK, "alice", " X" },
	{ "<\"a b\">", ADDRESS_BARE_OK, "\"a b\"", "" },
	{ "<\"alice\">", ADDRESS_BARE_OK, "alice", "" },
	{ "<alice@B>", ADDRESS_BARE_OK, "alice@b", "" },
	{ "<@a:u@b>", ADDRESS_BARE_OK, "u@b", "" },
	{ "<@a:u>", ADDRESS_BARE_OK, NULL, NULL },
	{ "<>", ADDRESS_BARE_OK, NULL, NULL },
	{ "<alice@>", ADDRESS_BARE_OK, NULL, NULL },
	{ "<a..b>", ADDRESS_BARE_OK, NULL, NULL },
	{ "<a b>", ADDRESS_BARE_OK, NULL, NULL },
	{ "<a\rb>", ADDRESS_BARE_OK, NULL, NULL },
	{ "<alice", ADDRESS_BARE_OK, NULL, NULL },
	{ "alice", ADDRESS_BARE_OK, NULL, NULL },
};

START_TEST(paths_with_and_without_a_mailbox)
{
	struct span s = span_of(paths[_i].in);
	struct address a;
	int rc = address_parse_path(&a, &s, paths[_i].flags);

	if (paths[_i].out == NULL) {
		ck_assert_int_eq(rc, -1);
		ck_assert(span_eq(s, span_of(paths[_i].in)));
		is_null_address(&a);
		return;
	}
	ck_assert_int_eq(rc, 0);
	ck_assert_str_eq(a.text, paths[_i].out);
	ck_assert(span_eq(s, span_of(paths[_i].rest)));
	if (strchr(a.text, '@') == NULL) {
		ck_assert_uint_eq(a.at, a.n);
		ck_assert_uint_eq(address_domain(&a).n, 0);
	}
}
END_TEST

START_TEST(nul_octets_are_refused)
{
	const struct span bad[] = { SPAN("a\0@x"), SPAN("a@x\0"),
		SPAN("a@x\0y"), SPAN("\"a\0b\"@x"), SPAN("\"a\\\0b\"@x"),
		SPAN("a@[192.0.2.1\0]") };
	struct address a;

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		ck_assert_int_eq(address_parse(&a, bad[i]), -1);
	ck_assert_int_eq(address_parse(&a, (struct span){ NULL, 0 }), -1);
}
END_TEST

static const struct {
	const char *in, *out;
	size_t size;
} quoted[] = {
	{ "alice", "alice", 6 },
	{ "alice", NULL, 5 },
	{ "\"a b\"", "a b", 4 },
	{ "\"a b\"", NULL, 3 },
	{ "\"a\\\"\\\\b\"", "a\"\\b", 5 },
	{ "\"a\\\"\\\\b\"", NULL, 4 },
	{ "\"\"", "", 1 },
	{ "\"\"", NULL, 0 },
	{ "", "", 1 },
	{ "", NULL, 0 },
	{ "a\\b", "a\\b", 9 },
	{ "\"", "\"", 9 },
	{ "\"\\\"", "\\", 9 },
};

START_TEST(quotes_are_removed)
{
	char dst[16];
	int n;

	memset(dst, 'z', sizeof dst);
	n = address_unquote(dst, quoted[_i].size, span_of(quoted[_i].in));
	ck_assert_int_eq(dst[quoted[_i].size], 'z');
	if (quoted[_i].out == NULL) {
		ck_assert_int_eq(n, -1);
		return;
	}
	ck_assert_int_eq(n, (int)strlen(quoted[_i].out));
	ck_assert_str_eq(dst, quoted[_i].out);
}
END_TEST

START_TEST(a_bare_name_gets_a_domain)
{
	char local[ADDRESS_LOCAL_MAX + 2];
	struct address a;

	ck_assert_int_eq(address_parse_bare(&a, SPAN("Alice")), 0);
	ck_assert_uint_eq(a.at, a.n);
	ck_assert_int_eq(address_qualify(&a, SPAN("B.Example")), 0);
	ck_assert_str_eq(a.text, "Alice@b.example");
	ck_assert(span_eq(address_domain(&a), SPAN("b.example")));
	/* … once. */
	ck_assert_int_eq(address_qualify(&a, SPAN("c")), 0);
	ck_assert_str_eq(a.text, "Alice@b.example");
	for (size_t n = 63; n <= 65; n++) {
		memset(local, 'x', n);
		ck_assert_int_eq(
		    address_parse_bare(&a, span_from(local, n)) == 0, n <= 64);
	}
	is_null_address(&a);
	ck_assert_int_eq(address_qualify(&a, SPAN("c")), -1);
	ck_assert_int_eq(address_parse_bare(&a, SPAN("<root>")), -1);
	ck_assert_int_eq(address_parse_bare(&a, SPAN("root@b")), -1);
	ck_assert_int_eq(address_parse_bare(&a, SPAN("ro\0ot")), -1);
	ck_assert_int_eq(address_parse_bare(&a, SPAN("")), -1);
	ck_assert_int_eq(address_parse_bare(&a, SPAN("root")), 0);
	ck_assert_int_eq(address_qualify(&a, SPAN("not a domain")), -1);
	is_null_address(&a);
}
END_TEST

START_TEST(domains_and_literals)
{
	ck_assert(address_domain_ok(SPAN("x")));
	ck_assert(address_domain_ok(SPAN("mail.Example.org")));
	ck_assert(address_domain_ok(
	    SPAN(X60 "." X60 "." X60 "." X60 ".xxxxxxxxxxx")));
	ck_assert(!address_domain_ok(
	    SPAN(X60 "." X60 "." X60 "." X60 ".xxxxxxxxxxxx")));
	ck_assert(!address_domain_ok(SPAN("")));
	ck_assert(!address_domain_ok(SPAN("x.")));
	ck_assert(!address_domain_ok(SPAN("x y")));
	ck_assert(!address_domain_ok(SPAN("x\0")));
	ck_assert(!address_domain_ok(SPAN("[192.0.2.1]")));
	ck_assert(address_literal_ok(SPAN("[192.0.2.1]")));
	ck_assert(address_literal_ok(SPAN("[IPv6:::1]")));
	ck_assert(!address_literal_ok(SPAN("[::1]")));
	ck_assert(!address_literal_ok(SPAN("192.0.2.1")));
	ck_assert(!address_literal_ok(SPAN("[192.0.2.1]x")));
	ck_assert(!address_literal_ok(SPAN("")));
}
END_TEST

/* What is taken where UTF-8 is, and what of it comes out; NULL: refused. */
static const struct {
	const char *text, *canonical;
} beyond[] = {
	{ "\xc3\xa4@x", "\xc3\xa4@x" },
	{ "\"\xc3\xa4\"@x", "\xc3\xa4@x" },
	{ "\"\xc3\xa4 b\"@x", "\"\xc3\xa4 b\"@x" },
	{ "a@b\xc3\xbc"
	  "cher.Example",
	    "a@xn--bcher-kva.example" },
	{ "a@B\xc3\x9c"
	  "CHER.example",
	    "a@xn--bcher-kva.example" },
	{ "\xf0\x9f\x93\xae@\xe4\xbe\x8b.example",
	    "\xf0\x9f\x93\xae@xn--fsq.example" },
	{ "plain@x", "plain@x" },
	/* no UTF-8: a lone octet, too long a form, a surrogate, cut off */
	{ "\xe4@x", NULL },
	{ "\xc0\xae@x", NULL },
	{ "\xed\xa0\x80@x", NULL },
	{ "\xc3@x", NULL },
	{ "a@\xc3", NULL },
	{ "\xf4\x90\x80\x80@x", NULL },
	/* a control character of its own */
	{ "a\xc2\x85@x", NULL },
	{ "a@\xc2\xad", NULL },
	{ "a@x.\xe2\x80\xae"
	  "b",
	    NULL },
	{ "a@-\xc3\xa4", NULL },
	{ "a@[\xc3\xa4]", NULL },
};

START_TEST(utf8_is_taken_where_it_is_asked_for)
{
	struct address a, again;
	char path[128];
	struct span in;

	ck_assert_int_eq(address_parse_utf8(&a, span_of(beyond[_i].text)),
	    beyond[_i].canonical != NULL ? 0 : -1);
	snprintf(path, sizeof path, "<%s> \xff", beyond[_i].text);
	in = span_of(path);
	if (beyond[_i].canonical == NULL) {
		ck_assert_int_eq(
		    address_parse_path(&a, &in, ADDRESS_UTF8_OK), -1);
		return;
	}
	ck_assert_str_eq(a.text, beyond[_i].canonical);
	ck_assert_int_eq(address_parse_utf8(&again, span_of(a.text)), 0);
	ck_assert_str_eq(again.text, a.text);
	ck_assert_int_eq(address_parse_path(&a, &in, ADDRESS_UTF8_OK), 0);
	ck_assert(span_eq(in, SPAN(" \xff")));
	ck_assert_str_eq(a.text, beyond[_i].canonical);
	in = span_of(path);
	ck_assert_int_eq(address_parse_path(&a, &in, 0),
	    span_is(span_of(beyond[_i].text), "plain@x") ? 0 : -1);
	ck_assert(!address_domain_ok(SPAN("b\xc3\xbc"
					  "cher.example")));
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("address");
	TCase *t = tcase_create("address");
	SRunner *r = srunner_create(s);
	int failed, n = sizeof mailboxes / sizeof *mailboxes;

	tcase_add_loop_test(t, utf8_is_taken_where_it_is_asked_for, 0,
	    (int)(sizeof beyond / sizeof *beyond));
	tcase_add_loop_test(t, mailboxes_are_canonical_or_refused, 0, n);
	tcase_add_loop_test(t, a_path_is_a_mailbox_in_brackets, 0, n);
	tcase_add_loop_test(t, each_truncation_is_refused_or_shorter, 0, n);
	tcase_add_loop_test(t, paths_with_and_without_a_mailbox, 0,
	    sizeof paths / sizeof *paths);
	tcase_add_test(t, nul_octets_are_refused);
	tcase_add_loop_test(
	    t, quotes_are_removed, 0, sizeof quoted / sizeof *quoted);
	tcase_add_test(t, a_bare_name_gets_a_domain);
	tcase_add_test(t, domains_and_literals);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
