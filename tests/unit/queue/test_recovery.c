/*
 * test_recovery.c - what a start makes of whole and torn logs.
 */
#include "tests/unit/queue/segments.h"

/* ---- the same state by summary and by scan --------------------------------------- */

struct image {
	char text[256 * 1024];
	size_t n;
};

static void
draw(struct image *im)
{
	im->n = 0;
	for (struct message *m = index_first(store_index(sp.store)); m != NULL;
	     m = index_after(store_index(sp.store), m->id)) {
		im->n += (size_t)snprintf(im->text + im->n,
		    sizeof im->text - im->n, "%lx %s %x %u %lx@%lx:%u %lx:%u\n",
		    m->id, m->sender, m->flags, m->left, m->content->size,
		    m->content->place.segment->number, m->content->place.offset,
		    m->place.segment->number, m->place.offset);
		for (uint32_t i = 0; i < m->nrcpts; i++) {
			const struct recipient *r = &m->rcpts[i];

			im->n += (size_t)snprintf(im->text + im->n,
			    sizeof im->text - im->n,
			    "  %s@%s %u %u %u %ld %lx:%u\n", r->local,
			    r->domain, r->state, r->code, r->attempts, r->next,
			    r->last.segment ? r->last.segment->number : 0,
			    r->last.offset);
		}
	}
	ck_assert_uint_lt(im->n, sizeof im->text);
}

static void
work(unsigned n)
{
	uint64_t ids[500];

	ck_assert_uint_le(n, 500);
	for (unsigned i = 0; i < n; i++) {
		ids[i] = spool_accept_n(&sp, 1500, 1 + i % 3);
		wait_all(sp.done + 1);
		if (i % 4 == 1)
			spool_result(&sp, ids[i - 1], 0, RCPT_DELIVERED, "ok");
		else if (i % 4 == 2)
			spool_result(&sp, ids[i - 1], 0, RCPT_WAITING, "busy");
		else
			continue;
		wait_all(sp.done + 1);
	}
	/* Long after its MESSAGE, in another segment. */
	spool_result(&sp, ids[3], 0, RCPT_WAITING, "later");
	spool_result(&sp, ids[7], 0, RCPT_DELIVERED, "ok");
	wait_all(sp.done + 2);
}

START_TEST(summary_and_scan_give_the_same)
{
	static struct image live, summary, scan;
	uint64_t first;

	work(300);
	ck_assert_uint_ge(sp.store->nsegments, 4);
	spool_settle(&sp);
	draw(&live);
	first = TAILQ_FIRST(&sp.store->segments)->number;
	spool_close(&sp);

	spool_open_only(&sp);
	draw(&summary);
	ck_assert_str_eq(live.text, summary.text);
	for (struct segment *s = TAILQ_FIRST(&sp.store->segments);
	     s != sp.store->head; s = TAILQ_NEXT(s, next))
		ck_assert(s->sealed);
	spool_drop(&sp);

	/* Without their trailers they have to be read. */
	for (uint64_t number = first; number < first + 4; number++)
		spoil(number, SEGMENT - SEGMENT_TRAILER, 100);
	spool_open_only(&sp);
	draw(&scan);
	ck_assert_str_eq(live.text, scan.text);
	ck_assert_uint_eq(sp.store->count.damaged, 0);
	spool_drop(&sp);
}
END_TEST

START_TEST(a_torn_seal_is_read_instead)
{
	static struct image live, again;
	uint64_t number, end;

	work(20);
	draw(&live);
	number = sp.store->head->number;
	end = sp.store->head->end;
	spool_close(&sp);
	spoil(number, end + 100, 8);
	spool_open_only(&sp);
	draw(&again);
	ck_assert_str_eq(live.text, again.text);
	ck_assert_uint_eq(sp.store->count.damaged, 0);
	spool_drop(&sp);
}
END_TEST

START_TEST(numbers_are_never_used_again)
{
	uint64_t segment, seq, id;

	id = accept_one(1000);
	spool_result(&sp, id, 0, RCPT_DELIVERED, "ok");
	wait_all(2);
	for (int i = 0; i < 5; i++) {
		seq = sp.store->next_seq;
		segment = sp.store->head->number;
		spool_close(&sp);
		spool_begin(&sp);
		spool_settle(&sp);
		ck_assert_uint_gt(sp.store->head->number, segment);
		ck_assert_uint_gt(sp.store->next_seq, seq);
		ck_assert_uint_ge(sp.store->last_id, id);
		ck_assert_uint_le(sp.store->nsegments, 2);
	}
	spool_close(&sp);
}
END_TEST

/* ---- tails -------------------------------------------------------------------------- */

/* A copy of a segment's bytes. */
static char *
bytes_of(uint64_t number)
{
	char *p = malloc(SEGMENT);
	int fd = open_segment(number);

	ck_assert_int_eq(pread(fd, p, SEGMENT, 0), SEGMENT);
	close(fd);
	return p;
}

START_TEST(a_torn_tail_is_dropped_and_never_written_to)
{
	uint64_t kept = accept_one(1000), torn, number, at;
	char *before, *after;

	number = sp.store->head->number;
	at = sp.store->head->end;
	torn = accept_one(3000);
	spool_drop(&sp);
	spoil(number, at + 1024, 512);
	before = bytes_of(number);

	spool_begin(&sp);
	ck_assert_ptr_nonnull(find(kept));
	ck_assert_ptr_null(find(torn));
	ck_assert_uint_eq(sp.store->count.damaged, 0);
	ck_assert_uint_eq(files_in("damaged"), 0);
	ck_assert_uint_gt(sp.store->head->number, number);
	accept_one(1000);
	after = bytes_of(number);
	ck_assert_mem_eq(before, after, SEGMENT);
	spool_drop(&sp);
	free(before);
	free(after);

	/* And it stays dropped. */
	spool_open_only(&sp);
	ck_assert_ptr_null(find(torn));
	ck_assert_uint_eq(index_messages(store_index(sp.store)), 2);
	spool_drop(&sp);
}
END_TEST

START_TEST(a_batch_counts_whole_or_not_at_all)
{
	uint64_t id = accept_one(1000), bounce, number, at, end;

	number = sp.store->head->number;
	at = sp.store->head->end;
	bounce = store_id(sp.store);
	change_begin(sp.store);
	spool_add_result(&sp, id, 0, RCPT_FAILED, "no");
	change_content(sp.store, bounce, SPAN("a bounce of some length"));
	spool_add_message(&sp, bounce, 1, id);
	change_commit(sp.store, spool_on_done, &sp);
	wait_all(2);
	end = sp.store->head->end;
	spool_drop(&sp);
	/* Each eighth byte of it, one after the other. */
	for (uint64_t o = at; o < end; o += 8) {
		char byte;
		int fd = open_segment(number);

		ck_assert_int_eq(pread(fd, &byte, 1, (off_t)o), 1);
		byte ^= 1;
		ck_assert_int_eq(pwrite(fd, &byte, 1, (off_t)o), 1);
		spool_open_only(&sp);
		ck_assert_ptr_nonnull(find(id));
		ck_assert_ptr_null(find(bounce));
		spool_drop(&sp);
		byte ^= 1;
		ck_assert_int_eq(pwrite(fd, &byte, 1, (off_t)o), 1);
		close(fd);
		/* Heads of the tries. */
		for (uint64_t n = number + 1; n < number + 200; n++) {
			char name[SEGMENT_NAME_MAX], path[256];

			segment_name(name, n, SEGMENT_USED);
			path_of(path, sizeof path, "log", name);
			unlink(path);
		}
	}
	spool_open_only(&sp);
	ck_assert_ptr_null(find(id));
	ck_assert_ptr_nonnull(find(bounce));
	spool_drop(&sp);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("recovery");
	TCase *tc = tcase_create("recovery");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, summary_and_scan_give_the_same);
	tcase_add_test(tc, a_torn_seal_is_read_instead);
	tcase_add_test(tc, numbers_are_never_used_again);
	tcase_add_test(tc, a_torn_tail_is_dropped_and_never_written_to);
	tcase_add_test(tc, a_batch_counts_whole_or_not_at_all);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
