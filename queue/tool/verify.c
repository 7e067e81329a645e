/*
 * verify.c - is every record and every content what was written?
 *
 * The store was opened to look: it has read every record of every segment, and
 * told what it could not.  What is left are the messages that suffer from it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <err.h>

#include "queue/tool/tool.h"

struct fetched {
	bool done;
	int fd, err;
};

static void
on_fetched(void *arg, int fd, int error)
{
	struct fetched *f = arg;

	f->done = true;
	f->err = error;
	f->fd = fd != -1 ? fcntl(fd, F_DUPFD_CLOEXEC, 0) : -1;
	if (fd != -1 && f->fd == -1)
		f->err = errno;
}

int
tool_content(struct tool *t, const struct message *m)
{
	struct fetched f = { .fd = -1 };

	if (content_fetch(t->store, m->content, on_fetched, &f) == -1)
		return -1;
	while (!f.done)
		if (event_base_loop(t->base, EVLOOP_ONCE) != 0)
			errx(1, "waiting for a content");
	errno = f.err;
	return f.fd;
}

static bool
verify_replies(struct tool *t, const struct message *m, struct buf *b)
{
	struct record_rcpt row;
	struct segment *at = NULL;
	uint32_t offset = 0;

	for (uint32_t i = 0; i < m->nrcpts; i++) {
		struct place last = m->rcpts[i].last;

		/* Those of one record stand side by side. */
		if (last.segment == NULL ||
		    (last.segment == at && last.offset == offset))
			continue;
		at = last.segment;
		offset = last.offset;
		buf_clear(b);
		if (store_last_reply(t->store, m, i, b, &row) == -1)
			return false;
	}
	return true;
}

static void
verify_message(struct tool *t, const struct message *m, struct buf *b)
{
	struct record_message record;
	uint64_t before = t->failed;
	int fd;

	buf_clear(b);
	if (store_message(t->store, m, b, &record) == -1)
		tool_complain(
		    t, m->id, "its trace fields: %s", strerror(errno));
	if (!verify_replies(t, m, b))
		tool_complain(
		    t, m->id, "a reply that it got: %s", strerror(errno));
	if ((fd = tool_content(t, m)) == -1)
		tool_complain(t, m->id, "its content: %s", strerror(errno));
	else
		close(fd);
	t->done += before == t->failed;
}

void
tool_verify(struct tool *t)
{
	struct index *ix = store_index(t->store);
	struct buf b;

	if (store_look(t->store, t->base) == -1)
		err(1, "store");
	/* Also where no message suffers. */
	t->failed += store_damaged(t->store);
	buf_init(&b, UINT32_MAX / 2);
	for (struct message *m = index_first(ix); m != NULL;
	     m = index_after(ix, m->id)) {
		verify_message(t, m, &b);
		tool_progress(t);
	}
	buf_fini(&b);
	store_free(t->store);
}
