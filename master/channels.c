/*
 * channels.c - who talks to whom.
 *
 * Every channel between two processes is made here, and each side gets its end
 * with the name of the other.  What is not in the table does not exist.
 */
#include <errno.h>
#include <unistd.h>

#include "common/bytes/log.h"
#include "master/master.h"

/* Those who are asked first: when a process can be reached from outside, what
 * it asks stands. */
static const struct pair {
	enum peer a, b;
} pairs[] = {
	{ PEER_REMOTE, PEER_RESOLVER },
	{ PEER_QUEUE, PEER_LOOKUP },
	{ PEER_QUEUE, PEER_LOCAL },
	{ PEER_QUEUE, PEER_REMOTE },
	{ PEER_SMTPD, PEER_LOOKUP },
	{ PEER_SMTPD, PEER_QUEUE },
	{ PEER_CONTROL, PEER_LOGGER },
	{ PEER_CONTROL, PEER_QUEUE },
};
#define NPAIRS (sizeof pairs / sizeof pairs[0])

bool
channels_pair_of(enum peer a, enum peer b)
{
	for (size_t i = 0; i < NPAIRS; i++)
		if ((pairs[i].a == a && pairs[i].b == b) ||
		    (pairs[i].a == b && pairs[i].b == a))
			return true;
	return false;
}

bool
channels_stays(enum peer kind)
{
	return kind == PEER_QUEUE || kind == PEER_CONTROL ||
	    kind == PEER_LOGGER;
}

bool
channels_between(const struct child *a, const struct child *b)
{
	if (a->generation == b->generation &&
	    (a->role == ROLE_NEXT) == (b->role == ROLE_NEXT))
		return true;
	if (!channels_stays(a->kind) && !channels_stays(b->kind))
		return false;
	/* Queue asks the lookup of its own configuration. */
	return a->role != ROLE_NEXT && b->role != ROLE_NEXT &&
	    a->kind != PEER_LOOKUP && b->kind != PEER_LOOKUP;
}

static void
give_peer(struct child *to, uint16_t type, const struct msg_peer *of, int fd)
{
	/* A channel that is gone says so itself, and its process is ended. */
	msg_peer_put(channel_begin(to->channel, type, 0), of);
	(void)channel_send(to->channel, fd);
	close(fd);
}

static void
give_end(struct child *to, const struct child *peer, int fd)
{
	const struct msg_peer of = { peer->kind, peer->instance };
	bool agent = to->kind == PEER_QUEUE &&
	    (peer->kind == PEER_LOCAL || peer->kind == PEER_REMOTE);

	give_peer(to,
	    agent && peer->role == ROLE_RETIRING ? MASTER_OLD_PEER
						 : MASTER_PEER,
	    &of, fd);
}

int
channels_lend(struct child *c, enum peer kind)
{
	const struct msg_peer of = { kind, ++c->master->instances };
	int fds[2];

	if (channel_pair(fds) == -1)
		return -1;
	give_peer(c, MASTER_PEER, &of, fds[0]);
	return fds[1];
}

static void
connect_two(struct child *a, struct child *b)
{
	int fds[2];

	if (!a->ready || !b->ready || a->channel == NULL || b->channel == NULL)
		return;
	if (channel_pair(fds) == -1) {
		log_error("channel", log_str("from", peer_name(a->kind)),
		    log_str("to", peer_name(b->kind)), log_errno(errno));
		return;
	}
	give_end(a, b, fds[0]);
	give_end(b, a, fds[1]);
}

static void
give_listener(struct child *c, uint32_t index, int fd)
{
	const struct msg_listener l = { index };

	msg_listener_put(channel_begin(c->channel, MASTER_LISTENER, 0), &l);
	(void)channel_send(c->channel, fd);
}

/* Behind its peers: it accepts nothing that it could not ask about. */
static void
give_listeners(struct child *c)
{
	const struct generation *g = c->generation;

	if (c->channel == NULL || c->role != ROLE_PLACE)
		return;
	if (c->kind == PEER_CONTROL)
		give_listener(c, 0, c->master->control);
	if (c->kind == PEER_SMTPD)
		give_listener(c, LISTENER_SUBMIT, c->master->submit);
	for (size_t i = 0; c->kind == PEER_SMTPD && i < g->conf.nlistens; i++)
		if (g->conf.listens[i].isolation == ISOLATION_SHARED)
			give_listener(c, (uint32_t)i, g->listeners[i]);
}

static void
connect_pair(const struct pair *p, struct child *a, struct child *b)
{
	if (a->kind == p->a && b->kind == p->b && channels_between(a, b))
		connect_two(a, b);
}

void
channels_make(struct child *c)
{
	struct child *other;

	for (size_t i = 0; i < NPAIRS; i++)
		TAILQ_FOREACH (other, &c->master->children, link) {
			connect_pair(&pairs[i], c, other);
			connect_pair(&pairs[i], other, c);
		}
	give_listeners(c);
}

void
channels_make_all(struct master *m)
{
	struct child *a, *b;

	for (size_t i = 0; i < NPAIRS; i++)
		TAILQ_FOREACH (a, &m->children, link)
			TAILQ_FOREACH (b, &m->children, link)
				connect_pair(&pairs[i], a, b);
	TAILQ_FOREACH (a, &m->children, link)
		give_listeners(a);
}

static void
connect_some(struct master *m,
    bool (*wanted)(const struct child *, const struct child *))
{
	struct child *a, *b;

	for (size_t i = 0; i < NPAIRS; i++)
		TAILQ_FOREACH (a, &m->children, link)
			TAILQ_FOREACH (b, &m->children, link)
				if (a->kind == pairs[i].a &&
				    b->kind == pairs[i].b && wanted(a, b) &&
				    channels_between(a, b))
					connect_two(a, b);
}

static bool
are_next(const struct child *a, const struct child *b)
{
	return a->role == ROLE_NEXT && b->role == ROLE_NEXT;
}

void
channels_make_next(struct master *m)
{
	connect_some(m, are_next);
}

static bool
one_stays(const struct child *a, const struct child *b)
{
	return channels_stays(a->kind) != channels_stays(b->kind) &&
	    a->generation == b->generation;
}

void
channels_join(struct master *m)
{
	struct child *c;

	connect_some(m, one_stays);
	TAILQ_FOREACH (c, &m->children, link)
		if (c->generation == m->current && c->kind == PEER_SMTPD)
			give_listeners(c);
}
