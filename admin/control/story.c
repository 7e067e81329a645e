/*
 * story.c - an id's story out of the history files (DESIGN section 6).
 *
 * An id begins with its time of acceptance, so the search begins in the file of
 * that hour.  A page reads a bounded number of bytes; a broken or unfinished
 * frame ends its file.
 */
#include <sys/stat.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "admin/control/control.h"
#include "common/bytes/id.h"
#include "common/bytes/log.h"

#define READ_SIZE  (1024 * 1024) /* at once; holds any frame */
#define READ_COUNT 8		 /* reads for one page */

static char block[READ_SIZE];

/* The earliest slice at or after `from`; -1: there is none. */
static int64_t
next_slice(const struct control *k, int64_t from)
{
	int64_t best = -1, seconds;
	struct dirent *entry;
	DIR *dir;
	int fd = openat(k->history, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd == -1)
		return -1;
	if ((dir = fdopendir(fd)) == NULL) {
		close(fd);
		return -1;
	}
	while ((entry = readdir(dir)) != NULL)
		if (history_name_parse(span_of(entry->d_name), &seconds) &&
		    seconds >= from && (best == -1 || seconds < best))
			best = seconds;
	closedir(dir);
	return best;
}

/* Read the slice at the cursor into block; what was read, empty at its end. */
static struct span
read_slice(const struct control *k, const struct msg_tale *t)
{
	char name[HISTORY_NAME_LEN + 1];
	ssize_t n;
	int fd;

	history_name(name, t->slice);
	fd = openat(k->history, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd == -1)
		return (struct span){ block, 0 };
	n = pread(fd, block, sizeof block, (off_t)t->offset);
	close(fd);
	return (struct span){ block, n > 0 ? (size_t)n : 0 };
}

/* Events of this id, and of the bounces that tell of it.  Returns whether
 * the page has room left. */
static bool
take_events(struct msg_tale *t, uint64_t id, struct span *in)
{
	struct history_event e;
	uint64_t seq;

	while (t->n < CONTROL_EVENTS_MAX) {
		struct span before = *in;

		if (history_get(in, &seq, &e) != 1)
			return true;
		t->offset += before.n - in->n;
		if (e.id == id ||
		    (e.kind == HISTORY_ACCEPTED && e.parent == id))
			t->events[t->n++] = e;
	}
	return false;
}

static void
tell_page(struct control *k, struct msg_tale *t, uint64_t id)
{
	t->slice = next_slice(k, t->slice);
	for (int i = 0; i < READ_COUNT && t->slice != -1; i++) {
		uint64_t before = t->offset;
		struct span in = read_slice(k, t);

		/* The events borrow from block: the page ends with it. */
		if (!take_events(t, id, &in) || t->n > 0)
			break;
		if (t->offset == before) {
			t->slice = next_slice(k, t->slice + 1);
			t->offset = 0;
		}
	}
	t->more = t->slice != -1;
}

void
story_tell(struct client *c, const struct msg_story *ask)
{
	static struct msg_tale tale;

	tale = (struct msg_tale){ .slice = ask->slice, .offset = ask->offset };
	if (tale.slice == 0) {
		tale.slice = (int64_t)(id_time(ask->id) / 1000000);
		tale.slice -= tale.slice % HISTORY_SLICE;
	}
	reply_make(&tale.reply, R_DONE, NULL);
	tell_page(c->control, &tale, ask->id);
	msg_tale_put(
	    channel_begin(c->channel, CONTROL_TALE, c->request), &tale);
	channel_send(c->channel, -1);
}
