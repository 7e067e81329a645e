/*
 * test_history.c - what happened, as bytes and in files.
 */
#include <dirent.h>
#include <errno.h>

#include "common/msg/history.h"
#include "tests/unit/queue/faulty.h"
#include "tests/unit/queue/spool.h"

#define SEGMENT (128 * 1024)

static struct spool sp;
static struct faulty disk;

static void
setup(void)
{
	spool_make(&sp, SEGMENT);
}

static void
teardown(void)
{
	disk_watch(NULL);
	spool_remove(&sp);
}

/* ---- bytes ---------------------------------------------------------------------- */

static const struct history_event accepted = {
	.kind = HISTORY_ACCEPTED,
	.id = 0x1234567890abcdef,
	.parent = 77,
	.time = 1700000000123456,
	.size = 4711,
	.sender = { "a@example.org", 13 },
	.client = { "192.0.2.1", 9 },
	.rcpt = { "b@example.net", 13 },
	.index = 1,
	.nrcpts = 2,
	.host = { "", 0 },
};
static const struct history_event deferred = {
	.kind = HISTORY_RESULT,
	.id = 5,
	.time = 1,
	.sender = { "", 0 },
	.client = { "", 0 },
	.rcpt = { "c@example.net", 13 },
	.nrcpts = 1,
	.final = true,
	.deleted = true,
	.attempts = 3,
	.next = -5,
	.reply = { .code = 550, .esc = { 5, 1, 1 }, .text = "no such user" },
	.host = { "mx", 2 },
};

static void
check_event(const struct history_event *have, const struct history_event *want)
{
	ck_assert_int_eq(have->kind, want->kind);
	ck_assert_uint_eq(have->id, want->id);
	ck_assert_uint_eq(have->parent, want->parent);
	ck_assert_int_eq(have->time, want->time);
	ck_assert_uint_eq(have->size, want->size);
	ck_assert(span_eq(have->sender, want->sender));
	ck_assert(span_eq(have->client, want->client));
	ck_assert(span_eq(have->rcpt, want->rcpt));
	ck_assert_uint_eq(have->index, want->index);
	ck_assert_uint_eq(have->nrcpts, want->nrcpts);
	ck_assert_int_eq(have->final, want->final);
	ck_assert_int_eq(have->deleted, want->deleted);
	ck_assert_uint_eq(have->attempts, want->attempts);
	ck_assert_int_eq(have->next, want->next);
	ck_assert_uint_eq(have->reply.code, want->reply.code);
	ck_assert_str_eq(have->reply.text, want->reply.text);
	ck_assert(span_eq(have->host, want->host));
}

START_TEST(events_come_back)
{
	struct history_event e;
	struct span in;
	struct buf b;
	uint64_t seq;
	size_t first;

	buf_init(&b, 4096);
	ck_assert_int_eq(history_put(&b, 10, &accepted), 0);
	first = b.n;
	ck_assert_int_eq(history_put(&b, 11, &deferred), 0);
	in = buf_span(&b);
	ck_assert_int_eq(history_get(&in, &seq, &e), 1);
	ck_assert_uint_eq(seq, 10);
	check_event(&e, &accepted);
	ck_assert_int_eq(history_get(&in, &seq, &e), 1);
	ck_assert_uint_eq(seq, 11);
	check_event(&e, &deferred);
	ck_assert_int_eq(history_get(&in, &seq, &e), 0);
	ck_assert_uint_eq(in.n, 0);
	for (size_t n = 0; n < first; n++) {
		in = span_from(b.p, n);
		ck_assert_int_eq(history_get(&in, &seq, &e), 0);
		ck_assert_uint_eq(in.n, n);
	}
	for (size_t bit = 0; bit < 8 * first; bit++) {
		b.p[bit / 8] ^= (char)(1 << bit % 8);
		in = buf_span(&b);
		ck_assert_int_eq(history_get(&in, &seq, &e), 0);
		b.p[bit / 8] ^= (char)(1 << bit % 8);
	}
	buf_fini(&b);
}
END_TEST

START_TEST(names_are_parsed_strictly)
{
	static const struct {
		const char *name;
		int64_t seconds;
	} rows[] = {
		{ "1700000000.log", 1700000000 },
		{ "0000003600.log", 3600 },
		{ "170000000.log", -1 },
		{ "17000000000.log", -1 },
		{ "1700000000.lo", -1 },
		{ "1700000000.log~", -1 },
		{ "+700000000.log", -1 },
		{ "lost+found", -1 },
		{ "", -1 },
	};
	char name[HISTORY_NAME_LEN + 1];

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		int64_t seconds = -1;

		ck_assert_int_eq(
		    history_name_parse(span_of(rows[i].name), &seconds),
		    rows[i].seconds != -1);
		ck_assert_int_eq(seconds, rows[i].seconds);
	}
	history_name(name, 1700000000);
	ck_assert_str_eq(name, "1700000000.log");
}
END_TEST

/* ---- files ------------------------------------------------------------------------ */

static char names[16][64];
static unsigned nfiles, naccepted, nresults;

/* Count all events in all files. */
static void
read_all(void)
{
	static char bytes[1 << 20];
	struct history_event e;
	struct dirent *entry;
	char path[256];
	uint64_t seq, last = 0;
	DIR *dir;

	nfiles = naccepted = nresults = 0;
	snprintf(path, sizeof path, "%s/history", sp.path);
	ck_assert_ptr_nonnull(dir = opendir(path));
	while ((entry = readdir(dir)) != NULL) {
		char name[512];
		struct span left;
		int64_t begin;
		ssize_t n;
		int fd;

		if (!history_name_parse(span_of(entry->d_name), &begin))
			continue;
		snprintf(
		    names[nfiles++], sizeof names[0], "%.60s", entry->d_name);
		snprintf(name, sizeof name, "%s/%.60s", path, entry->d_name);
		ck_assert_int_ne(fd = open(name, O_RDONLY), -1);
		n = read(fd, bytes, sizeof bytes);
		close(fd);
		left = span_from(bytes, (size_t)n);
		for (; history_get(&left, &seq, &e) == 1; last = seq) {
			ck_assert_uint_ge(seq, last);
			naccepted += e.kind == HISTORY_ACCEPTED;
			nresults += e.kind == HISTORY_RESULT;
		}
		ck_assert_uint_eq(left.n, 0);
	}
	closedir(dir);
}

static uint64_t
accept_one(void)
{
	uint64_t id = spool_accept_n(&sp, 1000, 2);

	spool_until(&sp, &sp.done, sp.done + 1);
	return id;
}

static void
path_of_file(char *path, size_t size, unsigned i)
{
	snprintf(path, size, "%s/history/%s", sp.path, names[i]);
}

START_TEST(each_recipient_has_its_story)
{
	uint64_t id;

	spool_begin(&sp);
	id = accept_one();
	spool_result(&sp, id, 0, RCPT_WAITING, "busy");
	spool_result(&sp, id, 0, RCPT_DELIVERED, "ok");
	spool_result(&sp, id, 1, RCPT_DELETED, "gone");
	spool_until(&sp, &sp.done, 4);
	spool_settle(&sp);
	read_all();
	ck_assert_uint_eq(nfiles, 1);
	ck_assert_uint_eq(naccepted, 2);
	ck_assert_uint_eq(nresults, 3);
	spool_close(&sp);
	spool_begin(&sp);
	accept_one();
	spool_close(&sp);
	read_all();
	ck_assert_uint_eq(naccepted, 4);
	ck_assert_uint_eq(nresults, 3);
}
END_TEST

START_TEST(a_copy_is_no_news)
{
	unsigned accepts = 1;

	spool_begin(&sp);
	accept_one();
	for (; sp.store->count.reclaimed < 4; accepts++) {
		uint64_t id = spool_accept_n(&sp, 6000, 1);

		spool_until(&sp, &sp.done, sp.done + 1);
		spool_result(&sp, id, 0, RCPT_DELIVERED, "ok");
		spool_until(&sp, &sp.done, sp.done + 1);
		spool_settle(&sp);
	}
	spool_drop(&sp);
	/* Neither now nor after a start that reads the copies. */
	for (int i = 0; i < 3; i++) {
		read_all();
		ck_assert_uint_eq(naccepted, accepts + 1);
		ck_assert_uint_eq(nresults, accepts - 1);
		spool_open_only(&sp);
		spool_drop(&sp);
	}
}
END_TEST

START_TEST(a_start_writes_what_is_missing)
{
	char path[256];
	struct stat st;
	off_t whole;

	spool_begin(&sp);
	for (int i = 0; i < 10; i++)
		accept_one();
	if (_i % 2 == 0)
		spool_close(&sp);
	else
		spool_drop(&sp);
	read_all();
	ck_assert_uint_eq(naccepted, 20);
	path_of_file(path, sizeof path, 0);
	ck_assert_int_eq(stat(path, &st), 0);
	whole = st.st_size;
	/* Cut anywhere, at a frame or within one, or gone. */
	ck_assert_int_eq(truncate(path, whole * _i / 7), 0);
	for (int i = 0; i < 2; i++) {
		spool_open_only(&sp);
		spool_drop(&sp);
		read_all();
		ck_assert_uint_eq(naccepted, 20);
	}
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_int_eq(st.st_size, whole);
}
END_TEST

static void
put_old(int64_t age, off_t size)
{
	char name[HISTORY_NAME_LEN + 1], path[256];
	int64_t now = store_now_us() / 1000000;
	int fd;

	history_name(name, now - now % HISTORY_SLICE - age);
	snprintf(path, sizeof path, "%s/history/%s", sp.path, name);
	ck_assert_int_ne(fd = open(path, O_WRONLY | O_CREAT, 0640), -1);
	ck_assert_int_eq(ftruncate(fd, size), 0);
	close(fd);
}

START_TEST(what_is_old_or_too_much_goes)
{
	sp.opt.history = 10 * HISTORY_SLICE;
	sp.opt.history_size = 10000;
	spool_open_only(&sp);
	spool_drop(&sp);
	put_old(100 * HISTORY_SLICE, 10);
	put_old(12 * HISTORY_SLICE, 10);
	put_old(9 * HISTORY_SLICE, 3000);
	put_old(8 * HISTORY_SLICE, 3000);
	put_old(7 * HISTORY_SLICE, 3000);
	spool_open_only(&sp);
	spool_drop(&sp);
	nfiles = 0;
	sp.opt.history_size = 6001;
	for (unsigned want = 3; want > 0; want--) {
		struct dirent *e;
		char path[256];
		DIR *dir;

		nfiles = 0;
		snprintf(path, sizeof path, "%s/history", sp.path);
		ck_assert_ptr_nonnull(dir = opendir(path));
		while ((e = readdir(dir)) != NULL)
			nfiles += e->d_name[0] != '.';
		closedir(dir);
		ck_assert_uint_eq(nfiles, want);
		spool_open_only(&sp);
		spool_drop(&sp);
		sp.opt.history_size -= 3000;
	}
}
END_TEST

START_TEST(a_failure_costs_no_mail)
{
	static const struct {
		enum disk_op op;
		int err;
	} rows[] = { { DISK_CREATE, ENOSPC }, { DISK_SYNC, EIO } };
	uint64_t id;

	spool_begin(&sp);
	spool_settle(&sp);
	faulty_start(&disk);
	faulty_set(&disk, rows[_i].op, NULL, 1, rows[_i].err);
	id = accept_one();
	spool_settle(&sp);
	ck_assert_uint_eq(sp.failed, 0);
	ck_assert_ptr_nonnull(index_find(store_index(sp.store), id));
	ck_assert_uint_eq(disk.times, 0);
	accept_one();
	spool_settle(&sp);
	read_all();
	ck_assert_uint_ge(naccepted, 2);
	spool_close(&sp);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("history");
	TCase *tc = tcase_create("history");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tc, 30);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, events_come_back);
	tcase_add_test(tc, names_are_parsed_strictly);
	tcase_add_test(tc, each_recipient_has_its_story);
	tcase_add_test(tc, a_copy_is_no_news);
	tcase_add_loop_test(tc, a_start_writes_what_is_missing, 0, 7);
	tcase_add_test(tc, what_is_old_or_too_much_goes);
	tcase_add_loop_test(tc, a_failure_costs_no_mail, 0, 2);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
