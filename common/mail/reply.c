/*
 * reply.c - replies made, written as text and carried between processes.
 *
 * Whatever comes in, the text of a reply is printable ASCII on one line: no
 * stranger's byte can end a line or reach a terminal through a reply.
 */
#include <errno.h>
#include <stdio.h>

#include "common/mail/reply.h"

/* What the text has room for, byte by byte; the rest is cut. */
struct text_end {
	char *text;
	size_t n;
};

static void
append(struct text_end *t, struct span s)
{
	for (size_t i = 0; i < s.n && t->n < REPLY_TEXT_MAX; i++)
		t->text[t->n++] = s.p[i] >= ' ' && s.p[i] <= '~' ? s.p[i] : '?';
}

/* `Syntax error: ` without an argument is `Syntax error`. */
static void
finish(struct text_end *t)
{
	while (t->n > 0 && strchr(" :", t->text[t->n - 1]) != NULL)
		t->n--;
	t->text[t->n] = '\0';
}

void
reply_make(struct reply *r, enum reply_name name, const char *arg)
{
	const struct reply_row *row = reply_row(name);
	const char *text = reply_text_of(name);
	struct span rest = span_of(text);
	struct text_end t = { r->text, 0 };
	struct span head = span_cut(&rest, '%');

	r->code = row->code;
	r->esc = row->esc;
	r->scope = row->scope;
	r->source = BY_US;
	append(&t, head);
	if (head.n < strlen(text) && arg != NULL)
		append(&t, span_of(arg));
	append(&t, t.n == 0 ? span_trim(rest) : rest);
	finish(&t);
}

static const struct errno_row {
	int err;
	uint16_t code;
	struct reply_esc esc;
	enum reply_scope scope;
} errno_rows[] = {
	{ ENOSPC, 452, { 4, 3, 1 }, SCOPE_RECIPIENT },
	{ EDQUOT, 452, { 4, 3, 1 }, SCOPE_RECIPIENT },
	{ EFBIG, 452, { 4, 2, 2 }, SCOPE_RECIPIENT },
	/* Somebody has it, or it is not mounted yet. */
	{ EAGAIN, 450, { 4, 2, 0 }, SCOPE_RECIPIENT },
	{ EBUSY, 450, { 4, 2, 0 }, SCOPE_RECIPIENT },
	{ ENOENT, 450, { 4, 2, 0 }, SCOPE_RECIPIENT },
	{ ENOTDIR, 450, { 4, 2, 0 }, SCOPE_RECIPIENT },
	{ ENXIO, 450, { 4, 2, 0 }, SCOPE_RECIPIENT },
	{ ESTALE, 450, { 4, 2, 0 }, SCOPE_RECIPIENT },
	{ ETXTBSY, 450, { 4, 2, 0 }, SCOPE_RECIPIENT },
	/* Set up in a way that forbids it: the administrator can mend that. */
	{ EACCES, 451, { 4, 3, 5 }, SCOPE_RECIPIENT },
	{ EPERM, 451, { 4, 3, 5 }, SCOPE_RECIPIENT },
	{ EROFS, 451, { 4, 3, 5 }, SCOPE_RECIPIENT },
	{ EISDIR, 451, { 4, 3, 5 }, SCOPE_RECIPIENT },
	{ ELOOP, 451, { 4, 3, 5 }, SCOPE_RECIPIENT },
	{ ENAMETOOLONG, 451, { 4, 3, 5 }, SCOPE_RECIPIENT },
	{ ENOEXEC, 451, { 4, 3, 5 }, SCOPE_RECIPIENT },
	{ EXDEV, 451, { 4, 3, 5 }, SCOPE_RECIPIENT },
	/* This host is short of something. */
	{ EIO, 451, { 4, 3, 0 }, SCOPE_RECIPIENT },
	{ ENOMEM, 451, { 4, 3, 0 }, SCOPE_RECIPIENT },
	{ EMFILE, 451, { 4, 3, 0 }, SCOPE_RECIPIENT },
	{ ENFILE, 451, { 4, 3, 0 }, SCOPE_RECIPIENT },
	{ ENOBUFS, 451, { 4, 3, 0 }, SCOPE_RECIPIENT },
	/* The other host, or the way to it. */
	{ ECONNREFUSED, 451, { 4, 4, 1 }, SCOPE_HOST },
	{ EHOSTUNREACH, 451, { 4, 4, 1 }, SCOPE_HOST },
	{ EHOSTDOWN, 451, { 4, 4, 1 }, SCOPE_HOST },
	{ ENETUNREACH, 451, { 4, 4, 1 }, SCOPE_HOST },
	{ ENETDOWN, 451, { 4, 4, 1 }, SCOPE_HOST },
	{ EADDRNOTAVAIL, 451, { 4, 4, 1 }, SCOPE_HOST },
	{ ETIMEDOUT, 451, { 4, 4, 1 }, SCOPE_HOST },
	{ ECONNRESET, 451, { 4, 4, 2 }, SCOPE_HOST },
	{ ECONNABORTED, 451, { 4, 4, 2 }, SCOPE_HOST },
	{ ENETRESET, 451, { 4, 4, 2 }, SCOPE_HOST },
	{ EPIPE, 451, { 4, 4, 2 }, SCOPE_HOST },
};

void
reply_from_errno(struct reply *r, int err, const char *what)
{
	static const struct errno_row other = { 0, 451, { 4, 3, 0 },
		SCOPE_RECIPIENT };
	const struct errno_row *row = &other;
	const char *why = strerrordesc_np(err);
	struct text_end t = { r->text, 0 };

	for (size_t i = 0; i < sizeof errno_rows / sizeof *errno_rows; i++)
		if (errno_rows[i].err == err)
			row = &errno_rows[i];
	r->code = row->code;
	r->esc = row->esc;
	r->scope = row->scope;
	r->source = BY_ERRNO;
	append(&t, span_of(what));
	append(&t, SPAN(": "));
	append(&t, span_of(why != NULL ? why : "unknown error"));
	finish(&t);
}

/* "5.7.1 ", or "" for a reply without; at most REPLY_LINE_MAX stays enough. */
static void
format_esc(char dst[16], const struct reply_esc *esc)
{
	dst[0] = '\0';
	if (esc->class != 0)
		snprintf(dst, 16, "%u.%u.%u ", esc->class % 10u,
		    esc->subject % 1000u, esc->detail % 1000u);
}

size_t
reply_format(char line[REPLY_LINE_MAX + 1], const struct reply *r,
    bool enhanced, bool more)
{
	char esc[16] = "";
	int n;

	if (enhanced)
		format_esc(esc, &r->esc);
	n = snprintf(line, REPLY_LINE_MAX + 1, "%03u%c%s%.*s\r\n",
	    r->code % 1000u, more ? '-' : ' ', esc, REPLY_TEXT_MAX, r->text);
	return (size_t)n;
}

size_t
reply_text(char *dst, size_t size, const struct reply *r)
{
	char esc[16];
	int n;

	if (size == 0)
		return 0;
	format_esc(esc, &r->esc);
	n = snprintf(dst, size, "%03u %s%s", r->code % 1000u, esc, r->text);
	return (size_t)n < size ? (size_t)n : size - 1;
}

void
reply_put(struct wire_put *w, const struct reply *r)
{
	wire_put_u16(w, r->code);
	wire_put_u8(w, r->esc.class);
	wire_put_u16(w, r->esc.subject);
	wire_put_u16(w, r->esc.detail);
	wire_put_u8(w, (uint8_t)r->scope);
	wire_put_u8(w, (uint8_t)r->source);
	wire_put_str(w, r->text);
}

/* Whatever a reply can be, and nothing else: RFC 3463 section 2 has classes 2,
 * 4 and 5, and numbers of up to three digits; RFC 2034 ties class to code. */
static bool
is_sound(const struct reply *r)
{
	if (r->code != 0 && (r->code < 200 || r->code > 599))
		return false;
	if (r->esc.class != 0 &&
	    (r->esc.class == 3 || r->esc.class != r->code / 100))
		return false;
	if (r->esc.subject > 999 || r->esc.detail > 999)
		return false;
	for (const char *p = r->text; *p != '\0'; p++)
		if (*p < ' ' || *p > '~')
			return false;
	return true;
}

void
reply_get(struct wire_get *w, struct reply *r)
{
	r->code = wire_get_u16(w);
	r->esc.class = wire_get_u8(w);
	r->esc.subject = wire_get_u16(w);
	r->esc.detail = wire_get_u16(w);
	r->scope = wire_get_enum(w, SCOPE_END);
	r->source = wire_get_enum(w, BY_END);
	wire_get_str(w, r->text, sizeof r->text);
	if (!w->bad && is_sound(r))
		return;
	w->bad = true;
	*r = (struct reply){ .code = 0 };
}
