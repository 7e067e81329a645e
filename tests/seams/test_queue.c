/*
 * test_queue.c - the life of a message: accepted, handed out, deferred, bounced; and
 * what an administrator sees of it and does to it.
 */
#include <check.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "common/bytes/id.h"
#include "common/msg/master.h"
#include "common/msg/reply.h"
#include "tests/seams/queue_house.h"

static struct queue_house *q;

static void
before(void)
{
	q = set_up();
}

/* --- a message's life ---------------------------------------------------------
 */

START_TEST(a_message_is_accepted_and_delivered)
{
	uint64_t id;

	begin();
	id = submit_one(
	    "a@example", "bob@example.org", "Subject: x\r\n\r\nhi\r\n");
	to_mailbox("bob@example.org", "bob");
	delivered_to(q->local, id, "bob@example.org");
	ck_assert_int_eq(q->delivery.route.kind, ROUTE_MAILDIR_SYSTEM);
	ck_assert_str_eq(q->delivery.route.user, "bob");
	ck_assert(span_is(q->delivery.sender, "a@example"));
	ck_assert_int_eq(q->delivery.body, BODY_8BITMIME);
	ck_assert(!q->delivery.maybe);
	ck_assert(q->delivery.inlined);
	ck_assert(
	    span_eq(q->delivery.content, SPAN("Subject: x\r\n\r\nhi\r\n")));
	ck_assert(
	    span_starts(q->delivery.prefix, "Received: from client.example"));
	ck_assert_ptr_nonnull(memmem(q->delivery.prefix.p, q->delivery.prefix.n,
	    "for <bob@example.org>", 21));
	ck_assert_uint_eq(count(), 1);
	result(q->local, 250, SCOPE_RECIPIENT);
	counted(0);
	stop();
	/* and it does not come back */
	begin();
	silence(q->lookup);
	ck_assert_uint_eq(count(), 0);
	stop();
}
END_TEST

START_TEST(nothing_is_handed_out_before_hello)
{
	uint64_t id;

	start();
	id = submit_one("a@example", "bob@example.org", "x\r\n");
	to_mailbox("bob@example.org", "bob");
	silence(q->local);
	hello(q->remote);
	silence(q->local);
	hello(q->local);
	delivered_to(q->local, id, "bob@example.org");
	result(q->local, 250, SCOPE_RECIPIENT);
	stop();
}
END_TEST

START_TEST(recipients_of_one_route_are_one_handout)
{
	static const char *const to[] = { "a@b.example", "b@b.example",
		"c@c.example", "d@b.example" };
	struct handout h;

	begin();
	submit("s@example", to, 4, "x\r\n");
	accepted();
	to_host(to[0], "b.example");
	to_host(to[1], "b.example");
	to_host(to[2], "c.example");
	silence(q->remote);
	to_host(to[3], "b.example");
	delivered_to(q->remote, 0, "a@b.example");
	ck_assert_uint_eq(q->delivery.nrcpts, 3);
	ck_assert_uint_eq(q->delivery.rcpts[2].index, 3);
	h = q->delivery.handout;
	delivered_to(q->remote, 0, "c@c.example");
	ck_assert_uint_eq(q->delivery.nrcpts, 1);
	result(q->remote, 250, SCOPE_RECIPIENT);
	/* answers in pieces: recorded when the last is there */
	send_result(q->remote, &h, (uint32_t[]){ 3, 0 }, 2, 250,
	    SCOPE_RECIPIENT, false);
	counted(1);
	silence(q->remote);
	send_result(
	    q->remote, &h, (uint32_t[]){ 1 }, 1, 250, SCOPE_RECIPIENT, true);
	recorded(q->remote, &h);
	counted(0);
	stop();
}
END_TEST

START_TEST(a_deferred_recipient_is_tried_again)
{
	uint64_t id, attempt;

	begin();
	id = submit_one("a@example", "bob@example.org", "x\r\n");
	to_mailbox("bob@example.org", "bob");
	delivered_to(q->local, id, "bob@example.org");
	attempt = q->delivery.handout.attempt;
	result(q->local, 450, SCOPE_RECIPIENT);
	silence(q->lookup);
	/* its route is asked for again, and may be another */
	to_host("bob@example.org", "other.example");
	delivered_to(q->remote, id, "bob@example.org");
	ck_assert_uint_gt(q->delivery.handout.attempt, attempt);
	/* the process that had it may have died with its result */
	ck_assert(q->delivery.maybe);
	result(q->remote, 250, SCOPE_RECIPIENT);
	counted(0);
	stop();
}
END_TEST

/* --- bounces -------------------------------------------------------------------
 */

START_TEST(a_failed_recipient_is_a_bounce)
{
	uint64_t id, bounce;

	begin();
	id = submit_one(
	    "alice@example", "bob@b.example", "Subject: hello\r\n\r\nbody\r\n");
	to_host("bob@b.example", "b.example");
	delivered_to(q->remote, id, "bob@b.example");
	result(q->remote, 550, SCOPE_RECIPIENT);
	to_mailbox("alice@example", "alice");
	delivered_to(q->local, 0, "alice@example");
	bounce = q->delivery.handout.message;
	ck_assert_uint_ne(bounce, id);
	ck_assert_uint_eq(q->delivery.sender.n, 0);
	ck_assert_uint_eq(q->delivery.prefix.n, 0);
	content_has("To: <alice@example>\r\n");
	content_has("Final-Recipient: rfc822; bob@b.example\r\n");
	content_has("Diagnostic-Code: smtp; 550 5.1.1 what the host said\r\n");
	content_has("Remote-MTA: dns; mx.b.example\r\n");
	content_has("\r\nSubject: hello\r\n");
	content_has("\r\nReceived: from client.example ");
	ck_assert_ptr_null(memmem(
	    q->delivery.content.p, q->delivery.content.n, "body\r\n", 6));
	/* a bounce that fails is nobody's */
	result(q->local, 550, SCOPE_RECIPIENT);
	silence(q->lookup);
	counted(0);
	stop();
}
END_TEST

START_TEST(lookup_may_fail_or_defer_a_recipient)
{
	uint64_t id;

	begin();
	id = submit_one("alice@example", "bob@b.example", "x\r\n");
	answer_route(asked("bob@b.example"), 451, NULL);
	answer_route(asked("bob@b.example"), 550, NULL);
	to_mailbox("alice@example", "alice");
	delivered_to(q->local, 0, "alice@example");
	ck_assert_uint_ne(q->delivery.handout.message, id);
	content_has("550 from lookup\r\n");
	result(q->local, 250, SCOPE_RECIPIENT);
	counted(0);
	stop();
}
END_TEST

START_TEST(what_expires_is_a_bounce)
{
	q->conf.expire = 1;
	q->conf.retry_first = 1;
	begin();
	submit_one("alice@example", "bob@b.example", "x\r\n");
	to_host("bob@b.example", "b.example");
	delivered_to(q->remote, 0, "bob@b.example");
	sleep(2);
	result(q->remote, 451, SCOPE_RECIPIENT);
	to_mailbox("alice@example", "alice");
	delivered_to(q->local, 0, "alice@example");
	content_has("Status: 5.4.7\r\n");
	content_has("Diagnostic-Code: smtp; 451 4.1.1 what the host said\r\n");
	result(q->local, 250, SCOPE_RECIPIENT);
	counted(0);
	stop();
}
END_TEST

/* --- admin commands -------------------------------------------------------------------
 */

START_TEST(an_administrator_looks_and_deletes)
{
	static const char *const to[] = { "a@b.example", "b@c.example" };
	struct msg_detail detail;
	struct msg_content content;
	char id[ID_LEN + 1], back[64];
	struct handout h;
	uint64_t ids[2];

	q->conf.retry_first = 600;
	begin();
	submit("s@example", to, 2, "text\r\n");
	ids[0] = accepted();
	to_host(to[0], "b.example");
	to_host(to[1], "c.example");
	delivered_to(q->remote, ids[0], to[0]);
	h = q->delivery.handout;
	delivered_to(q->remote, ids[0], to[1]); /* stays under way */
	send_result(
	    q->remote, &h, (uint32_t[]){ 0 }, 1, 451, SCOPE_RECIPIENT, true);
	recorded(q->remote, &h);
	ids[1] = submit_one("t@example", to[0], "x\r\n");
	(void)asked(to[0]);
	counted(3);
	act(VERB_LIST, false, NULL);
	ck_assert_uint_eq(q->page.nrows, 3);
	ck_assert(!q->page.more);
	ck_assert_uint_eq(q->page.rows[0].id, ids[0]);
	ck_assert(span_is(q->page.rows[0].rcpt, to[0]));
	ck_assert(span_is(q->page.rows[0].sender, "s@example"));
	ck_assert_int_eq(q->page.rows[0].state, STATE_DEFERRED);
	ck_assert_uint_eq(q->page.rows[0].code, 451);
	ck_assert_uint_eq(q->page.rows[0].attempts, 1);
	ck_assert_uint_eq(q->page.rows[0].size, 6);
	ck_assert_int_eq(q->page.rows[1].state, STATE_ACTIVE);
	ck_assert_int_eq(q->page.rows[1].next, 0);
	ck_assert_uint_eq(q->page.rows[2].id, ids[1]);

	msg_show_put(seam_body(), &(struct msg_show){ ids[0], 0 });
	seam_send(q->control, CONTROL_SHOW, 8, -1);
	seam_recv(q->control, &q->k, CONTROL_DETAIL);
	ck_assert_int_eq(msg_detail_get(&q->k, &detail), 0);
	ck_assert_uint_eq(detail.nrcpts, 2);
	ck_assert_uint_eq(detail.n, 2);
	ck_assert(span_is(detail.client, "192.0.2.9"));
	ck_assert_str_eq(detail.rcpts[0].reply.text, "what the host said");
	ck_assert(span_is(detail.rcpts[0].host, "mx.b.example [192.0.2.1]"));
	ck_assert_uint_eq(detail.rcpts[1].reply.code, 0);

	msg_show_put(seam_body(), &(struct msg_show){ ids[0], 0 });
	seam_send(q->control, CONTROL_CAT, 9, -1);
	seam_recv(q->control, &q->k, CONTROL_CONTENT);
	ck_assert_int_eq(msg_content_get(&q->k, &content), 0);
	ck_assert_uint_eq(content.size, 6);
	ck_assert_int_eq(pread(q->k.fd, back, sizeof back, 0), 6);
	ck_assert_int_eq(memcmp(back, "text\r\n", 6), 0);
	ck_assert(span_starts(content.prefix, "Received: "));
	close(q->k.fd);

	msg_show_put(seam_body(), &(struct msg_show){ ids[0] - 1, 0 });
	seam_send(q->control, CONTROL_CAT, 10, -1);
	seam_recv(q->control, &q->k, CONTROL_CONTENT);
	ck_assert_int_eq(q->k.fd, -1);

	id_format(id, ids[0]);
	act(VERB_DELETE, true, id);
	ck_assert_uint_eq(q->page.matched, 2);
	counted(3);
	act(VERB_DELETE, false, id);
	ck_assert_uint_eq(q->page.matched, 2);
	ck_assert_uint_eq(count(), 1);
	/* What was under way ends without a trace. */
	result(q->remote, 550, SCOPE_RECIPIENT);
	silence(q->lookup);
	act(VERB_DELETE, false, NULL);
	ck_assert_uint_eq(q->page.matched, 1);
	counted(0);
	stop();
	begin();
	silence(q->lookup);
	ck_assert_uint_eq(count(), 0);
	stop();
}
END_TEST

static void
listed(enum select_state state, unsigned code)
{
	act(VERB_LIST, false, NULL);
	ck_assert_uint_eq(q->page.nrows, 1);
	ck_assert_int_eq(q->page.rows[0].state, state);
	ck_assert_uint_eq(q->page.rows[0].code, code);
	if (state == STATE_HELD)
		ck_assert_int_eq(q->page.rows[0].next, 0);
}

static void
acted(enum control_verb verb, const char *id, uint64_t matched)
{
	act(verb, true, id);
	ck_assert_uint_eq(q->page.matched, matched);
	act(verb, false, id);
	ck_assert_uint_eq(q->page.matched, matched);
}

START_TEST(what_is_held_rests_until_it_is_released)
{
	char id[ID_LEN + 1];
	uint64_t n;

	begin();
	n = submit_one("s@example", "a@b.example", "text\r\n");
	id_format(id, n);
	to_host("a@b.example", "b.example");
	delivered_to(q->remote, n, "a@b.example");
	/* It shows at once, and holds when the attempt has failed. */
	acted(VERB_HOLD, id, 1);
	listed(STATE_HELD, 0);
	result(q->remote, 550, SCOPE_RECIPIENT);
	silence(q->lookup);
	listed(STATE_HELD, 550);
	acted(VERB_HOLD, id, 0);
	acted(VERB_RETRY, id, 0);
	silence(q->lookup);
	stop();
	begin();
	silence(q->lookup);
	listed(STATE_HELD, 550);
	acted(VERB_RELEASE, id, 1);
	acted(VERB_RELEASE, id, 0);
	/* Again while its route is asked for. */
	(void)asked("a@b.example");
	acted(VERB_HOLD, id, 1);
	listed(STATE_HELD, 550);
	act(VERB_RELEASE, false, id);
	to_host("a@b.example", "b.example");
	/* Held and released while it is under way: as if nothing had been. */
	delivered_to(q->remote, n, "a@b.example");
	acted(VERB_HOLD, id, 1);
	acted(VERB_RELEASE, id, 1);
	listed(STATE_ACTIVE, 550);
	result(q->remote, 451, SCOPE_RECIPIENT);
	listed(STATE_DEFERRED, 451);
	act(VERB_RETRY, false, id);
	to_host("a@b.example", "b.example");
	delivered_to(q->remote, n, "a@b.example");
	acted(VERB_HOLD, id, 1);
	result(q->remote, 250, SCOPE_RECIPIENT);
	counted(0);
	stop();
}
END_TEST

START_TEST(an_administrator_returns_a_message)
{
	static const char *const to[] = { "a@b.example", "b@c.example" };
	char id[ID_LEN + 1];
	uint64_t n;

	begin();
	submit("s@d.example", to, 2, "Subject: x\r\n\r\ntext\r\n");
	n = accepted();
	id_format(id, n);
	to_host(to[0], "b.example");
	to_host(to[1], "c.example");
	delivered_to(q->remote, n, to[0]);
	delivered_to(q->remote, n, to[1]);
	acted(VERB_BOUNCE, id, 2);
	/* One for both. */
	ck_assert_uint_eq(count(), 1);
	to_host("s@d.example", "d.example");
	delivered_to(q->remote, 0, "s@d.example");
	content_has("Final-Recipient: rfc822; a@b.example");
	content_has("Final-Recipient: rfc822; b@c.example");
	content_has("5.7.0 Returned by the administrator: a test");
	result(q->remote, 250, SCOPE_RECIPIENT);
	counted(0);
	stop();
}
END_TEST

/* How many events the history files have by now. */
static unsigned
events_in_files(void)
{
	static char all[64 * 1024];
	struct history_event e;
	struct dirent *entry;
	unsigned events = 0;
	char path[512];
	uint64_t seq;
	DIR *dir;

	snprintf(path, sizeof path, "%s/history", q->spool);
	ck_assert_ptr_nonnull(dir = opendir(path));
	while ((entry = readdir(dir)) != NULL) {
		int fd = openat(dirfd(dir), entry->d_name, O_RDONLY);
		ssize_t n = read(fd, all, sizeof all);
		struct span in = { all, n > 0 ? (size_t)n : 0 };

		while (history_get(&in, &seq, &e) == 1)
			events++;
		close(fd);
	}
	closedir(dir);
	return events;
}

START_TEST(a_settled_history_tells_all_that_was_recorded)
{
	begin();
	for (unsigned i = 1; i <= 20; i++) {
		uint64_t id = submit_one("s@example", "a@b.example", "x\r\n");

		to_host("a@b.example", "b.example");
		delivered_to(q->remote, id, "a@b.example");
		result(q->remote, 250, SCOPE_RECIPIENT);
		(void)seam_body(); /* empty */
		seam_send(q->control, CONTROL_SETTLE, i, -1);
		seam_recv(q->control, &q->k, CONTROL_SETTLED);
		ck_assert_uint_eq(q->k.id, i);
		ck_assert_uint_eq(events_in_files(), 2 * i);
	}
	stop();
}
END_TEST

START_TEST(pages_go_on_where_the_last_ended)
{
	static char names[400][32];
	const char *to[400];
	struct msg_act a = { .verb = VERB_LIST };
	uint32_t seen = 0;

	for (int i = 0; i < 400; i++) {
		snprintf(names[i], sizeof names[i], "u%d@b.example", i);
		to[i] = names[i];
	}
	begin();
	submit("s@example", to, 400, "x\r\n");
	accepted();
	do {
		msg_act_put(seam_body(), &a);
		seam_send(q->control, CONTROL_ACT, 7, -1);
		seam_recv(q->control, &q->k, CONTROL_PAGE);
		ck_assert_int_eq(msg_page_get(&q->k, &q->page), 0);
		for (uint32_t i = 0; i < q->page.nrows; i++)
			ck_assert(span_is(q->page.rows[i].rcpt, to[seen++]));
		a.cursor = q->page.cursor;
	} while (q->page.more);
	ck_assert_uint_eq(seen, 400);
	act(VERB_DELETE, false, NULL);
	ck_assert_uint_eq(q->page.matched, 400);
	counted(0);
	stop();
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("queue");
	TCase *t = tcase_create("queue");
	SRunner *r = srunner_create(s);
	int failed;

	suite_add_tcase(s, t);
	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, before, tear_down);
	tcase_add_test(t, a_message_is_accepted_and_delivered);
	tcase_add_test(t, nothing_is_handed_out_before_hello);
	tcase_add_test(t, recipients_of_one_route_are_one_handout);
	tcase_add_test(t, a_deferred_recipient_is_tried_again);
	tcase_add_test(t, a_failed_recipient_is_a_bounce);
	tcase_add_test(t, lookup_may_fail_or_defer_a_recipient);
	tcase_add_test(t, what_expires_is_a_bounce);
	tcase_add_test(t, an_administrator_looks_and_deletes);
	tcase_add_test(t, what_is_held_rests_until_it_is_released);
	tcase_add_test(t, an_administrator_returns_a_message);
	tcase_add_test(t, a_settled_history_tells_all_that_was_recorded);
	tcase_add_test(t, pages_go_on_where_the_last_ended);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
