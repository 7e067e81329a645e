/*
 * submit.c - a message from standard input to smtpd.
 *
 * Everything that can be wrong on our side is found before MAIL is said; content
 * is ended by its dot only when standard input was read to its end.  Whatever
 * goes wrong before, the connection is closed, and smtpd forgets the message.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "admin/sendmail/submission.h"

/* Five seconds for a process to be started again. */
#define TRIES	     20
#define PAUSE_MS     250
#define REFUSALS_MAX (256 * 1024)

static int
status_of(const struct reply *r)
{
	if (reply_class(r) == 4)
		return EX_TEMPFAIL;
	if (r->esc.class == 5 && r->esc.subject == 1)
		return EX_NOUSER;
	if (r->esc.class == 5 && r->esc.subject == 7)
		return EX_NOPERM;
	if ((r->esc.class == 5 && r->esc.subject == 6) || r->code == 552)
		return EX_DATAERR;
	return EX_UNAVAILABLE;
}

/* What is worth another try outweighs what is not. */
static void
worsen(struct submission *s, int status)
{
	if (s->status == EX_OK || status == EX_TEMPFAIL)
		s->status = status;
}

static void
refused(struct submission *s, const char *what, const struct reply *r)
{
	char text[REPLY_LINE_MAX];

	reply_text(text, sizeof text, r);
	if (buf_addf(&s->refusals, "%s: %s\n", what, text) == -1)
		complain("%s: %s", what, text);
	worsen(s, status_of(r));
}

static void
tell_refusals(struct submission *s)
{
	struct span all = buf_span(&s->refusals);

	while (all.n > 0) {
		struct span line = span_cut(&all, '\n');

		complain("%.*s", (int)line.n, line.p);
	}
	buf_clear(&s->refusals);
}

static _Noreturn void
lost(struct submission *s, const char *when)
{
	int error = errno;

	tell_refusals(s);
	fail(EX_TEMPFAIL, "the mail service went away (%s) %s",
	    strerrordesc_np(error), when);
}

/* ---- up to DATA -------------------------------------------------------------- */

/* Nothing of the message is there yet: a process that died and is started again,
 * or a connection that it took along, is worth another try.  4.3: the state of
 * the mail system, RFC 3463 section 3.4. */
static bool
is_passing(const struct reply *r)
{
	return r->code == 421 || (r->code == 451 && r->esc.subject == 3);
}

/* The reply to a command is there (rc 0), or will never be; true: it counts. */
static bool
counts(struct submission *s, int rc, const struct reply *r)
{
	if (rc == 0 && !is_passing(r))
		return true;
	s->again = s->tries > 0;
	if (rc == -1 && !s->again)
		lost(s, "before anything was sent");
	return !s->again;
}

static bool
say_hello(struct submission *s)
{
	char error[SERVICE_ERROR_MAX];
	struct reply r;

	if (service_connect(s->o, &s->server, error) == -1) {
		tell_refusals(s);
		fail(EX_TEMPFAIL, "%s; the message was not sent", error);
	}
	if (!counts(s, server_hello(&s->server, &r), &r))
		return false;
	if (reply_class(&r) == 2)
		return true;
	refused(s, "the mail service", &r);
	return false;
}

/* RFC 3461 section 4: octets that are no xchar, + and = become +XX. */
static void
add_xtext(char *dst, size_t size, const char *s)
{
	size_t n = 0;

	for (; *s != '\0' && n + 4 < size; s++)
		if (*s > ' ' && *s <= '~' && *s != '+' && *s != '=')
			dst[n++] = *s;
		else
			n += (size_t)snprintf(
			    dst + n, size - n, "+%02X", (unsigned char)*s);
	dst[n] = '\0';
}

static bool
say_mail(struct submission *s)
{
	const struct server *v = &s->server;
	const struct options *o = s->o;
	const struct message *m = &s->message;
	bool eight =
	    m->whole ? m->text.eight_bit || o->eight_bit : !o->seven_bit;
	char size[32] = "", envid[400] = "";
	struct reply r;
	int rc;

	if (v->size && m->whole)
		snprintf(size, sizeof size, " SIZE=%llu",
		    (unsigned long long)(s->top.n + s->body.n + m->in_file +
			m->block.n));
	if (v->dsn && o->envid != NULL)
		add_xtext(envid, sizeof envid, o->envid);
	rc = server_say(&s->server, &r, "MAIL FROM:<%s>%s%s%s%s%s%s",
	    s->sender.text, size, v->eight_bit && eight ? " BODY=8BITMIME" : "",
	    v->dsn && o->ret != NULL ? " RET=" : "",
	    v->dsn && o->ret != NULL ? o->ret : "",
	    envid[0] != '\0' ? " ENVID=" : "", envid);
	if (!counts(s, rc, &r))
		return false;
	if (reply_class(&r) == 2)
		return true;
	refused(s, "the message was not sent", &r);
	return false;
}

/*
 * From *at on, as many as go with one message.  RFC 5321 section 4.5.3.1.10: a
 * 452 behind others asks for another message; that is possible only where all of
 * it is here.
 */
static size_t
say_rcpts(struct submission *s, size_t *at)
{
	const struct options *o = s->o;
	bool notify = s->server.dsn && o->notify != NULL;
	size_t accepted = 0, here = *at;
	const char *rcpt;
	struct reply r;

	while ((rcpt = rcpts_next(&s->rcpts, &here)) != NULL) {
		int rc = server_say(&s->server, &r, "RCPT TO:<%s>%s%s", rcpt,
		    notify ? " NOTIFY=" : "", notify ? o->notify : "");

		if (!counts(s, rc, &r))
			return 0;
		if (r.code == 452 && r.esc.subject == 5 && accepted > 0 &&
		    s->message.whole)
			break;
		*at = here;
		if (reply_class(&r) == 2)
			accepted++;
		else
			refused(s, rcpt, &r);
	}
	return accepted;
}

static bool
say_data(struct submission *s)
{
	struct reply r;
	int rc = server_say(&s->server, &r, "DATA");

	if (!counts(s, rc, &r))
		return false;
	if (r.code == 354)
		return true;
	refused(s, "the message was not sent", &r);
	return false;
}

/* A transaction up to its content, for recipients from *at on. */
static bool
try_begin(struct submission *s, size_t *at)
{
	s->again = false;
	if (s->server.fd == -1) {
		if (!say_hello(s))
			return false;
		if (s->top.max == 0)
			make_top(s);
	}
	return say_mail(s) && say_rcpts(s, at) > 0 && say_data(s);
}

static bool
begin(struct submission *s, size_t *at)
{
	const struct timespec pause = { .tv_nsec = PAUSE_MS * 1000 * 1000 };
	int status = s->status;
	size_t from = *at;
	bool begun;

	for (begun = try_begin(s, at); s->again; begun = try_begin(s, at)) {
		s->tries--;
		s->status = status;
		buf_clear(&s->refusals);
		*at = from;
		server_close(&s->server);
		nanosleep(&pause, NULL);
	}
	tell_refusals(s);
	return begun;
}

/* ---- content ----------------------------------------------------------------- */

/* It takes no more; it may have said why. */
static _Noreturn void
broken(struct submission *s)
{
	int error = errno;
	struct reply r;

	if (server_reply(&s->server, &r) == -1) {
		errno = error;
		lost(s, "before the message was sent");
	}
	refused(s, "the message was not sent", &r);
	tell_refusals(s);
	exit(s->status);
}

static void
send_content(struct submission *s, struct span content)
{
	static char out[DOT_OUT_MAX(4096)];

	while (content.n > 0) {
		size_t n = content.n < 4096 ? content.n : 4096;
		size_t len = dot_write(&s->dots, span_from(content.p, n), out);

		if (server_write(&s->server, out, len) == -1)
			broken(s);
		content = span_skip(content, n);
	}
}

static void
check_size(const struct submission *s)
{
	const struct server *v = &s->server;

	if (v->size_max > 0 && s->message.text.size > v->size_max)
		fail(EX_DATAERR,
		    "the message is longer than %llu octets; nothing was sent",
		    (unsigned long long)v->size_max);
}

static void
say_content(struct submission *s)
{
	struct message *m = &s->message;
	char end[DOT_END_MAX];
	struct span piece;
	struct reply r;
	uint64_t at = 0;
	size_t n;

	dot_writer_init(&s->dots);
	send_content(s, buf_span(&s->top));
	send_content(s, s->body);
	while ((piece = message_piece(m, at)).n > 0) {
		send_content(s, piece);
		at += piece.n;
	}
	send_content(s, m->block);
	while (!m->whole) {
		message_next(m);
		check_size(s);
		send_content(s, m->block);
	}
	n = dot_write_end(&s->dots, end);
	if (server_write(&s->server, end, n) == -1)
		broken(s);
	if (server_reply(&s->server, &r) == -1)
		lost(s, "and did not say whether it has the message");
	if (reply_class(&r) != 2) {
		refused(s, "the message was not sent", &r);
		tell_refusals(s);
	} else if (s->o->verbose)
		printf("%s\n", r.text);
}

static void
init(struct submission *s, const struct options *o)
{
	s->o = o;
	s->tries = TRIES;
	s->server.fd = -1;
	rcpts_init(&s->rcpts);
	buf_init(&s->refusals, REFUSALS_MAX);
}

int
send_message(const struct options *o)
{
	static struct submission s;
	struct reply r;
	size_t at = 0;

	init(&s, o);
	take_words(&s);
	take_sender(&s);
	if (s.rcpts.n == 0 && !o->from_header)
		fail(EX_USAGE,
		    "there is no recipient; addresses, or -t for "
		    "those of the header, would be right");
	take_message(&s);
	if (s.rcpts.n == 0)
		fail(EX_DATAERR,
		    "the header names no recipient in To, Cc or "
		    "Bcc; nothing was sent");
	while (at < s.rcpts.text.n && begin(&s, &at)) {
		check_size(&s);
		say_content(&s);
	}
	/* It has what it has; its goodbye changes nothing. */
	(void)server_say(&s.server, &r, "QUIT");
	server_close(&s.server);
	return s.status;
}

int
verify_addresses(const struct options *o)
{
	static struct submission s;
	const char *rcpt;
	struct reply r;
	size_t at = 0;

	init(&s, o);
	s.tries = 0;
	take_words(&s);
	if (s.rcpts.n == 0)
		fail(EX_USAGE, "-bv: an address would be right");
	if (say_hello(&s) &&
	    counts(&s, server_say(&s.server, &r, "MAIL FROM:<>"), &r) &&
	    reply_class(&r) != 2)
		refused(&s, "the mail service", &r);
	tell_refusals(&s);
	while (
	    s.status == EX_OK && (rcpt = rcpts_next(&s.rcpts, &at)) != NULL) {
		char text[REPLY_LINE_MAX];

		if (server_say(&s.server, &r, "RCPT TO:<%s>", rcpt) == -1)
			lost(&s, "before it answered");
		reply_text(text, sizeof text, &r);
		printf("%s: %s\n", rcpt, text);
		if (reply_class(&r) != 2)
			worsen(&s, status_of(&r));
	}
	(void)server_say(&s.server, &r, "QUIT");
	server_close(&s.server);
	return s.status;
}
