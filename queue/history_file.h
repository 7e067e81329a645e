/*
 * history_file.h - the files of the history: one for each hour, the oldest removed.
 *
 * Used by one thread at a time: set-up, then the file thread.
 */
#ifndef HISTORY_FILE_H
#define HISTORY_FILE_H

#include "queue/store_state.h"

struct history_file {
	int dir, fd;
	int64_t begin; /* of the file, seconds; its name */
	bool fresh;    /* the file failed: begin another one */
	uint64_t end;
	int64_t keep; /* seconds */
	uint64_t keep_size;
};

/* Find where the history ends (sequence 0: it is empty), and go on there.  0, or
 * -1 with errno. */
int history_file_open(struct history_file *, struct history_mark *);
/* 0, or an errno: it is not known then what of the bytes is in a file. */
int history_file_append(struct history_file *, struct span bytes, bool sync);

#endif
