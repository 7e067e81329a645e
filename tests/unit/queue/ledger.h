/*
 * ledger.h - what was asked of a store and what it said, against what it holds.
 *
 * Each fact knows at which operation of the trace it was asked for and at which
 * it was acknowledged.  After a power cut at operation k: what was acknowledged
 * is there, what was not asked for is not, and between the two both are right.
 */
#ifndef TEST_LEDGER_H
#define TEST_LEDGER_H

#include "common/msg/history.h"
#include "tests/unit/queue/powercut.h"
#include "tests/unit/queue/spool.h"

#define LEDGER_MAX 512
#define NEVER	   SIZE_MAX

struct fact {
	struct ledger *ledger;
	uint64_t id;
	bool accepted; /* else a result of its recipient */
	enum recipient_state state;
	enum record_type order; /* HOLD, RELEASE, RETRY; else 0 */
	char text[32];	 /* of the reply, unlike any other; or the reason */
	uint64_t bounce; /* made by the same change; 0: none */
	uint64_t more;	 /* another one; 0: none */
	bool large;
	size_t asked, told; /* operations before that */
	unsigned in_history;
};

struct ledger {
	struct pc_trace *trace;
	struct fact f[LEDGER_MAX];
	size_t n;
	unsigned told, failed;
};

static inline struct fact *
ledger_add(struct ledger *l, uint64_t id, bool accepted)
{
	struct fact *f = &l->f[l->n++];

	ck_assert_uint_lt(l->n, LEDGER_MAX);
	*f = (struct fact){
		.ledger = l,
		.id = id,
		.accepted = accepted,
		.asked = pc_count(l->trace),
		.told = NEVER,
	};
	return f;
}

static inline void
ledger_on_done(void *arg, const struct reply *failed)
{
	struct fact *f = arg;
	struct ledger *l = f->ledger;
	size_t now = pc_count(l->trace);

	l->told++;
	if (failed != NULL) {
		l->failed++;
		return;
	}
	/* A bounce is told with the result that made it. */
	for (size_t i = 0; i < l->n; i++)
		if (&l->f[i] == f ||
		    (f->bounce != 0 && l->f[i].accepted &&
			(l->f[i].id == f->bounce ||
			    l->f[i].id == f->more)))
			l->f[i].told = now;
}

/* ---- checking ----------------------------------------------------------------------- */

struct seen {
	bool gone_is_right, there_is_right;
	const struct fact *first,
	    *last; /* results that may stand in the index */
};

/* Results of a message in order: the last that was told, and those asked for
 * since. */
static inline struct seen
ledger_expect(const struct ledger *l, uint64_t id, size_t k)
{
	struct seen s = { .there_is_right = false };

	for (size_t i = 0; i < l->n; i++) {
		const struct fact *f = &l->f[i];

		if (f->id != id || f->order != 0)
			continue;
		if (f->accepted) {
			s.there_is_right = f->asked < k;
			s.gone_is_right = f->told > k;
			continue;
		}
		if (f->asked >= k)
			continue;
		if (f->told <= k)
			s.first = f;
		s.last = f;
		if (f->state == RCPT_WAITING)
			continue;
		s.gone_is_right = true;
		if (f->told <= k)
			s.there_is_right = false;
	}
	return s;
}

static inline void
ledger_check_state(struct spool *sp, const struct ledger *l,
    const struct message *m, const struct seen *s)
{
	struct record_rcpt row = { .state = RCPT_WAITING };
	const struct fact *f;
	struct buf b;

	buf_init(&b, 1 << 24);
	ck_assert_int_eq(store_last_reply(sp->store, m, 0, &b, &row), 0);
	if (row.reply.code == 0) {
		/* No result stands: none may have been told. */
		ck_assert_ptr_null(s->first);
		buf_fini(&b);
		return;
	}
	for (f = s->first != NULL ? s->first : l->f; f <= s->last; f++)
		if (f->id == m->id && !f->accepted && f->order == 0 &&
		    strcmp(f->text, row.reply.text) == 0)
			break;
	ck_assert_msg(s->last != NULL && f <= s->last, "a reply of nowhere");
	ck_assert_int_eq(f->state, m->rcpts[0].state);
	buf_fini(&b);
}

/* The last HOLD or RELEASE that was told, or one that was asked for since. */
static inline void
ledger_check_held(const struct ledger *l, const struct message *m, size_t k)
{
	bool may_be_held = false, may_be_free = true;

	for (size_t i = 0; i < l->n; i++) {
		const struct fact *f = &l->f[i];
		bool hold = f->order == RECORD_HOLD;

		if (f->id != m->id || f->asked >= k ||
		    (!hold && f->order != RECORD_RELEASE))
			continue;
		if (f->told <= k)
			may_be_held = may_be_free = false;
		may_be_held |= hold;
		may_be_free |= !hold;
	}
	ck_assert_msg(m->rcpts[0].held ? may_be_held : may_be_free,
	    "%s held at %zu", m->rcpts[0].held ? "" : "not", k);
}

static inline void
ledger_check_message(
    struct spool *sp, const struct ledger *l, const struct fact *f, size_t k)
{
	struct seen s = ledger_expect(l, f->id, k);
	struct message *m = index_find(store_index(sp->store), f->id);

	if (m == NULL) {
		ck_assert_msg(s.gone_is_right, "message %zu is lost at %zu",
		    (size_t)(f - l->f), k);
		return;
	}
	ck_assert_msg(s.there_is_right, "message %zu is back at %zu",
	    (size_t)(f - l->f), k);
	ck_assert_uint_eq(m->flags & MESSAGE_DAMAGED, 0);
	ck_assert_ptr_nonnull(m->place.segment);
	spool_check_content(sp, m);
	ledger_check_state(sp, l, m, &s);
	ledger_check_held(l, m, k);
}

/* The result that made a bounce, or the messages of an expansion, counts if and
 * only if they are there (no workload here ends them). */
static inline void
ledger_check_bounce(
    struct spool *sp, const struct ledger *l, const struct fact *f, size_t k)
{
	struct index *ix = store_index(sp->store);
	bool there = index_find(ix, f->bounce) != NULL;
	bool counts = index_find(ix, f->id) == NULL;

	if (f->more != 0)
		ck_assert_msg(there == (index_find(ix, f->more) != NULL),
		    "an expansion %zu in part", (size_t)(f - l->f));
	if (f->asked >= k)
		ck_assert(!there);
	else
		ck_assert_msg(there == counts, "result %zu without its bounce",
		    (size_t)(f - l->f));
}

static inline void
ledger_count_event(struct ledger *l, const struct history_event *e)
{
	char text[REPLY_TEXT_MAX + 1];

	snprintf(text, sizeof text, "%s", e->reply.text);
	for (size_t i = 0; i < l->n; i++) {
		struct fact *f = &l->f[i];

		if (f->id != e->id ||
		    f->accepted != (e->kind == HISTORY_ACCEPTED) ||
		    (!f->accepted && strcmp(f->text, text) != 0))
			continue;
		f->in_history++;
		return;
	}
	ck_abort_msg("the history tells what was not");
}

static inline void
ledger_read_history(struct ledger *l, const char *path)
{
	static char bytes[1 << 20];
	char dir_name[256], name[512];
	struct history_event e;
	struct span left;
	int64_t begin;
	ssize_t n;
	int fd;
	struct dirent *entry;
	uint64_t seq;
	DIR *dir;

	snprintf(dir_name, sizeof dir_name, "%s/history", path);
	ck_assert_ptr_nonnull(dir = opendir(dir_name));
	while ((entry = readdir(dir)) != NULL) {
		if (!history_name_parse(span_of(entry->d_name), &begin))
			continue;
		snprintf(
		    name, sizeof name, "%s/%.20s", dir_name, entry->d_name);
		fd = open(name, O_RDONLY);
		n = read(fd, bytes, sizeof bytes);
		close(fd);
		left = span_from(bytes, (size_t)n);
		while (history_get(&left, &seq, &e) == 1)
			ledger_count_event(l, &e);
	}
	closedir(dir);
}

static inline void
ledger_check_history(struct ledger *l, const char *path, size_t k)
{
	for (size_t i = 0; i < l->n; i++)
		l->f[i].in_history = 0;
	ledger_read_history(l, path);
	for (size_t i = 0; i < l->n; i++) {
		const struct fact *f = &l->f[i];

		if (f->told <= k)
			ck_assert_msg(f->in_history == 1,
			    "history tells fact %zu %u times at %zu", i,
			    f->in_history, k);
		else
			ck_assert_uint_le(f->in_history, f->asked < k);
	}
}

/* No file in content/ but those that a message names. */
static inline void
ledger_check_files(struct spool *sp)
{
	char name[256];
	struct dirent *e;
	uint64_t number;
	DIR *dir;

	snprintf(name, sizeof name, "%s/content", sp->path);
	ck_assert_ptr_nonnull(dir = opendir(name));
	while ((e = readdir(dir)) != NULL) {
		struct content *c;

		if (!id_parse(span_of(e->d_name), &number))
			continue;
		c = index_content(store_index(sp->store), number);
		ck_assert_msg(c != NULL && c->file, "an orphan in content/");
	}
	closedir(dir);
}

static inline void
ledger_check(struct spool *sp, struct ledger *l, size_t k)
{
	size_t there = 0;

	for (size_t i = 0; i < l->n; i++) {
		const struct fact *f = &l->f[i];

		if (f->accepted) {
			ledger_check_message(sp, l, f, k);
			there +=
			    index_find(store_index(sp->store), f->id) != NULL;
			if (f->told <= k)
				ck_assert_uint_ge(sp->store->last_id, f->id);
		}
		if (f->bounce != 0)
			ledger_check_bounce(sp, l, f, k);
	}
	ck_assert_uint_eq(there, index_messages(store_index(sp->store)));
	ledger_check_files(sp);
	ledger_check_history(l, sp->path, k);
}

#endif
