/*
 * transfer.c - a message's content from the client to queue.
 *
 * A small message is one packet.  A larger one, or one with very many
 * recipients, is OPENed with a pipe as soon as it is known to be one; what the
 * pipe does not take waits here, and the client is not read meanwhile. Whatever
 * happens, the data is read to its end, and only there it gets its one reply;
 * so the dialogue stays in step.
 */
#include "common/bytes/log.h"
#include "common/msg/smtpd_queue.h"
#include "smtpd/submit.h"

/* Where others wait for the place of a large message: seconds, and octets a
 * second on the average, that its client must keep up with. */
#define SLOW_AFTER 10
#define SLOW_RATE  500

void
transfer_init(struct transfer *t)
{
	*t = (struct transfer){ .pipe = -1 };
	/* One turn of input above what is kept for SUBMIT. */
	buf_init(&t->kept, SUBMIT_CONTENT_MAX + DOT_OUT_MAX(2 * 65536));
}

/* ---- giving up --------------------------------------------------------- */

void
transfer_drop(struct connection *c)
{
	if (!c->transfer.active)
		return;
	submit_let_go(c);
	c->transfer.active = false;
}

/* The reply is known before the end of the data. */
void
transfer_refuse(struct connection *c, const struct reply *reply)
{
	if (c->transfer.answer.code != 0)
		return;
	submit_let_go(c);
	c->transfer.answer = *reply;
}

void
transfer_refuse_named(struct connection *c, enum reply_name name)
{
	struct reply r;

	reply_make(&r, name, NULL);
	transfer_refuse(c, &r);
}

/* ---- from the client --------------------------------------------------- */

void
transfer_begin(struct connection *c)
{
	struct transfer *t = &c->transfer;
	const struct conf *conf = c->m->conf;
	const struct conf_listen *l = connection_listen(c);
	enum dot_mode mode = l != NULL && l->bare_newlines == NEWLINES_CONVERT
	    ? DOT_CONVERT
	    : DOT_REJECT;

	if (!t->active) {
		if (c->session.body == BODY_BINARYMIME)
			mode = DOT_BINARY;
		transfer_init(t);
		content_init(&t->content, mode, conf->message_size);
		t->active = true;
	}
	/* Input that is not there would never come to be taken. */
	if (c->session.chunks.any && c->session.chunks.left == 0)
		transfer_input(c, &(struct span){ NULL, 0 });
}

bool
transfer_wanted(const struct connection *c)
{
	const struct session *s = &c->session;

	return s->phase == PHASE_DATA ||
	    (s->phase == PHASE_CHUNKS && !s->chunks.too_big);
}

/* Everything is here, or too much to keep. */
static bool
is_due(const struct transfer *t)
{
	return t->ended || t->kept.n > SUBMIT_CONTENT_MAX;
}

/* Queue hears of it for the first time. */
static void
start(struct connection *c, struct span content)
{
	struct transfer *t = &c->transfer;

	t->large = !t->ended || !submit_fits(c, content.n);
	if (c->m->queue.channel == NULL)
		transfer_refuse_named(c, R_QUEUE_ERROR);
	else if (!handover_room(c))
		return;
	else if (t->large)
		submit_open(c, content);
	else
		submit_packet(c, content);
}

static void
finish(struct connection *c)
{
	struct transfer *t = &c->transfer;
	struct reply answer = t->answer;
	char text[REPLY_LINE_MAX];
	struct step st;

	reply_text(text, sizeof text, &answer);
	log_info(reply_class(&answer) == 2 ? "accepted" : "refused",
	    log_str("session", c->name),
	    log_span("client", connection_client(c)),
	    log_str("from", c->session.sender.text),
	    log_num("nrcpt", c->session.nrcpts),
	    log_num("size", (int64_t)t->content.size), log_str("reply", text));
	if (reply_class(&answer) == 2)
		c->m->accepted++;
	else
		c->m->refused++;
	submit_let_go(c);
	t->active = false;
	c->wait &= ~(unsigned)(WAIT_ROOM | WAIT_ANSWER);
	session_done(&c->session, &answer, &st);
	connection_step(c, &st);
	if (c->m->stopping && c->session.phase != PHASE_END)
		connection_end(c, R_SHUTDOWN);
}

/* What is kept, as far as queue takes it. */
static void
go_on(struct connection *c)
{
	struct transfer *t = &c->transfer;
	struct span kept;

	if (t->answer.code == 0 && t->stage == STAGE_KEEP && is_due(t))
		start(c, buf_span(&t->kept));
	if (t->answer.code != 0 || t->stage != STAGE_OPEN || !submit_rcpts(c))
		return;
	kept = buf_span(&t->kept);
	submit_pour(c, &kept);
	buf_drop(&t->kept, t->kept.n - kept.n);
	if (t->kept.n == 0)
		buf_fini(&t->kept);
	if (t->stage == STAGE_OPEN && t->ended && t->kept.n == 0)
		submit_end(c);
}

void
transfer_go(struct connection *c)
{
	struct transfer *t = &c->transfer;

	if (!t->active)
		return;
	go_on(c);
	c->wait &= ~(unsigned)(WAIT_ROOM | WAIT_ANSWER);
	if (t->answer.code != 0) {
		if (t->ended)
			finish(c);
	} else if (t->stage >= STAGE_BROKEN) {
		if (t->ended)
			c->wait |= WAIT_ANSWER;
	} else if (t->stage == STAGE_OPEN ? t->kept.n > 0 || t->ended
					  : is_due(t))
		c->wait |= WAIT_ROOM;
}

static void
take(struct connection *c, struct span data)
{
	struct transfer *t = &c->transfer;

	/* The usual message came in one piece and is never kept. */
	if (t->stage == STAGE_KEEP && t->kept.n == 0 && t->ended &&
	    submit_fits(c, data.n))
		start(c, data);
	else if (t->stage == STAGE_OPEN && t->kept.n == 0 &&
	    t->rcpts_sent == c->session.nrcpts)
		submit_pour(c, &data);
	if (t->answer.code != 0 || t->stage >= STAGE_BROKEN)
		return;
	if (data.n > 0 && buf_add_span(&t->kept, data) == -1)
		transfer_refuse_named(c, R_LOCAL_ERROR);
}

/* RFC 3030 section 2: exactly as many octets as were announced; how many of
 * content. */
static size_t
read_chunk(struct connection *c, struct span *in)
{
	struct session *s = &c->session;
	struct transfer *t = &c->transfer;
	struct span piece = *in;

	if (piece.n > s->chunks.left)
		piece.n = (size_t)s->chunks.left;
	*in = span_skip(*in, piece.n);
	s->chunks.left -= piece.n;
	t->ended = s->chunks.last && s->chunks.left == 0;
	return content_chunk(&t->content, piece, t->ended, c->m->content);
}

/* Every chunk has its reply, when it is there. */
static void
chunk_over(struct connection *c)
{
	const struct reply *answer = &c->transfer.answer;
	struct step st;

	session_chunk(&c->session, answer->code != 0 ? answer : NULL, &st);
	connection_step(c, &st);
}

void
transfer_input(struct connection *c, struct span *in)
{
	struct transfer *t = &c->transfer;
	enum reply_name fault;
	size_t n;

	if (c->session.chunks.any)
		n = read_chunk(c, in);
	else
		t->ended = content_read(&t->content, in, c->m->content, &n);
	c->progress = true;
	fault = content_fault(&t->content);
	if (fault != R_COUNT)
		transfer_refuse_named(c, fault);
	if (t->answer.code == 0)
		take(c, span_from(c->m->content, n));
	transfer_go(c);
	if (t->active && !t->ended && c->session.chunks.any &&
	    c->session.chunks.left == 0)
		chunk_over(c);
}

void
transfer_end(struct connection *c, const struct reply *reply)
{
	transfer_refuse(c, reply);
	transfer_go(c);
}

void
transfer_give_up(struct connection *c)
{
	struct reply r;

	reply_make(&r, R_QUEUE_ERROR, NULL);
	transfer_end(c, &r);
}

/* It could send faster: nothing of it waits here. */
static bool
is_slow(const struct connection *c, int64_t now)
{
	const struct transfer *t = &c->transfer;

	return t->open && !t->ended && t->kept.n == 0 &&
	    now - t->since >= SLOW_AFTER &&
	    t->content.size - t->before <
	    SLOW_RATE * (uint64_t)(now - t->since);
}

void
transfer_hurry(struct smtpd *m)
{
	int64_t now = timers_now();
	struct connection *c;

	if (TAILQ_EMPTY(&m->large))
		return;
	TAILQ_FOREACH (c, &m->all, all)
		if (is_slow(c, now))
			transfer_refuse_named(c, R_NO_SPACE);
}

void
transfer_answer(struct connection *c, const struct reply *reply)
{
	struct transfer *t = &c->transfer;

	/* Its request is over: nothing is there to be aborted. */
	t->id = 0;
	transfer_end(c, reply);
}
