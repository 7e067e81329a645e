/*
 * table_file.h - a file that is a table: the version in force, and the next one.
 *
 * A new version is taken whole or not at all: when two looks have seen the same
 * one, and it ends with a line feed (or stays without for a while).  Until then,
 * and while the file is missing, unreadable or no text, the one in force stands;
 * that it cannot be read is said once.  Before it was read for the first time
 * there is no table.
 *
 * table_file_look() waits for the disk and may take a second; it touches nothing
 * that table_file_table() needs, so that another thread can do it.  No two of
 * look() and take() of a file may run at the same time.
 */
#ifndef TABLE_FILE_H
#define TABLE_FILE_H

#include "common/bytes/span.h"

#define TABLE_FILE_MAX (256 * 1024 * 1024)
/* How long a version must have been the same: an ordinary one, one that became
 * shorter where it lies, one whose last line does not end. */
#define TABLE_FILE_SETTLE_MS 400
#define TABLE_FILE_SHRUNK_MS 2000
#define TABLE_FILE_RAGGED_MS 5000

struct table_file;
struct table_watch;

/* What a text is made into. */
struct table_kind {
	/* Takes over the text (malloc, n bytes, no NUL).  NULL with errno. */
	void *(*parse)(const char *path, char *text, size_t n);
	void (*free)(void *table);
	/* What is wrong with it goes to the log; how many entries it has. */
	size_t (*report)(
	    const void *table, const char *path, bool world_readable);
	/* Other files that it needs are asked for (table_watch_need); NULL: a
	 * table of this kind needs none. */
	void (*need)(void *table, struct table_watch *);
	/* Is this one of them? */
	bool (*needs)(const void *table, const struct table_file *);
};

#define TABLE_PROBLEMS_MAX 20 /* more are counted */

struct table_problems {
	size_t n;
	struct {
		uint32_t line;
		const char *why;
	} first[TABLE_PROBLEMS_MAX];
};

void table_problem(struct table_problems *, uint32_t line, const char *why);
void table_problems_log(const struct table_problems *, const char *path);

/* NULL with errno.  The path is copied; nothing is read yet. */
struct table_file *table_file_new(const struct table_kind *, const char *path);
void table_file_free(struct table_file *);
const char *table_file_path(const struct table_file *);
const struct table_kind *table_file_kind(const struct table_file *);

/* `now_ms` is any clock that only goes forward.  Whether there is something to
 * take.  The first look takes what it finds. */
bool table_file_look(struct table_file *, int64_t now_ms);
/* The table that the last look found; NULL: none. */
void *table_file_next(struct table_file *);
/* What the last look found is in force, or is complained of.  Whether a table
 * was replaced. */
bool table_file_take(struct table_file *);

/* It cannot be read now; an older version may be in force. */
bool table_file_failing(const struct table_file *);

/* What is in force, until the next take; NULL: it could not be read since the
 * start. */
const void *table_file_table(const struct table_file *);

#endif
