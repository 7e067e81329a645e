/*
 * address.c - the grammar of RFC 5321 section 4.1.2, rule by rule.
 *
 * Each rule takes what matches it off a span and says whether it matched.  The
 * canonical form is made only when a whole address has been recognized.
 */
#include <errno.h>
#include <idn2.h>

#include "common/bytes/utf8.h"
#include "common/mail/address.h"
#include "common/mail/netblock.h"

#define LABEL_MAX 63 /* RFC 1035 section 2.3.4 */
/* The octets of a label in UTF-8, before it is known what it becomes. */
#define LABEL_UTF8_MAX (4 * LABEL_MAX)

static bool
take_char(struct span *in, char c)
{
	if (in->n == 0 || in->p[0] != c)
		return false;
	*in = span_skip(*in, 1);
	return true;
}

static bool
is_let_dig(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	    (c >= '0' && c <= '9');
}

/* Part of a character of UTF-8; that it is one is known before. */
static bool
is_utf8(char c)
{
	return (c & 0x80) != 0;
}

/* RFC 5322 section 3.2.3, RFC 6531 section 3.3 */
static bool
is_atext(char c)
{
	return is_let_dig(c) || is_utf8(c) ||
	    (c != '\0' && strchr("!#$%&'*+-/=?^_`{|}~", c) != NULL);
}

static bool
take_atom(struct span *in)
{
	size_t n = 0;

	while (n < in->n && is_atext(in->p[n]))
		n++;
	*in = span_skip(*in, n);
	return n > 0;
}

static bool
take_dot_string(struct span *in)
{
	do {
		if (!take_atom(in))
			return false;
	} while (take_char(in, '.'));
	return true;
}

/* QcontentSMTP is printable ASCII and the blank, `"` and `\` behind a `\`. */
static bool
take_quoted_string(struct span *in)
{
	if (!take_char(in, '"'))
		return false;
	while (!take_char(in, '"')) {
		take_char(in, '\\');
		if (in->n == 0 ||
		    (!is_utf8(in->p[0]) && (in->p[0] < ' ' || in->p[0] > '~')))
			return false;
		*in = span_skip(*in, 1);
	}
	return true;
}

static bool
take_local_part(struct span *in)
{
	if (in->n > 0 && in->p[0] == '"')
		return take_quoted_string(in);
	return take_dot_string(in);
}

/* sub-domain = Let-dig [Ldh-str]: no hyphen at either end. */
static bool
take_label(struct span *in)
{
	size_t n = 0, max = LABEL_MAX;

	for (; n < in->n; n++) {
		if (is_utf8(in->p[n]))
			max = LABEL_UTF8_MAX;
		else if (!is_let_dig(in->p[n]) && in->p[n] != '-')
			break;
	}
	if (n == 0 || n > max || in->p[0] == '-' || in->p[n - 1] == '-')
		return false;
	*in = span_skip(*in, n);
	return true;
}

static bool
take_domain(struct span *in)
{
	do {
		if (!take_label(in))
			return false;
	} while (take_char(in, '.'));
	return true;
}

/* RFC 5321 section 4.1.3; no other tag than IPv6 was ever registered. */
static bool
take_literal(struct span *in)
{
	struct span text = *in, rest = *in;
	struct ip ip;
	bool tag;

	if (!take_char(&text, '[') || memchr(text.p, ']', text.n) == NULL)
		return false;
	text = span_cut(&rest, ']');
	text = span_skip(text, 1);
	tag = span_starts_case(text, "IPv6:");
	if (tag)
		text = span_skip(text, 5);
	/* The tag and the form of the address must agree. */
	if (tag != (text.n > 0 && memchr(text.p, ':', text.n) != NULL) ||
	    !ip_parse(&ip, text))
		return false;
	*in = rest;
	return true;
}

bool
address_domain_ok(struct span s)
{
	return s.n <= ADDRESS_DOMAIN_MAX && !utf8_beyond_ascii(s) &&
	    take_domain(&s) && s.n == 0;
}

bool
address_literal_ok(struct span s)
{
	return take_literal(&s) && s.n == 0;
}

/* What a rule took: from `from` to where *in begins now. */
static struct span
taken(struct span from, const struct span *in)
{
	return span_from(from.p, from.n - in->n);
}

struct mailbox {
	struct span local, domain;
};

static bool
take_mailbox(struct span *in, struct mailbox *m)
{
	struct span from = *in;

	if (!take_local_part(in))
		return false;
	m->local = taken(from, in);
	if (!take_char(in, '@'))
		return false;
	from = *in;
	if (in->n > 0 && in->p[0] == '[') {
		if (!take_literal(in))
			return false;
	} else if (!take_domain(in)) {
		return false;
	}
	m->domain = taken(from, in);
	return true;
}

int
address_unquote(char *dst, size_t size, struct span local)
{
	bool quoted = local.n >= 2 && local.p[0] == '"';
	size_t n = 0;

	if (quoted)
		local = span_from(local.p + 1, local.n - 2);
	for (size_t i = 0; i < local.n; i++) {
		if (quoted && local.p[i] == '\\' && i + 1 < local.n)
			i++;
		if (n >= size)
			return -1;
		dst[n++] = local.p[i];
	}
	if (n >= size)
		return -1;
	dst[n] = '\0';
	return (int)n;
}

/*
 * The shortest spelling of a quoted local part: without quotes where it is a
 * dot-string, else with a backslash only where one is needed.  0 if it is over
 * the limit.
 */
static size_t
canonical_local(char dst[ADDRESS_LOCAL_MAX + 1], struct span local)
{
	char plain[ADDRESS_LOCAL_MAX + 1];
	struct span s;
	size_t n = 0;
	int len = address_unquote(plain, sizeof plain, local);

	if (len == -1)
		return 0;
	s = span_from(plain, (size_t)len);
	if (take_dot_string(&s) && s.n == 0) {
		memcpy(dst, plain, (size_t)len);
		return (size_t)len;
	}
	dst[n++] = '"';
	for (int i = 0; i < len; i++) {
		bool escape = plain[i] == '"' || plain[i] == '\\';

		/* This octet, its backslash, and the last quote. */
		if (n + escape + 2 > ADDRESS_LOCAL_MAX)
			return 0;
		if (escape)
			dst[n++] = '\\';
		dst[n++] = plain[i];
	}
	dst[n++] = '"';
	return n;
}

static int
fail(struct address *a, int error)
{
	*a = (struct address){ .n = 0 };
	errno = error;
	return -1;
}

/* RFC 5891: U-labels become A-labels; *domain is then in `ascii`. */
static bool
to_a_labels(char ascii[ADDRESS_DOMAIN_MAX + 1], struct span *domain)
{
	char text[ADDRESS_MAX + 1];
	char *out = NULL;
	bool ok;

	if (!span_copy(text, sizeof text, *domain) ||
	    idn2_to_ascii_8z(
		text, &out, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL) != IDN2_OK)
		return false;
	ok = address_domain_ok(span_of(out)) &&
	    span_copy(ascii, ADDRESS_DOMAIN_MAX + 1, span_of(out));
	idn2_free(out);
	*domain = span_of(ascii);
	return ok;
}

static int
set_mailbox(struct address *a, struct mailbox *m)
{
	static const char tag[] = "IPv6:";
	char local[ADDRESS_LOCAL_MAX + 1], ascii[ADDRESS_DOMAIN_MAX + 1];
	size_t n = canonical_local(local, m->local);
	bool tagged = span_starts_case(m->domain, "[IPv6:");

	if (utf8_beyond_ascii(m->domain) && !to_a_labels(ascii, &m->domain))
		return fail(a, EINVAL);
	if (n == 0 || m->domain.n > ADDRESS_DOMAIN_MAX ||
	    n + 1 + m->domain.n > ADDRESS_MAX)
		return fail(a, E2BIG);
	memcpy(a->text, local, n);
	a->at = (uint16_t)n;
	a->text[n++] = '@';
	for (size_t i = 0; i < m->domain.n; i++)
		a->text[n++] = ascii_lower(m->domain.p[i]);
	/* The tag is written as everybody else writes it. */
	if (tagged)
		memcpy(a->text + a->at + 2, tag, sizeof tag - 1);
	a->text[n] = '\0';
	a->n = (uint16_t)n;
	return 0;
}

int
address_parse(struct address *a, struct span s)
{
	return utf8_beyond_ascii(s) ? fail(a, EINVAL)
				    : address_parse_utf8(a, s);
}

int
address_parse_utf8(struct address *a, struct span s)
{
	struct mailbox m;

	if (!utf8_ok(s))
		return fail(a, EINVAL);
	if (!take_mailbox(&s, &m) || s.n != 0)
		return fail(a, EINVAL);
	return set_mailbox(a, &m);
}

static int
parse_bare(struct address *a, struct span s)
{
	struct span local = s;
	char text[ADDRESS_LOCAL_MAX + 1];
	size_t n;

	if (!take_local_part(&s) || s.n != 0)
		return fail(a, EINVAL);
	if ((n = canonical_local(text, local)) == 0)
		return fail(a, E2BIG);
	*a = (struct address){ .n = (uint16_t)n, .at = (uint16_t)n };
	memcpy(a->text, text, n);
	return 0;
}

int
address_parse_bare(struct address *a, struct span s)
{
	return utf8_beyond_ascii(s) ? fail(a, EINVAL) : parse_bare(a, s);
}

int
address_qualify(struct address *a, struct span domain)
{
	char text[ADDRESS_LOCAL_MAX + 1 + ADDRESS_DOMAIN_MAX];
	size_t n = a->n;

	if (a->at < a->n)
		return 0;
	if (n == 0)
		return fail(a, EINVAL);
	if (n > ADDRESS_LOCAL_MAX || domain.n > ADDRESS_DOMAIN_MAX)
		return fail(a, E2BIG);
	memcpy(text, a->text, n);
	text[n++] = '@';
	memcpy(text + n, domain.p, domain.n);
	return address_parse_utf8(a, span_from(text, n + domain.n));
}

/* A-d-l ":", as in <@a.example,@b.example:user@c.example>. */
static bool
take_source_route(struct span *in)
{
	do {
		if (!take_char(in, '@') || !take_domain(in))
			return false;
	} while (take_char(in, ','));
	return take_char(in, ':');
}

static int
set_bare(struct address *a, struct span text)
{
	*a = (struct address){ .n = (uint16_t)text.n, .at = (uint16_t)text.n };
	memcpy(a->text, text.p, text.n);
	return 0;
}

/* Up to the end of the path; what stands behind it is not ours to judge. */
static bool
octets_ok(struct span path, unsigned flags)
{
	if (!utf8_beyond_ascii(path))
		return true;
	return (flags & ADDRESS_UTF8_OK) != 0 && utf8_ok(path);
}

int
address_parse_path(struct address *a, struct span *in, unsigned flags)
{
	static const char postmaster[] = "<postmaster>";
	struct span s = *in;
	struct mailbox m;

	if ((flags & ADDRESS_NULL_OK) && span_starts(s, "<>")) {
		*in = span_skip(s, 2);
		return set_bare(a, SPAN(""));
	}
	/* RFC 5321 section 4.1.1.3; the case of its letters does not matter. */
	if ((flags & ADDRESS_POSTMASTER_OK) &&
	    span_starts_case(s, postmaster)) {
		*in = span_skip(s, sizeof postmaster - 1);
		return set_bare(a, SPAN("postmaster"));
	}
	if ((flags & ADDRESS_BARE_OK) && take_char(&s, '<') &&
	    take_local_part(&s) && take_char(&s, '>')) {
		if (!octets_ok(taken(*in, &s), flags))
			return fail(a, EINVAL);
		if (parse_bare(a, span_from(in->p + 1, in->n - s.n - 2)) == -1)
			return -1;
		*in = s;
		return 0;
	}
	s = *in;
	if (!take_char(&s, '<') ||
	    (span_starts(s, "@") && !take_source_route(&s)) ||
	    !take_mailbox(&s, &m) || !take_char(&s, '>') ||
	    !octets_ok(taken(*in, &s), flags))
		return fail(a, EINVAL);
	if (set_mailbox(a, &m) == -1)
		return -1;
	*in = s;
	return 0;
}

bool
address_is_ascii(const struct address *a)
{
	return !utf8_beyond_ascii(span_from(a->text, a->n));
}

struct span
address_local(const struct address *a)
{
	return span_from(a->text, a->at);
}

struct span
address_domain(const struct address *a)
{
	return span_skip(span_from(a->text, a->n), (size_t)a->at + 1);
}
