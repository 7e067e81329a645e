/*
 * table_file.c - reading a file that is a table, and seeing that it was changed.
 */
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/bytes/log.h"
#include "lookup/tables/table_file.h"

/* What a look found. */
struct news {
	bool any;
	bool back;	   /* the version in force can be read again */
	int error;	   /* it cannot be read: why */
	uint32_t bad_line; /* it is no text: where; 0: it is */
	void *table;
	bool world_readable;
};

struct table_file {
	const struct table_kind *kind;
	char *path;

	/* in force */
	void *table; /* NULL: it was never readable */
	size_t entries;
	bool failing; /* the file cannot be read now */

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

struct table_file *
table_file_new(const struct table_kind *kind, const char *path)
{
	struct table_file *f = calloc(1, sizeof *f);

	if (f == NULL)
		return NULL;
	f->kind = kind;
	if ((f->path = strdup(path)) == NULL) {
		free(f);
		return NULL;
	}
	return f;
}

void
table_file_free(struct table_file *f)
{
	if (f == NULL)
		return;
	f->kind->free(f->table);
	f->kind->free(f->news.table);
	free(f->path);
	free(f);
}

const char *
table_file_path(const struct table_file *f)
{
	return f->path;
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
is_settled(struct table_file *f, const struct stat *st, int64_t now_ms)
{
	int64_t limit = TABLE_FILE_SETTLE_MS;

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
		limit = TABLE_FILE_SHRUNK_MS;
	if (f->ragged)
		limit = TABLE_FILE_RAGGED_MS;
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
load(struct table_file *f, int fd, const struct stat *st)
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
	if (f->news.bad_line == 0) {
		f->news.table = f->kind->parse(f->path, text, size);
		return f->news.table != NULL ? 0 : -1;
	}
	free(text);
	return 0;
}

/* 0, or -1 with errno. */
static int
look(struct table_file *f, int64_t now_ms)
{
	struct stat st;
	int rc = -1, saved;
	int fd = open(f->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

	if (fd == -1)
		return -1;
	if (fstat(fd, &st) == -1)
		goto out;
	if (!S_ISREG(st.st_mode) || st.st_size > TABLE_FILE_MAX) {
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
table_file_look(struct table_file *f, int64_t now_ms)
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

bool
table_file_take(struct table_file *f)
{
	struct news news = f->news;
	size_t kept = f->entries;

	f->news = (struct news){ 0 };
	if (!news.any)
		return false;
	f->failing = news.error != 0 || news.bad_line != 0;
	if (news.back) {
		log_info("table_readable", log_str("file", f->path));
		return false;
	}
	if (news.error != 0) {
		log_error("table_unreadable", log_str("file", f->path),
		    log_errno(news.error), log_num("kept", (int64_t)kept));
		return false;
	}
	if (news.bad_line != 0) {
		log_error("table_refused", log_str("file", f->path),
		    log_num("line", news.bad_line),
		    log_str("why", "a NUL octet, so it is no text"),
		    log_num("kept", (int64_t)kept));
		return false;
	}
	f->entries = f->kind->report(news.table, f->path, news.world_readable);
	log_info("table_read", log_str("file", f->path),
	    log_num("entries", (int64_t)f->entries));
	f->kind->free(f->table);
	f->table = news.table;
	return true;
}

bool
table_file_failing(const struct table_file *f)
{
	return f->failing;
}

const void *
table_file_table(const struct table_file *f)
{
	return f->table;
}

void *
table_file_next(struct table_file *f)
{
	return f->news.table;
}

const struct table_kind *
table_file_kind(const struct table_file *f)
{
	return f->kind;
}

/* ---- what is wrong -------------------------------------------------------- */

void
table_problem(struct table_problems *p, uint32_t line, const char *why)
{
	if (p->n < TABLE_PROBLEMS_MAX) {
		p->first[p->n].line = line;
		p->first[p->n].why = why;
	}
	p->n++;
}

void
table_problems_log(const struct table_problems *p, const char *path)
{
	for (size_t i = 0; i < p->n && i < TABLE_PROBLEMS_MAX; i++)
		log_warn("table_entry_wrong", log_str("file", path),
		    log_num("line", p->first[i].line),
		    log_str("why", p->first[i].why));
	if (p->n > TABLE_PROBLEMS_MAX)
		log_warn("table_entries_wrong", log_str("file", path),
		    log_num("more", (int64_t)(p->n - TABLE_PROBLEMS_MAX)));
}
