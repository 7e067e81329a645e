/*
 * errors.h - the last lines of the log that were errors, for `sallyport status`.
 *
 * As text, whatever form the log has.  No descriptor, no clock.
 */
#ifndef ERRORS_H
#define ERRORS_H

#include "common/msg/control.h"

struct errors {
	char p[CONTROL_ERRORS_MAX][CONTROL_ERROR_MAX];
	size_t n[CONTROL_ERRORS_MAX];
	size_t next; /* the oldest one's place, once all are filled */
};

void errors_keep(struct errors *, struct span line);
/* The oldest first; borrowed until the next line is kept. */
void errors_tell(const struct errors *, struct msg_errors *);

#endif
