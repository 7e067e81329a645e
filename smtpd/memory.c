/*
 * memory.c - what all connections together may keep.
 *
 * Each has its own bounds: input sent ahead, replies not read, recipients, the
 * beginning of a message.  Ten thousand times those is more than a process may
 * have, and who holds the most of it for the longest time is hardly anybody's
 * mail: that one is told to come again.
 */
#include "common/bytes/log.h"
#include "smtpd/smtpd.h"

/* In all; a message of the usual size is never kept. */
#define HELD_MAX (64 * 1024 * 1024)
/* Of one connection, that is not worth counting. */
#define HELD_LITTLE (4 * 1024)

static void
put_on_list(struct connection *c, size_t held)
{
	struct smtpd *m = c->m;

	if (c->held == 0 && held > 0)
		TAILQ_INSERT_TAIL(&m->holders, c, held_link);
	else if (c->held > 0 && held == 0)
		TAILQ_REMOVE(&m->holders, c, held_link);
	m->held += held - c->held;
	c->held = held;
}

void
memory_count(struct connection *c)
{
	size_t held = c->in.cap + c->out.cap + c->transfer.kept.cap +
	    c->session.rcpts.cap;

	put_on_list(c, held > HELD_LITTLE ? held : 0);
	/* From the loop: here one connection is being looked at. */
	if (c->m->held > HELD_MAX)
		event_active(&c->m->shed, EV_TIMEOUT, 0);
}

void
memory_forget(struct connection *c)
{
	put_on_list(c, 0);
}

/* The content it keeps, or else the connection. */
static void
shed(struct connection *c)
{
	struct reply r;

	log_warn("memory_shed", log_str("session", c->name),
	    log_span("client", connection_client(c)),
	    log_num("held", (int64_t)c->held),
	    log_num("all", (int64_t)c->m->held));
	if (c->transfer.kept.n > 0) {
		reply_make(&r, R_NO_SPACE, NULL);
		transfer_end(c, &r);
		input_later(c);
	} else if (c->out.n > 0 || (c->wait & (WAIT_CLOSE | WAIT_LINGER)))
		c->broken = true;
	else {
		connection_end(c, R_UNAVAILABLE);
		session_reset(&c->session);
		buf_fini(&c->in);
	}
	connection_settle(c);
}

static void
on_shed(evutil_socket_t fd, short what, void *arg)
{
	struct smtpd *m = arg;

	(void)fd;
	(void)what;
	while (m->held > HELD_MAX)
		shed(TAILQ_FIRST(&m->holders));
}

void
memory_begin(struct smtpd *m)
{
	TAILQ_INIT(&m->holders);
	evtimer_assign(&m->shed, m->process->base, on_shed, m);
}
