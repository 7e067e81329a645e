/*
 * log.c - one event, one line, one write.
 *
 * Here, and nowhere else, the bytes of strangers become text that is safe for
 * a terminal and a log file.  A line is shorter than PIPE_BUF, so the kernel
 * takes it whole or not at all.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/bytes/id.h"
#include "common/bytes/log.h"

_Static_assert(LOG_LINE_MAX <= PIPE_BUF, "a line is one atomic write");

struct log_line {
	char p[LOG_LINE_MAX];
	size_t n;
	bool full; /* a field did not fit: none comes behind it */
};

/* Lines that a full pipe did not take, since the last one that passed. */
static uint64_t dropped;

static bool
must_escape(char c)
{
	return c < ' ' || c > '~' || c == '"' || c == '\\';
}

size_t
log_escape(char *dst, size_t size, struct span s)
{
	static const char hex[] = "0123456789abcdef";
	size_t n = 0;

	if (size == 0)
		return 0;
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];
		size_t width = must_escape(s.p[i]) ? 4 : 1;

		/* Whole escapes only: half of one would read as text. */
		if (width >= size - n)
			break;
		if (width == 1) {
			dst[n++] = (char)c;
			continue;
		}
		dst[n++] = '\\';
		dst[n++] = 'x';
		dst[n++] = hex[c >> 4];
		dst[n++] = hex[c & 15];
	}
	dst[n] = '\0';
	return n;
}

/* So that it can be told from a number. */
static bool
is_digits(struct span s)
{
	for (size_t i = s.n > 1 && s.p[0] == '-'; i < s.n; i++)
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
	return true;
}

static bool
must_quote(struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] == ' ' || s.p[i] == '=' || must_escape(s.p[i]))
			return true;
	return s.n == 0;
}

/* What is left for text; the line feed always has its place. */
static size_t
left(const struct log_line *l)
{
	return sizeof l->p - 1 - l->n;
}

static void
add(struct log_line *l, struct span s)
{
	size_t n = s.n < left(l) ? s.n : left(l);

	if (n > 0)
		memcpy(l->p + l->n, s.p, n);
	l->n += n;
}

/* ` key=value`, the value cut where the line ends, its quotes always closed. */
static void
add_value(struct log_line *l, const char *key, struct span value, bool quote)
{
	size_t key_n = strlen(key);

	if (left(l) < key_n + sizeof " =\"\"")
		l->full = true;
	if (l->full)
		return;
	add(l, SPAN(" "));
	add(l, span_from(key, key_n));
	add(l, quote ? SPAN("=\"") : SPAN("="));
	l->n += log_escape(l->p + l->n, left(l), value);
	if (quote)
		add(l, SPAN("\""));
}

static void
add_text(struct log_line *l, const char *key, struct span value)
{
	add_value(l, key, value, must_quote(value) || is_digits(value));
}

static void
add_number(struct log_line *l, const char *key, int64_t number)
{
	char text[24];

	snprintf(text, sizeof text, "%lld", (long long)number);
	add_value(l, key, span_of(text), false);
}

static void
add_field(struct log_line *l, const struct log_field *f)
{
	char text[ID_LEN + 1];

	switch (f->kind) {
	case LOG_FIELD_SPAN:
		add_text(l, f->key, f->text);
		break;
	case LOG_FIELD_NUMBER:
		add_number(l, f->key, f->number);
		break;
	case LOG_FIELD_ID:
		id_format(text, f->id);
		add_value(l, f->key, span_of(text), false);
		break;
	}
}

void
log_event(enum log_level level, const char *event,
    const struct log_field *fields, size_t nfields)
{
	static const char *const names[] = {
		[LOG_LEVEL_DEBUG] = "debug",
		[LOG_LEVEL_INFO] = "info",
		[LOG_LEVEL_WARN] = "warn",
		[LOG_LEVEL_ERROR] = "error",
	};
	int saved = errno; /* who logs a failure may still want its errno */
	struct log_line line;

	line.n = 0; /* not all of it: a line is mostly short */
	line.full = false;
	add(&line, SPAN("event="));
	add(&line, span_of(event));
	if (level != LOG_LEVEL_INFO)
		add_text(&line, "level", span_of(names[level]));
	if (dropped > 0)
		add_number(&line, "dropped", (int64_t)dropped);
	for (size_t i = 0; i < nfields; i++)
		add_field(&line, &fields[i]);
	line.p[line.n++] = '\n';
	if (write(STDERR_FILENO, line.p, line.n) == -1)
		dropped++;
	else
		dropped = 0;
	errno = saved;
}

struct log_field
log_errno(int err)
{
	/* Not strerror: it may open message files, which a filter forbids. */
	const char *text = strerrordesc_np(err);

	return log_str("error", text != NULL ? text : "unknown error");
}

void
fatal(const char *what)
{
	log_error("fatal", log_str("what", what), log_errno(errno));
	exit(1);
}

void
fatalx(const char *what, const char *detail)
{
	log_error("fatal", log_str("what", what), log_str("detail", detail));
	exit(1);
}
