/*
 * account.c - the side that asks: questions, their time limits, and answers
 * that are still fresh.
 */
#include <bsd/sys/queue.h>
#include <bsd/sys/tree.h>
#include <sys/socket.h>

#include <bsd/string.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "common/bytes/log.h"
#include "common/run/account.h"
#include "common/run/account_helper.h"

struct waiter {
	TAILQ_ENTRY(waiter) link;
	account_answer *answer;
	void *arg;
	int64_t deadline;
};

struct entry {
	RB_ENTRY(entry) node;
	TAILQ_ENTRY(entry) link; /* in `asked` or in `known` */
	TAILQ_HEAD(waiters, waiter) waiters;
	bool pending;
	int64_t fresh_until;
	struct account account;
};

struct accounts {
	int fd;
	pid_t pid;
	struct event *readable, *tick;
	RB_HEAD(names, entry) names;
	TAILQ_HEAD(, entry)
	asked; /* in this order; the first is with the helper */
	TAILQ_HEAD(, entry) known; /* the oldest answer first */
	struct waiters answering;  /* they get their answer right now */
	bool busy;		   /* the helper has the first of `asked` */
	int64_t since;		   /* … since then */
	size_t n;
};

static int
entry_cmp(const struct entry *a, const struct entry *b)
{
	return strcmp(a->account.name, b->account.name);
}

/* RB_GENERATE_STATIC of libbsd needs an __unused that it does not define. */
RB_GENERATE_INTERNAL(
    names, entry, node, entry_cmp, __attribute__((unused)) static)

static int64_t
now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

bool
account_name_ok(struct span s)
{
	if (s.n == 0 || s.n > CONF_USER_MAX || s.p[0] == '.' || s.p[0] == '-')
		return false;
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] <= ' ' || s.p[i] > '~' || s.p[i] == '/' ||
		    s.p[i] == ':')
			return false;
	return true;
}

static void
answer_only(struct span name, enum account_state state, account_answer *answer,
    void *arg)
{
	struct account a = { .state = state };

	span_copy(a.name, sizeof a.name, name);
	answer(arg, &a);
}

static struct entry *
entry_find(struct accounts *as, struct span name)
{
	struct entry key;

	span_copy(key.account.name, sizeof key.account.name, name);
	return RB_FIND(names, &as->names, &key);
}

static void
entry_free(struct accounts *as, struct entry *e)
{
	struct waiter *w;

	while ((w = TAILQ_FIRST(&e->waiters)) != NULL) {
		TAILQ_REMOVE(&e->waiters, w, link);
		free(w);
	}
	RB_REMOVE(names, &as->names, e);
	if (e->pending)
		TAILQ_REMOVE(&as->asked, e, link);
	else
		TAILQ_REMOVE(&as->known, e, link);
	as->n--;
	free(e);
}

/* NULL when there is no room: everything in the table is being asked for. */
static struct entry *
entry_new(struct accounts *as, struct span name)
{
	struct entry *e;

	if (as->n >= ACCOUNT_ENTRIES_MAX) {
		if ((e = TAILQ_FIRST(&as->known)) == NULL)
			return NULL;
		entry_free(as, e);
	}
	if ((e = calloc(1, sizeof *e)) == NULL)
		return NULL;
	span_copy(e->account.name, sizeof e->account.name, name);
	TAILQ_INIT(&e->waiters);
	RB_INSERT(names, &as->names, e);
	e->pending = true;
	TAILQ_INSERT_TAIL(&as->asked, e, link);
	as->n++;
	return e;
}

/* The process cannot do its work without the helper, and has given up what it
 * would need to make another. */
_Noreturn static void
give_up(const char *why)
{
	log_error("account_helper_lost", log_str("why", why));
	exit(1);
}

static void
send_next(struct accounts *as)
{
	struct entry *e = TAILQ_FIRST(&as->asked);
	size_t n;

	if (as->busy || e == NULL)
		return;
	n = strlen(e->account.name);
	if (send(as->fd, e->account.name, n, MSG_NOSIGNAL) != (ssize_t)n)
		give_up("send");
	as->busy = true;
	as->since = now_ms();
}

/* Those who waited too long; of entries and of waiters the oldest is first. */
static void
expire(struct accounts *as, int64_t now)
{
	struct entry *e, *next;
	struct waiter *w;

	for (e = TAILQ_FIRST(&as->asked); e != NULL; e = next) {
		while ((w = TAILQ_FIRST(&e->waiters)) != NULL &&
		    w->deadline <= now) {
			TAILQ_REMOVE(&e->waiters, w, link);
			answer_only(span_of(e->account.name), ACCOUNT_ERROR,
			    w->answer, w->arg);
			free(w);
		}
		next = TAILQ_NEXT(e, link);
		/* Nobody wants to know any more; the first is with the helper.
		 */
		if (TAILQ_EMPTY(&e->waiters) && e != TAILQ_FIRST(&as->asked))
			entry_free(as, e);
	}
}

static void
on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct accounts *as = arg;
	int64_t now = now_ms();

	(void)fd;
	(void)what;
	if (as->busy && now - as->since > ACCOUNT_HUNG_SECONDS * 1000)
		give_up("hung");
	expire(as, now);
}

static void
answer_all(struct accounts *as, struct entry *e)
{
	/* The entry may be dropped by what an answer causes. */
	struct account account = e->account;
	struct waiter *w;

	TAILQ_CONCAT(&as->answering, &e->waiters, link);
	if (e->account.state == ACCOUNT_ERROR)
		entry_free(as, e);
	while ((w = TAILQ_FIRST(&as->answering)) != NULL) {
		TAILQ_REMOVE(&as->answering, w, link);
		w->answer(w->arg, &account);
		free(w);
	}
}

static void
on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct accounts *as = arg;
	struct entry *e = TAILQ_FIRST(&as->asked);
	char packet[ACCOUNT_ANSWER_MAX];
	struct wire_get body;
	int64_t keep;
	ssize_t n = recv(fd, packet, sizeof packet, MSG_DONTWAIT | MSG_TRUNC);

	(void)what;
	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0)
		give_up("died");
	if (!as->busy || e == NULL || n > (ssize_t)sizeof packet)
		give_up("unexpected answer");
	body = wire_reader(span_from(packet, (size_t)n));
	account_get(&body, &e->account);
	if (!wire_done(&body))
		give_up("malformed answer");
	as->busy = false;
	e->pending = false;
	keep = e->account.state == ACCOUNT_FOUND ? ACCOUNT_KEEP_FOUND
						 : ACCOUNT_KEEP_NONE;
	e->fresh_until = now_ms() + keep * 1000;
	TAILQ_REMOVE(&as->asked, e, link);
	TAILQ_INSERT_TAIL(&as->known, e, link);
	send_next(as);
	answer_all(as, e);
}

struct accounts *
accounts_start(const struct conf *conf, const char *user, bool groups)
{
	struct accounts *as = calloc(1, sizeof *as);
	int fds[2];

	if (as == NULL ||
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) == -1)
		fatal("account helper");
	RB_INIT(&as->names);
	TAILQ_INIT(&as->asked);
	TAILQ_INIT(&as->known);
	TAILQ_INIT(&as->answering);
	if ((as->pid = fork()) == -1)
		fatal("account helper");
	if (as->pid == 0) {
		close(fds[0]);
		account_helper(fds[1], conf, user, groups);
	}
	close(fds[1]);
	as->fd = fds[0];
	return as;
}

void
accounts_begin(struct accounts *as, struct event_base *base)
{
	static const struct timeval second = { .tv_sec = 1 };

	if (as == NULL)
		return;
	as->readable =
	    event_new(base, as->fd, EV_READ | EV_PERSIST, on_readable, as);
	as->tick = event_new(base, -1, EV_PERSIST, on_tick, as);
	if (as->readable == NULL || as->tick == NULL ||
	    event_add(as->readable, NULL) == -1 ||
	    event_add(as->tick, &second) == -1)
		fatal("account helper");
}

void
accounts_free(struct accounts *as)
{
	struct entry *e;

	if (as == NULL)
		return;
	while ((e = RB_ROOT(&as->names)) != NULL)
		entry_free(as, e);
	if (as->readable != NULL)
		event_free(as->readable);
	if (as->tick != NULL)
		event_free(as->tick);
	close(as->fd);
	free(as);
}

static void
wait_for(
    struct accounts *as, struct entry *e, account_answer *answer, void *arg)
{
	struct waiter *w = malloc(sizeof *w);

	if (w == NULL) {
		answer_only(
		    span_of(e->account.name), ACCOUNT_ERROR, answer, arg);
		return;
	}
	*w = (struct waiter){ .answer = answer,
		.arg = arg,
		.deadline = now_ms() + ACCOUNT_SECONDS * 1000 };
	TAILQ_INSERT_TAIL(&e->waiters, w, link);
	send_next(as);
}

void
accounts_ask(
    struct accounts *as, struct span name, account_answer *answer, void *arg)
{
	struct entry *e;

	if (!account_name_ok(name)) {
		answer_only(name, ACCOUNT_NONE, answer, arg);
		return;
	}
	e = entry_find(as, name);
	if (e != NULL && !e->pending && e->fresh_until > now_ms()) {
		struct account account = e->account;

		answer(arg, &account);
		return;
	}
	if (e != NULL && !e->pending) {
		entry_free(as, e);
		e = NULL;
	}
	if (e == NULL && (e = entry_new(as, name)) == NULL) {
		answer_only(name, ACCOUNT_ERROR, answer, arg);
		return;
	}
	wait_for(as, e, answer, arg);
}

static void
forget(struct waiters *waiters, void *arg)
{
	struct waiter *w, *next;

	for (w = TAILQ_FIRST(waiters); w != NULL; w = next) {
		next = TAILQ_NEXT(w, link);
		if (w->arg != arg)
			continue;
		TAILQ_REMOVE(waiters, w, link);
		free(w);
	}
}

void
accounts_forget(struct accounts *as, void *arg)
{
	struct entry *e;

	TAILQ_FOREACH(e, &as->asked, link)
	forget(&e->waiters, arg);
	forget(&as->answering, arg);
}
