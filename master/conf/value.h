/*
 * value.h - the forms that values have: numbers with units, host and port.
 *
 * Pure: text in, value or false out.  Nothing is cut, rounded or guessed.
 */
#ifndef VALUE_H
#define VALUE_H

#include "common/bytes/span.h"

enum value_unit {
	VALUE_PLAIN, /* 100 */
	VALUE_SIZE,  /* 50M: K, M, G of 1024; bytes without */
	VALUE_TIME   /* 5m: s, m, h, d; seconds without */
};

bool value_number(struct span, enum value_unit, uint64_t *out);

#define VALUE_TEXT_MAX 24
/* In the largest unit that divides it: 1536K, 2d. */
void value_format(char dst[VALUE_TEXT_MAX], uint64_t, enum value_unit);

/*
 * "HOST:PORT", "[::1]:PORT"; and, with a `port` that is not 0 on entry,
 * "HOST" and "[::1]" alone for that port.  The host comes without brackets,
 * as a domain name in lower case or an address in its canonical form.
 */
bool value_endpoint(struct span, char *host, size_t size, uint16_t *port);

/* A name of the password file, as useradd would take it. */
bool value_user(struct span);

#endif
