/*
 * recovery.c - what a start makes of the spool: DESIGN section 4.4.
 *
 * Nothing here decides what a message is: records and summaries go through
 * the same index_apply as those of a running queue.
 */
#include <sys/stat.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/bytes/log.h"
#include "queue/store_state.h"

struct found { /* one file of log/ that is a segment, as its ends tell */
	struct segment *segment;
	uint64_t seal_offset; /* 0: not sealed */
	uint64_t limit;	      /* nothing counts from here on */
	bool abandoned;
};

struct numbers {
	uint64_t *v;
	size_t n, cap;
};

struct recovery {
	struct store *store;
	struct numbers segments, spares;
	struct found *found;
	size_t nfound;
	int unreadable;
};

static void
add_number(struct numbers *v, uint64_t number)
{
	uint64_t *grown;

	if (v->n == v->cap) {
		grown = reallocarray(v->v, 2 * v->cap + 16, sizeof *grown);
		if (grown == NULL)
			fatal("spool/log");
		v->v = grown;
		v->cap = 2 * v->cap + 16;
	}
	v->v[v->n++] = number;
}

static int
number_cmp(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

/* Every name of a directory, given to each(). */
static void
walk(int dir_fd, const char *what, void (*each)(void *arg, const char *name),
    void *arg)
{
	int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd != -1 ? fdopendir(fd) : NULL;
	struct dirent *e;

	if (dir == NULL)
		fatal(what);
	for (errno = 0; (e = readdir(dir)) != NULL; errno = 0)
		each(arg, e->d_name);
	if (errno != 0)
		fatal(what);
	closedir(dir);
}

static void
on_log_name(void *arg, const char *name)
{
	struct recovery *r = arg;
	enum segment_kind kind;
	uint64_t number;

	/* What is not ours is left alone. */
	if (!segment_name_parse(name, &number, &kind))
		return;
	add_number(kind == SEGMENT_USED ? &r->segments : &r->spares, number);
}

/* ---- the ends of a segment ---------------------------------------------------------- */

static void
put_away(struct recovery *r, uint64_t number)
{
	struct store *s = r->store;
	char name[SEGMENT_NAME_MAX];

	segment_name(name, number, SEGMENT_USED);
	s->count.damaged++;
	log_error("segment_unreadable", log_str("segment", name));
	if (s->opt.look)
		return;
	if (disk_rename(s->log_dir, name, s->damaged_dir, name) == -1 ||
	    disk_sync(s->damaged_dir) == -1 || disk_sync(s->log_dir) == -1)
		fatal("spool/damaged");
}

/* The nonce stands at both ends; one of them is enough. */
static bool
read_ends(struct segment *seg, uint64_t number, uint64_t file_size,
    uint64_t *seal_offset)
{
	char header[SEGMENT_HEADER] = "", trailer[SEGMENT_TRAILER] = "";
	struct segment end = *seg;
	bool has_header, has_trailer;

	disk_read(seg->fd, header, sizeof header, 0);
	has_header =
	    segment_header_get(header, seg) == 0 && seg->number == number;
	if (!has_header || seg->size > file_size)
		seg->size = file_size;
	if (seg->size < SEGMENT_HEADER + SEGMENT_TRAILER ||
	    seg->size > UINT32_MAX)
		return false;
	disk_read(seg->fd, trailer, sizeof trailer,
	    (off_t)(seg->size - SEGMENT_TRAILER));
	has_trailer = segment_trailer_get(trailer, &end, seal_offset) == 0 &&
	    end.number == number && *seal_offset >= SEGMENT_HEADER &&
	    *seal_offset <= seg->size - SEGMENT_TRAILER &&
	    (!has_header ||
		memcmp(end.seal.nonce, seg->seal.nonce, RECORD_NONCE) == 0);
	if (!has_trailer)
		*seal_offset = 0;
	if (!has_header && has_trailer)
		seg->seal = end.seal;
	seg->number = number;
	return has_header || has_trailer;
}

/* Ours to mend, and none of the file's fault. */
static bool
is_short_of(int err)
{
	return err == EMFILE || err == ENFILE || err == ENOMEM;
}

static void
open_segment(struct recovery *r, uint64_t number)
{
	struct store *s = r->store;
	struct found *f = &r->found[r->nfound];
	struct record_seal seal = { .nonce = { 0 } };
	char name[SEGMENT_NAME_MAX];
	struct segment *seg;
	struct stat st;
	int fd;

	segment_name(name, number, SEGMENT_USED);
	fd = openat(s->log_dir, name,
	    (s->opt.look ? O_RDONLY : O_RDWR) | O_CLOEXEC | O_NOFOLLOW |
		O_NONBLOCK);
	if (fd == -1 && is_short_of(errno))
		fatal(name);
	if (fd == -1 || fstat(fd, &st) == -1 || !S_ISREG(st.st_mode))
		st.st_size = 0; /* nothing in it can be read */
	memcpy(seal.key, s->key, sizeof seal.key);
	if ((seg = segment_new(number, &seal, fd, 0)) == NULL)
		fatal("segment");
	if (number >= s->next_segment)
		s->next_segment = number + 1;
	if (!read_ends(seg, number, (uint64_t)st.st_size, &f->seal_offset)) {
		segment_free(seg);
		r->unreadable++;
		r->segments.v[r->unreadable - 1] = number;
		return;
	}
	f->segment = seg;
	f->limit =
	    f->seal_offset != 0 ? f->seal_offset : seg->size - SEGMENT_TRAILER;
	r->nfound++;
	store_segment_add(s, seg);
}

static void
open_segments(struct recovery *r)
{
	struct numbers *v = &r->segments;

	if (v->n == 0)
		return;
	qsort(v->v, v->n, sizeof *v->v, number_cmp);
	if ((r->found = calloc(v->n, sizeof *r->found)) == NULL)
		fatal("segments");
	for (size_t i = 0; i < v->n; i++)
		open_segment(r, v->v[i]);
	/* Every one at once is no damage but another spool's key. */
	if (r->nfound == 0)
		fatalx("no segment can be read with spool/key",
		    r->store->opt.spool);
	for (int i = 0; i < r->unreadable; i++)
		put_away(r, v->v[i]);
}

/* ---- what a writer gave up ----------------------------------------------------------- */

static void
abandon(struct recovery *r, const struct record_abandon *a)
{
	for (size_t i = 0; i < r->nfound; i++) {
		struct found *f = &r->found[i];

		if (f->segment->number != a->segment || a->offset > f->limit)
			continue;
		f->limit = a->offset;
		f->abandoned = true;
	}
}

/* ABANDONs stand in the first batch of the segment that came after. */
static void
read_abandons(struct recovery *r, const struct segment *seg, struct buf *b)
{
	uint64_t to = SEGMENT_HEADER + 4096;
	struct record_abandon a;
	struct record_batch batch;
	struct record rec;
	struct span left;
	uint64_t seq;

	if (to > seg->size || scan_read(seg, SEGMENT_HEADER, to, b) == -1 ||
	    scan_batch(buf_span(b), &seg->seal, &batch, &seq) == -1)
		return;
	left = span_from(b->p, (size_t)batch.bytes);
	for (; record_peek(left, &rec) == 0; left = span_skip(left, rec.size))
		if (rec.type == RECORD_ABANDON &&
		    record_abandon_get(rec.payload, &a) == 0 &&
		    a.segment < seg->number)
			abandon(r, &a);
}

/* ---- contents of segments ------------------------------------------------------------ */

/* The seal batch instead of all records: true if it is whole, and the history
 * has all that those would tell. */
static bool
load_summary(struct store *s, const struct found *f, struct buf *b)
{
	struct segment *seg = f->segment;
	struct history_mark told;
	struct record_batch batch;
	struct record rec;
	struct span left;
	uint64_t seq;

	if (f->seal_offset == 0 || f->abandoned ||
	    scan_read(seg, f->seal_offset, seg->size - SEGMENT_TRAILER, b) ==
		-1 ||
	    scan_batch(buf_span(b), &seg->seal, &batch, &seq) == -1)
		return false;
	scan_saw_sequence(s, seq + batch.count);
	left =
	    span_skip(span_from(b->p, (size_t)batch.bytes), RECORD_BATCH_SIZE);
	if (record_peek(left, &rec) == -1 ||
	    !summary_told(rec.payload, &told) ||
	    !history_reaches(history_in_files(s->history), told))
		return false;
	for (; record_peek(left, &rec) == 0; left = span_skip(left, rec.size))
		if (rec.type == RECORD_SUMMARY &&
		    summary_apply(s, seg, rec.payload) == -1) {
			log_error("summary_malformed",
			    log_num("segment", (int64_t)seg->number));
			return false;
		}
	seg->end = f->seal_offset + batch.bytes;
	seg->sealed = true;
	return true;
}

static void
load_segments(struct recovery *r)
{
	struct buf b;

	buf_init(&b, UINT32_MAX);
	for (size_t i = 0; i < r->nfound; i++)
		read_abandons(r, r->found[i].segment, &b);
	for (size_t i = 0; i < r->nfound; i++) {
		struct found *f = &r->found[i];

		/* Who looks wants to know of every record. */
		if (r->store->opt.look || !load_summary(r->store, f, &b))
			scan_segment(r->store, f->segment, f->limit,
			    f->seal_offset != 0 || f->abandoned);
		if (r->store->opt.look && f->seal_offset != 0 &&
		    !f->abandoned && !load_summary(r->store, f, &b)) {
			r->store->count.damaged++;
			log_error("summary_damaged",
			    log_num("segment", (int64_t)f->segment->number));
		}
	}
	buf_fini(&b);
}

/* ---- what is lost, what is left over --------------------------------------------------- */

static bool
content_there(struct store *s, const struct content *c)
{
	char name[ID_LEN + 1];
	struct stat st;

	if (c->place.segment == NULL)
		return false;
	if (!c->file)
		return true;
	content_name(name, c->number);
	return fstatat(s->content_dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    S_ISREG(st.st_mode) && (uint64_t)st.st_size == c->size;
}

static void
hold_damaged(struct store *s)
{
	struct message *m;

	for (m = index_first(s->index); m != NULL;
	     m = index_after(s->index, m->id)) {
		if (m->place.segment == NULL)
			s->homeless = true;
		if (!content_there(s, m->content))
			m->flags |= MESSAGE_DAMAGED;
		if (m->place.segment == NULL || m->flags & MESSAGE_DAMAGED)
			log_error("message_damaged", log_id("id", m->id));
	}
}

static void
on_content_name(void *arg, const char *name)
{
	struct store *s = arg;
	struct content *c;
	uint64_t number;

	if (!id_parse(span_of(name), &number))
		return;
	if (number > s->last_id)
		s->last_id = number;
	c = index_content(s->index, number);
	if (c == NULL || !c->file)
		disk_unlink(s->content_dir, name);
}

static bool
same_file_in_use(struct store *s, const struct stat *st)
{
	struct segment *seg;
	struct stat other;

	TAILQ_FOREACH (seg, &s->segments, next)
		if (fstat(seg->fd, &other) == 0 && other.st_ino == st->st_ino &&
		    other.st_dev == st->st_dev)
			return true;
	return false;
}

/* Whole ones only; and a power cut in a rename may leave both names. */
static void
take_spares(struct recovery *r)
{
	struct store *s = r->store;
	char name[SEGMENT_NAME_MAX];
	struct stat st;

	for (size_t i = 0; i < r->spares.n; i++) {
		segment_name(name, r->spares.v[i], SEGMENT_SPARE);
		if (fstatat(s->log_dir, name, &st, AT_SYMLINK_NOFOLLOW) == -1)
			fatal(name);
		if (S_ISREG(st.st_mode) &&
		    (uint64_t)st.st_size == s->opt.segment_size &&
		    !same_file_in_use(s, &st))
			spare_add(s, r->spares.v[i]);
		else
			disk_unlink(s->log_dir, name);
	}
}

static void
clear_up(struct recovery *r)
{
	struct store *s = r->store;

	walk(s->content_dir, "spool/content", on_content_name, s);
	take_spares(r);
	if (history_recover(s) == -1)
		log_warn("history_not_written", log_errno(errno));
}

void
store_recover(struct store *s)
{
	struct recovery r = { .store = s };
	uint64_t damaged = s->count.damaged;

	scan_saw_sequence(s, history_in_files(s->history).seq);
	walk(s->log_dir, "spool/log", on_log_name, &r);
	open_segments(&r);
	load_segments(&r);
	index_sweep(s->index, NULL, NULL);
	hold_damaged(s);
	s->last_id = index_highest(s->index);
	if (!s->opt.look) {
		clear_up(&r);
		log_info("recovered", log_num("segments", (int64_t)r.nfound),
		    log_num("messages", (int64_t)index_messages(s->index)),
		    log_num("damaged", (int64_t)(s->count.damaged - damaged)));
	}
	free(r.segments.v);
	free(r.spares.v);
	free(r.found);
}
