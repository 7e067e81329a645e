/*
 * connection.c - a client's socket: its beginning, its replies, its end.
 *
 * Replies of one turn leave in one write.  What the socket does not take waits
 * here, and until the client has read it nothing more is read from it.
 */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/bytes/log.h"
#include "common/msg/master.h"
#include "smtpd/proxy.h"
#include "smtpd/smtpd.h"

static void on_writable(evutil_socket_t, short, void *);

struct span
connection_client(const struct connection *c)
{
	return span_of(c->client_text);
}

const struct conf_listen *
connection_listen(const struct connection *c)
{
	uint32_t index = c->client.listener;

	return index < c->m->conf->nlistens ? &c->m->conf->listens[index]
					    : NULL;
}

static const char *
listener_name(const struct connection *c)
{
	const struct conf_listen *l = connection_listen(c);

	if (l != NULL)
		return l->title;
	return c->client.listener == LISTENER_SUBMIT ? "submit.sock"
						     : "standard input";
}

/* Standard input and output end with the process, which is at once: nothing else
 * shall get their numbers. */
static void
close_client(const struct arrival *a)
{
	if (a->in > STDERR_FILENO)
		close(a->in);
}

/*
 * Replies are written in one piece a turn; but the second turn of a pipelined
 * transaction would wait for the client's delayed acknowledgement of the first.
 * Not on the listening socket, for those who came before we had it.
 */
static void
no_delay(const struct arrival *a)
{
	static const int one = 1;

	if (a->from == CLIENT_ADDRESS)
		setsockopt(a->in, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
}

/* ---- birth and death --------------------------------------------------- */

/* All that can be said without a session. */
static void
turn_away(struct smtpd *m, const struct arrival *a)
{
	char line[REPLY_LINE_MAX + 1];
	struct reply r;
	size_t n;

	reply_make(&r, R_TOO_MANY_SESSIONS, m->conf->hostname);
	n = reply_format(line, &r, true, false);
	/* Nothing was written to it before: it takes a line, or it is gone. */
	if (write(a->out, line, n) == -1)
		log_warn("turned_away", log_errno(errno));
	else
		log_warn(
		    "turned_away", log_num("sessions", (int64_t)m->sessions));
	close_client(a);
	if (m->single)
		process_exit(m->process);
}

static void
set_client(struct connection *c, const struct arrival *a)
{
	c->client = *a;
	c->session.local = a->from == CLIENT_LOCAL;
	c->session.listen = connection_listen(c);
	if (a->from == CLIENT_ADDRESS)
		ip_format(c->client_text, &a->ip);
	else if (a->from == CLIENT_LOCAL)
		snprintf(
		    c->client_text, sizeof c->client_text, "uid %u", a->uid);
	else
		snprintf(c->client_text, sizeof c->client_text, "unknown");
}

/* Of submit.sock and standard input no statement tells. */
static void
set_offers(struct connection *c)
{
	const struct conf_listen *l = connection_listen(c);
	uint32_t without = l != NULL ? l->ehlo_without : 0;

	/* RFC 3030 section 3: the one means nothing without the other. */
	if ((without & EXT_BIT(EXT_CHUNKING)) != 0)
		without |= EXT_BIT(EXT_BINARYMIME);
	/* RFC 6531 section 3.1 */
	if ((without & EXT_BIT(EXT_8BITMIME)) != 0)
		without |= EXT_BIT(EXT_SMTPUTF8);
	c->session.offers &= ~without;
}

/* Of this listener, to whom it is to listen. */
static bool
is_proxy(const struct connection *c)
{
	const struct conf_listen *l = connection_listen(c);

	if (l == NULL || c->client.from != CLIENT_ADDRESS)
		return false;
	for (size_t i = 0; i < l->nproxies; i++)
		if (netblock_has(&l->proxies[i], &c->client.ip))
			return true;
	return false;
}

/* It is known who the client is: may it come in? */
static void
begin(struct connection *c)
{
	log_info("connect", log_str("session", c->name),
	    log_span("client", connection_client(c)),
	    log_str("listener", listener_name(c)));
	c->wait = WAIT_CLIENT;
	ask_next(c);
}

void
connection_new(struct smtpd *m, const struct arrival *a)
{
	struct connection *c;

	c = m->nfree > 0 ? calloc(1, sizeof *c) : NULL;
	if (c == NULL) {
		turn_away(m, a);
		return;
	}
	c->m = m;
	c->slot = m->free_slots[--m->nfree];
	snprintf(c->name, sizeof c->name, "%u-%llu", m->process->instance,
	    (unsigned long long)++m->number);
	c->timer = TIMER_END;
	c->paused = true;
	line_init(&c->lines, m->conf->max_line);
	buf_init(&c->in, m->in_max);
	buf_init(&c->out, 2 * OUT_MAX);
	session_init(&c->session, &m->service);
	set_client(c, a);
	set_offers(c);
	no_delay(a);
	transfer_init(&c->transfer);
	event_assign(&c->readable, m->process->base, a->in,
	    EV_READ | EV_PERSIST, input_readable, c);
	event_assign(
	    &c->writable, m->process->base, a->out, EV_WRITE, on_writable, c);
	TAILQ_INSERT_TAIL(&m->all, c, all);
	m->sessions++;
	m->connections++;
	c->proxying = is_proxy(c);
	if (!c->proxying)
		begin(c);
	connection_settle(c);
}

bool
connection_proxy(struct connection *c, struct span *in)
{
	struct arrival client = c->client;
	enum proxy_result result = proxy_read(in, &client.ip);

	if (result == PROXY_MORE)
		return false;
	if (result == PROXY_BAD) {
		log_warn("proxy_header", log_str("session", c->name),
		    log_span("client", connection_client(c)),
		    log_str("error", "no header of the PROXY protocol"));
		c->broken = true;
		return false;
	}
	c->proxying = false;
	c->proxied = true;
	set_client(c, &client);
	begin(c);
	return true;
}

/* The one way out; behind it there is no connection. */
static void
destroy(struct connection *c)
{
	struct smtpd *m = c->m;

	log_info("disconnect", log_str("session", c->name),
	    log_span("client", connection_client(c)),
	    log_num("accepted", c->session.accepted));
	transfer_drop(c);
	ask_gone(c);
	input_cancel(c);
	memory_forget(c);
	timers_set(c, TIMER_END);
	event_del(&c->readable);
	event_del(&c->writable);
	close_client(&c->client);
	session_fini(&c->session);
	buf_fini(&c->in);
	buf_fini(&c->out);
	m->free_slots[m->nfree++] = c->slot;
	TAILQ_REMOVE(&m->all, c, all);
	m->sessions--;
	free(c);
	if ((m->stopping || m->single || m->process->retiring) &&
	    TAILQ_EMPTY(&m->all))
		process_exit(m->process);
}

/* ---- output ------------------------------------------------------------ */

bool
connection_may_retry(int err)
{
	return err == EAGAIN || err == EWOULDBLOCK || err == EINTR;
}

/* How much of it the socket took; an error other than "full" ends it. */
static size_t
put(struct connection *c, const char *p, size_t n)
{
	ssize_t done = write(c->client.out, p, n);

	if (done > 0)
		c->progress = true;
	if (done >= 0)
		return (size_t)done;
	if (!connection_may_retry(errno))
		c->broken = true;
	return 0;
}

/* What this turn has said so far, in one piece. */
static void
flush(struct connection *c)
{
	struct smtpd *m = c->m;
	size_t n = m->nout, done = 0;

	m->nout = 0;
	if (n == 0 || c->broken)
		return;
	if (c->out.n == 0)
		done = put(c, m->out, n);
	if (done == n || c->broken)
		return;
	if (buf_add(&c->out, m->out + done, n - done) == -1 ||
	    event_add(&c->writable, NULL) == -1)
		c->broken = true;
	c->wait |= WAIT_OUTPUT;
}

static void
on_writable(evutil_socket_t fd, short what, void *arg)
{
	struct connection *c = arg;

	(void)fd;
	(void)what;
	buf_drop(&c->out, put(c, c->out.p, c->out.n));
	if (c->out.n > 0) {
		if (event_add(&c->writable, NULL) == -1)
			c->broken = true;
	} else {
		buf_fini(&c->out);
		c->wait &= ~(unsigned)WAIT_OUTPUT;
		input_go(c);
	}
	connection_settle(c);
}

static void
say(struct connection *c, const struct step *st)
{
	struct smtpd *m = c->m;

	if (sizeof m->out - m->nout < STEP_TEXT_MAX + 1)
		flush(c);
	m->nout += session_format(&c->session, st, m->out + m->nout);
}

static void
log_refused(struct connection *c, const struct reply *reply)
{
	char text[REPLY_LINE_MAX];
	const struct session *s = &c->session;

	reply_text(text, sizeof text, reply);
	c->m->rcpts_refused++;
	log_info("rcpt_refused", log_str("session", c->name),
	    log_span("client", connection_client(c)),
	    log_str("from", s->sender.text), log_str("to", s->rcpt.text),
	    log_str("reply", text));
}

void
connection_step(struct connection *c, const struct step *st)
{
	if (st->reply.code != 0)
		say(c, st);
	if (st->command == CMD_RCPT && st->reply.code >= 400 &&
	    c->session.rcpt.n > 0)
		log_refused(c, &st->reply);
	if (c->transfer.active && !transfer_wanted(c))
		transfer_drop(c);
	switch (st->action) {
	case ACTION_NONE:
		break;
	case ACTION_ASK:
		c->wait |= WAIT_VERDICT;
		ask_next(c);
		break;
	case ACTION_CONTENT:
		transfer_begin(c);
		break;
	case ACTION_CLOSE:
		c->wait |= WAIT_CLOSE;
		c->linger = st->command != CMD_QUIT;
		break;
	}
}

void
connection_end(struct connection *c, enum reply_name name)
{
	struct step st;

	transfer_drop(c);
	/* What it still waits for is no longer of interest. */
	c->wait &= WAIT_OUTPUT;
	session_end(&c->session, name, &st);
	connection_step(c, &st);
}

/* ---- the end of each turn ---------------------------------------------- */

static enum timer
timer_of(const struct connection *c)
{
	if (c->wait & WAIT_LINGER)
		return TIMER_LINGER;
	if (c->wait & (WAIT_CLOSE | WAIT_OUTPUT))
		return TIMER_COMMAND;
	if (c->wait != 0)
		return TIMER_PEER;
	if (c->proxying)
		return TIMER_PROXY;
	return c->session.phase == PHASE_DATA ? TIMER_DATA : TIMER_COMMAND;
}

static void
last_word_is_out(struct connection *c)
{
	if (!c->linger || c->m->stopping ||
	    shutdown(c->client.out, SHUT_WR) == -1) {
		c->broken = true;
		return;
	}
	c->wait = WAIT_LINGER;
}

void
connection_settle(struct connection *c)
{
	enum timer timer;

	flush(c);
	if ((c->wait & WAIT_CLOSE) && c->out.n == 0 && !c->broken)
		last_word_is_out(c);
	if (c->paused && (c->wait & ~(unsigned)WAIT_LINGER) == 0 &&
	    !c->broken) {
		c->paused = false;
		if (event_add(&c->readable, NULL) == -1)
			c->broken = true;
	}
	if (c->broken) {
		destroy(c);
		return;
	}
	memory_count(c);
	timer = timer_of(c);
	if (timer != c->timer || c->progress)
		timers_set(c, timer);
	c->progress = false;
}

bool
connection_is_dead(const struct connection *c)
{
	/* Not the other one: a pipe that came to its end was read no further
	 * than we are. */
	struct pollfd p = { .fd = c->client.out };

	return poll(&p, 1, 0) == 1 && (p.revents & (POLLERR | POLLHUP)) != 0;
}

void
connection_timeout(struct connection *c, enum timer timer)
{
	c->m->timeouts++;
	if (timer == TIMER_PROXY)
		log_warn("proxy_header", log_str("session", c->name),
		    log_span("client", connection_client(c)),
		    log_str("error", "it did not come in time"));
	if (timer == TIMER_LINGER || timer == TIMER_PROXY || c->out.n > 0)
		c->broken = true;
	else if (timer != TIMER_PEER)
		connection_end(c, R_TIMEOUT);
	else if (c->wait & (WAIT_ROOM | WAIT_ANSWER))
		transfer_give_up(c);
	else
		ask_give_up(c);
	input_later(c);
	connection_settle(c);
}

void
connection_stop(struct connection *c)
{
	/* A whole message waits for queue's word, which may still come. */
	if (c->transfer.active && c->transfer.ended)
		return;
	if (c->wait & WAIT_LINGER)
		c->broken = true;
	else if ((c->wait & WAIT_CLOSE) == 0)
		connection_end(c, R_SHUTDOWN);
	connection_settle(c);
}
