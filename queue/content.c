/*
 * content.c - reading back what was written: contents, messages, replies.
 *
 * What comes from the log is checked against its hash, each time.  Here is what
 * is small and read by the loop itself; fetch.c reads the rest.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "queue/store_state.h"

void
content_name(char dst[ID_LEN + 1], uint64_t number)
{
	id_format(dst, number);
}

struct unlinking {
	struct job job;
	int dir;
	uint64_t number;
};

static void
run_unlinking(struct job *job)
{
	struct unlinking *u = (struct unlinking *)job;
	char name[ID_LEN + 1];

	/* What stays behind is removed by the next start. */
	content_name(name, u->number);
	disk_unlink(u->dir, name);
}

static void
on_unlinking(struct job *job)
{
	free(job);
}

void
content_unlink(struct store *s, uint64_t number)
{
	struct unlinking *u = calloc(1, sizeof *u);

	if (u == NULL)
		return;
	u->job = (struct job){ .run = run_unlinking, .done = on_unlinking };
	u->dir = s->content_dir;
	u->number = number;
	worker_give(s->file, &u->job);
}

/* ---- the log -------------------------------------------------------------------- */

int
content_read_record(int fd, const struct record_seal *seal, uint32_t offset,
    uint32_t size, struct buf *b, struct record *rec)
{
	char *at;
	ssize_t n;

	buf_clear(b);
	if ((at = buf_reserve(b, size)) == NULL)
		return -1;
	if ((n = disk_read(fd, at, size, (off_t)offset)) == -1)
		return -1;
	b->n = (size_t)n;
	if (record_get(buf_span(b), seal, rec) == 0 && rec->size == size)
		return 0;
	errno = EBADMSG;
	return -1;
}

static int
read_place(struct place p, struct buf *b, struct record *rec)
{
	if (p.segment == NULL) {
		errno = EBADMSG;
		return -1;
	}
	return content_read_record(
	    p.segment->fd, &p.segment->seal, p.offset, p.size, b, rec);
}

static int
open_file(struct store *s, const struct content *c)
{
	char name[ID_LEN + 1];

	content_name(name, c->number);
	return openat(s->content_dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
}

static int
load_file(struct store *s, const struct content *c, size_t max, struct buf *b)
{
	size_t want = c->size < max ? (size_t)c->size : max;
	int fd = open_file(s, c), saved;
	char *at;
	ssize_t n = -1;

	if (fd == -1)
		return -1;
	if ((at = buf_reserve(b, want)) != NULL)
		n = disk_read(fd, at, want, 0);
	saved = errno;
	close(fd);
	errno = saved;
	if (n == -1)
		return -1;
	b->n += (size_t)n;
	if ((size_t)n == want)
		return 0;
	errno = EBADMSG;
	return -1;
}

/* The whole content in a buffer of its own; octets point into it. */
static int
load_record(
    const struct content *c, struct buf *b, struct record_content *content)
{
	struct record rec;

	if (read_place(c->place, b, &rec) == -1)
		return -1;
	if (rec.type == RECORD_CONTENT &&
	    record_content_get(&rec, content) == 0 &&
	    content->number == c->number)
		return 0;
	errno = EBADMSG;
	return -1;
}

int
content_load(
    struct store *s, const struct content *c, size_t max, struct buf *b)
{
	struct record_content content;
	struct buf whole;
	int rc;

	if (c->file)
		return load_file(s, c, max, b);
	buf_init(&whole, UINT32_MAX / 2);
	rc = load_record(c, &whole, &content);
	if (rc == 0) {
		size_t n = content.octets.n < max ? content.octets.n : max;

		rc = buf_add(b, content.octets.p, n);
	}
	buf_fini(&whole);
	return rc;
}

/* ---- messages ------------------------------------------------------------------- */

int
store_message(struct store *s, const struct message *m, struct buf *b,
    struct record_message *out)
{
	struct record rec;

	(void)s;
	if (read_place(m->place, b, &rec) == -1)
		return -1;
	if (rec.type == RECORD_MESSAGE &&
	    record_message_get(rec.payload, out) == 0 && out->id == m->id)
		return 0;
	errno = EBADMSG;
	return -1;
}

bool
content_find_row(const struct record *rec, uint64_t id, uint32_t index,
    struct record_rcpt *row)
{
	struct record_message m;
	struct record_result r;
	struct record_rcpt next;
	struct wire_get rows;
	bool message = rec->type == RECORD_MESSAGE, found = false;

	if (message && record_message_get(rec->payload, &m) == 0 && m.id == id)
		rows = m.rcpts;
	else if (rec->type == RECORD_RESULT &&
	    record_result_get(rec->payload, &r) == 0 && r.id == id)
		rows = r.rcpts;
	else
		return false;
	/* Of a recipient that was named twice the last row counts, as it does
	 * in the index. */
	while (record_rcpt_next(&rows, message, &next)) {
		if (next.index != index)
			continue;
		*row = next;
		found = true;
	}
	return found;
}

int
store_last_reply(struct store *s, const struct message *m, uint32_t rcpt,
    struct buf *b, struct record_rcpt *row)
{
	const struct recipient *r = &m->rcpts[rcpt];
	struct record rec;

	(void)s;
	if (r->last.segment == NULL) {
		*row = (struct record_rcpt){ .reply = { .code = r->code },
			.host = SPAN("") };
	} else if (read_place(r->last, b, &rec) == -1) {
		return -1;
	} else if (!content_find_row(&rec, m->id, rcpt, row)) {
		errno = EBADMSG;
		return -1;
	}
	/* What counts is the index; the record has the texts. */
	row->index = rcpt;
	row->address = SPAN("");
	row->state = r->state;
	row->attempts = r->attempts;
	row->next = r->next;
	return 0;
}
