/*
 * session.c - the state of a session, and the answers of others to it.
 *
 * The commands themselves are in verbs.c.  Every reply leaves through a
 * function of this file, which sees to it that its code is one that the command
 * may get.
 */
#include <assert.h>
#include <stdio.h>

#include "smtpd/inquiry.h"
#include "smtpd/session.h"
#include "smtpd/verbs.h"

/* Memory that a list of recipients may keep between transactions. */
#define RCPTS_KEPT 1024
/* What an address takes in the list: its length, its text, a NUL. */
#define RCPT_ROOM (1 + ADDRESS_MAX + 1)
/* How many of a list are looked through for one that is given twice: the work
 * must not grow with the square of what a client sends. */
#define REPEATED_MAX 1000

_Static_assert(ADDRESS_MAX <= UINT8_MAX, "the length is one octet");

void
session_init(struct session *s, const struct session_service *service)
{
	*s = (struct session){
		.service = service, .phase = PHASE_CONNECT, .offers = EXT_ALL
	};
	buf_init(&s->rcpts, (size_t)service->conf->max_recipients * RCPT_ROOM);
}

void
session_fini(struct session *s)
{
	buf_fini(&s->rcpts);
}

void
session_reset(struct session *s)
{
	buf_clear(&s->rcpts);
	if (s->rcpts.cap > RCPTS_KEPT)
		buf_fini(&s->rcpts);
	s->sender = (struct address){ .n = 0 };
	s->body = BODY_7BIT;
	s->utf8 = s->beyond = false;
	s->terminal = false;
	s->nrcpts = s->nrefused = 0;
	memset(&s->chunks, 0, sizeof s->chunks);
	if (s->phase >= PHASE_MAIL && s->phase <= PHASE_DATA)
		s->phase = PHASE_READY;
}

void
session_forget_verdict(struct session *s)
{
	s->verdict.known = false;
}

/* ---- replies ----------------------------------------------------------- */

/*
 * A code that the command's row does not have becomes the plain one of its
 * class that the row has: what lookup or queue say is theirs, how it is said to
 * the client is ours.
 */
static void
conform(struct step *st)
{
	static const uint16_t plain[] = { 250, 451, 421, 550, 554, 500 };

	if (st->reply.code == 0 || reply_allowed(st->command, st->reply.code))
		return;
	for (size_t i = 0; i < sizeof plain / sizeof *plain; i++)
		if (plain[i] / 100 == st->reply.code / 100 &&
		    reply_allowed(st->command, plain[i])) {
			st->reply.code = plain[i];
			return;
		}
}

/* RFC 5321 section 3.8: behind a 421 the channel is closed. */
static void
settle(struct session *s, struct step *st)
{
	conform(st);
	if (st->reply.code == 421) {
		st->action = ACTION_CLOSE;
		s->phase = PHASE_END;
	}
}

static void
fill(struct session *s, struct step *st, enum reply_command command,
    const struct reply *reply)
{
	*st = (struct step){ .command = command, .action = ACTION_NONE };
	st->reply = *reply;
	settle(s, st);
}

/* A verdict of another process is 2yz, 4yz or 5yz, or it is no verdict. */
static void
fill_verdict(struct session *s, struct step *st, enum reply_command command,
    const struct reply *reply)
{
	struct reply error;

	switch (reply_class(reply)) {
	case 2:
	case 4:
	case 5:
		fill(s, st, command, reply);
		return;
	default:
		reply_make(&error, R_LOCAL_ERROR, NULL);
		fill(s, st, command, &error);
	}
}

void
session_end(struct session *s, enum reply_name name, struct step *st)
{
	/* It answers no command, unless the caller says so. */
	st->command = CMD_CONNECT;
	st->action = ACTION_CLOSE;
	reply_make(&st->reply, name, s->service->conf->hostname);
	s->phase = PHASE_END;
	s->asking = false;
}

void
session_client(struct session *s, const struct reply *reply, struct step *st)
{
	assert(s->phase == PHASE_CONNECT);
	fill_verdict(s, st, CMD_CONNECT, reply);
	if (st->reply.code == 220) {
		s->phase = PHASE_HELO;
		reply_make(&st->reply, R_GREETING, s->service->conf->hostname);
		return;
	}
	/* Neither a greeting nor a refusal: a verdict that cannot be said. */
	if (reply_class(&st->reply) < 4)
		reply_make(
		    &st->reply, R_UNAVAILABLE, s->service->conf->hostname);
	st->action = ACTION_CLOSE;
	s->phase = PHASE_END;
}

static bool
is_useless(const struct reply *reply)
{
	/* The line made no sense (500 to 504, 555); what was understood and
	 * refused is another matter. */
	return reply->code / 10 == 50 || reply->code == 555;
}

void
session_line(struct session *s, enum line_result result, struct span line,
    struct step *st)
{
	char limit[32];

	assert(!s->asking && s->skip == 0);
	assert(s->phase >= PHASE_HELO && s->phase <= PHASE_CHUNKS);
	*st = (struct step){ .command = CMD_UNKNOWN };
	switch (result) {
	case LINE_OK:
		verbs_run(s, line, st);
		break;
	case LINE_LONG:
		snprintf(limit, sizeof limit, "%u octets",
		    s->service->conf->max_line);
		reply_make(&st->reply, R_LINE_TOO_LONG, limit);
		break;
	default:
		reply_make(&st->reply, R_BAD_LINE, NULL);
	}
	if (is_useless(&st->reply))
		s->useless++;
	settle(s, st);
	if (s->useless > s->service->conf->max_useless &&
	    s->phase != PHASE_END) {
		enum reply_command command = st->command;

		session_end(s, R_TOO_MANY_USELESS, st);
		st->command = command;
	}
}

bool
session_is_stranger(const struct session *s)
{
	return !s->trusted && s->listen != NULL;
}

void
session_ask(struct session *s, enum reply_command by, struct step *st)
{
	s->asking = true;
	s->asked_by = by;
	st->action = ACTION_ASK;
}

bool
session_forward(struct session *s, struct span address)
{
	struct address a;

	if (address_parse_utf8(&a, address) == -1)
		return false;
	s->rcpt = a;
	return true;
}

/* ---- recipients -------------------------------------------------------- */

uint32_t
session_rcpts(
    const struct session *s, size_t *at, const char **dst, uint32_t max)
{
	uint32_t n = 0;

	while (n < max && *at < s->rcpts.n) {
		const char *p = s->rcpts.p + *at;

		dst[n++] = p + 1;
		*at += 1 + (size_t)(uint8_t)*p + 1;
	}
	return n;
}

const char *
session_domain(const struct session *s)
{
	const struct conf *conf = s->service->conf;

	return conf->ndomains > 0 ? conf->domains[0].name : conf->hostname;
}

/* Is it among the recipients already? */
static bool
is_repeated(const struct session *s, const struct address *a)
{
	const char *p = s->rcpts.p;
	uint32_t n = s->nrcpts < REPEATED_MAX ? s->nrcpts : REPEATED_MAX;

	for (; n > 0; n--, p += 1 + (size_t)(uint8_t)*p + 1)
		if ((uint8_t)*p == a->n && memcmp(p + 1, a->text, a->n) == 0)
			return true;
	return false;
}

/*
 * <postmaster> alone is legal in RCPT (RFC 5321 section 4.1.1.3) and nowhere
 * behind it: it is that of the first domain, or whoever plays that part where
 * there is no domain.
 */
static bool
complete(const struct session *s, struct address *a)
{
	const struct conf *conf = s->service->conf;
	char text[sizeof "postmaster@" + ADDRESS_DOMAIN_MAX];

	*a = s->rcpt;
	if (a->at < a->n)
		return true;
	if (conf->ndomains == 0)
		return address_parse(a, span_of(conf->postmaster)) == 0;
	snprintf(text, sizeof text, "postmaster@%s", conf->domains[0].name);
	return address_parse(a, span_of(text)) == 0;
}

static bool
add_rcpt(struct session *s)
{
	char entry[RCPT_ROOM];
	struct address a;

	if (!complete(s, &a))
		return false;
	if (is_repeated(s, &a))
		return true;
	entry[0] = (char)(uint8_t)a.n;
	memcpy(entry + 1, a.text, a.n);
	entry[1 + a.n] = '\0';
	if (buf_add(&s->rcpts, entry, (size_t)a.n + 2) == -1)
		return false;
	s->nrcpts++;
	s->beyond |= !address_is_ascii(&a);
	return true;
}

/* What may answer further RCPTs: never a 4yz, which is about now. */
static void
remember(struct session *s, const struct reply *reply)
{
	if (reply->scope != SCOPE_DOMAIN && reply->scope != SCOPE_SESSION)
		return;
	if (reply_class(reply) != 2 && reply_class(reply) != 5)
		return;
	if (!span_copy(s->verdict.domain, sizeof s->verdict.domain,
		address_domain(&s->rcpt)))
		return;
	s->verdict.reply = *reply;
	s->verdict.known = true;
}

static void
judge(struct session *s, const struct reply *reply, struct step *st)
{
	struct reply error;

	fill_verdict(s, st, CMD_RCPT, reply);
	if (reply_class(&st->reply) != 2) {
		s->nrefused++;
		return;
	}
	if (add_rcpt(s))
		return;
	reply_make(&error, R_LOCAL_ERROR, NULL);
	fill(s, st, CMD_RCPT, &error);
	s->nrefused++;
}

void
session_verdict(struct session *s, const struct reply *reply, struct step *st)
{
	struct reply answer = *reply;

	assert(s->asking);
	s->asking = false;
	if (s->asked_by != CMD_RCPT) {
		inquiry_answer(s, &answer);
		fill_verdict(s, st, s->asked_by, &answer);
		/* As those that are answered at once; the limit is looked at
		 * with the next line. */
		if (reply_class(&st->reply) == 2)
			s->useless++;
		return;
	}
	assert(s->phase == PHASE_MAIL);
	remember(s, reply);
	judge(s, reply, st);
}

void
session_judge(struct session *s, struct step *st)
{
	if (s->verdict.known &&
	    (s->verdict.reply.scope == SCOPE_SESSION ||
		span_eq(
		    address_domain(&s->rcpt), span_of(s->verdict.domain)))) {
		judge(s, &s->verdict.reply, st);
		return;
	}
	session_ask(s, CMD_RCPT, st);
}

/* ---- the end of the data ----------------------------------------------- */

void
session_done(struct session *s, const struct reply *reply, struct step *st)
{
	enum reply_command command = s->chunks.any ? CMD_BDAT : CMD_DATA_END;

	assert(s->phase == PHASE_DATA && s->chunks.any == s->chunks.last);
	session_reset(s);
	fill_verdict(s, st, command, reply);
	if (reply_class(&st->reply) == 2) {
		s->useless = 0;
		s->accepted++;
	}
}

void
session_chunk(struct session *s, const struct reply *refusal, struct step *st)
{
	struct reply taken;
	char octets[24];

	assert(s->phase == PHASE_DATA && s->chunks.any && !s->chunks.last);
	s->phase = PHASE_CHUNKS;
	snprintf(
	    octets, sizeof octets, "%llu", (unsigned long long)s->chunks.size);
	reply_make(&taken, R_CHUNK, octets);
	fill_verdict(s, st, CMD_BDAT, refusal != NULL ? refusal : &taken);
}

void
session_skip(struct session *s, struct span *in)
{
	size_t n = in->n < s->skip ? in->n : (size_t)s->skip;

	*in = span_skip(*in, n);
	/* UINT64_MAX: who announces so much is never heard again. */
	if (s->skip != UINT64_MAX)
		s->skip -= n;
}

/* ---- text -------------------------------------------------------------- */

/* RFC 5321 section 4.1.1.1: the name, then one keyword a line. */
static size_t
format_ehlo(const struct session *s, const struct step *st,
    char text[STEP_TEXT_MAX + 1])
{
	struct reply line = st->reply;
	size_t n = reply_format(text, &line, false, true), last = 0;

	if (s->local)
		n += (size_t)snprintf(text + n, STEP_TEXT_MAX + 1 - n,
		    "250-XQUALIFY %s\r\n", session_domain(s));
	for (unsigned i = 0; i < EXT_END; i++) {
		if ((s->offers & EXT_BIT(i)) == 0)
			continue;
		last = n;
		n += (size_t)snprintf(text + n, STEP_TEXT_MAX + 1 - n, "250-%s",
		    extension_name(i));
		if (i == EXT_SIZE)
			n += (size_t)snprintf(text + n, STEP_TEXT_MAX + 1 - n,
			    " %llu",
			    (unsigned long long)s->service->conf->message_size);
		if (i == EXT_LIMITS) /* RFC 9422 */
			n += (size_t)snprintf(text + n, STEP_TEXT_MAX + 1 - n,
			    " RCPTMAX=%u", s->service->conf->max_recipients);
		n += (size_t)snprintf(text + n, STEP_TEXT_MAX + 1 - n, "\r\n");
	}
	text[last + 3] = ' ';
	return n;
}

size_t
session_format(const struct session *s, const struct step *st,
    char text[STEP_TEXT_MAX + 1])
{
	if (st->command == CMD_EHLO && st->reply.code == 250)
		return format_ehlo(s, st, text);
	return reply_format(text, &st->reply,
	    !s->plain && (s->offers & EXT_BIT(EXT_ENHANCEDSTATUSCODES)) != 0,
	    false);
}
