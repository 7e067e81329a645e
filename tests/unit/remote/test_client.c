/*
 * test_client.c - the client dialogue against scripted servers, each script fed
 * whole and octet by octet.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "deliver/remote/client.h"

enum act { FEED, MAIL, SENT, QUIT, LOST, TIMEOUT };

/* One move: what we do, what the server then says, what the client writes, and
 * which events it gives ("result CODE who;", "ready;" …). */
struct move {
	enum act act;
	const char *in, *out, *events;
};

#define MOVES_MAX 16

struct script {
	const char *name;
	enum client_protocol protocol;
	bool eight_bit;
	bool whole_only; /* depends on what comes in one piece */
	uint64_t size;
	uint32_t nrcpts, done; /* `done`: bits of those with a result */
	struct move moves[MOVES_MAX];
};

#define GREET \
	{ \
		FEED, "220 mx ESMTP\r\n", "EHLO me.example\r\n", "" \
	}
#define EHLO_PIPE \
	{ \
		FEED, \
		    "250-mx\r\n250-SIZE 1000\r\n250-8BITMIME\r\n250 " \
		    "PIPELINING\r\n", \
		    "", "ready;" \
	}
#define EHLO_PLAIN \
	{ \
		FEED, "250 mx\r\n", "", "ready;" \
	}
#define M1    "MAIL FROM:<s@a.example>\r\n"
#define MPIPE "MAIL FROM:<s@a.example> SIZE=105\r\n"
#define R0    "RCPT TO:<r0@b.example>\r\n"
#define R1    "RCPT TO:<r1@b.example>\r\n"
#define R2    "RCPT TO:<r2@b.example>\r\n"

static const struct script scripts[] = {
	{ .name = "one recipient, no extension", .nrcpts = 1, .moves = {
		GREET, EHLO_PLAIN,
		{ MAIL, "250 ok\r\n", M1 R0, "" },
		{ FEED, "250 ok\r\n", "DATA\r\n", "" },
		{ FEED, "354 go\r\n", "", "content;" },
		{ SENT, "250 2.0.0 queued as 7\r\n", "", "result 250 0;ready;" },
		{ QUIT, "221 bye\r\n", "QUIT\r\n", "close;" },
	} },
	{ .name = "pipelined, two of three accepted", .nrcpts = 3, .moves = {
		GREET, EHLO_PIPE,
		{ MAIL, "", MPIPE R0 R1 R2 "DATA\r\n", "" },
		{ FEED, "250 ok\r\n250 ok\r\n550 5.1.1 no\r\n251 will forward\r\n354 go\r\n", "",
		    "result 550 1;content;" },
		{ SENT, "250 ok\r\n", "", "result 250 0 2;ready;" },
		/* no RSET after a success */
		{ MAIL, "", MPIPE R0 R1 R2 "DATA\r\n", "" },
	} },
	{ .name = "only those without a result are tried", .nrcpts = 3, .done = 5, .moves = {
		GREET, EHLO_PLAIN,
		{ MAIL, "250 ok\r\n", M1 R1, "" },
		{ FEED, "250 ok\r\n", "DATA\r\n", "" },
		{ FEED, "354 go\r\n", "", "content;" },
		{ SENT, "550 5.7.1 no\r\n", "", "result 550 1;ready;" },
	} },
	{ .name = "pipelined, none accepted, 354: a lone dot", .nrcpts = 2, .moves = {
		GREET, EHLO_PIPE,
		{ MAIL, "", MPIPE R0 R1 "DATA\r\n", "" },
		{ FEED, "250 ok\r\n550 no\r\n450 later\r\n354 go\r\n", ".\r\n",
		    "result 550 0;result 450 1;" },
		{ FEED, "250 taken\r\n", "", "ready;" },
	} },
	{ .name = "pipelined, none accepted, DATA refused: RSET before the next", .nrcpts = 1,
	    .moves = {
		GREET, EHLO_PIPE,
		{ MAIL, "", MPIPE R0 "DATA\r\n", "" },
		{ FEED, "250 ok\r\n550 no\r\n554 no valid\r\n", "", "result 550 0;ready;" },
		{ MAIL, "", "RSET\r\n" MPIPE R0 "DATA\r\n", "" },
		{ FEED, "250 reset\r\n250 ok\r\n250 ok\r\n354 go\r\n", "", "content;" },
		{ SENT, "250 ok\r\n", "", "result 250 0;ready;" },
	} },
	{ .name = "plain, none accepted: no DATA, RSET before the next", .nrcpts = 2, .moves = {
		GREET, EHLO_PLAIN,
		{ MAIL, "250 ok\r\n", M1 R0, "" },
		{ FEED, "550 no\r\n", R1, "result 550 0;" },
		{ FEED, "452 full\r\n", "", "result 452 1;ready;" },
		{ MAIL, "250 reset\r\n", "RSET\r\n" M1, "" },
	} },
	{ .name = "pipelined, MAIL refused: the rest is drained", .nrcpts = 2, .moves = {
		GREET, EHLO_PIPE,
		{ MAIL, "", MPIPE R0 R1 "DATA\r\n", "" },
		{ FEED, "550 5.1.8 no\r\n503 x\r\n503 x\r\n503 x\r\n", "", "result 550 0 1;ready;" },
	} },
	{ .name = "plain, MAIL refused: no RSET is due", .nrcpts = 1, .moves = {
		GREET, EHLO_PLAIN,
		{ MAIL, "451 later\r\n", M1, "result 451 0;ready;" },
		{ MAIL, "250 ok\r\n", M1 R0, "" },
	} },
	{ .name = "RSET refused", .nrcpts = 1, .moves = {
		GREET, EHLO_PLAIN,
		{ MAIL, "250 ok\r\n", M1 R0, "" },
		{ FEED, "550 no\r\n", "", "result 550 0;ready;" },
		{ MAIL, "500 what\r\n", "RSET\r\n", "failed 500;" },
	} },
	{ .name = "DATA refused: result for the accepted, RSET before the next", .nrcpts = 2,
	    .moves = {
		GREET, EHLO_PLAIN,
		{ MAIL, "250 ok\r\n", M1 R0, "" },
		{ FEED, "250 ok\r\n", R1, "" },
		{ FEED, "550 no\r\n", "DATA\r\n", "result 550 1;" },
		{ FEED, "451 busy\r\n", "", "result 451 0;ready;" },
		{ MAIL, "250 ok\r\n", "RSET\r\n" M1, "" },
	} },
	{ .name = "EHLO unknown: HELO", .nrcpts = 1, .moves = {
		GREET,
		{ FEED, "500-SIZE 10\r\n500 what\r\n", "HELO me.example\r\n", "" },
		{ FEED, "250 hello\r\n", "", "ready;" },
		{ MAIL, "250 ok\r\n", M1 R0, "" },
	} },
	{ .name = "HELO refused too", .nrcpts = 1, .moves = {
		GREET,
		{ FEED, "502 what\r\n", "HELO me.example\r\n", "" },
		{ FEED, "550 no\r\n", "", "failed 550;" },
	} },
	{ .name = "EHLO refused for now", .moves = {
		GREET, { FEED, "450 later\r\n", "", "failed 450;" } } },
	{ .name = "greeting refused", .moves = { { FEED, "554-go\r\n554 away\r\n", "", "failed 554;" } } },
	{ .name = "greeting 421", .moves = { { FEED, "421 busy\r\n", "", "failed 421;" } } },
	{ .name = "a greeting of many lines", .moves = {
		{ FEED, "220-mx\r\n220-no spam\r\n220 please\r\n", "EHLO me.example\r\n", "" } } },
	{ .name = "no SMTP at all", .moves = { { FEED, "SSH-2.0-x\r\n", "", "failed 451;" } } },
	{ .name = "a bare LF", .moves = { { FEED, "220 mx\n250 x\r\n", "", "failed 451;" } } },
	{ .name = "lines of different codes", .moves = {
		{ FEED, "220-mx\r\n250 x\r\n", "", "failed 451;" } } },
	{ .name = "a 3yz greeting", .moves = { { FEED, "354 go\r\n", "", "failed 354;" } } },
	{ .name = "a reply before the question", .whole_only = true, .moves = {
		{ FEED, "220 mx\r\n250 too early\r\n", "", "failed 451;" } } },
	{ .name = "two replies to MAIL", .nrcpts = 1, .whole_only = true, .moves = {
		GREET, EHLO_PLAIN,
		{ MAIL, "250 ok\r\n250 ok\r\n", M1, "failed 451;" } } },
	{ .name = "a second reply with 354 would be the answer to the content", .nrcpts = 1,
	    .whole_only = true, .moves = {
		GREET, EHLO_PIPE,
		{ MAIL, "250 ok\r\n250 ok\r\n354 go\r\n250 done\r\n", MPIPE R0 "DATA\r\n",
		    "failed 451;" } } },
	{ .name = "a second reply at the end: the first counts, then it is over", .nrcpts = 1,
	    .whole_only = true, .moves = {
		GREET, EHLO_PIPE,
		{ MAIL, "250 ok\r\n250 ok\r\n354 go\r\n", MPIPE R0 "DATA\r\n", "content;" },
		{ SENT, "250 ok\r\n250 ok\r\n", "", "result 250 0;close;" } } },
	{ .name = "421 to MAIL", .nrcpts = 1, .moves = {
		GREET, EHLO_PIPE,
		{ MAIL, "421 enough\r\n", MPIPE R0 "DATA\r\n", "failed 421;" } } },
	{ .name = "421 after a refused recipient", .nrcpts = 2, .moves = {
		GREET, EHLO_PIPE,
		{ MAIL, "250 ok\r\n550 no\r\n421 enough\r\n", MPIPE R0 R1 "DATA\r\n",
		    "result 550 0;failed 421;" } } },
	{ .name = "421 when every recipient has a result", .nrcpts = 1, .moves = {
		GREET, EHLO_PIPE,
		{ MAIL, "250 ok\r\n550 no\r\n421 enough\r\n", MPIPE R0 "DATA\r\n",
		    "result 550 0;close;" } } },
	{ .name = "421 to DATA", .nrcpts = 1, .moves = {
		GREET, EHLO_PLAIN,
		{ MAIL, "250 ok\r\n", M1 R0, "" },
		{ FEED, "250 ok\r\n", "DATA\r\n", "" },
		{ FEED, "421 enough\r\n", "", "failed 421;" } } },
	{ .name = "421 while the content is sent", .nrcpts = 1, .moves = {
		GREET, EHLO_PIPE,
		{ MAIL, "250 ok\r\n250 ok\r\n354 go\r\n", MPIPE R0 "DATA\r\n", "content;" },
		{ FEED, "421 enough\r\n", "", "failed 421;" } } },
	{ .name = "552 while the content is sent", .nrcpts = 1, .moves = {
		GREET, EHLO_PIPE,
		{ MAIL, "250 ok\r\n250 ok\r\n354 go\r\n", MPIPE R0 "DATA\r\n", "content;" },
		{ FEED, "552 too big\r\n", "", "result 552 0;close;" } } },
	{ .name = "250 while the content is sent is a lie", .nrcpts = 1, .moves = {
		GREET, EHLO_PIPE,
		{ MAIL, "250 ok\r\n250 ok\r\n354 go\r\n", MPIPE R0 "DATA\r\n", "content;" },
		{ FEED, "250 done\r\n", "", "failed 451;" } } },
	{ .name = "421 to the end of data is a result", .nrcpts = 1, .moves = {
		GREET, EHLO_PIPE,
		{ MAIL, "250 ok\r\n250 ok\r\n354 go\r\n", MPIPE R0 "DATA\r\n", "content;" },
		{ SENT, "421 enough\r\n", "", "result 421 0;close;" } } },
	{ .name = "354 to the end of data", .nrcpts = 1, .moves = {
		GREET, EHLO_PIPE,
		{ MAIL, "250 ok\r\n250 ok\r\n354 go\r\n", MPIPE R0 "DATA\r\n", "content;" },
		{ SENT, "354 go\r\n", "", "result 451 0;close;" } } },
	{ .name = "250 to DATA", .nrcpts = 1, .moves = {
		GREET, EHLO_PIPE,
		{ MAIL, "250 ok\r\n250 ok\r\n250 ok\r\n", MPIPE R0 "DATA\r\n", "failed 451;" } } },
	{ .name = "354 to RCPT", .nrcpts = 1, .moves = {
		GREET, EHLO_PLAIN,
		{ MAIL, "250 ok\r\n", M1 R0, "" },
		{ FEED, "354 go\r\n", "", "failed 451;" } } },
	{ .name = "lost in the greeting", .moves = { { LOST, "", "", "failed 451;" } } },
	{ .name = "lost between RCPT and DATA", .nrcpts = 1, .moves = {
		GREET, EHLO_PIPE,
		{ MAIL, "250 ok\r\n250 ok\r\n", MPIPE R0 "DATA\r\n", "" },
		{ LOST, "", "", "failed 451;" } } },
	{ .name = "lost while the content is sent", .nrcpts = 1, .moves = {
		GREET, EHLO_PIPE,
		{ MAIL, "250 ok\r\n250 ok\r\n354 go\r\n", MPIPE R0 "DATA\r\n", "content;" },
		{ LOST, "", "", "failed 451;" } } },
	{ .name = "lost after the final dot: a result, for the accepted only", .nrcpts = 2,
	    .moves = {
		GREET, EHLO_PIPE,
		{ MAIL, "250 ok\r\n250 ok\r\n550 no\r\n354 go\r\n", MPIPE R0 R1 "DATA\r\n",
		    "result 550 1;content;" },
		{ SENT, "", "", "" },
		{ LOST, "", "", "result 451 0;close;" } } },
	{ .name = "timeout after the final dot", .nrcpts = 1, .moves = {
		GREET, EHLO_PIPE,
		{ MAIL, "250 ok\r\n250 ok\r\n354 go\r\n", MPIPE R0 "DATA\r\n", "content;" },
		{ SENT, "250-o", "", "" },
		{ TIMEOUT, "", "", "result 451 0;close;" } } },
	{ .name = "a reply after the timeout is nobody's", .nrcpts = 1, .moves = {
		GREET, EHLO_PIPE,
		{ MAIL, "", MPIPE R0 "DATA\r\n", "" },
		{ TIMEOUT, "250 ok\r\n250 ok\r\n354 go\r\n", "", "failed 451;" } } },
	{ .name = "lost between transactions", .moves = {
		GREET, EHLO_PLAIN, { LOST, "", "", "close;" } } },
	{ .name = "the host says goodbye between transactions", .moves = {
		GREET, EHLO_PLAIN, { FEED, "421 idle\r\n", "", "close;" } } },
	{ .name = "message larger than announced", .nrcpts = 2, .size = 996, .moves = {
		GREET, EHLO_PIPE, { MAIL, "", "", "result 552 0 1;ready;" } } },
	{ .name = "message as large as announced", .nrcpts = 1, .size = 995, .moves = {
		GREET, EHLO_PIPE,
		{ MAIL, "", "MAIL FROM:<s@a.example> SIZE=1000\r\n" R0 "DATA\r\n", "" } } },
	{ .name = "SIZE without a number", .nrcpts = 1, .size = 5000, .moves = {
		GREET, { FEED, "250-mx\r\n250 SIZE\r\n", "", "ready;" },
		{ MAIL, "250 ok\r\n", "MAIL FROM:<s@a.example> SIZE=5005\r\n" R0, "" } } },
	{ .name = "8-bit content, host can", .nrcpts = 1, .eight_bit = true, .moves = {
		GREET, EHLO_PIPE,
		{ MAIL, "", "MAIL FROM:<s@a.example> SIZE=105 BODY=8BITMIME\r\n" R0 "DATA\r\n", "" } } },
	{ .name = "8-bit content, host cannot", .nrcpts = 1, .eight_bit = true, .moves = {
		GREET, EHLO_PLAIN, { MAIL, "", "", "result 554 0;ready;" } } },
	{ .name = "552 for too many recipients is 452", .nrcpts = 3, .moves = {
		GREET, EHLO_PIPE,
		{ MAIL, "250 ok\r\n250 ok\r\n552 too many\r\n552 5.2.2 full\r\n354 go\r\n",
		    MPIPE R0 R1 R2 "DATA\r\n", "result 452 1;result 552 2;content;" } } },
	{ .name = "LMTP, a reply for each accepted recipient", .protocol = CLIENT_LMTP, .nrcpts = 3,
	    .moves = {
		{ FEED, "220 l\r\n", "LHLO me.example\r\n", "" },
		EHLO_PIPE,
		{ MAIL, "250 ok\r\n250 ok\r\n550 no\r\n250 ok\r\n354 go\r\n",
		    MPIPE R0 R1 R2 "DATA\r\n", "result 550 1;content;" },
		{ SENT, "250 stored\r\n452-not\r\n452 now\r\n", "",
		    "result 250 0;result 452 2;ready;" },
	} },
	{ .name = "LMTP, lost between the replies", .protocol = CLIENT_LMTP, .nrcpts = 2, .moves = {
		{ FEED, "220 l\r\n", "LHLO me.example\r\n", "" },
		EHLO_PIPE,
		{ MAIL, "250 ok\r\n250 ok\r\n250 ok\r\n354 go\r\n", MPIPE R0 R1 "DATA\r\n", "content;" },
		{ SENT, "250 stored\r\n", "", "result 250 0;" },
		{ LOST, "", "", "result 451 1;close;" } } },
	{ .name = "LMTP, LHLO unknown", .protocol = CLIENT_LMTP, .moves = {
		{ FEED, "220 l\r\n", "LHLO me.example\r\n", "" },
		{ FEED, "500 what\r\n", "", "failed 500;" } } },
};
#define NSCRIPTS (int)(sizeof scripts / sizeof scripts[0])

struct play {
	struct client c;
	struct msg_deliver mail;
	bool done[DELIVER_RCPTS_MAX];
	char addresses[DELIVER_RCPTS_MAX][32];
	char out[1024], events[256];
	char in[4096];
	size_t nin;
};

static void
note(struct play *p, enum client_event e)
{
	size_t n = strlen(p->events);
	char *to = p->events + n;
	size_t room = sizeof p->events - n;

	if (e == CLIENT_READY)
		snprintf(to, room, "ready;");
	else if (e == CLIENT_CONTENT)
		snprintf(to, room, "content;");
	else if (e == CLIENT_CLOSE)
		snprintf(to, room, "close;");
	else if (e == CLIENT_FAILED)
		snprintf(to, room, "failed %u;", p->c.reply.code);
	if (e != CLIENT_RESULT)
		return;
	snprintf(to, room, "result %u", p->c.reply.code);
	for (uint32_t i = 0; i < p->c.nwho; i++)
		snprintf(p->events + strlen(p->events), 8, " %u", p->c.who[i]);
	strcat(p->events, ";");
}

/* Events until the client wants more, starting with e. */
static void
drain(struct play *p, enum client_event e)
{
	struct span in = span_from(p->in, p->nin);

	for (;;) {
		note(p, e);
		if (e == CLIENT_FAILED || e == CLIENT_CLOSE)
			break;
		e = client_input(&p->c, &in);
		if (e == CLIENT_MORE)
			break;
	}
	memmove(p->in, in.p, in.n);
	p->nin = in.n;
	strncat(p->out, p->c.out.n > 0 ? p->c.out.p : "", p->c.out.n);
	buf_clear(&p->c.out);
}

static void
start(struct play *p, const struct script *s)
{
	memset(p, 0, sizeof *p);
	client_init(&p->c, s->protocol, "me.example");
	p->mail.sender = SPAN("s@a.example");
	p->mail.prefix = SPAN("Abc\r\n");
	p->mail.size = s->size > 0 ? s->size : 100;
	p->mail.body = s->eight_bit ? BODY_8BITMIME : BODY_7BIT;
	p->mail.nrcpts = s->nrcpts;
	for (uint32_t i = 0; i < s->nrcpts; i++) {
		snprintf(p->addresses[i], 32, "r%u@b.example", i);
		p->mail.rcpts[i].address = span_of(p->addresses[i]);
		p->done[i] = i < 32 && (s->done & 1u << i) != 0;
	}
}

static void
move(struct play *p, const struct move *m, size_t piece)
{
	p->out[0] = p->events[0] = '\0';
	if (m->act == MAIL)
		drain(p, client_mail(&p->c, &p->mail, p->done));
	else if (m->act == SENT)
		client_content_sent(&p->c);
	else if (m->act == QUIT)
		client_quit(&p->c);
	else if (m->act == LOST)
		drain(p, client_lost(&p->c, R_HOST_CLOSED, "x"));
	else if (m->act == TIMEOUT)
		drain(p, client_lost(&p->c, R_HOST_TIMEOUT, "x"));
	for (size_t i = 0, n = strlen(m->in); i < n; i += piece) {
		size_t k = n - i < piece ? n - i : piece;

		memcpy(p->in + p->nin, m->in + i, k);
		p->nin += k;
		drain(p, CLIENT_MORE);
	}
}

static void
play(const struct script *s, size_t piece)
{
	static struct play p;
	int i;

	start(&p, s);
	for (i = 0; i < MOVES_MAX && s->moves[i].in != NULL; i++) {
		move(&p, &s->moves[i], piece);
		ck_assert_msg(strcmp(p.out, s->moves[i].out) == 0,
		    "%s (%zu), move %d: wrote \"%s\"", s->name, piece, i,
		    p.out);
		ck_assert_msg(strcmp(p.events, s->moves[i].events) == 0,
		    "%s (%zu), move %d: events \"%s\"", s->name, piece, i,
		    p.events);
	}
	ck_assert_int_gt(i, 0);
	client_fini(&p.c);
}

START_TEST(the_dialogue_goes_as_written)
{
	play(&scripts[_i], SIZE_MAX / 2);
}
END_TEST

START_TEST(octet_by_octet_is_the_same)
{
	if (!scripts[_i].whole_only)
		play(&scripts[_i], 1);
}
END_TEST

/* ---- servers that say anything -------------------------------------------- */

struct fuzz {
	struct play p;
	uint32_t nrcpts;
	unsigned results[4];
	bool begun;
};

static uint32_t
with_result(const struct fuzz *f)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < f->nrcpts; i++)
		n += f->results[i];
	return n;
}

/* Do as the event says; the next one, or MORE. */
static enum client_event
fuzz_obey(struct fuzz *f, enum client_event e)
{
	struct client *c = &f->p.c;

	if (e == CLIENT_RESULT)
		for (uint32_t i = 0; i < c->nwho; i++)
			ck_assert_uint_eq(++f->results[c->who[i]], 1);
	else if (e == CLIENT_CONTENT)
		client_content_sent(c);
	else if (e == CLIENT_READY && f->begun) {
		ck_assert_uint_eq(with_result(f), f->nrcpts);
		client_quit(c);
	} else if (e == CLIENT_READY) {
		f->begun = true;
		return client_mail(c, &f->p.mail, f->p.done);
	}
	return CLIENT_MORE;
}

/* True if the session is over, and then as it must be. */
static bool
fuzz_over(const struct fuzz *f, enum client_event e)
{
	if (e == CLIENT_FAILED)
		ck_assert(with_result(f) < f->nrcpts);
	else if (e == CLIENT_CLOSE)
		ck_assert_uint_eq(with_result(f), f->begun ? f->nrcpts : 0);
	else
		return false;
	return true;
}

static bool
fuzz_feed(struct fuzz *f, enum client_event e, const char *word)
{
	struct play *p = &f->p;
	struct span in;

	memcpy(p->in + p->nin, word, strlen(word));
	in = span_from(p->in, p->nin + strlen(word));
	for (;;) {
		if (fuzz_over(f, e))
			return true;
		if (e != CLIENT_MORE) {
			e = fuzz_obey(f, e);
			continue;
		}
		e = client_input(&p->c, &in);
		if (e == CLIENT_MORE)
			break;
	}
	memmove(p->in, in.p, in.n);
	p->nin = in.n;
	return false;
}

/* Mostly what keeps it going, so that every state is met. */
static const char *
fuzz_word(unsigned seed, int turn)
{
	static const char *const words[] = { "250 ok\r\n", "250-a\r\n",
		"354 go\r\n", "550 no\r\n", "421 x\r\n", "220 x\r\n",
		"450 x\r\n", "\r\n", "x\n", "250 PIPELINING\r\n",
		"250-PIPELINING\r\n250 x\r\n", "500 x\r\n", "250-SIZE 9\r\n",
		"99999\r\n" };

	if (turn == 0 && seed % 8 != 0)
		return words[5];
	if (turn == 1 && seed % 7 != 0)
		return words[seed % 2 == 0 ? 0 : 10];
	return words[random() % 3 != 0 ? random() % 4 : random() % 14];
}

/* True if the message got as far as its content. */
static bool
fuzz_one(unsigned seed)
{
	static struct fuzz f;
	struct script s = { .nrcpts = 1 + seed % 4,
		.protocol = seed / 4 % 3 == 0 ? CLIENT_LMTP : CLIENT_SMTP };
	bool over = false, deep = false;

	srandom(seed);
	memset(&f, 0, sizeof f);
	start(&f.p, &s);
	f.nrcpts = s.nrcpts;
	for (int turn = 0; turn < 64 && !over; turn++) {
		over = fuzz_feed(&f, CLIENT_MORE, fuzz_word(seed, turn));
		deep |= client_in_doubt(&f.p.c);
		buf_clear(&f.p.c.out);
	}
	if (!over)
		over =
		    fuzz_feed(&f, client_lost(&f.p.c, R_HOST_CLOSED, ""), "");
	ck_assert(over);
	client_fini(&f.p.c);
	return deep;
}

START_TEST(no_result_twice_whatever_comes)
{
	unsigned deep = 0;

	for (unsigned seed = 0; seed < 20000; seed++)
		deep += fuzz_one(seed);
	ck_assert_uint_gt(deep, 100);
}
END_TEST

START_TEST(a_hundred_recipients_fit_into_one_write)
{
	static struct play p;
	struct script s = { .nrcpts = DELIVER_RCPTS_MAX };
	char address[ADDRESS_MAX + 1];

	start(&p, &s);
	memset(address, 'a', ADDRESS_MAX);
	address[ADDRESS_MAX] = '\0';
	for (uint32_t i = 0; i < s.nrcpts; i++)
		p.mail.rcpts[i].address = span_of(address);
	p.mail.sender = span_of(address);
	strcpy(p.in, "220 x\r\n");
	p.nin = 7;
	drain(&p, CLIENT_MORE);
	strcpy(p.in, "250-x\r\n250 PIPELINING\r\n");
	p.nin = strlen(p.in);
	drain(&p, CLIENT_MORE);
	ck_assert_str_eq(p.events, "ready;");
	ck_assert_int_eq(client_mail(&p.c, &p.mail, p.done), CLIENT_MORE);
	ck_assert_uint_gt(p.c.out.n, DELIVER_RCPTS_MAX * ADDRESS_MAX);
	ck_assert(!p.c.speechless);
	client_fini(&p.c);
}
END_TEST

/* How far each reply reaches: queue holds back a whole destination by it. */
START_TEST(every_reply_has_its_scope)
{
	static const struct {
		const char *replies;
		enum client_event event;
		enum reply_scope scope;
	} rows[] = {
		{ "450 x\r\n", CLIENT_RESULT, SCOPE_MESSAGE },
		{ "250 x\r\n450 x\r\n", CLIENT_RESULT, SCOPE_RECIPIENT },
		{ "250 x\r\n250 x\r\n450 x\r\n", CLIENT_RESULT, SCOPE_MESSAGE },
		{ "250 x\r\n250 x\r\n421 x\r\n", CLIENT_FAILED, SCOPE_HOST },
		{ "421 x\r\n", CLIENT_FAILED, SCOPE_HOST },
	};
	static struct play p;
	const struct script s = { .nrcpts = 1 };

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct span in = span_of("220 x\r\n");

		start(&p, &s);
		ck_assert_int_eq(client_input(&p.c, &in), CLIENT_MORE);
		in = span_of("250-x\r\n250 PIPELINING\r\n");
		ck_assert_int_eq(client_input(&p.c, &in), CLIENT_READY);
		client_mail(&p.c, &p.mail, p.done);
		in = span_of(rows[i].replies);
		ck_assert_int_eq(client_input(&p.c, &in), rows[i].event);
		ck_assert_int_eq(p.c.reply.scope, rows[i].scope);
		client_fini(&p.c);
	}
}
END_TEST

START_TEST(time_limits_are_those_of_the_rfc)
{
	static const struct {
		enum client_state state;
		unsigned seconds;
	} rows[] = {
		{ CLIENT_AT_GREETING, 5 * 60 },
		{ CLIENT_AT_MAIL, 5 * 60 },
		{ CLIENT_AT_RCPT, 5 * 60 },
		{ CLIENT_AT_DATA, 2 * 60 },
		{ CLIENT_SENDING, 3 * 60 },
		{ CLIENT_AT_END, 10 * 60 },
	};
	struct client c;

	client_init(&c, CLIENT_SMTP, "x");
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		c.state = rows[i].state;
		ck_assert_uint_eq(client_seconds(&c), rows[i].seconds);
	}
	for (int i = 0; i < CLIENT_STATE_END; i++) {
		c.state = (enum client_state)i;
		ck_assert_ptr_nonnull(client_doing(&c));
	}
	client_fini(&c);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("client");
	TCase *t = tcase_create("client");
	SRunner *r;
	int failed;

	tcase_add_loop_test(t, the_dialogue_goes_as_written, 0, NSCRIPTS);
	tcase_add_loop_test(t, octet_by_octet_is_the_same, 0, NSCRIPTS);
	tcase_add_test(t, no_result_twice_whatever_comes);
	tcase_add_test(t, a_hundred_recipients_fit_into_one_write);
	tcase_add_test(t, every_reply_has_its_scope);
	tcase_add_test(t, time_limits_are_those_of_the_rfc);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
