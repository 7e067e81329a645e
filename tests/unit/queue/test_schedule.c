/*
 * test_schedule.c - which recipient goes when, and with which others.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "queue/schedule.h"

#define NOW	  1000000
#define EXPIRE	  432000
#define NMESSAGES 64

static const struct schedule_limits limits = {
	.retry_first = 300,
	.retry_max = 14400,
	.expire = EXPIRE,
	.in_all = { [ROUTE_LOCAL] = 8, [ROUTE_REMOTE] = 400 },
	.of_one = { [ROUTE_LOCAL] = 4, [ROUTE_REMOTE] = 3 },
};

/* A scheduler and the messages in it. */
struct bench {
	struct schedule *s;
	struct message *m[NMESSAGES];
	size_t n;
	uint64_t attempt;
};

static struct bench
bench_new(void)
{
	struct bench b = { .s = schedule_new(&limits) };

	ck_assert_ptr_nonnull(b.s);
	schedule_window(b.s, ROUTE_LOCAL, 400);
	schedule_window(b.s, ROUTE_REMOTE, 400);
	return b;
}

static void
bench_free(struct bench *b)
{
	struct delivery *h;

	for (size_t a = 0; a < ROUTE_AGENT_END; a++)
		while ((h = schedule_delivery_of(b->s, a)) != NULL)
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

static struct message *
add(struct bench *b, uint32_t nrcpts, int64_t due)
{
	struct message *m =
	    calloc(1, sizeof *m + nrcpts * sizeof(struct recipient));

	ck_assert_ptr_nonnull(m);
	ck_assert_uint_lt(b->n, NMESSAGES);
	b->m[b->n++] = m;
	m->id = b->n;
	m->nrcpts = nrcpts;
	for (uint32_t i = 0; i < nrcpts; i++) {
		m->rcpts[i].message = m;
		schedule_add(b->s, &m->rcpts[i], due);
	}
	return m;
}

static struct route
mx(const char *host)
{
	struct route r = { .kind = ROUTE_MX };

	snprintf(r.host, sizeof r.host, "%s", host);
	return r;
}

static struct route
mailbox(const char *user)
{
	struct route r = { .kind = ROUTE_MAILDIR_SYSTEM, .path = "Maildir" };

	snprintf(r.user, sizeof r.user, "%s", user);
	return r;
}

static void
routed(struct bench *b, struct recipient *r, struct route route)
{
	ck_assert_int_eq(r->phase, PHASE_ROUTING);
	ck_assert_int_eq(schedule_routed(b->s, r, &route), 0);
}

/* All that is due goes to one host; how many that were. */
static size_t
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

static struct delivery *
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
static void
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

/* --- when --------------------------------------------------------------------
 */

START_TEST(waits_double_up_to_the_maximum)
{
	static const struct {
		uint32_t n;
		int64_t wait;
	} rows[] = { { 0, 300 }, { 1, 300 }, { 2, 600 }, { 3, 1200 },
		{ 4, 2400 }, { 5, 4800 }, { 6, 9600 }, { 7, 14400 },
		{ 8, 14400 }, { 40, 14400 }, { UINT32_MAX, 14400 } };

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		int64_t w = rows[i].wait;

		/* 200 of 0 to 400 is the middle. */
		ck_assert_int_eq(schedule_wait(300, 14400, rows[i].n, 200), w);
		ck_assert_int_eq(
		    schedule_wait(300, 14400, rows[i].n, 0), w - w / 5);
		ck_assert_int_eq(
		    schedule_wait(300, 14400, rows[i].n, 400), w + w / 5);
		ck_assert_int_ge(
		    schedule_wait(300, 14400, rows[i].n, UINT32_MAX),
		    w - w / 5);
	}
	ck_assert_int_ge(schedule_wait(0, 0, 1, 0), 1);
	ck_assert_int_ge(schedule_wait(1, 1, 9, 0), 1);
}
END_TEST

START_TEST(a_reply_decides)
{
	static const struct {
		uint16_t code;
		int64_t now;
		uint32_t attempts;
		enum recipient_state state;
		int64_t next;
	} rows[] = {
		{ 250, NOW, 1, RCPT_DELIVERED, 0 },
		{ 251, NOW + EXPIRE, 1, RCPT_DELIVERED, 0 },
		{ 550, NOW, 1, RCPT_FAILED, 0 },
		{ 556, NOW, 1, RCPT_FAILED, 0 },
		{ 354, NOW, 1, RCPT_FAILED, 0 },
		{ 451, NOW, 1, RCPT_WAITING, NOW + 300 },
		{ 421, NOW, 3, RCPT_WAITING, NOW + 1200 },
		/* the last attempt is at the end */
		{ 451, NOW + EXPIRE - 10, 9, RCPT_WAITING, NOW + EXPIRE },
		{ 451, NOW + EXPIRE - 1, 1, RCPT_WAITING, NOW + EXPIRE },
		{ 451, NOW + EXPIRE, 9, RCPT_FAILED, 0 },
		{ 451, NOW + EXPIRE + 1, 9, RCPT_FAILED, 0 },
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		const struct reply reply = { .code = rows[i].code };
		int64_t next = -1;

		ck_assert_int_eq(schedule_verdict(&limits, &reply, NOW,
				     rows[i].attempts, rows[i].now, 200, &next),
		    rows[i].state);
		ck_assert_int_eq(next, rows[i].next);
	}
}
END_TEST

/* --- due, routed, queued -----------------------------------------------------
 */

START_TEST(nothing_is_asked_before_its_time)
{
	struct bench b = bench_new();
	struct message *late = add(&b, 1, NOW + 10);
	struct message *soon = add(&b, 1, NOW + 5);

	ck_assert_int_eq(schedule_next(b.s), NOW + 5);
	ck_assert_ptr_null(schedule_ask(b.s, NOW + 4));
	ck_assert_ptr_eq(schedule_ask(b.s, NOW + 5), &soon->rcpts[0]);
	ck_assert_ptr_null(schedule_ask(b.s, NOW + 9));
	ck_assert_int_eq(schedule_next(b.s), NOW + 10);
	ck_assert_ptr_eq(schedule_ask(b.s, NOW + 10), &late->rcpts[0]);
	ck_assert_uint_eq(schedule_count(b.s, PHASE_ROUTING), 2);
	ck_assert_ptr_null(handout(&b, ROUTE_REMOTE));
	bench_free(&b);
}
END_TEST

START_TEST(recipients_of_one_message_and_route_go_together)
{
	struct bench b = bench_new();
	struct message *m = add(&b, 6, 0);
	struct recipient *asked[6];
	struct delivery *h;

	add(&b, 1, 0);
	for (size_t i = 0; i < 6; i++)
		asked[i] = schedule_ask(b.s, NOW);
	/* Answers come in any order; nothing goes before the last. */
	for (size_t i = 6; i-- > 1;) {
		routed(
		    &b, asked[i], mx(i % 2 == 0 ? "a.example" : "b.example"));
		ck_assert_ptr_null(handout(&b, ROUTE_REMOTE));
	}
	ck_assert_ptr_nonnull(schedule_ask(b.s, NOW)); /* another message */
	routed(&b, asked[0], mx("a.example"));
	ck_assert_ptr_nonnull(h = handout(&b, ROUTE_REMOTE));
	ck_assert_uint_eq(h->n, 3);
	ck_assert_uint_eq(h->handout.message, m->id);
	for (uint32_t i = 0; i < 3; i++) {
		ck_assert_ptr_eq(
		    h->rcpts[i].rcpt, &m->rcpts[h->rcpts[i].index]);
		ck_assert_int_eq(h->rcpts[i].rcpt->phase, PHASE_ACTIVE);
	}
	ck_assert_ptr_nonnull(h = handout(&b, ROUTE_REMOTE));
	ck_assert_uint_eq(h->n, 3);
	ck_assert_ptr_null(handout(&b, ROUTE_REMOTE));
	ck_assert_uint_eq(schedule_destinations(b.s), 2);
	bench_free(&b);
}
END_TEST

START_TEST(a_handout_has_a_limit)
{
	struct bench b = bench_new();
	uint32_t n = 0, k = 0;
	struct delivery *h;

	add(&b, 250, 0);
	ck_assert_uint_eq(route_all(&b, NOW, "a.example"), 250);
	while ((h = handout(&b, ROUTE_REMOTE)) != NULL) {
		ck_assert_uint_le(h->n, DELIVER_RCPTS_MAX);
		n += h->n;
		k++;
	}
	ck_assert_uint_eq(k, 3);
	ck_assert_uint_eq(n, 250);
	bench_free(&b);
}
END_TEST

START_TEST(more_recipients_than_are_routed_together)
{
	struct bench b = bench_new();
	struct message *m = add(&b, ROUTING_MAX + 50, 0);
	struct delivery *h;
	size_t n = 0;

	ck_assert_uint_eq(route_all(&b, NOW, "a.example"), ROUTING_MAX + 50);
	while ((h = handout(&b, ROUTE_REMOTE)) != NULL) {
		n += h->n;
		finish(&b, h);
	}
	ck_assert_uint_eq(n, m->nrcpts);
	ck_assert_uint_eq(schedule_count(b.s, PHASE_RECORDING), m->nrcpts);
	bench_free(&b);
}
END_TEST

/* --- turns and limits --------------------------------------------------------
 */

START_TEST(destinations_take_turns)
{
	struct bench b = bench_new();
	static const char *const hosts[] = { "a.example", "b.example" };
	struct recipient *r;
	struct delivery *h;

	for (size_t i = 0; i < 10; i++)
		add(&b, 1, 0);
	/* 1 to 8 to the first host, 9 and 10 to the second */
	while ((r = schedule_ask(b.s, NOW)) != NULL)
		routed(&b, r, mx(hosts[r->message->id > 8]));
	static const uint64_t order[] = { 1, 9, 2, 10, 3 };

	for (size_t i = 0; i < sizeof order / sizeof order[0]; i++) {
		ck_assert_ptr_nonnull(h = handout(&b, ROUTE_REMOTE));
		ck_assert_uint_eq(h->handout.message, order[i]);
	}
	/* three at once to one host */
	ck_assert_ptr_null(handout(&b, ROUTE_REMOTE));
	finish(&b, schedule_delivery(b.s, 1));
	ck_assert_ptr_nonnull(h = handout(&b, ROUTE_REMOTE));
	ck_assert_uint_eq(h->handout.message, 4);
	bench_free(&b);
}
END_TEST

START_TEST(an_agent_has_limits)
{
	struct bench b = bench_new();
	struct recipient *r;
	struct delivery *h;
	char user[8];

	for (size_t i = 0; i < 20; i++)
		add(&b, 1, 0);
	while ((r = schedule_ask(b.s, NOW)) != NULL) {
		snprintf(user, sizeof user, "u%u", (unsigned)r->message->id);
		routed(&b, r, mailbox(user));
	}
	schedule_window(b.s, ROUTE_LOCAL, 0);
	ck_assert_ptr_null(handout(&b, ROUTE_LOCAL));
	schedule_window(b.s, ROUTE_LOCAL, 400);
	ck_assert_ptr_null(handout(&b, ROUTE_REMOTE));
	for (size_t i = 0; i < 8; i++)
		ck_assert_ptr_nonnull(handout(&b, ROUTE_LOCAL));
	ck_assert_ptr_null(handout(&b, ROUTE_LOCAL));
	/* The last answer frees the place, … */
	h = schedule_delivery_of(b.s, ROUTE_LOCAL);
	schedule_ended(b.s, h);
	ck_assert_ptr_nonnull(handout(&b, ROUTE_LOCAL));
	ck_assert_ptr_null(handout(&b, ROUTE_LOCAL));
	/* … and the window counts what the agent has to remember. */
	schedule_window(b.s, ROUTE_LOCAL, 9);
	schedule_ended(b.s, schedule_delivery(b.s, h->handout.attempt + 1));
	ck_assert_ptr_null(handout(&b, ROUTE_LOCAL));
	schedule_forget(b.s, h);
	ck_assert_ptr_nonnull(handout(&b, ROUTE_LOCAL));
	bench_free(&b);
}
END_TEST

/* --- answers -----------------------------------------------------------------
 */

START_TEST(each_recipient_is_answered_once)
{
	struct bench b = bench_new();
	struct message *m = add(&b, 3, 0);
	struct recipient *r;
	struct delivery *h;

	route_all(&b, NOW, "a.example");
	ck_assert_ptr_nonnull(h = handout(&b, ROUTE_REMOTE));
	ck_assert(!schedule_answer(b.s, h, 3, &r));
	ck_assert(schedule_answer(b.s, h, 1, &r));
	ck_assert_ptr_eq(r, &m->rcpts[1]);
	ck_assert_int_eq(r->phase, PHASE_RECORDING);
	ck_assert(!schedule_answer(b.s, h, 1, &r));
	/* One that is final meanwhile is answered, and does not matter. */
	schedule_remove(b.s, &m->rcpts[2]);
	ck_assert(schedule_answer(b.s, h, 2, &r));
	ck_assert_ptr_null(r);
	ck_assert_ptr_null(schedule_ask(b.s, NOW));
	schedule_add(b.s, &m->rcpts[1], NOW + 60);
	ck_assert_int_eq(schedule_next(b.s), NOW + 60);
	ck_assert_ptr_eq(schedule_delivery(b.s, h->handout.attempt), h);
	ck_assert_ptr_null(schedule_delivery(b.s, h->handout.attempt + 1));
	schedule_forget(b.s, h);
	ck_assert_int_eq(m->rcpts[0].phase, PHASE_NONE);
	bench_free(&b);
}
END_TEST

START_TEST(a_handout_is_taken_over)
{
	struct bench b = bench_new();
	struct message *m = add(&b, 3, 0);
	struct recipient *rcpts[3] = { &m->rcpts[0], NULL, &m->rcpts[2] }, *r;
	const uint32_t indexes[3] = { 0, 7, 2 };
	const struct handout handout = { m->id, 77 };
	struct delivery *h;

	/* wherever they are by then */
	ck_assert_ptr_nonnull(schedule_ask(b.s, NOW));
	h = schedule_adopt(b.s, ROUTE_LOCAL, &handout, 3, indexes, rcpts);
	ck_assert_ptr_nonnull(h);
	ck_assert_uint_eq(route_all(&b, NOW, "a.example"), 1);
	ck_assert(schedule_answer(b.s, h, 7, &r));
	ck_assert_ptr_null(r);
	ck_assert(schedule_answer(b.s, h, 2, &r));
	ck_assert_ptr_eq(r, &m->rcpts[2]);
	ck_assert_ptr_eq(schedule_delivery(b.s, 77), h);
	bench_free(&b);
}
END_TEST

/* --- back-off ----------------------------------------------------------------
 */

/* A destination with `n` queued, of which one was tried and failed. */
static struct delivery *
back_off(struct bench *b, size_t n, uint32_t attempts)
{
	struct delivery *h;

	for (size_t i = 0; i < n; i++)
		add(b, 1, NOW);
	ck_assert_uint_eq(route_all(b, NOW, "a.example"), n);
	ck_assert_ptr_nonnull(h = handout(b, ROUTE_REMOTE));
	schedule_refused(b->s, h, attempts, NOW, 200, &no_host);
	return h;
}

START_TEST(a_destination_is_backed_off_as_a_whole)
{
	struct bench b = bench_new();
	struct delivery *h = back_off(&b, 5, 1);
	struct recipient *r = &b.m[4]->rcpts[0];

	finish(&b, h);
	ck_assert_ptr_null(handout(&b, ROUTE_REMOTE));
	ck_assert_int_eq(schedule_next(b.s), NOW + 300);
	ck_assert_int_eq(schedule_when(r), NOW + 300);
	ck_assert_int_eq(r->phase, PHASE_QUEUED);
	/* What comes new waits as well. */
	add(&b, 1, NOW + 1);
	ck_assert_uint_eq(route_all(&b, NOW + 1, "a.example"), 1);
	ck_assert_ptr_null(handout(&b, ROUTE_REMOTE));
	/* Another destination does not. */
	add(&b, 1, NOW + 1);
	ck_assert_uint_eq(route_all(&b, NOW + 1, "b.example"), 1);
	ck_assert_ptr_nonnull(handout(&b, ROUTE_REMOTE));
	ck_assert_ptr_null(handout(&b, ROUTE_REMOTE));
	/* Then all are routed anew, and one is tried. */
	ck_assert_ptr_null(schedule_ask(b.s, NOW + 299));
	ck_assert_uint_eq(route_all(&b, NOW + 300, "a.example"), 5);
	ck_assert_ptr_nonnull(h = handout(&b, ROUTE_REMOTE));
	ck_assert_ptr_null(handout(&b, ROUTE_REMOTE));
	/* It goes well: the others follow. */
	schedule_served(b.s, h);
	ck_assert_ptr_nonnull(handout(&b, ROUTE_REMOTE));
	ck_assert_ptr_nonnull(handout(&b, ROUTE_REMOTE));
	ck_assert_ptr_null(handout(&b, ROUTE_REMOTE));
	bench_free(&b);
}
END_TEST

START_TEST(failures_add_up_once_a_time)
{
	struct bench b = bench_new();
	struct delivery *one, *two;

	for (size_t i = 0; i < 6; i++)
		add(&b, 1, NOW);
	route_all(&b, NOW, "a.example");
	one = handout(&b, ROUTE_REMOTE);
	two = handout(&b, ROUTE_REMOTE);
	schedule_refused(b.s, one, 1, NOW, 200, &no_host);
	schedule_refused(b.s, two, 1, NOW + 5, 200, &no_host);
	finish(&b, one);
	finish(&b, two);
	ck_assert_int_eq(schedule_next(b.s), NOW + 300);
	ck_assert_uint_eq(route_all(&b, NOW + 300, "a.example"), 4);
	one = handout(&b, ROUTE_REMOTE);
	/* It is not the first that was not looked at, so that one message
	 * cannot stand in the way. */
	schedule_refused(b.s, one, 1, NOW + 300, 200, &no_host);
	finish(&b, one);
	ck_assert_int_eq(schedule_next(b.s), NOW + 300 + 600);
	/* The attempts of a message remember as well. */
	ck_assert_uint_eq(route_all(&b, NOW + 900, "a.example"), 3);
	one = handout(&b, ROUTE_REMOTE);
	schedule_refused(b.s, one, 6, NOW + 900, 200, &no_host);
	finish(&b, one);
	ck_assert_int_eq(schedule_next(b.s), NOW + 900 + 9600);
	bench_free(&b);
}
END_TEST

START_TEST(the_next_time_another_is_tried)
{
	struct bench b = bench_new();
	struct recipient *r[2];
	struct delivery *h = back_off(&b, 4, 1);

	ck_assert_uint_eq(h->handout.message, 1);
	finish(&b, h);
	/* Two of three are routed anew when the second attempt fails. */
	r[0] = schedule_ask(b.s, NOW + 300);
	r[1] = schedule_ask(b.s, NOW + 300);
	ck_assert_ptr_eq(r[0], &b.m[1]->rcpts[0]);
	ck_assert_ptr_eq(r[1], &b.m[2]->rcpts[0]);
	routed(&b, r[0], mx("a.example"));
	ck_assert_ptr_nonnull(h = handout(&b, ROUTE_REMOTE));
	ck_assert_uint_eq(h->handout.message, 2);
	schedule_refused(b.s, h, 1, NOW + 300, 200, &no_host);
	finish(&b, h);
	/* one arrives when it is closed already */
	routed(&b, r[1], mx("a.example"));
	ck_assert_ptr_null(schedule_ask(b.s, NOW + 300));
	ck_assert_ptr_null(handout(&b, ROUTE_REMOTE));
	ck_assert_ptr_eq(schedule_ask(b.s, NOW + 900), &b.m[3]->rcpts[0]);
	ck_assert_ptr_eq(schedule_ask(b.s, NOW + 900), &b.m[2]->rcpts[0]);
	ck_assert_ptr_null(schedule_ask(b.s, NOW + 900));
	ck_assert_str_eq(
	    schedule_refusal(&b.m[3]->rcpts[0])->text, no_host.text);
	ck_assert_ptr_null(schedule_refusal(&b.m[0]->rcpts[0]));
	bench_free(&b);
}
END_TEST

START_TEST(a_route_may_change_meanwhile)
{
	struct bench b = bench_new();

	finish(&b, back_off(&b, 4, 1));
	ck_assert_uint_eq(route_all(&b, NOW + 300, "new.example"), 3);
	for (size_t i = 0; i < 3; i++)
		ck_assert_ptr_nonnull(handout(&b, ROUTE_REMOTE));
	bench_free(&b);
}
END_TEST

START_TEST(retry_forgets_the_back_off)
{
	struct bench b = bench_new();
	struct message *m;

	finish(&b, back_off(&b, 4, 1));
	/* one that is queued there */
	schedule_retry(b.s, &b.m[2]->rcpts[0], NOW + 10);
	ck_assert_int_eq(schedule_next(b.s), 0);
	ck_assert_uint_eq(route_all(&b, NOW + 10, "a.example"), 3);
	schedule_refused(
	    b.s, handout(&b, ROUTE_REMOTE), 1, NOW + 10, 200, &no_host);
	/* one that waits for its own time */
	m = add(&b, 1, NOW + 5000);
	ck_assert_ptr_null(schedule_ask(b.s, NOW + 20));
	schedule_retry(b.s, &m->rcpts[0], NOW + 20);
	ck_assert_ptr_eq(schedule_ask(b.s, NOW + 20), &m->rcpts[0]);
	ck_assert_ptr_null(schedule_ask(b.s, NOW + 20));
	routed(&b, &m->rcpts[0], mx("a.example"));
	ck_assert_uint_eq(route_all(&b, NOW + 20, "a.example"), 2);
	ck_assert_ptr_nonnull(handout(&b, ROUTE_REMOTE));
	bench_free(&b);
}
END_TEST

/* --- leaving -----------------------------------------------------------------
 */

START_TEST(a_recipient_may_go_in_any_phase)
{
	struct bench b = bench_new();
	struct message *m = add(&b, 7, 0);
	struct recipient *r = m->rcpts;
	struct delivery *h;

	for (size_t i = 0; i < 6; i++) /* one WAITING, six ROUTING */
		schedule_ask(b.s, NOW);
	for (size_t i = 0; i < 4; i++) /* four ROUTED */
		routed(&b, &r[i], mx("a.example"));
	schedule_remove(b.s, &r[0]);
	schedule_remove(b.s, &r[4]);
	schedule_remove(b.s, &r[6]);
	ck_assert_uint_eq(schedule_count(b.s, PHASE_ROUTED), 3);
	ck_assert_uint_eq(schedule_count(b.s, PHASE_ROUTING), 1);
	ck_assert_ptr_null(schedule_ask(b.s, NOW));
	/* The last that was asked goes: the others do not wait for it. */
	schedule_remove(b.s, &r[5]);
	ck_assert_uint_eq(schedule_count(b.s, PHASE_QUEUED), 3);
	schedule_remove(b.s, &r[1]);
	ck_assert_ptr_nonnull(h = handout(&b, ROUTE_REMOTE));
	ck_assert_uint_eq(h->n, 2);
	schedule_remove(b.s, &r[2]);
	ck_assert_uint_eq(schedule_count(b.s, PHASE_ACTIVE), 1);
	ck_assert_ptr_null(h->rcpts[0].rcpt);
	bench_free(&b);
}
END_TEST

/* Anything in any order: what is counted is what is there, and all of it
 * gets through in the end. */
START_TEST(at_random)
{
	struct bench b = bench_new();
	size_t total = 0, done = 0;
	int64_t now = NOW;
	char host[16];

	srand(7);
	for (size_t i = 0; i < 40; i++)
		total += add(&b, 1 + (uint32_t)rand() % 9, NOW + rand() % 50)
			     ->nrcpts;
	for (int turn = 0; turn < 20000 && done < total; turn++) {
		struct recipient *r = schedule_ask(b.s, now), *a;
		struct delivery *h;

		if (r != NULL) {
			snprintf(host, sizeof host, "h%d.example", rand() % 5);
			routed(&b, r, mx(host));
		}
		if (rand() % 3 == 0 &&
		    (h = handout(&b, ROUTE_REMOTE)) != NULL) {
			int dice = rand() % 4;

			if (dice == 0)
				schedule_refused(
				    b.s, h, 1, now, (uint32_t)rand(), &no_host);
			else
				schedule_served(b.s, h);
			for (uint32_t i = 0; i < h->n; i++) {
				ck_assert(schedule_answer(
				    b.s, h, h->rcpts[i].index, &a));
				if (dice != 0) {
					schedule_remove(b.s, a);
					done++;
				} else
					schedule_add(
					    b.s, a, now + rand() % 900);
			}
			schedule_ended(b.s, h);
			schedule_forget(b.s, h);
		}
		now += rand() % 20;
	}
	ck_assert_uint_eq(done, total);
	bench_free(&b);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("schedule");
	TCase *t = tcase_create("schedule");
	SRunner *r = srunner_create(s);
	int failed;

	suite_add_tcase(s, t);
	tcase_add_test(t, waits_double_up_to_the_maximum);
	tcase_add_test(t, a_reply_decides);
	tcase_add_test(t, nothing_is_asked_before_its_time);
	tcase_add_test(t, recipients_of_one_message_and_route_go_together);
	tcase_add_test(t, a_handout_has_a_limit);
	tcase_add_test(t, more_recipients_than_are_routed_together);
	tcase_add_test(t, destinations_take_turns);
	tcase_add_test(t, an_agent_has_limits);
	tcase_add_test(t, each_recipient_is_answered_once);
	tcase_add_test(t, a_handout_is_taken_over);
	tcase_add_test(t, a_destination_is_backed_off_as_a_whole);
	tcase_add_test(t, failures_add_up_once_a_time);
	tcase_add_test(t, the_next_time_another_is_tried);
	tcase_add_test(t, a_route_may_change_meanwhile);
	tcase_add_test(t, retry_forgets_the_back_off);
	tcase_add_test(t, a_recipient_may_go_in_any_phase);
	tcase_add_test(t, at_random);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
