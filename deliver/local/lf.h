/*
 * lf.h - line ends of mail, CRLF, into those of a mailbox, LF.
 */
#ifndef LF_H
#define LF_H

#include "common/bytes/span.h"

struct lf {
	bool cr; /* the last octet was a CR that is not written yet */
};

/* Writes at most in.n + 1 octets to out; how many.  A CR that no LF follows
 * stays.  Byte by byte gives the same as the whole. */
size_t lf_convert(struct lf *, struct span in, char *out);
/* What is still missing at the end of all: at most one octet. */
size_t lf_end(struct lf *, char *out);

#endif
