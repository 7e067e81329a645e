/*
 * users_watch.h - the users files of lookup, looked at by a thread.
 *
 * Twice a second, so that a change counts about a second after it is complete.
 * By looking, not by inotify: that works for every file system and every way of
 * replacing a file.  A file of a million lines takes a second or so to be read;
 * questions are answered from the old table meanwhile.
 */
#ifndef USERS_WATCH_H
#define USERS_WATCH_H

#include <event2/event.h>

#include "lookup/tables/users_file.h"

#define USERS_WATCH_MS 500 /* between two looks; above USERS_FILE_SETTLE_MS */

struct users_watch;

/* Starts the thread: above the filter of system calls.  NULL with errno. */
struct users_watch *users_watch_new(void);
void users_watch_free(struct users_watch *);
/* The file of this path, the same for the same path, read at once; it is the
 * watch's.  NULL with errno.  Before users_watch_begin(). */
struct users_file *users_watch_add(struct users_watch *, const char *path);
/* From now on all of them are looked at.  0 or -1. */
int users_watch_begin(struct users_watch *, struct event_base *);

/* How many cannot be read now.  NULL: none. */
size_t users_watch_failing(const struct users_watch *);

#endif
