/*
 * dot.h - message content as it travels after DATA: dots, and its end.
 *
 * Only CRLF.CRLF ends the data (RFC 5321 sections 4.1.1.4 and 4.5.2), in
 * every mode.  A bare CR, bare LF or NUL is noted, and in DOT_CONVERT a bare CR
 * or LF becomes CRLF (after the decision whether the line was a dot: a
 * converted line end never makes an end of data).
 */
#ifndef DOT_H
#define DOT_H

#include "common/bytes/span.h"

/* DOT_BINARY (BODY=BINARYMIME, RFC 3030 section 3): nothing is noted or
 * changed; with dot_chunk() only. */
enum dot_mode { DOT_REJECT, DOT_CONVERT, DOT_BINARY };

struct dot_reader {
	enum dot_mode mode;
	uint8_t state;		/* where in CRLF . CRLF we are; dot.c */
	bool bare;		/* a bare CR or LF was seen */
	bool nul;		/* a NUL was seen (never passed on by convert) */
	bool eight_bit;		/* an octet above 127 was seen */
};

void dot_init(struct dot_reader *, enum dot_mode);

/* Room that `out` must have for `in` octets of input. */
#define DOT_OUT_MAX(in) (2 * (in) + 4)

/*
 * Take octets off *in, write content to out (dots un-stuffed, CRLF line ends)
 * and set *nout.  True when CRLF.CRLF was met: *in then begins with what
 * follows it (pipelined commands).  The CRLF before the dot belongs to the
 * content.  Byte by byte gives the same as the whole.
 */
bool dot_read(struct dot_reader *, struct span *in, char *out, size_t *nout);

/*
 * The content of a BDAT chunk, or a part of one (RFC 3030): dots mean nothing
 * in it, and it is as long as was said, but what was said of CR, LF and NUL
 * holds, also from one chunk to the next.  `last`: nothing follows.  Returns the
 * octets written to out.  A reader has chunks, or what dot_read() reads.
 */
size_t dot_chunk(struct dot_reader *, struct span in, bool last, char *out);

/*
 * The way out: content with CRLF line ends into dot-stuffed form.  A bare CR
 * or LF in it (which no accepted message has) is written as CRLF: never a
 * smuggled line.  dot_write_end gives what is still missing: CRLF if the
 * content did not end in one, and ".CRLF".
 */
struct dot_writer {
	uint8_t state;
};
#define DOT_END_MAX 5
void dot_writer_init(struct dot_writer *);
/* All of `in` is written; out has DOT_OUT_MAX(in.n).  Returns the length. */
size_t dot_write(struct dot_writer *, struct span in, char *out);
size_t dot_write_end(struct dot_writer *, char out[DOT_END_MAX]);

#endif
