/*
 * destination.c - next hops; see destination.h.
 *
 * All that a destination does it does in turn(), from the loop: whoever changes
 * something only wakes it, so nothing here is entered twice.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/bytes/log.h"
#include "deliver/remote/connection.h"

/* ---- deliveries that come and go ------------------------------------------
 */

/* The rest of its recipients get `r`, and it is over. */
static void
give_up(struct destination *n, struct delivery *v, const struct reply *r,
    const char *host)
{
	delivery_result_rest(v, r, host);
	remote_complete(n->remote, v);
}

static void
give_up_waiting(struct destination *n, const struct reply *r)
{
	struct delivery *v;

	while ((v = destination_next(n)) != NULL)
		give_up(n, v, r, "");
}

/* No host is left.  A refusal for good stands only where every host refuses
 * for good: also those that were skipped, since others failed to reach them. */
static void
exhausted(struct destination *n, struct delivery *v)
{
	const struct hosts *h = v->hosts;

	if (v->last.code == 0 ||
	    (h->failed != 0 && reply_class(&h->why) == 4 &&
		reply_class(&v->last) == 5))
		give_up(n, v, &h->why, h->why_host);
	else
		give_up(n, v, &v->last, v->last_host);
}

/* The last word, but none for good that would hide one for now. */
static void
note(struct reply *last, char host[CONF_HOST_MAX + 1], const struct reply *r,
    const struct dns_address *a)
{
	if (last->code != 0 && reply_class(r) != 4)
		return;
	*last = *r;
	hosts_name(host, a);
}

/* Bits of h's addresses that there is a session with. */
static uint64_t
open_sessions(const struct destination *n, const struct hosts *h)
{
	const struct connection *c;
	uint64_t open = 0;

	TAILQ_FOREACH (c, &n->connections, link)
		for (uint32_t i = 0; c->greeted && i < h->n; i++)
			if (memcmp(&c->hosts->a[c->address].ip, &h->a[i].ip,
				sizeof h->a[i].ip) == 0)
				open |= UINT64_C(1) << i;
	return open;
}

/* This host serves us, on other connections: it wants no more of them. */
static bool
is_full(
    const struct destination *n, struct hosts *h, uint32_t i, const char *text)
{
	uint64_t bit = UINT64_C(1) << i;
	char host[CONF_HOST_MAX + 1];

	if ((open_sessions(n, h) & bit) == 0)
		return false;
	hosts_name(host, &h->a[i]);
	if ((h->full & bit) == 0)
		log_info("host_full", log_str("host", host),
		    log_num("connections", n->nconnections),
		    log_str("reply", text));
	h->full |= bit;
	return true;
}

void
destination_failed(struct destination *n, struct delivery *v, uint32_t address,
    enum destination_failure how, const struct reply *r)
{
	bool reached = how != HOST_UNREACHABLE && how != HOST_NO_WAY;
	struct hosts *h = v->hosts;

	TAILQ_INSERT_HEAD(&n->waiting, v, wait);
	destination_wake(n);
	if (how == HOST_STALE || (!reached && is_full(n, h, address, r->text)))
		return;
	v->tried |= UINT64_C(1) << address;
	v->ntried += how != HOST_NO_WAY;
	note(&v->last, v->last_host, r, &h->a[address]);
	if (!reached) {
		h->failed |= UINT64_C(1) << address;
		note(&h->why, h->why_host, r, &h->a[address]);
	}
}

void
destination_unreachable(struct destination *n, struct delivery *v,
    uint32_t address, enum destination_failure how, int err)
{
	char detail[REPLY_TEXT_MAX + 1], host[CONF_HOST_MAX + 1];
	struct reply r;

	hosts_name(host, &v->hosts->a[address]);
	snprintf(detail, sizeof detail, "%s: %s", host, strerrordesc_np(err));
	reply_make(&r, R_NO_HOST, detail);
	r.scope = SCOPE_ROUTE;
	destination_failed(n, v, address, how, &r);
}

struct delivery *
destination_next(struct destination *n)
{
	struct delivery *v = TAILQ_FIRST(&n->waiting);

	if (v != NULL)
		TAILQ_REMOVE(&n->waiting, v, wait);
	return v;
}

/* ---- names ----------------------------------------------------------------
 */

static void
ask(struct destination *n)
{
	struct remote *r = n->remote;
	struct msg_dns_ask a = {
		.mode = n->route.kind == ROUTE_MX ? DNS_MX : DNS_HOST,
	};

	memcpy(a.name, n->route.host, sizeof a.name);
	if (r->resolver == NULL || pending_full(r->asks)) {
		destination_answer(n, NULL);
		return;
	}
	n->asking = true;
	msg_dns_ask_put(
	    channel_begin(r->resolver, DNS_ASK, pending_add(r->asks, n)), &a);
	if (channel_send(r->resolver, -1) == -1) {
		pending_forget(r->asks, n);
		destination_answer(n, NULL);
	}
}

void
destination_answer(struct destination *n, const struct msg_dns_answer *a)
{
	struct reply r;

	n->asking = false;
	destination_wake(n);
	if (a != NULL && a->n > 0 && (n->hosts = hosts_new(a)) != NULL)
		return;
	if (a == NULL || a->n > 0)
		reply_make(&r, R_DNS_TEMPORARY, n->route.host);
	else if (n->route.kind != ROUTE_MX && reply_class(&a->reply) == 5)
		/* A next hop that the administrator named: mail waits until
		 * the name, or the configuration, is put right. */
		reply_make(&r, R_NO_HOST, a->reply.text);
	else
		r = a->reply;
	give_up_waiting(n, &r);
}

/* ---- turns ----------------------------------------------------------------
 */

void
destination_wake(struct destination *n)
{
	event_active(n->turn, EV_TIMEOUT, 0);
}

static void
destination_free(struct destination *n)
{
	LIST_REMOVE(n, link);
	event_free(n->turn);
	hosts_release(n->hosts);
	free(n);
}

/* The hosts are known and fresh; a delivery that was tried before keeps to the
 * hosts that it began with. */
static bool
have_hosts(struct destination *n, struct delivery *v)
{
	if (v->hosts != NULL)
		return true;
	if (n->hosts != NULL && remote_now() >= n->hosts->until) {
		hosts_release(n->hosts);
		n->hosts = NULL;
	}
	if (n->hosts == NULL)
		return false;
	v->hosts = n->hosts;
	v->hosts->refs++;
	return true;
}

/* The next host for the delivery that waits longest.  False: not now. */
static bool
begin(struct destination *n, struct delivery *v)
{
	uint64_t open = v->hosts->full != 0 ? open_sessions(n, v->hosts) : 0;
	int i = hosts_choose(v, open);

	if (i == HOSTS_WAIT)
		return false;
	destination_next(n);
	if (i == HOSTS_NONE)
		exhausted(n, v);
	else if (connection_open(n, v, (uint32_t)i) == -1)
		destination_unreachable(n, v, (uint32_t)i, HOST_NO_WAY, errno);
	return true;
}

/* An idle connection; not for a delivery that a host has failed: it goes
 * through the list. */
static struct connection *
idle_for(struct destination *n, const struct delivery *v)
{
	struct connection *c;

	TAILQ_FOREACH (c, &n->connections, link)
		if (connection_idle(c) && v->ntried == 0)
			return c;
	return NULL;
}

/* One delivery gets on its way.  False: there is nothing to do, or not now. */
static bool
start_one(struct destination *n)
{
	struct delivery *v = TAILQ_FIRST(&n->waiting);
	struct connection *c;

	if (v == NULL || n->asking)
		return false;
	c = idle_for(n, v);
	if (c != NULL) {
		destination_next(n);
		connection_take(c, v);
		return true;
	}
	if (n->nconnections >= n->remote->process->conf->host_concurrency)
		return false;
	if (!have_hosts(n, v)) {
		ask(n);
		return false;
	}
	return begin(n, v);
}

static void
turn(evutil_socket_t fd, short what, void *arg)
{
	struct destination *n = arg;
	struct reply r;

	(void)fd;
	(void)what;
	if (n->remote->process->stopping) {
		reply_make(&r, R_STOPPING, NULL);
		give_up_waiting(n, &r);
	}
	while (start_one(n))
		;
	if (TAILQ_EMPTY(&n->waiting) && TAILQ_EMPTY(&n->connections) &&
	    !n->asking)
		destination_free(n);
}

static struct destination *
destination_new(struct remote *r, const struct route *route, const char *key)
{
	size_t size = strlen(key) + 1;
	struct destination *n = calloc(1, sizeof *n + size);

	if (n == NULL)
		return NULL;
	n->turn = event_new(r->process->base, -1, 0, turn, n);
	if (n->turn == NULL) {
		free(n);
		return NULL;
	}
	n->remote = r;
	n->route = *route;
	memcpy(n->key, key, size);
	TAILQ_INIT(&n->waiting);
	TAILQ_INIT(&n->connections);
	LIST_INSERT_HEAD(&r->destinations, n, link);
	return n;
}

void
destination_deliver(struct remote *r, struct delivery *v)
{
	char key[ROUTE_KEY_MAX];
	struct destination *n;
	struct reply no;

	route_key(key, &v->d.route);
	LIST_FOREACH(n, &r->destinations, link)
	if (strcmp(n->key, key) == 0)
		break;
	if (n == NULL)
		n = destination_new(r, &v->d.route, key);
	if (n == NULL) {
		reply_make(&no, R_LOCAL_ERROR, NULL);
		delivery_result_rest(v, &no, "");
		remote_complete(r, v);
		return;
	}
	TAILQ_INSERT_TAIL(&n->waiting, v, wait);
	destination_wake(n);
}

void
destination_stop(struct destination *n, bool late)
{
	struct connection *c, *next;

	for (c = TAILQ_FIRST(&n->connections); c != NULL; c = next) {
		next = TAILQ_NEXT(c, link);
		connection_stop(c, late);
	}
	destination_wake(n);
}
