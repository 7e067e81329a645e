/*
 * test_dialogue.c - every dialogue of tests/dialogues through the session code.
 *
 * A file is a dialogue, a line a turn of one side:
 *
 *   C text       a line of the client, CRLF added; \r \n \0 \\ are escapes
 *   LONG n       a line of the client of n octets, CRLF included
 *   S text       the next line of the reply; `*` at its end is any rest
 *   REST code    the rest of the reply, whatever its text
 *   D text       octets of a chunk (BDAT), accepted or refused; escapes as in C
 *   L code [scope [text]]  lookup's word: on the client, or a recipient
 *   Q code [text]          the content is over, and queue's word on it
 *   CLOSE        the server closes
 *   STATE code   what queue says to new mail from here on
 *   SET key n    a setting; before anything is said
 *   # …          a comment
 *
 * Each is played with lines as a whole and byte by byte.  Every reply must have
 * a code that its command may get, and none may be left unread.
 */
#include <check.h>
#include <dirent.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "smtpd/session.h"

#define DIALOGUES     "tests/dialogues"
#define DIALOGUES_MIN 10

struct stage {
	const char *file;
	unsigned line;
	bool bytes; /* byte by byte */
	struct conf conf;
	struct session_service service;
	struct session s;
	struct line_reader lines;
	bool begun, closed;
	enum session_action action; /* of the last step */
	char said[STEP_TEXT_MAX + 1];
	struct span unread; /* of said */
	unsigned turns;
};

_Noreturn static void __attribute__((format(printf, 2, 3)))
wrong(const struct stage *p, const char *fmt, ...)
{
	char text[STEP_TEXT_MAX + 256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	ck_abort_msg("%s:%u: %s", p->file, p->line, text);
	abort();
}

static void
begin(struct stage *p)
{
	if (p->begun)
		return;
	p->begun = true;
	p->service.conf = &p->conf;
	reply_make(&p->service.queue, R_DONE, NULL);
	session_init(&p->s, &p->service);
	line_init(&p->lines, p->conf.max_line);
}

static void
take_step(struct stage *p, const struct step *st)
{
	const struct reply *r = &st->reply;
	size_t n;

	p->action = st->action;
	p->turns++;
	/* A chunk is answered behind its octets. */
	ck_assert_int_eq(r->code == 0,
	    st->action == ACTION_ASK ||
		(st->action == ACTION_CONTENT && p->s.chunks.any));
	if (st->action == ACTION_CLOSE) {
		ck_assert_int_eq(p->s.phase, PHASE_END);
		p->closed = true;
	}
	if (r->code == 0)
		return;
	if (!reply_allowed(st->command, r->code))
		wrong(p, "%u is no reply to %s", r->code,
		    reply_command_name(st->command));
	if (r->esc.class != 0)
		ck_assert_uint_eq(r->esc.class, r->code / 100);
	n = session_format(&p->s, st, p->said);
	ck_assert_uint_le(n, STEP_TEXT_MAX);
	ck_assert_uint_eq(strlen(p->said), n);
	p->unread = span_from(p->said, n);
}

static void
must_be_read(const struct stage *p)
{
	if (p->unread.n > 0)
		wrong(p, "not expected: %.*s", (int)p->unread.n, p->unread.p);
}

/* One line of the client's, whose CRLF is the last thing in it. */
static void
feed(struct stage *p, struct span text)
{
	enum line_result result = LINE_MORE;
	struct span in = text, line;
	size_t kept = 0, used = p->bytes ? 1 : text.n;
	struct step st;

	begin(p);
	must_be_read(p);
	for (; result == LINE_MORE && used <= text.n; used++) {
		in = span_from(text.p + kept, used - kept);
		result = line_next(&p->lines, &in, &line);
		kept = used - in.n;
	}
	ck_assert_int_ne(result, LINE_MORE);
	ck_assert_uint_eq(in.n, 0);
	session_line(&p->s, result, line, &st);
	take_step(p, &st);
}

static size_t
unescape(char *line, size_t max, struct span text)
{
	size_t n = 0;

	for (size_t i = 0; i < text.n; i++) {
		char c = text.p[i];

		ck_assert_uint_lt(n, max);
		if (c == '\\' && i + 1 < text.n) {
			c = text.p[++i];
			c = (char)(c == 'r' ? '\r'
				: c == 'n'  ? '\n'
				: c == '0'  ? '\0'
					    : c);
		}
		line[n++] = c;
	}
	return n;
}

static void
client(struct stage *p, struct span text)
{
	char line[4096];
	size_t n = unescape(line, sizeof line - 2, text);

	memcpy(line + n, "\r\n", 2);
	feed(p, span_from(line, n + 2));
}

/* As much as was announced, no less, no more; of one that is not the last, its
 * end is known here. */
static void
data(struct stage *p, struct span text)
{
	char octets[4096];
	struct span in =
	    span_from(octets, unescape(octets, sizeof octets, text));
	struct step st;

	if (p->s.skip > 0) {
		session_skip(&p->s, &in);
		ck_assert_uint_eq(in.n, 0);
		return;
	}
	must_be_read(p);
	if (p->s.phase != PHASE_DATA || in.n > p->s.chunks.left)
		wrong(p, "so much is not announced");
	p->s.chunks.left -= in.n;
	if (p->s.chunks.left > 0 || p->s.chunks.last)
		return;
	session_chunk(&p->s, NULL, &st);
	take_step(p, &st);
}

static void
rest(struct stage *p, struct span want)
{
	if (!span_starts(p->unread, "250") || !span_is(want, "250"))
		wrong(p, "said: %.*s", (int)p->unread.n, p->unread.p);
	p->unread.n = 0;
}

static void
client_long(struct stage *p, struct span count)
{
	char *line;
	uint64_t n;

	ck_assert(span_number(count, 1 << 20, &n) && n >= 2);
	line = malloc(n);
	ck_assert_ptr_nonnull(line);
	memset(line, 'x', n);
	memcpy(line + n - 2, "\r\n", 2);
	feed(p, span_from(line, n));
	free(line);
}

static void
server(struct stage *p, struct span want)
{
	struct span line = span_cut(&p->unread, '\n');
	bool any = want.n > 0 && want.p[want.n - 1] == '*';

	if (line.n == 0)
		wrong(p, "nothing was said");
	ck_assert_int_eq(line.p[line.n - 1], '\r');
	line.n--;
	if (any)
		want.n--;
	if (any && line.n > want.n)
		line.n = want.n;
	if (!span_eq(line, want))
		wrong(p, "said: %.*s", (int)line.n, line.p);
}

static struct reply
reply_of(struct stage *p, struct span text)
{
	struct span code = span_cut(&text, ' ');
	struct span scope = span_cut(&text, ' ');
	struct reply r = { .scope = SCOPE_RECIPIENT };
	uint64_t n;

	if (!span_number(code, 599, &n))
		wrong(p, "a code comes first");
	r.code = (uint16_t)n;
	if (r.code / 100 == 2 || r.code / 100 == 4 || r.code / 100 == 5)
		r.esc.class = (uint8_t)(r.code / 100);
	if (span_is(scope, "domain"))
		r.scope = SCOPE_DOMAIN;
	else if (span_is(scope, "session"))
		r.scope = SCOPE_SESSION;
	ck_assert(span_copy(r.text, sizeof r.text, text));
	return r;
}

static void
lookup(struct stage *p, struct span text)
{
	struct reply r = reply_of(p, text);
	struct step st;

	begin(p);
	if (p->s.phase == PHASE_CONNECT)
		session_client(&p->s, &r, &st);
	else if (p->action == ACTION_ASK)
		session_verdict(&p->s, &r, &st);
	else
		wrong(p, "lookup is not asked");
	take_step(p, &st);
}

static void
queue(struct stage *p, struct span text)
{
	struct reply r = reply_of(p, text);
	struct step st;

	if (p->s.phase != PHASE_DATA)
		wrong(p, "there is no content");
	must_be_read(p);
	session_done(&p->s, &r, &st);
	take_step(p, &st);
}

static void
set(struct stage *p, struct span text)
{
	struct span key = span_cut(&text, ' ');
	uint64_t n;

	ck_assert(!p->begun && span_number(text, UINT32_MAX, &n));
	if (span_is(key, "max_recipients"))
		p->conf.max_recipients = (uint32_t)n;
	else if (span_is(key, "max_useless"))
		p->conf.max_useless = (uint32_t)n;
	else if (span_is(key, "message_size"))
		p->conf.message_size = n;
	else if (span_is(key, "disclose"))
		p->conf.disclose = n != 0;
	else if (span_is(key, "send"))
		p->conf.send_mailbox = n != 0;
	else
		wrong(p, "no such setting");
}

static void
state(struct stage *p, struct span text)
{
	begin(p);
	p->service.queue = reply_of(p, text);
}

static void
closes(struct stage *p, struct span text)
{
	ck_assert_uint_eq(text.n, 0);
	must_be_read(p);
	if (!p->closed)
		wrong(p, "it does not close");
}

static void
play_line(struct stage *p, struct span text)
{
	static const struct {
		const char *word;
		void (*play)(struct stage *, struct span);
	} turns[] = {
		{ "C", client },
		{ "LONG", client_long },
		{ "S", server },
		{ "D", data },
		{ "REST", rest },
		{ "L", lookup },
		{ "Q", queue },
		{ "SET", set },
		{ "STATE", state },
		{ "CLOSE", closes },
	};
	struct span word;

	if (text.n == 0 || text.p[0] == '#')
		return;
	word = span_cut(&text, ' ');
	for (size_t i = 0; i < sizeof turns / sizeof *turns; i++)
		if (span_is(word, turns[i].word)) {
			if (p->closed && turns[i].play != closes &&
			    turns[i].play != server)
				wrong(p, "it was closed");
			turns[i].play(p, text);
			return;
		}
	wrong(p, "what is this?");
}

static void
play(const char *file, bool bytes)
{
	struct conf_domain domain = { .name = "example.org" };
	struct stage p = { .file = file,
		.bytes = bytes,
		.conf = { .hostname = "mail.example.org",
		    .message_size = 1000000,
		    .max_recipients = 100,
		    .max_useless = 100,
		    .max_line = 512,
		    .ndomains = 1,
		    .domains = &domain } };
	char text[4096];
	FILE *f = fopen(file, "r");

	ck_assert_ptr_nonnull(f);
	while (fgets(text, sizeof text, f) != NULL) {
		p.line++;
		text[strcspn(text, "\n")] = '\0';
		play_line(&p, span_of(text));
	}
	fclose(f);
	must_be_read(&p);
	if (p.turns == 0)
		wrong(&p, "nothing was played");
	session_fini(&p.s);
}

START_TEST(each_dialogue_goes_as_written)
{
	DIR *dir = opendir(DIALOGUES);
	const struct dirent *e;
	char path[512];
	size_t n = 0;

	ck_assert_msg(dir != NULL, "run it from the root of the sources");
	while ((e = readdir(dir)) != NULL) {
		const char *end = strrchr(e->d_name, '.');

		if (end == NULL || strcmp(end, ".txt") != 0)
			continue;
		snprintf(path, sizeof path, DIALOGUES "/%s", e->d_name);
		play(path, false);
		play(path, true);
		n++;
	}
	closedir(dir);
	ck_assert_uint_ge(n, DIALOGUES_MIN);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("dialogue");
	TCase *tc = tcase_create("dialogue");
	SRunner *r;
	int failed;

	tcase_add_test(tc, each_dialogue_goes_as_written);
	suite_add_tcase(s, tc);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
