/*
 * users_file.h - a users file that is re-read by itself when it was changed.
 *
 * It is looked at when it is used, at most once a second.  A new version is
 * taken whole or not at all: one that changes while it is being read, or that
 * was written to just now, is looked at again a little later, and the old one
 * stands until then.  A file that cannot be read has no users but errors.
 */
#ifndef USERS_FILE_H
#define USERS_FILE_H

#include "lookup/tables/users_table.h"

#define USERS_FILE_MAX	     (256 * 1024 * 1024)
#define USERS_FILE_CHECK_MS  1000
#define USERS_FILE_SETTLE_MS 100

struct users_file;

enum users_result {
	USERS_FILE_FOUND,
	USERS_FILE_NONE,  /* there is no such local part */
	USERS_FILE_WRONG, /* its entry is wrong; reported when it was read */
	USERS_FILE_UNREADABLE /* the file is missing, unreadable, too large */
};

/* NULL with errno.  The path is copied; nothing is read yet. */
struct users_file *users_file_new(const char *path);
void users_file_free(struct users_file *);

/* `now_ms` is any clock that only goes forward.  The entry, where FOUND, is
 * valid until the next call. */
enum users_result users_file_find(struct users_file *, struct span local,
    int64_t now_ms, const struct users_entry **);

#endif
