/*
 * order.c - an administrator's word about recipients, on its way to the log:
 * hold, release, retry, delete, bounce.
 *
 * Those of one page are answered when all of them are on disk.
 */
#include <stdlib.h>

#include "common/bytes/log.h"
#include "queue/queue.h"

/* A page whose changes are not all on disk: then it is answered. */
struct acting {
	LIST_ENTRY(acting) link;
	struct queue *queue; /* NULL: who asked is gone */
	uint32_t request;
	uint32_t left;
	struct msg_page page;
};

/* A HOLD, RELEASE or RETRY of some recipients of a message. */
struct order {
	struct acting *acting;
	enum record_type type;
	uint64_t id;
	uint32_t n;
	char reason[CONTROL_REASON_MAX + 1];
};

/* ---- what waits ------------------------------------------------------------- */

static void
step(struct acting *a)
{
	if (--a->left > 0)
		return;
	if (a->queue != NULL) {
		control_answer(a->queue, a->request, &a->page);
		LIST_REMOVE(a, link);
		a->queue->nactings--;
	}
	free(a);
}

struct acting *
order_begin(struct queue *q, uint32_t request)
{
	struct acting *a = calloc(1, sizeof *a);

	if (a == NULL)
		return NULL;
	a->queue = q;
	a->request = request;
	a->left = 1;
	LIST_INSERT_HEAD(&q->actings, a, link);
	q->nactings++;
	reply_make(&a->page.reply, R_DONE, NULL);
	return a;
}

void
order_end(struct acting *a, const struct msg_page *page)
{
	struct reply failed = a->page.reply;

	a->page = *page;
	if (reply_class(&failed) != 2)
		a->page.reply = failed;
	step(a);
}

void
order_orphan(struct queue *q)
{
	struct acting *a;

	while ((a = LIST_FIRST(&q->actings)) != NULL) {
		LIST_REMOVE(a, link);
		a->queue = NULL;
	}
	q->nactings = 0;
}

/* ---- final: delete, bounce -------------------------------------------------- */

static void
on_settled(void *arg)
{
	step(arg);
}

/* One result at a time for a recipient: what is on its way to the disk gets
 * there first. */
static void
finish(struct acting *a, struct message *m, uint32_t n, const uint32_t *rcpts,
    enum recipient_state state, const char *reason)
{
	uint32_t now[DELIVER_RCPTS_MAX], nnow = 0;

	for (uint32_t i = 0; i < n; i++) {
		struct recipient *r = &m->rcpts[rcpts[i]];

		if (r->phase == PHASE_RECORDING)
			r->doomed = (uint8_t)state;
		else
			now[nnow++] = rcpts[i];
	}
	if (nnow == 0)
		return;
	a->left++;
	outcome_order(a->queue, m, nnow, now, state, reason, on_settled, a);
}

/* ---- not final: hold, release, retry ---------------------------------------- */

static void
on_disk(void *arg, const struct reply *failed)
{
	static const char *const events[] = {
		[RECORD_HOLD] = "held",
		[RECORD_RELEASE] = "released",
		[RECORD_RETRY] = "retried",
	};
	struct order *o = arg;
	struct acting *a = o->acting;

	if (failed != NULL)
		a->page.reply = *failed;
	else
		log_info(events[o->type], log_id("id", o->id),
		    log_num("nrcpt", o->n), log_str("reason", o->reason));
	free(o);
	step(a);
}

static void
write_order(struct acting *a, enum record_type type, const struct message *m,
    uint32_t n, const uint32_t *rcpts, const char *reason)
{
	const struct record_order record = { .id = m->id,
		.time = queue_now(),
		.reason = span_of(reason),
		.nrcpts = n };
	struct store *s = a->queue->store;
	struct order *o = calloc(1, sizeof *o);

	if (o == NULL) {
		reply_make(&a->page.reply, R_LOCAL_ERROR, "no memory");
		return;
	}
	o->acting = a;
	o->type = type;
	o->id = m->id;
	o->n = n;
	span_copy(o->reason, sizeof o->reason, record.reason);
	a->left++;
	change_begin(s);
	change_order(s, type, &record, rcpts);
	change_commit(s, on_disk, o);
}

/* ---- the verbs --------------------------------------------------------------- */

bool
order_applies(enum control_verb verb, const struct recipient *r)
{
	if (verb == VERB_HOLD || verb == VERB_RETRY)
		return !r->held;
	return verb != VERB_RELEASE || r->held;
}

void
order_add(struct acting *a, enum control_verb verb, struct message *m,
    uint32_t n, const uint32_t *rcpts, const char *reason)
{
	static const enum record_type types[VERB_END] = {
		[VERB_HOLD] = RECORD_HOLD,
		[VERB_RELEASE] = RECORD_RELEASE,
		[VERB_RETRY] = RECORD_RETRY,
	};

	if (n == 0)
		return;
	if (verb == VERB_DELETE)
		finish(a, m, n, rcpts, RCPT_DELETED, reason);
	else if (verb == VERB_BOUNCE)
		finish(a, m, n, rcpts, RCPT_FAILED, reason);
	else if (types[verb] != 0)
		write_order(a, types[verb], m, n, rcpts, reason);
}
