/*
 * test_place.c - mailbox paths: which are one, and whose territory they are in.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "deliver/local/place.h"

static struct conf_domain domains[] = {
	{ .name = "any.example", .users = USERS_ANY, .path = "/srv/any/%d/%u" },
	{ .name = "deep.example",
	    .users = USERS_ANY,
	    .path = "/srv/any/deep/%u/mail",
	    .owner = "deep" },
	{ .name = "file.example",
	    .users = USERS_FILE,
	    .path = "/srv/file/%u",
	    .owner = "vmail" },
	{ .name = "system.example",
	    .users = USERS_SYSTEM,
	    .path = "~/Maildir" },
	{ .name = "spool.example", .users = USERS_SYSTEM, .path = "/mail/%u" },
	{ .name = "lmtp.example",
	    .users = USERS_ANY,
	    .deliver = DELIVER_LMTP,
	    .owner = "lmtp" },
};
static struct conf conf = { .ndomains = sizeof domains / sizeof *domains,
	.domains = domains };

START_TEST(places)
{
	static const struct {
		enum route_kind kind;
		const char *user, *path;
		const char *base, *rest; /* NULL: refused */
	} rows[] = {
		{ ROUTE_MAILDIR_VIRTUAL, "", "/srv/any/x/y", "/srv/any",
		    "x/y" },
		{ ROUTE_MAILDIR_VIRTUAL, "deep", "/srv/any/deep/a/mail",
		    "/srv/any/deep", "a/mail" },
		{ ROUTE_MAILDIR_VIRTUAL, "vmail", "/srv/file/a", "/srv/file",
		    "a" },
		{ ROUTE_MAILDIR_VIRTUAL, "vmail", "/srv/file/a/", "/srv/file",
		    "a" },
		/* what a users file may say, and what no template could */
		{ ROUTE_MAILDIR_VIRTUAL, "vmail", "/else/where/a",
		    "/else/where", "a" },
		{ ROUTE_MAILDIR_VIRTUAL, "", "/else/where/a", NULL, NULL },
		{ ROUTE_MAILDIR_VIRTUAL, "deep", "/else/where/a", NULL, NULL },
		{ ROUTE_MAILDIR_VIRTUAL, "vmail", "/srv/filed/a", "/srv/filed",
		    "a" },
		{ ROUTE_MAILDIR_VIRTUAL, "vmail", "/a", NULL, NULL },
		{ ROUTE_MAILDIR_SYSTEM, "ann", "Maildir", "/home/ann",
		    "Maildir" },
		{ ROUTE_MAILDIR_SYSTEM, "ann", "a/b", "/home/ann", "a/b" },
		{ ROUTE_MAILDIR_SYSTEM, "ann", "/mail/ann", "/mail", "ann" },
		{ ROUTE_MAILDIR_SYSTEM, "ann", "/else/where", NULL, NULL },
		{ ROUTE_MAILDIR_VIRTUAL, "", "Maildir", NULL, NULL },
		{ ROUTE_MAILDIR_VIRTUAL, "vmail", "/srv/file/../x", NULL,
		    NULL },
		{ ROUTE_MAILDIR_VIRTUAL, "vmail", "/srv/file/./x", NULL, NULL },
		{ ROUTE_MAILDIR_VIRTUAL, "vmail", "/srv/file//x", NULL, NULL },
		{ ROUTE_MAILDIR_VIRTUAL, "vmail", "/srv/file", "/srv", "file" },
		{ ROUTE_MAILDIR_VIRTUAL, "vmail", "/srv/file/x\n", NULL, NULL },
		{ ROUTE_MAILDIR_VIRTUAL, "vmail", "/", NULL, NULL },
		{ ROUTE_MAILDIR_SYSTEM, "ann", "..", NULL, NULL },
		{ ROUTE_MAILDIR_SYSTEM, "ann", "../bob/Maildir", NULL, NULL },
		{ ROUTE_MAILDIR_SYSTEM, "ann", "", NULL, NULL },
		{ ROUTE_MAILDIR_SYSTEM, "ann", "Maildir//", NULL, NULL },
	};
	const struct account account = { .home = "/home/ann" };
	unsigned n = 0;

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++, n++) {
		struct route route = { .kind = rows[i].kind };
		struct place p = { 0 };
		bool ok;

		snprintf(route.user, sizeof route.user, "%s", rows[i].user);
		snprintf(route.path, sizeof route.path, "%s", rows[i].path);
		ok = place_find(&p, &conf, &route, &account);
		ck_assert_msg(ok == (rows[i].base != NULL), "row %zu: %s", i,
		    rows[i].path);
		if (!ok)
			continue;
		ck_assert_str_eq(p.base, rows[i].base);
		ck_assert_str_eq(p.rest, rows[i].rest);
		ck_assert_int_eq(p.home,
		    rows[i].kind == ROUTE_MAILDIR_SYSTEM &&
			rows[i].path[0] != '/');
	}
	ck_assert_uint_eq(n, sizeof rows / sizeof *rows);
}
END_TEST

START_TEST(a_home_must_be_a_path)
{
	const struct account account = { .home = "home" };
	struct route route = {
		.kind = ROUTE_MAILDIR_SYSTEM, .user = "ann", .path = "Maildir"
	};
	struct place p;

	ck_assert(!place_find(&p, &conf, &route, &account));
}
END_TEST

START_TEST(owners)
{
	ck_assert(place_owner_ok(&conf, "deep", true));
	ck_assert(place_owner_ok(&conf, "vmail", false));
	ck_assert(place_owner_ok(&conf, "sallyport-mail", true));
	ck_assert(!place_owner_ok(&conf, "sallyport-mail", false));
	ck_assert(place_owner_ok(&conf, "", false));
	ck_assert(!place_owner_ok(&conf, "", true));
	ck_assert(!place_owner_ok(&conf, "root", true));
	ck_assert(!place_owner_ok(&conf, "lmtp", true));
	ck_assert(!place_owner_ok(&conf, "dee", true));
}
END_TEST

START_TEST(roots)
{
	static const struct {
		const char *template, *root;
	} rows[] = {
		{ "/srv/mail/%d/%u", "/srv/mail" },
		{ "/srv/mail/x%u", "/srv/mail" },
		{ "/srv/mail/box", "/srv/mail" },
		{ "/%u", "/" },
		{ "~/Maildir", NULL },
	};
	char root[CONF_PATH_MAX];

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct conf_domain d = { .users = USERS_ANY };

		snprintf(d.path, sizeof d.path, "%s", rows[i].template);
		ck_assert_int_eq(place_root(root, &d), rows[i].root != NULL);
		if (rows[i].root != NULL)
			ck_assert_str_eq(root, rows[i].root);
	}
}
END_TEST

START_TEST(what_is_there)
{
	char path[CONF_PATH_MAX] = "/tmp/no-such-directory/a/b";

	ck_assert(place_existing(path));
	ck_assert_str_eq(path, "/tmp");
	strcpy(path, "/no-such-directory/a");
	ck_assert(!place_existing(path));
	strcpy(path, "/etc/passwd/x");
	ck_assert(place_existing(path));
	ck_assert_str_eq(path, "/etc");
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("place");
	TCase *t = tcase_create("place");
	SRunner *r = srunner_create(s);
	int failed;

	suite_add_tcase(s, t);
	tcase_add_test(t, places);
	tcase_add_test(t, a_home_must_be_a_path);
	tcase_add_test(t, owners);
	tcase_add_test(t, roots);
	tcase_add_test(t, what_is_there);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
