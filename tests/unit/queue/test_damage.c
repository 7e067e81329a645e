/*
 * test_damage.c - what a start makes of damage, and of what only looks like a
 * log.
 */
#include "tests/unit/queue/segments.h"

START_TEST(damage_costs_only_what_it_hits)
{
	uint64_t first = accept_one(1000), number, at, hit, last, content;

	number = sp.store->head->number;
	at = sp.store->head->end;
	hit = accept_one(3000);
	content = find(hit)->content->place.offset;
	last = accept_one(1000);
	spool_drop(&sp);
	ck_assert_uint_gt(content, at);
	spoil(number, content + 1000, 10);

	spool_begin(&sp);
	ck_assert_uint_eq(sp.store->count.damaged, 1);
	ck_assert_uint_eq(files_in("damaged"), 1);
	spool_check_content(&sp, find(first));
	spool_check_content(&sp, find(last));
	/* Its MESSAGE was saved, its content is lost: it is held apart. */
	ck_assert_ptr_nonnull(find(hit));
	ck_assert_uint_eq(find(hit)->flags & MESSAGE_DAMAGED, MESSAGE_DAMAGED);
	ck_assert_ptr_null(find(hit)->content->place.segment);
	ck_assert_int_eq(spool_fetch(&sp, find(hit)), -1);
	ck_assert_int_eq(errno, EBADMSG);
	spool_close(&sp);
	/* That it is damaged is known for ever. */
	spool_open_only(&sp);
	ck_assert_uint_eq(find(hit)->flags & MESSAGE_DAMAGED, MESSAGE_DAMAGED);
	spool_drop(&sp);
}
END_TEST

START_TEST(a_damaged_batch_header_costs_nothing)
{
	uint64_t at, number = sp.store->head->number, id, last;

	at = sp.store->head->end;
	id = accept_one(3000);
	last = accept_one(1000);
	spool_drop(&sp);
	spoil(number, at, 16);
	spool_open_only(&sp);
	ck_assert_uint_eq(sp.store->count.damaged, 1);
	spool_check_content(&sp, find(id));
	spool_check_content(&sp, find(last));
	ck_assert_uint_eq(find(id)->flags, 0);
	spool_drop(&sp);
}
END_TEST

/* Where its seal batch is, as its trailer says. */
static uint64_t
find_seal(uint64_t number)
{
	char trailer[SEGMENT_TRAILER];
	int fd = open_segment(number);
	struct wire_get w;

	ck_assert_int_eq(
	    pread(fd, trailer, sizeof trailer, SEGMENT - SEGMENT_TRAILER),
	    SEGMENT_TRAILER);
	close(fd);
	w = wire_reader(span_from(trailer + 32, 8));
	return wire_get_u64(&w);
}

START_TEST(damage_in_a_sealed_segment_is_damage_to_its_end)
{
	uint64_t number = sp.store->head->number, at, id, kept;

	kept = accept_one(1000);
	at = sp.store->head->end;
	id = accept_one(3000);
	spool_close(&sp);
	/* No batch behind it, no summary: but the trailer tells. */
	spoil(number, at, 16);
	spoil(number, find_seal(number) + 4, 4);
	spool_open_only(&sp);
	ck_assert_uint_eq(sp.store->count.damaged, 1);
	spool_check_content(&sp, find(kept));
	spool_check_content(&sp, find(id));
	spool_drop(&sp);
}
END_TEST

START_TEST(a_lost_message_is_kept_with_what_is_known)
{
	uint64_t id = accept_one(1000), number = sp.store->head->number, at;

	at = find(id)->place.offset;
	spool_close(&sp);
	spool_begin(&sp);
	/* Its state is in the summary of a later segment. */
	spool_result(&sp, id, 0, RCPT_WAITING, "busy");
	wait_all(2);
	spool_close(&sp);
	spoil(number, at + 50, 4);
	spoil(number, SEGMENT - SEGMENT_TRAILER, 100);
	spool_begin(&sp);
	ck_assert_ptr_nonnull(find(id));
	ck_assert_uint_eq(find(id)->rcpts[0].code, 451);
	spool_settle(&sp);
	ck_assert_ptr_nonnull(find(id)->place.segment);
	spool_close(&sp);
}
END_TEST

START_TEST(a_damaged_header_is_made_good_by_the_trailer)
{
	uint64_t id = accept_one(1000), number = sp.store->head->number;

	spool_close(&sp);
	spoil(number, 0, SEGMENT_HEADER);
	spool_open_only(&sp);
	spool_check_content(&sp, find(id));
	spool_drop(&sp);
}
END_TEST

START_TEST(an_unreadable_segment_is_put_away)
{
	uint64_t lost = accept_one(1000), kept;
	uint64_t number = sp.store->head->number;

	spool_close(&sp);
	spool_begin(&sp);
	kept = accept_one(1000);
	spool_close(&sp);
	spoil(number, 0, SEGMENT_HEADER);
	spoil(number, SEGMENT - SEGMENT_TRAILER, 100);
	spool_open_only(&sp);
	ck_assert_ptr_null(find(lost));
	spool_check_content(&sp, find(kept));
	ck_assert_uint_eq(files_in("damaged"), 1);
	spool_drop(&sp);
	spool_open_only(&sp);
	ck_assert_uint_eq(sp.store->count.damaged, 0);
	spool_drop(&sp);
}
END_TEST

START_TEST(old_records_of_a_recycled_segment_are_nothing)
{
	uint64_t ids[60];

	for (int i = 0; i < 60; i++)
		ids[i] = accept_one(2000);
	for (int i = 0; i < 60; i++)
		spool_result(&sp, ids[i], 0, RCPT_DELIVERED, "ok");
	wait_all(120);
	spool_settle(&sp);
	ck_assert_uint_ge(sp.store->count.reclaimed, 1);
	/* The head was such a segment: behind its end are old batches. */
	for (int i = 0; i < 30; i++)
		accept_one(4000);
	spool_drop(&sp);
	spool_open_only(&sp);
	ck_assert_uint_eq(index_messages(store_index(sp.store)), 30);
	ck_assert_uint_eq(sp.store->count.damaged, 0);
	for (int i = 0; i < 60; i++)
		ck_assert_ptr_null(find(ids[i]));
	spool_drop(&sp);
}
END_TEST

START_TEST(a_content_that_looks_like_records_is_a_content)
{
	struct buf b;
	struct record_seal guess = { .nonce = { 0 } };
	char fake[128];
	struct wire_put w;
	uint64_t id;

	/* A batch as a stranger may make it, without the key. */
	buf_init(&b, 1 << 20);
	w = wire_writer(fake, sizeof fake);
	record_batch_put(&w, &(struct record_batch){ 0, 64, SEGMENT });
	for (int i = 0; i < 200; i++)
		ck_assert_int_eq(record_add(&b, &guess, RECORD_BATCH,
				     1000 + (uint64_t)i, span_from(fake, w.n)),
		    0);
	id = store_id(sp.store);
	change_begin(sp.store);
	change_content(sp.store, id, buf_span(&b));
	spool_add_message(&sp, id, 1, 0);
	change_commit(sp.store, spool_on_done, &sp);
	wait_all(1);
	spool_drop(&sp);
	/* Torn right behind its BATCH: what follows is searched. */
	spoil(1, SEGMENT_HEADER + 200, 8);
	spool_open_only(&sp);
	ck_assert_uint_eq(sp.store->count.damaged, 0);
	ck_assert_ptr_null(find(id));
	spool_drop(&sp);
	buf_fini(&b);
}
END_TEST

/* A stranger who knows the format makes a start read no more than the log. */
START_TEST(what_looks_like_records_costs_no_time)
{
	const size_t size = 900 * 1024;
	const enum record_type types[] = { RECORD_BATCH, RECORD_CONTENT };
	char *fake = calloc(1, size), path[256], name[SEGMENT_NAME_MAX];
	struct wire_put w;
	uint64_t id;

	spool_close(&sp);
	sp.opt.segment_size = 16 * 1024 * 1024;
	spool_begin(&sp);
	/* Each of these headers says that all of the rest is its own. */
	for (size_t at = 0; at + RECORD_HEADER <= size; at += RECORD_HEADER) {
		w = wire_writer(fake + at, RECORD_HEADER);
		wire_put_bytes(&w, "SREC", 4);
		wire_put_u16(&w, (uint16_t)types[_i]);
		wire_put_u16(&w, 0);
		wire_put_u32(&w, (uint32_t)(size - at - RECORD_HEADER));
		wire_put_u32(&w, 0);
		wire_put_u64(&w, UINT64_MAX / 2);
	}
	sp.done = 0;
	for (int i = 0; i < 8; i++) {
		id = store_id(sp.store);
		change_begin(sp.store);
		change_content(sp.store, id, span_from(fake, size));
		spool_add_message(&sp, id, 1, 0);
		change_commit(sp.store, spool_on_done, &sp);
		wait_all(sp.done + 1);
	}
	segment_name(name, sp.store->head->number, SEGMENT_USED);
	path_of(path, sizeof path, "log", name);
	if (_i == 1)
		spool_close(&sp);
	else
		spool_drop(&sp);
	/* All of it damaged but for its ends. */
	{
		int fd = open(path, O_RDWR);

		ck_assert_int_ne(fd, -1);
		for (off_t at = SEGMENT_HEADER + 64; at < 9 << 20;
		     at += 900 * 1024)
			ck_assert_int_eq(pwrite(fd, "????????", 8, at), 8);
		ck_assert_int_eq(
		    pwrite(fd, "????????", 8, (16 << 20) - 4096 - 8), 8);
		close(fd);
	}
	spool_open_only(&sp);
	spool_drop(&sp);
	free(fake);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("damage");
	TCase *tc = tcase_create("damage");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, damage_costs_only_what_it_hits);
	tcase_add_test(tc, a_damaged_batch_header_costs_nothing);
	tcase_add_test(tc, damage_in_a_sealed_segment_is_damage_to_its_end);
	tcase_add_test(tc, a_lost_message_is_kept_with_what_is_known);
	tcase_add_test(tc, a_damaged_header_is_made_good_by_the_trailer);
	tcase_add_test(tc, an_unreadable_segment_is_put_away);
	tcase_add_test(tc, old_records_of_a_recycled_segment_are_nothing);
	tcase_add_test(tc, a_content_that_looks_like_records_is_a_content);
	tcase_add_loop_test(tc, what_looks_like_records_costs_no_time, 0, 2);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
