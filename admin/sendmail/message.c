/*
 * message.c - reading standard input.
 */
#include "admin/sendmail/message.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "admin/sendmail/sendmail.h"

void
message_init(struct message *m, bool ignore_dots)
{
	text_init(&m->text, ignore_dots);
	buf_init(&m->kept, MESSAGE_KEPT_MAX);
	m->file = -1;
	m->in_file = 0;
	m->block = SPAN("");
	m->whole = false;
}

static ssize_t
read_block(char in[MESSAGE_BLOCK])
{
	ssize_t n;

	do
		n = read(STDIN_FILENO, in, MESSAGE_BLOCK);
	while (n == -1 && errno == EINTR);
	return n;
}

void
message_next(struct message *m)
{
	static char in[MESSAGE_BLOCK];
	ssize_t n = read_block(in);
	size_t out;

	if (n == -1)
		fail(EX_IOERR,
		    "standard input cannot be read (%s); nothing was sent",
		    strerrordesc_np(errno));
	out = text_add(&m->text, span_from(in, (size_t)n), m->out);
	if (n == 0 || m->text.ended) {
		out += text_end(&m->text, m->out + out);
		m->whole = true;
	}
	if (m->text.nul)
		fail(EX_DATAERR,
		    "the message holds a NUL octet, which mail cannot carry; "
		    "nothing was sent");
	m->block = span_from(m->out, out);
}

/* It is gone with us, however we end. */
static int
open_file(void)
{
	char name[] = "/var/tmp/sendmail.XXXXXX";
	int fd = mkostemp(name, O_CLOEXEC);

	if (fd != -1)
		unlink(name);
	return fd;
}

/* As much of the block as memory and the file take: all of it, or we are full. */
static bool
keep_block(struct message *m)
{
	if (m->file == -1 && buf_add_span(&m->kept, m->block) == 0) {
		m->block = SPAN("");
		return true;
	}
	if (m->file == -1 && (m->file = open_file()) == -1)
		return false;
	if (m->in_file > MESSAGE_FILE_MAX)
		return false;
	while (m->block.n > 0) {
		ssize_t n = write(m->file, m->block.p, m->block.n);

		if (n == -1 && errno != EINTR)
			return false;
		if (n > 0) {
			m->block = span_skip(m->block, (size_t)n);
			m->in_file += (uint64_t)n;
		}
	}
	return true;
}

void
message_keep(struct message *m)
{
	while (!m->whole) {
		message_next(m);
		if (!keep_block(m))
			return;
	}
}

struct span
message_piece(const struct message *m, uint64_t at)
{
	static char piece[MESSAGE_BLOCK];
	uint64_t left = m->in_file - at;
	ssize_t n;

	if (left == 0)
		return SPAN("");
	do
		n = pread(m->file, piece,
		    left < sizeof piece ? (size_t)left : sizeof piece,
		    (off_t)at);
	while (n == -1 && errno == EINTR);
	if (n <= 0)
		fail(EX_IOERR,
		    "a file of our own cannot be read (%s); the message was "
		    "not sent",
		    n == 0 ? "it is shorter" : strerrordesc_np(errno));
	return span_from(piece, (size_t)n);
}
