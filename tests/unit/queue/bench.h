/*
 * bench.h - a scheduler and messages in it, for the tests of queue.
 */
#ifndef TEST_BENCH_H
#define TEST_BENCH_H

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "queue/schedule.h"

#define NOW    1000000
#define EXPIRE 432000
#ifndef NMESSAGES
#define NMESSAGES 64
#endif

static const struct schedule_limits limits = {
	.retry_first = 300,
	.retry_max = 14400,
	.expire = EXPIRE,
	.in_all = { [ROUTE_LOCAL] = 8, [ROUTE_REMOTE] = 400 },
	.of_one = { [ROUTE_LOCAL] = 4, [ROUTE_REMOTE] = 3 },
};

static char nobody[] = "";

/* A scheduler and the messages in it. */
struct bench {
	struct schedule *s;
	struct message *m[NMESSAGES];
	size_t n;
	uint64_t attempt;
};

static inline struct bench
bench_new(void)
{
	struct bench b = { .s = schedule_new(&limits) };

	ck_assert_ptr_nonnull(b.s);
	schedule_window(b.s, ROUTE_LOCAL, 400);
	schedule_window(b.s, ROUTE_REMOTE, 400);
	return b;
}

static inline void
bench_free(struct bench *b)
{
	struct delivery *h;

	while ((h = schedule_delivery_of(b->s, NULL)) != NULL)
		schedule_forget(b->s, h);
	for (size_t i = 0; i < b->n; i++) {
		for (uint32_t k = 0; k < b->m[i]->nrcpts; k++)
			schedule_remove(b->s, &b->m[i]->rcpts[k]);
		free(b->m[i]);
	}
	for (int p = PHASE_NONE; p < PHASE_END; p++)
		ck_assert_uint_eq(schedule_count(b->s, p), 0);
	/* Those that are still backed off are remembered, no others. */
	ck_assert_ptr_null(schedule_ask(b->s, INT64_MAX));
	ck_assert_uint_eq(schedule_destinations(b->s), 0);
	ck_assert_int_eq(schedule_next(b->s), INT64_MAX);
	schedule_free(b->s);
}

static inline struct message *
add(struct bench *b, uint32_t nrcpts, int64_t due)
{
	struct message *m =
	    calloc(1, sizeof *m + nrcpts * sizeof(struct recipient));

	ck_assert_ptr_nonnull(m);
	ck_assert_uint_lt(b->n, NMESSAGES);
	b->m[b->n++] = m;
	m->id = b->n;
	m->sender = nobody;
	m->nrcpts = nrcpts;
	for (uint32_t i = 0; i < nrcpts; i++) {
		m->rcpts[i].message = m;
		schedule_add(b->s, &m->rcpts[i], due);
	}
	return m;
}

static inline struct route
mx(const char *host)
{
	struct route r = { .kind = ROUTE_MX };

	snprintf(r.host, sizeof r.host, "%s", host);
	return r;
}

static inline struct route
mailbox(const char *user)
{
	struct route r = { .kind = ROUTE_MAILDIR_SYSTEM, .path = "Maildir" };

	snprintf(r.user, sizeof r.user, "%s", user);
	return r;
}

static inline void
routed(struct bench *b, struct recipient *r, struct route route)
{
	ck_assert_int_eq(r->phase, PHASE_ROUTING);
	ck_assert_int_eq(schedule_routed(b->s, r, &route), 0);
}

/* All that is due goes to one host; how many that were. */
static inline size_t
route_all(struct bench *b, int64_t now, const char *host)
{
	struct recipient *r;
	size_t n = 0;

	while ((r = schedule_ask(b->s, now)) != NULL) {
		routed(b, r, mx(host));
		n++;
	}
	return n;
}

static inline struct delivery *
handout(struct bench *b, enum route_agent agent)
{
	struct route route;
	struct delivery *h =
	    schedule_handout(b->s, agent, ++b->attempt, &route);

	if (h != NULL)
		ck_assert_int_eq(route_agent(&route), agent);
	return h;
}

/* All of it answered and recorded. */
static inline void
finish(struct bench *b, struct delivery *h)
{
	struct recipient *r;

	for (uint32_t i = 0; i < h->n; i++)
		ck_assert(schedule_answer(b->s, h, h->rcpts[i].index, &r));
	schedule_ended(b->s, h);
	schedule_forget(b->s, h);
}

static const struct reply no_host = { .code = 451,
	.esc = { 4, 4, 1 },
	.scope = SCOPE_HOST,
	.text = "No host answered" };

#endif
