/*
 * scan.c - one segment read batch by batch, by a start.
 *
 * A batch counts whole or not at all (I2).  What is not valid is the tail that
 * nobody was told of, unless something shows that it had been on disk: then it
 * is damage, and what is left of it is saved record by record.
 */
#include <errno.h>
#include <stdlib.h>

#include "common/bytes/log.h"
#include "queue/store_state.h"

#define PAGE 4096

struct scan {
	struct store *store;
	struct segment *segment;
	struct span bytes; /* of the file, from its beginning */
	uint64_t at;
	uint64_t seq; /* what comes now has no lower one */
};

int
scan_read(const struct segment *seg, uint64_t from, uint64_t to, struct buf *b)
{
	size_t n = (size_t)(to - from);
	char *p;

	buf_clear(b);
	if ((p = buf_reserve(b, n)) == NULL)
		return -1;
	memset(p, 0, n);
	b->n = n;
	if (disk_read(seg->fd, p, n, (off_t)from) != -1)
		return 0;
	/* Some of it cannot be read: all of the rest can. */
	for (size_t at = 0; at < n; at += PAGE) {
		size_t part = n - at < PAGE ? n - at : PAGE;

		if (disk_read(seg->fd, p + at, part, (off_t)(from + at)) == -1)
			memset(p + at, 0, part);
	}
	return 0;
}

int
scan_batch(struct span s, const struct record_seal *seal,
    struct record_batch *b, uint64_t *seq)
{
	struct record rec;
	size_t at;

	/* What has not even its length is not hashed: a stranger's content may
	 * be full of such headers. */
	if (record_peek(s, &rec) == -1 || rec.type != RECORD_BATCH ||
	    rec.payload.n != RECORD_BATCH_PAYLOAD ||
	    record_get(s, seal, &rec) == -1 ||
	    record_batch_get(rec.payload, b) == -1 || b->bytes > s.n)
		return -1;
	*seq = rec.seq;
	s.n = (size_t)b->bytes;
	at = rec.size;
	for (uint32_t i = 0; i < b->count; i++) {
		if (record_get(span_skip(s, at), seal, &rec) == -1 ||
		    rec.seq != *seq + 1 + i)
			return -1;
		at += rec.size;
	}
	return at == s.n ? 0 : -1;
}

void
scan_saw_sequence(struct store *s, uint64_t seq)
{
	if (seq >= s->next_seq)
		s->next_seq = seq + 1;
}

static void
apply(struct scan *sc, const struct record *rec, uint64_t at)
{
	const struct place place = { sc->segment, (uint32_t)at,
		(uint32_t)rec->size };

	int rc;

	errno = 0;
	scan_saw_sequence(sc->store, rec->seq);
	history_note(sc->store, rec);
	if (rec->type == RECORD_SUMMARY)
		rc = summary_apply(sc->store, sc->segment, rec->payload);
	else
		rc = index_apply(sc->store->index, rec, place);
	/* Half a spool is none. */
	if (rc == -1 && errno == ENOMEM)
		fatal("reading the log");
	if (rc == -1)
		log_error("record_not_applied", log_num("type", rec->type),
		    log_num("segment", (int64_t)sc->segment->number),
		    log_num("offset", (int64_t)at));
}

static void
apply_batch(struct scan *sc, const struct record_batch *b)
{
	uint64_t at = sc->at, end = sc->at + b->bytes;
	struct record rec;

	for (; at < end; at += rec.size) {
		if (record_peek(span_skip(sc->bytes, at), &rec) == -1)
			return;
		apply(sc, &rec, at);
	}
}

/* The next valid batch above `at` that says that it was written when what lies
 * at `at` had been synced; the end of all bytes if there is none. */
static uint64_t
find_later(const struct scan *sc, uint64_t *seq)
{
	const struct record_seal *seal = &sc->segment->seal;
	struct record_batch b;

	for (uint64_t o = sc->at + RECORD_ALIGN;
	     o + RECORD_BATCH_SIZE <= sc->bytes.n; o += RECORD_ALIGN)
		if (scan_batch(span_skip(sc->bytes, o), seal, &b, seq) == 0 &&
		    b.durable > sc->at)
			return o;
	return sc->bytes.n;
}

static void
set_aside(struct scan *sc, uint64_t to)
{
	struct store *s = sc->store;
	struct span bytes =
	    span_from(sc->bytes.p + sc->at, (size_t)(to - sc->at));
	char name[SEGMENT_DAMAGED_MAX];

	segment_damaged_name(name, sc->segment->number, sc->at);
	s->count.damaged++;
	log_error("log_damaged",
	    log_num("segment", (int64_t)sc->segment->number),
	    log_num("offset", (int64_t)sc->at),
	    log_num("bytes", (int64_t)bytes.n),
	    log_str("saved_as", s->opt.look ? "" : name));
	if (s->opt.look)
		return;
	if (disk_save(s->damaged_dir, name, 0600, bytes) == -1)
		log_error("damaged_not_saved", log_errno(errno));
}

/* The records of a damaged range.  What its sequence shows to be out of place
 * is not even hashed either: within a segment there are no gaps, so the
 * range has as many as fit into it, after what came before. */
static void
salvage(struct scan *sc, uint64_t to, uint64_t seq_end)
{
	uint64_t at = sc->at, most = (to - at) / RECORD_HEADER;
	struct record rec;

	if (sc->seq != 0 && seq_end > sc->seq + most)
		seq_end = sc->seq + most;

	while (at < to) {
		struct span s = span_from(sc->bytes.p + at, (size_t)(to - at));

		if (record_peek(s, &rec) == -1 || rec.seq < sc->seq ||
		    rec.seq >= seq_end ||
		    record_get(s, &sc->segment->seal, &rec) == -1) {
			at += RECORD_ALIGN;
			continue;
		}
		apply(sc, &rec, at);
		at += rec.size;
	}
}

/* Its header may be whole where the rest is not. */
static void
skip_tail_sequence(struct scan *sc)
{
	struct span tail = span_skip(sc->bytes, sc->at);
	struct record_batch b;
	struct record rec;

	if (record_get(tail, &sc->segment->seal, &rec) == 0 &&
	    rec.type == RECORD_BATCH && record_batch_get(rec.payload, &b) == 0)
		scan_saw_sequence(sc->store, rec.seq + b.count);
}

void
scan_segment(struct store *s, struct segment *seg, uint64_t limit, bool durable)
{
	struct scan sc = { s, seg, SPAN(""), SEGMENT_HEADER, 0 };
	struct record_batch b;
	uint64_t seq, to;
	struct buf whole;

	buf_init(&whole, UINT32_MAX);
	if (limit <= SEGMENT_HEADER)
		return;
	if (scan_read(seg, 0, limit, &whole) == -1)
		fatal("reading the log");
	sc.bytes = buf_span(&whole);
	while (sc.at < limit) {
		if (scan_batch(span_skip(sc.bytes, sc.at), &seg->seal, &b,
			&seq) == 0) {
			sc.seq = seq + 1 + b.count;
			scan_saw_sequence(s, seq);
			apply_batch(&sc, &b);
			sc.at += b.bytes;
			continue;
		}
		seq = UINT64_MAX;
		to = find_later(&sc, &seq);
		if (to == limit && !durable)
			break;
		set_aside(&sc, to);
		salvage(&sc, to, seq);
		sc.at = to;
	}
	if (sc.at < limit)
		skip_tail_sequence(&sc);
	seg->end = sc.at;
	buf_fini(&whole);
}
