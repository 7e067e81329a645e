/*
 * test_content.c - contents in pieces, in memory and in files, and read back.
 */
#include <sys/mman.h>

#include <dirent.h>
#include <errno.h>

#include "tests/unit/queue/faulty.h"
#include "tests/unit/queue/spool.h"

#define SEGMENT (1024 * 1024)
#define INLINE	(SEGMENT / 8)
#define PIECE	(32 * 1024)
#define LARGE	(10 * 1024 * 1024)

static struct spool sp;
static struct faulty disk;
static unsigned ready, ended;
static int end_err;

static void
setup(void)
{
	spool_make(&sp, SEGMENT);
	spool_begin(&sp);
	spool_settle(&sp);
}

static void
teardown(void)
{
	disk_watch(NULL);
	spool_remove(&sp);
}

static void
on_ready(void *arg)
{
	(void)arg;
	ready++;
}

static void
on_end(void *arg, int err)
{
	(void)arg;
	end_err = err;
	ended++;
}

static unsigned
files(void)
{
	char path[256];
	struct dirent *e;
	unsigned n = 0;
	DIR *dir;

	snprintf(path, sizeof path, "%s/content", sp.path);
	ck_assert_ptr_nonnull(dir = opendir(path));
	while ((e = readdir(dir)) != NULL)
		n += e->d_name[0] != '.';
	closedir(dir);
	return n;
}

static char
octet(size_t at)
{
	return (char)('a' + at % 23);
}

/* All of it, as somebody would who waits when told so; 0 or -1. */
static int
feed(struct incoming *in, size_t size, size_t piece)
{
	static char octets[PIECE];

	for (size_t at = 0; at < size;) {
		size_t n = size - at < piece ? size - at : piece;
		unsigned was = ready;
		int rc;

		for (size_t i = 0; i < n; i++)
			octets[i] = octet(at + i);
		rc = incoming_add(in, span_from(octets, n), on_ready, NULL);
		if (rc == -1)
			return -1;
		at += n;
		if (rc == 0)
			spool_until(&sp, &ready, was + 1);
	}
	return 0;
}

static struct message *
commit(struct incoming *in, uint64_t id)
{
	change_begin(sp.store);
	incoming_commit(in);
	spool_add_message(&sp, id, 1, 0);
	change_commit(sp.store, spool_on_done, &sp);
	spool_until(&sp, &sp.done, sp.done + 1);
	return index_find(store_index(sp.store), id);
}

static void
end(struct incoming *in)
{
	unsigned was = ended;

	incoming_end(in, on_end, NULL);
	ck_assert_uint_eq(ended, was);
	spool_until(&sp, &ended, was + 1);
}

static void
check(const struct message *m, size_t size)
{
	struct stat st;
	struct buf b;
	char *p;
	int fd;

	ck_assert_ptr_nonnull(m);
	ck_assert_uint_eq(m->content->size, size);
	buf_init(&b, LARGE);
	ck_assert_int_eq(content_load(sp.store, m->content, SIZE_MAX, &b), 0);
	ck_assert_uint_eq(b.n, size);
	for (size_t i = 0; i < size; i++)
		if (b.p[i] != octet(i))
			ck_abort_msg("octet %zu", i);
	buf_clear(&b);
	ck_assert_int_eq(content_load(sp.store, m->content, 10, &b), 0);
	ck_assert_uint_eq(b.n, size < 10 ? size : 10);
	buf_fini(&b);

	ck_assert_int_ne(fd = spool_fetch(&sp, m), -1);
	ck_assert_int_eq(fstat(fd, &st), 0);
	ck_assert_int_eq(st.st_size, (off_t)size);
	/* Nobody who gets it can change it. */
	ck_assert_int_eq(pwrite(fd, "x", 1, 0), -1);
	ck_assert_int_eq(ftruncate(fd, (off_t)size + 1), -1);
	p = malloc(size + 1);
	ck_assert_int_eq(pread(fd, p, size + 1, 0), (ssize_t)size);
	for (size_t i = 0; i < size; i++)
		if (p[i] != octet(i))
			ck_abort_msg("octet %zu", i);
	free(p);
	close(fd);
}

START_TEST(any_size_comes_back)
{
	static const struct {
		size_t size, piece;
		bool file;
	} rows[] = {
		{ 0, 1, false },
		{ 1, 1, false },
		{ 5000, 1, false },
		{ INLINE, PIECE, false },
		{ INLINE + 1, PIECE, true },
		{ INLINE + 5000, 7, true },
		{ 3 * 1024 * 1024, PIECE, true },
		{ LARGE, PIECE, true },
	};
	uint64_t id = store_id(sp.store);
	struct incoming *in = incoming_new(sp.store, id);
	struct message *m;

	ck_assert_int_eq(feed(in, rows[_i].size, rows[_i].piece), 0);
	ck_assert_uint_eq(incoming_size(in), rows[_i].size);
	end(in);
	ck_assert_int_eq(end_err, 0);
	m = commit(in, id);
	ck_assert_int_eq(m->content->file, rows[_i].file);
	ck_assert_uint_eq(files(), rows[_i].file);
	ck_assert_uint_eq(sp.store->incoming_bytes, 0);
	check(m, rows[_i].size);
	spool_close(&sp);
	spool_begin(&sp);
	m = index_find(store_index(sp.store), id);
	check(m, rows[_i].size);
	spool_result(&sp, id, 0, RCPT_DELIVERED, "ok");
	spool_until(&sp, &sp.done, 2);
	spool_settle(&sp);
	ck_assert_uint_eq(files(), 0);
	spool_close(&sp);
}
END_TEST

/* The file, then its name, then the record. */
START_TEST(a_file_is_synced_with_its_directory)
{
	uint64_t id = store_id(sp.store);
	struct incoming *in = incoming_new(sp.store, id);

	faulty_start(&disk);
	ck_assert_int_eq(feed(in, LARGE, PIECE), 0);
	end(in);
	ck_assert_uint_eq(disk.count[DISK_SYNC], 2);
	/* What is dirty stays little. */
	ck_assert_uint_eq(disk.count[DISK_DATASYNC], LARGE / (4 * 1024 * 1024));
	incoming_abort(in);
	spool_settle(&sp);
	ck_assert_uint_eq(files(), 0);
	spool_close(&sp);
}
END_TEST

START_TEST(a_slow_disk_slows_the_sender_not_the_others)
{
	uint64_t id = store_id(sp.store);
	struct incoming *in = incoming_new(sp.store, id);
	static char octets[PIECE];
	size_t taken = 0;

	faulty_start(&disk);
	faulty_hold(&disk, DISK_CREATE);
	while (
	    incoming_add(in, span_from(octets, PIECE), on_ready, NULL) == 1) {
		taken += PIECE;
		ck_assert_uint_lt(taken, 1024 * 1024);
	}
	ck_assert_uint_eq(ready, 0);
	/* The file thread hangs; the log goes on. */
	spool_accept(&sp, 1000);
	spool_until(&sp, &sp.done, 1);
	ck_assert_uint_eq(ready, 0);
	faulty_let_go(&disk);
	spool_until(&sp, &ready, 1);
	incoming_abort(in);
	spool_settle(&sp);
	ck_assert_uint_eq(files(), 0);
	ck_assert_uint_eq(sp.store->incoming_bytes, 0);
	spool_close(&sp);
}
END_TEST

START_TEST(all_together_have_a_budget)
{
	struct incoming *in[200];
	size_t most = 0;

	for (int i = 0; i < 200; i++)
		in[i] = incoming_new(sp.store, store_id(sp.store));
	for (int round = 0; round < 3; round++)
		for (int i = 0; i < 200; i++) {
			ck_assert_int_eq(feed(in[i], PIECE, PIECE), 0);
			if (sp.store->incoming_bytes > most)
				most = sp.store->incoming_bytes;
		}
	ck_assert_uint_le(most, INCOMING_MEMORY_MAX + PIECE);
	spool_settle(&sp);
	ck_assert_uint_ge(files(), 10);
	for (int i = 0; i < 200; i++)
		incoming_abort(in[i]);
	spool_settle(&sp);
	ck_assert_uint_eq(files(), 0);
	ck_assert_uint_eq(sp.store->incoming_bytes, 0);
	spool_close(&sp);
}
END_TEST

START_TEST(a_failure_is_told_and_leaves_no_file)
{
	static const struct {
		enum disk_op op;
		int err;
	} rows[] = {
		{ DISK_CREATE, EACCES },
		{ DISK_WRITE, ENOSPC },
		{ DISK_DATASYNC, EIO },
		{ DISK_SYNC, EIO },
	};
	uint64_t id = store_id(sp.store);
	struct incoming *in = incoming_new(sp.store, id);
	int rc;

	faulty_start(&disk);
	faulty_set(&disk, rows[_i].op, NULL, 1, rows[_i].err);
	rc = feed(in, 5 * 1024 * 1024, PIECE);
	if (rc == -1) {
		ck_assert_int_eq(errno, rows[_i].err);
	} else {
		end(in);
		ck_assert_int_eq(end_err, rows[_i].err);
	}
	ck_assert_uint_eq(disk.times, 0);
	/* Nothing is written to it or synced after that (I7). */
	if (rows[_i].op != DISK_CREATE)
		ck_assert_uint_eq(disk.used_again, 0);
	incoming_abort(in);
	spool_settle(&sp);
	ck_assert_uint_eq(files(), 0);
	spool_close(&sp);
}
END_TEST

START_TEST(a_failed_change_leaves_no_file)
{
	uint64_t id = store_id(sp.store);
	struct incoming *in = incoming_new(sp.store, id);

	ck_assert_int_eq(feed(in, 500000, PIECE), 0);
	end(in);
	faulty_start(&disk);
	faulty_set(&disk, DISK_DATASYNC, NULL, 1, EIO);
	ck_assert_ptr_null(commit(in, id));
	ck_assert_uint_eq(sp.failed, 1);
	spool_settle(&sp);
	ck_assert_uint_eq(files(), 0);

	in = incoming_new(sp.store, id);
	ck_assert_int_eq(feed(in, 500000, PIECE), 0);
	end(in);
	change_begin(sp.store);
	incoming_commit(in);
	change_abort(sp.store);
	spool_settle(&sp);
	ck_assert_uint_eq(files(), 0);
	spool_close(&sp);
}
END_TEST

START_TEST(rot_is_found_when_read)
{
	uint64_t id = spool_accept(&sp, 5000);
	char name[SEGMENT_DAMAGED_MAX], path[256];
	struct record_message rec;
	struct record_rcpt row;
	struct message *m;
	struct stat st;
	struct buf b;

	spool_until(&sp, &sp.done, 1);
	spool_result(&sp, id, 0, RCPT_WAITING, "busy");
	spool_until(&sp, &sp.done, 2);
	m = index_find(store_index(sp.store), id);
	buf_init(&b, 1 << 20);
	ck_assert_int_eq(pwrite(m->place.segment->fd, "rot", 3,
			     m->content->place.offset + 1000),
	    3);
	ck_assert_int_eq(content_load(sp.store, m->content, 10, &b), -1);
	ck_assert_int_eq(errno, EBADMSG);
	ck_assert_int_eq(spool_fetch(&sp, m), -1);
	ck_assert_int_eq(errno, EBADMSG);
	spool_settle(&sp);
	ck_assert_uint_eq(sp.store->count.damaged, 1);
	segment_damaged_name(
	    name, m->place.segment->number, m->content->place.offset);
	snprintf(path, sizeof path, "%s/damaged/%s", sp.path, name);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_int_eq(st.st_size, (off_t)m->content->place.size);
	ck_assert_int_eq(spool_fetch(&sp, m), -1);
	spool_settle(&sp);
	ck_assert_uint_eq(sp.store->count.damaged, 1);
	ck_assert_int_eq(
	    pwrite(m->place.segment->fd, "rot", 3, m->place.offset + 60), 3);
	ck_assert_int_eq(store_message(sp.store, m, &b, &rec), -1);
	ck_assert_int_eq(errno, EBADMSG);
	ck_assert_int_eq(store_last_reply(sp.store, m, 0, &b, &row), 0);
	ck_assert_int_eq(pwrite(m->place.segment->fd, "rot", 3,
			     m->rcpts[0].last.offset + 60),
	    3);
	ck_assert_int_eq(store_last_reply(sp.store, m, 0, &b, &row), -1);
	buf_fini(&b);
	spool_close(&sp);
}
END_TEST

/* A file is as long as it was, and not what it was. */
START_TEST(rot_is_found_in_a_file)
{
	uint64_t id = store_id(sp.store);
	struct incoming *in = incoming_new(sp.store, id);
	struct message *m;
	char path[256];
	int fd, back;

	ck_assert_int_eq(feed(in, LARGE, PIECE), 0);
	end(in);
	ck_assert_ptr_nonnull(m = commit(in, id));
	ck_assert_int_ne(fd = spool_fetch(&sp, m), -1);
	close(fd);
	snprintf(path, sizeof path, "%s/content/%016lx", sp.path, id);
	ck_assert_int_ne(back = open(path, O_RDWR), -1);
	ck_assert_int_eq(pwrite(back, "?", 1, LARGE / 2), 1);
	/* as later, when it may have left the memory */
	m->content->checked = 0;
	ck_assert_int_eq(spool_fetch(&sp, m), -1);
	ck_assert_int_eq(errno, EBADMSG);
	ck_assert_uint_eq(sp.store->count.damaged, 1);
	/* A disk may come to its senses. */
	ck_assert_int_eq(
	    pwrite(back, (char[]){ octet(LARGE / 2) }, 1, LARGE / 2), 1);
	ck_assert_int_ne(fd = spool_fetch(&sp, m), -1);
	close(fd);
	m->content->checked = 0;
	ck_assert_int_eq(ftruncate(back, LARGE - 1), 0);
	ck_assert_int_eq(spool_fetch(&sp, m), -1);
	ck_assert_int_eq(errno, EBADMSG);
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_int_eq(spool_fetch(&sp, m), -1);
	ck_assert_int_eq(errno, ENOENT);
	close(back);
	spool_close(&sp);
}
END_TEST

/* Reclaim may copy it, and the segment be used again, while it is read. */
START_TEST(a_content_may_move_while_it_is_read)
{
	struct spool_fetched f = { .fd = -1 };
	uint64_t id = spool_accept(&sp, 5000);
	struct message *m;
	struct place was;

	spool_until(&sp, &sp.done, 1);
	m = index_find(store_index(sp.store), id);
	was = m->content->place;
	/* Its bytes are others', and it lies where they were copied to. */
	spool_accept(&sp, 5000);
	spool_until(&sp, &sp.done, 2);
	m->content->place.offset += 8;
	ck_assert_int_eq(
	    content_fetch(sp.store, m->content, spool_on_fetched, &f), 0);
	m->content->place = was;
	spool_until(&sp, &f.done, 1);
	ck_assert_int_eq(f.err, 0);
	ck_assert_int_ne(f.fd, -1);
	close(f.fd);
	ck_assert_uint_eq(sp.store->count.damaged, 0);
	spool_close(&sp);
}
END_TEST

START_TEST(a_missing_file_holds_its_message)
{
	uint64_t id = store_id(sp.store);
	struct incoming *in = incoming_new(sp.store, id);
	char path[256];

	ck_assert_int_eq(feed(in, 500000, PIECE), 0);
	end(in);
	ck_assert_ptr_nonnull(commit(in, id));
	spool_close(&sp);
	snprintf(path, sizeof path, "%s/content/%016lx", sp.path, id);
	ck_assert_int_eq(truncate(path, 499999), 0);
	spool_open_only(&sp);
	ck_assert_uint_eq(
	    index_find(store_index(sp.store), id)->flags, MESSAGE_DAMAGED);
	spool_drop(&sp);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("content");
	TCase *tc = tcase_create("content");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tc, 30);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, any_size_comes_back, 0, 8);
	tcase_add_test(tc, a_file_is_synced_with_its_directory);
	tcase_add_test(tc, a_slow_disk_slows_the_sender_not_the_others);
	tcase_add_test(tc, all_together_have_a_budget);
	tcase_add_loop_test(tc, a_failure_is_told_and_leaves_no_file, 0, 4);
	tcase_add_test(tc, a_failed_change_leaves_no_file);
	tcase_add_test(tc, rot_is_found_when_read);
	tcase_add_test(tc, rot_is_found_in_a_file);
	tcase_add_test(tc, a_content_may_move_while_it_is_read);
	tcase_add_test(tc, a_missing_file_holds_its_message);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
