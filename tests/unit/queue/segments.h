/*
 * segments.h - a spool of small segments, and what may happen to its files,
 * for the tests of recovery.
 */
#ifndef TEST_SEGMENTS_H
#define TEST_SEGMENTS_H

#include <dirent.h>

#include "tests/unit/queue/spool.h"

#define SEGMENT (128 * 1024)

static struct spool sp;

static inline void
setup(void)
{
	spool_make(&sp, SEGMENT);
	spool_begin(&sp);
}

static inline void
teardown(void)
{
	spool_remove(&sp);
}

static inline void
wait_all(unsigned n)
{
	spool_until(&sp, &sp.done, n);
	ck_assert_uint_eq(sp.failed, 0);
}

static inline uint64_t
accept_one(size_t size)
{
	uint64_t id = spool_accept(&sp, size);

	wait_all(sp.done + 1);
	return id;
}

static inline void
path_of(char *dst, size_t size, const char *dir, const char *name)
{
	snprintf(dst, size, "%s/%s/%s", sp.path, dir, name);
}

static inline int
open_segment(uint64_t number)
{
	char name[SEGMENT_NAME_MAX], path[256];
	int fd;

	segment_name(name, number, SEGMENT_USED);
	path_of(path, sizeof path, "log", name);
	ck_assert_int_ne(fd = open(path, O_RDWR), -1);
	return fd;
}

static inline void
spoil(uint64_t number, uint64_t at, size_t n)
{
	static char junk[SEGMENT];
	int fd = open_segment(number);

	memset(junk, 0xa5, n);
	ck_assert_int_eq(pwrite(fd, junk, n, (off_t)at), (ssize_t)n);
	close(fd);
}

static inline unsigned
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

static inline struct message *
find(uint64_t id)
{
	return index_find(store_index(sp.store), id);
}

#endif
