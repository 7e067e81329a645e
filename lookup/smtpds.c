/*
 * smtpds.c - the channels to the smtpds.
 *
 * The verdict on a recipient rests on the client that CONNECT told of, never on
 * anything smtpd says later.
 */
#include <bsd/sys/queue.h>

#include <stdlib.h>
#include <unistd.h>

#include "common/bytes/log.h"
#include "lookup/smtpds.h"

struct smtpd {
	TAILQ_ENTRY(smtpd) link;
	struct smtpds *all;
	uint32_t instance;
	struct channel *channel;
	struct sessions *sessions;
	TAILQ_HEAD(, asked) asked;
	size_t nasked;
};

/* A recipient whose verdict is not there yet. */
struct asked {
	TAILQ_ENTRY(asked) link;
	struct smtpd *by;
	uint32_t id;
	bool trusted;
};

struct smtpds {
	struct event_base *base;
	struct recipients *recipients;
	struct clients *clients;
	void (*gone)(void *, uint32_t, bool);
	void *arg;
	TAILQ_HEAD(, smtpd) list;
	struct smtpds_counters counters;
};

static void
asked_free(struct asked *a)
{
	TAILQ_REMOVE(&a->by->asked, a, link);
	a->by->nasked--;
	free(a);
}

static int
on_connect(void *arg, struct ipc_msg *m)
{
	struct smtpd *s = arg;
	struct msg_connect connect;
	struct msg_client answer;

	if (msg_connect_get(m, &connect) == -1 || m->id == 0 ||
	    sessions_connect(s->sessions, &connect, &answer) == -1)
		return -1;
	s->all->counters.clients++;
	msg_client_put(
	    channel_begin(s->channel, LOOKUP_CLIENT, m->id), &answer);
	/* A channel that broke is told of by the loop. */
	(void)channel_send(s->channel, -1);
	return 0;
}

static int
on_gone(void *arg, struct ipc_msg *m)
{
	struct smtpd *s = arg;
	struct msg_gone gone;

	if (msg_gone_get(m, &gone) == -1 || m->id != 0)
		return -1;
	return sessions_gone(s->sessions, gone.session);
}

/* RFC 5321 sections 3.6.2 and 4.5.1: others' mail is relayed for those who may
 * only, and postmaster's is always taken. */
static void
verdict(struct reply *r, const struct resolution *res, bool trusted)
{
	*r = res->reply;
	/* Where a user moved to is the administrator's word. */
	if (res->foreign && !res->moved && !trusted)
		reply_make(r, R_RELAY_DENIED, NULL);
	else if (res->postmaster && reply_class(r) != 2)
		reply_make(r, R_RCPT_OK, NULL);
}

static void
on_resolved(void *arg, const struct resolution *res)
{
	struct asked *a = arg;
	struct smtpd *s = a->by;
	struct smtpds_counters *n = &s->all->counters;
	struct msg_verdict v = { .forward = span_of(res->forward) };

	verdict(&v.reply, res, a->trusted);
	n->accepted += reply_class(&v.reply) == 2;
	n->deferred += reply_class(&v.reply) == 4;
	n->denied += reply_class(&v.reply) == 5;
	msg_verdict_put(channel_begin(s->channel, LOOKUP_VERDICT, a->id), &v);
	asked_free(a);
	(void)channel_send(s->channel, -1);
}

static int
on_rcpt(void *arg, struct ipc_msg *m)
{
	struct smtpd *s = arg;
	const struct session *session;
	struct msg_rcpt rcpt;
	struct asked *a;

	if (msg_rcpt_get(m, &rcpt) == -1 || m->id == 0 ||
	    s->nasked >= SMTPD_LOOKUP_WINDOW)
		return -1;
	session = sessions_find(s->sessions, rcpt.session);
	if (session == NULL || !session->accepted)
		return -1;
	if ((a = calloc(1, sizeof *a)) == NULL)
		return -1;
	*a =
	    (struct asked){ .by = s, .id = m->id, .trusted = session->trusted };
	TAILQ_INSERT_TAIL(&s->asked, a, link);
	s->nasked++;
	recipients_resolve(
	    s->all->recipients, rcpt.rcpt, false, on_resolved, a);
	return 0;
}

/* The whole of what an smtpd may say. */
static const struct ipc_rule rules[] = {
	{ LOOKUP_CONNECT, IPC_ANY_PHASE, IPC_FD_NEVER, on_connect },
	{ LOOKUP_RCPT, IPC_ANY_PHASE, IPC_FD_NEVER, on_rcpt },
	{ LOOKUP_GONE, IPC_ANY_PHASE, IPC_FD_NEVER, on_gone },
};

/* All but the channel, which frees itself where it is what ended. */
static void
smtpd_free(struct smtpd *s)
{
	struct asked *a;

	while ((a = TAILQ_FIRST(&s->asked)) != NULL) {
		recipients_forget(s->all->recipients, a);
		asked_free(a);
	}
	sessions_free(s->sessions);
	TAILQ_REMOVE(&s->all->list, s, link);
	free(s);
}

static void
on_closed(void *arg, bool bad)
{
	struct smtpd *s = arg;
	struct smtpds *all = s->all;
	uint32_t instance = s->instance;

	smtpd_free(s);
	all->gone(all->arg, instance, bad);
}

static const struct channel_ops ops = { rules, sizeof rules / sizeof *rules,
	on_closed };

void
smtpds_add(struct smtpds *all, uint32_t instance, int fd)
{
	struct smtpd *s = calloc(1, sizeof *s);

	if (s == NULL) {
		close(fd);
		return;
	}
	s->all = all;
	s->instance = instance;
	TAILQ_INIT(&s->asked);
	TAILQ_INSERT_TAIL(&all->list, s, link);
	s->sessions = sessions_new(all->clients);
	s->channel = channel_new(all->base, fd, PEER_SMTPD, &ops, s);
	if (s->sessions != NULL && s->channel != NULL)
		return;
	log_error("peer_not_taken", log_str("peer", "smtpd"),
	    log_num("instance", instance));
	channel_free(s->channel);
	smtpd_free(s);
}

bool
smtpds_empty(const struct smtpds *all)
{
	return TAILQ_EMPTY(&all->list);
}

void
smtpds_count(const struct smtpds *all, struct smtpds_counters *n)
{
	*n = all->counters;
	n->sessions = clients_count(all->clients);
	n->refused = clients_refused(all->clients);
}

struct smtpds *
smtpds_new(struct event_base *base, const struct conf *conf,
    struct recipients *recipients, void (*gone)(void *, uint32_t, bool),
    void *arg)
{
	struct smtpds *all = calloc(1, sizeof *all);

	if (all == NULL)
		return NULL;
	all->base = base;
	all->recipients = recipients;
	all->gone = gone;
	all->arg = arg;
	TAILQ_INIT(&all->list);
	if ((all->clients = clients_new(conf)) == NULL) {
		free(all);
		return NULL;
	}
	return all;
}

void
smtpds_free(struct smtpds *all)
{
	struct smtpd *s;

	if (all == NULL)
		return;
	while ((s = TAILQ_FIRST(&all->list)) != NULL) {
		channel_free(s->channel);
		smtpd_free(s);
	}
	clients_free(all->clients);
	free(all);
}
