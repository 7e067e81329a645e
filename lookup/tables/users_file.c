/*
 * users_file.c - reading a users file, and seeing that it was changed.
 */
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/bytes/log.h"
#include "lookup/tables/users_file.h"

/* What a look found. */
struct news {
	bool any;
	bool back;	   /* the version in force can be read again */
	int error;	   /* it cannot be read: why */
	uint32_t bad_line; /* it is no text: where; 0: it is */
	struct users_table table;
	bool world_readable;
};

struct users_file {
	char *path;

	/* in force */
	struct users_table table;
	bool readable; /* `table` is the file, or was */
	bool failing;  /* the file cannot be read now */

	/* of the looks */
	bool looked;	     /* once at least */
	bool loaded;	     /* `seen` has been handed over */
	struct stat seen;    /* the version that was */
	struct stat pending; /* one that is not yet taken … */
	int64_t since;	     /* … and since when it is the same */
	bool ragged;	     /* its last line does not end */
	int error, said;     /* of the last look; what was complained of */
	struct news news;
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
	users_table_fini(&f->news.table);
	free(f->path);
	free(f);
}

const char *
users_file_path(const struct users_file *f)
{
	return f->path;
}

bool
users_file_failing(const struct users_file *f)
{
	return f->failing;
}

/* ---- looking -------------------------------------------------------------- */

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

/* It may be in the middle of being written: has it been the same for long
 * enough? */
static bool
is_settled(struct users_file *f, const struct stat *st, int64_t now_ms)
{
	int64_t limit = USERS_FILE_SETTLE_MS;

	if (!f->looked)
		return true;
	if (!same_version(st, &f->pending)) {
		f->pending = *st;
		f->since = now_ms;
		f->ragged = st->st_size == 0;
		return false;
	}
	if (f->loaded && st->st_dev == f->seen.st_dev &&
	    st->st_ino == f->seen.st_ino && st->st_size < f->seen.st_size)
		limit = USERS_FILE_SHRUNK_MS;
	if (f->ragged)
		limit = USERS_FILE_RAGGED_MS;
	return now_ms - f->since >= limit;
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

/* The line of the first NUL; 0: there is none, as in any text. */
static uint32_t
nul_line(const char *text, size_t n)
{
	const char *nul = n > 0 ? memchr(text, '\0', n) : NULL;
	uint32_t line = 1;

	if (nul == NULL)
		return 0;
	for (const char *p = text; p < nul; p++)
		line += *p == '\n';
	return line;
}

/* 0, or -1 with errno; EAGAIN: not now. */
static int
load(struct users_file *f, int fd, const struct stat *st)
{
	size_t size = (size_t)st->st_size;
	char *text = read_whole(fd, st);

	if (text == NULL)
		return -1;
	/* Who writes it in pieces may have come to here. */
	if (f->looked && !f->ragged && text[size - 1] != '\n') {
		f->ragged = true;
		free(text);
		errno = EAGAIN;
		return -1;
	}
	f->loaded = true;
	f->seen = *st;
	f->news.any = true;
	f->news.bad_line = nul_line(text, size);
	f->news.world_readable = (st->st_mode & S_IROTH) != 0;
	if (f->news.bad_line == 0)
		return users_table_parse(&f->news.table, text, size);
	free(text);
	return 0;
}

/* 0, or -1 with errno. */
static int
look(struct users_file *f, int64_t now_ms)
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
	if (f->loaded && same_version(&st, &f->seen))
		rc = 0;
	else if (!is_settled(f, &st, now_ms))
		errno = EAGAIN;
	else
		rc = load(f, fd, &st);
out:
	saved = errno;
	close(fd);
	errno = saved;
	return rc;
}

bool
users_file_look(struct users_file *f, int64_t now_ms)
{
	int error = look(f, now_ms) == 0 ? 0 : errno;

	if (error == 0) {
		f->news.back = f->said != 0 && !f->news.any;
		f->news.any = f->news.any || f->news.back;
		f->said = 0;
	}
	/* Between the removal of the old one and the name of the new one it is
	 * missing; what two looks see is worth a complaint. */
	else if (error != EAGAIN && error != f->said &&
	    (error == f->error || !f->looked)) {
		f->news.any = true;
		f->news.error = f->said = error;
	}
	f->error = error;
	f->looked = true;
	return f->news.any;
}

/* ---- taking --------------------------------------------------------------- */

static void
report(const struct users_file *f, const struct users_table *t)
{
	for (size_t i = 0; i < t->nproblems && i < USERS_PROBLEMS_MAX; i++)
		log_warn("table_entry_wrong", log_str("file", f->path),
		    log_num("line", t->problems[i].line),
		    log_str("why", t->problems[i].why));
	if (t->nproblems > USERS_PROBLEMS_MAX)
		log_warn("table_entries_wrong", log_str("file", f->path),
		    log_num(
			"more", (int64_t)(t->nproblems - USERS_PROBLEMS_MAX)));
}

void
users_file_take(struct users_file *f)
{
	struct news news = f->news;
	int64_t kept = f->readable ? (int64_t)f->table.n : 0;

	f->news = (struct news){ 0 };
	if (!news.any)
		return;
	f->failing = news.error != 0 || news.bad_line != 0;
	if (news.back) {
		log_info("table_readable", log_str("file", f->path));
		return;
	}
	if (news.error != 0) {
		log_error("table_unreadable", log_str("file", f->path),
		    log_errno(news.error), log_num("kept", kept));
		return;
	}
	if (news.bad_line != 0) {
		log_error("table_refused", log_str("file", f->path),
		    log_num("line", news.bad_line),
		    log_str("why", "a NUL octet, so it is no text"),
		    log_num("kept", kept));
		return;
	}
	report(f, &news.table);
	if (news.table.passwords > 0 && news.world_readable)
		log_warn("table_passwords_readable", log_str("file", f->path));
	log_info("table_read", log_str("file", f->path),
	    log_num("entries", (int64_t)news.table.n));
	users_table_fini(&f->table);
	f->table = news.table;
	f->readable = true;
}

enum users_result
users_file_find(
    struct users_file *f, struct span local, const struct users_entry **entry)
{
	if (!f->readable)
		return USERS_FILE_UNREADABLE;
	*entry = users_table_find(&f->table, local);
	if (*entry == NULL)
		return USERS_FILE_NONE;
	return (*entry)->wrong ? USERS_FILE_WRONG : USERS_FILE_FOUND;
}
