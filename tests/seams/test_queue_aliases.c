/*
 * test_queue_aliases.c - the real queue, and recipients that are aliases.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/msg/queue_lookup.h"
#include "common/msg/reply.h"
#include "tests/seams/queue_house.h"

static struct queue_house *q;

static void
before(void)
{
	q = set_up();
}

/* Queue asks about `rcpt`, and knows whether it comes from an alias. */
static uint32_t
asked_about(const char *rcpt, bool expanded)
{
	struct msg_route ask;

	seam_recv(q->lookup, &q->k, ROUTE_ASK);
	ck_assert_int_eq(msg_route_get(&q->k, &ask), 0);
	ck_assert_msg(span_is(ask.rcpt, rcpt), "asked about %.*s, not %s",
	    (int)ask.rcpt.n, ask.rcpt.p, rcpt);
	ck_assert_int_eq(ask.expanded, expanded);
	return q->k.id;
}

static uint32_t
asked_for_more(uint64_t expansion, uint32_t at)
{
	struct msg_expand ask;

	seam_recv(q->lookup, &q->k, EXPAND_ASK);
	ck_assert_int_eq(msg_expand_get(&q->k, &ask), 0);
	ck_assert_uint_eq(ask.expansion, expansion);
	ck_assert_uint_eq(ask.at, at);
	return q->k.id;
}

static void
answer(uint32_t id, const struct msg_expanded *e)
{
	msg_expanded_put(seam_body(), e);
	seam_send(q->lookup, EXPAND_ANSWER, id, -1);
}

static void
leads_to(uint32_t id, const char *a, const char *b)
{
	struct msg_expanded e = { .expansion = 1,
		.total = b != NULL ? 2 : 1,
		.n = b != NULL ? 2 : 1 };

	e.rows[0] = (struct expand_row){ span_of(a), SPAN(""), false, false };
	if (b != NULL)
		e.rows[1] =
		    (struct expand_row){ span_of(b), SPAN(""), false, false };
	answer(id, &e);
}

static void
deliver_one(const char *rcpt)
{
	struct route r = { .kind = ROUTE_MAILDIR_SYSTEM, .path = "Maildir" };

	snprintf(r.user, sizeof r.user, "u");
	answer_route(asked_about(rcpt, true), 250, &r);
	delivered_to(q->local, 0, rcpt);
	ck_assert(span_eq(q->delivery.content, SPAN("text\r\n")));
	result(q->local, 250, SCOPE_RECIPIENT);
}

START_TEST(an_alias_becomes_new_messages)
{
	struct msg_expanded e = { .expansion = 1, .total = 3, .n = 3 };
	struct route r = { .kind = ROUTE_MX, .host = "b.example" };
	uint64_t id;

	begin();
	id = submit_one("a@example", "list@example.org", "text\r\n");
	e.rows[0] =
	    (struct expand_row){ SPAN("x@b.example"), SPAN(""), false, false };
	e.rows[1] = (struct expand_row){ SPAN("y@b.example"),
		SPAN("owner-list@example.org"), false, false };
	e.rows[2] = (struct expand_row){ SPAN("later@example.org"), SPAN(""),
		true, false };
	answer(asked_about("list@example.org", false), &e);
	answer_route(asked_about("x@b.example", true), 250, &r);
	delivered_to(q->remote, 0, "x@b.example");
	ck_assert_uint_ne(q->delivery.handout.message, id);
	ck_assert(span_is(q->delivery.sender, "a@example"));
	ck_assert(span_starts(q->delivery.prefix, "Received: "));
	result(q->remote, 250, SCOPE_RECIPIENT);
	answer_route(asked_about("y@b.example", true), 250, &r);
	delivered_to(q->remote, 0, "y@b.example");
	ck_assert(span_is(q->delivery.sender, "owner-list@example.org"));
	result(q->remote, 250, SCOPE_RECIPIENT);
	/* What could not be looked at is asked about as what it is. */
	leads_to(
	    asked_about("later@example.org", false), "z@example.org", NULL);
	deliver_one("z@example.org");
	counted(0);
	/* And nothing of it comes back. */
	kill_queue();
	begin();
	silence(q->lookup);
	ck_assert_uint_eq(count(), 0);
	stop();
}
END_TEST

START_TEST(a_list_comes_in_packets)
{
	static struct msg_expanded e;
	static char text[EXPAND_ROWS_MAX][32];
	const uint32_t total = 1100;
	uint32_t id;

	begin();
	submit_one("a@example", "list@example.org", "text\r\n");
	id = asked_about("list@example.org", false);
	e.expansion = 77;
	e.total = total;
	for (e.at = 0; e.at < total; e.at += e.n) {
		if (e.at > 0)
			id = asked_for_more(77, e.at);
		e.n = total - e.at < EXPAND_ROWS_MAX ? total - e.at
						     : EXPAND_ROWS_MAX;
		for (uint32_t i = 0; i < e.n; i++) {
			snprintf(text[i], sizeof text[i], "m%u@example.org",
			    e.at + i);
			e.rows[i] = (struct expand_row){ span_of(text[i]),
				SPAN(""), false, false };
		}
		ck_assert_uint_eq(count(), 1);
		answer(id, &e);
	}
	counted(total);
	/* It may die now: all of it is on disk. */
	kill_queue();
	begin();
	counted(total);
	stop();
}
END_TEST

START_TEST(an_address_is_given_once)
{
	static const char *const to[] = { "l@example.org", "m@example.org",
		"x@example.org", "l@example.org" };
	struct route r = {
		.kind = ROUTE_MAILDIR_SYSTEM, .user = "u", .path = "Maildir"
	};
	uint32_t id[4];

	begin();
	submit("s@example", to, 4, "text\r\n");
	accepted();
	for (unsigned i = 0; i < 4; i++)
		id[i] = asked_about(to[i], false);
	answer_route(id[2], 450, NULL);
	leads_to(id[0], "x@example.org", "y@example.org");
	leads_to(id[1], "y@example.org", "z@example.org");
	leads_to(id[3], "x@example.org", "y@example.org");
	/* x itself, y once, z */
	answer_route(asked_about("y@example.org", true), 250, &r);
	delivered_to(q->local, 0, "y@example.org");
	result(q->local, 250, SCOPE_RECIPIENT);
	answer_route(asked_about("z@example.org", true), 250, &r);
	delivered_to(q->local, 0, "z@example.org");
	result(q->local, 250, SCOPE_RECIPIENT);
	counted(1);
	silence(q->lookup);
	stop();
}
END_TEST

START_TEST(lookup_dies_or_forgets_on_the_way)
{
	struct msg_expanded e = { .expansion = 5, .total = 2, .n = 1 };
	struct route r = { .kind = ROUTE_MAILDIR_SYSTEM,
		.user = "u",
		.path = "Maildir" };
	uint32_t id;

	e.rows[0] = (struct expand_row){ SPAN("x@example.org"), SPAN(""), false,
		false };
	begin();
	submit_one("a@example", "list@example.org", "text\r\n");
	answer(asked_about("list@example.org", false), &e);
	id = asked_for_more(5, 1);
	answer(id, &(struct msg_expanded){ .expansion = 0 });
	/* A moment later it is asked about anew. */
	answer(asked_about("list@example.org", false), &e);
	(void)asked_for_more(5, 1);
	close(q->lookup);
	q->lookup = seam_connect(&q->d, PEER_LOOKUP, 2);
	leads_to(asked_about("list@example.org", false), "x@example.org",
	    "y@example.org");
	answer_route(asked_about("x@example.org", true), 250, &r);
	answer_route(asked_about("y@example.org", true), 250, &r);
	delivered_to(q->local, 0, "x@example.org");
	ck_assert_uint_eq(q->delivery.nrcpts, 2);
	result(q->local, 250, SCOPE_RECIPIENT);
	counted(0);
	stop();
}
END_TEST

/* Another expansion, other rows, more than there were. */
START_TEST(lookup_lies)
{
	static const struct {
		uint64_t expansion;
		uint32_t at, total;
	} lies[] = { { 6, 1, 2 }, { 5, 0, 2 }, { 5, 1, 3 } };
	struct msg_expanded e = { .expansion = 5, .total = 2, .n = 1 };
	uint32_t id;

	e.rows[0] = (struct expand_row){ SPAN("x@example.org"), SPAN(""), false,
		false };
	begin();
	submit_one("a@example", "list@example.org", "text\r\n");
	answer(asked_about("list@example.org", false), &e);
	id = asked_for_more(5, 1);
	e.expansion = lies[_i].expansion;
	e.at = lies[_i].at;
	e.total = lies[_i].total;
	answer(id, &e);
	refused(q->lookup, PEER_LOOKUP);
	ck_assert_uint_eq(count(), 1);
	stop();
}
END_TEST

START_TEST(deleted_while_it_is_expanded)
{
	struct msg_expanded e = { .expansion = 5, .total = 2, .n = 1 };
	uint32_t id;

	e.rows[0] = (struct expand_row){ SPAN("x@example.org"), SPAN(""), false,
		false };
	begin();
	submit_one("a@example", "list@example.org", "text\r\n");
	answer(asked_about("list@example.org", false), &e);
	id = asked_for_more(5, 1);
	act(VERB_DELETE, false, NULL);
	counted(0);
	e.at = 1;
	answer(id, &e);
	silence(q->lookup);
	counted(0);
	stop();
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("queue_aliases");
	TCase *t = tcase_create("all");
	SRunner *r;
	int failed;

	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, before, tear_down);
	tcase_add_test(t, an_alias_becomes_new_messages);
	tcase_add_test(t, a_list_comes_in_packets);
	tcase_add_test(t, an_address_is_given_once);
	tcase_add_test(t, lookup_dies_or_forgets_on_the_way);
	tcase_add_loop_test(t, lookup_lies, 0, 3);
	tcase_add_test(t, deleted_while_it_is_expanded);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
