/*
 * output.c - where the log goes: standard error, or the syslog service.
 *
 * When that is slow or away nothing is read, and nobody waits: the pipes fill,
 * and log.h drops lines and counts them where they are made.
 */
#include <time.h>
#include <unistd.h>

#include "common/bytes/log.h"
#include "common/msg/master.h"
#include "common/msg/reply.h"
#include "master/logger/logger.h"

#define RETRY_SECONDS 1 /* until syslog is looked for again */
#define PAUSE_WORTH   5 /* seconds without the log that it tells of */

static time_t
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec;
}

void
output_detach(struct logger *l)
{
	if (l->writable != NULL)
		event_free(l->writable);
	l->writable = NULL;
	if (l->sink.fd != -1 && l->sink.fd != l->err)
		close(l->sink.fd);
	l->sink.fd = -1;
}

static void
on_writable(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	output_go_on(arg);
}

void
output_attach(struct logger *l, int fd, bool datagrams)
{
	output_detach(l);
	l->sink = (struct sink){ fd, datagrams };
	l->form.syslog = datagrams;
	l->writable = event_new(l->process->base, fd, EV_WRITE, on_writable, l);
	if (l->writable == NULL)
		fatalx("logger", "no events");
}

static void
pause_reading(struct logger *l)
{
	struct source *s;

	if (l->paused)
		return;
	l->paused = true;
	l->since = now();
	LIST_FOREACH(s, &l->sources, link)
	event_del(s->readable);
}

static void
resume_reading(struct logger *l)
{
	struct source *s;

	if (!l->paused)
		return;
	l->paused = false;
	LIST_FOREACH(s, &l->sources, link)
	event_add(s->readable, NULL);
	if (now() - l->since >= PAUSE_WORTH)
		log_warn("log_resumed", log_num("seconds", now() - l->since));
}

void
output_retry_in(struct logger *l, int seconds)
{
	const struct timeval t = { .tv_sec = seconds };

	evtimer_add(l->retry, &t);
}

/* What syslog does not take at the end goes where it would without it. */
static void
on_retry(evutil_socket_t fd, short what, void *arg)
{
	struct logger *l = arg;

	(void)fd;
	(void)what;
	if (l->process->stopping) {
		output_attach(l, l->err, false);
		output_go_on(l);
	} else if (l->process->master != NULL) {
		(void)channel_begin(l->process->master, MASTER_SYSLOG, 0);
		(void)channel_send(l->process->master, -1);
	}
}

/* Standard error, once, with what nobody else can say. */
static void
complain(struct logger *l)
{
	static const struct lines_form plain = { false, false };
	const struct sink err = { l->err, false };
	char text[LINES_TEXT_MAX];
	struct timespec t;
	uint64_t lost;
	size_t n;

	if (l->complained)
		return;
	l->complained = true;
	clock_gettime(CLOCK_REALTIME, &t);
	n = lines_format(text, &plain, &t, peer_name(PEER_LOGGER),
	    SPAN("event=syslog_away level=error"));
	(void)sink_write(&err, text, &n, &lost);
}

int
output_syslog(void *arg, struct ipc_msg *m)
{
	struct process *p = arg;
	struct logger *l = p->state;

	if (msg_empty_get(m) == -1)
		return -1;
	if (l->sink.fd != -1 || l->process->stopping)
		return 0;
	if (m->fd == -1) {
		complain(l);
		output_retry_in(l, RETRY_SECONDS);
		return 0;
	}
	output_attach(l, m->fd, true);
	m->fd = -1;
	l->complained = false;
	output_go_on(l);
	return 0;
}

static void
tell_lost(struct logger *l)
{
	if (l->lost == l->lost_told)
		return;
	log_warn(
	    "log_lost", log_num("lines", (int64_t)(l->lost - l->lost_told)));
	l->lost_told = l->lost;
}

void
output_go_on(struct logger *l)
{
	uint64_t lost = l->lost;

	switch (sink_write(&l->sink, l->text, &l->n, &l->lost)) {
	case SINK_DONE:
		resume_reading(l);
		/* Not while every line of ours would be lost as well. */
		if (lost == l->lost)
			tell_lost(l);
		break;
	case SINK_BUSY:
		/* There are files that poll() reports and epoll cannot. */
		if (event_add(l->writable, NULL) == 0)
			pause_reading(l);
		break;
	case SINK_GONE:
		output_detach(l);
		pause_reading(l);
		output_retry_in(l, l->complained ? RETRY_SECONDS : 0);
		break;
	}
}

int
output_retry_init(struct logger *l)
{
	l->retry = evtimer_new(l->process->base, on_retry, l);
	return l->retry != NULL ? 0 : -1;
}
