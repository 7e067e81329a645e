/*
 * batch.c - see batch.h.
 */
#include <bsd/string.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include "common/mail/header.h"
#include "deliver/local/batch.h"
#include "deliver/local/maildir.h"
#include "deliver/local/place.h"

/* Return-Path, Delivered-To and the trace fields, which come in a packet. */
#define PREFIX_MAX (IPC_BODY_MAX + 2 * ADDRESS_MAX + 64)

/* A Maildir that is open: recipients of one mailbox share it. */
struct box {
	struct place place;
	struct maildir dir;
	bool open;
	bool changed;	  /* new/ has to be synced */
	struct reply why; /* … or why it is not open */
};

enum stage { FAILED, DELIVERED_BEFORE, WRITTEN, PUBLISHED };

struct item {
	struct handout_entry *handout;
	uint32_t position;
	struct box *box;
	struct maildir_file file;
	enum stage stage;
	struct reply reply;
};

struct batch {
	const struct conf *conf;
	const struct account *account;
	struct syncer *syncer;
	size_t n, nboxes;
	struct item items[BATCH_MAX];
	struct box boxes[BATCH_MAX];
	struct buf head, prefix;
};

struct batch *
batch_new(const struct conf *conf, const struct account *account,
    struct syncer *syncer)
{
	struct batch *b = calloc(1, sizeof *b);

	if (b == NULL)
		return NULL;
	b->conf = conf;
	b->account = account;
	b->syncer = syncer;
	buf_init(&b->head, CONTENT_HEADER_MAX);
	buf_init(&b->prefix, PREFIX_MAX);
	return b;
}

void
batch_free(struct batch *b)
{
	if (b == NULL)
		return;
	buf_fini(&b->head);
	buf_fini(&b->prefix);
	free(b);
}

bool
batch_full(const struct batch *b)
{
	return b->n == BATCH_MAX;
}

void
batch_add(struct batch *b, struct handout_entry *h, uint32_t position)
{
	b->items[b->n++] = (struct item){ .handout = h, .position = position };
}

/* --- mailboxes ------------------------------------------------------------- */

static void
open_box(struct box *box)
{
	struct maildir_base base = { box->place.base, box->place.home };

	box->open =
	    maildir_open(&box->dir, &base, box->place.rest, &box->why) == 0;
}

/* NULL, with the item's reply, if the route names no mailbox that may be. */
static struct box *
find_box(struct batch *b, struct item *it)
{
	struct box *box = &b->boxes[b->nboxes];
	const struct route *route = &it->handout->d.route;

	if (!place_find(&box->place, b->conf, route, b->account)) {
		reply_make(&it->reply, R_MAILBOX_UNSAFE, route->path);
		return NULL;
	}
	for (size_t i = 0; i < b->nboxes; i++)
		if (strcmp(b->boxes[i].place.base, box->place.base) == 0 &&
		    strcmp(b->boxes[i].place.rest, box->place.rest) == 0)
			return &b->boxes[i];
	b->nboxes++;
	box->changed = false;
	open_box(box);
	return box;
}

/* --- one message ----------------------------------------------------------- */

static void
say_errno(struct item *it, const char *what)
{
	reply_from_errno(&it->reply, errno, what);
}

/* Our own Delivered-To says that it was here already. */
static bool
is_looping(struct batch *b, struct item *it, struct content *c)
{
	const struct msg_deliver *d = &it->handout->d;
	struct span rcpt = d->rcpts[it->position].address, head;

	if (content_head(c, &b->head, &head) == -1) {
		say_errno(it, "message");
		return true;
	}
	c->header = header_length(head);
	if (span_starts(span_skip(head, (size_t)c->header), "\r\n"))
		c->header += 2;
	if (header_count(head, "Delivered-To", rcpt) == 0 &&
	    header_count(d->prefix, "Delivered-To", rcpt) == 0)
		return false;
	reply_make(&it->reply, R_LOOP, NULL);
	it->reply.scope = SCOPE_RECIPIENT;
	return true;
}

static int
write_file(struct batch *b, struct item *it, const struct content *c)
{
	const struct msg_deliver *d = &it->handout->d;

	buf_clear(&b->prefix);
	if (content_prefix(&b->prefix, d->sender,
		d->rcpts[it->position].address, d->prefix) == -1 ||
	    content_write(c, buf_span(&b->prefix), it->file.fd) == -1) {
		say_errno(it, "tmp");
		maildir_abandon(&it->box->dir, &it->file);
		return -1;
	}
	/* It may be on its way to the disk when the sync comes; where it is the
	 * only one, that is now. */
	if (b->n > 1)
		(void)sync_file_range(it->file.fd, 0, 0, SYNC_FILE_RANGE_WRITE);
	return 0;
}

static enum stage
write_item(struct batch *b, struct item *it)
{
	const struct msg_deliver *d = &it->handout->d;
	struct content c = { .inlined = d->content,
		.fd = it->handout->fd,
		.size = d->size,
		.binary = d->body == BODY_BINARYMIME };
	struct maildir *dir;
	int there = 0;

	if ((it->box = find_box(b, it)) == NULL)
		return FAILED;
	if (!it->box->open) {
		it->reply = it->box->why;
		return FAILED;
	}
	if (is_looping(b, it, &c))
		return FAILED;
	dir = &it->box->dir;
	maildir_name(&it->file, d->handout.message,
	    d->rcpts[it->position].index, d->handout.attempt,
	    b->conf->hostname);
	if (d->maybe)
		there = maildir_has(dir, &it->file, &it->reply);
	if (there == 1) {
		it->box->changed = true;
		return DELIVERED_BEFORE;
	}
	if (there == -1 || maildir_create(dir, &it->file, &it->reply) == -1 ||
	    write_file(b, it, &c) == -1)
		return FAILED;
	return WRITTEN;
}

static void
sync_items(struct batch *b)
{
	struct sync_job jobs[BATCH_MAX];
	size_t n = 0;

	for (size_t i = 0; i < b->n; i++)
		if (b->items[i].stage == WRITTEN)
			jobs[n++].fd = b->items[i].file.fd;
	syncer_run(b->syncer, jobs, n);
	n = 0;
	for (size_t i = 0; i < b->n; i++) {
		struct item *it = &b->items[i];

		if (it->stage == WRITTEN &&
		    maildir_synced(&it->box->dir, &it->file, jobs[n++].err,
			&it->reply) == -1)
			it->stage = FAILED;
	}
}

static void
publish_item(struct item *it)
{
	if (it->stage != WRITTEN)
		return;
	it->stage = PUBLISHED;
	it->box->changed = true;
	if (maildir_publish(&it->box->dir, &it->file, &it->reply) == -1)
		it->stage = FAILED;
}

/* The names of this mailbox are not sure to survive: nothing was delivered. */
static void
withdraw_items(struct batch *b, struct box *box)
{
	for (size_t i = 0; i < b->n; i++) {
		struct item *it = &b->items[i];

		if (it->box != box ||
		    (it->stage != PUBLISHED && it->stage != DELIVERED_BEFORE))
			continue;
		if (it->stage == PUBLISHED)
			maildir_withdraw(&box->dir, &it->file);
		it->reply = box->why;
		it->stage = FAILED;
	}
}

static void
finish_boxes(struct batch *b)
{
	struct sync_job jobs[BATCH_MAX];
	size_t n = 0;

	for (size_t i = 0; i < b->nboxes; i++)
		if (b->boxes[i].open && b->boxes[i].changed)
			jobs[n++].fd = b->boxes[i].dir.new;
	syncer_run(b->syncer, jobs, n);
	n = 0;
	for (size_t i = 0; i < b->nboxes; i++) {
		struct box *box = &b->boxes[i];

		if (box->open && box->changed &&
		    maildir_settled(jobs[n++].err, &box->why) == -1)
			withdraw_items(b, box);
		if (box->open)
			maildir_close(&box->dir);
	}
}

void
batch_run(struct batch *b,
    void (*done)(
	void *, struct handout_entry *, uint32_t, const struct reply *),
    void *arg)
{
	for (size_t i = 0; i < b->n; i++)
		b->items[i].stage = write_item(b, &b->items[i]);
	sync_items(b);
	for (size_t i = 0; i < b->n; i++)
		publish_item(&b->items[i]);
	finish_boxes(b);
	for (size_t i = 0; i < b->n; i++) {
		struct item *it = &b->items[i];

		if (it->stage != FAILED)
			reply_make(&it->reply, R_DELIVERED, "Maildir");
		done(arg, it->handout, it->position, &it->reply);
	}
	b->n = b->nboxes = 0;
}
