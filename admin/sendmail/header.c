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

/* The octets of a character in UTF-8, 0 where it is none or a control one (RFC
 * 3629 section 4). */
static size_t
utf8_length(const char *s)
{
	const unsigned char *p = (const unsigned char *)s;
	size_t n = p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;

	if (p[0] < 0x80)
		return p[0] >= ' ' && p[0] != 0x7f;
	if (p[0] < 0xc2 || p[0] > 0xf4 || (p[0] == 0xc2 && p[1] < 0xa0) ||
	    (p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) ||
	    (p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f))
		return 0;
	for (size_t i = 1; i < n; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	return n;
}

enum text_kind { TEXT_NONE, TEXT_ASCII, TEXT_UTF8 };

static enum text_kind
kind_of(const char *s)
{
	enum text_kind kind = TEXT_ASCII;
	size_t n;

	for (; *s != '\0'; s += n) {
		if ((n = utf8_length(s)) == 0)
			return TEXT_NONE;
		if (n > 1)
			kind = TEXT_UTF8;
	}
	return kind;
}

/* An octet of the "Q" encoding where it stands in a phrase, RFC 2047 section 5. */
static int
add_q(struct buf *b, char c)
{
	if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	    (c >= '0' && c <= '9'))
		return buf_add(b, &c, 1);
	return buf_addf(b, "=%02X", (unsigned char)c);
}

/* Encoded words of at most 75 octets, none of which cuts a character in two. */
static int
add_encoded(struct buf *b, const char *name)
{
	static const char word[] = "=?UTF-8?Q?";
	size_t start = b->n;

	if (buf_add_str(b, word) == -1)
		return -1;
	while (*name != '\0') {
		size_t n = utf8_length(name);

		if (b->n - start + 3 * n > 73) {
			if (buf_addf(b, "?=\r\n ") == -1)
				return -1;
			start = b->n;
			if (buf_add_str(b, word) == -1)
				return -1;
		}
		for (; n > 0; n--)
			if (add_q(b, *name++) == -1)
				return -1;
	}
	return buf_add_str(b, "?=");
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

static int
add_quoted(struct buf *b, const char *name)
{
	if (is_phrase(name))
		return buf_add_str(b, name);
	/* RFC 5322 section 3.2.4 */
	if (buf_add_str(b, "\"") == -1)
		return -1;
	for (; *name != '\0'; name++)
		if (((*name == '"' || *name == '\\') &&
			buf_add_str(b, "\\") == -1) ||
		    buf_add(b, name, 1) == -1)
			return -1;
	return buf_add_str(b, "\"");
}

int
header_add_from(struct buf *b, const char *name, const char *address)
{
	enum text_kind kind = kind_of(name);
	int rc = buf_add_str(b, "From: ");

	if (rc == 0 && (name[0] == '\0' || kind == TEXT_NONE))
		return buf_addf(b, "%s\r\n", address);
	if (rc == 0)
		rc = kind == TEXT_ASCII ? add_quoted(b, name)
					: add_encoded(b, name);
	return rc == 0 ? buf_addf(b, " <%s>\r\n", address) : -1;
}
