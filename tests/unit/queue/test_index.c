/*
 * test_index.c - records applied: what the index then says, and to whom.
 */
#include <stdio.h>
#include <stdlib.h>

#include <check.h>
#include <malloc.h>
#include <sodium.h>

#include "queue/segment.h"

static struct index *ix;
static struct segment *one, *two;
static char bytes[64 * 1024];
static uint64_t seq;

static struct {
	unsigned added, changed, ordered, gone;
	uint64_t id;
} told;

static void
on_ordered(void *arg, struct message *m, uint32_t index, enum record_type type)
{
	(void)arg;
	(void)m;
	(void)index;
	told.ordered += record_is_order(type);
}

static void
setup(void)
{
	const struct record_seal seal = { .key = "k" };

	ix = index_new();
	memset(&told, 0, sizeof told);
	index_hooks(ix, &(struct index_hooks){ .ordered = on_ordered });
	one = segment_new(1, &seal, -1, 1 << 20);
	two = segment_new(2, &seal, -1, 1 << 20);
}

static void
teardown(void)
{
	index_free(ix);
	ck_assert(TAILQ_EMPTY(&one->messages) && TAILQ_EMPTY(&one->contents));
	ck_assert_uint_eq(one->live, 0);
	ck_assert_uint_eq(two->live, 0);
	segment_free(one);
	segment_free(two);
}

static int
apply(enum record_type type, size_t n, struct segment *seg, uint32_t offset)
{
	const struct record rec = { type, ++seq, span_from(bytes, n),
		record_size(n) };
	const struct place place = { seg, offset, (uint32_t)rec.size };

	return index_apply(ix, &rec, place);
}

static int
message(uint64_t id, uint64_t content, uint32_t n, struct segment *seg,
    uint32_t offset)
{
	static const struct span addresses[] = { SPAN("a@example.org"),
		SPAN("b@example.org"), SPAN("postmaster") };
	struct record_rcpt r[3] = { { .index = 0 } };
	const struct record_message m = { .id = id,
		.content = content,
		.size = 10,
		.flags = MESSAGE_COPY,
		.sender = SPAN("s@example.org"),
		.client = SPAN(""),
		.prefix = SPAN(""),
		.nrcpts = n };
	struct wire_put w = wire_writer(bytes, sizeof bytes);

	for (uint32_t i = 0; i < n; i++) {
		r[i].address = addresses[i];
		r[i].host = SPAN("");
	}
	record_message_put(&w, &m, r);
	return apply(RECORD_MESSAGE, w.n, seg, offset);
}

static int
content(uint64_t number, struct segment *seg, uint32_t offset)
{
	const struct record_content c = { .number = number,
		.octets = SPAN("0123456789") };
	struct wire_put w = wire_writer(bytes, sizeof bytes);

	record_content_put(&w, RECORD_CONTENT, &c);
	return apply(RECORD_CONTENT, w.n, seg, offset);
}

static int
result(uint64_t id, uint32_t rcpt, enum recipient_state state, uint16_t code,
    uint32_t offset)
{
	const struct record_rcpt r = { .index = rcpt,
		.state = state,
		.attempts = 70000,
		.next = 5,
		.reply = { .code = code },
		.host = SPAN("") };
	struct wire_put w = wire_writer(bytes, sizeof bytes);

	record_result_put(&w, id, &r, 1);
	return apply(RECORD_RESULT, w.n, two, offset);
}

static int
order(enum record_type type, uint64_t id, uint32_t rcpt, int64_t time)
{
	const struct record_order o = {
		.id = id, .time = time, .reason = SPAN("why"), .nrcpts = 1
	};
	struct wire_put w = wire_writer(bytes, sizeof bytes);

	record_order_put(&w, &o, &rcpt);
	return apply(type, w.n, two, 0);
}

START_TEST(a_hold_outlives_results)
{
	struct message *m;

	content(10, one, 4096);
	message(10, 10, 2, one, 8192);
	m = index_find(ix, 10);
	ck_assert_int_eq(order(RECORD_HOLD, 10, 1, 100), 0);
	ck_assert_uint_eq(told.ordered, 1);
	ck_assert(m->rcpts[1].held && !m->rcpts[0].held);
	ck_assert_int_eq(result(10, 1, RCPT_WAITING, 451, 100), 0);
	ck_assert(m->rcpts[1].held);
	ck_assert_int_eq(m->rcpts[1].next, 5);
	ck_assert_int_eq(order(RECORD_RETRY, 10, 1, 150), 0);
	ck_assert(m->rcpts[1].held);
	ck_assert_int_eq(m->rcpts[1].next, 150);
	ck_assert_int_eq(order(RECORD_RELEASE, 10, 1, 200), 0);
	ck_assert(!m->rcpts[1].held);
	ck_assert_int_eq(m->rcpts[1].next, 200);
	ck_assert_uint_eq(m->rcpts[1].code, 451);
	ck_assert_uint_eq(m->left, 2);
	/* What is final, gone or was never there is nothing; what cannot be
	 * is refused. */
	result(10, 0, RCPT_DELIVERED, 250, 300);
	told.ordered = 0;
	ck_assert_int_eq(order(RECORD_HOLD, 10, 0, 300), 0);
	ck_assert_int_eq(order(RECORD_HOLD, 11, 0, 300), 0);
	ck_assert_int_eq(order(RECORD_HOLD, 10, 2, 300), -1);
	ck_assert_uint_eq(told.ordered, 0);
	ck_assert(!m->rcpts[0].held);
}
END_TEST

START_TEST(a_message_is_known_with_all_it_has)
{
	struct message *m;

	ck_assert_int_eq(content(10, one, 4096), 0);
	ck_assert_int_eq(message(10, 10, 3, one, 8192), 0);
	ck_assert_ptr_nonnull(m = index_find(ix, 10));
	ck_assert_str_eq(m->sender, "s@example.org");
	ck_assert_uint_eq(m->flags, 0);
	ck_assert_uint_eq(m->left, 3);
	ck_assert_str_eq(m->rcpts[1].local, "b");
	ck_assert_ptr_eq(m->rcpts[0].domain, m->rcpts[1].domain);
	ck_assert_str_eq(m->rcpts[2].local, "postmaster");
	ck_assert_str_eq(m->rcpts[2].domain, "");
	ck_assert_ptr_eq(m->rcpts[2].message, m);
	ck_assert_ptr_null(m->rcpts[0].last.segment);
	ck_assert_uint_eq(m->content->refs, 1);
	ck_assert_uint_eq(m->content->place.offset, 4096);
	ck_assert_uint_eq(one->live, m->place.size + m->content->place.size);
	ck_assert_uint_eq(index_messages(ix), 1);
	ck_assert_uint_eq(index_recipients(ix), 3);
	ck_assert_uint_eq(index_highest(ix), 10);
}
END_TEST

START_TEST(results_supersede_and_end_it)
{
	struct message *m;

	content(10, one, 4096);
	message(10, 10, 2, one, 8192);
	m = index_find(ix, 10);
	ck_assert_int_eq(result(10, 0, RCPT_WAITING, 451, 100), 0);
	ck_assert_uint_eq(m->rcpts[0].code, 451);
	ck_assert_uint_eq(m->rcpts[0].attempts, UINT16_MAX);
	ck_assert_ptr_eq(m->rcpts[0].last.segment, two);
	ck_assert_uint_eq(m->rcpts[0].last.offset, 100);
	/* A later one without a reply: what was known of the last is gone. */
	ck_assert_int_eq(result(10, 0, RCPT_WAITING, 0, 200), 0);
	ck_assert_ptr_null(m->rcpts[0].last.segment);
	ck_assert_int_eq(result(10, 0, RCPT_DELIVERED, 250, 300), 0);
	ck_assert_uint_eq(m->left, 1);
	ck_assert_uint_eq(index_recipients(ix), 1);
	/* Twice the same is once. */
	ck_assert_int_eq(result(10, 0, RCPT_DELIVERED, 250, 300), 0);
	ck_assert_uint_eq(m->left, 1);
	ck_assert_int_eq(result(10, 1, RCPT_FAILED, 550, 400), 0);
	ck_assert_ptr_null(index_find(ix, 10));
	ck_assert_uint_eq(index_recipients(ix), 0);
	ck_assert_int_eq(result(10, 1, RCPT_FAILED, 550, 400), 0);
	ck_assert_ptr_nonnull(index_content(ix, 10));
	index_sweep(ix, NULL, NULL);
	ck_assert_ptr_null(index_content(ix, 10));
	ck_assert_uint_eq(index_highest(ix), 10);
}
END_TEST

START_TEST(a_copy_moves_and_takes_the_new_state)
{
	struct message *m;

	content(10, one, 4096);
	message(10, 10, 2, one, 8192);
	m = index_find(ix, 10);
	result(10, 0, RCPT_WAITING, 451, 100);
	ck_assert_int_eq(message(10, 10, 2, two, 500), 0);
	ck_assert_ptr_eq(index_find(ix, 10), m);
	ck_assert_ptr_eq(m->place.segment, two);
	ck_assert_uint_eq(m->rcpts[0].code, 0);
	ck_assert(TAILQ_EMPTY(&one->messages));
	ck_assert_int_eq(content(10, two, 900), 0);
	ck_assert(TAILQ_EMPTY(&one->contents));
	ck_assert_uint_eq(one->live, 0);
	ck_assert_uint_eq(m->content->refs, 1);
	/* Another message under the same id it cannot be. */
	ck_assert_int_eq(message(10, 10, 3, two, 500), -1);
	ck_assert_int_eq(message(10, 11, 2, two, 500), -1);
}
END_TEST

START_TEST(contents_are_shared_and_may_come_late)
{
	ck_assert_int_eq(message(20, 10, 1, one, 8192), 0);
	ck_assert_ptr_null(index_find(ix, 20)->content->place.segment);
	content(10, one, 4096);
	message(30, 10, 1, one, 9000);
	ck_assert_uint_eq(index_content(ix, 10)->refs, 2);
	result(20, 0, RCPT_DELIVERED, 250, 0);
	index_sweep(ix, NULL, NULL);
	ck_assert_uint_eq(index_content(ix, 10)->refs, 1);
	/* Within a batch the last may go before the next comes. */
	result(30, 0, RCPT_DELIVERED, 250, 0);
	message(40, 10, 1, one, 9500);
	index_sweep(ix, NULL, NULL);
	ck_assert_uint_eq(index_content(ix, 10)->refs, 1);
	ck_assert_ptr_eq(index_content(ix, 10)->place.segment, one);
}
END_TEST

static void
on_added(void *arg, struct message *m)
{
	(void)arg;
	told.added++;
	told.id = m->id;
}

static void
on_changed(void *arg, struct message *m, uint32_t rcpt)
{
	(void)arg;
	told.changed++;
	ck_assert_uint_lt(rcpt, m->nrcpts);
	ck_assert_ptr_eq(index_find(ix, m->id), m);
}

static void
on_gone(void *arg, struct message *m)
{
	(void)arg;
	told.gone++;
	told.id = m->id;
	ck_assert_ptr_nonnull(m->content);
	ck_assert_ptr_null(index_find(ix, m->id));
}

START_TEST(hooks_are_told)
{
	const struct index_hooks hooks = {
		.added = on_added, .changed = on_changed, .gone = on_gone
	};

	index_hooks(ix, &hooks);
	message(10, 10, 1, one, 0);
	ck_assert_uint_eq(told.added, 1);
	ck_assert_uint_eq(told.id, 10);
	message(10, 10, 1, two, 0);
	ck_assert_uint_eq(told.added, 1);
	result(10, 0, RCPT_WAITING, 451, 0);
	ck_assert_uint_eq(told.changed, 1);
	result(10, 0, RCPT_DELETED, 550, 0);
	ck_assert_uint_eq(told.gone, 1);
	result(10, 0, RCPT_DELETED, 550, 0);
	result(99, 0, RCPT_DELETED, 550, 0);
	ck_assert_uint_eq(told.gone, 1);
	ck_assert_uint_eq(told.changed, 2);
}
END_TEST

START_TEST(what_is_malformed_changes_nothing)
{
	size_t n;

	message(10, 10, 2, one, 0);
	ck_assert_int_eq(result(10, 2, RCPT_DELIVERED, 250, 0), -1);
	ck_assert_uint_eq(index_find(ix, 10)->left, 2);
	n = strlen("nonsense");
	memcpy(bytes, "nonsense", n);
	ck_assert_int_eq(apply(RECORD_MESSAGE, n, one, 0), -1);
	ck_assert_int_eq(apply(RECORD_RESULT, n, one, 0), -1);
	ck_assert_int_eq(apply(RECORD_CONTENT_FILE, n, one, 0), -1);
	ck_assert_int_eq(apply(RECORD_CONTENT, 3, one, 0), -1);
	ck_assert_uint_eq(index_messages(ix), 1);
}
END_TEST

START_TEST(they_stand_in_order)
{
	static const uint64_t ids[] = { 50, 10, 30, 20, 40 };
	uint64_t last = 0;
	size_t seen = 0;

	for (size_t i = 0; i < 5; i++)
		message(ids[i], ids[i], 1, one, 0);
	for (struct message *m = index_first(ix); m != NULL;
	     m = index_after(ix, m->id), seen++) {
		ck_assert_uint_gt(m->id, last);
		last = m->id;
	}
	ck_assert_uint_eq(seen, 5);
	ck_assert_uint_eq(index_after(ix, 25)->id, 30);
	ck_assert_ptr_null(index_after(ix, 50));
	ck_assert_ptr_null(index_after(ix, UINT64_MAX));
}
END_TEST

START_TEST(memory_stays_within_its_budget)
{
	const uint64_t n = 10000;
	size_t before = mallinfo2().uordblks, one_each, two_each;

	for (uint64_t id = 1; id <= n; id++) {
		content(id, one, 0);
		message(id, id, 1, one, 0);
	}
	one_each = (mallinfo2().uordblks - before) / n;
	before = mallinfo2().uordblks;
	for (uint64_t id = n + 1; id <= 2 * n; id++) {
		content(id, one, 0);
		message(id, id, 2, one, 0);
	}
	two_each = (mallinfo2().uordblks - before) / n;
	ck_assert_uint_le(one_each, 512);
	ck_assert_uint_le(two_each - one_each, 128);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("index");
	TCase *tc = tcase_create("index");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, a_message_is_known_with_all_it_has);
	tcase_add_test(tc, a_hold_outlives_results);
	tcase_add_test(tc, results_supersede_and_end_it);
	tcase_add_test(tc, a_copy_moves_and_takes_the_new_state);
	tcase_add_test(tc, contents_are_shared_and_may_come_late);
	tcase_add_test(tc, hooks_are_told);
	tcase_add_test(tc, what_is_malformed_changes_nothing);
	tcase_add_test(tc, they_stand_in_order);
	tcase_add_test(tc, memory_stays_within_its_budget);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
