/*
 * reload.c - another configuration, by new processes.
 *
 * No running process is reconfigured (queue, which stays, gets its settings by
 * a message).  The file is parsed, the users are looked for, new processes are
 * started with the new configuration, its expectations are asked of the new
 * lookup; only when all of that has gone well do they take over, in one step.
 * Whatever fails before that leaves things as they were.
 */
#include <sys/wait.h>

#include <errno.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include "common/bytes/log.h"
#include "master/master.h"

/* --- the end ---------------------------------------------------------------
 */

static void
drop_next(struct master *m)
{
	struct child *c;

	TAILQ_FOREACH (c, &m->children, link) {
		if (c->role != ROLE_NEXT)
			continue;
		c->role = ROLE_RETIRING;
		child_kill(c);
	}
	generation_unref(m->reload.next);
	m->reload.next = NULL;
}

static void
on_again(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	reload_go_on(arg);
}

static void
over(struct master *m, enum reply_name name)
{
	static const struct timeval at_once = { 0 };
	struct reload *r = &m->reload;

	evtimer_del(r->limit);
	helper_end(m);
	r->stage = RELOAD_NONE;
	waiters_answer(m, name);
	if (m->phase != PHASE_RUNNING)
		return;
	notify(&m->notify, "READY=1");
	notify_status(m);
	/* Not from here: those above us still look at this one. */
	if (r->again)
		event_base_once(m->base, -1, EV_TIMEOUT, on_again, m, &at_once);
}

/* One line for each thing that is wrong. */
static void
refuse_lines(struct master *m, struct span text)
{
	struct msg_line line;

	while (text.n > 0) {
		struct span one = span_cut(&text, '\n');

		if (one.n == 0)
			continue;
		if (one.n > MASTER_LINE_MAX)
			one.n = MASTER_LINE_MAX;
		(void)span_copy(line.text, sizeof line.text, one);
		waiters_tell(m, &line);
		log_error("reload_refused", log_span("reason", one));
	}
}

static void
refuse(struct master *m, struct span text)
{
	refuse_lines(m, text);
	drop_next(m);
	over(m, R_NOT_RELOADED);
}

static void
refuse_with(struct master *m, const char *what, const char *why)
{
	struct buf text;

	buf_init(&text, MASTER_LINE_MAX);
	(void)buf_addf(&text, "%s: %s: %s", m->current->conf.file, what, why);
	refuse(m, buf_span(&text));
	buf_fini(&text);
}

/* What a helper said, or, of one that said nothing, how it ended. */
static void
refuse_helped(struct master *m, const char *what, int status)
{
	const struct buf *said = &m->helper.said[1].text;

	if (said->n > 0)
		refuse(m, buf_span(said));
	else
		refuse_with(m, what,
		    WIFSIGNALED(status) ? sigdescr_np(WTERMSIG(status))
					: "could not be done");
}

static void
on_limit(evutil_socket_t fd, short what, void *arg)
{
	struct master *m = arg;
	const struct child *c;
	const char *who = "config";

	(void)fd;
	(void)what;
	if (m->reload.stage == RELOAD_EXPECT)
		who = "expect";
	TAILQ_FOREACH (c, &m->children, link)
		if (c->role == ROLE_NEXT && !c->ready)
			who = peer_name(c->kind);
	refuse_with(m, who, "not ready in time");
}

void
reload_lost(struct master *m, enum peer kind)
{
	if (m->reload.stage != RELOAD_NONE)
		refuse_with(m, peer_name(kind),
		    "could not be started; the log says why");
}

void
reload_abandon(struct master *m)
{
	m->reload.again = false;
	waiters_join(m);
	if (m->reload.stage == RELOAD_NONE)
		return;
	log_error("reload_refused", log_str("reason", "the service stops"));
	drop_next(m);
	over(m, R_SHUTDOWN);
}

/* --- the switch ------------------------------------------------------------
 */

static void
give_conf(struct child *c)
{
	if (c->channel == NULL)
		return;
	(void)channel_begin(c->channel, MASTER_SETTINGS, 0);
	(void)channel_send(c->channel, c->generation->conf_fd);
}

static void
adopt(struct master *m)
{
	struct child *c;

	TAILQ_FOREACH (c, &m->children, link) {
		if (c->role == ROLE_NEXT)
			c->role = ROLE_PLACE;
		if (!channels_stays(c->kind))
			continue;
		generation_unref(c->generation);
		c->generation = generation_ref(m->current);
		give_conf(c);
	}
}

static void
take_over(struct master *m)
{
	struct generation *old = m->current;
	char listen[LISTEN_TEXT_MAX];
	const char *which;

	if (listen_begin(m->reload.next, &which) == -1) {
		refuse_with(m, which, strerrordesc_np(errno));
		return;
	}
	m->current = m->reload.next;
	conf_use_replies(&m->current->conf);
	m->reload.next = NULL;
	/* In this order: with its settings first, queue learns of the new
	 * agents, and then hands out nothing to the old ones. */
	adopt(m);
	channels_join(m);
	retire_generation(m, old);
	generation_unref(old);
	sessions_listen(m);
	listen_text(m, listen);
	log_info("reloaded", log_num("generation", m->current->number),
	    log_str("listen", listen),
	    log_str("hostname", m->current->conf.hostname));
	over(m, R_DONE);
}

/* --- step by step ----------------------------------------------------------
 */

static void
on_expected(struct master *m, int status)
{
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		take_over(m);
	else
		refuse_helped(m, "expect", status);
}

static int
run_expect(const struct master *m)
{
	return expect_ask(&m->reload.next->conf, m->root);
}

static void
expect(struct master *m)
{
	struct child *c;
	int fd = -1;

	if (m->reload.next->conf.nexpects == 0) {
		take_over(m);
		return;
	}
	m->reload.stage = RELOAD_EXPECT;
	TAILQ_FOREACH (c, &m->children, link)
		if (c->kind == PEER_LOOKUP && c->role == ROLE_NEXT)
			fd = channels_lend(c, PEER_SMTPD);
	if (fd == -1 || helper_start(m, run_expect, fd, on_expected) == -1)
		refuse_with(m, "expect", strerrordesc_np(errno));
}

static bool
next_ready(const struct master *m)
{
	const struct child *c;

	TAILQ_FOREACH (c, &m->children, link)
		if (c->role == ROLE_NEXT && !c->ready)
			return false;
	return true;
}

static void
start(struct master *m)
{
	struct generation *next = m->reload.next;
	const char *which;

	if (listen_prepare(m->current, next, &which) == -1) {
		refuse_with(m, which, strerrordesc_np(errno));
		return;
	}
	m->reload.stage = RELOAD_START;
	m->descriptors = descriptors_raise(&next->conf);
	if (children_begin(m, next) == -1 && m->reload.stage != RELOAD_NONE)
		refuse_with(m, "the new processes", strerrordesc_np(errno));
}

static void
on_users(struct master *m, int status)
{
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		start(m);
	else
		refuse_helped(m, "users", status);
}

/* Looking for users may wait for a server. */
static int
run_users(const struct master *m)
{
	struct directory_owner owner;

	users_find(m, &m->reload.next->conf, &owner);
	return 0;
}

static void
on_file(struct master *m, int status)
{
	const char *fixed;

	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
		refuse_helped(m, "config", status);
		return;
	}
	m->reload.next = configuration_new(
	    buf_span(&m->helper.said[0].text), m->current->number + 1);
	if (m->reload.next == NULL) {
		refuse_with(m, "config", strerrordesc_np(errno));
		return;
	}
	fixed = configuration_fixed(&m->current->conf, &m->reload.next->conf);
	m->reload.stage = RELOAD_USERS;
	if (fixed != NULL)
		refuse_with(m, fixed, "has changed, which needs a restart");
	else if (helper_start(m, run_users, -1, on_users) == -1)
		refuse_with(m, "users", strerrordesc_np(errno));
}

static int
run_config(const struct master *m)
{
	configuration_exec(m, m->current->conf.file, STDOUT_FILENO);
}

void
reload_begin(struct master *m, const char *by)
{
	static const struct timeval limit = { .tv_sec = START_SECONDS };
	struct reload *r = &m->reload;
	struct timespec now;

	if (m->phase != PHASE_RUNNING || r->stage != RELOAD_NONE) {
		r->again = m->phase != PHASE_STOPPING;
		return;
	}
	log_info("reloading", log_str("by", by));
	clock_gettime(CLOCK_MONOTONIC, &now);
	notify(&m->notify, "RELOADING=1\nMONOTONIC_USEC=%lld",
	    (long long)now.tv_sec * 1000000 + now.tv_nsec / 1000);
	r->again = false;
	r->stage = RELOAD_FILE;
	evtimer_add(r->limit, &limit);
	if (helper_start(m, run_config, -1, on_file) == -1)
		refuse_with(m, "config", strerrordesc_np(errno));
}

void
reload_go_on(struct master *m)
{
	struct reload *r = &m->reload;

	if (m->phase != PHASE_RUNNING)
		return;
	if (r->stage == RELOAD_START && next_ready(m)) {
		channels_make_next(m);
		expect(m);
	} else if (r->stage == RELOAD_NONE && r->again)
		reload_begin(m, "an earlier request");
}

int
reload_init(struct master *m)
{
	m->reload.limit = evtimer_new(m->base, on_limit, m);
	return m->reload.limit != NULL ? 0 : -1;
}
