/*
 * id.h - the queue id of a message: 16 letters and digits.
 *
 * A number whose upper bits are the time of acceptance (microseconds since
 * 1970, shifted left by 12), made strictly growing by queue, the only process
 * that makes ids.  Written as 16 lower-case hexadecimal digits, so that ids
 * sort by time as text and as numbers.  0 is no id.
 */
#ifndef ID_H
#define ID_H

#include "common/bytes/span.h"

#define ID_LEN 16

void id_format(char dst[ID_LEN + 1], uint64_t id);
bool id_parse(struct span, uint64_t *id);

/* An id for a message accepted at `now` (microseconds since 1970), above `last`. */
uint64_t id_next(uint64_t last, uint64_t now_us);
/* The time of acceptance in microseconds since 1970. */
uint64_t id_time(uint64_t id);

#endif
