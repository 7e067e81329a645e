/*
 * test_recovery.c - what a start makes of whole, torn and damaged logs.
 */
#include <dirent.h>

#include <sys/wait.h>

#include "tests/unit/queue/spool.h"

#define SEGMENT (128 * 1024)

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

static void
wait_all(unsigned n)
{
	spool_until(&sp, &sp.done, n);
	ck_assert_uint_eq(sp.failed, 0);
}

static uint64_t
accept_one(size_t size)
{
	uint64_t id = spool_accept(&sp, size);

	wait_all(sp.done + 1);
	return id;
}

static void
path_of(char *dst, size_t size, const char *dir, const char *name)
{
	snprintf(dst, size, "%s/%s/%s", sp.path, dir, name);
}

static int
open_segment(uint64_t number)
{
	char name[SEGMENT_NAME_MAX], path[256];
	int fd;

	segment_name(name, number, SEGMENT_USED);
	path_of(path, sizeof path, "log", name);
	ck_assert_int_ne(fd = open(path, O_RDWR), -1);
	return fd;
}

static void
spoil(uint64_t number, uint64_t at, size_t n)
{
	static char junk[SEGMENT];
	int fd = open_segment(number);

	memset(junk, 0xa5, n);
	ck_assert_int_eq(pwrite(fd, junk, n, (off_t)at), (ssize_t)n);
	close(fd);
}

static unsigned
files_in(const char *dir)
{
	char path[256];
	struct dirent *e;
	unsigned n = 0;
	DIR *d;

	path_of(path, sizeof path, dir, "");
	ck_assert_ptr_nonnull(d = opendir(path));
	while ((e = readdir(d)) != NULL)
		n += e->d_name[0] != '.';
	closedir(d);
	return n;
}

static struct message *
find(uint64_t id)
{
	return index_find(store_index(sp.store), id);
}

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

/* ---- damage -------------------------------------------------------------------------- */

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
	ck_assert_int_eq(content_fd(sp.store, find(hit)->content), -1);
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

/* ---- the directory --------------------------------------------------------------------- */

START_TEST(files_without_a_record_are_removed)
{
	char path[256];
	int fd;

	path_of(path, sizeof path, "content", "0123456789abcdef");
	ck_assert_int_ne(fd = open(path, O_WRONLY | O_CREAT, 0600), -1);
	close(fd);
	path_of(path, sizeof path, "content", "not-ours");
	ck_assert_int_ne(fd = open(path, O_WRONLY | O_CREAT, 0600), -1);
	close(fd);
	spool_close(&sp);
	spool_open_only(&sp);
	ck_assert_uint_eq(files_in("content"), 1);
	ck_assert_int_eq(access(path, F_OK), 0);
	/* Such an id has been used. */
	ck_assert_uint_gt(store_id(sp.store), 0x0123456789abcdef);
	spool_drop(&sp);
}
END_TEST

START_TEST(spares_are_whole_or_removed)
{
	char path[256];
	int fd;

	spool_settle(&sp);
	spool_close(&sp);
	path_of(path, sizeof path, "log", "8000000000000000.spare");
	ck_assert_int_ne(fd = open(path, O_WRONLY | O_CREAT, 0600), -1);
	ck_assert_int_eq(ftruncate(fd, SEGMENT / 2), 0);
	close(fd);
	spool_open_only(&sp);
	ck_assert_int_eq(access(path, F_OK), -1);
	ck_assert_uint_eq(sp.store->nspares, 1);
	spool_drop(&sp);
	sp.opt.segment_size = 2 * SEGMENT;
	spool_open_only(&sp);
	ck_assert_uint_eq(sp.store->nspares, 0);
	ck_assert_uint_eq(sp.store->head->size, 2 * SEGMENT);
	spool_drop(&sp);
}
END_TEST

static void
put_file(const char *name, const char *text)
{
	char path[256];
	FILE *f;

	snprintf(path, sizeof path, "%s/%s", sp.path, name);
	ck_assert_ptr_nonnull(f = fopen(path, "w"));
	fputs(text, f);
	fclose(f);
}

/* These end the process: check sees exit 1. */
START_TEST(another_format_is_refused)
{
	spool_close(&sp);
	put_file("format", "sallyport spool 2\n");
	spool_open_only(&sp);
}
END_TEST

START_TEST(a_missing_key_is_refused)
{
	char path[256];

	spool_close(&sp);
	snprintf(path, sizeof path, "%s/key", sp.path);
	ck_assert_int_eq(unlink(path), 0);
	spool_open_only(&sp);
}
END_TEST

START_TEST(another_key_is_refused)
{
	spool_close(&sp);
	put_file("key", "01234567890123456789012345678901");
	spool_open_only(&sp);
}
END_TEST

START_TEST(refusals_change_nothing)
{
	static const char *const names[] = { "format", "key" };
	unsigned before;

	accept_one(1000);
	spool_close(&sp);
	before = files_in("log");
	for (size_t i = 0; i < 2; i++) {
		char path[256], aside[256];
		pid_t pid;
		int status;

		snprintf(path, sizeof path, "%s/%s", sp.path, names[i]);
		snprintf(aside, sizeof aside, "%s/aside", sp.path);
		ck_assert_int_eq(rename(path, aside), 0);
		if ((pid = fork()) == 0) {
			spool_open_only(&sp);
			_exit(0);
		}
		ck_assert_int_eq(waitpid(pid, &status, 0), pid);
		ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 1);
		ck_assert_uint_eq(files_in("log"), before);
		ck_assert_int_eq(access(path, F_OK), -1);
		ck_assert_int_eq(rename(aside, path), 0);
	}
	spool_open_only(&sp);
	ck_assert_uint_eq(index_messages(store_index(sp.store)), 1);
	spool_drop(&sp);
}
END_TEST

START_TEST(a_second_queue_waits_for_the_lock)
{
	int pipes[2], status;
	pid_t pid;
	char c;

	ck_assert_int_eq(pipe(pipes), 0);
	if ((pid = fork()) == 0) {
		/* The lock is with the open file, and that was inherited. */
		close(sp.store->lock);
		_exit(
		    store_open(&sp.opt) != NULL && write(pipes[1], "x", 1) == 1
			? 0
			: 1);
	}
	usleep(300000);
	ck_assert_int_eq(waitpid(pid, &status, WNOHANG), 0);
	spool_close(&sp);
	ck_assert_int_eq(read(pipes[0], &c, 1), 1);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
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
	tcase_add_test(tc, damage_costs_only_what_it_hits);
	tcase_add_test(tc, a_damaged_batch_header_costs_nothing);
	tcase_add_test(tc, damage_in_a_sealed_segment_is_damage_to_its_end);
	tcase_add_test(tc, a_lost_message_is_kept_with_what_is_known);
	tcase_add_test(tc, a_damaged_header_is_made_good_by_the_trailer);
	tcase_add_test(tc, an_unreadable_segment_is_put_away);
	tcase_add_test(tc, old_records_of_a_recycled_segment_are_nothing);
	tcase_add_test(tc, a_content_that_looks_like_records_is_a_content);
	tcase_add_test(tc, files_without_a_record_are_removed);
	tcase_add_test(tc, spares_are_whole_or_removed);
	tcase_add_exit_test(tc, another_format_is_refused, 1);
	tcase_add_exit_test(tc, a_missing_key_is_refused, 1);
	tcase_add_exit_test(tc, another_key_is_refused, 1);
	tcase_add_test(tc, refusals_change_nothing);
	tcase_add_test(tc, a_second_queue_waits_for_the_lock);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
