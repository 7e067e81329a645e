/*
 * table_watch.h - the tables of lookup, looked at by a thread.
 *
 * Twice a second, so that a change counts about a second after it is complete.
 * By looking, not by inotify: that works for every file system and every way of
 * replacing a file.  A file of a million lines takes a second or so to be read;
 * questions are answered from the old table meanwhile.
 */
#ifndef TABLE_WATCH_H
#define TABLE_WATCH_H

#include <event2/event.h>

#include "lookup/tables/table_file.h"

#define TABLE_WATCH_MS 500 /* between two looks; above TABLE_FILE_SETTLE_MS */

struct table_watch;

/* Starts the thread: above the filter of system calls.  NULL with errno. */
struct table_watch *table_watch_new(void);
void table_watch_free(struct table_watch *);
/* The file of this path, the same for the same path and kind, read at once; it is the
 * watch's.  NULL with errno.  Before table_watch_begin(). */
struct table_file *table_watch_add(
    struct table_watch *, const struct table_kind *, const char *path);
/* For table_kind.need: this file is looked at in the same look, taken together
 * with the table that needs it, and forgotten when no table in force does.
 * NULL with errno. */
struct table_file *table_watch_need(
    struct table_watch *, const struct table_kind *, const char *path);
/* From now on all of them are looked at.  0 or -1. */
int table_watch_begin(struct table_watch *, struct event_base *);

/* How many could not be read at the last look.  NULL: none. */
size_t table_watch_failing(const struct table_watch *);

#endif
