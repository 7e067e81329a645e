/*
 * header.c - recipients out of fields, Bcc out of headers.
 */
#include "admin/sendmail/header.h"

#include <errno.h>

#include "common/mail/address_list.h"
#include "common/mail/header.h"

void
rcpts_init(struct rcpts *r)
{
	r->n = 0;
	buf_init(&r->text, RCPTS_MEMORY_MAX);
}

void
rcpts_fini(struct rcpts *r)
{
	buf_fini(&r->text);
}

int
rcpts_add(struct rcpts *r, const struct address *a)
{
	if (buf_add(&r->text, a->text, (size_t)a->n + 1) == -1)
		return -1;
	r->n++;
	return 0;
}

const char *
rcpts_next(const struct rcpts *r, size_t *at)
{
	const char *rcpt = r->text.p + *at;

	if (*at >= r->text.n)
		return NULL;
	*at += strlen(rcpt) + 1;
	return rcpt;
}

int
rcpts_add_list(struct rcpts *r, struct span list, struct span *bad)
{
	enum address_list_result result;
	struct address_list l;
	struct address a;

	address_list_init(&l, list);
	while ((result = address_list_next(&l, &a, bad)) == ADDRESS_LIST_NEXT)
		if (rcpts_add(r, &a) == -1)
			return -1;
	if (result == ADDRESS_LIST_END)
		return 0;
	errno = EINVAL;
	return -1;
}

size_t
header_envelope_line(struct span message)
{
	struct span rest = message, name, value;

	while (rest.n > 0 && rest.p[0] == '>')
		rest = span_skip(rest, 1);
	/* "From : alice" is a field, RFC 5322 section 4.5. */
	if (!span_starts(rest, "From ") || header_next(&rest, &name, &value))
		return 0;
	return span_line(message);
}

/* "To" for "Resent-To" and for "To". */
static bool
is_of(struct span name, bool resent, const char *field)
{
	if (resent) {
		if (!span_starts_case(name, "Resent-"))
			return false;
		name = span_skip(name, sizeof "Resent-" - 1);
	}
	return span_is(name, field);
}

static bool
names_rcpts(struct span name, bool resent)
{
	return is_of(name, resent, "To") || is_of(name, resent, "Cc") ||
	    is_of(name, resent, "Bcc");
}

int
header_rcpts(struct span header, struct rcpts *r, struct span *bad)
{
	struct span rest = header, name, value;
	bool resent = false;

	while (header_next(&rest, &name, &value))
		resent = resent || names_rcpts(name, true);
	for (rest = header; header_next(&rest, &name, &value);)
		if (names_rcpts(name, resent) &&
		    rcpts_add_list(r, value, bad) == -1)
			return -1;
	return 0;
}

int
header_add_public(struct buf *b, struct span header)
{
	struct span rest = header, name, value, before;

	for (before = rest; header_next(&rest, &name, &value); before = rest)
		if (!is_of(name, false, "Bcc") && !is_of(name, true, "Bcc") &&
		    buf_add(b, before.p, before.n - rest.n) == -1)
			return -1;
	return 0;
}

static bool
is_ascii_text(const char *s)
{
	for (; *s != '\0'; s++)
		if (*s < ' ' || *s > '~')
			return false;
	return true;
}

/* Words that need no quotes, RFC 5322 section 3.2.5. */
static bool
is_phrase(const char *s)
{
	for (; *s != '\0'; s++)
		if (strchr("()<>[]:;@\\,.\"", *s) != NULL)
			return false;
	return true;
}

int
header_add_from(struct buf *b, const char *name, const char *address)
{
	if (buf_add_str(b, "From: ") == -1)
		return -1;
	if (name[0] == '\0' || strlen(name) > 200 || !is_ascii_text(name))
		return buf_addf(b, "%s\r\n", address);
	if (is_phrase(name))
		return buf_addf(b, "%s <%s>\r\n", name, address);
	/* RFC 5322 section 3.2.4 */
	if (buf_add_str(b, "\"") == -1)
		return -1;
	for (const char *p = name; *p != '\0'; p++)
		if (((*p == '"' || *p == '\\') && buf_add_str(b, "\\") == -1) ||
		    buf_add(b, p, 1) == -1)
			return -1;
	return buf_addf(b, "\" <%s>\r\n", address);
}
