/*
 * lines.c - see lines.h.
 */
#include <stdio.h>

#include "master/logger/json.h"
#include "master/logger/lines.h"

#define TIME_MAX      32
#define FACILITY_MAIL 2

bool
lines_next(struct lines *l, struct span *in, struct span *line)
{
	while (in->n > 0) {
		const char *end = memchr(in->p, '\n', in->n);
		size_t n = end != NULL ? (size_t)(end - in->p) : in->n;
		size_t room = sizeof l->p - l->n;
		size_t fits = n < room ? n : room;

		/* What does not fit is what is cut. */
		memcpy(l->p + l->n, in->p, fits);
		l->n += fits;
		*in = span_skip(*in, end != NULL ? n + 1 : n);
		if (end != NULL && l->n > 0) {
			*line = lines_rest(l);
			return true;
		}
	}
	return false;
}

struct span
lines_rest(struct lines *l)
{
	struct span rest = span_from(l->p, l->n);

	l->n = 0;
	return rest;
}

static size_t
escape(char *dst, struct span line)
{
	static const char hex[] = "0123456789abcdef";
	char *p = dst;

	for (size_t i = 0; i < line.n; i++) {
		unsigned char c = (unsigned char)line.p[i];

		if (c >= ' ' && c <= '~') {
			*p++ = (char)c;
			continue;
		}
		*p++ = '\\';
		*p++ = 'x';
		*p++ = hex[c >> 4];
		*p++ = hex[c & 15];
	}
	return (size_t)(p - dst);
}

enum log_level
lines_level(struct span line)
{
	static const struct {
		const char *word;
		enum log_level level;
	} words[] = {
		{ "level=debug", LOG_LEVEL_DEBUG },
		{ "level=warn", LOG_LEVEL_WARN },
		{ "level=error", LOG_LEVEL_ERROR },
	};
	struct span word;

	/* Behind the event, or nowhere. */
	(void)span_cut(&line, ' ');
	word = span_cut(&line, ' ');
	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
		if (span_is(word, words[i].word))
			return words[i].level;
	return LOG_LEVEL_INFO;
}

static size_t
format_time(char dst[TIME_MAX], const struct timespec *now)
{
	struct tm tm = { .tm_mday = 1 };
	size_t n;

	gmtime_r(&now->tv_sec, &tm);
	n = strftime(dst, TIME_MAX, "%Y-%m-%dT%H:%M:%S", &tm);
	return n +
	    (size_t)snprintf(
		dst + n, TIME_MAX - n, ".%06ldZ", now->tv_nsec / 1000);
}

/* RFC 3164 section 4.1.1: facility times 8 and severity. */
static size_t
format_syslog(char *dst, size_t size, const struct timespec *now,
    const char *process, enum log_level level)
{
	static const int severity[] = {
		[LOG_LEVEL_DEBUG] = 7,
		[LOG_LEVEL_INFO] = 6,
		[LOG_LEVEL_WARN] = 4,
		[LOG_LEVEL_ERROR] = 3,
	};
	struct tm tm = { .tm_mday = 1 };
	size_t n;

	localtime_r(&now->tv_sec, &tm);
	n = (size_t)snprintf(
	    dst, size, "<%d>", FACILITY_MAIL * 8 + severity[level]);
	n += strftime(dst + n, size - n, "%b %e %H:%M:%S", &tm);
	return n +
	    (size_t)snprintf(dst + n, size - n, " sallyport/%.16s: ", process);
}

size_t
lines_format(char dst[LINES_TEXT_MAX], const struct lines_form *form,
    const struct timespec *now, const char *process, struct span line)
{
	static const char *const names[] = {
		[LOG_LEVEL_DEBUG] = "debug",
		[LOG_LEVEL_INFO] = "info",
		[LOG_LEVEL_WARN] = "warn",
		[LOG_LEVEL_ERROR] = "error",
	};
	enum log_level level = lines_level(line);
	char text[4 * LOG_LINE_MAX], time[TIME_MAX];
	size_t n = 0, json = 0, text_n;

	text_n = escape(text,
	    span_from(line.p, line.n < LOG_LINE_MAX ? line.n : LOG_LINE_MAX));
	format_time(time, now);
	if (form->syslog)
		n = format_syslog(dst, LINES_TEXT_MAX, now, process, level);
	if (form->json)
		json = json_line(dst + n, LINES_TEXT_MAX - n - 1, time, process,
		    names[level], span_from(text, text_n));
	if (!form->syslog && json == 0)
		n = (size_t)snprintf(
		    dst, LINES_TEXT_MAX, "%s %.16s ", time, process);
	if (json == 0) {
		memcpy(dst + n, text, text_n);
		json = text_n;
	}
	n += json;
	dst[n++] = '\n';
	return n;
}
