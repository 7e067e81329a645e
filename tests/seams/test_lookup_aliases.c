/*
 * test_lookup_aliases.c - the real lookup, asked about aliases.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/msg/master.h"
#include "common/msg/smtpd_lookup.h"
#include "tests/seams/lookup_house.h"

/* As `text`, read before the first question. */
static void
set_up_with(struct lookup_house *f, const char *text)
{
	set_up(f, false);
	close(f->smtpd);
	close(f->queue);
	ck_assert_int_eq(seam_stop(&f->seam), 0);
	write_aliases(f, text);
	start(f, false);
	ck_assert_uint_eq(
	    connect_client(f, f->smtpd, 1, "192.0.2.1", NULL), 220);
}

static void
is_row(const struct msg_expanded *e, uint32_t i, const char *address,
    const char *owner)
{
	ck_assert_uint_lt(i, e->n);
	ck_assert_msg(span_is(e->rows[i].address, address), "%u: %.*s", i,
	    (int)e->rows[i].address.n, e->rows[i].address.p);
	ck_assert(span_is(e->rows[i].owner, owner));
}

START_TEST(an_alias_exists_and_leads_on)
{
	struct lookup_house f;
	const struct msg_expanded *e;

	set_up_with(&f,
	    "Team: alice, x@Other.Example, inner, ALICE, wrong\n"
	    "inner: alice, y@other.example, alice2\n"
	    "owner-inner: bob\n"
	    "alice2: \\alice2\n"
	    "carl: carl, alice\n"
	    "postmaster: alice\n"
	    "bad: a b\n"
	    "tothebad: alice, bad\n");
	ck_assert_uint_eq(rcpt(&f, 1, "TEAM+x@files.example"), 250);
	ck_assert_int_eq(f.reply.scope, SCOPE_RECIPIENT);
	ck_assert_uint_eq(rcpt(&f, 1, "bad@files.example"), 451);
	e = ask_alias(&f, "team+x@files.example");
	ck_assert_uint_eq(e->total, 5);
	is_row(e, 0, "alice@files.example", "");
	is_row(e, 1, "x@other.example", "");
	is_row(e, 2, "y@other.example", "owner-inner@files.example");
	is_row(e, 3, "alice2@files.example", "owner-inner@files.example");
	ck_assert(e->rows[3].alias && !e->rows[3].again);
	/* What a users file says of it is not asked yet. */
	is_row(e, 4, "wrong@files.example", "");
	ck_assert(!e->rows[0].alias && !e->rows[4].again);
	e = ask_alias(&f, "carl@files.example");
	ck_assert_uint_eq(e->total, 2);
	is_row(e, 0, "carl@files.example", "");
	ck_assert(e->rows[0].alias);
	e = ask_alias(&f, "tothebad@files.example");
	ck_assert_uint_eq(e->total, 2);
	is_row(e, 1, "bad@files.example", "");
	ck_assert(e->rows[1].again);
	ck_assert_uint_eq(ask_route(&f, "bad@files.example"), 451);
	/* Once is enough: the user of the name, or nobody. */
	ck_assert_uint_eq(ask_route_expanded(&f, "carl@files.example"), 250);
	ck_assert_int_eq(f.route.kind, ROUTE_MAILDIR_VIRTUAL);
	ck_assert_uint_eq(ask_route_expanded(&f, "team@files.example"), 554);
	ck_assert_uint_eq(ask_route_expanded(&f, "x@files.example"), 550);
	tear_down(&f);
}
END_TEST

START_TEST(postmaster_goes_to_the_setting)
{
	struct lookup_house f;
	const struct msg_expanded *e;

	set_up_with(&f, "# none\n");
	e = ask_alias(&f, "postmaster@files.example");
	ck_assert_uint_eq(e->total, 1);
	is_row(e, 0, "alice@files.example", "");
	tear_down(&f);
	/* … which may be an alias itself. */
	set_up_with(&f, "alice: one@other.example, two@other.example\n");
	e = ask_alias(&f, "postmaster@files.example");
	ck_assert_uint_eq(e->total, 2);
	is_row(e, 1, "two@other.example", "");
	tear_down(&f);
	/* One that leads back is nobody's: it waits for the administrator. */
	set_up_with(&f, "alice: postmaster\n");
	ck_assert_uint_eq(rcpt(&f, 1, "postmaster@files.example"), 250);
	ck_assert_uint_eq(ask_route(&f, "postmaster@files.example"), 451);
	tear_down(&f);
}
END_TEST

START_TEST(depth_has_a_limit)
{
	char text[2048] = "";
	struct lookup_house f;
	const struct msg_expanded *e;

	for (unsigned i = 1; i <= EXPAND_DEPTH_MAX; i++)
		sprintf(text + strlen(text), "a%u: a%u\n", i, i + 1);
	set_up_with(&f, text);
	e = ask_alias(&f, "a1@files.example");
	ck_assert_uint_eq(e->total, 1);
	is_row(e, 0, "a21@files.example", "");
	tear_down(&f);
	strcat(text, "a21: a22\n");
	set_up_with(&f, text);
	ck_assert_uint_eq(ask_route(&f, "a1@files.example"), 554);
	ck_assert_uint_eq(f.reply.esc.subject, 4);
	ck_assert_uint_eq(f.reply.esc.detail, 6);
	e = ask_alias(&f, "a2@files.example");
	ck_assert_uint_eq(e->total, 1);
	tear_down(&f);
}
END_TEST

/* Lists of lists that all contain each other are looked at once each. */
START_TEST(meshes_cost_what_they_hold)
{
	char *text = calloc(1, 1 << 16);
	struct lookup_house f;

	for (unsigned i = 0; i < 40; i++) {
		sprintf(text + strlen(text), "l%u: m%u", i, i);
		for (unsigned k = 0; k < 40; k++)
			sprintf(text + strlen(text), ", l%u", k);
		strcat(text, "\n");
	}
	set_up_with(&f, text);
	/* 40 members; each list names itself, which is a user then. */
	ck_assert_uint_eq(ask_route(&f, "l0@files.example"), 554);
	tear_down(&f);
	text[0] = '\0';
	for (unsigned i = 0; i < 19; i++)
		sprintf(text + strlen(text), "l%u: l%u, l%u, m%u\n", i, i + 1,
		    i + 1, i);
	set_up_with(&f, text);
	ck_assert_uint_eq(ask_alias(&f, "l0@files.example")->total, 20);
	tear_down(&f);
	free(text);
}
END_TEST

START_TEST(large_lists_come_in_packets)
{
	const uint32_t members = EXPAND_MAX;
	char path[128], *text = malloc((size_t)members * 64);
	struct lookup_house f;
	const struct msg_expanded *e;
	uint64_t number;
	size_t n = 0;
	uint32_t at;
	FILE *list;

	for (uint32_t i = 0; i < members; i++)
		n += (size_t)sprintf(
		    text + n, "somebody%u@elsewhere.example\n", i);
	set_up_with(&f, "list: :include:list\n");
	snprintf(path, sizeof path, "%s/list", f.dir);
	/* Not there yet: it waits. */
	ck_assert_uint_eq(ask_route(&f, "list@files.example"), 451);
	list = fopen(path, "w");
	ck_assert_uint_eq(fwrite(text, 1, n, list), n);
	ck_assert_int_eq(fclose(list), 0);
	close(f.smtpd);
	close(f.queue);
	ck_assert_int_eq(seam_stop(&f.seam), 0);
	start(&f, false);
	e = ask_alias(&f, "list@files.example");
	number = e->expansion;
	ck_assert_uint_eq(e->total, members);
	for (at = 0; at < members; at += e->n) {
		char want[64];

		if (at > 0)
			e = ask_more(&f, number, at);
		ck_assert_uint_eq(e->at, at);
		ck_assert_uint_gt(e->n, 0);
		ck_assert_uint_le(e->n, EXPAND_ROWS_MAX);
		snprintf(want, sizeof want, "somebody%u@elsewhere.example", at);
		is_row(e, 0, want, "");
	}
	ck_assert_uint_eq(at, members);
	/* It was forgotten at its end; and so are those nobody fetches. */
	ck_assert_uint_eq(ask_more(&f, number, 256)->expansion, 0);
	for (unsigned i = 0; i < 9; i++)
		number = ask_alias(&f, "list@files.example")->expansion;
	ck_assert_uint_eq(ask_more(&f, number - 8, 256)->expansion, 0);
	ck_assert_uint_eq(ask_more(&f, number, 256)->at, 256);
	tear_down(&f);
	free(text);
}
END_TEST

START_TEST(one_more_is_too_many)
{
	char path[128];
	struct lookup_house f;
	FILE *list;

	set_up_with(&f, "list: :include:list, alice\n");
	snprintf(path, sizeof path, "%s/list", f.dir);
	list = fopen(path, "w");
	for (uint32_t i = 0; i < EXPAND_MAX; i++)
		fprintf(list, "m%u@elsewhere.example\n", i);
	ck_assert_int_eq(fclose(list), 0);
	close(f.smtpd);
	close(f.queue);
	ck_assert_int_eq(seam_stop(&f.seam), 0);
	start(&f, false);
	ck_assert_uint_eq(ask_route(&f, "list@files.example"), 554);
	tear_down(&f);
}
END_TEST

/* An included file is read again when it changes, and forgotten when nobody
 * includes it any more. */
START_TEST(included_files_change)
{
	char path[96];
	struct lookup_house f;
	FILE *list;
	unsigned got = 0;

	set_up_with(&f, "list: :include:list\n");
	snprintf(path, sizeof path, "%s/list", f.dir);
	list = fopen(path, "w");
	fputs("one@other.example, nonsense here\n# none\n", list);
	ck_assert_int_eq(fclose(list), 0);
	for (int i = 0; i < 100 && got != 250; i++) {
		struct msg_route r = { SPAN("list@files.example"), false };
		struct ipc_msg m;

		msg_route_put(seam_body(), &r);
		seam_send(f.queue, ROUTE_ASK, ++f.id, -1);
		ck_assert(seam_recv_within(f.queue, &m, SEAM_MS));
		if (m.type == EXPAND_ANSWER)
			got = 250;
		else
			usleep(50000);
	}
	ck_assert_uint_eq(got, 250);
	is_row(ask_alias(&f, "list@files.example"), 0, "one@other.example", "");
	write_aliases(&f, "list: two@other.example\n");
	for (int i = 0; i < 100; i++) {
		if (span_is(
			ask_alias(&f, "list@files.example")->rows[0].address,
			"two@other.example"))
			break;
		usleep(50000);
	}
	is_row(ask_alias(&f, "list@files.example"), 0, "two@other.example", "");
	ck_assert_int_eq(unlink(path), 0);
	tear_down(&f);
}
END_TEST

START_TEST(nonsense_from_queue_ends_its_channel)
{
	const struct msg_expand bad = { 0, 0 };
	struct lookup_house f;
	struct ipc_msg m;

	set_up_with(&f, "# none\n");
	msg_expand_put(seam_body(), &bad);
	seam_send(f.queue, EXPAND_ASK, 7, -1);
	seam_recv(f.seam.master, &m, MASTER_COMPLAIN);
	ck_assert_uint_eq(rcpt(&f, 1, "alice@files.example"), 250);
	tear_down(&f);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("lookup, aliases");
	TCase *t = tcase_create("all");
	SRunner *r;
	int failed;

	tcase_set_timeout(t, 120);
	tcase_add_test(t, an_alias_exists_and_leads_on);
	tcase_add_test(t, postmaster_goes_to_the_setting);
	tcase_add_test(t, depth_has_a_limit);
	tcase_add_test(t, meshes_cost_what_they_hold);
	tcase_add_test(t, large_lists_come_in_packets);
	tcase_add_test(t, one_more_is_too_many);
	tcase_add_test(t, included_files_change);
	tcase_add_test(t, nonsense_from_queue_ends_its_channel);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
