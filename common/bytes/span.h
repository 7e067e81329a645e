/*
 * span.h - borrowed bytes: a pointer and a length, never owned.
 *
 * A span is valid as long as the buffer it points into is neither changed nor
 * freed.  It may hold any byte, NUL included, and is not NUL-terminated.
 */
#ifndef SPAN_H
#define SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct span {
	const char *p;
	size_t n;
};

/* A literal as a span, its length known to the compiler. */
#define SPAN(literal) ((struct span){ "" literal, sizeof(literal) - 1 })

static inline struct span
span_of(const char *s)
{
	return (struct span){ s, strlen(s) };
}

static inline struct span
span_from(const void *p, size_t n)
{
	return (struct span){ p, n };
}

/* Letters of ASCII only, whatever the locale says. */
static inline char
ascii_lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* The same bytes, case and all. */
bool span_eq(struct span, struct span);
/* As memcmp, the shorter of two that begin alike first: an order for sorting. */
int span_cmp(struct span, struct span);
/* The same but for the case of ASCII letters. */
bool span_is(struct span, const char *);
bool span_case_eq(struct span, struct span);
bool span_starts(struct span, const char *prefix);
/* As span_starts, without regard to the case of ASCII letters. */
bool span_starts_case(struct span, const char *prefix);

/* What stands before the first `c`, which is cut off *s with it; the whole of
 * *s (which is then empty) if there is none. */
struct span span_cut(struct span *s, char c);
/* The length of the first line, its CRLF included; 0 if there is no CRLF. */
size_t span_line(struct span);
/* Without blanks and tabs at both ends. */
struct span span_trim(struct span);
/* The bytes from `from` on; empty if the span is shorter. */
struct span span_skip(struct span, size_t from);

/*
 * The one parser for a decimal number that somebody else wrote: digits only,
 * at least one, no sign, no blanks, nothing behind, at most `max`.
 * True with *out set, or false with *out untouched.
 */
bool span_number(struct span, uint64_t max, uint64_t *out);

/* Copy as a C string.  False, with dst empty, if it does not fit or holds a
 * NUL: a cut-off name is another name. */
bool span_copy(char *dst, size_t size, struct span);

#endif
