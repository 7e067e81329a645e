/*
 * ask.c - questions to lookup: who is this client, may it send to this recipient.
 *
 * A connection has at most one question open.  Where the window is full it stands
 * in line; whoever is answered makes room for the next.  A verdict rests on what
 * lookup itself was told when the client came, so a new lookup is told of every
 * session that is there before it is asked anything.
 */
#include <sys/socket.h>

#include "common/bytes/log.h"
#include "common/msg/smtpd_lookup.h"
#include "smtpd/smtpd.h"

/* ---- questions --------------------------------------------------------- */

/* It gets no answer, and who waits for one is told. */
static void
fail(struct connection *c)
{
	struct reply r;
	struct step st;

	c->asked = ASKED_NOTHING;
	if (c->wait & WAIT_CLIENT) {
		c->wait &= ~(unsigned)WAIT_CLIENT;
		reply_make(&r, R_UNAVAILABLE, c->m->conf->hostname);
		session_client(&c->session, &r, &st);
	} else if (c->wait & WAIT_VERDICT) {
		c->wait &= ~(unsigned)WAIT_VERDICT;
		reply_make(&r, R_LOCAL_ERROR, NULL);
		session_verdict(&c->session, &r, &st);
	} else
		return;
	connection_step(c, &st);
}

static void
send_gone(struct connection *c)
{
	struct peer_link *l = &c->m->lookup;
	struct msg_gone msg = { .session = c->slot };

	msg_gone_put(channel_begin(l->channel, LOOKUP_GONE, 0), &msg);
	channel_send(l->channel, -1);
	c->announced = false;
}

static void
send_client(struct connection *c)
{
	struct peer_link *l = &c->m->lookup;
	uint32_t id;
	struct msg_connect msg = {
		.session = c->slot,
		.listener = c->client.listener,
		.from = c->client.from,
		.ip = c->client.ip,
		.uid = c->client.uid,
	};

	/* It was told before and did not answer in time. */
	if (c->announced)
		send_gone(c);
	id = pending_add(l->pending, c);
	c->asked = ASKED_CLIENT;
	c->announced = true;
	msg_connect_put(channel_begin(l->channel, LOOKUP_CONNECT, id), &msg);
	channel_send(l->channel, -1); /* failed: closed() tells all */
}

static void
send_rcpt(struct connection *c)
{
	struct peer_link *l = &c->m->lookup;
	const struct session *s = &c->session;
	struct msg_rcpt msg = {
		.session = c->slot,
		.sender = span_from(s->sender.text, s->sender.n),
		.rcpt = span_from(s->rcpt.text, s->rcpt.n),
	};
	uint32_t id = pending_add(l->pending, c);

	c->asked = ASKED_RCPT;
	msg_rcpt_put(channel_begin(l->channel, LOOKUP_RCPT, id), &msg);
	channel_send(l->channel, -1);
}

/* The next question of this connection, or a place in the line. */
static void
ask(struct connection *c)
{
	struct peer_link *l = &c->m->lookup;

	if (c->asked != ASKED_NOTHING || c->lookup_waits || c->proxying)
		return;
	if (pending_full(l->pending)) {
		TAILQ_INSERT_TAIL(&l->waiting, c, lookup_link);
		c->lookup_waits = true;
	} else if (!c->known)
		send_client(c);
	else if (c->wait & WAIT_VERDICT)
		send_rcpt(c);
}

void
ask_next(struct connection *c)
{
	if (c->m->lookup.channel == NULL)
		fail(c);
	else
		ask(c);
}

static void
leave_line(struct connection *c)
{
	if (!c->lookup_waits)
		return;
	TAILQ_REMOVE(&c->m->lookup.waiting, c, lookup_link);
	c->lookup_waits = false;
}

void
ask_line(struct smtpd *m)
{
	struct peer_link *l = &m->lookup;
	struct connection *c;

	while (l->channel != NULL && !pending_full(l->pending) &&
	    (c = TAILQ_FIRST(&l->waiting)) != NULL) {
		leave_line(c);
		ask(c);
	}
}

void
ask_give_up(struct connection *c)
{
	leave_line(c);
	if (c->asked != ASKED_NOTHING)
		pending_forget(c->m->lookup.pending, c);
	fail(c);
}

void
ask_gone(struct connection *c)
{
	struct peer_link *l = &c->m->lookup;

	leave_line(c);
	if (c->asked != ASKED_NOTHING)
		pending_forget(l->pending, c);
	c->asked = ASKED_NOTHING;
	if (c->announced && l->channel != NULL)
		send_gone(c);
}

/* ---- answers ----------------------------------------------------------- */

/* The end of each turn that an answer began. */
static void
answered(struct connection *c)
{
	struct smtpd *m = c->m;

	input_go(c);
	connection_settle(c);
	ask_line(m);
}

/* RFC 5321 section 4.3.1: a client waits for the greeting.  What speaks first is
 * no mail client, or one that would not hear a refusal; looking costs those who
 * wait nothing. */
static bool
speaks_early(const struct connection *c)
{
	char octet;

	return !c->m->conf->early_talkers && !c->session.trusted &&
	    !c->proxied && c->client.from == CLIENT_ADDRESS &&
	    recv(c->client.in, &octet, 1, MSG_PEEK | MSG_DONTWAIT) == 1;
}

static void
judge_client(struct connection *c, const struct msg_client *said)
{
	const struct reply *reply = &said->reply;
	struct reply early;
	struct step st;

	c->asked = ASKED_NOTHING;
	c->known = reply->code == 220;
	c->session.trusted = said->trusted;
	if (c->wait & WAIT_CLIENT) {
		c->wait &= ~(unsigned)WAIT_CLIENT;
		if (c->known && speaks_early(c)) {
			reply_make(&early, R_EARLY_TALKER, NULL);
			reply = &early;
			log_info("early_talker", log_str("session", c->name),
			    log_span("client", connection_client(c)));
		}
		session_client(&c->session, reply, &st);
		connection_step(c, &st);
	} else if (c->session.phase == PHASE_END)
		return;
	else if (!c->known)
		/* A new lookup does not want a client that the old one let
		 * in; 421 is what can be said at any time. */
		connection_end(c, R_UNAVAILABLE);
	else if (c->wait & WAIT_VERDICT)
		ask(c);
}

static int
on_client(void *arg, struct ipc_msg *m)
{
	struct peer_link *l = arg;
	struct msg_client msg;
	bool bad = msg_client_get(m, &msg) == -1;
	struct connection *c = pending_take(l->pending, m->id);

	if (c == NULL)
		return bad ? -1 : 0;
	bad = bad || c->asked != ASKED_CLIENT;
	if (bad)
		fail(c);
	else
		judge_client(c, &msg);
	answered(c);
	return bad ? -1 : 0;
}

static int
on_verdict(void *arg, struct ipc_msg *m)
{
	struct peer_link *l = arg;
	struct msg_verdict verdict;
	bool bad = msg_verdict_get(m, &verdict) == -1;
	struct connection *c = pending_take(l->pending, m->id);
	struct step st;

	if (c == NULL)
		return bad ? -1 : 0;
	bad = bad || c->asked != ASKED_RCPT ||
	    (verdict.forward.n > 0 &&
		!session_forward(&c->session, verdict.forward));
	if (bad)
		fail(c);
	c->asked = ASKED_NOTHING;
	if (!bad && (c->wait & WAIT_VERDICT) != 0) {
		c->wait &= ~(unsigned)WAIT_VERDICT;
		session_verdict(&c->session, &verdict.reply, &st);
		connection_step(c, &st);
	}
	answered(c);
	return bad ? -1 : 0;
}

static const struct ipc_rule rules[] = {
	{ LOOKUP_CLIENT, IPC_ANY_PHASE, IPC_FD_NEVER, on_client },
	{ LOOKUP_VERDICT, IPC_ANY_PHASE, IPC_FD_NEVER, on_verdict },
};

/* pending: its time ran out, or lookup went away. */
void
ask_failed(void *arg, void *request)
{
	struct connection *c = request;

	(void)arg;
	fail(c);
	input_later(c);
	connection_settle(c);
}

void
ask_lost(struct smtpd *m)
{
	struct peer_link *l = &m->lookup;
	struct connection *c;

	l->channel = NULL;
	TAILQ_FOREACH (c, &m->all, all)
		c->known = c->announced = false;
	pending_fail_all(l->pending);
	while ((c = TAILQ_FIRST(&l->waiting)) != NULL) {
		leave_line(c);
		ask_failed(l, c);
	}
}

/* A new lookup knows none of the sessions, and no verdict is its own. */
void
ask_came(struct smtpd *m)
{
	struct connection *c;

	TAILQ_FOREACH (c, &m->all, all) {
		session_forget_verdict(&c->session);
		if (c->session.phase != PHASE_END)
			ask(c);
	}
}

const struct channel_ops *
ask_ops(void)
{
	static const struct channel_ops ops = {
		.rules = rules,
		.nrules = sizeof rules / sizeof *rules,
		.closed = peers_closed,
	};

	return &ops;
}
