/*
 * clients.c - counting sessions, in all and by address or local user.
 *
 * A refused session stays known until its smtpd says that it is gone, so that
 * every number is one that was told; it counts against nothing but the bound
 * on what one smtpd may have.
 */
#include <bsd/sys/tree.h>

#include <stdlib.h>

#include "lookup/clients.h"

struct client {
	RB_ENTRY(client) node;
	enum client_from from;
	struct ip ip;
	uint32_t uid;
	size_t n;
};

struct known {
	RB_ENTRY(known) node;
	uint32_t number;
	struct session session;
	struct client *client; /* NULL: counted for nobody */
};

struct clients {
	const struct conf *conf;
	RB_HEAD(by_client, client) by_client;
	size_t n;
	uint64_t refused;
};

struct sessions {
	struct clients *all;
	RB_HEAD(by_number, known) by_number;
	size_t n;
};

static int
client_cmp(const struct client *a, const struct client *b)
{
	if (a->from != b->from)
		return a->from < b->from ? -1 : 1;
	if (a->from == CLIENT_LOCAL)
		return (a->uid > b->uid) - (a->uid < b->uid);
	return memcmp(&a->ip, &b->ip, sizeof a->ip);
}

static int
known_cmp(const struct known *a, const struct known *b)
{
	return (a->number > b->number) - (a->number < b->number);
}

/* RB_GENERATE_STATIC of libbsd needs an __unused that it does not define. */
RB_GENERATE_INTERNAL(
    by_client, client, node, client_cmp, __attribute__((unused)) static)
RB_GENERATE_INTERNAL(
    by_number, known, node, known_cmp, __attribute__((unused)) static)

struct clients *
clients_new(const struct conf *conf)
{
	struct clients *c = calloc(1, sizeof *c);

	if (c == NULL)
		return NULL;
	c->conf = conf;
	RB_INIT(&c->by_client);
	return c;
}

void
clients_free(struct clients *c)
{
	free(c);
}

size_t
clients_count(const struct clients *c)
{
	return c->n;
}

uint64_t
clients_refused(const struct clients *c)
{
	return c->refused;
}

/* --- clients ------------------------------------------------------------- */

/* One session more of whom it says; NULL without memory. */
static struct client *
client_take(struct clients *c, const struct msg_connect *m)
{
	struct client key = { .from = m->from, .ip = m->ip, .uid = m->uid },
		      *client;

	client = RB_FIND(by_client, &c->by_client, &key);
	if (client == NULL) {
		if ((client = calloc(1, sizeof *client)) == NULL)
			return NULL;
		*client = key;
		RB_INSERT(by_client, &c->by_client, client);
	}
	client->n++;
	return client;
}

static void
client_drop(struct clients *c, struct client *client)
{
	if (client == NULL || --client->n > 0)
		return;
	RB_REMOVE(by_client, &c->by_client, client);
	free(client);
}

static bool
is_trusted(const struct conf *conf, const struct msg_connect *m)
{
	if (m->from != CLIENT_ADDRESS)
		return m->from == CLIENT_LOCAL;
	for (size_t i = 0; i < conf->nrelay_from; i++)
		if (netblock_has(&conf->relay_from[i], &m->ip))
			return true;
	return false;
}

/* --- sessions ------------------------------------------------------------ */

struct sessions *
sessions_new(struct clients *all)
{
	struct sessions *s = calloc(1, sizeof *s);

	if (s == NULL)
		return NULL;
	s->all = all;
	RB_INIT(&s->by_number);
	return s;
}

static struct known *
find(struct sessions *s, uint32_t number)
{
	struct known key = { .number = number };

	return RB_FIND(by_number, &s->by_number, &key);
}

static void
forget(struct sessions *s, struct known *k)
{
	RB_REMOVE(by_number, &s->by_number, k);
	client_drop(s->all, k->client);
	if (k->session.accepted)
		s->all->n--;
	s->n--;
	free(k);
}

void
sessions_free(struct sessions *s)
{
	struct known *k;

	if (s == NULL)
		return;
	while ((k = RB_ROOT(&s->by_number)) != NULL)
		forget(s, k);
	free(s);
}

/* Who can be told from others; and root, who could end the service, too, is
 * not to be without mail because of a limit. */
static bool
is_counted(const struct msg_connect *m)
{
	return m->from == CLIENT_ADDRESS ||
	    (m->from == CLIENT_LOCAL && m->uid != 0);
}

/* A user of this host is not held to what is one address's, or the mail of all
 * its cron jobs at midnight would be lost; but nobody has all sessions. */
static size_t
most_of(const struct conf *conf, const struct msg_connect *m)
{
	if (m->from == CLIENT_LOCAL)
		return (conf->max_sessions + 1) / 2;
	return conf->max_sessions_per_client != 0
	    ? conf->max_sessions_per_client
	    : SIZE_MAX;
}

/* Counts the session, or says why not. */
static enum reply_name
admit(struct clients *c, struct known *k, const struct msg_connect *m)
{
	bool trusted = is_trusted(c->conf, m);

	if (!trusted && m->listener < c->conf->nlistens &&
	    c->conf->listens[m->listener].refuse == REFUSE_CONNECT)
		return R_HOST_REFUSES;
	if (c->n >= c->conf->max_sessions)
		return R_TOO_MANY_SESSIONS;
	if (is_counted(m) && (k->client = client_take(c, m)) == NULL)
		return R_UNAVAILABLE;
	if (k->client != NULL && k->client->n > most_of(c->conf, m)) {
		client_drop(c, k->client);
		k->client = NULL;
		return R_TOO_MANY_FROM_CLIENT;
	}
	c->n++;
	k->session.accepted = true;
	k->session.trusted = trusted;
	return R_GREETING;
}

int
sessions_connect(
    struct sessions *s, const struct msg_connect *m, struct msg_client *answer)
{
	struct clients *c = s->all;
	/* Those that were refused and are not gone yet come on top. */
	size_t most = 2 * (size_t)c->conf->max_sessions + SMTPD_LOOKUP_WINDOW;
	struct known *k;
	enum reply_name verdict;

	if (s->n >= most || find(s, m->session) != NULL)
		return -1;
	answer->trusted = false;
	if ((k = calloc(1, sizeof *k)) == NULL)
		return -1;
	k->number = m->session;
	RB_INSERT(by_number, &s->by_number, k);
	s->n++;
	verdict = admit(c, k, m);
	if (!k->session.accepted)
		c->refused++;
	answer->trusted = k->session.trusted;
	reply_make(&answer->reply, verdict, c->conf->hostname);
	return 0;
}

int
sessions_gone(struct sessions *s, uint32_t session)
{
	struct known *k = find(s, session);

	if (k == NULL)
		return -1;
	forget(s, k);
	return 0;
}

const struct session *
sessions_find(struct sessions *s, uint32_t session)
{
	struct known *k = find(s, session);

	return k != NULL ? &k->session : NULL;
}
