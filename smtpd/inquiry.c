/*
 * inquiry.c - see inquiry.h.
 */
#include <stdio.h>

#include "smtpd/inquiry.h"

static void
say(struct step *st, enum reply_name name, const char *arg)
{
	reply_make(&st->reply, name, arg);
}

bool
inquiry_has_parameter(struct span arg, struct step *st)
{
	while (arg.n > 0) {
		struct span word = span_cut(&arg, ' ');
		char keyword[64];

		if (word.n == 0 || memchr(word.p, '=', word.n) == NULL)
			continue;
		say(st, R_BAD_PARAMETER,
		    span_copy(keyword, sizeof keyword, span_cut(&word, '='))
			? keyword
			: NULL);
		return true;
	}
	return false;
}

/* ---- VRFY, EXPN -------------------------------------------------------- */

/* A path, an address, or a name alone; what stands behind it stays in *arg. */
static bool
take_address(struct address *a, struct span *arg)
{
	struct span word;

	if (arg->p[0] == '<')
		return address_parse_path(a, arg,
			   ADDRESS_POSTMASTER_OK | ADDRESS_BARE_OK) == 0;
	/* A blank may stand in a quoted local part, of which nothing else can
	 * follow. */
	if (arg->p[0] == '"') {
		word = *arg;
		*arg = SPAN("");
	} else
		word = span_cut(arg, ' ');
	return address_parse(a, word) == 0 || address_parse_bare(a, word) == 0;
}

static bool
may_know(const struct session *s)
{
	return s->trusted || s->service->conf->disclose;
}

static void
inquire(struct session *s, struct span arg, struct step *st)
{
	bool expn = st->command == CMD_EXPN;
	struct address a;

	if (expn && !may_know(s)) {
		say(st, R_NOT_IMPLEMENTED, NULL);
		return;
	}
	if (arg.n == 0) {
		say(st, R_SYNTAX, expn ? "EXPN address" : "VRFY address");
		return;
	}
	if (!take_address(&a, &arg)) {
		say(st, R_BAD_ADDRESS, NULL);
		return;
	}
	if (inquiry_has_parameter(arg, st))
		return;
	if (span_trim(arg).n > 0) {
		say(st, R_SYNTAX, "one address, and nothing behind it");
		return;
	}
	if (!span_is(span_of(a.text), "postmaster") &&
	    address_qualify(&a, span_of(session_domain(s))) == -1) {
		say(st, R_BAD_ADDRESS, NULL);
		return;
	}
	/* RFC 5321 section 3.5.3: 252 tells nothing; and of the users of
	 * another host nothing is known. */
	if (!may_know(s) ||
	    (s->trusted && a.at < a.n &&
		conf_domain(s->service->conf, address_domain(&a)) == NULL)) {
		say(st, R_CANNOT_VRFY, NULL);
		return;
	}
	s->rcpt = a;
	session_ask(s, st->command, st);
}

void
inquiry_vrfy(struct session *s, struct span arg, struct step *st)
{
	inquire(s, arg, st);
}

void
inquiry_expn(struct session *s, struct span arg, struct step *st)
{
	inquire(s, arg, st);
}

void
inquiry_answer(const struct session *s, struct reply *reply)
{
	bool known = reply_class(reply) == 2;

	/* Neither command has a code for what may pass (RFC 5321 section
	 * 4.3.2), and a mailbox that is full is one. */
	if (reply_class(reply) == 4 || reply->code == 552)
		reply_make(reply, R_CANNOT_VRFY, NULL);
	else if (known && (reply->code != 251 || s->asked_by == CMD_EXPN))
		reply_make(reply, R_VERIFIED, s->rcpt.text);
}

/* ---- HELP -------------------------------------------------------------- */

static const struct topic {
	const char *command, *text;
} topics[] = {
	{ "HELO", "HELO hostname" },
	{ "EHLO", "EHLO hostname" },
	{ "MAIL", "MAIL FROM:<address>, parameters as EHLO lists them" },
	{ "RCPT", "RCPT TO:<address>" },
	{ "DATA", "DATA, then the message, then a line with a dot alone" },
	{ "BDAT", "BDAT octets [LAST], then so many octets of the message" },
	{ "RSET", "RSET ends a transaction" },
	{ "VRFY", "VRFY address" },
	{ "EXPN", "EXPN address" },
	{ "NOOP", "NOOP does nothing" },
	{ "HELP", "HELP, HELP STATUS, HELP command" },
	{ "QUIT", "QUIT ends the session" },
};

static void
list(struct step *st)
{
	char words[128] = "";
	size_t n = 0;

	for (size_t i = 0; i < sizeof topics / sizeof *topics; i++)
		n += (size_t)snprintf(words + n, sizeof words - n, "%s%s",
		    i > 0 ? " " : "", topics[i].command);
	say(st, R_HELP, words);
}

void
inquiry_help(struct session *s, struct span arg, struct step *st)
{
	struct span topic;

	if (inquiry_has_parameter(arg, st))
		return;
	topic = span_cut(&arg, ' ');
	if (arg.n > 0)
		say(st, R_SYNTAX, "HELP takes one word");
	else if (topic.n == 0)
		list(st);
	else if (span_is(topic, "STATUS"))
		say(st, R_STATUS, s->service->conf->hostname);
	else {
		for (size_t i = 0; i < sizeof topics / sizeof *topics; i++)
			if (span_is(topic, topics[i].command)) {
				say(st, R_TOPIC, topics[i].text);
				return;
			}
		say(st, R_BAD_PARAMETER, "HELP lists what there is");
	}
}
