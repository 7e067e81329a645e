/*
 * header.h - reading a message's header (RFC 5322 section 2.2), without I/O.
 *
 * Content has CRLF line ends here.  The header ends at the first empty line,
 * or at the first line that is no field and no folded continuation.
 */
#ifndef HEADER_H
#define HEADER_H

#include "common/bytes/span.h"

#define HEADER_LINE_MAX	    998	/* RFC 5322 section 2.1.1: no field's name is longer */
#define HEADER_RECEIVED_MAX 100	/* RFC 5321 section 6.3: "at least 100" */

/*
 * Cut the next field, with its folded lines, off *in.  False at the end of the
 * header (*in then begins at the empty line, or at the body).  `name` is
 * without the colon, `value` untrimmed and with its folding.
 */
bool header_next(struct span *in, struct span *name, struct span *value);

/* The length of the header within `content`, without the empty line. */
size_t header_length(struct span content);
/* Where `content` is only the beginning of one: does the header end in it? */
bool header_ends(struct span content);

/* Fields named `name`; with `value` not empty only those whose trimmed value is
 * that, ASCII case aside. */
size_t header_count(struct span content, const char *name, struct span value);

#endif
