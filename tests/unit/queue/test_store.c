/*
 * test_store.c - changes go in, come back when they are on disk, and are there
 * after a restart.
 */
#include <errno.h>

#include "tests/unit/queue/spool.h"

#define SEGMENT (256 * 1024)

static struct spool sp;

static void
setup(void)
{
	spool_make(&sp, SEGMENT);
	spool_begin(&sp);
}

static void
teardown(void)
{
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

int
main(void)
{
	Suite *suite = suite_create("store");
	TCase *tc = tcase_create("store");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, a_message_is_there_when_it_is_told);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
