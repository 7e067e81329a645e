/*
 * slice.c - some of what is live in the oldest segment: read by the file thread,
 * committed again by the loop.
 *
 * What a change under way is about is left for the next slice: a copy must not
 * follow a RESULT that it does not know.
 */
#include <errno.h>
#include <stdlib.h>

#include "common/bytes/log.h"
#include "queue/reclaim.h"

#define SLICE_BYTES (256 * 1024)
#define SLICE_ITEMS 256

/* A record that is wanted, and its bytes when they are there. */
struct reading {
	struct place place;
	int fd;
	struct record_seal seal;
	struct buf bytes;
	struct record rec;
	int err;
};

struct item {
	bool content;
	uint64_t id; /* of the message, number of the content */
	struct place place;
};

struct slice {
	struct job job;
	struct store *store;
	struct item items[SLICE_ITEMS];
	size_t nitems;
	struct reading *reads; /* sorted by place */
	size_t nreads, cap;
	size_t bytes;
	int damaged_dir;
};

/* ---- reading a slice ------------------------------------------------------------------ */

void
slice_free(struct slice *sl)
{
	if (sl == NULL)
		return;
	for (size_t i = 0; i < sl->nreads; i++)
		buf_fini(&sl->reads[i].bytes);
	free(sl->reads);
	free(sl);
}

static int
want(struct slice *sl, struct place p)
{
	struct reading *grown, *r;

	if (p.segment == NULL)
		return 0;
	if (sl->nreads == sl->cap) {
		grown =
		    reallocarray(sl->reads, 2 * sl->cap + 64, sizeof *grown);
		if (grown == NULL)
			return -1;
		sl->reads = grown;
		sl->cap = 2 * sl->cap + 64;
	}
	r = &sl->reads[sl->nreads++];
	*r = (struct reading){ .place = p, .fd = p.segment->fd };
	r->seal = p.segment->seal;
	buf_init(&r->bytes, UINT32_MAX);
	sl->bytes += p.size;
	return 0;
}

static bool
same_place(struct place a, struct place b)
{
	return a.segment == b.segment && a.offset == b.offset;
}

static int
want_message(struct slice *sl, const struct message *m)
{
	struct place before = m->place;

	if (want(sl, m->place) == -1)
		return -1;
	for (uint32_t i = 0; i < m->nrcpts; i++) {
		struct place last = m->rcpts[i].last;

		/* Those of one hand-out stand side by side. */
		if (same_place(last, m->place) || same_place(last, before))
			continue;
		if (want(sl, last) == -1)
			return -1;
		before = last;
	}
	return 0;
}

static int
reading_cmp(const void *a, const void *b)
{
	const struct place *x = &((const struct reading *)a)->place;
	const struct place *y = &((const struct reading *)b)->place;

	if (x->segment->number != y->segment->number)
		return x->segment->number < y->segment->number ? -1 : 1;
	return x->offset < y->offset ? -1 : x->offset > y->offset;
}

static void
save_damaged(const struct slice *sl, const struct reading *r)
{
	char name[SEGMENT_DAMAGED_MAX];

	segment_damaged_name(name, r->place.segment->number, r->place.offset);
	disk_save(sl->damaged_dir, name, 0600, buf_span(&r->bytes));
}

/* In the file thread. */
static void
run_slice(struct job *job)
{
	struct slice *sl = (struct slice *)job;

	for (size_t i = 0; i < sl->nreads; i++) {
		struct reading *r = &sl->reads[i];

		if (content_read_record(r->fd, &r->seal, r->place.offset,
			r->place.size, &r->bytes, &r->rec) == 0)
			continue;
		r->err = errno;
		save_damaged(sl, r);
	}
}

static const struct reading *
find_reading(const struct slice *sl, struct place p)
{
	const struct reading key = { .place = p };

	if (p.segment == NULL || sl->nreads == 0)
		return NULL;
	return bsearch(&key, sl->reads, sl->nreads, sizeof key, reading_cmp);
}

/* ---- writing the copies ---------------------------------------------------------------- */

static void
on_copied(void *arg, const struct reply *failed)
{
	struct store *s = arg;

	s->reclaim->copying--;
	if (failed != NULL)
		s->reclaim->failed = true;
	if (s->reclaim->copying == 0)
		reclaim_kick(s);
	store_step_close(s);
}

static void
commit_copy(struct store *s)
{
	s->reclaim->copying++;
	change_commit(s, on_copied, s);
}

static void
take_texts(struct record_rcpt *row, const struct record_rcpt *from)
{
	row->reply = from->reply;
	row->host = from->host;
	row->time = from->time;
}

/* Replies with their texts, as far as they can be read.  False: the state is
 * newer than what was read. */
static bool
fill_texts(const struct slice *sl, const struct message *m,
    struct record_message *old, struct state_rows *rows)
{
	struct record_rcpt from;

	for (uint32_t i = 0; i < m->nrcpts; i++) {
		struct place last = m->rcpts[i].last;
		const struct reading *r;
		bool has_old = record_rcpt_next(&old->rcpts, true, &from);

		if (last.segment == NULL)
			continue;
		if (same_place(last, m->place)) {
			if (has_old)
				take_texts(&rows->row[i], &from);
			continue;
		}
		if ((r = find_reading(sl, last)) == NULL)
			return false;
		if (r->err == 0 && content_find_row(&r->rec, m->id, i, &from))
			take_texts(&rows->row[i], &from);
	}
	return true;
}

static void
drop_texts(struct state_rows *rows, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		rows->row[i].reply.text[0] = '\0';
		rows->row[i].host = SPAN("");
	}
}

static void
copy_message(struct store *s, const struct slice *sl, const struct message *m)
{
	const struct reading *r = find_reading(sl, m->place);
	struct record_message rec = { .sender = SPAN("") };
	struct state_rows rows;

	rec.client = rec.prefix = SPAN("");
	if (r == NULL || r->err != 0 ||
	    record_message_get(r->rec.payload, &rec) == -1)
		log_error("message_record_lost", log_id("id", m->id));
	rec.id = m->id;
	rec.content = m->content->number;
	rec.size = m->content->size;
	rec.flags = m->flags | MESSAGE_COPY;
	rec.body = m->body;
	rec.sender = span_of(m->sender);
	rec.nrcpts = m->nrcpts;
	state_rows_init(&rows);
	if (state_rows_fill(&rows, m) == 0 && fill_texts(sl, m, &rec, &rows)) {
		/* So many replies that they would fill a segment are too many. */
		if (record_message_max(&rec, rows.row) >
		    segment_capacity(s) / 4)
			drop_texts(&rows, m->nrcpts);
		change_begin(s);
		change_message(s, &rec, rows.row);
		commit_copy(s);
	}
	state_rows_fini(&rows);
}

/* It is gone: whoever names it has lost it. */
static void
lose_content(struct store *s, struct content *c)
{
	const struct place nowhere = { .segment = NULL };
	struct message *m;

	for (m = index_first(s->index); m != NULL;
	     m = index_after(s->index, m->id)) {
		if (m->content != c)
			continue;
		m->flags |= MESSAGE_DAMAGED;
		log_error("message_damaged", log_id("id", m->id));
	}
	s->count.damaged++;
	index_content_at(s->index, c->number, c->size, c->file, nowhere);
}

static void
copy_item(struct store *s, const struct slice *sl, const struct item *it)
{
	const struct reading *r = find_reading(sl, it->place);
	struct message *m;
	struct content *c;

	if (!it->content) {
		m = index_find(s->index, it->id);
		if (m != NULL && same_place(m->place, it->place))
			copy_message(s, sl, m);
		return;
	}
	c = index_content(s->index, it->id);
	if (c == NULL || !same_place(c->place, it->place))
		return;
	if (r == NULL || r->err != 0) {
		lose_content(s, c);
		return;
	}
	change_begin(s);
	change_copy(s, r->rec.type, r->rec.payload);
	commit_copy(s);
}

static int
id_cmp(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static void
on_slice(struct job *job)
{
	struct slice *sl = (struct slice *)job;
	struct store *s = sl->store;
	uint64_t *pending = NULL;
	ssize_t n = commit_pending(s, &pending);

	s->reclaim->slice = NULL;
	for (size_t i = 0; n != -1 && i < sl->nitems; i++) {
		const struct item *it = &sl->items[i];

		if (it->content ||
		    bsearch(&it->id, pending, (size_t)n, sizeof *pending,
			id_cmp) == NULL)
			copy_item(s, sl, it);
	}
	free(pending);
	slice_free(sl);
	store_step_close(s);
}

static void
add_item(struct slice *sl, bool content, uint64_t id, struct place place)
{
	sl->items[sl->nitems++] = (struct item){ content, id, place };
}

static bool
is_full(const struct slice *sl)
{
	return sl->nitems == SLICE_ITEMS || sl->bytes >= SLICE_BYTES;
}

void
slice_start(struct store *s, struct segment *seg)
{
	struct slice *sl = calloc(1, sizeof *sl);
	struct message *m;
	struct content *c;
	int rc = 0;

	if (sl == NULL)
		return;
	sl->job = (struct job){ .run = run_slice, .done = on_slice };
	sl->store = s;
	sl->damaged_dir = s->damaged_dir;
	TAILQ_FOREACH (c, &seg->contents, in_segment) {
		if (is_full(sl) || (rc = want(sl, c->place)) == -1)
			break;
		add_item(sl, true, c->number, c->place);
	}
	TAILQ_FOREACH (m, &seg->messages, in_segment) {
		if (is_full(sl) || rc == -1 || (rc = want_message(sl, m)) == -1)
			break;
		add_item(sl, false, m->id, m->place);
	}
	if (rc == -1) {
		slice_free(sl);
		return;
	}
	qsort(sl->reads, sl->nreads, sizeof *sl->reads, reading_cmp);
	s->reclaim->slice = sl;
	worker_give(s->file, &sl->job);
}

void
slice_settle_homeless(struct store *s)
{
	const struct slice none = { .store = s };
	struct message *m;

	s->homeless = false;
	for (m = index_first(s->index); m != NULL;
	     m = index_after(s->index, m->id)) {
		if (m->place.segment != NULL)
			continue;
		for (uint32_t i = 0; i < m->nrcpts; i++)
			m->rcpts[i].last = (struct place){ .segment = NULL };
		copy_message(s, &none, m);
	}
}
