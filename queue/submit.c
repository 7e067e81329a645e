/*
 * submit.c - a message on its way to the log: its trace field, its records,
 * and the answer when they are on disk.
 */
#include <stdio.h>
#include <stdlib.h>

#include "common/bytes/log.h"
#include "common/bytes/utf8.h"
#include "common/mail/received.h"
#include "common/msg/smtpd_queue.h"
#include "queue/queue.h"

/* helo, client, host name, one recipient, and what stands between. */
#define PREFIX_MAX 4096

struct submission {
	LIST_ENTRY(submission) link;
	struct queue *queue;
	struct smtpd *smtpd; /* NULL: gone meanwhile */
	uint32_t request;
	uint64_t id;
	/* for the log */
	uint64_t size;
	uint32_t nrcpts;
	char sender[ADDRESS_MAX + 1];
	char client[IP_TEXT_MAX]; /* or "uid 1000" */
};

static void
answer(struct submission *s, const struct reply *reply)
{
	if (s->smtpd != NULL)
		smtpd_answer(s->smtpd, s->request, reply);
}

static void
on_disk(void *arg, const struct reply *failed)
{
	struct submission *s = arg;
	struct reply reply;
	char id[ID_LEN + 1];

	/* The client first, then the log: nobody waits for that. */
	if (failed == NULL) {
		id_format(id, s->id);
		reply_make(&reply, R_QUEUED, id);
		answer(s, &reply);
		s->queue->accepted++;
		log_info("accepted", log_id("id", s->id),
		    log_str("from", s->sender),
		    log_num("size", (int64_t)s->size),
		    log_num("nrcpt", s->nrcpts), log_str("client", s->client));
	} else {
		answer(s, failed);
		log_warn("not_accepted", log_id("id", s->id),
		    log_num("code", failed->code));
	}
	if (s->smtpd != NULL)
		LIST_REMOVE(s, link);
	free(s);
}

void
submit_orphan(struct smtpd *smtpd)
{
	struct submission *s;

	while ((s = LIST_FIRST(&smtpd->submissions)) != NULL) {
		LIST_REMOVE(s, link);
		s->smtpd = NULL;
	}
}

/*
 * What a program of this host left out (RFC 5322 section 3.6, RFC 6409 section
 * 8).  The null reverse-path is nobody's address.
 */
static int
add_missing(
    struct buf *b, const struct queue *q, const struct submit *s, int64_t now)
{
	const struct envelope *e = &s->envelope;
	char date[DATE_LEN + 1], id[ID_LEN + 1];
	bool null = e->sender.n == 0;

	date_format(date, now, queue_zone(now));
	id_format(id, s->id);
	if (((e->lacks & LACKS_MESSAGE_ID) &&
		buf_addf(b, "Message-ID: <%s@%s>\r\n", id, q->conf->hostname) ==
		    -1) ||
	    ((e->lacks & LACKS_DATE) &&
		buf_addf(b, "Date: %s\r\n", date) == -1) ||
	    ((e->lacks & LACKS_FROM) &&
		buf_addf(b, "From: %s%.*s%s\r\n", null ? "MAILER-DAEMON@" : "",
		    (int)e->sender.n, e->sender.p,
		    null ? q->conf->hostname : "") == -1) ||
	    ((e->lacks & LACKS_HEADER) && buf_add_str(b, "\r\n") == -1))
		return -1;
	return 0;
}

static int
make_prefix(struct queue *q, const struct submit *s, struct buf *b)
{
	int64_t now = queue_now();
	bool local = s->envelope.with == WITH_LOCAL;
	struct rcpt_list rcpts = s->rcpts;
	struct span one = SPAN(""), client = s->envelope.client;

	if (client.n == 0 && s->envelope.with != WITH_LOCAL)
		client = RECEIVED_UNKNOWN;
	if (s->envelope.nrcpts == 1)
		(void)rcpts_next(&rcpts, &one);
	/* It is optional, and the field is ASCII. */
	if (utf8_beyond_ascii(one))
		one = SPAN("");
	if (received_add(b,
		&(struct received){ .local = local,
		    .uid = s->envelope.uid,
		    .helo = s->envelope.helo,
		    .client = client,
		    .by = span_of(q->conf->hostname),
		    .with = envelope_with_name(s->envelope.with),
		    .id = s->id,
		    .recipient = one,
		    .time = now,
		    .zone = queue_zone(now) }) == -1)
		return -1;
	return add_missing(b, q, s, now);
}

static struct record_rcpt *
make_rows(const struct submit *s)
{
	struct rcpt_list rcpts = s->rcpts;
	struct record_rcpt *rows = calloc(s->envelope.nrcpts, sizeof *rows);

	for (uint32_t i = 0; rows != NULL && i < s->envelope.nrcpts; i++) {
		rows[i].index = i;
		rows[i].state = RCPT_WAITING;
		rows[i].host = SPAN("");
		(void)rcpts_next(&rcpts, &rows[i].address);
	}
	return rows;
}

static void
commit(struct queue *q, const struct submit *s, struct span prefix,
    const struct record_rcpt *rows, struct submission *wait)
{
	const struct record_message m = { .id = s->id,
		.content = s->id,
		.size = wait->size,
		.flags = s->envelope.utf8 ? MESSAGE_UTF8 : 0,
		.body = s->envelope.body,
		.sender = s->envelope.sender,
		.client = s->envelope.client,
		.prefix = prefix,
		.nrcpts = s->envelope.nrcpts };

	change_begin(q->store);
	if (s->incoming != NULL)
		incoming_commit(s->incoming);
	else
		change_content(q->store, s->id, s->content);
	change_message(q->store, &m, rows);
	change_commit(q->store, on_disk, wait);
}

static void
describe(struct submission *w, struct queue *q, const struct submit *s)
{
	w->queue = q;
	w->smtpd = s->smtpd;
	w->request = s->request;
	w->id = s->id;
	w->size =
	    s->incoming != NULL ? incoming_size(s->incoming) : s->content.n;
	w->nrcpts = s->envelope.nrcpts;
	span_copy(w->sender, sizeof w->sender, s->envelope.sender);
	span_copy(w->client, sizeof w->client, s->envelope.client);
	if (s->envelope.with == WITH_LOCAL)
		snprintf(
		    w->client, sizeof w->client, "uid %u", s->envelope.uid);
}

void
submit(struct queue *q, const struct submit *s)
{
	struct submission *wait = calloc(1, sizeof *wait);
	struct record_rcpt *rows = make_rows(s);
	struct reply reply;
	struct buf prefix;

	buf_init(&prefix, PREFIX_MAX);
	if (wait != NULL && rows != NULL && make_prefix(q, s, &prefix) == 0) {
		describe(wait, q, s);
		if (s->smtpd != NULL)
			LIST_INSERT_HEAD(&s->smtpd->submissions, wait, link);
		commit(q, s, buf_span(&prefix), rows, wait);
	} else {
		reply_make(&reply, R_LOCAL_ERROR, "no memory");
		if (s->smtpd != NULL)
			smtpd_answer(s->smtpd, s->request, &reply);
		if (s->incoming != NULL)
			incoming_abort(s->incoming);
		free(wait);
	}
	buf_fini(&prefix);
	free(rows);
}
