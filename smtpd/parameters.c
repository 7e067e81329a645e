/*
 * parameters.c - keyword=value, one table for each command that takes them.
 */
#include "smtpd/parameters.h"

/* RFC 1870 section 4: size-value = 1*20DIGIT */
#define SIZE_DIGITS 20

struct parameter {
	const char *keyword;
	uint32_t needs; /* bits of enum extension: one of them */
	/* False: reply is made. */
	bool (*set)(struct mail_parameters *, struct span, struct reply *);
};

static bool
syntax(struct reply *reply, const char *right)
{
	reply_make(reply, R_SYNTAX, right);
	return false;
}

static bool
set_size(struct mail_parameters *p, struct span value, struct reply *reply)
{
	if (p->has_size || value.n == 0 || value.n > SIZE_DIGITS)
		return syntax(reply, "SIZE=octets, once");
	for (size_t i = 0; i < value.n; i++)
		if (value.p[i] < '0' || value.p[i] > '9')
			return syntax(reply, "SIZE=octets, once");
	p->has_size = true;
	/* Twenty digits can be more than 64 bits hold: then it is too much
	 * for anybody, which is not a matter of syntax. */
	if (!span_number(value, UINT64_MAX, &p->size))
		p->size = UINT64_MAX;
	return true;
}

static bool
set_body(struct mail_parameters *p, struct span value, struct reply *reply)
{
	bool binary = (p->offers & EXT_BIT(EXT_BINARYMIME)) != 0;

	if (p->has_body || value.n == 0)
		return syntax(reply, "BODY=7BIT or BODY=8BITMIME, once");
	p->has_body = true;
	if (span_is(value, "7BIT"))
		p->body = BODY_7BIT;
	else if (span_is(value, "8BITMIME"))
		p->body = BODY_8BITMIME;
	else if (span_is(value, "BINARYMIME") && binary)
		p->body = BODY_BINARYMIME;
	else
		return syntax(reply, "BODY=7BIT or BODY=8BITMIME, once");
	return true;
}

/* RFC 6531 section 3.4: it has no value. */
static bool
set_utf8(struct mail_parameters *p, struct span value, struct reply *reply)
{
	if (p->utf8 || value.n > 0)
		return syntax(reply, "SMTPUTF8, once and without a value");
	p->utf8 = true;
	return true;
}

static const struct parameter of_mail[] = {
	{ "SIZE", EXT_BIT(EXT_SIZE), set_size },
	{ "SMTPUTF8", EXT_BIT(EXT_SMTPUTF8), set_utf8 },
	{ "BODY", EXT_BIT(EXT_8BITMIME) | EXT_BIT(EXT_BINARYMIME), set_body },
};

static bool
is_let_dig(char c)
{
	c = ascii_lower(c);
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

/* esmtp-keyword = (ALPHA / DIGIT) *(ALPHA / DIGIT / "-") */
static bool
is_keyword(struct span s)
{
	if (s.n == 0 || !is_let_dig(s.p[0]))
		return false;
	for (size_t i = 1; i < s.n; i++)
		if (!is_let_dig(s.p[i]) && s.p[i] != '-')
			return false;
	return true;
}

/* esmtp-value = 1*(%d33-60 / %d62-126) */
static bool
is_value(struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] < '!' || s.p[i] > '~' || s.p[i] == '=')
			return false;
	return s.n > 0;
}

static bool
unknown(struct span keyword, struct reply *reply)
{
	char name[64];

	reply_make(reply, R_UNKNOWN_PARAMETER,
	    span_copy(name, sizeof name, keyword) ? name : NULL);
	return false;
}

static bool
set_one(const struct parameter *table, size_t n, struct mail_parameters *p,
    struct span token, struct reply *reply)
{
	bool valued = memchr(token.p, '=', token.n) != NULL;
	struct span value = token;
	struct span keyword = span_cut(&value, '=');

	if (!is_keyword(keyword) || (valued && !is_value(value)))
		return syntax(reply, "parameters are KEYWORD=VALUE");
	for (size_t i = 0; i < n; i++)
		if ((table[i].needs & p->offers) != 0 &&
		    span_is(keyword, table[i].keyword))
			return table[i].set(p, value, reply);
	return unknown(keyword, reply);
}

static bool
set_all(const struct parameter *table, size_t n, struct mail_parameters *p,
    struct span in, struct reply *reply)
{
	/* The path ends where the first blank stands, or the line. */
	if (in.n > 0 && in.p[0] != ' ')
		return syntax(reply, "a blank stands behind the path");
	while (in.n > 0) {
		struct span token = span_cut(&in, ' ');

		if (token.n > 0 && !set_one(table, n, p, token, reply))
			return false;
	}
	return true;
}

bool
parameters_mail(struct mail_parameters *p, uint32_t offers, struct span in,
    struct reply *reply)
{
	*p = (struct mail_parameters){ .offers = offers, .body = BODY_7BIT };
	return set_all(of_mail, sizeof of_mail / sizeof *of_mail, p, in, reply);
}

bool
parameters_rcpt(struct span in, struct reply *reply)
{
	return set_all(NULL, 0, NULL, in, reply);
}
