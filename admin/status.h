/*
 * status.h - what `sallyport status` knows of a process.
 */
#ifndef STATUS_H
#define STATUS_H

#include "admin/admin.h"

/* From /proc/PID. */
struct confined {
	bool known; /* whoever asks may see it */
	uint32_t uid;
	unsigned seccomp; /* 2: a filter */
	unsigned filters; /* how many of them lie on each other */
	bool no_new_privs;
	uint64_t caps;		  /* effective */
	char root[CONF_PATH_MAX]; /* its root directory; "": not to be seen */
};

struct row {
	struct msg_process process;
	struct confined confined;
};

void confined_read(struct confined *, uint32_t pid);

/* "signal 9 (Killed)", "exit status 1" */
void death_text(char *dst, size_t size, const struct msg_process *);

void row_print(const struct row *);
void row_print_json(const struct row *);

#endif
