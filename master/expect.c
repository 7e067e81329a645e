/*
 * expect.c - the `expect` statements, asked of a lookup as smtpd would ask it.
 *
 * A short-lived process of its own does this: what lookup answers is data of
 * another process, and master parses none of it.  Where started as root it
 * becomes the user of smtpd, and it can neither open nor connect to anything.
 */
#include <errno.h>
#include <seccomp.h>
#include <stdio.h>
#include <unistd.h>

#include "common/bytes/log.h"
#include "common/msg/reply.h"
#include "common/msg/smtpd_lookup.h"
#include "common/run/process.h"
#include "master/master.h"

struct asking {
	const struct conf *conf;
	struct event_base *base;
	struct channel *lookup;
	size_t at; /* the statement that is asked about */
	size_t failed;
};

/* --- expected and got ------------------------------------------------------
 */

static bool
is_reply(const struct reply *r, const char *name)
{
	const struct reply_row *row;
	const char *text;
	enum reply_name which;
	size_t n;

	if (!reply_by_name(span_of(name), &which))
		return false;
	row = reply_row(which);
	/* Without what is told of the case; see reply_make. */
	text = reply_text_of(which);
	n = strcspn(text, "%");
	while (n > 0 && (text[n - 1] == ' ' || text[n - 1] == ':'))
		n--;
	return r->code == row->code && r->esc.class == row->esc.class &&
	    r->esc.subject == row->esc.subject &&
	    r->esc.detail == row->esc.detail &&
	    strncmp(r->text, text, n) == 0;
}

bool
expect_met(const struct conf_expect *e, const struct reply *r)
{
	if (e->reply[0] != '\0')
		return is_reply(r, e->reply);
	return r->code == e->code &&
	    (e->esc.class == 0 ||
		(r->esc.class == e->esc.class &&
		    r->esc.subject == e->esc.subject &&
		    r->esc.detail == e->esc.detail));
}

static void
wanted(char *dst, size_t size, const struct conf_expect *e)
{
	if (e->reply[0] != '\0')
		snprintf(dst, size, "%s", e->reply);
	else if (e->esc.class == 0)
		snprintf(dst, size, "%u", e->code);
	else
		snprintf(dst, size, "%u %u.%u.%u", e->code, e->esc.class,
		    e->esc.subject, e->esc.detail);
}

static void
compare(struct asking *a, const struct reply *r)
{
	const struct conf_expect *e = &a->conf->expects[a->at];
	char client[IP_TEXT_MAX], text[REPLY_LINE_MAX + 1], want[64];

	if (expect_met(e, r))
		return;
	a->failed++;
	ip_format(client, &e->client);
	reply_text(text, sizeof text, r);
	wanted(want, sizeof want, e);
	fprintf(stderr,
	    "%s:%u: expect \"mail <%s> rcpt %s from %s\": \"%s\" is expected, "
	    "the reply is \"%s\"\n",
	    a->conf->file, e->line, e->sender, e->rcpt, client, want, text);
}

/* --- the dialogue ----------------------------------------------------------
 */

static uint32_t
listener(const struct conf *c, const struct conf_expect *e)
{
	for (size_t i = 0; i < c->nlistens; i++)
		if (strcmp(c->listens[i].title, e->listener) == 0)
			return (uint32_t)i;
	return 0;
}

/* A session of its own for each; the number is that of the statement. */
static void
ask_next(struct asking *a)
{
	const struct conf_expect *e = &a->conf->expects[a->at];
	struct msg_connect connect = { .session = (uint32_t)a->at };

	if (a->at == a->conf->nexpects) {
		event_base_loopbreak(a->base);
		return;
	}
	connect.listener = listener(a->conf, e);
	connect.ip = e->client;
	msg_connect_put(
	    channel_begin(a->lookup, LOOKUP_CONNECT, (uint32_t)a->at + 1),
	    &connect);
	(void)channel_send(a->lookup, -1);
}

static void
answered(struct asking *a, const struct reply *r)
{
	const struct msg_gone gone = { (uint32_t)a->at };

	compare(a, r);
	msg_gone_put(channel_begin(a->lookup, LOOKUP_GONE, 0), &gone);
	(void)channel_send(a->lookup, -1);
	a->at++;
	ask_next(a);
}

static int
on_client(void *arg, struct ipc_msg *m)
{
	struct asking *a = arg;
	struct msg_client client;
	struct msg_rcpt rcpt;
	const struct conf_expect *e;

	if (msg_client_get(m, &client) == -1 || m->id != a->at + 1)
		return -1;
	if (reply_class(&client.reply) != 2) {
		answered(a, &client.reply);
		return 0;
	}
	e = &a->conf->expects[a->at];
	rcpt = (struct msg_rcpt){ .session = (uint32_t)a->at,
		.sender = span_of(e->sender),
		.rcpt = span_of(e->rcpt) };
	msg_rcpt_put(
	    channel_begin(a->lookup, LOOKUP_RCPT, (uint32_t)a->at + 1), &rcpt);
	(void)channel_send(a->lookup, -1);
	return 0;
}

static int
on_verdict(void *arg, struct ipc_msg *m)
{
	struct asking *a = arg;
	struct msg_verdict verdict;

	if (msg_verdict_get(m, &verdict) == -1 || m->id != a->at + 1)
		return -1;
	answered(a, &verdict.reply);
	return 0;
}

static void
on_closed(void *arg, bool bad)
{
	struct asking *a = arg;

	(void)bad;
	a->lookup = NULL;
	event_base_loopbreak(a->base);
}

static const struct ipc_rule rules[] = {
	{ LOOKUP_CLIENT, IPC_ANY_PHASE, IPC_FD_NEVER, on_client },
	{ LOOKUP_VERDICT, IPC_ANY_PHASE, IPC_FD_NEVER, on_verdict },
};

static const struct channel_ops ops = {
	.rules = rules,
	.nrules = sizeof rules / sizeof rules[0],
	.closed = on_closed,
};

/* --- the process -----------------------------------------------------------
 */

static void
confine(const struct conf *conf, bool root)
{
	/* Standard error, the channel, and the loop: nothing beyond what every
	 * process may do. */
	static const struct confine limits = { .caps = 0 };

	confine_drop(&limits, root ? process_user(PEER_SMTPD) : NULL, NULL);
	confine_landlock(&limits, conf->seccomp_only);
	confine_seccomp(&limits);
}

int
expect_ask(const struct conf *conf, bool root)
{
	const struct timeval limit = { .tv_sec = SMTPD_LOOKUP_SECONDS };
	struct asking a = { .conf = conf, .base = event_base_new() };

	if (a.base == NULL ||
	    (a.lookup = channel_new(
		 a.base, HELPER_FD, PEER_LOOKUP, &ops, &a)) == NULL) {
		fprintf(stderr, "expect: out of memory\n");
		return 1;
	}
	conf_use_replies(conf);
	confine(conf, root);
	event_base_loopexit(a.base, &limit);
	ask_next(&a);
	/* Where there are none the end was before the beginning. */
	if (conf->nexpects > 0)
		event_base_dispatch(a.base);
	if (a.at < conf->nexpects)
		fprintf(stderr, "%s:%u: expect: lookup gave no answer\n",
		    conf->file, conf->expects[a.at].line);
	return a.at < conf->nexpects || a.failed > 0 ? 1 : 0;
}
