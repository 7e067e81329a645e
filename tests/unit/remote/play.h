/*
 * play.h - a client and what a script makes of it: what it wrote, and its
 * events.
 */
#ifndef PLAY_H
#define PLAY_H

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "deliver/remote/client.h"

enum act { FEED, MAIL, SENT, QUIT, LOST, TIMEOUT, EIGHT, BROKEN };

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
	bool eight_bit, binary, utf8;
	bool whole_only; /* depends on what comes in one piece */
	uint64_t size;
	uint32_t nrcpts, done; /* `done`: bits of those with a result */
	struct move moves[MOVES_MAX];
};

struct play {
	struct client c;
	struct msg_deliver mail;
	bool done[DELIVER_RCPTS_MAX];
	char addresses[DELIVER_RCPTS_MAX][32];
	char out[1024], events[256];
	char in[4096];
	size_t nin;
};

static inline void
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
static inline void
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

static inline void
start(struct play *p, const struct script *s)
{
	memset(p, 0, sizeof *p);
	client_init(&p->c, s->protocol, "me.example");
	p->mail.sender = SPAN("s@a.example");
	p->mail.prefix = SPAN("Abc\r\n");
	p->mail.size = s->size > 0 ? s->size : 100;
	p->mail.body = s->eight_bit ? BODY_8BITMIME : BODY_7BIT;
	if (s->binary)
		p->mail.body = BODY_BINARYMIME;
	p->mail.utf8 = s->utf8;
	p->mail.nrcpts = s->nrcpts;
	for (uint32_t i = 0; i < s->nrcpts; i++) {
		snprintf(p->addresses[i], 32, "r%u@b.example", i);
		p->mail.rcpts[i].address = span_of(p->addresses[i]);
		p->done[i] = i < 32 && (s->done & 1u << i) != 0;
	}
}

static inline void
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
	else if (m->act == EIGHT)
		drain(p, client_lost(&p->c, R_NO_8BITMIME, NULL));
	else if (m->act == BROKEN)
		drain(p, client_lost(&p->c, R_LOCAL_ERROR, NULL));
	for (size_t i = 0, n = strlen(m->in); i < n; i += piece) {
		size_t k = n - i < piece ? n - i : piece;

		memcpy(p->in + p->nin, m->in + i, k);
		p->nin += k;
		drain(p, CLIENT_MORE);
	}
}

#endif
