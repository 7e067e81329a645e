/*
 * peers.c - the channels to lookup and queue: they come, go, and come again.
 *
 * When a peer goes away all who wait on it are told at once, and the service goes
 * on with what it can do without it.
 */
#include <errno.h>
#include <unistd.h>

#include "common/bytes/log.h"
#include "common/msg/smtpd_lookup.h"
#include "common/msg/smtpd_queue.h"
#include "smtpd/smtpd.h"

/*
 * A message may take as long as the client takes to send it, which has its own
 * limit for each block, and so has queue's answer (TIMER_PEER).  This is only
 * the end of what a broken queue never answers.
 */
#define TRANSFER_SECONDS (24 * 3600)

static void
lost(struct peer_link *l)
{
	if (l->kind == PEER_LOOKUP)
		ask_lost(l->m);
	else
		handover_lost(l->m);
}

void
peers_closed(void *arg, bool bad)
{
	struct peer_link *l = arg;

	log_warn("peer_lost", log_str("peer", peer_name(l->kind)));
	if (bad)
		process_complain(l->m->process, l->kind, l->instance);
	lost(l);
}

static void
link_begin(struct smtpd *m, struct peer_link *l, enum peer kind,
    struct pending *pending)
{
	if (pending == NULL)
		fatal("peers");
	l->m = m;
	l->kind = kind;
	l->pending = pending;
	TAILQ_INIT(&l->waiting);
}

void
peers_begin(struct smtpd *m)
{
	struct event_base *base = m->process->base;

	link_begin(m, &m->lookup, PEER_LOOKUP,
	    pending_new(base, SMTPD_LOOKUP_WINDOW, SMTPD_LOOKUP_SECONDS,
		ask_failed, m));
	link_begin(m, &m->queue, PEER_QUEUE,
	    pending_new(base, SMTPD_QUEUE_WINDOW, TRANSFER_SECONDS,
		handover_failed, m));
	TAILQ_INIT(&m->large);
	reply_make(&m->service.queue, R_LOCAL_ERROR, NULL);
}

void
peers_set(struct smtpd *m, enum peer kind, uint32_t instance, int fd)
{
	bool is_lookup = kind == PEER_LOOKUP;
	struct peer_link *l = is_lookup ? &m->lookup : &m->queue;

	if (!is_lookup && kind != PEER_QUEUE) {
		close(fd);
		return;
	}
	/* The old one's end may not have been seen yet. */
	if (l->channel != NULL) {
		channel_free(l->channel);
		lost(l);
	}
	l->instance = instance;
	l->channel = channel_new(m->process->base, fd, kind,
	    is_lookup ? ask_ops() : handover_ops(), l);
	if (l->channel == NULL) {
		log_error("peer", log_errno(errno));
		process_complain(m->process, kind, instance);
	} else if (is_lookup)
		ask_came(m);
	else
		/* Until it says otherwise. */
		reply_make(&m->service.queue, R_DONE, NULL);
}

void
peers_tick(struct smtpd *m)
{
	transfer_hurry(m);
	handover_line(m);
	ask_line(m);
}
