/*
 * test_crash.c - the store after a power cut, at every operation it makes.
 *
 * A workload (accept, deliver, defer, bounce, large contents, changes of segment,
 * reclaim) is written down operation by operation; then the spool is built
 * as a cut at each of them may leave it, and opened by the real recovery.
 */
#include "tests/unit/queue/ledger.h"

#define SEGMENT (64 * 1024)
#define STEPS	160
#define RANDOM	4  /* random states at each operation, beside lost and kept */
#define GO_ON	37 /* of so many states one goes on working */
#define AGAIN	23 /* of so many one is cut again in its recovery */

static struct spool sp;
static struct pc_trace trace, second;
static struct ledger ledger;
static unsigned seed = 1;

struct live {
	uint64_t id;
	bool stays; /* is never done */
};

static struct live live[LEDGER_MAX];
static size_t nlive;

/* ---- the workload -------------------------------------------------------------------- */

static void
become_live(uint64_t id, bool stays)
{
	live[nlive++] = (struct live){ id, stays };
}

static void
octets_of(char *p, size_t n, uint64_t id)
{
	memset(p, 'x', n);
	id_format(p, id);
	p[ID_LEN] = 'x';
}

static void
accept_small(bool stays)
{
	static char octets[8 * 1024];
	uint64_t id = store_id(sp.store);
	size_t n = 500 + (size_t)rand_r(&seed) % 6000;

	octets_of(octets, n, id);
	change_begin(sp.store);
	change_content(sp.store, id, span_from(octets, n));
	spool_add_message(&sp, id, 1, 0);
	change_commit(sp.store, ledger_on_done, ledger_add(&ledger, id, true));
	become_live(id, stays);
}

static int large_err;
static unsigned large_done;

static void
on_large(void *arg, int err)
{
	(void)arg;
	large_err = err;
	large_done++;
}

static void
accept_large(void)
{
	static char octets[40 * 1024];
	uint64_t id = store_id(sp.store);
	struct incoming *in = incoming_new(sp.store, id);

	octets_of(octets, sizeof octets, id);
	large_done = 0;
	for (size_t at = 0; at < sizeof octets; at += 8 * 1024)
		ck_assert_int_ge(
		    incoming_add(
			in, span_from(octets + at, 8 * 1024), NULL, NULL),
		    0);
	incoming_end(in, on_large, NULL);
	spool_until(&sp, &large_done, 1);
	ck_assert_int_eq(large_err, 0);
	change_begin(sp.store);
	incoming_commit(in);
	spool_add_message(&sp, id, 1, 0);
	change_commit(sp.store, ledger_on_done, ledger_add(&ledger, id, true));
	become_live(id, rand_r(&seed) % 4 == 0);
}

static struct fact *
result(uint64_t id, enum recipient_state state)
{
	struct fact *f = ledger_add(&ledger, id, false);

	f->state = state;
	snprintf(f->text, sizeof f->text, "reply %zu", ledger.n);
	change_begin(sp.store);
	spool_add_result(&sp, id, 0, state, f->text);
	return f;
}

static void
bounce(uint64_t id)
{
	static const char text[] = "this is a bounce";
	struct fact *f = result(id, RCPT_FAILED), *made;
	char octets[64];
	uint64_t own = store_id(sp.store);

	f->bounce = own;
	made = ledger_add(&ledger, own, true);
	made->asked = f->asked;
	octets_of(octets, sizeof octets, own);
	memcpy(octets + ID_LEN, text, sizeof text);
	change_content(sp.store, own, span_from(octets, sizeof octets));
	spool_add_message(&sp, own, 1, id);
	change_commit(sp.store, ledger_on_done, f);
}

/* Two messages over the same content, which outlive the one it came with. */
static void
expand(uint64_t id)
{
	const struct message *m = index_find(store_index(sp.store), id);
	struct record_message child = { .parent = id,
		.content = m->content->number,
		.size = m->content->size,
		.flags = MESSAGE_EXPANDED,
		.sender = SPAN("alice@example.org"),
		.client = SPAN(""),
		.prefix = SPAN("Received: from x\r\n"),
		.nrcpts = 1 };
	const struct record_rcpt to = { .address = SPAN("member@example.net"),
		.host = SPAN("") };
	struct fact *f = ledger_add(&ledger, id, false);

	f->state = RCPT_EXPANDED;
	snprintf(f->text, sizeof f->text, "reply %zu", ledger.n);
	change_begin(sp.store);
	for (unsigned i = 0; i < 2; i++) {
		child.id = store_id(sp.store);
		*(i == 0 ? &f->bounce : &f->more) = child.id;
		ledger_add(&ledger, child.id, true)->asked = f->asked;
		change_message(sp.store, &child, &to);
	}
	spool_add_result(&sp, id, 0, RCPT_EXPANDED, f->text);
	change_commit(sp.store, ledger_on_done, f);
}

static void
order(uint64_t id, enum record_type type)
{
	struct fact *f = ledger_add(&ledger, id, false);
	const uint32_t first = 0;

	f->order = type;
	snprintf(f->text, sizeof f->text, "reason %zu", ledger.n);
	change_begin(sp.store);
	change_order(sp.store, type,
	    &(struct record_order){ .id = id,
		.time = 1600000000,
		.reason = span_of(f->text),
		.nrcpts = 1 },
	    &first);
	change_commit(sp.store, ledger_on_done, f);
}

/* One that is on disk, so that a result of it can be. */
static uint64_t
pick(bool take)
{
	for (size_t tries = 0; nlive > 0 && tries < 20; tries++) {
		size_t i = (size_t)rand_r(&seed) % nlive;
		uint64_t id = live[i].id;

		if ((take && live[i].stays) ||
		    index_find(store_index(sp.store), id) == NULL)
			continue;
		if (take)
			live[i] = live[--nlive];
		return id;
	}
	return 0;
}

static void
step(void)
{
	unsigned what = (unsigned)rand_r(&seed) % 100;
	uint64_t id;

	if (what < 45)
		accept_small(rand_r(&seed) % 10 == 0);
	else if (what < 50)
		accept_large();
	else if (what < 62 && (id = pick(false)) != 0)
		change_commit(
		    sp.store, ledger_on_done, result(id, RCPT_WAITING));
	else if (what < 70 && (id = pick(true)) != 0)
		bounce(id);
	else if (what < 74 && (id = pick(true)) != 0)
		expand(id);
	else if (what < 80 && (id = pick(false)) != 0)
		order(id, RECORD_HOLD + rand_r(&seed) % 3);
	else if ((id = pick(true)) != 0)
		change_commit(
		    sp.store, ledger_on_done, result(id, RCPT_DELIVERED));
}

/* Told are changes; a bounce shares that of its result, and so do the messages
 * of an expansion. */
static unsigned
changes(void)
{
	unsigned n = 0;

	for (size_t i = 0; i < ledger.n; i++) {
		n += ledger.f[i].bounce == 0;
		n -= ledger.f[i].more != 0;
	}
	return n;
}

static void
work(void)
{
	for (int i = 0; i < STEPS; i++) {
		step();
		/* Sometimes several changes share a batch, or wait for it. */
		if (rand_r(&seed) % 3 == 0)
			spool_until(&sp, &ledger.told, changes());
		else
			event_base_loop(sp.base, EVLOOP_NONBLOCK);
	}
	spool_settle(&sp);
	ck_assert_uint_eq(ledger.failed, 0);
}

/* ---- the cuts ------------------------------------------------------------------------- */

/* Is it a store that works: does it take a message, and have all after another
 * start? */
static void
go_on(struct spool *cut, size_t k)
{
	uint64_t id;

	cut->base = event_base_new();
	store_threads(cut->store);
	store_begin(cut->store, cut->base);
	cut->done = 0;
	id = spool_accept(cut, 3000);
	spool_until(cut, &cut->done, 1);
	ck_assert_uint_eq(cut->failed, 0);
	spool_result(cut, id, 0, RCPT_DELIVERED, "ok");
	spool_until(cut, &cut->done, 2);
	spool_drop(cut);
	spool_open_only(cut);
	for (size_t i = 0; i < ledger.n; i++)
		if (ledger.f[i].accepted)
			ledger_check_message(cut, &ledger, &ledger.f[i], k);
	ck_assert_ptr_null(index_find(store_index(cut->store), id));
}

static void
cut_once(const struct pc_disk *disk, size_t k, enum pc_mode mode, unsigned how,
    bool work_on)
{
	struct spool cut = sp;

	snprintf(cut.path, sizeof cut.path, "%.100s.cut", sp.path);
	cut.opt.spool = cut.path;
	cut.base = NULL;
	pc_crash(disk, cut.path, mode, how);
	spool_open_only(&cut);
	ledger_check(&cut, &ledger, k);
	if (work_on)
		go_on(&cut, k);
	spool_drop(&cut);
	spool_remove(&cut);
}

/* A cut, and another one at each operation of the recovery from the first.  The
 * second trace begins with the files that the first cut left. */
static void
cut_twice(const struct pc_disk *disk, size_t k, unsigned how)
{
	struct spool cut = sp;
	struct pc_disk *again = calloc(1, sizeof *again);

	snprintf(cut.path, sizeof cut.path, "%.100s.first", sp.path);
	cut.opt.spool = cut.path;
	cut.base = NULL;
	pc_crash(disk, cut.path, PC_RANDOM, how);
	pc_start(&second, cut.path);
	pc_adopt(&second, again, cut.path);
	spool_open_only(&cut);
	pc_stop();
	spool_drop(&cut);
	spool_remove(&cut);
	for (size_t i = 0; i < second.n; i++) {
		pc_step(again, &second.ops[i]);
		cut_once(again, k, PC_RANDOM, how + (unsigned)i, false);
	}
	pc_free(&second);
	pc_disk_free(again);
	free(again);
}

static size_t at_op;

static void
tell_where(void)
{
	if (at_op != 0)
		printf("ended at operation %zu of %zu\n", at_op, trace.n);
}

START_TEST(every_cut_leaves_what_was_told)
{
	struct pc_disk *disk = calloc(1, sizeof *disk);
	unsigned states = 0;

	seed = (unsigned)_i + 1;
	spool_make(&sp, SEGMENT);
	pc_start(&trace, sp.path);
	ledger.trace = &trace;
	spool_begin(&sp);
	work();
	ck_assert_uint_ge(sp.store->count.reclaimed, 2);
	spool_close(&sp);
	pc_stop();

	atexit(tell_where);
	for (size_t k = 0; k <= trace.n; k++) {
		at_op = k + 1;
		for (unsigned i = 0; i < 2 + RANDOM; i++, states++)
			cut_once(disk, k, i < 2 ? (enum pc_mode)i : PC_RANDOM,
			    states, states % GO_ON == 0);
		if (k % AGAIN == AGAIN - 1)
			cut_twice(disk, k, states);
		if (k < trace.n)
			pc_step(disk, &trace.ops[k]);
	}
	at_op = 0;
	ck_assert_uint_gt(states, 1000);
	pc_disk_free(disk);
	free(disk);
	pc_free(&trace);
	spool_remove(&sp);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("crash");
	TCase *tc = tcase_create("crash");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tc, 120);
	tcase_add_loop_test(tc, every_cut_leaves_what_was_told, 0, 2);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
