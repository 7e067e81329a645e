/*
 * expect.c - expect "[mail ADDR] rcpt ADDR [from IP] [listener TITLE]"
 * { reply = "…" }
 */
#include "common/mail/reply.h"
#include "master/conf/setting.h"

/* "550", or "550 5.7.1". */
static bool
read_code(struct conf_expect *e, struct span v)
{
	struct span code = span_cut(&v, ' ');
	uint64_t n, part[3];

	if (code.n != 3 || !span_number(code, 599, &n) || n < 200)
		return false;
	e->code = (uint16_t)n;
	if (v.n == 0)
		return true;
	/* RFC 3463 section 2: class "." subject "." detail */
	for (size_t i = 0; i < 3; i++) {
		struct span digits = i < 2 ? span_cut(&v, '.') : v;

		if (!span_number(digits, 999, &part[i]))
			return false;
	}
	e->esc.class = (uint8_t)part[0];
	e->esc.subject = (uint16_t)part[1];
	e->esc.detail = (uint16_t)part[2];
	return part[0] == n / 100;
}

static void
read_reply(struct reading *r, const struct setting *s, void *base,
    unsigned line, const char *value)
{
	struct conf_expect *e = base;
	enum reply_name name;

	if (reply_by_name(span_of(value), &name) &&
	    span_copy(e->reply, sizeof e->reply, span_of(value)))
		return;
	if (!read_code(e, span_of(value)))
		setting_wrong(r, s, line, value);
}

static const struct setting settings[] = {
	{ "reply", read_reply, NULL, 0, 0, 0,
	    "a code (\"550\"), a code and an enhanced code (\"550 5.7.1\") or "
	    "the name of a reply (\"relay-denied\")",
	    false },
};

static bool
expect_address(char *dst, size_t size, struct span word, bool null_ok)
{
	struct address a;

	if (null_ok && span_is(word, "<>")) {
		*dst = '\0';
		return true;
	}
	/* RFC 5321 section 4.5.1: postmaster needs no domain. */
	if (!null_ok && span_is(word, "postmaster"))
		return span_copy(dst, size, word);
	return address_parse(&a, word) == 0 &&
	    span_copy(dst, size, span_of(a.text));
}

/* What stands behind the recipient. */
static bool
expect_client(struct conf_expect *e, struct span key, struct span word)
{
	if (span_is(key, "from"))
		return ip_parse(&e->client, word);
	return span_is(key, "listener") && word.n > 0 &&
	    span_copy(e->listener, sizeof e->listener, word);
}

static bool
expect_title(struct conf_expect *e, struct span title)
{
	bool has_rcpt = false;

	if (!ip_parse(&e->client, SPAN("127.0.0.1")))
		return false;
	for (title = span_trim(title); title.n > 0; title = span_trim(title)) {
		struct span key = span_cut(&title, ' '), word;

		title = span_trim(title);
		word = span_cut(&title, ' ');
		if (!has_rcpt && span_is(key, "mail")) {
			if (!expect_address(
				e->sender, sizeof e->sender, word, true))
				return false;
		} else if (!has_rcpt && span_is(key, "rcpt")) {
			has_rcpt = true;
			if (!expect_address(
				e->rcpt, sizeof e->rcpt, word, false))
				return false;
		} else if (!has_rcpt || !expect_client(e, key, word))
			return false;
	}
	return has_rcpt;
}

static void *
open_expect(struct reading *r, unsigned line, const char *title)
{
	struct conf *c = r->conf;
	struct conf_expect *e, new = { .line = line };

	if (!expect_title(&new, span_of(title))) {
		problems_add(r->problems, line,
		    "expect \"%s\" is wrong; \"[mail ADDRESS] rcpt ADDRESS "
		    "[from IP] [listener TITLE]\" would be right",
		    title);
		return NULL;
	}
	e = setting_grow(r, &c->expects, &c->nexpects, sizeof *e);
	if (e != NULL)
		*e = new;
	return e;
}

static void
close_expect(struct reading *r, void *base, unsigned line)
{
	const struct conf_expect *e = base;

	if (e->code == 0 && e->reply[0] == '\0')
		problems_add(r->problems, line,
		    "expect without a reply; reply = \"250\" would be right");
}

void
expect_listeners(struct reading *r)
{
	const struct conf *c = r->conf;

	for (size_t i = 0; i < c->nexpects; i++) {
		const struct conf_expect *e = &c->expects[i];
		bool found = e->listener[0] == '\0';

		for (size_t k = 0; k < c->nlistens && !found; k++)
			found = strcmp(c->listens[k].title, e->listener) == 0;
		if (!found)
			problems_add(r->problems, e->line,
			    "expect: listener %s is not there; the title of a "
			    "listen statement would be right",
			    e->listener);
	}
}

const struct setting_place *
setting_expect(void)
{
	static const struct setting_place place = { "expect", settings,
		sizeof settings / sizeof settings[0], open_expect,
		close_expect };

	return &place;
}
