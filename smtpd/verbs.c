/*
 * verbs.c - one row for each command; the grammar of the dialogue is the table.
 *
 * RFC 5321 section 4.1.  Words are told apart without regard to case, blanks at
 * the end of a line are dropped (section 4.1.1).  What stands behind MAIL FROM:
 * and RCPT TO: is read by common/mail/address and parameters.c, nowhere else.
 */
#include <errno.h>

#include "common/bytes/utf8.h"
#include "smtpd/chunk.h"
#include "smtpd/inquiry.h"
#include "smtpd/parameters.h"
#include "smtpd/verbs.h"

#define IN(phase) (1u << (phase))
/* RFC 5321 section 4.1.4: these are not bound to any order. */
#define ALWAYS \
	(IN(PHASE_HELO) | IN(PHASE_READY) | IN(PHASE_MAIL) | IN(PHASE_CHUNKS))

struct verb {
	const char *name;
	enum reply_command command;
	unsigned phases;
	bool useless; /* never part of a message's getting through */
	void (*run)(struct session *, struct span arg, struct step *);
};

static void
say(struct step *st, enum reply_name name, const char *arg)
{
	reply_make(&st->reply, name, arg);
}

/* What a command that comes too early or too late is told. */
static const char *
expected(enum session_phase phase)
{
	static const char *const first[] = {
		[PHASE_HELO] = "HELO or EHLO comes first",
		[PHASE_READY] = "MAIL comes first",
		[PHASE_MAIL] = "a transaction is under way",
		[PHASE_CHUNKS] = "BDAT or RSET comes next",
	};

	return first[phase];
}

/* ---- HELO, EHLO -------------------------------------------------------- */

/*
 * One word of graphic characters.  Stricter would refuse hosts whose names are
 * no domains ("my_pc"), which section 4.1.4 does not want; what is written
 * anywhere is cleaned there.
 */
static bool
is_host_word(struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] < '!' || s.p[i] > '~')
			return false;
	return s.n > 0 && s.n <= SESSION_HELO_MAX;
}

/*
 * "[TAG:address]" of a kind that is not known (RFC 5321 section 4.1.3,
 * General-address-literal).  What is an address without its tag is no matter.
 */
static bool
is_foreign_literal(struct span s)
{
	struct span tag;
	struct ip ip;

	if (s.n < 2 || s.p[0] != '[' || s.p[s.n - 1] != ']' ||
	    memchr(s.p, ':', s.n) == NULL || address_literal_ok(s))
		return false;
	s = span_from(s.p + 1, s.n - 2);
	if (ip_parse(&ip, s))
		return false;
	tag = span_cut(&s, ':');
	return tag.n > 0 && !span_is(tag, "IPv6");
}

/* True: this client is not served, and the reply is there. */
static bool
refused(const struct session *s, struct span name, bool plain, struct step *st)
{
	const char *hostname = s->service->conf->hostname;

	if (!session_is_stranger(s))
		return false;
	if (s->listen->refuse == REFUSE_HELLO) {
		say(st, R_HOST_REFUSES, hostname);
		return true;
	}
	/* HELO has no code for it (RFC 821 section 4.3). */
	if (plain || !span_is(name, hostname))
		return false;
	say(st, R_OUR_NAME, hostname);
	return true;
}

static void
hello(struct session *s, struct span arg, bool plain, struct step *st)
{
	if (!is_host_word(arg) || !span_copy(s->helo, sizeof s->helo, arg)) {
		say(st, R_SYNTAX, plain ? "HELO hostname" : "EHLO hostname");
		return;
	}
	if (is_foreign_literal(arg)) {
		say(st, R_BAD_PARAMETER, "[192.0.2.1] or [IPv6:2001:db8::1]");
		return;
	}
	if (refused(s, arg, plain, st))
		return;
	/* Section 4.1.4: it ends a transaction as RSET does. */
	session_reset(s);
	if (s->greeted)
		s->useless++;
	s->greeted = true;
	s->plain = plain;
	s->phase = PHASE_READY;
	say(st, R_HELO, s->service->conf->hostname);
}

static void
do_helo(struct session *s, struct span arg, struct step *st)
{
	hello(s, arg, true, st);
}

static void
do_ehlo(struct session *s, struct span arg, struct step *st)
{
	hello(s, arg, false, st);
}

/* ---- the transaction --------------------------------------------------- */

/* Cut "FROM:" or "TO:" off, and blanks that many senders put behind it. */
static bool
take_word(struct span *arg, const char *word)
{
	if (!span_starts_case(*arg, word))
		return false;
	*arg = span_skip(*arg, strlen(word));
	while (arg->n > 0 && arg->p[0] == ' ')
		*arg = span_skip(*arg, 1);
	return true;
}

/* RFC 5321 section 4.1.1.11: parameters come with EHLO. */
static bool
parameters_ok(const struct session *s, struct span arg, struct step *st)
{
	if (!s->plain || arg.n == 0)
		return true;
	say(st, R_UNKNOWN_PARAMETER, "send EHLO first");
	return false;
}

/* Users of this host are known by their name alone. */
static unsigned
bare_ok(const struct session *s)
{
	return s->local ? ADDRESS_BARE_OK : 0;
}

/* One that is well-formed is told what it lacks, not that it is bad. */
static unsigned
may_be_utf8(const struct session *s)
{
	return s->plain || (s->offers & EXT_BIT(EXT_SMTPUTF8)) == 0
	    ? 0
	    : ADDRESS_UTF8_OK;
}

/* A path, and whether anything in it, as it was said, is not ASCII. */
static bool
take_path(const struct session *s, struct address *a, struct span *arg,
    unsigned flags, bool *beyond)
{
	struct span from = *arg;

	if (address_parse_path(a, arg, flags | bare_ok(s) | may_be_utf8(s)) ==
	    -1)
		return false;
	*beyond = utf8_beyond_ascii(span_from(from.p, from.n - arg->n));
	return true;
}

static void
do_mail(struct session *s, struct span arg, struct step *st)
{
	const struct conf *conf = s->service->conf;
	struct mail_parameters p;
	struct address sender;
	bool beyond;

	if (!take_word(&arg, "FROM:")) {
		say(st, R_SYNTAX, "MAIL FROM:<address>");
		return;
	}
	if (!take_path(s, &sender, &arg, ADDRESS_NULL_OK, &beyond) ||
	    (sender.n > 0 &&
		address_qualify(&sender, span_of(session_domain(s))) == -1)) {
		say(st, R_BAD_SENDER, NULL);
		return;
	}
	if (!parameters_ok(s, arg, st) ||
	    !parameters_mail(&p, s->offers, arg, &st->reply))
		return;
	if (beyond && !p.utf8) {
		say(st, R_NEEDS_SMTPUTF8, NULL);
		return;
	}
	/* RFC 1870 section 6.1 */
	if (p.has_size && p.size > conf->message_size) {
		say(st, R_TOO_BIG, NULL);
		return;
	}
	if (reply_class(&s->service->queue) != 2) {
		st->reply = s->service->queue;
		return;
	}
	s->sender = sender;
	s->body = p.body;
	s->utf8 = p.utf8;
	s->beyond = !address_is_ascii(&sender);
	s->phase = PHASE_MAIL;
	say(st, R_SENDER_OK, NULL);
}

static void
do_rcpt(struct session *s, struct span arg, struct step *st)
{
	bool beyond;

	s->rcpt = (struct address){ .n = 0 };
	if (!take_word(&arg, "TO:")) {
		say(st, R_SYNTAX, "RCPT TO:<address>");
		return;
	}
	if (!take_path(s, &s->rcpt, &arg, ADDRESS_POSTMASTER_OK, &beyond) ||
	    (!span_is(span_of(s->rcpt.text), "postmaster") &&
		address_qualify(&s->rcpt, span_of(session_domain(s))) == -1)) {
		say(st, R_BAD_ADDRESS, NULL);
		return;
	}
	if (!parameters_ok(s, arg, st) || !parameters_rcpt(arg, &st->reply))
		return;
	if (beyond && !s->utf8) {
		say(st, R_NEEDS_SMTPUTF8, NULL);
		s->nrefused++;
		return;
	}
	if (s->nrcpts >= s->service->conf->max_recipients) {
		say(st, R_TOO_MANY_RCPTS, NULL);
		return;
	}
	if (s->terminal) {
		say(st, R_NOT_ACTIVE, s->rcpt.text);
		s->nrefused++;
		return;
	}
	session_judge(s, st);
}

/*
 * RFC 821 section 3.4.  To a terminal nothing is sent: SEND's recipients are
 * not active, and SOML and SAML are what is left of them, which is MAIL.
 */
static void
do_send(struct session *s, struct span arg, struct step *st)
{
	if (!s->service->conf->send_mailbox) {
		say(st, R_NOT_IMPLEMENTED, NULL);
		return;
	}
	if (s->phase != PHASE_READY) {
		say(st, R_SEQUENCE, expected(s->phase));
		return;
	}
	do_mail(s, arg, st);
	s->terminal = s->phase == PHASE_MAIL && st->command == CMD_SEND;
}

/* DATA and RSET stand alone. */
static bool
stands_alone(struct span arg, const char *right, struct step *st)
{
	if (arg.n == 0)
		return true;
	say(st, R_SYNTAX, right);
	return false;
}

static void
do_data(struct session *s, struct span arg, struct step *st)
{
	if (!stands_alone(arg, "DATA takes no argument", st))
		return;
	if (s->nrcpts > 0 && reply_class(&s->service->queue) != 2) {
		st->reply = s->service->queue;
	} else if (s->body == BODY_BINARYMIME) {
		/* RFC 3030 section 3 */
		say(st, R_SEQUENCE, "BINARYMIME comes by BDAT");
	} else if (s->nrcpts > 0) {
		s->phase = PHASE_DATA;
		st->action = ACTION_CONTENT;
		say(st, R_DATA, NULL);
	} else if (s->nrefused > 0) {
		/* RFC 2920 section 3.1: a client that pipelines may come
		 * here without having seen that all were refused. */
		say(st, R_NO_VALID_RCPTS, NULL);
	} else {
		say(st, R_SEQUENCE, "RCPT comes first");
	}
}

static void
do_rset(struct session *s, struct span arg, struct step *st)
{
	if (inquiry_has_parameter(arg, st) ||
	    !stands_alone(arg, "RSET takes no argument", st))
		return;
	if (s->phase < PHASE_MAIL)
		s->useless++;
	session_reset(s);
	say(st, R_DONE, NULL);
}

/* ---- the others -------------------------------------------------------- */

static void
do_noop(struct session *s, struct span arg, struct step *st)
{
	(void)s;
	(void)arg; /* section 4.1.1.9: it is ignored */
	say(st, R_DONE, NULL);
}

static void
do_quit(struct session *s, struct span arg, struct step *st)
{
	(void)arg; /* it has no reply that keeps a client from leaving */
	s->phase = PHASE_END;
	st->action = ACTION_CLOSE;
	say(st, R_BYE, s->service->conf->hostname);
}

static void
not_implemented(struct session *s, struct span arg, struct step *st)
{
	(void)s;
	(void)arg;
	say(st, R_NOT_IMPLEMENTED, NULL);
}

/* ---- the table --------------------------------------------------------- */

/* What is 50x counts as useless by that alone; see session_line(). */
static const struct verb verbs[] = {
	{ "MAIL", CMD_MAIL, IN(PHASE_READY), false, do_mail },
	{ "RCPT", CMD_RCPT, IN(PHASE_MAIL), false, do_rcpt },
	{ "DATA", CMD_DATA, IN(PHASE_MAIL), false, do_data },
	{ "BDAT", CMD_BDAT, IN(PHASE_MAIL) | IN(PHASE_CHUNKS), false,
	    chunk_bdat },
	{ "EHLO", CMD_EHLO, ALWAYS, false, do_ehlo },
	{ "HELO", CMD_HELO, ALWAYS, false, do_helo },
	{ "QUIT", CMD_QUIT, ALWAYS, false, do_quit },
	{ "RSET", CMD_RSET, ALWAYS, false, do_rset },
	{ "NOOP", CMD_NOOP, ALWAYS, true, do_noop },
	{ "VRFY", CMD_VRFY, ALWAYS, true, inquiry_vrfy },
	{ "HELP", CMD_HELP, ALWAYS, true, inquiry_help },
	{ "EXPN", CMD_EXPN, ALWAYS, true, inquiry_expn },
	{ "SEND", CMD_SEND, ALWAYS, false, do_send },
	{ "SOML", CMD_SOML, ALWAYS, false, do_send },
	{ "SAML", CMD_SAML, ALWAYS, false, do_send },
	{ "TURN", CMD_TURN, IN(PHASE_READY), false, not_implemented },
};

static const struct verb *
find(struct span word)
{
	for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
		if (span_is(word, verbs[i].name))
			return &verbs[i];
	return NULL;
}

static struct span
trim_end(struct span s)
{
	while (s.n > 0 && (s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\t'))
		s.n--;
	return s;
}

void
verbs_run(struct session *s, struct span line, struct step *st)
{
	struct span arg = trim_end(line);
	struct span word = span_cut(&arg, ' ');
	const struct verb *v = find(word);

	if (v == NULL) {
		say(st, R_UNKNOWN_COMMAND, NULL);
		return;
	}
	st->command = v->command;
	if ((v->phases & IN(s->phase)) == 0)
		say(st, R_SEQUENCE, expected(s->phase));
	else if (s->service->conf->commands_off & (1u << v->command))
		say(st, R_NOT_IMPLEMENTED, NULL);
	else
		v->run(s, span_trim(arg), st);
	/* Whatever was said, the chunk comes. */
	if (v->command == CMD_BDAT && st->action == ACTION_NONE)
		chunk_refused(s, span_trim(arg));
	/* Its own mistakes are counted by their reply. */
	if (v->useless && reply_class(&st->reply) == 2)
		s->useless++;
}
