/*
 * opening.c - a message that comes in pieces: its content is read from a pipe
 * no faster than the store takes it, and it counts only when END has said how
 * long it is.
 */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/bytes/log.h"
#include "queue/queue.h"

struct opening {
	LIST_ENTRY(opening) link;
	struct queue *queue;
	struct smtpd *smtpd; /* NULL: gone meanwhile */
	uint32_t request;
	uint64_t id;
	uint64_t size_max;
	struct incoming *incoming;
	struct event *readable;
	int fd;
	struct buf envelope; /* holds what the envelope's spans point at */
	struct envelope e;
	struct buf rcpts; /* coded as in a message */
	uint32_t nrcpts;
	bool paused; /* the store takes no more now */
	bool ended;  /* END said … */
	bool ending; /* … and all is there: the store makes it durable */
	uint64_t size;
};

struct opening *
opening_find(struct smtpd *s, uint32_t request)
{
	struct opening *o;

	LIST_FOREACH(o, &s->openings, link)
	if (o->request == request)
		return o;
	return NULL;
}

static void
opening_orphan(struct opening *o)
{
	if (o->smtpd == NULL)
		return;
	LIST_REMOVE(o, link);
	o->smtpd->nopenings--;
	o->smtpd->rcpts -= o->rcpts.n;
	o->smtpd = NULL;
}

static void
opening_free(struct opening *o)
{
	opening_orphan(o);
	if (o->readable != NULL)
		event_free(o->readable);
	if (o->fd != -1)
		close(o->fd);
	if (o->incoming != NULL)
		incoming_abort(o->incoming);
	buf_fini(&o->envelope);
	buf_fini(&o->rcpts);
	free(o);
}

/* Given up; what smtpd still sends for it meets nobody. */
static void
opening_fail(struct opening *o, const struct reply *reply)
{
	if (o->smtpd != NULL)
		smtpd_answer(o->smtpd, o->request, reply);
	opening_free(o);
}

static void
opening_fail_errno(struct opening *o, int err)
{
	struct reply reply;

	log_warn("content_failed", log_id("id", o->id), log_errno(err));
	if (err == ENOSPC || err == EDQUOT)
		reply_make(&reply, R_NO_SPACE, NULL);
	else
		reply_make(&reply, R_QUEUE_ERROR, NULL);
	opening_fail(o, &reply);
}

static void
opening_fail_name(struct opening *o, enum reply_name name, const char *arg)
{
	struct reply reply;

	reply_make(&reply, name, arg);
	opening_fail(o, &reply);
}

static void
opening_durable(void *arg, int err)
{
	struct opening *o = arg;
	struct submit s = { .smtpd = o->smtpd,
		.request = o->request,
		.id = o->id,
		.envelope = o->e,
		.rcpts = { wire_reader(buf_span(&o->rcpts)), o->nrcpts },
		.incoming = o->incoming };

	if (err != 0) {
		opening_fail_errno(o, err);
		return;
	}
	o->incoming = NULL;
	submit(o->queue, &s);
	opening_free(o);
}

/* Is all there that END spoke of? */
static void
opening_check(struct opening *o, bool eof)
{
	uint64_t have = incoming_size(o->incoming);

	if (have > o->size_max) {
		opening_fail_name(o, R_TOO_BIG, NULL);
		return;
	}
	if (!o->ended || o->paused || (have < o->size && !eof))
		return;
	/* The pipe had less or more in it than was put into it, or recipients
	 * are missing: this is not the message. */
	if (have != o->size || o->nrcpts != o->e.nrcpts) {
		opening_fail_name(o, R_LOCAL_ERROR, "message is incomplete");
		return;
	}
	o->ending = true;
	event_del(o->readable);
	incoming_end(o->incoming, opening_durable, o);
}

static void
opening_ready(void *arg)
{
	struct opening *o = arg;

	o->paused = false;
	event_add(o->readable, NULL);
	opening_check(o, false);
}

static void
opening_read(evutil_socket_t fd, short what, void *arg)
{
	struct opening *o = arg;
	struct queue *q = o->queue;
	ssize_t n = read(fd, q->pipe, sizeof q->pipe);
	int take;

	(void)what;
	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n == -1) {
		opening_fail_errno(o, errno);
		return;
	}
	if (n == 0) { /* END may still be on its way */
		event_del(o->readable);
		close(o->fd);
		o->fd = -1;
		opening_check(o, true);
		return;
	}
	take = incoming_add(
	    o->incoming, span_from(q->pipe, (size_t)n), opening_ready, o);
	if (take == -1) {
		opening_fail_errno(o, errno);
		return;
	}
	o->paused = take == 0;
	if (o->paused)
		event_del(o->readable);
	opening_check(o, false);
}

/* The envelope outlives its packet. */
static int
keep(struct opening *o, const struct envelope *e)
{
	const struct span all[] = { e->sender, e->helo, e->client };
	struct span *const mine[] = { &o->e.sender, &o->e.helo, &o->e.client };
	const char *p;

	o->e = *e;
	if (buf_reserve(&o->envelope, all[0].n + all[1].n + all[2].n + 1) ==
	    NULL)
		return -1;
	for (size_t i = 0; i < 3; i++) {
		p = o->envelope.p + o->envelope.n;
		if (buf_add_span(&o->envelope, all[i]) == -1)
			return -1;
		*mine[i] = span_from(p, all[i].n);
	}
	return 0;
}

static int
add_rcpts(struct opening *o, struct rcpt_list *l)
{
	struct span rcpt;

	while (rcpts_next(l, &rcpt)) {
		char *p = buf_reserve(&o->rcpts, 4 + rcpt.n);
		struct wire_put w;

		if (p == NULL)
			return -1;
		w = wire_writer(p, 4 + rcpt.n);
		wire_put_span(&w, rcpt);
		o->rcpts.n += w.n;
		o->nrcpts++;
	}
	return 0;
}

struct opening *
opening_new(struct smtpd *s, uint32_t request, struct msg_submit *m, int fd)
{
	struct queue *q = s->queue;
	struct opening *o = calloc(1, sizeof *o);

	if (o == NULL)
		return NULL;
	o->queue = q;
	o->fd = -1;
	o->request = request;
	o->id = store_id(q->store);
	o->size_max = s->message_size;
	buf_init(&o->envelope, IPC_BODY_MAX);
	buf_init(&o->rcpts, (size_t)QUEUE_RCPTS_MAX * (ADDRESS_MAX + 4));
	o->readable =
	    event_new(q->base, fd, EV_READ | EV_PERSIST, opening_read, o);
	o->incoming = incoming_new(q->store, o->id);
	if (o->readable == NULL || o->incoming == NULL ||
	    keep(o, &m->envelope) == -1 || add_rcpts(o, &m->rcpts) == -1 ||
	    event_add(o->readable, NULL) == -1) {
		opening_free(o);
		return NULL;
	}
	o->fd = fd;
	o->smtpd = s;
	LIST_INSERT_HEAD(&s->openings, o, link);
	s->nopenings++;
	s->rcpts += o->rcpts.n;
	return o;
}

/* --- what smtpd says of it ----------------------------------------------------
 */

int
opening_rcpts(struct opening *o, struct rcpt_list *rcpts)
{
	size_t before = o->rcpts.n;
	int rc;

	if (o->ended || rcpts->n > o->e.nrcpts - o->nrcpts)
		return -1;
	rc = add_rcpts(o, rcpts);
	o->smtpd->rcpts += o->rcpts.n - before;
	if (rc == -1 || o->smtpd->rcpts > OPENINGS_RCPTS_MAX)
		opening_fail_name(o, R_LOCAL_ERROR, "no memory");
	return 0;
}

int
opening_end(struct opening *o, uint64_t size)
{
	if (o->ended)
		return -1;
	o->ended = true;
	o->size = size;
	opening_check(o, o->fd == -1);
	return 0;
}

void
opening_abort(struct opening *o)
{
	/* Too late once it is on its way to the disk. */
	if (o->ending)
		opening_orphan(o);
	else
		opening_free(o);
}
