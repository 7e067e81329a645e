/*
 * test_reclaim.c - the oldest segment goes, what is live in it does not.
 */
#include <errno.h>

#include "tests/unit/queue/faulty.h"
#include "tests/unit/queue/spool.h"

#define SEGMENT (128 * 1024)

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

static struct message *
find(uint64_t id)
{
	return index_find(store_index(sp.store), id);
}

static uint64_t
accept_one(size_t size)
{
	uint64_t id = spool_accept(&sp, size);

	spool_until(&sp, &sp.done, sp.done + 1);
	ck_assert_uint_eq(sp.failed, 0);
	return id;
}

static void
deliver(uint64_t id)
{
	spool_result(&sp, id, 0, RCPT_DELIVERED, "ok");
	spool_until(&sp, &sp.done, sp.done + 1);
	ck_assert_uint_eq(sp.failed, 0);
}

/* Mail that comes and goes, until the oldest segment is another one. */
static void
turn_over(unsigned segments)
{
	uint64_t from = sp.store->count.reclaimed;

	for (int i = 0; sp.store->count.reclaimed < from + segments; i++) {
		ck_assert_int_lt(i, 1000);
		deliver(accept_one(6000));
		spool_settle(&sp);
	}
}

START_TEST(what_is_done_makes_room)
{
	turn_over(10);
	ck_assert_uint_le(sp.store->nsegments, 3);
	/* Recycled, not made anew: as many files as ever. */
	ck_assert_uint_le(sp.store->nspares, 3);
	spool_close(&sp);
}
END_TEST

START_TEST(what_is_live_moves_with_its_state)
{
	uint64_t kept = spool_accept_n(&sp, 3000, 3), number;
	struct record_message rec;
	struct record_rcpt row;
	struct message *m;
	struct buf b;

	spool_until(&sp, &sp.done, 1);
	number = sp.store->head->number;
	spool_result(&sp, kept, 0, RCPT_DELIVERED, "went well");
	spool_result(&sp, kept, 1, RCPT_WAITING, "come back later");
	spool_until(&sp, &sp.done, 3);
	turn_over(5);
	buf_init(&b, 1 << 20);
	for (int i = 0; i < 2; i++) {
		m = find(kept);
		ck_assert_ptr_nonnull(m);
		ck_assert_uint_gt(m->place.segment->number, number);
		ck_assert_uint_gt(m->content->place.segment->number, number);
		ck_assert_uint_eq(m->left, 2);
		ck_assert_uint_eq(m->flags, 0);
		spool_check_content(&sp, m);
		ck_assert_int_eq(store_message(sp.store, m, &b, &rec), 0);
		ck_assert(span_eq(rec.client, SPAN("192.0.2.7")));
		ck_assert(span_eq(rec.prefix, SPAN("Received: from x\r\n")));
		ck_assert_int_eq(store_last_reply(sp.store, m, 0, &b, &row), 0);
		ck_assert_str_eq(row.reply.text, "went well");
		ck_assert_int_eq(row.state, RCPT_DELIVERED);
		ck_assert_int_eq(store_last_reply(sp.store, m, 1, &b, &row), 0);
		ck_assert_str_eq(row.reply.text, "come back later");
		ck_assert(span_eq(row.host, SPAN("mx.example.net")));
		ck_assert_int_eq(row.time, 1600000000);
		ck_assert_int_eq(row.next, 1700000000);
		ck_assert_int_eq(store_last_reply(sp.store, m, 2, &b, &row), 0);
		ck_assert_uint_eq(row.reply.code, 0);
		if (i == 0) {
			spool_close(&sp);
			spool_open_only(&sp);
		}
	}
	buf_fini(&b);
	spool_drop(&sp);
}
END_TEST

/* I5: a RESULT goes after every MESSAGE that it ends.  Here the first segment is
 * kept by much that is live, the second holds the end of one of its messages
 * and nothing that is live. */
START_TEST(the_oldest_goes_first)
{
	uint64_t ended = accept_one(3000), first = sp.store->head->number;

	while (sp.store->head->number == first)
		accept_one(10000);
	deliver(ended);
	while (sp.store->head->number == first + 1)
		deliver(accept_one(10000));
	deliver(accept_one(100));
	spool_settle(&sp);
	for (int i = 0; i < 5; i++) {
		ck_assert_ptr_null(find(ended));
		spool_drop(&sp);
		spool_begin(&sp);
		spool_settle(&sp);
	}
	spool_drop(&sp);
}
END_TEST

START_TEST(each_is_gone_for_good_before_the_next)
{
	uint64_t ids[100];
	unsigned n = 0;

	while (sp.store->nsegments < 6) {
		ck_assert_uint_lt(n, 100);
		ids[n++] = accept_one(10000);
	}
	spool_settle(&sp);
	faulty_start(&disk);
	for (unsigned i = 0; i < n; i++)
		spool_result(&sp, ids[i], 0, RCPT_DELIVERED, "ok");
	spool_until(&sp, &sp.done, 2 * n);
	spool_settle(&sp);
	ck_assert_uint_ge(sp.store->count.reclaimed, 4);
	ck_assert_uint_eq(disk.unsynced, 0);
	spool_close(&sp);
}
END_TEST

static uint64_t oldest[100];
static unsigned noldest;

static void
on_last(void *arg, const struct reply *failed)
{
	spool_on_done(arg, failed);
	faulty_hold(&disk, DISK_DATASYNC);
	for (unsigned i = 0; i < noldest; i++)
		spool_result(&sp, oldest[i], 0, RCPT_DELIVERED, "ok");
}

/* A commit makes the oldest segment worth emptying, and its done() gives results
 * for what is in there: they are on their way when the slice has been read.  A
 * copy with the state before them would bring all of it back. */
START_TEST(a_copy_never_follows_a_result_it_does_not_know)
{
	uint64_t first = sp.store->head->number, id;
	unsigned n = 0;

	while (sp.store->nsegments < 4) {
		id = accept_one(10000);
		if (find(id)->place.segment->number == first)
			oldest[noldest++] = id;
		ck_assert_uint_lt(++n, 100);
	}
	spool_settle(&sp);
	faulty_start(&disk);
	for (struct message *m = index_first(store_index(sp.store)); m != NULL;
	     m = index_after(store_index(sp.store), m->id))
		if (m->place.segment->number != first)
			spool_result(&sp, m->id, 0, RCPT_DELIVERED, "ok");
	change_begin(sp.store);
	change_commit(sp.store, on_last, &sp);
	spool_until(&sp, &sp.done, n + n - noldest + 1);
	event_base_loop(sp.base, EVLOOP_NONBLOCK);
	faulty_wait_held(&disk);
	for (int i = 0; i < 50; i++) {
		event_base_loop(sp.base, EVLOOP_NONBLOCK);
		usleep(1000);
	}
	ck_assert_uint_eq(index_messages(store_index(sp.store)), noldest);
	faulty_let_go(&disk);
	spool_until(&sp, &sp.done, 2 * n + 1);
	spool_settle(&sp);
	ck_assert_uint_eq(index_messages(store_index(sp.store)), 0);
	spool_drop(&sp);
	spool_open_only(&sp);
	ck_assert_uint_eq(index_messages(store_index(sp.store)), 0);
	spool_drop(&sp);
}
END_TEST

START_TEST(full_segments_stay_as_they_are)
{
	uint64_t copies, n = 0;

	while (sp.store->nsegments < 5) {
		accept_one(10000);
		n++;
	}
	spool_settle(&sp);
	copies = sp.store->count.records;
	ck_assert_uint_eq(sp.store->count.reclaimed, 0);
	ck_assert_uint_eq(copies, 2 * n);
	spool_close(&sp);
}
END_TEST

START_TEST(large_contents_stay_where_they_are)
{
	static char octets[60000];
	uint64_t id = store_id(sp.store), first = sp.store->head->number;
	struct incoming *in = incoming_new(sp.store, id);
	char path[256];

	memset(octets, 'x', sizeof octets);
	id_format(octets, id);
	octets[ID_LEN] = 'x';
	ck_assert_int_ge(
	    incoming_add(in, span_from(octets, sizeof octets), NULL, NULL), 0);
	spool_settle(&sp);
	incoming_end(in, NULL, NULL);
	spool_settle(&sp);
	change_begin(sp.store);
	incoming_commit(in);
	spool_add_message(&sp, id, 1, 0);
	change_commit(sp.store, spool_on_done, &sp);
	spool_until(&sp, &sp.done, 1);
	snprintf(path, sizeof path, "%s/content/%016lx", sp.path, id);
	ck_assert_int_eq(access(path, F_OK), 0);
	turn_over(4);
	ck_assert_uint_gt(find(id)->content->place.segment->number, first);
	spool_check_content(&sp, find(id));
	spool_drop(&sp);
	spool_begin(&sp);
	spool_check_content(&sp, find(id));
	deliver(id);
	spool_settle(&sp);
	ck_assert_int_eq(access(path, F_OK), -1);
	spool_close(&sp);
}
END_TEST

START_TEST(a_content_that_rots_is_told_and_holds_up_nothing)
{
	uint64_t rotten = accept_one(3000), good = accept_one(3000);
	const struct content *c = find(rotten)->content;

	ck_assert_int_eq(
	    pwrite(c->place.segment->fd, "rot", 3, c->place.offset + 500), 3);
	turn_over(3);
	ck_assert_ptr_nonnull(find(rotten));
	ck_assert_uint_eq(find(rotten)->flags, MESSAGE_DAMAGED);
	ck_assert_uint_eq(find(good)->flags, 0);
	spool_check_content(&sp, find(good));
	spool_close(&sp);
	spool_open_only(&sp);
	ck_assert_uint_eq(find(rotten)->flags, MESSAGE_DAMAGED);
	spool_drop(&sp);
}
END_TEST

START_TEST(a_failed_rename_is_tried_again)
{
	spool_settle(&sp);
	faulty_start(&disk);
	faulty_set(&disk, DISK_RENAME, ".seg", 1, EIO);
	turn_over(2);
	ck_assert_uint_eq(sp.failed, 0);
	spool_close(&sp);
}
END_TEST

/* Whether the oldest is gone for good cannot be known: nothing younger may go. */
START_TEST(a_failed_directory_sync_ends_reclaim)
{
	uint64_t first = sp.store->head->number;
	unsigned n;

	spool_settle(&sp);
	faulty_start(&disk);
	while (sp.store->head->number == first)
		accept_one(10000);
	spool_settle(&sp);
	disk.fail_recycling = true;
	for (struct message *m;
	     (m = index_first(store_index(sp.store))) != NULL;)
		deliver(m->id);
	spool_settle(&sp);
	disk.fail_recycling = false;
	n = (unsigned)sp.store->nsegments;
	for (int i = 0; i < 60; i++)
		deliver(accept_one(10000));
	spool_settle(&sp);
	ck_assert_uint_eq(sp.failed, 0);
	ck_assert_uint_eq(sp.store->count.reclaimed, 0);
	ck_assert_uint_gt(sp.store->nsegments, n);
	ck_assert_uint_eq(TAILQ_FIRST(&sp.store->segments)->number, first);
	spool_drop(&sp);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("reclaim");
	TCase *tc = tcase_create("reclaim");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tc, 30);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, what_is_done_makes_room);
	tcase_add_test(tc, what_is_live_moves_with_its_state);
	tcase_add_test(tc, the_oldest_goes_first);
	tcase_add_test(tc, each_is_gone_for_good_before_the_next);
	tcase_add_test(tc, a_copy_never_follows_a_result_it_does_not_know);
	tcase_add_test(tc, full_segments_stay_as_they_are);
	tcase_add_test(tc, large_contents_stay_where_they_are);
	tcase_add_test(tc, a_content_that_rots_is_told_and_holds_up_nothing);
	tcase_add_test(tc, a_failed_rename_is_tried_again);
	tcase_add_test(tc, a_failed_directory_sync_ends_reclaim);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
