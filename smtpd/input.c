/*
 * input.c - what a client sends: read, cut into lines or content, and held back.
 *
 * What is read stands in memory of the process; a connection keeps only what
 * could not be taken yet: the start of a line, or what a client sent ahead while
 * another process is asked.  While anything is waited for (c->wait) nothing is
 * read, so that this has a bound and a client that sends faster than it is served
 * meets TCP's back-pressure.
 */
#include <errno.h>
#include <unistd.h>

#include "smtpd/smtpd.h"

/* What an idle connection may keep of a buffer. */
#define KEPT_MAX 4096

/* A line and its reply; false if there is no whole line. */
static bool
take_line(struct connection *c, struct span *in)
{
	struct span line;
	struct step st;
	enum line_result result = line_next(&c->lines, in, &line);

	if (result == LINE_MORE)
		return false;
	c->progress = true;
	session_line(&c->session, result, line, &st);
	connection_step(c, &st);
	return true;
}

/* RFC 2920 section 3.2: commands that came together are taken one by one, and
 * their replies leave together at the end of the turn. */
static void
take_input(struct connection *c, struct span *in)
{
	while (in->n > 0 && c->wait == 0 && !c->broken) {
		if (c->proxying) {
			if (!connection_proxy(c, in))
				break;
		} else if (c->session.skip > 0) {
			session_skip(&c->session, in);
			c->progress = true;
		} else if (c->session.phase == PHASE_DATA)
			transfer_input(c, in);
		else if (!take_line(c, in))
			break;
	}
}

/* Memory that is of no use to a client that says nothing. */
static void
trim(struct buf *b)
{
	if (b->n == 0 && b->cap > KEPT_MAX)
		buf_fini(b);
}

void
input_go(struct connection *c)
{
	struct span in = buf_span(&c->in);

	if (c->in.n == 0)
		return;
	take_input(c, &in);
	buf_drop(&c->in, c->in.n - in.n);
	trim(&c->in);
}

/* Not by making c->readable active: what is active cannot be added. */
void
input_later(struct connection *c)
{
	if (c->resumes)
		return;
	c->resumes = true;
	TAILQ_INSERT_TAIL(&c->m->resuming, c, resume_link);
	event_active(&c->m->resume, EV_TIMEOUT, 0);
}

void
input_cancel(struct connection *c)
{
	if (c->resumes)
		TAILQ_REMOVE(&c->m->resuming, c, resume_link);
	c->resumes = false;
}

static void
on_resume(evutil_socket_t fd, short what, void *arg)
{
	struct smtpd *m = arg;
	struct connection *c;

	(void)fd;
	(void)what;
	while ((c = TAILQ_FIRST(&m->resuming)) != NULL) {
		input_cancel(c);
		input_go(c);
		connection_settle(c);
	}
}

/* Another turn of input, behind what was kept of the last one. */
static void
read_input(struct connection *c)
{
	struct smtpd *m = c->m;
	struct span in;
	ssize_t n;

	/* There is always room: what was kept lacks at least the command that
	 * had to wait, or is the start of a line. */
	if (c->in.n > 0)
		memcpy(m->in, c->in.p, c->in.n);
	n = read(c->client.in, m->in + c->in.n, m->in_max - c->in.n);
	if (n == 0 || (n == -1 && !connection_may_retry(errno))) {
		c->broken = true;
		return;
	}
	in = span_from(m->in, c->in.n + (n > 0 ? (size_t)n : 0));
	buf_clear(&c->in);
	take_input(c, &in);
	if (in.n > 0 && buf_add_span(&c->in, in) == -1)
		c->broken = true;
	trim(&c->in);
}

/* What is sent behind our last word is dropped, so that closing does not reset
 * the connection before the client has read it. */
static void
read_nothing(struct connection *c)
{
	ssize_t n = read(c->client.in, c->m->in, c->m->in_max);

	if (n == 0 || (n == -1 && !connection_may_retry(errno)))
		c->broken = true;
}

void
input_readable(evutil_socket_t fd, short what, void *arg)
{
	struct connection *c = arg;

	(void)fd;
	(void)what;
	if (c->wait == WAIT_LINGER)
		read_nothing(c);
	else if (c->wait == 0 && !c->resumes)
		read_input(c);
	else if (c->wait != 0) {
		/* Only now: most clients say nothing while they wait, and
		 * cost the loop nothing. */
		event_del(&c->readable);
		c->paused = true;
	}
	connection_settle(c);
}

void
input_begin(struct smtpd *m)
{
	TAILQ_INIT(&m->resuming);
	evtimer_assign(&m->resume, m->process->base, on_resume, m);
}
