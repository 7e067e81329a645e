/*
 * text.h - a message as programs write it, made into one as SMTP wants it.
 *
 * LF or CRLF ends a line, and CRLF comes out.  A CR elsewhere (the progress of a
 * download, in cron's mail) becomes a blank: it is no line end for us, and must
 * not be one for anybody else.  A NUL is noted; such a message cannot be sent.
 * Byte by byte gives the same as the whole.
 */
#ifndef TEXT_H
#define TEXT_H

#include "common/bytes/span.h"

struct text {
	bool ignore_dots; /* else a line that is a dot ends the message */
	bool ended;	  /* there was one: nothing is taken any more */
	bool nul;
	bool eight_bit;
	uint64_t size; /* octets that came out */

	bool cr;     /* a CR waits for what follows it */
	bool dot;    /* … and so does a dot at the start of its line */
	bool inside; /* of a line */
};

void text_init(struct text *, bool ignore_dots);

/* Room that `out` must have for `in` octets of input, and for the end. */
#define TEXT_OUT_MAX(in) (2 * (in) + 4)

/* Takes all of it, but for what stands behind the end; the length of `out`. */
size_t text_add(struct text *, struct span in, char *out);
/* There is no more: what is still owed, a line end where there was none. */
size_t text_end(struct text *, char *out);

#endif
