/*
 * prepare.c - from whom, to whom, and what.
 */
#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "admin/sendmail/submission.h"
#include "common/mail/address_list.h"
#include "common/mail/header.h"

/* Of a From field: an octet of a name takes three when it is encoded, and each
 * character may begin a word of its own. */
#define FROM_MAX (16 * NAME_MAX_OCTETS + ADDRESS_MAX + 64)

/* ---- from whom, to whom -------------------------------------------------- */

/* What is wrong with an address may be long, and anything. */
static _Noreturn void
fail_address(int status, const char *what, struct span bad)
{
	char text[81];
	size_t n = 0;

	for (; n < bad.n && n < sizeof text - 1; n++)
		text[n] = bad.p[n] >= ' ' && bad.p[n] <= '~' ? bad.p[n] : '?';
	text[n] = '\0';
	fail(status, "%s: \"%s\" is no address; nothing was sent", what, text);
}

/* Commas part them, so one word may name several. */
void
take_words(struct submission *s)
{
	for (size_t i = 0; i < s->o->nwords; i++) {
		struct span word = span_of(s->o->words[i]), bad = word;

		/* In a field they would be folding. */
		if (strpbrk(word.p, "\r\n") != NULL)
			fail_address(EX_USAGE, "command line", word);
		if (rcpts_add_list(&s->rcpts, word, &bad) == 0)
			continue;
		if (errno != EINVAL)
			fail(EX_TEMPFAIL, "recipients: %s",
			    strerrordesc_np(errno));
		fail_address(EX_USAGE, "command line", bad);
	}
}

static void
set_name(struct submission *s, const char *name, const char *login)
{
	size_t n = 0;

	/* The first field of gecos, where & is the login name. */
	for (; *name != '\0' && *name != ','; name++) {
		const char *add = *name == '&' && login != NULL ? login : NULL;
		size_t len = add != NULL ? strlen(add) : 1;

		if (n + len >= sizeof s->name)
			break;
		memcpy(s->name + n, add != NULL ? add : name, len);
		n += len;
	}
	s->name[n] = '\0';
}

static void
sender_is_caller(struct submission *s)
{
	const struct passwd *pw = getpwuid(getuid());

	if (pw == NULL)
		fail(EX_NOUSER,
		    "uid %u has no name here; -f ADDRESS would be right",
		    (unsigned)getuid());
	if (address_parse_bare(&s->sender, span_of(pw->pw_name)) == -1)
		fail(EX_NOUSER,
		    "the name of uid %u is no address; -f ADDRESS would be "
		    "right",
		    (unsigned)getuid());
	set_name(s, pw->pw_gecos, pw->pw_name);
}

void
take_sender(struct submission *s)
{
	const char *text = s->o->sender, *name = getenv("NAME");
	struct address_list l;
	struct span bad;

	if (text == NULL)
		sender_is_caller(s);
	else if (text[0] != '\0' && strcmp(text, "<>") != 0) {
		address_list_init(&l, span_of(text));
		if (address_list_next(&l, &s->sender, &bad) !=
			ADDRESS_LIST_NEXT ||
		    l.rest.n > 0)
			fail_address(EX_USAGE, "-f", span_of(text));
	}
	if (name != NULL && name[0] != '\0')
		snprintf(s->name, sizeof s->name, "%s", name);
	if (s->o->name != NULL)
		snprintf(s->name, sizeof s->name, "%s", s->o->name);
}

/* ---- the message --------------------------------------------------------- */

static void
split_message(struct submission *s)
{
	struct span kept = buf_span(&s->message.kept);
	size_t n;

	while ((n = header_envelope_line(kept)) > 0)
		kept = span_skip(kept, n);
	n = header_length(kept);
	s->header = span_from(kept.p, n);
	s->body = span_skip(kept, n);
	s->known = s->message.whole || header_ends(kept);
}

void
take_message(struct submission *s)
{
	struct span bad;

	message_init(&s->message, s->o->ignore_dots);
	message_keep(&s->message);
	split_message(s);
	if (!s->o->from_header)
		return;
	if (!s->known)
		fail(EX_DATAERR,
		    "the header is longer than %u octets, or than memory; "
		    "nothing was sent",
		    MESSAGE_KEPT_MAX);
	if (header_rcpts(s->header, &s->rcpts, &bad) == 0)
		return;
	if (errno != EINVAL)
		fail(EX_TEMPFAIL, "recipients: %s", strerrordesc_np(errno));
	fail_address(EX_DATAERR, "header", bad);
}

static bool
add_from(struct submission *s)
{
	struct address a = s->sender;

	/* Without a name smtpd does the same; nobody is <>. */
	if (header_count(s->header, "From", SPAN("")) > 0 ||
	    s->name[0] == '\0' || a.n == 0 || s->server.domain[0] == '\0')
		return true;
	return address_qualify(&a, span_of(s->server.domain)) == 0 &&
	    header_add_from(&s->top, s->name, a.text) == 0;
}

/* What stands above the body. */
void
make_top(struct submission *s)
{
	bool ok = true;

	buf_init(&s->top, s->header.n + FROM_MAX);
	if (!s->known)
		ok = buf_add_span(&s->top, s->header) == 0;
	else {
		ok = add_from(s) && header_add_public(&s->top, s->header) == 0;
		/* Or the body would be taken for a part of the header. */
		if (ok && s->body.n > 0 && !span_starts(s->body, "\r\n"))
			ok = buf_add_str(&s->top, "\r\n") == 0;
	}
	if (!ok)
		fail(EX_TEMPFAIL, "the header: %s; nothing was sent",
		    strerrordesc_np(errno));
}
