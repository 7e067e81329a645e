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

#include "admin/sendmail/submission.h"

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
	complain("%s: %s", what, text);
	worsen(s, status_of(r));
}

static _Noreturn void
lost(const char *when)
{
	fail(EX_TEMPFAIL, "the mail service went away (%s) %s",
	    strerrordesc_np(errno), when);
}

static void
hello(struct submission *s)
{
	char error[SERVICE_ERROR_MAX];
	struct reply r;

	if (service_connect(s->o, &s->server, error) == -1)
		fail(EX_TEMPFAIL, "%s; the message was not sent", error);
	if (server_hello(&s->server, &r) == -1)
		lost("before anything was sent");
	if (reply_class(&r) == 2)
		return;
	refused(s, "the mail service", &r);
	exit(s->status);
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

	if (v->size && m->whole)
		snprintf(size, sizeof size, " SIZE=%zu",
		    s->top.n + s->body.n + m->block.n);
	if (v->dsn && o->envid != NULL)
		add_xtext(envid, sizeof envid, o->envid);
	if (server_say(&s->server, &r, "MAIL FROM:<%s>%s%s%s%s%s%s",
		s->sender.text, size,
		v->eight_bit && eight ? " BODY=8BITMIME" : "",
		v->dsn && o->ret != NULL ? " RET=" : "",
		v->dsn && o->ret != NULL ? o->ret : "",
		envid[0] != '\0' ? " ENVID=" : "", envid) == -1)
		lost("before anything was sent");
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
		if (server_say(&s->server, &r, "RCPT TO:<%s>%s%s", rcpt,
			notify ? " NOTIFY=" : "",
			notify ? o->notify : "") == -1)
			lost("before the message was sent");
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

static void
send_content(struct submission *s, struct span content)
{
	static char out[DOT_OUT_MAX(4096)];

	while (content.n > 0) {
		size_t n = content.n < 4096 ? content.n : 4096;
		size_t len = dot_write(&s->dots, span_from(content.p, n), out);

		if (server_write(&s->server, out, len) == -1)
			lost("before the message was sent");
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
	struct reply r;
	size_t n;

	dot_writer_init(&s->dots);
	send_content(s, buf_span(&s->top));
	send_content(s, s->body);
	send_content(s, m->block);
	while (!m->whole) {
		message_next(m);
		check_size(s);
		send_content(s, m->block);
	}
	n = dot_write_end(&s->dots, end);
	if (server_write(&s->server, end, n) == -1)
		lost("before the message was sent");
	if (server_reply(&s->server, &r) == -1)
		lost("and did not say whether it has the message");
	if (reply_class(&r) != 2)
		refused(s, "the message was not sent", &r);
	else if (s->o->verbose)
		printf("%s\n", r.text);
}

/* One message, for the recipients from *at on; false: no other is of use. */
static bool
transaction(struct submission *s, size_t *at)
{
	struct reply r;

	if (!say_mail(s))
		return false;
	if (say_rcpts(s, at) == 0)
		return false;
	if (server_say(&s->server, &r, "DATA") == -1)
		lost("before the message was sent");
	if (r.code != 354) {
		refused(s, "the message was not sent", &r);
		return false;
	}
	say_content(s);
	return s->message.whole;
}

int
send_message(const struct options *o)
{
	static struct submission s;
	struct reply r;
	size_t at = 0;

	s.o = o;
	rcpts_init(&s.rcpts);
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
	hello(&s);
	check_size(&s);
	make_top(&s);
	while (at < s.rcpts.text.n && transaction(&s, &at))
		;
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

	s.o = o;
	rcpts_init(&s.rcpts);
	take_words(&s);
	if (s.rcpts.n == 0)
		fail(EX_USAGE, "-bv: an address would be right");
	hello(&s);
	if (server_say(&s.server, &r, "MAIL FROM:<>") == -1)
		lost("before it answered");
	if (reply_class(&r) != 2)
		refused(&s, "the mail service", &r);
	while (
	    s.status == EX_OK && (rcpt = rcpts_next(&s.rcpts, &at)) != NULL) {
		char text[REPLY_LINE_MAX];

		if (server_say(&s.server, &r, "RCPT TO:<%s>", rcpt) == -1)
			lost("before it answered");
		reply_text(text, sizeof text, &r);
		printf("%s: %s\n", rcpt, text);
		if (reply_class(&r) != 2)
			worsen(&s, status_of(&r));
	}
	(void)server_say(&s.server, &r, "QUIT");
	server_close(&s.server);
	return s.status;
}
