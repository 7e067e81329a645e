/*
 * lines.h - from the bytes of a process's pipe to lines of the log.
 *
 * A process escapes what it logs (log.h), but one that was broken into need
 * not: here every byte that is not printable ASCII is escaped again, a line is
 * cut at LOG_LINE_MAX, and its first words, the time and the process, are
 * never the process's own.  No descriptor, no clock.
 */
#ifndef LINES_H
#define LINES_H

#include <time.h>

#include "common/bytes/log.h"

/* What has come of a line that is not over. */
struct lines {
	char p[LOG_LINE_MAX];
	size_t n;
};

/* Cuts what is now whole off *in, or all of it where no line ends: true and
 * the line without its end, valid until the next call, or false. */
bool lines_next(struct lines *, struct span *in, struct span *line);
/* The pipe has ended: what has come of the last line; empty if nothing. */
struct span lines_rest(struct lines *);

/* "2026-11-23T15:10:32.123456Z smtpd " before it, and four bytes for one. */
#define LINES_TEXT_MAX (4 * LOG_LINE_MAX + 64)
/* With its line feed; the length. */
size_t lines_format(char dst[LINES_TEXT_MAX], const struct timespec *now,
    const char *process, struct span line);

#endif
