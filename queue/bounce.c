/*
 * bounce.c - see bounce.h.
 */
#include <stdio.h>

#include "common/bytes/id.h"
#include "common/bytes/utf8.h"
#include "common/mail/header.h"
#include "common/mail/received.h"
#include "queue/bounce.h"

/* RFC 5322 section 2.1.1, without CRLF. */
#define LINE_OCTETS 998
/* RFC 2045 section 6.7 rule 5, without the "=" of a soft line end. */
#define QUOTED_OCTETS 75
#define BOUNDARY_MAX  48

/* All adds stick to the first failure, so that one check is enough. */
struct writer {
	struct buf *b;
	int failed;
	bool global; /* the sender's address is UTF-8, and so may all be */
};

static void
text(struct writer *w, const char *s)
{
	if (w->failed == 0)
		w->failed = buf_add_str(w->b, s);
}

/* Foreign bytes within a line: printable ASCII, no more than fit a line. */
static void
clean(struct writer *w, struct span s)
{
	size_t n = s.n < REPLY_TEXT_MAX ? s.n : REPLY_TEXT_MAX;
	char *p;

	if (w->failed != 0 || n == 0)
		return;
	p = buf_reserve(w->b, n);
	if (p == NULL) {
		w->failed = -1;
		return;
	}
	for (size_t i = 0; i < n; i++)
		p[i] = s.p[i] >= ' ' && s.p[i] <= '~' ? s.p[i] : '?';
	w->b->n += n;
}

/*
 * RFC 6533 section 3: an address that is not ASCII stands as it is where the
 * reader has such an address too, else as \x{HEX}, so that any host may pass on
 * the report.  What is here was parsed: it is UTF-8.
 */
static void
address(struct writer *w, struct span s)
{
	char point[16];

	if (!utf8_beyond_ascii(s)) {
		clean(w, s);
		return;
	}
	while (s.n > 0 && w->failed == 0) {
		struct span from = s;
		int32_t v = utf8_next(&s);

		if (v == -1)
			return;
		if (w->global || (v < 0x80 && v != '\\')) {
			w->failed = buf_add(w->b, from.p, from.n - s.n);
			continue;
		}
		snprintf(point, sizeof point, "\\x{%X}", (unsigned)v);
		text(w, point);
	}
}

static void
date(struct writer *w, const char *name, int64_t time, int zone)
{
	char d[DATE_LEN + 1];

	date_format(d, time, zone);
	text(w, name);
	text(w, d);
	text(w, "\r\n");
}

static void
id(struct writer *w, uint64_t number)
{
	char s[ID_LEN + 1];

	id_format(s, number);
	text(w, s);
}

static void
reply(struct writer *w, const struct reply *r)
{
	char line[REPLY_LINE_MAX + 1];

	reply_text(line, sizeof line, r);
	clean(w, span_of(line));
}

static int64_t
accepted(const struct bounce *b)
{
	return (int64_t)(id_time(b->parent) / 1000000);
}

/* --- the parts ---------------------------------------------------------------
 */

static void
head(struct writer *w, const struct bounce *b, const char *boundary)
{
	text(w, "From: Mail Delivery System <MAILER-DAEMON@");
	text(w, b->hostname);
	text(w, ">\r\nTo: <");
	address(w, b->sender);
	text(w, ">\r\nSubject: Your message could not be delivered\r\n");
	date(w, "Date: ", b->time, b->zone);
	text(w, "Message-ID: <");
	id(w, b->id);
	text(w, "@");
	text(w, b->hostname);
	/* RFC 3834 section 5: nobody should answer this automatically. */
	text(w,
	    ">\r\nAuto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\n"
	    "Content-Type: multipart/report; "
	    "report-type=delivery-status;\r\n\tboundary=\"");
	text(w, boundary);
	text(w,
	    "\"\r\n\r\nThis is a delivery status report in MIME format.\r\n");
}

static void
part(struct writer *w, const char *boundary, const char *fields)
{
	text(w, "\r\n--");
	text(w, boundary);
	text(w, "\r\n");
	text(w, fields);
	text(w, "\r\n");
}

static void
explain(struct writer *w, const struct bounce *b)
{
	bool expired = false;

	text(w, "This is the mail system at ");
	text(w, b->hostname);
	date(w, ".\r\n\r\nYour message of ", accepted(b), b->zone);
	text(w, "(queue id ");
	id(w, b->parent);
	text(w, ") could not be delivered to:\r\n");
	for (uint32_t i = 0; i < b->n; i++) {
		const struct bounce_rcpt *r = &b->rcpts[i];

		text(w, "\r\n  <");
		address(w, r->address);
		text(w, ">\r\n    ");
		clean(w, r->host);
		text(w, r->host.n > 0 ? " said:\r\n    " : "");
		reply(w, &r->reply);
		text(w, "\r\n");
		expired |= r->expired;
	}
	text(w,
	    expired ? "\r\nIt was tried for as long as this system keeps "
		      "messages; what is told here\r\nis the last reply. "
		    : "\r\nThe reply is final. ");
	text(w,
	    "The message will not be tried again. Check the\r\naddress, "
	    "or reach the recipient another way; whoever runs the system "
	    "that\r\nreplied can tell more. The header of your message is "
	    "attached.\r\n");
}

static void
status_of(struct writer *w, const struct bounce *b, const struct bounce_rcpt *r)
{
	struct reply expired;
	const struct reply *final = &r->reply;
	char code[32];

	if (r->expired) {
		reply_make(&expired, R_EXPIRED, NULL);
		final = &expired;
	}
	snprintf(code, sizeof code, "%u.%u.%u",
	    final->esc.class != 0 ? final->esc.class : 5U, final->esc.subject,
	    final->esc.detail);
	text(w,
	    utf8_beyond_ascii(r->address) ? "\r\nFinal-Recipient: utf-8; "
					  : "\r\nFinal-Recipient: rfc822; ");
	address(w, r->address);
	text(w, "\r\nAction: failed\r\nStatus: ");
	text(w, code);
	if (r->host.n > 0) {
		struct span host = r->host;

		text(w, "\r\nRemote-MTA: dns; ");
		clean(w, span_cut(&host, ' '));
	}
	text(w, "\r\nDiagnostic-Code: smtp; ");
	reply(w, &r->reply);
	date(w, "\r\nLast-Attempt-Date: ", r->time, b->zone);
}

static void
status(struct writer *w, const struct bounce *b)
{
	text(w, "Reporting-MTA: dns; ");
	text(w, b->hostname);
	date(w, "\r\nArrival-Date: ", accepted(b), b->zone);
	for (uint32_t i = 0; i < b->n; i++)
		status_of(w, b, &b->rcpts[i]);
}

/* --- the original's header ---------------------------------------------------
 */

/* Whole lines of it, as many as fit. */
static struct span
header_of(const struct bounce *b)
{
	struct span h = span_from(b->content.p, header_length(b->content));

	if (h.n > BOUNCE_HEADER_MAX)
		h.n = BOUNCE_HEADER_MAX;
	while (h.n > 0 && h.p[h.n - 1] != '\n')
		h.n--;
	return h;
}

/* As it stands in a 7bit part; else it is quoted-printable. */
static bool
is_plain(struct span s)
{
	size_t line = 0;

	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '\r' && i + 1 < s.n && s.p[i + 1] == '\n') {
			line = 0;
			i++;
			continue;
		}
		if (s.p[i] != '\t' && (s.p[i] < ' ' || s.p[i] > '~'))
			return false;
		if (++line > LINE_OCTETS)
			return false;
	}
	return true;
}

static bool
at_line_end(struct span s, size_t i)
{
	return i + 1 < s.n && s.p[i] == '\r' && s.p[i + 1] == '\n';
}

/* RFC 2045 section 6.7. */
static void
quote(struct writer *w, struct span s)
{
	size_t line = 0;

	for (size_t i = 0; i < s.n && w->failed == 0; i++) {
		char c = s.p[i], out[4] = { c, '\0' };
		bool blank = c == ' ' || c == '\t';

		if (at_line_end(s, i)) {
			text(w, "\r\n");
			line = 0;
			i++;
			continue;
		}
		if ((!blank && (c <= ' ' || c > '~')) || c == '=' ||
		    (blank && (i + 1 == s.n || at_line_end(s, i + 1))))
			snprintf(out, sizeof out, "=%02X", (unsigned char)c);
		if (line + strlen(out) > QUOTED_OCTETS) {
			text(w, "=\r\n");
			line = 0;
		}
		text(w, out);
		line += strlen(out);
	}
}

/* One that occurs nowhere in what a stranger wrote; what we wrote ourselves
 * has no "=_". */
static void
choose_boundary(char boundary[BOUNDARY_MAX], const struct bounce *b)
{
	char s[ID_LEN + 1];
	struct span h = header_of(b);
	unsigned n = 0;

	id_format(s, b->id);
	do {
		snprintf(boundary, BOUNDARY_MAX, "=_%s_%u", s, n++);
	} while (memmem(h.p, h.n, boundary, strlen(boundary)) != NULL ||
	    memmem(b->prefix.p, b->prefix.n, boundary, strlen(boundary)) !=
		NULL);
}

static void
original(struct writer *w, const struct bounce *b, const char *boundary)
{
	struct span h = header_of(b);
	bool plain = is_plain(b->prefix) && is_plain(h);

	if (plain)
		part(w, boundary, "Content-Type: text/rfc822-headers\r\n");
	else
		part(w, boundary,
		    b->utf8
			? "Content-Type: message/global-headers\r\n"
			  "Content-Transfer-Encoding: quoted-printable\r\n"
			: "Content-Type: text/rfc822-headers\r\n"
			  "Content-Transfer-Encoding: quoted-printable\r\n");
	if (!plain) {
		quote(w, b->prefix);
		quote(w, h);
	} else if (w->failed == 0 &&
	    (buf_add_span(w->b, b->prefix) == -1 ||
		buf_add_span(w->b, h) == -1))
		w->failed = -1;
	text(w, "\r\n--");
	text(w, boundary);
	text(w, "--\r\n");
}

int
bounce_add(struct buf *out, const struct bounce *b)
{
	struct writer w = { .b = out, .global = utf8_beyond_ascii(b->sender) };
	char boundary[BOUNDARY_MAX];

	choose_boundary(boundary, b);
	head(&w, b, boundary);
	part(&w, boundary,
	    w.global ? "Content-Type: text/plain; charset=utf-8\r\n"
		       "Content-Transfer-Encoding: 8bit\r\n"
		     : "Content-Type: text/plain; charset=us-ascii\r\n");
	explain(&w, b);
	part(&w, boundary,
	    w.global ? "Content-Type: message/global-delivery-status\r\n"
		       "Content-Transfer-Encoding: 8bit\r\n"
		     : "Content-Type: message/delivery-status\r\n");
	status(&w, b);
	original(&w, b, boundary);
	return w.failed;
}
