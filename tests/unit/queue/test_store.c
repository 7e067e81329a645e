/*
 * test_store.c - changes go in, come back when they are on disk, and are there
 * after a restart.
 */
#include <errno.h>

#include "common/mail/address.h"
#include "common/run/conf.h"

#include "tests/unit/queue/faulty.h"
#include "tests/unit/queue/spool.h"

#define SEGMENT (256 * 1024)

static struct spool sp;
static struct faulty disk;

static void
setup(void)
{
	spool_make(&sp, SEGMENT);
	spool_begin(&sp);
}

static void
teardown(void)
{
	disk_watch(NULL);
	spool_remove(&sp);
}

START_TEST(a_message_is_there_when_it_is_told)
{
	uint64_t id = spool_accept(&sp, 1000);
	struct message *m;

	ck_assert_uint_eq(sp.done, 0);
	ck_assert_ptr_null(index_find(store_index(sp.store), id));
	spool_until(&sp, &sp.done, 1);
	ck_assert_uint_eq(sp.failed, 0);
	m = index_find(store_index(sp.store), id);
	ck_assert_ptr_nonnull(m);
	ck_assert_str_eq(m->sender, "alice@example.org");
	ck_assert_str_eq(m->rcpts[0].local, "user0");
	ck_assert_str_eq(m->rcpts[0].domain, "example.net");
	spool_check_content(&sp, m);
	spool_close(&sp);

	spool_begin(&sp);
	m = index_find(store_index(sp.store), id);
	ck_assert_ptr_nonnull(m);
	ck_assert_uint_eq(m->content->size, 1000);
	ck_assert_uint_eq(m->content->refs, 1);
	spool_check_content(&sp, m);
	spool_close(&sp);
}
END_TEST

START_TEST(changes_of_one_turn_share_a_batch)
{
	for (int i = 0; i < 10; i++)
		spool_accept(&sp, 1000);
	spool_until(&sp, &sp.done, 10);
	ck_assert_uint_eq(sp.store->count.commits, 1);
	spool_close(&sp);
}
END_TEST

START_TEST(nothing_counts_before_it_is_on_disk)
{
	uint64_t id, second;

	id = spool_accept(&sp, 1000);
	spool_until(&sp, &sp.done, 1);
	spool_settle(&sp);
	faulty_start(&disk);
	faulty_hold(&disk, DISK_DATASYNC);
	spool_result(&sp, id, 0, RCPT_DELIVERED, "ok");
	event_base_loop(sp.base, EVLOOP_NONBLOCK);
	faulty_wait_held(&disk);
	/* What comes meanwhile is collected, not written (I3). */
	second = spool_accept(&sp, 1000);
	for (int i = 0; i < 20; i++)
		event_base_loop(sp.base, EVLOOP_NONBLOCK);
	ck_assert_uint_eq(sp.done, 1);
	ck_assert_ptr_nonnull(index_find(store_index(sp.store), id));
	ck_assert_ptr_null(index_find(store_index(sp.store), second));
	ck_assert_uint_eq(disk.count[DISK_WRITE], 1);
	faulty_let_go(&disk);
	spool_until(&sp, &sp.done, 3);
	ck_assert_ptr_null(index_find(store_index(sp.store), id));
	ck_assert_ptr_nonnull(index_find(store_index(sp.store), second));
	spool_close(&sp);
}
END_TEST

START_TEST(a_commit_is_one_write_and_one_sync)
{
	spool_accept(&sp, 1000);
	spool_until(&sp, &sp.done, 1);
	spool_settle(&sp);
	faulty_start(&disk);
	for (int i = 0; i < 5; i++)
		spool_accept(&sp, 1000);
	spool_until(&sp, &sp.done, 6);
	ck_assert_uint_eq(disk.count[DISK_DATASYNC], 1);
	ck_assert_uint_eq(disk.count[DISK_SYNC], 0);
	ck_assert_uint_eq(disk.count[DISK_RENAME], 0);
	spool_close(&sp);
}
END_TEST

/* I7: not the same descriptor again, nothing of the batch counts, the next head
 * says so; and what was collected meanwhile goes there. */
START_TEST(a_failed_sync_is_never_tried_again)
{
	static const struct {
		enum disk_op op;
		int err;
		uint16_t code;
	} rows[] = {
		{ DISK_DATASYNC, EIO, 451 },
		{ DISK_WRITE, EIO, 451 },
		{ DISK_DATASYNC, ENOSPC, 452 },
		{ DISK_DATASYNC, EDQUOT, 452 },
	};
	uint64_t before, lost, after;
	struct segment *head;

	before = spool_accept(&sp, 1000);
	spool_until(&sp, &sp.done, 1);
	spool_settle(&sp);
	faulty_start(&disk);
	head = sp.store->head;
	faulty_set(&disk, rows[_i].op, NULL, 1, rows[_i].err);
	lost = spool_accept(&sp, 1000);
	event_base_loop(sp.base, EVLOOP_NONBLOCK);
	after = spool_accept(&sp, 1000);
	spool_until(&sp, &sp.done, 3);
	ck_assert_uint_eq(sp.failed, 1);
	ck_assert_uint_eq(sp.code, rows[_i].code);
	ck_assert_ptr_ne(sp.store->head, head);
	ck_assert(store_writable(sp.store));
	ck_assert_uint_eq(disk.used_again, 0);
	ck_assert_ptr_null(index_find(store_index(sp.store), lost));
	ck_assert_ptr_null(index_content(store_index(sp.store), lost));
	ck_assert_uint_eq(sp.store->nabandons, 0);
	spool_settle(&sp);
	disk_watch(NULL);
	spool_drop(&sp);

	/* The bytes of the batch may well be on disk: they do not count. */
	spool_open_only(&sp);
	ck_assert_ptr_nonnull(index_find(store_index(sp.store), before));
	ck_assert_ptr_null(index_find(store_index(sp.store), lost));
	ck_assert_ptr_nonnull(index_find(store_index(sp.store), after));
	ck_assert_uint_eq(sp.store->count.damaged, 0);
	spool_drop(&sp);
}
END_TEST

static unsigned admission_changes;

static void
on_admission(void *arg)
{
	(void)arg;
	admission_changes++;
}

START_TEST(without_a_head_all_is_refused)
{
	uint64_t id;
	int null;

	ck_assert_uint_eq(store_admission(sp.store)->code, 250);
	store_on_admission(sp.store, on_admission, NULL);
	spool_settle(&sp);
	faulty_start(&disk);
	/* The head fails, and so does every rename. */
	faulty_set(&disk, DISK_RENAME, NULL, 1000, EIO);
	ck_assert_int_ne(null = open("/dev/null", O_RDONLY), -1);
	ck_assert_int_ne(dup2(null, sp.store->head->fd), -1);
	spool_accept(&sp, 1000);
	event_base_loop(sp.base, EVLOOP_NONBLOCK);
	spool_accept(&sp, 1000);
	spool_until(&sp, &sp.done, 2);
	spool_settle(&sp);
	ck_assert(!store_writable(sp.store));
	ck_assert_uint_eq(sp.failed, 2);
	/* It is not tried without end: once, then in some seconds. */
	ck_assert_uint_eq(disk.times, 999);
	ck_assert_uint_eq(store_admission(sp.store)->code, 451);
	ck_assert_uint_ge(admission_changes, 1);
	/* Nobody waits: later ones fail at once. */
	spool_accept(&sp, 1000);
	ck_assert_uint_eq(sp.done, 2);
	spool_until(&sp, &sp.done, 3);
	ck_assert_uint_eq(sp.failed, 3);
	/* When it can be written again it is. */
	faulty_set(&disk, DISK_RENAME, NULL, 0, 0);
	event_active(sp.store->retry, EV_TIMEOUT, 0);
	for (int i = 0; !store_writable(sp.store) && i < 10000; i++)
		event_base_loop(sp.base, EVLOOP_ONCE);
	ck_assert_uint_eq(store_admission(sp.store)->code, 250);
	id = spool_accept(&sp, 1000);
	spool_until(&sp, &sp.done, 4);
	ck_assert_ptr_nonnull(index_find(store_index(sp.store), id));
	spool_close(&sp);
}
END_TEST

START_TEST(results_go_on_with_the_last_spare)
{
	uint64_t ids[200];
	size_t n = 0;

	spool_settle(&sp);
	faulty_start(&disk);
	faulty_set(&disk, DISK_CREATE, ".spare", 1000, ENOSPC);
	while (store_admission(sp.store)->code == 250) {
		ck_assert_uint_lt(n, 200);
		ids[n++] = spool_accept(&sp, 16 * 1024);
		spool_until(&sp, &sp.done, (unsigned)n);
		spool_settle(&sp);
	}
	ck_assert_uint_eq(store_admission(sp.store)->code, 452);
	ck_assert_uint_eq(sp.store->nspares, 1);
	ck_assert(store_writable(sp.store));
	/* They make room: the segments are used again. */
	for (size_t i = 0; i < n; i++)
		spool_result(&sp, ids[i], 0, RCPT_DELIVERED, "ok");
	spool_until(&sp, &sp.done, (unsigned)(2 * n));
	ck_assert_uint_eq(sp.failed, 0);
	spool_settle(&sp);
	ck_assert_uint_gt(sp.store->nspares, 1);
	ck_assert_uint_eq(store_admission(sp.store)->code, 250);
	spool_close(&sp);
}
END_TEST

START_TEST(below_the_reserve_mail_is_refused)
{
	spool_close(&sp);
	sp.opt.reserve = UINT64_MAX;
	spool_begin(&sp);
	ck_assert_uint_eq(store_admission(sp.store)->code, 452);
	spool_close(&sp);
}
END_TEST

static unsigned ready;

static void
on_ready(void *arg)
{
	(void)arg;
	ready++;
}

START_TEST(a_full_batch_is_told)
{
	unsigned n = 0;

	store_on_ready(sp.store, on_ready, NULL);
	while (!store_busy(sp.store)) {
		ck_assert_uint_lt(n, 1000);
		spool_accept(&sp, 10000);
		n++;
	}
	ck_assert_uint_ge(n * 10000, sp.store->batch_max / 2);
	/* What was begun all the same is taken. */
	spool_accept(&sp, 10000);
	spool_until(&sp, &sp.done, n + 1);
	ck_assert_uint_eq(sp.failed, 0);
	ck_assert(!store_busy(sp.store));
	ck_assert_uint_ge(ready, 1);
	spool_close(&sp);
}
END_TEST

START_TEST(what_fits_no_segment_is_refused)
{
	uint64_t id;

	spool_accept(&sp, SEGMENT);
	ck_assert_uint_eq(sp.done, 0);
	spool_until(&sp, &sp.done, 1);
	ck_assert_uint_eq(sp.code, 451);
	/* The biggest that fits does, whatever is before it. */
	spool_accept(&sp, 50000);
	id = spool_accept(&sp, SEGMENT - 64 * 1024);
	spool_accept(&sp, 50000);
	spool_until(&sp, &sp.done, 4);
	ck_assert_uint_eq(sp.failed, 1);
	spool_check_content(&sp, index_find(store_index(sp.store), id));
	spool_close(&sp);
}
END_TEST

START_TEST(an_aborted_change_leaves_nothing)
{
	uint64_t id = store_id(sp.store), other;

	change_begin(sp.store);
	change_content(sp.store, id, SPAN("octets"));
	spool_add_message(&sp, id, 1, 0);
	change_abort(sp.store);
	other = spool_accept(&sp, 1000);
	spool_until(&sp, &sp.done, 1);
	ck_assert_ptr_null(index_find(store_index(sp.store), id));
	ck_assert_ptr_nonnull(index_find(store_index(sp.store), other));
	spool_close(&sp);
}
END_TEST

START_TEST(segments_follow_each_other)
{
	unsigned n = 200;

	for (unsigned i = 1; i <= n; i++) {
		spool_accept(&sp, 5000);
		spool_until(&sp, &sp.done, i);
	}
	ck_assert_uint_eq(sp.failed, 0);
	ck_assert_uint_ge(sp.store->nsegments, 4);
	spool_close(&sp);
	spool_begin(&sp);
	ck_assert_uint_eq(index_messages(store_index(sp.store)), n);
	for (struct message *m = index_first(store_index(sp.store)); m != NULL;
	     m = index_after(store_index(sp.store), m->id))
		spool_check_content(&sp, m);
	spool_close(&sp);
}
END_TEST

START_TEST(ids_grow_whatever_the_clock_says)
{
	uint64_t last = 0, id;

	for (int i = 0; i < 10000; i++, last = id)
		ck_assert_uint_gt(id = store_id(sp.store), last);
	/* As if the clock had been ahead. */
	sp.store->last_id = last = id + (1ull << 40);
	id = spool_accept(&sp, 100);
	spool_until(&sp, &sp.done, 1);
	ck_assert_uint_gt(id, last);
	spool_result(&sp, id, 0, RCPT_DELIVERED, "ok");
	spool_until(&sp, &sp.done, 2);
	for (int i = 0; i < 4; i++) {
		spool_close(&sp);
		spool_begin(&sp);
		spool_settle(&sp);
	}
	ck_assert_uint_gt(store_id(sp.store), id);
	spool_close(&sp);
}
END_TEST

/* As many recipients as the configuration allows, with the longest addresses
 * and the largest content that stands in the log. */
START_TEST(what_the_configuration_allows_fits)
{
	static const uint32_t counts[] = { 1000, 17000 };
	uint32_t n = counts[_i];
	struct record_rcpt *rcpts = calloc(n, sizeof *rcpts);
	char(*address)[ADDRESS_MAX + 1] = calloc(n, sizeof *address);
	struct record_message m = { .sender = SPAN("alice@example.org"),
		.client = SPAN("192.0.2.7"),
		.nrcpts = n };
	static char prefix[4096], content[CONTENT_INLINE_MAX];

	spool_make(&sp, conf_segment_size_for(n));
	spool_begin(&sp);
	sp.done = 0;
	memset(prefix, 'p', sizeof prefix);
	m.prefix = span_from(prefix, sizeof prefix);
	m.id = m.content = store_id(sp.store);
	for (uint32_t i = 0; i < n; i++) {
		snprintf(address[i], sizeof address[i], "%0241u@%012u", i, i);
		rcpts[i] = (struct record_rcpt){ .index = i,
			.address = span_from(address[i], ADDRESS_MAX),
			.host = SPAN("") };
	}
	change_begin(sp.store);
	change_content(
	    sp.store, m.id, span_from(content, sp.store->inline_max));
	change_message(sp.store, &m, rcpts);
	change_commit(sp.store, spool_on_done, &sp);
	spool_until(&sp, &sp.done, 1);
	ck_assert_uint_eq(sp.failed, 0);
	/* with a summary */
	spool_close(&sp);
	spool_open_only(&sp);
	ck_assert_uint_eq(index_recipients(store_index(sp.store)), n);
	ck_assert(TAILQ_FIRST(&sp.store->segments)->sealed);
	spool_drop(&sp);
	spool_remove(&sp);
	free(rcpts);
	free(address);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("store");
	TCase *tc = tcase_create("store");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, a_message_is_there_when_it_is_told);
	tcase_add_test(tc, changes_of_one_turn_share_a_batch);
	tcase_add_test(tc, nothing_counts_before_it_is_on_disk);
	tcase_add_test(tc, a_commit_is_one_write_and_one_sync);
	tcase_add_loop_test(tc, a_failed_sync_is_never_tried_again, 0, 4);
	tcase_add_test(tc, without_a_head_all_is_refused);
	tcase_add_test(tc, results_go_on_with_the_last_spare);
	tcase_add_test(tc, below_the_reserve_mail_is_refused);
	tcase_add_test(tc, a_full_batch_is_told);
	tcase_add_test(tc, what_fits_no_segment_is_refused);
	tcase_add_test(tc, an_aborted_change_leaves_nothing);
	tcase_add_test(tc, segments_follow_each_other);
	tcase_add_test(tc, ids_grow_whatever_the_clock_says);
	suite_add_tcase(suite, tc);
	tc = tcase_create("sizes");
	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, what_the_configuration_allows_fits, 0, 2);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
