/*
 * log.h - one event, one line: `event=NAME key=value key=value`.
 *
 * A process writes its lines to standard error, which is a pipe to logger
 * (logger adds the time and the process).  Values are typed, and escaped here
 * and nowhere else: bytes outside printable ASCII, `"` and `\` come as \xNN,
 * and a text that is empty, holds a blank, `=` or an escape, or could be taken
 * for a number, is put in double quotes.  A line is cut at LOG_LINE_MAX.  A full pipe drops the line
 * and counts it (the next line that passes says dropped=N); nobody waits for
 * the log.  There is no path by which a password could get here: what is
 * logged is named field by field.
 */
#ifndef LOG_H
#define LOG_H

#include "common/bytes/span.h"

#define LOG_LINE_MAX 2048

enum log_level { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARN, LOG_LEVEL_ERROR };

struct log_field {
	const char *key;
	enum { LOG_FIELD_SPAN, LOG_FIELD_NUMBER, LOG_FIELD_ID } kind;
	struct span text;
	int64_t number;
	uint64_t id;	/* a queue id, written as its 16 characters */
};

static inline struct log_field
log_span(const char *key, struct span s)
{
	return (struct log_field){ .key = key, .kind = LOG_FIELD_SPAN, .text = s };
}

static inline struct log_field
log_str(const char *key, const char *s)
{
	return log_span(key, span_of(s));
}

static inline struct log_field
log_num(const char *key, int64_t n)
{
	return (struct log_field){ .key = key, .kind = LOG_FIELD_NUMBER, .number = n };
}

static inline struct log_field
log_id(const char *key, uint64_t id)
{
	return (struct log_field){ .key = key, .kind = LOG_FIELD_ID, .id = id };
}

/* Written as `error=…` with the text of errno. */
struct log_field log_errno(int err);

void log_event(enum log_level, const char *event, const struct log_field *,
    size_t nfields);

#define LOG_FIELDS(...)                         \
	(struct log_field[]){ __VA_ARGS__ },    \
	sizeof((struct log_field[]){ __VA_ARGS__ }) / sizeof(struct log_field)
/* log_info("accepted", log_id("id", id), log_num("size", n)); at least one
 * field.  A level other than info is written as `level=warn` behind the event. */
#define log_info(event, ...)  log_event(LOG_LEVEL_INFO, event, LOG_FIELDS(__VA_ARGS__))
#define log_warn(event, ...)  log_event(LOG_LEVEL_WARN, event, LOG_FIELDS(__VA_ARGS__))
#define log_error(event, ...) log_event(LOG_LEVEL_ERROR, event, LOG_FIELDS(__VA_ARGS__))

/* Set-up only: log event=fatal with what and errno's text, and exit 1. */
_Noreturn void fatal(const char *what);
/* The same for what has no errno. */
_Noreturn void fatalx(const char *what, const char *detail);

/* The escaping, alone, for those who print to people: as many bytes of s as
 * fit come escaped into dst, always terminated.  Returns the length. */
size_t log_escape(char *dst, size_t size, struct span s);

#endif
