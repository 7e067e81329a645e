/*
 * check.c - `master -n`: what a start would say of the configuration.
 *
 * The file is parsed and the users are looked for as at a start; where there
 * are tables or expectations lookup is started, alone, and asked.  Nothing else
 * is opened, made or started, so that it can be done beside a running service,
 * and by anybody who may read the file and its tables.
 */
#include <sys/wait.h>

#include <err.h>
#include <stdio.h>
#include <unistd.h>

#include "common/bytes/log.h"
#include "master/master.h"

/* What lookup has to complain of in its tables; what went well is of no
 * interest here. */
static void
tell_warnings(const struct child *c)
{
	static char text[LOG_PIPE_SIZE];
	ssize_t n = read(c->log[0], text, sizeof text);
	struct span all = span_from(text, n > 0 ? (size_t)n : 0), line;

	while (all.n > 0) {
		line = span_cut(&all, '\n');
		if (memmem(line.p, line.n, " level=", strlen(" level=")) !=
		    NULL)
			dprintf(c->master->err, "lookup %.*s\n", (int)line.n,
			    line.p);
	}
}

static void
end(struct master *m, int status)
{
	struct child *c;

	TAILQ_FOREACH (c, &m->children, link)
		tell_warnings(c);
	m->status = status;
	helper_end(m);
	TAILQ_FOREACH (c, &m->children, link) {
		c->role = ROLE_RETIRING; /* its end is as it should be */
		child_kill(c);
	}
	event_base_loopbreak(m->base);
}

static void
on_expected(struct master *m, int status)
{
	const struct buf *said = &m->helper.said[1].text;

	if (said->n > 0)
		(void)!write(m->err, said->p, said->n);
	end(m, WIFEXITED(status) ? WEXITSTATUS(status) : 1);
}

static int
run_expect(const struct master *m)
{
	return expect_ask(&m->current->conf, m->root);
}

void
check_go_on(struct child *lookup)
{
	struct master *m = lookup->master;
	int fd = channels_lend(lookup, PEER_SMTPD);

	if (fd != -1 && helper_start(m, run_expect, fd, on_expected) == 0)
		return;
	warn("expect");
	end(m, 1);
}

void
check_lost(struct master *m)
{
	/* Its end is what we want where all has been said. */
	if (event_base_got_break(m->base))
		return;
	warnx("lookup could not be started");
	end(m, 1);
}

static void
on_limit(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	warnx("expect: no answer in time");
	end(arg, 1);
}

static void
on_child(evutil_socket_t signo, short what, void *arg)
{
	(void)signo;
	(void)what;
	children_reap(arg);
}

static int
ask(struct master *m)
{
	static const struct timeval limit = { .tv_sec = START_SECONDS };
	struct event *reap, *late;
	struct child *lookup;

	m->phase = PHASE_CHECKING;
	m->base = event_base_new();
	if (m->base == NULL)
		errx(1, "no event loop");
	reap = evsignal_new(m->base, SIGCHLD, on_child, m);
	late = evtimer_new(m->base, on_limit, m);
	if (reap == NULL || event_add(reap, NULL) == -1 || late == NULL ||
	    evtimer_add(late, &limit) == -1)
		errx(1, "no events");
	lookup = child_new(m, m->current, PEER_LOOKUP, ROLE_PLACE);
	if (lookup == NULL || !child_start(lookup))
		err(1, "lookup");
	event_base_dispatch(m->base);
	event_free(reap);
	event_free(late);
	children_free(m);
	event_base_free(m->base);
	return m->status;
}

/* Files that lookup reads, and has something to say of. */
static bool
has_tables(const struct conf *c)
{
	for (size_t i = 0; i < c->ndomains; i++) {
		const struct conf_domain *d = &c->domains[i];

		if (d->users == USERS_FILE || d->aliases[0] != '\0' ||
		    d->moved_file[0] != '\0')
			return true;
	}
	return false;
}

int
check(struct master *m, const char *file)
{
	struct directory_owner owner;
	int status = 0;

	configuration_read(m, file);
	users_find(m, &m->current->conf, &owner);
	if (m->current->conf.nexpects > 0 || has_tables(&m->current->conf))
		status = ask(m);
	generation_unref(m->current);
	return status;
}
