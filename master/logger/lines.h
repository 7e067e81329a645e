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

/* `level=` as log.h writes it; info where there is none. */
enum log_level lines_level(struct span line);

struct lines_form {
	bool json;   /* an object of json.h instead of text */
	bool syslog; /* behind what a syslog service wants to see first */
};

/* One line with its line feed.  At the worst every byte is an escape, and one
 * that JSON has to escape. */
#define LINES_TEXT_MAX (8 * LOG_LINE_MAX)
/* "2026-11-23T15:10:32.123456Z smtpd event=…", or for syslog (RFC 3164 section
 * 4.1, as local services read it: the facility is mail, the time local, no
 * host) "<22>Nov 23 15:10:32 sallyport/smtpd: event=…".  Returns the length. */
size_t lines_format(char dst[LINES_TEXT_MAX], const struct lines_form *,
    const struct timespec *now, const char *process, struct span line);

#endif
