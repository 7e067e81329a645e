/*
 * users_file.h - a users file: the version in force, and the next one.
 *
 * A new version is taken whole or not at all: when two looks have seen the same
 * one, and it ends with a line feed (or stays without for a while).  Until then,
 * and while the file is missing, unreadable or no text, the one in force stands;
 * that it cannot be read is said once.  Before it was read for the first time
 * there are no users but errors.
 *
 * users_file_look() waits for the disk and may take a second; it touches nothing
 * that users_file_find() needs, so that another thread can do it.  No two of
 * look() and take() of a file may run at the same time.
 */
#ifndef USERS_FILE_H
#define USERS_FILE_H

#include "lookup/tables/users_table.h"

#define USERS_FILE_MAX (256 * 1024 * 1024)
/* How long a version must have been the same: an ordinary one, one that became
 * shorter where it lies, one whose last line does not end. */
#define USERS_FILE_SETTLE_MS 400
#define USERS_FILE_SHRUNK_MS 2000
#define USERS_FILE_RAGGED_MS 5000

struct users_file;

enum users_result {
	USERS_FILE_FOUND,
	USERS_FILE_NONE,  /* there is no such local part */
	USERS_FILE_WRONG, /* its entry is wrong; reported when it was read */
	USERS_FILE_UNREADABLE /* it could not be read since the start */
};

/* NULL with errno.  The path is copied; nothing is read yet. */
struct users_file *users_file_new(const char *path);
void users_file_free(struct users_file *);
const char *users_file_path(const struct users_file *);

/* `now_ms` is any clock that only goes forward.  Whether there is something to
 * take.  The first look takes what it finds. */
bool users_file_look(struct users_file *, int64_t now_ms);
/* What the last look found is in force, or is complained of. */
void users_file_take(struct users_file *);

/* It cannot be read now; an older version may be in force. */
bool users_file_failing(const struct users_file *);

/* The entry, where FOUND, is valid until the next take. */
enum users_result users_file_find(
    struct users_file *, struct span local, const struct users_entry **);

#endif
