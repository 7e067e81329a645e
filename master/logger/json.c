/*
 * json.c - see json.h.
 */
#include <jansson.h>

#include "common/bytes/log.h"
#include "master/logger/json.h"

#define NUMBER_DIGITS 15

struct field {
	struct span key, value; /* the value without its quotes, escaped */
	bool quoted;
};

/* Cuts ` key=value` off *in.  False: that is not what stands there. */
static bool
next_field(struct span *in, struct field *f)
{
	size_t n = 0;

	while (n < in->n && in->p[n] != '=' && in->p[n] != ' ')
		n++;
	if (n == 0 || n == in->n || in->p[n] != '=')
		return false;
	f->key = span_from(in->p, n);
	*in = span_skip(*in, n + 1);
	f->quoted = in->n > 0 && in->p[0] == '"';
	if (f->quoted)
		*in = span_skip(*in, 1);
	for (n = 0; n < in->n && in->p[n] != (f->quoted ? '"' : ' '); n++)
		;
	if (f->quoted && n == in->n)
		return false;
	f->value = span_from(in->p, n);
	*in = span_skip(*in, f->quoted ? n + 1 : n);
	if (in->n > 0 && in->p[0] != ' ')
		return false;
	*in = span_skip(*in, in->n > 0 ? 1 : 0);
	return true;
}

static int
hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static size_t
unescape(char *dst, struct span s)
{
	size_t n = 0;

	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '\\' && i + 3 < s.n && s.p[i + 1] == 'x' &&
		    hex(s.p[i + 2]) != -1 && hex(s.p[i + 3]) != -1) {
			dst[n++] =
			    (char)(hex(s.p[i + 2]) << 4 | hex(s.p[i + 3]));
			i += 3;
		} else
			dst[n++] = s.p[i];
	}
	return n;
}

static json_t *
text_value(struct span s)
{
	char plain[4 * LOG_LINE_MAX];
	json_t *text;

	if (s.n > sizeof plain)
		return NULL;
	/* NULL where it is no UTF-8. */
	text = json_stringn(plain, unescape(plain, s));
	return text != NULL ? text : json_stringn(s.p, s.n);
}

static bool
is_number(const struct field *f)
{
	struct span s = f->value;

	if (f->quoted || s.n == 0)
		return false;
	if (s.p[0] == '-')
		s = span_skip(s, 1);
	if (s.n == 0 || s.n > NUMBER_DIGITS || (s.p[0] == '0' && s.n > 1))
		return false;
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
	return true;
}

static json_t *
number_value(struct span s)
{
	bool negative = s.p[0] == '-';
	json_int_t n = 0;

	for (size_t i = negative; i < s.n; i++)
		n = 10 * n + (s.p[i] - '0');
	return json_integer(negative ? -n : n);
}

/* Our own, and what a line has said already, is never said anew. */
static int
set(json_t *o, const struct field *f)
{
	char key[64];

	if (!span_copy(key, sizeof key, f->key) ||
	    json_object_get(o, key) != NULL)
		return 0;
	return json_object_set_new(o, key,
	    is_number(f) ? number_value(f->value) : text_value(f->value));
}

static bool
is_event(struct span line)
{
	struct field f;

	if (!span_starts(line, "event="))
		return false;
	while (line.n > 0)
		if (!next_field(&line, &f))
			return false;
	return true;
}

static int
set_fields(json_t *o, struct span line)
{
	struct field f = { .key = SPAN("text"), .value = line, .quoted = true };

	if (!is_event(line))
		return set(o, &f);
	while (line.n > 0)
		if (!next_field(&line, &f) || set(o, &f) == -1)
			return -1;
	return 0;
}

size_t
json_line(char *dst, size_t size, const char *time, const char *program,
    const char *level, struct span line)
{
	json_t *o = json_object();
	size_t n = 0;

	if (json_object_set_new(o, "time", json_string(time)) == 0 &&
	    json_object_set_new(o, "program", json_string(program)) == 0 &&
	    json_object_set_new(o, "level", json_string(level)) == 0 &&
	    set_fields(o, line) == 0)
		n = json_dumpb(o, dst, size, JSON_COMPACT);
	json_decref(o);
	return n <= size ? n : 0;
}
