/*
 * fuzz_session.c - whole dialogues: what a client sends, and what lookup and
 * queue say to it, are the input's.
 *
 * Whatever they are: every reply is one that its command may get and is well
 * formed, no message is taken that lookup did not let in, and the same octets
 * in other pieces are the same dialogue.
 */
#include <stdlib.h>

#include "common/bytes/buf.h"
#include "smtpd/content.h"
#include "smtpd/session.h"

#define LINE_MAX_HERE 128
#define SIZE_MAX_HERE 256
#define PIECE_MAX     512

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

struct dialogue {
	struct session s;
	struct content content;
	struct line_reader lines;
	struct buf said;      /* all replies */
	struct span verdicts; /* of the others; what is used up is 250 */
	enum dot_mode mode;
	bool let_in; /* lookup has accepted a recipient */
};

static void
must(bool ok)
{
	if (!ok)
		abort();
}

/* ---- lookup and queue ---------------------------------------------------- */

/* Any reply that reply_get() takes: of other processes no more is believed. */
static struct reply
next_verdict(struct dialogue *d)
{
	struct reply r = { .code = 250 };
	unsigned a, b;

	if (d->verdicts.n < 2)
		return r;
	a = (uint8_t)d->verdicts.p[0];
	b = (uint8_t)d->verdicts.p[1];
	d->verdicts = span_skip(d->verdicts, 2);
	/* Every other one is 250: else few dialogues would get far. */
	r.code = a < 128 ? 250 : (uint16_t)(200 + (a - 128) * 3);
	r.scope = b % SCOPE_END;
	if (b & 16)
		r.esc = (struct reply_esc){ (uint8_t)(r.code / 100), 999, b };
	if (r.esc.class == 3)
		r.esc.class = 0;
	if (b & 32)
		memset(r.text, '~', b & 64 ? sizeof r.text - 1 : 5);
	return r;
}

/* ---- what is said ---------------------------------------------------------- */

/* Lines of one code, graphic, that end in CRLF. */
static void
well_formed(struct span text, unsigned code)
{
	bool last = false;

	must(text.n > 0);
	while (text.n > 0) {
		size_t n = span_line(text);
		uint64_t number;

		must(!last && n >= 6 && n <= REPLY_LINE_MAX);
		must(span_number(span_from(text.p, 3), 999, &number));
		must(number == code && (text.p[3] == ' ' || text.p[3] == '-'));
		last = text.p[3] == ' ';
		for (size_t i = 0; i < n - 2; i++)
			must(text.p[i] >= ' ' && text.p[i] <= '~');
		text = span_skip(text, n);
	}
	must(last);
}

static void
rcpts_are_whole(const struct session *s)
{
	const char *some[3];
	struct address a;
	uint32_t n, all = 0;
	size_t at = 0;

	while ((n = session_rcpts(s, &at, some, 3)) > 0)
		for (uint32_t i = 0; i < n; i++, all++) {
			must(address_parse_utf8(&a, span_of(some[i])) == 0);
			must(strcmp(a.text, some[i]) == 0);
		}
	must(all == s->nrcpts && all <= s->service->conf->max_recipients);
}

static void
check(struct dialogue *d, const struct step *st)
{
	struct session *s = &d->s;
	char text[STEP_TEXT_MAX + 1];
	size_t n;

	must((st->action == ACTION_CLOSE) == (s->phase == PHASE_END));
	must((st->action == ACTION_ASK) == s->asking);
	must((st->action == ACTION_CONTENT) == (s->phase == PHASE_DATA));
	must(s->skip == 0 || st->reply.code >= 500 || s->phase == PHASE_END);
	rcpts_are_whole(s);
	if (s->phase < PHASE_MAIL || s->phase > PHASE_DATA)
		must(s->nrcpts == 0 || s->phase == PHASE_END);
	if (s->phase == PHASE_DATA)
		must(s->nrcpts > 0 && d->let_in &&
		    st->reply.code == (s->chunks.any ? 0 : 354));
	if (st->action == ACTION_ASK ||
	    (st->action == ACTION_CONTENT && s->chunks.any))
		must(st->reply.code == 0);
	else
		must(st->reply.code != 0);
	if (st->reply.code == 0)
		return;
	must(reply_allowed(st->command, st->reply.code));
	must(s->useless <= s->service->conf->max_useless ||
	    s->phase == PHASE_END);
	n = session_format(s, st, text);
	must(n <= STEP_TEXT_MAX);
	well_formed(span_from(text, n), st->reply.code);
	must(buf_add(&d->said, text, n) == 0);
}

/* ---- the dialogue ---------------------------------------------------------- */

/* True when the last one is over. */
static bool
take_chunk(struct dialogue *d, struct span *in, char *out)
{
	struct span piece = *in;
	bool last = d->s.chunks.last;
	struct step st;

	if (piece.n > d->s.chunks.left)
		piece.n = (size_t)d->s.chunks.left;
	*in = span_skip(*in, piece.n);
	d->s.chunks.left -= piece.n;
	last = last && d->s.chunks.left == 0;
	must(content_chunk(&d->content, piece, last, out) <=
	    DOT_OUT_MAX(piece.n));
	if (d->s.chunks.left > 0 || last)
		return last;
	session_chunk(&d->s, NULL, &st);
	check(d, &st);
	return false;
}

static void
take_content(struct dialogue *d, struct span *in)
{
	char out[DOT_OUT_MAX(PIECE_MAX + LINE_MAX_HERE)];
	enum reply_name fault;
	struct reply r;
	struct step st;
	size_t n;

	if (d->s.chunks.any && !take_chunk(d, in, out))
		return;
	if (!d->s.chunks.any && !content_read(&d->content, in, out, &n))
		return;
	fault = content_fault(&d->content);
	if (fault != R_COUNT)
		reply_make(&r, fault, NULL);
	else
		r = next_verdict(d);
	session_done(&d->s, &r, &st);
	must(d->s.nrcpts == 0);
	must(reply_class(&st.reply) != 2 || fault == R_COUNT);
	check(d, &st);
}

static bool
take_line(struct dialogue *d, struct span *in)
{
	struct span line;
	struct step st;
	enum line_result result = line_next(&d->lines, in, &line);

	if (result == LINE_MORE)
		return false;
	session_line(&d->s, result, line, &st);
	check(d, &st);
	if (st.action == ACTION_CONTENT && d->s.chunks.size == d->s.chunks.left)
		content_init(&d->content,
		    d->s.body == BODY_BINARYMIME ? DOT_BINARY : d->mode,
		    SIZE_MAX_HERE);
	if (st.action == ACTION_CONTENT && d->s.chunks.any &&
	    d->s.chunks.left == 0)
		take_content(d, &(struct span){ NULL, 0 });
	if (st.action == ACTION_ASK) {
		struct reply r = next_verdict(d);

		/* VRFY and EXPN let nobody in, and never say 4yz. */
		bool rcpt = d->s.asked_by == CMD_RCPT;
		uint32_t before = d->s.nrcpts;

		d->let_in |= rcpt && reply_class(&r) == 2;
		session_verdict(&d->s, &r, &st);
		must(!rcpt || reply_class(&st.reply) != 2 ||
		    reply_class(&r) == 2);
		must(rcpt || d->s.nrcpts == before);
		check(d, &st);
	}
	return true;
}

static void
take_all(struct dialogue *d, struct span in, size_t step)
{
	struct buf held;

	buf_init(&held, PIECE_MAX + LINE_MAX_HERE);
	while (in.n > 0 && d->s.phase != PHASE_END) {
		size_t k = in.n < step ? in.n : step;
		struct span rest;

		must(buf_add(&held, in.p, k) == 0);
		in = span_skip(in, k);
		rest = buf_span(&held);
		while (rest.n > 0 && d->s.phase != PHASE_END) {
			if (d->s.skip > 0)
				session_skip(&d->s, &rest);
			else if (d->s.phase == PHASE_DATA)
				take_content(d, &rest);
			else if (!take_line(d, &rest))
				break;
		}
		buf_drop(&held, held.n - rest.n);
	}
	buf_fini(&held);
}

static void
run(struct buf *said, unsigned how, struct span in, struct span verdicts,
    size_t step)
{
	static const struct conf_listen listen = { .refuse = REFUSE_HELLO };
	static struct conf_domain domain = { .name = "example.org" };
	struct conf conf = { .hostname = "mail.example.org",
		.postmaster = "root@host.example",
		.domains = &domain,
		.ndomains = how & 1,
		.message_size = SIZE_MAX_HERE,
		.max_recipients = 3,
		.max_useless = 4,
		.disclose = (how & 32) != 0,
		.send_mailbox = (how & 64) != 0,
		.max_line = LINE_MAX_HERE };
	struct session_service service = { .conf = &conf };
	struct dialogue d = { .verdicts = verdicts,
		.mode = how & 2 ? DOT_CONVERT : DOT_REJECT };
	struct reply r = { .code = 220 };
	struct step st;

	reply_make(&service.queue, how & 4 ? R_NO_SPACE : R_DONE, NULL);
	buf_init(&d.said, said->max);
	line_init(&d.lines, conf.max_line);
	session_init(&d.s, &service);
	d.s.local = (how & 8) != 0;
	d.s.listen = how & 128 ? &listen : NULL;
	if (how & 16)
		r = next_verdict(&d);
	session_client(&d.s, &r, &st);
	check(&d, &st);
	take_all(&d, in, step);
	session_fini(&d.s);
	*said = d.said;
}

/* An octet for how, one for how many there are of verdicts, those, the client. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const size_t steps[] = { 1, 7, PIECE_MAX };
	struct span in = span_from(data, size), verdicts;
	struct buf said[3];
	unsigned how;
	size_t n;

	if (size < 2)
		return 0;
	how = data[0];
	n = data[1] % 32u * 2;
	in = span_skip(in, 2);
	n = n < in.n ? n : in.n;
	verdicts = span_from(in.p, n);
	in = span_skip(in, n);
	for (int i = 0; i < 3; i++) {
		buf_init(&said[i], (size + 2) * 2 * STEP_TEXT_MAX);
		run(&said[i], how, in, verdicts, steps[i]);
		must(span_eq(buf_span(&said[0]), buf_span(&said[i])));
	}
	for (int i = 0; i < 3; i++)
		buf_fini(&said[i]);
	return 0;
}
