/*
 * spool.c - the spool directory: whose it is, of what format, with which key.
 *
 * What is not ours, or not of this version, is refused before anything in it
 * is touched.
 */
#include <sys/file.h>
#include <sys/stat.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <sodium.h>

#include "common/bytes/log.h"
#include "queue/store_state.h"

#define FORMAT	  "sallyport spool 1\n"
#define LOCK_POLL (100 * 1000) /* microseconds */

static void
take_lock(struct store *s)
{
	int tries = STORE_LOCK_SECONDS * (1000 * 1000 / LOCK_POLL);

	s->lock = openat(s->dir, "lock",
	    (s->opt.look ? O_RDONLY : O_RDWR | O_CREAT) | O_CLOEXEC |
		O_NOFOLLOW,
	    0600);
	if (s->lock == -1)
		fatal("spool/lock");
	while (flock(s->lock, LOCK_EX | LOCK_NB) == -1) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			fatal("spool/lock");
		if (tries-- == 0)
			fatalx("the spool is in use by another queue",
			    s->opt.spool);
		usleep(LOCK_POLL);
	}
}

static int
open_dir(struct store *s, const char *name, mode_t mode)
{
	int fd;

	if (!s->opt.look && mkdirat(s->dir, name, mode) == -1 &&
	    errno != EEXIST)
		fatal(name);
	fd = openat(
	    s->dir, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (fd == -1)
		fatal(name);
	return fd;
}

/* A small file, all of it; its length, or -1 if there is none. */
static ssize_t
load(struct store *s, const char *name, char *p, size_t size)
{
	int fd = openat(s->dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	ssize_t n;

	if (fd == -1 && errno == ENOENT)
		return -1;
	if (fd == -1 || (n = disk_read(fd, p, size, 0)) == -1)
		fatal(name);
	close(fd);
	return n;
}

bool
spool_has_segments(const struct store *s)
{
	int fd = openat(s->log_dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd != -1 ? fdopendir(fd) : NULL;
	enum segment_kind kind;
	struct dirent *e;
	uint64_t number;
	bool found = false;

	if (dir == NULL)
		fatal("spool/log");
	while (!found && (e = readdir(dir)) != NULL)
		found = segment_name_parse(e->d_name, &number, &kind) &&
		    kind == SEGMENT_USED;
	closedir(dir);
	return found;
}

/* Before anything is made: is what is there ours? */
static bool
check_format(struct store *s)
{
	char have[sizeof FORMAT];
	ssize_t n = load(s, "format", have, sizeof have);

	if (n == -1)
		return false;
	if (n != sizeof FORMAT - 1 || memcmp(have, FORMAT, (size_t)n) != 0)
		fatalx(
		    "the spool has another format than \"sallyport spool 1\"",
		    s->opt.spool);
	return true;
}

static void
save(struct store *s, const char *name, struct span bytes)
{
	if (disk_save(s->dir, name, 0600, bytes) == -1)
		fatal(name);
}

/* The key first: a spool that has a format has had a key. */
static void
make_or_read_key(struct store *s, bool has_format)
{
	char key[RECORD_KEY + 1];
	ssize_t n = load(s, "key", key, sizeof key);

	if (n == -1) {
		if (s->opt.look || spool_has_segments(s))
			fatalx(
			    "spool/key is missing, without it nothing in the "
			    "log can be read",
			    "`sallyport spool import` takes over an export");
		randombytes_buf(s->key, sizeof s->key);
		save(s, "key", span_from(s->key, sizeof s->key));
	} else if (n == RECORD_KEY)
		memcpy(s->key, key, sizeof s->key);
	else
		fatalx("spool/key is not 32 bytes long", s->opt.spool);
	explicit_bzero(key, sizeof key);
	if (has_format)
		return;
	if (spool_has_segments(s))
		fatalx("spool/format is missing, but there is a log",
		    s->opt.spool);
	save(s, "format", SPAN(FORMAT));
}

void
spool_open(struct store *s)
{
	bool has_format;

	s->dir = open(s->opt.spool, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (s->dir == -1)
		fatal(s->opt.spool);
	has_format = check_format(s);
	if (s->opt.look && !has_format)
		fatalx("there is no spool", s->opt.spool);
	take_lock(s);
	s->log_dir = open_dir(s, "log", 0700);
	s->content_dir = open_dir(s, "content", 0700);
	s->history_dir = open_dir(s, "history", 0750);
	s->damaged_dir = open_dir(s, "damaged", 0700);
	/* The directories have to be there after a power cut, too. */
	if (!s->opt.look && disk_sync(s->dir) == -1)
		fatal("spool");
	make_or_read_key(s, has_format);
}
