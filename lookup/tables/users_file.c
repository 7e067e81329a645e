/*
 * users_file.c - reading a users file, and seeing that it was changed.
 */
#include <sys/stat.h>

#include <bsd/string.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "common/bytes/log.h"
#include "lookup/tables/users_file.h"

struct users_file {
	char *path;
	struct users_table table;
	bool readable; /* `table` is the file, or was a moment ago */
	int error;     /* why not; so that it is said once */
	bool checked;  /* at `checked_ms` */
	int64_t checked_ms;
	struct stat seen; /* of the version in `table` */
};

struct users_file *
users_file_new(const char *path)
{
	struct users_file *f = calloc(1, sizeof *f);

	if (f == NULL)
		return NULL;
	if ((f->path = strdup(path)) == NULL) {
		free(f);
		return NULL;
	}
	return f;
}

void
users_file_free(struct users_file *f)
{
	if (f == NULL)
		return;
	users_table_fini(&f->table);
	free(f->path);
	free(f);
}

static void
report(void *arg, uint32_t line, const char *why)
{
	const struct users_file *f = arg;

	log_warn("table_entry_wrong", log_str("file", f->path),
	    log_num("line", line), log_str("why", why));
}

static bool
same_version(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino &&
	    a->st_size == b->st_size &&
	    a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
	    a->st_mtim.tv_nsec == b->st_mtim.tv_nsec &&
	    a->st_ctim.tv_sec == b->st_ctim.tv_sec &&
	    a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

/* Somebody may be in the middle of writing it. */
static bool
just_written(const struct stat *st)
{
	struct timespec now;
	int64_t age;

	clock_gettime(CLOCK_REALTIME, &now);
	age = (int64_t)(now.tv_sec - st->st_mtim.tv_sec) * 1000 +
	    (now.tv_nsec - st->st_mtim.tv_nsec) / 1000000;
	return age >= 0 && age < USERS_FILE_SETTLE_MS;
}

/* All of it, or NULL with errno (EAGAIN: it changed meanwhile). */
static char *
read_whole(int fd, const struct stat *before)
{
	size_t n = 0, size = (size_t)before->st_size;
	struct stat after;
	char *text = malloc(size + 1);
	ssize_t got = 1;

	if (text == NULL)
		return NULL;
	while (n < size + 1 && got > 0) {
		got = read(fd, text + n, size + 1 - n);
		n += got > 0 ? (size_t)got : 0;
	}
	if (got == -1 || fstat(fd, &after) == -1) {
		free(text);
		return NULL;
	}
	if (n != size || !same_version(before, &after)) {
		free(text);
		errno = EAGAIN;
		return NULL;
	}
	return text;
}

static int
load(struct users_file *f, int fd, const struct stat *st)
{
	struct users_table fresh;
	char *text = read_whole(fd, st);

	if (text == NULL ||
	    users_table_parse(&fresh, text, (size_t)st->st_size, report, f) ==
		-1)
		return -1;
	if (fresh.passwords > 0 && (st->st_mode & S_IROTH) != 0)
		log_warn("table_passwords_readable", log_str("file", f->path));
	users_table_fini(&f->table);
	f->table = fresh;
	f->seen = *st;
	log_info("table_read", log_str("file", f->path),
	    log_num("entries", (int64_t)fresh.n));
	return 0;
}

/* The version on disk.  0; -1 with errno, EAGAIN meaning that the one in
 * memory stands for now. */
static int
look(struct users_file *f)
{
	struct stat st;
	int rc = -1, saved;
	int fd = open(f->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

	if (fd == -1)
		return -1;
	if (fstat(fd, &st) == -1)
		goto out;
	if (!S_ISREG(st.st_mode) || st.st_size > USERS_FILE_MAX) {
		errno = S_ISREG(st.st_mode) ? EFBIG : EINVAL;
		goto out;
	}
	if (f->readable && same_version(&st, &f->seen))
		rc = 0;
	else if (f->readable && just_written(&st))
		errno = EAGAIN;
	else
		rc = load(f, fd, &st);
out:
	saved = errno;
	close(fd);
	errno = saved;
	return rc;
}

static void
refresh(struct users_file *f, int64_t now_ms)
{
	if (f->checked && now_ms - f->checked_ms < USERS_FILE_CHECK_MS)
		return;
	if (look(f) == 0) {
		f->readable = true;
		f->error = 0;
	} else if (errno == EAGAIN) {
		f->checked = false;
		return;
	} else {
		if (errno != f->error)
			log_error("table_unreadable", log_str("file", f->path),
			    log_errno(errno));
		f->error = errno;
		f->readable = false;
		users_table_fini(&f->table);
	}
	f->checked = true;
	f->checked_ms = now_ms;
}

enum users_result
users_file_find(struct users_file *f, struct span local, int64_t now_ms,
    const struct users_entry **entry)
{
	refresh(f, now_ms);
	if (!f->readable)
		return USERS_FILE_UNREADABLE;
	*entry = users_table_find(&f->table, local);
	if (*entry == NULL)
		return USERS_FILE_NONE;
	return (*entry)->wrong ? USERS_FILE_WRONG : USERS_FILE_FOUND;
}
