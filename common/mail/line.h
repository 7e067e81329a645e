/*
 * line.h - command and reply lines out of a stream of bytes.
 *
 * CRLF is the only line end.  A bare CR, a bare LF or a NUL is not one: the line
 * goes on to its CRLF and comes out as LINE_BAD, so that nothing hidden in it
 * is ever taken for a command (RFC 5321 section 2.3.8; CVE-2023-51764).
 */
#ifndef LINE_H
#define LINE_H

#include "common/bytes/span.h"

enum line_result {
	LINE_MORE,	/* no whole line yet: keep what is left in *in and read on */
	LINE_OK,	/* *line is a line without its CRLF */
	LINE_BAD,	/* it held a bare CR, bare LF or NUL; *line is empty */
	LINE_LONG	/* it was longer than max; *line is empty */
};

struct line_reader {
	size_t max;	/* longest line in octets, with its CRLF */
	bool skipping;	/* the start of this line was dropped: too long */
	bool bad;	/* … and it held a bare CR, LF or NUL */
	bool cr;	/* the last dropped octet was a CR */
};

void line_init(struct line_reader *, size_t max);

/*
 * Take the next line off *in.  With LINE_MORE *in holds the start of an
 * unfinished line, less than max octets, that must stand before the bytes of the
 * next call; everything else was consumed.  *line borrows from *in's bytes.
 * Byte by byte gives the same results as the whole.
 */
enum line_result line_next(struct line_reader *, struct span *in,
    struct span *line);

#endif
