/*
 * json.h - a line of the log as a JSON object.
 *
 * The fields of the line (log.h) in their order, behind its time, its program
 * and its level.  A number is a number where it stands without quotes and has at
 * most 15 digits, which any reader of JSON can hold; all else is a string, with
 * escapes resolved where that makes UTF-8 and left as they are where not.  What
 * is no line of log.h comes whole as `text`.  No descriptor, no clock.
 */
#ifndef LOGGER_JSON_H
#define LOGGER_JSON_H

#include "common/bytes/span.h"

/* `line` is printable ASCII.  Returns the length, without a line feed; 0: no
 * memory, or it does not fit. */
size_t json_line(char *dst, size_t size, const char *time, const char *program,
    const char *level, struct span line);

#endif
