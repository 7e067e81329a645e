/*
 * text.h - the bytes of a configuration file, read and made plain.
 *
 * libconfuse has the grammar; what it does to the characters of a file is not
 * what ours promises.  It puts environment variables for ${NAME}, skips
 * characters that it does not know, takes a comment that is never closed for
 * the rest of the file, trips over a comment in a list and miscounts lines
 * behind one.  So the text is made plain for it first: no comments, strings
 * on one line with nothing to expand, words of letters, digits, `_`, `.` and
 * `-`, and one of { } = and comma.  Anything else is an error, with its line.
 */
#ifndef TEXT_H
#define TEXT_H

#include "common/bytes/buf.h"
#include "master/conf/problems.h"

#define TEXT_FILE_MAX (16 * 1024 * 1024)

struct text {
	struct buf plain;   /* for libconfuse: terminated, as many lines */
	unsigned *sections; /* the line of each section's `{`, in order */
	size_t nsections;
};

/* The whole of a regular file.  0, or -1 with a problem added. */
int text_read(struct buf *, const char *path, struct problems *);

/* 0, or -1 with problems added; in both cases text_fini() is due. */
int text_plain(struct text *, struct span file, struct problems *);
void text_fini(struct text *);

#endif
