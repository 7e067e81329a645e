/*
 * utf8.h - UTF-8 (RFC 3629) in borrowed bytes.
 */
#ifndef UTF8_H
#define UTF8_H

#include "common/bytes/span.h"

/* Octets above 127 are in it. */
bool utf8_beyond_ascii(struct span);
/* Take a code point off *in: its value, or -1 if it does not begin with one
 * that is whole, in its shortest form and no surrogate. */
int32_t utf8_next(struct span *in);
/* All of it is such, and none is a control character above 127. */
bool utf8_ok(struct span);

#endif
